"""What a model is asked for: what tables and options say of it, and whether the model and its scorers can read that."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_seedshift.core import prompt_sets, toml_documents
from pytest_seedshift.core.checkpoints import repository
from pytest_seedshift.core.errors import InvalidValueError
from pytest_seedshift.models import locate
from pytest_seedshift.models.prompt_length import check as check_prompt_length
from pytest_seedshift.scorers import class_mapping, prompt_checks

if TYPE_CHECKING:
    from pytest_seedshift.models.base import Entry


@dataclass(frozen=True)
class Prompts:
    """What models are asked for where that is not said of each.

    Attributes:
        given: what stands above all entries, as fields of `Entry`: that of the command line.
        default: what `[default]` says.
        said: the names of entries that say it themselves.
    """

    given: str = ""
    default: Mapping[str, Any] = field(default_factory=dict)
    said: frozenset[str] = frozenset()

    def of(self, entry: Entry) -> Entry:
        """An entry with its prompts."""
        if self.default and entry.name not in self.said:
            entry = dataclasses.replace(entry, **self.default)
        if not self.given:
            return entry
        listed = prompt_sets.is_listed(self.given)
        changes: dict[str, Any] = {"classes": self.given, "prompts": ""} if listed else {"prompts": self.given}
        if not listed and prompt_sets.read(self.given).has_texts:  # a template is for labels, which these are not
            changes["template"] = ()
        return dataclasses.replace(entry, **changes)


def fields(table: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """What a table says of the prompts: a set that it names stands with the templates that it names, or with none."""
    found: dict[str, Any] = {}
    named = table.get("prompts", table.get("classes"))
    if named is not None:
        place = prompt_sets.path(folder, named)
        is_file = "prompts" in table and not prompt_sets.is_listed(named)
        found = {"prompts": place, "template": ()} if is_file else {"classes": place, "prompts": "", "template": ()}
    if "template" in table:
        given = table["template"]
        found["template"] = (given,) if isinstance(given, str) else tuple(given)
    return found


def of_default(root: Path, thresholds: Path | None) -> dict[str, Any]:
    """What `[default]` of the thresholds file says of the prompts of all models that do not say it themselves.

    Raises:
        InvalidValueError: it cannot be used; the message says why.
    """
    path = thresholds or root / "thresholds.toml"
    table = toml_documents.read(path).get("default", {}) if path.is_file() else {}
    given = {key: table[key] for key in prompt_sets.KEYS if key in table} if isinstance(table, dict) else {}
    prompt_sets.check_table(given, f"{path}: [default]")
    return fields(given, path.parent)


def check_labels(entry: Entry) -> str | None:
    """Make sure that a model's classifier knows the labels of its class list, without loading the classifier.

    Returns:
        What the user should know of how they are matched; None if there is nothing.

    Raises:
        WeightsNotFoundError: the classifier is nowhere.
        SeedshiftError: labels that it does not know; the message names them.
    """
    if not entry.classifier:
        return None
    found = entry.prompt_set
    if not found.has_labels:
        raise InvalidValueError(
            f"{entry.name}: top-1 and top-5 need labels, and the prompts {found.name} have none. Give them the column "
            "label, or ask only for other scores, such as clip"
        )
    outputs = class_mapping.outputs_of(repository.fetch(entry.classifier, repository.CLASSIFIER_FILES))
    class_mapping.match(class_mapping.classes_of(found.prompts), outputs, entry.classifier)
    return class_mapping.note(outputs, entry.classifier)


def check_lengths(entry: Entry, shipped: Iterable[Entry]) -> None:
    """Make sure that a model, and its CLIP score if it is needed, read the prompts of its class list to their ends.

    What is shipped together does. So no tokenizer is imported for it.

    Raises:
        WeightsNotFoundError: one of them is nowhere.
        SeedshiftError: one of them does not; the message has the tokens.
    """
    listed = entry.prompt_set.worded
    plain = not (entry.prompts or entry.template)
    known = list(shipped) if plain else []
    if entry.own is None and not any((entry.pipeline, entry.classes) == (e.pipeline, e.classes) for e in known):
        location = locate.locate_pipeline(entry.pipeline, entry.revision, entry.advice, entry.variant)
        check_prompt_length(entry, location, listed)
    if entry.clip and not any((entry.clip, entry.classes) == (e.clip, e.classes) for e in known):
        prompt_checks.of_clip(entry.clip, listed)
    for each in entry.declared:
        prompt_checks.of_declared(each, listed)
