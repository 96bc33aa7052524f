"""Lines of ours on pytest's terminal."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from pytest_seedshift.plugin import terminal_output

if TYPE_CHECKING:
    import pytest


class Console:
    """Writes where pytest writes; nowhere in a worker of pytest-xdist, which has no terminal."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config

    @property
    def reporter(self) -> pytest.TerminalReporter | None:
        """pytest's own; None where there is none."""
        plugin: pytest.TerminalReporter | None = self._config.pluginmanager.getplugin("terminalreporter")
        return plugin

    def write(self, lines: Iterable[str], *, always: bool = False) -> None:
        """Write lines, unless the user asked for quiet and they are not to be written `always`."""
        reporter = self.reporter
        if reporter is not None and (always or reporter.verbosity >= 0):
            reporter.ensure_newline()
            terminal_output.report(reporter, *lines)

    def warn(self, warnings: Iterable[str]) -> None:
        """Write warnings, whatever the user asked for."""
        self.write([f"seedshift: warning: {warning}" for warning in warnings], always=True)
