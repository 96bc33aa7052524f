"""Prompts are encoded once: the shipped toy's pipeline, and what it says of its own encoder."""

from __future__ import annotations

import pytest
import torch
from diffusers import DiffusionPipeline

from pytest_seedshift.models import catalogue, prompts

WORDS = ["A photo of a pizza", "A photo of a snail", "A photo of a pizza"]


@pytest.fixture
def pipeline():
    source = catalogue.find("toy-latent").source
    pipeline = DiffusionPipeline.from_pretrained(source, dtype=torch.float32, low_cpu_mem_usage=False)
    calls = []
    encode = pipeline.encode_prompt

    def counted(prompt, *args, **kwargs):
        calls.append(prompt)
        return encode(prompt, *args, **kwargs)

    pipeline.encode_prompt = counted
    pipeline.plain, pipeline.calls = encode, calls
    prompts.remember(pipeline)
    return pipeline


@pytest.mark.parametrize("guided", [False, True])
def test_what_is_remembered_is_what_the_pipeline_encodes(pipeline, guided):
    for _ in range(2):
        found, expected = (encode(WORDS, "cpu", 1, guided) for encode in (pipeline.encode_prompt, pipeline.plain))
        for ours, theirs in zip(found, expected, strict=True):
            assert (ours is None) == (theirs is None)
            if ours is not None:
                torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-5)


def test_each_text_is_encoded_once(pipeline):
    pipeline.encode_prompt(WORDS, "cpu", 1, False)
    pipeline.encode_prompt(WORDS[::-1], "cpu", 1, False)
    assert pipeline.calls == [WORDS[:1], WORDS[1:2]]


def test_unlike_calls_are_remembered_apart(pipeline):
    pipeline.encode_prompt(WORDS[:1], "cpu", 1, False)
    pipeline.encode_prompt(WORDS[:1], "cpu", 1, True)
    pipeline.encode_prompt(WORDS[:1], "cpu", 2, True)
    assert len(pipeline.calls) == 3


def test_calls_that_are_not_plain_go_through(pipeline):
    (embedded, _) = pipeline.encode_prompt("A photo of a pizza", "cpu", 1, False)
    pipeline.encode_prompt("A photo of a pizza", "cpu", 1, False)
    pipeline.encode_prompt(None, "cpu", 1, False, prompt_embeds=embedded)
    pipeline.encode_prompt(WORDS, "cpu", 1, True, negative_prompt=["a", "b", "c"])
    assert len(pipeline.calls) == 4


def test_an_embedding_does_not_depend_on_what_stands_beside_it(pipeline):
    alone, _ = pipeline.encode_prompt(WORDS[:1], "cpu", 1, False)
    beside, _ = pipeline.encode_prompt([WORDS[1], WORDS[0]], "cpu", 1, False)
    assert torch.equal(beside[1], alone[0])
