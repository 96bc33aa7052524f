"""A hundred mistakes of users: each is said in one sentence, before anything is generated, and nothing is lost."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from helpers.runs import EASY
from pytest_seedshift.__main__ import main

MODEL = "--seedshift-model=toy-latent"
RUN = (MODEL, "--seedshift-images=16", "--seedshift-shift=mean", "--seedshift-magnitude=0.3", "--seedshift-report=none")
MANY = ",".join(f"{number / 1e5:.5f}" for number in range(1, 12000))
MINE = "[models.toy-latent]\n"

CONFTEST = """
import pytest
from pytest_seedshift import ScoreKind

class Mine:
    name, fingerprint, seed_shape = "mine", "1", (3, 8, 8)
    def __init__(self, device, dtype):
        from pytest_seedshift import Axes
        self.seed_axes = Axes()
    def generate(self, pairs, shift=None, on_step=None):
        pytest.skip("no GPU")

class Mark:
    kind, fingerprint = ScoreKind("mark", 1.0, binary=False), "1"
    def __init__(self, device): ...
    def check(self, labels): ...
    def score(self, images, labels):
        return {"mark": images.mean((1, 2, 3))}

def pytest_seedshift_models():
    return {"mine": Mine}

def pytest_seedshift_scorers():
    return {"mark": Mark}
"""
OWN = '[default]\nmark = 0.1\n[models.mine]\nclasses = "toy16"\nscorers = "toy"\n'


@dataclass(frozen=True)
class Mistake:
    """What a user has written, and words of what is said about it: where it stands, what is valid, what to do."""

    says: tuple[str, ...]
    args: tuple[str, ...] = RUN
    toml: str = EASY
    files: dict[str, str] = field(default_factory=dict)


def option(*args: str, says: tuple[str, ...]) -> Mistake:
    return Mistake(says, (*RUN, *args))


def toml(text: str, *says: str) -> Mistake:
    return Mistake(says, toml=text)


def entry(text: str, *says: str) -> Mistake:
    return Mistake(("toy-latent", *says), toml=f"{EASY}{MINE}{text}\n")


def ini(text: str, *says: str, name: str = "pytest.ini") -> Mistake:
    return Mistake((name, *says), args=(), files={name: text, "test_a.py": "def test_a():\n    pass\n"})


def marker(arguments: str, *says: str, marker: str = "reliability") -> Mistake:
    text = f"import pytest\n\n@pytest.mark.{marker}({arguments})\ndef test_it():\n    pass\n"
    return Mistake(("test_it.py::test_it", *says), args=("-W", "default"), files={"test_it.py": text})


def hook(old: str, new: str, *says: str, model: str = "mine") -> Mistake:
    assert old in CONFTEST
    args = (f"--seedshift-model={model}", *RUN[1:])
    return Mistake(says, args, OWN, {"conftest.py": CONFTEST.replace(old, new)})


LIFT = "--seedshift-no-limits"

OPTIONS = {
    "5 million images": option("--seedshift-images=5000000", says=("100,000", LIFT)),
    "20 digits": option("--seedshift-images=12345678901234567890", says=("--seedshift-images", LIFT)),
    "50 million images": option("--seedshift-images=50000000", says=("--seedshift-images=50000000", LIFT)),
    "a number in words": option("--seedshift-images=many", says=("invalid int value", "many")),
    "half an image": option("--seedshift-images=16.5", says=("invalid int value", "16.5")),
    "a slip in a number of images": option("--seedshift-images=1_6", says=("invalid int value", "1_6")),
    "a slip in a magnitude": option("--seedshift-magnitude=0_3", says=("0_3: not a finite number", "0.1")),
    "digits of another script": option("--seedshift-magnitude=٠.٣", says=("not a finite number", "0.1")),
    "no image": option("--seedshift-images=0", says=("at least 1",)),
    "a batch of 100000": option("--seedshift-batch-size=100000", says=("4,096", LIFT)),
    "trajectories of all": option("--seedshift-trajectories=100000", says=("1,000", LIFT)),
    "percent": option("--seedshift-magnitude=30", says=("of percent", "0.3", LIFT)),
    "percent, negative": option("--seedshift-magnitude=-20", says=("of percent", "-0.2", LIFT)),
    "a percent sign": option("--seedshift-magnitude=30%", says=("not a finite number",)),
    "a decimal comma": option("--seedshift-magnitude=0,3", says=("comma", "Give 0.3", "control")),
    "a decimal comma, negative": option("--seedshift-magnitude=-0,25", says=("comma", "Give -0.25")),
    "decimal commas": option("--seedshift-magnitude=0,1,0,2", says=("comma", "Give 0.1")),
    "no number": option("--seedshift-magnitude=big", says=("not a finite number", "0.1")),
    "12000 magnitudes": option(f"--seedshift-magnitude={MANY}", says=("cases: more than 10,000", LIFT)),
    "a magnitude without a meaning": option(
        "--seedshift-shift=std", "--seedshift-magnitude=-1.5", says=("std", "above -1")
    ),
    "an unknown shift": option("--seedshift-shift=maen", says=("Did you mean 'mean'",)),
    "an unknown model": Mistake(("Did you mean 'toy-latent'",), ("--seedshift-model=toy-latnet", *RUN[1:])),
    "an unknown option": option(
        "--seedshift-imags=16", says=("unknown option '--seedshift-imags'", "Did you mean '--seedshift-images'")
    ),
    "an unknown dtype": option("--seedshift-dtype=fp16", says=("float16",)),
    "an unknown device": option("--seedshift-device=cude", says=("On this machine: cpu",)),
    "a device that is not there": option("--seedshift-device=cuda:9", says=("On this machine: cpu",)),
    "pictures to keep": option("--seedshift-keep-images=some", says=("report",)),
    "no shard": option("--seedshift-shard=5/4", says=("from 1/4 to 4/4",)),
    "more shards than cases": option("--seedshift-shard=1/50", says=("at most 2",)),
    "a shard by no run": option("--seedshift-shard=1/2", "--seedshift-shard-by=nope", says=("no such folder",)),
    "shard-by alone": option("--seedshift-shard-by=nope", says=("no effect without --seedshift-shard",)),
    "write-margin alone": option("--seedshift-write-margin=0.1", says=("no effect without --seedshift-write-thr",)),
    "write-in-ci alone": option("--seedshift-write-in-ci", says=("no effect without --seedshift-write-thresholds",)),
    "allow-missing alone": option("--seedshift-allow-missing", says=("no effect without a baseline",)),
    "a margin of percent": option(
        "--seedshift-write-thresholds", "--seedshift-write-margin=2", says=("0 to below 1", "0.02")
    ),
    "a report that is a folder": option("--seedshift-report=.", says=("--seedshift-report", "is a folder")),
    "a report in /proc": option("--seedshift-report=/proc/x/report.html", says=("--seedshift-report", "cannot be")),
    "a summary in a file": option(
        "--seedshift-summary=thresholds.toml/s.md",
        says=("--seedshift-summary", "thresholds.toml is a file, not a folder"),
    ),
    "a summary with a long name": option(f"--seedshift-summary={'s' * 300}.md", says=("too long",)),
    "a baseline to a folder": option(
        "--seedshift-save-baseline=.", says=("--seedshift-save-baseline", "the folder has other files")
    ),
    "a baseline to the thresholds": option("--seedshift-save-baseline=thresholds.toml", says=("the thresholds file",)),
    "two outputs in one": option(
        "--seedshift-report=a.html", "--seedshift-summary=a.html", says=("is also that of --seedshift-report",)
    ),
    "pytest-html's page": option("--seedshift-report=a.html", "--html=a.html", says=("is also that of --html",)),
    "a log's file": option("--seedshift-report=a.html", "--log-file=a.html", says=("is also that of --log-file",)),
    "a folder that pytest empties": option(
        "--basetemp=.seedshift", says=("--basetemp=.seedshift: pytest empties that folder",)
    ),
    "a NUL in a path": option("--seedshift-dir=a\0b", says=("--seedshift-dir: has a NUL in it",)),
    "thresholds to a folder": option("--seedshift-write-thresholds=.", says=("--seedshift-write-thresholds", ".toml")),
    "thresholds to a text": option("--seedshift-write-thresholds=t.txt", says=("give the path of a .toml file",)),
    "thresholds that are nowhere": option("--seedshift-thresholds=no.toml", says=("no.toml",)),
    "a baseline of no run": option("--seedshift-baseline=.", says=("--seedshift-baseline", "holds no run")),
    "a baseline that is nowhere": option(
        "--seedshift-baseline=b.json", says=("b.json is not there", "--seedshift-exact")
    ),
    "a baseline that is none": option("--seedshift-baseline=thresholds.toml", says=("thresholds.toml is",)),
    "a run folder in a file": option("--seedshift-dir=thresholds.toml/run", says=("the run folder cannot be written",)),
    "a plan by workers": option("--seedshift-plan", "-n2", says=("leave -n out",)),
    "a file to replace": Mistake(
        ("package.json", "is no baseline", "remove it"),
        (*RUN, "--seedshift-save-baseline=package.json"),
        files={"package.json": '{"name": "precious"}'},
    ),
    "a summary to replace": Mistake(
        ("README.md", "is no summary"), (*RUN, "--seedshift-summary=README.md"), files={"README.md": "# Precious\n"}
    ),
    "a page to replace": Mistake(
        ("README.md", "is no page"), (*RUN, "--seedshift-report=README.md"), files={"README.md": "# Precious\n"}
    ),
}

INI = {
    "an ini key": ini("[pytest]\nseedshift_modle = toy-latent\n", "Did you mean 'seedshift_model'"),
    "a dash in an ini key": ini(
        "[tool.pytest.ini_options]\nseedshift-images = '16'\n", "Did you mean 'seedshift_images'", name="pyproject.toml"
    ),
    "a key of pytest's own table": ini(
        "[tool.pytest]\nseedshift_imges = 16\n", "Did you mean 'seedshift_images'", name="pyproject.toml"
    ),
    "an ini key by -o": Mistake(
        ("-o", "Did you mean 'seedshift_shift'"),
        ("-o", "seedshift_shfit=mean"),
        files={"test_a.py": "def test_a(): pass\n"},
    ),
    "an ini value": ini("[pytest]\nseedshift_model = toy-latent\nseedshift_images = lots\n", "seedshift_images"),
    "an ini value of another type": ini(
        "[tool.pytest]\nseedshift_model = true\n", "seedshift_model", "list", name="pyproject.toml"
    ),
    "too many by the ini file": Mistake(
        ("--seedshift-images=5000000", LIFT),
        (),
        files={"pytest.ini": "[pytest]\nseedshift_model = toy-latent\nseedshift_images = 5000000\n"},
    ),
    "a decimal comma by the ini file": Mistake(
        ("Give 0.3",),
        (),
        files={"pytest.ini": "[pytest]\nseedshift_model = toy-latent\nseedshift_magnitude = 0,3\n"},
    ),
    "an option where markers name the model": Mistake(
        ("--seedshift-shift=maen", "Did you mean 'mean'"),
        ("--seedshift-shift=maen",),
        files={"test_it.py": "import pytest\n\n@pytest.mark.reliability(models='toy-latent')\ndef test_it(): pass\n"},
    ),
    "a table of [tool.seedshift]": Mistake(
        ("pyproject.toml", "Did you mean 'models'"), files={"pyproject.toml": "[tool.seedshift.modles.x]\nsteps = 3\n"}
    ),
}

MARKERS = {
    "a marker's name": marker("models='toy-latent'", "Did you mean 'reliability'", marker="relability"),
    "another marker's name": marker("models='toy-latent'", "Did you mean 'breaking_point'", marker="breaking_piont"),
    "an argument": marker("models='toy-latent', shfits='mean'", "Did you mean 'shifts'"),
    "a marker's model": marker("models='toy-latnet'", "Did you mean 'toy-latent'").__class__(
        ("Did you mean 'toy-latent'",),
        ("-W", "default"),
        files={"test_it.py": "import pytest\n\n@pytest.mark.reliability(models='toy-latnet')\ndef test_it(): pass\n"},
    ),
    "a marker's magnitude": marker("models='toy-latent', magnitudes=[30]", "of percent", LIFT),
    "a marker's decimal comma": marker("models='toy-latent', magnitudes='0,3'", "Give 0.3"),
    "a marker's images": marker("models='toy-latent', images=10**7", "100,000", LIFT),
    "a marker's images in words": marker("models='toy-latent', images='16'", "a whole number"),
    "a marker's bound of percent": marker("models='toy-latent', top1=60", "60 % is 0.6"),
    "a marker's unknown bound": marker("models='toy-latent', top1={'mni': 0.5}", "Did you mean 'min'"),
    "a marker's sign": marker("models='toy-latent', signs='up'", "signs", "'+'", marker="breaking_point"),
    "a marker's least breaking point": marker(
        "models='toy-latent', min_breaking_point=20", "above 0 and up to 1", marker="breaking_point"
    ),
}

TOML = {
    "a table": toml("[defualt]\ntop1 = 0.5\n", "thresholds.toml", "Did you mean 'default'"),
    "a score": toml("[default]\ntop_1 = 0.5\n", "[default]", "Did you mean 'top1'"),
    "a bound": toml("[default]\ntop1 = { mim = 0.5 }\n", "Did you mean 'min'"),
    "percent of 1": toml("[default]\ntop1 = 60\n", "0 to 1", "60 % is 0.6"),
    "a bound in quotes": toml('[default]\ntop1 = "0.6"\n', "[default] top1", "give a number"),
    "a certainty of percent": toml(f"{EASY}[verdict]\ncertainty = 99\n", "[verdict]", "below 1"),
    "a setting of the verdict": toml(f"{EASY}[verdict]\nfamliy = true\n", "Did you mean 'family'"),
    "a setting of the baseline": toml(f"{EASY}[baseline]\npaht = 'b'\n", "Did you mean 'path'"),
    "a magnitude with a comma": toml(f"{EASY}[shift.mean.'0,3']\ntop1 = 0.1\n", 'with a point: "0.3"'),
    "a magnitude of percent": toml(f"{EASY}[shift.mean.'30%']\ntop1 = 0.1\n", "30 %", '"0.3"'),
    "a magnitude without quotes": toml(f"{EASY}[shift.mean.0.3]\ntop1 = 0.1\n", "in quotes"),
    "a magnitude of the control": toml(f"{EASY}[shift.none.'0.3']\ntop1 = 0.1\n", "[shift.none]"),
    "a magnitude that std has not": toml(f"{EASY}[shift.std.'-1.5']\ntop1 = 0.1\n", "above -1"),
    "a shift's table in default": toml(f"{EASY}[default.shift.mean]\ntop1 = 0.1\n", "[shift.mean]"),
    "a table in a model's": toml(f"{EASY}[model.toy-latent.shfit.mean]\ntop1 = 0.1\n", "[model.NAME.shift.mean]"),
    "a model's shift without its table": toml(f"{EASY}[model.toy-latent.mean]\ntop1 = 0.1\n", "model.NAME.shift.mean"),
    "a model of nobody": toml(f"{EASY}[model.sd12]\ntop1 = 0.1\n", "[model.sd12]", "Did you mean 'sd21'"),
    "a least breaking point": toml(f"{EASY}min_braking_point = 0.2\n", "Did you mean 'min_breaking_point'"),
    "no TOML": toml("[default\ntop1 = 0.5\n", "thresholds.toml", "not valid TOML"),
    "a key of an entry": entry("stpes = 5", "Did you mean 'steps'"),
    "a kind of device": entry('dtype = { cpo = "float32" }', "dtype", "Did you mean 'cpu'"),
    "a number type": entry('dtype = { cpu = "fp32" }', "dtype", "float32"),
    "another family's scheduler": entry(
        'scheduler = { name = "FlowMatchEulerDiscreteScheduler" }', "cannot take the place of", "EulerDiscreteScheduler"
    ),
    "an unknown scheduler": entry('scheduler = { name = "DDIMSchedular" }', "Did you mean 'DDIMScheduler'"),
    "an option of a scheduler": entry(
        'scheduler = { name = "DDIMScheduler", beta_strat = 1 }', "Did you mean 'beta_start'"
    ),
    "a value of a scheduler": entry('scheduler = { name = "DDIMScheduler", beta_schedule = "cubic" }', "cubic"),
    "a negative prompt of 5": entry("call = { negative_prompt = 5 }", "negative_prompt = 5", "takes str"),
    "prompts with a NUL": entry('prompts = "a\\u0000b.csv"', "a NUL byte"),
    "classes with a NUL": entry('classes = "a\\u0000b.csv"', "a NUL byte"),
    "a list of negative prompts": entry('call = { negative_prompt = ["ugly"] }', "give one text"),
    "an argument of the call": entry("call = { eat = 0.5 }", "Did you mean 'eta'"),
    "an argument of another type": entry('call = { eta = "0.5" }', "takes float"),
    "an argument that fails in the call": entry("call = { clip_skip = 100 }", "cannot generate", "IndexError"),
    "an argument that has a key": entry("call = { guidance_scale = 5.0 }", "guidance = 5.0"),
    "an odd size": entry("height = 33\nwidth = 33", "height = 33", "divisible by 8"),
    "a size between": entry("height = 36", "height = 36", "divisible by 8"),
    "100000 pixels": entry("height = 100000\nwidth = 100000", "height = 100000", LIFT),
    "a large picture": entry("height = 8192\nwidth = 8192", "pixels", LIFT),
    "more steps than trained": entry("steps = 2000", "steps = 2000", "1000 steps"),
    "a million steps": entry("steps = 1000000", "10,000", LIFT),
    "a guidance of 750": entry("guidance = 750", "guidance = 750", LIFT),
    "an unknown class list": entry('classes = "toy61"', "Did you mean 'toy16'"),
    "an unknown part": entry('parts = { unte = "there" }', "unte"),
    "weights that are cut short": Mistake(
        ("short/unet/diffusion_pytorch_model.safetensors", "is not a safetensors file"),
        ("--seedshift-model=./short", *RUN[1:]),
        f'{EASY}[models."./short"]\nclasses = "toy16"\nscorers = "toy"\n',
        {
            "short/model_index.json": '{"_class_name": "StableDiffusionPipeline", "unet": ["diffusers", "X"]}',
            "short/unet/config.json": "{}",
            "short/unet/diffusion_pytorch_model.safetensors": "not weights",
        },
    ),
}

HOOKS = {
    "a hook that raises": hook(
        'return {"mine": Mine}', "raise KeyError('weights')", "conftest.py", "line 21", "KeyError"
    ),
    "a hook that skips": hook('return {"mine": Mine}', 'pytest.skip("no GPU")', "pytest.skip: no GPU", "line 21"),
    "a hook that ends": hook('return {"mine": Mine}', "raise SystemExit(3)", "SystemExit", "line 21"),
    "a hook of a list": hook('return {"mine": Mine}', 'return ["mine"]', "give a mapping of names to factories"),
    "a hook of no factory": hook('return {"mine": Mine}', 'return {"mine": 3}', "the model 'mine' is 3", "a class or"),
    "a hook's name": hook(
        "pytest_seedshift_models", "pytest_seedshift_modles", "Did you mean 'pytest_seedshift_models'"
    ),
    "a factory that raises": hook(
        "self.seed_axes = Axes()", "raise OSError('no weights')", "cannot be loaded", "no weights", "line 9"
    ),
    "a factory that skips": hook("self.seed_axes = Axes()", "pytest.skip('no GPU')", "pytest.skip: no GPU", "line 9"),
    "a model that skips": hook(
        "import pytest\n", "import pytest\n", "cannot generate", "pytest.skip: no GPU", "line 11"
    ),
    "a model that expects to fail": hook("pytest.skip(", "pytest.xfail(", "cannot generate", "pytest.xfail: no GPU"),
    "a model that raises": hook('pytest.skip("no GPU")', "pairs[0].prmpt", "AttributeError", "conftest.py, line 11"),
    "a model that ends": hook('pytest.skip("no GPU")', "raise SystemExit", "SystemExit", "conftest.py, line 11"),
    "a model that closes": hook(
        'pytest.skip("no GPU")', "raise GeneratorExit", "GeneratorExit", "conftest.py, line 11"
    ),
    "a model without axes": hook("self.seed_axes = Axes()", "self.seed_axes = 3", "seed_axes are 3", "Axes(channels=0"),
    "a model of two axes": hook("(3, 8, 8)", "(8, 8)", "seed_shape is (8, 8)", "three or more"),
    "a score without a range": hook("kind, fingerprint", "kin, fingerprint", "not a ScoreKind of", "Give it one"),
    "a scorer that cannot be made": hook(
        "def __init__(self, device): ...", "def __init__(self): ...", "the scorer 'mark' of conftest.py", "TypeError"
    ),
}

COMMANDS = {
    "why, into /proc": (("why", "toy-latent", "--output=/proc/x/why.html"), ("--output", "cannot be written")),
    "why, into a folder": (("why", "toy-latent", "--output=."), ("--output", "is a folder")),
    "why, percent": (("why", "toy-latent", "--magnitude=30"), ("of percent", "--no-limits")),
    "why, a decimal comma": (("why", "toy-latent", "--magnitude=0,3"), ("Give 0.3",)),
    "why, 10 million images": (("why", "toy-latent", "--images=10000000"), ("--images 10000000", "--no-limits")),
    "why, no model": (("why", "toy-latnet"), ("Did you mean 'toy-latent'",)),
    "noise, 10 million images": (("noise", "toy-latent", "--images=10000000"), ("--images 10000000", "--no-limits")),
    "position, percent": (("position", "toy-latent", "--magnitude=30"), ("of percent", "--no-limits")),
    "position, two magnitudes": (("position", "toy-latent", "--magnitude=0.1,0.2"), ("give one number",)),
    "position, 10 million images": (
        ("position", "toy-latent", "--images=10000000"),
        ("--images 10000000", "--no-limits"),
    ),
    "report, no run": (("report", "nowhere"), ("nowhere",)),
    "report, to a folder": (("report", ".", "--output=."), ("--output", "is a folder")),
    "card, no run": (("card", "nowhere"), ("nowhere",)),
    "merge, no run": (("merge", "nowhere", "--output=merged"), ("nowhere",)),
    "thresholds, a margin of percent": (("thresholds", ".", "--margin=2"), ("--margin", "0.02")),
    "compare, no run": (("compare", "nowhere", "nowhere"), ("nowhere",)),
}


_NOT_THEIRS = (".seedshift", "__pycache__", "a.html", "assets")
"""What the package writes, and pytest, and pytest-html."""


def samples(folder: Path) -> int:
    """How many images a run folder has the scores of."""
    store = folder / ".seedshift" / "samples.sqlite"
    if not store.exists():
        return 0
    with closing(sqlite3.connect(store)) as connection:
        return int(connection.execute("SELECT count(*) FROM images").fetchone()[0])


def contents(folder: Path) -> dict[str, bytes]:
    """All files of the user's, and of others."""
    found = {path.relative_to(folder): path for path in folder.rglob("*") if path.is_file()}
    return {str(name): path.read_bytes() for name, path in found.items() if name.parts[0] not in _NOT_THEIRS}


def check(folder: Path, before: dict[str, bytes], told: str, says: tuple[str, ...]) -> None:
    for words in says:
        assert words in told
    assert "Traceback" not in told
    assert "INTERNALERROR" not in told
    assert "seedshift::test_reliability" not in told  # no case has come to anything
    assert samples(folder) == 0
    assert contents(folder) == before


MISTAKES = {**OPTIONS, **INI, **MARKERS, **TOML, **HOOKS}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_said_before_the_work(pytester, run, name):
    mistake = MISTAKES[name]
    pytester.path.joinpath("thresholds.toml").write_text(mistake.toml)
    for file, text in mistake.files.items():
        pytester.path.joinpath(file).parent.mkdir(parents=True, exist_ok=True)
        pytester.path.joinpath(file).write_text(text)
    before = contents(pytester.path)
    result = run(*mistake.args)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    check(pytester.path, before, result.stdout.str() + result.stderr.str(), mistake.says)
    assert len([line for line in result.errlines if line.startswith("ERROR: ")]) <= 1


@pytest.mark.parametrize("name", COMMANDS)
def test_a_mistake_in_a_command_is_said_before_the_work(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
):
    arguments, says = COMMANDS[name]
    monkeypatch.chdir(tmp_path)
    try:
        status = main(list(arguments))
    except SystemExit as ended:  # of the parser of the command line
        status = ended.code
    assert status == pytest.ExitCode.USAGE_ERROR
    check(tmp_path, {}, "".join(capfd.readouterr()), says)


WARNINGS = {
    "a bound far off its scale": Mistake(
        ("[default] clip = 0.2 requires nearly nothing on a scale from 0 to 50: 0.2 of it would be 10",),
        toml="[default]\nclip = 0.20\n",
    ),
    "a drop that allows everything": Mistake(
        ("[default] top1: max_drop = 1 allows everything",), toml="[default]\ntop1 = { max_drop = 1.0 }\n"
    ),
    "tables that meet no case": Mistake(
        ('[shift.std], [shift.mean."0.35"], [model.sd21] speak of no case of this run',),
        toml=f"{EASY}[shift.std]\ntop1 = 0.1\n[shift.mean.'0.35']\ntop1 = 0.1\n[model.sd21.shift.std]\ntop1 = 0.1\n",
    ),
    "a model of the baseline": Mistake(
        ("[baseline] has no effect without its path",), toml=f"{EASY}[baseline.models]\nmine = 'yours'\n"
    ),
    "a family without a baseline": Mistake(
        ('[verdict] family = "regressions" has no effect without a baseline',),
        toml=f'{EASY}[verdict]\nfamily = "regressions"\n',
    ),
    "a breaking point that nobody searches": Mistake(
        ("min_breaking_point is not checked", "--seedshift-breaking-point"), toml=f"{EASY}min_breaking_point = 0.2\n"
    ),
    "an ini key without an effect": Mistake(
        ("--seedshift-write-margin has no effect without --seedshift-write-thresholds",),
        files={"pytest.ini": "[pytest]\nseedshift_write_margin = 0.05\n"},
    ),
    "addopts without an effect": Mistake(
        ("--seedshift-shard-by has no effect without --seedshift-shard",),
        files={"pytest.ini": "[pytest]\naddopts = --seedshift-shard-by=elsewhere\n"},
    ),
    "a marker's bound far off its scale": Mistake(
        ("test_it.py::test_it: @pytest.mark.reliability clip = 0.3 requires nearly nothing",),
        files={"test_it.py": "import pytest\n\n@pytest.mark.reliability(clip=0.3)\ndef test_it():\n    pass\n"},
    ),
}
"""What may be meant: a line says it, and the run goes on."""


@pytest.mark.parametrize("name", WARNINGS)
def test_what_may_be_meant_is_said_in_a_line_and_run(pytester, run, name):
    warned = WARNINGS[name]
    pytester.path.joinpath("thresholds.toml").write_text(warned.toml)
    for file, text in warned.files.items():
        pytester.path.joinpath(file).write_text(text)
    result = run(*warned.args, "-k", "none")
    assert result.ret == pytest.ExitCode.OK
    (line,) = [line for line in result.outlines if line.startswith("seedshift: warning: ")]
    for words in warned.says:
        assert words in line


GOOD = {
    "limits that are met": ("--seedshift-images=100000", "--seedshift-magnitude=3,-3", "--seedshift-batch-size=4096"),
    "limits that are lifted": ("--seedshift-images=5000000", "--seedshift-magnitude=30", LIFT),
    "the control alone": ("--seedshift-magnitude=0",),
    "0 beside others": ("--seedshift-magnitude=0,0.3",),
    "whole magnitudes": ("--seedshift-magnitude=1,2",),
    "a shard": ("--seedshift-shard=1/2",),
    "a report in a new folder": ("--seedshift-report=out/new/report.html",),
    "a report once more": ("--seedshift-report=report.html",),
}


@pytest.mark.parametrize("name", GOOD)
def test_what_is_right_is_taken(pytester, run, name):
    """The negative control: the same options, used as they are meant."""
    pytester.path.joinpath("report.html").write_text("<!DOCTYPE html><p>of the run before</p>")
    result = run(*RUN, *GOOD[name], "--co", "-q")
    assert result.ret == pytest.ExitCode.OK
    assert any(line.startswith("seedshift::test_reliability[toy-latent-") for line in result.outlines)
    assert not result.errlines


def test_what_is_right_is_run_without_a_warning(pytester, run, monkeypatch):
    """Likewise of all that is looked at only where something is to be run."""
    monkeypatch.delenv("CI", raising=False)
    pytester.path.joinpath("thresholds.toml").write_text(
        f"[default]\ntop1 = 0.0\nclip = 1.5\n[shift.mean.'0.3']\ntop1 = 0.0\n[model.toy-latent]\ntop5 = 0.0\n{MINE}"
        'scheduler = { name = "EulerDiscreteScheduler" }\ndtype = { cpu = "float32", cuda = "bfloat16" }\n'
        'steps = 12\nguidance = 2\nheight = 40\nwidth = 32\ncall = { negative_prompt = "grey", guidance_rescale = 0 }\n'
    )
    writes = ("--seedshift-write-thresholds=new.toml", "--seedshift-write-margin=0.1")
    result = run(*RUN, "--seedshift-report=out/report.html", "--seedshift-save-baseline=out/base.json", *writes)
    assert result.ret == pytest.ExitCode.OK
    assert "warning: --" not in result.stdout.str()
    assert "of no case of this run" not in result.stdout.str()
    assert "requires nearly nothing" not in result.stdout.str()
    assert (pytester.path / "out/report.html").exists()
    assert "measured" in (pytester.path / "new.toml").read_text()
    assert samples(pytester.path) > 0


def test_there_are_a_hundred():
    assert len(MISTAKES) + len(COMMANDS) >= 100
