"""What every part of the page is made with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_seedshift.core.score_registry import SHIPPED, ScoreRegistry
from pytest_seedshift.reporting.html import fill

if TYPE_CHECKING:
    from markupsafe import Markup


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the page. `id` is its anchor; an empty `title` has no heading and no place in the contents."""

    id: str
    title: str
    html: Markup


def section(name: str, title: str, kinds: ScoreRegistry = SHIPPED, **values: Any) -> Section:
    """The section whose template is `<name>.html.jinja2`; `kinds` are of the scores that it shows."""
    return Section(name, title, fill(f"{name}.html.jinja2", kinds, **values))
