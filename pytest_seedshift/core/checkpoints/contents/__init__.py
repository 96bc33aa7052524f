"""Which files of a folder a model, or a scorer, is loaded from, and what these lack: decided before any library looks.

`networks` chooses the weights of one network among the names in its folder, as diffusers and transformers choose them;
`folders` puts together what a pipeline, a part, a classifier or a CLIP model is loaded from; `kinds` says what a folder
is that is none of them; `packages` what a part needs installed. `models.locate` and `checkpoints.repository` find the
folders and say what is wrong, `checkpoints.hashing` hashes what is listed here, `checkpoints.headers` looks into the
files of weights.
"""

from __future__ import annotations

from pytest_seedshift.core.checkpoints.contents.folders import (
    Contents,
    classes,
    classifier,
    clip,
    network,
    of,
    paths,
    pipeline,
    reader,
    variants,
)
from pytest_seedshift.core.checkpoints.contents.kinds import TELLING, hint, instead
from pytest_seedshift.core.checkpoints.contents.networks import Problem
from pytest_seedshift.core.checkpoints.contents.trees import Listed, OnDisk

__all__ = [
    "TELLING",
    "Contents",
    "Listed",
    "OnDisk",
    "Problem",
    "classes",
    "classifier",
    "clip",
    "hint",
    "instead",
    "network",
    "of",
    "paths",
    "pipeline",
    "reader",
    "variants",
]
