"""A Ray of our own on this machine, with one process."""

from __future__ import annotations

import pytest

from pytest_seedshift.core.cases import Case
from pytest_seedshift.models import catalogue
from pytest_seedshift.runner.cluster import address, examination
from pytest_seedshift.runner.cluster.executor import ClusterExecutor
from pytest_seedshift.runner.cluster.protocol import Options
from pytest_seedshift.runner.cluster.setup import Setup
from pytest_seedshift.runner.finishing import finish
from pytest_seedshift.runner.generate import Engine
from pytest_seedshift.runner.model_pool import ModelPool
from pytest_seedshift.runner.orders import Order, Row

pytest.importorskip("ray")

MODEL = "toy-latent"


def rows(count):
    """Of two cases in turn, the first with their pictures."""
    pairs = catalogue.shipped().design(MODEL, None)[:count]
    cases = Case(MODEL), Case(MODEL, "mean", 0.3)
    return tuple(Row(cases[place % 2], pair, "always") for place, pair in enumerate(pairs))


def test_one_actor_makes_what_this_process_makes():
    known = catalogue.shipped()
    made = rows(8)
    executor = ClusterExecutor(Options(address.parse("local:1")))
    try:
        assert executor.device == "cpu"
        expected = examination.check({MODEL: known.find(MODEL)}, "cpu", None)
        executor.begin(Setup(known, batch_size=8, expected=expected))
        [slot] = executor.slots()
        assert slot.name == "node-1/cpu-0"
        executor.submit(slot.name, Order(0, MODEL, made))
        [done] = executor.wait(600)
    finally:
        left = executor.close()
    assert list(left) == []
    pool = ModelPool("cpu", None)
    engine = Engine(pool.model(MODEL), pool.scorers.of_model(MODEL), 8, overlap=False)
    [here] = [finish(batch) for batch in engine.run_rows(made)]
    assert done.failed == {}
    assert [each.row for each in done.made] == list(made)
    for there, mine in zip(done.made, here, strict=True):
        assert there.picture == mine.picture
        for of_there, of_mine in zip(there.scores, mine.scores, strict=True):
            assert of_there == pytest.approx(of_mine, rel=1e-4)
    assert [(where, model) for where, model, _ in executor.loads] == [("node-1/cpu-0", MODEL)]
    assert executor.batch_size(MODEL, slot.name) == 8
