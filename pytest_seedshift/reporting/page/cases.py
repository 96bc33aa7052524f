"""Each case: scores against their bounds and against the control, pictures, the pairs that changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_seedshift.core.scores import CERTAINTY, mean_of
from pytest_seedshift.core.stats.sequential import estimate_drop
from pytest_seedshift.reporting import reasons
from pytest_seedshift.reporting.page.section import Section, section
from pytest_seedshift.reporting.page.shots import Shot, shot

if TYPE_CHECKING:
    from pytest_seedshift.reporting.page.album import Album
    from pytest_seedshift.results.run import CaseRun, Run, Sample

STRIP = 8
"""How many pictures of a case stand in its strip."""

_CHANGED = 8
"""How many changed pairs are shown with their pictures."""

_NAMED = 40
"""How many are named."""


def build(run: Run, album: Album) -> Section | None:
    """Each case in a part of its own that opens; those that do not fail are folded away together."""
    if not run.cases:
        return None
    models = []
    for model in (model for model in run.models if run.of(model)):
        cases = [_case(case, album, run.scores) for case in run.of(model)]
        failing = [each for each in cases if each["case"].failed]
        models.append((model, failing, [each for each in cases if not each["case"].failed]))
    return section("cases", "Case by case", kinds=run.kinds, models=models)


def _case(case: CaseRun, album: Album, scores: list[str]) -> dict[str, Any]:
    paired = [] if case.case.is_control else list(case.paired())
    lost = [pair for pair in paired if pair[0].right and pair[1].right is False]
    won = [pair for pair in paired if pair[0].right is False and pair[1].right]
    told = case.complete and not case.case.is_control and bool(paired)
    return {
        "case": case,
        "reason": reasons.text(case),
        "rows": [_row(case, score, paired if told else []) for score in scores if score in case.scores],
        "pairs": len(paired),
        "strip": _strip(case, album),
        "told": told,
        "judged": "top1" in case.scores,
        "lost": len(lost),
        "won": len(won),
        "changed": _shots(lost, album),
        "unseen": _unseen(lost),
    }


def _row(case: CaseRun, score: str, paired: list[tuple[Sample, Sample]]) -> dict[str, Any]:
    bounds = [each for each in case.findings if each.score == score]
    both = [(before, after) for before, after in paired if score in before.scores and score in after.scores]
    row: dict[str, Any] = {"score": score, "found": case.scores[score], "bounds": bounds, "control": None, "drop": None}
    if both:
        before, after = ([sample.scores[score] for sample in column] for column in zip(*both, strict=True))
        row["control"] = mean_of(case.kinds[score], before)
        row["drop"] = estimate_drop(case.kinds[score], after, before, certainty=case.certainty or CERTAINTY)
    return row


def _strip(case: CaseRun, album: Album) -> list[tuple[Shot | None, Shot]]:
    """The first kept pictures of unlike labels, each with the control's of the same seed vector."""
    by_label: dict[str, Sample] = {}
    for sample in case.samples:
        if sample.picture is not None or sample.lost:
            by_label.setdefault(sample.label, sample)
    chosen = list(by_label.values())[:STRIP]
    return [
        (None if before is None else shot(before, album), shot(sample, album))
        for sample in chosen
        for before in [None if case.case.is_control else case.control.get(sample.pair)]
    ]


def _shots(changed: list[tuple[Sample, Sample]], album: Album) -> list[tuple[Shot, Shot]]:
    seen = [pair for pair in changed if all(sample.picture is not None for sample in pair)][:_CHANGED]
    return [(shot(before, album), shot(after, album)) for before, after in seen]


def _unseen(changed: list[tuple[Sample, Sample]]) -> list[str]:
    seen = [pair for pair in changed if all(sample.picture is not None for sample in pair)]
    rest = [*seen[_CHANGED:], *(pair for pair in changed if pair not in seen)]
    names = [f"{after.label} (seed {after.seed})" for _, after in rest]
    return names[:_NAMED] + ([f"and {len(names) - _NAMED} more"] if len(names) > _NAMED else [])
