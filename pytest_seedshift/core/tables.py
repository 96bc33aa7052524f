"""Tables as lines of text: the one way in which columns are aligned, in a terminal, in a log, in a pipe."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

INDENT = "  "
GAP = "  "


def table(
    rows: Iterable[Sequence[str]], align: str = "<", *, least: Sequence[int] = (), indent: str = INDENT, gap: str = GAP
) -> list[str]:
    """Rows as lines, each column as wide as its widest cell.

    Args:
        rows: of cells; those that end early leave further columns empty.
        align: a sign a column, `<` or `>`; the last one is that of all further columns.
        least: how wide each column is at least; the last number is that of all further columns.
        indent: in front of each line.
        gap: between columns.

    Returns:
        Lines without blanks at their ends.
    """
    cells = [list(row) for row in rows]
    columns = max(map(len, cells), default=0)
    widths = [
        max([_of(least, column), *(len(row[column]) for row in cells if column < len(row))])
        for column in range(columns)
    ]
    return [line(row, widths, align, indent=indent, gap=gap) for row in cells]


def line(cells: Sequence[str], widths: Sequence[int], align: str = "<", *, indent: str = INDENT, gap: str = GAP) -> str:
    """One row, in columns of given widths; see `table`. A cell that is wider moves those behind it."""
    padded = (f"{cell:{align[min(column, len(align) - 1)]}{widths[column]}}" for column, cell in enumerate(cells))
    return f"{indent}{gap.join(padded)}".rstrip()


def _of(least: Sequence[int], column: int) -> int:
    return least[min(column, len(least) - 1)] if least else 0
