"""How like the images of a batch are to the baseline's pictures of their pairs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from pytest_seedshift.core.errors import InvalidValueError
from pytest_seedshift.core.files import FileError
from pytest_seedshift.core.likeness import EQUAL
from pytest_seedshift.results.pictures import unpacked
from pytest_seedshift.runner.drawn_images import RowsError
from pytest_seedshift.scorers import likeness, transfers

if TYPE_CHECKING:
    from torch import Tensor

    from pytest_seedshift.runner.orders import Row
    from pytest_seedshift.scorers.base import Embedder

_AT_ONCE = 8
"""Pictures that are compared together: SSIM takes some twenty times their memory."""


def measured(
    rows: Sequence[Row], images: Tensor, embedder: Callable[..., Embedder] | None
) -> tuple[Mapping[str, float], ...]:
    """The likeness of each image to the picture of its row's reference.

    Args:
        rows: some of which have a reference.
        images: of all rows, (len(rows), 3, height, width), in [0, 1], in steps of 1/255.
        embedder: gives the network whose embeddings are compared, where a reference asks for that: CLIP, and with a
            source the DINOv2 there.

    Returns:
        Of each row, by measure: `ssim`, `psnr` (infinite of equal pictures), `embedding` and `dinov2` where they are
        asked for, and `equal`; nothing of a row without a reference.

    Raises:
        RowsError: a reference is no picture, or one of another size.
    """
    made: list[Mapping[str, float]] = [{} for _ in rows]
    compared = [row.reference for row in rows if row.reference is not None and row.reference.alike]
    kinds = {(each.embeds, each.dinov2) for each in compared}
    for embeds, dinov2 in sorted(kinds):
        places = [
            place
            for place, row in enumerate(rows)
            if row.reference is not None
            and row.reference.alike
            and (row.reference.embeds, row.reference.dinov2) == (embeds, dinov2)
        ]
        for start in range(0, len(places), _AT_ONCE):
            chunk = places[start : start + _AT_ONCE]
            of_chunk = [rows[place] for place in chunk]
            with _told(of_chunk):
                others = transfers.send(_pictures(of_chunk, images), images.device)
                found = _compared(images, chunk, of_chunk, others, embedder)
            made = [dict(zip(chunk, found, strict=True)).get(place, known) for place, known in enumerate(made)]
    return tuple(made)


def _compared(
    images: Tensor, places: list[int], rows: Sequence[Row], others: Tensor, embedder: Callable[..., Embedder] | None
) -> list[Mapping[str, float]]:
    ours = images[places]
    equal = (ours == others).flatten(1).all(1)
    found = {"ssim": likeness.ssim(ours, others), "psnr": likeness.psnr(ours, others)}
    asked = next((row.reference for row in rows if row.reference is not None), None)
    # Of the whole batch, which has just been scored. In batches of unlike sizes equal pictures may have embeddings that
    # differ in their last bits.
    if embedder is not None and asked is not None and asked.embeds:
        embed = embedder().embed
        embedded = embed(images)[places]
        found["embedding"] = likeness.cosines(embedded, _embeddings(rows, others, embedded, embed)).masked_fill(
            equal, 1.0
        )
    if embedder is not None and asked is not None and asked.dinov2:
        embed = embedder(asked.dinov2).embed
        found["dinov2"] = likeness.cosines(embed(images)[places], embed(others)).masked_fill(equal, 1.0)
    found[EQUAL] = equal.to(ours.dtype)
    columns = transfers.as_lists(list(found.values()))  # the device is waited for once
    return [dict(zip(found, values, strict=True)) for values in zip(*columns, strict=True)]


def _embeddings(rows: Sequence[Row], others: Tensor, embedded: Tensor, embed: Callable[[Tensor], Tensor]) -> Tensor:
    """The embeddings of the references' pictures, (len(rows), width): those that are kept, and of others made."""
    kept = {place: row.reference.embedding for place, row in enumerate(rows) if row.reference is not None}
    kept = {place: each for place, each in kept.items() if each}
    if wrong := {len(each) for each in kept.values()} - {4 * embedded.shape[1]}:
        raise InvalidValueError(
            f"the baseline keeps embeddings of {wrong.pop() // 4} numbers, and the scorer makes {embedded.shape[1]}: "
            "save the baseline again"
        )
    found = torch.empty_like(embedded)
    if kept:
        values = torch.frombuffer(bytearray(b"".join(kept.values())), dtype=torch.float32).view(len(kept), -1)
        found[list(kept)] = transfers.send(values, embedded.device, embedded.dtype)
    if lacking := [place for place in range(len(rows)) if place not in kept]:
        found[lacking] = embed(others[lacking])
    return found


@contextmanager
def _told(rows: Sequence[Row]) -> Iterator[None]:
    """Say of which rows pictures cannot be compared, as those that are too small for a window of SSIM."""
    try:
        yield
    except InvalidValueError as error:
        raise RowsError(
            {row: f"{row.case.model}, {row.case.describe()}, {row.pair}: {error}" for row in rows}
        ) from None


def references(rows: Sequence[Row], images: Tensor) -> Tensor:
    """The pictures of the rows' references, (len(rows), 3, height, width), where each is to have one.

    Raises:
        RowsError: a row has none, or it is no picture, or one of another size.
    """
    lacking = {
        row: f"{row.case.model}, {row.case.describe()}, {row.pair}: the baseline has no picture of this pair to score "
        "the image beside: make it again by --seedshift-exact --seedshift-save-baseline=FOLDER"
        for row in rows
        if row.reference is None
    }
    if lacking:
        raise RowsError(lacking)
    return transfers.send(_pictures(rows, images), images.device)


def _pictures(rows: Sequence[Row], images: Tensor) -> Tensor:
    """The pictures of the references, (len(rows), 3, height, width), of the size of the images."""
    read: list[Tensor] = []
    failed: dict[Row, str] = {}
    for row in rows:
        assert row.reference is not None
        about = f"{row.case.model}, {row.case.describe()}, {row.pair}"
        try:
            picture = torch.from_numpy(unpacked(row.reference.picture, Path("the baseline's picture")))
        except FileError as error:
            failed[row] = f"{about}: {error}"
            continue
        if picture.shape != images.shape[1:]:
            failed[row] = (
                f"{about}: the image has {_size(images)} pixels and the baseline's {_size(picture)}: pictures of "
                "unlike sizes cannot be compared. Save the baseline again at this size, or give the model the "
                "baseline's"
            )
        read.append(picture)
    if failed:
        raise RowsError(failed)
    return torch.stack(read)


def _size(image: Tensor) -> str:
    return f"{image.shape[-1]}×{image.shape[-2]}"
