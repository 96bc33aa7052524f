"""What the tests of whole runs share."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

EASY = "[default]\ntop1 = 0.0\n"
IMPOSSIBLE = "[default]\nclip = 100.0\n"
SMALL = ("--seedshift-model=toy-latent", "--seedshift-images=16", "--seedshift-batch-size=16")
"""A run of one image a class. Without narrowing it has 31 cases."""
ONE = (*SMALL, "--seedshift-shift=mean", "--seedshift-magnitude=0.3")
"""The control and one shifted case."""


def cases_of(folder: Path) -> dict[str, dict[str, Any]]:
    """The cases of a run folder's verdicts.json, by id."""
    document = json.loads((folder / "verdicts.json").read_text())
    assert document["version"] == 1
    return {case["id"]: case for case in document["cases"]}
