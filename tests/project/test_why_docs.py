"""The commands of the pages about `why` are commands."""

from __future__ import annotations

import re
import shlex

import pytest

from helpers.pages import PAGES
from pytest_seedshift.cli import session_options, why
from pytest_seedshift.models import catalogue

TEXT = "\n".join(PAGES.values())
FOUND = re.findall(r"seedshift why ([^`\n]*)", TEXT)
COMMANDS = sorted({re.split(r" \| | -->", each)[0] for each in FOUND if not each.startswith("[OPTIONS]")})
"""Also those in comments that say what has printed a block, and not the first line of the command's help."""


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
