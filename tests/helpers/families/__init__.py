"""Small pipelines of diffusers' families, made from configurations alone: random weights, float32, on the CPU.

Every weight is drawn anew, so that none is zero as at the start of a training (with zeros, nothing would reach the
image) and that two pipelines of one family are the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .dits import (
    aura_flow,
    chroma,
    cogview_4,
    flux,
    flux_2,
    hunyuan_dit,
    kandinsky_5,
    lumina_2,
    pixart,
    pixart_sigma,
    prx_latent,
    prx_pixel,
    qwen_image,
    sana,
    stable_diffusion_3,
    z_image,
)
from .later_dits import (
    cogview_3,
    ernie,
    hunyuan_image,
    krea_2,
    longcat,
    nucleus,
    omnigen,
    ovis,
    qwen_image_21,
    sana_sprint,
)
from .parts import FRAMED, LAST, Family
from .unets import (
    cascade,
    consistency,
    deepfloyd,
    glide,
    glide_v,
    kandinsky_3,
    kandinsky_22,
    latent_diffusion,
    stable_diffusion,
    stable_diffusion_xl,
    stable_unclip,
    v_prediction,
    wuerstchen,
)

if TYPE_CHECKING:
    from pytest_seedshift.core.pairs import Pair

__all__ = ["DAILY", "EACH", "FAMILIES", "Family", "glide", "stable_diffusion", "stable_diffusion_xl"]


def length(pair: Pair) -> int:
    return len(pair.prompt)


def alone(pair: Pair) -> Pair:
    return pair


WIDE = {"height": 32, "width": 48}
LARGE = {"height": 64, "width": 96}

FAMILIES = {
    "stable-diffusion-1": Family(stable_diffusion, (4, 16, 16)),
    "stable-diffusion-2": Family(v_prediction, (4, 16, 16)),
    "stable-diffusion-xl": Family(stable_diffusion_xl, (4, 16, 16)),
    "stable-diffusion-3": Family(stable_diffusion_3, (16, 16, 16), call={"max_sequence_length": 32}),
    "latent-consistency": Family(consistency, (4, 16, 16)),
    "stable-unclip": Family(stable_unclip, (4, 16, 16), call={"prior_num_inference_steps": 2}, steps=4),
    # Without the noisiest steps, where a rounding error of the noise is multiplied by 20,000.
    "glide": Family(glide, (3, 16, 16), call={"num_inference_steps": "ddim2", "upsampler_steps": "ddim2"}),
    "glide-v": Family(glide_v, (3, 16, 16), call={"upsampler_steps": 2}),
    "flux": Family(flux, (4, 16, 24), call={"height": 32, "width": 48, "max_sequence_length": 32}),
    "flux-2": Family(
        flux_2,
        (16, 8, 12),
        call={"height": 32, "width": 48, "max_sequence_length": 64, "text_encoder_out_layers": (1, 2, 3)},
    ),
    "chroma": Family(chroma, (4, 16, 24), call={"height": 32, "width": 48, "max_sequence_length": 32}),
    "pixart-alpha": Family(
        pixart, (4, 16, 16), call={"clean_caption": False, "use_resolution_binning": False, "max_sequence_length": 32}
    ),
    "pixart-sigma": Family(
        pixart_sigma,
        (4, 16, 16),
        call={"clean_caption": False, "use_resolution_binning": False, "max_sequence_length": 32},
    ),
    "sana": Family(
        sana,
        (4, 16, 16),
        call={
            "height": 32,
            "width": 32,
            "use_resolution_binning": False,
            "max_sequence_length": 32,
            "complex_human_instruction": ["Say more: "],
        },
    ),
    "kandinsky-2.2": Family(
        kandinsky_22, (4, 16, 24), call={"height": 32, "width": 48, "prior_num_inference_steps": 2}
    ),
    "kandinsky-3": Family(kandinsky_3, (4, 16, 24), call={"height": 128, "width": 192}, together=length),
    "kandinsky-5": Family(
        kandinsky_5, (1, 8, 12, 4), LAST, call={"height": 64, "width": 96, "max_sequence_length": 512}, together=length
    ),
    "deepfloyd-if": Family(deepfloyd, (3, 16, 16), call={"clean_caption": False}),
    "auraflow": Family(aura_flow, (4, 16, 24), call={"height": 32, "width": 48, "max_sequence_length": 32}),
    "qwen-image": Family(
        qwen_image,
        (1, 4, 8, 12),
        FRAMED,
        call={"height": 32, "width": 48, "true_cfg_scale": 2.0, "negative_prompt": " "},
    ),
    "z-image": Family(z_image, (4, 16, 24), call={"height": 32, "width": 48, "max_sequence_length": 64}),
    "lumina-2": Family(lumina_2, (4, 8, 12), call={"height": 64, "width": 96, "max_sequence_length": 256}),
    "hunyuan-dit": Family(hunyuan_dit, (4, 8, 12), call={"height": 64, "width": 96, "use_resolution_binning": False}),
    "cogview-4": Family(cogview_4, (4, 16, 24), call={"height": 32, "width": 48}, together=length),
    "latent-diffusion": Family(latent_diffusion, (4, 8, 12), call={"height": 64, "width": 96}, steps=0),
    "wuerstchen": Family(wuerstchen, (2, 3, 6), call={"height": 128, "width": 256, "prior_num_inference_steps": 2}),
    "stable-cascade": Family(cascade, (4, 3, 6), call={"height": 128, "width": 256, "prior_num_inference_steps": 2}),
    "prx": Family(prx_latent, (4, 16, 16), call={"use_resolution_binning": False}, together=alone),
    "prx-pixel": Family(prx_pixel, (3, 32, 32), call={"use_resolution_binning": False}, together=alone),
    "ovis-image": Family(ovis, (4, 16, 24), call=WIDE),
    "hunyuan-image": Family(hunyuan_image, (4, 8, 12), call=LARGE),
    "krea-2": Family(krea_2, (4, 8, 12), call={**WIDE, "max_sequence_length": 64}),
    "nucleus-moe": Family(nucleus, (1, 4, 8, 12), FRAMED, call={**WIDE, "return_index": -1}),
    "longcat-image": Family(longcat, (16, 16, 24), call={**WIDE, "enable_prompt_rewrite": False}, steps=0),
    "ernie-image": Family(ernie, (16, 8, 12), call={**WIDE, "use_pe": False}),
    "sana-sprint": Family(sana_sprint, (4, 16, 16), call={"height": 32, "width": 32, "use_resolution_binning": False}),
    "cogview-3-plus": Family(cogview_3, (4, 16, 24), call=WIDE),
    "omnigen": Family(omnigen, (4, 4, 6), call=WIDE, together=length),
    "qwen-image-2.1": Family(qwen_image_21, (1, 4, 4, 6), FRAMED, call={"height": 64, "width": 96}, together=length),
}

DAILY = (
    "stable-diffusion-1",  # a UNet in latents
    "stable-diffusion-3",  # a transformer that follows a flow
    "flux",  # packed states
    "glide",  # in pixels, with an upsampler; a pipeline of this package
    "deepfloyd-if",  # in pixels, signed
    "kandinsky-2.2",  # a prior, and FutureWarnings of its own
    "stable-unclip",  # two samplings in a row
    "kandinsky-5",  # channels last; prompts padded to the longest
    "qwen-image",  # a frame of a video
    "prx-pixel",  # one image at a time
    "latent-diffusion",  # reports no steps
)
"""One family of each kind. All others are tested nightly."""

EACH = [pytest.param(name, marks=() if name in DAILY else pytest.mark.nightly) for name in FAMILIES]
"""All families, as parameters of a test."""
