"""Baselines: the scores of a version that was good enough, pair by pair, in a file that belongs in git.

The file is JSON, a line for each score of a case, with nothing in it that depends on when or where it was made: equal
scores are equal bytes. Accuracies are a digit a pair, other scores have three decimals. What must be equal for two runs
to be comparable is in its head: the scorers' weights, class list, prompt template and design. A folder with such a file
has the pictures too, see `baseline_folder`; a run folder is as good as either.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_seedshift.core import atomic_files, pairs
from pytest_seedshift.core.errors import DataError
from pytest_seedshift.core.score_registry import ScoreRegistry
from pytest_seedshift.core.scores import DECIMALS
from pytest_seedshift.results import metadata

if TYPE_CHECKING:
    from pytest_seedshift.core.cases import Case
    from pytest_seedshift.core.pairs import Pair
    from pytest_seedshift.core.prompt_sets import PromptSet
    from pytest_seedshift.core.score_kinds import ScoreKind
    from pytest_seedshift.results.sensitivity_files import SeedUse

FILE_NAME = "against.json"
"""The copy that a run folder keeps of the baseline which its run was held against."""

LOSSES_FILE_NAME = "comparison.json"
"""The file of a run folder that has what the run lost against it."""

VERSION = 1

WHAT = "a baseline of pytest-seedshift: the scores of each case, pair by pair, in the order of its design"

MOST_BYTES, MOST_VALUES = 128_000_000, 8_000_000
"""Of a file: a baseline has a value for each pair of each case."""


class BaselineError(DataError):
    """A baseline that cannot be used; the message says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Version:
    """Which version of a model: its fingerprint, how it was run, and the fingerprints of its scorers' weights."""

    fingerprint: str
    device: str
    dtype: str
    classifier: str
    """Empty where its scores were not measured; so is `clip`."""
    clip: str
    own: Mapping[str, str] = field(default_factory=dict)
    """By score of the user's own, the fingerprint that its scorer gives itself."""
    run_with: Mapping[str, Any] = field(default_factory=dict)
    """What it was run with; empty where that was not recorded. See `run_settings`."""

    def document(self) -> dict[str, Any]:
        """As it stands in a baseline's head."""
        made = {key: getattr(self, key) for key in ("fingerprint", "device", "dtype", "classifier", "clip")}
        more = {"own": dict(self.own), "run_with": dict(self.run_with)}
        return made | {key: value for key, value in more.items() if value}


@dataclass(frozen=True, slots=True)
class Design:
    """What a design is made of; its fingerprint is `pairs.fingerprint`."""

    class_list: str
    labels: tuple[str, ...]
    prompt: str
    images: int
    seed: int = 0
    """The design's own."""
    tags: Mapping[str, tuple[str, ...]] = field(default_factory=dict, compare=False, repr=False)
    """By label, or id of a prompt, its tags, as far as they are known; a file of scores has none."""

    def places(self) -> list[tuple[str, int]]:
        """Label and seed index of each pair, in the order in which they are visited."""
        return _places(self.labels, self.images, self.seed)


@lru_cache(maxsize=8)
def _places(labels: tuple[str, ...], images: int, seed: int) -> list[tuple[str, int]]:
    made = [pairs.Label(label, index) for index, label in enumerate(labels)]
    return [(pair.label.name, pair.seed) for pair in pairs.design(made, images, seed=seed)]


@dataclass(frozen=True, slots=True)
class Samples:
    """A case's scores on the first pairs of its design."""

    case: Case
    design: str
    """Its design's fingerprint."""
    exact: bool
    """Whether the whole design was to be visited, whatever it would show."""
    scores: Mapping[str, tuple[float, ...]]

    @property
    def pairs(self) -> int:
        """How many pairs there are scores of."""
        return len(next(iter(self.scores.values())))


@dataclass(frozen=True)
class Baseline:
    """A version of one or more models, or a run that is held against it: both sides of a comparison are these."""

    name: str
    """Where it comes from, for the user's eyes."""
    libraries: Mapping[str, str]
    models: Mapping[str, Version]
    designs: Mapping[str, Design]
    cases: Mapping[Case, Samples]
    pictures: Mapping[tuple[Case, str, int], Path] = field(default_factory=dict)
    """By case, label and seed index; of a run folder's pictures those that are there."""
    digests: Mapping[tuple[Case, str, int], str] = field(default_factory=dict, kw_only=True)
    """The SHA-256 of each as it was kept, where that is known."""
    embeddings: Mapping[str, tuple[Path, str]] = field(default_factory=dict, kw_only=True)
    """By the fingerprint of a scorer, the file with its embeddings of the pictures, and the SHA-256 of that."""
    seed_use: Mapping[str, SeedUse] = field(default_factory=dict, kw_only=True)
    """By model, how much it looks at its seed vector, where that was measured."""
    environment: Mapping[str, str] = field(default_factory=dict, kw_only=True)
    """On what its pictures were made; empty where that is not recorded. See `environments.Environment.document`."""
    kinds: Mapping[str, ScoreKind] = field(default_factory=dict)
    """The scores of the user's own."""
    notes: tuple[str, ...] = ()
    """What could not be taken over from a run folder."""

    @property
    def scores(self) -> ScoreRegistry:
        """What its scores are, by name."""
        return ScoreRegistry(self.kinds)

    @cached_property
    def checksum(self) -> str:
        """Of all that the file says."""
        return checksum(self.document())

    def document(self, *, pictures: bool = False) -> dict[str, Any]:
        """What the file says, but for its checksum, in built-in types; of a folder's with the digests of its files."""
        kinds, kept = self.scores, {scorer: digest for scorer, (_, digest) in self.embeddings.items()}
        return {
            "what": WHAT,
            "version": VERSION,
            "libraries": dict(self.libraries),
            "models": {name: each.document() for name, each in self.models.items()},
            **({"scores": {name: kind.document() for name, kind in self.kinds.items()}} if self.kinds else {}),
            **({"environment": dict(self.environment)} if pictures and self.environment else {}),
            **({"embeddings": kept} if pictures and kept else {}),
            **({"seed_use": {name: _portable(each) for name, each in self.seed_use.items()}} if self.seed_use else {}),
            "designs": {
                name: {
                    "class_list": each.class_list,
                    "labels": list(each.labels),
                    "prompt": each.prompt,
                    "images": each.images,
                    **({"design_seed": each.seed} if each.seed else {}),
                }
                for name, each in self.designs.items()
            },
            "cases": [
                {
                    "model": case.model,
                    "shift": case.shift,
                    "magnitude": case.magnitude,
                    "design": each.design,
                    "exact": each.exact,
                    "pairs": each.pairs,
                    **({"pictures": self.listed(case)} if pictures else {}),
                    "scores": {
                        score: "".join("01"[value > 0.5] for value in values)
                        if kinds[score].binary
                        else [round(value, DECIMALS) for value in values]
                        for score, values in each.scores.items()
                    },
                }
                for case, each in self.cases.items()
            ],
        }

    def listed(self, case: Case) -> list[str]:
        """The digests of a case's pictures, pair by pair; empty of a pair that has none."""
        samples = self.cases[case]
        places = self.designs[samples.design].places()[: samples.pairs]
        return [self.digests.get((case, *place), "") for place in places]

    def text(self, *, pictures: bool = False) -> str:
        """The file: a line for each score, so that git shows which cases have changed."""
        document = self.document(pictures=pictures)
        head = {"what": document.pop("what"), "version": document.pop("version")}
        head["checksum"] = checksum(head | document) if pictures else self.checksum
        cases = document.pop("cases")
        shown = json.dumps(head | document, indent=1, ensure_ascii=False).removesuffix("\n}")
        return f'{shown},\n "cases": [\n' + ",\n".join(map(_case_text, cases)) + "\n ]\n}\n"

    def write(self, path: Path) -> None:
        """Write the file, whole or not at all.

        Raises:
            OSError: it cannot be written.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic_files.write(path, self.text())

    def counterpart(self, model: str, others: Iterable[str], named: Mapping[str, str]) -> str | None:
        """The name that a model has here: as `named` says, else its own, else that of the only one.

        Args:
            model: its name in the run.
            others: the names of all models of the run.
            named: what the user says of names that differ.
        """
        if model in named:
            return named[model] if named[model] in self.models else None
        for name in (model, metadata.place(model)):
            if name in self.models:
                return name
        return next(iter(self.models)) if len(self.models) == 1 and len(set(others)) == 1 else None

    def scores_of(self, model: str, others: Iterable[str], named: Mapping[str, str]) -> set[str]:
        """The scores that it has of a model's cases; the arguments are those of `counterpart`."""
        name = self.counterpart(model, others, named)
        return {score for case, each in self.cases.items() if case.model == name for score in each.scores}


def portable(made: Baseline) -> Baseline:
    """A baseline whose models are called alike in every checkout: by the last part of a path of this machine."""
    names = {name: metadata.place(name) for name in made.models}
    if len(set(names.values())) < len(names):  # two that only their folders distinguish
        return made
    samples = [replace(each, case=replace(each.case, model=names[each.case.model])) for each in made.cases.values()]
    models = {names[name]: each for name, each in made.models.items()}

    def named(place: tuple[Case, str, int]) -> tuple[Case, str, int]:
        case, label, seed = place
        return replace(case, model=names.get(case.model, case.model)), label, seed

    return replace(
        made,
        models=models,
        seed_use={names[name]: replace(each, model=names[name]) for name, each in made.seed_use.items()},
        cases={each.case: each for each in samples},
        pictures={named(place): path for place, path in made.pictures.items()},
        digests={named(place): digest for place, digest in made.digests.items()},
    )


def _portable(use: SeedUse) -> dict[str, Any]:
    """A seed sensitivity without how long it took, which is another time another one."""
    return {key: value for key, value in use.document().items() if key != "seconds"}


def _case_text(case: Mapping[str, Any]) -> str:
    head = json.dumps({key: value for key, value in case.items() if key != "scores"}, ensure_ascii=False)
    scores = (f"   {json.dumps(name)}: {json.dumps(values)}" for name, values in case["scores"].items())
    return f'  {head[:-1]}, "scores": {{\n' + ",\n".join(scores) + "\n  }}"


def checksum(document: Mapping[str, Any]) -> str:
    """Of what a file says, but for the checksum itself; spaces and line ends have no part in it."""
    said = {key: value for key, value in document.items() if key != "checksum"}
    text = json.dumps(said, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def differences(
    before: tuple[Version, str, Design | None], after: tuple[Version, str, Design | None], names: tuple[str, str]
) -> list[str]:
    """Why two versions cannot be compared: each with its design's fingerprint and, where it is known, its design."""
    found = []
    (old, old_print, old_design), (new, new_print, new_design) = before, after
    scorers = [
        ("classifier (by its weights)", old.classifier, new.classifier),
        ("CLIP model (by its weights)", old.clip, new.clip),
        *(
            (f"scorer of {score} (by its fingerprint)", old.own[score], new.own[score])
            for score in old.own
            if score in new.own
        ),
    ]
    found += [
        f"{title}: {one} in {names[0]}, {other} in {names[1]}"
        for title, one, other in scorers
        if one and other and one != other
    ]
    if old_print == new_print:
        return found
    if old_design is not None and new_design is not None:
        if old_design.prompt != new_design.prompt:
            found.append(f"prompt template: {old_design.prompt!r} in {names[0]}, {new_design.prompt!r} in {names[1]}")
        if old_design.labels != new_design.labels:
            lists = (f"{each.class_list} ({len(each.labels)} labels)" for each in (old_design, new_design))
            found.append(f"class list: {next(lists)} in {names[0]}, {next(lists)} in {names[1]}")
        if old_design.seed != new_design.seed:
            found.append(
                f"design seed: {old_design.seed} in {names[0]}, {new_design.seed} in {names[1]}, so that they have no "
                "pair in common (--seedshift-design-seed, design_seed of a marker or of [verdict])"
            )
        if old_design.labels == new_design.labels and old_design.images != new_design.images:
            found.append(
                f"design: {old_design.images} pairs in {names[0]}, {new_design.images} in {names[1]} "
                "(--seedshift-images)"
            )
    return found or [
        f"design or the labels' indices (by fingerprint): {old_print} in {names[0]}, {new_print} in {names[1]}"
    ]


def design_of(design: Iterable[Pair], prompts: PromptSet) -> Design:
    """What a design of the running session is made of."""
    listed, names = tuple(design), tuple(each.name for each in prompts.prompts)
    seed = pairs.seed_of(listed[0].seed)
    return Design(metadata.place(prompts.name), names, prompts.template, len(listed), seed)


def unfit(case: str, score: str) -> str:
    """Why a drop may not be held against a baseline that stopped early as if chance had no part in it."""
    return (
        f"significant = false is set for {score} of {case}, and its baseline stopped early. Such a baseline ends on a "
        "streak: an equally good version would fail in up to 46 % of runs. Run the older version with "
        "--seedshift-exact --seedshift-save-baseline=PATH, or remove significant = false"
    )


def how(before_exact: bool, after_exact: bool) -> str:
    """What decided how many pairs there are: see `bounds.Chance`."""
    return "stopped" if not before_exact else "exact" if after_exact else "looks"
