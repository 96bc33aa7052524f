"""GLIDE's released files: what they are called, where they are to be had, and whether a folder has them.

Nothing here reads what is in them; collecting tests needs no more.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pytest_seedshift.core.errors import DataError

_PUBLISHED = "https://openaipublic.blob.core.windows.net/diffusion/dec-2021"

WEIGHTS = ("base.pt", "upsample.pt")
"""The weights of the two stages."""

VOCABULARIES = ("vocab.bpe", "vocab.bpe.gz")
"""What the vocabulary may be called."""

VOCABULARY_ADVICE = (
    "the vocabulary is GPT-2's vocab.bpe, which lies as glide_text2im/tokenizer/vocab.bpe.gz in "
    "https://github.com/openai/glide-text2im"
)
"""Where the vocabulary is to be had."""

ADVICE = f"OpenAI publishes GLIDE's weights as {_PUBLISHED}/base.pt and {_PUBLISHED}/upsample.pt; {VOCABULARY_ADVICE}"
"""Where the files are to be had."""

SAMPLER = {"beta_schedule": "squaredcos_cap_v2", "variance_type": "learned_range"}
"""What the base's `GlideDDPMScheduler` is made with; the files do not say it."""

COMMAND = "seedshift convert-glide base.pt upsample.pt vocab.bpe --output FOLDER"
"""Makes a folder of safetensors of them."""


@dataclass(frozen=True, slots=True)
class Files:
    """The released files of one model."""

    base: Path
    upsampler: Path
    vocabulary: Path


def lacking(folder: Path) -> str | None:
    """What a folder with the weights of one stage lacks; None where it has both or neither."""
    there = [name for name in WEIGHTS if (folder / name).is_file()]
    if len(there) != 1:
        return None
    (other,) = set(WEIGHTS) - set(there)
    return f"{there[0]} is in it, but no {other}"


def find(folder: Path) -> Files | None:
    """The released files in a folder; None where the weights of neither or of only one stage are there.

    Raises:
        DataError: the weights are there, but no vocabulary.
    """
    base, upsampler = (folder / name for name in WEIGHTS)
    if not base.is_file() or not upsampler.is_file():
        return None
    for name in VOCABULARIES:
        if (folder / name).is_file():
            return Files(base, upsampler, folder / name)
    raise DataError(
        f"{folder} has {base.name} and {upsampler.name}, but no {VOCABULARIES[0]}: lay it there; {VOCABULARY_ADVICE}"
    )
