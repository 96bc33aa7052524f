"""The experiment: each arm's displacement against the unshifted pictures of the same pairs."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_seedshift.core import scores
from pytest_seedshift.core.cases import Case, CaseError
from pytest_seedshift.core.errors import InvalidValueError
from pytest_seedshift.core.scores import Estimate, check_certainty
from pytest_seedshift.core.stats.clustered import Displacement, clustered, spread_within
from pytest_seedshift.models import latents
from pytest_seedshift.runner import work
from pytest_seedshift.studies.position_control.conditions import Arm, choose
from pytest_seedshift.studies.position_control.measure import Locator, Placed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_seedshift.runner.workbench import Workbench

MAGNITUDE = 0.3
"""η unless said otherwise: the largest of the default grid."""

CERTAINTY = scores.CERTAINTY
"""The certainty with which all intervals of a study hold together, unless said otherwise."""

_IMAGES = 128
_PER_CLASS = 2


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the result, with intervals at the study's certainty for all lines together.

    Attributes:
        name: an arm's, `all directions` (the mean of what each pair does along the four) or `sign ±` (half of what the
            pair does from −η to +η).
        kind: of what it is a line.
        along: the mean displacement in the direction, in widths of the picture.
        across: across it; see `Arm`.
        pairs: how many pairs it rests on.
        left_out: how many had no position with or without the shift.
    """

    name: str
    kind: str
    along: Estimate
    across: Estimate
    pairs: int
    left_out: int

    @property
    def moves(self) -> bool:
        """Whether the displacement along is beyond its interval: 0 is not in it."""
        return excludes_zero(self.along)

    @property
    def moves_at_all(self) -> bool:
        """Whether the displacement along or across is."""
        return self.moves or excludes_zero(self.across)


@dataclass(frozen=True, slots=True)
class Study:
    """What came of it.

    Attributes:
        model: its name.
        magnitude: η, not 0.
        certainty: with which all intervals hold together: each alone has 1 − (1 − certainty)/(2·rows) (Bonferroni).
        rows: the lines of the result, `all directions` first where all four were asked for, the null last.
        arms: the arms, in the order of their rows.
        control: where the evidence is without a shift, pair by pair.
        placed: by arm, the same under its shift.
        spread: of the position without a shift, from seed to seed of one label: rightwards and downwards.
        generated: how many images were made for it.
        seconds: how many seconds that took.
    """

    model: str
    magnitude: float
    certainty: float
    rows: tuple[Row, ...]
    arms: tuple[Arm, ...]
    control: tuple[Placed, ...]
    placed: Mapping[str, tuple[Placed, ...]]
    spread: tuple[float, float]
    generated: int
    seconds: float

    def row(self, name: str) -> Row:
        """The line of that name.

        Args:
            name: such as `left`, `all directions` or `null`.

        Returns:
            Its displacements along and across, in widths of the picture, with intervals.

        Raises:
            InvalidValueError: there is none.
        """
        for row in self.rows:
            if row.name == name:
                return row
        raise InvalidValueError(f"{name}: the lines are {', '.join(row.name for row in self.rows)}")

    @property
    def null(self) -> Row:
        """The line of the null."""
        return self.row("null")

    def displacements(self, arm: Arm) -> list[Displacement]:
        """Pair by pair, against the unshifted picture.

        Args:
            arm: one of `arms`.

        Returns:
            In widths of the picture, rightwards and downwards; pairs without a position in both are left out.
        """
        return displaced(self.control, self.placed[arm.name])


def excludes_zero(estimate: Estimate) -> bool:
    """Whether 0 is outside of an interval."""
    return estimate.low > 0 or estimate.high < 0


def default_images(classes: int) -> int:
    """How many pairs a study has unless said otherwise: the same number of each class, two at least."""
    return classes * max(_PER_CLASS, math.ceil(_IMAGES / classes))


def run(
    bench: Workbench,
    model: str,
    *,
    magnitude: float = MAGNITUDE,
    directions: Iterable[str] = (),
    images: int | None = None,
    design_seed: int = 0,
    certainty: float = CERTAINTY,
    progress: Callable[[Case, int, int], None] | None = None,
    locator: Locator | None = None,
) -> Study:
    """Run the experiment, or as much of it as is not in the store.

    Args:
        bench: where samples are found and made.
        model: its name.
        magnitude: η, not 0.
        directions: see `conditions.choose`.
        images: pairs, at least one of each class; None for `default_images`.
        design_seed: of the design, see `pairs.design`.
        certainty: of all intervals together.
        progress: called before each case with the case, its place from 1 on and how many there are.
        locator: what finds positions; None for the model's own classifier.

    Raises:
        InvalidValueError: a direction, magnitude, number of images or certainty that cannot be used.
        CaseError: the model has no seed vector with the axes of a picture, something cannot be made or measured.
    """
    arms = choose(model, magnitude, directions)
    check_certainty(certainty)
    design = bench.catalogue.design(model, images or _default(bench, model), design_seed)
    latents.check_design(bench.catalogue.find(model), design)
    if len(design) < 2:
        raise InvalidValueError("one image has no interval: give 2 at least, better two of each class")
    locator = locator or Locator(bench, model)
    made = work.NONE
    found: dict[str, tuple[Placed, ...]] = {}
    cases = [("control", Case(model)), *((arm.name, arm.case) for arm in arms)]
    for number, (name, case) in enumerate(cases, 1):
        if progress is not None:
            progress(case, number, len(cases))
        placed, generated = locator.locate(case, design)
        found[name] = tuple(placed)
        made += generated
    control = found.pop("control")
    return Study(
        model=model,
        magnitude=magnitude,
        certainty=certainty,
        rows=_rows(arms, control, found, certainty),
        arms=arms,
        control=control,
        placed=found,
        spread=_spread(control),
        generated=made.generated,
        seconds=made.seconds,
    )


def displaced(control: Sequence[Placed], shifted: Sequence[Placed]) -> list[Displacement]:
    """By how much each pair is displaced; pairs without a position in both are left out."""
    return [
        Displacement(after.pair.label.name, after.pair.seed, after.x - before.x, after.y - before.y)
        for before, after in zip(control, shifted, strict=True)
        if before.is_somewhere and after.is_somewhere
    ]


def _default(bench: Workbench, model: str) -> int:
    return default_images(len(bench.catalogue.find(model).prompt_set.prompts))


def _spread(control: Sequence[Placed]) -> tuple[float, float]:
    there = [each for each in control if each.is_somewhere]
    labels = [each.pair.label.name for each in there]
    return spread_within([each.x for each in there], labels), spread_within([each.y for each in there], labels)


Moves = dict[tuple[str, int], tuple[float, float]]
"""By label and seed, the displacement along and across."""


def _rows(
    arms: Sequence[Arm], control: Sequence[Placed], found: Mapping[str, Sequence[Placed]], certainty: float
) -> tuple[Row, ...]:
    moves = {arm.name: _moves(arm, displaced(control, found[arm.name])) for arm in arms}
    lines: list[tuple[str, str, Moves]] = []
    towards = [arm for arm in arms if arm.kind == "towards"]
    if len(towards) > 1:
        name = "all directions" if len(towards) == 4 else "these directions"
        lines.append((name, "pooled", _combined([(moves[arm.name], 1 / len(towards)) for arm in towards])))
    lines += [(arm.name, arm.kind, moves[arm.name]) for arm in arms if arm.kind != "null"]
    if "sign +" in moves:
        lines.append(("sign ±", "sign", _combined([(moves["sign +"], 0.5), (moves["sign −"], -0.5)])))
    lines.append(("null", "null", moves["null"]))
    alone = 1 - (1 - certainty) / (2 * len(lines))
    return tuple(_row(name, kind, found_moves, len(control), alone) for name, kind, found_moves in lines)


def _moves(arm: Arm, displacements: Sequence[Displacement]) -> Moves:
    return {
        (each.label, each.seed): (arm.along(each.right, each.down), arm.across(each.right, each.down))
        for each in displacements
    }


def _combined(parts: Sequence[tuple[Moves, float]]) -> Moves:
    """Weighted sums, of the pairs that all parts have."""
    common = set.intersection(*(set(moves) for moves, _ in parts))
    return {
        key: (
            sum(weight * moves[key][0] for moves, weight in parts),
            sum(weight * moves[key][1] for moves, weight in parts),
        )
        for key in parts[0][0]
        if key in common
    }


def _row(name: str, kind: str, moves: Moves, total: int, certainty: float) -> Row:
    labels = [label for label, _ in moves]
    try:
        along, across = (clustered([move[part] for move in moves.values()], labels, certainty) for part in (0, 1))
    except InvalidValueError as error:
        raise CaseError(f"{name}: {error}. The classifier sees no evidence for the labels in the pictures") from None
    return Row(name, kind, along, across, len(moves), total - len(moves))
