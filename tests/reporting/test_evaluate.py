"""Cases judged from Python: what the plugin would say, without pytest, of names and of pipelines in memory."""

from __future__ import annotations

import json
import random
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import DiffusionPipeline

import pytest_seedshift as seedshift
from helpers.pages import blocks
from helpers.prompted import drawn
from helpers.runs import cases_of, samples_of
from pytest_seedshift.models import catalogue

SMALL: dict[str, Any] = {"shift": "mean", "magnitude": 0.3, "images": 16, "exact": True, "batch_size": 16}
OPTIONS = (
    *("--seedshift-model=toy-latent", "--seedshift-magnitude=0.3", "--seedshift-batch-size=16"),
    *("--seedshift-report=none", "--seedshift-sensitivity=never"),
)
ASKED = {"default": {"top1": 0.6}, "shift": {"mean": {"clip": 50.0}}}
"""Which the toy meets but under a shift of the mean: no CLIP score of its own comes near 50."""
FILE = "[default]\ntop1 = 0.6\n[shift.mean]\nclip = 50.0\n"


pytestmark = pytest.mark.usefixtures("memory")  # the same few images are judged again and again


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def toy() -> Any:
    source = catalogue.shipped().find("toy-latent").pipeline[0]
    return DiffusionPipeline.from_pretrained(source, safety_checker=None)


def document(folder: Path) -> dict[str, Any]:
    """A run's verdicts.json without the ids of tests, which pytest's items have from pytest."""
    read = json.loads((folder / "verdicts.json").read_text())
    for entry in (*read["cases"], *read["grid"]):
        assert entry.pop("test")
    return read


def generated(folder: Path) -> list[int]:
    return [case["generated"] for case in cases_of(folder).values()]


# As the plugin judges ---------------------------------------------------------------------------------------------


def test_verdicts_are_those_of_the_plugin_and_no_sample_is_made_anew(pytester, run):
    pytester.path.joinpath("thresholds.toml").write_text(FILE)
    run(*OPTIONS, "--seedshift-shift=mean,std", "--seedshift-images=32").assert_outcomes(passed=2, failed=1)
    folder = pytester.path / ".seedshift"
    by_plugin = document(folder)
    assert sum(generated(folder)) > 32
    lines: list[str] = []
    found = seedshift.evaluate(
        "toy-latent", shift=["mean", "std"], magnitude=0.3, images=32, batch_size=16, progress=lines.append
    )
    assert document(folder) == by_plugin
    assert generated(folder) == [0, 0, 0]
    assert [case.verdict for case in found.cases] == ["pass", "fail", "pass"]
    assert [line.split()[-1] for line in lines] == ["pass", "fail", "pass"]
    assert not found.passed
    assert "toy-latent fails 1 of 3 cases: breaks under mean at +0.30" in repr(found)
    assert found.cases[1].reason in str(found)


EXPECTING = """
[default]
top1 = 0.0
[shift.mean]
clip = 50.0
expect = "fail"
reason = "known"
[shift.std]
expect = "fail"
reason = "mended"
[shift.mixed]
expect = "fail"
reason = "mended, and to be told"
strict = true
"""


def test_known_failures_are_those_of_the_plugin_too(pytester, run):
    pytester.path.joinpath("thresholds.toml").write_text(EXPECTING)
    shifts = ["mean", "std", "mixed"]
    result = run(*OPTIONS, f"--seedshift-shift={','.join(shifts)}", "--seedshift-images=16")
    result.assert_outcomes(passed=1, xfailed=1, xpassed=1, failed=1)
    by_plugin = document(pytester.path / ".seedshift")
    found = seedshift.evaluate("toy-latent", shift=shifts, magnitude=0.3, images=16, batch_size=16)
    assert document(pytester.path / ".seedshift") == by_plugin
    assert [case.verdict for case in found.cases] == ["pass", "fail", "pass", "fail"]
    assert [case.failed for case in found.cases] == [False, False, False, True]


PROGRAM = f"""
import json, sys
import pytest_seedshift as seedshift
found = seedshift.evaluate("toy-latent", thresholds={ASKED}, **{SMALL})
loaded = sorted({{"pytest", "_pytest", "pluggy", "xdist", "click"}} & set(sys.modules))
print(json.dumps([loaded, found.passed, str(found), str(found.report()), found.samples]))
import pytest
assert "pytest" in sys.modules
"""


def test_pytest_is_not_imported_and_the_plugin_goes_on_from_its_samples(pytester, run):
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    loaded, passed, said, report, samples = json.loads(done.stdout)
    assert loaded == []
    assert not passed
    assert "mean shift +0.30 breaks toy-latent" in said
    assert "breaks under mean at +0.30" in Path(report).read_text()
    assert len(samples) == 32
    assert len({tuple(row) for row in samples}) == 1
    folder = pytester.path / ".seedshift"
    before = document(folder)
    assert generated(folder) == [16, 16]
    pytester.path.joinpath("thresholds.toml").write_text(FILE)
    run(*OPTIONS, "--seedshift-shift=mean", "--seedshift-images=16", "--seedshift-exact")
    after = document(folder)
    assert generated(folder) == [0, 0]
    assert after["cases"] == before["cases"]
    assert after["thresholds"] == before["thresholds"]


# Pipelines in memory ----------------------------------------------------------------------------------------------


def test_a_pipeline_scores_as_the_model_that_it_was_loaded_of_until_its_weights_change(toy, tmp_path):
    by_name = seedshift.evaluate("toy-latent", thresholds=ASKED, directory="by-name", **SMALL)
    toy.unet.train()
    states = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist()
    found = seedshift.evaluate(toy, name="toy-latent", thresholds=ASKED, **SMALL)
    assert torch.equal(torch.get_rng_state(), states[0])
    assert (random.getstate(), np.random.get_state()[1].tolist()) == states[1:]
    assert toy.unet.training
    for one, other in zip(found.samples, by_name.samples, strict=True):
        assert (one["case"], one["label"], one["seed"]) == (other["case"], other["label"], other["seed"])
        assert one["clip"] == pytest.approx(other["clip"], abs=0.05)
    assert [case.verdict for case in found.cases] == [case.verdict for case in by_name.cases] == ["pass", "fail"]
    assert generated(tmp_path / ".seedshift") == [16, 16]

    # A step of a training makes it another model; the same weights again are the same one.
    weight = toy.unet.conv_out.weight
    before = weight.detach().clone()
    with torch.no_grad():
        weight.mul_(0.05)
    trained = seedshift.evaluate(
        toy, name="toy-latent", thresholds={"default": {"clip": {"max_regression": 1}}}, baseline=".seedshift", **SMALL
    )
    assert [case.generated for case in trained.cases] == [16, 16]
    assert not trained.passed
    assert "toy-latent is worse than its baseline without a shift" in str(trained)
    assert "regressions" in trained.report("trained.html").read_text()
    with torch.no_grad():
        weight.copy_(before)
    again = seedshift.evaluate(toy, name="toy-latent", thresholds=ASKED, **SMALL)
    assert [case.generated for case in again.cases] == [0, 0]
    assert again.samples == found.samples
    # What was found before is still there, whatever the folder has now.
    assert trained.cases[0].verdict == "fail"
    assert {row["case"] for row in trained.samples} == {row["case"] for row in found.samples}


@pytest.mark.nightly
def test_under_autocast_the_pipeline_alone_runs_in_it(toy, memory, monkeypatch):
    monkeypatch.setattr(memory, "_asleep", 1)  # what is recalled was computed in another number type
    plain = seedshift.evaluate("toy-latent", thresholds=ASKED, **SMALL)
    with torch.autocast("cpu", torch.bfloat16):
        same = seedshift.evaluate("toy-latent", thresholds=ASKED, **SMALL)
        other = seedshift.evaluate(toy, name="toy-latent", thresholds=ASKED, **SMALL)
        assert torch.is_autocast_enabled("cpu")
    assert [case.generated for case in (*same.cases, *other.cases)] == [0, 0, 16, 16]
    assert same.samples == plain.samples
    assert other.cases[0].scores["clip"].mean == pytest.approx(plain.cases[0].scores["clip"].mean, abs=1)


# What is given ----------------------------------------------------------------------------------------------------


class Painted:
    """A model of one's own, made by hand: what it draws is its noise."""

    name, fingerprint, seed_shape, seed_axes = "painted", "1", (3, 8, 8), seedshift.Axes()
    calls = 0

    def generate(self, pairs, shift=None, on_step=None):
        self.calls += 1
        z = seedshift.seed_vectors(pairs, self.seed_shape)
        z = z if shift is None else shift(z, pairs)
        return (z.repeat_interleave(4, 2).repeat_interleave(4, 3) / 4 + 0.5).clamp(0, 1)


def test_a_model_of_ones_own_is_judged_on_labels_of_ones_own(tmp_path):
    labels = [*seedshift.class_list("toy16")[:3], "violin"]
    model = Painted()
    given = {**SMALL, "classes": labels, "scorers": "toy", "images": 8}
    found = seedshift.evaluate(model, thresholds={"default": {"clip": 0}}, **given)
    assert found.passed
    assert {row["label"] for row in found.samples} == {"banana", "strawberry", "pizza", "violin"}
    assert len(found.cases) == 2
    assert model.calls
    (listed,) = tmp_path.glob(".seedshift/classes-*.csv")
    assert [label.name for label in seedshift.class_list(str(listed))][-1] == "violin"
    assert found.cases[0].scores["clip"].mean != found.cases[1].scores["clip"].mean
    calls = model.calls
    assert seedshift.evaluate(model, thresholds={"default": {"clip": 0}}, **given).samples == found.samples
    assert model.calls == calls


def test_prompts_of_ones_own_have_tags_and_are_kept_where_they_can_be_given_again(tmp_path):
    model = Painted()
    prompts = [
        {"id": "b", "prompt": "two bananas on a plate", "label": "banana", "tags": ["fruit", "counting"]},
        {"id": "v", "prompt": "a violin", "label": "violin", "tags": ["tools"]},
    ]
    asked = {"default": {"top1": 0}, "tag": {"fruit": {"top1": 0}}}
    given = {**SMALL, "scorers": "toy", "images": 8, "thresholds": asked}
    found = seedshift.evaluate(model, prompts=prompts, **given)
    assert found.passed
    assert {row["label"] for row in found.samples} == {"b", "v"}
    assert [case.tags.keys() for case in found.cases] == [{"fruit", "counting", "tools"}] * 2
    assert {finding.score for finding in found.cases[1].findings} == {"top1", "top1@fruit"}
    (kept,) = tmp_path.glob(".seedshift/prompts-*.jsonl")
    calls = model.calls
    assert seedshift.evaluate(model, prompts=kept, **given).samples == found.samples
    assert model.calls == calls

    templates = ["a drawing of a {label}", "a {label} in the rain"]
    given = {**given, "thresholds": {"default": {"top1": 0}}}
    seedshift.evaluate(model, classes=["banana", "violin"], template=templates, **given)
    for template in templates:
        assert {(label, template.format(label=label)) for label in ("banana", "violin")} <= drawn(tmp_path)


class Unmoved(Painted):
    """One that does not shift its noise."""

    name = "unmoved"

    def generate(self, pairs, shift=None, on_step=None):
        return super().generate(pairs)


def test_a_model_of_ones_own_that_does_not_shift_is_no_robust_one():
    given = {**SMALL, "classes": "toy16", "scorers": "toy", "thresholds": {"default": {"clip": 0}}}
    found = seedshift.evaluate(Unmoved(), **given)
    assert [case.verdict for case in found.cases] == ["pass", "error"]
    assert "has not called the shift that its generate was given" in found.cases[1].reason
    assert not found.passed


def test_thresholds_are_tables_a_file_or_those_that_are_there():
    def asked(**given):
        found = seedshift.evaluate("toy-latent", **SMALL, **given)
        return [[(each.score, each.kind, each.bound) for each in case.findings] for case in found.cases]

    tables = {"default": {"top1": 0.1}, "shift": {"mean": {0.3: {"top1": 0.2}}}}
    assert asked(thresholds=tables) == [[("top1", "min", 0.1)], [("top1", "min", 0.2)]]
    Path("mine.toml").write_text("[default]\ntop1 = 0.3\n")
    assert asked(thresholds="mine.toml") == [[("top1", "min", 0.3)]] * 2
    shipped = asked()
    Path("thresholds.toml").write_text("[default]\ntop1 = 0.4\n")
    assert asked() == [[("top1", "min", 0.4)]] * 2
    assert len(shipped[0]) > 1


def test_what_was_judged_is_kept_where_it_is_interrupted(tmp_path):
    def interrupt(_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        seedshift.evaluate("toy-latent", thresholds=ASKED, progress=interrupt, **SMALL)
    run = seedshift.load_run()
    assert [case.case.describe() for case in run.cases] == ["control"]
    assert [case.describe() for case in run.missing] == ["mean +0.30"]
    found = seedshift.evaluate("toy-latent", thresholds=ASKED, **SMALL)
    assert [case.generated for case in found.cases] == [0, 16]


def test_the_summary_is_written_under_a_name_of_markdown(tmp_path):
    found = seedshift.evaluate("toy-latent", thresholds=ASKED, **SMALL)
    assert found.report("some/where.md").read_text().startswith("## Robustness of toy-latent")
    assert found.report() == Path(".seedshift") / "report.html"
    Path("file").write_text("")
    with pytest.raises(seedshift.DataError, match="cannot be written"):
        found.report("file/report.html")


# What is wrong ----------------------------------------------------------------------------------------------------


@contextmanager
def nothing_made():
    yield
    assert [row for store in Path().glob("**/samples.sqlite") for row in samples_of(store.parent)] == []


class Nameless(Painted):
    name = 3


MISTAKES: dict[str, tuple[dict[str, Any], str]] = {
    "no such model": ({"model": "toy-latnt"}, "Did you mean 'toy-latent'"),
    "no model": ({"model": SimpleNamespace()}, "a SimpleNamespace is not a model: give a name"),
    "None": ({"model": None}, "a NoneType is not a model"),
    "no such shift": ({"shift": "maen"}, r"evaluate\(\): shift=maen: .*Did you mean 'mean'"),
    "no shift": ({"shift": []}, "shift names none"),
    "a number for a shift": ({"shift": 0.3}, "is a float: give the name of a shift"),
    "percent": ({"magnitude": 30}, "no_limits=True"),
    "no magnitude": ({"magnitude": [None]}, "is a NoneType: give a number such as 0.3"),
    "few images": ({"images": 3}, "3 images are fewer than the 16 classes"),
    "no images": ({"images": 0}, r"evaluate\(\): images=0: give a whole number of at least 1"),
    "no thresholds": ({"thresholds": {}}, r"evaluate\(\): thresholds: no threshold for toy-latent-none"),
    "an unknown score": ({"thresholds": {"default": {"top2": 0.5}}}, "unknown score 'top2'"),
    "a model in tables": ({"thresholds": {"models": {}}}, "Give the path of a file"),
    "no such file": ({"thresholds": "none.toml"}, "none.toml"),
    "a regression of nothing": (
        {"thresholds": {"default": {"top1": {"max_regression": 0.1}}}},
        "no baseline is given: add baseline=PATH",
    ),
    "no such baseline": ({"baseline": "nowhere"}, "nowhere"),
    "prompts without labels": ({"prompts": ["a cat"]}, "top-1 and top-5 need labels, and the prompts .* have none"),
    "prompts and classes": ({"prompts": ["a cat"], "classes": ["banana"]}, "prompts and classes: .* Give one of them"),
    "a number for prompts": ({"prompts": 5}, r"prompts=5: give the path of a file, a list of texts, or of mappings"),
    "a number for a prompt": ({"prompts": ["a cat", 5]}, "5 is neither a text nor a mapping of columns"),
    "a prompt twice": ({"prompts": ["a cat", "a cat"]}, r"evaluate\(\): prompts\[0\] and \[1\]: .*a cat"),
    "a misspelt column": ({"prompts": [{"prompt": "a cat", "tagz": "x"}]}, "tagz"),
    "a set in a prompt": ({"prompts": [{"prompt": "a cat", "tags": {"x"}}]}, "give texts, numbers and lists of texts"),
    "no such prompts": ({"prompts": "lacking.csv"}, "lacking.csv cannot be read: No such file"),
    "no template": ({"template": "a drawing"}, "no {label} is in it"),
    "a misspelt argument": ({"stepz": 3}, "unknown argument 'stepz'. Did you mean 'steps'"),
    "steps as text": ({"steps": "20"}, r"evaluate\(\): steps = '20': give a whole number"),
    "an unknown label": ({"classes": ["a zebra", "banana"]}, "'a zebra'"),
    "a label twice": ({"classes": ["banana", "banana"]}, "appears twice"),
    "no label": ({"classes": ["banana", 7]}, "7 is not a label"),
    "no class list": ({"classes": "toy15"}, "unknown class list 'toy15'"),
    "a name for a name": ({"name": "mine"}, "the model toy-latent has its name"),
    "no such type": ({"dtype": "float7"}, "unknown dtype 'float7'"),
    "no such device": ({"device": "cuda:99"}, "the device 'cuda:99' is not there"),
    "no certainty": ({"certainty": 99}, "certainty"),
    "certainty as text": ({"certainty": "0.99"}, "certainty='0.99': give a number"),
    "a number for thresholds": ({"thresholds": 0.6}, r"thresholds=0.6: give a path or tables"),
    "a number for a folder": ({"directory": 5}, r"directory=5: give a path"),
    "a number for classes": ({"classes": 5}, r"classes=5: give labels"),
    "progress switched on": ({"progress": True}, "progress=True: give a function"),
    "no call": ({"call": 5}, "call = 5: give a table"),
    "a batch as text": ({"batch_size": "4"}, r"batch_size='4': give a whole number"),
    "a number beyond all": ({"magnitude": 10**400}, "not a finite number"),
    "exact as text": ({"exact": "no"}, r"exact='no': give True or False"),
    "no_limits as text": ({"no_limits": "x"}, r"no_limits='x': give True or False"),
    "a model named 3": ({"model": Nameless()}, "the model's name is 3: give a text"),
    "a file for a folder": ({"directory": "theirs/thesis.tex"}, "thesis.tex"),
    "somebody's folder": ({"directory": "theirs"}, "is not empty"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_told_before_the_first_image(name):
    changes, message = MISTAKES[name]
    Path("theirs").mkdir()
    Path("theirs/thesis.tex").write_text("")
    given = {"model": "toy-latent", "thresholds": ASKED, **SMALL, **changes}
    with nothing_made(), pytest.raises(seedshift.SeedshiftError, match=message):
        seedshift.evaluate(given.pop("model"), **given)


def test_a_model_of_ones_own_has_what_its_table_in_the_file_says():
    Path("thresholds.toml").write_text('[default]\nclip = 0.0\n[models.painted]\nclasses = "toy16"\nscorers = "toy"\n')
    found = seedshift.evaluate(Painted(), **SMALL)
    assert found.passed
    assert {row["label"] for row in found.samples} == {label.name for label in seedshift.class_list("toy16")}


def test_several_threads_take_turns():
    def judged(number: int) -> list[str]:
        table = {"default": {"top1": 0.1 * number}}
        made = seedshift.evaluate("toy-latent", thresholds=table, directory=f"run-{number}", **SMALL)
        return [str(finding.bound) for case in made.cases for finding in case.findings]

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(judged, (1, 2))) == [["0.1"] * 2, ["0.2"] * 2]


def test_a_number_of_numpy_is_the_number_that_it_is_written_as():
    found = seedshift.evaluate("toy-latent", thresholds=ASKED, **{**SMALL, "magnitude": np.float32(0.3)})
    assert [case.case.magnitude for case in found.cases] == [0.0, 0.3]


def test_numbers_of_numpy_and_devices_of_torch_are_taken():
    changes = {"images": np.int64(16), "magnitude": np.array([0.3]), "batch_size": np.int32(16), "steps": np.int64(2)}
    given = {
        **SMALL,
        **changes,
        "design_seed": np.int64(1),
        "certainty": np.float64(0.9),
        "device": torch.device("cpu"),
    }
    found = seedshift.evaluate("toy-latent", thresholds=ASKED, **given)
    assert {(case.certainty, case.design_seed) for case in found.cases} == {(0.9, 1)}
    assert found.run.facts[0].models[0].run_with["steps"] == 2


def test_a_pipelines_device_and_type_are_its_own(toy):
    with pytest.raises(seedshift.InvalidValueError, match=r"the pipeline runs in float32.*leave dtype out"):
        seedshift.evaluate(toy, dtype=torch.float16, thresholds=ASKED, **SMALL)
    with pytest.raises(seedshift.SeedshiftUsageError, match="'my model' is not a name of a model"):
        seedshift.evaluate(toy, name="my model", thresholds=ASKED, **SMALL)
    with pytest.raises(seedshift.InvalidValueError, match=r"the pipeline is on cpu.*pipeline.to\('cuda:1'\)"):
        seedshift.evaluate(toy, device="cuda:1", thresholds=ASKED, **SMALL)
    toy.unet.conv_in.register_forward_hook(lambda *_: None)
    with nothing_made(), pytest.raises(seedshift.ModelError, match=r"unet\.conv_in has a forward hook"):
        seedshift.evaluate(toy, thresholds=ASKED, **SMALL)


# What is written of it --------------------------------------------------------------------------------------------


def test_the_pages_programs_run_and_print_what_it_says(capsys):
    names: dict[str, Any] = {}
    for program in blocks("python", "docs/how-to/python.md", "docs/how-to/live-pipeline.md"):
        exec(program, names)
    printed = capsys.readouterr().out
    (shown,) = blocks("text", "docs/how-to/python.md")

    def words(text: str) -> list[str]:  # other processors round otherwise
        return [re.sub(r"\d", "#", line.partition(" · worst")[0]).rstrip() for line in text.splitlines()]

    assert words(printed)[: len(words(shown))] == words(shown)
    assert printed.splitlines()[-1].startswith("1 True [")
