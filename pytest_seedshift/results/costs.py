"""What each case cost on the way to its verdict: costs.json, a file of its own beside verdicts.json.

A verdict depends on nothing but the case, so that runs, shards and machines can be held against each other byte for
byte. What it cost depends on what was in the store already, on who made the control's samples, and on the machine.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

from pytest_seedshift.core import atomic_files, files
from pytest_seedshift.core.errors import DataError

FILE_NAME = "costs.json"

VERSION = 1

UNKNOWN: Mapping[str, int | float] = {"generated": 0, "seconds": 0.0}
"""Of a case: how many images were generated for it in this run, and how long that took. Here: nothing is known."""

Costs: TypeAlias = "dict[str, Mapping[str, int | float]]"
"""By test (node id)."""


def without(record: Mapping[str, Any]) -> dict[str, Any]:
    """A record as verdicts.json has it."""
    return {name: value for name, value in record.items() if name not in UNKNOWN}


def write(folder: Path, records: Iterable[Mapping[str, Any]]) -> None:
    """Write costs.json of these records, whole or not at all.

    Raises:
        OSError: it cannot be written.
    """
    found = {record["test"]: {name: record[name] for name in UNKNOWN} for record in records}
    text = json.dumps({"version": VERSION, "cases": found}, indent=1, ensure_ascii=False)
    atomic_files.write(folder / FILE_NAME, text + "\n", within=folder)


def read(folder: Path, notes: list[str]) -> Costs:
    """Read costs.json; what cannot be read is told in `notes`, and is no reason to lose a verdict."""
    path = folder / FILE_NAME
    try:
        document = files.read_json(path, within=folder)
        with files.foreign(path):
            if document["version"] == VERSION:
                return {str(test): _cost(entry) for test, entry in document["cases"].items()}
            version = str(document["version"])
        notes.append(f"{FILE_NAME} has the version {version}, this version of seedshift reads {VERSION}")
    except files.MissingFileError:
        notes.append(f"{FILE_NAME} is not there: what the cases cost is not known")
    except files.FileError as error:
        notes.append(f"{FILE_NAME} {error.reason}: what the cases cost is not known")
    return {}


def _cost(entry: Mapping[str, Any]) -> Mapping[str, int | float]:
    generated, seconds = int(entry["generated"]), float(entry["seconds"])
    if generated < 0 or not 0 <= seconds < math.inf:
        raise DataError(f"{generated} images in {seconds} s")
    return {"generated": generated, "seconds": seconds}
