"""Records of cases for tests, and verdicts.json of whatever they say, also of what no run would write."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pytest_seedshift.results import costs, schema

if TYPE_CHECKING:
    from pytest_seedshift.results.run_folder import RunFolder


def record(values: Mapping[str, Any] | None = None, **more: Any) -> schema.Record:
    """A record of a case that passes unshifted, but for what is given."""
    least = {"model": "toy", "shift": "none", "magnitude": 0.0, "verdict": "pass"}
    return schema.Record.model_validate({**least, **(values or {}), **more})


def records(values: Iterable[Mapping[str, Any]]) -> list[schema.Record]:
    """Several; see `record`."""
    return [record(each) for each in values]


def write(
    folder: RunFolder,
    cases: Sequence[Mapping[str, Any]],
    about: Mapping[str, Any] | None = None,
    breaking: Sequence[Mapping[str, Any]] = (),
) -> None:
    """Write verdicts.json and costs.json as they are given, in built-in types, whether a run would or not."""

    def without(entry: Mapping[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in entry.items() if name not in costs.UNKNOWN}

    document = {"version": 1, **(about or {}), "cases": list(map(without, cases))}
    if breaking:
        document["breaking"] = list(map(without, breaking))
    spent = {each["test"]: {name: each[name] for name in costs.UNKNOWN} for each in (*cases, *breaking)}
    folder.verdicts_file.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    costs_file = folder.path / costs.FILE_NAME
    costs_file.write_text(json.dumps({"version": 1, "cases": spent}, indent=1) + "\n")
