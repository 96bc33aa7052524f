"""What the gate says of chance, held against simulated versions: see benchmarks/figures_gate.py."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

FILE = Path(__file__).parents[2] / "benchmarks" / "figures_gate.py"
SPEC = importlib.util.spec_from_file_location("figures_gate", FILE)
assert SPEC is not None
assert SPEC.loader is not None
figures = importlib.util.module_from_spec(SPEC)
sys.modules["figures_gate"] = figures
SPEC.loader.exec_module(figures)

SHORT = {
    "allowed_drop": 1000,
    "rare_gains": 200,
    "flagged": 100,
    "thresholds_family": 1000,
    "sentences": 1000,
}
"""How many designs of each simulation are enough, every day, to notice the rule before."""


def held(simulate, designs):
    found = list(simulate(designs, np.random.default_rng(1)))
    assert found
    for line in found:
        assert line.holds, str(line)
    return found


@pytest.mark.parametrize("name", SHORT)
def test_a_claim_of_the_gate_holds_and_its_simulation_notices_one_that_does_not(name):
    found = held(getattr(figures, name), SHORT[name])
    assert any(line.notices for line in found)


@pytest.mark.nightly
@pytest.mark.slow
@pytest.mark.parametrize("simulate", figures.LINES, ids=lambda simulate: simulate.__name__)
def test_the_claims_of_the_gate_hold_in_three_thousand_designs_each(simulate):
    found = held(simulate, 3000)
    assert all(line.notices for line in found), "\n".join(map(str, found))
