"""What trying remedies would take, in lines for the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_seedshift.core import messages

if TYPE_CHECKING:
    from pytest_seedshift.studies.remedies.plan import Plan


def lines(plan: Plan) -> list[str]:
    """Which remedies are tried on which cases, and how many images and how long that takes at most."""
    named = ", ".join(each.title for each in plan.remedies) or "none"
    couples = f", and at most {messages.count(plan.couples, 'pair')} of them" if plan.couples else ""
    cases = ", ".join(case.describe() for case in plan.cases)
    return [
        f"{messages.count(len(plan.remedies), 'remedy', 'remedies')} to try: {named}{couples}",
        f"on those that fail of {messages.count(len(plan.cases), 'case')}: {cases}; {plan.pairs} pairs of each as it "
        f"is, at most {plan.screened} with a remedy",
        f"at most {plan.images} images{_time(plan)}; verdicts are early, so that it is far less as a rule",
    ]


def _time(plan: Plan) -> str:
    if plan.seconds is None:
        return f" (how long is not known: no image of {plan.model} was timed here yet)"
    return f", {messages.duration(plan.images * plan.seconds)} where a remedy's take as long as {plan.model}'s own"
