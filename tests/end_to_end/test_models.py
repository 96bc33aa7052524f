"""Models of the user's own, from an entry to a verdict."""

from __future__ import annotations

import json
import shutil
from importlib.resources import files
from pathlib import Path

import pytest

from helpers.runs import EASY, samples_of

pytestmark = pytest.mark.usefixtures("memory", "warm_executable")

TOY = Path(str(files("pytest_seedshift") / "models/toys/toy-latent"))
RUN = ("--seedshift-images=16", "--seedshift-batch-size=16", "--seedshift-exact", "--seedshift-shift=mean")
MINE = ("--seedshift-model=mine", *RUN, "--seedshift-magnitude=0.3")
ENTRY = """
pipeline = "weights/mine"
scorers = "toy"
classes = "toy16"
steps = 4
guidance = 1.0
scheduler = { name = "EulerAncestralDiscreteScheduler" }
"""


@pytest.fixture
def folder(pytester) -> Path:
    """A pipeline of the user's, in the project's folder."""
    shutil.copytree(TOY, pytester.path / "weights/mine")
    return pytester.path / "weights/mine"


def write(pytester, name: str, text: str) -> None:
    pytester.path.joinpath(name).write_text(text)


def test_an_entry_in_thresholds_toml_runs_a_case(pytester, run, folder, verdicts):
    write(pytester, "thresholds.toml", f"{EASY}[models.mine]\n{ENTRY}[model.mine.shift.mean]\ntop1 = 1.1e-9\n")
    result = run(*MINE)
    result.stdout.fnmatch_lines(["seedshift: 2 cases of mine on cpu (float32), 32 images*"])
    assert set(verdicts()) == {"mine-none-+0.00", "mine-mean-+0.30"}
    assert len(samples_of(pytester.path / ".seedshift")) == 32
    assert verdicts()["mine-none-+0.00"]["verdict"] == "pass"
    write(pytester, "thresholds.toml", f"{EASY}[models.mine]\n{ENTRY.replace('steps = 4', 'steps = 3')}")
    assert "32 samples of earlier runs" not in run(*MINE, "--seedshift-plan").stdout.str()
    write(pytester, "thresholds.toml", f"{EASY}[models.mine]\n{ENTRY}")
    run(*MINE, "--seedshift-plan").stdout.fnmatch_lines(["seedshift: 32 samples of earlier runs will be used again"])


def test_an_entry_in_pyproject_toml_runs_a_case(pytester, run, folder, verdicts):
    write(pytester, "pyproject.toml", f"[tool.seedshift.models.mine]\n{ENTRY}dtype = {{ cpu = 'bfloat16' }}\n")
    run(*MINE, "-k", "none").assert_outcomes(passed=1, deselected=1)
    assert verdicts()["mine-none-+0.00"]["dtype"] == "bfloat16"
    result = run(*MINE, "--seedshift-dtype=float32", "--seedshift-plan")
    result.stdout.fnmatch_lines(["seedshift: 2 cases of mine on cpu (float32)*"])


def test_each_model_has_its_own_number_type(pytester, run, folder):
    write(pytester, "thresholds.toml", f"{EASY}[models.mine]\n{ENTRY}dtype = 'bfloat16'\n")
    result = run("--seedshift-model=toy-latent,mine", *RUN, "-k", "none", "--seedshift-plan")
    result.stdout.fnmatch_lines(["seedshift: 2 cases of toy-latent, mine on cpu (float32, bfloat16)*"])


def test_a_marker_may_name_an_entry(pytester, run, folder):
    write(pytester, "thresholds.toml", f"{EASY}[models.mine]\n{ENTRY}")
    pytester.makepyfile(
        "import pytest\n@pytest.mark.reliability(models=['mine'], shifts=['mean'], magnitudes=[0.3], images=16)\n"
        "def test_mine(reliability): pass\n"
    )
    run("--seedshift-batch-size=16").assert_outcomes(passed=2)


def test_classes_of_a_csv_file(pytester, run, folder):
    write(pytester, "mine.csv", "label,index\nbanana,0\nstrawberry,1\n")
    write(pytester, "thresholds.toml", f"{EASY}[models.mine]\n{ENTRY.replace('toy16', 'mine.csv')}")
    run(*MINE, "--seedshift-images=4", "-k", "none").assert_outcomes(passed=1, deselected=1)
    assert {sample["label"] for sample in samples_of(pytester.path / ".seedshift")} == {"banana", "strawberry"}


def test_labels_by_the_names_that_a_csv_file_gives_them(pytester, run, folder, verdicts):
    write(pytester, "mine.csv", "label,index,aliases\nplantain,0,curved fruit; banana\npizza,2,\n")
    write(pytester, "thresholds.toml", f"{EASY}[models.mine]\n{ENTRY.replace('toy16', 'mine.csv')}")
    run(*MINE, "--seedshift-images=4", "-k", "none").assert_outcomes(passed=1, deselected=1)
    assert {sample["label"] for sample in samples_of(pytester.path / ".seedshift")} == {"plantain", "pizza"}


def test_a_folder_may_have_an_entry_under_its_own_path(pytester, run, folder, verdicts):
    entry = ENTRY.replace('pipeline = "weights/mine"\n', "")
    write(pytester, "thresholds.toml", f"{EASY}[models.'./weights/mine']\n{entry}")
    run("--seedshift-model=./weights/mine", *RUN, "-k", "none").assert_outcomes(passed=1, deselected=6)
    assert set(verdicts()) == {"./weights/mine-none-+0.00"}


def test_outputs_without_names_are_said_once(pytester, run, folder):
    vit = pytester.path / "vit"
    shutil.copytree(str(files("pytest_seedshift") / "scorers/toys/toy-vit"), vit)
    config = json.loads((vit / "config.json").read_text())
    config["id2label"] = {str(k): f"LABEL_{k}" for k in range(16)}
    (vit / "config.json").write_text(json.dumps(config))
    entry = ENTRY.replace(
        '"toy"', f'{{ vit = "{vit}", clip = "{files("pytest_seedshift") / "scorers/toys/toy-clip"}" }}'
    )
    write(pytester, "thresholds.toml", f"{EASY}[models.mine]\n{entry}")
    (line,) = [line for line in run(*MINE).outlines if "have no names" in line]
    assert line.startswith(f"seedshift: the outputs of {vit} have no names: the indices of the class list are trusted")


def test_the_safety_checker_is_off_and_that_is_said_once(pytester, run, folder):
    index = folder / "model_index.json"
    document = json.loads(index.read_text())
    document["safety_checker"] = ["stable_diffusion", "StableDiffusionSafetyChecker"]
    index.write_text(json.dumps(document))
    write(pytester, "thresholds.toml", f"{EASY}[models.mine]\n{ENTRY}")
    result = run(*MINE)
    result.assert_outcomes(passed=2)
    (line,) = [line for line in result.outlines if "safety checker" in line]
    assert line.startswith("seedshift: the safety checker of mine is off: ")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("pipelin = 'x'", "unknown key 'pipelin'. Did you mean 'pipeline'?*"),
        ("pipeline = 'a/b'\nsteps = 0", "steps = 0: give a whole number of at least 1"),
        ("steps = 4", "no pipeline is given: add pipeline = *"),
        ("pipeline = 'a/b'\nclasses = 'toy61'", "classes: unknown class list 'toy61'. Did you mean 'toy16'?*"),
        ("pipeline = 'a/b'\nscorers = { vti = 'a/b' }", "scorers: unknown key 'vti'. Did you mean 'vit'?*"),
    ],
)
@pytest.mark.parametrize(
    ("file", "table"), [("thresholds.toml", "models.mine"), ("pyproject.toml", "tool.seedshift.models.mine")]
)
def test_a_mistake_in_an_entry(pytester, run, text, message, file, table):
    write(pytester, file, f"[{table}]\n{text}\n")
    result = run("--seedshift-model=toy-latent", *RUN)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: *{file}: ?{table}?: {message}"])
    result.stdout.no_fnmatch_line("*INTERNALERROR*")
    assert not (pytester.path / ".seedshift").exists()


def test_a_class_file_that_is_not_there(pytester, run, folder):
    write(pytester, "thresholds.toml", f"{EASY}[models.mine]\n{ENTRY.replace('toy16', 'none.csv')}")
    result = run(*MINE)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: the class list *none.csv cannot be read: No such file*"])


def test_a_folder_of_pickles_is_a_mistake_before_anything_is_generated(pytester, run, folder):
    weights = folder / "unet/diffusion_pytorch_model.safetensors"
    weights.rename(weights.with_suffix(".bin"))
    result = run("--seedshift-model=./weights/mine", *RUN, "--seedshift-images=100")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        ["ERROR: ./weights/mine: unet: its weights are a pickle (*), which could run any code*"]
    )


def test_a_scheduler_that_does_not_exist_is_a_mistake_before_anything_is_loaded(pytester, run, folder):
    write(pytester, "thresholds.toml", f"{EASY}[models.mine]\n{ENTRY.replace('EulerA', 'EulrA')}")
    result = run(*MINE, "-k", "none")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        ["ERROR: the scheduler of mine: unknown scheduler 'EulrA*'. Did you mean 'EulerAncestralDiscrete*"]
    )


def test_a_pipeline_that_makes_no_images_is_one_mistake_and_not_one_of_each_case(pytester, run, folder):
    index = folder / "model_index.json"
    index.write_text(index.read_text().replace('"StableDiffusionPipeline"', '"TextToVideoSDPipeline"'))
    write(pytester, "thresholds.toml", f"{EASY}[models.mine]\n{ENTRY}")
    result = run(*MINE)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: *is a TextToVideoSDPipeline, which makes videos*"])


def test_labels_that_the_classifier_does_not_know_are_a_mistake_before_anything_is_loaded(pytester, run, folder):
    write(pytester, "mine.csv", "label,index\nbanana,0\nwalrus,1\n")
    write(pytester, "thresholds.toml", f"{EASY}[models.mine]\n{ENTRY.replace('toy16', 'mine.csv')}")
    result = run(*MINE, "--seedshift-images=4", "-k", "none")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        ["ERROR: *toy-vit: 1 of the 2 labels of the class list match none of its 16 classes: 'walrus'*"]
    )
    assert not samples_of(pytester.path / ".seedshift")


@pytest.mark.slow
def test_workers_of_xdist_know_the_user_s_models(pytester, run, folder):
    write(pytester, "thresholds.toml", f"{EASY}[models.mine]\n{ENTRY}")
    pytester.runpytest_subprocess("-p", "no:cacheprovider", "-n1", *MINE).assert_outcomes(passed=2)
