"""Embeddings of a baseline's pictures, kept beside them, so that who compares by them need not embed these again.

A file of safetensors for each scorer, named by its checksum, which the baseline's file lists under the scorer's
fingerprint: `pictures`, uint8 (count, 32), the SHA-256 of each picture; `embeddings`, float32 (count, width). An
embedding belongs to a picture and a scorer, and is never taken for that of others.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_seedshift.core import files
from pytest_seedshift.core.errors import DataError
from pytest_seedshift.results.baseline import BaselineError

if TYPE_CHECKING:
    from pytest_seedshift.results.baseline import Baseline

FOLDER, SUFFIX = "embeddings", ".safetensors"

_SCORER = "scorer"

_MOST_BYTES = 2_000_000_000
"""Of a file: a million pictures have that of a scorer with 512 numbers."""

_LENGTH = 1e-2
"""How far the length of an embedding may be from 1: some scorers work in half precision."""


def packed(scorer: str, embeddings: Mapping[str, bytes]) -> bytes:
    """A file of the embeddings of one scorer.

    Args:
        scorer: its fingerprint.
        embeddings: by the SHA-256 of a picture, its embedding as float32, little-endian; all of one width.
    """
    import numpy as np
    from safetensors.numpy import save

    ordered = sorted(embeddings)
    pictures = np.frombuffer(bytes.fromhex("".join(ordered)), np.uint8).reshape(len(ordered), 32)
    values = np.frombuffer(b"".join(embeddings[each] for each in ordered), "<f4").reshape(len(ordered), -1)
    return save({"pictures": pictures, "embeddings": values}, {_SCORER: scorer})


def of(baseline: Baseline, scorer: str) -> Mapping[str, bytes]:
    """What a baseline keeps of a scorer, in the form of `packed`; nothing where it keeps none, or the file is gone.

    Raises:
        BaselineError: the file is not as it was kept.
    """
    kept = baseline.embeddings.get(scorer)
    if kept is None:
        return {}
    try:
        return _read(*kept, scorer)
    except files.MissingFileError:
        return {}
    except DataError as error:
        raise BaselineError(
            f"{error}. Restore it, or remove it: the embeddings are made of the baseline's pictures then"
        ) from None


@lru_cache(maxsize=4)
def _read(path: Path, digest: str, scorer: str) -> Mapping[str, bytes]:
    content = files.read_bytes(path, most=_MOST_BYTES)
    if hashlib.sha256(content).hexdigest() != digest:
        raise DataError(f"{path} are not the embeddings that were kept there: the file was edited, or is cut off")
    with files.foreign(path):
        return _unpacked(content, scorer)


def forget() -> None:
    """Read files anew: what was read stays in memory, as each picture's embedding is asked for by itself."""
    _read.cache_clear()


def _unpacked(content: bytes, scorer: str) -> Mapping[str, bytes]:
    import numpy as np
    from safetensors.numpy import load

    tensors = load(content)
    pictures, values = tensors["pictures"], tensors["embeddings"]
    if _scorer_of(content) != scorer:
        raise DataError("it has the embeddings of another scorer")
    if pictures.dtype != np.uint8 or pictures.shape[1:] != (32,) or values.dtype != np.float32 or values.ndim != 2:
        raise DataError("its tensors are not those of embeddings")
    if len(pictures) != len(values) or not np.all(np.abs(np.linalg.norm(values, axis=1) - 1) < _LENGTH):
        raise DataError("it has no embedding of length 1 for each picture")
    values = np.ascontiguousarray(values, "<f4")
    return {bytes(row).hex(): value.tobytes() for row, value in zip(pictures, values, strict=True)}


def _scorer_of(content: bytes) -> object:
    """The fingerprint in the head of a file."""
    head = files.parse_json(content[8 : 8 + int.from_bytes(content[:8], "little")].decode(), "its head")
    return head.get("__metadata__", {}).get(_SCORER)
