"""All options of a session, resolved once into frozen `Settings`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pytest

from pytest_seedshift.core import limits, messages, prompt_sets, typed_values
from pytest_seedshift.core.grid_values import split
from pytest_seedshift.core.limits import DTYPES
from pytest_seedshift.plugin import border, hookspecs
from pytest_seedshift.plugin.option_values import (
    check_design_seed,
    check_given,
    check_limit,
    check_magnitudes,
    check_shifts,
    choice_of,
    part_of,
    positive,
    shard_of,
)
from pytest_seedshift.plugin.options import OPTIONS, from_ini

if TYPE_CHECKING:
    from pytest_seedshift.plugin.shards import Shard
    from pytest_seedshift.runner.cluster.address import Place

KEEP_IMAGES: tuple[Literal["report", "all", "none"], ...] = ("report", "all", "none")

IF_MISSING: tuple[Literal["error", "save"], ...] = ("error", "save")

SENSITIVITY: tuple[Literal["auto", "always", "never"], ...] = ("auto", "always", "never")


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
    cluster: Place | None = None
    gpus_per_model: int = 1
    cluster_timeout: float | None = None
    cluster_without_token: bool = False
    no_limits: bool = False
    design_seed: int | None = None
    history: Path | None = None
    history_name: str | None = None
    from_history: bool = False
    prompts: str | None = None
    """A class list's name, or the path of a file in full."""
    keep_going: bool = False
    """Whether cases are judged whose control is at the level of chance."""
    scores: tuple[str, ...] = ()
    """Scores that are measured whether anything is asked of them or not."""
    baseline_if_missing: Literal["error", "save"] = "error"
    given_models: tuple[str, ...] = ()
    """The texts that `models` were read from, as they were given."""

    @property
    def saves_pictures(self) -> bool:
        """Whether the run is saved as a baseline with pictures: to a folder, and not to a file of scores."""
        saved = self.save_baseline
        return saved is not None and saved.suffix.lower() != ".json" and not saved.is_file()


@dataclass(frozen=True, slots=True)
class _Given:
    """What the command line and the ini file say, by the names of options; None where neither says anything."""

    config: pytest.Config
    values: Mapping[str, object]

    @property
    def lifted(self) -> bool:
        """Whether numbers may lie above their limits."""
        return bool(self.values["no-limits"])

    @property
    def models(self) -> tuple[str, ...]:
        """The texts that models were named in, as they were given."""
        named = self.values["model"]
        return tuple(map(str, named)) if isinstance(named, list) else ()

    def texts(self, name: str) -> list[str]:
        """Several values of an option."""
        given = self.values[name]
        if isinstance(given, tuple):
            return [each.strip() for each in given]
        several = map(str, given if isinstance(given, list) else [])  # an ini key that is not set is None
        return typed_values.split(several) if name == "model" else split(several)

    def number(self, name: str, most: int) -> int | None:
        """A whole number of at least 1, and at most `most`."""
        given = self.values[name]
        if given is None:
            return None
        if not isinstance(given, int) or given < 1:
            raise pytest.UsageError(f"--seedshift-{name}={given}: give a whole number of at least 1")
        check_limit(given, most, f"--seedshift-{name}={given}", self.lifted)
        return given

    def text(self, name: str) -> str | None:
        """A text; None where it is empty."""
        given = self.values[name]
        return str(given) if given else None

    def path(self, name: str) -> Path | None:
        """A path: of the command line it is relative to the folder of the call, of the ini file to the root folder."""
        given = self.text(name)
        on_command_line = self.config.getoption(f"--seedshift-{name}", default=None) is not None
        folder = self.config.invocation_params.dir if on_command_line else self.config.rootpath
        return folder / typed_values.expand(given) if given else None


def _read(config: pytest.Config) -> _Given:
    """Read all options, of which none may name nothing.

    Raises:
        pytest.UsageError: one does.
    """
    values: dict[str, object] = {}
    for option in OPTIONS:
        given = config.getoption(option.flag, default=None)
        values[option.name] = from_ini(config, option) if given is None else given
        check_given(
            values[option.name], option, option.flag if given is not None else f"{config.inipath}: {option.key}"
        )
    return _Given(config, values)


def resolve(config: pytest.Config) -> Settings:
    """Read and check all options.

    Raises:
        pytest.UsageError: a value that cannot be used; the message names the option, the value and what is valid.
    """
    hookspecs.activate(config)
    given = _read(config)
    dtype = _dtype(given)
    found = Settings(
        models=tuple(given.texts("model")),
        given_models=given.models,
        keep_going=bool(given.values["keep-going"]),
        scores=tuple(dict.fromkeys(given.texts("score"))),
        shifts=check_shifts(given.texts("shift") or limits.DEFAULT_SHIFTS, "--seedshift-shift"),
        magnitudes=_magnitudes(given.values["magnitude"], given.lifted),
        images=given.number("images", limits.IMAGES),
        thresholds=given.path("thresholds"),
        device=given.text("device"),
        dtype=dtype,
        batch_size=given.number("batch-size", limits.BATCH),
        exact=bool(given.values["exact"]),
        breaking_point=bool(given.values["breaking-point"]),
        folder=given.path("dir") or config.rootpath / ".seedshift",
        fresh=bool(given.values["fresh"]),
        keep_images=choice_of(given.text("keep-images") or "report", "keep-images", KEEP_IMAGES),
        trajectories=given.number("trajectories", limits.TRAJECTORIES),
        shard=shard_of(given.text("shard")),
        shard_by=given.path("shard-by"),
        baseline=given.path("baseline"),
        save_baseline=given.path("save-baseline"),
        allow_missing=bool(given.values["allow-missing"]),
        history=given.path("history"),
        history_name=given.text("history-name"),
        report="none" if given.text("report") == "none" else given.path("report"),
        summary="none" if given.text("summary") == "none" else given.path("summary"),
        null=bool(given.values["null"]),
        sensitivity=choice_of(given.text("sensitivity") or "auto", "sensitivity", SENSITIVITY),
        plan=bool(given.values["plan"]),
        images_per_second=positive(given.text("images-per-second"), "images-per-second", "2.5"),
        price=positive(given.text("price"), "price", "1.99"),
        write_thresholds=_written(given),
        write_margin=part_of(given.text("write-margin"), "write-margin"),
        from_history=bool(given.values["from-history"]),
        write_in_ci=bool(given.values["write-in-ci"]),
        cluster=_cluster(given.text("cluster")),
        gpus_per_model=given.number("gpus-per-model", limits.GPUS_PER_MODEL) or 1,
        cluster_timeout=positive(given.text("cluster-timeout"), "cluster-timeout", "600"),
        cluster_without_token=bool(given.values["cluster-without-token"]),
        no_limits=given.lifted,
        design_seed=_design_seed(given.values["design-seed"]),
        prompts=_prompts(given),
        baseline_if_missing=choice_of(given.text("baseline-if-missing") or "error", "baseline-if-missing", IF_MISSING),
    )
    _check_history(found)
    return _keeping(found) if found.saves_pictures else found


def _check_history(settings: Settings) -> None:
    """Make sure that what is asked of a history goes together.

    Raises:
        pytest.UsageError: it does not.
    """
    if settings.from_history and settings.write_margin is not None:
        raise pytest.UsageError(
            "--seedshift-write-margin is of the interval of one run: leave it or --seedshift-from-history out"
        )
    if settings.write_thresholds is not None and settings.shard is not None:
        raise pytest.UsageError(
            "--seedshift-write-thresholds with --seedshift-shard: a shard is a part of a run, so its bounds are no "
            "bounds of the run. Leave one of them away, or write them when all shards are merged: "
            f"seedshift thresholds MERGED --output {messages.relative(str(settings.write_thresholds))}"
        )
    if settings.history is not None and settings.shard is not None:
        raise pytest.UsageError(
            f"--seedshift-history={settings.history} with --seedshift-shard: a shard is a part of a run. Add the whole "
            "one when it is merged: seedshift history FOLDER --add MERGED"
        )


def _keeping(settings: Settings) -> Settings:
    """Settings by which all pictures are kept, as a baseline in a folder has them.

    Raises:
        pytest.UsageError: none are to be kept.
    """
    if settings.keep_images == "none":
        raise pytest.UsageError(
            f"--seedshift-save-baseline={settings.save_baseline} keeps all pairs' pictures, and "
            "--seedshift-keep-images=none keeps none. Remove the latter, or save scores alone, to a file that ends in "
            ".json"
        )
    return replace(settings, keep_images="all")


def _cluster(given: str | None) -> Place | None:
    if given is None:
        return None
    from pytest_seedshift.runner.cluster import address

    with border.usage_errors():
        return address.parse(given)


def _magnitudes(given: object, lifted: bool) -> tuple[float, ...]:
    texts = given if isinstance(given, (list, tuple)) and given else limits.DEFAULT_MAGNITUDES
    return check_magnitudes(texts, "--seedshift-magnitude", lifted=lifted)


def _written(given: _Given) -> Path | None:
    """The thresholds file that is written, if one is."""
    if given.values["write-thresholds"] is None:
        return None
    return given.path("write-thresholds") or given.path("thresholds") or given.config.rootpath / "thresholds.toml"


def _prompts(given: _Given) -> str | None:
    named, path = given.text("prompts"), given.path("prompts")
    if named is None or path is None:
        return None
    with border.usage_errors("--seedshift-prompts: "):
        return prompt_sets.resolved(named, path)


def _design_seed(given: object) -> int | None:
    return None if given is None else check_design_seed(given, "--seedshift-design-seed")


def _dtype(given: _Given) -> str | None:
    dtype = given.text("dtype")
    if dtype is not None and dtype not in DTYPES:
        raise pytest.UsageError(f"--seedshift-dtype={dtype}: unknown dtype. Known: {', '.join(DTYPES)}")
    return dtype
