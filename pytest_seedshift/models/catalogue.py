"""The models that have a name, and what a name, a folder or a hub id stands for.

Nothing here loads a model: this is read while tests are collected.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_seedshift import pairs as pairing
from pytest_seedshift.models.base import Entry
from pytest_seedshift.suggest import unknown
from pytest_seedshift.weights import probe

if TYPE_CHECKING:
    from pytest_seedshift.models.base import TextToImage
    from pytest_seedshift.pairs import Pair


def _shipped(folder: str, name: str) -> str:
    return str(files("pytest_seedshift").joinpath(folder, "toys", name))


_CATALOGUE = {
    entry.name: entry
    for entry in (
        Entry(
            "toy-latent",
            _shipped("models", "toy-latent"),
            steps=10,
            guidance=1.0,
            classes="toy16",
            classifier=_shipped("scorers", "toy-vit"),
            clip=_shipped("scorers", "toy-clip"),
        ),
        Entry("sd21", "stabilityai/stable-diffusion-2-1"),
        Entry("sd21-base", "stabilityai/stable-diffusion-2-1-base"),
    )
}


def find(name: str) -> Entry:
    """What a model's name stands for: a name of the catalogue, else a folder or a hub id (`owner/name`).

    Raises:
        ValueError: a plain word that is neither in the catalogue nor a folder.
    """
    if name in _CATALOGUE:
        return _CATALOGUE[name]
    if "/" in name or Path(name).expanduser().is_dir():
        return Entry(name, name)
    raise ValueError(f"{unknown('model', name, _CATALOGUE)} (or a folder, or a hub id 'owner/name')")


@cache
def design(name: str, images: int | None) -> tuple[Pair, ...]:
    """The design of a model's cases: its class list and so many images; None for `pairs.default_images`.

    Raises:
        ValueError: an unknown model, or fewer images than classes.
    """
    labels = pairing.class_list(find(name).classes)
    return pairing.design(labels, images or pairing.default_images(len(labels)))


def check_weights(entry: Entry) -> None:
    """Make sure that the weights of a model and of its scorers can be had.

    Raises:
        WeightsNotFoundError: they are nowhere; the message says what was tried.
    """
    probe(entry.source, "model_index.json")
    probe(entry.classifier, "config.json")
    probe(entry.clip, "open_clip_config.json")


def load(entry: Entry, device: str, dtype: str) -> TextToImage:
    """Load a model onto a device, ready to generate.

    Raises:
        WeightsNotFoundError: the weights are nowhere.
    """
    from pytest_seedshift.models.pipeline import DiffusersPipeline

    return DiffusersPipeline.load(entry, device, dtype)
