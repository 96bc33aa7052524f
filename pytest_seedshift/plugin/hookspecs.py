"""The hooks by which a conftest gives models, shifts and scorers of its own. Read by every pytest run.

All three give a mapping of names to factories, and are called once, when the first name is needed. A factory should
import what is heavy when it is called, not before. Packages give the same by entry points of the groups
`pytest_seedshift.models`, `pytest_seedshift.shifts` and `pytest_seedshift.scorers`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import pytest

from pytest_seedshift.plugin import border

if TYPE_CHECKING:
    from pytest_seedshift.core.shifts import Shift
    from pytest_seedshift.models.base import TextToImage
    from pytest_seedshift.scorers.base import PairScorer, Scorer

_KEY = pytest.StashKey[Any]()
PREFIX = "pytest_seedshift_"
"""What the names of all these hooks begin with."""


@pytest.hookspec
def pytest_seedshift_models(config: pytest.Config) -> Mapping[str, Callable[[str, str], TextToImage]] | None:
    """Models: each factory is called with the device and the number type, such as `cuda:0` and `float16`.

    It gives a `pytest_seedshift.TextToImage`. Its `name` is the name under which it is given; its `fingerprint` changes
    with all that can change an image.
    """


@pytest.hookspec
def pytest_seedshift_shifts(config: pytest.Config) -> Mapping[str, Callable[[], Shift]] | None:
    """Shifts: each factory is called without arguments and gives a `pytest_seedshift.Shift`.

    That is a function `shift(z, magnitude, generator)` with an attribute `fingerprint`. It shifts z, float32 (batch,
    channels, height, width), and returns as much; what it draws it draws from `generator`.
    """


@pytest.hookspec
def pytest_seedshift_scorers(config: pytest.Config) -> Mapping[str, Callable[[str], Scorer | PairScorer]] | None:
    """Scorers: each factory is called with the device, and has an attribute `kind`, a `pytest_seedshift.ScoreKind`.

    It gives a `pytest_seedshift.Scorer`, or a `PairScorer` where it has `beside` too. The name is that of its one
    score, in thresholds.toml and everywhere else.
    """


def activate(config: pytest.Config) -> None:
    """Ask all hooks, once a session, and know their answers until it ends.

    Raises:
        pytest.UsageError: what they give cannot be used.
    """
    if _KEY in config.stash:
        return
    from pytest_seedshift.core import registry, shifts
    from pytest_seedshift.core.score_kinds import BUILT_IN
    from pytest_seedshift.core.scores import TAKEN
    from pytest_seedshift.models import catalogue

    taken = {
        "model": tuple(catalogue.shipped().entries),
        "shift": (shifts.NONE, *shifts.names()),
        "scorer": (*BUILT_IN, *TAKEN),
    }
    with border.usage_errors():
        made = {f"{kind}s": _registry(config, kind, names) for kind, names in taken.items()}
    known = config.stash[_KEY] = registry.Extensions(**made)
    registry.push(known)
    config.add_cleanup(lambda: registry.remove(known))


def _registry(config: pytest.Config, kind: str, built_in: tuple[str, ...]) -> Any:
    from importlib.metadata import entry_points

    from pytest_seedshift.core.registry import GROUPS, Registry

    return Registry(kind, built_in, _answers(config, f"{PREFIX}{kind}s"), entry_points(group=GROUPS[kind]))


def _answers(config: pytest.Config, hook: str) -> Iterator[tuple[str, object]]:
    """What each plugin answers, with the plugin's name: a path relative to the root folder where it is a conftest.

    Raises:
        ExtensionError: a hook raises.
    """
    from pytest_seedshift.core import registry, user_code

    manager = config.pluginmanager
    implementations = getattr(config.hook, hook).get_hookimpls()
    for implementation in implementations:
        others = [each.plugin for each in implementations if each.plugin is not implementation.plugin]
        owner = implementation.plugin_name.removeprefix(f"{config.rootpath}/")
        with user_code.calling(f"{owner}: {hook}", implementation.function, error=registry.ExtensionError):
            answers = manager.subset_hook_caller(hook, others)(config=config)
        for answer in answers:
            yield owner, answer
