"""How many tokens of a prompt are read, as far as that is known without a tokenizer; and what to do about more.

What is longer than a text encoder's window is cut off, with no more than a line in a log. A label stands at a prompt's
end: the image would be made of the beginning alone, and judged by the whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_seedshift.core import files
from pytest_seedshift.core.checkpoints import trust

if TYPE_CHECKING:
    from pytest_seedshift.core.pairs import Label

_MARKS = 3
"""Tokens of a prompt's beginning and end. Each other one stands for a byte of the text or more."""


def may_be_longer(labels: Sequence[Label], room: int) -> bool:
    """Whether a prompt may have more tokens than so many: known without a tokenizer where all are short."""
    return any(len(label.prompt.encode()) + _MARKS > room for label in labels)


def clip_room(folder: Path) -> int:
    """How many tokens of a prompt the CLIP model in a folder reads, as its configuration says.

    Raises:
        SeedshiftError: it cannot be read.
    """
    path = folder / trust.CLIP_CONFIG
    config = files.read_json(path, finite=False)
    with files.foreign(path):
        return int(config["model_cfg"].get("text_cfg", {}).get("context_length", _CLIP_ROOM))


_CLIP_ROOM = 77


def shown(prompt: str) -> str:
    """A prompt as an error names it."""
    return prompt if len(prompt) <= _SHOWN else f"{prompt[: _SHOWN // 2]}…{prompt[-_SHOWN // 2 :]}"


_SHOWN = 80


def advice(classes: str, *, is_prompt: bool = False) -> str:
    """What to do about a prompt that is too long, by the name of its class list, or of its prompt set."""
    if is_prompt:
        return f"Shorten it in {classes}"
    return (
        f"Give the label a shorter name in the class list {classes}, with what the classifier calls it in the column "
        "aliases"
    )
