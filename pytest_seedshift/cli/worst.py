"""`seedshift worst MODEL`: how bad a typical seed can be, as far as a search finds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pytest_seedshift.cli import CommandError, session_options
from pytest_seedshift.cli.options import (
    STDOUT,
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
from pytest_seedshift.core import atomic_files, limits, messages
from pytest_seedshift.core import output as sinks
from pytest_seedshift.core.scores import CERTAINTY
from pytest_seedshift.models import needed_scorers

if TYPE_CHECKING:
    from pytest_seedshift.models.base import Entry
    from pytest_seedshift.plugin.session import Session
    from pytest_seedshift.studies.worst.findings import Worst

_PAIRS, _BUDGET, _CONFIRM, _SCORE = 16, 64, 8, "clip"
_KEYS = ("version", "model", "budget", "typical", "pairs")


@click.command(
    "worst",
    cls=Command,
    help="Search, for some pairs of MODEL and within a budget of images each, for a seed vector whose picture is bad. "
    "The vector has to be typical: its norm, moments, spectrum and ranks are those of drawn ones. It is compared with "
    "the worst of as many fresh seeds, and both are confirmed on fresh later noise. What is found is a lower bound on "
    "how bad a seed can be: a longer search may find worse.",
    examples=("worst toy-latent", "worst sd21 --pairs 8 --budget 128 --device cuda"),
)
@click.argument("model", metavar="MODEL")
@click.option("--pairs", metavar="N", type=int, default=_PAIRS, help=f"How many, each by itself. Default: {_PAIRS}.")
@click.option(
    "--budget",
    metavar="N",
    type=int,
    default=_BUDGET,
    help=f"Images of a pair's search, and as many fresh seeds. Default: {_BUDGET}.",
)
@click.option(
    "--confirm",
    metavar="N",
    type=int,
    default=_CONFIRM,
    help=f"Fresh later noises on which what was found is drawn again. Default: {_CONFIRM}.",
)
@click.option("--score", metavar="NAME", default=_SCORE, help=f"What is to be low. Default: {_SCORE}.")
@click.option("--certainty", metavar="NUMBER", type=float, default=CERTAINTY, help=f"Default: {CERTAINTY}.")
@output_option("worst-MODEL.html in the run folder")
@json_option
@session_options.session_options
def command(
    model: str,
    pairs: int,
    budget: int,
    confirm: int,
    score: str,
    certainty: float,
    output: Output,
    as_json: bool,
    **given: Any,
) -> int:
    """What click calls."""
    asked = Asked(model, pairs, budget, confirm, score, certainty)
    options = session_options.SessionOptions(**given)
    return run(asked, output=output, as_json=as_json, given=options, invoked=invocation())


@dataclass(frozen=True, slots=True)
class Asked:
    """What a command line asks for."""

    model: str
    pairs: int = _PAIRS
    budget: int = _BUDGET
    confirm: int = _CONFIRM
    score: str = _SCORE
    certainty: float = CERTAINTY

    def check(self, given: session_options.SessionOptions) -> None:
        """Make sure of its numbers.

        Raises:
            CommandError: one that cannot be used.
            LimitError: more images than a design may have.
        """
        from pytest_seedshift.studies.worst import experiment

        if not 0.5 < self.certainty < 1:
            raise CommandError(f"--certainty {self.certainty:g}: give a number above 0.5 and below 1, such as 0.99")
        experiment.check(self.pairs, self.budget, self.confirm)
        images = experiment.most_images(self.pairs, self.budget, self.confirm)
        what = f"--pairs {self.pairs} --budget {self.budget} --confirm {self.confirm}: {images:,} images"
        limits.check(images, limits.IMAGES, what, lifted=given.no_limits)


def run(
    asked: Asked,
    *,
    output: Output = None,
    as_json: bool = False,
    given: session_options.SessionOptions = session_options.SessionOptions(),  # noqa: B008
    invoked: str = "",
) -> int:
    """Search, print what was found, write the page, the figures and the found vectors beside it.

    Args:
        asked: the model, and how long is searched.
        output: the page; None for worst-MODEL.html in the run folder.
        as_json: whether the figures are printed as JSON.
        given: the session's options.
        invoked: the command line that the page shows.

    Returns:
        0, or 2 where it is interrupted.

    Raises:
        SeedshiftError: a model, a score, a number or a path that cannot be used.
    """
    asked.check(given)
    check_output(output, as_json=as_json)
    if isinstance(output, Path):
        check_beside(output, _KEYS, "worst")

    def work(session: Session) -> None:
        found = _found(session, asked)
        with writing():
            _report(found, session, output, as_json=as_json, invoked=invoked)

    return session_options.run([asked.model], given, work, [f"--seedshift-score={asked.score}"])


def _found(session: Session, asked: Asked) -> Worst:
    from pytest_seedshift.models import latents
    from pytest_seedshift.plugin import preflight
    from pytest_seedshift.studies.worst import experiment

    model = asked.model
    preflight.check_model(session, model)
    entry = session.catalogue.find(model)
    session.needed.settle(model, _scorers(entry, asked.score))
    images = max(asked.pairs, len(entry.prompt_set.prompts))  # so few have a class each
    design = session.catalogue.design(model, images, session.design_seed)[: asked.pairs]
    for warning in preflight.check_ground(session, [(model, images)]):
        sinks.say(f"warning: {warning}", err=True)
    latents.check_design(entry, design)
    bench = session.workbench
    if asked.score in bench.pool.scorers.beside(model):
        raise CommandError(f"--score {asked.score}: it is of two pictures, and a search looks at one: choose another")
    return experiment.run(
        bench,
        model,
        design,
        score=asked.score,
        budget=asked.budget,
        confirm=asked.confirm,
        certainty=asked.certainty,
        report=lambda line: sinks.say(line, err=True),
    )


def _scorers(entry: Entry, score: str) -> frozenset[str]:
    """What gives the score that is searched by, and the classifier where all that is asked for has a class."""
    of_score = needed_scorers.of_scores([score]) or frozenset({score})
    classes = all(prompt.as_class is not None for prompt in entry.prompt_set.prompts)
    return of_score | (frozenset({needed_scorers.CLASSIFIER}) if classes else frozenset())


def _report(found: Worst, session: Session, output: Output, *, as_json: bool, invoked: str) -> None:
    from safetensors.torch import save

    from pytest_seedshift.models.latents import vector_name
    from pytest_seedshift.reporting import worst
    from pytest_seedshift.reporting.page import worst as page
    from pytest_seedshift.results.run_folder import file_name

    aside = as_json or output == STDOUT
    sinks.say(*worst.lines(found), err=aside)  # first: nothing of it is stored
    figures = worst.document(found)
    default = session.folder.path / f"worst-{file_name(found.model)}.html"
    written = write_with_figures(page.make(found, invoked), figures, output, default)
    if written:
        written.append(written[0].with_suffix(".safetensors"))
        vectors = {vector_name(each.label, each.seed): each.vector for each in found.pairs}
        atomic_files.write(written[-1], save(vectors))
    sinks.say(*(messages.relative(str(path)) for path in written), err=aside)
    if as_json:
        sinks.say_json(figures)
