"""`seedshift compare OLD.csv NEW.csv`: scores that another harness has measured."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pytest_seedshift.cli import CommandError
from pytest_seedshift.core import output as sinks
from pytest_seedshift.core import tables
from pytest_seedshift.core.scores import CERTAINTY

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_seedshift.results.foreign_scores import Change

FEW = 10
"""Prompts of which the spread is hardly known."""


def are_tables(old: Path, new: Path) -> bool:
    """Whether two tables are to be compared.

    Raises:
        CommandError: one is a table and the other a run.
    """
    of_tables = [path.suffix.lower() == ".csv" for path in (old, new)]
    if any(of_tables) and not all(of_tables):
        raise CommandError(f"{old} and {new}: a table of scores is compared with another one, a run with a run")
    return all(of_tables)


def run(old: Path, new: Path, *, allow_missing: bool, as_json: bool) -> int:
    """Compare; 0 if no score is worse beyond chance, else 1.

    Raises:
        ForeignScoresError: a file that cannot be read, or files that cannot be compared.
    """
    from pytest_seedshift.results import foreign_scores

    before, after = foreign_scores.read(old), foreign_scores.read(new)
    changes = foreign_scores.compare(before, after, certainty=CERTAINTY, allow_missing=allow_missing)
    if as_json:
        sinks.say_json({"version": 1, "certainty": CERTAINTY, "scores": [_document(each) for each in changes]})
    sinks.say(*_lines(changes), err=as_json)
    return int(any(each.worse for each in changes))


def _document(change: Change) -> dict[str, object]:
    found = change.change
    return {
        "score": change.score,
        "pairs": change.pairs,
        "prompts": change.prompts,
        "before": change.before,
        "after": change.after,
        "change": {"mean": found.mean, "low": found.low, "high": found.high},
        "worse": change.worse,
    }


def _lines(changes: Sequence[Change]) -> list[str]:
    rows = [("score", "old", "", "new", "  change", f"  {100 * CERTAINTY:g} % interval", "  samples", "  prompts", "")]
    for each in changes:
        said = "  worse ✗" if each.worse else "  better" if each.better else ""
        interval = f"  {each.change.low:+.4g} to {each.change.high:+.4g}"
        means = f"{each.before:.4g}", "→", f"{each.after:.4g}", f"  {each.change.mean:+.4g}"
        rows.append((each.score, *means, interval, f"  {each.pairs}", f"  {each.prompts}", said))
    few = min(each.prompts for each in changes) < FEW
    note = [f"fewer than {FEW} prompts: intervals by so few are rough"] if few else []
    return [*tables.table(rows, "<><>>>>><", indent="", gap=" "), *note]
