"""`why MODEL…`: sampling crossed factor by factor on a few shifts, to see what makes a model hold."""

from __future__ import annotations

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
    write_with_figures,
    writing,
)
from pytest_seedshift.cli.parser import Command
from pytest_seedshift.core import messages
from pytest_seedshift.core import output as sinks
from pytest_seedshift.core.errors import InvalidValueError, SeedshiftUsageError
from pytest_seedshift.models import latents, needed_scorers
from pytest_seedshift.studies.sampler_ablation.conditions import LATENTS

if TYPE_CHECKING:
    from pytest_seedshift.core.pairs import Pair
    from pytest_seedshift.plugin.session import Session
    from pytest_seedshift.studies.sampler_ablation.conditions import Crossed
    from pytest_seedshift.studies.sampler_ablation.experiment import Study

_SHIFTS, _MAGNITUDES, _IMAGES = "mean,mixed", session_options.BOTH_SIDES, 64

_FACTORS_HELP = (
    "Factors to cross: sampler, clipping, schedule, guidance, steps, repair. The last three can have levels, as in "
    "sampler,guidance=1,2,7.5 or repair=none,moments. Repeatable or comma-separated. Default: the first three, and "
    "guidance and steps if models differ in them."
)

_KEYS = ("version", "arms", "effects", "sentences")


@click.command(
    "why",
    cls=Command,
    help="Cross samplers, clipping and schedules on a few shifts to see what makes a model hold. With several MODELs, "
    "what was trained is a factor too, and so are guidance and steps if they differ. Writes a page, and all figures as "
    ".json beside it.",
    examples=(
        "why toy-latent",
        "why toy-latent toy-glide --plan",
        "why toy-latent --factors sampler,guidance=1,2,7.5 --shift mean,std --magnitude 0.2,0.3 --output why.html",
    ),
)
@click.argument("models", metavar="MODEL...", nargs=-1, required=True)
@click.option("--shift", metavar="NAMES", default=_SHIFTS, help=f"Shifts, comma-separated. Default: {_SHIFTS}.")
@click.option(
    "--magnitude",
    metavar="NUMBERS",
    default=_MAGNITUDES,
    help=f"Magnitudes, comma-separated. Default: {_MAGNITUDES}.",
)
@click.option(
    "--factors",
    metavar="NAMES",
    multiple=True,
    help=_FACTORS_HELP,
)
@click.option(
    "--images",
    metavar="N",
    type=WHOLE,
    help=f"Pairs of each arm, with and without each shift. Default: {_IMAGES}, or one a class if classes are more.",
)
@click.option(
    "--clip",
    metavar="RANGE",
    type=NUMBER,
    help=f"Range of clipping. Default: {LATENTS} in latents, the sampler's own in pixels.",
)
@click.option("--plan", is_flag=True, help="Show the arms, the number of images and the time, and generate nothing.")
@output_option("why.html in the run folder")
@json_option
@session_options.session_options
def command(
    models: tuple[str, ...],
    shift: str,
    magnitude: str,
    images: int | None,
    clip: float | None,
    factors: tuple[str, ...],
    plan: bool,
    output: Output,
    as_json: bool,
    **given: Any,
) -> int:
    """What click calls."""
    asked = Asked(models, shift, magnitude, images, clip, factors, plan)
    options = session_options.SessionOptions(**given)
    return run(asked, output=output, as_json=as_json, given=options, invoked=invocation())


@dataclass(frozen=True, slots=True)
class Asked:
    """A crossed experiment, as a command line asks for it; None where it leaves something open."""

    models: Sequence[str]
    shift: str = _SHIFTS
    magnitude: str = _MAGNITUDES
    images: int | None = None
    clip: float | None = None
    factors: Sequence[str] = ()
    plan: bool = False
    """Whether nothing is made, and what it would take is printed."""

    def check(self, given: session_options.SessionOptions) -> None:
        """Check the numbers.

        Raises:
            CommandError: one that cannot be used.
        """
        if self.images is not None and self.images < 2:
            raise CommandError(f"--images {self.images}: give at least 2, better 64: intervals come from their spread")
        session_options.check_images(self.images, given)
        if self.clip is not None and not 0 < self.clip < float("inf"):
            raise CommandError(f"--clip {self.clip:g}: give a range above 0, such as 1 for pixels or 4 for latents")

    def crossed(self) -> dict[str, tuple[str, ...]]:
        """The factors with the levels that are given.

        Raises:
            CommandError: one that there is not.
        """
        from pytest_seedshift.studies.sampler_ablation import conditions

        try:
            return conditions.read_factors(self.factors)
        except SeedshiftUsageError as error:
            raise CommandError(f"--factors {','.join(self.factors)}: {error}") from None

    def shifts(self, given: session_options.SessionOptions) -> list[tuple[str, float]]:
        """The shifts with their magnitudes, at least one.

        Raises:
            CommandError: one that cannot be used, or none.
        """
        from pytest_seedshift.core import cases

        where = f"--shift {self.shift} --magnitude {self.magnitude}"
        numbers = session_options.magnitudes(self.magnitude, given)
        try:
            named = [each.strip() for each in self.shift.split(",") if each.strip()]
            found = [(each.shift, each.magnitude) for each in cases.grid([""], named, numbers) if not each.is_control]
        except SeedshiftUsageError as error:
            raise CommandError(f"{where}: {error}") from None
        if not found:
            raise CommandError(f"{where}: names no shifted case; try mean and 0.3")
        return found


def run(
    asked: Asked,
    *,
    output: Output = None,
    as_json: bool = False,
    given: session_options.SessionOptions = session_options.SessionOptions(),  # noqa: B008
    invoked: str = "",
) -> int:
    """Run the experiment, print it, write the page and the document beside it.

    Args:
        asked: which experiment.
        output: the page; None for why.html in the run folder.
        as_json: whether the result is printed as JSON, in the form of the document.
        given: the session's options.
        invoked: the command line that the page shows.

    Returns:
        0, or 2 where it is interrupted.

    Raises:
        CommandError: a shift, a magnitude, a number, a model or a path that cannot be used.
        UnwritableError: see `atomic_files.check_writable`.
    """
    models = list(dict.fromkeys(asked.models))
    shifts = asked.shifts(given)
    asked.check(given)
    factors = asked.crossed()
    check_output(output, as_json=as_json)
    if isinstance(output, Path):
        check_beside(output, _KEYS, "why")

    def work(session: Session) -> None:
        crossed, design = _crossed(session, models, factors, asked)
        if asked.plan:
            _tell_plan(session, crossed, shifts, design, as_json=as_json)
            return
        study = _study(session, crossed, shifts, design, aside=as_json or output == STDOUT)
        with writing():
            _report(study, session, output, as_json=as_json, invoked=invoked)

    return session_options.run(models, given, work)


def _crossed(
    session: Session, models: list[str], factors: dict[str, tuple[str, ...]], asked: Asked
) -> tuple[Crossed, tuple[Pair, ...]]:
    """The arms, and the pairs that all of them are judged on."""
    from pytest_seedshift.plugin import preflight
    from pytest_seedshift.studies.sampler_ablation import design

    for model in models:
        preflight.check_model(session, model)
    pairs = _design(session, models, asked.images)
    session.needed.ask(models, scorers=needed_scorers.ALL)
    for warning in preflight.check_ground(session, ((model, len(pairs)) for model in models)):
        sinks.say(f"warning: {warning}", err=True)
    try:
        return design.make(session.workbench.pool, models, factors, asked.clip), pairs
    except InvalidValueError as error:
        raise CommandError(str(error)) from None


def _tell_plan(
    session: Session,
    crossed: Crossed,
    shifts: list[tuple[str, float]],
    design: tuple[Pair, ...],
    *,
    as_json: bool,
) -> None:
    from pytest_seedshift.plugin.seed_sensitivity import IMAGES
    from pytest_seedshift.reporting import why_plan
    from pytest_seedshift.studies.sampler_ablation import plan

    found = plan.make(session.workbench, crossed, shifts, design, session.thresholds.certainty, IMAGES)
    if as_json:
        sinks.say_json(plan.document(found))
    else:
        sinks.say(*why_plan.lines(found))


def _study(
    session: Session,
    crossed: Crossed,
    shifts: list[tuple[str, float]],
    design: tuple[Pair, ...],
    *,
    aside: bool,
) -> Study:
    from pytest_seedshift.plugin.seed_sensitivity import IMAGES
    from pytest_seedshift.studies.sampler_ablation import experiment

    images = len(design) * (1 + len(shifts)) + IMAGES
    where = messages.relative(str(session.folder.path))
    sinks.say(f"{len(crossed.arms)} arms of {images} images each, less what {where} has", err=aside)
    with writing():
        return experiment.run(
            session.workbench,
            crossed,
            shifts,
            design,
            certainty=session.thresholds.certainty,
            report=lambda line: sinks.say(line, err=True),
        )


def _design(session: Session, models: list[str], images: int | None) -> tuple[Pair, ...]:
    """The pairs of all arms, and of how they are scored no two may differ."""
    entries = [session.catalogue.find(model) for model in models]
    labels, *others = (each.prompt_set.worded for each in entries)
    if any(other != labels for other in others):
        raise CommandError(f"the class lists of {', '.join(models)} differ: arms need the same pairs")
    images = images or max(_IMAGES, len(entries[0].prompt_set.prompts))
    design = session.catalogue.design(models[0], images, session.design_seed)
    for each in entries:
        latents.check_design(each, design)
    if len({(each.classifier, each.clip) for each in entries}) > 1:
        raise CommandError(f"the scorers of {', '.join(models)} differ: their scores cannot be compared")
    return design


def _report(study: Study, session: Session, output: Output, *, as_json: bool, invoked: str) -> None:
    """Write the page and the document beside it, or the page alone to the standard output; print the result."""
    from pytest_seedshift.reporting import why
    from pytest_seedshift.reporting.page import why as why_page
    from pytest_seedshift.studies.sampler_ablation.document import document

    page, found = why_page.make(study, invoked), document(study, why.sentences(study))
    written = write_with_figures(page, found, output, session.folder.path / "why.html")
    aside = as_json or output == STDOUT
    sinks.say("", *why.table(study), "", *why.sentences(study), why.CAVEAT, err=aside)
    sinks.say(*(messages.relative(str(path)) for path in written), err=aside)
    if as_json:
        sinks.say_json(found)
