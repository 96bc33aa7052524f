"""What the same measurement costs when it is written by hand, with diffusers, transformers and torchmetrics.

    python benchmarks/naive.py [--images N] [--naive-images N] [--whole] [--keep FOLDER] [--processor] [--short]

Three ways to the scores of one grid, each in processes of its own, timed whole, with their imports: by hand, an image
at a time (`by_hand` below); this plugin with --seedshift-exact; this plugin as it comes, which stops a case as soon as
its verdict is certain. The images by hand come in three processes, before, between and after ours, so that a machine
that gets slower or faster meets all alike. They are spread over the whole grid, and the time of one is multiplied to
the grid's size (--whole makes all of them, which takes half an hour on two cores). The scores by hand are compared with
the plugin's.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import processes

from pytest_seedshift.core.cases import grid
from pytest_seedshift.core.limits import DEFAULT_MAGNITUDES, DEFAULT_SHIFTS
from pytest_seedshift.core.pairs import Label, Pair
from pytest_seedshift.models import catalogue, rng

CHUNKS = 3

Task = tuple[str, float, str, int, int]
"""Shift, magnitude, label, the label's index, seed index."""


def by_hand(tasks: list[Task], clock: Callable[[], float]) -> tuple[list[dict[str, float]], float]:
    """One image after another, and its scores; with the seconds that all images but the first one took.

    Not by hand is what fixes an image: the noise that the plugin would take for it, so that scores can be compared.
    """
    import open_clip
    import torch
    from diffusers import DiffusionPipeline
    from torchmetrics.functional.multimodal import clip_score
    from torchvision.transforms.functional import pil_to_tensor
    from transformers import pipeline

    entry = catalogue.shipped().find(processes.MODEL)
    diffusion = DiffusionPipeline.from_pretrained(entry.pipeline[0])
    diffusion.set_progress_bar_config(disable=True)
    shape = (diffusion.unet.config.in_channels, diffusion.unet.config.sample_size, diffusion.unet.config.sample_size)
    classify = pipeline("image-classification", model=entry.classifier)
    names = classify.model.config.id2label
    model, _, prepare = open_clip.create_model_and_transforms(f"local-dir:{entry.clip}")
    clip = ClipModel(model.eval()), ClipProcessor(prepare, open_clip.get_tokenizer(f"local-dir:{entry.clip}"))

    def shifted(z, shift: str, eta: float, pair: Pair):
        if shift == "random":
            return z + eta * torch.empty(z.shape[1:]).uniform_(generator=rng.generator(pair, "shift random"))
        if shift == "mean":
            return z + eta
        if shift == "std":
            return (1 + eta) * z
        if shift == "mixed":
            return (1 + eta) * z + eta
        if shift == "arrangement":
            height, width = int(abs(eta) * z.shape[-2] + 1e-9), int(abs(eta) * z.shape[-1] + 1e-9)
            block = z[..., :height, :width]
            z[..., :height, :width] = block.flatten(-2).sort(-1, descending=eta < 0).values.reshape(block.shape)
        return z

    results = []
    start = clock()
    for shift, eta, label, index, seed in tasks:
        pair = Pair(Label(label, index), seed)
        latents = shifted(rng.seed_vectors([pair], shape), shift, eta, pair)
        prompt = f"A photo of a {label}"
        image = diffusion(
            prompt, latents=latents, num_inference_steps=entry.steps, guidance_scale=entry.guidance
        ).images[0]
        guesses = [guess["label"] for guess in classify(image, top_k=5)]
        with torch.inference_mode():
            score = clip_score(pil_to_tensor(image), prompt, lambda: clip).item()
        top1, top5 = guesses[0] == names[index], names[index] in guesses
        results.append({"top1": float(top1), "top5": float(top5), "clip": score})
        if len(results) == 1:  # the first one is slow: it belongs to the start
            start = clock()
    return results, clock() - start


class ClipModel:
    """A model of open_clip as torchmetrics asks for it."""

    def __init__(self, model) -> None:
        self.model = model
        self.config = None

    def to(self, device) -> ClipModel:
        """Where torchmetrics wants it."""
        self.model.to(device)
        return self

    def get_image_features(self, pixels):
        """Not normalised: torchmetrics does that."""
        return self.model.encode_image(pixels)

    def get_text_features(self, tokens, _mask):
        """Not normalised either."""
        return self.model.encode_text(tokens)


class ClipProcessor:
    """The preparation of pictures and prompts that belongs to a model of open_clip, as torchmetrics asks for it."""

    def __init__(self, prepare, tokenizer) -> None:
        self.prepare = prepare
        self.tokenizer = tokenizer

    def __call__(self, text=None, images=None, **_):
        """Images as tensors, (3, height, width), of bytes; or texts."""
        import torch
        from torchvision.transforms.functional import to_pil_image

        if images is not None:
            return {"pixel_values": torch.stack([self.prepare(to_pil_image(image)) for image in images])}
        tokens = self.tokenizer(text)
        return {"input_ids": tokens, "attention_mask": (tokens != 0).long()}


@dataclass(frozen=True)
class Chunk:
    """What a process by hand has made; `start` is what it took before its second image."""

    tasks: list[Task]
    scores: list[dict[str, float]]
    start: float
    an_image: float


def run_by_hand(tasks: list[Task], folder: str, processor: bool) -> Chunk:
    asked, answered = Path(folder, "tasks.json"), Path(folder, "scores.json")
    asked.write_text(json.dumps(tasks))
    command = [str(Path(__file__).resolve()), "--by-hand", str(asked), str(answered)]
    if processor:
        command.append("--processor")
    whole = processes.seconds_of(command, folder, processor=processor)
    scores, seconds = json.loads(answered.read_text())
    return Chunk(tasks, scores, whole - seconds, seconds / (len(tasks) - 1))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=400, help="images of a case")
    parser.add_argument("--naive-images", type=int, default=300, help="images that are really made by hand")
    parser.add_argument("--whole", action="store_true", help="make all images by hand")
    parser.add_argument("--keep", type=Path, help="an empty folder for the exact run, whose samples stay there")
    parser.add_argument("--processor", action="store_true", help=processes.PROCESSOR)
    parser.add_argument("--short", action="store_true", help="two cases of 16 images, 16 images by hand")
    parser.add_argument("--by-hand", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    clock = time.process_time if options.processor else time.perf_counter
    if options.by_hand:
        asked, answered = map(Path, options.by_hand)
        answered.write_text(json.dumps(by_hand([tuple(task) for task in json.loads(asked.read_text())], clock)))
        return

    if options.short:
        arguments, sizes, chunks = list(processes.SHORT), (["mean"], [0.3], 16), 1
        options.naive_images = 16
    else:
        arguments, chunks = [f"--seedshift-images={options.images}"], CHUNKS
        sizes = DEFAULT_SHIFTS, DEFAULT_MAGNITUDES, options.images
    cases, design = grid([processes.MODEL], *sizes[:2]), catalogue.shipped().design(processes.MODEL, sizes[2])
    everything = [(c.shift, c.magnitude, p.label.name, p.label.index, p.seed) for c in cases for p in design]
    made = len(everything) if options.whole else max(2 * chunks, min(options.naive_images, len(everything)))
    chosen = [everything[row * len(everything) // made] for row in range(made)]  # evenly over all cases

    with tempfile.TemporaryDirectory() as early, tempfile.TemporaryDirectory() as folder:
        exact = str(options.keep or folder)
        ours: list[float] = []
        hand: list[Chunk] = []
        for turn in range(max(chunks, 2)):
            if turn < chunks:
                hand.append(run_by_hand(chosen[turn::chunks], exact, options.processor))
                say(f"by hand: {len(hand[-1].tasks)} images, {1000 * hand[-1].an_image:.1f} ms each")
            if turn < 2:
                place, more = ((early, []), (exact, ["--seedshift-exact"]))[turn]
                ours.append(processes.run_seedshift(place, *arguments, *more, processor=options.processor))
                say(f"pytest {' '.join(more)}: {ours[-1]:.1f} s")
        found, early_images = processes.samples(exact), len(processes.samples(early))
        batches = processes.batch_size(early), processes.batch_size(exact)
    report(hand, len(everything), ours, (early_images, len(found)), batches)
    compare(hand, found)


def report(
    hand: list[Chunk], images: int, ours: list[float], our_images: tuple[int, int], batches: tuple[int, int]
) -> None:
    start = statistics.mean(chunk.start for chunk in hand)
    made = sum(len(chunk.tasks) for chunk in hand)
    an_image = sum(chunk.an_image * len(chunk.tasks) for chunk in hand) / made
    naive = start + an_image * (images - 1)
    early, exact = ours
    print(f"{'':32}{'seconds':>10}{'images':>10}{'ms an image':>14}{'batch':>8}")
    rows = (
        ("by hand, one image at a time", naive, images, 1),
        ("pytest --seedshift-exact", exact, our_images[1], batches[1]),
        ("pytest", early, our_images[0], batches[0]),
    )
    for name, seconds, count, batch in rows:
        print(f"{name:32}{seconds:10.1f}{count:10}{1000 * seconds / count:14.1f}{batch:8}")
    extent = "all of them made" if made >= images else f"{made} of them made, the rest by their time"
    print(f"by hand: {start:.1f} s to start, then {1000 * an_image:.1f} ms an image; {extent}")
    print(f"naive / exact {naive / exact:8.2f}")
    print(f"naive / early {naive / early:8.2f}")


def compare(hand: list[Chunk], found: dict[processes.SampleKey, dict[str, float]]) -> None:
    pairs = [
        (scores, found[shift, magnitude, label, seed])
        for chunk in hand
        for (shift, magnitude, label, _, seed), scores in zip(chunk.tasks, chunk.scores, strict=True)
    ]
    clip = max(abs(a["clip"] - b["clip"]) for a, b in pairs)
    differing = {name: sum(a[name] != b[name] for a, b in pairs) for name in ("top1", "top5")}
    print(
        f"scores of {len(pairs)} images, by hand against ours: largest difference of CLIP {clip:.4f}; "
        f"top-1 differs {differing['top1']} times, top-5 {differing['top5']} times"
    )


def say(text: str) -> None:
    print(text, file=sys.stderr)


if __name__ == "__main__":
    main()
