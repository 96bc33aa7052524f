"""Prompts are encoded once for each text: a design has many images of few prompts."""

from __future__ import annotations

import inspect
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

import torch

from pytest_seedshift.models import prompt_joins

if TYPE_CHECKING:
    from diffusers import DiffusionPipeline

_Columns: TypeAlias = "list[Any]"
"""What a call gave, one entry a thing that it returns."""

_ROOM = 2**29
"""Bytes of embeddings that are remembered at most; of a large T5 a prompt takes 4 MiB."""

_METHODS = ("encode_prompt", "_encode_prompt", "_encode_prior_prompt")
"""By which pipelines encode prompts; of the first two what has the first is encoded by it."""

_GUIDED = "do_classifier_free_guidance"


def remember(pipeline: DiffusionPipeline) -> None:
    """Let a pipeline, and those that it is made of, remember what they made of each prompt.

    Pipelines differ in what they return (a row a prompt, a list of embeddings, something of no batch at all) and in
    what a prompt's embedding owes to the others in its batch (padding to the longest; the last bits of a matrix
    product, which are another algorithm's at another size). So nothing is taken for granted: the first time that so
    many prompts are encoded in one call, the pipeline does it in its own way, and only where single prompts give the
    same bits is it spared that from then on. In half precision, where no batch gives the bits of another, the same but
    for rounding will do, and then single prompts it is, always: what was seen of one count of prompts holds for all. A
    pipeline where they give something else encodes each batch in its own way, once.

    What is remembered is the pipeline's own, and goes with it, or before it by `forget`.
    """
    memory = _Memory()
    for part in _parts(pipeline):
        methods = [each for each in _METHODS if callable(getattr(part, each, None))]
        if methods[:2] == list(_METHODS[:2]):
            methods.pop(1)  # an older name of the same
        for method in methods:
            encode = getattr(part, method)
            if not isinstance(encode, _Remembered):
                vars(part)[method] = _Remembered(encode, memory)


def forget(pipeline: DiffusionPipeline) -> None:
    """Give back the memory of what a pipeline has encoded; what it encodes from now on is remembered again."""
    for part in _parts(pipeline):
        for encode in [each for each in vars(part).values() if isinstance(each, _Remembered)]:
            encode.forget()


def _parts(pipeline: DiffusionPipeline) -> list[Any]:
    """A pipeline and those that it is made of."""
    parts = (getattr(pipeline, name, None) for name in ("prior_pipe", "decoder_pipe"))
    return [pipeline, *(part for part in parts if part is not None)]


class _Memory:
    """What was encoded, by what; beyond its room what was asked for least lately is forgotten."""

    def __init__(self) -> None:
        self._known: OrderedDict[Any, _Columns] = OrderedDict()
        self._size = 0

    def get(self, key: Any) -> _Columns | None:
        if key in self._known:
            self._known.move_to_end(key)
        return self._known.get(key)

    def put(self, key: Any, columns: _Columns) -> _Columns:
        self._known[key] = columns
        self._size += _bytes(columns)
        while self._size > _ROOM and len(self._known) > 1:
            self._size -= _bytes(self._known.popitem(last=False)[1])
        return columns

    def clear(self) -> None:
        self._known.clear()
        self._size = 0


@dataclass
class _Learned:
    """What is known of how a pipeline encodes, by the other arguments of the call (a key)."""

    many: bool = False
    """Whether it returns several things."""
    joins: dict[Any, list[prompt_joins.Join]] = field(default_factory=dict)
    """By key, count of prompts (0 for any) and shapes: how single prompts are put together, for each thing."""
    unequal: set[Any] = field(default_factory=set)
    """Keys with which single prompts give something else than a batch."""
    constant: dict[Any, dict[int, Any]] = field(default_factory=dict)
    """By key and place, what does not depend on the prompt."""
    unguided: dict[Any, _Columns | None] = field(default_factory=dict)
    """By key, what a guided call gives for every prompt, None at the other places; without it a prompt needs half the
    work. None where that is not so."""
    guided_shapes: dict[Any, tuple[Any, ...]] = field(default_factory=dict)
    """By key, the shapes of all that such a call gives for a prompt of which that is known."""


class _Remembered:
    """A pipeline's way to encode prompts, with a memory."""

    def __init__(self, encode: Callable[..., Any], memory: _Memory) -> None:
        self._encode = encode
        self._signature = inspect.signature(encode)
        self._memory = memory
        self._about = _Learned()

    def forget(self) -> None:
        """See `forget`."""
        self._memory.clear()
        self._about = _Learned()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Encode as the pipeline does, prompts that are known from memory.

        Only the plain call is remembered: prompts, and nothing else that belongs to single ones but the same text for
        each.
        """
        bound = self._signature.bind(*args, **kwargs).arguments
        prompts = bound.get("prompt")
        if not prompts or not isinstance(prompts, (str, list)) or not _is_plain(bound, prompts):
            return self._encode(*args, **kwargs)
        call = _Call(self._encode, self._signature, args, kwargs, len(prompts) if isinstance(prompts, list) else 0)
        if isinstance(prompts, str) or (len(prompts) > 1 and call.key in self._about.unequal):
            return self._as_it_does(call, prompts)
        rows = self._rows(call, prompts)
        if len(prompts) == 1:
            return self._returned([_copy(each) for each in rows[0]])
        shapes = _shapes(rows[0])
        if any(_shapes(row) != shapes for row in rows):  # padded to the longest
            return self._as_it_does(call, prompts)
        size = call.key, 0 if prompt_joins.is_half(rows[0]) else len(prompts), shapes
        if size not in self._about.joins:
            if len(set(prompts)) < 2:  # of one text it cannot be seen whose row is where
                return self._as_it_does(call, prompts)
            whole = self._columns(call(prompts))
            joins, exact = prompt_joins.find(rows, whole)
            if joins is None:
                self._about.unequal.add(call.key)
                self._memory.put(self._whole(call, prompts), [_copy(each) for each in whole])
                return self._returned(whole)
            self._about.joins[size] = joins
            self._learn_constants(call, rows, joins)
            if exact:
                return self._returned(whole)
        joins = self._about.joins[size]
        columns = [join(each) for join, each in zip(joins, zip(*rows, strict=True), strict=True)]
        if any(column is prompt_joins.NOTHING for column in columns):
            return self._as_it_does(call, prompts)
        return self._returned(columns)

    def _as_it_does(self, call: _Call, prompts: str | list[str]) -> Any:
        """The whole batch as the pipeline encodes it; the same batch once."""
        key = self._whole(call, prompts)
        found = self._memory.get(key)
        if found is None:
            found = self._memory.put(key, self._columns(call(prompts)))
        return self._returned([_copy(each) for each in found])

    def _whole(self, call: _Call, prompts: str | list[str]) -> Any:
        return id(self), tuple(prompts) if isinstance(prompts, list) else (prompts, None), call.key

    def _rows(self, call: _Call, prompts: Sequence[str]) -> list[_Columns]:
        """What each prompt alone gives; what does not depend on the prompt is one and the same thing for all."""
        found = {text: self._memory.get((id(self), text, call.key)) for text in prompts}
        rows = {text: row for text, row in found.items() if row is not None}
        new = [text for text in found if text not in rows]
        for text in new:
            rows[text] = self._alone(call, text, rows)
        self._make_one(call, [rows[text] for text in new])
        for text in new:
            self._memory.put((id(self), text, call.key), rows[text])
        return [rows[text] for text in prompts]

    def _alone(self, call: _Call, text: str, others: dict[str, _Columns]) -> _Columns:
        """One prompt; without what a guided call gives for all of them, where that is known."""
        known = self._about.unguided.get(call.key)
        if known is not None:
            columns = self._columns(call([text], {_GUIDED: False}))
            filled = [each if each is not None else column for each, column in zip(known, columns, strict=True)]
            if _shapes(filled) == self._about.guided_shapes[call.key]:
                return filled
        columns = self._columns(call([text]))
        if call.guided and call.key not in self._about.unguided:
            other = next((row for row in others.values() if _shapes(row) == _shapes(columns)), None)
            if other is not None:
                self._learn_unguided(call, text, columns, other)
        return columns

    def _learn_unguided(self, call: _Call, text: str, columns: _Columns, other: _Columns) -> None:
        """Whether what a guided call gives besides is the same for two prompts, and the rest the same without it."""
        without = self._columns(call([text], {_GUIDED: False}))
        found: _Columns | None = None
        if len(without) == len(columns):
            lacking = [each is None or (isinstance(each, list) and not each) for each in without]
            same = all(
                prompt_joins.equal(one, two if lacks else less)
                for one, two, less, lacks in zip(columns, other, without, lacking, strict=True)
            )
            if same and any(lacking):
                found = [one if lacks else None for one, lacks in zip(columns, lacking, strict=True)]
        self._about.unguided[call.key] = found
        self._about.guided_shapes[call.key] = _shapes(columns)

    def _learn_constants(self, call: _Call, rows: Sequence[_Columns], joins: Sequence[prompt_joins.Join]) -> None:
        constant = {place: rows[0][place] for place, join in enumerate(joins) if join is prompt_joins.first}
        self._about.constant[call.key] = constant | self._about.constant.get(call.key, {})
        for row in rows:
            for place, value in constant.items():
                row[place] = value

    def _make_one(self, call: _Call, rows: Sequence[_Columns]) -> None:
        """Where rows have what all prompts have, let it be the very same thing; a GPU is waited for once."""
        constant = self._about.constant.get(call.key, {})
        places = [
            (row, place, value)
            for row in rows
            for place, value in constant.items()
            if row[place] is not value and prompt_joins.alike(row[place], value)
        ]
        if places:
            same = torch.stack([(row[place] == value).all() for row, place, value in places]).tolist()
            for (row, place, value), is_same in zip(places, same, strict=True):
                if is_same:
                    row[place] = value

    def _columns(self, encoded: Any) -> _Columns:
        self._about.many = isinstance(encoded, tuple)
        return list(encoded) if isinstance(encoded, tuple) else [encoded]

    def _returned(self, columns: _Columns) -> Any:
        return tuple(columns) if self._about.many else columns[0]


class _Call:
    """A call of a pipeline's method, to be made for other prompts than those that it was asked for."""

    def __init__(
        self, encode: Callable[..., Any], signature: inspect.Signature, args: Any, kwargs: Any, count: int
    ) -> None:
        self._encode, self._signature, self._args, self._kwargs, self._count = encode, signature, args, kwargs, count
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        self.guided = bound.arguments.get(_GUIDED) is True
        others = {name: value for name, value in bound.arguments.items() if name != "prompt"}
        self.key = tuple((name, str(self._of(1, name, value))) for name, value in others.items())

    def __call__(self, prompts: str | list[str], changes: dict[str, Any] | None = None) -> Any:
        bound = self._signature.bind(*self._args, **self._kwargs)
        if isinstance(prompts, list):
            for name, value in list(bound.arguments.items()):
                bound.arguments[name] = self._of(len(prompts), name, value)
        bound.arguments["prompt"] = list(prompts) if isinstance(prompts, list) else prompts  # some write into the list
        bound.arguments.update(changes or {})
        return self._encode(*bound.args, **bound.kwargs)

    def _of(self, count: int, name: str, value: Any) -> Any:
        """An argument for so many prompts."""
        if self._count and name == "batch_size":
            return count
        return value[:1] * count if self._count and _is_each(name, value) else value


def _is_plain(arguments: dict[str, Any], prompts: str | list[str]) -> bool:
    """Whether no argument besides `prompt` belongs to single prompts of the batch."""
    count = len(prompts) if isinstance(prompts, list) else 1
    return not any(
        isinstance(value, torch.Tensor)
        or (_is_each(name, value) and (len(value) != count or any(each != value[0] for each in value)))
        or (name == "batch_size" and value != count)
        for name, value in arguments.items()
        if name != "prompt"
    )


def _is_each(name: str, value: Any) -> bool:
    """Whether an argument has a text for each prompt."""
    return isinstance(value, list) and bool(value) and "prompt" in name


def _copy(value: Any) -> Any:
    """A thing that may be written into; what is remembered may not."""
    if isinstance(value, torch.Tensor):
        return value.clone()
    return [_copy(each) for each in value] if isinstance(value, list) else value


def _bytes(columns: Iterable[Any]) -> int:
    return sum(
        each.nbytes if isinstance(each, torch.Tensor) else _bytes(each) if isinstance(each, list) else 0
        for each in columns
    )


def _shapes(row: Sequence[Any]) -> tuple[Any, ...]:
    """The shapes of what a prompt gave; of lists, which are as long as they are, only that they are lists."""
    return tuple(getattr(each, "shape", type(each)) for each in row)
