"""Prompts are encoded once, and to the bits that the pipeline itself would give; else as it does it."""

from __future__ import annotations

import gc
import weakref
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
        if isinstance(prompt, list):
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


class Half(Encoder):
    """Rounds otherwise in a batch of another size, in half precision; or mixes the prompts of a batch."""

    mixes = False

    def encode_prompt(self, prompt: Any) -> Tensor:
        self.calls.append(list(prompt))
        rows = [self.row(text, 8) for text in prompt]
        return torch.stack(rows[::-1] if self.mixes else rows).half() * (1 + len(prompt) * 1e-3)


class Guided(Encoder):
    """Encodes what is to be avoided with each prompt, if it is asked for guidance; by halves or apart from it."""

    halves = False
    mindful = False

    def encode_prompt(
        self, prompt: Any, do_classifier_free_guidance: bool = True, negative_prompt: Any = None, batch_size: int = 0
    ) -> Any:
        self.calls.append(list(prompt))
        rows = torch.stack([self.row(text, 8) for text in prompt])
        if not do_classifier_free_guidance:
            return rows if self.halves else (rows, None)
        avoided = negative_prompt or [""] * len(prompt)
        self.calls.append(avoided)
        others = torch.stack([self.row(text, 8) for text in avoided])
        if self.mindful:
            others = others + rows
        return torch.cat([others, rows]) if self.halves else (rows, others)


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


@pytest.mark.parametrize("more", [{"extra": torch.zeros(1)}, {"negative_prompt": ["none", "other"]}])
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


def test_a_batch_that_single_prompts_do_not_give_is_encoded_once():
    pipeline = remembered(Inexact)
    for _ in range(3):
        for texts in ([PIZZA, SNAIL], [SNAIL, VIOLIN], [SNAIL, SNAIL]):
            assert equal(pipeline.encode_prompt(list(texts)), Inexact().encode_prompt(list(texts)))
    assert [call for call in pipeline.calls if len(call) > 1] == [[PIZZA, SNAIL], [SNAIL, VIOLIN], [SNAIL, SNAIL]]


def test_in_half_precision_rounding_apart_single_prompts_are_what_is_used():
    pipeline = remembered(Half)
    for texts in ([PIZZA, SNAIL], [VIOLIN, PIZZA]):
        alone = torch.cat([Half().encode_prompt([text]) for text in texts])
        assert not equal(alone, Half().encode_prompt(list(texts)))
        assert equal(pipeline.encode_prompt(list(texts)), alone)
    assert [call for call in pipeline.calls if len(call) > 1] == [[PIZZA, SNAIL]]


def test_what_is_more_than_rounding_is_encoded_as_ever_in_half_precision_too():
    kind = type("Mixing", (Half,), {"mixes": True})
    pipeline = remembered(kind)
    for _ in range(2):
        assert equal(pipeline.encode_prompt([PIZZA, SNAIL]), kind().encode_prompt([PIZZA, SNAIL]))


@pytest.mark.parametrize("halves", [False, True])
@pytest.mark.parametrize("mindful", [False, True])
@pytest.mark.parametrize("avoided", [None, "ugly"])
def test_guidance_is_encoded_as_the_pipeline_does(halves, mindful, avoided):
    kind = type("Kind", (Guided,), {"halves": halves, "mindful": mindful})
    pipeline = remembered(kind)
    for texts in ([PIZZA, SNAIL], [VIOLIN, SNAIL], [VIOLIN, "A photo of a cat"], [PIZZA], [PIZZA, VIOLIN, SNAIL]):
        more = {"negative_prompt": None if avoided is None else [avoided] * len(texts), "batch_size": len(texts)}
        assert equal(pipeline.encode_prompt(list(texts), **more), kind().encode_prompt(list(texts), **more))


def test_what_is_to_be_avoided_is_not_encoded_anew_for_each_prompt():
    pipeline = remembered(Guided)
    pipeline.encode_prompt([PIZZA, SNAIL])
    pipeline.calls.clear()
    pipeline.encode_prompt([VIOLIN, "A photo of a cat"])
    assert pipeline.calls == [[VIOLIN], ["A photo of a cat"]]


def test_one_text_is_encoded_once_too():
    pipeline = remembered(Encoder)
    for _ in range(2):
        assert equal(pipeline.encode_prompt(PIZZA)[0], Encoder().encode_prompt(PIZZA)[0])
    assert len(pipeline.calls) == 1


def test_what_is_forgotten_is_encoded_again_and_what_another_pipeline_remembers_is_not():
    first, second = remembered(Guided), remembered(Guided)
    for pipeline in (first, second):
        pipeline.encode_prompt([PIZZA, SNAIL])
    prompt_cache.forget(first)
    for pipeline in (first, second):
        pipeline.calls.clear()
        assert equal(pipeline.encode_prompt([SNAIL, PIZZA]), Guided().encode_prompt([SNAIL, PIZZA]))
    assert first.calls
    assert not second.calls


def test_the_parts_of_a_combined_pipeline_forget_too_and_share_one_room(monkeypatch):
    class Combined:
        prior_pipe, decoder_pipe = Half(), Half()

    monkeypatch.setattr(prompt_cache, "_ROOM", Half().encode_prompt([PIZZA]).nbytes)
    prompt_cache.remember(Combined)
    Combined.prior_pipe.encode_prompt([PIZZA])
    prompt_cache.forget(Combined)
    Combined.prior_pipe.encode_prompt([PIZZA])
    assert len(Combined.prior_pipe.calls) == 2
    Combined.decoder_pipe.encode_prompt([PIZZA])  # for which the prior's has to make room
    Combined.prior_pipe.encode_prompt([PIZZA])
    assert len(Combined.prior_pipe.calls) == 3


def test_what_was_remembered_goes_with_its_pipeline():
    pipeline = remembered(Encoder)
    pipeline.encode_prompt([PIZZA, SNAIL])
    memory = weakref.ref(pipeline.encode_prompt._memory)
    assert memory() is not None
    del pipeline
    gc.collect()
    assert memory() is None


def test_no_more_is_remembered_than_there_is_room_for(monkeypatch):
    monkeypatch.setattr(prompt_cache, "_ROOM", 3 * Half().encode_prompt([PIZZA]).nbytes)
    pipeline = remembered(Half)
    for text in (PIZZA, SNAIL, VIOLIN, PIZZA, "A photo of a cat", PIZZA, SNAIL):
        pipeline.encode_prompt([text])
    assert pipeline.calls == [[PIZZA], [SNAIL], [VIOLIN], ["A photo of a cat"], [SNAIL]]
