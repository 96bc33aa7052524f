"""The plugin that goes back, when tests are over, to the folder in which the session began.

See `core.working_directory`.
"""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import suppress

import pytest


class Return:
    """A plugin that goes back where the session began when its tests are over, before anything is written of it."""

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Generator[None, object, object]:
        """As pytest itself does, but before the hooks of the session's end."""
        try:
            return (yield)
        finally:
            with suppress(OSError):
                os.chdir(session.startpath)
