"""What is installed, read once: every pytest that starts in this process asks for all of it again."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from importlib.metadata import Distribution, PathDistribution
from pathlib import Path
from typing import Any

import pytest


@contextmanager
def remembered() -> Iterator[None]:
    """Remember entry points and metadata of what is installed now; what tests install in other folders is read anew."""
    folders = frozenset(path for path in sys.path if path.endswith("site-packages"))

    def once(native: Callable[[Any], Any]) -> Callable[[Any], Any]:
        known: dict[str, Any] = {}

        @wraps(native)
        def read(distribution: Any) -> Any:
            path = getattr(distribution, "_path", None)
            if not isinstance(path, Path) or str(path.parent) not in folders:
                return native(distribution)
            key = str(path)
            if key not in known:
                known[key] = native(distribution)
            return known[key]

        return read

    with pytest.MonkeyPatch.context() as patch:
        for name in ("entry_points", "metadata", "files"):
            patch.setattr(PathDistribution, name, property(once(getattr(Distribution, name).fget)))
        patch.setattr(PathDistribution, "_normalized_name", property(once(PathDistribution._normalized_name.fget)))
        yield
