"""Prompts are encoded once for each text: a design has many images of few prompts."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from diffusers import DiffusionPipeline
    from torch import Tensor

_Encoded = tuple["Tensor | None", ...]


def remember(pipeline: DiffusionPipeline) -> None:
    """Let a pipeline remember what its `encode_prompt` made of each prompt.

    Each prompt is encoded by itself, so that its embedding does not depend on the batch. Only the plain call is
    remembered, with a list of prompts and no tensors; every other call goes through as it is.
    """
    encode: Callable[..., _Encoded] = pipeline.encode_prompt
    known: dict[Any, _Encoded] = {}

    def encode_prompt(prompt: Any, *args: Any, **kwargs: Any) -> _Encoded:
        others = (*args, *kwargs.values())
        if not isinstance(prompt, list) or not prompt or any(isinstance(each, (torch.Tensor, list)) for each in others):
            return encode(prompt, *args, **kwargs)
        rows = []
        for text in prompt:
            key = (text, *map(str, args), *((name, str(value)) for name, value in sorted(kwargs.items())))
            if key not in known:
                known[key] = encode([text], *args, **kwargs)
            rows.append(known[key])
        return tuple(
            None if column[0] is None else torch.cat([each for each in column if each is not None])
            for column in zip(*rows, strict=True)
        )

    pipeline.encode_prompt = encode_prompt
