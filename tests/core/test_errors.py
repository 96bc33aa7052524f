"""Every error of the package is of one family, and none of a library's is shown as the user's mistake."""

import ast
import dataclasses
import importlib
import inspect
import json
import pkgutil
import shutil
from pathlib import Path

import pytest

import pytest_seedshift
from pytest_seedshift.core import errors
from pytest_seedshift.core.cases import CaseError, judging
from pytest_seedshift.models import catalogue
from pytest_seedshift.models.base import Entry
from pytest_seedshift.plugin import border
from pytest_seedshift.results.run_folder import RunFolder
from pytest_seedshift.runner.workbench import Workbench

PACKAGE = Path(pytest_seedshift.__file__).parent

KINDS = (errors.SeedshiftUsageError, errors.DataError, errors.ModelError, errors.HarnessError)

SIGNALS = {"_EnoughError", "_SeenError", "_UnknownError"}
"""No errors: they end something of ours early, and are caught by who raised them."""

SECOND_BASES = {"InvalidValueError": ValueError, "ShardError": ValueError, "LockError": OSError}
"""What callers of a function, pydantic and who writes files know them as."""


def defined():
    """All exception classes that modules of the package define."""
    for info in pkgutil.walk_packages([str(PACKAGE)], "pytest_seedshift."):
        if info.name.endswith("__main__") or ".suite." in info.name:
            continue
        module = importlib.import_module(info.name)
        for name, each in inspect.getmembers(module, inspect.isclass):
            if issubclass(each, BaseException) and each.__module__ == info.name:
                yield name, each


def test_every_error_of_the_package_is_of_one_of_the_four_kinds():
    found = dict(defined())
    assert len(found) > 30
    for name, each in found.items():
        if name in SIGNALS:
            assert not issubclass(each, errors.SeedshiftError)
        elif each is not errors.SeedshiftError:
            assert sum(issubclass(each, kind) for kind in KINDS) == 1, name


def test_only_where_others_depend_on_it_is_an_error_one_of_pythons_too():
    for name, each in defined():
        if name not in SIGNALS:
            pythons = {base for base in each.__mro__ if base.__module__ == "builtins"}
            others = pythons - {BaseException, Exception, object}
            assert others == ({SECOND_BASES[name]} if name in SECOND_BASES else set()), name


def test_none_of_pythons_is_raised_and_none_is_caught_without_saying_whose_it_is():
    for path in sorted(PACKAGE.rglob("*.py")):
        lines = path.read_text(encoding="utf-8").splitlines()
        for node in ast.walk(ast.parse("\n".join(lines))):
            if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
                name = ast.unparse(node.exc.func)
                assert name not in ("ValueError", "KeyError", "RuntimeError", "Exception"), f"{path}:{node.lineno}"
            if isinstance(node, ast.ExceptHandler) and node.type is not None:
                names = {ast.unparse(each) for each in getattr(node.type, "elts", [node.type])}
                if names & {"ValueError", "KeyError", "LookupError"}:
                    assert "  # " in lines[node.lineno - 1], f"{path}:{node.lineno}: whose is it?"


def test_each_wide_net_says_why():
    for path in sorted(PACKAGE.rglob("*.py")):
        lines = path.read_text(encoding="utf-8").splitlines()
        for number, line in enumerate(lines):
            if line.strip().startswith("except Exception"):
                near = lines[max(0, number - 12) : number + 3]
                assert any("#" in each or '"""' in each for each in near), f"{path}:{number + 1}"


@pytest.mark.parametrize("kind", KINDS)
def test_at_the_border_each_is_a_usage_error_and_nothing_else_is(kind):
    with (
        pytest.raises(pytest.UsageError, match=r"^--x=it is wrong\. So$"),
        border.usage_errors("--x=", ". So"),
    ):
        raise kind("it is wrong")
    with pytest.raises(ValueError, match="not ours"), border.usage_errors():
        raise ValueError("not ours")


def test_what_a_library_says_over_a_case_is_its_error_with_its_cause():
    with pytest.raises(CaseError, match=r"^mean: cannot do that$") as caught, judging("mean"):
        raise ValueError("cannot do that")
    assert type(caught.value.__cause__) is ValueError
    with pytest.raises(ZeroDivisionError), judging("mean"):
        _ = 1 / 0
    with pytest.raises(CaseError, match=r"^inner$"), judging("mean"):
        raise CaseError("inner")


def bench(folder, entry):
    run = RunFolder(folder)
    run.prepare()
    return Workbench(run, "cpu", None, catalogue=catalogue.Catalogue({entry.name: entry}))


@pytest.fixture
def toy():
    return catalogue.shipped().find("toy-latent")


def causes(error):
    while error is not None:
        yield error
        error = error.__cause__


def test_a_value_error_of_diffusers_over_a_folder_is_the_model_s_error(tmp_path, toy):
    shutil.copytree(toy.pipeline[0], tmp_path / "mine")
    config = tmp_path / "mine/unet/config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"down_block_types": ["DownBlock2D"] * 7}))
    entry = Entry("mine", (str(tmp_path / "mine"),), classifier=toy.classifier, clip=toy.clip)
    with pytest.raises(CaseError, match=r"^mine cannot be loaded: .*down_block_types") as caught:
        bench(tmp_path / "run", entry).model("mine")
    assert any(type(each) is ValueError for each in causes(caught.value))


def test_a_value_error_of_diffusers_over_a_call_is_the_model_s_error(tmp_path, toy):
    entry = Entry("mine", toy.pipeline, classifier=toy.classifier, clip=toy.clip, classes=toy.classes)
    entry = dataclasses.replace(entry, call=(("sigmas", [1.0]), ("timesteps", [3])))
    with pytest.raises(CaseError, match=r"^mine cannot generate: .*timesteps") as caught:
        bench(tmp_path / "run", entry).service.engine("mine")
    assert any(type(each) is ValueError for each in causes(caught.value))
    assert not any(isinstance(each, errors.SeedshiftUsageError) for each in causes(caught.value))
