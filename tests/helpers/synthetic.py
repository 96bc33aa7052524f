"""Run folders without a run: written through the store's and the run folder's own writers."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from PIL import Image as Pixels
from PIL import ImageDraw

from helpers.records import write as write_records
from pytest_seedshift.core import pairs
from pytest_seedshift.core.cases import Case, grid
from pytest_seedshift.core.score_registry import SHIPPED, ScoreRegistry
from pytest_seedshift.core.scores import NULL
from pytest_seedshift.core.stats import seed_shares, sequential
from pytest_seedshift.results import metadata, sensitivity_files
from pytest_seedshift.results.run_folder import RunFolder
from pytest_seedshift.results.sample_rows import Image, ScoreKey
from pytest_seedshift.results.sample_store import Store

BOUNDS: Mapping[str, float] = {"top1": 0.6, "top5": 0.8, "clip": 20.0}
SHIFTS = ("random", "mean", "std", "mixed", "arrangement")
MAGNITUDES = (-0.3, -0.2, -0.1, 0.1, 0.2, 0.3)


@dataclass(frozen=True)
class Plan:
    """What a synthetic run has."""

    models: tuple[str, ...] = ("toy-latent", "toy-glide")
    shifts: tuple[str, ...] = ("mean", "std")
    magnitudes: tuple[float, ...] = (-0.3, 0.3)
    labels: tuple[str, ...] = ("owl", "pizza", "violin", "snail", "frog", "lemon", "panda", "rooster")
    images: int = 16
    side: int = 32
    pictures: int = 12
    """How many of each case are kept."""
    fails: str = "mean"
    """The shift under which the first model breaks at positive magnitudes."""
    scores: ScoreRegistry = SHIPPED
    command: tuple[str, ...] = ("--seedshift-model=toy-latent,toy-glide",)


def write(path: Path, plan: Plan | None = None) -> RunFolder:
    """Write a run folder: the first model breaks, the others hold, all with some noise."""
    plan = plan or Plan()
    folder = RunFolder(path)
    folder.prepare()
    labels = [pairs.Label(name, index) for index, name in enumerate(plan.labels)]
    design = pairs.design(labels, plan.images)
    draw = random.Random(0)
    records = []
    with closing(Store(folder.samples_file)) as store:
        for case in grid(plan.models, plan.shifts, plan.magnitudes):
            broken = case.model == plan.models[0] and case.shift == plan.fails and case.magnitude > 0
            images, scores, values = [], {}, {name: [] for name in plan.scores}
            for place, pair in enumerate(design):
                key = hashlib.sha256(f"{case.id} {pair}".encode(errors="surrogatepass")).hexdigest()[:32]
                top1 = float(draw.random() < (0.3 if broken else 0.97))
                top5 = max(top1, float(draw.random() < 0.95))
                row = {"top1": top1, "top5": top5, "clip": draw.gauss(18 if broken else 40, 2)}
                row |= dict.fromkeys(plan.scores.own, 0.5)
                for name, value in row.items():
                    values[name].append(value)
                picture = _picture(folder, case, pair, key, plan.side, draw) if place < plan.pictures else (None, None)
                what = (case.model, case.shift, case.magnitude, pair.label.name, pair.seed, pair.prompt)
                images.append(Image(key, f"print of {case.model}", *what, *picture))
                scores[ScoreKey(key, "vit", pair.label.index)] = {name: row[name] for name in ("top1", "top5")}
                scores[ScoreKey(key, "clip", pair.label.index)] = {"clip": row["clip"]}
                scores |= {ScoreKey(key, name, pair.label.index): {name: row[name]} for name in plan.scores.own}
            store.add(images, scores)
            records.append(_record(case, values, plan))
    write_records(folder, records)
    scorers = ("vit", "clip", *plan.scores.own)
    models = [
        metadata.Model(name, f"print of {name}", scorers, ("a/vit", "a/clip"), "cpu", plan.labels, "toy16")
        for name in plan.models
    ]
    metadata.write(folder, metadata.gather(plan.command, 0.0, models))
    return folder


def add_head(folder: RunFolder, plan: Plan, **more: object) -> None:
    """Give a run the head of its verdicts.json, so that it can be merged and compared; `more` stands in it as given."""
    cases = folder.read_document()["cases"]
    labels = [pairs.Label(name, index) for index, name in enumerate(plan.labels)]
    of_all = {"images": plan.images, "design": pairs.fingerprint(pairs.design(labels, plan.images)), "exact": True}
    asks = {f"{score} min": bound for score, bound in BOUNDS.items()}
    named = ("id", "test", "model", "shift", "magnitude")
    model = {"device": "cpu", "dtype": "float32", "classifier": "vit", "clip": "clip", "scorer_weights": ["a", "b"]}
    model |= {"own": {name: name for name in plan.scores.own}, "own_given": {}} if plan.scores.own else {}
    head = {
        "certainty": 0.99,
        "thresholds": "t",
        "prompt": pairs.PROMPT,
        "libraries": {"torch": "2"},
        "models": {name: {**model, "fingerprint": f"print of {name}"} for name in plan.models},
        "grid": [{**{name: case[name] for name in named}, "asks": asks, **of_all} for case in cases],
    }
    write_records(folder, cases, {**head, **more})


def add_seed_use(folder: RunFolder, looking: str, blind: str, scores: ScoreRegistry = SHIPPED) -> None:
    """Give a run the seed sensitivities of two models, of which one does not look, and a null control of the first."""
    for model, vector in ((looking, 0.2), (blind, 0.001)):
        distances = seed_shares.Distances((vector, 1.1 * vector), (0.1, 0.12), (0.25, 0.3))
        found = seed_shares.Sensitivity(model, dict.fromkeys(seed_shares.KINDS, distances), 48, 1.5)
        sensitivity_files.SeedUse(model, f"print of {model}", "clip", "design", found).write(folder)
    cases = folder.read_document()["cases"]
    control = next(each for each in cases if (each["model"], each["shift"]) == (looking, "none"))
    case = Case(looking, "arrangement:permute", 1.0)
    bounds = [{"score": name, "kind": NULL, "bound": 0.05, "measured": -0.01, "holds": True} for name in scores]
    test = f"seedshift::test_null_control[{case.id}]"
    null = {"id": case.id, "test": test, "shift": case.shift, "magnitude": 1.0, "constraints": bounds, "null": True}
    write_records(folder, [*cases, {**control, **null}])


def _record(case: Case, values: dict[str, list[float]], plan: Plan) -> dict:
    found = {name: sequential.estimate(plan.scores[name], row, stopped=True) for name, row in values.items()}
    bounds = [
        {"score": name, "kind": "min", "bound": bound, "measured": each.mean, "holds": each.mean >= bound}
        for name, each in found.items()
        for bound in (BOUNDS.get(name, 0.1),)
    ]
    failed = not all(bound["holds"] for bound in bounds)
    return {
        "id": case.id,
        "test": f"seedshift::test_reliability[{case.id}]",
        "model": case.model,
        "shift": case.shift,
        "magnitude": case.magnitude,
        "verdict": "fail" if failed else "pass",
        "reason": f"{case.describe()} of {case.model}: a reason · pictures: pictures/{case.id}",
        "scores": {name: {"mean": e.mean, "low": e.low, "high": e.high, "clipped": 0} for name, e in found.items()},
        "images": plan.images,
        "design": plan.images,
        "certainty": 0.99,
        "generated": plan.images,
        "seconds": 1.5,
        "device": "cpu",
        "dtype": "float32",
        "constraints": bounds,
        "pictures": [],
    }


def _picture(
    folder: RunFolder, case: Case, pair: pairs.Pair, key: str, side: int, draw: random.Random
) -> tuple[str, str]:
    """A picture that no other equals and that does not compress to nothing: a blurred random mosaic and a spot."""
    small = Pixels.frombytes("RGB", (8, 8), draw.randbytes(192))
    image = small.resize((side, side), Pixels.Resampling.BICUBIC)
    left, top = draw.randrange(side // 2), draw.randrange(side // 2)
    ImageDraw.Draw(image).ellipse((left, top, left + side // 3, top + side // 3), fill=tuple(draw.randbytes(3)))
    path = folder.picture_folder(case) / f"{pair.seed}-{key[:8]}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, compress_level=1)
    return path.relative_to(folder.path).as_posix(), hashlib.sha256(path.read_bytes()).hexdigest()
