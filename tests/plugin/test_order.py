"""Cases of one model stay together, whoever orders the items besides."""

from __future__ import annotations

import itertools

import pytest

MODELS = """
import torch

from pytest_seedshift import Axes


class Plain:
    seed_shape, seed_axes = (3, 8, 8), Axes()

    def __init__(self, device, dtype):
        self.fingerprint = self.name

    def generate(self, pairs, shift=None, on_step=None):
        return torch.rand(len(pairs), 3, 8, 8, generator=torch.Generator().manual_seed(0))


def pytest_seedshift_models():
    return {name: type(name, (Plain,), {"name": name}) for name in ("one", "two")}
"""

SHUFFLES = {
    "as most plugins": "def pytest_collection_modifyitems(items):",
    "last of all": "@pytest.hookimpl(trylast=True)\ndef pytest_collection_modifyitems(items):",
    "around all others": "@pytest.hookimpl(wrapper=True)\ndef pytest_collection_modifyitems(items):\n    yield",
}


@pytest.mark.parametrize("shuffle", SHUFFLES)
@pytest.mark.parametrize("seed", range(3))
def test_models_stay_together_whoever_shuffles(pytester, shuffle, seed):
    pytester.makeconftest(MODELS)
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.reliability(models=["one", "two"], shifts="mean", magnitudes=[-0.2, -0.1, 0.1, 0.2], images=16)
        def test_cases(): pass

        def test_other(): pass
        """
    )
    hook = f"import pytest, random\n\n{SHUFFLES[shuffle]}\n    random.Random({seed}).shuffle(items)\n"
    pytester.makepyfile(shuffling=hook)
    pytester.syspathinsert()
    result = pytester.runpytest("-p", "shuffling", "--co", "-q", "-p", "no:cacheprovider")
    models = [line.partition("[")[2].partition("-")[0] for line in result.outlines if "::test_cases[" in line]
    assert len(models) == 10
    assert sum(one != other for one, other in itertools.pairwise(models)) == 1
    cases = [line for line in result.outlines if "::test_cases[" in line]
    assert cases != sorted(cases)  # within a model the others' order stands
