"""Tables as lines of text, of whatever cells."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pytest_seedshift.core import tables

CELLS = st.text("abcdefg+-.≈", max_size=12)
ROWS = st.lists(st.lists(CELLS, min_size=1, max_size=6), min_size=1, max_size=8)


@given(ROWS, st.sampled_from(["<", ">", "<>", "><<"]), st.lists(st.integers(0, 15), max_size=3))
def test_each_cell_stands_in_its_column(rows, align, least):
    lines = tables.table(rows, align, least=least)
    begin = len(tables.INDENT)
    for column in range(max(map(len, rows))):
        asked = least[min(column, len(least) - 1)] if least else 0
        width = max(asked, *(len(row[column]) for row in rows if column < len(row)), 0)
        side = align[min(column, len(align) - 1)]
        for row, line in zip(rows, lines, strict=True):
            cell = row[column] if column < len(row) else ""
            assert line[begin : begin + width].ljust(width) == (
                f"{cell:<{width}}" if side == "<" else f"{cell:>{width}}"
            )
        begin += width + len(tables.GAP)


@given(ROWS)
def test_no_line_ends_in_blanks_and_none_is_lost(rows):
    lines = tables.table(rows)
    assert len(lines) == len(rows)
    assert all(line == line.rstrip() for line in lines)


def test_a_row_in_given_widths_moves_what_is_behind_a_wide_cell():
    assert tables.line(("a", "b", "c"), (3, 2, 1), "<>") == "  a     b  c"
    assert tables.line(("abcd", "b"), (3, 2), "<>", indent="", gap="|") == "abcd| b"
    assert tables.table([]) == []
