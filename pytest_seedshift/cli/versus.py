"""`versus BASE OTHER…`: a base and others on the same pairs, each in a run of pytest, and all of it in one table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pytest_seedshift.cli import CommandError, session_options, versus_run, versus_sides
from pytest_seedshift.cli.options import (
    STDOUT,
    WHOLE,
    Output,
    check_beside,
    check_output,
    invocation,
    json_option,
    output_option,
    write_with_figures,
)
from pytest_seedshift.cli.parser import Command
from pytest_seedshift.core import atomic_files, messages
from pytest_seedshift.core import output as sinks
from pytest_seedshift.core.test_names import SUITE, USAGE_ERROR
from pytest_seedshift.reporting.anchors import slug

if TYPE_CHECKING:
    from pytest_seedshift.plugin.session import Session
    from pytest_seedshift.studies.costs import Costs
    from pytest_seedshift.studies.versus import Versus

_SHIFTS, _MAGNITUDES = "mean,std", session_options.BOTH_SIDES
_KEYS = ("version", "base", "others", "sentences")
FOLDER = ".seedshift-versus"
_BASE = "base"
CLUSTER = "--seedshift-cluster"


@click.command(
    "versus",
    cls=Command,
    help="Run BASE and each OTHER on the same pairs. Shows how alike the pictures are, what each OTHER loses with and "
    "without a shift, and how much faster it is. The thresholds judge each OTHER, with BASE as its baseline. An OTHER "
    "is as the base where it fails only cases that BASE fails too, by the same absolute bounds, with no significant "
    "loss. Status 1 means that one fails beyond that. Arguments after -- go to pytest, such as -n 4 or "
    "--seedshift-cluster=auto.",
    examples=(
        "versus toy-latent toy-latent+dtype=bfloat16 toy-latent+int8",
        "versus sd21 sd21+cache=first-block --shift mean --magnitude 0.1,0.3 --images 400 -- --seedshift-cluster=auto",
    ),
)
@click.argument("models", metavar="BASE OTHER...", nargs=-1, required=True)
@click.option(
    "--shift",
    metavar="NAMES",
    default=_SHIFTS,
    help=f"Shifts, comma-separated. Default: {_SHIFTS}.",
)
@click.option(
    "--magnitude",
    metavar="NUMBERS",
    default=_MAGNITUDES,
    help=f"Magnitudes, comma-separated; 0 compares without a shift only. Default: {_MAGNITUDES}.",
)
@click.option("--images", metavar="N", type=WHOLE, help="Pairs of each case. Default: as in a run.")
@click.option(
    "--exact",
    is_flag=True,
    help="Look at all pairs. This is always so if no threshold compares with a baseline.",
)
@click.option("-v", "--verbose", is_flag=True, help="Show all output of the runs, not one line for each.")
@click.option(
    "--markdown", metavar="PATH", type=click.Path(path_type=Path), help="File to write the table to, in Markdown."
)
@output_option("versus.html in the folder of the runs")
@json_option
@session_options.with_options(
    dir=f"Folder of the runs: a run folder each, whose samples are reused. Default: {FOLDER}."
)
def command(
    models: tuple[str, ...],
    shift: str,
    magnitude: str,
    images: int | None,
    exact: bool,
    verbose: bool,
    markdown: Path | None,
    output: Output,
    as_json: bool,
    **given: Any,
) -> int:
    """What click calls."""
    first = next((place for place, each in enumerate(models) if each.startswith("-")), len(models))
    asked = Asked(models[:first], shift, magnitude, images, exact, models[first:], verbose)
    options = session_options.SessionOptions(**given)
    return run(asked, output=output, markdown=markdown, as_json=as_json, given=options, invoked=invocation())


@dataclass(frozen=True, slots=True)
class Asked:
    """What a command line asks for."""

    models: Sequence[str]
    """The base, then the others."""
    shift: str = _SHIFTS
    magnitude: str = _MAGNITUDES
    images: int | None = None
    """None for as many as a run has."""
    exact: bool = False
    more: Sequence[str] = ()
    """Options of pytest."""
    verbose: bool = False

    @property
    def base(self) -> str:
        """What the others are held against."""
        return self.models[0]

    @property
    def others(self) -> list[str]:
        """Each once."""
        return list(dict.fromkeys(self.models[1:]))

    def check(self, given: session_options.SessionOptions) -> None:
        """Check what can be checked before there is a session.

        Raises:
            CommandError: a model or a number that cannot be used.
        """
        if not self.models or not self.others:
            raise CommandError("give BASE and at least one OTHER, such as versus sd21 sd21+int8")
        session_options.check_images(self.images, given)

    def arguments(self) -> list[str]:
        """Of both runs."""
        grid = [f"--seedshift-shift={self.shift}", f"--seedshift-magnitude={self.magnitude}"]
        images = [] if self.images is None else [f"--seedshift-images={self.images}"]
        return [*grid, *images, "--seedshift-keep-images=all", "--seedshift-report=none", *self.more]


def run(
    asked: Asked,
    *,
    output: Output = None,
    markdown: Path | None = None,
    as_json: bool = False,
    given: session_options.SessionOptions = session_options.SessionOptions(),  # noqa: B008
    invoked: str = "",
) -> int:
    """Make both runs, print the table, write the page and the figures beside it.

    Args:
        asked: models and cases.
        output: the page; None for versus.html in the folder of the runs.
        markdown: a file for the table in Markdown.
        as_json: whether the figures are printed as JSON.
        given: the session's options.
        invoked: the command line that the page shows.

    Returns:
        0 where all others pass their thresholds or fail only as the base does, 1 where one fails; else what the run of
        pytest returned that came to no verdicts. Those that did are in the table all the same.

    Raises:
        SeedshiftError: a model, an option, a file or a run that cannot be used.
    """
    asked.check(given)
    check_output(output, as_json=as_json)
    if isinstance(output, Path):
        check_beside(output, _KEYS, "versus")
    if markdown is not None:
        atomic_files.check_writable(markdown, "--markdown", parents=True)
    before = _Before()
    folder = Path(str(given.dir or FOLDER))
    looking = replace(given, dir=folder / _BASE)
    status = session_options.run(
        list(dict.fromkeys(asked.models)), looking, lambda session: before.look(session, asked)
    )
    if status:
        return status
    runs = _Runs(asked, folder, given, aside=as_json or output == STDOUT)
    if status := runs.base():
        return status
    runs.others(exact=before.exact or _fails(folder / _BASE))
    if len(runs.lost) < len(asked.others):
        from pytest_seedshift.studies import versus_verdicts

        found = _found(runs, before)
        _report(found, folder, output, markdown, as_json=as_json, invoked=invoked)
        for each in found.others:
            if each.verdict == versus_verdicts.AS_BASE:
                runs.statuses[each.name] = 0
    return max(runs.statuses.values())


class _Before:
    """What is looked at before anything is made."""

    exact = True
    base: Costs
    others: Mapping[str, Costs]

    def look(self, session: Session, asked: Asked) -> None:
        """Check the models, see whether anything is asked of a comparison with the base, and measure what they cost."""
        from pytest_seedshift.core import likeness
        from pytest_seedshift.plugin import preflight
        from pytest_seedshift.studies import costs

        for model in dict.fromkeys(asked.models):
            preflight.check_model(session, model)
        sections = (session.thresholds.everywhere, *session.thresholds.models.values())
        compares = any(
            each.needs_baseline is not None or likeness.measure_of(each.score) is not None
            for one in sections
            for each in one.constraints()
        )
        self.exact = asked.exact or not compares
        pool = session.workbench.pool
        if any(each.startswith(CLUSTER) for each in asked.more):  # models may not fit on this machine
            found = costs.of_files(pool, asked.models, "models are on a cluster")
            self.base, self.others = found[asked.base], found
            return
        self.base, self.others = costs.measure(
            pool,
            asked.base,
            asked.others,
            images=session.settings.batch_size,
            certainty=session.thresholds.certainty,
        )


@dataclass
class _Runs:
    """The runs, one after the other, each in a process and a run folder of its own."""

    asked: Asked
    folder: Path
    given: session_options.SessionOptions
    _: KW_ONLY
    aside: bool
    """Whether what is told goes to the standard error."""
    lost: dict[str, str] = field(default_factory=dict)
    """Of the others, those that came to no verdicts, and why."""
    statuses: dict[str, int] = field(default_factory=dict)
    """Of each other, what pytest returned."""

    def base(self) -> int:
        """Run it; 0 where the others can be held against it."""
        # Who saves a baseline is held against none, whatever the thresholds ask.
        saving = ["--seedshift-exact", f"--seedshift-save-baseline={self.folder / 'base.json'}"]
        ended = self._run(self.asked.base, self.folder / _BASE, 0, saving)
        if ended.reason:
            _tell(self.asked.base, ended)
            return ended.status
        if reason := _unjudged(self.folder / _BASE):
            sinks.say(
                f"{self.asked.base} could not be judged, and is what the others are held against: {reason}", err=True
            )
            return USAGE_ERROR
        self.given = _with_batches_of(self.folder / _BASE, self.asked.base, self.given)
        return 0

    def others(self, *, exact: bool) -> None:
        """Run them."""
        for place, model in enumerate(self.asked.others, 1):
            against = [f"--seedshift-baseline={self.folder / _BASE}", *(["--seedshift-exact"] if exact else [])]
            ended = self._run(model, self.folder / slug(model), place, against)
            self.statuses[model] = ended.status
            if ended.reason:
                self.lost[model] = ended.reason
                _tell(model, ended)

    def _run(self, model: str, folder: Path, place: int, more: Sequence[str]) -> versus_run.Ended:
        arguments = [
            *("--no-header", "--no-summary", "--tb=no", SUITE, f"--seedshift-model={model}"),
            *(f"--seedshift-dir={folder}", *replace(self.given, dir=None).arguments()),
            *(*self.asked.arguments(), *more),
        ]
        title = f"{model} ({place + 1} of {len(self.asked.others) + 1})"
        log = folder.with_suffix(".log")
        return versus_run.run(title, arguments, log, aside=self.aside, verbose=self.asked.verbose)


def _tell(model: str, ended: versus_run.Ended) -> None:
    sinks.say(f"{model} came to no verdicts: {ended.reason}{ended.said}", err=True)


def _unjudged(folder: Path) -> str:
    """Why a run's case is an error, of the first that is; empty where none is."""
    from pytest_seedshift.results import run as runs

    found = next((case for case in runs.load(folder).cases if case.failed and case.status == "error"), None)
    return "" if found is None else f"{found.id}: {versus_sides.why(found)}"


def _fails(folder: Path) -> bool:
    """Whether a case of a run fails: to hold others against it there all pairs are needed."""
    from pytest_seedshift.results import run as runs

    return any(case.failed for case in runs.load(folder).cases)


def _found(made: _Runs, before: _Before) -> Versus:
    """What all runs have shown that came to verdicts."""
    from pytest_seedshift.core.scores import CERTAINTY
    from pytest_seedshift.results import run as runs
    from pytest_seedshift.studies import versus

    asked, folder, lost = made.asked, made.folder, made.lost
    base = runs.load(folder / _BASE)
    others = [(model, runs.load(folder / slug(model))) for model in asked.others if model not in lost]
    certainties = {case.certainty for _, run in others for case in run.cases if case.certainty is not None}
    return versus.make(
        versus_sides.side(asked.base, base, before.base),
        [
            versus_sides.side(model, run, before.others[model], failed=bool(made.statuses[model]))
            for model, run in others
        ],
        certainty=max(certainties, default=CERTAINTY),
        lost=lost,
    )


def _with_batches_of(folder: Path, model: str, given: session_options.SessionOptions) -> session_options.SessionOptions:
    """The options with the base's batch size: pictures of other batches may differ in a level, and be no less fast."""
    from pytest_seedshift.results import run as runs

    found = None if given.batch_size else versus_sides.pace(runs.load(folder), model)
    return given if found is None else replace(given, batch_size=str(found.batch_size))


def _report(found: Versus, folder: Path, output: Output, markdown: Path | None, *, as_json: bool, invoked: str) -> None:
    """Print the table, write the page with the figures beside it, and the Markdown."""
    from pytest_seedshift.reporting import page as pages
    from pytest_seedshift.reporting import versus, versus_document
    from pytest_seedshift.reporting.page import versus as page

    failing = {page.BASE: _BASE} if found.failed else {}
    failing |= {each.name: slug(each.name) for each in found.others if each.failed}
    reports = {name: pages.write(folder / run) for name, run in failing.items()}
    beside = output.parent if isinstance(output, Path) else folder
    document, made = versus_document.document(found), page.make(found, invoked, reports=reports, beside=beside)
    written = write_with_figures(made, document, output, folder / "versus.html")
    if markdown is not None:
        markdown.parent.mkdir(parents=True, exist_ok=True)
        atomic_files.write(markdown, versus.summary(found))
        written.append(markdown)
    aside = as_json or output == STDOUT
    sinks.say("", *versus.lines(found), err=aside)
    sinks.say(*(messages.relative(str(path)) for path in written), err=aside)
    if as_json:
        sinks.say_json(document)
