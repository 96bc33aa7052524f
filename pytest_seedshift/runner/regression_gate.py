"""What a session holds its cases against: the baseline that it was given, checked, cut to each case's pairs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_seedshift.core import likeness, pairs
from pytest_seedshift.core.messages import some, unknown
from pytest_seedshift.core.score_registry import SHIPPED, ScoreRegistry
from pytest_seedshift.core.scores import Constraint, mean_of
from pytest_seedshift.models.needed_scorers import of_scores, without_others
from pytest_seedshift.results import baseline_folder, pictures
from pytest_seedshift.results.baseline import Baseline, BaselineError, Version, design_of, differences
from pytest_seedshift.scorers import fingerprint

if TYPE_CHECKING:
    from pytest_seedshift.core.cases import Case
    from pytest_seedshift.core.pairs import Pair
    from pytest_seedshift.models.catalogue import Catalogue
    from pytest_seedshift.results.baseline import Samples
    from pytest_seedshift.results.sensitivity_files import SeedUse

_NAMED = 5
"""How many cases an error names."""


@dataclass(frozen=True, slots=True)
class Against:
    """A baseline, and how the user wants it used.

    Attributes:
        baseline: what to hold against.
        models: by the name of a model, the baseline's name for it.
        allow_missing: whether cases may be on one side only.
        others: the models of the run.
        catalogue: what these stand for.
        own: the fingerprint that the scorer of a score of the user's own gives itself.
        kinds: gives what the run's scores are.
    """

    baseline: Baseline
    models: Mapping[str, str]
    allow_missing: bool
    others: tuple[str, ...]
    catalogue: Catalogue
    own: Callable[[str], str]
    kinds: Callable[[], ScoreRegistry] = lambda: SHIPPED

    def head(self) -> dict[str, Any]:
        """What verdicts.json says of it."""
        return {
            "name": Path(self.baseline.name).name,
            "checksum": self.baseline.checksum,
            "models": dict(self.models),
        }

    def samples(self, case: Case) -> Samples | None:
        """The baseline's samples of a case; None of one that it lacks.

        Raises:
            BaselineError: it lacks the case, or its model, and may not; or the user names a model that it has not.
        """
        named = self.models.get(case.model)
        if named is not None and named not in self.baseline.models:
            raise BaselineError(
                f'[baseline] models = {{ "{case.model}" = "{named}" }}: {self.baseline.name}: '
                f"{unknown('model', named, self.baseline.models)}"
            )
        model = self.baseline.counterpart(case.model, self.others, self.models)
        found = None if model is None else self.baseline.cases.get(replace(case, model=model))
        if found is not None or self.allow_missing:
            return found
        if model is None:
            known = ", ".join(self.baseline.models)
            raise BaselineError(
                f"{self.baseline.name} has no model {case.model}, and not only one model that could be meant: it has "
                f'{known}. Say which, in the thresholds: [baseline] models = {{ "{case.model}" = '
                f'"{next(iter(self.baseline.models))}" }}'
            )
        raise BaselineError(
            f"{self.baseline.name} has no case {case.id}: save the baseline again with the same shifts and magnitudes, "
            "or leave such cases without a comparison by --seedshift-allow-missing"
        )

    def other(self, case: Case) -> Case | None:
        """What the baseline calls a case; None where it has no model that could be meant."""
        name = self.baseline.counterpart(case.model, self.others, self.models)
        return None if name is None else replace(case, model=name)

    def seed_use(self, models: Iterable[str]) -> dict[str, SeedUse]:
        """By the run's name of a model, how much the baseline's looks at its seed vector, where it says that."""
        known = self.baseline.seed_use
        names = {model: self.baseline.counterpart(model, self.others, self.models) for model in models}
        return {model: known[name] for model, name in names.items() if name is not None and name in known}

    def pictured(self, case: Case, design: Sequence[Pair]) -> tuple[int, bool]:
        """Of how many of a design's first pairs the baseline has pictures, and whether their number was fixed.

        None of a case that it lacks.

        Raises:
            BaselineError: it has no pictures, or not of all of its pairs, or they are not comparable.
        """
        found = self.samples(case)
        if found is None:
            return 0, True
        self._check(case, found, design)
        digests = self.baseline.digests
        has = sum(bool(digests.get((found.case, pair.label.name, pair.seed))) for pair in design[: found.pairs])
        if has < found.pairs:
            raise BaselineError(
                f"{self.baseline.name} has {f'pictures of {has} of the' if has else 'no pictures of the'} "
                f"{found.pairs} pairs of {found.case.id}, so likeness to it cannot be measured. A run of the version "
                "to compare with makes one that has them all: --seedshift-exact --seedshift-save-baseline=FOLDER"
            )
        return found.pairs, found.exact

    def check_pictures(self, cases: Iterable[Case], size: Callable[[str], tuple[int, int] | None]) -> None:
        """Make sure that the pictures of some cases are as they were kept, and of the size that the model makes.

        Args:
            cases: of the run.
            size: by model, the width and height of its pictures; None where that is not known before they are made.

        Raises:
            BaselineError: one is not; the message names it.
        """
        for case in cases:
            other, sizes = self.other(case), dict[tuple[int, int], Path]()
            for place, path in self.baseline.pictures.items():
                if place[0] == other:
                    content = baseline_folder.read(path, self.baseline.digests[place])
                    sizes.setdefault(pictures.size_of(content, path), path)
            if len(sizes) > 1:
                told = " and ".join(f"{path} of {width}×{height}" for (width, height), path in sizes.items())
                raise BaselineError(f"{self.baseline.name} has pictures of unlike sizes: {told}. Save it again")
            ours = size(case.model)
            if ours is not None and sizes and ours not in sizes:
                (theirs,) = sizes
                raise BaselineError(
                    f"{self.baseline.name} has pictures of {theirs[0]}×{theirs[1]} pixels of {case.id}, and "
                    f"{case.model} makes {ours[0]}×{ours[1]}: pictures of unlike sizes cannot be compared. Save the "
                    "baseline again at this size, or give the model the baseline's"
                )

    def columns(self, case: Case, design: Sequence[Pair], asked: Iterable[str]) -> tuple[dict[str, Any], bool]:
        """The baseline's values of some scores for the first pairs of a design, and whether their number was fixed.

        Raises:
            BaselineError: they are not comparable; the message names the difference.
        """
        found = self.samples(case)
        if found is None:
            return {}, True
        self._check(case, found, design)
        asked = list(asked)
        for score in asked:
            if score not in found.scores:
                title = self.kinds()[score].title
                raise BaselineError(
                    f"{self.baseline.name}: {found.case.id} has no {title} to compare with: save it again"
                )
        return {score: found.scores[score] for score in asked}, found.exact

    def missing(self, asked: Iterable[Case]) -> list[Case]:
        """The baseline's cases about the models of the run that the run does not ask for."""
        asked = list(asked)
        names = {self.baseline.counterpart(model, self.others, self.models) for model in self.others}
        ours = {
            replace(case, model=name)
            for case in asked
            for name in [self.baseline.counterpart(case.model, self.others, self.models)]
            if name is not None
        }
        return [case for case in self.baseline.cases if case.model in names and case not in ours]

    def check_missing(self, asked: Iterable[Case]) -> None:
        """Make sure that the run asks for all cases that the baseline has of its models.

        Raises:
            BaselineError: it does not, and must; the message names them.
        """
        missing = [] if self.allow_missing else self.missing(asked)
        if missing:
            raise BaselineError(
                f"{self.baseline.name} has cases that this run does not have: "
                f"{some((case.id for case in missing), _NAMED)}. Run them too (-k and --lf may narrow it), "
                "save the baseline again, or leave them without a comparison by --seedshift-allow-missing"
            )

    def _check(self, case: Case, found: Samples, design: Sequence[Pair]) -> None:
        entry = self.catalogue.find(case.model)
        own = {score: self.own(score) for score in self.kinds().own if score in found.scores}
        entry = without_others(entry, of_scores(found.scores))
        ours = Version("", "", "", *fingerprint.weights_of_scorers(entry.classifier, entry.clip), own)
        listed = entry.prompt_set
        said = differences(
            (self.baseline.models[found.case.model], found.design, self.baseline.designs[found.design]),
            (ours, pairs.fingerprint(design), design_of(design, listed)),
            (self.baseline.name, "this run"),
        )
        if said:
            raise BaselineError(f"{case.model} cannot be compared with its baseline: {'; '.join(said)}")


def without_likeness(constraints: Iterable[Constraint], scores: Iterable[str]) -> tuple[Constraint, ...]:
    """Constraints without what they ask of likeness; of `scores` the first may be anything where nothing is left."""
    found = tuple(each for each in constraints if likeness.measure_of(each.score) is None)
    return found or tuple(Constraint(score, 0.0) for score in list(scores)[:1])


def without(constraints: Iterable[Constraint]) -> tuple[Constraint, ...]:
    """Constraints without what they ask beside a baseline; a score that was asked for nothing else may be anything."""
    return tuple(
        each
        if each.needs_baseline is None
        else replace(
            each,
            max_regression=None,
            within=None,
            significant=True,
            minimum=0.0 if each.minimum is each.max_drop is None else each.minimum,
        )
        for each in constraints
    )


def beside(
    constraints: Iterable[Constraint], columns: Mapping[str, Sequence[float]], case: Case, name: str
) -> tuple[Constraint, ...]:
    """Constraints of which those that are relative to the baseline's mean have their bounds in the score's units.

    Args:
        constraints: of the case.
        columns: by score, the baseline's values for the case's pairs.
        case: for an error.
        name: of the baseline, likewise.

    Raises:
        BaselineError: a bound would be 0.
    """
    made: list[Constraint] = []
    for each in constraints:
        if each.within is None or each.within.share is None:
            made.append(each)
            continue
        mean = mean_of(each.score_kind, columns[each.score])
        margin = each.within.of(mean)
        if not margin.value:
            raise BaselineError(
                f"{case.id}: within = {margin} of {each.score}: the mean of {name} is {mean:g} on this case's pairs, "
                "so any part of it is 0. Give a number in the score's units"
            )
        made.append(replace(each, within=margin))
    return tuple(made)
