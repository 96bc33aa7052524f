"""The page of remedies: one HTML file that needs nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_seedshift.core.score_registry import SHIPPED
from pytest_seedshift.reporting import html, remedies
from pytest_seedshift.reporting.html import fill
from pytest_seedshift.studies.remedies import recommendation

if TYPE_CHECKING:
    from pytest_seedshift.studies.remedies.findings import Remedies, Treated, Tried


def make(found: Remedies, command: str) -> str:
    """The page, as HTML; `command` is how it was made."""
    best = recommendation.make(found).tried
    return fill(
        "remedies.html.jinja2",
        title=f"What heals {found.model}",
        style=html.style(),
        sentences=remedies.sentences(found),
        healed=best is not None,
        cases=[each.case.describe() for each in found.before],
        rows=_rows(found, best) if found.before else [],
        legend=remedies.LEGEND,
        left_out=list(found.left_out.items()),
        errors=[(each.candidate.title, each.error) for each in found.tried if each.error],
        command=command,
    )


def _rows(found: Remedies, best: Tried | None) -> list[dict[str, Any]]:
    """The table of the terminal, each measured case with its bar."""
    head, *told = remedies.table(found)
    treated = [found.before, *(each.treated for each in found.tried)]
    rows = []
    for place, (texts, cases) in enumerate(zip(told, treated, strict=True)):
        title, heals, *rest = [*texts, *("" for _ in range(len(head) - len(texts)))]
        count = len(found.before)
        rows.append(
            {
                "title": title,
                "heals": heals,
                "cases": [_cell(each, was, found) for each, was in zip(cases, found.before, strict=False)]
                or rest[:count],
                "rest": rest[count:],
                "best": place > 0 and best is not None and found.tried[place - 1] is best,
            }
        )
    return rows


def _cell(treated: Treated, before: Treated, found: Remedies) -> dict[str, Any]:
    """A case: each score that is shown of it, with its bar."""
    return {
        "holds": treated.holds,
        "figures": [_figure(each, treated, found) for each in remedies.figures(treated, before)],
    }


def _figure(figure: remedies.Figure, treated: Treated, found: Remedies) -> dict[str, Any]:
    measured = treated.scores[figure.score]
    cell: dict[str, Any] = {"told": figure, "holds": not figure.broken, "drawn": None}
    if figure.score in SHIPPED:
        kind = SHIPPED[figure.score]
        control = found.control.get(figure.score)
        ends = {"low": measured.low, "value": measured.mean, "high": measured.high}
        cell["drawn"] = {name: 100 * (value - kind.low) / kind.span for name, value in ends.items()}
        cell["drawn"]["mark"] = None if control is None else 100 * (control.mean - kind.low) / kind.span
    return cell
