"""A run in the forms that others read: its samples as CSV or Parquet, its means as evaluation results of the hub."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pytest_seedshift.core.cases import format_magnitude
from pytest_seedshift.core.errors import DataError
from pytest_seedshift.results.run import UNFINISHED
from pytest_seedshift.results.statuses import SKIPPED

if TYPE_CHECKING:
    from pytest_seedshift.results.run import CaseRun, Run


class ExportError(DataError):
    """A run that cannot be exported so; the message says why, and what to do."""


def rows(run: Run) -> list[dict[str, Any]]:
    """A row a sample: what `Run.sample_rows` has, and the verdict of its case.

    Raises:
        ExportError: the run has no samples.
    """
    verdicts = {each.id: each.verdict for each in run.cases}
    found = [{"verdict": verdicts[row["case"]], **row} for row in run.sample_rows()]
    if not found:
        raise ExportError(f"{run.path} has no samples: they are in its samples.sqlite, and no case has used any")
    return found


def as_csv(table: Sequence[Mapping[str, Any]]) -> str:
    """Rows as CSV, in UTF-8 with a head; empty where a value is missing. Numbers have full precision.

    Args:
        table: at least one row, all of the same keys.
    """
    made = io.StringIO(newline="")
    writer = csv.DictWriter(made, list(table[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(table)
    return made.getvalue()


def as_parquet(table: Sequence[Mapping[str, Any]]) -> bytes:
    """Rows as the content of a Parquet file: texts, whole numbers of seeds, and scores as float64.

    Args:
        table: at least one row, all of the same keys.

    Raises:
        ExportError: pyarrow is not installed.
    """
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise ExportError(
            "Parquet needs pyarrow, which is not installed: pip install 'pytest-seedshift[parquet]', or export to a "
            "file that ends in .csv"
        ) from None
    texts = ("verdict", "case", "model", "shift", "label", "picture")
    kinds = {name: pyarrow.string() for name in texts} | {"seed": pyarrow.int64()}
    schema = pyarrow.schema([(name, kinds.get(name, pyarrow.float64())) for name in table[0]])
    sink = pyarrow.BufferOutputStream()
    parquet.write_table(pyarrow.Table.from_pylist(list(table), schema=schema), sink)
    return bytes(sink.getvalue().to_pybytes())


def as_evaluation_results(run: Run, model: str, dataset: str) -> str:
    """A model's means as `.eval_results/*.yaml` of a repository on the hub has them, made and read by huggingface_hub.

    One entry a case and score; its task is called such as `top1_mean_+0.30`.

    Args:
        run: what its folder holds.
        model: which of its models.
        dataset: the id of the benchmark on the hub, such as `me/seed-shifts`.

    Raises:
        ExportError: no case of the model was judged, or huggingface_hub is too old.
    """
    import yaml

    try:
        from huggingface_hub import EvalResultEntry, eval_result_entries_to_yaml, parse_eval_result_entries
    except ImportError:
        from huggingface_hub import __version__

        raise ExportError(
            f"huggingface_hub {__version__} knows no evaluation results (.eval_results): pip install -U huggingface_hub"
        ) from None
    date = next((facts.started.replace(" ", "T") + "Z" for facts in run.facts if facts.started), None)
    entries = [
        EvalResultEntry(dataset, f"{score}_{_task(case)}", round(found.mean, 4), date=date, notes=_notes(case, score))
        for case in run.of(model)
        if case.verdict not in ("error", UNFINISHED, SKIPPED)
        for score, found in case.scores.items()
    ]
    if not entries:
        raise ExportError(f"no case of {model} has a verdict: there is nothing to export")
    made = eval_result_entries_to_yaml(entries)
    text: str = yaml.safe_dump(made, sort_keys=False, allow_unicode=True, width=math.inf)
    if parse_eval_result_entries(yaml.safe_load(text)) != entries:
        raise ExportError("huggingface_hub does not read its evaluation results as they are written")
    return text


def _task(case: CaseRun) -> str:
    if case.case.is_control:
        return "control"
    return f"{case.case.shift}_{format_magnitude(case.case.magnitude)}"


def _notes(case: CaseRun, score: str) -> str:
    """What a mean has to be read with."""
    found = case.scores[score]
    sure = "" if case.certainty is None else f"{100 * case.certainty:g} % "
    early = ", early" if case.early else ""
    return f"{sure}interval {found.low:.4g} to {found.high:.4g}; {case.images} of {case.design} images{early}"
