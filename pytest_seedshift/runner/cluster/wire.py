"""Values on their way between the processes of one run. Nothing else in the package is ever unpickled.

What is read here was written by a process of the same user for the same run: it comes over a socket that no other
process has, or over Ray, whose token is asked for. Whoever has that token runs code anyway: that is what Ray is for.
"""

from __future__ import annotations

import pickle
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

_INSTALLED = ("site-packages", "dist-packages", ".venv")


def packed(value: object) -> bytes:
    """Plain values of this package."""
    return pickle.dumps(value)


def unpacked(data: bytes) -> Any:
    """The values again.

    Raises:
        Exception: of a module that is not here, whatever it raises.
    """
    return pickle.loads(data)


def packed_by_value(value: object, root: Path) -> bytes:
    """Values with code of the user's own: modules of the project in `root` go along, as they need not be elsewhere.

    Raises:
        Exception: something cannot be packed; of objects of the user's own, whatever they raise.
    """
    import cloudpickle

    found = [module for module in list(sys.modules.values()) if _is_of(module, root)]
    for module in found:
        cloudpickle.register_pickle_by_value(module)
    try:
        data: bytes = cloudpickle.dumps(value)
    finally:
        for module in found:
            cloudpickle.unregister_pickle_by_value(module)
    return data


@contextmanager
def by_value_of_ray(module: ModuleType) -> Iterator[None]:
    """Let Ray send a module along."""
    from ray import cloudpickle as of_ray

    of_ray.register_pickle_by_value(module)
    try:
        yield
    finally:
        of_ray.unregister_pickle_by_value(module)


def _is_of(module: object, root: Path) -> bool:
    file, name = getattr(module, "__file__", None), getattr(module, "__name__", "")
    if not isinstance(file, str) or not isinstance(name, str) or name.partition(".")[0] == "pytest_seedshift":
        return False
    if name == "__main__" or sys.modules.get(name) is not module:  # which go along anyway
        return False
    path = Path(file)
    return path.is_relative_to(root) and not any(part in _INSTALLED for part in path.parts)
