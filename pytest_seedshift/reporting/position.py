"""What a study of position control says: in sentences, as a table for the terminal, as JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pytest_seedshift.core import messages, tables
from pytest_seedshift.core.cases import format_magnitude
from pytest_seedshift.core.scores import Estimate

if TYPE_CHECKING:
    from pytest_seedshift.studies.position_control import Placed, Row, Study

VERSION = 1

CAVEAT = (
    "The measured place is where the classifier finds evidence for the label, not the object's outline. On rendered "
    "pictures of the toy classes it is 5 % of the width off in the median. A shift can also move it by changing "
    "colours or recognisable parts of the object."
)


def sentences(study: Study) -> list[str]:
    """What the study found, the null first in doubt: no more than the intervals say."""
    found = [_null(study.null)] if study.null.moves_at_all else []
    pooled = next((row for row in study.rows if row.kind == "pooled"), None)
    if pooled is not None:
        found.append(_along(pooled, f"Under shifts towards a side the evidence of {study.model} moves"))
    else:
        found += [_along(row, f"Under the shift {row.name} the evidence moves") for row in _of(study, "towards")]
    sign = next((row for row in study.rows if row.name == "sign ±"), None)
    if sign is not None:
        figures = f"rightwards {_shown(sign.along)}; downwards {_shown(sign.across)}"
        found.append(
            f"The sign of the plain random shift moves it: {figures}."
            if sign.moves_at_all
            else f"No effect of the plain random shift's sign on the position was found ({figures})."
        )
    return found if study.null.moves_at_all else [*found, _null(study.null)]


def table(study: Study) -> list[str]:
    """The lines of the result; `*` marks a displacement whose interval excludes 0."""
    lines = [
        f"{study.model}: displacement of what shows the label, against the unshifted pictures of the same "
        f"{len(study.control)} pairs",
        f"  η = {format_magnitude(study.magnitude)}, in % of the picture's width; all intervals hold together at "
        f"{messages.percent(study.certainty)}; * excludes 0",
    ]
    rows = [("", "along ", "interval", "across ", "interval", "pairs", "top-1", "")]
    right = {arm.name: rate(study.placed[arm.name]) for arm in study.arms}
    for row in study.rows:
        share = f"{right[row.name]:.2f}" if row.name in right else ""
        left_out = f" ({row.left_out} without evidence)" if row.left_out else ""
        rows.append((row.name, *_cells(row.along), *_cells(row.across), str(row.pairs), share, left_out))
    lines += tables.table(rows, "<><><>><", least=(15, 8, 16, 8, 16, 5, 6, 0), gap=" ")
    lines.append(f"  unshifted: top-1 {rate(study.control):.2f}; {spread(study)}")
    return lines


def spread(study: Study) -> str:
    """How far the position differs from seed to seed without a shift."""
    right, down = study.spread
    if math.isnan(right):
        return "how far the position differs from seed to seed is not known: no label has two seeds with a position"
    return (
        "from seed to seed of a label the position has a standard deviation of "
        f"{_percent(right)} % rightwards, {_percent(down)} % downwards"
    )


def document(study: Study) -> dict[str, Any]:
    """The study in built-in types."""
    return {
        "version": VERSION,
        "model": study.model,
        "magnitude": study.magnitude,
        "certainty": study.certainty,
        "unit": "the picture's width; right and down are positive",
        "spread": {"right": _number(study.spread[0]), "down": _number(study.spread[1])},
        "sentences": sentences(study),
        "rows": [
            {
                "name": row.name,
                "kind": row.kind,
                "along": _estimate(row.along),
                "across": _estimate(row.across),
                "pairs": row.pairs,
                "left_out": row.left_out,
            }
            for row in study.rows
        ],
        "control": _positions(study.control),
        "arms": {
            arm.name: {
                "shift": arm.case.shift,
                "magnitude": arm.case.magnitude,
                "direction": list(arm.direction),
                "positions": _positions(study.placed[arm.name]),
            }
            for arm in study.arms
        },
    }


def as_json(study: Study) -> str:
    """The study as a JSON file has it."""
    return json.dumps(document(study), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def rate(placed: tuple[Placed, ...]) -> float:
    """How many of some pictures are recognised: top-1."""
    return sum(each.right for each in placed) / len(placed)


def _of(study: Study, kind: str) -> list[Row]:
    return [row for row in study.rows if row.kind == kind]


def _along(row: Row, begin: str) -> str:
    if not row.moves:
        return f"{begin} neither along nor against the direction beyond the interval ({_shown(row.along)})."
    if row.along.mean > 0:
        return f"{begin} along the direction, by {_shown(row.along)}."
    turned = Estimate(-row.along.mean, -row.along.high, -row.along.low)
    return f"{begin} against the direction, by {_shown(turned)}."


def _null(row: Row) -> str:
    if row.moves_at_all:
        return (
            f"The null, which has no direction, is displaced beyond its interval: rightwards {_shown(row.along)}, "
            f"downwards {_shown(row.across)}. Trust no other line before that is understood."
        )
    return (
        "The null, which has no direction, is not displaced beyond its interval "
        f"(rightwards {_shown(row.along)}, downwards {_shown(row.across)})."
    )


def _shown(found: Estimate) -> str:
    return f"{_percent(found.mean)} % of the width, {_percent(found.low)} to {_percent(found.high)}"


def _percent(value: float) -> str:
    return "–" if math.isnan(value) else _signless(f"{100 * value:.1f}").replace("-", "−")


def _cells(found: Estimate) -> tuple[str, str]:
    mark = "*" if found.low > 0 or found.high < 0 else " "
    mean, low, high = map(signed, (found.mean, found.low, found.high))
    return f"{mean}{mark}", f"{low} to {high}"


def signed(value: float) -> str:
    """In % of the width, with a sign unless it is 0."""
    return _signless(f"{100 * value:+.1f}")


def _signless(number: str) -> str:
    """A number without a sign where it is 0."""
    return number if float(number) else number.lstrip("+-")


def _estimate(found: Estimate) -> Mapping[str, float]:
    return {"mean": found.mean, "low": found.low, "high": found.high}


def _positions(placed: tuple[Placed, ...]) -> list[dict[str, Any]]:
    return [
        {
            "label": each.pair.label.name,
            "seed": each.pair.seed,
            "x": _number(each.x),
            "y": _number(each.y),
            "right": each.right,
        }
        for each in placed
    ]


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None
