"""Work on what is made one by one, done beside the making of the next."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import ParamSpec, TypeVar

import torch

_P = ParamSpec("_P")
_T = TypeVar("_T")
_Made = TypeVar("_Made")


def overlapped(items: Iterable[_Made], work: Callable[[_Made], _T], *, overlap: bool) -> Iterator[_T]:
    """Do some work on each item, in order; with `overlap` in a thread of its own, while the next item is being made.

    What is done already when the next item cannot be made is yielded before that error is raised: nothing is lost.
    """
    if not overlap:
        yield from map(work, items)
        return
    with Background() as background:
        waiting: Future[_T] | None = None
        try:
            for item in items:
                if waiting is not None:
                    before, waiting = waiting, None
                    yield before.result()
                waiting = background.submit(work, item)
        except BaseException:
            if waiting is not None and waiting.exception() is None:
                yield waiting.result()
            raise
        if waiting is not None:
            yield waiting.result()


class Background:
    """Runs one thing after another beside the caller, on CUDA in a stream of its own."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1, "seedshift-beside")
        self._stream = torch.cuda.Stream() if torch.cuda.is_available() else None  # type: ignore[no-untyped-call]

    def __enter__(self) -> Background:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Wait for what is being done."""
        self._pool.shutdown()

    def submit(self, work: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> Future[_T]:
        """Have something done after what was submitted before."""
        if self._stream is not None:
            self._stream.wait_stream(torch.cuda.current_stream())
        return self._pool.submit(lambda: self._run(work, *args, **kwargs))

    def _run(self, work: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        with torch.cuda.stream(self._stream):  # does nothing where there is no stream
            return work(*args, **kwargs)
