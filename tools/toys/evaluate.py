"""Measures a toy model: scores with and without a shift of the initial noise, time, and contact sheets.

The noise of an image depends on its class and seed alone, so every row of the table starts from the same noise.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path

import open_clip
import torch
from diffusers import DDIMScheduler, DiffusionPipeline, StableDiffusionPipeline
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional
from transformers import ViTForImageClassification

from pytest_seedshift.models.glide.pipeline import GlidePipeline

from .captions import COLOURS, LABELS, PLACES, SIZES, TEMPLATES, fill, phrase
from .pictures import save_sheet
from .train_classifier import SIZE, Conv
from .training import Log

PROMPT = "A photo of a {}"
SHIFTS: dict[str, Callable[[Tensor, float, torch.Generator], Tensor]] = {
    "random": lambda z, size, generator: z + size * torch.rand(z.shape, generator=generator),
    "mean": lambda z, size, generator: z + size,
    "std": lambda z, size, generator: (1 + size) * z,
    "mixed": lambda z, size, generator: (1 + size) * z + size,
}


def load_model(folder: Path) -> DiffusionPipeline:
    """toy-latent or toy-glide, in single precision."""
    kind = json.loads((folder / "model_index.json").read_text(encoding="utf-8"))["_class_name"]
    if kind == "GlidePipeline":
        return GlidePipeline.from_pretrained(folder).to(dtype=torch.float32)
    return StableDiffusionPipeline.from_pretrained(folder, torch_dtype=torch.float32)


def initial_noise(labels: list[int], seeds: list[int], channels: int) -> Tensor:
    """One seed vector for each (class, seed), shape (count, channels, 16, 16), standard normal."""
    return torch.stack(
        [
            torch.randn(channels, 16, 16, generator=torch.Generator().manual_seed(100_000 + 1_000 * label + seed))
            for label, seed in zip(labels, seeds, strict=True)
        ]
    )


@torch.no_grad()
def generate(
    pipeline: DiffusionPipeline, prompts: list[str], noise: Tensor, steps: int, guidance: float, batch: int
) -> Tensor:
    """Pictures of prompts, shape (count, 3, 64, 64) in [0, 1], by plain calls of the pipeline."""
    parts = []
    for start in range(0, len(prompts), batch):
        result = pipeline(
            prompt=prompts[start : start + batch],
            num_inference_steps=steps,
            guidance_scale=guidance,
            latents=noise[start : start + batch],
            generator=torch.Generator().manual_seed(start),  # of the noise that an ancestral sampler adds
            output_type="pt",
        )
        parts.append(result.images)
    pictures = torch.cat(parts)
    return functional.interpolate(pictures, (SIZE, SIZE), mode="bicubic", align_corners=False).clamp(0, 1)


def caption_grid() -> list[str]:
    """A caption of every class, template, colour, place and size, in rows of 16: one row a class. Every half row has
    the next template.
    """
    said = [(colour, 0, 0) for colour in range(1, len(COLOURS))]
    said += [(0, place, 0) for place in range(1, len(PLACES))]
    said += [(0, 0, size) for size in range(1, len(SIZES))] + [(4, 1, 1), (1, 2, 1), (3, 0, 2)]
    rows = [(label, *what) for label in range(len(LABELS)) for what in said]
    return [fill(TEMPLATES[index // 8 % len(TEMPLATES)], phrase(*row)) for index, row in enumerate(rows)]


class Scorers:
    """toy-vit and toy-clip, as their libraries load them, and the second classifier if its folder is given."""

    def __init__(self, folder: Path, second: Path | None) -> None:
        self.second = Conv().eval() if second else None
        if self.second and second:
            weights = load_file(second / "model.safetensors")
            self.second.load_state_dict({name: value.float() for name, value in weights.items()})
        self.vit = ViTForImageClassification.from_pretrained(folder / "toy-vit").eval()
        clip = folder / "toy-clip"
        self.clip = open_clip.create_model_from_pretrained(f"local-dir:{clip}")[0].eval()
        tokenizer = open_clip.get_tokenizer(f"local-dir:{clip}")
        with torch.no_grad():
            self.text = self.clip.encode_text(tokenizer([PROMPT.format(label) for label in LABELS]), normalize=True)

    @torch.no_grad()
    def __call__(self, pictures: Tensor, labels: list[int]) -> dict[str, Tensor]:
        """Scores of pictures (count, 3, 64, 64) in [0, 1]: each of shape (count,)."""
        truth = torch.tensor(labels)
        logits = self.vit((pictures - 0.5) / 0.5).logits
        best = logits.topk(5, dim=-1).indices == truth[:, None]
        cosine = (self.clip.encode_image((pictures - 0.5) / 0.5, normalize=True) * self.text[truth]).sum(dim=-1)
        scores = {"top1": best[:, 0].float(), "top5": best.any(dim=-1).float(), "clip": 100 * cosine.clamp(min=0)}
        if self.second:
            scores["top1_second"] = (self.second(pictures).argmax(dim=-1) == truth).float()
        return scores


def main() -> None:
    """Prints the measurements."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--model", type=Path, required=True, help="the pipeline's folder")
    parser.add_argument("--scorers", type=Path, help="folder of toy-vit and toy-clip")
    parser.add_argument("--second", type=Path, help="folder of the second classifier")
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--guidance", type=float, default=2.0)
    parser.add_argument("--spacing", choices=("leading", "trailing", "linspace"), help="other than the folder's")
    parser.add_argument("--seeds", type=int, default=12, help="images of each class")
    parser.add_argument("--shifts", nargs="*", default=[], choices=SHIFTS, help="also measure these shifts")
    parser.add_argument("--sizes", nargs="*", type=float, default=[-0.3, -0.1, 0.1, 0.3], help="magnitudes")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--sheet", type=Path, help="write a contact sheet, a row for each class (6 seeds)")
    parser.add_argument("--captions", type=Path, help="write a contact sheet of classes, colours, places and sizes")
    parser.add_argument("--log", type=Path, default=Path("evaluate.jsonl"))
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    pipeline = load_model(arguments.model)
    pipeline.set_progress_bar_config(disable=True)
    if arguments.spacing:
        changes = {"timestep_spacing": arguments.spacing}
        pipeline.scheduler = DDIMScheduler.from_config(pipeline.scheduler.config, **changes)
    labels = [label for _ in range(arguments.seeds) for label in range(len(LABELS))]
    seeds = [seed for seed in range(arguments.seeds) for _ in LABELS]
    channels = pipeline.unet.config["in_channels"]
    noise = initial_noise(labels, seeds, channels)
    prompts = [PROMPT.format(LABELS[label]) for label in labels]
    scorers = Scorers(arguments.scorers, arguments.second) if arguments.scorers else None
    log = Log(arguments.log)
    cases = [("none", 0.0)] + [(name, size) for name in arguments.shifts for size in arguments.sizes]
    for name, size in cases:
        shifted = SHIFTS[name](noise, size, torch.Generator().manual_seed(1)) if size else noise
        started, used = time.perf_counter(), time.process_time()
        pictures = generate(pipeline, prompts, shifted, arguments.steps, arguments.guidance, arguments.batch)
        values: dict[str, float | str] = {
            "shift": name,
            "size": size,
            "ms": (time.perf_counter() - started) * 1000 / len(labels),
            "cpu_ms": (time.process_time() - used) * 1000 / len(labels),
        }
        if scorers:
            scores = scorers(pictures, labels)
            values |= {score: value.mean().item() for score, value in scores.items()}
            values["clip_std"] = scores["clip"].std().item()
            wrong = {
                LABELS[label]: int((1 - scores["top1"][torch.tensor(labels) == label]).sum())
                for label in range(len(LABELS))
            }
            values["wrong"] = json.dumps({label: count for label, count in wrong.items() if count})
        log(**values)
        if arguments.sheet and name == "none":
            rows = pictures.view(arguments.seeds, len(LABELS), 3, 64, 64)[:6].transpose(0, 1).flatten(0, 1)
            save_sheet(rows, columns=min(6, arguments.seeds), path=arguments.sheet, zoom=2)
    if arguments.captions:
        texts = caption_grid()
        noise = initial_noise([0] * len(texts), list(range(len(texts))), channels)
        pictures = generate(pipeline, texts, noise, arguments.steps, arguments.guidance, arguments.batch)
        save_sheet(pictures, columns=16, path=arguments.captions)
        lines = [" | ".join(texts[start : start + 16]) for start in range(0, len(texts), 16)]
        arguments.captions.with_suffix(".txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
