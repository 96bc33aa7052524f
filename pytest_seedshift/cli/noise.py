"""`seedshift noise MODEL`: how far scores move under what should not matter."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from pytest_seedshift import command_session as within
from pytest_seedshift import needed, output
from pytest_seedshift.cli import CommandError

if TYPE_CHECKING:
    from pytest_seedshift.session import State

_IMAGES, _BATCH_SIZE = 64, 16


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument("model", metavar="MODEL", help="a model, as --seedshift-model takes it")
    parser.add_argument(
        "--images",
        metavar="N",
        type=int,
        default=_IMAGES,
        help=f"how many images of the control (default: {_IMAGES})",
    )
    within.add_arguments(parser)


def run(options: argparse.Namespace) -> int:
    """Measure, print a table and write noise.json; the exit status is pytest's.

    Raises:
        CommandError: a number of images that is none.
    """
    if options.images < 1:
        raise CommandError(f"--images {options.images}: give a whole number of at least 1")
    within.check_images(options)

    def work(state: State) -> None:
        models = state.settings.models
        state.needed.ask(models, scorers=needed.ALL)
        for warning in state.check_ground((model, None) for model in models):
            output.say(f"warning: {warning}")
        for model in models:
            _measure(state, model, options.images)

    return within.run([options.model], options, work)


def _measure(state: State, model: str, images: int) -> None:
    import pytest
    import torch

    from pytest_seedshift import arms, noise
    from pytest_seedshift.cases import CaseError

    bench = state.workbench
    design = state.catalogue.design(model, None, state.design_seed())[:images]
    if images > len(design):
        design = state.catalogue.design(model, images, state.design_seed())
    size = min(state.settings.batch_size or _BATCH_SIZE, len(design))
    reference = arms.Setting(bench.device, bench.dtype(model), size, torch.get_num_threads())
    try:
        fingerprint = bench.samples(model).model
        noise.read(state.folder)  # what is wrong with it shall not be found after all the work
        found = arms.measure(model, reference, design, state.catalogue, state.folder)
        path = noise.write(state.folder, fingerprint, found)
    except (CaseError, noise.NoiseError, OSError) as error:
        raise pytest.UsageError(str(error)) from None
    output.say("", *noise.table(found), f"  {path}")
