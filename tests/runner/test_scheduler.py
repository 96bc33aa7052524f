"""A case on its way: what is missing is made, and nothing twice. Models and scorers are test doubles."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as Pixels
from torch import Tensor

from helpers.double_bench import Bench, Bright, Dark, Double
from pytest_seedshift.core.cases import Case, CaseError
from pytest_seedshift.core.stats.sequential import Constraint, SequentialTest
from pytest_seedshift.models import catalogue
from pytest_seedshift.models import fingerprint as fingerprints
from pytest_seedshift.results.run_folder import Picture, RunFolder
from pytest_seedshift.runner import sequential
from pytest_seedshift.runner.batch_choice import in_whole_batches
from pytest_seedshift.runner.generate import Batch, Engine
from pytest_seedshift.runner.kept_pictures import STRIP, Keep, strip
from pytest_seedshift.runner.model_pool import ModelPool
from pytest_seedshift.scorers import fingerprint as scorer_fingerprint

if TYPE_CHECKING:
    from pytest_seedshift.core.pairs import Pair
    from pytest_seedshift.runner.case_result import CaseResult
    from pytest_seedshift.runner.orders import Row

CASE = Case("toy-latent", "mean", 0.3)
CONTROL = CASE.control
DESIGN = catalogue.shipped().design("toy-latent", 16)


@pytest.fixture
def folder(tmp_path) -> RunFolder:
    folder = RunFolder(tmp_path / ".seedshift")
    folder.prepare()
    return folder


# What is missing is made, and nothing twice -----------------------------------------------------------------------


def judge(
    folder: RunFolder, case: Case = CASE, keep: Keep = "report", images: int = 16, **bounds
) -> tuple[CaseResult, Counter[tuple[bool, Pair]]]:
    """The result of a case on all of its design, as one session has it, and what was generated for it."""
    test = SequentialTest((Constraint("clip", **(bounds or {"minimum": 1.0})),), images, exact=True)
    with closing(Bench(folder, keep)) as bench:
        result = sequential.run(bench, case, test, catalogue.shipped().design("toy-latent", images))
        assert result.generated == bench.double.made.total()
        return result, bench.double.made


def scores(result: CaseResult) -> list[dict[str, float]]:
    return [dict(sample.scores) for sample in result.samples]


def pictures(folder: RunFolder) -> list[Path]:
    return sorted(folder.path.glob("pictures/*/*"))


def test_a_case_is_generated_once(folder):
    first, made = judge(folder)
    again, made_again = judge(folder)
    assert made == {(False, pair): 1 for pair in DESIGN} | {(True, pair): 1 for pair in strip(DESIGN)}
    assert made_again == {}
    assert (again.scores, again.findings, again.samples) == (first.scores, first.findings, first.samples)


def test_the_control_is_generated_once_for_all_cases_that_are_held_against_it(folder):
    first, made = judge(folder, max_drop=0.5)
    assert set(made.values()) == {1}
    assert made.total() == 32
    assert [sample.pair for sample in first.control] == list(DESIGN)
    second, made = judge(folder, Case("toy-latent", "std", 0.3), max_drop=0.5)
    assert made == {(False, pair): 1 for pair in DESIGN}
    assert second.control == first.control
    control, made = judge(folder, CONTROL)
    assert made == {}
    assert control.samples == first.control


def test_the_controls_own_case_leaves_nothing_to_make_for_others(folder):
    judge(folder, CONTROL)
    _, made = judge(folder, max_drop=0.5)
    assert made == {(False, pair): 1 for pair in DESIGN}


def test_a_larger_design_takes_over_the_samples_of_the_smaller_one(folder):
    _, small = judge(folder, CONTROL)
    _, large = judge(folder, CONTROL, keep="none", images=24)
    assert set(small) | set(large) == {(True, pair) for pair in catalogue.shipped().design("toy-latent", 24)}
    assert (small.total(), large.total()) == (16, 8)


def test_a_case_that_stopped_early_goes_on_from_there(folder):
    test = SequentialTest((Constraint("clip", minimum=1.0),), 16)
    with closing(Bench(folder)) as bench:
        early = sequential.run(bench, CONTROL, test, DESIGN)
    assert 0 < len(early.samples) < 16
    whole, made = judge(folder, CONTROL)
    assert made.total() == 16 - early.generated
    assert whole.samples[: len(early.samples)] == early.samples


def test_samples_do_not_depend_on_the_batches_they_were_made_in(folder, tmp_path):
    other = RunFolder(tmp_path / "other")
    other.prepare()
    test = SequentialTest((Constraint("clip", minimum=1.0),), 16, exact=True)
    with closing(Bench(other, batch_size=7)) as bench:
        assert scores(sequential.run(bench, CASE, test, DESIGN)) == scores(judge(folder)[0])


# Elsewhere --------------------------------------------------------------------------------------------------------


class Watched(Engine):
    """An engine that notes its batches."""

    def __init__(self) -> None:
        super().__init__(Double(), (Dark(), Bright()), 4, overlap=False)
        self.asked: list[tuple[Row, ...]] = []

    def generate(self, rows: Sequence[Row]) -> Iterator[Batch]:
        for batch in super().generate(rows):
            self.asked.append(batch.rows)
            yield batch


def judge_with(engine: Engine, folder: RunFolder, cases: Sequence[Case], **bounds) -> list[CaseResult]:
    folder.prepare()
    test = SequentialTest((Constraint("clip", **bounds),), 16)
    with closing(Bench(folder, batch_size=4)) as bench, pytest.MonkeyPatch.context() as patch:
        patch.setattr(ModelPool, "engine", lambda *_: engine)
        return [sequential.run(bench, case, test, DESIGN) for case in cases]


@pytest.mark.parametrize("order", [1, -1])
def test_the_control_is_made_in_the_same_batches_whichever_case_comes_first(tmp_path, order):
    engine, cases = Watched(), [CONTROL, Case("toy-latent", "std", 0.3), CASE]
    judge_with(engine, RunFolder(tmp_path / "run"), cases[::order], minimum=15.0, max_drop=15.0)
    batches = [tuple(row.pair for row in rows) for rows in engine.asked if rows[0].case.is_control]
    whole = [DESIGN[start : start + 4] for start in range(0, 16, 4)]
    assert batches == whole[: len(batches)]
    assert len(batches) > 1


# Pictures ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("keep", "shifted", "control"), [("report", STRIP, STRIP), ("all", 16, STRIP), ("none", 0, 0)])
def test_as_many_pictures_are_kept_as_were_asked_for(folder, keep, shifted, control):
    result, made = judge(folder, keep=keep)
    kept = {sample.pair for sample in result.pictures}
    if keep == "report":  # and what is wrong
        assert kept == {*strip(DESIGN), *(sample.pair for sample in result.samples if not sample.scores["top1"])}
        kept &= set(strip(DESIGN))
    assert len(kept) == shifted
    counts = [len(list(folder.picture_folder(case).glob("*"))) for case in (CASE, CONTROL)]
    assert counts == [len(result.pictures), control]
    assert made.total() == 16 + control


def test_what_a_shift_breaks_is_kept_beside_the_control_up_to_a_number(folder, monkeypatch):
    monkeypatch.setattr(
        Dark, "score", lambda self, images, labels: dict.fromkeys(("top1", "top5"), images.sum((1, 2, 3)) * 0)
    )
    test = SequentialTest((Constraint("clip", minimum=1.0),), 48, exact=True)
    with closing(Bench(folder)) as bench:
        design = catalogue.shipped().design("toy-latent", 48)
        control, shifted = (sequential.run(bench, case, test, design) for case in (CONTROL, CASE))
    assert len(shifted.pictures) == STRIP + 16
    assert {sample.pair for sample in shifted.pictures} < {sample.pair for sample in control.pictures}
    assert len(control.pictures) == STRIP + 32


def test_pictures_that_are_asked_for_later_are_the_only_ones_made(folder):
    result, _ = judge(folder, keep="none")
    assert pictures(folder) == []
    later, made = judge(folder, keep="report")
    assert made == {(shifted, sample.pair): 1 for sample in later.pictures for shifted in (False, True)}
    assert len(later.pictures) == STRIP
    _, made = judge(folder, keep="all")
    assert made.total() == 16 - STRIP
    assert judge(folder, keep="none")[1] == judge(folder, keep="report")[1] == {}
    assert len(pictures(folder)) == 16 + STRIP
    assert scores(later) == scores(result)


def test_a_picture_that_was_deleted_is_made_again(folder):
    result, _ = judge(folder)
    gone = result.pictures[3]
    gone.picture.unlink()
    again, made = judge(folder)
    assert made == {(False, gone.pair): 1}
    assert again.samples == result.samples
    assert gone.picture.is_file()


def test_a_picture_is_the_image_that_was_scored(folder):
    result, _ = judge(folder)
    for sample in result.pictures:
        digest = hashlib.sha256(sample.picture.read_bytes()).hexdigest()
        image = torch.from_numpy(folder.load_picture(Picture(sample.picture, digest)))[None]
        assert Bright().score(image, [sample.pair.label])["clip"].item() == pytest.approx(sample.scores["clip"])


# Other scorers ----------------------------------------------------------------------------------------------------


def test_another_scorer_scores_the_kept_pictures_and_nothing_is_generated(folder, monkeypatch):
    before, _ = judge(folder, keep="all")
    monkeypatch.setattr(scorer_fingerprint, "of_clip", lambda source: "another")
    after, made = judge(folder, keep="all")
    assert made == {}
    assert after.samples == before.samples
    assert after.findings == before.findings
    monkeypatch.undo()
    assert judge(folder, keep="all")[1] == {}


def test_another_scorer_needs_anew_only_the_images_without_a_picture(folder, monkeypatch):
    before, _ = judge(folder, keep="report")
    monkeypatch.setattr(scorer_fingerprint, "of_classifier", lambda source: "another")
    after, made = judge(folder, keep="report")
    assert made == {(False, pair): 1 for pair in DESIGN if pair not in {sample.pair for sample in before.pictures}}
    assert scores(after) == scores(before)


@pytest.mark.parametrize("part", [0, 0.5])
def test_a_picture_that_cannot_be_read_is_made_again(folder, monkeypatch, part):
    before, _ = judge(folder, keep="all")
    broken = before.samples[5]
    content = broken.picture.read_bytes()
    broken.picture.write_bytes(content[: int(part * len(content))])
    monkeypatch.setattr(scorer_fingerprint, "of_clip", lambda source: "another")
    after, made = judge(folder, keep="all")
    assert made == {(False, broken.pair): 1}
    assert after.samples == before.samples
    assert broken.picture.read_bytes() == content


def test_a_picture_of_another_size_is_not_scored(folder, monkeypatch):
    before, _ = judge(folder, keep="all")
    broken = before.samples[5]
    Pixels.new("RGB", (3, 5)).save(broken.picture)
    monkeypatch.setattr(scorer_fingerprint, "of_clip", lambda source: "another")
    after, made = judge(folder, keep="all")
    assert made == {(False, broken.pair): 1}
    assert after.samples == before.samples


def test_another_model_finds_nothing_and_keeps_pictures_of_its_own(folder, monkeypatch):
    judge(folder, CONTROL)
    before = pictures(folder)
    monkeypatch.setattr(fingerprints, "of_model", lambda entry, device, dtype: "another")
    assert judge(folder, CONTROL)[1].total() == 16
    assert len(before) == 16
    assert len(pictures(folder)) == 2 * 16
    monkeypatch.undo()
    assert judge(folder, CONTROL)[1] == {}


# What goes wrong --------------------------------------------------------------------------------------------------


def test_a_store_that_cannot_be_opened_is_an_error_of_the_case_in_words(folder):
    folder.samples_file.mkdir()
    with pytest.raises(CaseError, match=r"toy-latent cannot be judged: .*samples.sqlite cannot be used: "):
        judge(folder)


@pytest.mark.parametrize("name", ["locks", "pictures"])
def test_a_folder_that_cannot_be_made_is_an_error_of_the_case_in_words(folder, name):
    (folder.path / name).write_text("in the way")
    with pytest.raises(CaseError, match=r"^toy-latent, mean \+0.30: "):
        judge(folder)


def test_a_store_that_was_damaged_meanwhile_is_an_error_of_the_case_in_words(folder):
    judge(folder, CONTROL)
    folder.samples_file.write_bytes(b"not a database" * 500)
    with pytest.raises(CaseError, match=r"toy-latent cannot be judged: .*samples.sqlite: damaged: "):
        judge(folder)


def test_what_a_model_made_before_it_broke_is_kept(folder):
    class Broken(Double):
        def generate(self, pairs: Sequence[Pair], shift=None, on_step=None) -> Tensor:
            images = super().generate(pairs, shift, on_step)
            return images / 0 if DESIGN[9] in pairs else images

    test = SequentialTest((Constraint("clip", minimum=1.0),), 16, exact=True)
    with closing(Bench(folder, double=Broken())) as bench:
        with pytest.raises(CaseError, match="NaN or Inf in the image"):
            sequential.run(bench, CONTROL, test, DESIGN)
        assert len(bench.missing(CONTROL, DESIGN)) == len(DESIGN) - 8
    assert judge(folder, CONTROL)[1].total() == 8


class Interrupted(Double):
    """A test double that the user interrupts in the third batch, once."""

    def __init__(self, error: type[BaseException]) -> None:
        super().__init__()
        self.error: type[BaseException] | None = error

    def generate(self, pairs: Sequence[Pair], shift=None, on_step=None) -> Tensor:
        if self.error is not None and DESIGN[9] in pairs:
            error, self.error = self.error, None
            raise error("in the middle")
        return super().generate(pairs, shift, on_step)


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_after_an_interrupt_or_an_error_what_was_made_is_kept_and_others_can_go_on(folder, error):
    test = SequentialTest((Constraint("clip", minimum=1.0),), 16, exact=True)
    with closing(Bench(folder, double=Interrupted(error))) as bench:
        with pytest.raises(KeyboardInterrupt if error is KeyboardInterrupt else CaseError, match="in the middle"):
            sequential.run(bench, CONTROL, test, DESIGN)
        with folder.lock(CONTROL.id).acquire(timeout=0):  # no other process waits for this one
            assert len(bench.missing(CONTROL, DESIGN)) == len(DESIGN) - 8
        assert sequential.run(bench, CONTROL, test, DESIGN).generated == 8
        assert set(bench.double.made.values()) == {1}


def test_what_another_process_makes_meanwhile_is_not_made_again(folder, monkeypatch):
    test = SequentialTest((Constraint("clip", minimum=1.0),), 16, exact=True)
    with closing(Bench(folder)) as bench:
        lock = folder.lock

        def late(name: str):
            monkeypatch.setattr(folder, "lock", lock)
            judge(RunFolder(folder.path))  # the other one had the lock
            return lock(name)

        monkeypatch.setattr(folder, "lock", late)
        assert sequential.run(bench, CASE, test, DESIGN).generated == 0
        assert bench.double.made.total() == 0


# The pace of a model ----------------------------------------------------------------------------------------------


def test_measuring_a_model_makes_the_next_batch_and_keeps_it(folder):
    with closing(Bench(folder, batch_size=None)) as bench:
        assert bench.pace("toy-latent") is None
        pace = bench.measure(CONTROL, DESIGN)
        assert bench.pace("toy-latent") == pace
        assert pace.seconds > 0
        assert len(bench.missing(CONTROL, DESIGN)) == len(DESIGN) - min(pace.batch_size, len(DESIGN))


def test_a_batch_size_of_the_user_s_is_not_remembered_for_other_runs(folder):
    judge(folder, CONTROL)
    with closing(Bench(folder, batch_size=1)) as bench:
        bench.measure(CASE, DESIGN)
        assert bench.pace("toy-latent") is None


def test_what_was_made_to_measure_is_counted_with_the_case(folder):
    test = SequentialTest((Constraint("clip", 1.0),), len(DESIGN), exact=True)
    with closing(Bench(folder)) as bench:
        bench.measure(CONTROL, DESIGN)
        assert sequential.run(bench, CONTROL, test, DESIGN).generated == len(DESIGN)


def test_how_many_images_a_verdict_took_is_remembered_by_the_size_of_the_design(folder):
    result, _ = judge(folder, CONTROL)
    with closing(Bench(folder)) as bench:
        assert bench.service.visited(CONTROL, 16) == len(result.samples)
        assert bench.service.visited(CONTROL, 400) is None


def test_a_batch_size_is_found_once(folder):
    def found() -> Counter:
        with closing(Bench(folder, batch_size=None)) as bench:
            bench.service.engine("toy-latent")
            return bench.double.made

    assert found().total() > 0
    assert found().total() == 0


# Whole batches ----------------------------------------------------------------------------------------------------


@given(st.integers(1, 16), st.integers(1, 7), st.sets(st.sampled_from(DESIGN)))
def test_batches_that_lack_something_are_whole_and_no_others_are_made(length, size, lacking):
    pairs = DESIGN[:length]
    made = in_whole_batches(pairs, size, lacking)
    of = {pair: place // size for place, pair in enumerate(pairs)}
    needed = {of[pair] for pair in lacking if pair in of}
    assert made == [pair for pair in pairs if of[pair] in needed]
