"""`seedshift compare OLD NEW`: hold a run against another one, or against a baseline file."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_seedshift import output, whole
from pytest_seedshift.cli import CommandError
from pytest_seedshift.suggest import some, unknown

if TYPE_CHECKING:
    from pytest_seedshift.gate.baseline import Baseline
    from pytest_seedshift.gate.regression import Comparison
    from pytest_seedshift.run import Run

FILE_NAME = "comparison.html"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument("old", metavar="OLD", type=Path, help="run folder or baseline file of the version before")
    parser.add_argument("new", metavar="NEW", type=Path, help="run folder of the version that may not be worse")
    parser.add_argument(
        "--model",
        metavar="NEW=OLD",
        action="append",
        default=[],
        help="a model's name in the new run and in the old one, where they differ; repeatable",
    )
    parser.add_argument("--allow-missing", action="store_true", help="compare what both have where one lacks cases")
    parser.add_argument("--out", metavar="PATH", type=Path, help=f"the page to write (default: {FILE_NAME} in NEW)")


def run(options: argparse.Namespace) -> int:
    """Compare; 0 if nothing has become worse beyond chance and what the new run allows, else 1.

    Raises:
        CommandError: a folder or file that cannot be used, or runs that cannot be compared.
    """
    from pytest_seedshift import run as runs
    from pytest_seedshift.extensions import scores_known
    from pytest_seedshift.gate.baseline import BaselineError
    from pytest_seedshift.report import page, regressions, words
    from pytest_seedshift.scores import recorded

    out = options.out or options.new / FILE_NAME
    if options.out is not None or options.new.is_dir():
        whole.check_writable(out, "--out", parents=True)
    try:
        with scores_known(recorded(runs.head(options.new))):
            after, comparison = _compare(options)
            page.write(options.new, out, run=replace(after, comparison=comparison))
            output.say(*_table(comparison), *regressions.lines(comparison), words.relative(str(out)))
    except (BaselineError, runs.RunError) as error:
        raise CommandError(str(error)) from None
    except OSError as error:
        raise CommandError(f"{out} cannot be written: {error.strerror}") from None
    return 1 if comparison.regressed else 0


def _compare(options: argparse.Namespace) -> tuple[Run, Comparison]:
    """The new run, and how it compares with the old one."""
    from pytest_seedshift import run as runs
    from pytest_seedshift.folder import RunFolder, VerdictsError
    from pytest_seedshift.gate import baselines, comparisons, regression
    from pytest_seedshift.run import form

    before, after = baselines.load(options.old), runs.load(options.new)
    try:
        document = RunFolder(options.new).read_document()
        gate = comparisons.gate_of(form.head(document), document, options.new)
    except VerdictsError as error:
        raise CommandError(f"{options.new}: {error}") from None
    if not any(gate.asked.values() if gate.asked else ()):
        gate = replace(gate, asked=None, family=True)  # any change of any case counts: nobody asked for each alone
    named, made = _models(options.model), baselines.of_run(after)
    for new, old in named.items():
        for name, side in ((new, made), (old, before)):
            if name not in side.models:
                raise CommandError(f"--model {new}={old}: {side.name}: {unknown('model', name, side.models)}")
    gate = replace(gate, models={**(gate.models or {}), **named})
    comparison = regression.compare(before, made, gate)
    _check_missing(comparison, options.allow_missing)
    return after, comparison


def _models(given: Sequence[str]) -> dict[str, str]:
    for text in given:
        if not all(text.partition("=")):
            raise CommandError(
                f"--model {text}: give a name in the new run and one in the old, such as mine-v2=mine-v1"
            )
    return {new: old for new, _, old in (text.partition("=") for text in given)}


def _check_missing(comparison: Comparison, allowed: bool) -> None:
    if allowed:
        return
    before, after = comparison.before, comparison.after
    sides: list[tuple[Baseline, Baseline, Sequence[str]]] = [
        (before, after, [case.id for case in comparison.missing_before]),
        (after, before, [case.id for case in comparison.missing_after]),
    ]
    for side, other, lacking in sides:
        if lacking:
            raise CommandError(
                f"{side.name} lacks {some(lacking, 5)}, which {other.name} has: "
                "compare what both have with --allow-missing"
            )


def _table(comparison: Comparison) -> list[str]:
    """Old and new side by side, a line for each case and score."""
    from pytest_seedshift.report import words
    from pytest_seedshift.scores import SCORES

    told = [f"{'':40} {'old':>6}    {'new':>6}   pairs"]
    for row in comparison.rows:
        kind = SCORES[row.score]
        name = f"{row.case.model} {row.case.describe()}"
        figures = f"{kind.title:6} {kind.format(row.before):>6} →  {kind.format(row.after):>6}"
        said = words.change(row.change, row.score, row.drop)
        told.append(f"{name:<33} {figures}   {said}{' ✗' if row.regressed else ''}")
    return told
