"""How like the pictures of a run are to the baseline's, in a table: of cases of which that was asked."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from pytest_seedshift.core import likeness, messages, tables

if TYPE_CHECKING:
    from pytest_seedshift.core.scores import Estimate
    from pytest_seedshift.results.run import CaseRun, Run

TITLES = {"ssim": "SSIM", "psnr": "PSNR in dB", "embedding": "CLIP cosine", "dinov2": "DINOv2 cosine"}
"""By measure, at the head of a column."""


def cases(run: Run) -> list[CaseRun]:
    """Those cases that have a likeness."""
    return [case for case in run.cases if case.likeness is not None]


def measures(run: Run) -> list[str]:
    """The measures that some case has, in their order."""
    had = likeness.measures(score for case in cases(run) if case.likeness for score in case.likeness.scores)
    return [each for each in likeness.MEASURES if each in had]


def lines(run: Run) -> list[str]:
    """The table for the terminal; nothing where no case has a likeness."""
    found = cases(run)
    if not found:
        return []
    columns = measures(run)
    rows = [["likeness to the baseline", *(TITLES[each] for each in columns), "equal", "least alike"]]
    rows += [_row(case, columns) for case in found]
    certainties = sorted({case.certainty for case in found if case.certainty is not None})
    told = f"  means with {', '.join(map(messages.percent, certainties))} intervals"
    return [*tables.table(rows, "<"), f"{told}{counted(columns)}"]


def counted(columns: list[str]) -> str:
    """What is to be said of how PSNR counts."""
    if "psnr" not in columns:
        return ""
    return f"; a PSNR counts {likeness.MEASURES['psnr'].top:g} dB at most, that of equal pictures is infinite"


def mean(case: CaseRun, measure: str) -> str:
    """The mean of a measure with its interval: `0.981 (0.962–0.993)`; ∞ of a PSNR where all pictures are equal."""
    assert case.likeness is not None
    found: Estimate | None = case.likeness.scores.get(likeness.score_of(measure))
    if found is None:
        return "–"
    if measure == "psnr" and case.likeness.equal == case.likeness.pairs:
        return "∞"
    kind = likeness.MEASURES[measure]
    early = "≈" if case.early else ""
    return f"{early}{kind.format(found.mean)} ({kind.format(found.low)}–{kind.format(found.high)})"


def value(measure: str, of: float) -> str:
    """A pair's: `SSIM 0.812`, `PSNR 24.1 dB`."""
    if measure == "psnr":
        return f"PSNR {'∞' if math.isinf(of) else f'{of:.1f} dB'}"
    return f"{TITLES[measure]} {of:.3f}"


def least(case: CaseRun) -> str:
    """The pair that is least alike: `pizza, seed 3: SSIM 0.812, PSNR 24.1 dB`."""
    assert case.likeness is not None
    label, seed = case.likeness.least
    told = ", ".join(value(each, of) for each, of in case.likeness.values.items() if each in TITLES)
    return f"{label}, seed {seed}: {told}"


def _row(case: CaseRun, columns: list[str]) -> list[str]:
    assert case.likeness is not None
    equal = f"{case.likeness.equal} of {case.likeness.pairs}"
    alike = case.likeness.equal == case.likeness.pairs
    name = f"{case.case.model} {case.case.describe()}"
    return [name, *(mean(case, each) for each in columns), equal, "–" if alike else least(case)]
