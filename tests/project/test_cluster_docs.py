"""What the pages about clusters tell one to run can be read by what runs it."""

from __future__ import annotations

import re
import subprocess

import huggingface_hub.constants
import pytest
import yaml

from helpers import pages
from helpers.pages import PAGES
from pytest_seedshift.plugin.options import OPTIONS
from pytest_seedshift.runner.cluster import address

NAMES = [f"docs/how-to/{each}.md" for each in ("cluster", "slurm", "kubernetes", "plan-cost")]
TEXT = "\n".join(PAGES[name] for name in [*NAMES, "docs/explanation/cluster.md"])


def blocks(language: str) -> list[str]:
    return pages.blocks(language, *NAMES)


def test_scripts_are_bash():
    assert len(blocks("sh")) == 5
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
    assert len(named) >= 4
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


def test_the_plan_of_many_models_is_what_the_page_says(pytester, monkeypatch):
    command = next(block for block in blocks("sh") if "--seedshift-plan" in block)
    [said] = [block for block in blocks("text") if "a GPU hour" in block]
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(pytester.path / "cache"))
    result = pytester.runpytest_inprocess("-p", "no:cacheprovider", *command.split()[1:], "--seedshift-device=cpu")
    assert result.ret == 0
    result.stdout.fnmatch_lines([line.replace("…", "*") for line in said.splitlines()])
    images, most = (int(each) for each in re.findall(r"to generate (\d+) images, up to (\d+)", said)[0])
    for row, number in (("about", images), ("up to", most)):
        hours = 25 * number / 2.5 / 3600
        assert f"| {row} | {25 * number:,} | {hours:.1f} | {1.99 * hours:.0f} | {hours / 8:.1f} h |" in TEXT
