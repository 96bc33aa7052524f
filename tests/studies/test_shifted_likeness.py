"""How far shifts move pictures: measured of those that were kept, once, and never of another's."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
import torch

from pytest_seedshift.core.cases import Case
from pytest_seedshift.reporting import page
from pytest_seedshift.reporting.page.album import Album
from pytest_seedshift.results import shifted_likeness as kept
from pytest_seedshift.results.data import CaseRun, Sample
from pytest_seedshift.results.pictures import packed
from pytest_seedshift.results.run import Run
from pytest_seedshift.results.run_folder import RunFolder
from pytest_seedshift.studies import shifted_likeness

SHIFTED = Case("toy", "mean", 0.3)


def sample(folder: Path, name: str, seed: int, image: torch.Tensor | None, number: int = 0) -> Sample:
    if image is None:
        return Sample("owl", number, {})
    path = folder / f"{name}-{seed}.png"
    path.write_bytes(packed(image))
    return Sample("owl", number, {}, path, digest=hashlib.sha256(path.read_bytes()).hexdigest())


def image(seed: int, side: int = 16) -> torch.Tensor:
    return torch.rand(3, side, side, generator=torch.Generator().manual_seed(seed))


def run_of(folder: Path, shifted: list[torch.Tensor | None], control: list[torch.Tensor | None]) -> Run:
    ours = [sample(folder, "shifted", seed, each, seed) for seed, each in enumerate(shifted)]
    theirs = [sample(folder, "control", seed, each, seed) for seed, each in enumerate(control)]
    about: dict[str, Any] = dict.fromkeys(("reason", "test"), "") | {"scores": {}, "findings": (), "certainty": 0.99}
    about |= {
        "verdict": "pass",
        "images": 3,
        "design": 3,
        "generated": 0,
        "seconds": 0.0,
        "device": None,
        "dtype": None,
    }
    cases = (
        CaseRun(case=Case("toy"), samples=tuple(theirs), **about),
        CaseRun(case=SHIFTED, samples=tuple(ours), control={each.pair: each for each in theirs}, **about),
    )
    return Run(folder, cases, (), ())


def measured(run: Run, known: dict[Case, kept.Shifted] | None = None, embed: Any = None) -> list[kept.Shifted]:
    return list(shifted_likeness.of_run(run, known or {}, embed or (lambda model, images: None)))


def test_a_shift_that_moves_nothing_is_at_the_end_and_one_that_moves_is_not(tmp_path):
    same, other = [image(seed) for seed in range(3)], [image(seed + 9) for seed in range(3)]
    (still,) = measured(run_of(tmp_path, same, same))
    assert (still.case, still.pairs, dict(still.scores)) == (SHIFTED, 3, {"ssim": 1.0, "psnr": 60.0})
    mean = lambda model, images: torch.nn.functional.normalize(images.mean((2, 3)), dim=1)  # noqa: E731
    (moved,) = measured(run_of(tmp_path, other, same), embed=mean)
    assert -0.2 < moved.scores["ssim"] < 0.5
    assert 5 < moved.scores["psnr"] < 15
    sides = [torch.stack(each).mul(255).round().div(255).mean((2, 3)) for each in (other, same)]
    wanted = torch.nn.functional.cosine_similarity(*sides).mean().item()
    assert moved.scores["embedding"] == pytest.approx(wanted, abs=1e-5)


def test_pairs_without_both_pictures_and_torn_ones_are_left_out(tmp_path):
    some = [image(0), None, image(2)]
    (found,) = measured(run_of(tmp_path, some, [image(0), image(1), None]))
    assert found.pairs == 1
    assert measured(run_of(tmp_path, [None] * 3, some)) == []
    torn = run_of(tmp_path, some, some)
    (tmp_path / "shifted-0.png").write_bytes(b"torn")
    assert measured(torn) == []
    assert measured(run_of(tmp_path, [image(0, 16)], [image(0, 32)])) == []
    assert measured(run_of(tmp_path, [image(0, 8)], [image(1, 8)])) == []


def test_what_was_measured_of_the_same_pictures_is_taken_over_and_of_others_is_not(tmp_path):
    run = run_of(tmp_path, [image(1)], [image(2)])
    (found,) = measured(run)
    marked = kept.Shifted(SHIFTED, found.of, 1, {"ssim": 0.5})
    assert measured(run, {SHIFTED: marked}) == [marked]
    assert measured(run_of(tmp_path, [image(3)], [image(2)]), {SHIFTED: marked}) != [marked]


def test_what_is_written_is_read_back_and_what_is_none_is_left_out(tmp_path):
    folder = RunFolder(tmp_path)
    found = kept.Shifted(SHIFTED, "x", 2, {"ssim": 0.25, "psnr": 12.5})
    kept.write(folder, [found])
    assert kept.read(tmp_path) == {SHIFTED: found}
    whole = (tmp_path / kept.FILE_NAME).read_text()
    for change in (
        lambda entry: entry.update(pairs=0),
        lambda entry: entry["scores"].update(ssim=7.0),
        lambda entry: entry["scores"].update(psnr="far"),
        lambda entry: entry.pop("scores"),
        lambda entry: entry.update(magnitude="inf"),
    ):
        document = json.loads(whole)
        change(document["cases"][0])
        (tmp_path / kept.FILE_NAME).write_text(json.dumps(document))
        assert kept.read(tmp_path) == {}
    (tmp_path / kept.FILE_NAME).write_text(whole[:-9])
    assert kept.read(tmp_path) == {}
    (tmp_path / kept.FILE_NAME).unlink()
    assert kept.read(tmp_path) == {}


def test_the_page_says_to_what_it_is_compared_and_no_baseline(tmp_path):
    run = run_of(tmp_path, [image(1)], [image(2)])
    assert page.shifted.build(run, Album(9)) is None
    kept.write(RunFolder(tmp_path), measured(run))
    made = page.shifted.build(run, Album(9))
    assert made is not None
    assert made.title == "How far shifts move the picture"
    assert "SSIM to the control" in made.html
    assert "No verdict\n  rests on this" in made.html
    assert "CLIP cosine" not in made.html
