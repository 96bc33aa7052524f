"""What each case cost on the way to its verdict: costs.json, a file of its own beside verdicts.json.

A verdict depends on nothing but the case, so that runs, shards and machines can be compared byte for
byte. What it cost depends on what was in the store already, on who made the control's samples, and on the machine.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from pytest_seedshift.core import atomic_files, files

if TYPE_CHECKING:
    from pytest_seedshift.results.schema import Record, Search

FILE_NAME = "costs.json"

VERSION: Literal[1] = 1

UNKNOWN: Mapping[str, int | float] = {"generated": 0, "seconds": 0.0}
"""Of a case: how many images were generated for it in this run, and how long that took. Here: nothing is known."""

Costs: TypeAlias = "dict[str, Mapping[str, int | float]]"
"""By test (node id)."""


def write(folder: Path, records: Iterable[Record | Search]) -> None:
    """Write costs.json of these records, whole or not at all.

    Raises:
        OSError: it cannot be written.
    """
    from pytest_seedshift.results import schema  # pydantic, not where tests are collected

    cases = {each.test: schema.Cost(generated=each.generated, seconds=each.seconds) for each in records}
    text = json.dumps(schema.Costs(version=VERSION, cases=cases).built_in(), indent=1, ensure_ascii=False)
    atomic_files.write(folder / FILE_NAME, text + "\n", within=folder)


def read(folder: Path, notes: list[str]) -> Costs:
    """Read costs.json; what cannot be read is reported in `notes`, and is no reason to lose a verdict."""
    from pytest_seedshift.results import schema

    path = folder / FILE_NAME
    try:
        document = files.read_json(path, within=folder)
        with files.foreign(path):
            if document["version"] == VERSION:
                found = schema.read(schema.Costs, document)
                return {test: each.model_dump() for test, each in found.cases.items()}
            version = str(document["version"])
        notes.append(f"{FILE_NAME} has the version {version}, this version of seedshift reads {VERSION}")
    except files.MissingFileError:
        notes.append(f"{FILE_NAME} is not there: what the cases cost is not known")
    except files.FileError as error:
        notes.append(f"{FILE_NAME} {error.reason}: what the cases cost is not known")
    return {}
