"""The models that have a name, and what a name, a path or a hub id stands for.

Nothing here loads a model: this is read while tests are collected.
"""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_seedshift.core import limits, model_names, pairs, prompt_sets, registry, typed_values
from pytest_seedshift.core.checkpoints import places, repository
from pytest_seedshift.core.errors import InvalidValueError, SeedshiftError
from pytest_seedshift.core.messages import unknown
from pytest_seedshift.models import asked_prompts, derive, file_checks, kinds, locate, parts, process_settings
from pytest_seedshift.models.base import Entry, check_limits
from pytest_seedshift.models.entry_tables import entry_of, users_tables
from pytest_seedshift.models.lacking import Lacking
from pytest_seedshift.scorers import clip_sources, declared, open_clip_tags

if TYPE_CHECKING:
    from pytest_seedshift.core.pairs import Pair
    from pytest_seedshift.core.prompt_sets import PromptSet


@dataclass(frozen=True)
class Catalogue:
    """All entries by name: those that are shipped, with the user's laid over them.

    Unless there are `no_limits`, what entries and designs ask for is checked against `limits`.
    """

    entries: Mapping[str, Entry]
    no_limits: bool = False
    prompts: asked_prompts.Prompts = field(default_factory=asked_prompts.Prompts)
    root: Path = field(default=Path(), compare=False)
    given: str | None = field(default=None, compare=False)
    """The name of a model that is there itself, in Python, where arguments say what a table says of others."""
    _designs: dict[tuple[str, int | None, int], tuple[Pair, ...]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def find(self, name: str) -> Entry:
        """What a model's name stands for: an entry, else a folder, a `.safetensors` file or a hub id (`owner/name`).

        Each may be followed by changes: see `derive`.

        Raises:
            SeedshiftError: a plain word that is neither an entry nor a folder nor a file; a pickle; a change that is
                none; a size or a number of steps above its limit.
        """
        base, changes = derive.split(name, self._is_known)
        entry = self.prompts.of(self._find(base))
        if changes:
            before, entry = entry.prompts, derive.derive(entry, name, changes)
            if entry.prompts != before:
                prompt_sets.check_name(entry.asked)
                entry = dataclasses.replace(entry, **asked_prompts.fields({"prompts": entry.asked}, self.root))
        if not self.no_limits:
            check_limits(entry)
        return entry

    def base_of(self, name: str) -> str:
        """The name of the model that a name's changes are changes of; the name itself where it has none."""
        return derive.split(name, self._is_known)[0]

    def _is_known(self, name: str) -> bool:
        path = typed_values.expand(name)
        return name in self.entries or (bool(name) and (path.is_dir() or (_is_place(name) and path.exists())))

    def _find(self, name: str) -> Entry:
        if name in self.entries:
            return self.entries[name]
        path = typed_values.expand(name)
        places.refuse_pickle(path)
        if _is_place(name) or path.is_dir():
            return Entry(name, (name,))
        raise InvalidValueError(
            f"{unknown('model', name, self.entries, rest='docs/reference/models.md has all')} (or a folder, a "
            f"{places.SINGLE_FILE} file, or a hub id 'owner/name')"
        )

    def design(self, name: str, images: int | None, seed: int = 0) -> tuple[Pair, ...]:
        """The design of a model's cases: its class list and so many images; None for `pairs.default_images`.

        The `seed` is the design's: see `pairs.design`.

        Raises:
            SeedshiftError: an unknown model, a class list that cannot be read, fewer images than classes, or more
                images than the limit.
        """
        key = (name, images, seed)
        if key not in self._designs:
            found = self.find(name).prompt_set
            count = images or pairs.default_images(len(found.prompts))
            those = pairs.kind(found.prompts, len(found.prompts))
            what = f"{count} images" if images else f"{count} images for the {those} of {found.name}"
            limits.check(count, limits.IMAGES, what, lifted=self.no_limits)
            self._designs[key] = found.design(count, seed, self._whose(name, found))
        return self._designs[key]

    def _whose(self, name: str, found: PromptSet) -> str:
        """Of a model's class list: which it is, who says so, and how another is given."""
        base, listed = self.base_of(name), found.name
        if pairs.kind(found.prompts) == "prompt" or self.prompts.given:
            return f" of {listed}"
        whose = f"the class list of {base}" if base in self.entries else "the default of a model without an entry"
        how = self._key(base, "classes", '"…"')
        return f" of {listed}, {whose} ({how} changes it)"

    def _key(self, base: str, key: str, value: str) -> str:
        """Where a model's key is written: in its table, or as an argument."""
        if base == self.given:
            return f"the argument {key}={value}"
        return f"{key} = {value} in {model_names.table_of(base)}"

    def check_model(self, entry: Entry, *, ask_hub: bool = True) -> None:
        """Make sure that what a model's name stands for is there, and is a model, as far as its files show.

        No library is asked, unless for a class of pipelines that is not well known.

        Args:
            entry: of the model.
            ask_hub: without it, what only the hub may have is left to others.

        Raises:
            WeightsNotFoundError: it is nowhere; the message says what was tried.
            SeedshiftError: what is there must not or cannot be loaded.
        """
        if entry.own is not None:
            return
        if (index := locate.index_of(entry.pipeline, entry.revision)) is not None:
            kinds.check_index(index[1], index[0])
        is_here = locate.is_pipeline_here(entry.pipeline, entry.revision, entry.variant)
        if not ask_hub and not is_here and not _is_only_here(entry):
            return
        found = locate.probe_pipeline(entry.pipeline, entry.revision, entry.advice, entry.variant)
        parts.check(entry)
        if found is not None:
            file_checks.check(entry, found)

    def check_scorers(self, entry: Entry) -> None:
        """Make sure that the weights of a model's scorers can be had.

        Raises:
            WeightsNotFoundError: they are nowhere; the message says what was tried, and which model asks for them.
            SeedshiftError: what is there must not or cannot be loaded.
        """
        with self._scoring(entry):
            if entry.classifier:
                repository.probe(entry.classifier, "config.json")
            if entry.clip:
                clip_sources.find(entry.clip).probe()
            for each in entry.declared:
                each.probe()

    @contextmanager
    def _scoring(self, entry: Entry) -> Iterator[None]:
        """Where weights of scorers are nowhere, say which model is scored by them, and how others are given."""
        try:
            yield
        except places.WeightsNotFoundError as error:
            base = self.base_of(entry.name)
            default = "" if base in self.entries else ", as every model without an entry is"
            raise places.WeightsNotFoundError(
                f"{error}. They are of a scorer: {base} is scored by it{default}; "
                f"{self._key(base, 'scorers', '…')} changes that"
            ) from None

    def check_weights(self, entry: Entry) -> None:
        """Make sure of a model, then of its scorers: see `check_model` and `check_scorers`.

        Raises:
            WeightsNotFoundError: some weights are nowhere; the message says what was tried.
            SeedshiftError: what is there must not or cannot be loaded.
        """
        self.check_model(entry)
        self.check_scorers(entry)

    def lacks(self, entry: Entry) -> Lacking | None:
        """What of a model, or of its scorers, is not on this machine; None if all is here.

        Raises:
            WeightsNotFoundError: a folder or a file that was named is not there.
            SeedshiftError: what is there must not or cannot be loaded.
        """
        lacking = []
        whose = f"{entry.name} is"
        if entry.own is None and not locate.is_pipeline_here(entry.pipeline, entry.revision, entry.variant):
            if _is_only_here(entry):
                self.check_weights(entry)  # nothing to download: what was named is not there
            lacking += ["its weights"]
        else:
            whose = f"what scores {entry.name} is"
        if entry.classifier and not repository.is_here(entry.classifier, "config.json"):
            lacking.append(entry.classifier)
        if entry.clip and not clip_sources.is_here(entry.clip):
            lacking.append(open_clip_tags.repository(entry.clip))
        lacking += [each.source for each in entry.declared if not each.is_here()]
        if not lacking:
            return None
        try:
            self.check_weights(entry)
        except places.WeightsNotFoundError as error:
            return Lacking(f"{whose} not here: {error}", keeps_from_running="its weights" not in lacking)
        return Lacking(f"{whose} not here: a run downloads {' and '.join(lacking)}, a plan does not")

    def fetch_weights(self, entry: Entry) -> None:
        """Bring the weights of a model and of its scorers onto this machine, where they are not there yet.

        Raises:
            WeightsNotFoundError: they cannot be had.
            SeedshiftError: what is there must not or cannot be loaded.
        """
        if entry.own is None:
            process_settings.check()
            locate.locate_pipeline(entry.pipeline, entry.revision, entry.advice, entry.variant)
            parts.check(entry)
        with self._scoring(entry):
            if entry.classifier:
                repository.fetch(entry.classifier, repository.CLASSIFIER_FILES)
            if entry.clip:
                clip_sources.find(entry.clip).fetch()
            for each in entry.declared:
                each.fetch()

    def check_files(self, entry: Entry) -> None:
        """Bring the weights of a model here, and make sure of all that only its files show, and those of its scorers.

        Raises:
            ModelError: the weights are nowhere, or what is there cannot be loaded, or does not fit the entry.
            SeedshiftUsageError: a key of the entry does not fit what is there.
        """
        self.fetch_weights(entry)
        self.check_sampling(entry)
        self.check_fit(entry)
        self.check_labels(entry)
        self.check_prompts(entry)

    def check_sampling(self, entry: Entry) -> None:
        """Make sure that a derived model's scheduler supports its changes, as far as its files show.

        Raises:
            WeightsNotFoundError: the model is nowhere.
            SeedshiftError: it does not.
        """
        if entry.sampling is not None:
            from pytest_seedshift.models import samplers  # diffusers

            samplers.settled(entry, locate.locate_pipeline(entry.pipeline, entry.revision, entry.advice, entry.variant))

    def check_fit(self, entry: Entry) -> None:
        """Make sure that an entry fits its pipeline, as far as the pipeline's files show: see `models.fit`.

        Entries of the package itself do. So diffusers is imported for others alone: a run whose samples exist need not.

        Raises:
            WeightsNotFoundError: the model is nowhere.
            SeedshiftError: it does not; or a file of weights is cut short.
        """
        if entry.own is not None:
            return
        location = locate.locate_pipeline(entry.pipeline, entry.revision, entry.advice, entry.variant)
        file_checks.check(entry, location)
        file_checks.check_steps(entry, location)
        plain = shipped().entries.get(entry.name)
        changes = (
            entry.scheduler,
            entry.call,
            entry.height,
            entry.width,
            entry.guidance,
            entry.steps,
            entry.engine or None,
        )
        is_plain = entry == plain or not any(each not in (None, ()) for each in changes)
        is_plain = is_plain and not entry.prompt_set.has_negatives
        if entry.sampling is None and not entry.engine and is_plain:
            return
        from pytest_seedshift.models import fit, samplers  # diffusers

        fit.check(samplers.settled(entry, location), location)

    def same_as(self, name: str) -> str | None:
        """The name of the model that a derived one is the same as, since its changes say what is so already.

        None where they change something, where the files do not show it, and for a model that is not derived.

        Raises:
            WeightsNotFoundError: the model is nowhere.
            SeedshiftError: see `check_sampling`.
        """
        base = self.base_of(name)
        return base if self.find(name).sampling is not None and self.are_same(name, base) else None

    def are_same(self, one: str, other: str) -> bool:
        """Whether two models differ in nothing but their names, as far as their files show.

        Raises:
            WeightsNotFoundError: one is nowhere.
            SeedshiftError: see `check_sampling`.
        """
        return self._settled(one) == self._settled(other)

    def _settled(self, name: str) -> Entry:
        """An entry without its name, with its changes as a scheduler."""
        entry = self.find(name)
        if entry.sampling is not None:
            from pytest_seedshift.models import samplers  # diffusers

            entry = samplers.settled(
                entry, locate.locate_pipeline(entry.pipeline, entry.revision, entry.advice, entry.variant)
            )
        return dataclasses.replace(entry, name="")

    def check_labels(self, entry: Entry) -> str | None:
        """See `asked_prompts.check_labels`."""
        return asked_prompts.check_labels(entry)

    def check_prompts(self, entry: Entry) -> None:
        """See `asked_prompts.check_lengths`; what is shipped together is known to fit."""
        asked_prompts.check_lengths(entry, shipped().entries.values())


@cache
def shipped() -> Catalogue:
    """The entries of the package alone."""
    folder = Path(str(files("pytest_seedshift").joinpath("models")))
    tables = tomllib.loads((folder / "catalogue.toml").read_text(encoding="utf-8"))
    return Catalogue({name: entry_of(name, table, folder, None) for name, table in tables.items()})


def load(
    root: Path,
    thresholds: Path | None = None,
    *,
    no_limits: bool = False,
    given: str | None = None,
    prompts: str | None = None,
) -> Catalogue:
    """The shipped entries with those of the user laid over them, key by key.

    The user's stand in `[tool.seedshift.models.NAME]` of pyproject.toml and, above these, in `[models.NAME]` of the
    thresholds file.

    Args:
        root: the folder of pyproject.toml and of thresholds.toml.
        thresholds: another thresholds file.
        no_limits: see `Catalogue`.
        given: the name of a model that is there itself, so that its table need not say where its pipeline is.
        prompts: the name of a class list, or the path of a file, that all models are asked for, whatever entries say.

    Raises:
        SeedshiftError: a file cannot be read, or an entry is not valid.
    """
    declared.register(users_tables(root, thresholds, "scorers"))
    found = dict(shipped().entries)
    own = registry.current().models
    found |= {name: Entry(name, (), own=own.find(name)) for name in own.names}
    if given is not None:
        found.setdefault(given, Entry(given, ()))
    said: set[str] = set()
    for tables, path, prefix in users_tables(root, thresholds):
        from pytest_seedshift.models import entry_schema  # pydantic, which collecting shall not load without need

        for name, table in tables.items():
            where = f"{path}: [{prefix}.{name}]"
            place = _is_place(name)
            checked = entry_schema.check(name, table, where, new=name not in found, place=place)
            if (mine := own.find(name)) is not None:
                entry_schema.check_own(checked, where, str(mine))
            if place:
                checked = {**checked, "pipeline": name}
            try:
                found[name] = entry_of(name, checked, path.parent, found.get(name))
                said |= {name} if not {"classes", "prompts", "template"}.isdisjoint(checked) else set()
            except SeedshiftError as error:
                raise InvalidValueError(f"{where}: {error}") from None
    default = asked_prompts.of_default(root, thresholds)
    return Catalogue(found, no_limits, asked_prompts.Prompts(prompts or "", default, frozenset(said)), root, given)


def _is_place(name: str) -> bool:
    """Whether a model's name is a path or a hub id, rather than a word."""
    return "/" in name or name.endswith(places.SINGLE_FILE)


def _is_only_here(entry: Entry) -> bool:
    """Whether a model can be on this machine alone, at a place that was named: there is nothing to download."""
    return all(map(places.looks_local, entry.pipeline)) and not entry.advice
