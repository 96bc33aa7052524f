"""Every command line option and ini key, declared once.

An option's value comes from the command line, else from its ini key, else from its default; a test's marker stands
above all three: see `option_resolution`. This module is imported by every pytest run, so it imports nothing heavy.
"""

from __future__ import annotations

from argparse import ArgumentTypeError
from typing import Any, Literal, NamedTuple

import pytest

from pytest_seedshift.core.limits import DEFAULT_MAGNITUDES, DEFAULT_SHIFTS, DTYPES
from pytest_seedshift.core.test_names import SUITE


class Option(NamedTuple):
    """One option: `--seedshift-<name>` on the command line, `seedshift_<name>` in the ini file."""

    name: str
    kind: Literal["list", "text", "int", "flag", "maybe"]
    default: str
    help: str
    metavar: str | None = None

    @property
    def flag(self) -> str:
        """Its name on the command line."""
        return f"--seedshift-{self.name}"

    @property
    def key(self) -> str:
        """Its name in the ini file."""
        return f"seedshift_{self.name.replace('-', '_')}"


OPTIONS = (
    Option(
        "model",
        "list",
        "none: seedshift does nothing",
        "model to test: a catalogue or [models] name, a folder, a .safetensors file or a hub id, with changes as in "
        "sd21+ddim+steps=20; repeatable or comma-separated",
        "NAME",
    ),
    Option(
        "shift",
        "list",
        ", ".join(DEFAULT_SHIFTS),
        "shift of the seed vector, NAME or NAME:VARIANT; repeatable or comma-separated",
        "NAME",
    ),
    Option(
        "magnitude",
        "list",
        ", ".join(f"{magnitude:g}" for magnitude in DEFAULT_MAGNITUDES),
        "signed strength of the shift; repeatable or comma-separated",
        "NUMBER",
    ),
    Option(
        "images",
        "int",
        "400, at least 4 for each class",
        "size of the design: the most images of a case, at least one for each class",
        "N",
    ),
    Option(
        "design-seed",
        "int",
        "that of [verdict] in the thresholds, else 0",
        "seed of the design: another one draws other seed vectors for the same prompts, in another order. Runs to "
        "compare or merge need the same",
        "N",
    ),
    Option(
        "prompts",
        "text",
        "those of [models.NAME], else of [default] in the thresholds, else a class list",
        "file of prompts (.csv, .tsv, .jsonl, .txt) or class list, for all models",
        "PATH",
    ),
    Option(
        "thresholds",
        "text",
        "thresholds.toml in the root folder, else the shipped one",
        "file of thresholds",
        "PATH",
    ),
    Option(
        "score",
        "list",
        "those that thresholds and tests name",
        "score to measure even if no threshold names it, such as clip or vqa; repeatable or comma-separated. Of the "
        "shipped thresholds, only those of the named scores hold",
        "NAME",
    ),
    Option(
        "cluster",
        "text",
        "none: this process, or the workers of -n",
        "Ray cluster to generate on: auto (this machine's, or RAY_ADDRESS), local or local:N (starts Ray here, with N "
        "processes), ray://HOST:PORT or HOST:PORT",
        "WHERE",
    ),
    Option("gpus-per-model", "int", "1", "GPUs that each model is spread over, on a cluster", "N"),
    Option(
        "cluster-timeout",
        "text",
        "from how long batches took before, at least two minutes",
        "seconds after which a batch on a cluster counts as hung, and another GPU makes it",
        "SECONDS",
    ),
    Option(
        "cluster-without-token",
        "flag",
        "off",
        "use a Ray cluster that asks for no token: whoever reaches it can run code on all of it",
    ),
    Option("device", "text", "cuda if there is one, else mps, else cpu", "torch device to run on", "DEVICE"),
    Option(
        "dtype",
        "text",
        "as the model's entry says, else float32 on the CPU and float16 elsewhere",
        f"number type: {', '.join(DTYPES)}",
        "DTYPE",
    ),
    Option(
        "batch-size",
        "int",
        "found for each model and device, and remembered",
        "most images to generate at once",
        "N",
    ),
    Option(
        "keep-going",
        "flag",
        "off",
        "also judge the shifted cases of a model whose control is at the level of chance",
    ),
    Option(
        "exact",
        "flag",
        "off",
        "generate the whole design of each case, instead of stopping when the verdict is certain",
    ),
    Option(
        "breaking-point", "flag", "off", "also search each shift, in each direction, for the magnitude that breaks it"
    ),
    Option("dir", "text", ".seedshift in the root folder", "run folder: samples, pictures, verdicts", "PATH"),
    Option("fresh", "flag", "off", "use no sample of earlier runs; the old store is set aside"),
    Option(
        "keep-images",
        "text",
        "report",
        "pictures to keep: 'report' (those that the report shows), 'all' or 'none'",
        "WHICH",
    ),
    Option(
        "trajectories",
        "int",
        "none",
        "record the sampler's trajectory for the first K pairs of each case, for the report",
        "K",
    ),
    Option(
        "shard", "text", "none: all cases", "run only one part of the cases, such as 2/4: the second of four", "K/N"
    ),
    Option(
        "shard-by",
        "text",
        "none: every case counts as one",
        "run folder of an earlier run, whose images and times balance the shards; the same for every shard",
        "PATH",
    ),
    Option(
        "baseline",
        "text",
        "that of [baseline] in the thresholds, else none",
        "version that this one must not be worse than (see max_regression): a baseline file or folder, baselines by "
        "environment, or a run folder",
        "PATH",
    ),
    Option(
        "save-baseline",
        "text",
        "none",
        "save this run as a baseline: a file that ends in .json holds the scores, for git; a folder holds the pictures "
        "too",
        "PATH",
    ),
    Option(
        "baseline-if-missing",
        "text",
        "error",
        "if no baseline is there, or its folder has none for this device and number type: 'error', or 'save' this run "
        "with all its pairs",
        "WHAT",
    ),
    Option(
        "allow-missing",
        "flag",
        "off",
        "accept a baseline that lacks some of the cases, or has cases that are not run",
    ),
    Option(
        "history",
        "text",
        "none",
        "folder of a history to add this run to; seedshift history shows each case over the versions",
        "FOLDER",
    ),
    Option("history-name", "text", "git's commit, else the time", "name of this version in the history", "TEXT"),
    Option(
        "report", "text", "report.html in the run folder", "file of the robustness report; 'none': no report", "PATH"
    ),
    Option(
        "summary",
        "text",
        "none but $GITHUB_STEP_SUMMARY, if it is set",
        "file of a summary in Markdown, besides $GITHUB_STEP_SUMMARY; 'none': no summary at all",
        "PATH",
    ),
    Option("null", "flag", "off", "add each model's null control, in which nothing may change but by chance"),
    Option(
        "sensitivity",
        "text",
        "auto: if it takes at most a hundredth of the images of a model's designs",
        "when to measure how much each model uses its seed vector: 'auto', 'always' or 'never'",
        "WHEN",
    ),
    Option("plan", "flag", "off", "print the cases, images and estimated time, then stop"),
    Option(
        "images-per-second",
        "text",
        "measured, or as measured before",
        "speed for the time estimate, such as that of another machine; with --seedshift-plan no model is loaded",
        "RATE",
    ),
    Option("price", "text", "none", "price of a GPU hour, for the cost in the plan", "PRICE"),
    Option(
        "write-thresholds",
        "maybe",
        "off; without a path the thresholds file in use, else thresholds.toml in the root folder",
        "write bounds from what this run measures into a thresholds file, after showing the change",
        "PATH",
    ),
    Option(
        "write-margin",
        "text",
        "so far that another draw of the whole grid meets all bounds at the certainty",
        "how far a written bound lies below the lower end of its interval, as a part of the score's range",
        "PART",
    ),
    Option(
        "from-history",
        "flag",
        "off",
        "with --seedshift-write-thresholds and --seedshift-history: write bounds that another version meets, by how "
        "the history's runs and this one vary",
    ),
    Option("write-in-ci", "flag", "off", "let --seedshift-write-thresholds write even if CI is set"),
    Option("no-limits", "flag", "off", "lift the upper limits of images, cases, sizes, magnitudes and the like"),
)


def add_options(parser: pytest.Parser) -> None:
    """Declare all options and ini keys."""
    group = parser.getgroup("seedshift", "reliability of text-to-image models under shifts of the seed vector")
    for option in OPTIONS:
        text = f"{option.help} (default: {option.default})"
        if option.kind == "flag":
            group.addoption(option.flag, action="store_true", default=None, help=text)
            parser.addini(option.key, text, type="bool", default=None)
        elif option.kind == "list":
            group.addoption(option.flag, action="append", default=None, metavar=option.metavar, help=text)
            parser.addini(option.key, text, type="args", default=None)
        elif option.kind == "int":
            group.addoption(option.flag, type=_whole, default=None, metavar=option.metavar, help=text)
            parser.addini(option.key, text, type="int", default=None)
        elif option.kind == "maybe":
            group.addoption(option.flag, nargs="?", const="", default=None, metavar=option.metavar, help=text)
            parser.addini(option.key, text, type="string", default=None)
        else:
            group.addoption(option.flag, default=None, metavar=option.metavar, help=text)
            parser.addini(option.key, text, type="string", default=None)


def names_model(config: pytest.Config) -> bool:
    """Whether the command line or the ini file names a model, or means to, with an empty name."""
    given = config.getoption("--seedshift-model", default=None)
    return (from_ini(config, OPTIONS[0]) if given is None else given) is not None


def is_named(config: pytest.Config) -> bool:
    """Whether it is known before the collection that there will be cases: a model or the built-in suite is named."""
    return names_model(config) or any(argument.partition("::")[0] == SUITE for argument in config.args)


def are_given(config: pytest.Config) -> bool:
    """Whether the command line or the ini file gives any option, with whatever value."""
    given = (config.getoption(each.flag, default=None) for each in OPTIONS)
    return any(each is not None for each in given) or any(from_ini(config, each) is not None for each in OPTIONS)


def _whole(text: str) -> int:
    from pytest_seedshift.core import typed_values  # who uses none of this loads none of it

    if (number := typed_values.whole(text)) is None:
        raise ArgumentTypeError(f"invalid int value: {text!r}")
    return number


def from_ini(config: pytest.Config, option: Option) -> object:
    """What an ini key has: in pytest's own TOML tables a number may be one, and a list is a tuple of whole names."""
    try:
        given: object = config.getini(option.key)
        if option.kind != "list" or not any("," in each for each in given or ()):  # type: ignore[attr-defined]
            return given
        native = _in_toml(config, option)
        return tuple(map(str, native)) if isinstance(native, list) else given
    except (pytest.UsageError, TypeError, ValueError) as error:  # pytest's, of a value of another type
        native = _in_toml(config, option)
        several = native if isinstance(native, list) else [native]
        if option.kind in ("list", "text", "maybe") and all(
            isinstance(each, (str, int, float)) and not isinstance(each, bool) for each in several
        ):
            return tuple(map(str, several)) if option.kind == "list" else str(native)
        raise pytest.UsageError(f"{config.inipath}: {option.key}: {error}") from None


def _in_toml(config: pytest.Config, option: Option) -> object:
    """What pytest's own table of a TOML file has under an ini key, as it stands there; None where it has nothing."""
    if config.inipath is None or config.inipath.suffix != ".toml":
        return None
    import tomllib

    table: Any = tomllib.loads(config.inipath.read_text(encoding="utf-8"))
    for key in ("pytest",) if config.inipath.name != "pyproject.toml" else ("tool", "pytest"):
        table = table.get(key, {})
    return table.get(option.key)
