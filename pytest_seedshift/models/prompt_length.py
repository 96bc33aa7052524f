"""Whether a model and its CLIP score read prompts to their ends, seen from their files alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_seedshift.core import files
from pytest_seedshift.core.checkpoints import prompt_length
from pytest_seedshift.core.errors import ModelError

if TYPE_CHECKING:
    from pytest_seedshift.core.pairs import Label
    from pytest_seedshift.models.base import Entry
    from pytest_seedshift.models.location import Location

_WINDOWED = {"CLIPTokenizer", "CLIPTokenizerFast", "GlideTokenizer"}
"""The tokenizers that a pipeline has cut at their own length; of others, its call says how much they read."""


def check(entry: Entry, location: Location, labels: Sequence[Label]) -> None:
    """Make sure that a pipeline reads prompts to their ends: that one of its text encoders does.

    Not of single files without a configuration beside them, and not where an encoder of another kind than CLIP reads
    along, such as T5: it reads further.

    Args:
        entry: of the model.
        location: of its pipeline.
        labels: whose prompts they are.

    Raises:
        ModelError: one is too long; the message has its tokens, and how many are read.
    """
    found = {part: each for part, (_, each) in location.parts.items() if part.startswith("tokenizer")}
    folder = location.path if location.path.is_dir() else location.config
    if folder is None or not found or not _WINDOWED.issuperset(found.values()):
        return
    folders = {part: Path(dict(entry.parts).get(part, folder / part)) for part in found}
    rooms = {part: room for part, each in folders.items() if (room := _room(each)) is not None}
    if len(rooms) < len(found) or not all(prompt_length.may_be_longer(labels, room) for room in rooms.values()):
        return
    counts = {part: _counter(found[part], each) for part, each in folders.items()}
    for label in labels:
        used = {part: count(label.prompt) for part, count in counts.items()}
        if all(used[part] > room for part, room in rooms.items()):
            told = " and ".join(f"{part} reads {room} of its {used[part]} tokens" for part, room in rooms.items())
            raise ModelError(
                f"{entry.name}: the prompt {prompt_length.shown(label.prompt)!r} is too long for it ({told}): its "
                "image would be made of the beginning alone. "
                f"{prompt_length.advice(entry.asked, is_prompt=bool(label.text and entry.prompts))}"
            )


def _room(folder: Path) -> int | None:
    """How many tokens a tokenizer has its text encoder read, as its configuration says."""
    try:
        config = files.read_json(folder / "tokenizer_config.json", finite=False)
    except files.FileError:
        return None
    room = config.get("model_max_length") if isinstance(config, dict) else None
    return room if isinstance(room, int) else None


def _counter(called: str, folder: Path) -> Callable[[str], int]:
    """What counts the tokens of a prompt, however many.

    Raises:
        ModelError: the tokenizer cannot be loaded.
    """
    with files.foreign(folder):
        if called == "GlideTokenizer":
            from pytest_seedshift.models.glide.tokenizer import GlideTokenizer

            glide: GlideTokenizer = GlideTokenizer.from_pretrained(
                folder, local_files_only=True, trust_remote_code=False
            )
            return lambda prompt: len(glide.ids(prompt))
        import transformers

        tokenizer_class = getattr(transformers, called)
        tokenizer: Any = tokenizer_class.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        return lambda prompt: len(tokenizer(prompt, truncation=False, verbose=False)["input_ids"])
