"""Runs jobs on the slots of an executor: what is open has its most certain needs pooled into full batches, by model.

Where images are made in this process, one job is open at a time, the one that is asked for: the fixtures of its test
and the settings that it makes are in force then, and other processes may be at work on the same run. A cluster has all
jobs of the session open at once.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, TypeVar

from pytest_seedshift.core.cases import CaseError, UnusableModelError, judging_case
from pytest_seedshift.core.errors import HarnessError, SeedshiftError
from pytest_seedshift.runner.batch_choice import Choice
from pytest_seedshift.runner.needs import Expected, Need, Supply
from pytest_seedshift.runner.open_cases import OpenCase
from pytest_seedshift.runner.orders import Order
from pytest_seedshift.runner.paces import Paces
from pytest_seedshift.runner.reach import ByChance, ByStep
from pytest_seedshift.runner.work import NONE, Work

if TYPE_CHECKING:
    from pytest_seedshift.core.cases import Case
    from pytest_seedshift.core.pairs import Pair
    from pytest_seedshift.runner.case_result import OnProgress
    from pytest_seedshift.runner.needs import Steps
    from pytest_seedshift.runner.orders import Done, Executor, Row
    from pytest_seedshift.runner.sample_service import SampleService
    from pytest_seedshift.runner.samples import Sample

_Result = TypeVar("_Result")

_PATIENCE = 0.2
"""Seconds between looks at whether a study has ended."""

_AHEAD = 2
"""How many orders are at a slot at once: one that is being made, and the next."""


class Scheduler:
    """Runs jobs, each a case or a search for a breaking point, on all slots of an executor."""

    def __init__(self, service: SampleService, executor: Executor) -> None:
        """What exists is found by `service`, and kept by it; what does not is made by `executor`."""
        self._service = service
        self._executor = executor
        self._choice = Choice()
        self._reach = ByStep(service) if executor.is_here else ByChance(self._choice.least)
        self._open: dict[str, OpenCase] = {}
        self._controls: dict[str, str] = {}
        """By model, the key of the job that judges its control, until that has ended."""
        self._held: dict[str, list[str]] = defaultdict(list)
        self._models: dict[str, dict[str, OpenCase]] = defaultdict(dict)
        """By model, what is open of it, by key."""
        self._samples: dict[Case, dict[Pair, Sample]] = defaultdict(dict)
        """What is known to exist, of cases that somebody needs."""
        self._failed: dict[Case, dict[Pair, str]] = defaultdict(dict)
        self._making: dict[Case, dict[Pair, tuple[str, bool]]] = defaultdict(dict)
        """What is being made, for whom first, and whether its picture is to be shown."""
        self._begun: set[str] = set()
        self._looked: dict[str, dict[Case, int]] = defaultdict(dict)
        """By job and the case that it needs, up to which pair of its design the store was asked."""
        self._left: dict[str, int] = {}
        """By model, how many images are wished for that are not there; those that several wish for count more."""
        self._changed: set[str] = set()
        """Of which models that is to be counted anew."""
        self._unsure: set[str] = set()
        """The models of which too little is sure enough to wait behind another batch, until more is known."""
        self._work: dict[str, Work] = defaultdict(lambda: NONE)
        self._unusable: dict[str, str] = {}
        self._orders = self._in_flight = self._runs = 0
        self._claim = ExitStack()
        """Here, the lock on the case whose images are being made."""
        self._kinds: dict[str, str] = {}
        """By slot, its kind of hardware."""
        self._paces = Paces(service, executor, self._kinds)

    # What is run ------------------------------------------------------------------------------------------------------

    @property
    def looks_ahead(self) -> bool:
        """Whether it makes use of knowing which jobs are to come."""
        return not self._executor.is_here

    def expect(self, jobs: Iterable[Expected]) -> None:
        """Open jobs that will be asked for, in the order in which they will be; see `looks_ahead`."""
        found = list(jobs)
        self._controls |= {each.model: each.key for each in found if each.is_control}
        for each in found:
            self._begin(each)

    def result(self, job: Expected, progress: OnProgress | None = None) -> Any:
        """Wait for a job, while all that are open go on.

        Args:
            job: it need not be expected.
            progress: called before every batch of which the verdict may be the end.

        Raises:
            CaseError: it cannot be judged.
            HarnessError: there are no slots left.
        """
        case = self._ended(job, progress)
        found = case.result()
        self._paces.remember(case)
        return found

    def run(self, steps: Steps[_Result], progress: OnProgress | None = None) -> _Result:
        """Run a case, or a search for a breaking point, that was not expected; see `result`."""
        found: _Result = self.result(self._unexpected(steps), progress)
        return found

    def collect(
        self, case: Case, design: Sequence[Pair], images: int | None = None, shown: frozenset[Pair] = frozenset()
    ) -> Supply:
        """The samples of the first `images` pairs of a case's design (None: of all), whatever is in them.

        What does not exist is made; those of `shown` need a picture.

        Raises:
            CaseError: a sample cannot be made.
        """

        def steps() -> Steps[Supply]:
            with judging_case(case):
                return (yield Need(case, design, 0, len(design) if images is None else images, None, shown))

        found: Supply = self._ended(self._unexpected(steps())).result()
        return found

    def call(self, model: str, study: Callable[..., Any], *arguments: object) -> Any:
        """What a study says of a model, see `Executor.call`; what is open goes on meanwhile."""
        if not self._open:
            return self._executor.call(model, study, *arguments)
        with ThreadPoolExecutor(1, "seedshift-study") as thread:
            answer = thread.submit(self._executor.call, model, study, *arguments)
            while not answer.done():
                self._fill()
                for done in self._executor.wait(_PATIENCE):
                    self._take(done)
            return answer.result()

    def close(self) -> None:
        """Begin nothing new, and keep what is being made."""
        for case in self._open.values():
            case.close()
        self._open.clear()
        for done in self._executor.close():
            self._take(done)

    def _unexpected(self, steps: Steps[Any]) -> Expected:
        self._runs += 1
        return Expected(f"run {self._runs}", "", lambda: steps)

    def _ended(self, job: Expected, progress: OnProgress | None = None) -> OpenCase:
        """A job at its end."""
        try:
            if job.key not in self._open:
                self._begin(job)
            case, told = self._open[job.key], None
            while not case.has_ended:
                need = case.need
                if progress is not None and need is not None and need is not told and need.outlook is not None:
                    progress(need.outlook.progress(need.case, case.work.generated))
                    told = need
                self._step(job.key, case)
        except BaseException:  # such as the user's interrupt: here nothing is to go on
            if self._executor.is_here:
                self._drop()
                self.close()
            raise
        del self._open[job.key]
        return case

    # Round after round ------------------------------------------------------------------------------------------------

    def _step(self, key: str, case: OpenCase) -> None:
        try:
            self._pump()
        except Exception as error:  # here it is the fault of the job that is open
            if not self._executor.is_here:
                raise
            self._drop()
            case.fail(error)  # it says what it was about
            self._advance(key)

    def _pump(self) -> None:
        """Fill the slots, wait for something, and let all go on that it is for."""
        if self._executor.is_here and not self._in_flight and self._prepared():
            return
        self._fill()
        if not self._in_flight and self._executor.slots():
            raise HarnessError("nothing is being made, though a case waits for it")
        for done in self._executor.wait():
            self._take(done)

    def _prepared(self) -> bool:
        """Before images are made here: load the model, and wait for other processes that make some of the same case.

        Returns:
            Whether they have made what was needed, so that the job has gone on.
        """
        (slot,) = self._executor.slots()
        for key, case in self._open.items():
            need = case.need
            assert need is not None
            case.fill_up(self._executor.batch_size(need.case.model, slot.name))
            self._claim.enter_context(self._service.folder.lock(need.case.id))
            self._changed.add(need.case.model)
            self._looked[key].pop(need.case, None)
            self._look_up(key, case, need)
            if not case.lacking(self._is_there):
                self._claim.close()
                self._advance(key)
                return True
        return False

    def _drop(self) -> None:
        """Here, after an error: what was to be made will not be."""
        self._executor.close()
        self._making.clear()
        self._in_flight = 0
        self._claim.close()

    def _begin(self, job: Expected) -> None:
        self._forget_failures(job)
        is_held = self._controls.get(job.model, job.key) != job.key
        place = len(self._begun)
        self._open[job.key] = OpenCase(place, job.begin(), self._reach, is_control=job.is_control, is_held=is_held)
        if is_held:
            self._held[job.model].append(job.key)
        self._advance(job.key)

    def _forget_failures(self, job: Expected) -> None:
        """What could not be made is tried again where a job is asked for anew, as reruns of tests do."""
        if not self._open or job.key in self._begun:
            self._failed.clear()
            self._unusable.clear()
        self._begun.add(job.key)

    def _advance(self, key: str) -> None:
        """Let a job go on as far as what is known to exist takes it."""
        case = self._open[key]
        while (need := case.need) is not None:
            self._models[need.case.model][key] = case
            self._changed.add(need.case.model)
            self._unsure.discard(need.case.model)
            reason = self._unusable.get(need.case.model)
            if reason is not None:
                case.fail(UnusableModelError(reason))
                continue
            try:
                self._look_up(key, case, need)
            except Exception as error:  # of the store or of weights: it is the job's, not of who waits just now
                case.fail(error)
                continue
            if case.supply(self._samples[need.case], self._failed[need.case], self._work[key]):
                self._work[key] = NONE
            elif (why := self._hopeless(case, need)) is not None:
                case.fail(CaseError(why))
            else:
                return
        self._end(key)

    def _look_up(self, key: str, case: OpenCase, need: Need) -> None:
        """Know what there is in the store of what a job needs, or is likely to need."""
        known, begin = self._samples[need.case], max(need.seen, self._looked[key].get(need.case, 0))
        end = case.horizon
        for pair in need.shown.intersection(need.design[begin:end]):
            if pair in known and known[pair].picture is None:  # nobody else had to show it
                del known[pair]
        pairs = [pair for pair in need.design[begin:end] if pair not in known]
        if pairs:
            known |= self._service.find(need.case, pairs, need.shown)
        self._looked[key][need.case] = max(end, begin)

    def _hopeless(self, case: OpenCase, need: Need) -> str | None:
        """Why the next sample that a job cannot do without cannot be made; None where that is not so."""
        failed, known = self._failed[need.case], self._samples[need.case]
        if not failed or (case.is_held and need.until is None):
            return None
        for pair in need.design[need.seen : case.certain]:
            if pair in failed:
                return failed[pair]
            if pair not in known:
                return None
        return None

    def _end(self, key: str) -> None:
        """What waits for the verdict about a control goes on, once it stands."""
        self._looked.pop(key, None)
        for model, cases in self._models.items():
            if cases.pop(key, None) is not None:
                self._changed.add(model)
                if not cases:
                    self._forget(model)
        judged = next((each for each, control in self._controls.items() if control == key), None)
        if judged is not None:
            del self._controls[judged]
            for held in self._held.pop(judged, ()):
                if held in self._open and not self._open[held].has_ended:
                    self._open[held].release()
                    self._advance(held)

    def _forget(self, model: str) -> None:
        """Nobody needs a model's samples any more; they are in the store."""
        for case in [each for each in self._samples if each.model == model]:
            del self._samples[case]

    # What is made -----------------------------------------------------------------------------------------------------

    def _fill(self) -> None:
        slots = list(self._executor.slots())
        self._kinds |= {slot.name: slot.kind for slot in slots}
        holds = {slot.name: slot.model for slot in slots}
        at = Counter(holds.values())
        for waiting in range(_AHEAD):
            is_behind = waiting > 0 and not self._executor.is_here
            for slot in slots:
                held = holds[slot.name]
                if slot.waiting > waiting or (is_behind and (held is None or held in self._unsure)):
                    continue
                model = self._submit(slot.name, held, at, is_behind=is_behind)
                if model is not None:
                    at[held] -= 1
                    at[model] += 1
                    holds[slot.name] = model

    def _submit(self, slot: str, held: str | None, at: Counter[str | None], *, is_behind: bool) -> str | None:
        """Have a batch made at a slot, or wait there behind another: of which model; None for nothing to make."""
        for changed in self._changed:
            cases = [case for case in self._models[changed].values() if case.need is not None]
            self._left[changed] = sum(case.lacking(self._is_there) for case in cases)
        self._changed.clear()
        while (model := self._choice.model(held, at, self._left, 8)) is not None:
            most = self._paces.batch_size(model, slot)
            size = self._choice.size(most, sum(self._left.values()), at.total())
            if is_behind and (model != held or size < most):
                break
            rows: list[Row] = []
            for part in self._choice.rows(self._models[model], self._is_there, size, is_behind=is_behind):
                rows += self._service.rows(part.case, part.pairs, part.shown)
                self._making[part.case] |= {pair: (part.key, pair in part.shown) for pair in part.pairs}
            if rows:
                self._changed.add(model)
                self._executor.submit(slot, Order(self._orders, model, tuple(rows)))
                self._orders += 1
                self._in_flight += 1
                return model
            if is_behind:
                break
            self._left[model] = 0  # what is wished for is there, or being made
        if is_behind and held is not None:
            self._unsure.add(held)
        return None

    def _is_there(self, case: Case, pair: Pair) -> bool:
        """Whether an image need not be made, or cannot."""
        return any(pair in each[case] for each in (self._samples, self._making, self._failed))

    def _take(self, done: Done) -> None:
        """Store what came of an order, and let those go on who wait for it."""
        self._in_flight -= 1
        self._paces.count(done)
        ordered = {row: self._making[row.case].pop(row.pair) for row in done.order.rows}
        for row, reason in done.failed.items():
            self._failed[row.case][row.pair] = reason
        if done.unusable:
            self._unusable[done.order.model] = done.unusable
        shown = frozenset(row.pair for row, (_, is_shown) in ordered.items() if is_shown)
        for row, sample in self._kept(done, shown).items():
            self._samples[row.case][row.pair] = sample
            self._work[ordered[row][0]] += Work(1, done.seconds / len(done.made), frozenset({self._kinds[done.slot]}))
        if self._executor.is_here:
            if self._in_flight:
                return
            self._claim.close()
        touched = {row.case for row in ordered}
        for key, case in list(self._models[done.order.model].items()):
            if case.need is not None and (done.unusable or case.need.case in touched):
                self._advance(key)

    def _kept(self, done: Done, shown: frozenset[Pair]) -> dict[Row, Sample]:
        """Store what was made, case by case; what cannot be stored counts as what cannot be made."""
        kept: dict[Row, Sample] = {}
        for case in dict.fromkeys(each.row.case for each in done.made):
            made = [each for each in done.made if each.row.case == case]
            try:
                kept |= self._service.keep(made, shown)
            except (SeedshiftError, OSError) as error:
                if self._executor.is_here:
                    raise
                reason = f"{case.model}, {case.describe()}: {error}"
                self._failed[case].update({each.row.pair: reason for each in made})
        return kept
