"""Prompts are encoded once, and to the bits that the pipeline itself would give; else as it does it."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from pytest_seedshift.models import prompt_cache

PIZZA, SNAIL, VIOLIN = "A photo of a pizza", "A photo of a snail", "A photo of a violin"


class Encoder:
    """Encodes as the families do: rows, a list, what has no batch, nothing. Counts what it is asked."""

    def __init__(self) -> None:
        self.calls: list[list[str]] = []

    def row(self, text: str, length: int) -> Tensor:
        return torch.randn(length, 4, generator=torch.Generator().manual_seed(sum(text.encode())))

    def encode_prompt(
        self, prompt: Any, guided: bool = False, extra: Any = None, negative_prompt: Any = None
    ) -> tuple[Any, ...]:
        self.calls.append(list(prompt))
        rows = torch.stack([self.row(text, 8) for text in prompt])
        ragged = [self.row(text, len(text)) for text in prompt]
        prompt[:] = ["spoilt"] * len(prompt)
        return rows, ragged, torch.zeros(8, 3), rows + 1 if guided else None


class Padded(Encoder):
    """Pads to the longest prompt of the batch."""

    def encode_prompt(self, prompt: Any) -> Tensor:
        self.calls.append(list(prompt))
        return torch.stack([self.row(text, max(map(len, prompt))) for text in prompt])


class Inexact(Encoder):
    """Gives other last bits in a batch of another size."""

    def encode_prompt(self, prompt: Any) -> Tensor:
        self.calls.append(list(prompt))
        return torch.stack([self.row(text, 8) for text in prompt]) * (1 + len(prompt) * 1e-6)


def equal(one: Any, other: Any) -> bool:
    if isinstance(one, (tuple, list)):
        return len(one) == len(other) and all(map(equal, one, other))
    return torch.equal(one, other) if isinstance(one, Tensor) else one is other


def remembered(kind: type[Encoder]) -> Encoder:
    pipeline = kind()
    prompt_cache.remember(pipeline)
    return pipeline


@pytest.mark.parametrize("guided", [False, True])
def test_what_is_remembered_is_what_the_pipeline_encodes(guided):
    pipeline = remembered(Encoder)
    for texts in ([PIZZA], [PIZZA, SNAIL], [SNAIL, VIOLIN], [SNAIL, SNAIL], [PIZZA, SNAIL, VIOLIN], [VIOLIN, PIZZA]):
        assert equal(pipeline.encode_prompt(list(texts), guided), Encoder().encode_prompt(list(texts), guided))


@pytest.mark.parametrize("kind", [Padded, Inexact])
def test_where_single_prompts_give_other_bits_the_pipeline_encodes_as_ever(kind):
    pipeline = remembered(kind)
    for texts in ([PIZZA, SNAIL], [PIZZA, VIOLIN], [SNAIL, VIOLIN], [PIZZA, SNAIL], [PIZZA]):
        assert equal(pipeline.encode_prompt(list(texts)), kind().encode_prompt(list(texts)))


def test_where_they_do_for_sure_single_prompts_are_tried_no_more():
    pipeline = remembered(Inexact)
    pipeline.encode_prompt([PIZZA, SNAIL])
    pipeline.calls.clear()
    pipeline.encode_prompt([PIZZA, VIOLIN, SNAIL])
    assert pipeline.calls == [[PIZZA, VIOLIN, SNAIL]]


def test_after_the_first_batch_of_a_size_each_text_is_encoded_once():
    pipeline = remembered(Encoder)
    pipeline.encode_prompt([PIZZA, SNAIL, PIZZA])
    assert pipeline.calls == [[PIZZA], [SNAIL], [PIZZA, SNAIL, PIZZA]]
    pipeline.calls.clear()
    pipeline.encode_prompt([SNAIL, PIZZA, VIOLIN])
    pipeline.encode_prompt([VIOLIN, VIOLIN, PIZZA])
    assert pipeline.calls == [[VIOLIN]]


def test_unlike_calls_are_remembered_apart():
    pipeline = remembered(Encoder)
    pipeline.encode_prompt([PIZZA])
    plain = len(pipeline.calls)
    pipeline.encode_prompt([PIZZA], guided=True)
    pipeline.encode_prompt([PIZZA], extra=["Say more"])
    assert len(pipeline.calls) == 3 * plain
    pipeline.encode_prompt([PIZZA], True)
    assert len(pipeline.calls) == 3 * plain


@pytest.mark.parametrize("more", [{"extra": torch.zeros(1)}, {"negative_prompt": ["none", "none"]}])
def test_calls_that_are_not_plain_go_through(more):
    pipeline = remembered(Encoder)
    for _ in range(2):
        pipeline.encode_prompt([PIZZA, SNAIL], **more)
    assert pipeline.calls == [[PIZZA, SNAIL]] * 2


def test_what_is_remembered_is_not_spoilt_by_who_was_given_it():
    pipeline = remembered(Encoder)
    for texts in ([PIZZA], [PIZZA, SNAIL]):
        for _ in range(2):
            pipeline.encode_prompt(list(texts))[0].zero_()
        assert equal(pipeline.encode_prompt(list(texts)), Encoder().encode_prompt(list(texts)))


def test_the_parts_of_a_combined_pipeline_remember_too():
    class Combined:
        prior_pipe = Encoder()

    prompt_cache.remember(Combined)
    prompt_cache.remember(Combined)  # once is enough
    for _ in range(3):
        Combined.prior_pipe.encode_prompt([PIZZA, SNAIL])
    assert len(Combined.prior_pipe.calls) == 3
