"""What every part of the page is made with."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from pytest_seedshift.core import messages, text
from pytest_seedshift.core.cases import format_magnitude
from pytest_seedshift.core.scores import SCORES
from pytest_seedshift.reporting.anchors import anchor, fragment, slug
from pytest_seedshift.results import metadata, run_settings
from pytest_seedshift.runner import verdict_messages

if TYPE_CHECKING:
    from jinja2 import Environment


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the page. `id` is its anchor; an empty `title` has no heading and no place in the contents."""

    id: str
    title: str
    html: Markup


def section(name: str, title: str, **values: Any) -> Section:
    """The section whose template is `<name>.html.jinja2`."""
    return Section(name, title, fill(f"{name}.html.jinja2", **values))


def fill(template: str, **values: Any) -> Markup:
    """A template with its values: each is escaped unless it is `Markup`."""
    return Markup(_environment().get_template(template).render(**values))


@cache
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("pytest_seedshift.reporting.page"),
        autoescape=True,
        finalize=text.html,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "anchor": anchor,
        "asked_as": verdict_messages.asked_as,
        "fragment": fragment,
        "slug": slug,
        "magnitude": format_magnitude,
        "mean_of": lambda found, score, early: verdict_messages.mean(found, score, early=early),
        "score": lambda value, score: SCORES[score].format(value),
        "signed": lambda value, score: f"{value:+.2f}" if SCORES[score].top <= 1 else f"{value:+.1f}",
        "title_of": lambda score: SCORES[score].title,
        "count": messages.count,
        "duration": messages.duration,
        "place": metadata.place,
        "portable": metadata.portable,
        "run_with": run_settings.describe,
        "figure": lambda value: "–" if math.isnan(value) else f"{value:.2f}",
        "percent": messages.percent,
    }
    return environment
