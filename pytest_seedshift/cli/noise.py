"""`seedshift noise MODEL`: how far scores move under what should not matter."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from pytest_seedshift.cli import CommandError, session_options
from pytest_seedshift.cli.options import WHOLE, json_option
from pytest_seedshift.cli.parser import Command
from pytest_seedshift.core import output
from pytest_seedshift.models import latents, needed_scorers

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_seedshift.plugin.session import Session
    from pytest_seedshift.studies.noise_floor import Noise

_IMAGES, _BATCH_SIZE = 64, 16


@click.command(
    "noise",
    cls=Command,
    help="Measure a model's noise floor: how far its scores move under what should not matter, such as the batch size. "
    "It is kept as noise.json in the run folder, and later runs warn of bounds below it.",
    examples=("noise toy-latent --images 256",),
)
@click.argument("model", metavar="MODEL")
@click.option(
    "--images", metavar="N", type=WHOLE, default=_IMAGES, help=f"Images of the control to make. Default: {_IMAGES}."
)
@json_option
@session_options.session_options
def command(model: str, images: int, as_json: bool, **given: Any) -> int:
    """What click calls."""
    return run(model, images=images, as_json=as_json, given=session_options.SessionOptions(**given))


def run(
    model: str,
    *,
    images: int = _IMAGES,
    as_json: bool = False,
    given: session_options.SessionOptions = session_options.SessionOptions(),  # noqa: B008
) -> int:
    """Measure, print a table and write noise.json.

    Args:
        model: as --seedshift-model takes it.
        images: of the control, at least 1.
        as_json: whether the result is printed as JSON, in the form of noise.json.
        given: the session's options.

    Raises:
        CommandError: something cannot be used or measured.
    """
    if images < 1:
        raise CommandError(f"--images {images}: give a whole number of at least 1")
    session_options.check_images(images, given)

    def work(session: Session) -> None:
        from pytest_seedshift.plugin import preflight
        from pytest_seedshift.studies import noise_floor

        models = session.settings.models
        session.needed.ask(models, scorers=needed_scorers.ALL)
        for warning in preflight.check_ground(session, ((each, None) for each in models)):
            output.say(f"warning: {warning}", err=True)
        measured = {}
        for each in models:
            fingerprint, found, path = _measure(session, each, images)
            measured[fingerprint] = asdict(found)
            output.say("", *noise_floor.table(found), f"  {path}", err=as_json)
            warnings = noise_floor.told_of(found, session.thresholds.constraints_of(each))
            output.say(*(f"warning: {warning}" for warning in warnings), err=True)
        if as_json:
            output.say_json({"version": noise_floor.VERSION, "models": measured})

    return session_options.run([model], given, work)


def _measure(session: Session, model: str, images: int) -> tuple[str, Noise, Path]:
    """The model's fingerprint, what was measured, and the file that has it."""
    from pytest_seedshift.scorers import devices
    from pytest_seedshift.studies import noise_floor, noise_floor_conditions

    bench = session.workbench
    design = session.catalogue.design(model, None, session.design_seed)[:images]
    entry = session.catalogue.find(model)
    if images > len(design) or entry.engine.latents is not None:  # whose file has the pairs of a design of that size
        design = session.catalogue.design(model, images, session.design_seed)
    latents.check_design(entry, design)
    size = min(session.settings.batch_size or _BATCH_SIZE, len(design))
    reference = noise_floor_conditions.Setting(bench.device, bench.dtype(model), size, devices.threads())
    try:
        fingerprint = bench.samples(model).model
        noise_floor.read(session.folder)  # what is wrong with it shall not be found after all the work
        found = noise_floor_conditions.measure(
            model, reference, design, session.catalogue, session.folder, kinds=session.scores
        )
        path = noise_floor.write(session.folder, fingerprint, found)
    except OSError as error:
        raise CommandError(str(error)) from None
    return fingerprint, found, path
