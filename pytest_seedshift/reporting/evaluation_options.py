"""What `evaluate` takes besides the model, read and checked: everything that can be wrong before anything is loaded."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, cast

from pytest_seedshift.core import (
    argument_values,
    atomic_files,
    class_lists,
    grid_values,
    limits,
    prompt_files,
    prompt_sets,
)
from pytest_seedshift.core.errors import DataError, InvalidValueError
from pytest_seedshift.core.messages import unknown
from pytest_seedshift.core.pairs import Label
from pytest_seedshift.core.typed_values import expand
from pytest_seedshift.models import catalogue as catalogues
from pytest_seedshift.results.run_folder import RunFolder
from pytest_seedshift.runner.evaluation import Settings

if TYPE_CHECKING:
    from pytest_seedshift.models.catalogue import Catalogue

_WHERE = "evaluate(): "

OF_THE_MODEL = ("steps", "guidance", "height", "width", "call", "scorers", "template")
"""What a model's table `[models.NAME]` can say too; here it stands above that."""


class Options(TypedDict, total=False):
    """What is seldom needed."""

    certainty: float
    """Of verdicts, above 0.5 and below 1; that of the thresholds, else 0.99."""
    design_seed: int
    """From 0; another one draws other pairs."""
    batch_size: int
    """How many images are generated at once, at least 1; else one that suits the model."""
    device: str
    """Of torch; a pipeline in memory has its own."""
    dtype: object
    """The model's number type, of torch or its name; a pipeline in memory has its own."""
    prompts: str | os.PathLike[str] | Iterable[str | Mapping[str, Any]]
    """A file of prompts, a shipped list, texts, or mappings with the columns of such a file; in place of classes."""
    template: str | Sequence[str]
    """Of labels, such as `"a drawing of a {label}"`; of several each pair has one."""
    scorers: str | Mapping[str, str]
    """`"imagenet"`, `"toy"`, or sources: `{"vit": …, "clip": …}`."""
    steps: int
    """Denoising steps, at least 1."""
    guidance: float
    """`guidance_scale`, at least 0."""
    height: int
    """Of an image, in pixels."""
    width: int
    """Of an image, in pixels."""
    call: Mapping[str, Any]
    """Further arguments of the pipeline's call."""
    no_limits: bool
    """Whether numbers may lie above their limits."""


def read(options: Mapping[str, Any], others: Iterable[str], progress: object) -> Options:
    """The options that were given, with Python's own numbers in place of numpy's.

    Raises:
        InvalidValueError: one is not known, or is not what it has to be.
    """
    if progress is not None and not callable(progress):
        raise InvalidValueError(f"{_WHERE}progress={progress!r}: give a function that takes a line, such as print")
    for name in options:
        if name not in Options.__annotations__:
            raise InvalidValueError(f"{_WHERE}{unknown('argument', name, (*others, *Options.__annotations__))}")
    given = {name: _pythons(value) for name, value in options.items() if value is not None}
    certainty = given.get("certainty")
    if certainty is not None and (not isinstance(certainty, Real) or isinstance(certainty, bool)):
        raise InvalidValueError(f"{_WHERE}certainty={certainty!r}: give a number above 0.5 and below 1, such as 0.99")
    if "device" in given:
        given["device"] = str(given["device"])  # torch's own objects too
    return cast("Options", given)


def run_folder(directory: object) -> RunFolder:
    """The run folder of a path.

    Raises:
        InvalidValueError: it is none.
    """
    return RunFolder(expand(_text(directory, "directory")))


def settings(
    options: Options,
    *,
    shift: object,
    magnitude: object,
    images: int | None,
    thresholds: str | os.PathLike[str] | Mapping[Any, Any] | None,
    baseline: str | os.PathLike[str] | None,
    exact: bool,
) -> Settings:
    """How a model is evaluated.

    Raises:
        SeedshiftUsageError: a value that cannot be used; the message names the argument, the value and what is valid.
    """
    lifted = _flag(options.get("no_limits", False), "no_limits")
    shifts = argument_values.names(
        limits.DEFAULT_SHIFTS if shift is None else _listed(shift), f"{_WHERE}shift", "shift"
    )
    strengths = argument_values.numbers(
        limits.DEFAULT_MAGNITUDES if magnitude is None else _listed(magnitude), f"{_WHERE}magnitude"
    )
    for argument, given in (("shift", shifts), ("magnitude", strengths)):
        if not given:
            raise InvalidValueError(f"{_WHERE}{argument} names none: give one, or leave it out for the default")
    batch, seed = options.get("batch_size"), options.get("design_seed")
    if batch is not None:
        batch = argument_values.whole(batch, f"{_WHERE}batch_size")
        limits.check(batch, limits.BATCH, f"{_WHERE}batch_size={batch}", lifted=lifted)
    return Settings(
        shifts=grid_values.check_shifts(shifts, f"{_WHERE}shift"),
        magnitudes=grid_values.check_magnitudes(strengths, f"{_WHERE}magnitude", lifted=lifted),
        thresholds=thresholds
        if thresholds is None or isinstance(thresholds, Mapping)
        else _path(thresholds, "thresholds", ' or tables, such as {"default": {"top1": 0.6}}'),
        root=Path.cwd(),
        images=None if images is None else argument_values.whole(images, f"{_WHERE}images"),
        exact=_flag(exact, "exact"),
        certainty=options.get("certainty"),
        design_seed=None if seed is None else grid_values.check_design_seed(seed, f"{_WHERE}design_seed"),
        batch_size=batch,
        baseline=None if baseline is None else _path(baseline, "baseline"),
        no_limits=lifted,
    )


def catalogue(of: Settings, given: str | None) -> Catalogue:
    """The models that have a name; where thresholds are given as tables, the file that may be here has no part in it.

    `given` is the name of a model that is there itself; None where only a name is given.

    Raises:
        SeedshiftError: a file cannot be read, or says something invalid of a model.
    """
    file = of.thresholds
    if isinstance(file, Mapping):
        return catalogues.load(of.root, of.root / os.devnull, no_limits=of.no_limits, given=given)
    return catalogues.load(of.root, file, no_limits=of.no_limits, given=given)


def model_table(
    options: Options, classes: str | os.PathLike[str] | Iterable[str | Label] | None, folder: RunFolder
) -> dict[str, Any]:
    """What is said of the model, as its table in a thresholds file would say it.

    Raises:
        SeedshiftError: something is no label, or labels cannot be written to the run folder.
    """
    table: dict[str, Any] = {name: value for name, value in options.items() if name in OF_THE_MODEL}
    for name, value in table.items():
        if isinstance(value, Mapping):
            table[name] = dict(value)
    if isinstance(table.get("template"), tuple):
        table["template"] = list(table["template"])
    if classes is not None and "prompts" in options:
        raise InvalidValueError(
            f"{_WHERE}prompts and classes: a class list is a prompt set with a template. Give one of them"
        )
    if classes is not None:
        table["classes"] = _class_list(classes, folder)
    if "prompts" in options:
        table["prompts"] = _prompts(options["prompts"], folder)
    return table


def _listed(given: object) -> object:
    """What can be gone through once only as a list."""
    return list(given) if isinstance(given, Iterator) else given


def _pythons(value: Any) -> Any:
    return value.item() if type(value).__module__ == "numpy" and getattr(value, "ndim", 1) == 0 else value


def _flag(given: object, argument: str) -> bool:
    found = _pythons(given)
    if not isinstance(found, bool):
        raise InvalidValueError(f"{_WHERE}{argument}={given!r}: give True or False")
    return found


def _path(given: object, argument: str, other: str = "") -> Path:
    return Path.cwd() / expand(_text(given, argument, other))


def _text(given: object, argument: str, other: str = "") -> str:
    path = os.fspath(given) if isinstance(given, (str, os.PathLike)) else None
    if not isinstance(path, str) or not path or "\0" in path:
        raise InvalidValueError(f"{_WHERE}{argument}={given!r}: give a path{other}")
    return path


def _class_list(given: str | os.PathLike[str] | Iterable[str | Label], folder: RunFolder) -> str:
    """The name of a class list; labels become one in the run folder, where it can be given again.

    Raises:
        DataError: it cannot be written there.
        InvalidValueError: something is no label.
    """
    if isinstance(given, (str, os.PathLike)):
        return os.fspath(given)
    if not isinstance(given, Iterable):
        raise InvalidValueError(f"{_WHERE}classes={given!r}: give labels, a CSV file, or the name of a shipped list")
    rows = [_row(place, each) for place, each in enumerate(given)]
    written = class_lists.text(rows)
    class_lists.parse(written, f"{_WHERE}classes")
    return _kept(written, "classes", ".csv", folder)


def _prompts(given: object, folder: RunFolder) -> str:
    """The name of a prompt set; texts and mappings become one in the run folder, where it can be given again.

    Raises:
        DataError: they are no prompt set, or cannot be written there.
        InvalidValueError: something is neither.
    """
    if isinstance(given, (str, os.PathLike)):
        name = os.fspath(given)
        return name if prompt_sets.is_listed(name) else str(Path.cwd() / expand(name))
    if not isinstance(given, Iterable) or isinstance(given, Mapping):
        raise InvalidValueError(
            f"{_WHERE}prompts={given!r}: give the path of a file, a list of texts, or of mappings such as "
            '{"prompt": "a cat", "tags": ["animals"]}'
        )
    rows: list[Mapping[str, Any]] = []
    for each in given:
        if not isinstance(each, (str, Mapping)):
            raise InvalidValueError(f"{_WHERE}prompts: {each!r} is neither a text nor a mapping of columns")
        rows.append({"prompt": each} if isinstance(each, str) else dict(each))
    try:
        written = "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows)
    except TypeError as error:
        raise InvalidValueError(f"{_WHERE}prompts: {error}: give texts, numbers and lists of texts") from None
    prompt_files.parse(written, prompt_files.InPython(f"{_WHERE}prompts"))
    return _kept(written, "prompts", ".jsonl", folder)


def _kept(written: str, called: str, ending: str, folder: RunFolder) -> str:
    """The path of a file in the run folder that has a text, under a name of its own."""
    digest = hashlib.sha256(written.encode()).hexdigest()[:12]
    path = folder.path / f"{called}-{digest}{ending}"
    try:
        folder.prepare()
        atomic_files.write(path, written, within=folder.path)
    except OSError as error:
        raise DataError(f"{path} cannot be written: {error.strerror}") from None
    return str(path.absolute())


def _row(place: int, given: object) -> tuple[str, int, tuple[str, ...]]:
    if isinstance(given, Label):
        return given.name, given.index, given.aliases
    if isinstance(given, str):
        return given, place, ()
    raise InvalidValueError(f"{_WHERE}classes: {given!r} is not a label: give texts, or what class_list gives")
