"""Each case: scores against their bounds and against the control, pictures, the pairs that changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_seedshift.core import tags, tails
from pytest_seedshift.core.scores import CERTAINTY, Estimate, mean_of
from pytest_seedshift.core.stats.sequential import estimate_drop
from pytest_seedshift.reporting import reasons
from pytest_seedshift.reporting.page.section import Section, section
from pytest_seedshift.reporting.page.shots import shot

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

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
        cases = [_case(case, run.scores) for case in run.of(model)]
        failing = [each for each in cases if each["case"].failed]
        models.append((model, cases, failing, [each for each in cases if not each["case"].failed]))
    every = [each for _, cases, _, _ in models for each in cases]
    _admit(every, album)
    for each in every:
        _add_pictures(each, album)
    left_out = [each["left_out"] for each in every]
    return section(
        "cases",
        "Case by case",
        kinds=run.kinds,
        models=[(model, failing, others) for model, _, failing, others in models],
        left_out=sum(left_out),
        most=album.most,
        failing_too=any(out for each, out in zip(every, left_out, strict=True) if each["case"].failed),
    )


def _admit(cases: list[dict[str, Any]], album: Album) -> None:
    """Take the pictures of all cases into the album; where there is no room for them, those of failing cases alone.

    First all of their strips, as many as there is room for, then the pairs that changed.
    """
    if album.has_room(path for each in cases for part in ("strip", "changed") for path in _paths(each[part])):
        return
    for each in cases:
        each["left_out"] = bool(_paths(each["strip"]))
        if each["case"].failed and album.admit(_paths(each["strip"])):
            each["left_out"] = False
    for each in cases:
        if each["left_out"] or not each["case"].failed or not album.admit(_paths(each["changed"])):
            each["unseen"], each["crowded"] = _names([*each["changed"], *each["others"]]), bool(each["changed"])
            each["changed"] = []
        if each["left_out"]:
            each["strip"] = []


def _paths(pairs: list[tuple[Sample | None, Sample]]) -> list[Path]:
    """The pictures of some pairs."""
    return [each.picture for pair in pairs for each in pair if each is not None and each.picture is not None]


def _add_pictures(each: dict[str, Any], album: Album) -> None:
    """Put a case's pictures into the album, and what is shown of them in the place of the samples."""
    for part in ("strip", "changed"):
        each[part] = [
            (None if before is None else shot(before, album), shot(after, album)) for before, after in each[part]
        ]


def _case(case: CaseRun, scores: list[str]) -> dict[str, Any]:
    paired = [] if case.case.is_control else list(case.paired())
    lost = [pair for pair in paired if pair[0].right and pair[1].right is False]
    won = sum(1 for before, after in paired if before.right is False and after.right)
    told = case.complete and not case.case.is_control and bool(paired)
    with_both = [pair for pair in lost if _has_both(pair)]
    others = [*with_both[_CHANGED:], *(pair for pair in lost if not _has_both(pair))]
    return {
        "case": case,
        "reason": reasons.text(case),
        "rows": [
            *(_row(case, score, paired if told else []) for score in scores if score in case.scores),
            *_tag_rows(case),
            *_tail_rows(case),
        ],
        "pairs": len(paired),
        "strip": _strip(case),
        "told": told,
        "judged": "top1" in case.scores,
        "lost": len(lost),
        "won": won,
        "changed": with_both[:_CHANGED],
        "others": others,
        "unseen": _names(others),
        "left_out": False,
        "crowded": False,
    }


def _tag_rows(case: CaseRun) -> list[dict[str, Any]]:
    """The scores of tags of which something is asked."""
    rows = []
    for score in dict.fromkeys(each.score for each in case.findings):
        found = case.tags.get(tags.tag_of(score) or "")
        if found is not None and tails.of(score) is None and tags.plain(score) in found.scores:
            bounds = [each for each in case.findings if each.score == score]
            mean = found.scores[tags.plain(score)]
            rows.append({"score": score, "found": mean, "bounds": bounds, "control": None, "drop": None})
    return rows


def _tail_rows(case: CaseRun) -> list[dict[str, Any]]:
    """What is measured of tails of which something is asked."""
    rows = []
    for each in case.findings:
        if tails.of(each.score) is not None and each.low is not None and each.high is not None:
            found = Estimate(each.measured, each.low, each.high)
            rows.append({"score": each.score, "found": found, "bounds": [each], "control": None, "drop": None})
    return rows


def _row(case: CaseRun, score: str, paired: list[tuple[Sample, Sample]]) -> dict[str, Any]:
    bounds = [each for each in case.findings if each.score == score]
    both = [(before, after) for before, after in paired if score in before.scores and score in after.scores]
    row: dict[str, Any] = {"score": score, "found": case.scores[score], "bounds": bounds, "control": None, "drop": None}
    if both:
        before, after = ([sample.scores[score] for sample in column] for column in zip(*both, strict=True))
        row["control"] = mean_of(case.kinds[score], before)
        row["drop"] = estimate_drop(case.kinds[score], after, before, certainty=case.certainty or CERTAINTY)
    return row


def _strip(case: CaseRun) -> list[tuple[Sample | None, Sample]]:
    """The first kept pictures of unlike labels, each with the control's of the same seed vector."""
    by_label: dict[str, Sample] = {}
    for sample in case.samples:
        if sample.picture is not None or sample.lost:
            by_label.setdefault(sample.label, sample)
    chosen = list(by_label.values())[:STRIP]
    return [(None if case.case.is_control else case.control.get(sample.pair), sample) for sample in chosen]


def _has_both(pair: tuple[Sample, Sample]) -> bool:
    return pair[0].picture is not None and pair[1].picture is not None


def _names(changed: Sequence[tuple[Sample, Sample]]) -> list[str]:
    """The names of changed pairs without their pictures."""
    names = [f"{after.label} (seed {after.seed})" for _, after in changed[:_NAMED]]
    return names + ([f"and {len(changed) - _NAMED} more"] if len(changed) > _NAMED else [])
