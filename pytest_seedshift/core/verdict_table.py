"""`[verdict]` of thresholds.toml: the certainty, what it holds for, and the seed of the designs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pytest_seedshift.core.errors import SeedshiftUsageError
from pytest_seedshift.core.messages import unknown
from pytest_seedshift.core.pairs import MOST_SEED
from pytest_seedshift.core.scores import CERTAINTY, check_certainty
from pytest_seedshift.core.thresholds import ThresholdsError

_KNOWN = ("certainty", "family", "design_seed")


def certainty(content: Mapping[str, Any], source: str) -> float:
    """The certainty of verdicts.

    Raises:
        ThresholdsError: it is none, or the table has another key.
    """
    where = f"{source}: [verdict]"
    for key in content:
        if key not in _KNOWN:
            raise ThresholdsError(f"{where}: {unknown('setting', key, _KNOWN)}")
    value = content.get("certainty", CERTAINTY)
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        raise ThresholdsError(
            f"{where} certainty = {value!r}: give a number above 0.5 and below 1, such as {CERTAINTY}"
        )
    try:
        check_certainty(value)
    except SeedshiftUsageError as error:
        raise ThresholdsError(f"{where} {error}") from None
    return float(value)


def family(content: Mapping[str, Any], source: str) -> bool | str | None:
    """See `thresholds.FAMILIES`.

    Raises:
        ThresholdsError: it is none of these.
    """
    value = content.get("family")
    if value is None or isinstance(value, bool) or value == "regressions":
        return value
    raise ThresholdsError(
        f'{source}: [verdict] family = {value!r}: give true, false or "regressions". The certainty then holds over all '
        "bounds of the grid, for each bound alone, or over all regressions"
    )


def design_seed(content: Mapping[str, Any], source: str) -> int:
    """The seed of the designs; 0 where nothing is said.

    Raises:
        ThresholdsError: it is none.
    """
    value = content.get("design_seed", 0)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= MOST_SEED:
        raise ThresholdsError(
            f"{source}: [verdict] design_seed = {value!r}: give a whole number from 0 to {MOST_SEED}; 0 is the usual "
            "design"
        )
    return value
