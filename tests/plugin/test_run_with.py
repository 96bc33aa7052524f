"""What a model was run with, in every place where a verdict is told."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

import pytest_seedshift
from helpers.runs import EASY, ONE
from pytest_seedshift.__main__ import main

TOY = Path(pytest_seedshift.__file__).parent / "models" / "toys" / "toy-latent"
HERE = '[models."./saved"]\nsteps = 10\nclasses = "toy16"\nscorers = "toy"\n'
ARGUMENTS = tuple(each for each in ONE if "model" not in each)
ALL = "[default]\ntop1 = 0.0\ntop5 = 0.0\nclip = 0.0\n"


@pytest.fixture
def saved(pytester) -> Path:
    """The shipped toy as somebody saves it: with its sampler, and without what its entry says of guidance."""
    shutil.copytree(TOY, pytester.path / "saved")
    pytester.path.joinpath("thresholds.toml").write_text(EASY + HERE)
    return pytester.path


def without_settings(path: Path) -> None:
    """A file as an earlier version wrote it."""

    def strip(value: object) -> object:
        if isinstance(value, dict):
            return {key: strip(each) for key, each in value.items() if key != "run_with"}
        return [strip(each) for each in value] if isinstance(value, list) else value

    path.write_text(json.dumps(strip(json.loads(path.read_text()))))


def test_a_saved_folder_says_that_its_guidance_is_diffusers_own(pytester, run, saved, capsys):
    told = {}
    for name, model in (("toy", "toy-latent"), ("mine", "./saved")):
        more = f"--seedshift-dir={name}", f"--seedshift-summary={name}.md", f"--seedshift-save-baseline={name}.json"
        told[name] = run(*ARGUMENTS, f"--seedshift-model={model}", *more).stdout.str()
        assert main(["card", name, "--output", f"{name}.card"]) == 0
    for name, guidance, steps in (("toy", "guidance 2,", 5), ("mine", "guidance 7.5,", 10)):
        line = next(line for line in told[name].splitlines() if "DDIMScheduler" in line)
        assert guidance in line
        assert f"StableDiffusionPipeline, DDIMScheduler, {steps} steps" in line
        assert "64×64, float32 on cpu; fingerprint " in line
        for sink in (f"{name}/report.html", f"{name}.md", f"{name}.card"):
            text = saved.joinpath(sink).read_text()
            assert f"DDIMScheduler, {steps} steps, {guidance} 64×64, float32 on cpu" in text, sink
        value = 2.0 if name == "toy" else 7.5
        for file in (f"{name}/run.json", f"{name}/verdicts.json", f"{name}.json"):
            assert f'"guidance": {value}' in saved.joinpath(file).read_text(), file
        assert str(saved) not in "".join(
            saved.joinpath(sink).read_text() for sink in (f"{name}/report.html", f"{name}.md", f"{name}.card")
        )
        assert str(saved) not in saved.joinpath(f"{name}.json").read_text()
    capsys.readouterr()
    for old in ("toy", "toy.json"):
        main(["compare", old, "mine", "--model", "./saved=toy-latent"])
        said = capsys.readouterr().out
        assert f"./saved is compared with toy-latent of {old}: steps 5 → 10; guidance 2 → 7.5; fingerprint " in said
        assert "is compared with toy-latent" in saved.joinpath("mine/comparison.html").read_text()

    # What earlier versions wrote is read, and what they did not record is said.
    for file in ("toy/verdicts.json", "toy/run.json"):
        without_settings(saved / file)
    main(["compare", "toy", "mine", "--model", "./saved=toy-latent"])
    assert "toy-latent of toy: settings not recorded in toy; fingerprint" in capsys.readouterr().out
    assert main(["report", "toy"]) == 0
    assert "run with <bdi>not recorded" in saved.joinpath("toy/report.html").read_text()


def test_the_same_scores_are_the_same_baseline_in_every_checkout(pytester, run, monkeypatch):
    lists = "label,index\n" + "".join(f"{name},{at}\n" for at, name in enumerate(("banana", "strawberry")))
    made = []
    for checkout in ("one", "other/deeper"):
        folder = pytester.path / checkout
        folder.mkdir(parents=True)
        folder.joinpath("two.csv").write_text(lists)
        folder.joinpath("pytest.ini").write_text("[pytest]\n")
        folder.joinpath("thresholds.toml").write_text(EASY + '[models.toy-latent]\nclasses = "two.csv"\n')
        monkeypatch.chdir(folder)
        run("seedshift", *ONE, "--seedshift-images=8", "--seedshift-save-baseline=b.json", f"--rootdir={folder}")
        made.append(folder.joinpath("b.json").read_bytes())
        main(["card", ".seedshift", "--output", "card.md"])
        for file in ("card.md", ".seedshift/report.html"):
            assert str(pytester.path) not in folder.joinpath(file).read_text()
    assert made[0] == made[1]
    assert b'"class_list": "two.csv"' in made[0]
    assert str(pytester.path).encode() not in made[0]


def test_a_model_that_is_named_by_a_path_of_this_machine_has_its_last_part_in_what_is_handed_on(pytester, run, saved):
    model = f"--seedshift-model={saved / 'saved'}"
    pytester.path.joinpath("thresholds.toml").write_text(f"{EASY}{HERE.replace('./saved', str(saved / 'saved'))}")
    run("seedshift", *ARGUMENTS, model, "--seedshift-report=none", "--seedshift-save-baseline=b.json")
    assert main(["card", ".seedshift", "--output", "card.md"]) == 0
    for file in ("b.json", "card.md"):
        assert str(saved) not in saved.joinpath(file).read_text()
    held = run("seedshift", *ARGUMENTS, model, "--seedshift-report=none", "--seedshift-baseline=b.json")
    held.assert_outcomes(passed=2)
    held.stdout.fnmatch_lines(["*saved is compared with saved of b.json: run alike (fingerprint *)"])


def test_workers_shards_and_runs_whose_samples_exist_tell_the_same(pytester, run):
    pytester.path.joinpath("thresholds.toml").write_text(ALL)
    run(*ONE)
    verdicts = pytester.path / ".seedshift" / "verdicts.json"
    first = verdicts.read_bytes()
    assert json.loads(first)["models"]["toy-latent"]["run_with"]["height"] == 64
    run(*ONE, "--seedshift-report=none")
    assert verdicts.read_bytes() == first
    pytester.runpytest_subprocess("-p", "no:cacheprovider", *ONE, "-n", "1", "--seedshift-dir=worker")
    assert (pytester.path / "worker" / "verdicts.json").read_bytes() == first
    for number in (1, 2):
        run("seedshift", *ONE, f"--seedshift-shard={number}/2", f"--seedshift-dir=part{number}")
    assert main(["merge", "part1", "part2", "--output", "merged"]) == 0
    assert (pytester.path / "merged" / "verdicts.json").read_bytes() == first
    assert os.listdir(pytester.path / "merged" / "settings")  # noqa: PTH208  # for who goes on there


def test_shards_of_one_model_with_other_settings_are_no_run(pytester, run, capsys):
    for number, steps in ((1, 10), (2, 5)):
        text = f"{EASY}[models.toy-latent]\nsteps = {steps}\n"
        pytester.path.joinpath("thresholds.toml").write_text(text)
        run("seedshift", *ONE, f"--seedshift-shard={number}/2", f"--seedshift-dir=part{number}")
    assert main(["merge", "part1", "part2", "--output", "merged"]) == 4
    assert "toy-latent: run with other settings in part1 → part2: steps 10 → 5" in capsys.readouterr().err
