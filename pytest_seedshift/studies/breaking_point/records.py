"""From a search to its record; see `results.breaking_schema`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pytest_seedshift.core.pairs import seed_of
from pytest_seedshift.results import breaking_schema
from pytest_seedshift.runner.verdict_messages import comparison
from pytest_seedshift.studies.breaking_point import messages

if TYPE_CHECKING:
    from pytest_seedshift.core.searches import Search
    from pytest_seedshift.runner.case_result import CaseResult
    from pytest_seedshift.studies.breaking_point.search import BreakingPoint


def of_result(result: BreakingPoint, test: str) -> dict[str, Any]:
    """The record of a search that has ended, in built-in types.

    But for `generated` and `seconds` it depends on nothing but the search: not on what was in the store before.
    """
    low, high = result.interval
    any_probe = result.probes[0]
    made = breaking_schema.Record(
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
        design_seed=seed_of(any_probe.samples[0].pair.seed),
        certainty=result.certainty,
        generated=result.generated,
        seconds=round(result.seconds, 3),
        device=any_probe.device,
        dtype=any_probe.dtype,
    )
    return breaking_schema.built_in(made.model_copy(update={"reason": messages.reason(made)}))


def of_error(search: Search, reason: str, test: str, verdict: Literal["error", "skipped"] = "error") -> dict[str, Any]:
    """The record of a search that could not be ended, or of which the test was skipped."""
    nothing: dict[str, Any] = dict.fromkeys(
        ("at", "holds_at", "low", "high", "minimum", "certainty", "device", "dtype")
    )
    made = breaking_schema.Record(
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
    )
    return breaking_schema.built_in(made)


def properties(record: dict[str, Any]) -> list[tuple[str, object]]:
    """A record's figures as JUnit's properties."""
    told = messages.point(breaking_schema.Record.model_validate(record))
    named = [name for name in ("model", "shift", "verdict", "outcome", "xfail", "images") if name in record]
    return [*((f"seedshift_{name}", record[name]) for name in named), ("seedshift_breaking_point", told)]


def _head(search: Search, test: str) -> dict[str, Any]:
    return {
        "id": search.id,
        "test": test,
        "model": search.model,
        "shift": search.shift,
        "magnitude": search.magnitude,
    }


def _probe(result: CaseResult, clear: bool | None) -> breaking_schema.Probe:
    broken = [comparison(finding) for finding in result.findings if finding.holds is False]
    return breaking_schema.Probe(
        magnitude=result.case.magnitude,
        holds=result.passed,
        clear=clear,
        images=len(result.samples),
        scores={
            name: breaking_schema.Score(mean=found.mean, low=found.low, high=found.high)
            for name, found in result.scores.items()
        },
        broken=broken[0] if broken else "",
    )
