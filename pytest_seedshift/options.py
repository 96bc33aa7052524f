"""Every command line option and ini key, declared once and resolved once into frozen `Settings`.

An option's value comes from the command line, else from its ini key, else from its default; a test's marker stands
above all three. This module is imported by every pytest run, so it imports nothing heavy.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import pytest

from pytest_seedshift import hookspecs, limits, typed
from pytest_seedshift.names import SUITE

if TYPE_CHECKING:
    from pytest_seedshift.shards import Shard

DEFAULT_SHIFTS = ("random", "mean", "std", "mixed", "arrangement")
DEFAULT_MAGNITUDES = (-0.3, -0.2, -0.1, 0.1, 0.2, 0.3)
DTYPES = ("float32", "float16", "bfloat16")
KEEP_IMAGES: tuple[Literal["report", "all", "none"], ...] = ("report", "all", "none")
SENSITIVITY: tuple[Literal["auto", "always", "never"], ...] = ("auto", "always", "never")

_Choice = TypeVar("_Choice", bound=str)

_DECIMAL_COMMA = re.compile(r",\s*(?P<number>[+-]?0\s*,\s*\d*[1-9]\d*)\s*(?=,)", re.ASCII)
"""Of magnitudes with a comma before, after and between them: `0,3`, which is 0 and 3, and hardly meant so."""


@dataclass(frozen=True, slots=True)
class Option:
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
        "none: seedshift stays away",
        "model to test: a name of the catalogue or of [models], a folder, a .safetensors file or a hub id, and changes "
        "of it as in sd21+ddim+steps=20; repeatable or comma-separated",
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
        "draw another design: other seed vectors for the same prompts, in another order; the same for runs that are to "
        "be compared or merged",
        "N",
    ),
    Option(
        "thresholds",
        "text",
        "thresholds.toml in the root folder, else the one that is shipped",
        "file of thresholds",
        "PATH",
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
        "most images that are generated at once",
        "N",
    ),
    Option("exact", "flag", "off", "generate the whole design of each case, instead of stopping when it is decided"),
    Option(
        "breaking-point", "flag", "off", "also search each shift, in each direction, for the magnitude that breaks it"
    ),
    Option("dir", "text", ".seedshift in the root folder", "run folder: samples, pictures, verdicts", "PATH"),
    Option("fresh", "flag", "off", "use no sample of earlier runs; the former store is set aside"),
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
        "record the sampler's way for the first K pairs of each case's design, for the report",
        "K",
    ),
    Option("shard", "text", "none: all cases", "run only a part of the cases, such as 2/4: the second of four", "K/N"),
    Option(
        "shard-by",
        "text",
        "none: every case counts as one",
        "run folder of an earlier run, by whose images and times the shards are balanced; the same for every shard",
        "PATH",
    ),
    Option(
        "baseline",
        "text",
        "that of [baseline] in the thresholds, else none",
        "baseline file, or run folder, of the version that this one must not be worse than: see max_regression",
        "PATH",
    ),
    Option("save-baseline", "text", "none", "write the run's scores as a baseline file, to be put under git", "PATH"),
    Option(
        "allow-missing",
        "flag",
        "off",
        "compare with a baseline that lacks some of the cases, or has cases that are not run",
    ),
    Option(
        "report", "text", "report.html in the run folder", "file of the robustness report; 'none': no report", "PATH"
    ),
    Option(
        "summary",
        "text",
        "none but $GITHUB_STEP_SUMMARY, where it is set",
        "file of a summary in Markdown, besides $GITHUB_STEP_SUMMARY; 'none': no summary at all",
        "PATH",
    ),
    Option("null", "flag", "off", "add the null control of each model, under which nothing may change but by chance"),
    Option(
        "sensitivity",
        "text",
        "auto: where it takes at most a hundredth of the images of a model's designs",
        "when to measure how much each model looks at its seed vector: 'auto', 'always' or 'never'",
        "WHEN",
    ),
    Option("plan", "flag", "off", "print the cases, images and estimated time, then stop"),
    Option(
        "images-per-second",
        "text",
        "measured, or as measured before",
        "speed for the estimate of the time, such as that of another machine; with --seedshift-plan no model is loaded",
        "RATE",
    ),
    Option("price", "text", "none", "price of a GPU hour, for what the plan says that the run costs", "PRICE"),
    Option(
        "write-thresholds",
        "maybe",
        "off; without a path the thresholds file in use, else thresholds.toml in the root folder",
        "write bounds by what this run measures into a thresholds file, after showing the change",
        "PATH",
    ),
    Option(
        "write-margin",
        "text",
        "so that another draw of the whole grid meets all bounds at the certainty",
        "how far below the lower end of its interval a written bound lies instead, as a part of the score's range",
        "PART",
    ),
    Option("write-in-ci", "flag", "off", "let --seedshift-write-thresholds write where CI is set, too"),
    Option("no-limits", "flag", "off", "lift the upper limits of images, cases, sizes, magnitudes and the like"),
)


@dataclass(frozen=True, slots=True)
class Settings:
    """What the user asked for, read and checked as far as can be without loading torch."""

    models: tuple[str, ...]
    shifts: tuple[str, ...]
    magnitudes: tuple[float, ...]
    images: int | None
    thresholds: Path | None
    device: str | None
    dtype: str | None
    batch_size: int | None
    exact: bool
    breaking_point: bool
    folder: Path
    fresh: bool
    keep_images: Literal["report", "all", "none"]
    trajectories: int | None
    shard: Shard | None
    shard_by: Path | None
    baseline: Path | None
    save_baseline: Path | None
    allow_missing: bool
    report: Path | Literal["none"] | None
    summary: Path | Literal["none"] | None
    null: bool
    sensitivity: Literal["auto", "always", "never"]
    plan: bool
    images_per_second: float | None
    price: float | None
    write_thresholds: Path | None
    write_margin: float | None
    write_in_ci: bool
    no_limits: bool = False
    design_seed: int | None = None
    given_models: tuple[str, ...] = ()
    """The texts that `models` were read from, as they were given."""


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
            group.addoption(option.flag, type=int, default=None, metavar=option.metavar, help=text)
            parser.addini(option.key, text, type="int", default=None)
        elif option.kind == "maybe":
            group.addoption(option.flag, nargs="?", const="", default=None, metavar=option.metavar, help=text)
            parser.addini(option.key, text, type="string", default=None)
        else:
            group.addoption(option.flag, default=None, metavar=option.metavar, help=text)
            parser.addini(option.key, text, type="string", default=None)


def names_model(config: pytest.Config) -> bool:
    """Whether the command line or the ini file names a model, or means to: see `resolve` for an empty name."""
    given = config.getoption("--seedshift-model", default=None)
    return (_from_ini(config, OPTIONS[0]) if given is None else given) is not None


def is_named(config: pytest.Config) -> bool:
    """Whether it is known before the collection that there will be cases: a model or the built-in suite is named."""
    return names_model(config) or any(argument.partition("::")[0] == SUITE for argument in config.args)


def resolve(config: pytest.Config) -> Settings:
    """Read and check all options.

    Raises:
        pytest.UsageError: a value that cannot be used; the message names the option, the value and what is valid.
    """
    hookspecs.activate(config)
    values: dict[str, object] = {}
    for option in OPTIONS:
        given = config.getoption(option.flag, default=None)
        values[option.name] = _from_ini(config, option) if given is None else given
        _check_given(
            values[option.name], option, option.flag if given is not None else f"{config.inipath}: {option.key}"
        )

    def texts(name: str) -> list[str]:
        given = values[name]
        if isinstance(given, tuple):
            return [each.strip() for each in given]
        several = map(str, given if isinstance(given, list) else [])  # an ini key that is not set is None
        return typed.split(several) if name == "model" else split(several)

    lifted = bool(values["no-limits"])

    def number(name: str, most: int) -> int | None:
        given = values[name]
        if given is None:
            return None
        if not isinstance(given, int) or given < 1:
            raise pytest.UsageError(f"--seedshift-{name}={given}: give a whole number of at least 1")
        check_limit(given, most, f"--seedshift-{name}={given}", lifted)
        return given

    def text(name: str) -> str | None:
        given = values[name]
        return str(given) if given else None

    def path(name: str) -> Path | None:
        given = text(name)
        on_command_line = config.getoption(f"--seedshift-{name}", default=None) is not None
        folder = config.invocation_params.dir if on_command_line else config.rootpath
        return folder / typed.expand(given) if given else None

    dtype = text("dtype")
    if dtype is not None and dtype not in DTYPES:
        raise pytest.UsageError(f"--seedshift-dtype={dtype}: unknown dtype. Known: {', '.join(DTYPES)}")
    return Settings(
        models=tuple(texts("model")),
        given_models=tuple(map(str, values["model"])) if isinstance(values["model"], list) else (),
        shifts=check_shifts(texts("shift") or DEFAULT_SHIFTS, "--seedshift-shift"),
        magnitudes=_magnitudes(values["magnitude"], lifted),
        images=number("images", limits.IMAGES),
        thresholds=path("thresholds"),
        device=text("device"),
        dtype=dtype,
        batch_size=number("batch-size", limits.BATCH),
        exact=bool(values["exact"]),
        breaking_point=bool(values["breaking-point"]),
        folder=path("dir") or config.rootpath / ".seedshift",
        fresh=bool(values["fresh"]),
        keep_images=_choice(text("keep-images") or "report", "keep-images", KEEP_IMAGES),
        trajectories=number("trajectories", limits.TRAJECTORIES),
        shard=_shard(text("shard")),
        shard_by=path("shard-by"),
        baseline=path("baseline"),
        save_baseline=path("save-baseline"),
        allow_missing=bool(values["allow-missing"]),
        report="none" if text("report") == "none" else path("report"),
        summary="none" if text("summary") == "none" else path("summary"),
        null=bool(values["null"]),
        sensitivity=_choice(text("sensitivity") or "auto", "sensitivity", SENSITIVITY),
        plan=bool(values["plan"]),
        images_per_second=_positive(text("images-per-second"), "images-per-second", "2.5"),
        price=_positive(text("price"), "price", "1.99"),
        write_thresholds=None if values["write-thresholds"] is None else _written(path, config),
        write_margin=_part(text("write-margin"), "write-margin"),
        write_in_ci=bool(values["write-in-ci"]),
        no_limits=lifted,
        design_seed=None
        if values["design-seed"] is None
        else check_design_seed(values["design-seed"], "--seedshift-design-seed"),
    )


def _magnitudes(given: object, lifted: bool) -> tuple[float, ...]:
    texts = given if isinstance(given, (list, tuple)) and given else DEFAULT_MAGNITUDES
    return check_magnitudes(texts, "--seedshift-magnitude", lifted=lifted)


def check_design_seed(given: object, where: str) -> int:
    """Check the seed of a design, which is an int; `where` says in an error who gave it.

    Raises:
        pytest.UsageError: it is none, or not in its range.
    """
    if not isinstance(given, int) or isinstance(given, bool) or not 0 <= given <= limits.DESIGN_SEED:
        raise pytest.UsageError(
            f"{where}={given!r}: give a whole number from 0 to {limits.DESIGN_SEED}; 0 is the usual design"
        )
    return given


def check_limit(value: float, most: float, what: str, lifted: bool, hint: str = "") -> None:
    """See `limits.check`.

    Raises:
        pytest.UsageError: the number is above its limit.
    """
    try:
        limits.check(value, most, what, lifted=lifted, hint=hint)
    except limits.LimitError as error:
        raise pytest.UsageError(str(error)) from None


def _check_given(given: object, option: Option, where: str) -> None:
    """Refuse what names nothing, as a variable does that is not set: its default would be taken in silence."""
    if any("\0" in str(each) for each in (given if isinstance(given, (list, tuple)) else [given])):
        raise pytest.UsageError(f"{where}: has a NUL in it, as no name and no path has: leave it away")
    if option.kind == "text" and isinstance(given, str) and not given.strip():
        raise pytest.UsageError(
            f"{where} is empty (a variable that is not set?): give {option.metavar}, or leave it away"
        )
    if option.kind != "list" or not isinstance(given, (list, tuple)):
        return
    if not split(given):
        raise pytest.UsageError(
            f"{where} names no {option.name} (a variable that is not set?): give {option.metavar}, or leave it away"
        )
    for text in given if where == option.flag else ():  # an ini key may have a comma at the end of each line
        if not all(part.strip() for part in str(text).split(",")):
            raise pytest.UsageError(
                f"{where}={text}: one of these is empty (a variable that is not set?): give {option.metavar} or "
                f"{option.metavar},{option.metavar}"
            )


def _choice(given: str, name: str, choices: tuple[_Choice, ...]) -> _Choice:
    for choice in choices:
        if given == choice:
            return choice
    from pytest_seedshift.suggest import unknown

    raise pytest.UsageError(f"--seedshift-{name}={given}: {unknown('choice', given, choices)}")


def _written(path: Callable[[str], Path | None], config: pytest.Config) -> Path:
    return path("write-thresholds") or path("thresholds") or config.rootpath / "thresholds.toml"


def _part(given: str | None, name: str) -> float | None:
    if given is None:
        return None
    try:
        part = float(given)
    except ValueError:
        part = math.nan
    if not 0 <= part < 1:
        raise pytest.UsageError(f"--seedshift-{name}={given}: give a number from 0 to below 1, such as 0.02")
    return part


def _positive(given: str | None, name: str, such_as: str) -> float | None:
    if given is None:
        return None
    try:
        number = float(given)
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        raise pytest.UsageError(f"--seedshift-{name}={given}: give a number above 0, such as {such_as}")
    return number


def _shard(given: str | None) -> Shard | None:
    if given is None:
        return None
    from pytest_seedshift import shards

    try:
        return shards.parse(given)
    except ValueError as error:
        raise pytest.UsageError(f"--seedshift-shard={given}: {error}") from None


def _from_ini(config: pytest.Config, option: Option) -> object:
    """What an ini key has: in pytest's own TOML tables a number may be one, and a list is a tuple of whole names."""
    try:
        given: object = config.getini(option.key)
        if option.kind != "list" or not any("," in each for each in given or ()):  # type: ignore[attr-defined]
            return given
        native = _in_toml(config, option)
        return tuple(map(str, native)) if isinstance(native, list) else given
    except (pytest.UsageError, TypeError, ValueError) as error:
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


def split(texts: Iterable[object]) -> list[str]:
    """Take comma-separated values apart, without repetitions, in the order given."""
    parts = (part.strip() for text in texts for part in str(text).split(","))
    return list(dict.fromkeys(part for part in parts if part))


def check_shifts(given: Iterable[object], where: str) -> tuple[str, ...]:
    """Check names of shifts (`mean`, `mean:exact`); `where` says in an error who gave them.

    Raises:
        pytest.UsageError: an unknown shift or variant.
    """
    from pytest_seedshift import shifts

    checked = []
    for name in split(given):
        try:
            checked.append(str(shifts.parse(name)))
        except ValueError as error:
            raise pytest.UsageError(f"{where}={name}: {error}") from None
    return tuple(checked)


def _meant(text: str) -> str:
    """What to give in place of a text that is no magnitude; a share is written as a number."""
    try:
        share = float(text.removesuffix("%")) / 100 if text.endswith("%") else math.nan
    except ValueError:
        share = math.nan
    return f"for {text} give {share:g}" if math.isfinite(share) else "give one such as -0.3 or 0.1"


def check_magnitudes(given: Iterable[object], where: str, *, lifted: bool = False) -> tuple[float, ...]:
    """Check magnitudes, given as numbers or as text; sorted, without repetitions.

    Raises:
        pytest.UsageError: not a finite number, one with a decimal comma, or one above the limit, unless that is
            `lifted`.
    """
    checked, given = set(), list(given)
    for each in given:
        if (meant := _DECIMAL_COMMA.search(f",{each},")) is not None:
            number = meant["number"].replace(",", ".").replace(" ", "")
            raise pytest.UsageError(
                f"{where}={each}: a comma stands between magnitudes, and 0 is the control, which every run has: give "
                f"{number} if that is meant, else leave the 0 away"
            )
    for text in split(given):
        try:
            magnitude = float(text)
        except ValueError:
            magnitude = math.nan
        if not math.isfinite(magnitude):
            raise pytest.UsageError(f"{where}={text}: not a finite number; {_meant(text)}")
        hint = "The numbers of a seed vector have a standard deviation of 1"
        hint += f"; of percent, {magnitude:g} would be {magnitude / 100:g}" if abs(magnitude) <= 100 else ""
        check_limit(abs(magnitude), limits.MAGNITUDE, f"{where}={text}", lifted, hint)
        checked.add(magnitude)
    return tuple(sorted(checked))
