"""`seedshift compare OLD NEW`: hold a run against another one, or against a baseline file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pytest_seedshift.cli import CommandError, foreign_scores
from pytest_seedshift.cli.options import FOLDER, STDOUT, Output, PathType, check_output, json_option, output_option
from pytest_seedshift.cli.parser import Command
from pytest_seedshift.core import messages, tables
from pytest_seedshift.core import output as sinks
from pytest_seedshift.core.messages import some, unknown

if TYPE_CHECKING:
    from pytest_seedshift.results.baseline import Baseline
    from pytest_seedshift.results.regression import Comparison
    from pytest_seedshift.results.run import Run
    from pytest_seedshift.studies.likeness import Likeness

FILE_NAME = "comparison.html"


@click.command(
    "compare",
    cls=Command,
    help="Compare two runs pair by pair: is the new version as reliable? OLD is the run folder or the baseline file of "
    "the old version, NEW the run folder of the new one. Status 1 means that NEW is worse. Both may instead be tables "
    "of another harness's scores (.csv): columns id, scores, and prompt if samples share one.",
    examples=(
        "compare baseline.json .seedshift",
        "compare old-run new-run --model mine-v2=mine-v1 --json",
        "compare old.csv new.csv",
    ),
)
@click.argument("old", metavar="OLD", type=PathType())
@click.argument("new", metavar="NEW", type=FOLDER)
@click.option(
    "--model",
    "models",
    metavar="NEW=OLD",
    multiple=True,
    help="A model's name in the new run and in the old one, if they differ. Repeatable.",
)
@click.option("--allow-missing", is_flag=True, help="Compare the cases that both have, if one lacks some.")
@click.option(
    "--likeness",
    is_flag=True,
    help="Measure how alike the pictures of the same pairs are, by SSIM and PSNR, where both runs have kept them.",
)
@output_option(f"{FILE_NAME} in NEW")
@json_option
def command(old: Path, new: Path, models: tuple[str, ...], **options: Any) -> int:
    """What click calls."""
    return run(old, new, models=models, **options)


def run(
    old: Path,
    new: Path,
    *,
    models: Sequence[str] = (),
    allow_missing: bool = False,
    likeness: bool = False,
    output: Output = None,
    as_json: bool = False,
) -> int:
    """Compare; 0 if nothing has become worse beyond chance and what the new run allows, else 1.

    Args:
        old: run folder or baseline file.
        new: run folder.
        models: `NEW=OLD` for each model that has another name.
        allow_missing: whether either may lack cases.
        likeness: whether pictures are compared, too.
        output: the page; None for comparison.html in the new run folder.
        as_json: whether the comparison is printed as JSON.

    Raises:
        CommandError: a folder or file that cannot be used, or runs that cannot be compared.
        UnwritableError: see `atomic_files.check_writable`.
    """
    if foreign_scores.are_tables(old, new):
        return _run_tables(old, new, models, allow_missing, likeness=likeness, output=output, as_json=as_json)
    from pytest_seedshift.reporting import likeness as likenesses
    from pytest_seedshift.reporting import page, regressions, tags
    from pytest_seedshift.results import losses

    out = output or new / FILE_NAME
    check_output(out if output is not None or new.is_dir() else None, as_json=as_json)
    aside = as_json or out == STDOUT
    try:
        after, comparison = _compare(old, new, models, allow_missing)
        alike = _likeness(comparison) if likeness else []
        compared = replace(after, comparison=comparison)
        if isinstance(out, Path):
            page.write(new, out, run=compared)
        else:
            sinks.say_file(page.make(compared))
        if as_json:
            of_pictures = {"likeness": [each.document() for each in alike]} if likeness else {}
            sinks.say_json({**losses.document(comparison), **of_pictures})
        of_verdicts = [] if likeness else likenesses.lines(after)
        sinks.say(*_table(comparison), *tags.compared(comparison), *of_verdicts, err=aside)
        sinks.say(*regressions.lines(comparison), *_alike(alike), err=aside)
        sinks.say(*([messages.relative(str(out))] if isinstance(out, Path) else []), err=aside)
    except OSError as error:
        raise CommandError(f"{out} cannot be written: {error.strerror}") from None
    return 1 if comparison.regressed else 0


def _run_tables(
    old: Path, new: Path, models: Sequence[str], missing: bool, *, likeness: bool, output: Output, as_json: bool
) -> int:
    for name, given in (("--model", bool(models)), ("--likeness", likeness), ("--output", output is not None)):
        if given:
            raise CommandError(f"{name}: belongs to run folders; tables of scores have neither models nor a page")
    return foreign_scores.run(old, new, allow_missing=missing, as_json=as_json)


def _compare(old: Path, new: Path, models: Sequence[str], allow_missing: bool) -> tuple[Run, Comparison]:
    """The new run, and how it compares with the old one."""
    from pytest_seedshift.results import baseline_sources, regression, schema
    from pytest_seedshift.results import comparison as comparisons
    from pytest_seedshift.results import run as runs
    from pytest_seedshift.results.run_folder import RunFolder, VerdictsError

    before, after = baseline_sources.load(old), runs.load(new)
    try:
        folder = RunFolder(new)
        gate = comparisons.gate_of(folder.read(schema.Head), folder.read_document(), new)
    except VerdictsError as error:
        raise CommandError(f"{new}: {error}") from None
    if not any(gate.asked.values() if gate.asked else ()):
        gate = replace(gate, asked=None, family=True)  # any change of any case counts: nobody asked for each alone
    made = baseline_sources.of_run(after)
    gate = replace(gate, models={**(gate.models or {}), **_models(models, made, before)})
    comparison = regression.compare(before, made, gate)
    _check_missing(comparison, allow_missing)
    return after, comparison


def _likeness(comparison: Comparison) -> list[Likeness]:
    """How like the pictures are, case by case."""
    from pytest_seedshift.studies import likeness

    before, after = comparison.before, comparison.after
    for side in (before, after):
        if not side.pictures:
            raise CommandError(
                f"--likeness: {side.name} has no pictures: compare run folders that were made with "
                "--seedshift-keep-images=all, and not a file of scores"
            )
    cases = {case: comparison.other(case) for case in comparison.cases}
    found = list(likeness.of_runs(likeness.of(before), likeness.of(after), cases))
    if not found:
        raise CommandError(f"--likeness: {before.name} and {after.name} have no picture of one and the same pair")
    return found


def _alike(found: Sequence[Likeness]) -> list[str]:
    """A line for each case: how like its pictures are, on how many pairs, and which are least alike."""
    if not found:
        return []
    rows = [("likeness of pictures", "SSIM", "", "PSNR", "", "pairs", "equal", "  least alike")]
    for each in found:
        ssim, psnr = each.estimate("ssim"), each.estimate("psnr")
        label, seed = each.least
        rows.append(
            (
                f"{each.case.model} {each.case.describe()}",
                f"{ssim.mean:.3f}",
                f"({ssim.low:.3f}–{ssim.high:.3f})",
                "the same" if each.equal == each.pairs else f"{psnr.mean:.1f} dB",
                "" if each.equal == each.pairs else f"({psnr.low:.1f}–{psnr.high:.1f})",
                str(each.pairs),
                str(each.equal),
                f"  {label} {seed}: {min(each.values['ssim']):.3f}",
            )
        )
    return tables.table(rows, "<>>>>>><", indent="", gap=" ")


def _models(given: Sequence[str], after: Baseline, before: Baseline) -> dict[str, str]:
    """By its name in the new run, a model's name in the old one; names of derived models have equals signs in them.

    Raises:
        CommandError: what is given is no such pair, or a run has no model of a name.
    """
    named: dict[str, str] = {}
    for text in given:
        parts = text.split("=")
        pairs = [("=".join(parts[:at]), "=".join(parts[at:])) for at in range(1, len(parts))]
        if not pairs or not all(pairs[0]):
            raise CommandError(
                f"--model {text}: give a name in the new run and one in the old, such as mine-v2=mine-v1"
            )
        fitting = [(mine, theirs) for mine, theirs in pairs if mine in after.models and theirs in before.models]
        mine, theirs = (fitting or [pair for pair in pairs if pair[0] in after.models] or pairs)[0]
        for name, side in ((mine, after), (theirs, before)):
            if name not in side.models:
                raise CommandError(f"--model {text}: {side.name}: {unknown('model', name, side.models)}")
        named[mine] = theirs
    return named


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
    from pytest_seedshift.runner import verdict_messages

    rows = [("", "", "old", "", "new", "  pairs")]
    for row in comparison.rows:
        kind = row.score_kind
        name = f"{row.case.model} {row.case.describe()}"
        said = verdict_messages.change(row.change, kind, row.drop)
        changed = f"  {said}{' ✗' if row.regressed else ''}"
        rows.append((name, kind.title, kind.format(row.before), "→", kind.format(row.after), changed))
    return tables.table(rows, "<<><><", least=(33, 6, 6, 1, 7, 0), indent="", gap=" ")
