"""Whether scorers read prompts to their ends, as far as their files show; no weights are loaded.

A tokenizer is imported only where a prompt may be too long.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pytest_seedshift.core.checkpoints import prompt_length
from pytest_seedshift.scorers import clip_sources

if TYPE_CHECKING:
    from pytest_seedshift.core.pairs import Label
    from pytest_seedshift.scorers.declaration import Declared


def of_clip(source: str, labels: Sequence[Label]) -> None:
    """Make sure that the model of a CLIP score reads all prompts.

    Raises:
        ModelError: it does not; the message names the prompt and has its tokens.
    """
    found = clip_sources.find(source)
    folder = found.fetch()
    if found.of_transformers:
        from pytest_seedshift.scorers import dual_encoder  # transformers

        dual_encoder.check_prompts(folder, source, labels)
    elif prompt_length.may_be_longer(labels, prompt_length.clip_room(folder)):
        from pytest_seedshift.scorers import clip  # open_clip

        clip.check_prompts(folder, source, labels)


def of_declared(declared: Declared, labels: Sequence[Label]) -> None:
    """Make sure that a declared scorer can score all prompts.

    Raises:
        ModelError: it cannot; the message names the prompt.
    """
    if declared.how == "clip":
        of_clip(declared.source, labels)
        return
    from pytest_seedshift.scorers import vqa  # transformers

    vqa.check_prompts(declared, labels)
