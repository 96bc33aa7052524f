"""Machines that are not like the driver's, on a real Ray: each is named with what is wrong, before anything is made."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from helpers.ray_nodes import RayNodes
from pytest_seedshift.cli import cluster as command
from pytest_seedshift.core.errors import SeedshiftUsageError
from pytest_seedshift.models import catalogue
from pytest_seedshift.models.catalogue import Catalogue
from pytest_seedshift.runner.cluster import address, examination
from pytest_seedshift.runner.cluster.executor import ClusterExecutor
from pytest_seedshift.runner.cluster.protocol import Options
from pytest_seedshift.runner.cluster.setup import Setup

pytest.importorskip("ray")

NAME, COMMIT = "acme/toy", "0" * 40
STALE = "unet/diffusion_pytorch_model.safetensors"


def cached(folder: Path, *, stale: bool = False) -> Path:
    """A Hugging Face cache with the toy under a name of the hub; a `stale` one has other weights."""
    toy = Path(catalogue.shipped().find("toy-latent").pipeline[0])
    snapshot = folder / "models--acme--toy" / "snapshots" / COMMIT
    shutil.copytree(toy, snapshot)
    (folder / "models--acme--toy" / "refs").mkdir()
    (folder / "models--acme--toy" / "refs" / "main").write_text(COMMIT)
    if stale:
        weights = bytearray((snapshot / STALE).read_bytes())
        weights[-1] ^= 1
        (snapshot / STALE).write_bytes(weights)
    return snapshot


def of_another_version(folder: Path) -> Path:
    """A folder of packages with a diffusers that is older than any."""
    (folder / "diffusers-0.1.0.dist-info").mkdir(parents=True)
    (folder / "diffusers-0.1.0.dist-info" / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: diffusers\nVersion: 0.1.0\n"
    )
    return folder


@pytest.fixture(scope="module")
def caches(tmp_path_factory):
    return tmp_path_factory.mktemp("caches")


@pytest.fixture(scope="module")
def nodes(caches):
    cached(caches / "good")
    cached(caches / "stale", stale=True)
    offline = {"HF_HUB_OFFLINE": "1"}
    started = RayNodes(
        {**offline, "HF_HUB_CACHE": str(caches / "good")},
        {**offline, "HF_HUB_CACHE": str(caches / "stale")},
        {**offline, "HF_HUB_CACHE": str(caches / "empty")},
        {**offline, "PYTHONPATH": str(of_another_version(caches / "old"))},
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_AUTH_MODE", "token")
        patch.setenv("RAY_AUTH_TOKEN", started.token)
        patch.setenv("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
        yield started
        started.stop()


@pytest.fixture(scope="module")
def setup(caches):
    toy = replace(catalogue.shipped().find("toy-latent"), name=NAME, pipeline=(NAME,), classifier="", clip="")
    here = replace(toy, pipeline=(str(caches / "good" / "models--acme--toy" / "snapshots" / COMMIT),))
    expected = examination.check({NAME: here}, "cpu", None)
    return Setup(Catalogue({NAME: toy}), needs={NAME: frozenset()}, expected=expected)


def test_each_machine_that_differs_is_named_with_what_differs(nodes, setup, caches):
    executor = ClusterExecutor(Options(address.parse(nodes.address)))
    with pytest.raises(SeedshiftUsageError) as caught:
        executor.begin(setup)
    lines = str(caught.value).split("\n")
    [old] = [line for line in lines if "other versions" in line]
    [absent] = [line for line in lines if "is not there: " in line]
    [stale] = [line for line in lines if line not in (old, absent)]
    assert f"{NAME} has other files than on the driver: {caches / 'stale'}" in stale
    assert f"{STALE} (SHA-256 " in stale
    assert f"{NAME} is not there: " in absent
    assert "has other versions than the driver: diffusers 0.1.0 instead of " in old
    assert len({line.partition(" ")[0] for line in (stale, absent, old)}) == 3
    with pytest.raises(SeedshiftUsageError):
        executor.slots()
    executor.close()


@pytest.mark.nightly
def test_the_command_shows_each_machine(nodes, setup):
    executor = ClusterExecutor(Options(address.parse(nodes.address), looks_only=True))
    executor.begin(setup)
    executor.close()
    assert len(executor.looks) == 4
    assert sum(bool(look.problem or any(look.models.values())) for look in executor.looks) == 3
    lines = command._table(executor.looks)
    assert sum("CANNOT be used" in line for line in lines) == 3
    assert sum("can be used" in line for line in lines) == 1
    assert any(line.endswith(f" has {NAME}") for line in lines)
