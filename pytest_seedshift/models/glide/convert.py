"""Makes of GLIDE's released files a folder as diffusers saves pipelines: configurations and safetensors."""

from __future__ import annotations

import sys

if __name__ == "__main__":
    from pytest_seedshift.core import safe_path

    safe_path.leave_out_working_directory()  # before anything else is looked for there

import argparse
import pickle
import tempfile
import warnings
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from diffusers import UNet2DConditionModel
from torch import Tensor

from pytest_seedshift.core import output
from pytest_seedshift.core.errors import DataError, SeedshiftError
from pytest_seedshift.core.test_names import USAGE_ERROR
from pytest_seedshift.models.glide import released
from pytest_seedshift.models.glide.architecture import BASE, UPSAMPLER, Architecture, Move, text_moves, unet_moves
from pytest_seedshift.models.glide.pipeline import GlidePipeline
from pytest_seedshift.models.glide.schedulers import GlideDDIMScheduler, GlideDDPMScheduler
from pytest_seedshift.models.glide.text import GlideTextEncoder
from pytest_seedshift.models.glide.tokenizer import GlideTokenizer
from pytest_seedshift.scorers import loading


class ConversionError(DataError):
    """A file is not what it should be; the message says which, why, and what to give."""


def read_checkpoint(file: Path) -> dict[str, Tensor]:
    """The weights in a released file. Nothing but tensors is read, never code.

    Raises:
        ConversionError: there is no such file, it is cut short, it has no weights, or it has more than weights.
    """
    where = f"get it again: {released.ADVICE}"
    if not file.is_file():
        raise ConversionError(f"{file} is not there: {released.ADVICE}")
    whole = zipfile.is_zipfile(file)  # the list of what is in it stands at the end of the file
    with file.open("rb") as opened:
        begun = opened.read(4) == b"PK\x03\x04"
    if begun and not whole:
        raise ConversionError(f"{file} is cut short ({file.stat().st_size:,} bytes are there): {where}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of pickles that torch has not written, just before it refuses them
            found = torch.load(file, map_location="cpu", weights_only=True, mmap=whole)
    except pickle.UnpicklingError as error:
        # The rest of torch's words are advice to load the file all the same.
        reasons = [line for line in str(error).splitlines() if line.startswith(("Trying", "Unsupported"))]
        raise ConversionError(
            f"{file} is not weights alone; whatever else is in it could run any code, so it is never loaded "
            f"({reasons[0] if reasons else 'torch refuses it'}): {where}"
        ) from None
    except Exception as error:  # of damaged files: any class there is
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ConversionError(f"{file} cannot be read as a file of weights ({reason}): {where}") from None
    if not isinstance(found, dict) or not all(isinstance(each, Tensor) for each in found.values()):
        raise ConversionError(f"{file} holds other things than weights by name: {where}")
    return found


def stage(state: Mapping[str, Tensor], size: Architecture, what: str) -> tuple[GlideTextEncoder, UNet2DConditionModel]:
    """A stage of GLIDE with the weights of a released file.

    The weights are taken as they are, in their number type, without a copy where they lie as diffusers wants them.

    Args:
        state: all weights, in the released naming.
        size: of the stage.
        what: the file or whatever else `state` is, for the error.

    Raises:
        ConversionError: the weights are not those of such a stage.
    """
    with torch.device("meta"):
        text, unet = GlideTextEncoder(**size.text()), UNet2DConditionModel(**size.unet())
    unused = dict(state)
    for module, moves in ((text, text_moves(size)), (unet, unet_moves(size))):
        wanted = module.state_dict()
        found: dict[str, Tensor] = {}
        for move in moves:
            if set(move.ours) <= set(wanted):
                if move.theirs not in state:
                    raise _other(state, size, what, f"it has no {move.theirs}")
                found |= _fitting(move, unused.pop(move.theirs), wanted, state, size, what)
        module.load_state_dict(found, strict=True, assign=True)
        module.eval().requires_grad_(False)
    if unused:
        raise _other(state, size, what, f"it has {min(unused)}, which that one has not")
    return text, unet


def _fitting(
    move: Move, tensor: Tensor, wanted: Mapping[str, Tensor], state: Mapping[str, Tensor], size: Architecture, what: str
) -> dict[str, Tensor]:
    """A weight by its new names, if it is of the shape that these have."""
    try:
        moved = move.moved(tensor)
    except RuntimeError:  # its first axis is no multiple of the heads
        moved = {}
    if any(name not in moved or moved[name].shape != wanted[name].shape for name in move.ours):
        raise _other(state, size, what, f"{move.theirs} is of shape {tuple(tensor.shape)}, which does not fit")
    return moved


# By the channels that the first convolution takes.
_STAGES = {3: "base", 6: "upsampler", 7: "base for inpainting", 10: "upsampler for inpainting"}


def _other(state: Mapping[str, Tensor], size: Architecture, what: str, reason: str) -> ConversionError:
    wanted = _STAGES[size.in_channels]
    first = state.get("input_blocks.0.0.weight")
    channels = first.shape[1] if first is not None and first.ndim == 4 else None
    if first is not None and "transformer.resblocks.0.attn.c_qkv.weight" in state and channels != size.in_channels:
        reason = f"it looks like GLIDE's {_STAGES.get(channels, 'own kind')}" if channels in _STAGES else reason
    return ConversionError(f"{what} is not a checkpoint of GLIDE's {wanted}: {reason}. {released.ADVICE}")


def assemble(base: Path, upsampler: Path, vocabulary: Path) -> GlidePipeline:
    """The pipeline of GLIDE's released files, with the samplers that they were released with.

    Raises:
        ConversionError: see `read_checkpoint` and `stage`.
        SeedshiftError: the vocabulary is missing or of another kind.
    """
    if not vocabulary.is_file():
        raise ConversionError(f"{vocabulary} is not there: {released.VOCABULARY_ADVICE}")
    tokenizer = GlideTokenizer(vocabulary, model_max_length=BASE.context)
    if tokenizer.vocab_size != BASE.vocabulary:
        raise ConversionError(
            f"{vocabulary} has {tokenizer.vocab_size - 257} merges, {BASE.vocabulary - 257} are wanted: "
            f"{released.VOCABULARY_ADVICE}"
        )
    text_encoder, unet = stage(read_checkpoint(base), BASE, str(base))
    upsampler_text_encoder, upsampler_unet = stage(read_checkpoint(upsampler), UPSAMPLER, str(upsampler))
    return GlidePipeline(
        tokenizer=tokenizer,
        text_encoder=text_encoder,
        unet=unet,
        scheduler=GlideDDPMScheduler(**released.SAMPLER),
        upsampler_text_encoder=upsampler_text_encoder,
        upsampler=upsampler_unet,
        upsampler_scheduler=GlideDDIMScheduler(beta_schedule="linear"),
    )


def convert(base: Path, upsampler: Path, vocabulary: Path, out: Path) -> None:
    """Write a folder of safetensors, wholly or not at all.

    Raises:
        ConversionError: see `assemble`; or the folder exists.
        SeedshiftError: see `assemble`.
        OSError: the folder cannot be written.
    """
    if out.exists():
        raise ConversionError(f"{out} exists: give a folder that does not")
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}-") as folder:
        made = Path(folder) / "made"
        with loading.complete(str(base)):
            assemble(base, upsampler, vocabulary).save_pretrained(made)
        made.rename(out)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command. Returns its exit status: 0, or that of a mistake with the reason on standard error."""
    parser = argparse.ArgumentParser(
        prog="python -m pytest_seedshift.models.glide.convert", description=__doc__, epilog=f"{released.ADVICE}."
    )
    parser.add_argument("base", type=Path, metavar="base.pt", help="OpenAI's weights of the base")
    parser.add_argument("upsampler", type=Path, metavar="upsample.pt", help="OpenAI's weights of the upsampler")
    parser.add_argument("vocabulary", type=Path, metavar="vocab.bpe", help="GPT-2's merges, plain or as .gz")
    parser.add_argument("out", type=Path, metavar="OUT", help="the folder to make")
    given = parser.parse_args(arguments)
    output.begin()
    try:
        convert(given.base, given.upsampler, given.vocabulary, given.out)
    except (SeedshiftError, OSError) as error:
        output.say(f"error: {error}", err=True)
        return USAGE_ERROR
    output.say(f"{given.out} is ready: pytest --seedshift-model={given.out}")
    return output.end(0)


if __name__ == "__main__":
    sys.exit(main())
