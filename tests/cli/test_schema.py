"""`seedshift schema`: what its schemas accept and refuse is what this package accepts and refuses."""

from __future__ import annotations

import datetime
import json
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator

from helpers import standard_run, synthetic
from helpers.environments import ROOT
from pytest_seedshift.cli import schema
from pytest_seedshift.cli.main import main
from pytest_seedshift.core import thresholds_parser
from pytest_seedshift.core.errors import SeedshiftError
from pytest_seedshift.models import catalogue, entry_schema, json_schemas

CATALOGUE = files("pytest_seedshift").joinpath("models", "catalogue.toml").read_text(encoding="utf-8")
THRESHOLDS = [
    ROOT / "thresholds.toml",
    ROOT / "pytest_seedshift/core/default_thresholds.toml",
    *sorted((ROOT / "tests/data/standard_run").glob("*.toml")),
]


def validator(name: str) -> Draft7Validator:
    made = json_schemas.SCHEMAS[name]()
    Draft7Validator.check_schema(made)
    return Draft7Validator(made)


def as_json(value: Any) -> Any:
    """A document of TOML as a validator of JSON takes it: editors show dates as texts."""
    if isinstance(value, dict):
        return {key: as_json(each) for key, each in value.items()}
    if isinstance(value, list):
        return [as_json(each) for each in value]
    return value.isoformat() if isinstance(value, datetime.date) else value


def refusals(name: str, text: str) -> list[str]:
    document = as_json(tomllib.loads(text))
    return [f"{error.json_path}: {error.message}" for error in validator(name).iter_errors(document)]


def parsed(text: str) -> bool:
    try:
        thresholds_parser.parse(text, "a test", lambda _: None)
    except SeedshiftError:
        return False
    return True


def undescribed(made: dict[str, Any]) -> list[str]:
    """The keys of a schema that have no text, neither where they stand nor where they refer to."""

    def within(node: Any, where: str) -> Iterator[str]:
        if not isinstance(node, (dict, list)):
            return
        for key, each in node.items() if isinstance(node, dict) else enumerate(node):
            if key == "properties":
                for name, field in each.items():
                    there = made["$defs"][field["$ref"].rpartition("/")[2]] if "$ref" in field else {}
                    if not (field.get("description") or there.get("description")):
                        yield f"{where}/{name}"
                    yield from within(field, f"{where}/{name}")
            else:
                yield from within(each, f"{where}/{key}")

    return list(within(made, ""))


@pytest.mark.parametrize("name", json_schemas.SCHEMAS)
def test_every_key_is_described(name):
    assert undescribed(json_schemas.SCHEMAS[name]()) == []


def test_a_key_that_is_not_described_is_found():
    made = json_schemas.SCHEMAS["run"]()
    del made["$defs"]["Facts"]["properties"]["cores"]["description"]
    assert undescribed(made) == ["/$defs/Facts/cores"]


@pytest.mark.parametrize("path", THRESHOLDS, ids=lambda path: path.name)
def test_thresholds_files_are_valid(path):
    assert refusals("thresholds", path.read_text(encoding="utf-8")) == []


def test_the_shipped_catalogue_is_valid_and_a_misspelt_key_of_it_is_not():
    assert refusals("catalogue", CATALOGUE) == []
    assert "guidanse" in refusals("catalogue", CATALOGUE.replace("guidance", "guidanse", 1))[0]


GOOD = {
    "number": "[default]\ntop1 = 0.6",
    "whole": "[default]\nclip = 20",
    "table": "[default]\ntop5 = { min = 0.8, max_drop = 0.1, max_regression = 0.02, significant = 'any' }",
    "within": "[default.clip]\nwithin = '0.2%'\n[shift.mean]\nclip = { within = 0.05 }",
    "shift": "[shift.mean]\ntop1 = 0.5\n[shift.'mean:exact'.'-0.3']\ntop1 = 0.1\n[shift.none]\nclip = 30",
    "model": "[model.sd21]\nclip = 30\n[model.'sd21+ddim'.shift.std.'0.2']\ntop1 = 0.3",
    "breaking": "[default]\ntop1 = 0.6\nmin_breaking_point = 0.2",
    "known failure": "[shift.std]\ntop1 = 0.6\nexpect = 'fail'\nreason = 'so it is'\nuntil = 2027-03-31\nstrict = true",
    "likeness": "[likeness]\nssim = 0.95\npsnr = { min = 30 }\nembedding = { floor = 0.9, share = 0.99 }",
    "tag": "[tag.counting]\ntop1 = { max_drop = 0.2 }",
    "tail": "[default]\ntop1 = { min_class = 0.3, any_of = { k = 4, min = 0.95 }, all_of = { k = 2, min = 0.5 } }\n"
    "clip = { min = 20, quantile = { q = 0.05, min = 15 } }",
    "seed use": "[default]\nmin_sensitivity = 0.3\n[model.sd21]\nmax_sensitivity = { clip = 0.5, pixel = 2 }",
    "verdict": "[default]\ntop1 = 0.6\n[verdict]\ncertainty = 0.95\nfamily = 'regressions'\ndesign_seed = 3",
    "baseline": "[default]\ntop1 = 0.6\n[baseline]\npath = 'b.json'\nmodels = { a = 'b' }",
}
BAD = {
    "table's name": "[defaults]\ntop1 = 0.6",
    "text": "[default]\ntop1 = '0.6'",
    "per cent": "[default]\ntop1 = 60",
    "bound's name": "[default]\ntop1 = { minimum = 0.6 }",
    "no bound": "[default]\ntop1 = {}",
    "negative drop": "[default]\ntop1 = { max_drop = -0.1 }",
    "significant alone": "[default]\ntop1 = { min = 0.1, significant = true }",
    "significant": "[default]\ntop1 = { max_regression = 0.1, significant = 'some' }",
    "within": "[default]\ntop1 = { within = '0.2' }",
    "breaking point": "[default]\ntop1 = 0.6\nmin_breaking_point = 20",
    "reason alone": "[default]\ntop1 = 0.6\nreason = 'so it is'",
    "expectation": "[default]\ntop1 = 0.6\nexpect = 'failure'",
    "tail's group": "[default]\ntop1 = { any_of = { k = 1, min = 0.95 } }",
    "tail's share": "[default]\ntop1 = { all_of = { k = 2 } }",
    "tail of a mean": "[default]\nclip = { min_class = 0.3 }",
    "quantile": "[default]\nclip = { quantile = { q = 0.05, min = 60 } }",
    "seed use": "[default]\nmin_sensitivity = { pixels = 0.3 }",
    "seed use of a shift": "[shift.mean]\nmin_sensitivity = 'much'",
    "measure": "[likeness]\nssmi = 0.9",
    "floor alone": "[likeness]\nssim = { floor = 0.9 }",
    "certainty": "[verdict]\ncertainty = 99",
    "verdict's key": "[verdict]\ncertanty = 0.99",
    "family": "[verdict]\nfamily = 'all'",
    "seed": "[verdict]\ndesign_seed = -1",
    "baseline's key": "[baseline]\nfile = 'b.json'",
    "a magnitude's shift": "[shift.mean.'0.3']\ntop1 = 'much'",
    "a model's shift": "[model.sd21.shift.mean.'0.3']\ntop1 = 7",
}


@pytest.mark.parametrize("name", GOOD)
def test_what_the_parser_accepts_the_schema_accepts(name):
    assert parsed(GOOD[name])
    assert refusals("thresholds", GOOD[name]) == []


@pytest.mark.parametrize("name", BAD)
def test_what_the_schema_refuses_the_parser_refuses(name):
    assert not parsed(BAD[name])
    assert refusals("thresholds", BAD[name])


@pytest.mark.parametrize("key", ["steps", "guidance", "dtype", "loras", "cache", "classes", "memory", "scorers"])
def test_entries_are_checked_by_the_schema_as_by_the_package(key):
    with pytest.raises(entry_schema.EntryError):
        entry_schema.check("mine", {"pipeline": "a/b", key: -1}, "a test", new=True)
    assert refusals("catalogue", f"[mine]\npipeline = 'a/b'\n{key} = -1")
    assert refusals("thresholds", f"[models.mine]\npipeline = 'a/b'\n{key} = -1")
    assert refusals("catalogue", "[mine]\npipeline = ['a/b', 'c']\ndtype = { cuda = 'bfloat16' }\nsteps = 3") == []


def keys(node: Any) -> Iterator[tuple[str, Any]]:
    for value in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from keys(value)
    if isinstance(node, dict) and isinstance(node.get("properties"), dict):
        yield from node["properties"].items()


def test_every_key_that_a_user_writes_is_explained():
    made = json_schemas.SCHEMAS["thresholds"]()
    unexplained = [key for key, field in keys(made) if "description" not in field and "$ref" not in field]
    assert set(unexplained) <= {"name", "backend", "parts", "method", "vit", "clip", "source", "weight", "dinov2"}


def test_the_files_of_a_run_are_valid_and_changed_ones_are_not(tmp_path):
    plan = synthetic.Plan(shifts=("mean",), pictures=0, images=8)
    run = synthetic.write(tmp_path, plan)
    synthetic.add_head(run, plan)
    for name in ("verdicts", "costs", "run"):
        document = json.loads((run.path / f"{name}.json").read_text(encoding="utf-8"))
        assert [error.message for error in validator(name).iter_errors(document)] == []
        assert list(validator(name).iter_errors({**document, "version": "two"}))
    document = json.loads((run.path / "verdicts.json").read_text(encoding="utf-8"))
    document["cases"][0]["verdict"] = "passed"
    (error,) = validator("verdicts").iter_errors(document)
    assert error.json_path == "$.cases[0].verdict"


def test_the_files_of_a_real_run_are_valid():
    """Those that are kept, in which what differs from machine to machine is a word in capitals."""
    golden = standard_run.read_golden()
    kept = [name for name in golden if name.endswith(("verdicts.json", "run.json"))]
    assert len(kept) >= 5
    for name in kept:
        errors = validator(name.rpartition("-")[2].removesuffix(".json")).iter_errors(json.loads(golden[name]))
        assert [error.message for error in errors if not str(error.instance).isupper()] == [], name


def test_scores_of_ones_own_are_let_through():
    assert refusals("thresholds", "[default]\nvqa = 0.5\nmine = { min = -3, max_drop = 0.2 }") == []
    assert refusals("thresholds", "[default]\nmine = { minimum = -3 }")


def test_the_command_writes_and_prints_them(tmp_path, capsys):
    assert set(schema.NAMES) == set(json_schemas.SCHEMAS)
    for name in schema.NAMES:
        assert main(["schema", name]) == 0
        assert json.loads(capsys.readouterr().out) == json_schemas.SCHEMAS[name]()
    assert main(["schema", "thresholds", "-o", str(tmp_path / "thresholds.schema.json")]) == 0
    assert json.loads((tmp_path / "thresholds.schema.json").read_text(encoding="utf-8"))["properties"]["verdict"]
    with pytest.raises(SystemExit):
        main(["schema", "threshold"])
    assert "Did you mean 'thresholds'?" in capsys.readouterr().err


def test_an_editor_reads_it(tmp_path):
    """Taplo is what editors check TOML by."""
    assert main(["schema", "thresholds", "-o", str(tmp_path / "thresholds.schema.json")]) == 0
    taplo = Path(sys.executable).with_name("taplo")
    for name, good in [*((name, True) for name in GOOD), ("verdict's key", False), ("per cent", False)]:
        text = (GOOD if good else BAD)[name]
        (tmp_path / "thresholds.toml").write_text(f"#:schema ./thresholds.schema.json\n{text}\n", encoding="utf-8")
        found = subprocess.run([taplo, "lint", "thresholds.toml"], cwd=tmp_path, capture_output=True, text=True)
        assert (found.returncode == 0) is good, (name, found.stderr)


def test_the_catalogue_that_is_read_is_the_one_that_is_checked():
    assert set(tomllib.loads(CATALOGUE)) == set(catalogue.shipped().entries)
