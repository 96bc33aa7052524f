"""Options that have no effect as things stand: on the command line an error, elsewhere a warning.

What is typed for a run is meant for that run. An ini key, or addopts, holds for all runs of a project, and need not
have a meaning in each.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_seedshift.plugin import unjudged

if TYPE_CHECKING:
    from pytest_seedshift.plugin.option_resolution import Settings

_WRITE = "--seedshift-write-thresholds"


def check(config: pytest.Config, settings: Settings, *, has_baseline: bool | None = None) -> list[str]:
    """Look for options without an effect.

    Args:
        config: pytest's.
        settings: the run's.
        has_baseline: whether there is a baseline to compare with; None where that is not known yet.

    Returns:
        Warnings for the user.

    Raises:
        pytest.UsageError: one stands on the command line.
    """
    warnings = []
    for name, lacks in _idle(config, settings, has_baseline):
        said = f"--seedshift-{name} has no effect without {lacks}"
        if unjudged.on_command_line(config, f"--seedshift-{name}"):
            raise pytest.UsageError(f"{said}: leave it out, or add that")
        warnings.append(said)
    return warnings


def _idle(config: pytest.Config, settings: Settings, has_baseline: bool | None) -> list[tuple[str, str]]:
    """The options that have no effect, and what each would need to have one."""
    found = []
    if settings.shard_by is not None and settings.shard is None:
        found.append(("shard-by", "--seedshift-shard"))
    if settings.write_thresholds is None:
        if settings.write_in_ci:
            found.append(("write-in-ci", _WRITE))
        if (config.getoption("--seedshift-write-margin") or config.getini("seedshift_write_margin")) is not None:
            found.append(("write-margin", _WRITE))
    if settings.from_history and (settings.write_thresholds is None or settings.history is None):
        found.append(("from-history", f"{_WRITE} and --seedshift-history=FOLDER"))
    if settings.cluster is None:
        given = (
            ("gpus-per-model", settings.gpus_per_model > 1),
            ("cluster-timeout", settings.cluster_timeout is not None),
            ("cluster-without-token", settings.cluster_without_token),
        )
        found += [(name, "--seedshift-cluster") for name, is_given in given if is_given]
    if settings.allow_missing and has_baseline is False:
        found.append(("allow-missing", "a baseline: --seedshift-baseline=PATH, or [baseline] in the thresholds"))
    if settings.baseline_if_missing == "save" and has_baseline is False:
        found.append(
            ("baseline-if-missing", "--seedshift-baseline=PATH, or [baseline] in the thresholds, which say where")
        )
    return found
