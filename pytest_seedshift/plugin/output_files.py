"""The files that a run writes at its end, looked at before its work: they can be written, and take no other's place."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_seedshift.core import atomic_files
from pytest_seedshift.plugin import border

if TYPE_CHECKING:
    from pytest_seedshift.plugin.option_resolution import Settings

_HEAD = 400
"""Bytes at the beginning of a file that tell whether it is one of ours."""

_KEPT = ("samples.sqlite", "verdicts.json", "run.json", "costs.json", "against.json", "noise.json")
"""Of the run folder: what the next run needs."""


@dataclass(frozen=True, slots=True)
class _Output:
    """A file to write.

    Attributes:
        option: that names it.
        path: of the file.
        is_ours: of the beginning of a file that is there already, whether it is one that may be replaced.
        what: it would be.
        folder: that it lies in, where all of that is ours.
    """

    option: str
    path: Path
    is_ours: Callable[[bytes], bool] = lambda _: True
    what: str = ""
    folder: Path | None = None


def check(config: pytest.Config, settings: Settings) -> None:
    """Make sure that all of a run's outputs can be written.

    Raises:
        pytest.UsageError: one cannot, or would take the place of another file.
    """
    _check_basetemp(config, settings.folder)
    taken = dict(_others(config, settings))
    for output in _outputs(settings):
        with border.usage_errors():
            if output.folder is not None:
                from pytest_seedshift.results import baseline_folder

                baseline_folder.check_free(output.folder, output.option)
            atomic_files.check_writable(output.path, output.option, parents=True)
        where = f"{output.option} {output.path}"
        place = output.path.resolve()
        if place in taken:
            raise pytest.UsageError(f"{where}: is also {taken[place]}, which would be lost: give another file")
        taken[place] = f"that of {output.option}"
        if not output.is_ours(_head(place)):
            raise pytest.UsageError(
                f"{where}: is there already and is no {output.what}: it would be lost. Give another file, or remove it"
            )


def _check_basetemp(config: pytest.Config, run_folder: Path) -> None:
    """Make sure that pytest, which empties the folder of --basetemp, does not empty the run folder with it."""
    given = config.getoption("basetemp", None)
    if given:
        emptied, folder = Path(config.invocation_params.dir, str(given)).resolve(), run_folder.resolve()
        if folder.is_relative_to(emptied):
            raise pytest.UsageError(
                f"--basetemp={given}: pytest empties that folder, and with it the run folder {folder}: give another"
            )


def _outputs(settings: Settings) -> Iterator[_Output]:
    if isinstance(settings.report, Path):
        yield _Output("--seedshift-report", settings.report, _is_page, "page")
    if isinstance(settings.summary, Path):
        yield _Output("--seedshift-summary", settings.summary, _is_summary, "summary")
    if settings.save_baseline is not None and settings.saves_pictures:
        from pytest_seedshift.results import environments

        if environments.is_folder(settings.save_baseline):
            return  # where in it is known later: see `baseline_place`
        file = settings.save_baseline / "baseline.json"
        yield _Output("--seedshift-save-baseline", file, _is_baseline, "baseline", settings.save_baseline)
    elif settings.save_baseline is not None:
        yield _Output("--seedshift-save-baseline", settings.save_baseline, _is_baseline, "baseline")

    if settings.history is not None:
        file = settings.history / "history.jsonl"
        yield _Output("--seedshift-history", file, lambda head: not head or b"pytest-seedshift" in head, "history")


def _others(config: pytest.Config, settings: Settings) -> Iterator[tuple[Path, str]]:
    """Files that none of these may replace, and what they are: what the run reads, or writes besides."""
    thresholds = settings.thresholds or config.rootpath / "thresholds.toml"
    yield thresholds.resolve(), "the thresholds file"
    for path in (config.inipath, config.rootpath / "pyproject.toml"):
        if path is not None:
            yield path.resolve(), "the project's configuration"
    for name in _KEPT:
        yield (settings.folder / name).resolve(), f"{name} of the run folder"
    for destination, option in (("htmlpath", "--html"), ("xmlpath", "--junitxml"), ("log_file", "--log-file")):
        given = config.getoption(destination, None)
        if given:
            yield Path(config.invocation_params.dir, str(given)).resolve(), f"that of {option}"
    for argument in config.args:
        path = Path(config.invocation_params.dir, argument.partition("::")[0])
        if path.suffix == ".py":
            yield path.resolve(), "a file of tests"


def _head(path: Path) -> bytes:
    """The beginning of a file; empty where there is none, or nothing in it."""
    try:
        with path.open("rb") as file:
            return file.read(_HEAD).strip()
    except OSError:
        return b""


def _is_page(head: bytes) -> bool:
    return not head or head.lower().startswith((b"<!doctype", b"<html", b"<!--"))


def _is_summary(head: bytes) -> bool:
    return not head or head.startswith(b"## ")  # which a README does not begin with


def _is_baseline(head: bytes) -> bool:
    from pytest_seedshift.results.baseline import WHAT

    return not head or (head.startswith(b"{") and WHAT.encode() in head)
