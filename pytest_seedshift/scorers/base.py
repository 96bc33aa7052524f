"""What the engine asks of a scorer, and what loading one has to make sure of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from pytest_seedshift.core import limits
from pytest_seedshift.core.errors import ModelError, SeedshiftError

if TYPE_CHECKING:
    from torch import Tensor

    from pytest_seedshift.core.pairs import Label


LONGER = "Shorten it, or ask for a score whose model reads more in its place: vqa reads thousands of tokens"
"""What to do about a prompt that is longer than a scorer's window."""


class Scorer(Protocol):
    """Scores images against the labels that they should show: what a factory of `pytest_seedshift_scorers` makes."""

    @property
    def fingerprint(self) -> str:
        """A text that changes with all that can change a score; not empty. Scores are found again by it."""

    def check(self, labels: Sequence[Label]) -> None:
        """Make sure of a whole class list, before anything is generated for it.

        Args:
            labels: all of them.

        Raises:
            ModelError: labels that the scorer cannot score; the message names them. A ValueError does as well.
        """

    def score(self, images: Tensor, labels: Sequence[Label]) -> dict[str, Tensor]:
        """One value for each image and score.

        Args:
            images: float, (batch, 3, height, width), in [0, 1], in steps of 1/255.
            labels: what each image should show.

        Returns:
            By score (`top1`, `top5`, `clip`, or the one that it is given as), float32 tensors of shape (batch,), in the
            range that its `ScoreKind` declares; NaN where the scorer has no answer, which is an error of the case.

        Raises:
            ModelError: a label that the scorer cannot score; see `check`.
        """


class PairScorer(Protocol):
    """Scores images beside another image of the same pair: a factory of `pytest_seedshift_scorers` may make this, too.

    The factory has `beside`, as it has `kind`: `"control"` for the image of the same pair without a shift (of a control
    itself that is the same image), `"baseline"` for the baseline's picture of the same case and pair.
    """

    @property
    def fingerprint(self) -> str:
        """A text that changes with all that can change a score; not empty. Scores are found again by it."""

    def check(self, labels: Sequence[Label]) -> None:
        """Make sure of a whole class list; see `Scorer.check`.

        Args:
            labels: all of them.

        Raises:
            ModelError: labels that the scorer cannot score; the message names them. A ValueError does as well.
        """

    def score_pairs(self, images: Tensor, others: Tensor, labels: Sequence[Label]) -> dict[str, Tensor]:
        """One value for each image, by its score.

        Args:
            images: float, (batch, 3, height, width), in [0, 1], in steps of 1/255.
            others: likewise, (batch, 3, height, width): those that they are held against, in the same order.
            labels: what each image should show.

        Returns:
            By the score that it is given as, a float32 tensor of shape (batch,), in the range that its `ScoreKind`
            declares; NaN where the scorer has no answer, which is an error of the case.

        Raises:
            ModelError: a label that the scorer cannot score; see `check`.
        """


@runtime_checkable
class Embedder(Protocol):
    """A scorer that can say where an image lies among all images, whatever it should show."""

    @property
    def fingerprint(self) -> str:
        """A hash of all that can change an embedding."""

    def embed(self, images: Tensor) -> Tensor:
        """The images' embeddings.

        Args:
            images: float, (batch, 3, height, width), in [0, 1], in steps of 1/255.

        Returns:
            Float, (batch, width), each of length 1: their products are cosines.
        """


@contextmanager
def readable(source: str, what: str) -> Iterator[None]:
    """Turn whatever a library raises over a folder that it cannot load into an error that says whose it is.

    Raises:
        ModelError: in place of every error that is none of this package.
    """
    try:
        yield
    except SeedshiftError:
        raise
    except (OSError, ValueError) as error:  # the library's own, which says what is wrong with which file
        raise ModelError(str(error)) from error
    except Exception as error:  # a damaged file, weights of other shapes, a configuration of something else: any class
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ModelError(f"{source} cannot be loaded as {what}: {reason}") from error


def check_finite(model: Any, source: str) -> None:
    """Make sure that a network has no weight that is NaN or infinite: every score of it would be worthless.

    Raises:
        ModelError: it has one; the message says which.
    """
    import torch  # not before a scorer is loaded

    finite = {name: weight.isfinite().all() for name, weight in model.named_parameters() if weight.is_floating_point()}
    if finite and not bool(torch.stack(list(finite.values())).all()):  # a GPU is waited for once
        name = next(name for name, each in finite.items() if not bool(each))
        raise ModelError(f"{source}: the weights {name} have NaN or Inf in them. Get the file again")


def check_prepared(source: str, sides: Iterable[object]) -> None:
    """Make sure that the pictures that a scorer wants fit into memory.

    Args:
        source: the scorer.
        sides: of a picture as it is prepared, in pixels; what is no number is left to the library.

    Raises:
        ModelError: one is longer than that of any image.
    """
    for side in sides:
        if isinstance(side, (int, float)) and not 1 <= side <= limits.SIDE:
            raise ModelError(
                f"{source}: its configuration asks for pictures of {side:,} pixels a side, where 1 to {limits.SIDE:,} "
                "can be made"
            )
