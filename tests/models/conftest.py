"""Pipelines of these tests are small, and many of them have one fingerprint."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_seedshift.models import prompt_cache

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def _own_prompts() -> Iterator[None]:
    """No pipeline gets what another test's has encoded."""
    yield
    prompt_cache.forget()
