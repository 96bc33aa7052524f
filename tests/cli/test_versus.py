"""`seedshift versus`: a base and others on the same pairs, by runs of pytest."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from helpers import painted
from pytest_seedshift.__main__ import main

CLASSES = '[models.mine]\nclasses = "toy16"\n[models.other]\nclasses = "toy16"\n'
WHITE = f"[default]\nwhite = {{ min = 0.1, max_regression = 0.1 }}\n{CLASSES}"
OTHER = (
    painted.losing(0, 5, 5)
    .replace("(3, 8, 8)", "(3, 16, 16)")
    .replace('{"mine": Mine}', '{"mine": Mine, "other": Other}')
    .replace(
        "class White:",
        """class Other(Mine):
    name, fingerprint = "other", "other"

    def generate(self, pairs, shift=None, on_step=None):
        made = super().generate(pairs, shift, on_step)
        return made if shift is None else made * 0


class White:""",
    )
)


@pytest.mark.parametrize(
    ("arguments", "wrong"),
    [
        (["toy-latent"], "give BASE and at least one OTHER, such as versus sd21 sd21+int8"),
        (["toy-latent", "toy-latnet"], "toy-latnet"),
        (["toy-latent", "toy-latent+int9"], "int9"),
        (["toy-latent", "toy-latent+cache=first-block"], "cache"),
        (["toy-latent", "toy-latent+steps=3", "--images", "100000000"], "--images 100000000"),
        (["toy-latent", "toy-latent+steps=3", "--json", "-o", "-"], "--json and --output - both write"),
        (["toy-latent", "toy-latent+steps=3", "-o", "figures.json"], "give a name such as versus.html"),
    ],
)
def test_what_cannot_be_used_is_told_before_anything_is_made(tmp_path, monkeypatch, capfd, arguments, wrong):
    monkeypatch.chdir(tmp_path)
    assert main(["versus", *arguments]) == 4
    told = capfd.readouterr()
    assert wrong in told.out + told.err
    assert "Traceback" not in told.out + told.err
    assert not list(tmp_path.rglob("samples.sqlite"))


@pytest.mark.nightly
def test_others_are_run_on_the_base_s_pairs_and_judged_against_it(tmp_path: Path):
    (tmp_path / "conftest.py").write_text(OTHER)
    (tmp_path / "thresholds.toml").write_text(f'{WHITE}[baseline]\npath = "gone"\nmodels = {{ other = "old" }}\n')
    words = ["versus", "mine", "mine", "other", "--shift", "mean", "--magnitude", "0.3", "--images", "32", "--json"]
    words += ["--markdown", "summary.md", "--", "-p", "no:cacheprovider"]
    run = [sys.executable, "-m", "pytest_seedshift", *words]
    done = subprocess.run(run, cwd=tmp_path, capture_output=True, text=True, timeout=600)
    assert done.returncode == 1, done.stdout + done.stderr
    document = json.loads(done.stdout)
    same, other = document["others"]
    assert (same["model"], same["verdict"], same["likeness"]["equal"]) == ("mine", "pass", same["likeness"]["pairs"])
    assert (other["verdict"], list(other["failed"])) == ("fail", ["other-mean-+0.30"])
    assert "mine itself passes: the same pictures (" in (tmp_path / "summary.md").read_text()
    assert all(0 < each["speed"]["low"] <= each["speed"]["ratio"] <= each["speed"]["high"] for each in (same, other))
    assert [line.partition(":")[0] for line in done.stderr.splitlines()[:3]] == [
        *("mine (1 of 3)", "mine (2 of 3)", "other (3 of 3)")
    ]
    assert "test session starts" not in done.stderr
    assert "of 32 images" in other["failed"]["other-mean-+0.30"]
    folder = tmp_path / ".seedshift-versus"
    assert not (tmp_path / ".seedshift").exists()
    assert json.loads((folder / "versus.json").read_text()) == document
    assert "mine against itself, other" in (folder / "versus.html").read_text()
    assert other["pairs"] < other["design"]  # it was decided early


@pytest.mark.nightly
def test_who_comes_to_no_verdicts_is_told_and_the_others_are_in_the_table(tmp_path: Path):
    dying = "__import__('os').kill(__import__('os').getpid(), 9)"
    dying = OTHER.replace("return made if shift is None else made * 0", f"return made if shift is None else {dying}")
    (tmp_path / "conftest.py").write_text(dying)
    (tmp_path / "thresholds.toml").write_text(WHITE)
    words = ["versus", "mine", "other", "mine", "--shift", "mean", "--magnitude", "0.3", "--images", "32"]
    run = [sys.executable, "-m", "pytest_seedshift", *words, "--", "-p", "no:cacheprovider"]
    done = subprocess.run(run, cwd=tmp_path, capture_output=True, text=True, timeout=600)
    assert done.returncode == 137, done.stdout + done.stderr
    assert "other came to no verdicts: its process was ended by SIGKILL, most likely" in done.stderr
    assert "mine itself passes: the same pictures" in done.stdout
    assert "other came to no verdicts: its process was ended by SIGKILL" in done.stdout


@pytest.mark.nightly
def test_a_base_that_cannot_be_judged_is_told_before_the_others_run(tmp_path: Path):
    (tmp_path / "conftest.py").write_text(OTHER.replace("z = torch.zeros", "z = 1 / (shift is None) * torch.zeros"))
    (tmp_path / "thresholds.toml").write_text(WHITE)
    words = ["versus", "mine", "other", "--shift", "mean", "--magnitude", "0.3", "--images", "32"]
    run = [sys.executable, "-m", "pytest_seedshift", *words, "--", "-p", "no:cacheprovider"]
    done = subprocess.run(run, cwd=tmp_path, capture_output=True, text=True, timeout=600)
    assert done.returncode == 4, done.stdout + done.stderr
    assert "mine could not be judged, and is what the others are held against: mine-mean-+0.30: " in done.stderr
    assert "division by zero" in done.stderr
    assert "other (2 of 2)" not in done.stderr + done.stdout


@pytest.mark.nightly
def test_who_fails_only_where_the_base_fails_too_does_not_fail_the_command(tmp_path: Path):
    (tmp_path / "conftest.py").write_text(OTHER)
    (tmp_path / "thresholds.toml").write_text(f"[default]\nwhite = {{ min = 0.9, max_regression = 0.1 }}\n{CLASSES}")
    words = ["--shift", "mean", "--magnitude", "0.3", "--images", "32", "--json", "--", "-p", "no:cacheprovider"]
    statuses = {}
    for models in (["mine", "mine"], ["mine", "mine", "other"]):
        run = [sys.executable, "-m", "pytest_seedshift", "versus", *models, *words]
        done = subprocess.run(run, cwd=tmp_path, capture_output=True, text=True, timeout=600)
        document = json.loads(done.stdout)
        verdicts = [each["verdict"] for each in document["others"]]
        statuses[len(models)] = done.returncode, document["base"]["verdict"], *verdicts
    assert statuses == {2: (0, "fail", "as_base"), 3: (1, "fail", "as_base", "fail")}
    folder = tmp_path / ".seedshift-versus"
    (link, _) = re.findall(r'<a href="([^"#]+)#', (folder / "versus.html").read_text())
    assert link == "base/report.html"
    assert (folder / link).exists()
