"""What goes to where images are made, and what comes back: between the scheduler and this process or a cluster.

All of it is plain values that can be pickled; no tensor passes here. The scheduler alone reads and writes the store.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

if TYPE_CHECKING:
    from pytest_seedshift.core.cases import Case
    from pytest_seedshift.core.pairs import Pair

Scores: TypeAlias = "tuple[dict[str, float], ...]"
"""The scores of one image: for each scorer, in the scorers' order, its values by their names."""

Keeps: TypeAlias = Literal["always", "if wrong", "never"]
"""Whether a row's picture comes back: "if wrong" where its top-1 is 0."""


@dataclass(frozen=True, slots=True)
class Reference:
    """The baseline's picture of a row's pair, with which what is made is compared.

    Attributes:
        picture: a PNG file.
        embeds: whether CLIP's embeddings are compared too.
        embedding: of the picture by the row's scorer, float32, little-endian; empty where it is to be made.
        dinov2: the folder or the hub id of the DINOv2 whose embeddings are compared too; empty for none.
        alike: whether likeness to it is measured; else it is there for scorers that hold an image against it.
    """

    picture: bytes = field(repr=False)
    embeds: bool = False
    embedding: bytes = field(default=b"", repr=False)
    dinov2: str = ""
    alike: bool = True


@dataclass(frozen=True, slots=True)
class Row:
    """One image to be made: a pair under a case's shift, and whether its picture is wanted.

    Attributes:
        given: its picture, a PNG file, where that exists and only scores are wanted; else empty.
        reference: with what it is compared; None where it is not.
    """

    case: Case
    pair: Pair
    picture: Keeps = field(default="never", compare=False)
    given: bytes = field(default=b"", compare=False, repr=False)
    reference: Reference | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Order:
    """Images of one model that are made as one batch; rows of several cases where the model takes that.

    Attributes:
        number: which order of this run, from 0: it names it in messages, and no two are alike.
        model: the model's name.
        rows: what is made, in this order; no two are alike.
    """

    number: int
    model: str
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Made:
    """One image that was made.

    Attributes:
        row: which.
        scores: of each of the model's scorers.
        size: (height, width), in pixels.
        flat: whether it is of one colour.
        sketch: of a control's image, some of its pixels, by which equal pictures are known; empty for all others.
        picture: a PNG file; None where it is not wanted.
        was_given: whether its picture was there before.
        likeness: to the picture of the row's reference, by measure (see `core.likeness`); a PSNR may be infinite.
    """

    row: Row
    scores: Scores
    size: tuple[int, int]
    flat: bool = False
    sketch: bytes = b""
    picture: bytes | None = None
    was_given: bool = False
    likeness: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Done:
    """What came of an order: each of its rows is in one of both.

    Attributes:
        order: which.
        slot: where it was made.
        made: the images.
        failed: of rows that cannot be made, why, as a case's error says it.
        unusable: why no row of the model can be made at all, here or elsewhere; empty where that is not so.
        seconds: how long it took to make them, loading not counted.
    """

    order: Order
    slot: str
    made: tuple[Made, ...] = ()
    failed: Mapping[Row, str] = field(default_factory=dict)
    unusable: str = ""
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Slot:
    """One place where batches are made: this process, or an actor with its GPU.

    Attributes:
        name: such as `node-2/gpu-0`.
        kind: of hardware, such as `NVIDIA H200`: equal kinds are equally fast.
        model: which is loaded, or will be after the orders that wait there; None for none.
        waiting: how many orders are there that are not done.
    """

    name: str
    kind: str
    model: str | None = None
    waiting: int = 0


class Executor(Protocol):
    """Makes batches. Whatever dies beneath it is its own business: each order ends in one `Done`, once."""

    is_here: bool
    """Whether it is this process that makes them, at its one slot, and not others."""

    def slots(self) -> Sequence[Slot]:
        """The places that there are now; they come and go.

        Raises:
            HarnessError: there are none left, and none will come.
        """

    def batch_size(self, model: str, slot: str) -> int:
        """How many rows suit a model there: 1, 2, 4, 8, 16 or 32. Not known before it runs: a guess."""

    def know(self, model: str, kind: str, batch_size: int) -> None:
        """Take over how many rows suit a model on a kind of hardware, so that it need not be measured there."""

    def submit(self, slot: str, order: Order) -> None:
        """Have an order made at a place, after those that wait there; another model is loaded first."""

    def wait(self, seconds: float | None = None) -> Sequence[Done]:
        """What has come since, at least one unless the time is over or a slot has come or gone; None for no limit.

        Raises:
            HarnessError: there are no places left, and none will come.
        """

    def call(self, model: str, study: Callable[..., Any], *arguments: object) -> Any:
        """Have something else done with a loaded model: `study(pool, model, *arguments)`, pool a `ModelPool`.

        For what is no batch, such as a seed sensitivity or a trajectory. It waits for its end and returns what the
        study returns; orders go on meanwhile. The function and its values are picklable.

        Raises:
            CaseError: what the study raises.
            HarnessError: there are no places left.
        """

    def close(self) -> Sequence[Done]:
        """Begin nothing new, wait for what is being made, and let everything go; what came of the last orders."""
