"""GPUs of a Ray cluster whose nodes say that they have some: who gets which, and what is said where torch sees none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from helpers import painter
from helpers.paint_crew import PaintCrew
from helpers.ray_nodes import started
from pytest_seedshift.core.errors import SeedshiftUsageError

pytest.importorskip("ray")
pytestmark = pytest.mark.nightly


class Pretended(Mapping):
    """Settings of the process, none; where they are read, GPUs are there by name."""

    def __reduce__(self):
        return pretend, ()

    def __getitem__(self, key):
        raise KeyError(key)

    def __iter__(self):
        return iter(())

    def __len__(self):
        return 0


def pretend():
    from pytest_seedshift.scorers import devices

    devices.resolve = lambda device, dtype: (device, "float32")
    devices.describe = lambda device: "Pretended GPU"
    return {}


@pytest.fixture(scope="module")
def nodes():
    with started({"gpus": "5"}, {"gpus": "1"}) as made:
        yield made


def crew_of(nodes, folder, *, count, **options):
    return PaintCrew(
        nodes, folder, setup=replace(painter.setup(folder), settings=Pretended()), gpus_per_model=count, **options
    )


def test_each_actor_has_two_gpus_of_its_own_and_a_machine_with_one_has_none(nodes, tmp_path):
    crew = crew_of(nodes, tmp_path, count=2)
    try:
        assert crew.executor.device == "cuda"
        crew.wait_for(lambda: len(crew.slots) == 2)
        assert {slot.kind for slot in crew.executor.slots()} == {"2 × Pretended GPU"}
        given = [each.about["gpus"] for each in crew.executor.began]
        assert [len(each) for each in given] == [2, 2]
        assert len({gpu for each in given for gpu in each}) == 4
        assert len({each.node for each in crew.executor.began}) == 1
        assert all(done.failed == {} for done in crew.collect(crew.submit(6)))
    finally:
        crew.executor.close()


def test_one_a_gpu_on_all_machines(nodes, tmp_path):
    crew = crew_of(nodes, tmp_path, count=1)
    try:
        crew.wait_for(lambda: len(crew.slots) == 6)
        assert len({each.node for each in crew.executor.began}) == 2
    finally:
        crew.executor.close()


def test_more_gpus_than_any_machine_has_are_told_with_what_there_is(nodes, tmp_path):
    with pytest.raises(SeedshiftUsageError, match=r"no machine with 8 GPUs for each model \(.*5 GPUs, 1 CPUs"):
        crew_of(nodes, tmp_path, count=8)


def test_gpus_that_torch_does_not_see_are_told_of_each_machine(nodes, tmp_path):
    with pytest.raises(SeedshiftUsageError) as caught:
        PaintCrew(nodes, tmp_path)
    lines = str(caught.value).split("\n")
    assert len(lines) == 2
    assert all("cannot make images: the device 'cuda' is not there (" in line for line in lines)


def test_on_their_cpus_they_can_be_used(nodes, tmp_path):
    crew = PaintCrew(nodes, tmp_path, device="cpu")
    try:
        assert sorted(slot.rpartition("/")[2] for slot in crew.slots) == ["cpu-0", "cpu-0"]
        assert all(done.failed == {} for done in crew.collect(crew.submit(4)))
    finally:
        crew.executor.close()
