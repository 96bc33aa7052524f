"""The file of a class list, as people save it: which rows it has, or in one sentence what is wrong with it and where.

A label is a part of the prompt and of the key of its noise. So two texts that look alike must be one label, and a sign
that nobody sees must not be a part of one.
"""

from __future__ import annotations

import csv
import io
import os
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pytest_seedshift.core import csv_lines
from pytest_seedshift.core.errors import DataError

COLUMNS = ("label", "index", "wnid", "aliases")
"""The columns that are read; the first two are needed."""

_NEEDED = COLUMNS[:2]

_SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "vertical bars"}

_LONGEST_INDEX = 9
"""Digits of an index: no classifier has a milliard outputs."""

_BLANKS = "\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0"
"""Fillers and blanks that count as letters, marks or symbols, and of which nothing is seen."""

_JOINERS = "\u200c\u200d"
"""The zero-width signs that belong to words of some scripts, and to emoji; between Latin letters they are a mistake."""


@dataclass(frozen=True, slots=True)
class Row:
    """One class.

    Attributes:
        label: its name, in Unicode's composed form (NFC).
        index: of the classifier's output.
        aliases: its WordNet id and its other names.
        line: where it stands in the file, from 1.
    """

    label: str
    index: int
    aliases: tuple[str, ...]
    line: int


def parse(text: str, name: str) -> tuple[Row, ...]:
    """The rows of a class list.

    Args:
        text: of the file, whose first line names the columns: `label`, `index` and, if there, `wnid` and `aliases`
            (with semicolons between them), in any order, capitals or not. `ignored_columns` names further ones.
        name: of the file, for errors.

    Raises:
        DataError: the file is no such list; the message names the line.
    """
    lines = csv_lines.read(text, lambda line: f"the class list {name}, line {line}")
    header = next(lines, (1, []))[1]
    columns = _columns(header, name)
    rows: list[Row] = []
    for line, values in lines:
        where = f"the class list {name}, line {line}"
        if len(values) > len(header):
            raise DataError(
                f"{where}: {len(values)} values for {len(header)} columns. A text with a comma needs quotes around it: "
                '"owl, great grey"'
            )
        rows.append(
            _row({column: values[place] for column, place in columns.items() if place < len(values)}, line, where)
        )
    if not rows:
        raise DataError(f"the class list {name} has no classes")
    _check_distinct(rows, name)
    return tuple(rows)


def ignored_columns(text: str) -> tuple[str, ...]:
    """The columns of a class list, which `parse` takes, that are not read."""
    header = next(csv_lines.read(text, str), (1, []))[1]
    return tuple(each.strip() for each in header if each.strip() and each.strip().casefold() not in COLUMNS)


def text(rows: Iterable[tuple[str, int, Sequence[str]]]) -> str:
    """The text of a class list: of each class its label, its index and its other names."""
    written = io.StringIO()
    lines = csv.writer(written, lineterminator="\n")
    lines.writerow(["label", "index", "aliases"])
    lines.writerows([label, index, "; ".join(aliases)] for label, index, aliases in rows)
    return written.getvalue()


def path(given: Path) -> str:
    """The one name of a list that can be given in several ways: `labels.csv` for `sets/../labels.csv`.

    Behind a link to a folder `..` means another folder than the one before it: there it is the list's real place.
    """
    plain = Path(os.path.normpath(given))
    return str(plain if plain.resolve() == given.resolve() else given.resolve())


def _columns(header: Sequence[str], name: str) -> dict[str, int]:
    """Where each column stands that is read."""
    named = [column.strip().casefold() for column in header]
    for column in COLUMNS:
        if named.count(column) > 1:
            raise DataError(f"the class list {name} has the column {column!r} twice: keep one of them")
    lacking = [column for column in _NEEDED if column not in named]
    if not lacking:
        return {column: named.index(column) for column in COLUMNS if column in named}
    for sign, called in _SEPARATORS.items():
        if len(header) == 1 and set(_NEEDED) <= {part.strip().casefold() for part in header[0].split(sign)}:
            raise DataError(
                f"the class list {name}: its columns have {called} between them: save it with commas (CSV, "
                "comma-separated)"
            )
    if not any(named):
        raise DataError(f"the class list {name} is empty: its first line names the columns, such as label,index")
    needed = " and the column ".join(map(repr, lacking))
    raise DataError(
        f"the class list {name} lacks the column {needed}: its first line names the columns, and holds "
        f"{', '.join(map(repr, header[:8]))}"
    )


def _row(values: dict[str, str], line: int, where: str) -> Row:
    label, index, wnid = (clean(values.get(column, ""), column, where) for column in ("label", "index", "wnid"))
    if not label:
        raise DataError(f"{where}: no label")
    if not (index.isascii() and index.isdigit() and len(index) <= _LONGEST_INDEX):
        raise DataError(
            f"{where}: index {index[:20]!r} of {label!r}: give a whole number of at least 0, the number of the "
            "classifier's output"
        )
    aliases = [clean(alias, "aliases", where) for alias in values.get("aliases", "").split(";")]
    return Row(label, int(index), tuple(name for name in (wnid, *aliases) if name), line)


def clean(text: str, column: str, where: str) -> str:
    """A text of a file without spaces around it, composed (NFC); `column` and `where` name it in an error.

    Raises:
        DataError: it holds a sign that nobody sees.
    """
    text = unicodedata.normalize("NFC", text.strip())
    for place, sign in enumerate(text):
        if _is_hidden(sign, text[place - 1] if place else ""):
            called = unicodedata.name(sign, "a control sign").lower()
            called = "a line break" if sign in "\n\r" else called
            way_out = "write an ordinary space" if unicodedata.category(sign) == "Zs" else "delete it"
            plain = (each.isprintable() and each not in _BLANKS for each in text)
            shown = "".join(
                each if is_plain else f"<U+{ord(each):04X}>" for each, is_plain in zip(text, plain, strict=True)
            )
            raise DataError(f"{where}: the {column} {shown!r} holds {called} (U+{ord(sign):04X}): {way_out}")
    return text


def _is_hidden(sign: str, before: str) -> bool:
    category = unicodedata.category(sign)
    if sign in _BLANKS:
        return True
    if sign in _JOINERS:
        return not before or before.isascii()
    return category in ("Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp") or (category == "Zs" and sign != " ")


def _check_distinct(rows: Sequence[Row], name: str) -> None:
    labels: dict[str, Row] = {}
    indices: dict[int, Row] = {}
    for row in rows:
        first = labels.setdefault(" ".join(row.label.split()), row)  # of spaces in a row tokenizers make one
        if first is not row:
            raise DataError(
                f"the class list {name}, lines {first.line} and {row.line}: the label {row.label!r} appears "
                "twice. Each label is a prompt: delete one, or give both different names, such as 'crane bird' and "
                "'crane machine'. The columns wnid or aliases then hold the classifier's names"
            )
        first = indices.setdefault(row.index, row)
        if first is not row:
            raise DataError(
                f"the class list {name}, lines {first.line} and {row.line}: the index {row.index} is that of "
                f"{first.label!r} and of {row.label!r}. Each class has the number of its own output: mend one"
            )
