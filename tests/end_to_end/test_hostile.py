"""Runs and commands over hostile folders: refused in words before anything is generated, whoever answers on stdin."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from helpers import hostile, warm

pytestmark = pytest.mark.usefixtures("memory", "warm_executable")

SMALL = ("--seedshift-images=16", "--seedshift-shift=mean", "--seedshift-magnitude=0.3")
RUN = ("-m", "pytest", "-p", "no:cacheprovider")
TOOL = ("-m", "pytest_seedshift")

COMMANDS: dict[str, tuple[str, ...]] = {
    "run": (*RUN, "--seedshift-model={}", *SMALL),
    "run -s": (*RUN, "-s", "--seedshift-model={}", *SMALL),
    "run -n 1": (*RUN, "-n", "1", "--seedshift-model={}", *SMALL),
    "plan": (*RUN, "-s", "--seedshift-plan", "--seedshift-model={}", *SMALL),
    "noise": (*TOOL, "noise", "{}"),
    "why": (*TOOL, "why", "{}"),
    "position": (*TOOL, "position", "{}"),
}
"""What loads a model, of which the name takes the place of the braces."""

ANSWERS = {"yes": "y\n" * 1000, "nobody": None}
"""What is on standard input; with None, it is closed."""


@dataclass(frozen=True)
class Project:
    """A user's folder with a hostile folder in it, and what is named in a run."""

    path: Path
    folder: Path
    model: str
    canary: Path
    environment: dict[str, str]


def project(path: Path, name: str) -> Project:
    ground = hostile.GROUNDS[name]
    path.mkdir(parents=True, exist_ok=True)
    thresholds, model = "[default]\ntop1 = 0.0\nclip = 0.0\n", "mine"
    environment = {name: value for name, value in os.environ.items() if name != "HF_HOME"}
    folder = ground.build(path / "evil")
    toys = {"vit": hostile.SCORERS / "toy-vit", "clip": hostile.SCORERS / "toy-clip"}
    if ground.role in ("classifier", "clip"):
        toys["vit" if ground.role == "classifier" else "clip"] = folder
    entry = f"[models.mine]\npipeline = '{hostile.MODELS / 'toy-latent'}'\n"
    if ground.role == "part":
        entry += f"parts = {{ unet = '{folder}' }}\n"
    elif ground.role == "file":
        model = f"{folder}.safetensors"
    elif ground.role == "pipeline":
        model = "./evil"
    elif ground.role == "cached":
        environment |= {"HF_HOME": str(path / "evil"), "HF_HUB_OFFLINE": "1"}
        model = "owner/evil"
    if model != "mine":
        entry = f"[models.'{model}']\n"
    scorers = ", ".join(f"{key} = '{value}'" for key, value in toys.items())
    entry += f"classes = 'toy16'\nscorers = {{ {scorers} }}\n"
    (path / "thresholds.toml").write_text(thresholds + entry)
    return Project(path, folder, model, path / "canary", environment)


def check_refused(made: Project, command: str, answer: str, *words: str) -> None:
    """See a command end with status 4, name the file and the key, and have done nothing."""
    given = ANSWERS[answer]
    # A warm process has read the place of the hub's cache already.
    python = warm.PYTHON if "HF_HOME" in made.environment else sys.executable
    ended = subprocess.run(
        [python, *(each.format(made.model) for each in COMMANDS[command])],
        cwd=made.path,
        env=made.environment,
        stdin=subprocess.DEVNULL if given is None else None,
        input=given,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    said = ended.stdout + ended.stderr
    assert ended.returncode == 4, said
    assert all(word in said for word in words), (words, said)
    assert "Traceback" not in said
    assert "Do you wish" not in said
    assert "trust_remote_code=True" not in said
    assert not made.canary.exists()
    assert not list(made.path.glob(".seedshift/samples.sqlite"))


DAILY = [
    ("clip", "open_clip_config.json", "tokenizer_kwargs.trust_remote_code", True, "run -s", "yes"),
    ("clip", "tokenizer_config.json", "auto_map", hostile._CODE, "noise", "yes"),
    ("classifier", "config.json", "auto_map", hostile._CODE, "run", "nobody"),
    ("timm", "config.json", "model_args.checkpoint_path", "evil.pth", "noise", "yes"),
    ("pipeline", "text_encoder/config.json", "attn_implementation", "owner/kernel", "why", "nobody"),
    ("file", "vae/config.json", "auto_map", hostile._CODE, "plan", "yes"),
    ("cached", "tokenizer/tokenizer_config.json", "auto_map", hostile._CODE, "run", "yes"),
    ("part", "config.json", "quantization_config", {"quant_method": "nunchaku_lite"}, "position", "nobody"),
]


@pytest.mark.parametrize("case", DAILY, ids=lambda case: f"{case[0]}-{case[4]}")
def test_a_hostile_folder_ends_a_command_before_anything_is_generated(tmp_path, case):
    name, file, key, value, command, answer = case
    made = project(tmp_path, name)
    planted = hostile.plant(made.folder / file, key, value)
    hostile.code(made.folder, made.canary)
    check_refused(made, command, answer, file, planted)


EVERY = [pytest.param(*each, id=f"{each[0]}-{each[1]}-{each[2]}") for each in hostile.all_folders()]


def test_there_are_enough_of_them():
    made: list[tuple[Any, ...]] = [tuple(each.values) for each in EVERY]
    assert len(made) >= 75
    assert {(name, file) for name, file, _, _ in made} == {(n, f) for n, files in hostile.FILES.items() for f in files}
    assert {(key, str(value)) for _, _, key, value in made} == {
        (key, str(value)) for key, value in (*hostile.KEYS, *hostile.VALUES)
    }


@pytest.mark.nightly
@pytest.mark.parametrize(("name", "file", "key", "value"), EVERY)
def test_every_hostile_folder_ends_every_command(tmp_path, name, file, key, value):
    made = project(tmp_path, name)
    planted = hostile.plant(made.folder / file, key, value)
    hostile.code(made.folder, made.canary)
    for command in COMMANDS:
        check_refused(made, command, "yes", file, planted)
    check_refused(made, "run -s", "nobody", file, planted)
    check_refused(made, "noise", "nobody", file, planted)


@pytest.mark.nightly
@pytest.mark.parametrize("name", hostile.GROUNDS)
@pytest.mark.parametrize("file", ["evil.py", "vocab.pkl", "adapter_config.json", ".metadata"])
def test_every_folder_with_code_or_a_pickle_beside_its_weights_ends_every_command(tmp_path, name, file):
    made = project(tmp_path, name)
    (made.folder / file).write_text("{}")
    for command in COMMANDS:
        check_refused(made, command, "yes", file)
