"""Remedies tried on the cases that fail: what each heals, what it costs, and whether it still looks at the seed.

Each verdict is early, by the same tests as a run's, and all of them share one certainty: the probability that any says
of a case that it is healed which is not, or the other way round, is at most 1 − certainty.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_seedshift.core import messages, tags
from pytest_seedshift.core.cases import Case
from pytest_seedshift.core.errors import SeedshiftError
from pytest_seedshift.core.score_registry import SHIPPED
from pytest_seedshift.core.scores import CERTAINTY
from pytest_seedshift.core.stats import robustness
from pytest_seedshift.core.stats.seed_shares import SensitivityError
from pytest_seedshift.core.stats.sequential import SequentialTest
from pytest_seedshift.runner import sequential
from pytest_seedshift.studies import seed_sensitivity
from pytest_seedshift.studies.remedies import candidates, recommendation
from pytest_seedshift.studies.remedies import plan as plans
from pytest_seedshift.studies.remedies.candidates import MOST_PAIRS, Candidate
from pytest_seedshift.studies.remedies.findings import TIMED, Remedies, Treated, Tried
from pytest_seedshift.studies.remedies.plan import COST_PAIRS, Plan
from pytest_seedshift.studies.sampler_ablation import effects
from pytest_seedshift.studies.sampler_ablation.experiment import seed_weight

if TYPE_CHECKING:
    from pytest_seedshift.core.pairs import Pair
    from pytest_seedshift.core.score_kinds import ScoreKind
    from pytest_seedshift.core.scores import Constraint
    from pytest_seedshift.core.stats.seed_shares import Sensitivity
    from pytest_seedshift.runner.case_result import CaseResult
    from pytest_seedshift.runner.samples import Sample
    from pytest_seedshift.runner.work import Work
    from pytest_seedshift.runner.workbench import Workbench
    from pytest_seedshift.studies.sampler_ablation.effects import Mean

Report = Callable[[str], None]


class Experiment:
    """A model, its cases that are to hold, and what makes images."""

    def __init__(
        self,
        bench: Workbench,
        model: str,
        asked: Mapping[Case, Sequence[Constraint]],
        design: Sequence[Pair],
        *,
        certainty: float = CERTAINTY,
        report: Report | None = None,
        remedies: Sequence[str] | None = None,
        seed_use: int = 0,
    ) -> None:
        """Nothing is made yet.

        Args:
            bench: where models are loaded and samples kept.
            model: the model's name.
            asked: of its control and of shifted cases, what each is asked: minima and largest drops.
            design: the pairs of each case.
            certainty: that no verdict is wrong.
            report: is told a line on each remedy as it begins, and what came of it.
            remedies: the changes that are tried; None for all that the model can have.
            seed_use: images that a measurement of the use of the seed takes, for the plan.
        """
        self._bench, self._model, self._asked, self._design = bench, model, asked, design
        self._first = tuple(design[: plans.screened(len(design))])
        self._certainty, self._report = certainty, report
        self._each = certainty
        self._made: dict[str, tuple[int, float]] = {}
        self._images = 0
        self._control = Case(model)
        self._kinds: Mapping[str, ScoreKind] = SHIPPED
        entry = bench.catalogue.find(model)
        changes = candidates.alone(entry) if remedies is None else remedies
        usable = candidates.usable(model, [(each,) for each in changes], bench.catalogue, self._fingerprint)
        pace = bench.pace(model)
        self.plan = Plan(
            model,
            tuple(case for case in asked if not case.is_control),
            usable.found,
            usable.left_out,
            len(design),
            seed_use,
            None if pace is None else pace.seconds,
        )
        self._began = time.monotonic()

    def run(self) -> Remedies:
        """Look which cases fail, try what there is, alone and then in pairs where nothing alone heals all."""
        bench, cases, alone = self._bench, self.plan.cases, self.plan.remedies
        self._share(len(alone), len(cases))
        control, found_of = self._as_it_is()
        self._kinds = control.kinds
        failing = [(case, one) for case, one in found_of.items() if not one.passed]
        before = tuple(self._treated(case, one, control) for case, one in failing)
        found = Remedies(
            self._model, before, control.scores, left_out=self.plan.left_out, certainty=self._certainty,
            held=tuple(case for case, one in found_of.items() if one.passed),
        )  # fmt: skip
        if not failing or not control.passed:
            return replace(found, images=self._images)
        use, weight = self._seed_use(self._model)
        ignores = Tried(Candidate((), self._model), seed_use=use, weight=weight).ignores
        broken = [case for case, _ in failing]
        tried = [self._try(each, broken, control, place) for place, each in enumerate(alone)]
        left_out = dict(self.plan.left_out)
        if not any(each.healed == len(failing) and not each.ignores for each in tried):
            ordered = sorted((each for each in tried if each.healed), key=lambda each: -each.healed)
            couples = candidates.pairs([each.candidate.changes[0] for each in ordered])
            more = candidates.usable(self._model, couples[:MOST_PAIRS], bench.catalogue, self._fingerprint)
            tried += [self._try(each, broken, control, place) for place, each in enumerate(more.found, len(alone))]
            left_out |= more.left_out
        tried = self._with_costs(replace(found, tried=tuple(tried), seed_use=use, ignores=ignores))
        tried = [replace(each, seconds=self._pace(each.candidate.model)) for each in tried]
        crossing = len(self._design) * (1 + len(cases) + len(tried) * (1 + len(failing)))
        return replace(
            found, tried=tuple(tried), seconds=self._pace(self._model), left_out=left_out, images=self._images,
            crossing=crossing, seed_use=use, ignores=ignores,
        )  # fmt: skip

    def _time(self, model: str, found: Iterable[CaseResult | Work]) -> None:
        """Take the time of images of a model that has made others before: what is first made warms it up."""
        for each in found:
            images, seconds = self._made.get(model, (0, 0.0))
            self._made[model] = images + each.generated, seconds + each.seconds

    def _pace(self, model: str) -> float | None:
        """The seconds of an image; None where too few were timed."""
        images, seconds = self._made.get(model, (0, 0.0))
        return seconds / images if images >= TIMED else None

    def _as_it_is(self) -> tuple[CaseResult, dict[Case, CaseResult]]:
        """Judge the model as it is: without a shift, and where it holds there, or is to be told, its cases."""
        self._say(f"{self._model} as it is, in {1 + len(self.plan.cases)} cases: at most {self.plan.own} images")
        control = self._judge(self._control, self._model)
        found = {}
        for case in self.plan.cases:
            found[case] = one = self._judge(case, self._model)
            self._say(f"{case.describe()}: {'holds' if one.passed else 'fails'}, after {self._images} images so far")
        self._time(self._model, found.values())
        return control, found

    def _begin(self, candidate: Candidate, place: int, failing: int) -> None:
        """Say which remedy begins, how far all is, and what is left."""
        left = self.plan.left(place, failing)
        seconds = time.monotonic() - self._began
        long = f", {messages.duration(left * seconds / self._images)}" if self._images else ""
        of = len(self.plan.remedies)
        number = f"{place + 1} of {of}" if place < of else f"pair {place + 1 - of}"
        self._say(f"{candidate.title} ({number}): {self._images} images so far, at most {left} left{long}")

    def _say(self, line: str) -> None:
        if self._report is not None:
            self._report(line)

    def _fingerprint(self, model: str) -> str:
        return self._bench.samples(model).model

    def _share(self, alone: int, cases: int) -> None:
        """Let all verdicts that may come share what may go wrong."""
        verdicts = (1 + alone + MOST_PAIRS) * (1 + cases)
        self._each = 1 - (1 - self._certainty) / verdicts

    def _judge(self, case: Case, model: str) -> CaseResult:
        design = self._design if model == self._model else self._first
        test = SequentialTest(tuple(self._asked[case]), len(design), self._each)
        found = sequential.run(self._bench, replace(case, model=model), test, design)
        self._images += len(found.samples)
        return found

    def _try(self, candidate: Candidate, cases: Sequence[Case], before: CaseResult, place: int) -> Tried:
        self._begin(candidate, place, len(cases))
        try:
            control = self._judge(self._control, candidate.model)
            treated = [(case, self._judge(case, candidate.model)) for case in cases] if control.passed else []
            self._time(candidate.model, [found for _, found in treated])
            made = Tried(
                candidate,
                control.passed,
                tuple(self._treated(case, found, control) for case, found in treated),
                *self._costs(before, control),
            )
            if made.healed:
                use, weight = self._seed_use(candidate.model)
                made = replace(made, seed_use=use, weight=weight)
        except SeedshiftError as error:
            made = Tried(candidate, error=str(error))
        self._say(f"{candidate.title}: {_said(made, len(cases))}")
        return made

    def _with_costs(self, found: Remedies) -> list[Tried]:
        """Those that were tried, with what they cost on more pairs, from the best on until one costs nothing."""
        tried = list(found.tried)
        before: Sequence[Sample] = ()
        ordered = recommendation.in_order(found)
        certainty = 1 - (1 - self._certainty) / max(1, len(ordered) * len(found.control))
        for each in ordered:
            before = before or self._controls(found.model)
            costs = self._changes(before, self._controls(each.candidate.model), certainty)
            tried[tried.index(each)] = priced = replace(each, costs=costs, pairs=len(before))
            if not priced.harms:
                break
        return tried

    def _controls(self, model: str) -> Sequence[Sample]:
        design = self._design[: min(COST_PAIRS, len(self._design))]
        found = self._bench.scheduler.collect(replace(self._control, model=model), design)
        self._time(model, [found.work])
        self._images += len(design)
        return found.samples

    def _treated(self, case: Case, found: CaseResult, control: CaseResult) -> Treated:
        pairs = min(len(found.samples), len(control.samples))
        retained = {}
        for score in found.scores:
            if score in control.scores:
                before = math.fsum(each.scores[score] for each in control.samples[:pairs])
                after = math.fsum(each.scores[score] for each in found.samples[:pairs])
                if before > 0:
                    retained[score] = after / before
        broken = dict.fromkeys(tags.plain(each.score) for each in found.findings if each.holds is False)
        return Treated(case, found.passed, len(found.samples), found.scores, retained, tuple(broken))

    def _costs(self, before: CaseResult, after: CaseResult) -> tuple[dict[str, Mean], int]:
        pairs = min(len(before.samples), len(after.samples))
        if pairs < robustness.LEAST:
            return {}, pairs
        return self._changes(before.samples[:pairs], after.samples[:pairs], self._each), pairs

    def _changes(self, before: Sequence[Sample], after: Sequence[Sample], certainty: float) -> dict[str, Mean]:
        """By score, the paired change with its interval."""
        labels = [pair.label.name for pair in self._design[: len(after)]]
        found = {}
        for score in [each for each in before[0].scores if each in after[0].scores]:
            top = self._kinds[score].top
            changes = [new.scores[score] - old.scores[score] for old, new in zip(before, after, strict=True)]
            found[score] = effects.mean(changes, labels, (-top, top), certainty)
        return found

    def _seed_use(self, model: str) -> tuple[Sensitivity | None, float | None]:
        bench = self._bench
        weight = seed_weight(bench.model(model))
        use = seed_sensitivity.wanted(bench, model)
        kept = use.kept(bench.folder, self._certainty)
        if kept is not None:
            return kept, weight
        try:
            found = seed_sensitivity.measure(bench, model, certainty=self._certainty)
        except SensitivityError:
            return None, weight
        found.write(bench.folder)
        return found.sensitivity, weight


def _said(tried: Tried, cases: int) -> str:
    if tried.error:
        return tried.error
    if not tried.holds:
        return "does not hold without a shift"
    return f"heals {tried.healed} of {cases}"
