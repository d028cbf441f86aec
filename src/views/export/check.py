"""Recomputes an exported conditioning with transformers, from the ids and weights in the file, and prints how far the
numbers are apart.

    pip install torch transformers safetensors
    python check.py conditioning.safetensors openai/clip-vit-large-patch14
    python check.py conditioning.safetensors path/to/text_encoder
    python check.py conditioning.safetensors path/to/model.safetensors
    python check.py conditioning.safetensors MODEL --embedding easynegative.safetensors --lora style.safetensors

The model is what CLIPTextModel.from_pretrained takes, or a .safetensors file with the text encoder of Stable Diffusion 1.x.
Recomputed are the methods none, scale, original and comfy, with the masks causal, hf and lecture; not recomputed are
Compel's .and() and .blend(), and "original" where the texts of a schedule share a mean. Textual inversions and LoRAs that the
numbers have in them have to be given (safetensors, .pt or .bin); of LoRAs plain ones are merged.
"""

import argparse
import json
import math
import re
import sys
from pathlib import Path

import torch
from safetensors import safe_open
from transformers import CLIPTextConfig, CLIPTextModel

METHODS = ("none", "scale", "original", "comfy")
MASKS = ("causal", "hf", "lecture")
BOS, EOS = 49406, 49407


def load_model(place):
    if not place.endswith(".safetensors"):
        return CLIPTextModel.from_pretrained(place, dtype=torch.float32).eval()
    weights = {}
    with safe_open(place, "pt") as file:
        for name in file.keys():
            bare = name.removeprefix("cond_stage_model.transformer.").removeprefix("text_model.")
            if bare.startswith(("embeddings.", "encoder.", "final_layer_norm.")) and not bare.endswith("position_ids"):
                weights[bare] = file.get_tensor(name).float()
    # Long-CLIP has 248 positions.
    positions = len(weights.get("embeddings.position_embedding.weight", range(77)))
    config = CLIPTextConfig(
        hidden_size=768,
        intermediate_size=3072,
        num_hidden_layers=12,
        num_attention_heads=12,
        max_position_embeddings=positions,
    )
    model = CLIPTextModel(config).eval()
    # Some versions of transformers have everything below text_model.
    inner = getattr(model, "text_model", model)
    missing = [name for name in inner.load_state_dict(weights, strict=False).missing_keys if "position_ids" not in name]
    if missing:
        sys.exit(f"{place} lacks {len(missing)} tensors of the text encoder, the first being {missing[0]}.")
    return model


def load_tensors(place):
    if not place.endswith(".safetensors"):
        return torch.load(place, map_location="cpu", weights_only=True)
    with safe_open(place, "pt") as file:
        return {name: file.get_tensor(name) for name in file.keys()}


def embeddings_in(place, tensors):
    """By every name that a prompt can have for them, [n, d] each."""
    name, found = Path(place).stem, {}
    for key, value in tensors.items():
        bundled = re.fullmatch(r"bundle_emb\.(.+?)\.(string_to_param\..+|clip_l|emb_params)", key)
        if bundled:
            found[bundled[1]] = value
        elif key in ("clip_l", "emb_params"):
            found[name] = value
    if "string_to_param" in tensors:
        found[name] = found[tensors.get("name") or name] = next(iter(tensors["string_to_param"].values()))
    elif len(tensors) == 1 and not found:
        [(key, value)] = tensors.items()
        found[name] = found[key] = value
    return {key: value.float().reshape(-1, value.shape[-1]) for key, value in found.items()}


UPDATE = re.compile(
    r"(?:lora_te1?_|text_encoder_|te1?_|base_model_model_)*text_model_encoder_layers_(\d+)_"
    r"(?:self_attn_(?:to_)?(q|k|v|out)(?:_proj)?|mlp_(fc[12]))_(.+)"
)
PARTS = {"down": r"lora_down|lora_A|lora_A_default|(lora_linear_layer_|lora_)?down", "up": r"lora_up|lora_B|lora_B_default|(lora_linear_layer_|lora_)?up"}


def updates_in(tensors):
    """Weight → what a LoRA adds to it at multiplier 1, in float64."""
    found = {}
    for key, value in tensors.items():
        match = UPDATE.fullmatch(key.replace(".", "_"))
        if not match:
            continue
        layer, attention, mlp, part = match.groups()
        weight = f"encoder.layers.{layer}." + (f"self_attn.{attention}_proj.weight" if attention else f"mlp.{mlp}.weight")
        kind = next((kind for kind, names in PARTS.items() if re.fullmatch(f"({names})_weight", part)), part)
        found.setdefault(weight, {})[kind] = value.double()
    updates = {}
    for weight, parts in found.items():
        if not set(parts) <= {"down", "up", "alpha"} or not {"down", "up"} <= set(parts):
            continue
        down, up = parts["down"].flatten(1), parts["up"].flatten(1)
        updates[weight] = up @ down * (float(parts.get("alpha", len(down))) / len(down))
    return updates


class Check:
    def __init__(self, model, metadata, prefix, embeddings, loras):
        self.model, self.metadata, self.prefix = model, metadata, prefix
        self.embeddings, self.loras = embeddings, loras
        self.vectors = []
        self.length = len(self.list("token_ids")[0])
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
        for entry in self.list(role + "embeddings", []):
            vectors = self.embeddings.get(entry["name"])
            if vectors is None:
                return f"it has vectors of the textual inversion {entry['name']}, which --embedding gives no file for"
            if len(vectors) < entry["vectors"]:
                return f"the file given for {entry['name']} has {len(vectors)} vectors, not {entry['vectors']}"
        for entry in self.list("loras", []):
            if not self.loras.get(entry["name"]):
                return f"it has the LoRA {entry['name']} merged, which --lora gives no file for that can be merged"
        return None

    def merged(self):
        """The weights with LoRAs added, and those as they were: to be put in, and back."""
        inner = getattr(self.model, "text_model", self.model)
        weights = dict(inner.named_parameters())
        before, after = {}, {}
        for entry in self.list("loras", []):
            for name, update in self.loras[entry["name"]].items():
                before.setdefault(name, weights[name].detach().clone())
                after[name] = after.get(name, before[name].double()) + entry["multiplier"] * update
        return inner, before, {name: weight.float() for name, weight in after.items()}

    def placed(self, module, inputs, output):
        """Token embeddings with the vectors of the chunk in their rows."""
        for row, name, index in self.vectors:
            output[0, row] = self.embeddings[name][index]
        return output

    def encode(self, ids, key_mask, vectors=()):
        """[L] ids → [L, d]; clip skip as A1111 and diffusers have it."""
        self.vectors = vectors
        mask = None if key_mask is None else torch.tensor([key_mask])
        with torch.no_grad():
            output = self.model(torch.tensor([ids]), attention_mask=mask, output_hidden_states=True)
            if self.clip_skip == 1:
                return output.last_hidden_state[0]
            inner = getattr(self.model, "text_model", self.model)
            return inner.final_layer_norm(output.hidden_states[-self.clip_skip])[0]

    def empty(self, masked=True):
        seen = {"causal": self.length, "hf": 2, "lecture": 1}[self.mask]
        mask = [1] * seen + [0] * (self.length - seen) if masked and seen < self.length else None
        return self.encode([BOS] + [EOS] * (self.length - 1), mask)

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
        """One of each part of an AND, [L·n, d]."""
        ids, texts = self.list(role + "token_ids"), self.list(role + "chunk_texts")
        weights = self.list(role + "applied_weights") or self.list(role + "weights")
        masks = self.list(role + "key_masks", [None] * len(ids))
        vectors = self.list(role + "embedding_rows", [[]] * len(ids))
        parts = [[] for _ in self.list(role + "operators")]
        for i, text in enumerate(texts):
            parts[text].append(self.weigh(self.encode(ids[i], masks[i], vectors[i]), weights[i]))
        # A1111 completes the texts of a schedule to as many chunks as the longest of them has.
        counts = self.list(role + "batch_chunks", [0] * len(parts))
        return [torch.cat(part + [self.empty()] * (count - len(part))) for part, count in zip(parts, counts)]

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
                    missing = (max(lengths) - len(part)) // self.length
                    whole = torch.cat([part] + [self.empty()] * missing)
                number = f".{i}" if len(parts[role]) > 1 else ""
                yield f"{self.prefix}{role}prompt_embeds{number}", whole


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("conditioning")
    arguments.add_argument("model")
    arguments.add_argument("--embedding", action="append", default=[], help="a textual inversion's file; again for another")
    arguments.add_argument("--lora", action="append", default=[], help="a LoRA's file; again for another")
    arguments.add_argument("--tolerance", type=float, default=1e-3, help="exit with 1 beyond it (default 1e-3)")
    given = arguments.parse_args()
    with safe_open(given.conditioning, "pt") as file:
        metadata = file.metadata() or {}
        if "clipscope" not in metadata and "prompts" not in metadata:
            sys.exit(f"{given.conditioning} does not say what it was made from.")
        tensors = {name: file.get_tensor(name) for name in file.keys()}
    embeddings, loras = {}, {}
    for place in given.lora + given.embedding:
        stored = load_tensors(place)
        embeddings.update(embeddings_in(place, stored))
        if place in given.lora:
            loras[Path(place).stem] = updates_in(stored)
    model = load_model(given.model)
    prefixes = [f"{i}." for i in range(int(metadata["prompts"]))] if "prompts" in metadata else [""]
    worst = 0.0
    for prefix in prefixes:
        check = Check(model, metadata, prefix, embeddings, loras)
        roles = ["", "negative_"] if prefix + "negative_prompt" in metadata else [""]
        reason = next(filter(None, map(check.why_not, roles)), None)
        if reason:
            sys.exit(f"This script cannot recompute {prefix or given.conditioning}: {reason}.")
        inner, before, after = check.merged()
        inner.load_state_dict(after, strict=False)
        hook = inner.embeddings.token_embedding.register_forward_hook(check.placed)
        for name, expected in check.pair(roles):
            difference = (tensors[name][0] - expected).abs()
            row, dimension = divmod(int(difference.argmax()), expected.shape[1])
            largest = float(difference.max())
            worst = max(worst, largest)
            print(f"{name} {list(tensors[name].shape)}: largest difference {largest:.3g} at row {row}, dimension {dimension}")
        hook.remove()
        inner.load_state_dict(before, strict=False)
    print(f"Largest difference of all: {worst:.3g}")
    sys.exit(0 if worst <= given.tolerance else 1)


main()
