"""GLIDE's tokenizer: GPT-2's byte-pair encoding of the prompt in lower case."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import torch
from tokenizers import ByteLevelBPETokenizer
from transformers import BatchEncoding, PreTrainedTokenizer

from pytest_seedshift.core import files
from pytest_seedshift.core.errors import DataError

_PRINTABLE = (*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAD), *range(0xAE, 0x100))

_MOST, _MOST_MERGES = 16_000_000, 500_000
"""Bytes, unpacked, and lines of a vocabulary. CLIP's, which is among the largest, has 3.2 million in 262,145 lines."""


def read_merges(file: Path) -> list[tuple[str, str]]:
    """The merges of a byte-pair encoding, in the form of GPT-2's `vocab.bpe`, plain or as `.gz`.

    Raises:
        DataError: it cannot be read, or is of another kind of encoding.
    """
    try:
        with files.foreign(file):
            data = files.read_bytes(file, most=_MOST)
            lines = (files.gunzip(data, file, _MOST) if file.suffix == ".gz" else data).decode("utf-8").split("\n")
        if len(lines) > _MOST_MERGES:
            raise files.FileError(file, f"it has more than {_MOST_MERGES:,} lines")
    except files.FileError as error:
        raise DataError(f"{file} cannot be read as a vocabulary: {error.what}") from None
    known = set(_letters())
    merges = []
    for number, line in enumerate(lines, 1):
        if not line.strip() or (number == 1 and line.startswith("#version")):
            continue
        parts = line.split(" ")
        if len(parts) != 2 or not known.issuperset(parts) or "".join(parts) in known:
            raise DataError(
                f"{file}: line {number}, {line[:40]!r}, is not a merge of two symbols that are known there: give "
                "GPT-2's vocab.bpe, or a file of its form"
            )
        merges.append((parts[0], parts[1]))
        known.add("".join(parts))
    if not merges:
        raise DataError(f"{file} has no merges: give GPT-2's vocab.bpe, or one of its form")
    return merges


def _letters() -> list[str]:
    """How GPT-2 writes single bytes, in the order of their ids: those that can be printed first."""
    others = 256 - len(_PRINTABLE)
    return [chr(byte) for byte in _PRINTABLE] + [chr(256 + index) for index in range(others)]


class GlideTokenizer(PreTrainedTokenizer):  # type: ignore[misc]
    """Prompts to ids: 256 bytes, then the merges in their order, then padding. No token begins or ends a prompt.

    Attributes:
        padding: the id of padding; GPT-2's end of text in GLIDE's own vocabulary.
    """

    vocab_files_names: ClassVar = {"merges_file": "merges.txt"}
    model_input_names: ClassVar = ["input_ids", "attention_mask"]

    def __init__(self, merges_file: str | Path, model_max_length: int = 128, **more: Any) -> None:
        """Read the merges.

        Args:
            merges_file: see `read_merges`.
            model_max_length: ids of a prompt.
            more: what a saved tokenizer has besides.

        Raises:
            DataError: see `read_merges`.
        """
        self._merges = read_merges(Path(merges_file))
        names = [*_letters(), *(one + other for one, other in self._merges)]
        self._vocabulary = {name: index for index, name in enumerate(names)}
        self._names = names
        self._model = ByteLevelBPETokenizer(self._vocabulary, self._merges)
        self.padding = len(names)
        super().__init__(model_max_length=model_max_length, **more)

    @property
    def vocab_size(self) -> int:
        """Ids, padding among them."""
        return self.padding + 1

    def get_vocab(self) -> dict[str, int]:
        """Ids by their symbols; padding has none."""
        return dict(self._vocabulary)

    def ids(self, prompt: str) -> list[int]:
        """All ids of a prompt, however many.

        Lower case is Python's: a final sigma is another one, and İ becomes two characters.
        """
        found: list[int] = self._model.encode(prompt.lower()).ids
        return found

    def __call__(self, text: str | list[str], **_: Any) -> BatchEncoding:
        """Ids of prompts, cut or padded to `model_max_length`.

        Args:
            text: one prompt or several.

        Returns:
            `input_ids`, int64, and `attention_mask`, true where an id is of the prompt: (prompts, model_max_length).
        """
        length = self.model_max_length
        rows = [self.ids(each)[:length] for each in ([text] if isinstance(text, str) else text)]
        ids = torch.tensor([row + [self.padding] * (length - len(row)) for row in rows])
        mask = torch.tensor([[True] * len(row) + [False] * (length - len(row)) for row in rows])
        return BatchEncoding({"input_ids": ids, "attention_mask": mask})

    def save_vocabulary(self, save_directory: str, filename_prefix: str | None = None) -> tuple[str, ...]:
        """Save the merges, for `from_pretrained`."""
        name = self.vocab_files_names["merges_file"]
        place = Path(save_directory) / (f"{filename_prefix}-{name}" if filename_prefix else name)
        lines = ["#version: 0.2", *(f"{one} {other}" for one, other in self._merges), ""]
        place.write_text("\n".join(lines), encoding="utf-8", newline="\n")
        return (str(place),)

    def _tokenize(self, text: str, **_: Any) -> list[str]:
        return [self._names[index] for index in self.ids(text)]

    def _convert_token_to_id(self, token: str) -> int:
        return self._vocabulary.get(token, self.padding)

    def _convert_id_to_token(self, index: int) -> str:
        return self._names[index] if index < self.padding else ""
