"""Bounds by a history: how often another version misses one, which runs they rest on, what has none and why."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from pytest_seedshift.cli.main import main
from pytest_seedshift.core import thresholds_parser
from pytest_seedshift.core.cases import Case
from pytest_seedshift.core.stats import margins
from pytest_seedshift.results import history, history_bounds
from pytest_seedshift.results.history import History, Line
from pytest_seedshift.results.thresholds_text import CalibrationError

START = datetime(2026, 1, 1, tzinfo=UTC)
CASES = (Case("toy-latent", "none", 0.0), Case("toy-latent", "mean", 0.3))
IMAGES = 400


def line(number: int, means: dict[Case, dict[str, float]], *, images: int = IMAGES, early: bool = False) -> Line:
    """A run without the scores of its pairs."""
    cases = [
        {
            "model": case.model,
            "shift": case.shift,
            "magnitude": case.magnitude,
            "verdict": "pass",
            "images": images,
            "early": early,
            "scores": {
                score: {"mean": mean, "low": mean - 0.02, "high": mean + 0.02} for score, mean in scores.items()
            },
        }
        for case, scores in means.items()
    ]
    return Line.model_validate(
        {
            "what": history.WHAT,
            "version": 1,
            "id": f"{number:016x}",
            "time": (START + timedelta(hours=number)).isoformat(),
            "name": f"v{number}",
            "models": {"toy-latent": f"f{number}"},
            "pairs": None,
            "scores": {"top1": "top-1"},
            "cases": cases,
        }
    )


def runs(tmp_path, *rows: tuple[float, ...], **more) -> History:
    """A history of runs; of each, the mean of top-1 of each case."""
    lines = [
        line(number, {case: {"top1": mean} for case, mean in zip(CASES, row, strict=True)}, **more)
        for number, row in enumerate(rows)
    ]
    return History(tmp_path, tuple(lines))


def propose(found: History, text: str = "[default]\ntop1 = 0.5\n") -> history_bounds.OfHistory:
    return history_bounds.propose(text, "thresholds.toml", found)


def minima(text: str) -> dict[Case, float | None]:
    read = thresholds_parser.parse(text, "t", str)
    return {case: next(each.minimum for each in read.constraints(case) if each.score == "top1") for case in CASES}


def drawn(rng: np.random.Generator, count: int, spread: float = 0.004) -> list[tuple[float, ...]]:
    return [tuple(0.9 + spread * rng.normal(size=len(CASES))) for _ in range(count)]


def missed(histories: int, bounds: int, certainty: float, count: int, low) -> int:
    """Of how many histories another version misses a bound: versions whose cases move together in part."""
    rng = np.random.default_rng(count)
    found = 0
    for _ in range(histories):
        values = 0.9 + 0.01 * (rng.normal(size=(count + 1, 1)) + rng.normal(size=(count + 1, bounds)))
        found += any(values[-1, each] < low(values[:-1, each]) for each in range(bounds))
    return found


@pytest.mark.parametrize("count", [8, 20])
@pytest.mark.parametrize("histories", [250, pytest.param(2000, marks=pytest.mark.nightly)])
def test_another_version_misses_a_bound_as_rarely_as_is_said(count, histories):
    def low(values):
        return margins.of_versions(list(values), bounds=6, certainty=0.95, least=0.0)

    most = 0.05 * histories + 3 * math.sqrt(0.05 * 0.95 * histories)
    assert missed(histories, 6, 0.95, count, low) <= most
    # What knows neither of several bounds nor of how little few runs say misses more often.
    naive = missed(histories, 6, 0.95, count, lambda values: values.mean() - 1.645 * values.std(ddof=1))
    assert naive > most


def test_all_runs_meet_a_bound_and_it_says_what_it_rests_on(tmp_path):
    rows = drawn(np.random.default_rng(1), 12)
    found = propose(runs(tmp_path, *rows))
    assert (found.bounds, found.cases, found.runs) == (2, 2, (12, 12))
    for place, (case, least) in enumerate(minima(found.text).items()):
        measured = [row[place] for row in rows]
        assert least < min(measured), case
        assert least > min(measured) - 0.05, case
    assert "in 12 runs, v0 to v11" in found.text
    assert any("another version like these meets them all" in each for each in found.summary)
    # What is measured is written anew, what a person has written stays.
    again = propose(runs(tmp_path, *rows), found.text.replace("# measured", "# mine:", 1))
    assert (again.bounds, len(again.kept)) == (1, 1)


def test_equal_runs_leave_room_for_a_picture_or_two(tmp_path):
    found = minima(propose(runs(tmp_path, *[(0.9, 0.9)] * 12)).text)
    assert all(0.9 - 10 / IMAGES < least < 0.9 - 1 / IMAGES for least in found.values())


def test_what_became_worse_has_no_bound_and_what_became_better_one_by_the_runs_since(tmp_path):
    rng = np.random.default_rng(2)
    before, after = drawn(rng, 10), drawn(rng, 10)
    worse = [(control, mean - 0.2) for control, mean in after]
    found = propose(runs(tmp_path, *before, *worse))
    assert found.bounds == 1
    assert found.unmeasured == ("top1 of toy-latent mean +0.30: worse since v10, and not known to be back",)
    assert "mean" not in found.text.partition("model.toy-latent")[2].replace("measured", "")
    healed = propose(runs(tmp_path, *worse, *before))
    assert healed.runs == (10, 20)
    assert minima(healed.text)[CASES[1]] > 0.8
    short = propose(runs(tmp_path, *worse, *before[:7]))
    assert short.unmeasured == ("top1 of toy-latent mean +0.30: 7 whole runs of one design since v10",)


def test_few_runs_early_runs_and_runs_of_other_designs_are_told(tmp_path):
    rows = drawn(np.random.default_rng(3), 12)
    with pytest.raises(CalibrationError, match=r"no case has 8 whole runs .*top1 of toy-latent control: 7 whole runs"):
        propose(runs(tmp_path, *rows[:7]))
    with pytest.raises(CalibrationError, match="0 whole runs of one design"):
        propose(runs(tmp_path, *rows, early=True))
    mixed = History(tmp_path, (*runs(tmp_path, *rows, images=64).lines[:6], *runs(tmp_path, *rows).lines[6:]))
    with pytest.raises(CalibrationError, match="6 whole runs of one design"):
        propose(mixed)
    with pytest.raises(CalibrationError, match="3 runs, this one included"):
        history_bounds.check(3, "kept")


def test_the_command_writes_them_once(tmp_path, capsys, monkeypatch):
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.chdir(tmp_path)
    found = runs(tmp_path, *drawn(np.random.default_rng(4), 9))
    for each in found.lines:
        history.append(tmp_path / "kept", each, None)
    assert main(["thresholds", "kept", "--from-history"]) == 0
    said = capsys.readouterr().out
    assert "2 bounds of 2 cases by 9 runs of the history" in said
    assert "written: thresholds.toml" in said
    written = (tmp_path / "thresholds.toml").read_text()
    assert main(["thresholds", "kept", "--from-history"]) == 0
    assert "says so already" in capsys.readouterr().out
    assert (tmp_path / "thresholds.toml").read_text() == written
    assert main(["thresholds", "kept", "--from-history", "--margin", "0.1"]) == 4
    assert "--margin is of the interval of one run" in capsys.readouterr().err
    assert main(["thresholds", str(tmp_path), "--from-history"]) != 0
    assert "history.jsonl is not there" in capsys.readouterr().err
