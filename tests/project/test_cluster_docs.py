"""What docs/cluster.md tells one to run can be read by what runs it."""

from __future__ import annotations

import re
import subprocess

import pytest
import yaml

from helpers.environments import ROOT
from pytest_seedshift.plugin.options import OPTIONS
from pytest_seedshift.runner.cluster import address

TEXT = (ROOT / "docs" / "cluster.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)


def test_scripts_are_bash():
    assert len(blocks("sh")) == 3
    for block in blocks("sh"):
        checked = subprocess.run(["bash", "-n"], input=block, text=True, capture_output=True)
        assert (checked.returncode, checked.stderr) == (0, "")


def test_options_are_there():
    known = {option.flag for option in OPTIONS}
    named = set(re.findall(r"--seedshift-[\w-]+", TEXT))
    assert named
    assert named <= known


def test_places_are_understood():
    named = re.findall(r"--seedshift-cluster=([\w.:/-]+)", TEXT)
    assert len(named) >= 5
    for each in named:
        address.parse(each)


def test_the_ray_job_asks_for_a_token_and_for_gpus_on_its_workers_alone():
    [job] = [yaml.safe_load(block) for block in blocks("yaml")]
    cluster = job["spec"]["rayClusterSpec"]
    assert cluster["authOptions"] == {"mode": "token"}
    head, [worker] = cluster["headGroupSpec"], cluster["workerGroupSpecs"]
    assert head["rayStartParams"]["num-gpus"] == "0"
    for container in worker["template"]["spec"]["containers"]:
        assert container["resources"]["limits"]["nvidia.com/gpu"] == "1"
    with pytest.raises(KeyError):
        head["template"]["spec"]["containers"][0]["resources"]["limits"]["nvidia.com/gpu"]
