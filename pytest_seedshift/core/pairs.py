"""Prompts, class lists, designs and the keys of noise: what is fixed before a model is asked for anything.

A pair is (class label or prompt id, seed index): it fixes the prompt and the seed vector. All cases of a run visit the
same pairs in the same order, so every comparison between them is paired.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from importlib import resources
from pathlib import Path

from pytest_seedshift.core import class_lists, files, limits, messages
from pytest_seedshift.core.errors import InvalidValueError

PROMPT = "A photo of a {label}"
"""The paper's prompt template."""

IMAGES = 400
"""The default size of a design, rounded up to as many images for each class, and to `IMAGES_PER_CLASS` at least.

The default thresholds.toml says what that can tell. Seldom is the whole design generated: see `stats.sequential`.
"""

IMAGES_PER_CLASS = 4

SEEDS = 1_000_000
"""How many seed indices a class has in one design: those of the design seed N are N·1,000,000 and on.

So a pair's index says which design it is of, and no two designs have a pair, a prompt's noise or a sample in common.
"""

MOST_SEED = limits.DESIGN_SEED
"""The largest design seed."""

CLASS_LISTS = ("imagenet100", "toy16")
"""The class lists that are shipped with the package."""


NO_INDEX = -1
"""The index of a label whose output is known by its name alone, and of a prompt without a label."""


@dataclass(frozen=True, slots=True)
class Label:
    """What a picture should show: a class, or a prompt of a prompt set.

    Attributes:
        name: of the class, as it stands in the prompt; or the prompt's id. With a seed index it is the key of noise.
        index: of the classifier's output, from 0; `NO_INDEX` where that is not known.
        aliases: its WordNet id and other names, by which a classifier may know it.
        text: the prompt, where it is another one than `A photo of a [label]`.
        shows: the class, where its name is another one than `name`; empty where no class is known.
        negative_prompt: what the picture is to be kept from; empty where nothing is.
        tags: the groups of prompts that it belongs to.
        questions: about the picture, to be answered yes.
    """

    name: str
    index: int
    aliases: tuple[str, ...] = field(default=(), compare=False)
    text: str = field(default="", hash=False, kw_only=True)
    shows: str | None = field(default=None, hash=False, kw_only=True)
    negative_prompt: str = field(default="", hash=False, kw_only=True)
    tags: tuple[str, ...] = field(default=(), compare=False, kw_only=True)
    questions: tuple[str, ...] = field(default=(), hash=False, kw_only=True)

    @property
    def prompt(self) -> str:
        """The prompt: `A photo of a [label]` unless it has a text of its own."""
        return self.text or PROMPT.format(label=self.name)

    @property
    def as_class(self) -> Label | None:
        """The class alone, by which a classifier knows it, whatever the prompt; None where no class is known."""
        if self.shows == "":
            return None
        return Label(self.name if self.shows is None else self.shows, self.index, self.aliases)

    @property
    def answer(self) -> int:
        """What tells apart two scores of one picture by one scorer: the class's index, as far as that says all.

        Else it is a negative number, made of the class's name and of the questions.
        """
        if self.shows is None and not self.questions:
            return self.index
        asked = digest("answer", self.shows, self.index, json.dumps([self.aliases, self.questions]))
        return -2 - int.from_bytes(asked[:6], "big")


@dataclass(frozen=True, slots=True)
class Noise:
    """Which noise an image is made of, apart from its label: equal indices are equal numbers, whatever the prompt.

    Attributes:
        vector: index of the seed vector.
        later: index of all other draws: those of a sampler at its steps, and of other stages of a pipeline.
    """

    vector: int
    later: int


@dataclass(frozen=True, slots=True)
class Pair:
    """A class label and a seed index (0, 1, …): one prompt and one seed vector.

    Attributes:
        label: the class.
        seed: the index, from 0; it and the label together are the key of every draw. A design of seed N has those from
            N·1,000,000 on.
        noise: what is the key in place of these, for pairs that no design has; None for all others.
    """

    label: Label
    seed: int
    noise: Noise | None = None

    @property
    def prompt(self) -> str:
        """The label's prompt."""
        return self.label.prompt

    @property
    def negative_prompt(self) -> str:
        """The label's negative prompt; empty where there is none."""
        return self.label.negative_prompt

    def __str__(self) -> str:
        seed = str(self.seed) if self.noise is None else f"vector {self.noise.vector}, later noise {self.noise.later}"
        return f"{self.prompt!r}, seed {seed}"


def class_list(name: str) -> tuple[Label, ...]:
    """The labels of a class list: one that is shipped with the package, or a CSV file of the user's.

    `imagenet100` is the list of Tian et al., *Contrastive Multiview Coding* (arXiv 1906.05849), with ImageNet-1k's
    indices; the paper does not say which list of 100 classes it used.

    Args:
        name: `imagenet100`, `toy16`, or the path of a file in UTF-8, with the columns `label` and `index`, and, where
            they help to find a label among a classifier's outputs, `wnid` and `aliases`.

    Returns:
        The labels, in the list's order.

    Raises:
        InvalidValueError: there is no such list, or something in the file is no label or no index.
    """
    return _labels(_text(name), name)


def ignored_columns(name: str) -> tuple[str, ...]:
    """The columns of a class list that are not read, as the file spells them.

    Raises:
        InvalidValueError: there is no such list, or it cannot be read.
    """
    return () if name in CLASS_LISTS else class_lists.ignored_columns(_text(name))


def _text(name: str) -> str:
    if name in CLASS_LISTS:
        return _shipped(name)
    if not name.lower().endswith(".csv"):
        raise InvalidValueError(f"{messages.unknown('class list', name, CLASS_LISTS)} (or the path of a CSV file)")
    try:
        return files.read_text(Path(name), most=files.MOST_TEXT, encoding="utf-8-sig")
    except files.FileError as error:
        raise InvalidValueError(f"the class list {name} {error.reason}") from None


@lru_cache(maxsize=8)
def _shipped(name: str) -> str:
    """The text of a class list of the package."""
    return resources.files("pytest_seedshift").joinpath("core", "classes", f"{name}.csv").read_text(encoding="utf-8")


@lru_cache(maxsize=8)
def _labels(text: str, name: str) -> tuple[Label, ...]:
    """The labels of a class list's text: each case of a run asks for its own."""
    return tuple(Label(row.label, row.index, row.aliases) for row in class_lists.parse(text, name))


def design(
    labels: Sequence[Label], images: int, *, seed: int = 0, listed: str = "", templates: Sequence[str] = ()
) -> tuple[Pair, ...]:
    """The fixed list of `images` pairs that a case is defined on, in the order in which they are visited.

    Every class gets as many seed indices as every other, give or take one. The order is uniformly random and depends
    on nothing but the labels' names and the seed indices: pairs are sorted by a hash of these. A larger design of the
    same labels therefore contains the smaller one, in the same relative order.

    Args:
        labels: of the class list.
        images: how many pairs, at least one of each class.
        seed: of the design, from 0 to `MOST_SEED`. Another seed has other seed indices, and so another noise for each
            prompt and another order.
        listed: for an error, where the labels are from, to be read after "the 100 classes".
        templates: of prompts, such as "A photo of a {label}", of which each pair has one by its key; without any,
            labels have the prompts that they have.

    Returns:
        `images` pairs, all different.

    Raises:
        InvalidValueError: fewer images than classes, or more than `SEEDS` of a class.
    """
    if images < len(labels):
        raise InvalidValueError(
            f"{images} images are fewer than the {kind(labels, len(labels))}{listed}: give at least one image a "
            f"{kind(labels)} ({len(labels)}), better {default_images(len(labels))}"
        )
    if images > SEEDS * len(labels):
        raise InvalidValueError(f"{images} images are more than {SEEDS:,} of each of the {kind(labels, len(labels))}")
    pairs = (Pair(labels[k % len(labels)], seed * SEEDS + k // len(labels)) for k in range(images))
    made = tuple(sorted(pairs, key=lambda pair: place(pair.label.name, pair.seed)))
    return tuple(Pair(_worded(pair, templates), pair.seed) for pair in made) if templates else made


def kind(labels: Sequence[Label], count: int | None = None) -> str:
    """What a list is of, for messages: `class` or `prompt`; with their count, `100 classes`."""
    noun = "class" if all(label.shows is None for label in labels) else "prompt"
    return noun if count is None else f"{count} {'classes' if noun == 'class' else 'prompts'}"


def worded(label: Label, template: str) -> Label:
    """A label with the prompt that a template makes of its class."""
    shown = label.name if label.shows is None else label.shows
    made = template.format(label=shown)
    return replace(label, text="" if made == PROMPT.format(label=label.name) else made)


def _worded(pair: Pair, templates: Sequence[str]) -> Label:
    chosen = int.from_bytes(digest("template", 0, pair.label.name, pair.seed)[:8], "big") % len(templates)
    return worded(pair.label, templates[chosen])


def seed_of(index: int) -> int:
    """The seed of the design that a pair is of, by its seed index."""
    return index // SEEDS


def fingerprint(design: Sequence[Pair]) -> str:
    """Of a design: its prompts, its labels' indices, its seed indices and their order."""
    listed = [[pair.prompt, pair.label.index, pair.seed, *_more(pair.label)] for pair in design]
    return hashlib.sha256(json.dumps(listed).encode()).hexdigest()[:16]


def _more(label: Label) -> list[object]:
    """What a design's fingerprint says of a label besides: nothing of a plain class."""
    if not (label.text or label.shows is not None or label.negative_prompt or label.questions):
        return []
    return [label.name, label.shows, label.negative_prompt, list(label.questions)]


def place(label: str, index: int) -> bytes:
    """Where a pair stands in the order in which every design visits its pairs: what these are sorted by.

    Args:
        label: the class's name.
        index: the pair's seed index.
    """
    return digest("order", 0, label, index)


def default_images(classes: int) -> int:
    """The size of a design of so many classes where the user does not give one."""
    return classes * max(IMAGES_PER_CLASS, math.ceil(IMAGES / classes))


def digest(*parts: object) -> bytes:
    """The key of a draw: SHA-256 of what it is for and of what; 32 bytes."""
    return hashlib.sha256("\x1f".join(map(str, parts)).encode(errors="surrogatepass")).digest()
