"""What the tests of whole runs share."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from pytest_seedshift.results.run_folder import RunFolder

EASY = "[default]\ntop1 = 0.0\nclip = 0.0\n"
IMPOSSIBLE = "[default]\nclip = 50.0\n"
SMALL = ("--seedshift-model=toy-latent", "--seedshift-images=16", "--seedshift-batch-size=16", "--seedshift-exact")
"""A run of one image a class, all of them looked at. Without narrowing it has 31 cases."""
ONE = (*SMALL, "--seedshift-shift=mean", "--seedshift-magnitude=0.3")
"""The control and one shifted case."""
PAGELESS = (*ONE, "--seedshift-report=none")
"""The same for tests that do not look at the page, which takes a quarter of so short a run."""


def samples_of(folder: Path) -> list[dict[str, Any]]:
    """The samples of a run folder, with the scores of all scorers together."""
    samples: dict[tuple[Any, ...], dict[str, Any]] = {}
    with closing(sqlite3.connect(folder / "samples.sqlite")) as connection:
        connection.row_factory = sqlite3.Row
        for row in connection.execute("SELECT * FROM samples"):
            key = tuple(row[name] for name in ("model", "shift", "magnitude", "label", "seed"))
            sample = samples.setdefault(key, {**row, "scores": {}})
            sample["scores"] |= json.loads(row["scores"])
    return list(samples.values())


def cases_of(folder: Path) -> dict[str, dict[str, Any]]:
    """The cases of a run folder, by id: what verdicts.json and costs.json say of them."""
    notes: list[str] = []
    document = RunFolder(folder).read_document(notes)
    assert notes == []
    return {case["id"]: case for case in document["cases"]}
