"""The robustness of a run's models under each shift, and the gaps between them: from a run folder's samples."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import combinations
from typing import TYPE_CHECKING

from pytest_seedshift.core import messages, tables
from pytest_seedshift.core.cases import format_magnitude
from pytest_seedshift.core.scores import CERTAINTY, clip
from pytest_seedshift.core.stats import robustness

if TYPE_CHECKING:
    from pytest_seedshift.core.stats.robustness import Curve, Share
    from pytest_seedshift.results.run import Run


@dataclass(frozen=True, slots=True)
class Cell:
    """A robustness or a gap.

    `rough` tells that some case was decided early. Such a case has ended on a streak, often after a handful of images:
    its mean leans towards its verdict, and no interval that takes its pairs for a sample holds. So none is shown.
    """

    share: Share
    rough: bool

    @property
    def has_interval(self) -> bool:
        """Whether it has one: not of early verdicts, nor of too few pairs."""
        return not self.rough and self.share.has_interval

    @property
    def has_value(self) -> bool:
        """Whether it is shown: not where early means rest on so few pairs that they say nothing of the model."""
        return not self.rough or self.share.pairs >= robustness.LEAST


@dataclass(frozen=True, slots=True)
class Row:
    """One shift: each model's robustness, and each gap, in the table's order; None where it is not known."""

    shift: str
    shares: tuple[Cell | None, ...]
    gaps: tuple[Cell | None, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """One score: a row a shift."""

    score: str
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Gaps:
    """All that is reported of robustness."""

    models: tuple[str, ...]
    couples: tuple[tuple[str, str], ...]
    tables: tuple[Table, ...]
    magnitudes: tuple[float, ...]
    """All that count for some row."""
    certainty: float
    uneven: bool
    """Whether not all rows are over the same magnitudes."""

    @property
    def rough(self) -> bool:
        """Whether some cell is."""
        return any(cell.rough for cell in self._cells)

    @property
    def few(self) -> bool:
        """Whether some cell is of too few pairs for an interval."""
        return any(not cell.rough and not cell.has_interval for cell in self._cells)

    @property
    def without_figure(self) -> bool:
        """Whether some cell is of early verdicts and of too few pairs for a figure."""
        return any(not cell.has_value for cell in self._cells)

    @property
    def least(self) -> int:
        """How many pairs an interval takes."""
        return robustness.LEAST

    @property
    def _cells(self) -> list[Cell]:
        rows = [row for table in self.tables for row in table.rows]
        return [cell for row in rows for cell in (*row.shares, *row.gaps) if cell is not None]


def of_run(run: Run) -> Gaps | None:
    """The tables; None where no shifted case with |η| ≤ 0.5 has its samples."""
    models = tuple(run.models)
    couples = tuple(combinations(models, 2))
    certainty = max((case.certainty for case in run.cases if case.certainty is not None), default=CERTAINTY)
    tables = []
    for score in run.scores:
        if run.kinds[score].low < 0:  # a share of what may be negative means nothing
            continue
        rows, top = [], run.kinds[score].top
        for shift in run.shifts:
            curves = {model: robustness.Prepared(curve(run, model, shift, score)) for model in models}
            early = {model: _decided_early(run, model, shift) for model in models}
            fewest = {model: _fewest(run, model, shift) for model in models}
            shares = [
                robustness.robustness(curves[model], certainty=_of(certainty, early[model], curves[model]), top=top)
                for model in models
            ]
            gaps = [
                robustness.gap(
                    curves[a], curves[b], certainty=_of(certainty, early[a] | early[b], curves[a], curves[b]), top=top
                )
                for a, b in couples
            ]
            rough = partial(_of_means, run, shift=shift, score=score)
            cells = [
                _cell(
                    each,
                    early[model],
                    None if each is None else rough(model, magnitudes=each.magnitudes),
                    fewest[model],
                )
                for each, model in zip(shares, models, strict=True)
            ]
            between = [
                _cell(
                    each,
                    early[a] | early[b],
                    None if each is None else _less(rough, a, b, each.magnitudes),
                    min(fewest[a], fewest[b]),
                )
                for each, (a, b) in zip(gaps, couples, strict=True)
            ]
            rows.append(Row(shift, tuple(cells), tuple(between)))
        rows = [row for row in rows if any(share is not None for share in row.shares)]
        if rows:
            tables.append(Table(score, tuple(rows)))
    sets = {
        cell.share.magnitudes for table in tables for row in table.rows for cell in (*row.shares, *row.gaps) if cell
    }
    if not sets:
        return None
    every = tuple(sorted(set().union(*sets)))
    return Gaps(models, couples, tuple(tables), every, certainty, len(sets) > 1)


def without_share(run: Run) -> str:
    """Why some scores of shifted cases have no robustness, in a sentence; empty where all have one."""
    named = [
        run.kinds[score].title
        for score in run.scores
        if run.kinds[score].low < 0 and any(score in case.scores for case in run.cases if not case.case.is_control)
    ]
    if not named:
        return ""
    return (
        f"no robustness of {', '.join(named)}: a share of a score that may be negative means nothing. Means and drops "
        "say what a shift costs"
    )


def _of(certainty: float, early: set[float], *curves: robustness.Prepared) -> float | None:
    """The certainty of an interval; None where it would not be shown, as a magnitude was decided early: see `Cell`."""
    shared = set(curves[0].magnitudes).intersection(*(each.magnitudes for each in curves))
    return certainty if early.isdisjoint(shared) else None


def _less(rough: Callable[..., float | None], one: str, other: str, magnitudes: Sequence[float]) -> float | None:
    values = [rough(model, magnitudes=magnitudes) for model in (one, other)]
    return None if values[0] is None or values[1] is None else values[0] - values[1]


def _decided_early(run: Run, model: str, shift: str) -> set[float]:
    """The magnitudes whose verdict rests on a part of the design."""
    ours = [case for case in run.of(model) if case.case.shift == shift]
    return {case.case.magnitude for case in ours if len(case.samples) < case.design}


def _fewest(run: Run, model: str, shift: str) -> int:
    """The fewest images that a mean of a shift, or of the control, rests on."""
    ours = [case for case in run.of(model) if case.complete and (case.case.is_control or case.case.shift == shift)]
    return min((len(case.samples) for case in ours), default=0)


def _cell(share: Share | None, early: set[float], value: float | None, fewest: int) -> Cell | None:
    """A cell; where a case was decided early, of the means' own `value`, if that is known."""
    if share is None or early.isdisjoint(share.magnitudes):
        return None if share is None else Cell(share, rough=False)
    pairs = min(share.pairs, fewest)
    return Cell(replace(share, value=share.value if value is None else value, pairs=pairs), rough=True)


def _of_means(run: Run, model: str, shift: str, score: str, magnitudes: Sequence[float]) -> float | None:
    """A robustness from the means that stand in every table, so that a reader finds it there; None where one lacks."""
    control = run.control(model)
    means = {
        case.case.magnitude: case.scores[score].mean
        for case in run.of(model)
        if case.case.shift == shift and score in case.scores
    }
    before = control.scores.get(score) if control is not None else None
    if before is None or before.mean <= 0 or not means.keys() >= set(magnitudes):
        return None
    return math.fsum(means[at] for at in magnitudes) / len(magnitudes) / before.mean


def curve(run: Run, model: str, shift: str, score: str) -> Curve:
    """The scores of a model under a shift, of every pair that the control has too.

    Only cases count: the probes of a search for a breaking point lie where the model breaks, and not two models' alike.
    """
    kind = run.kinds[score]
    return {
        case.case.magnitude: {
            after.pair: (clip(kind, after.scores[score]), clip(kind, before.scores[score]))
            for before, after in case.paired()
            if score in before.scores and score in after.scores
        }
        for case in run.of(model)
        if case.complete and case.case.shift == shift and not case.case.is_control
    }


_WIDTH = 100
"""Columns of the terminal that a table of many models takes at most: the next ones stand below."""

_LARGEST = 3
"""How many differences are reported of many models, those that are largest."""


def lines(run: Run) -> list[str]:
    """The tables for the terminal, a column a model; scores of which something is asked.

    Of two models their difference is a column too. Of more, which have many differences, the largest few are reported.
    """
    found, without = of_run(run), without_share(run)
    if found is None:
        return [without] if without else []
    asked = {finding.score for case in run.cases for finding in case.findings}
    shown = [table for table in found.tables if table.score in asked or not asked]
    if not any(cell is not None and cell.has_value for table in shown for row in table.rows for cell in row.shares):
        return [
            f"robustness: no figure, as verdicts came before {found.least} pairs were looked at (--seedshift-exact "
            "looks at all)",
            *([f"  {without}"] if without else []),
        ]
    couples = [f"{one} − {other}" for one, other in found.couples]
    heads = [*found.models, *(couples if len(couples) == 1 else ())]
    name = max(len(row.shift) for table in found.tables for row in table.rows)
    text = [
        f"robustness: retained score, the mean of score(η)/score(0) over {over(found)}",
        f"  {messages.percent(found.certainty)} intervals"
        + ("; ≈ decided early: a rough figure without one (--seedshift-exact)" if found.rough else "")
        + (f"; * fewer than {found.least} pairs: too few for one" if found.few else "")
        + (f"; ≈* decided early on fewer than {found.least} pairs: no figure" if found.without_figure else ""),
    ]
    for table in shown:
        rows = [(run.kinds[table.score].title, heads), *((row.shift, _cells(row)[: len(heads)]) for row in table.rows)]
        widths = [max(len(head), 20) for head in heads]
        for part in _parts(widths, _WIDTH - name - 2):
            text += [tables.line([of, *cells[part]], [name, *widths[part]], "<>") for of, cells in rows]
        text += _largest(table, couples) if len(couples) > 1 else []
    return [*text, *([f"  {without}"] if without else [])]


def _parts(widths: Sequence[int], room: int) -> list[slice]:
    """Which columns stand beside each other, so that each part takes no more than the room; one at least."""
    starts, taken = [0], 0
    for place, width in enumerate(widths):
        if place > starts[-1] and taken + width + 2 > room:
            starts.append(place)
            taken = 0
        taken += width + 2
    return [slice(start, end) for start, end in zip(starts, [*starts[1:], len(widths)], strict=True)]


def _largest(table: Table, couples: Sequence[str]) -> list[str]:
    """The largest differences of a table, a line each."""
    every = [
        (abs(cell.share.value), f"{row.shift}: {couple} {_format_cell(cell, '+.2f', ' to ')}")
        for row in table.rows
        for couple, cell in zip(couples, row.gaps, strict=True)
        if cell is not None and cell.has_value
    ]
    every.sort(key=lambda each: -each[0])
    if not every:
        return []
    shown = every[:_LARGEST]
    of = f", {len(shown)} of {len(every)}; all: in the report" if len(shown) < len(every) else ""
    return [f"  largest differences{of}", *(f"    {told}" for _, told in shown)]


def over(found: Gaps) -> str:
    """Which magnitudes count: `-0.30, -0.20, -0.10, +0.10, +0.20, +0.30`."""
    named = ", ".join(map(format_magnitude, found.magnitudes))
    return f"{named}{' (as far as each was tested)' if found.uneven else ''}"


def _cells(row: Row) -> list[str]:
    return [_format_cell(cell, ".2f", "–") for cell in row.shares] + [
        _format_cell(cell, "+.2f", " to ") for cell in row.gaps
    ]


def _format_cell(cell: Cell | None, form: str, to: str) -> str:
    if cell is None:
        return "·"
    if not cell.has_value:
        return "≈*"
    share = cell.share
    interval = f" ({share.low:{form}}{to}{share.high:{form}})" if cell.has_interval else "" if cell.rough else "*"
    return f"{'≈' if cell.rough else ''}{share.value:{form}}{interval}"
