"""The summary of a run in Markdown: for a CI's page, a comment, a release's notes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from pytest_seedshift.core import messages
from pytest_seedshift.core.cases import format_magnitude
from pytest_seedshift.core.score_registry import in_order
from pytest_seedshift.core.text import markdown as text
from pytest_seedshift.reporting import blank, chance, model_verdict, reasons, regressions, tags
from pytest_seedshift.reporting.markdown import code, folded, table
from pytest_seedshift.results import comparison, run_settings, tag_changes
from pytest_seedshift.results.metadata import place as shown_place
from pytest_seedshift.results.metadata import portable
from pytest_seedshift.results.run import UNFINISHED
from pytest_seedshift.results.statuses import KNOWN, SKIPPED
from pytest_seedshift.runner import marks, verdict_messages
from pytest_seedshift.studies.breaking_point import messages as breaking_messages

if TYPE_CHECKING:
    from pytest_seedshift.results.metadata import Facts
    from pytest_seedshift.results.regression import Comparison
    from pytest_seedshift.results.run import CaseRun, Run
    from pytest_seedshift.results.schema import Search

_SIGNS = {"pass": "✅", "fail": "❌", "error": "⚠️", UNFINISHED: "⚠️"}
_TOLD = {**_SIGNS, KNOWN: "known failure", SKIPPED: "skipped"}
"""What stands for a status in a table. What is expected, or was not tried, has no sign that asks for a look."""
_ROWS = 100
"""How many failing cases have a row of their own."""
_WHY = 600
"""How many characters of a reason a row has."""
_CUT = "\n\n*Shortened: there is no room for more. The report has the rest.*\n"


def make(run: Run, most: int, report: str = "") -> str:
    """The summary of a run.

    Args:
        run: what its folder holds.
        most: how many bytes of UTF-8 it may have. Parts that have no room are left out, and it says so.
        report: where the whole report lies; empty where that is of no use to the reader.

    Returns:
        Markdown that ends with a line break; empty if there is no room even for the model_verdict.
    """
    blocks = list(_blocks(comparison.compared(run), report))
    whole = "\n\n".join(blocks) + "\n"
    if _size(whole) <= most:
        return whole
    room = most - _size(_CUT)
    kept: list[str] = []
    for place, block in enumerate(blocks):
        size = _size(block) + 2
        if size <= room:
            kept.append(block)
            room -= size
        elif place <= 1:
            return ""
    return "\n\n".join(kept) + _CUT


def _size(made: str) -> int:
    return len(made.encode())


def _blocks(run: Run, report: str) -> Iterator[str]:
    """The summary's parts, from what matters most."""
    yield f"## {title(run)}"
    yield "\n".join(_verdict(run, model) for model in model_verdict.all_models(run))
    if warned := [(model, each) for model in run.models for each in blank.of_cases(run.of(model))]:
        yield "\n".join(f"- {text(f'{model}: {each}')}" for model, each in warned)
    if explained := chance.explained(run):
        yield "\n".join(f"- {text(each)}" for each in explained)
    if run.comparison is not None:
        told = [*regressions.worse(run.comparison), *_of_tags(run.comparison)]
        told += regressions.compared_models(run.comparison)
        yield f"**{text(_short(regressions.summary(run.comparison)))}**\n\n{_listed(told)}"
    if run.notes:
        notes = "\n".join(f"- {text(_short(note))}" for note in run.notes)
        yield f"**What is missing from this summary**\n\n{notes}"
    order = list(_TOLD)
    failing = sorted((case for case in run.cases if case.status != "pass"), key=lambda case: order.index(case.status))
    if failing:
        yield table(("case", "", "why", "images"), map(_row, failing[:_ROWS]))
    if len(failing) > _ROWS:
        yield f"and {len(failing) - _ROWS} more that do not pass."
    if run.breaking:
        yield breaking(run.breaking)
    for model in run.models:
        if tables := scores(run.of(model)):
            yield folded(f"Scores of {model}", "\n\n".join(filter(None, (tables, tags.summary(run.of(model))))))
    if run.comparison is not None and (rest := _seen(run.comparison)):
        yield folded("What the comparison could see, and what it could not", _listed(rest))
    if run.facts:
        yield folded("How this was measured", "\n".join(line for facts in run.facts for line in _facts(facts)))
    if report:
        yield f"The whole report, with pictures and curves: {code(report)}"


def _listed(told: Sequence[str]) -> str:
    return "\n".join(f"- {text(_short(each))}" for each in told)


def _seen(comparison: Comparison) -> list[str]:
    """What each model loses at most, and what a comparison could not see, but for what was compared with what."""
    known = regressions.compared_models(comparison)
    notes = [each for each in regressions.notes(comparison) if each not in known]
    return [*regressions.equivalent(comparison), *regressions.signed(comparison), *notes]


def _of_tags(comparison: Comparison) -> list[str]:
    """The tags whose drop is beyond chance."""
    return [
        f"{each.model}, {each.own_kind.title} of {each.tag}: {tags.turned(each)}"
        for each in tag_changes.of(comparison)
        if each.is_lower
    ]


def title(run: Run) -> str:
    """`Robustness of toy-latent and toy-glide`, as Markdown."""
    return text(verdict_messages.robustness_of(run.models))


def _verdict(run: Run, model: str) -> str:
    cases, (verdict, sentence) = run.of(model), model_verdict.of_model(run, model)
    sign = _SIGNS.get(verdict)  # what is measured only has no verdict
    said = [f"- {sign}" if sign else "-", f"**{text(sentence)}.**"]
    return " ".join(said) + (f"<br>{_rests_on(cases)}" if cases else "")


def _rests_on(cases: Sequence[CaseRun]) -> str:
    images, design = sum(each.images for each in cases), sum(each.design for each in cases)
    asked = " · ".join(map(text, model_verdict.asked(cases)))
    certainties = sorted({each.certainty for each in cases if each.certainty is not None})
    parts = [
        f"{model_verdict.counted(cases)}, {images}{f' of {design}' if design else ''} images looked at",
        *([f"required: {asked}"] if asked else []),
        *(f"certainty {messages.percent(each)}" for each in certainties),
    ]
    return "; ".join(parts)


def _row(case: CaseRun) -> tuple[str, str, str, str]:
    what = f"{text(case.case.model)} {text(case.case.describe())}"
    images = f"{case.images} of {case.design}" if case.design else str(case.images)
    return what, _TOLD[case.status], "<br>".join(map(text, why(case))), images


def why(case: CaseRun) -> list[str]:
    """Why a case does not pass, in a line or two: its reason without its subject and the way to the report."""
    told = [_short(line, _WHY) for line in reasons.lines(case)[:4]]
    return [*([_short(f"expected: {case.xfail}", _WHY)] if case.xfail and case.status == KNOWN else []), *told]


def _short(line: str, most: int = 4 * _WHY) -> str:
    return line if len(line) <= most else f"{line[:most]} …"


def breaking(searches: Sequence[Search]) -> str:
    """Breaking points as a table, a row a model and shift."""
    found: dict[tuple[str, str], dict[str, str]] = {}
    for each in searches:
        point = text(f"{breaking_messages.point(each)}{breaking_messages.monotony(each)}")
        told = f"{_TOLD.get(each.status, '')} {point}".strip()
        found.setdefault((each.model, each.shift), {})[each.sign] = told
    rows = [(text(model), text(shift), by.get("-", "·"), by.get("+", "·")) for (model, shift), by in found.items()]
    return table(("breaking points", "shift", "negative", "positive"), rows)


def scores(cases: Sequence[CaseRun]) -> str:
    """A table a score of a model's cases, shifts down and magnitudes across; empty where nothing was scored.

    Behind them, of how many images the means are: a sentence, or a table where cases differ.
    """
    control = next((each for each in cases if each.case.is_control), None)
    by_place = {(each.case.shift, each.case.magnitude): each for each in cases}
    shifts = list(dict.fromkeys(each.case.shift for each in cases if not each.case.is_control))
    magnitudes = sorted({each.case.magnitude for each in cases if not each.case.is_control} | {0.0})
    head = ["0" if at == 0 else format_magnitude(at) for at in magnitudes]
    places = [(shift, [control if at == 0 else by_place.get((shift, at)) for at in magnitudes]) for shift in shifts]
    places = places or [("control", [control])]
    tables = []
    for score in in_order(name for each in cases for name in each.scores):
        rows = [[text(shift), *(_cell(each, score) for each in row)] for shift, row in places]
        tables.append(table([text(cases[0].kinds[score].title), *head], rows, numbers=True))
    numbers = {each.images for each in cases if each.scores}
    if len(numbers) == 1:
        tables.append(f"Each mean is of {messages.count(numbers.pop(), 'image')}.")
    elif numbers:
        rows = [[text(shift), *(_images(each) for each in row)] for shift, row in places]
        tables.append(table(["images", *head], rows, numbers=True))
    if tables and any(each.early and each.scores for each in cases):
        tables.append(
            f"≈: {verdict_messages.early([(each.images, each.design) for each in cases if each.early and each.scores])}"
        )
    tables += [
        f"{each}." for each in marks.legends({marks.of(case, score) for case in cases for score in case.scores}, _PLAIN)
    ]
    return "\n\n".join(tables)


_PLAIN = (marks.OPEN, marks.ELSEWHERE)
"""The marks that stand behind a mean as they are."""


def _cell(case: CaseRun | None, score: str) -> str:
    if case is None:
        return "·"
    if score not in case.scores:
        return _TOLD[case.status] if case.status in (KNOWN, SKIPPED) else "⚠️"
    mean, mark = verdict_messages.mean(case.scores[score], case.kinds[score], early=case.early), marks.of(case, score)
    if mark in _PLAIN:
        return f"{mean}{mark}"
    if mark not in (marks.BROKEN, marks.KNOWN_FAILURE):
        return f"⚠️ {mean}" if mark else mean
    return f"❌ **{mean}**" if case.failed else f"{mean} ({'known' if case.status == KNOWN else 'below'})"


def _images(case: CaseRun | None) -> str:
    return str(case.images) if case is not None and case.scores else "·"


def _facts(facts: Facts) -> Iterator[str]:
    """How a session was run, as entries of a list."""
    versions: Mapping[str, str] = {"Python": facts.python, **facts.versions}
    named = {
        "command": code(portable(facts.command, facts.folder)) if facts.command else "",
        "begun": f"{text(facts.started)} UTC, took {messages.duration(facts.seconds)}" if facts.started else "",
        "thresholds": code(shown_place(facts.thresholds)) if facts.thresholds else "",
        "machine": f"{text(facts.processor)}, {messages.count(facts.cores, 'core')}" if facts.processor else "",
        "design seed": ", ".join(map(str, facts.design_seeds)) if any(facts.design_seeds) else "",
        "versions": ", ".join(f"{text(name)} {text(version)}" for name, version in versions.items() if version),
    }
    for name, told in named.items():
        if told:
            yield f"- {name}: {told}"
    for model in facts.models:
        hardware = f" on {text(model.hardware)}" if model.hardware else ""
        classes = f", labels of {text(shown_place(model.class_list))}" if model.class_list else ""
        scorers = (
            f", scored by {' and '.join(map(code, map(shown_place, model.scorer_names)))}" if model.scorer_names else ""
        )
        told = f"{text(model.name)}{hardware}{classes}{scorers}, fingerprint {code(model.fingerprint or 'not known')}"
        yield f"- {told}; run with {text(run_settings.describe(model.run_with))}"
