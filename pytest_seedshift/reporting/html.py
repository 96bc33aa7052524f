"""HTML of templates: the one environment that they are filled in, the page's style and script, files within a page."""

from __future__ import annotations

import base64
import math
from functools import cache, lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from pytest_seedshift.core import messages, text
from pytest_seedshift.core.cases import format_magnitude
from pytest_seedshift.core.score_registry import SHIPPED, ScoreRegistry
from pytest_seedshift.reporting import palette
from pytest_seedshift.reporting.anchors import anchor, fragment, slug
from pytest_seedshift.results import metadata, run_settings
from pytest_seedshift.runner import verdict_messages

if TYPE_CHECKING:
    from jinja2 import Environment


def style() -> Markup:
    """The pages' style, with the colours."""
    return Markup(palette.css(_asset("page.css")))


def script() -> str:
    """The page's script."""
    return _asset("page.js")


@cache
def _asset(name: str) -> str:
    return files(__package__).joinpath("templates", name).read_text(encoding="utf-8")


def data_uri(content: bytes, media_type: str) -> str:
    """A file as a URI."""
    return f"data:{media_type};base64,{base64.b64encode(content).decode()}"


def fill(template: str, kinds: ScoreRegistry = SHIPPED, **values: Any) -> Markup:
    """A template with its values: each is escaped unless it is `Markup`. `kinds` are of the scores that it shows."""
    return Markup(environment(kinds).get_template(template).render(**values))


@lru_cache(maxsize=4)
def environment(kinds: ScoreRegistry = SHIPPED) -> Environment:
    """The one environment of all templates, for the scores of a run. What they show is escaped."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    made = Environment(
        loader=PackageLoader(__package__),
        autoescape=True,
        finalize=text.html,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "anchor": anchor,
        "required": lambda bound: verdict_messages.required(bound.kind, bound.score_kind, bound.bound),
        "fragment": fragment,
        "slug": slug,
        "magnitude": format_magnitude,
        "mean_of": lambda found, score, early: verdict_messages.mean(found, kinds[score], early=early),
        "score": lambda value, score: kinds[score].format(value),
        "signed": lambda value, score: f"{value:+.2f}" if kinds[score].top <= 1 else f"{value:+.1f}",
        "title_of": lambda score: kinds[score].title,
        "count": messages.count,
        "duration": messages.duration,
        "place": metadata.place,
        "portable": metadata.portable,
        "run_with": run_settings.describe,
        "figure": lambda value: "–" if math.isnan(value) else f"{value:.2f}",
        "percent": messages.percent,
    }
    made.globals["palette"] = {**palette.PLAIN, "spot": palette.SPOT}
    return made
