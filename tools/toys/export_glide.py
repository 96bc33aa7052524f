"""Puts toy-glide's trained stages together as a pipeline folder, in half precision."""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from pytest_seedshift.models.glide.pipeline import GlidePipeline
from pytest_seedshift.models.glide.schedulers import GlideDDIMScheduler, GlideDDPMScheduler

from .glide_vocabulary import build_tokenizer
from .train_glide import SCHEDULES, Stage
from .training import load_weights, save_part

STEPS = "20"
UPSAMPLER_STEPS = "8"


def load_stage(part: str, weights: Path) -> Stage:
    """A trained stage, in single precision."""
    stage = Stage(part).eval()
    load_weights(stage, weights)
    return stage


def build_pipeline(base: Path, upsampler: Path) -> GlidePipeline:
    """The pipeline of both stages' weights, in single precision."""
    first, second = load_stage("base", base), load_stage("upsampler", upsampler)
    return GlidePipeline(
        tokenizer=build_tokenizer(),
        text_encoder=first.text,
        unet=first.unet,
        scheduler=GlideDDPMScheduler(
            beta_schedule=SCHEDULES["base"], variance_type="learned_range", prediction_type="v_prediction"
        ),
        upsampler_text_encoder=second.text,
        upsampler=second.unet,
        upsampler_scheduler=GlideDDIMScheduler(beta_schedule=SCHEDULES["upsampler"], prediction_type="v_prediction"),
        steps=STEPS,
        upsampler_steps=UPSAMPLER_STEPS,
        # Rounding makes a rounding error that depends on the batch into a level of the picture.
        rounded=False,
    )


def main() -> None:
    """Writes the pipeline's folder, in one step for whoever reads it meanwhile."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--base", type=Path, required=True, help="the base's averaged weights")
    parser.add_argument("--upsampler", type=Path, required=True, help="the upsampler's averaged weights")
    parser.add_argument("--out", type=Path, required=True, help="the pipeline's folder")
    arguments = parser.parse_args()
    pipeline = build_pipeline(arguments.base, arguments.upsampler).to(dtype=torch.float16)
    save_part(pipeline, arguments.out)


if __name__ == "__main__":
    main()
