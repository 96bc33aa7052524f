"""The README, as tests of what it says read it."""

from __future__ import annotations

import re

from helpers.environments import ROOT

README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)
