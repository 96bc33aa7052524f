"""Bounds on the use of the seed vector, judged from Python: what a run of pytest says of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import pytest_seedshift as seedshift
from helpers.blind import blind
from pytest_seedshift.results import sensitivity_files
from pytest_seedshift.results.run_folder import RunFolder

pytestmark = pytest.mark.usefixtures("memory")

SMALL: dict[str, Any] = {"shift": "mean", "magnitude": 0.3, "images": 16, "exact": True, "batch_size": 16}
OPTIONS = (
    *("--seedshift-model=toy-latent", "--seedshift-shift=mean", "--seedshift-magnitude=0.3", "--seedshift-images=16"),
    *("--seedshift-exact", "--seedshift-batch-size=16", "--seedshift-report=none"),
)
ASKED = "[default]\ntop1 = 0.0\n"


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def uses(folder: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(Path(folder, "verdicts.json").read_text()).get("seed_use", [])
    return found


@pytest.mark.parametrize(
    ("bounds", "holds"),
    [
        ("min_sensitivity = { clip = 0.02, pixel = 0.3 }", [True, True]),
        ("min_sensitivity = 0.3\nmax_sensitivity = { clip = 0.9, pixel = 0.5 }", [True, True, False]),
    ],
)
def test_its_verdict_is_that_of_a_run_of_pytest(pytester, run, bounds, holds):
    pytester.path.joinpath("thresholds.toml").write_text(f"{ASKED}{bounds}\n")
    by_pytest = run(*OPTIONS, "--seedshift-dir=by-pytest")
    by_pytest.assert_outcomes(passed=2, failed=holds.count(False))
    found = seedshift.evaluate("toy-latent", directory="by-evaluate", **SMALL)  # which measures it anew
    assert uses("by-evaluate") == uses("by-pytest")
    assert [each["holds"] for each in uses("by-evaluate")] == holds
    assert found.passed is all(holds)
    assert [case.verdict for case in found.cases] == ["pass", "pass"]
    if not all(holds):
        (sentence,) = found.seed_use
        assert "more than max_sensitivity = 0.5 at 99 %" in sentence
        by_pytest.stdout.fnmatch_lines([f"*{sentence}*"])
        assert sentence in str(found)
        assert "its use of the seed vector does not meet max_sensitivity" in str(found)
        assert "does not meet max_sensitivity" in found.report().read_text()
    assert not [note for note in found.notes if "sensitivity" in note]
    kept = sensitivity_files.of_all(RunFolder(Path("by-evaluate")), [])
    again = seedshift.evaluate("toy-latent", directory="by-evaluate", **SMALL)
    assert again.passed is found.passed
    assert sensitivity_files.of_all(RunFolder(Path("by-evaluate")), []) == kept


def test_what_a_model_that_draws_one_picture_has_lost_fails_it(pytester, run, monkeypatch):
    """A training loop's gate against its baseline: of a model that comes to draw one picture for every seed."""
    tables = {"default": {"top1": 0.0, "max_sensitivity_regression": 0.3}}
    pytester.path.joinpath("thresholds.toml").write_text(f"{ASKED}max_sensitivity_regression = 0.3\n")
    run(*OPTIONS, "--seedshift-save-baseline=b.json").assert_outcomes(passed=2)
    unheld = seedshift.evaluate("toy-latent", thresholds=tables, **SMALL)
    assert unheld.passed
    assert any("max_sensitivity_regression is not judged without a baseline" in note for note in unheld.notes)
    same = seedshift.evaluate("toy-latent", thresholds=tables, baseline="b.json", **SMALL)
    assert same.passed
    assert [each["measured"] for each in uses(".seedshift")] == [1.0]
    blind(monkeypatch)
    worse = seedshift.evaluate("toy-latent", thresholds=tables, baseline="b.json", directory="worse", **SMALL)
    assert not worse.passed
    assert "more is lost than max_sensitivity_regression = 0.3" in worse.seed_use[0]
    by_pytest = run(*OPTIONS, "--seedshift-baseline=b.json", "--seedshift-dir=by-pytest")
    by_pytest.stdout.fnmatch_lines([f"*{worse.seed_use[0]}*"])
    assert uses("worse") == uses("by-pytest")


def test_what_was_not_measured_has_not_passed(tmp_path):
    """Of a run that ends before, and of a model that has one label."""
    tables = {"default": {"top1": 0.0, "min_sensitivity": 0.3}}
    ended: list[str] = []

    def interrupt(line: str) -> None:
        ended.append(line)
        if len(ended) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        seedshift.evaluate("toy-latent", thresholds=tables, progress=interrupt, **SMALL)
    (use,) = seedshift.load_run().seed_use_bounds
    assert (use.holds, use.measured) == (None, None)
    assert "the run was cut short" in use.reason
    assert seedshift.evaluate("toy-latent", thresholds=tables, **SMALL).passed
    one = seedshift.evaluate(
        "toy-latent", classes=["snail"], thresholds=tables, directory="one", **{**SMALL, "images": 4}
    )
    assert not one.passed
    assert "min_sensitivity is set, and it was not measured: 1 labels in 8 blocks" in one.seed_use[0]
    assert "was not judged, which min_sensitivity asks for" in str(one)
