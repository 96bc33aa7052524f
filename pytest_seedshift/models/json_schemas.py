"""The files that users write and that runs leave, as JSON Schema (draft 7), which editors and validators read.

A schema is made of the forms by which this package reads a file. It refuses what no file of that kind can say, and lets
through what only the rest of the file, or the machine, can decide: whether a model is there, whether two keys agree.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from pydantic import TypeAdapter

from pytest_seedshift.core import (
    breaking_bounds,
    known_failures,
    likeness,
    prompt_sets,
    seed_use_bounds,
    shifts,
    tags,
    tails,
)
from pytest_seedshift.core.likeness_tables import LikenessBounds
from pytest_seedshift.core.pairs import MOST_SEED
from pytest_seedshift.core.score_bounds import ScoreBounds
from pytest_seedshift.core.score_kinds import BUILT_IN, ScoreKind
from pytest_seedshift.core.scores import CERTAINTY
from pytest_seedshift.core.stats.seed_shares import KINDS
from pytest_seedshift.core.tail_tables import TailBounds
from pytest_seedshift.core.thresholds import BaselineTable
from pytest_seedshift.models import entry_schema
from pytest_seedshift.results import metadata, schema
from pytest_seedshift.scorers import declared_tables
from pytest_seedshift.scorers.declaration import SHORT

Schema = dict[str, Any]

_DIALECT = "http://json-schema.org/draft-07/schema#"
_MAGNITUDE = r"^\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*$"


def thresholds() -> Schema:
    """thresholds.toml."""
    by_shift = {"type": "object", "additionalProperties": _ref("shift"), "description": _BY_SHIFT}
    default = _table("Bounds of all cases, unless a narrower table says otherwise.")
    default["properties"] |= _of_prompts()
    default["properties"][likeness.TABLE] = _ref("every_likeness")
    model = _table("Bounds of one model's cases.")
    for each in (default, model):
        each["properties"] |= _seed_use()
    model["properties"]["shift"] = by_shift
    made = _document(
        "thresholds.toml",
        "What pytest-seedshift requires of models. The narrowest table that names a score decides about it.",
        {
            "default": default,
            "shift": by_shift,
            "model": {"type": "object", "additionalProperties": model, "description": "By model, its tables."},
            likeness.TABLE: _ref("every_likeness"),
            tags.TABLE: _ref("tags"),
            "verdict": _verdict(),
            "baseline": _toml(BaselineTable.model_json_schema()),
            "models": _named(entry_schema.json_schema(), "Models of your own, and changes of those of the catalogue."),
            "scorers": _named(declared_tables.json_schema(), "Scorers of your own, and changes of those with a name."),
        },
    )
    return {**made, "$defs": _definitions()}


def catalogue() -> Schema:
    """The tables of models by name, as the catalogue that is shipped has them; `[models]` of thresholds.toml too."""
    made = _named(entry_schema.json_schema(), "Models by name: what each is loaded from, and what it is run with.")
    return {"$schema": _DIALECT, "title": "catalogue of models", **made}


def verdicts() -> Schema:
    """verdicts.json of a run folder."""
    return _of_form("verdicts.json", "What came of each case of a run.", schema.Verdicts.model_json_schema())


def costs() -> Schema:
    """costs.json of a run folder."""
    return _of_form("costs.json", "What each case of a run has cost.", schema.Costs.model_json_schema())


def run() -> Schema:
    """run.json of a run folder."""
    facts = _untitled(TypeAdapter(list[metadata.Facts]).json_schema())
    definitions = facts.pop("$defs", {})
    runs = {**facts, "description": "One entry a session; folders that were merged have several."}
    made = _document(
        metadata.FILE_NAME,
        "How a run was made: command, versions, machine.",
        {"version": {"const": metadata.VERSION, "description": "Of this format."}, "runs": runs},
    )
    return {**made, "required": ["version", "runs"], "$defs": definitions}


SCHEMAS: Mapping[str, Callable[[], Schema]] = MappingProxyType(
    {"thresholds": thresholds, "catalogue": catalogue, "verdicts": verdicts, "costs": costs, "run": run}
)
"""By name, what makes the schema of a file."""


# What they are made of -------------------------------------------------------------------------------------------

_BY_SHIFT = f"By shift, such as {', '.join(shifts.names())}, a variant such as `mean:exact`, or none: its tables."


def _document(title: str, description: str, properties: Schema) -> Schema:
    return {
        "$schema": _DIALECT,
        "title": title,
        "description": description,
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
    }


def _of_form(title: str, description: str, made: Schema) -> Schema:
    return {"$schema": _DIALECT, **_untitled(made), "title": title, "description": description}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/$defs/{name}"}


def _definitions() -> dict[str, Schema]:
    """What stands in several places of thresholds.toml."""
    every = _likeness()
    text = {"type": "string", "minLength": 1}
    every["properties"][likeness.MODELS] = {
        "type": "object",
        "description": "By measure, the folder or the hub id of the model that measures it.",
        "properties": {name: {**text, "description": f"That of {name}."} for name in likeness.WITH_MODELS},
        "additionalProperties": False,
    }
    shift = _table("Bounds of one shift's cases. A magnitude in quotes has a table of its own.")
    magnitude = _table("Bounds at one magnitude.")
    del magnitude["properties"][breaking_bounds.KEY]
    shift["patternProperties"] = {_MAGNITUDE: magnitude}
    named = {name: declared.kind for name, declared in SHORT.items()} | dict(BUILT_IN)
    return {
        "shift": shift,
        "likeness": _likeness(),
        "every_likeness": every,
        "tags": {
            "type": "object",
            "description": "By tag of the prompts, bounds of its pairs.",
            "additionalProperties": _scores(),
        },
        "score": _bounds(None),
        **{name: _bounds(kind) for name, kind in named.items()},
    }


def _scores() -> Schema:
    named = {name: _ref(name) for name in (*BUILT_IN, *SHORT)}
    return {"type": "object", "properties": named, "additionalProperties": _ref("score")}


def _table(description: str) -> Schema:
    """A table of bounds, and of what else can stand beside them."""
    table = _scores()
    table["description"] = description
    table["properties"] |= {
        breaking_bounds.KEY: {
            "type": "number",
            "exclusiveMinimum": 0,
            "maximum": 1,
            "description": "How early a model may break: the least breaking point, without its sign.",
        },
        likeness.TABLE: _ref("likeness"),
        tags.TABLE: _ref("tags"),
        **_toml(known_failures.ExpectationTable.model_json_schema())["properties"],
    }
    table["dependencies"] = {key: ["expect"] for key in known_failures.KEYS if key != "expect"}
    return table


def _bounds(kind: ScoreKind | None) -> Schema:
    """One score's: a number, its minimum, or a table. The range of one of the user's own is not known here."""
    table = _toml(ScoreBounds.model_json_schema())
    table["properties"] |= _tails(kind)
    table["minProperties"] = 1
    table["dependencies"] = {"significant": ["max_regression"]}
    number: Schema = {"type": "number"}
    if kind is not None:
        number |= {"minimum": kind.low, "maximum": kind.top}
        table["properties"]["min"] |= number
        for key in ("max_drop", "max_regression"):
            table["properties"][key]["maximum"] = kind.span
    what = "A score of your own" if kind is None else f"{kind.title}, {kind.range}"
    return {"description": f"{what}: a number is a minimum.", "anyOf": [number, table]}


def _tails(kind: ScoreKind | None) -> Schema:
    """Bounds of a score's tail: those of accuracies, and those of scores with many values."""
    made = TailBounds.model_json_schema()
    found = _inlined(_toml(made), made["$defs"])["properties"]
    if kind is not None and not kind.binary:
        found["quantile"]["properties"]["min"] |= {"exclusiveMinimum": kind.low, "maximum": kind.top}
    of_accuracy = {tails.MIN_CLASS, tails.ANY_OF, tails.ALL_OF}
    return {key: each for key, each in found.items() if kind is None or kind.binary is (key in of_accuracy)}


def _likeness() -> Schema:
    found: Schema = {}
    for measure, kind in likeness.MEASURES.items():
        table = _toml(LikenessBounds.model_json_schema())
        table["dependencies"] = {"floor": ["share"], "share": ["floor"]}
        table["minProperties"] = 1
        number = {"type": "number", "minimum": 0, "maximum": kind.top}
        for key in ("min", "floor"):
            table["properties"][key] |= number
        found[measure] = {"description": f"{kind.title}: a number is a minimum.", "anyOf": [number, table]}
    return {
        "type": "object",
        "description": "How like pictures are to be to the baseline's.",
        "properties": found,
        "additionalProperties": False,
    }


def _of_prompts() -> dict[str, Schema]:
    entry = _toml(entry_schema.json_schema())["properties"]
    return {key: entry[key] for key in prompt_sets.KEYS}


def _seed_use() -> Schema:
    said = {seed_use_bounds.MIN: "The least", seed_use_bounds.MAX: "The most"}
    number = {"type": "number", "exclusiveMinimum": 0}
    by_kind = {
        "type": "object",
        "properties": {kind: {**number, "description": f"By {title}."} for kind, title in KINDS.items()},
        "additionalProperties": False,
        "minProperties": 1,
    }
    what = "that another seed vector changes, of what another label does; a number is of pixels."
    made = {key: {"description": f"{first} {what}", "anyOf": [number, by_kind]} for key, first in said.items()}
    part = {"type": "number", "minimum": 0, "exclusiveMaximum": 1}
    parts = {**by_kind, "properties": {kind: {**part, "description": f"By {each}."} for kind, each in KINDS.items()}}
    most = "The largest part of the baseline's seed sensitivity that may be lost; a number is of pixels."
    return {**made, seed_use_bounds.REGRESSION: {"description": most, "anyOf": [part, parts]}}


def _verdict() -> Schema:
    return {
        "type": "object",
        "description": "How sure verdicts are.",
        "properties": {
            "certainty": {
                "type": "number",
                "exclusiveMinimum": 0.5,
                "exclusiveMaximum": 1,
                "default": CERTAINTY,
                "description": "Of every verdict that is reached before its whole design was visited, and of every "
                "regression.",
            },
            "family": {
                "enum": [True, False, "regressions"],
                "description": "Whether the certainty holds over the whole grid: for all bounds (true), for "
                "regressions (the default with a baseline), or for none (false).",
            },
            "design_seed": {
                "type": "integer",
                "minimum": 0,
                "maximum": MOST_SEED,
                "default": 0,
                "description": "Another one is another draw of pairs.",
            },
        },
        "additionalProperties": False,
    }


def _named(table: Schema, description: str) -> Schema:
    """Tables by name; what a table of pydantic's refers to stands in its place, as the whole has other definitions."""
    one = _inlined(_toml(table), table.get("$defs", {}))
    return {"type": "object", "description": description, "additionalProperties": one}


def _inlined(node: Any, definitions: Schema) -> Any:
    if isinstance(node, dict):
        if "$ref" in node:
            there = _inlined(_toml(definitions[node["$ref"].rpartition("/")[2]]), definitions)
            return {**there, **{key: value for key, value in node.items() if key != "$ref"}}
        return {key: _inlined(value, definitions) for key, value in node.items() if key != "$defs"}
    return [_inlined(each, definitions) for each in node] if isinstance(node, list) else node


def _untitled(node: Any) -> Any:
    """A schema of pydantic's without titles, which repeat the keys."""
    if isinstance(node, list):
        return [_untitled(each) for each in node]
    if not isinstance(node, dict):
        return node
    return {key: _untitled(value) for key, value in node.items() if not (key == "title" and isinstance(value, str))}


def _toml(node: Any) -> Any:
    """Likewise, without null, which TOML does not have: a key is left out."""
    if isinstance(node, list):
        return [_toml(each) for each in node]
    if not isinstance(node, dict):
        return node
    made = {key: _toml(value) for key, value in _untitled(node).items()}
    if made.get("default", ...) is None:
        del made["default"]
        options = [each for each in made.pop("anyOf", []) if each != {"type": "null"}]
        made |= options[0] if len(options) == 1 else {"anyOf": options} if options else {}
    return made
