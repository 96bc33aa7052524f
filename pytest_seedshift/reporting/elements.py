"""Parts of pytest-html's page: a case's pictures, all within the page."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_seedshift.reporting import thumbnails
from pytest_seedshift.reporting.html import data_uri, fill

if TYPE_CHECKING:
    from pytest_seedshift.results.schema import Record

_SIDE = 160
"""The longer side of a picture in the report, in pixels."""


def strip(record: Record, folder: Path) -> str:
    """A case's pictures beside the control's, as HTML; the paths are relative to `folder`."""
    case = record.case
    pictures = [
        {
            **picture.built_in(),
            "before": thumbnail(folder / str(picture.control)),
            "after": thumbnail(folder / str(picture.picture)),
        }
        for picture in record.pictures
    ]
    judged = any(picture["right"] is not None for picture in pictures)
    shown: dict[str, Any] = {"case": case.id, "what": case.describe(), "shifted": not case.is_control}
    return fill("strip.html.jinja2", **shown, pictures=pictures, judged=judged).replace("\n", "")


@cache
def thumbnail(path: Path) -> str:
    """A picture, not larger than the report shows it, as a data URI; cached, as every case shows the control's."""
    return data_uri(thumbnails.encode(thumbnails.read(path, _SIDE), _SIDE), thumbnails.MEDIA_TYPE)
