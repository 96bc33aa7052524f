"""`seedshift position MODEL`: whether random shifts with a direction move the object in the picture."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pytest_seedshift.cli import CommandError, session_options
from pytest_seedshift.cli.options import (
    NUMBER,
    STDOUT,
    WHOLE,
    Output,
    check_beside,
    check_output,
    invocation,
    json_option,
    output_option,
    writing,
)
from pytest_seedshift.cli.parser import Command
from pytest_seedshift.core import atomic_files
from pytest_seedshift.core import output as sinks
from pytest_seedshift.models import needed_scorers

if TYPE_CHECKING:
    from pytest_seedshift.core.cases import Case
    from pytest_seedshift.plugin.session import Session
    from pytest_seedshift.studies.position_control import Study

_NEEDED = frozenset({needed_scorers.CLASSIFIER})
"""What a position is measured with. Where CLIP can be had too, pictures are scored by it as well: a verdict that asks
for it then finds its samples, and images cost far more than their scores."""

_KEYS = ("version", "rows", "control", "arms")


@click.command(
    "position",
    cls=Command,
    help="Measure whether random shifts with a direction move the object in a model's pictures, compared with a null "
    "without direction. Writes a page, and all figures as .json beside it. Status 1 means that the null moves the "
    "object, too: then trust no other figure.",
    examples=("position toy-latent --images 256", "position toy-latent --shift left,right --json"),
)
@click.argument("model", metavar="MODEL")
@click.option(
    "--shift",
    "shifts",
    metavar="DIRECTION",
    multiple=True,
    help="left, right, up, down or sign (also as random:left, …, random). Repeatable or comma-separated. Default: all. "
    "The null is always among them.",
)
@click.option("--magnitude", metavar="NUMBER", help="Strength of the shifts. Default: 0.3.")
@click.option(
    "--images", metavar="N", type=WHOLE, help="Number of pairs. Default: 128 or more, the same for each class."
)
@click.option("--certainty", metavar="NUMBER", type=NUMBER, help="Certainty of all intervals together. Default: 0.99.")
@output_option("position-MODEL.html in the run folder")
@json_option
@session_options.session_options
def command(
    model: str,
    shifts: tuple[str, ...],
    magnitude: str | None,
    images: int | None,
    certainty: float | None,
    output: Output,
    as_json: bool,
    **given: Any,
) -> int:
    """What click calls."""
    asked = Asked(model, shifts, magnitude, images, certainty)
    options = session_options.SessionOptions(**given)
    return run(asked, output=output, as_json=as_json, given=options, invoked=invocation())


@dataclass(frozen=True, slots=True)
class Asked:
    """An experiment on position control, as a command line asks for it; None where it leaves something open."""

    model: str
    shifts: Sequence[str] = ()
    """Each a direction, or several with commas between them."""
    magnitude: str | None = None
    images: int | None = None
    certainty: float | None = None

    def settings(self, given: session_options.SessionOptions) -> dict[str, Any]:
        """As `position_control.run` takes them.

        Raises:
            CommandError: one that cannot be used.
        """
        from pytest_seedshift.studies import position_control

        if self.images is not None and self.images < 1:
            raise CommandError(f"--images {self.images}: give a whole number of at least 1")
        session_options.check_images(self.images, given)
        magnitude = position_control.MAGNITUDE
        if self.magnitude is not None:
            found = session_options.magnitudes(self.magnitude, given)
            if len(found) != 1:
                raise CommandError(f"--magnitude {self.magnitude}: give one number, such as 0.3")
            (magnitude,) = found
        directions = [part.strip() for text in self.shifts for part in text.split(",") if part.strip()]
        position_control.choose(self.model, magnitude, directions)  # before anything is loaded
        return {
            "magnitude": magnitude,
            "certainty": position_control.CERTAINTY if self.certainty is None else self.certainty,
            "directions": directions,
            "images": self.images,
        }


def run(
    asked: Asked,
    *,
    output: Output = None,
    as_json: bool = False,
    given: session_options.SessionOptions = session_options.SessionOptions(),  # noqa: B008
    invoked: str = "",
) -> int:
    """Run the experiment, print its table, write its page and its JSON.

    Args:
        asked: which experiment.
        output: the page; None for one in the run folder, which has the model's name.
        as_json: whether the result is printed as JSON, in the form of the file.
        given: the session's options.
        invoked: the command line that the page shows.

    Returns:
        1 where the null is displaced, 2 where it is interrupted, else 0.

    Raises:
        CommandError: something cannot be used or made; the message says what and why.
        UnwritableError: see `atomic_files.check_writable`.
    """
    settings = asked.settings(given)
    check_output(output, as_json=as_json)
    if isinstance(output, Path):
        check_beside(output, _KEYS, "position")

    def work(session: Session) -> int:
        from pytest_seedshift.reporting import position

        study = _measure(session, settings)
        aside = as_json or output == STDOUT
        sinks.say(*position.table(study), "", *position.sentences(study), err=aside)
        with writing():
            sinks.say(*_write(study, output, session, invoked), err=aside)
        if as_json:
            sinks.say_json(json.loads(position.as_json(study)))
        return 1 if study.null.moves_at_all else 0

    return session_options.run([asked.model], given, work)


def _measure(session: Session, settings: dict[str, Any]) -> Study:
    from pytest_seedshift.core import scores
    from pytest_seedshift.plugin import preflight
    from pytest_seedshift.runner import model_notes
    from pytest_seedshift.studies import position_control

    models = session.settings.models
    if len(models) != 1:
        raise CommandError(f"{len(models)} models are given ({', '.join(models)}): position takes one")
    (model,) = models
    preflight.check_model(session, model)
    scores.check_certainty(settings["certainty"])
    session.catalogue.design(model, settings["images"])
    session.needed.settle(model, _scorers(session, model))
    warnings = preflight.check_ground(session, [(model, settings["images"])])
    for warning in (*warnings, *model_notes.notes(session.workbench.pool, model)):
        sinks.say(f"warning: {warning}", err=True)
    return position_control.run(session.workbench, model, progress=_tell, design_seed=session.design_seed, **settings)


def _scorers(session: Session, model: str) -> frozenset[str]:
    """All scorers where they can be had, else those that a position is measured with."""
    from pytest_seedshift.core.checkpoints.places import WeightsNotFoundError

    try:
        session.catalogue.fetch_weights(session.catalogue.find(model))
    except WeightsNotFoundError:
        return _NEEDED
    return needed_scorers.ALL


def _tell(case: Case, number: int, total: int) -> None:
    sinks.say(f"{number}/{total} {case.model} {case.describe()}", err=True)


def _write(study: Study, output: Output, session: Session, invoked: str) -> list[Path]:
    """Write the page and the figures, or the page alone to the standard output; the files."""
    from pytest_seedshift.reporting import position
    from pytest_seedshift.reporting.page import position as page
    from pytest_seedshift.results.run_folder import file_name

    made = page.make(study, invoked)
    if output == STDOUT:
        sinks.say_file(made)
        return []
    within = None if output is not None else session.folder.path
    html = Path(output or session.folder.path / f"position-{file_name(study.model)}.html")
    data = html.with_suffix(".json") if output is not None else html.with_name(f"{html.name[:-5]}.json")
    html.parent.mkdir(parents=True, exist_ok=True)
    atomic_files.write(html, made, within=within)
    atomic_files.write(data, position.as_json(study), within=within)
    return [html, data]
