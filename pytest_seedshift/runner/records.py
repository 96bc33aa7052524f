"""From a case to its record, and what records say together; their form is `results.schema`.

The format is public and stable; docs: docs/reference/files.md.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from pytest_seedshift.core import pairs, tails
from pytest_seedshift.core.scores import WITHIN
from pytest_seedshift.core.shifts import NONE
from pytest_seedshift.results.statuses import XFAILED, XPASSED
from pytest_seedshift.runner import failures, likenesses, tag_scores
from pytest_seedshift.runner.kept_pictures import strip

if TYPE_CHECKING:
    from pytest_seedshift.core.cases import Case
    from pytest_seedshift.core.pairs import Pair
    from pytest_seedshift.core.scores import Finding
    from pytest_seedshift.results.run_folder import RunFolder
    from pytest_seedshift.results.schema import KeptPicture, Record, Score, Search
    from pytest_seedshift.runner.case_result import CaseResult, Progress
    from pytest_seedshift.runner.samples import Sample

Values: TypeAlias = dict[str, Any]
"""A record in built-in types, as it travels on pytest's reports: see `schema.Form.built_in`."""

_CHANGE = ("lost", "won", "pairs", "p")
"""What JUnit's properties say of a change against the baseline."""


def of_result(result: CaseResult, folder: RunFolder, test: str) -> Record:
    """The record of a case that was judged. The paths of its pictures are relative to the run folder.

    But for `generated` and `seconds`, which are about the way there (see `costs`), it depends on nothing but the case:
    not on where the folder lies, nor on which cases have run before. So of the control it tells only what the
    verdict needs.
    """
    from pytest_seedshift.results import schema  # pydantic, not where tests are collected

    return schema.Record(
        **_head(result.case, test),
        verdict="pass" if result.passed else "error" if result.is_null else "fail",
        reason=_reason(result, folder),
        scores={name: schema.Score.of(estimate) for name, estimate in result.scores.items()},
        images=len(result.samples),
        design=result.design,
        **design_seed(result.samples[0].pair),
        certainty=result.certainty,
        generated=result.generated,
        seconds=round(result.seconds, 3),
        device=result.device,
        dtype=result.dtype,
        constraints=[schema.Constraint.of(finding) for finding in result.findings],
        pictures=_pictures(result, folder),
        **_likeness(result, folder),
        **_tags(result),
        **_marks(result),
    )


def _likeness(result: CaseResult, folder: RunFolder) -> Values:
    """What a record says of the likeness to the baseline's pictures, where that was asked for."""
    found = likenesses.of(result)
    if found is None:
        return {}
    from pytest_seedshift.results import schema

    pair, picture = found.least.pair, found.least.picture
    before = folder.baseline_picture(result.case, pair.label.name, pair.seed)
    values: Values = {name: "inf" if math.isinf(value) else value for name, value in found.least.likeness.items()}
    least = schema.LeastAlike(
        label=pair.label.name,
        seed=pair.seed,
        values=values,
        picture=None if picture is None else picture.relative_to(folder.path).as_posix(),
        baseline=before.relative_to(folder.path).as_posix(),
    )
    scores = {name: schema.Score.of(estimate) for name, estimate in found.scores.items()}
    return {"likeness": schema.Likeness(pairs=found.pairs, equal=found.equal, scores=scores, least=least)}


def _tags(result: CaseResult) -> Values:
    """What a record says by tag, where prompts have tags."""
    from pytest_seedshift.results import schema

    counts = Counter(tag for sample in result.samples for tag in sample.pair.label.tags)
    found = {}
    for tag, by_score in tag_scores.of(result).items():
        scores = {name: schema.Score.of(each) for name, each in by_score.items()}
        found[tag] = schema.TagScores(pairs=counts[tag], scores=scores)
    return {"tags": found} if found else {}


def _marks(result: CaseResult) -> Values:
    """What a record says of a case where it is so."""
    flat, blank = (0, result.blank) if result.passed else (0 if result.is_null else result.flat, 0)
    marks = {"early": result.early, "blank": blank, "flat": flat, "null": result.is_null}
    return {name: value for name, value in marks.items() if value}


def _reason(result: CaseResult, folder: RunFolder) -> str:
    if result.passed:
        return failures.success(result, null=result.is_null)
    if result.is_null:
        return failures.harness(failures.judged(result))
    pictures = folder.picture_folder(result.case).relative_to(folder.path).as_posix()
    return failures.failure(failures.judged(result, control=compares(result.findings))).text(f"pictures: {pictures}")


def compares(findings: Iterable[Finding]) -> bool:
    """Whether a verdict needs the control, so that its record may show it."""
    return any(finding.kind == "max_drop" for finding in findings)


def design_seed(pair: Pair) -> Values:
    """What a record says of the seed of the design that a pair is of: nothing where it is 0."""
    seed = pairs.seed_of(pair.seed)
    return {"design_seed": seed} if seed else {}


def of_error(
    case: Case, reason: str, test: str, *, null: bool = False, verdict: Literal["error", "skipped"] = "error"
) -> Record:
    """The record of a case, perhaps a null control, that could not be judged, or of which the test was skipped."""
    from pytest_seedshift.results import schema

    null_control: Values = {"null": True} if null else {}
    return schema.Record(
        **_head(case, test),
        verdict=verdict,
        reason=reason,
        scores={},
        images=0,
        design=0,
        certainty=None,
        generated=0,
        seconds=0.0,
        device=None,
        dtype=None,
        constraints=[],
        pictures=[],
        **null_control,
    )


def as_expected(record: Record, reason: str, *, strict: bool) -> Record:
    """The record of a case that is expected to fail, as pytest would have it of a test that is marked `xfail`.

    Args:
        record: as it was judged, with a verdict.
        reason: why it is expected to fail.
        strict: whether it fails if it passes.
    """
    changes = {"outcome": XFAILED if record.verdict == "fail" else XPASSED, "xfail": reason}
    if record.verdict == "pass" and strict:
        changes |= {"verdict": "fail", "reason": f"[XPASS(strict)] {reason}: it passes"}
    return record.model_copy(update=changes)


def of_values(values: Mapping[str, Any]) -> Record | Search:
    """The record that was sent in built-in types."""
    return search_of_values(values) if "probes" in values else case_of_values(values)


def of_progress(progress: Progress) -> Values:
    """How far a case has come, in built-in types; of a search for a breaking point, how far one of its magnitudes has.

    Then `id` is the search's, and `before` says how many images its earlier magnitudes took; those that were generated
    for them count in `generated`.
    """
    search = progress.search
    return {
        "id": progress.case.id if search is None else search.id,
        "case": f"{progress.case.model} {progress.case.describe()}",
        "images": progress.images,
        "expected": progress.expected,
        "generated": progress.generated + (0 if search is None else search.generated),
        **({} if search is None else {"before": search.images}),
    }


def case_of_values(values: Mapping[str, Any]) -> Record:
    """The record of a case that was sent in built-in types."""
    from pytest_seedshift.results import schema

    return schema.Record.model_validate(values)


def search_of_values(values: Mapping[str, Any]) -> Search:
    """The record of a search that was sent in built-in types."""
    from pytest_seedshift.results import schema

    return schema.Search.model_validate(values)


def ordinary(records: Sequence[Record]) -> list[Record]:
    """Those that are about a model: all but null controls; these too where there are no others."""
    return [record for record in records if not record.null] or list(records)


def models(records: Sequence[Record | Search]) -> list[str]:
    """The models that records speak of, in their order."""
    return list(dict.fromkeys(record.model for record in records))


def shifts(records: Sequence[Record]) -> list[str]:
    """The shifts that records speak of, in their order, without the control's "none"."""
    return list(dict.fromkeys(record.shift for record in records if record.shift != NONE))


def control(records: Sequence[Record]) -> Record | None:
    """The control's record among those of a model."""
    return next((record for record in records if record.shift == NONE), None)


def properties(record: Record, control: Mapping[str, float] | None = None) -> list[tuple[str, object]]:
    """A record's figures as JUnit's properties, all of them text, as pytest-xdist and XML want it.

    `seedshift_top1` is a score's mean, `seedshift_top1_low` and `…_high` are its interval, and `…_control` is the
    control's mean on the same pairs, as far as it has samples of them: `control` has it by score. Of a bound on
    regressions, `seedshift_top1_regression` is the drop against the baseline, and `…_lost`, `…_won`, `…_pairs` and
    `…_p` are of its pairs.
    """
    named = (
        *("model", "shift", "magnitude", "verdict", "outcome", "xfail"),
        *("images", "design", "design_seed", "certainty"),
    )
    told = record.built_in()
    made: list[tuple[str, object]] = [
        (f"seedshift_{name}", str(told[name])) for name in named if told.get(name) is not None
    ]
    for score, estimate in record.scores.items():
        made.append((f"seedshift_{score}", str(estimate.mean)))
        made += [(f"seedshift_{score}_{end}", str(getattr(estimate, end))) for end in ("low", "high")]
        if control and score in control:
            made.append((f"seedshift_{score}_control", str(control[score])))
    if record.likeness is not None:
        for score, alike in record.likeness.scores.items():
            made += [(f"seedshift_{score}{end}", str(value)) for end, value in _ends(alike)]
        made.append(("seedshift_likeness_equal", str(record.likeness.equal)))
    for tag, found in (record.tags or {}).items():
        for score, estimate in found.scores.items():
            made += [(f"seedshift_{score}@{tag}{end}", str(value)) for end, value in _ends(estimate)]
    for each in record.constraints:
        if tails.of(each.score) is not None:
            ends = (("", each.measured), ("_low", each.low), ("_high", each.high))
            made += [(f"seedshift_{each.score}{end}", str(value)) for end, value in ends if value is not None]
        if each.change is not None:
            name = f"seedshift_{each.score}_{'equivalence' if each.kind == WITHIN else 'regression'}"
            made.append((name, str(each.measured)))
            made += [(f"{name}_{key}", str(getattr(each.change, key))) for key in _CHANGE]
    return made


def _ends(found: Score) -> tuple[tuple[str, float], ...]:
    return ("", found.mean), ("_low", found.low), ("_high", found.high)


def _head(case: Case, test: str) -> Values:
    return {"id": case.id, "test": test, "model": case.model, "shift": case.shift, "magnitude": case.magnitude}


def _pictures(result: CaseResult, folder: RunFolder) -> list[KeptPicture]:
    """The strip's pictures, each with the control's of the same pair, as paths relative to the run folder.

    More may have been kept; which ones depends on how the run went, and a record does not.
    """
    from pytest_seedshift.results import schema

    control = {sample.pair: sample for sample in result.control if sample.picture is not None}
    shown = strip([sample.pair for sample in result.samples])
    kept = []
    for sample in result.pictures:
        if sample.pair not in shown:
            continue
        before, after = control.get(sample.pair), sample.picture
        if before is None or before.picture is None or after is None:
            continue
        kept.append(
            schema.KeptPicture(
                label=sample.pair.label.name,
                seed=sample.pair.seed,
                right=_right(sample),
                picture=after.relative_to(folder.path).as_posix(),
                control=before.picture.relative_to(folder.path).as_posix(),
                control_right=_right(before),
            )
        )
    return kept


def _right(sample: Sample) -> bool | None:
    """Whether top-1 is right; None where nothing asked for it."""
    return bool(sample.scores["top1"]) if "top1" in sample.scores else None
