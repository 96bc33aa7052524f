"""Which output of a classifier stands for which label of a class list.

The order of a classifier's outputs is a matter of its training. So a label is looked for by its names; the index that
a class list gives decides only where the names leave it open.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from pytest_seedshift.core import files
from pytest_seedshift.core.errors import DataError, ModelError
from pytest_seedshift.core.pairs import CLASS_LISTS, Label, class_list

IMAGENET_CLASSES = 1000
"""How many outputs a classifier of ImageNet-1k has."""

_SHOWN = 5
"""How many labels an error names."""

_UNNAMED = re.compile(r"LABEL_\d+|\d+")  # what transformers calls the outputs of a model that has no names for them
_WNID = re.compile(r"n\d{8}")


def match(labels: Sequence[Label], outputs: Mapping[int, str], classifier: str) -> dict[Label, int]:
    """Find each label's output.

    A label matches an output through its WordNet id or any of its names, whatever their case, hyphens and other signs;
    an output may have several names with commas between them (`tench, Tinca tinca`).

    Args:
        labels: a whole class list.
        outputs: by index, what the classifier calls them (`config.id2label`).
        classifier: its name, for errors.

    Returns:
        By label, the index of its output.

    Raises:
        ModelError: labels that match none or several, or two that match the same; or outputs without names, of which
            it is not known whether the class list's indices are theirs.
    """
    if are_unnamed(outputs):
        _check_ids(labels, classifier)
        return _by_index(labels, outputs, _numbered(outputs, classifier), classifier)
    by_name: dict[str, list[int]] = {}
    for index, called in outputs.items():
        for name in {normalised(each) for each in (called, *called.split(","))}:
            by_name.setdefault(name, []).append(index)
    found: dict[Label, int] = {}
    unmatched: list[Label] = []
    for label in labels:
        place = _find(label, by_name)
        if place is None:
            unmatched.append(label)
        else:
            _check_agrees(label, place, by_name, outputs, classifier)
            found[label] = place
    if unmatched:
        raise ModelError(_explain(unmatched, len(labels), outputs, by_name, classifier))
    _check_ids(labels, classifier)
    _check_distinct(found, outputs, classifier)
    return found


def classes_of(labels: Iterable[Label]) -> list[Label]:
    """The classes that labels show, each once, without those that show none."""
    found = (label.as_class for label in labels)
    return list(dict.fromkeys(each for each in found if each is not None))


def outputs_of(folder: Path) -> dict[int, str]:
    """What a classifier calls its outputs, as its config.json says to transformers, without loading it.

    Raises:
        ModelError: there is no such file, or it is no configuration.
    """
    path = folder / "config.json"
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
        if "model_type" in config or "pretrained_cfg" in config:  # of transformers, or in timm's form
            named = _read_by_transformers(folder, path.stat().st_mtime_ns)
        else:
            named = config.get("id2label")
        if named is None:
            return {index: f"LABEL_{index}" for index in range(config.get("num_labels", 2))}  # transformers' own words
        return {int(index): str(name) for index, name in named.items()}
    except (OSError, ValueError, AttributeError, TypeError, DataError) as error:  # of another form
        raise ModelError(f"{path} is not a configuration of a classifier: {error}") from None


@lru_cache(maxsize=32)
def _read_by_transformers(folder: Path, _: int) -> Mapping[Any, Any]:
    """By index the names of the outputs, once as long as the file does not change.

    Raises:
        ModelError: it cannot be read.
    """
    from transformers import AutoConfig

    with files.foreign(folder / "config.json"):
        config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        named: Mapping[Any, Any] = config.id2label
        return named


def note(outputs: Mapping[int, str], classifier: str) -> str | None:
    """What the user should know of how labels are matched; None if there is nothing."""
    if not are_unnamed(outputs):
        return None
    moved = next((place for number, place in _numbered(outputs, classifier).items() if place != number), None)
    if moved is not None:
        return (
            f"the outputs of {classifier} have numbers as names, and not in order (output {moved} is "
            f"{outputs[moved]!r}). Each label is judged by the output whose name is its index in the class list"
        )
    return (
        f"the outputs of {classifier} have no names: the indices of the class list are trusted to be those of its "
        f"{len(outputs)} outputs"
    )


def are_unnamed(outputs: Mapping[int, str]) -> bool:
    """Whether a classifier has no names for its outputs, only numbers: `LABEL_0`, `LABEL_1`, …"""
    return all(_UNNAMED.fullmatch(name) for name in outputs.values())


def names(label: Label) -> tuple[str, ...]:
    """A label's own name, its WordNet id and its other names, as far as its class list or a shipped one has them."""
    return (label.name, *(label.aliases or _shipped().get(normalised(label.name), ())))


def normalised(name: str) -> str:
    """A name without what differs between spellings of the same: case, hyphens, underscores, slashes, other signs.

    >>> normalised("Shih-Tzu"), normalised("baluster / handrail")
    ('shih tzu', 'baluster handrail')
    """
    return " ".join(re.findall(r"\w+", name.casefold().replace("_", " ")))


@cache
def _shipped() -> dict[str, tuple[str, ...]]:
    """By normalised name, what the shipped class lists call their labels besides."""
    return {normalised(label.name): label.aliases for name in CLASS_LISTS for label in class_list(name)}


def _find(label: Label, by_name: Mapping[str, Sequence[int]]) -> int | None:
    """The output of the first of a label's names that says which it is.

    Some names belong to two classes of ImageNet (`crane`, the bird and the machine): there the class list's index may
    choose between the two.
    """
    for name in names(label):
        indices = by_name.get(normalised(name), ())
        if len(indices) == 1:
            return indices[0]
        if label.index in indices:
            return label.index
    return None


def _check_agrees(
    label: Label, place: int, by_name: Mapping[str, Sequence[int]], outputs: Mapping[int, str], classifier: str
) -> None:
    """Make sure that what the class list says of a label besides its name means the same output."""
    for name in label.aliases:
        indices = by_name.get(normalised(name), (place,))
        if place not in indices and len(indices) == 1:
            other = indices[0]
            raise ModelError(
                f"{classifier}: the class list contradicts itself: the label {label.name!r} is the output {place} "
                f"({outputs[place]!r}), but its {_kind(name)} {name!r} is the output {other} ({outputs[other]!r}). "
                "Mend the one that is wrong"
            )


def _check_ids(labels: Sequence[Label], classifier: str) -> None:
    """Make sure that no label has the WordNet id of another class of ImageNet, whatever the classifier knows."""
    with_ids = [
        (label, name)
        for label in labels
        if label.aliases != _shipped().get(normalised(label.name))  # those are known to be right, at no import
        for name in label.aliases
        if _WNID.fullmatch(name)
    ]
    if not with_ids:
        return
    called, ids, places = _wordnet()
    for label, wnid in with_ids:
        mine = ids.get(normalised(label.name), ())
        if wnid in called and mine and wnid not in mine:
            raise ModelError(
                f"{classifier}: the class list contradicts itself: the label {label.name!r} is "
                f"{_class(mine[0], places)} of ImageNet, but its WordNet id {wnid} is that of "
                f"{called[wnid]!r}, {_class(wnid, places)}. Mend the one that is wrong"
            )


def _class(wnid: str, places: Mapping[str, int]) -> str:
    return f"{wnid}, output {places[wnid]}" if wnid in places else wnid


@cache
def _wordnet() -> tuple[dict[str, str], dict[str, tuple[str, ...]], dict[str, int]]:
    """Of the classes of ImageNet-1k: by id the names; by normalised name the ids; by id the output."""
    from timm.data import ImageNetInfo

    listed = ImageNetInfo()
    called = {wnid: listed.label_name_to_description(wnid) for wnid in listed.label_names()}
    ids: dict[str, tuple[str, ...]] = {}
    for wnid, described in called.items():
        for name in dict.fromkeys(map(normalised, described.split(","))):
            ids[name] = (*ids.get(name, ()), wnid)
    return called, ids, {wnid: place for place, wnid in enumerate(called)}


def _kind(name: str) -> str:
    return "WordNet id" if _WNID.fullmatch(name) else "other name"


def _numbered(outputs: Mapping[int, str], classifier: str) -> dict[int, int]:
    """By the number that an output is called, which output that is, where outputs are called by numbers alone.

    Who makes names of folders that are named by numbers gets them in the order of texts: 0, 1, 10, 11, 2, … The name
    says then which class an output is, not its place.

    Raises:
        ModelError: their numbers are not those from 0 on, so that it is open which class of a list each is.
    """
    numbers = {int(name.removeprefix("LABEL_")): place for place, name in outputs.items()}
    if set(numbers) != set(outputs):
        place = next(place for place, name in outputs.items() if int(name.removeprefix("LABEL_")) != place)
        raise ModelError(
            f"{classifier}: its outputs have only numbers as names, and not in order: output {place} is "
            f"{outputs[place]!r} in id2label of its config.json. So the class list's indices are ambiguous. Give "
            "id2label the names of the classes"
        )
    return numbers


def _by_index(
    labels: Sequence[Label], outputs: Mapping[int, str], numbered: Mapping[int, int], classifier: str
) -> dict[Label, int]:
    imagenet = all(any(_WNID.fullmatch(name) for name in names(label)) for label in labels)
    if not (len(outputs) == len(labels) or (imagenet and len(outputs) == IMAGENET_CLASSES)):
        wanted = f"{len(labels)} outputs" + (f", or {IMAGENET_CLASSES}" if imagenet else "")
        raise ModelError(
            f"{classifier}: its {len(outputs)} outputs have no names (id2label in its config.json has {outputs[0]!r}), "
            f"so the class list's indices cannot be checked against them. They would be trusted if it had {wanted}. "
            "Give id2label the names of the classes"
        )
    outside = [label for label in labels if label.index not in outputs]
    if outside:
        raise ModelError(
            f"{classifier}: {outside[0].name!r} has the index {outside[0].index} in the class list, but the "
            f"{len(outputs)} outputs go from 0 to {len(outputs) - 1}"
        )
    found = {label: numbered[label.index] for label in labels}
    _check_distinct(found, outputs, classifier)
    return found


def _check_distinct(found: Mapping[Label, int], outputs: Mapping[int, str], classifier: str) -> None:
    owners: dict[int, Label] = {}
    for label, index in found.items():
        first = owners.setdefault(index, label)
        if first.name != label.name:
            raise ModelError(
                f"{classifier}: {first.name!r} and {label.name!r} are both its class {outputs[index]!r} ({index}). "
                "A class list has each class once"
            )


def _explain(
    unmatched: Sequence[Label],
    total: int,
    outputs: Mapping[int, str],
    by_name: Mapping[str, Sequence[int]],
    classifier: str,
) -> str:
    words = [_explain_one(label, outputs, by_name) for label in unmatched[:_SHOWN]]
    if len(unmatched) > _SHOWN:
        words.append(f"and {len(unmatched) - _SHOWN} more")
    return (
        f"{classifier}: {len(unmatched)} of the {total} labels of the class list match none of its {len(outputs)} "
        f"classes: {', '.join(words)}. Its classes are those of id2label in its config.json. Use a class list with its "
        "names, or a classifier that knows the labels"
    )


def _explain_one(label: Label, outputs: Mapping[int, str], by_name: Mapping[str, Sequence[int]]) -> str:
    several = next((hits for name in names(label) if (hits := by_name.get(normalised(name)))), None)
    if several:
        return f"{label.name!r} (may be any of {', '.join(map(str, several))})"
    close = next(_close(label, by_name), None)
    return repr(label.name) if close is None else f"{label.name!r} (did you mean {outputs[by_name[close][0]]!r}?)"


def _close(label: Label, by_name: Mapping[str, Sequence[int]]) -> Iterator[str]:
    for name in names(label):
        yield from difflib.get_close_matches(normalised(name), by_name, n=1, cutoff=0.6)
