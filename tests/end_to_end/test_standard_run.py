"""The outputs of the standard run are those that are kept; see `standard_run`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from helpers import standard_run
from helpers.output_differences import differences


@pytest.fixture(scope="session")
def outputs(tmp_path_factory: pytest.TempPathFactory, warm_python: str) -> dict[str, str]:
    """The outputs of the standard run, made once a session."""
    return standard_run.make(tmp_path_factory.mktemp("standard"), warm_python)


def test_no_output_differs_from_the_kept_one(outputs):
    found = standard_run.differences_from_golden(outputs)
    assert not found, "\n".join(
        [
            f"{len(found)} differences from tests/data/golden; where they are meant, "
            "'python tests/helpers/standard_run.py --write' keeps the new outputs:",
            *found[:200],
        ]
    )


def test_the_run_is_worth_keeping(outputs):
    """It passes and fails, finds a breaking point, holds a baseline and measures the seed sensitivity."""
    document = json.loads(outputs["run-verdicts.json"])
    assert {case["verdict"] for case in document["cases"]} == {"pass", "fail"}
    (search,) = document["breaking"]
    assert search["at"] > 0
    kinds = {constraint["kind"] for case in document["cases"] for constraint in case["constraints"]}
    assert kinds >= {"min", "max_drop", "max_regression", "null"}
    assert json.loads(outputs["merged-verdicts.json"]) == document


@pytest.mark.parametrize(
    ("name", "old", "new", "key"),
    [
        ("run-verdicts.json", '"verdict": "fail"', '"verdict": "pass"', ".verdict = "),
        ("run-run.json", '"pytest', '"python', "command = "),
        ("run-report.html", "<title>", "<title>A ", "title = "),
        ("run-junit.xml", 'value="fail"', 'value="pass"', "seedshift_verdict]@value = "),
        ("run-summary.md", "❌", "✅", "✅"),
        ("run-card.md", "model-index", "model-list", "model-list"),
        ("run.txt", "FAIL", "fail", "fail"),
    ],
)
def test_a_change_of_any_output_is_found_by_its_key(name, old, new, key):
    kept = standard_run.read_golden()
    changed = kept[name].replace(old, new, 1)
    assert changed != kept[name]
    removed, added = differences(kept, {**kept, name: changed})
    assert removed.startswith(f"{name}: -")
    assert added.startswith(f"{name}: +")
    assert key in added


def test_outputs_that_come_or_go_are_found():
    kept = standard_run.read_golden()
    rest = {name: text for name, text in kept.items() if name != "run-card.md"}
    assert differences(kept, rest) == ["run-card.md: is no longer made"]
    assert differences(rest, kept) == ["run-card.md: is new"]


def test_what_varies_is_taken_out_and_nothing_else():
    def told(seconds: float, speed: float, folder: str) -> str:
        return standard_run.normalise(
            "run.txt",
            (
                f"4 cases: 3 pass, 1 fail · 9 of 9 images looked at, 9 generated in {seconds} s, {speed} ms an image\n"
                f"report: {folder}/run/report.html\n6 passed in {seconds:.2f}s\n"
            ),
            Path(folder),
        )

    assert told(3, 122, "/tmp/a") == told(14.5, 1300.25, "/home/b")
    assert "4 cases: 3 pass, 1 fail · 9 of 9 images looked at, 9 generated in " in told(3, 122, "/tmp/a")
    assert "FOLDER/run/report.html" in told(3, 122, "/tmp/a")


@pytest.mark.parametrize(("now", "told"), [("0.5012", 0), ("0.53", 2), ("0.5012 x", 2)])
def test_of_another_processor_last_digits_are_no_difference_and_all_else_is(now, told):
    before, after = ({"run.txt": f"mean 0.5000\nscore {value}\nlast\n"} for value in ("0.5000", now))
    assert len(differences(before, after, standard_run.NEAR)) == told
    assert differences(before, after)
