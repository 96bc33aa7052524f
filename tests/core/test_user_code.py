"""Whatever the user's code raises is an error of it; what ends the run, or closes a generator of ours, passes."""

from __future__ import annotations

import asyncio
import sys

import pytest

from pytest_seedshift.core import user_code


class Stop(BaseException):
    pass


def raising(error: BaseException):
    def score(*_):
        raise error

    return score


def lazily(error: BaseException):
    def images():
        yield 1
        raise error

    return lambda: list(images())


@pytest.mark.parametrize("how", [raising, lazily])
@pytest.mark.parametrize(
    "error", [GeneratorExit("x"), Stop("x"), SystemExit(3), asyncio.CancelledError("x"), StopIteration("x")], ids=repr
)
def test_whatever_is_raised_is_the_codes_error(error, how):
    with pytest.raises(user_code.TheirError, match="scorer mine raised"), user_code.calling("the scorer mine"):
        how(error)()


def test_a_generator_of_the_users_that_is_closed_by_them_raises_what_they_raise():
    def images():
        try:
            yield 1
        finally:
            raise GeneratorExit("theirs")

    def closes():
        made = images()
        next(made)
        made.throw(ValueError("x"))

    with pytest.raises(user_code.TheirError, match="raised GeneratorExit: theirs"), user_code.calling("a model"):
        closes()


@pytest.mark.parametrize("error", [KeyboardInterrupt("x"), pytest.exit.Exception("x")], ids=["ctrl-c", "exit"])
def test_what_ends_the_run_passes(error):
    with pytest.raises(type(error)), user_code.calling("a model"):
        raising(error)()


def test_a_generator_of_ours_is_closed_in_silence():
    """Python closes it by an exception that must not become another one."""
    source = (
        "from pytest_seedshift.core import user_code as guard\n"
        "def each():\n"
        "    with guard.calling('a model'):\n"
        "        yield 1\n"
        "        yield 2\n"
    )
    space = {"__name__": "pytest_seedshift.something"}
    exec(compile(source, "something.py", "exec"), space)
    made = space["each"]()
    next(made)
    assert made.close() is None
    assert sys.exc_info() == (None, None, None)
