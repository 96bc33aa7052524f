"""Loading weights with diffusers and transformers: quietly, and wholly or not at all."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

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
        OSError: a library filled missing weights with random numbers. Such a model must never be judged.
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
        raise OSError(f"{what} lacks weights: {'; '.join(notes.incomplete)}")


class _Notes(logging.Handler):
    """Keeps what the libraries say of missing weights."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.incomplete: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        message = record.getMessage()
        if _INCOMPLETE in message:
            self.incomplete.append(" ".join(message.split()))
