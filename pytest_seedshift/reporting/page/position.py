"""The page of a study of position control: one HTML file that needs nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_seedshift.core import files, messages
from pytest_seedshift.core.cases import format_magnitude
from pytest_seedshift.core.scores import Estimate
from pytest_seedshift.reporting import html, position
from pytest_seedshift.reporting.html import fill
from pytest_seedshift.reporting.page import scatter
from pytest_seedshift.reporting.page.album import Album
from pytest_seedshift.runner.kept_pictures import STRIP

if TYPE_CHECKING:
    from markupsafe import Markup

    from pytest_seedshift.core.pairs import Pair
    from pytest_seedshift.studies.position_control import Arm, Placed, Row, Study


def make(study: Study, command: str) -> str:
    """The page, as HTML; `command` is how it was made."""
    album = Album()
    rates = {arm.name: position.rate(study.placed[arm.name]) for arm in study.arms}
    rows = [{"row": row, "top1": rates.get(row.name), "shift": _shift(study, row)} for row in study.rows]
    strips = _strips(study, album)
    return fill(
        "position.html.jinja2",
        title=f"Position control of {study.model}",
        style=html.style(),
        study=study,
        magnitude=format_magnitude(study.magnitude),
        sentences=position.sentences(study),
        caveat=position.CAVEAT,
        rows=rows,
        panels=_panels(study),
        strips=strips,
        labels=[f"{pair.label.name}, {pair.seed}" for pair in _shown(study)],
        signed=lambda value: position.signed(value).replace("-", "−"),
        made=_made(study),
        spread=position.spread(study),
        control=position.rate(study.control),
        command=command,
        definitions=album.definitions(),
    )


def _made(study: Study) -> str:
    """How many images were made for the study, and how many were there before."""
    all_images = len(study.control) * (1 + len(study.arms))
    if not study.generated:
        return f"All {all_images} images were in the store, none was made"
    made = f"{messages.count(study.generated, 'image')} made in {messages.duration(study.seconds)}"
    before = all_images - study.generated
    return f"{made}, the other {before} were in the store" if before > 0 else made


def _shift(study: Study, row: Row) -> str:
    return next((arm.case.describe() for arm in study.arms if arm.name == row.name), "")


def _panels(study: Study) -> list[tuple[str, Markup]]:
    clouds = []
    for arm in study.arms:
        row = study.row(arm.name)
        points = [(100 * each.right, 100 * each.down) for each in study.displacements(arm)]
        right, down = (_times(part, 100) for part in _turned_back(arm, row))
        clouds.append((arm, scatter.Cloud(points, right, down, arm.direction if arm.kind == "towards" else None)))
    reach = scatter.reach_of([cloud for _, cloud in clouds])
    return [(_title(arm), scatter.panel(cloud, reach)) for arm, cloud in clouds]


def _turned_back(arm: Arm, row: Row) -> tuple[Estimate, Estimate]:
    """From along and across to rightwards and downwards: every direction is one of the picture's axes."""
    right, down = arm.direction
    if right:
        return _times(row.along, right), _times(row.across, right)
    return _times(row.across, -down), _times(row.along, down)


def _times(found: Estimate, sign: float) -> Estimate:
    ends = sorted((sign * found.low, sign * found.high))
    return Estimate(sign * found.mean, ends[0], ends[1])


def _title(arm: Arm) -> str:
    return f"{arm.name} ({arm.case.describe()})"


def _shown(study: Study) -> list[Pair]:
    """The pairs whose pictures were kept under every shift, as many as are shown."""
    kept = [{each.pair for each in placed if each.picture is not None} for placed in study.placed.values()]
    everywhere = set.intersection(*kept)
    return [each.pair for each in study.control if each.picture is not None and each.pair in everywhere][:STRIP]


def _strips(study: Study, album: Album) -> list[tuple[str, list[dict[str, Any] | None]]]:
    chosen = _shown(study)
    found = [("control", study.control), *((_title(arm), study.placed[arm.name]) for arm in study.arms)]
    strips = []
    for title, placed in found:
        by_pair = {each.pair: each for each in placed}
        strips.append((title, [_marked(by_pair[pair], album) for pair in chosen]))
    return strips


def _marked(placed: Placed, album: Album) -> dict[str, Any] | None:
    """A picture with the place of its evidence, in the unit square that the page shows it in."""
    if placed.picture is None:
        return None
    name = album.add(placed.picture)
    size = _size(placed)
    spot = None
    if placed.is_somewhere and size is not None:
        width = min(1.0, size[0] / size[1])
        spot = (0.5 + placed.x * width, 0.5 + placed.y * width)
    said = f"{placed.pair.label.name}, seed {placed.pair.seed}, {'right' if placed.right else 'wrong'}"
    if placed.is_somewhere:
        said += (
            f", evidence {_place(placed.x, 'right of', 'left of')} and {_place(placed.y, 'below', 'above')} the middle"
        )
    return {"name": name, "spot": spot, "right": placed.right, "said": said}


def _place(value: float, positive: str, negative: str) -> str:
    return f"{abs(100 * value):.0f} % {positive if value > 0 else negative}"


def _size(placed: Placed) -> tuple[int, int] | None:
    if placed.picture is None:
        return None
    try:
        return files.open_picture(files.read_bytes(placed.picture), placed.picture).size
    except files.FileError:
        return None
