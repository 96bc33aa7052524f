"""An order made with an engine: whatever of its rows can be made is made, and of the others it is known why not."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from pytest_seedshift.core.cases import CaseError, UnusableModelError
from pytest_seedshift.core.files import FileError
from pytest_seedshift.results.pictures import unpacked
from pytest_seedshift.runner.drawn_images import RowsError
from pytest_seedshift.runner.finishing import finish
from pytest_seedshift.runner.generate import Batch, score
from pytest_seedshift.scorers import transfers

if TYPE_CHECKING:
    from pytest_seedshift.runner.generate import Engine
    from pytest_seedshift.runner.orders import Made, Row


@dataclass
class Generated:
    """The images of an order that are not scored yet, and of rows that have none, why."""

    batches: list[Batch] = field(default_factory=list)
    failed: dict[Row, str] = field(default_factory=dict)


def generate(engine: Engine, rows: Sequence[Row]) -> Generated:
    """Generate rows of one model; one that cannot be made takes no other row with it.

    Raises:
        UnusableModelError: the model cannot generate at all.
        Exception: of the machine, such as a GPU that is gone.
    """
    made = Generated()
    given = [row for row in rows if row.given]
    if given:
        _read(engine, given, made)
        rows = [row for row in rows if not row.given]
    for part in _parts(engine, rows) if rows else ():
        _generate(engine, part, made)
    return made


def _read(engine: Engine, rows: Sequence[Row], made: Generated) -> None:
    """Images whose pictures exist, as batches of those of one size."""
    by_size: dict[torch.Size, list[tuple[Row, torch.Tensor]]] = defaultdict(list)
    for row in rows:
        try:
            image = torch.from_numpy(unpacked(row.given, Path(f"the picture of {row.pair}")))
        except FileError as error:
            made.failed[row] = str(error)
        else:
            by_size[image.shape].append((row, image))
    for found in by_size.values():
        of_size, images = zip(*found, strict=True)
        made.batches.append(Batch(of_size, transfers.send(torch.stack(images), engine.device)))


def _parts(engine: Engine, rows: Sequence[Row]) -> Sequence[Sequence[Row]]:
    """Rows that may share a batch: a model of the user's own gets those of one case at once."""
    return [rows] if engine.mixes else _by_case(rows)


def _by_case(rows: Sequence[Row]) -> Sequence[Sequence[Row]]:
    return [[row for row in rows if row.case == case] for case in dict.fromkeys(row.case for row in rows)]


def _generate(engine: Engine, rows: Sequence[Row], made: Generated) -> None:
    done: set[Row] = set()
    try:
        for batch in engine.generate(rows):
            made.batches.append(batch)
            done.update(batch.rows)
    except UnusableModelError:
        raise
    except CaseError as error:
        _go_on(engine, [row for row in rows if row not in done], error, made)


def _go_on(engine: Engine, rows: Sequence[Row], error: CaseError, made: Generated) -> None:
    """After an error of one batch: with the rows that it is not about."""
    if isinstance(error, RowsError):
        made.failed.update(error.failed)
        rest = [row for row in rows if row not in error.failed]
        if rest:
            _generate(engine, rest, made)
    elif len(parts := _by_case(rows)) > 1:
        for part in parts:
            _generate(engine, part, made)
    else:
        made.failed.update(dict.fromkeys(rows, str(error)))


def complete(engine: Engine, made: Generated) -> tuple[Sequence[Made], dict[Row, str]]:
    """Score what was generated and pack its pictures: what was made, and of all other rows why not.

    Raises:
        UnusableModelError: a scorer that can score no picture.
    """
    finished: list[Made] = []
    failed = dict(made.failed)
    waiting = list(made.batches)
    while waiting:
        batch = waiting.pop(0)
        try:
            finished += finish(score(batch, engine.scorers, engine.embedder))
        except UnusableModelError:
            raise
        except RowsError as error:
            failed |= error.failed
            places = [place for place, row in enumerate(batch.rows) if row not in error.failed]
            if places:
                waiting.insert(0, batch.part(places))
        except CaseError as error:
            failed |= dict.fromkeys(batch.rows, str(error))
    return finished, failed
