"""From a search to its record; see `results.schema`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pytest_seedshift.results import schema
from pytest_seedshift.runner.records import design_seed
from pytest_seedshift.runner.verdict_messages import comparison
from pytest_seedshift.studies.breaking_point import messages

if TYPE_CHECKING:
    from pytest_seedshift.core.searches import Search
    from pytest_seedshift.runner.case_result import CaseResult
    from pytest_seedshift.studies.breaking_point.search import BreakingPoint


def of_result(result: BreakingPoint, test: str) -> schema.Search:
    """The record of a search that has ended.

    But for `generated` and `seconds` it depends on nothing but the search: not on what was in the store before.
    """
    low, high = result.interval
    any_probe = result.probes[0]
    made = schema.Search(
        **_head(result.search, test),
        verdict=result.verdict,
        reason="",
        at=result.at,
        holds_at=result.holds_at,
        low=low,
        high=high,
        recovers=list(result.recovers),
        relapses=[result.search.at(step) for step in result.found.relapses],
        within_budget=result.found.within_budget,
        minimum=result.minimum,
        probes=[_probe(probe, seen.clear) for probe, seen in zip(result.probes, result.found.probes, strict=True)],
        images=result.images,
        scan=(result.found.steps + 1) * result.design,
        design=result.design,
        **design_seed(any_probe.samples[0].pair),
        certainty=result.certainty,
        generated=result.generated,
        seconds=round(result.seconds, 3),
        device=any_probe.device,
        dtype=any_probe.dtype,
        scores={},
    )
    return made.model_copy(update={"reason": messages.reason(made)})


def of_error(search: Search, reason: str, test: str, verdict: Literal["error", "skipped"] = "error") -> schema.Search:
    """The record of a search that could not be ended, or of which the test was skipped."""
    nothing: dict[str, Any] = dict.fromkeys(
        ("at", "holds_at", "low", "high", "minimum", "certainty", "device", "dtype")
    )
    return schema.Search(
        **_head(search, test),
        **nothing,
        verdict=verdict,
        reason=reason,
        recovers=[],
        relapses=[],
        within_budget=True,
        probes=[],
        images=0,
        scan=0,
        design=0,
        generated=0,
        seconds=0.0,
        scores={},
    )


def properties(record: schema.Search) -> list[tuple[str, object]]:
    """A record's figures as JUnit's properties."""
    told = record.built_in()
    named = [name for name in ("model", "shift", "verdict", "outcome", "xfail", "images") if name in told]
    return [
        *((f"seedshift_{name}", told[name]) for name in named),
        ("seedshift_breaking_point", messages.point(record)),
    ]


def _head(search: Search, test: str) -> dict[str, Any]:
    return {
        "id": search.id,
        "test": test,
        "model": search.model,
        "shift": search.shift,
        "magnitude": search.magnitude,
    }


def _probe(result: CaseResult, clear: bool | None) -> schema.Probe:
    broken = [comparison(finding) for finding in result.findings if finding.holds is False]
    return schema.Probe(
        magnitude=result.case.magnitude,
        holds=result.passed,
        clear=clear,
        images=len(result.samples),
        scores={
            name: schema.ProbeScore(mean=found.mean, low=found.low, high=found.high)
            for name, found in result.scores.items()
        },
        broken=broken[0] if broken else "",
    )
