"""Answers to questions about pictures, by an image-text-to-text model of transformers: VQAScore, and questions.

What counts is the distribution of the first token of the answer, after the model's own chat template.
"""

from __future__ import annotations

import inspect
import weakref
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torchvision.transforms.v2.functional import to_pil_image
from transformers import AutoConfig, AutoModelForImageTextToText, AutoProcessor, AutoTokenizer

from pytest_seedshift.core.checkpoints import contents, prompt_length, repository
from pytest_seedshift.core.errors import ModelError
from pytest_seedshift.scorers import loading, pillow_resize, transfers
from pytest_seedshift.scorers.base import check_finite, readable

if TYPE_CHECKING:
    from torch import Tensor

    from pytest_seedshift.core.pairs import Label
    from pytest_seedshift.scorers.declaration import Declared

_WHAT = "an image-text-to-text model of transformers"

_AT_ONCE = 8
"""How many pictures with a question are read at once."""

_loaded: weakref.WeakValueDictionary[tuple[str, str, str], Answers] = weakref.WeakValueDictionary()
"""Those in memory, by source, device and number type: several scores share one."""


class Answers:
    """A model that answers yes or no."""

    def __init__(self, name: str, model: Any, processor: Any) -> None:
        """Wrap a model of transformers, on its device, and the processor that belongs to it.

        Raises:
            ModelError: it has no chat template, or no tokens for the answers.
        """
        self.name = name
        self._model = model
        self._processor = processor
        _check_template(processor, name)
        processor.tokenizer.padding_side = "left"  # so that the answer begins at the last place of each
        self._yes, self._no = (_first_token(processor.tokenizer, answer) for answer in ("Yes", "No"))
        if self._yes == self._no:
            raise ModelError(
                f"{name}: its tokenizer begins Yes and No with the same token, so their answers cannot be distinguished"
            )
        self._room = _room(model.config)
        self._keeps_last = "logits_to_keep" in inspect.signature(model.forward).parameters
        self._last: tuple[weakref.ref[Tensor], tuple[object, ...], Tensor] | None = None

    @torch.inference_mode()
    def probabilities(self, images: Tensor, questions: Sequence[str]) -> Tensor:
        """The probability that the answer to each picture's question begins with "Yes": float32, (batch,).

        Raises:
            ModelError: a question that is longer than what the model reads.
        """
        return self._answered(images, range(len(images)), questions)[:, 0]

    @torch.inference_mode()
    def shares(self, images: Tensor, labels: Sequence[Label], *, every: bool) -> Tensor:
        """Of each picture, the share of its prompt's questions to which "Yes" is likelier than "No": float32, (batch,).

        With `every`, 1 where that is so of all of them, else 0.

        Raises:
            ModelError: a prompt without questions.
        """
        asked = [(place, question) for place, label in enumerate(labels) for question in _questions(label, self.name)]
        key = tuple(asked)
        if self._last is not None and self._last[0]() is images and self._last[1] == key:
            yes = self._last[2]  # the other score of questions has just asked them
        else:
            places, questions = zip(*asked, strict=True)
            found = self._answered(images, places, questions)
            yes = torch.where(found.isnan().any(1), torch.nan, (found[:, 0] > found[:, 1]).float())
            self._last = weakref.ref(images), key, yes
        at = torch.tensor([place for place, _ in asked], device=yes.device)
        total = torch.zeros(len(images), device=yes.device).index_add(0, at, yes)
        count = torch.zeros(len(images), device=yes.device).index_add(0, at, torch.ones_like(yes))
        return torch.where(total.isnan(), total, (total == count).float()) if every else total / count

    def _answered(self, images: Tensor, places: Sequence[int], questions: Sequence[str]) -> Tensor:
        """The probabilities of "Yes" and of "No" as the answer's first token: float32, (questions, 2)."""
        pictures = [to_pil_image(each) for each in pillow_resize.as_bytes(images).cpu()]
        parts = []
        for start in range(0, len(questions), _AT_ONCE):
            some = slice(start, start + _AT_ONCE)
            parts.append(self._ask([pictures[place] for place in places[some]], questions[some], images.device))
        return torch.cat(parts)

    def _ask(self, pictures: Sequence[Any], questions: Sequence[str], device: torch.device) -> Tensor:
        texts = [self._templated(question) for question in questions]
        inputs = self._processor(images=[[each] for each in pictures], text=texts, padding=True, return_tensors="pt")
        length = int(inputs["attention_mask"].sum(1).max())
        if length > self._room:
            longest = max(questions, key=len)
            raise ModelError(_too_long(longest, length, self._room, self.name))
        sent: dict[str, Any] = {}
        for name, each in inputs.items():
            dtype = self._model.dtype if each.is_floating_point() else None
            sent[name] = transfers.send(each, device, dtype)
        if self._keeps_last:
            sent["logits_to_keep"] = 1
        logits: Tensor = self._model(**sent).logits[:, -1].float()
        return logits.softmax(-1)[:, [self._yes, self._no]]

    def _templated(self, question: str) -> str:
        content = [{"type": "image"}, {"type": "text", "text": question}]
        text: str = self._processor.apply_chat_template(
            [{"role": "user", "content": content}], add_generation_prompt=True, tokenize=False
        )
        return text


def load(source: str, device: str, dtype: str) -> Answers:
    """Load from a folder, the cache or the hub, safetensors only; or what of these is in memory.

    Args:
        source: a folder or a hub id.
        device: where it is to work.
        dtype: number type, such as `float32`.

    Raises:
        WeightsNotFoundError: the weights are nowhere.
        ModelError: they cannot be loaded as such a model, are not all there, or not finite.
    """
    key = source, device, dtype
    if (found := _loaded.get(key)) is not None:
        return found
    folder = repository.fetch(source, repository.READER_FILES)
    variant = contents.reader(contents.OnDisk(folder)).variants.get("")
    with readable(source, _WHAT), loading.complete(source), loading.sealed(source):
        model = loading.network(AutoModelForImageTextToText, folder, variant, getattr(torch, dtype))
        processor = AutoProcessor.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    transfers.place(model, device)
    check_finite(model, source)
    made = _loaded[key] = Answers(source, model.eval(), processor)
    return made


def check_prompts(declared: Declared, labels: Sequence[Label]) -> None:
    """Make sure that a model can be asked about all prompts, without loading its weights.

    Raises:
        ModelError: a prompt has no questions, or is longer than what the model reads.
    """
    name = declared.source
    if declared.how == "questions":
        asked = [question for label in labels for question in _questions(label, name)]
    else:
        asked = [declared.question.format(prompt=label.prompt) for label in labels]
    folder = repository.fetch(name, repository.READER_FILES)
    with readable(name, _WHAT), loading.complete(name), loading.sealed(name):
        room = _room(AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False))
        if all(len(each.encode()) <= room for each in asked):
            return
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    for question in asked:
        used = len(tokenizer([question], truncation=False, verbose=False)["input_ids"][0])
        if used > room:
            raise ModelError(_too_long(question, used, room, name))


def _too_long(question: str, used: int, room: int, name: str) -> str:
    return (
        f"the question {prompt_length.shown(question)!r} takes {used} tokens with its picture, more than the "
        f"{room} that {name} reads: it would be judged by a part of it. Shorten the prompt, or "
        "give a model with a longer window"
    )


def _questions(label: Label, name: str) -> tuple[str, ...]:
    if not label.questions:
        raise ModelError(
            f"the prompt {prompt_length.shown(label.prompt)!r} has no questions for {name} to answer. Give it some in "
            "the column questions of its prompt set, or use vqa, which needs none"
        )
    return label.questions


def _check_template(processor: Any, name: str) -> None:
    if getattr(processor, "tokenizer", None) is None or not getattr(processor, "chat_template", None):
        raise ModelError(
            f"{name}: it has no chat template (chat_template.jinja), by which a question is put to it. Take a model "
            "that is made for instructions"
        )


def _first_token(tokenizer: Any, answer: str) -> int:
    return int(tokenizer(answer, add_special_tokens=False)["input_ids"][0])


def _room(config: Any) -> int:
    text = config.get_text_config() if hasattr(config, "get_text_config") else config
    return int(getattr(text, "max_position_embeddings", None) or _UNLIMITED)


_UNLIMITED = 2**31
