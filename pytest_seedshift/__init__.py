"""Test whether text-to-image diffusion models stay true to the prompt when their initial noise is shifted.

This module is what users import; nothing deeper is promised to stay where it is:

    import pytest_seedshift as seedshift

    images = model.generate(seedshift.design(seedshift.class_list("toy16"), images=16))

Options, markers, fixtures and hooks are pytest's and need no import. A name is here because a conftest, a package or a
notebook has to write it:

- models of the user's own: `TextToImage` is what one has to be, `Axes` what its `seed_axes` are, `ShiftFunction` and
  `OnStep` what its `generate` is given, `Observable`, `Observation` and `Sampled` what it may offer for trajectories;
- shifts: `Shift` is what one has to be, `apply_shift` applies any of them to a tensor, `repair` makes of a shifted seed
  vector, or of any other, what looks like a draw of N(0, 1) again;
- scorers: `Scorer` is what one has to be, or `PairScorer` where images are scored beside others, `ScoreKind` what its
  factory declares;
- designs and noise: `class_list` gives `Label`s, `design` `Pair`s of them, `seed_vectors` their initial noise,
  `generator` all later draws, `seed_weight` how much of the initial noise a sampler keeps;
- what fixtures give, for annotations: `Case`, `CaseResult`, `BreakingPoint`, `Trajectory`, `Study`;
- evaluation without pytest: `evaluate` judges a model, or a pipeline in memory, and gives an `Evaluation`;
- runs: `load_run` reads a run folder into a `Run` of `CaseRun`s, with its cases and samples as tables;
- errors: all are a `SeedshiftError`: a `SeedshiftUsageError` about what was given, of a function's argument an
  `InvalidValueError`, a `DataError` about a file or a folder, a `ModelError` about a model or a scorer, a
  `HarnessError` about the machine.

Each is imported when it is first used (PEP 562), so that `import pytest_seedshift` imports nothing else.
"""

__version__ = "0.2.0"

__all__ = [
    "Axes",
    "BreakingPoint",
    "Case",
    "CaseResult",
    "CaseRun",
    "DataError",
    "Evaluation",
    "HarnessError",
    "InvalidValueError",
    "Label",
    "ModelError",
    "Observable",
    "Observation",
    "OnStep",
    "Pair",
    "PairScorer",
    "Run",
    "Sampled",
    "ScoreKind",
    "Scorer",
    "SeedshiftError",
    "SeedshiftUsageError",
    "Shift",
    "ShiftFunction",
    "Study",
    "TextToImage",
    "Trajectory",
    "apply_shift",
    "class_list",
    "design",
    "evaluate",
    "generator",
    "load_run",
    "repair",
    "seed_vectors",
    "seed_weight",
]

TYPE_CHECKING = False  # that of typing would cost its import; type checkers know this name wherever it is from

if TYPE_CHECKING:
    from pytest_seedshift.core.cases import Case
    from pytest_seedshift.core.errors import (
        DataError,
        HarnessError,
        InvalidValueError,
        ModelError,
        SeedshiftError,
        SeedshiftUsageError,
    )
    from pytest_seedshift.core.pairs import Label, Pair, class_list, design
    from pytest_seedshift.core.score_kinds import ScoreKind
    from pytest_seedshift.core.shifts import Shift
    from pytest_seedshift.core.shifts import apply as apply_shift
    from pytest_seedshift.models.base import Axes, Observable, OnStep, ShiftFunction, TextToImage
    from pytest_seedshift.models.observation import Observation, Sampled
    from pytest_seedshift.models.repairs import repair
    from pytest_seedshift.models.rng import generator, seed_vectors
    from pytest_seedshift.models.seed_weight import seed_weight
    from pytest_seedshift.reporting.evaluate import evaluate
    from pytest_seedshift.reporting.evaluation_result import Evaluation
    from pytest_seedshift.results.data import CaseRun, Run
    from pytest_seedshift.results.load_run import load_run
    from pytest_seedshift.runner.case_result import CaseResult
    from pytest_seedshift.scorers.base import PairScorer, Scorer
    from pytest_seedshift.studies.breaking_point.search import BreakingPoint
    from pytest_seedshift.studies.position_control.experiment import Study
    from pytest_seedshift.studies.trajectories.trajectory import Trajectory
else:  # unseen by type checkers, for which every name that is not there would be an object otherwise
    _MODULES = {
        "Axes": "pytest_seedshift.models.base",
        "BreakingPoint": "pytest_seedshift.studies.breaking_point.search",
        "Case": "pytest_seedshift.core.cases",
        "CaseResult": "pytest_seedshift.runner.case_result",
        "CaseRun": "pytest_seedshift.results.data",
        "DataError": "pytest_seedshift.core.errors",
        "Evaluation": "pytest_seedshift.reporting.evaluation_result",
        "HarnessError": "pytest_seedshift.core.errors",
        "InvalidValueError": "pytest_seedshift.core.errors",
        "Label": "pytest_seedshift.core.pairs",
        "ModelError": "pytest_seedshift.core.errors",
        "Observable": "pytest_seedshift.models.base",
        "Observation": "pytest_seedshift.models.observation",
        "OnStep": "pytest_seedshift.models.base",
        "Pair": "pytest_seedshift.core.pairs",
        "PairScorer": "pytest_seedshift.scorers.base",
        "Run": "pytest_seedshift.results.data",
        "Sampled": "pytest_seedshift.models.observation",
        "ScoreKind": "pytest_seedshift.core.score_kinds",
        "Scorer": "pytest_seedshift.scorers.base",
        "SeedshiftError": "pytest_seedshift.core.errors",
        "SeedshiftUsageError": "pytest_seedshift.core.errors",
        "Shift": "pytest_seedshift.core.shifts",
        "ShiftFunction": "pytest_seedshift.models.base",
        "Study": "pytest_seedshift.studies.position_control.experiment",
        "TextToImage": "pytest_seedshift.models.base",
        "Trajectory": "pytest_seedshift.studies.trajectories.trajectory",
        "apply_shift": "pytest_seedshift.core.shifts",
        "class_list": "pytest_seedshift.core.pairs",
        "design": "pytest_seedshift.core.pairs",
        "evaluate": "pytest_seedshift.reporting.evaluate",
        "generator": "pytest_seedshift.models.rng",
        "load_run": "pytest_seedshift.results.load_run",
        "repair": "pytest_seedshift.models.repairs",
        "seed_vectors": "pytest_seedshift.models.rng",
        "seed_weight": "pytest_seedshift.models.seed_weight",
    }
    """By name, the module that it is in."""

    _THERE = {"apply_shift": "apply"}
    """What a name is called there, if not the same."""

    def __getattr__(name: str) -> object:
        """Import a name of `__all__` when it is first used."""
        import sys
        from importlib import import_module

        if name not in _MODULES:
            # With the name and the module Python itself says which of `__dir__` was meant.
            module = sys.modules[__name__]
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}", name=name, obj=module)
        value = globals()[name] = getattr(import_module(_MODULES[name]), _THERE.get(name, name))
        return value

    def __dir__() -> list[str]:
        """The names that are for users, whether they were imported already or not."""
        return sorted([*__all__, "__doc__", "__name__", "__version__"])
