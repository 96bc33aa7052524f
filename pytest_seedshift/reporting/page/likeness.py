"""How like the pictures of each case are to the baseline's, with the pair that is least alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_seedshift.reporting import likeness
from pytest_seedshift.reporting.page.section import Section, section
from pytest_seedshift.reporting.page.shots import Shot, shot_of

if TYPE_CHECKING:
    from pytest_seedshift.reporting.page.album import Album
    from pytest_seedshift.results.run import CaseRun, Run


def build(run: Run, album: Album) -> Section | None:
    """A row a case; None where likeness was asked of none."""
    cases = sorted(likeness.cases(run), key=_alike)
    if not cases:
        return None
    columns = likeness.measures(run)
    return section(
        "likeness",
        "Likeness to the baseline",
        kinds=run.kinds,
        titles=[likeness.TITLES[each] for each in columns],
        rows=[(case, [likeness.mean(case, each) for each in columns], _least(case, album)) for case in cases],
        least=likeness.least,
        counted=likeness.counted(columns),
    )


def _alike(case: CaseRun) -> float:
    assert case.likeness is not None
    return case.likeness.values.get("ssim", 1.0)


def _least(case: CaseRun, album: Album) -> tuple[Shot, Shot] | None:
    """The baseline's picture and this version's; None where all are equal."""
    found = case.likeness
    assert found is not None
    if found.equal == found.pairs:
        return None
    sides = (shot_of(*found.least, None, path, album) for path in (found.before, found.picture))
    return next(sides), next(sides)
