"""What goes wrong, by whose it is: one class for all, four below it, and every other error of the package below these.

Code of the package catches these by name, and never the classes of Python and of libraries around more than one call of
theirs: a `ValueError` of a library is not the user's mistake. Each message says what is wrong, where, and what to do.

At the borders each becomes what the user sees: in `plugin.border` for pytest, in `cli.main` for commands. What is
raised while a case is judged becomes the case's own error in `core.cases.judging`.
"""

from __future__ import annotations


class SeedshiftError(Exception):
    """Anything of this package that went wrong; the message is for the user, and needs no traceback.

    Whatever the user's own code raises becomes one of these too, with its file and line.
    """


class SeedshiftUsageError(SeedshiftError):
    """What the user gave is wrong: an option, an argument, a marker, a key of a file, a hook's answer."""


class InvalidValueError(SeedshiftUsageError, ValueError):
    """An argument that a function does not take.

    A `ValueError` too, as Python's and diffusers' callers expect of a function, and pydantic of a validator.
    """


class DataError(SeedshiftError):
    """A file, a run folder, a store or a baseline cannot be used as it is."""


class ModelError(SeedshiftError):
    """A model or a scorer cannot be found, loaded or run, or does not keep its contract.

    Models and scorers of the user's own may raise it as well: it becomes the error of the case.
    """


class HarnessError(SeedshiftError):
    """The fault lies with the machine or with this package: a lock, a disk, a worker."""
