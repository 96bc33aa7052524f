"""Runs that ask for declared scores alone: nothing else is fetched or loaded, from the first case to the end."""

from __future__ import annotations

import json
import shutil
import sys

import pytest

from helpers import readers
from helpers.runs import ONE, PAGELESS, cases_of
from pytest_seedshift.__main__ import main
from pytest_seedshift.core.checkpoints import repository

BOTH = """
[default]
vqa = 0.0
siglip = { min = -90.0, max_drop = 150.0 }
[models.toy-latent]
scorers = { vit = "./not-there", clip = "./not-there" }
[scorers.vqa]
source = "./vlm"
[scorers.siglip]
kind = "clip"
source = "./siglip"
low = -100
high = 100
"""


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    """A model of each kind, made once; puts those that are named into a folder."""
    folder, known = tmp_path_factory.mktemp("readers"), {}
    kinds = {"vlm": readers.qwen25_vl, "siglip": readers.siglip_2, "short": readers.clip_h}

    def put(into, *names):
        for name in names:
            if name not in known:
                known[name] = kinds[name](folder / name)
            shutil.copytree(known[name], into / name)

    return put


@pytest.fixture
def fetched(monkeypatch):
    """What is looked for, of scorers."""
    seen: list[str] = []
    for name in ("fetch", "probe"):
        real = getattr(repository, name)

        def noted(source, *arguments, real=real, **others):
            seen.append(source)
            return real(source, *arguments, **others)

        monkeypatch.setattr(repository, name, noted)
    return seen


@pytest.mark.nightly  # prompts without labels are for every day
def test_vqa_and_a_dual_encoder_alone_go_all_the_way(pytester, run, fetched, tiny):
    tiny(pytester.path, "vlm", "siglip")
    pytester.path.joinpath("thresholds.toml").write_text(BOTH)
    first = run(*ONE, "--seedshift-save-baseline=b.json")
    first.assert_outcomes(passed=2)
    first.stdout.fnmatch_lines(["*no robustness of siglip (100·cos): a share of a score that may be negative*"])
    assert {source.rpartition("/")[2] for source in fetched} == {"vlm", "siglip"}
    folder = pytester.path / ".seedshift"
    for case in cases_of(folder).values():
        assert case["scores"].keys() == {"siglip", "vqa"}
        assert 0 <= case["scores"]["vqa"]["mean"] <= 1
    document = json.loads((folder / "verdicts.json").read_text())
    assert document["scores"]["siglip"] == {"title": "siglip (100·cos)", "top": 100, "binary": False, "low": -100}
    (model,) = document["models"].values()
    assert (model["classifier"], model["clip"], model["scorer_weights"]) == (None, None, [None, None])
    assert model["own"].keys() == model["own_given"].keys() == {"siglip", "vqa"}
    for arguments in (
        ["card", ".seedshift"],
        ["merge", ".seedshift", "--output", "merged"],
        ["report", "merged"],
        ["thresholds", ".seedshift", "--in-ci"],
    ):
        assert main(arguments) == 0
    assert main(["compare", "b.json", ".seedshift"]) == 0
    again = run(*ONE, "--seedshift-baseline=b.json")
    again.assert_outcomes(passed=2)
    assert {case["generated"] for case in cases_of(folder).values()} == {0}


def test_an_option_names_a_score_and_nothing_else_of_the_shipped_thresholds_holds(pytester, run, fetched):
    (pytester.path / "thresholds.toml").unlink(missing_ok=True)
    run(*PAGELESS, "--seedshift-score=clip")  # which the shipped thresholds judge
    for case in cases_of(pytester.path / ".seedshift").values():
        assert case["scores"].keys() == {"clip"}
    assert not any("vit" in source for source in fetched)
    assert any("clip" in source for source in fetched)


@pytest.mark.parametrize(
    ("thresholds", "arguments", "says"),
    [
        pytest.param(None, "clop", "--seedshift-score=clop: unknown score 'clop'. Did you mean 'clip'?", id="unknown"),
        pytest.param(None, "vqa", "no threshold for|Qwen/Qwen2.5-VL", id="nothing is asked", marks=pytest.mark.nightly),
        pytest.param(
            "[default]\nvqa = 0.5\n[scorers.vqa]\nsource = './nowhere'",
            "vqa",
            "nowhere",
            id="nowhere",
            marks=pytest.mark.nightly,
        ),
        pytest.param(
            "[default]\nquestions = 0.5\n[scorers.questions]\nsource = './vlm'",
            "clip",
            "has no questions",
            id="no questions",
            marks=pytest.mark.nightly,
        ),
        pytest.param(
            "[default]\nmine = 0.5\n[scorers.mine]\nkind = 'clip'\nsource = './vlm'",
            "clip",
            "mine|does not embed",
            id="no dual encoder",
        ),
    ],
)
def test_what_cannot_be_measured_is_said_beforehand(pytester, run, tiny, thresholds, arguments, says):
    (pytester.path / "thresholds.toml").unlink(missing_ok=True)
    if thresholds is not None:
        if "vlm" in thresholds:
            tiny(pytester.path, "vlm")
        pytester.path.joinpath("thresholds.toml").write_text(thresholds)
    result = run(*PAGELESS, f"--seedshift-score={arguments}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    told = result.stdout.str() + result.stderr.str()
    assert any(each in told for each in says.split("|"))
    assert "Traceback" not in told
    assert not (pytester.path / ".seedshift" / "verdicts.json").exists()


# Prompts without labels ---------------------------------------------------------------------------------------------

NOISE = """
class Mine:
    name, fingerprint, seed_shape = "mine", "noise", (3, 32, 32)

    def __init__(self, device, dtype):
        from pytest_seedshift import Axes

        self.seed_axes = Axes(channels=0, height=1, width=2)

    def generate(self, pairs, shift=None, on_step=None):
        import torch

        z = [torch.randn(self.seed_shape, generator=torch.Generator().manual_seed(pair.seed)) for pair in pairs]
        return (torch.stack(z) if shift is None else shift(torch.stack(z), pairs)).sigmoid()

def pytest_seedshift_models(): return {"mine": Mine}
"""
"""A model that draws noise, and no word of its prompt."""

MINE = ("seedshift", "--seedshift-model=mine", "--seedshift-shift=mean", "--seedshift-magnitude=0.3")
FEW = (*MINE, "--seedshift-images=4", "--seedshift-report=none")
ASKED = """
[default]
vqa = 0.0
questions = 0.0
prompts = "asked.csv"
[models.mine]
scorers = { vit = "./not-there", clip = "./short" }
[scorers.vqa]
source = "./vlm"
[scorers.questions]
source = "./vlm"
"""
LONG = "a red cube " + "very " * 90


@pytest.fixture
def asked(pytester, tiny):
    """A project whose prompts have no labels; one has more tokens than CLIP reads."""
    pytester.makeconftest(NOISE)
    tiny(pytester.path, "vlm", "short")
    rows = f"{LONG},Is it red?;A cube?,long\na dog,Is it?,short\n"
    pytester.path.joinpath("asked.csv").write_text(f"prompt,questions,tags\n{rows}")
    return lambda more="": pytester.path.joinpath("thresholds.toml").write_text(
        ASKED.replace("vqa = 0.0", f"vqa = 0.0\n{more}")
    )


def test_prompts_without_labels_need_no_classifier_and_a_long_one_no_clip(pytester, run, asked, fetched):
    asked()
    run(*FEW).assert_outcomes(passed=2)
    assert {source.rpartition("/")[2] for source in fetched} == {"vlm"}
    for case in cases_of(pytester.path / ".seedshift").values():
        assert case["scores"].keys() == {"questions", "vqa"}

    for more, says in (("clip = 0.0", "more than the 77 that CLIP"), ("top1 = 0.0", "not-there|have none")):
        asked(more)
        result = run(*FEW)
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        told = result.stdout.str() + result.stderr.str()
        assert any(each in told for each in says.split("|"))
        assert "Traceback" not in told


# GenEval's prompts, as they are -------------------------------------------------------------------------------------

GENEVAL = "".join(
    json.dumps({"tag": tag, "include": [{"class": name, "count": count}], "prompt": prompt}) + "\n"
    for tag, name, count, prompt in [
        ("single_object", "bench", 1, "a photo of a bench"),
        ("single_object", "cow", 1, "a photo of a cow"),
        ("counting", "clock", 2, "a photo of two clocks"),
        ("colors", "bench", 1, "a photo of a black bench"),
    ]
)

ALONE = """
[default]
vqa = { min = 0.0, max_drop = 0.5 }
clip = 0.0
prompts = "geneval.jsonl"
[tag.counting]
clip = 0.0
[models.mine]
scorers = { vit = "./not-there", clip = "./short" }
[scorers.vqa]
source = "./vlm"
"""
AGAINST = """
[baseline]
path = "base"
[shift.mean]
vqa = { max_regression = 0.5 }
clip = 0.0
"""


@pytest.mark.nightly
def test_geneval_s_prompts_go_all_the_way_with_vqa_and_clip_alone(pytester, run, tiny, fetched):
    """Early verdicts, report, shards merged, compare, baselines, two processes: no classifier is looked for."""
    pytester.makeconftest(NOISE)
    tiny(pytester.path, "vlm", "short")
    pytester.path.joinpath("geneval.jsonl").write_text(GENEVAL)
    thresholds = pytester.path / "thresholds.toml"
    thresholds.write_text(ALONE)
    many = (*MINE, "--seedshift-images=64", "--seedshift-batch-size=8")
    run(*many).assert_outcomes(passed=2)
    folder = pytester.path / ".seedshift"
    cases = cases_of(folder)
    assert {case["images"] < 64 for case in cases.values()} == {True}
    assert {frozenset(case["scores"]) for case in cases.values()} == {frozenset({"clip", "vqa"})}
    assert all({*case["tags"]} <= {"single_object", "counting", "colors"} for case in cases.values())
    page = (folder / "report.html").read_text()
    for told in ("Tag by tag", "Prompt by prompt", "a photo of a "):
        assert told in page

    few = (*MINE, "--seedshift-images=16", "--seedshift-batch-size=8", "--seedshift-report=none")
    run(*few, "--seedshift-exact", "--seedshift-dir=whole", "--seedshift-save-baseline=base").assert_outcomes(passed=2)
    for shard in (1, 2):
        run(*few, "--seedshift-exact", f"--seedshift-shard={shard}/2", f"--seedshift-dir=s{shard}")
    assert main(["merge", "--output=merged", "s1", "s2"]) == 0
    merged, whole = (cases_of(pytester.path / name) for name in ("merged", "whole"))
    assert {case: each["scores"] for case, each in merged.items()} == {
        case: each["scores"] for case, each in whole.items()
    }
    assert main(["report", "merged"]) == 0
    assert main(["compare", "whole", "merged"]) == 0
    assert main(["card", "merged"]) == 0

    thresholds.write_text(ALONE + AGAINST)
    judged = run(*few, "--seedshift-dir=whole")
    judged.assert_outcomes(passed=2)
    judged.stdout.fnmatch_lines(["*mine is compared with mine of base*: run alike*"])
    assert {case["generated"] for case in cases_of(pytester.path / "whole").values()} == {0}
    assert {source.rpartition("/")[2] for source in fetched} == {"vlm", "short"}

    thresholds.write_text(ALONE)
    arguments = ("-p", "no:cacheprovider", *few, "--seedshift-exact", "--seedshift-dir=two", "-n", "2")
    pytester.run(sys.executable, "-m", "pytest", *arguments).assert_outcomes(passed=2)
    two = cases_of(pytester.path / "two")
    assert {case: each["scores"] for case, each in two.items()} == {
        case: each["scores"] for case, each in whole.items()
    }
