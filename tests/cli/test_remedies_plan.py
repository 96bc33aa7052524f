"""`seedshift remedies --plan` and `--remedy`: what would be tried, and what cannot."""

from __future__ import annotations

import json

import pytest

from pytest_seedshift.__main__ import main

FEW = ["--shift", "mean", "--magnitude", "0.3", "--images", "100"]


def test_a_plan_says_how_much_it_is_and_makes_nothing(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    assert main(["remedies", "toy-latent", *FEW, "--plan", "--remedy", "repair", "--remedy", "steps,zsnr"]) == 0
    told = capfd.readouterr().out
    assert "6 remedies to try: +repair=moments, +repair=quantiles, +repair=spectrum, +repair=blend=0.3, +zsnr" in told
    assert "at most 80 with a remedy" in told
    assert main(["remedies", "toy-latent", *FEW, "--plan", "--json"]) == 0
    document = json.loads(capfd.readouterr().out)
    assert document["images"] > 8 * 2 * 80
    assert len(document["remedies"]) == 8
    assert not list(tmp_path.rglob("*.html"))


@pytest.mark.parametrize("given", [["--remedy", "repiar"], ["--remedy", "zsnr,repiar"]])
def test_a_remedy_that_is_none_is_told_before_anything_is_made(tmp_path, monkeypatch, capfd, given):
    monkeypatch.chdir(tmp_path)
    assert main(["remedies", "toy-latent", *FEW, *given]) == 4
    told = capfd.readouterr().err
    assert "--remedy: unknown remedy 'repiar'. Did you mean 'repair'?" in told
    assert "Traceback" not in told
