"""A model's verdict in a sentence, the same wherever it stands: terminal, pages, summary, model card."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pytest_seedshift.core import messages
from pytest_seedshift.core.score_registry import in_order
from pytest_seedshift.reporting import regressions, tally
from pytest_seedshift.results.statuses import KNOWN, SKIPPED, UNFINISHED, rank
from pytest_seedshift.runner import verdict_messages
from pytest_seedshift.studies.breaking_point import messages as breaking_messages

if TYPE_CHECKING:
    from pytest_seedshift.core.cases import Case
    from pytest_seedshift.core.score_kinds import ScoreKind
    from pytest_seedshift.core.scores import Finding
    from pytest_seedshift.results.run import CaseRun, Run
    from pytest_seedshift.results.schema import Search


def counted(cases: Sequence[CaseRun]) -> str:
    """`31 cases`, as the sentence counts them."""
    return messages.count(len(cases), "case")


def asked(cases: Sequence[CaseRun]) -> list[str]:
    """What is asked of a model's scores: `top-1 ≥ 0.60`, or `top-1 ≥ 0.30 to 0.60, by case` where cases differ."""
    bounds: dict[tuple[str, str], list[Finding]] = {}
    for each in (finding for case in cases for finding in case.findings):
        bounds.setdefault((each.score, each.kind), []).append(each)
    order = in_order(score for score, _ in bounds)
    return [
        _asked(found[0].score_kind, kind, min(each.bound for each in found), max(each.bound for each in found))
        for (score, kind), found in sorted(bounds.items(), key=lambda entry: order.index(entry[0][0]))
    ]


def _asked(shown: ScoreKind, kind: str, least: float, most: float) -> str:
    return f"{shown.title} {verdict_messages.required(kind, shown, least, most)}"


def all_models(run: Run) -> list[str]:
    """The models of which a run has something to say, also that their cases have no verdict."""
    return list(dict.fromkeys([*run.models, *(case.model for case in run.missing)]))


def of_model(run: Run, model: str, name: str | None = None) -> tuple[str, str]:
    """A model's verdict and its sentence, under a `name`, if given: what stands wherever a model's verdict is shown.

    What is worse than the baseline fails it, though each case may pass; that is known of a run that was compared. So
    does what breaks a bound on the use of the seed vector; one that nobody has measured leaves it without a verdict.
    """
    cases, searches = run.of(model), run.searches(model)
    verdict, said = overall(cases, searches, run.missing_of(model)), of_run(run, model, name)
    beyond = [] if run.comparison is None else regressions.beyond_cases(run.comparison, run.failed)
    worse = dict.fromkeys(each.what for each in beyond if each.model == model)
    also = [f"worse than its baseline: {'; '.join(worse)}"] if worse else []
    bounds = [each for each in run.seed_use_bounds if each.model == model and each.fails]
    broken = dict.fromkeys(each.key for each in bounds if each.holds is not None)
    also += [f"its use of the seed vector does not meet {' and '.join(broken)}"] if broken else []
    unknown = dict.fromkeys(each.key for each in bounds if each.holds is None)
    if also:
        verdict = "fail" if verdict in ("pass", KNOWN, UNFINISHED, "measured") else verdict
    elif unknown:
        verdict = min(verdict, UNFINISHED, key=rank)
    also += [f"its use of the seed vector was not judged, which {' and '.join(unknown)} asks for"] if unknown else []
    return verdict, "; ".join([said, *also])


def of_run(run: Run, model: str, name: str | None = None, cases: Sequence[CaseRun] | None = None) -> str:
    """The sentence that knows of the cases without a verdict too; under a `name` and of some `cases`, if given."""
    chosen = run.of(model) if cases is None else cases
    searches = run.searches(model) if cases is None else []
    return sentence(model if name is None else name, chosen, searches, run.missing_of(model))


def overall(cases: Sequence[CaseRun], searches: Sequence[Search] = (), missing: Sequence[Case] = ()) -> str:
    """A model's verdict: that of its worst case or search; "measured" where nothing else was asked for."""
    return tally.overall(tally.with_missing(tally.of_cases(cases), missing), searches)


def sentence(
    model: str, cases: Sequence[CaseRun], searches: Sequence[Search] = (), missing: Sequence[Case] = ()
) -> str:
    """A model's verdict in a sentence; see `tally.sentence`. Cases that are `missing` have no verdict."""
    outcomes = tally.with_missing(tally.of_cases(cases), missing)
    return tally.sentence(model, outcomes, of_searches(searches, alone=not outcomes))


def of_searches(searches: Sequence[Search], *, alone: bool) -> list[str]:
    """What a model's verdict has to say of its searches: those that fail, those without a verdict.

    `alone` says that there is nothing else to say of the model.
    """
    by_verdict: dict[str, list[Search]] = {}
    for each in searches:
        by_verdict.setdefault(each.status, []).append(each)
    early = ", ".join(f"{each.shift} {breaking_messages.point(each)}" for each in by_verdict.get("fail", ()))
    said = [f"breaks earlier than required: {early}"] if early else []
    if alone and "pass" in by_verdict and not early:
        said.append("breaks nowhere earlier than required")
    if alone and "measured" in by_verdict:
        said.append(f"has {messages.count(len(by_verdict['measured']), 'breaking point')} measured, none required")
    if KNOWN in by_verdict:
        places = ", ".join(f"{each.shift} {breaking_messages.point(each)}" for each in by_verdict[KNOWN])
        said.append(f"{messages.count(len(by_verdict[KNOWN]), 'known failure')} among its breaking points: {places}")
    if SKIPPED in by_verdict:
        said.append(f"{messages.count(len(by_verdict[SKIPPED]), 'breaking point')} skipped")
    if "error" in by_verdict:
        said.append(f"has {messages.count(len(by_verdict['error']), 'breaking point')} that could not be judged")
    return said
