"""Figures that can be read where a page's styles are not in force.

A host may serve the page under a Content-Security-Policy that forbids styles: of SVG, then, every shape is filled with
black. So what its `style` attributes say is said by attributes of presentation too, which no policy forbids and which
every style overrides.
"""

from __future__ import annotations

import re

from pytest_seedshift.reporting import palette

_STYLE = re.compile(r' style="([^"]*)"')
_VARIABLE = re.compile(r"var\(--([\w-]+)\)")
_VIEW = re.compile(r'<svg([^>]*?) viewBox="0 0 ([\d.]+) ([\d.]+)"')

_ATTRIBUTES = frozenset(
    {
        "fill",
        "fill-opacity",
        "stroke",
        "stroke-opacity",
        "stroke-width",
        "stroke-linecap",
        "stroke-linejoin",
        "stroke-dasharray",
        "stroke-dashoffset",
        "opacity",
        "font-size",
        "text-anchor",
    }
)
"""What of styles there are attributes for, as far as figures use it."""

_COLOURS = {name: colour for name, colour in palette.PLAIN.items() if name in ("line", "paper") or "series" in name}
"""What is not among them has the colour of text, which every page has."""


def with_attributes(svg: str) -> str:
    """An element of SVG with the size of its view box and, beside every `style`, the same as attributes."""
    return _VIEW.sub(_sized, _STYLE.sub(_attributes, svg), count=1)


def _sized(match: re.Match[str]) -> str:
    rest, width, height = match.groups()
    return f'<svg{rest} width="{float(width):g}" height="{float(height):g}" viewBox="0 0 {width} {height}"'


def _attributes(match: re.Match[str]) -> str:
    made = []
    for declaration in match[1].split(";"):
        name, _, value = (each.strip() for each in declaration.partition(":"))
        if name in _ATTRIBUTES:
            said = _VARIABLE.sub(lambda variable: _COLOURS.get(variable[1], "currentColor"), value)
            made.append(f' {name}="{said}"')
    return match[0] + "".join(made)
