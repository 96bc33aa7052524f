"""docs/why.md and the README say the same, and their commands are commands."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from pytest_seedshift.cli import session_options, why
from pytest_seedshift.models import catalogue

ROOT = Path(__file__).parents[2]
README, PAGE = ((ROOT / name).read_text() for name in ("README.md", "docs/why.md"))
COMMANDS = sorted(set(re.findall(r"seedshift why ([^`\n]*)", README + PAGE)))


def test_what_the_readme_prints_of_the_experiment_stands_on_its_page():
    (block,) = re.findall(r"```\n(Effects of each change.*?)```", README, re.DOTALL)
    assert block in PAGE


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_can_be_parsed_and_their_models_are_known(command):
    with why.command.make_context("why", shlex.split(command, comments=True)) as context:
        given = context.params
    asked = why.Asked(given["models"], given["shift"], given["magnitude"], factors=given["factors"])
    assert asked.shifts(session_options.SessionOptions())
    assert bool(asked.crossed()) == bool(given["factors"])
    for model in asked.models:
        assert catalogue.shipped().find(model).name == model


def test_commands_are_found():
    assert len(COMMANDS) > 5
    assert any("toy-glide" in command for command in COMMANDS)
