"""All that is printed goes through one module, and what cannot be printed is told by the status."""

from __future__ import annotations

import ast
import errno
import io
import os
import pickle
import sys
from pathlib import Path

import pytest
from hypothesis import given

import pytest_seedshift
from helpers.strange_text import HOSTILE, starts_a_command, unseen
from pytest_seedshift.core import output
from pytest_seedshift.plugin import terminal_output

PACKAGE = Path(pytest_seedshift.__file__).parent
REPORTERS = ("write_line", "write_sep")
PRINTING = {"core/output.py", "plugin/terminal_output.py", "runner/cluster/broker.py"}
"""The only modules that may; what the last one prints goes into the log of its process."""


def printing(source: str) -> list[int]:
    """The lines of a module that print, or write to a standard stream or to pytest's reporter."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print":
            found.append(node.lineno)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            owner = ast.unparse(node.func.value)
            by_reporter = node.func.attr in ("write", "section") and owner.endswith(("reporter", "stdout", "stderr"))
            if node.func.attr in REPORTERS or by_reporter:
                found.append(node.lineno)
    return found


def test_nothing_else_prints():
    modules = [path for path in PACKAGE.rglob("*.py") if path.relative_to(PACKAGE).as_posix() not in PRINTING]
    assert len(modules) > 150
    assert {str(path): lines for path in modules if (lines := printing(path.read_text("utf-8")))} == {}


@pytest.mark.parametrize(
    "source",
    [
        "print('a')",
        "x.reporter.write('a')",
        "terminalreporter.section('a')",
        "a.b.write_line(c)",
        "sys.stderr.write(a)",
    ],
)
def test_the_check_sees_what_prints(source):
    assert printing(source)
    assert all(printing((PACKAGE / path).read_text("utf-8")) for path in PRINTING if path.startswith("plugin"))


@given(HOSTILE)
def test_what_is_said_has_a_line_for_each_message_and_no_command(name):
    stream = io.StringIO()
    before, sys.stdout = sys.stdout, stream
    try:
        output.say(f"{name} fails", name, f"because\n    of {name}")
    finally:
        sys.stdout = before
    said = stream.getvalue()
    assert not unseen(said) - {"\n", "\t"}
    assert not starts_a_command(said)
    assert len([line for line in said.split("\n")[:-1] if not line.startswith("  ")]) <= 3


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_a_log_s_encoding_is_no_reason_to_fail_and_loses_nothing(monkeypatch, encoding):
    content = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(content, encoding=encoding))
    output.begin()
    output.say("猫 ≥ é", "::error::x")
    assert output.end(0) == 0
    shown = content.getvalue().decode(encoding).split("\n")
    assert shown[1:] == [r"\x3a:error::x", ""]
    assert shown[0].encode("ascii", "backslashreplace").decode() in (r"\u732b \u2265 \xe9", r"\u732b \u2265 \xe9")


class Broken(io.StringIO):
    """A stream to which nothing can be written."""

    def __init__(self, error: OSError) -> None:
        super().__init__()
        self.error = error

    def write(self, text: str) -> int:
        if text:
            raise self.error
        return 0


@pytest.mark.parametrize(("number", "status"), [(errno.EPIPE, 141), (errno.ENOSPC, 4), (errno.EIO, 4)])
def test_an_output_that_cannot_be_written_to_ends_nothing_and_is_told_by_the_status(
    monkeypatch, capsys, number, status
):
    monkeypatch.setattr(sys, "stdout", Broken(OSError(number, os.strerror(number))))
    output.begin()
    output.say("a")
    output.say("b")
    assert output.end(0) == status
    assert output.end(1) == 1  # of what has failed, which says more
    said = capsys.readouterr().err
    assert said == ("" if status == 141 else f"error: the output cannot be written: {os.strerror(number)}\n" * 2)
    monkeypatch.undo()
    output.begin()
    assert output.end(0) == 0


def test_errors_that_cannot_be_told_end_nothing(monkeypatch):
    monkeypatch.setattr(sys, "stderr", Broken(OSError(errno.EPIPE, "")))
    output.begin()
    output.say("a", err=True)
    assert output.end(0) == 0


@pytest.mark.parametrize(
    ("test", "shown"),
    [
        ("pytest.fail('a\\n::error::b\\x1b', pytrace=False)", r"\x3a:error::b\x1b"),
        ("raise ValueError('a\\n::error::b\\x1b##[c]')", r"\x3a:error::b\x1b#\x23[c]"),
        ("pytest.skip('a\\n::error::b\\x1b')", r"\x3a:error::b\x1b"),
        ("raise ExceptionGroup('a', [ValueError('::error::b\\x1b')])", r"::error::b\x1b"),
    ],
)
def test_what_a_report_says_of_a_failure_is_made_harmless(pytester, monkeypatch, test, shown):
    monkeypatch.setenv("CI", "true")  # where pytest's last lines have the whole message
    pytester.makeconftest(
        """
        import pytest
        from pytest_seedshift.plugin import terminal_output

        @pytest.hookimpl(wrapper=True, tryfirst=True)
        def pytest_runtest_makereport(item):
            report = yield
            terminal_output.clean_report(report)
            return report
        """
    )
    pytester.makepyfile(f"import pytest\ndef test_it():\n    run = lambda: None\n    {test}\n")
    result = pytester.runpytest_inprocess("-rA", "-p", "no:cacheprovider", "--tb=short", "--show-capture=no")
    told = "\n".join(line for line in result.outlines if "import pytest" not in line)
    assert shown in told
    assert "\x1b" not in told
    assert not starts_a_command(told)


@given(HOSTILE)
def test_errors_of_this_package_are_made_harmless_and_others_are_left_alone(name):
    def catch(source: str, module: str) -> pytest.UsageError:
        try:
            exec(source, {"__name__": module, "pytest": pytest, "name": name})
        except pytest.UsageError as error:
            terminal_output.clean_error(error)
            return error
        raise AssertionError("nothing was raised")

    (said,) = catch(
        "raise pytest.UsageError(f'--seedshift-model={name}: unknown')", "pytest_seedshift.plugin.options"
    ).args
    assert not unseen(said) - {"\n", "\t"}
    assert not starts_a_command(said)
    assert catch("raise pytest.UsageError(name)", "another_plugin").args == (name,)
    assert isinstance(pickle.loads(pickle.dumps(catch("raise pytest.UsageError(name)", "pytest_seedshift"))), Exception)
