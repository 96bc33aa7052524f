"""Runs of pytest inside pytest, in folders of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from helpers.recall import Memory


@pytest.fixture(scope="module", autouse=True)
def _quick(memory: Memory, warm_executable: None) -> None:
    """Every test here: what the toys have computed is recalled, and `sys.executable` has its libraries loaded."""
