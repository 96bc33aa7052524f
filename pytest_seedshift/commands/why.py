"""`why MODEL…`: sampler × clipping × schedule crossed on a few shifts, to see what makes a model hold."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_seedshift.commands import CommandError, within

if TYPE_CHECKING:
    from pytest_seedshift.session import State
    from pytest_seedshift.why.experiment import Study

_SHIFTS, _MAGNITUDES, _IMAGES = "mean,mixed", "0.3", 64


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument(
        "models", metavar="MODEL", nargs="+", help="models; of several, what was trained is a factor too"
    )
    parser.add_argument("--shift", metavar="NAMES", default=_SHIFTS, help=f"comma-separated (default: {_SHIFTS})")
    parser.add_argument(
        "--magnitude", metavar="NUMBERS", default=_MAGNITUDES, help=f"comma-separated (default: {_MAGNITUDES})"
    )
    parser.add_argument("--images", metavar="N", type=int, default=_IMAGES, help=f"pairs an arm (default: {_IMAGES})")
    parser.add_argument(
        "--clip",
        metavar="RANGE",
        type=float,
        help="range of clipping, such as 3 for latents (default: the sampler's own)",
    )
    parser.add_argument(
        "--into", metavar="PATH", type=Path, help="the page to write (default: why.html in the run folder)"
    )
    within.add_arguments(parser)


def run(options: argparse.Namespace) -> int:
    """Run the experiment, print it, write the page and why.json beside it; the exit status is pytest's.

    Raises:
        CommandError: a shift, a magnitude or a number that cannot be used.
    """
    models = list(dict.fromkeys(options.models))
    shifts = _shifts(options.shift, options.magnitude)
    if options.images < 2:
        raise CommandError(f"--images {options.images}: give at least 2, better 64: intervals come from their spread")
    if options.clip is not None and not 0 < options.clip < float("inf"):
        raise CommandError(f"--clip {options.clip:g}: give a range above 0, such as 1 for pixels or 3 for latents")
    return within.run(models, options, lambda state: _work(state, models, shifts, options))


def _shifts(names: str, magnitudes: str) -> list[tuple[str, float]]:
    from pytest_seedshift import cases

    try:
        numbers = [float(each) for each in magnitudes.split(",")]
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
    from pytest_seedshift.why import arms, experiment

    crossed = arms.cross(models, lambda name: _why_not(state, models[0], name), options.clip)
    if not crossed.factors:
        reasons = "; ".join(f"{factor}: {reason}" for factor, reason in crossed.left_out.items())
        raise pytest.UsageError(f"nothing of {', '.join(models)} can be crossed. {reasons}")
    for warning in state.check_ground((arm.name, options.images) for arm in crossed.arms):
        print(f"warning: {warning}")
    design = state.catalogue.design(models[0], options.images)
    if any(state.catalogue.design(model, options.images) != design for model in models[1:]):
        raise pytest.UsageError(f"the class lists of {', '.join(models)} differ: arms need the same pairs")
    try:
        study = experiment.run(
            state.workbench,
            crossed,
            shifts,
            design,
            certainty=state.thresholds.certainty,
            tell=lambda line: print(line, file=sys.stderr, flush=True),
        )
        files = _write(study, options.into or state.folder.path / "why.html")
    except CaseError as error:
        raise pytest.UsageError(str(error)) from None
    except OSError as error:
        raise pytest.UsageError(f"cannot be written to: {error.strerror} ({error.filename})") from None
    _print(study, files)


def _why_not(state: State, model: str, name: str) -> str | None:
    import pytest

    from pytest_seedshift.models.derive import DerivationError
    from pytest_seedshift.weights import WeightsNotFoundError

    try:
        state.catalogue.check_sampling(state.catalogue.find(name))
        if name.endswith("+zsnr") and state.catalogue.same_as(f"{model}+zsnr") is not None:
            return f"the schedule of {model} ends in zero SNR already"
    except DerivationError as error:
        return str(error)
    except (ValueError, OSError, WeightsNotFoundError) as error:
        raise pytest.UsageError(str(error)) from None
    return None


def _write(study: Study, page: Path) -> tuple[Path, Path]:
    from pytest_seedshift.report import why as told
    from pytest_seedshift.report.page import why as pages

    command = shlex.join(["python", "-m", "pytest_seedshift", *sys.argv[1:]])
    data = page.with_suffix(".json")
    document = json.dumps(told.as_json(study), indent=1, ensure_ascii=False) + "\n"
    page.parent.mkdir(parents=True, exist_ok=True)
    for path, text in ((page, pages.make(study, command)), (data, document)):
        partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
        try:
            partial.write_text(text, encoding="utf-8")
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)
    return page, data


def _print(study: Study, files: tuple[Path, Path]) -> None:
    from pytest_seedshift.report import why as told
    from pytest_seedshift.report import words

    print("\n".join(["", *told.table(study), "", *told.sentences(study), "", told.CAVEAT]))
    for path in files:
        print(words.relative(str(path)))
