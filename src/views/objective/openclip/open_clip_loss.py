"""Computes the loss of a batch of clipscope's objective lab with open_clip, and prints it beside the page's.

    pip install torch open_clip_torch safetensors
    python open_clip_loss.py objective.safetensors
"""

import sys

from open_clip.loss import ClipLoss, SigLipLoss
from safetensors import safe_open

with safe_open(sys.argv[1] if len(sys.argv) > 1 else "objective.safetensors", "pt") as file:
    page = file.metadata()
    batch = {name: file.get_tensor(name) for name in file.keys()}

# Rows have length 1, as encode_image and encode_text give them with normalize=True. The scale, 1 / tau, is stored as its
# logarithm, as in open_clip's models.
images, texts, scale = batch["image_features"], batch["text_features"], batch["logit_scale"].exp()
if page["objective"] == "clip":
    loss = ClipLoss()(images, texts, scale).item()
else:
    loss = SigLipLoss()(images, texts, scale, batch["logit_bias"]).item()

print(f"{len(texts)} pairs, step {page['step']}, tau {1 / scale.item():.6g}")
print(f"open_clip: {loss:.12f}")
print(f"the page:  {float(page['loss']):.12f}")
print(f"apart by   {abs(loss - float(page['loss'])):.1e}")
