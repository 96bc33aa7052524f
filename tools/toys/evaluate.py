"""Measures toy-latent: scores with and without a shift of the initial noise, time, and a contact sheet.

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
from diffusers import DDIMScheduler, StableDiffusionPipeline
from torch import Tensor
from transformers import ViTForImageClassification

from .captions import LABELS
from .pictures import save_sheet
from .training import Log

PROMPT = "A photo of a {}"
SHIFTS: dict[str, Callable[[Tensor, float, torch.Generator], Tensor]] = {
    "random": lambda z, size, generator: z + size * torch.rand(z.shape, generator=generator),
    "mean": lambda z, size, generator: z + size,
    "std": lambda z, size, generator: (1 + size) * z,
    "mixed": lambda z, size, generator: (1 + size) * z + size,
}


def initial_noise(labels: list[int], seeds: list[int]) -> Tensor:
    """One latent for each (class, seed), shape (count, 4, 16, 16), standard normal."""
    return torch.stack(
        [
            torch.randn(4, 16, 16, generator=torch.Generator().manual_seed(100_000 + 1_000 * label + seed))
            for label, seed in zip(labels, seeds, strict=True)
        ]
    )


@torch.no_grad()
def generate(
    pipeline: StableDiffusionPipeline, labels: list[int], noise: Tensor, steps: int, guidance: float, batch: int
) -> Tensor:
    """Pictures of classes, shape (count, 3, 64, 64) in [0, 1], by plain calls of the pipeline."""
    parts = []
    for start in range(0, len(labels), batch):
        result = pipeline(
            prompt=[PROMPT.format(LABELS[label]) for label in labels[start : start + batch]],
            num_inference_steps=steps,
            guidance_scale=guidance,
            latents=noise[start : start + batch],
            output_type="pt",
        )
        parts.append(result.images)
    return torch.cat(parts)


class Scorers:
    """toy-vit and toy-clip, as their libraries load them."""

    def __init__(self, folder: Path) -> None:
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
        return {"top1": best[:, 0].float(), "top5": best.any(dim=-1).float(), "clip": 100 * cosine.clamp(min=0)}


def main() -> None:
    """Prints the measurements."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--model", type=Path, required=True, help="the pipeline's folder")
    parser.add_argument("--scorers", type=Path, help="folder of toy-vit and toy-clip")
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--guidance", type=float, default=1.0)
    parser.add_argument("--spacing", choices=("leading", "trailing", "linspace"), help="other than the folder's")
    parser.add_argument("--seeds", type=int, default=12, help="images of each class")
    parser.add_argument("--shifts", nargs="*", default=[], choices=SHIFTS, help="also measure these shifts")
    parser.add_argument("--sizes", nargs="*", type=float, default=[-0.3, -0.1, 0.1, 0.3], help="magnitudes")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--sheet", type=Path, help="write a contact sheet, a row for each class (6 seeds)")
    parser.add_argument("--log", type=Path, default=Path("evaluate.jsonl"))
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    pipeline = StableDiffusionPipeline.from_pretrained(arguments.model)
    pipeline.set_progress_bar_config(disable=True)
    if arguments.spacing:
        changes = {"timestep_spacing": arguments.spacing}
        pipeline.scheduler = DDIMScheduler.from_config(pipeline.scheduler.config, **changes)
    labels = [label for _ in range(arguments.seeds) for label in range(len(LABELS))]
    seeds = [seed for seed in range(arguments.seeds) for _ in LABELS]
    noise = initial_noise(labels, seeds)
    scorers = Scorers(arguments.scorers) if arguments.scorers else None
    log = Log(arguments.log)
    cases = [("none", 0.0)] + [(name, size) for name in arguments.shifts for size in arguments.sizes]
    for name, size in cases:
        shifted = SHIFTS[name](noise, size, torch.Generator().manual_seed(1)) if size else noise
        started, used = time.perf_counter(), time.process_time()
        pictures = generate(pipeline, labels, shifted, arguments.steps, arguments.guidance, arguments.batch)
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


if __name__ == "__main__":
    main()
