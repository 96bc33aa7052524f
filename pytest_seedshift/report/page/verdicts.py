"""The top: each model's verdict in a sentence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pytest_seedshift.cases import format_magnitude
from pytest_seedshift.report import regressions, seedlines, words
from pytest_seedshift.report.page.breaking import in_short, of_searches
from pytest_seedshift.report.page.section import Section, section
from pytest_seedshift.run import UNFINISHED
from pytest_seedshift.scores import SCORES

if TYPE_CHECKING:
    from pytest_seedshift.breaking.form import Record as Search
    from pytest_seedshift.report.page.album import Album
    from pytest_seedshift.run import CaseRun, Run


def build(run: Run, _: Album) -> Section:
    """A card a model: verdict, sentence, what it rests on."""
    return section("verdicts", "", models=[_card(run, model) for model in run.models])


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
    return [*said, *(["the null control has changed: an error of the harness, trust none of this"] if broken else [])]


def counted(cases: Sequence[CaseRun]) -> str:
    """`30 cases and the control`, as the sentence counts them."""
    shifted = sum(not each.case.is_control for each in cases)
    parts = [words.count(shifted, "case")] if shifted else []
    return " and ".join([*parts, *(["the control"] if shifted < len(cases) else [])])


def asked(cases: Sequence[CaseRun]) -> list[str]:
    """What is asked of a model's scores: `top-1 ≥ 0.60`, or `top-1 ≥ 0.30 to 0.60, by case` where cases differ."""
    bounds: dict[tuple[str, str], list[float]] = {}
    for each in (finding for case in cases for finding in case.findings):
        bounds.setdefault((each.score, each.kind), []).append(each.bound)
    order = list(SCORES)
    return [
        _asked(score, kind, min(found), max(found))
        for (score, kind), found in sorted(bounds.items(), key=lambda entry: order.index(entry[0][0]))
    ]


def _asked(score: str, kind: str, least: float, most: float) -> str:
    shown = SCORES[score]
    span = f"{shown.format(least)}{f' to {shown.format(most)}, by case' if least != most else ''}"
    return f"{shown.title} {words.asked_as(kind)} {span}"


def of_model(run: Run, model: str) -> tuple[str, str]:
    """A model's verdict and its sentence. What is worse than the baseline fails it, though each case may pass."""
    cases, searches = run.of(model), run.searches(model)
    verdict, said = overall(cases, searches), sentence(model, cases, searches)
    beyond = [] if run.comparison is None else regressions.beyond_cases(run.comparison, run.failed)
    worse = dict.fromkeys(each.what for each in beyond if each.model == model)
    if run.comparison is None or not worse:
        return verdict, said
    return ("fail" if verdict == "pass" else verdict), f"{said}; worse than its baseline: {'; '.join(worse)}"


def overall(cases: Sequence[CaseRun], searches: Sequence[Search] = ()) -> str:
    """A model's verdict: that of its worst case or search; "measured" where nothing else was asked for."""
    found: set[str] = {each.verdict for each in cases} | {each.verdict for each in searches}
    return next(verdict for verdict in ("fail", "error", UNFINISHED, "pass", "measured") if verdict in found)


def sentence(model: str, cases: Sequence[CaseRun], searches: Sequence[Search] = ()) -> str:
    """Such as `toy-latent fails 9 of 30: breaks under mean from +0.20; breaks earlier than asked: mean +0.10`.

    The control is not counted among the cases of the sentence: a model that fails without a shift is told so.
    """
    searched = of_searches(searches, alone=not cases)
    if not cases:
        return f"{model} {'; '.join(searched)}"
    return "; ".join([*_of_cases(model, cases), *searched])


def _of_cases(model: str, cases: Sequence[CaseRun]) -> list[str]:
    shifted = [each for each in cases if not each.case.is_control]
    failed = [each for each in shifted if each.verdict == "fail"]
    of_control = next((each.verdict for each in cases if each.case.is_control), "pass")
    errors = sum(each.verdict == "error" for each in cases)
    unfinished = sum(each.verdict == UNFINISHED for each in cases)
    judged = len(shifted) - sum(each.verdict in ("error", UNFINISHED) for each in shifted)
    parts = []
    if of_control == "fail":
        parts.append(f"{model} fails without any shift")
        if shifted:
            parts[0] += f", and {len(failed)} of {len(shifted)} with one"
    elif failed:
        parts.append(f"{model} fails {len(failed)} of {len(shifted)}")
    elif judged:
        parts.append(f"{model} passes {'all' if judged == len(shifted) else 'the judged'} {judged}")
    elif of_control == "pass" and not shifted:
        parts.append(f"{model} passes without a shift; no shift was tested")
    else:
        parts.append(f"{model} has no verdict")
    if failed:
        parts[0] += f": breaks under {breaks(shifted)}"
    if errors:
        parts.append(f"{words.count(errors, 'case')} could not be judged")
    if unfinished:
        parts.append(f"{words.count(unfinished, 'case')} had no verdict when the run ended")
    return parts


def breaks(cases: Sequence[CaseRun]) -> str:
    """Under which shifts a model breaks, and from which magnitude on: `mean and mixed from +0.20, std at -0.10`."""
    by_words: dict[str, list[str]] = {}
    for shift in dict.fromkeys(each.case.shift for each in cases):
        ours = [each for each in cases if each.case.shift == shift]
        if any(each.verdict == "fail" for each in ours):
            by_words.setdefault(_where(ours), []).append(shift)
    return ", ".join(f"{_list(names)} {where}" for where, names in by_words.items())


def _where(cases: Sequence[CaseRun]) -> str:
    """Where one shift breaks a model: `at every magnitude`, `from +0.20`, `at -0.10 and +0.30`."""
    failed = {each.case.magnitude for each in cases if each.verdict == "fail"}
    if len(failed) == len(cases) > 1:
        return "at every magnitude"
    begins, single = [], []
    for sign in (-1, 1):
        tested = sorted((each.case.magnitude for each in cases if each.case.magnitude * sign > 0), key=abs)
        broken = [magnitude for magnitude in tested if magnitude in failed]
        if len(broken) > 1 and broken == tested[-len(broken) :]:
            begins.append(broken[0])
        else:
            single += broken
    said = [f"from {_list(map(format_magnitude, begins))}"] if begins else []
    said += [f"at {_list(map(format_magnitude, sorted(single)))}"] if single else []
    return " and ".join(said)


def _list(texts: Any) -> str:
    *others, last = texts
    return f"{', '.join(others)} and {last}" if others else str(last)
