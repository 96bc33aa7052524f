"""The command `seedshift`: what each command takes, and what it does with it.

`parser` reads a command line, `main` runs it and turns what goes wrong into a message and an exit status. Each command
is a module with `command`, which click calls, and `run`, which does the same without click. `options` has what
commands have in common. A module of a command imports what is heavy only where it runs.
"""

from __future__ import annotations

from pytest_seedshift.core.errors import SeedshiftUsageError

COMMANDS = {
    "report": "write the report of a run, or of merged runs, again",
    "merge": "join the runs of shards into one: one verdicts.json, one JUnit file, one page, one exit status",
    "compare": "compare a run with another one, or with a baseline: is the new version as reliable?",
    "versus": "run a base and others on the same pairs: which change may be shipped?",
    "history": "show each case over the versions of a model: since when is it worse?",
    "seeds": "find seed indices that are worse than others over all labels, beyond chance",
    "thresholds": "write thresholds from what a run has measured, so that another draw of its pairs meets them",
    "export": "write a run's samples as CSV or Parquet, or its means as evaluation results of Hugging Face",
    "schema": "print the JSON Schema of thresholds.toml or of a run's files, for editors and validators",
    "card": "put the results of a run into a model card of Hugging Face, as model-index and as tables",
    "noise": "measure how far a model's scores move under what should not matter, such as the batch size",
    "position": "find whether random shifts with a direction move the object in a model's pictures",
    "why": "cross samplers, clipping and schedules to see what makes a model hold",
    "remedies": "try what may heal a model's failing cases, and measure what it costs",
    "worst": "search for the worst seed among typical ones: a lower bound on how bad a seed can be",
    "cluster": "show what a run on a Ray cluster would use: machines, GPUs, versions, models",
    "convert-glide": "convert OpenAI's released GLIDE files to a folder that diffusers loads",
}
"""Each command and what it does, in the order of the help page. Its module has its name, with `_` for `-`."""


class CommandError(SeedshiftUsageError):
    """The user's mistake; the message says what is wrong, what is valid, and what to do."""
