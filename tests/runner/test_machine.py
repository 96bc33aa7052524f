"""Which GPUs and cores there are for workers, and what each worker gets."""

from __future__ import annotations

import os

import pytest
from execnet.xspec import XSpec
from hypothesis import given
from hypothesis import strategies as st

from pytest_seedshift.core import machine
from pytest_seedshift.plugin import xdist_workers


@pytest.mark.parametrize(
    ("visible", "expected"),
    [
        ("3,5,7", ("3", "5", "7")),
        (" 0 , 1 ", ("0", "1")),
        ("GPU-8d2a,MIG-3c11", ("GPU-8d2a", "MIG-3c11")),
        ("MIG-GPU-8d2a/1/0", ("MIG-GPU-8d2a/1/0",)),
        ("", ()),
        ("-1", ()),
        ("NoDevFiles", ()),
        ("0,1,-1,2", ("0", "1")),
        ("1,1", ()),
    ],
)
def test_what_may_be_seen_is_read_as_cuda_reads_it(visible, expected):
    assert machine.gpus({machine.VISIBLE: visible}) == expected


LISTED = """\
GPU 0: NVIDIA A100-SXM4-40GB (UUID: GPU-aaaa)
GPU 1: NVIDIA A100-SXM4-40GB (UUID: GPU-bbbb)
  MIG 3g.20gb     Device  0: (UUID: MIG-b0)
  MIG 3g.20gb     Device  1: (UUID: MIG-b1)
GPU 2: NVIDIA A100-SXM4-40GB (UUID: GPU-cccc)
"""


def test_a_divided_gpu_counts_as_its_parts():
    assert machine.parse_list(LISTED) == ("GPU-aaaa", "MIG-b0", "MIG-b1", "GPU-cccc")
    assert machine.parse_list("") == ()
    assert machine.parse_list("No devices found.\n") == ()


def test_without_a_list_the_installed_gpus_are_asked_for(monkeypatch, tmp_path):
    """A program of that name, on the path."""
    program = tmp_path / "nvidia-smi"
    program.write_text(f"#!/bin/sh\ntest $1 = -L && cat <<'END'\n{LISTED}END\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    assert machine.gpus({}) == ("GPU-aaaa", "MIG-b0", "MIG-b1", "GPU-cccc")
    program.write_text("#!/bin/sh\nexit 9\n")
    assert machine.gpus({}) == ()


def test_cores_are_those_that_this_process_may_use():
    allowed = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(allowed)})
        assert machine.cores() == 1
    finally:
        os.sched_setaffinity(0, allowed)
    assert 1 <= machine.cores() <= len(allowed)
    assert 1 <= machine.workers_on_cpu() <= machine.cores()


def test_workers_share_the_cores_and_keep_to_what_the_user_allows(monkeypatch):
    monkeypatch.setattr(machine, "cores", lambda: 8)
    assert [machine.threads(count, {}) for count in (1, 2, 3, 8, 20)] == [8, 4, 2, 1, 1]
    assert machine.threads(2, {machine.THREADS: "3"}) == 3
    assert machine.threads(2, {machine.THREADS: "64"}) == 4
    assert machine.threads(2, {machine.THREADS: "2,4"}) == 2
    assert machine.threads(2, {machine.THREADS: "0"}) == machine.threads(2, {machine.THREADS: "many"}) == 4


def test_auto_is_a_worker_a_gpu_or_a_worker_a_core(monkeypatch):
    monkeypatch.delenv("PYTEST_XDIST_AUTO_NUM_WORKERS", raising=False)
    monkeypatch.setenv(machine.VISIBLE, "3,5,7")
    assert xdist_workers.automatic(None) == xdist_workers.automatic("cuda") == 3
    assert xdist_workers.automatic("cuda:1") == 1
    assert xdist_workers.automatic("cpu") == machine.workers_on_cpu()
    monkeypatch.setenv(machine.VISIBLE, "")
    assert xdist_workers.automatic(None) == machine.workers_on_cpu()
    monkeypatch.setenv("PYTEST_XDIST_AUTO_NUM_WORKERS", "5")
    assert xdist_workers.automatic(None) is None


@given(
    workers_=st.integers(1, 40),
    gpus=st.lists(st.integers(0, 99).map(str), unique=True, max_size=9),
    device=st.sampled_from([None, "cuda", "cpu", "cuda:0"]),
)
def test_workers_share_the_visible_gpus_evenly(workers_, gpus, device):
    made = xdist_workers.environments(workers_, device, {machine.VISIBLE: ",".join(gpus)})
    pinned = [environment.get(machine.VISIBLE) for environment in made]
    assert len(made) == workers_
    if not gpus or device not in (None, "cuda"):
        assert set(pinned) == {None}
    else:
        counts = [pinned.count(gpu) for gpu in gpus]
        assert set(pinned) <= set(gpus)
        assert max(counts) - min(counts) <= 1


def test_a_specification_keeps_what_the_user_has_set_and_other_machines_are_left_alone(monkeypatch):
    monkeypatch.setenv(machine.VISIBLE, "3,5,7")
    specs = [XSpec("popen"), XSpec(f"popen//env:{machine.VISIBLE}=9"), XSpec("ssh=elsewhere"), XSpec("popen")]
    assert xdist_workers.prepare(specs, None) is None
    assert [spec.env.get(machine.VISIBLE) for spec in specs] == ["3", "9", None, "7"]
    assert machine.THREADS not in specs[2].env


def test_more_workers_than_gpus_are_warned_of(monkeypatch):
    monkeypatch.setenv(machine.VISIBLE, "4,6")
    warning = xdist_workers.prepare([XSpec("popen") for _ in range(5)], None)
    assert warning
    assert warning.startswith("5 workers share 2 GPUs:")
    assert xdist_workers.prepare([XSpec("popen") for _ in range(5)], "cpu") is None


def test_a_container_has_no_more_memory_than_its_limit_leaves(tmp_path):
    def group(name, most, taken, files):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "memory.max").write_text(f"{most}\n")
        (folder / "memory.current").write_text(f"{taken}\n")
        (folder / "memory.stat").write_text(f"anon 5\ninactive_file {files}\n")
        return folder

    groups = [group("a", 1000, 900, 300), group("b", "max", 10, 0), group("c", 100, 200, 0), tmp_path / "none"]
    assert machine.left_in(groups) == [400, 0]
