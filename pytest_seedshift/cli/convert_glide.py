"""`seedshift convert-glide BASE UPSAMPLER VOCABULARY`: OpenAI's released files as a folder that diffusers loads."""

from __future__ import annotations

from pathlib import Path

import click

from pytest_seedshift.cli import CommandError
from pytest_seedshift.cli.options import FILE, output_option
from pytest_seedshift.cli.parser import Command
from pytest_seedshift.core import output as sinks


@click.command(
    "convert-glide",
    cls=Command,
    help="Convert OpenAI's released GLIDE files to a folder that diffusers loads. The files are the weights of the "
    "base and the upsampler, and GPT-2's merges, plain or as .gz. Only tensors are read from the weights, never code.",
    examples=("convert-glide base.pt upsample.pt vocab.bpe --output glide_pipeline",),
)
@click.argument("base", metavar="BASE.pt", type=FILE)
@click.argument("upsampler", metavar="UPSAMPLE.pt", type=FILE)
@click.argument("vocabulary", metavar="VOCAB.bpe", type=FILE)
@output_option("", folder=True, required=True)
def command(base: Path, upsampler: Path, vocabulary: Path, output: Path) -> int:
    """What click calls."""
    return run(base, upsampler, vocabulary, output=output)


def run(base: Path, upsampler: Path, vocabulary: Path, *, output: Path) -> int:
    """Convert.

    Args:
        base: weights of the base.
        upsampler: weights of the upsampler.
        vocabulary: merges.
        output: the folder to make, which must not be there.

    Raises:
        CommandError: a file is not what it should be, or the folder cannot be made.
    """
    from pytest_seedshift.models.glide import convert

    try:
        convert.convert(base, upsampler, vocabulary, output)
    except OSError as error:
        raise CommandError(str(error)) from None
    sinks.say(f"{output} is ready: pytest --seedshift-model={output}")
    return 0
