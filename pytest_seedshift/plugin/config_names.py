"""Names that can only be meant for ours, of ini keys, hooks and markers: a typing error in one would count for nothing.

pytest warns of an unknown ini key or marker and goes on, and ends with an internal error over an unknown hook. Read by
every pytest run, so nothing heavy is imported before something is wrong.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from pytest_seedshift.core.test_names import BREAKING_MARKER, MARKER
from pytest_seedshift.plugin import hookspecs

if TYPE_CHECKING:
    from pathlib import Path

_LIKE_OURS = ("seedshift", "seed_shift", "seed-shift")
"""How ini keys begin that can only be meant for this package."""


_CLOSE = 0.85
"""How like one of our markers an unknown one must be: `relability` is, `breakpoint` is not."""


def check(config: pytest.Config, keys: Collection[str]) -> None:
    """Make sure that ini keys and hooks that begin like ours are known, by us or by another plugin.

    Args:
        config: pytest's.
        keys: all ini keys of ours.

    Raises:
        pytest.UsageError: one is not; the message says which was meant.
    """
    for where, key in _ini_keys(config):
        if key.lower().startswith(_LIKE_OURS) and not _is_declared(config, key):
            _refuse(where, "ini key", key, keys)
    hooks = {name for name in vars(hookspecs) if name.startswith(hookspecs.PREFIX)}
    for name, plugin in config.pluginmanager.list_name_plugin():
        for hook in dir(plugin):
            if hook.startswith(hookspecs.PREFIX) and hook not in hooks:
                caller = getattr(config.hook, hook, None)
                if caller is None or not caller.has_spec():
                    _refuse(str(name).removeprefix(f"{config.rootpath}/"), "hook", hook, hooks)


def check_options(args: Iterable[str], parser: pytest.Parser) -> None:
    """Make sure that options that begin like ours are known, by us or by another plugin or conftest.

    Args:
        args: of the command line, those of `addopts` and PYTEST_ADDOPTS among them.
        parser: pytest's, with all options.

    Raises:
        pytest.UsageError: one is not; the message says which was meant.
    """
    for arg in args:
        if arg == "--":
            return
        name = arg.partition("=")[0]
        if name.startswith(tuple(f"--{each}" for each in _LIKE_OURS)):
            known = _options(parser)
            if known and name not in known:
                from pytest_seedshift.core.messages import unknown

                ours = [each for each in known if each.startswith("--seedshift-")]
                raise pytest.UsageError(unknown("option", name, ours, rest="pytest --help has all"))


def _options(parser: pytest.Parser) -> set[str]:
    """All options that pytest knows now; none where it cannot be asked, and then says of itself what is unknown."""
    try:  # there is no public way
        groups = (parser._anonymous, *parser._groups)
        return {name for group in groups for option in group.options for name in option.names()}
    except AttributeError:
        return set()


def check_markers(config: pytest.Config, items: Iterable[pytest.Item]) -> None:
    """Make sure that no test has a marker that is nobody's and nearly one of ours: its test would judge nothing.

    Raises:
        pytest.UsageError: one has; the message names the test.
    """
    found: dict[str, str] = {}
    for item in items:
        for mark in item.iter_markers():
            found.setdefault(mark.name, item.nodeid)
    known = {line.partition(":")[0].partition("(")[0].strip() for line in config.getini("markers")}
    for name in found.keys() - known:
        from difflib import get_close_matches

        if meant := get_close_matches(name, (MARKER, BREAKING_MARKER), 1, _CLOSE):
            raise pytest.UsageError(f"{found[name]}: unknown marker {name!r}. Did you mean {meant[0]!r}?")


def _is_declared(config: pytest.Config, key: str) -> bool:
    try:
        config.getini(key)
    except (KeyError, ValueError):  # pytest's, of a key that nobody has declared
        return False
    except Exception:  # a value that cannot be used, which whoever reads it will say
        return True
    return True


def _refuse(where: str, what: str, name: str, known: Collection[str]) -> None:
    from pytest_seedshift.core.messages import unknown

    raise pytest.UsageError(f"{where}: {unknown(what, name, known)}")


def _ini_keys(config: pytest.Config) -> Iterator[tuple[str, str]]:
    """Where each ini key stands, and the key: those of the command line (-o), then those of the file."""
    for given in config.getoption("override_ini", None) or ():
        yield "-o", str(given).partition("=")[0].strip()
    if config.inipath is not None:
        yield from ((str(config.inipath), key) for key in _keys_of(config.inipath))


def _keys_of(path: Path) -> list[str]:
    """The keys of pytest's table in a file that pytest has read."""
    try:
        text = path.read_text(encoding="utf-8")
        if "seed" not in text.lower():  # in nearly all of the world's
            return []
        if path.suffix == ".toml":
            import tomllib

            document: dict[str, Any] = tomllib.loads(text)
            table = document.get("tool", document).get("pytest", document.get("pytest", {}))
            return [*table, *table.get("ini_options", ())]
        import configparser

        parser = configparser.RawConfigParser(strict=False, allow_no_value=True)
        parser.optionxform = str  # type: ignore[assignment,method-assign]
        parser.read_string(text)
    except Exception:  # whatever is wrong with the file, pytest has its own words for it
        return []
    section = "tool:pytest" if path.suffix == ".cfg" else "pytest"
    return parser.options(section) if parser.has_section(section) else []
