"""Recomputes an exported conditioning with transformers, from the ids and weights in the file, and prints how far the
numbers are apart.

    pip install torch transformers safetensors
    python check.py conditioning.safetensors openai/clip-vit-large-patch14
    python check.py conditioning.safetensors path/to/text_encoder
    python check.py conditioning.safetensors path/to/model.safetensors

The model is what CLIPTextModel.from_pretrained takes, or a .safetensors file with the text encoder of Stable Diffusion 1.x.
Recomputed are the methods none, scale, original and comfy, with the masks causal, hf and lecture; not recomputed are
Compel's .and() and .blend(), "original" where the texts of a schedule share a mean, textual inversions and LoRAs.
"""

import argparse
import json
import math
import sys

import torch
from safetensors import safe_open
from transformers import CLIPTextConfig, CLIPTextModel

METHODS = ("none", "scale", "original", "comfy")
MASKS = ("causal", "hf", "lecture")
BOS, EOS, LENGTH = 49406, 49407, 77


def load_model(place):
    if not place.endswith(".safetensors"):
        return CLIPTextModel.from_pretrained(place, dtype=torch.float32).eval()
    weights = {}
    with safe_open(place, "pt") as file:
        for name in file.keys():
            bare = name.removeprefix("cond_stage_model.transformer.").removeprefix("text_model.")
            if bare.startswith(("embeddings.", "encoder.", "final_layer_norm.")) and not bare.endswith("position_ids"):
                weights[bare] = file.get_tensor(name).float()
    config = CLIPTextConfig(hidden_size=768, intermediate_size=3072, num_hidden_layers=12, num_attention_heads=12)
    model = CLIPTextModel(config).eval()
    # Some versions of transformers have everything below text_model.
    inner = getattr(model, "text_model", model)
    missing = [name for name in inner.load_state_dict(weights, strict=False).missing_keys if "position_ids" not in name]
    if missing:
        sys.exit(f"{place} lacks {len(missing)} tensors of the text encoder, the first being {missing[0]}.")
    return model


class Check:
    def __init__(self, model, metadata, prefix):
        self.model, self.metadata, self.prefix = model, metadata, prefix
        self.method, self.mask = self.text("weighting"), self.text("mask")
        self.syntax, self.clip_skip = self.text("syntax"), int(self.text("clipSkip"))

    def text(self, name):
        return self.metadata[self.prefix + name]

    def list(self, name, otherwise=None):
        stored = self.metadata.get(self.prefix + name)
        return otherwise if stored is None else json.loads(stored)

    def why_not(self, role):
        if self.method not in METHODS:
            return f"the method {self.method} is not among {', '.join(METHODS)}"
        if self.mask not in MASKS:
            return f"the mask {self.mask} is not among {', '.join(MASKS)}"
        if set(self.list(role + "operators")) - {None, "AND"}:
            return "the prompt is composed by Compel's .and() or .blend()"
        if self.method == "original" and max(self.list(role + "batch_sizes")) > 1:
            return "the texts of a schedule share a mean"
        embeddings = [entry["name"] for entry in self.list(role + "embeddings", [])]
        if embeddings:
            return f"the prompt has vectors of the textual inversions {', '.join(embeddings)} in place of ids"
        loras = [f"{entry['name']} ({entry['multiplier']})" for entry in self.list("loras", [])]
        if loras:
            return f"the text encoder had LoRAs merged into it: {', '.join(loras)}"
        return None

    def encode(self, ids, key_mask):
        """[77] ids → [77, d]; clip skip as A1111 and diffusers have it."""
        mask = None if key_mask is None else torch.tensor([key_mask])
        with torch.no_grad():
            output = self.model(torch.tensor([ids]), attention_mask=mask, output_hidden_states=True)
            if self.clip_skip == 1:
                return output.last_hidden_state[0]
            inner = getattr(self.model, "text_model", self.model)
            return inner.final_layer_norm(output.hidden_states[-self.clip_skip])[0]

    def empty(self, masked=True):
        seen = {"causal": LENGTH, "hf": 2, "lecture": 1}[self.mask]
        mask = [1] * seen + [0] * (LENGTH - seen) if masked and seen < LENGTH else None
        return self.encode([BOS] + [EOS] * (LENGTH - 1), mask)

    def weigh(self, z, weights):
        if self.method == "none" or all(w == 1 for w in weights):
            return z
        w = torch.tensor(weights, dtype=torch.float64)[:, None]
        z = z.double()
        if self.method == "comfy":
            e = self.empty(masked=self.syntax != "compel").double()
            return (e + (z - e) * w).float()
        scaled = z * w
        return (scaled if self.method == "scale" else scaled * (z.mean() / scaled.mean())).float()

    def conditionings(self, role):
        """One of each part of an AND, [77·n, d]."""
        ids, texts = self.list(role + "token_ids"), self.list(role + "chunk_texts")
        weights = self.list(role + "applied_weights") or self.list(role + "weights")
        masks = self.list(role + "key_masks", [None] * len(ids))
        parts = [[] for _ in self.list(role + "operators")]
        for i, text in enumerate(texts):
            parts[text].append(self.weigh(self.encode(ids[i], masks[i]), weights[i]))
        return [torch.cat(chunks) for chunks in parts]

    def pair(self, roles):
        """Positive and negative of one length, by the names in the file."""
        parts = {role: self.conditionings(role) for role in roles}
        longest = max(len(part) for part in parts[""])
        # A1111 completes the parts of an AND with their own last row.
        parts[""] = [torch.cat([part, part[-1:].expand(longest - len(part), -1)]) for part in parts[""]]
        lengths = {len(part) for role in roles for part in parts[role]}
        for role in roles:
            for i, part in enumerate(parts[role]):
                if self.syntax == "comfy":
                    whole = part.repeat(math.lcm(*lengths) // len(part), 1)
                else:
                    missing = (max(lengths) - len(part)) // LENGTH
                    whole = torch.cat([part] + [self.empty()] * missing)
                number = f".{i}" if len(parts[role]) > 1 else ""
                yield f"{self.prefix}{role}prompt_embeds{number}", whole


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("conditioning")
    arguments.add_argument("model")
    arguments.add_argument("--tolerance", type=float, default=1e-3, help="exit with 1 beyond it (default 1e-3)")
    given = arguments.parse_args()
    with safe_open(given.conditioning, "pt") as file:
        metadata = file.metadata() or {}
        if "clipscope" not in metadata and "prompts" not in metadata:
            sys.exit(f"{given.conditioning} does not say what it was made from.")
        tensors = {name: file.get_tensor(name) for name in file.keys()}
    model = load_model(given.model)
    prefixes = [f"{i}." for i in range(int(metadata["prompts"]))] if "prompts" in metadata else [""]
    worst = 0.0
    for prefix in prefixes:
        check = Check(model, metadata, prefix)
        roles = ["", "negative_"] if prefix + "negative_prompt" in metadata else [""]
        reason = next(filter(None, map(check.why_not, roles)), None)
        if reason:
            sys.exit(f"This script cannot recompute {prefix or given.conditioning}: {reason}.")
        for name, expected in check.pair(roles):
            difference = (tensors[name][0] - expected).abs()
            row, dimension = divmod(int(difference.argmax()), expected.shape[1])
            largest = float(difference.max())
            worst = max(worst, largest)
            print(f"{name} {list(tensors[name].shape)}: largest difference {largest:.3g} at row {row}, dimension {dimension}")
    print(f"Largest difference of all: {worst:.3g}")
    sys.exit(0 if worst <= given.tolerance else 1)


main()
