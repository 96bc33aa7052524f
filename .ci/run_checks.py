"""What must be true of a run of the plugin, by what it printed and what it left."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path

CRASHES = ("Traceback (most recent call last)", "INTERNALERROR", "ImportError", "ModuleNotFoundError")
PAGE = 10_000
"""Bytes that no page of a run is smaller than: an empty one is."""


class CheckError(Exception):
    """Something is not as it must be."""


def summary(printed: str) -> str:
    """The last line of a run of pytest, such as `=== 29 passed, 2 failed in 57.30s ===`."""
    found = re.findall(r"^(?:=+ )?(\d+ (?:failed|passed|error).* in [\d.]+s.*?)(?: =+)?$", printed, re.MULTILINE)
    if not found:
        raise CheckError("pytest has printed no summary")
    return f"=== {found[-1]} ==="


def slowest(printed: str) -> list[str]:
    """The lines in which pytest says which tests took longest, where it was asked to."""
    found = re.search(r"^=+ slowest .*?=+$\n((?:^[\d.]+s .*$\n?)*)", printed, re.MULTILINE)
    return [] if found is None else found[1].splitlines()


def errors(printed: str, most: int = 40) -> list[str]:
    """The lines of a run of pytest that say which tests failed, where and why: those of the first failures."""
    found = re.findall(r"^(?:E  .*|_{4,} .* _{4,}|\S+\.py:\d+: \w+)$", printed, re.MULTILINE)
    return found if len(found) <= most else [*found[:most], f"… and {len(found) - most} more lines"]


def run(folder: Path, status: int, printed: str, *, cases: int, pages: Sequence[str]) -> str:
    """A run of the plugin came to its verdicts: all cases judged, the status theirs, the pages there, nothing crashed.

    Args:
        folder: where it ran.
        status: its exit status.
        printed: all that it printed.
        cases: how many it has to judge.
        pages: files of HTML that it has to leave.

    Returns:
        pytest's summary.

    Raises:
        CheckError: with what is not so.
    """
    crashed = [sign for sign in CRASHES if sign in printed]
    if crashed:
        raise CheckError(f"printed {crashed[0]!r}")
    for page in pages:
        path = folder / page
        if not path.is_file() or path.stat().st_size < PAGE or "</html>" not in path.read_text(encoding="utf-8")[-100:]:
            raise CheckError(f"no whole page {page}")
    verdicts = [case["verdict"] for case in json.loads((folder / ".seedshift/verdicts.json").read_text())["cases"]]
    failed = verdicts.count("fail")
    if len(verdicts) != cases or failed + verdicts.count("pass") != cases:
        raise CheckError(f"not {cases} cases with a verdict: {verdicts}")
    if status != (1 if failed else 0):
        raise CheckError(f"status {status}, with {failed} cases failed")
    last = summary(printed)
    counted = {word: int(number) for number, word in re.findall(r"(\d+) (failed|passed|error)", last)}
    if counted != {word: number for word, number in (("failed", failed), ("passed", cases - failed)) if number}:
        raise CheckError(f"{last}, with {failed} of {cases} cases failed")
    return last
