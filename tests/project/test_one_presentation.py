"""What presents a run is there once: colours, template environment, thumbnails, aligned columns."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from helpers.environments import ROOT
from pytest_seedshift.reporting import html, palette

PACKAGE = ROOT / "pytest_seedshift"
PLACES = ("runner", "studies", "reporting", "plugin", "cli")

KINDS = {
    r"#(?:[0-9a-f]{6}|[0-9a-f]{3})\b": {"reporting/palette.py", "reporting/page/plots.py"},
    r"\bjinja2 import Environment\b": {"reporting/html.py"},
    r"\.[lr]just\(": set(),
    r"\{[^{}\n\"]*:[<>]\{?\w": {"reporting/evaluate.py", "reporting/regressions.py", "plugin/terminal.py"},
    r"\.thumbnail\(": {"reporting/thumbnails.py", "studies/trajectories/recorder.py"},
}
"""By pattern, where it may stand. The page's figures are drawn in colours that stand in for the palette's; lines that
come one by one, as cases end, have one padded cell and are no table; a trajectory keeps small pictures as files."""


def found(pattern: str) -> set[str]:
    files = (path for place in PLACES for path in (PACKAGE / place).rglob("*") if path.suffix != ".pyc")
    return {
        path.relative_to(PACKAGE).as_posix()
        for path in files
        if path.is_file() and re.search(pattern, path.read_text(encoding="utf-8", errors="ignore"), re.IGNORECASE)
    }


@pytest.mark.parametrize("pattern", KINDS)
def test_it_stands_in_one_place(pattern):
    assert found(pattern) == KINDS[pattern]


def test_the_style_has_every_colour_light_dark_and_on_paper():
    made = html.style()
    for name, colour in palette.LIGHT.items():
        assert made.count(f"--{name}: {colour};") == 2, name  # and where a dark page is printed
        assert made.count(f"--{name}: {palette.DARK[name]};") == 1, name
    assert set(re.findall(r"var\(--([\w-]+)\)", made)) <= palette.LIGHT.keys()
    assert palette.LIGHT.keys() == palette.DARK.keys()


def test_templates_are_all_in_the_one_folder():
    assert {path.parent for path in PACKAGE.rglob("*.jinja2")} == {Path(html.__file__).parent / "templates"}
