"""`seedshift remedies MODEL`: what heals a model's cases that fail, what it costs, and what is to be recommended."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pytest_seedshift.cli import CommandError, session_options
from pytest_seedshift.cli.options import (
    FOLDER,
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
from pytest_seedshift.core.cases import Case
from pytest_seedshift.core.errors import SeedshiftUsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_seedshift.core.scores import Constraint
    from pytest_seedshift.plugin.session import Session
    from pytest_seedshift.results.run import CaseRun
    from pytest_seedshift.studies.remedies.experiment import Experiment
    from pytest_seedshift.studies.remedies.findings import Remedies

_SHIFTS, _MAGNITUDES = "random,mean,std,mixed", session_options.BOTH_SIDES
_KEYS = ("version", "model", "remedies", "recommended")


@click.command(
    "remedies",
    cls=Command,
    help="Try what may heal MODEL's failing cases: repairs of the seed vector, samplers, more steps, stronger "
    "guidance, alone and in pairs. MODEL's own thresholds judge each remedy, early. Also measured are its cost without "
    "a shift, and whether pictures still change with the seed. The result is a recommendation, or none.",
    examples=(
        "remedies toy-latent --plan",
        "remedies toy-latent --remedy repair,ancestral",
        "remedies sd21 --of .seedshift --device cuda",
    ),
)
@click.argument("model", metavar="MODEL")
@click.option("--of", "run_folder", metavar="RUN", type=FOLDER, help="Run whose failing cases are to be healed.")
@click.option("--shift", metavar="NAMES", default=_SHIFTS, help=f"Without --of: shifts to look at. Default: {_SHIFTS}.")
@click.option(
    "--magnitude", metavar="NUMBERS", default=_MAGNITUDES, help=f"Without --of: magnitudes. Default: {_MAGNITUDES}."
)
@click.option("--images", metavar="N", type=WHOLE, help="Pairs of each case. Default: as in a run.")
@click.option(
    "--remedy",
    "remedies",
    metavar="NAMES",
    multiple=True,
    help="Remedies to try, comma-separated, such as repair=moments,steps. Repeatable. Default: all of MODEL's.",
)
@click.option("--plan", is_flag=True, help="Print what would be tried, the most images and the time; make none.")
@output_option("remedies-MODEL.html in the run folder")
@json_option
@session_options.session_options
def command(
    model: str,
    run_folder: Path | None,
    shift: str,
    magnitude: str,
    images: int | None,
    remedies: tuple[str, ...],
    plan: bool,
    output: Output,
    as_json: bool,
    **given: Any,
) -> int:
    """What click calls."""
    named = tuple(name for each in remedies for name in map(str.strip, each.split(",")) if name)
    asked = Asked(model, run_folder, shift, magnitude, images, named, plan)
    options = session_options.SessionOptions(**given)
    return run(asked, output=output, as_json=as_json, given=options, invoked=invocation())


@dataclass(frozen=True, slots=True)
class Asked:
    """What a command line asks for."""

    model: str
    run_folder: Path | None = None
    shift: str = _SHIFTS
    magnitude: str = _MAGNITUDES
    images: int | None = None
    remedies: tuple[str, ...] = ()
    plan: bool = False

    def cases(self, given: session_options.SessionOptions) -> list[Case]:
        """The shifted cases to look at.

        Raises:
            CommandError: shifts or magnitudes that cannot be used, or a run without such a model, or without failures.
        """
        if self.run_folder is not None:
            return self._failing(self.run_folder)
        from pytest_seedshift.core import cases

        where = f"--shift {self.shift} --magnitude {self.magnitude}"
        numbers = session_options.magnitudes(self.magnitude, given)
        named = [each.strip() for each in self.shift.split(",") if each.strip()]
        try:
            found = [each for each in cases.grid([self.model], named, numbers) if not each.is_control]
        except SeedshiftUsageError as error:
            raise CommandError(f"{where}: {error}") from None
        if not found:
            raise CommandError(f"{where}: names no shifted case; try mean and 0.3")
        return found

    def _failing(self, folder: Path) -> list[Case]:
        from pytest_seedshift.results import run as runs

        run = runs.load(folder)
        if self.model not in run.models:
            raise CommandError(f"--of {folder}: {messages.unknown('model', self.model, run.models)}")
        of_model = [case for case in run.cases if case.case.model == self.model]
        found = [case.case for case in of_model if case.verdict == "fail" and not case.case.is_control]
        if not found:
            raise CommandError(f"--of {folder}: no shifted case of {self.model} fails there: there is nothing to heal")
        return found

    def left_out(self, held: Sequence[Case], pairs: int) -> dict[str, str]:
        """The cases that fail in the run and are not healed here, with why; none without a run.

        Args:
            held: those that were looked at, and hold.
            pairs: on which.
        """
        if self.run_folder is None:
            return {}
        from pytest_seedshift.results import run as runs
        from pytest_seedshift.studies.remedies import plan

        failed = [case for case in runs.load(self.run_folder).of(self.model) if case.failed]
        reasons = {case.case: reason for case in failed if (reason := _elsewhere(case))}
        found = plan.failing_elsewhere(held, reasons, pairs)
        for case in failed:
            if case.verdict == "error":
                found[case.case.describe()] = "it could not be judged there"
            elif case.case.is_control:
                found[case.case.describe()] = "remedies are of shifts"
        return found


def _elsewhere(case: CaseRun) -> str:
    """What a run judges a case by and a remedy does not, where that alone fails there; or that it saw other pairs."""
    broken = [each for each in case.findings if each.holds is False]
    if broken and not any(each.kind in ("min", "max_drop") for each in broken):
        return f"there it breaks {', '.join(dict.fromkeys(each.kind for each in broken))} alone"
    return f"there it fails on {case.images} of {case.design} pairs"


def run(
    asked: Asked,
    *,
    output: Output = None,
    as_json: bool = False,
    given: session_options.SessionOptions = session_options.SessionOptions(),  # noqa: B008
    invoked: str = "",
) -> int:
    """Try the remedies, print what they do, write the page and the figures beside it.

    Args:
        asked: the model and its cases.
        output: the page; None for remedies-MODEL.html in the run folder.
        as_json: whether the figures are printed as JSON.
        given: the session's options.
        invoked: the command line that the page shows.

    Returns:
        0, or 2 where it is interrupted.

    Raises:
        SeedshiftError: a model, a case, an option or a path that cannot be used.
    """
    from pytest_seedshift.reporting import remedies_plan

    cases = asked.cases(given)
    session_options.check_images(asked.images, given)
    check_output(output, as_json=as_json)
    if isinstance(output, Path):
        check_beside(output, _KEYS, "remedies")

    def work(session: Session) -> None:
        made = _experiment(session, asked, cases)
        shown = asked.plan and not as_json
        sinks.say(*remedies_plan.lines(made.plan), err=not shown)
        if asked.plan:
            if as_json:
                sinks.say_json(made.plan.document())
            return
        found = made.run()
        found = replace(found, not_looked_at=asked.left_out(found.held, made.plan.pairs))
        with writing():
            _report(found, session, output, as_json=as_json, invoked=invoked)

    return session_options.run([asked.model], given, work)


def _experiment(session: Session, asked: Asked, cases: list[Case]) -> Experiment:
    from pytest_seedshift.core.errors import InvalidValueError
    from pytest_seedshift.plugin import preflight
    from pytest_seedshift.plugin.seed_sensitivity import IMAGES
    from pytest_seedshift.studies.remedies import candidates, experiment

    preflight.check_model(session, asked.model)
    try:
        changes = candidates.chosen(session.catalogue.find(asked.model), asked.remedies)
    except InvalidValueError as error:
        raise CommandError(f"--remedy: {error}") from None
    asks = _asks(session, [Case(asked.model), *cases])
    session.needed.ask([asked.model], scores={one.score: one for each in asks.values() for one in each})
    design = session.catalogue.design(asked.model, asked.images, session.design_seed)
    for warning in preflight.check_ground(session, [(asked.model, len(design))]):
        sinks.say(f"warning: {warning}", err=True)
    return experiment.Experiment(
        session.workbench,
        asked.model,
        asks,
        design,
        certainty=session.thresholds.certainty,
        report=lambda line: sinks.say(line, err=True),
        remedies=changes,
        seed_use=IMAGES,
    )


def _asks(session: Session, cases: list[Case]) -> Mapping[Case, tuple[Constraint, ...]]:
    """What each case is asked by the thresholds of its model, but for what needs a baseline and for tails."""
    from pytest_seedshift.core import likeness, tails

    found = {}
    for case in cases:
        asked = [
            replace(each, max_regression=None, within=None)
            for each in session.thresholds.constraints(case)
            if likeness.measure_of(each.score) is None and tails.of(each.score) is None
        ]
        if case.is_control:
            asked = [replace(each, max_drop=None) for each in asked]
        bounds = tuple(each for each in asked if not each.is_empty)
        if not bounds:
            raise CommandError(
                f"{session.thresholds.source}: {case.id} is asked for no minimum and no largest drop: a remedy is "
                "judged by these"
            )
        found[case] = bounds
    return found


def _report(found: Remedies, session: Session, output: Output, *, as_json: bool, invoked: str) -> None:
    from pytest_seedshift.reporting import remedies
    from pytest_seedshift.reporting.page import remedies as page
    from pytest_seedshift.results.run_folder import file_name

    figures = remedies.document(found)
    default = session.folder.path / f"remedies-{file_name(found.model)}.html"
    written = write_with_figures(page.make(found, invoked), figures, output, default)
    aside = as_json or output == STDOUT
    sinks.say(*remedies.lines(found), err=aside)
    sinks.say(*(messages.relative(str(path)) for path in written), err=aside)
    if as_json:
        sinks.say_json(figures)
