"""All cases open at once: what they come to does not depend on the order in which their samples arrive."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
import torch

from helpers.double_bench import Bench, Bright, Dark, Double, DoublePool
from pytest_seedshift.core.cases import Case, CaseError, UnusableModelError
from pytest_seedshift.core.scores import Constraint
from pytest_seedshift.core.searches import Search
from pytest_seedshift.core.stats.null_control import NullTest
from pytest_seedshift.core.stats.sequential import SequentialTest
from pytest_seedshift.models import catalogue
from pytest_seedshift.results.run_folder import RunFolder
from pytest_seedshift.results.sample_tables import StoreError
from pytest_seedshift.runner import batch_making, records, sequential
from pytest_seedshift.runner.generate import Engine
from pytest_seedshift.runner.needs import Expected
from pytest_seedshift.runner.orders import Done, Order, Slot
from pytest_seedshift.runner.scheduler import Scheduler
from pytest_seedshift.scorers import fingerprint as scorer_fingerprint
from pytest_seedshift.studies.breaking_point import search

if TYPE_CHECKING:
    from pathlib import Path

MODEL = "toy-latent"
DESIGN = catalogue.shipped().design(MODEL, 64)
CASES = [Case(MODEL), *(Case(MODEL, shift, size) for shift in ("mean", "std", "random") for size in (-0.3, 0.1, 0.4))]


class Shuffled:
    """An executor of several slots whose orders end in any order, in batches of any size."""

    is_here = False

    def __init__(self, double: Double, seed: int, slots: int = 3) -> None:
        self._engine = Engine(double, (Dark(), Bright()), 32, overlap=False, mixes=True)
        self._random = random.Random(seed)
        self._names = [f"slot-{number}" for number in range(slots)]
        self._orders: list[tuple[str, Order]] = []
        self.asked: list[Order] = []
        self.known: list[tuple[str, str, int]] = []

    def know(self, model: str, kind: str, batch_size: int) -> None:
        self.known.append((model, kind, batch_size))

    def slots(self) -> Sequence[Slot]:
        at = Counter(name for name, _ in self._orders)
        return [Slot(name, "double", MODEL, at[name]) for name in self._names]

    def batch_size(self, model: str, slot: str) -> int:
        return self._random.choice([1, 2, 4, 8])

    def submit(self, slot: str, order: Order) -> None:
        self._orders.append((slot, order))
        self.asked.append(order)

    def wait(self, seconds: float | None = None) -> Sequence[Done]:
        assert self._orders, "nothing is being made, and somebody waits"
        return [self._done(*self._orders.pop(self._random.randrange(len(self._orders))))]

    def close(self) -> Sequence[Done]:
        left, self._orders = self._orders, []
        return [self._done(*each) for each in left]

    def _done(self, slot: str, order: Order) -> Done:
        generated = batch_making.generate(self._engine, order.rows)
        made, failed = batch_making.complete(self._engine, generated)
        return Done(order, slot, tuple(made), failed, seconds=0.01)


def jobs(bench: Bench) -> list[Expected]:
    bounds = (Constraint("clip", minimum=14.8, max_drop=1.0), Constraint("top1", minimum=0.2))
    test = SequentialTest(bounds, len(DESIGN))
    made = [
        Expected(case.id, MODEL, lambda case=case: sequential.steps(bench, case, test, DESIGN), case.is_control)
        for case in CASES
    ]
    null = NullTest(len(DESIGN))
    made.append(Expected("null", MODEL, lambda: sequential.steps(bench, CASES[0].null_control, null, DESIGN)))
    sought = Search(MODEL, "mean", -1)
    of_search = SequentialTest((Constraint("clip", minimum=14.2),), len(DESIGN))
    made.append(Expected("search", MODEL, lambda: search.steps(bench, sought, of_search, DESIGN)))
    return made


def outcome(result: Any, folder: RunFolder) -> Any:
    """What there is to say of a result: its record for a case, each probe's for a search."""
    if hasattr(result, "probes"):
        return [outcome(probe, folder) for probe in result.probes], result.at, result.interval
    return records.of_result(result, folder, result.case.id).built_in(), [sample.pair for sample in result.samples]


def one_by_one(path: Path) -> dict[str, Any]:
    folder = RunFolder(path)
    folder.prepare()
    with closing(Bench(folder)) as bench:
        return {job.key: outcome(bench.scheduler.run(job.begin()), folder) for job in jobs(bench)}


def without_costs(found: Any) -> Any:
    if isinstance(found, dict):
        return {key: without_costs(each) for key, each in found.items() if key not in ("generated", "seconds")}
    if isinstance(found, (list, tuple)):
        return [without_costs(each) for each in found]
    return found


def pooled(path: Path, seed: int, order: Sequence[int] | None = None) -> tuple[dict[str, Any], Shuffled, Double]:
    folder = RunFolder(path)
    folder.prepare()
    with closing(Bench(folder)) as bench:
        executor = Shuffled(bench.double, seed)
        scheduler = Scheduler(bench.service, executor)
        expected = jobs(bench)
        scheduler.expect(expected)
        found = {job.key: outcome(scheduler.result(job), folder) for job in expected}
        scheduler.close()
        return found, executor, bench.double


@pytest.fixture(scope="module")
def alone(tmp_path_factory) -> dict[str, Any]:
    return one_by_one(tmp_path_factory.mktemp("alone"))


def test_the_cases_differ_so_that_an_order_could_matter(alone):
    verdicts = {each[0]["verdict"] for key, each in alone.items() if key not in ("search",)}
    assert verdicts == {"pass", "fail"}
    images = {len(each[1]) for key, each in alone.items() if key != "search"}
    assert len(images) > 3
    assert alone["search"][1] not in (None, 0)


@pytest.mark.parametrize("seeds", [range(4), pytest.param(range(4, 200), marks=pytest.mark.nightly)], ids=str)
def test_verdicts_are_those_of_one_process_whatever_arrives_first(tmp_path, alone, seeds):
    for seed in seeds:
        found, executor, _double = pooled(tmp_path / str(seed), seed)
        assert without_costs(found) == without_costs(alone), seed
        rows = [row for order in executor.asked for row in order.rows]
        assert len(rows) == len(set(rows)), "nothing is made twice"
        assert any(len({row.case for row in order.rows}) > 1 for order in executor.asked)


def test_a_run_that_ended_early_is_gone_on_with(tmp_path, alone):
    folder = RunFolder(tmp_path)
    folder.prepare()
    with closing(Bench(folder)) as bench:
        scheduler = Scheduler(bench.service, first := Shuffled(bench.double, 1))
        scheduler.expect(expected := jobs(bench))
        scheduler.result(expected[2])
        scheduler.close()  # what was in flight is stored
        made = sum(len(order.rows) for order in first.asked)
        assert bench.double.made.total() == made
    found, executor, _ = pooled(tmp_path, 2)
    assert without_costs(found) == without_costs(alone)
    again = {row for order in executor.asked for row in order.rows} & {
        row for order in first.asked for row in order.rows
    }
    assert not again


@pytest.mark.parametrize("is_torn", [False, True])
def test_pictures_that_other_scorers_left_are_scored_where_scorers_are(tmp_path, monkeypatch, is_torn):
    folder = RunFolder(tmp_path)
    folder.prepare()
    case, test = CASES[1], SequentialTest((Constraint("clip", minimum=1.0),), 16, exact=True)
    with closing(Bench(folder, keep="all")) as bench:
        before = sequential.run(bench, case, test, DESIGN[:16])
    if is_torn:
        before.samples[5].picture.write_bytes(b"")
    monkeypatch.setattr(scorer_fingerprint, "of_clip", lambda source: "another")
    monkeypatch.setattr(DoublePool, "is_here", False)
    with closing(Bench(folder, keep="all")) as bench:
        scheduler = Scheduler(bench.service, executor := Shuffled(bench.double, 0))
        after = scheduler.run(sequential.steps(bench, case, test, DESIGN[:16]))
        scheduler.close()
        assert after.samples == before.samples
        assert bench.double.made == ({(False, before.samples[5].pair): 1} if is_torn else {})
        asked = [row for order in executor.asked for row in order.rows if row.case == case]
        assert sum(bool(row.given) for row in asked) == len(asked) - is_torn == 16 - is_torn


class Failing(Double):
    """A double that makes NaN of some pairs under a shift."""

    def __init__(self, wrong: set[int]) -> None:
        super().__init__()
        self.wrong = {DESIGN[place] for place in wrong}

    def generate(self, pairs, shift=None, on_step=None):
        images = super().generate(pairs, shift, on_step)
        for place, pair in enumerate(pairs):
            if pair in self.wrong and shift is not None:
                images[place] = torch.nan
        return images


@pytest.mark.parametrize("seed", range(5))
def test_a_sample_that_cannot_be_made_is_an_error_of_the_case_that_needs_it_and_of_no_other(tmp_path, seed):
    folder = RunFolder(tmp_path)
    folder.prepare()
    with closing(Bench(folder, double=Failing({30}))) as bench:
        scheduler = Scheduler(bench.service, Shuffled(bench.double, seed))
        shifted = Case(MODEL, "mean", 0.1)
        quick = SequentialTest((Constraint("clip", minimum=1.0),), len(DESIGN))
        whole = SequentialTest((Constraint("clip", minimum=1.0),), len(DESIGN), exact=True)
        expected = [
            Expected("control", MODEL, lambda: sequential.steps(bench, CASES[0], quick, DESIGN), is_control=True),
            Expected("quick", MODEL, lambda: sequential.steps(bench, shifted, quick, DESIGN)),
            Expected("whole", MODEL, lambda: sequential.steps(bench, shifted, whole, DESIGN)),
        ]
        scheduler.expect(expected)
        control, early = scheduler.result(expected[0]), scheduler.result(expected[1])
        assert control.passed
        assert early.passed
        assert len(early.samples) < 30
        with pytest.raises(CaseError, match="NaN or Inf in the image of") as raised:
            scheduler.result(expected[2])
        assert str(DESIGN[30]) in str(raised.value)


def test_a_control_of_one_colour_refuses_every_case(tmp_path):
    class White(Double):
        def generate(self, pairs, shift=None, on_step=None):
            return super().generate(pairs, shift, on_step) * 0 + 1

    folder = RunFolder(tmp_path)
    folder.prepare()
    with closing(Bench(folder, double=White())) as bench:
        scheduler = Scheduler(bench.service, Shuffled(bench.double, 0))
        test = SequentialTest((Constraint("top1", minimum=0.5),), len(DESIGN))
        expected = [
            Expected(case.id, MODEL, lambda case=case: sequential.steps(bench, case, test, DESIGN), case.is_control)
            for case in CASES
        ]
        scheduler.expect(expected)
        with pytest.raises(UnusableModelError, match="broken without any shift"):
            scheduler.result(expected[0])
        for job in expected[1:]:
            with pytest.raises(UnusableModelError, match="nothing is generated for"):
                scheduler.result(job)


def test_what_cannot_be_stored_is_an_error_of_the_cases_that_need_it(tmp_path, monkeypatch):
    folder = RunFolder(tmp_path)
    folder.prepare()
    with closing(Bench(folder)) as bench:
        scheduler = Scheduler(bench.service, Shuffled(bench.double, 0))
        scheduler.expect(expected := jobs(bench))
        keep = bench.service.keep

        def full(made, shown):
            if any(each.row.case == CASES[2] for each in made):
                raise OSError(28, "No space left on device")
            return keep(made, shown)

        monkeypatch.setattr(bench.service, "keep", full)
        errors = {}
        for job in expected:
            try:
                scheduler.result(job)
            except CaseError as error:
                errors[job.key] = str(error)
        assert "No space left on device" in errors[CASES[2].id]
        assert CASES[3].id not in errors
        scheduler.close()


def test_a_store_that_cannot_be_read_is_an_error_of_each_case_and_not_of_the_run(tmp_path, monkeypatch):
    folder = RunFolder(tmp_path)
    folder.prepare()
    with closing(Bench(folder)) as bench:
        scheduler = Scheduler(bench.service, Shuffled(bench.double, 0))

        def broken(*_: object) -> None:
            raise StoreError("samples.sqlite is damaged")

        with monkeypatch.context() as patch:
            patch.setattr(type(bench.service.samples(MODEL)), "find", broken)
            scheduler.expect(expected := jobs(bench))
        for job in expected:
            with pytest.raises(CaseError, match="is damaged"):
                scheduler.result(job)


class Steady(Shuffled):
    """Its batches are of the size that is known, and of one that it finds itself where none is."""

    def batch_size(self, model: str, slot: str) -> int:
        return self.known[-1][2] if self.known else 4


def test_batch_sizes_of_other_machines_are_remembered_between_runs(tmp_path):
    folder = RunFolder(tmp_path)
    folder.prepare()
    known = []
    for size in (None, None, 2):
        with closing(Bench(folder, batch_size=size)) as bench:
            executor = Steady(bench.double, 1, slots=1)
            scheduler = Scheduler(bench.service, executor)
            test = SequentialTest((Constraint("clip", minimum=0.0),), 16)
            case = CASES[len(known)]
            scheduler.run(sequential.steps(bench, case, test, DESIGN[:16]))
            scheduler.close()
            known.append(executor.known)
            found = bench.service.store.pace(bench.service.samples(MODEL).model, "double")
            assert found.batch_size == 4
            assert found.seconds > 0
    assert known == [[], [(MODEL, "double", 4)], []]  # where the user gives one, that is taken
