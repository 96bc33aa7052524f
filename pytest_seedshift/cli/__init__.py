"""What `seedshift` can do: each command a module with `add_arguments` and `run`.

A module of a command imports what is heavy only where it runs.
"""

from __future__ import annotations

PROGRAM = "seedshift"
"""The name under which the commands are installed."""

COMMANDS = {
    "card": "put the results of a run into a model card of Hugging Face, as model-index and as tables",
    "compare": "hold a run against another one, or against a baseline: is the new version as reliable?",
    "merge": "join the runs of shards into one: one verdicts.json, one JUnit file, one page, one exit status",
    "position": "find whether random shifts with a direction move the object in a model's pictures",
    "thresholds": "write thresholds by what a run has measured, so that another draw of its pairs meets them",
    "noise": "measure how far a model's scores move under what should not matter, such as the batch size",
    "report": "make the report of a run folder, or of merged ones, again",
    "why": "cross samplers, clipping and schedules, to see what makes a model hold",
}
"""Each command, by the name of its module, and what it does."""

USAGE_ERROR = 4
"""pytest's own status for a mistake of the user's, and so that of every command."""


class CommandError(Exception):
    """The user's mistake; the message says what is wrong, what is valid, and what to do."""
