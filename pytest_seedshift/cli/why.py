"""`why MODEL…`: sampler × clipping × schedule crossed on a few shifts, to see what makes a model hold."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_seedshift import command_session as within
from pytest_seedshift import needed, output, whole
from pytest_seedshift.cli import PROGRAM, CommandError

if TYPE_CHECKING:
    from pytest_seedshift.pairs import Pair
    from pytest_seedshift.session import State
    from pytest_seedshift.why.experiment import Study

_SHIFTS, _MAGNITUDES, _IMAGES = "mean,mixed", "0.3", 64

_LATENTS = 4
"""The range of clipping for latents. A decoder's latents are scaled to a standard deviation of about 1, so that this
leaves nearly all of a picture, as [-1, 1] does for pixels: of the toys' latents 99.9 % lie in it."""

_DECODERS = ("movq", "vae", "vqgan", "vqvae")
"""The parts of a pipeline that make pictures of latents."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument(
        "models", metavar="MODEL", nargs="+", help="models; of several, what was trained is a factor too"
    )
    parser.add_argument("--shift", metavar="NAMES", default=_SHIFTS, help=f"comma-separated (default: {_SHIFTS})")
    parser.add_argument(
        "--magnitude", metavar="NUMBERS", default=_MAGNITUDES, help=f"comma-separated (default: {_MAGNITUDES})"
    )
    parser.add_argument(
        "--images",
        metavar="N",
        type=int,
        help=f"pairs an arm, with and without each shift (default: {_IMAGES}, or one a class where these are more)",
    )
    parser.add_argument(
        "--clip",
        metavar="RANGE",
        type=float,
        help=f"range of clipping (default: {_LATENTS} in latents, the sampler's own in pixels)",
    )
    parser.add_argument(
        "--into",
        metavar="PATH",
        type=Path,
        help="the page to write, with the same as .json beside it (default: why.html in the run folder)",
    )
    within.add_arguments(parser)


def run(options: argparse.Namespace) -> int:
    """Run the experiment, print it, write the page and the document beside it; the exit status is pytest's.

    Raises:
        CommandError: a shift, a magnitude, a number or a path that cannot be used.
    """
    models = list(dict.fromkeys(options.models))
    shifts = _shifts(options)
    if options.images is not None and options.images < 2:
        raise CommandError(f"--images {options.images}: give at least 2, better 64: intervals come from their spread")
    within.check_images(options)
    if options.clip is not None and not 0 < options.clip < float("inf"):
        raise CommandError(f"--clip {options.clip:g}: give a range above 0, such as 1 for pixels or 4 for latents")
    if options.into is not None:
        whole.check_writable(options.into, "--into", parents=True)
        if options.into.suffix == ".json":
            raise CommandError(f"--into {options.into}: it is a page: give a name such as why.html")
        whole.check_writable(options.into.with_suffix(".json"), "--into", parents=True)
        _check_beside(options.into)
    return within.run(models, options, lambda state: _work(state, models, shifts, options))


def _check_beside(page: Path) -> None:
    """Make sure that the file beside the page, which the user has not named, is none of somebody else's.

    Raises:
        CommandError: it is.
    """
    from pytest_seedshift import files

    data = page.with_suffix(".json")
    try:
        found = files.read_json(data)
    except files.MissingFileError:
        return
    except files.FileError:
        found = None
    if not isinstance(found, dict) or not {"version", "arms", "effects", "sentences"} <= found.keys():
        raise CommandError(
            f"--into {page}: {data} is there, where the figures would be written, and is not of such an experiment: "
            "give another name"
        )


def _shifts(options: argparse.Namespace) -> list[tuple[str, float]]:
    from pytest_seedshift import cases

    names, magnitudes = options.shift, options.magnitude
    numbers = within.magnitudes(magnitudes, "--magnitude", lifted=options.no_limits)
    try:
        named = [each.strip() for each in names.split(",") if each.strip()]
        found = [(each.shift, each.magnitude) for each in cases.grid([""], named, numbers) if not each.is_control]
    except ValueError as error:
        raise CommandError(f"--shift {names} --magnitude {magnitudes}: {error}") from None
    if not found:
        raise CommandError(f"--shift {names} --magnitude {magnitudes}: names no shifted case; try mean and 0.3")
    return found


def _work(state: State, models: list[str], shifts: list[tuple[str, float]], options: argparse.Namespace) -> None:
    import pytest

    from pytest_seedshift.cases import CaseError
    from pytest_seedshift.report import words
    from pytest_seedshift.sensing import IMAGES
    from pytest_seedshift.why import arms, experiment

    for model in models:
        state.check_model(model)
    design = _design(state, models, options.images)
    state.needed.ask(models, scorers=needed.ALL)
    for warning in state.check_ground((model, len(design)) for model in models):
        output.say(f"warning: {warning}")
    crossed = arms.cross(
        models, lambda name: _why_not(state, models[0], name), lambda model: _clip(state, model, options.clip)
    )
    if not crossed.factors:
        reasons = "; ".join(f"{factor}: {reason}" for factor, reason in crossed.left_out.items())
        raise pytest.UsageError(f"nothing of {', '.join(models)} can be crossed. {reasons}")
    images = len(design) * (1 + len(shifts)) + IMAGES
    where = words.relative(str(state.folder.path))
    output.say(f"{len(crossed.arms)} arms of {images} images each, less what {where} has")
    try:
        study = experiment.run(
            state.workbench,
            crossed,
            shifts,
            design,
            certainty=state.thresholds.certainty,
            tell=lambda line: output.say(line, err=True),
        )
        files = _write(study, options.into or state.folder.path / "why.html")
    except CaseError as error:
        raise pytest.UsageError(str(error)) from None
    except OSError as error:
        raise pytest.UsageError(f"{error.filename} cannot be written: {error.strerror}") from None
    _print(study, files)


def _design(state: State, models: list[str], images: int | None) -> tuple[Pair, ...]:
    """The pairs of all arms, and of how they are scored no two may differ."""
    import pytest

    from pytest_seedshift.pairs import class_list

    try:
        entries = [state.catalogue.find(model) for model in models]
        labels, *others = (class_list(each.classes) for each in entries)
        if any(other != labels for other in others):
            raise pytest.UsageError(f"the class lists of {', '.join(models)} differ: arms need the same pairs")
        design = state.catalogue.design(models[0], images or max(_IMAGES, len(labels)), state.design_seed())
    except ValueError as error:
        raise pytest.UsageError(str(error)) from None
    if len({(each.classifier, each.clip) for each in entries}) > 1:
        raise pytest.UsageError(f"the scorers of {', '.join(models)} differ: their scores cannot be compared")
    return design


def _clip(state: State, model: str, given: float | None) -> str:
    """The change that clips a model."""
    from pytest_seedshift.models import locate

    entry = state.catalogue.find(model)
    if given is None and entry.own is None:
        parts = locate.locate_pipeline(entry.pipeline, entry.revision, entry.advice, entry.variant).parts
        given = _LATENTS if any(part in parts for part in _DECODERS) else None
    return "clip" if given is None else f"clip={given:g}"


def _why_not(state: State, model: str, name: str) -> str | None:
    """The reason why an arm cannot be sampled as its name says."""
    try:
        state.catalogue.check_sampling(state.catalogue.find(name))
        if name.endswith("+zsnr") and state.catalogue.are_same(name, name.removesuffix("+zsnr")):
            return f"the schedule of {model} ends in zero SNR already"
    except ValueError as error:
        return str(error)
    return None


def _write(study: Study, page: Path) -> tuple[Path, Path]:
    from pytest_seedshift.report import why as told
    from pytest_seedshift.report.page import why as pages
    from pytest_seedshift.why.document import document

    command = shlex.join([PROGRAM, *sys.argv[1:]])
    data = page.with_suffix(".json")
    page.parent.mkdir(parents=True, exist_ok=True)
    whole.write(page, pages.make(study, command))
    whole.write(data, json.dumps(document(study, told.sentences(study)), indent=1, ensure_ascii=False) + "\n")
    return page, data


def _print(study: Study, files: tuple[Path, Path]) -> None:
    from pytest_seedshift.report import why as told
    from pytest_seedshift.report import words

    output.say("", *told.table(study), "", *told.sentences(study), told.CAVEAT)
    output.say(*(words.relative(str(path)) for path in files))
