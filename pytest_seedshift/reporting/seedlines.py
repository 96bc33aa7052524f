"""What is said of a model's use of its seed vector, and of its null control."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from pytest_seedshift.core import messages, text
from pytest_seedshift.core.stats.seed_shares import IGNORED, KINDS

if TYPE_CHECKING:
    from pytest_seedshift.core.stats.seed_shares import Sensitivity, Share
    from pytest_seedshift.results.schema import Record
    from pytest_seedshift.results.sensitivity_files import SeedUse


def lines(uses: Mapping[str, SeedUse], records: Iterable[Record]) -> list[str]:
    """For the terminal: a line a model, the warnings, and a line a null control."""
    made = []
    for model, use in uses.items():
        if use.sensitivity is None:
            made.append(f"seed use of {model}: not measured: {use.reason}")
            continue
        made.append(f"seed use of {model}: {short(use.sensitivity)}")
        if use.sensitivity.ignores_vector:
            made.append(f"warning: {warning(model, use.sensitivity)}")
    nulls = [record for record in records if record.null]
    return [*made, *(f"null control of {each.model}: {text.first_line(each.reason)}" for each in nulls)]


def short(found: Sensitivity) -> str:
    """`another seed vector changes pixels 0.93 (0.75–1.16), …; 1 is what another label changes`."""
    vector = ", ".join(f"{title} {interval(found.vector(kind))}" for kind, title in KINDS.items())
    later = ", ".join(f"{title} {interval(found.later(kind))}" for kind, title in KINDS.items())
    also = "other later noise nothing at all" if found.deterministic else f"other later noise {later}"
    return (
        f"another seed vector changes {vector}; {also} "
        f"(of what another label changes; {messages.percent(found.certainty)} intervals)"
    )


def warning(model: str, found: Sensitivity) -> str:
    """That a model does not use its seed vector, and what its robustness is worth."""
    most = max(found.vector(kind).high for kind in KINDS)
    changed = (
        f"its images by at most {number(most)} of what another label does (less than {IGNORED:g} counts as nothing)"
        if most
        else "nothing in its images"
    )
    return (
        f"{model} ignores its seed vector: another one changes {changed}. {messages.count(found.blocks, 'block')} of "
        f"two labels were measured; up to {100 * found.unseen:.0f} % of all may be of a kind that uses it. Where it "
        "holds under a shift, it is robust because it does not use its seed vector"
    )


def interval(share: Share) -> str:
    """`0.93 (0.75–1.16)`, or `0` where no image differs at all."""
    if not share.high:
        return "0"
    high = "∞" if share.high == float("inf") else number(share.high)
    return f"{number(share.value)} ({number(share.low)}–{high})"


def part(share: Share | None) -> str:
    """A share of a variance: `0.93 (0.75–1.00)`; a dash where no picture differs."""
    return "–" if share is None else f"{share.value:.2f} ({share.low:.2f}–{share.high:.2f})"


def number(value: float) -> str:
    """A share with two significant digits: 1.16, 0.93, 0.0086."""
    return f"{value:.2f}" if value >= 0.1 else f"{value:.2g}"
