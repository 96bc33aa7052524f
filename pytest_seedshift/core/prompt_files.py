"""The file of a prompt set, as people save it: which prompts it has, or what is wrong with it and where.

CSV and TSV with a first line that names the columns, one JSON object a line (also GenEval's, as it is), or one prompt a
line. As in a class list, two texts that look alike are one text, and a sign that nobody sees is a part of none.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import PurePath
from typing import Any, NamedTuple

from pytest_seedshift.core import class_lists, csv_lines, files
from pytest_seedshift.core.errors import DataError

COLUMNS = ("prompt", "id", "label", "index", "wnid", "aliases", "negative_prompt", "tags", "questions")
"""The columns that are read: `prompt` or `label` is needed."""

ENDINGS = (".csv", ".jsonl", ".tsv", ".txt")
"""Of the files of prompt sets."""

_LISTS = ("aliases", "tags", "questions")

_MEANT = {"negative": "negative_prompt", "prompt_id": "id", "prompt_negative": "negative_prompt"}
"""What columns are called elsewhere, and which is meant, where the file does not have that one."""

_NAMES_OF_PROMPTS = "prompt|text|caption|sentence|description|instruction"
_QUALIFIERS = "input|full|image|picture|original|raw|positive|string|english|en|long|short"
_IS_PROMPT = re.compile(rf"(?=.*(?:{_NAMES_OF_PROMPTS}))(?:[\W_]*(?:{_NAMES_OF_PROMPTS}|{_QUALIFIERS})s?)+[\W_\d]*")
"""What a column of prompts is called elsewhere: these words alone, however they are joined, also in the plural."""

_ALIKE = 0.75
"""How like a known column's name that of another one is that is a slip of it."""

_SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "vertical bars"}

_LONGEST_INDEX = 9


@dataclass(frozen=True, slots=True)
class Row:
    """One prompt.

    Attributes:
        line: where it stands in the file, from 1.
        prompt: its text; empty where a template makes it of the label.
        id: its name; empty where the file gives it none.
        label: what the picture shows, by a name that a classifier knows; empty where that is not said.
        index: of the classifier's output; None where it is not given.
        aliases: the label's WordNet id and other names.
        negative_prompt: what the picture is to be kept from.
        tags: names of groups of prompts.
        questions: about the picture, to be answered yes.
    """

    line: int
    prompt: str = ""
    id: str = ""
    label: str = ""
    index: int | None = None
    aliases: tuple[str, ...] = ()
    negative_prompt: str = ""
    tags: tuple[str, ...] = ()
    questions: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """What names the prompt: its id, else its text, else its label."""
        return self.id or self.prompt or self.label


class Parsed(NamedTuple):
    """What a file gives."""

    rows: tuple[Row, ...]
    ignored: tuple[str, ...] = ()
    """The names of columns, or of keys, that are not read, as the file spells them."""


class _Line(NamedTuple):
    """What a line of the file gives, by column, and the names of what is not read of it."""

    number: int
    values: Mapping[str, Any]
    ignored: Sequence[str] = ()


def parse(text: str, name: str) -> Parsed:
    """The prompts of a file, and the names of the columns that are not read.

    Args:
        text: of the file, without a byte order mark.
        name: of the file, whose ending says how it is written; for errors, too.

    Returns:
        At least one, no two of one key. Either all have a prompt or none has, and either all have a label or none has.

    Raises:
        DataError: the file is no such set; the message names the line.
    """
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise DataError(f"{_where(name, line)}: a NUL byte, so this is not text: save the file as UTF-8")
    ending = ".jsonl" if isinstance(name, InPython) else PurePath(name).suffix.lower()
    if ending == ".txt":
        lines = _plain(text, name)
    elif ending == ".jsonl":
        lines = _objects(text, name)
    else:
        lines = _table(text, name, "\t" if ending == ".tsv" else ",")
    found = list(lines)
    rows = [_row(line, name) for line in found]
    if not rows:
        raise DataError(f"the prompts {name}: it has no prompts")
    _check_alike(rows, name)
    _check_distinct(rows, name)
    return Parsed(tuple(rows), tuple(dict.fromkeys(each for line in found for each in line.ignored)))


class InPython(str):
    """What prompts are called that are no file, but a list in Python: `evaluate(): prompts`. They are read as JSON."""


def _where(name: str, line: int) -> str:
    return f"{name}[{line - 1}]" if isinstance(name, InPython) else f"the prompts {name}, line {line}"


def _other(name: str, line: int) -> str:
    return f"[{line - 1}]" if isinstance(name, InPython) else f"line {line}"


def _both(name: str, one: int, other: int) -> str:
    if isinstance(name, InPython):
        return f"{_where(name, one)} and {_other(name, other)}"
    return f"the prompts {name}, lines {one} and {other}"


# One prompt a line ------------------------------------------------------------------------------------------------


def _plain(text: str, name: str) -> Iterator[_Line]:
    for number, line in enumerate(text.split("\n"), 1):
        plain = line.removesuffix("\r")
        if number == 1 and {each.strip() for each in plain.split(",")} <= {*COLUMNS}:
            raise DataError(
                f"{_where(name, 1)}: {plain[:60]!r} names columns, and a .txt has one prompt a line and no columns: "
                "let its name end in .csv, or delete the line"
            )
        if plain.strip():
            yield _Line(number, {"prompt": plain})


# Tables -----------------------------------------------------------------------------------------------------------


def _table(text: str, name: str, separator: str) -> Iterator[_Line]:
    lines = csv_lines.read(text, lambda line: _where(name, line), separator)
    start, header = next(lines, (1, []))
    columns = _columns(header, name, start, separator)
    ignored = [each.strip() for each in header if each.strip() and each.strip().casefold() not in columns]
    for number, values in lines:
        if len(values) > len(header):
            hint = '. A text with a comma needs quotes around it: "a cat, a dog"' if separator == "," else ""
            raise DataError(f"{_where(name, number)}: {len(values)} values for {len(header)} columns{hint}")
        given = {column: values[place] for column, place in columns.items() if place < len(values)}
        yield _Line(number, given, ignored)


def _columns(header: Sequence[str], name: str, line: int, separator: str) -> dict[str, int]:
    """Where each column stands that is read."""
    named = [column.strip().casefold() for column in header]
    for sign, called in _SEPARATORS.items():
        parts = {part.strip().casefold() for part in header[0].split(sign)} if len(header) == 1 else set()
        if sign != separator and len(parts) > 1 and parts.intersection(COLUMNS):
            wanted = "save it with commas (CSV, comma-separated)" if separator == "," else "save it with tabs"
            raise DataError(f"{_where(name, line)}: its columns have {called} between them: {wanted}")
    if not any(named):
        raise DataError(f"the prompts {name}: it is empty. Its first line names the columns, such as prompt,tags")
    for column in COLUMNS:
        if named.count(column) > 1:
            raise DataError(f"{_where(name, line)}: the column {column!r} appears twice: keep one of them")
    _check_names([each for each in named if each], name, line, "column")
    return {column: named.index(column) for column in COLUMNS if column in named}


def _check_names(named: Sequence[str], name: str, line: int, what: str) -> None:
    """Make sure that no name is a slip of one that is read, and that there is one to make prompts of."""
    lacking = [column for column in COLUMNS if column not in named]
    for each in named:
        if each in COLUMNS:
            continue
        close = difflib.get_close_matches(each, lacking, n=1, cutoff=_ALIKE)
        meant = "prompt" if _IS_PROMPT.fullmatch(each) else _MEANT.get(each) or next(iter(close), None)
        if meant in lacking:
            raise DataError(
                f"{_where(name, line)}: unknown {what} {each!r}. Did you mean {meant!r}? Known: {', '.join(COLUMNS)}. "
                "Others may stand there if their names are like none of these"
            )
    if "prompt" not in named and "label" not in named:
        raise DataError(
            f"{_where(name, line)}: no {what} 'prompt', and no 'label' that a template could make one of; there "
            f"{'is' if len(named) == 1 else 'are'} {', '.join(map(repr, named[:8])) or 'none'}"
        )


# JSON lines -------------------------------------------------------------------------------------------------------


def _objects(text: str, name: str) -> Iterator[_Line]:
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        where = _where(name, number)
        if number == 1 and line.lstrip().startswith("["):
            raise DataError(f"{where}: a .jsonl has one object a line, {{…}}, and no list around them: delete '['")
        try:
            found = json.loads(line, object_pairs_hook=partial(_once, where))
            files.check_levels(found)
        except DataError:
            raise
        except (ValueError, RecursionError) as error:  # of json, over what is no JSON
            said = "nested too deeply" if isinstance(error, RecursionError) else error
            raise DataError(f'{where}: no JSON: {said}. Each line is one object: {{"prompt": "a red cube"}}') from None
        if not isinstance(found, dict):
            raise DataError(f'{where}: {line.strip()[:60]!r} is not an object: write {{"prompt": "…"}}')
        values = {str(key).strip().casefold(): value for key, value in found.items()}
        if "tag" in values and "include" in values:  # as GenEval writes it
            values["tags"] = values.pop("tag")
        _check_names(list(values), name, number, "key")
        read = {key: value for key, value in values.items() if key in COLUMNS and value is not None}
        yield _Line(number, read, [each.strip() for each in found if _is_ignored(each, values)])


def _is_ignored(key: str, values: Mapping[str, Any]) -> bool:
    """Whether an object's key is not read, neither as it stands nor as `tags`."""
    plain = key.strip().casefold()
    return plain in values and plain not in COLUMNS


def _once(where: str, pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [key for key, _ in pairs]
        raise DataError(f"{where}: {next(key for key in names if names.count(key) > 1)!r} appears twice")
    return found


# Rows -------------------------------------------------------------------------------------------------------------


def _row(line: _Line, name: str) -> Row:
    where, values = _where(name, line.number), line.values
    for column in ("prompt", "id", "label"):
        if column in values and not str(values[column]).strip():
            way_out = "delete the line" if column == "prompt" else "give it one, or delete the column"
            raise DataError(f"{where}: no {column}: {way_out}")
    text = {each: _text(values, each, where) for each in ("prompt", "id", "label", "wnid", "negative_prompt")}
    several = {each: _several(values, each, where) for each in _LISTS}
    for column in ("index", "wnid", "aliases"):
        if values.get(column) not in (None, "", []) and not text["label"]:
            raise DataError(f"{where}: {column} is a label's, and there is no label")
    if not (text["prompt"] or text["label"]):
        raise DataError(f"{where}: no prompt")
    names = tuple(each for each in (text["wnid"], *several["aliases"]) if each)
    return Row(
        line.number,
        text["prompt"],
        text["id"],
        text["label"],
        _index(values.get("index", ""), text["label"], where),
        names,
        text["negative_prompt"],
        several["tags"],
        several["questions"],
    )


def _text(values: Mapping[str, Any], column: str, where: str) -> str:
    value = values.get(column, "")
    if column == "id" and isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        raise DataError(f"{where}: {column} = {json.dumps(value)[:60]}: give a text in quotes")
    return class_lists.clean(value, column, where)


def _several(values: Mapping[str, Any], column: str, where: str) -> tuple[str, ...]:
    """Texts: a list of JSON's, or a text with semicolons between them."""
    value = values.get(column, "")
    given = value.split(";") if isinstance(value, str) else value
    if not isinstance(given, list) or not all(isinstance(each, str) for each in given):
        raise DataError(f"{where}: {column} = {json.dumps(value)[:60]}: give a list of texts, or one text")
    found = [class_lists.clean(each, column, where) for each in given]
    return tuple(dict.fromkeys(each for each in found if each))


def _index(value: object, label: str, where: str) -> int | None:
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    said = value.strip() if isinstance(value, str) else None
    if said == "":
        return None
    if said is None or not (said.isascii() and said.isdigit() and len(said) <= _LONGEST_INDEX):
        raise DataError(
            f"{where}: index {str(value)[:20]!r} of {label!r}: give a whole number of at least 0, the number of the "
            "classifier's output"
        )
    return int(said)


def _check_alike(rows: Sequence[Row], name: str) -> None:
    """Make sure that what one prompt has all have, where a part of them alone would mean nothing."""
    for what in ("prompt", "label"):
        having = [row for row in rows if getattr(row, what)]
        lacking = [row for row in rows if not getattr(row, what)]
        if having and lacking:
            raise DataError(
                f"{_where(name, lacking[0].line)}: no {what}, and {_other(name, having[0].line)} has one: give it to "
                "all or to none"
            )


def _check_distinct(rows: Sequence[Row], name: str) -> None:
    """Make sure that no two prompts have one key, and that a label is one class throughout."""
    keys: dict[str, Row] = {}
    indices: dict[str, Row] = {}
    for row in rows:
        first = keys.setdefault(" ".join(row.key.split()), row)  # of spaces in a row tokenizers make one
        if first is not row:
            what = "id" if row.id else "prompt" if row.prompt else "label"
            way_out = "give them different ones" if row.id else "delete one, or give each an id of its own"
            raise DataError(
                f"{_both(name, first.line, row.line)}: the {what} {row.key[:80]!r} appears twice: {way_out}"
            )
        if row.label:
            same = indices.setdefault(row.label, row)
            if (same.index, same.aliases) != (row.index, row.aliases):
                raise DataError(
                    f"{_both(name, same.line, row.line)}: the label {row.label!r} has another index "
                    "or other names there: a label is one class"
                )
