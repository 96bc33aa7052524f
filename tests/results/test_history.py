"""Histories: lines that are never lost, and the version at which a model became worse."""

from __future__ import annotations

import json
import multiprocessing
import os
import re
import signal
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from pytest_seedshift.core import pairs
from pytest_seedshift.core.cases import Case
from pytest_seedshift.reporting import history as told
from pytest_seedshift.reporting.page import history as page
from pytest_seedshift.results import history, history_changes
from pytest_seedshift.results.baseline import Baseline, Design, Samples, Version
from pytest_seedshift.results.history import HistoryError, Line

LABELS = tuple(label.name for label in pairs.class_list("toy16"))
IMAGES = 400
START = datetime(2026, 1, 1, tzinfo=UTC)
CASES = (Case("m", "none", 0.0), Case("m", "mean", 0.3), Case("m", "std", 0.3))


def made(
    right: dict[Case, np.ndarray], number: int, *, clip: bool = False, classifier: str = "v"
) -> tuple[Line, Baseline]:
    """A version: its line, and its scores by case, a row of 0 and 1 each."""
    version = Version(f"f{number}", "cpu", "float32", classifier, "c")
    design = Design("toy16", LABELS, "A photo of a {label}", IMAGES)
    samples = {}
    for case, values in right.items():
        scores = {"top1": tuple(map(float, values))}
        if clip:
            scores["clip"] = tuple(np.round(30 + 5 * values + np.arange(len(values)) % 7, 3))
        samples[case] = Samples(case, "d", True, scores)
    scores = Baseline(f"v{number}", {}, {"m": version}, {"d": design}, samples)
    cases = []
    for case, values in right.items():
        mean = float(values.mean())
        half = 2.58 * (max(mean * (1 - mean), 1e-4) / len(values)) ** 0.5
        found = {"mean": mean, "low": mean - half, "high": min(1.0, mean + half)}
        about = {"model": case.model, "shift": case.shift, "magnitude": case.magnitude}
        cases.append({**about, "verdict": "pass", "images": len(values), "scores": {"top1": found}})
    key = f"{number:016x}"
    line = Line.model_validate(
        {
            "what": history.WHAT,
            "version": 1,
            "id": key,
            "time": (START + timedelta(hours=number)).isoformat(),
            "name": f"v{number}",
            "models": {"m": f"f{number}"},
            "pairs": f"pairs/{key}.json",
            "cases": cases,
        }
    )
    return line, scores


def versions(
    count: int, seed: int, *, drops: dict[int, float] | None = None, rises: dict[int, float] | None = None
) -> list[dict[Case, np.ndarray]]:
    """Versions of a model of top-1 0.95, of which each has changed a fiftieth of the pairs by chance.

    From a version of `drops` on, such a share of the pairs under a shift is wrong that was right; `rises` likewise.
    """
    chance = np.random.default_rng(seed)
    truth = {case: chance.random(IMAGES) < 0.95 for case in CASES}
    found = []
    for number in range(count):
        for sign, planted in ((False, drops or {}), (True, rises or {})):
            if number in planted:
                for case in CASES[1:]:
                    truth[case] = np.where(chance.random(IMAGES) < planted[number], sign, truth[case])
        found.append(
            {case: np.where(chance.random(IMAGES) < 0.02, chance.random(IMAGES) < 0.95, truth[case]) for case in CASES}
        )
    return found


def written(folder: Path, given: Sequence[dict[Case, np.ndarray]]) -> history.History:
    for number, right in enumerate(given):
        assert history.append(folder, *made(right, number))
    return history.load(folder)


# Changes


def test_one_planted_regression_is_found_at_its_version(tmp_path):
    found = written(tmp_path, versions(30, 0, drops={17: 0.08}))
    changes = history_changes.of_model(found, "m")
    assert changes.first_worse is not None
    assert {step.since.name for step in changes.steps} == {"v17"}
    assert {step.case for step in changes.steps} == set(CASES[1:])
    assert all(step.worse and step.by == "pairs" and step.p < step.level for step in changes.steps)
    assert len(changes.open()) == 2


def test_what_becomes_better_again_is_not_open_any_more(tmp_path):
    found = written(tmp_path, versions(12, 1, drops={4: 0.15}, rises={9: 1.0}))
    changes = history_changes.of_model(found, "m")
    assert [(step.since.name, step.worse) for step in changes.steps if step.case == CASES[1]] == [
        ("v4", True),
        ("v9", False),
    ]
    assert changes.first_worse.since.name == "v4"
    assert changes.open() == []
    assert changes.losses == (), "what has gained more than it had lost is a level of its own"


def test_a_slow_decline_is_found_though_no_step_is(tmp_path):
    given = versions(20, 2, drops=dict.fromkeys(range(3, 20), 0.01))
    changes = history_changes.of_model(written(tmp_path, given), "m")
    assert changes.first_worse is not None
    neighbours = [
        history_changes.of_model(written(tmp_path / f"{at}", given[at : at + 2]), "m").steps for at in range(0, 19, 6)
    ]
    assert not any(neighbours), "any two neighbours are alike"


@pytest.mark.parametrize(("seeds", "most"), [(range(8), 0), pytest.param(range(8, 300), 6, marks=pytest.mark.nightly)])
def test_where_nothing_was_planted_nothing_is_found(tmp_path, seeds, most):
    """At 99 %: of 292 histories at most six, which chance exceeds once in fifty."""
    wrong = sum(
        bool(history_changes.of_model(written(tmp_path / f"{seed}", versions(12, seed)), "m").steps) for seed in seeds
    )
    assert wrong <= most


@pytest.mark.nightly
def test_planted_regressions_are_found_where_they_were_planted(tmp_path):
    right = 0
    for seed in range(100):
        at = 2 + seed % 26
        found = written(tmp_path / f"{seed}", versions(30, 1000 + seed, drops={at: 0.08}))
        first = history_changes.of_model(found, "m").first_worse
        right += first is not None and first.since.name == f"v{at}"
    assert right >= 90


def test_without_pairs_intervals_say_it(tmp_path):
    given = versions(8, 3, drops={5: 0.3})
    found = written(tmp_path, given)
    for line in found.lines:
        (tmp_path / line.pairs).unlink()
    changes = history_changes.of_model(found, "m")
    assert {(step.since.name, step.by, step.p) for step in changes.steps} == {("v5", "intervals", None)}


def test_versions_that_cannot_be_compared_begin_anew_and_say_so(tmp_path):
    right = versions(6, 4)
    for number, each in enumerate(right):
        if number >= 3:  # worse, but by another classifier
            each = {case: np.where(np.arange(IMAGES) % 3 == 0, False, values) for case, values in each.items()}
        history.append(tmp_path, *made(each, number, classifier="v" if number < 3 else "w"))
    changes = history_changes.of_model(history.load(tmp_path), "m")
    assert not changes.steps
    assert len(changes.notes) == 1
    assert "v3 is not compared with v0, and starts again" in changes.notes[0]


def test_damaged_pairs_are_told_and_the_line_still_counts(tmp_path):
    found = written(tmp_path, versions(4, 5))
    path = tmp_path / found.lines[2].pairs
    path.write_text(path.read_text().replace("11", "10", 1))
    changes = history_changes.of_model(found, "m")
    assert "fails its checksum" in " ".join(changes.notes)
    assert len(changes.lines) == 4


# What has become of a loss


def steps_of(folder: Path, *wrong: int) -> history_changes.Changes:
    """A version for each number: so many of the 400 pairs under a shift are wrong."""
    order = np.random.default_rng(5).permutation(IMAGES)
    for number, each in enumerate(wrong):
        right = {case: order >= (each if case in CASES[1:] else 0) for case in CASES}
        history.append(folder, *made(right, number))
    return history_changes.of_model(history.load(folder), "m")


@pytest.mark.parametrize(
    ("wrong", "state", "since"),
    [
        ((20, 120), "worse", None),
        ((20, 120, 120), "worse", None),
        ((20, 31, 31), "worse", None),
        ((20, 31, 20), "back", "v2"),
        ((20, 31, 31, 21, 20), "back", "v3"),
        ((20, 31, 20, 31), "worse", None),
        ((20, 31, 26), "undecided", None),
        ((20, 31, 42, 20), "back", "v3"),
        ((20, 80, 160, 80), "worse", None),
        ((20, 160, 80), "worse", None),
        ((20, 160, 23), "back", "v2"),
        ((20, 160, 20), "closed", None),
        ((20, 160, 20, 120), "worse", None),
    ],
)
def test_what_was_lost_is_held_against_the_newest_version(tmp_path, wrong, state, since):
    """It is closed where a significant step for the better has brought all of it back."""
    changes = steps_of(tmp_path, *wrong)
    (*_, last) = [step for step in changes.steps if step.case == CASES[1]]
    found = [each for each in changes.losses if each.step.case == CASES[1]]
    assert [(each.state, each.since and each.since.name) for each in found] == (
        [] if state == "closed" else [(state, since)]
    )
    assert last.worse or state != "undecided"
    assert bool(changes.open()) is (state in ("worse", "undecided"))


@pytest.mark.parametrize("seeds", [range(3), pytest.param(range(3, 60), marks=pytest.mark.nightly)])
def test_what_has_stayed_lost_is_not_called_back(tmp_path, seeds):
    """At 99 %: each of the histories ends with a version that is as its loss was, after one to five others."""
    wrong = 0
    for seed in seeds:
        given = versions(4 + seed % 5, 2000 + seed, drops={2: 0.1})
        changes = history_changes.of_model(written(tmp_path / f"{seed}", given), "m")
        assert changes.losses
        wrong += any(each.state == "back" for each in changes.losses)
    assert wrong <= 3


def test_without_pairs_intervals_say_that_it_is_back(tmp_path):
    steps_of(tmp_path, 20, 100, 100, 22)
    found = history.load(tmp_path)
    for line in found.lines:
        (tmp_path / line.pairs).unlink()
    changes = history_changes.of_model(found, "m")
    assert changes.open() == []


def test_what_cannot_be_compared_with_the_level_before_is_undecided(tmp_path):
    for number, (share, classifier) in enumerate([(0.05, "v"), (0.4, "v"), (0.05, "w")]):
        right = {case: np.arange(IMAGES) >= share * IMAGES for case in CASES}
        history.append(tmp_path, *made(right, number, classifier=classifier))
    changes = history_changes.of_model(history.load(tmp_path), "m")
    assert {each.state for each in changes.open()} == {"undecided"}
    assert "Undecided: v2 cannot be compared with it" in told.sentences(changes)[0]
    assert "undecided" in told.summary([changes])


def test_the_sentence_the_table_and_the_document_say_what_is_back(tmp_path):
    changes = steps_of(tmp_path, 20, 31, 20)
    sentences = told.sentences(changes)
    document = json.loads(json.dumps(told.document([changes], 0.99)))["models"]["m"]
    assert "Back at v0's level since v2: v2 with 0.9" in sentences[0]
    assert told.GATE in "\n".join(told.lines(changes))
    assert told.table(changes)[2][-1] == "back since v2"
    assert document["open"] == []
    assert document["losses"][0]["state"] == "back"
    assert document["losses"][0]["back_since"] == "v2"
    assert told.summary([changes]) == "nothing is worse than it was and has stayed so"


@pytest.mark.parametrize("names", [["v1", "v2", "v3"], ["a long name of a version $x^$", "<b>", "v3"]])
def test_the_axis_has_the_names_of_versions_and_none_is_cut(tmp_path, names):
    for number, name in enumerate(names):
        line, scores = made(versions(1, 0)[0], number)
        history.append(tmp_path, line.model_copy(update={"name": name}), scores)
    drawn = page.make([history_changes.of_model(history.load(tmp_path), "m")], 0.99, "command")
    (figure, *_) = re.findall(r'<figure class="course".*?</figure>', drawn, flags=re.DOTALL)
    texts = re.findall(r"<text[^>]*>([^<]*)</text>", figure)
    assert "0.5" not in texts
    assert "v3" in texts
    assert "<b>" not in figure
    wide = re.search(r'viewBox="0 0 ([0-9.]+)', figure)
    assert wide is not None


# The file


def test_a_run_is_added_once_and_a_torn_line_harms_no_other(tmp_path):
    first, second, third = (made(each, number) for number, each in enumerate(versions(3, 6)))
    assert history.append(tmp_path, *first)
    assert not history.append(tmp_path, *first)
    path = tmp_path / history.FILE_NAME
    whole = path.read_bytes()
    assert history.append(tmp_path, *second)
    path.write_bytes(path.read_bytes()[:-100])
    assert history.append(tmp_path, *third)
    found = history.load(tmp_path)
    assert path.read_bytes().startswith(whole)
    assert [line.name for line in found.lines] == ["v0", "v2"]
    assert len(found.notes) == 1
    assert "line 2 is left out: it is cut off" in found.notes[0]
    assert history.append(tmp_path, *second), "what was cut off is added again"
    assert [line.name for line in history.load(tmp_path).lines] == ["v0", "v1", "v2"]


def test_branches_of_git_merge_by_union(tmp_path):
    lines = [made(each, number) for number, each in enumerate(versions(4, 7))]
    for folder, of in (("one", (0, 1, 3)), ("other", (0, 2))):
        for number in of:
            history.append(tmp_path / folder, *lines[number])
    text = [(tmp_path / folder / history.FILE_NAME).read_text() for folder in ("one", "other")]
    (tmp_path / history.FILE_NAME).write_text("".join(text))
    assert [line.name for line in history.load(tmp_path).lines] == ["v0", "v1", "v2", "v3"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "is not there: add runs to it, by seedshift history"),
        (b"", "holds no run"),
        (b"\xff\xfe\x00garbage", "holds no run"),
        (b'{"what": "other"}\n', "it is not a run of a history"),
        (b'{"what": "a run in the history of pytest-seedshift", "version": 2}\n', "upgrade pytest-seedshift"),
        (b'{"what": "a run in the history of pytest-seedshift", "version": 1}\n', "Field required"),
    ],
    ids=["none", "empty", "garbage", "other", "newer", "lacking"],
)
def test_what_is_no_history_is_told(tmp_path, content, message):
    if content is not None:
        (tmp_path / history.FILE_NAME).write_bytes(content)
    with pytest.raises(HistoryError, match=message):
        history.load(tmp_path)


def test_a_file_that_an_editor_of_windows_has_saved_is_read(tmp_path):
    first, second = (made(each, number) for number, each in enumerate(versions(2, 7)))
    history.append(tmp_path, *first)
    path = tmp_path / history.FILE_NAME
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    assert not history.append(tmp_path, *first), "it is there"
    assert history.append(tmp_path, *second)
    found = history.load(tmp_path)
    assert ([line.name for line in found.lines], found.notes) == (["v0", "v1"], ())


def test_versions_are_in_the_order_of_their_moments(tmp_path):
    """Whatever the time zone; a line whose time is none is left out, as its place is not known."""
    times = {
        "later": "2026-11-30T01:00:00-12:00",
        "first": "2026-11-30T12:59:59Z",
        "none": "<b>",
        "zoneless": "2026-11-30",
    }
    lines = [made(each, number)[0] for number, each in enumerate(versions(len(times), 7))]
    texts = [
        json.dumps({**line.built_in(), "name": name, "time": time})
        for line, (name, time) in zip(lines, times.items(), strict=True)
    ]
    (tmp_path / history.FILE_NAME).write_text("\n".join(texts))
    found = history.load(tmp_path)
    assert [line.name for line in found.lines] == ["first", "later"]
    assert [note.partition("left out: ")[2].partition(",")[0] for note in found.notes] == [
        "its time is '<b>'",
        "its time is '2026-11-30'",
    ]


def test_nothing_is_added_to_a_file_of_somebody_else_s(tmp_path):
    path = tmp_path / history.FILE_NAME
    path.write_text('{"mine": 1}\n')
    with pytest.raises(HistoryError, match="is there and is not a history"):
        history.append(tmp_path, *made(versions(1, 8)[0], 0))
    assert path.read_text() == '{"mine": 1}\n'


def test_no_link_is_followed_out_of_it(tmp_path):
    outside = tmp_path / "outside.jsonl"
    outside.write_text("")
    folder = tmp_path / "history"
    folder.mkdir()
    (folder / history.FILE_NAME).symlink_to(outside)
    with pytest.raises(OSError, match="link"):
        history.append(folder, *made(versions(1, 9)[0], 0))
    assert outside.read_text() == ""


# Several writers, and such as are killed


def _write(folder: str, numbers: Sequence[int]) -> None:
    right = versions(1, 10)[0]
    for number in numbers:
        history.append(Path(folder), *made(right, number))


def test_two_writers_lose_no_line(tmp_path):
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=_write, args=(str(tmp_path), range(at, 60, 3))) for at in range(3)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
        assert writer.exitcode == 0
    found = history.load(tmp_path)
    assert [line.name for line in found.lines] == [f"v{number}" for number in range(60)]
    assert found.notes == ()
    assert not [path for path in tmp_path.iterdir() if path.name not in (history.FILE_NAME, history.PAIRS)]


@pytest.mark.parametrize("kills", [3, pytest.param(40, marks=pytest.mark.nightly)])
def test_a_writer_that_is_killed_loses_at_most_its_own_line(tmp_path, kills):
    """The lines of others, and those that it has added before, are there; what is named there is there, too."""
    context = multiprocessing.get_context("fork")
    chance = np.random.default_rng(11)
    begun = 0
    for _ in range(kills):
        doomed = context.Process(target=_write, args=(str(tmp_path), range(begun, begun + 10_000)))
        other = context.Process(target=_write, args=(str(tmp_path), range(1_000_000 + begun, 1_000_000 + begun + 5)))
        doomed.start()
        other.start()
        time.sleep(float(chance.uniform(0.05, 0.4)))
        os.kill(doomed.pid, signal.SIGKILL)
        doomed.join()
        other.join()
        assert other.exitcode == 0
        found = history.load(tmp_path)
        names = {line.name for line in found.lines}
        assert {f"v{1_000_000 + begun + at}" for at in range(5)} <= names
        for line in found.lines:
            assert found.pairs(line) is not None
        begun += 10_000
    assert len(found.notes) <= kills
