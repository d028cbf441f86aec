# pip install torch diffusers transformers accelerate safetensors
import torch
from diffusers import StableDiffusionPipeline
from safetensors.torch import load_file

embeds = load_file("conditioning.safetensors")
pipe = StableDiffusionPipeline.from_pretrained(
    "stable-diffusion-v1-5/stable-diffusion-v1-5", torch_dtype=torch.float16
).to("cuda")
image = pipe(
    prompt_embeds=embeds["prompt_embeds"].to(pipe.device, pipe.dtype),
    negative_prompt_embeds=embeds["negative_prompt_embeds"].to(pipe.device, pipe.dtype),
    num_inference_steps=20,
    guidance_scale=7,
    generator=torch.Generator("cpu").manual_seed(1),
).images[0]
image.save("picture.png")
