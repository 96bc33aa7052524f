"""Fingerprints: what images and scores are the result of, as a hash, and what is in all of them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from functools import cache
from importlib.metadata import version

MAKING = 2
"""Raise this when a change to this package changes images or scores: noise, shifts, the order of draws, rounding."""


def of_own(kind: str, fingerprint: str, *settings: object) -> str:
    """The fingerprint of a model or a scorer of the user's own, by the one that it gives itself."""
    parts = [kind, MAKING, fingerprint, *map(str, settings), *versions("torch")]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


@cache
def versions(*packages: str) -> Iterable[str]:
    """Of each package its version, as installed: `torch 2.13.0`."""
    return tuple(f"{package} {version(package)}" for package in packages)
