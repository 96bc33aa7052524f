"""What can change a shipped scorer's scores, as a hash. Nothing here loads one."""

from __future__ import annotations

from functools import cache

from pytest_seedshift.core import fingerprint
from pytest_seedshift.core.checkpoints import hashing, repository
from pytest_seedshift.scorers import clip_sources


def of_classifier(source: str) -> str:
    """The fingerprint of all that can change a classifier's scores.

    Raises:
        WeightsNotFoundError: the weights are nowhere.
    """
    folder = repository.fetch(source, repository.CLASSIFIER_FILES)
    return hashing.fingerprint(
        folder, fingerprint.MAKING, "top1 top5", *fingerprint.versions("torch", "torchvision", "transformers")
    )


def of_dinov2(source: str) -> str:
    """The fingerprint of all that can change an embedding by DINOv2.

    Raises:
        WeightsNotFoundError: the weights are nowhere.
    """
    folder = repository.fetch(source, repository.CLASSIFIER_FILES)
    return hashing.fingerprint(
        folder, fingerprint.MAKING, "dinov2", *fingerprint.versions("torch", "torchvision", "transformers")
    )


def of_position(source: str) -> str:
    """The fingerprint of all that can change where a classifier sees its label.

    Raises:
        WeightsNotFoundError: the weights are nowhere.
    """
    folder = repository.fetch(source, repository.CLASSIFIER_FILES)
    how = "position by gradient × input, against the mean colour"
    return hashing.fingerprint(
        folder, fingerprint.MAKING, how, *fingerprint.versions("torch", "torchvision", "transformers")
    )


def of_clip(source: str) -> str:
    """The fingerprint of all that can change a CLIP score.

    Raises:
        WeightsNotFoundError: the weights are nowhere.
    """
    return clip_sources.find(source).fingerprint()


@cache
def weights_of_scorers(classifier: str, clip: str) -> tuple[str, str]:
    """The fingerprints of the scorers' weights alone, of whatever version the libraries are; of no source, no print.

    By them a run is comparable with one before an upgrade of the libraries, which is then a part of what is compared.

    Raises:
        WeightsNotFoundError: the weights are nowhere.
    """
    first = second = ""
    if classifier:
        first = hashing.fingerprint(repository.fetch(classifier, repository.CLASSIFIER_FILES), "top1 top5")
    if clip:
        second = clip_sources.find(clip).weights()
    return first, second
