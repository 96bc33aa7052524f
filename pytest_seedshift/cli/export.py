"""`seedshift export RUN`: a run's samples and means in the forms that others read."""

from __future__ import annotations

from pathlib import Path

import click

from pytest_seedshift.cli import CommandError
from pytest_seedshift.cli.options import Output, check_output, output_option, run_argument
from pytest_seedshift.cli.parser import Command
from pytest_seedshift.core import atomic_files
from pytest_seedshift.core import output as sinks
from pytest_seedshift.core.checkpoints import places

ENDINGS = (".csv", ".parquet", ".yaml")


@click.command(
    "export",
    cls=Command,
    help="Write the samples of a run as a table, with a row for each image. The ending of --output gives the format: "
    ".csv or .parquet (pip install 'pytest-seedshift[parquet]'). With .yaml, write one model's means as evaluation "
    "results of Hugging Face, for the folder .eval_results of its repository.",
    examples=(
        "export .seedshift --output samples.csv",
        "export .seedshift --output samples.parquet",
        "export .seedshift --model mine --dataset me/seed-shifts --output .eval_results/seedshift.yaml",
    ),
)
@run_argument
@click.option("--model", metavar="NAME", help="Model to export, if the run has several. Only with .yaml.")
@click.option("--dataset", metavar="OWNER/NAME", help="The benchmark's dataset on the hub. Only with .yaml.")
@output_option("- (CSV)")
def command(run_folder: Path, model: str | None, dataset: str | None, output: Output) -> int:
    """What click calls."""
    return run(run_folder, model=model, dataset=dataset, output=output)


def run(folder: Path, *, model: str | None = None, dataset: str | None = None, output: Output = None) -> int:
    """Export a run.

    Args:
        folder: of the run.
        model: whose means are exported; None where the run has only one.
        dataset: of evaluation results, the benchmark's id.
        output: the file; None for CSV on the standard output.

    Raises:
        CommandError: the folder holds no run, or the options do not fit together.
        ExportError: see `reporting.export`.
        UnwritableError: see `atomic_files.check_writable`.
    """
    from pytest_seedshift.reporting import export
    from pytest_seedshift.results import run as runs

    ending = output.suffix.lower() if isinstance(output, Path) else ".csv"
    _check(ending, output, model, dataset)
    check_output(output)
    found = runs.load(folder)
    if ending == ".yaml":
        assert dataset is not None
        made: str | bytes = export.as_evaluation_results(found, _model(found.models, model), dataset)
    elif ending == ".parquet":
        made = export.as_parquet(export.rows(found))
    else:
        made = export.as_csv(export.rows(found))
    for note in found.notes:
        sinks.say(f"warning: {note}", err=True)
    if not isinstance(output, Path):
        sinks.say_file(str(made))
        return 0
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        atomic_files.write(output, made)
    except OSError as error:
        raise CommandError(f"--output {output}: cannot be written: {error.strerror}") from None
    sinks.say(output)
    return 0


def _check(ending: str, output: Output, model: str | None, dataset: str | None) -> None:
    """Make sure that the options fit together."""
    if ending not in ENDINGS:
        raise CommandError(f"--output {output}: give a name that ends in one of {', '.join(ENDINGS)}")
    if ending == ".yaml" and (dataset is None or places.looks_local(dataset)):
        said = "" if dataset is None else f" {dataset!r}"
        raise CommandError(
            f"--dataset{said}: evaluation results belong to a benchmark: give the id of its dataset on the hub, such "
            "as --dataset me/seed-shifts"
        )
    for name, value in (("--model", model), ("--dataset", dataset)):
        if ending != ".yaml" and value is not None:
            raise CommandError(f"{name} {value}: belongs to --output NAME.yaml; a table has all samples of all models")


def _model(models: list[str], given: str | None) -> str:
    names = ", ".join(models)
    if given is None and len(models) != 1:
        raise CommandError(f"the run is of several models: say which with --model. It has {names}")
    if given is not None and given not in models:
        raise CommandError(f"--model {given}: the run has none of that name. It has {names}")
    return given or models[0]
