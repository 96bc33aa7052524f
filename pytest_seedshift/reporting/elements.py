"""Parts of HTML pages: templates, pictures, figures, all within the page."""

from __future__ import annotations

import base64
import io
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_seedshift.core import text

if TYPE_CHECKING:
    from jinja2 import Environment

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
    template = templates().get_template("strip.html.jinja2")
    return template.render(
        case=case.id, what=case.describe(), shifted=not case.is_control, pictures=pictures, judged=judged
    ).replace("\n", "")


@cache
def thumbnail(path: Path) -> str:
    """A picture, not larger than the report shows it, as a data URI; cached, as every case shows the control's."""
    from PIL import Image

    with Image.open(path) as image:
        small = image.convert("RGB")
        small.thumbnail((_SIDE, _SIDE))
    buffer = io.BytesIO()
    small.save(buffer, format="WEBP", quality=90)
    return data_uri(buffer.getvalue(), "image/webp")


def data_uri(content: bytes, media_type: str) -> str:
    """A file as a URI."""
    return f"data:{media_type};base64,{base64.b64encode(content).decode()}"


@cache
def templates() -> Environment:
    """The package's templates. What they show is escaped."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    return Environment(
        loader=PackageLoader("pytest_seedshift.reporting"),
        autoescape=True,
        finalize=text.html,
        undefined=StrictUndefined,
        trim_blocks=True,
    )
