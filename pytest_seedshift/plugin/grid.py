"""The whole grid of a session, and the shard of it that this session runs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import pytest

from pytest_seedshift.core.test_names import SUITE
from pytest_seedshift.plugin import collection, shards, unjudged
from pytest_seedshift.results.run_folder import RunFolder, VerdictsError

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_seedshift.core.searches import Subject
    from pytest_seedshift.plugin.option_resolution import Settings
    from pytest_seedshift.plugin.process import Process
    from pytest_seedshift.results.schema import Record, Search


class Grid:
    """Hooks that note every item about a case or a breaking point, and deselect those of other shards.

    All other items stay: no verdict tells whether one of another shard has run.
    """

    def __init__(self, settings: Settings, process: Process) -> None:
        self.items: Sequence[tuple[pytest.Item, Subject]] = ()
        """Those of all shards, in the order in which one session would run them."""
        self.models: tuple[str, ...] = ()
        """The models whose cases this session runs."""
        self._settings = settings
        self._process = process
        self._split: shards.Split | None = None
        self._stand_ins: frozenset[pytest.Item] = frozenset()
        self._error: str | None = None
        self._others: frozenset[str] = frozenset()

    def let_stand_in(self, items: Iterable[pytest.Item]) -> None:
        """Take note of what of the built-in suite runs only where the project asks for no verdict."""
        self._stand_ins = frozenset(items)

    def refuse(self, error: pytest.UsageError) -> None:
        """Let every case say what is wrong: nobody would hear of a worker's usage error."""
        self._error = str(error)

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Split what -k, -m and others have left: that is the same on every machine with the same command line."""
        self._drop_stand_ins(config, items)
        collection.sort_by_model(items)
        self.items = [
            (item, subject) for item in items if collection.is_judged(item) and (subject := collection.subject_of(item))
        ]
        shard, others = self._settings.shard, frozenset[str]()
        if shard is not None and self.items:
            try:
                self._split = self._made(shard)
                others = others.union(*self._split.parts) - self._split.parts[shard.number - 1]
            except pytest.UsageError as error:
                if not self._process.worker:
                    raise
                self._error = str(error)  # nobody would hear of a worker's usage error: make it the cases'
        self.models = tuple(dict.fromkeys(subject.model for item, subject in self.items if item.nodeid not in others))
        self._others = others
        if not others:
            return
        config.hook.pytest_deselected(items=[item for item in items if item.nodeid in others])
        items[:] = [item for item in items if item.nodeid not in others]

    def _drop_stand_ins(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Leave the built-in suite out where a conftest has marked tests by now: the project does ask."""
        ours = self._stand_ins
        if any(unjudged.asks(item) and not item.nodeid.startswith(f"{SUITE}::") for item in items):
            dropped = [item for item in items if item in ours]
            items[:] = [item for item in items if item not in ours]
            if dropped:
                config.hook.pytest_deselected(items=dropped)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Run no case where it is not known which shard's it is."""
        if self._error is not None and collection.is_judged(item):
            pytest.fail(self._error, pytrace=False)

    def owns(self, model: str) -> bool:
        """Whether what is to be done once a model is this shard's: it has the first of the model's cases."""
        first = next((item.nodeid for item, case in self.items if case.model == model), None)
        return first is not None and first not in self._others

    def note(self) -> str | None:
        """`shard 2/4, by count: 8 of 31 cases`."""
        shard, split = self._settings.shard, self._split
        if shard is None or split is None:
            return None
        return f"shard {shard}, by {split.by}: {len(split.parts[shard.number - 1])} of {len(self.items)} cases"

    @property
    def shard(self) -> dict[str, Any] | None:
        """What verdicts.json says of the shard; None where the session runs the whole grid."""
        shard, split = self._settings.shard, self._split
        if shard is None or split is None:
            return None
        return {"number": shard.number, "of": shard.of, "by": split.by, "split": split.fingerprint}

    def _made(self, shard: shards.Shard) -> shards.Split:
        items, earlier = {item.nodeid: subject for item, subject in self.items}, self._settings.shard_by
        try:
            if earlier is None:
                return shards.split(items, shard.of)
            costs = shards.costs(items, _records(earlier))
            return shards.split(items, shard.of, costs, "the images and times of an earlier run")
        except shards.ShardError as error:
            raise pytest.UsageError(f"--seedshift-shard={shard}: {error}") from None
        except (VerdictsError, shards.ForeignRunError) as error:
            raise pytest.UsageError(f"--seedshift-shard-by={earlier}: {error}") from None


def _records(folder: Path) -> list[Record | Search]:
    """What an earlier run says of its cases and searches, as far as it can be read."""
    from pytest_seedshift.results import schema

    document = RunFolder(folder).read_document()
    cases, searches = document["cases"], document.get("breaking")
    return [*schema.readable(schema.Record, cases), *schema.readable(schema.Search, searches)]
