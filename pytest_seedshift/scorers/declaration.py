"""What a scorer is that is named and not written, by a table `[scorers.NAME]` or by a short name that is known.

Collecting tests reads these: nothing here imports a library before a scorer is looked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Literal, TypeAlias

from pytest_seedshift.core.score_kinds import ScoreKind

How: TypeAlias = Literal["clip", "vqa", "questions"]

HOWS: tuple[How, ...] = ("clip", "vqa", "questions")

QUESTION = "Does this figure show '{prompt}'? Please answer yes or no."
"""What `vqa` asks (Lin et al. 2024, arXiv 2404.01291)."""

_TITLES = {"clip": "{} (100·cos)", "vqa": "VQA", "questions": "questions answered yes"}
_OF_ALL = "all questions answered yes"


@dataclass(frozen=True, slots=True)
class Declared:
    """A scorer of one score.

    Attributes:
        name: of the score.
        how: what is computed: `clip` (100·cos of image and prompt by a dual encoder), `vqa` (the probability of "Yes"
            to a question about the prompt), or `questions` (the share of the prompt's own questions answered yes).
        source: of the weights: a folder, a hub id, or a tag of open_clip.
        title: for people; empty for the usual one.
        low: the smallest value; of `clip` alone it is another than 0.
        high: the largest value.
        question: that `vqa` asks, with `{prompt}` in it.
        every: of `questions`, whether the score is 1 where all are answered yes, else 0.
        dtype: the number type of a model that answers.
    """

    name: str
    how: How
    source: str
    title: str = ""
    low: float = 0.0
    high: float = 1.0
    question: str = QUESTION
    every: bool = False
    dtype: str = "float32"

    @property
    def kind(self) -> ScoreKind:
        """What the score is."""
        title = self.title or (_OF_ALL if self.every else _TITLES[self.how].format(self.name))
        return ScoreKind(title, self.high, binary=self.every, low=self.low)

    # Its weights, which are not loaded -----------------------------------------------------------------------------

    def probe(self) -> None:
        """Make sure that the weights can be had; see `repository.probe`."""
        from pytest_seedshift.core.checkpoints import repository
        from pytest_seedshift.scorers import clip_sources

        if self.how == "clip":
            clip_sources.find(self.source).probe()
        else:
            repository.probe(self.source, "config.json", reads=True)

    def is_here(self) -> bool:
        """Whether the weights are on this machine; nobody is asked."""
        from pytest_seedshift.core.checkpoints import repository
        from pytest_seedshift.scorers import clip_sources

        if self.how == "clip":
            return clip_sources.is_here(self.source)
        return repository.is_here(self.source, "config.json", reads=True)

    def fetch(self) -> Path:
        """Bring the weights here; see `repository.fetch`."""
        from pytest_seedshift.core.checkpoints import repository
        from pytest_seedshift.scorers import clip_sources

        if self.how == "clip":
            return clip_sources.find(self.source).fetch()
        return repository.fetch(self.source, repository.READER_FILES)

    def listed(self) -> list[tuple[str, Path]]:
        """The files that it is loaded from, by their names."""
        from pytest_seedshift.core.checkpoints import hashing
        from pytest_seedshift.scorers import clip_sources

        if self.how == "clip":
            return clip_sources.find(self.source).listed()
        folder = self.fetch()
        return hashing.listed(folder, also=clip_sources.texts(folder))


_CLIP_HIGH = 50.0
"""Of 100·cos, as of `clip`: real images and prompts stay below."""

SHORT: Mapping[str, Declared] = MappingProxyType(
    {
        each.name: each
        for each in (
            Declared("vqa", "vqa", "Qwen/Qwen2.5-VL-7B-Instruct"),
            Declared("questions", "questions", "Qwen/Qwen2.5-VL-7B-Instruct"),
            Declared("all_questions", "questions", "Qwen/Qwen2.5-VL-7B-Instruct", every=True),
            Declared("pickscore", "clip", "yuvalkirstain/PickScore_v1", "PickScore", high=_CLIP_HIGH),
            Declared("siglip2", "clip", "google/siglip2-so400m-patch14-384", "SigLIP 2", high=_CLIP_HIGH),
            Declared(
                "metaclip2", "clip", "facebook/metaclip-2-worldwide-huge-quickgelu", "MetaCLIP 2", high=_CLIP_HIGH
            ),
        )
    }
)
"""The scorers that are known by their names alone; a table of the same name changes one."""


def usual(name: str, how: How, source: str) -> Declared:
    """A scorer with the usual range of what it computes."""
    return Declared(name, how, source, high=_CLIP_HIGH if how == "clip" else 1.0)


def changed(declared: Declared, **changes: object) -> Declared:
    """A scorer with what a table changes of it."""
    return replace(declared, **changes)  # type: ignore[arg-type]
