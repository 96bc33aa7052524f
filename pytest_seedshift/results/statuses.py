"""What came of a case, in one word, and which of these words are worse than others."""

from __future__ import annotations

UNFINISHED = "unfinished"
"""The verdict of a case whose samples exist but which no verdict speaks of."""

SKIPPED = "skipped"
"""The verdict of a case whose test was skipped."""

XFAILED, XPASSED = "xfailed", "xpassed"
"""The outcomes of a test that is expected to fail, in pytest's words: it did, or it passed."""

KNOWN = "known"
"""The status of a known failure: of a case that does not pass, as its test expects."""


def status_of(verdict: str, outcome: str | None) -> str:
    """What came of a case: its verdict, or that it is a known failure."""
    return KNOWN if outcome == XFAILED else verdict


STATUSES = ("fail", "error", UNFINISHED, KNOWN, "pass", "measured", SKIPPED)
"""From the worst. What one test has skipped and another has judged is judged."""


def rank(status: str) -> int:
    """The place of a status from the worst, 0."""
    return STATUSES.index(status)
