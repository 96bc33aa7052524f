"""The top: each model's verdict in a sentence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pytest_seedshift.core import messages
from pytest_seedshift.core.score_registry import in_order
from pytest_seedshift.reporting import blank, chance, regressions, seedlines, tally
from pytest_seedshift.reporting.page.breaking import in_short, of_searches
from pytest_seedshift.reporting.page.section import Section, section
from pytest_seedshift.results.statuses import KNOWN, UNFINISHED
from pytest_seedshift.runner import verdict_messages

if TYPE_CHECKING:
    from pytest_seedshift.core.cases import Case
    from pytest_seedshift.core.score_kinds import ScoreKind
    from pytest_seedshift.core.scores import Finding
    from pytest_seedshift.reporting.page.album import Album
    from pytest_seedshift.results.run import CaseRun, Run
    from pytest_seedshift.results.schema import Search


def build(run: Run, _: Album) -> Section:
    """A card a model: verdict, sentence, what it rests on. Below them, what chance may have done."""
    models = dict.fromkeys([*run.models, *(case.model for case in run.missing)])
    beforehand = chance.looking_back(run)
    told = [*chance.explained(run), *([] if beforehand is None else [beforehand])]
    return section("verdicts", "", kinds=run.kinds, models=[_card(run, model) for model in models], chance=told)


def _card(run: Run, model: str) -> dict[str, Any]:
    cases, (verdict, said) = run.of(model), of_model(run, model)
    generated, seconds = sum(each.generated for each in cases), sum(each.seconds for each in cases)
    return {
        "model": model,
        "verdict": verdict,
        "sentence": said,
        "control": run.control(model),
        "scores": run.scores,
        "cases": counted(cases),
        "images": sum(each.images for each in cases),
        "design": sum(each.design for each in cases),
        "generated": generated,
        "seconds": seconds,
        "certainties": sorted({each.certainty for each in cases if each.certainty is not None}),
        "asked": asked(cases),
        "breaking": in_short(run, model),
        "warnings": _warnings(run, model),
    }


def _warnings(run: Run, model: str) -> list[str]:
    """What takes from a verdict's worth: a seed vector that is not looked at, an error of the harness."""
    use = run.seed_uses.get(model)
    found = None if use is None else use.sensitivity
    said = [seedlines.warning(model, found)] if found is not None and found.ignores_vector else []
    broken = any(each.findings and each.verdict != "pass" for each in run.nulls if each.case.model == model)
    said += blank.of_cases([*run.of(model), *(each for each in run.nulls if each.case.model == model)])
    return [*said, *(["the null control has changed: an error of the harness, trust none of this"] if broken else [])]


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
    span = f"{shown.format(least)}{f' to {shown.format(most)}, by case' if least != most else ''}"
    return f"{shown.title} {verdict_messages.asked_as(kind)} {span}"


def of_model(run: Run, model: str) -> tuple[str, str]:
    """A model's verdict and its sentence. What is worse than the baseline fails it, though each case may pass."""
    cases, searches = run.of(model), run.searches(model)
    verdict, said = overall(cases, searches, run.missing_of(model)), of_run(run, model)
    beyond = [] if run.comparison is None else regressions.beyond_cases(run.comparison, run.failed)
    worse = dict.fromkeys(each.what for each in beyond if each.model == model)
    if run.comparison is None or not worse:
        return verdict, said
    return (
        "fail" if verdict in ("pass", KNOWN, UNFINISHED) else verdict
    ), f"{said}; worse than its baseline: {'; '.join(worse)}"


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
