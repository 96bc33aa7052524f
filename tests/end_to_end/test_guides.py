"""The Python of guides that no other test runs."""

from __future__ import annotations

import pytest
import torch

from helpers.pages import blocks
from pytest_seedshift.core import prompt_files

pytestmark = pytest.mark.usefixtures("memory", "warm_executable")


def guide(name: str) -> str:
    (block,) = blocks("python", f"docs/how-to/{name}.md")
    return block


def test_known_failures_and_what_is_read_of_their_run(pytester, run, capsys):
    pytester.makepyfile(guide("expected-failures"))
    result = run("--seedshift-model=toy-latent", "--seedshift-images=16", "--strict-markers")
    outcomes = result.parseoutcomes()
    assert outcomes["passed"] == 1  # the control, which the mark is not about
    assert outcomes.keys() <= {"passed", "xfailed", "failed"}  # whether it breaks is the toy's
    names: dict[str, object] = {}
    exec(guide("query"), names)
    assert names["cases"]
    assert names["samples"]
    capsys.readouterr()
    exec(guide("which-configuration"), {})
    assert "'toy-latent'" in capsys.readouterr().out


def test_the_example_of_prompts_is_collected_with_its_file(pytester, run):
    pytester.makepyfile(guide("prompts"))
    (text,) = blocks("text", "docs/how-to/prompts.md")
    pytester.mkdir("prompts").joinpath("counting.csv").write_text(text)
    read = prompt_files.parse(text, "counting.csv").rows
    assert [tuple(each.tags) for each in read] == [("counting", "animals"), ("counting",)]
    listed = run("--seedshift-model=toy-latent", "--collect-only", "-q")
    listed.stdout.fnmatch_lines(["*test_counting*prompts/counting.csv*"])


def test_latents_are_converted_and_a_vector_is_repaired(pytester, monkeypatch):
    monkeypatch.chdir(pytester.path)
    torch.save(torch.ones(1, 4, 8, 8), "latents.pt")
    exec(guide("latents"), {})
    assert (pytester.path / "latents.safetensors").exists()
    names: dict[str, torch.Tensor] = {}
    exec(guide("repairs"), names)
    assert abs(float(names["latents"].mean())) < 0.01 < float(names["z"].mean())
