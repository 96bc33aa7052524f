"""Prompt sets: class lists with a template, and files of prompts of the user's own."""

from __future__ import annotations

import string
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePath
from typing import Any

from pytest_seedshift.core import class_lists, files, messages, pairs, prompt_files, typed_values
from pytest_seedshift.core.errors import DataError, InvalidValueError
from pytest_seedshift.core.pairs import Label, Pair

KEYS = ("prompts", "template")
"""The keys of a table that say what models are asked for, besides `classes`."""


@dataclass(frozen=True, slots=True)
class PromptSet:
    """What a model is asked for.

    Attributes:
        name: of a class list that is shipped, else the path of its file.
        prompts: in the file's order; where there are templates, with the prompts of none of them.
        templates: of which each pair has one; none where prompts have texts of their own.
        ignored: the names of the file's columns, or keys, that are not read.
    """

    name: str
    prompts: tuple[Label, ...]
    templates: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()

    @property
    def has_texts(self) -> bool:
        """Whether prompts have texts of their own."""
        return any(each.text for each in self.prompts)

    @property
    def has_labels(self) -> bool:
        """Whether it is known which classes pictures should show."""
        return all(each.shows != "" for each in self.prompts)

    @property
    def has_negatives(self) -> bool:
        """Whether any prompt has a negative prompt."""
        return any(each.negative_prompt for each in self.prompts)

    @property
    def has_tags(self) -> bool:
        """Whether any prompt has a tag."""
        return any(each.tags for each in self.prompts)

    @property
    def classes(self) -> int:
        """Among how many classes who guesses has to guess: of unequal shares, as many as the largest one leaves."""
        counts = Counter(each.as_class for each in self.prompts)
        return len(self.prompts) // max(counts.values())

    @property
    def first_worded(self) -> tuple[Label, ...]:
        """Each prompt once, in the first wording where there are several."""
        return tuple(pairs.worded(each, self.templates[0]) for each in self.prompts) if self.templates else self.prompts

    @property
    def worded(self) -> tuple[Label, ...]:
        """All prompts in all wordings that a pair may have."""
        if not self.templates:
            return self.prompts
        return tuple(pairs.worded(each, template) for each in self.prompts for template in self.templates)

    @property
    def template(self) -> str:
        """What prompts are made of: a template, several with bars between them; empty for texts of one's own."""
        if self.templates:
            return " | ".join(self.templates)
        return "" if self.has_texts else pairs.PROMPT

    def describe(self) -> str:
        """What is drawn: `5 prompts of prompts.csv, as they stand`; of labels, by which template."""
        of = f"of {messages.relative(self.name)}"
        if self.has_texts:
            return f"{messages.count(len(self.prompts), 'prompt')} {of}, as they stand"
        first = self.templates[0] if self.templates else pairs.PROMPT
        more = f" and {len(self.templates) - 1} more, each pair by one" if len(self.templates) > 1 else ""
        return f"{messages.count(len(self.prompts), 'label')} {of}, by the template {first!r}{more}"

    @property
    def note(self) -> str | None:
        """What of the file has no part in the run; None where all has."""
        if not self.ignored:
            return None
        named = messages.some(map(repr, self.ignored), 5)
        return f"{messages.relative(self.name)}: ignored, as no column of these names is read: {named}"

    def design(self, images: int, seed: int = 0, listed: str = "") -> tuple[Pair, ...]:
        """The design of so many images: see `pairs.design`.

        Raises:
            InvalidValueError: too few images, or too many.
        """
        return pairs.design(self.prompts, images, seed=seed, listed=listed, templates=self.templates)


def is_listed(name: str) -> bool:
    """Whether a name is that of a class list of the package."""
    return name in pairs.CLASS_LISTS


def check_name(name: str) -> None:
    """Make sure that a name may be that of a prompt set, whether it is there or not.

    Raises:
        InvalidValueError: it is not.
    """
    _check_path(name)
    if not is_listed(name) and PurePath(name).suffix.lower() not in prompt_files.ENDINGS:
        ending = PurePath(name).suffix.lower()
        endings = ", ".join(prompt_files.ENDINGS)
        if ending == ".json":
            raise InvalidValueError(f"{name}: give a .jsonl, which has one object a line, and no .json")
        raise InvalidValueError(
            f"{messages.unknown('prompt set', name, pairs.CLASS_LISTS)} (or the path of a file: {endings})"
        )


def _check_path(name: str) -> None:
    if "\0" in name:
        raise InvalidValueError(f"{name!r}: a NUL byte, which no path has: write the path anew")


def check_table(table: Mapping[str, Any], where: str) -> None:
    """Make sure of what a table says of prompts, but for the file.

    Raises:
        InvalidValueError: it cannot be used; the message says why.
    """
    if "prompts" in table and "classes" in table:
        raise InvalidValueError(
            f"{where}: prompts and classes: a class list is a prompt set with a template. Give one of them"
        )
    if "prompts" in table:
        given = table["prompts"]
        if not isinstance(given, str) or not given:
            raise InvalidValueError(f"{where}: prompts = {given!r}: give the path of a file, or a class list's name")
        try:
            check_name(given)
        except InvalidValueError as error:
            raise InvalidValueError(f"{where}: prompts: {error}") from None
    if isinstance(table.get("classes"), str):
        try:
            _check_path(table["classes"])
        except InvalidValueError as error:
            raise InvalidValueError(f"{where}: classes: {error}") from None
    if "template" in table:
        given = table["template"]
        templates = [given] if isinstance(given, str) else given
        if not isinstance(templates, list) or not templates or not all(isinstance(each, str) for each in templates):
            raise InvalidValueError(
                f"{where}: template = {given!r}: give a text such as 'A photo of a {{label}}', or a list of them"
            )
        try:
            check_templates(templates)
        except InvalidValueError as error:
            raise InvalidValueError(f"{where}: {error}") from None


def check_templates(templates: Sequence[str]) -> None:
    """Make sure of templates, such as `A photo of a {label}`.

    Raises:
        InvalidValueError: one has no `{label}`, or something else in braces, or stands there twice.
    """
    for template in templates:
        said = f"template = {template!r}"
        try:
            parts = list(string.Formatter().parse(template))
        except ValueError as error:  # of the formatter, over single braces
            raise InvalidValueError(f"{said}: {error}. A brace that is to be seen is written twice: {{{{") from None
        fields = [(name, spec, conversion) for _, name, spec, conversion in parts if name is not None]
        wrong = next((name for name, spec, conversion in fields if name != "label" or spec or conversion), None)
        if wrong is not None:
            raise InvalidValueError(
                f"{said}: {{{wrong}}}: only {{label}} can stand in braces, as it is. A brace that is to be seen is "
                "written twice"
            )
        if not fields:
            raise InvalidValueError(f"{said}: no {{label}} is in it, so that all labels would have one prompt")
        try:
            plain = class_lists.clean(template, "template", said)
        except DataError as error:
            raise InvalidValueError(str(error)) from None
        if plain != template:
            raise InvalidValueError(f"{said}: write {plain!r}, without spaces around it, in Unicode's composed form")
    if len(set(templates)) < len(templates):
        raise InvalidValueError("template: one appears twice: leave one of them out")


def class_list(name: str, templates: Sequence[str] = ()) -> PromptSet:
    """A class list as a prompt set; see `pairs.class_list`.

    Raises:
        InvalidValueError: there is no such list, or it cannot be read.
    """
    return PromptSet(name, pairs.class_list(name), tuple(templates), pairs.ignored_columns(name))


def read(name: str, templates: Sequence[str] = ()) -> PromptSet:
    """A prompt set.

    Args:
        name: of a class list that is shipped, or the path of a file, whose ending is one of `prompt_files.ENDINGS`.
        templates: that make prompts of labels; none for the default.

    Raises:
        InvalidValueError: there is no such set, it cannot be read, or it has prompts of its own beside a template.
    """
    check_name(name)
    if is_listed(name):
        return class_list(name, templates)
    prompts, ignored = _prompts(_text(name), name)
    if templates and prompts[0].text:
        raise InvalidValueError(
            f"template = {templates[0]!r}: the prompts {name} have texts of their own, which templates do not change. "
            "Remove the template, or the column prompt of the file"
        )
    return PromptSet(name, prompts, tuple(templates) or _defaults(prompts), ignored)


def _defaults(prompts: Sequence[Label]) -> tuple[str, ...]:
    """The template where none is given: that of class lists, for labels that have ids of their own."""
    return (pairs.PROMPT,) if not prompts[0].text and any(each.shows is not None for each in prompts) else ()


def _text(name: str) -> str:
    path = Path(name)
    try:
        content = files.read_bytes(path, most=files.MOST_TEXT)
        with files.foreign(path):
            return content.decode("utf-8-sig")
    except files.FileError as error:
        cause = error.__cause__
        if isinstance(cause, UnicodeDecodeError):
            line = content.count(b"\n", 0, cause.start) + 1
            raise InvalidValueError(f"the prompts {name}, line {line}: {error.what}. Save the file as UTF-8") from None
        raise InvalidValueError(f"the prompts {name} {error.reason}") from None


@lru_cache(maxsize=8)
def _prompts(text: str, name: str) -> tuple[tuple[Label, ...], tuple[str, ...]]:
    """The prompts of a file's text, and the columns that are not read: each case of a run asks for its own."""
    try:
        rows, ignored = prompt_files.parse(text, name)
    except DataError as error:
        raise InvalidValueError(str(error)) from None
    labels = tuple(
        Label(
            row.key,
            pairs.NO_INDEX if row.index is None else row.index,
            row.aliases,
            text=row.prompt,
            shows=None if row.label == row.key else row.label,
            negative_prompt=row.negative_prompt,
            tags=row.tags,
            questions=row.questions,
        )
        for row in rows
    )
    return labels, ignored


def resolved(named: str, place: Path) -> str:
    """The one name of a prompt set that is named somewhere, where a path leads to `place`.

    Raises:
        InvalidValueError: it is no name of one.
    """
    check_name(named)
    return named if is_listed(named) else class_lists.path(place)


def path(folder: Path, given: str) -> str:
    """The one name of a prompt set that is given relative to a folder; see `class_lists.path`."""
    return given if is_listed(given) else class_lists.path(folder / typed_values.expand(given))
