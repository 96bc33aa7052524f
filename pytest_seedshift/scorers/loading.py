"""Loading weights with the libraries: quietly, wholly or not at all, and without code or anything from elsewhere."""

from __future__ import annotations

import logging
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn

from pytest_seedshift.core.checkpoints import trust
from pytest_seedshift.core.errors import ModelError

if TYPE_CHECKING:
    from pathlib import Path

    import torch

# Both libraries fill what a checkpoint lacks with random numbers and go on. These are their words for it.
_INCOMPLETE = "newly initialized"


@contextmanager
def complete(what: str) -> Iterator[None]:
    """Show no progress bars, no advice, no warnings, and accept no checkpoint of which weights are missing.

    What the libraries warn of, such as a configuration of an older version, the user of a model can do nothing about;
    where warnings are errors, it would keep the model from being loaded.

    Args:
        what: what is being loaded, for the error.

    Raises:
        ModelError: a library filled missing weights with random numbers. Such a model must never be judged.
    """
    from diffusers.utils import logging as diffusers_logging
    from transformers.utils import logging as transformers_logging

    libraries = (diffusers_logging, transformers_logging)
    notes = _Notes()
    loggers = [logging.getLogger(name) for name in ("diffusers", "transformers")]
    before = [library.get_verbosity() for library in libraries]
    for library, logger in zip(libraries, loggers, strict=True):
        library.set_verbosity_warning()
        library.disable_progress_bar()
        library.disable_default_handler()
        logger.addHandler(notes)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for library, logger, verbosity in zip(libraries, loggers, before, strict=True):
            logger.removeHandler(notes)
            library.enable_default_handler()
            library.enable_progress_bar()
            library.set_verbosity(verbosity)
    if notes.incomplete:
        raise ModelError(f"{what} lacks weights: {'; '.join(notes.incomplete)}")


def network(kind: Any, folder: Path, variant: str | None, dtype: torch.dtype) -> Any:
    """A network of transformers from the files of a folder: safetensors alone, and no code that lies with them.

    Args:
        kind: the class that loads it, such as `AutoModel`.
        folder: that `trust` has passed.
        variant: of the files of weights; None for those without one.
        dtype: number type.
    """
    return kind.from_pretrained(
        folder,
        dtype=dtype,
        use_safetensors=True,
        local_files_only=True,
        trust_remote_code=False,
        variant=variant,
    )


def image_processor(folder: Path) -> Any:
    """How the model in a folder prepares pictures, by its own configuration."""
    from transformers import AutoImageProcessor

    return AutoImageProcessor.from_pretrained(
        folder, backend="torchvision", local_files_only=True, trust_remote_code=False
    )


@contextmanager
def sealed(what: str) -> Iterator[None]:
    """Let the libraries load a folder that `trust` has passed, and nothing besides it.

    No code that lies with weights is imported, no pickle is read, nothing is fetched, and nobody is asked whether code
    may be run: should `trust` not have known a way to any of these, it ends here. Not for several threads at once.

    Args:
        what: what is being loaded, for the error.

    Raises:
        UntrustedError: a library was about to.
    """
    import torch
    from huggingface_hub import constants
    from transformers import dynamic_module_utils as of_transformers

    def refuse(problem: str) -> Callable[..., NoReturn]:
        def refused(*_: object, **__: object) -> NoReturn:
            raise trust.UntrustedError(f"{what}: {problem}, which is never done")

        return refused

    no_pickle = refuse("a pickle in it would be read")
    no_code = refuse("code that lies with its weights, or that they name, would be run")
    of_diffusers = sys.modules.get("diffusers.utils.dynamic_modules_utils")  # not without: a scorer needs none of it
    changes: tuple[tuple[Any, str, object], ...] = (
        *(() if of_diffusers is None else ((of_diffusers, "get_class_in_module", no_code),)),
        (torch, "load", no_pickle),
        (torch.hub, "download_url_to_file", refuse("weights would be fetched from elsewhere")),
        (of_transformers, "get_class_in_module", no_code),
        (of_transformers, "TIME_OUT_REMOTE_CODE", 0),  # seconds that an answer is waited for; with none, none is asked
        (constants, "HF_HUB_OFFLINE", True),
    )
    before = [getattr(module, name) for module, name, _ in changes]
    for module, name, value in changes:
        setattr(module, name, value)
    try:
        yield
    finally:
        for (module, name, _), value in zip(changes, before, strict=True):
            setattr(module, name, value)


class _Notes(logging.Handler):
    """Keeps what the libraries say of missing weights."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.incomplete: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        message = record.getMessage()
        if _INCOMPLETE in message:
            self.incomplete.append(" ".join(message.split()))
