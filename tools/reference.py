"""Writes those parts of docs/reference that the code says itself, between marks in pages that are written by hand.

python -m tools.reference [--check]

A part begins with `<!-- generated: NAME -->` and ends with `<!-- end -->`. With --check nothing is written, and the
status is 1 where a page is not as it would be written.
"""

from __future__ import annotations

import argparse
import inspect
import re
import sys
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from pytest_seedshift import plugin
from pytest_seedshift.cli.parser import group
from pytest_seedshift.core import model_names, shifts, test_names
from pytest_seedshift.core.score_kinds import BUILT_IN
from pytest_seedshift.models import catalogue, json_schemas
from pytest_seedshift.plugin import breaking_collection, collection, hookspecs, options
from pytest_seedshift.scorers.declaration import SHORT

PAGES = Path(__file__).resolve().parents[1] / "docs" / "reference"
_PART = re.compile(r"(?<=<!-- generated: )([\w-]+)( -->\n).*?(?=<!-- end -->)", re.DOTALL)

SEE: Mapping[str, str] = {
    "model": "[models](models.md), [changes](changes.md)",
    "shift": "[shifts](shifts.md)",
    "design-seed": "[another draw](../how-to/design-seed.md)",
    "prompts": "[prompts](../how-to/prompts.md)",
    "thresholds": "[thresholds.toml](thresholds.md)",
    "score": "[scorers](scorers.md)",
    "cluster": "[a Ray cluster](../how-to/cluster.md)",
    "breaking-point": "[breaking points](../how-to/breaking-points.md)",
    "dir": "[where it may lie](../how-to/run-folder.md)",
    "trajectories": "[trajectories](../how-to/trajectories.md)",
    "shard": "[shards](../how-to/shards.md)",
    "baseline": "[baselines](../how-to/baseline.md)",
    "save-baseline": "[likeness](../how-to/likeness.md)",
    "baseline-if-missing": "[baselines by environment](../how-to/baseline-environments.md)",
    "history": "[histories](../how-to/history.md)",
    "report": "[the report](../how-to/report.md)",
    "summary": "[GitHub](../how-to/github.md)",
    "null": "[null control](../how-to/null-control.md)",
    "sensitivity": "[seed sensitivity](../explanation/seed-use.md)",
    "plan": "[hours and cost](../how-to/plan-cost.md)",
    "write-thresholds": "[thresholds from a measurement](../how-to/calibrate.md)",
}
"""By option, where more is said."""


def main() -> int:
    """Write the pages, or check them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; status 1 where a page would change")
    check = parser.parse_args().check
    changed = stale()
    for path, text in changed.items():
        print(f"{path.name}: {'not up to date' if check else 'written'}")
        if not check:
            path.write_text(text, encoding="utf-8")
    return int(check and bool(changed))


def stale() -> dict[Path, str]:
    """The pages that are not as they would be written, each with its text as it would be."""
    found = {path: path.read_text(encoding="utf-8") for path in sorted(PAGES.glob("*.md"))}
    made = {
        path: _PART.sub(lambda part: f"{part[1]}{part[2]}\n{PARTS[part[1]]()}\n\n", text)
        for path, text in found.items()
    }
    return {path: text for path, text in made.items() if text != found[path]}


def parts() -> list[str]:
    """The names of the parts that the pages have."""
    return [part[1] for path in sorted(PAGES.glob("*.md")) for part in _PART.finditer(path.read_text(encoding="utf-8"))]


# Parts -----------------------------------------------------------------------------------------------------------


def _options() -> str:
    rows = []
    for option in options.OPTIONS:
        value = f"[={option.metavar}]" if option.kind == "maybe" else f" {option.metavar}" if option.metavar else ""
        see = f". See {SEE[option.name]}" if option.name in SEE else ""
        rows.append((f"`{option.flag}{value}`<br>`{option.key}`", _sentence(option.help) + see, option.default))
    return _table(("option, ini key", "what it does", "default"), rows)


def _shifts() -> str:
    rows = []
    for name in shifts.names():
        for variant in ("", *shifts.variants(name)):
            full = f"{name}:{variant}" if variant else name
            formula, parameter = shifts.formula(full)
            rows.append((f"`{full}`", f"{formula} `{full}={{}}`: {parameter}." if parameter else formula))
    return _table(("shift", "formula"), [(name, text.replace("={}", "=NUMBER")) for name, text in rows])


def _scores() -> str:
    built_in = [(f"`{name}`", kind.title, kind.range, "of the model's `scorers`") for name, kind in BUILT_IN.items()]
    named = [(f"`{name}`", each.kind.title, each.kind.range, f"`{each.source}`") for name, each in SHORT.items()]
    return _table(("score", "title", "range", "weights"), [*built_in, *named])


def _scorer_keys() -> str:
    return _keys(json_schemas.thresholds()["properties"]["scorers"]["additionalProperties"])


def _entry_keys() -> str:
    return _keys(json_schemas.catalogue()["additionalProperties"])


def _catalogue() -> str:
    rows = []
    for name, entry in catalogue.shipped().entries.items():
        size = f"{entry.height}×{entry.width}" if entry.height and entry.width else ""
        places = ", ".join(f"`{each}`" for each in entry.pipeline if not Path(each).is_absolute()) or "in this package"
        guidance = "" if entry.guidance is None else f"{entry.guidance:g}"
        rows.append(
            (f"`{name}`", places, str(entry.steps or ""), guidance, size, str(entry.memory or ""), entry.licence or "")
        )
    return _table(("name", "weights", "steps", "guidance", "size", "GiB", "licence"), rows)


def _changes() -> str:
    rows = []
    for name, change in model_names.CHANGES.items():
        written = [f"`+{name}`"] if change.alone is not None or not change.valid else []
        written += [f"`+{name}=…`"] if change.valid else []
        rows.append((", ".join(written), change.about.replace("_", " "), change.valid))
    return _table(("change", "of what", "value"), rows)


def _threshold_tables() -> str:
    found = json_schemas.thresholds()
    shift = found["$defs"]["shift"]
    verdict, baseline = found["properties"]["verdict"], found["properties"]["baseline"]
    bounds, likeness = found["$defs"]["score"]["anyOf"][1], found["$defs"]["likeness"]
    beside = {key: each for key, each in shift["properties"].items() if "$ref" not in each}
    measure = likeness["properties"]["ssim"]["anyOf"][1]
    measures = [(f"`{name}`", each["description"]) for name, each in likeness["properties"].items()]
    sections = (
        ("Bounds of a score", _keys(bounds)),
        ("Beside scores", _keys({"properties": beside})),
        ("`[likeness]`", f"{_table(('measure', 'what it is'), measures)}\n\n{_keys(measure)}"),
        ("`[verdict]`", _keys(verdict)),
        ("`[baseline]`", _keys(baseline)),
    )
    return "\n\n".join(f"### {title}\n\n{text}" for title, text in sections)


def _files() -> str:
    sections = []
    for name in ("verdicts", "costs", "run"):
        made = json_schemas.SCHEMAS[name]()
        sections.append(f"### {made['title']}\n\n{_keys(made)}")
        for title, each in sorted(made.get("$defs", {}).items()):
            sections.append(
                f"#### {title}, in {made['title']}\n\n{_first(each.get('description', ''))}\n\n{_keys(each)}"
            )
    return "\n\n".join(sections)


def _commands() -> str:
    context = click.Context(group, info_name=test_names.PROGRAM, max_content_width=100, terminal_width=100)
    sections = [f"```text\n{group.get_help(context).rstrip()}\n```"]
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        inner = click.Context(command, info_name=name, parent=context, max_content_width=100, terminal_width=100)
        sections.append(f"### {name}\n\n```text\n{command.get_help(inner).rstrip()}\n```")
    return "\n\n".join(sections)


def _markers() -> str:
    sections = []
    for text, arguments in (
        (test_names.MARKER_HELP, collection.ARGUMENTS),
        (test_names.BREAKING_MARKER_HELP, breaking_collection.ARGUMENTS),
    ):
        name, _, meaning = re.sub(r"\(.*?\)", "", text, count=1).partition(": ")
        named = ", ".join(f"`{each}`" for each in (*arguments, *BUILT_IN))
        sections.append(
            f"### `@pytest.mark.{name}`\n\n{_sentence(meaning)}.\n\nArguments: {named}, and any other score."
        )
    return "\n\n".join(sections)


def _fixtures() -> str:
    rows = []
    for name, each in vars(plugin).items():
        if type(each).__name__ == "FixtureFunctionDefinition" and not name.startswith("_"):
            rows.append((f"`{name}`", " ".join(inspect.cleandoc(each.__doc__ or "").split())))
    return _table(("fixture", "what it gives"), rows)


EXTRAS: Mapping[str, str] = {
    "engines": "adapters (`lora=…`) and quantisation by torchao (`int8`, …)",
    "ray": "runs on a Ray cluster (`--seedshift-cluster`)",
    "parquet": "`seedshift export` to Parquet",
    "docs": "building this site",
    "test": "the tests of this package",
    "tools": "training the toys, and making the pictures of these pages",
    "benchmarks": "the benchmarks; they need nothing more",
    "plugins": "other plugins of pytest that the tests run beside this one",
}
"""By extra, what it is for."""


def _extras() -> str:
    path = PAGES.parents[1] / "pyproject.toml"
    found = tomllib.loads(path.read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    return _table(
        ("extra", "what for", "packages"),
        [(f"`{name}`", EXTRAS[name], ", ".join(f"`{each}`" for each in found[name])) for name in found],
    )


def _hooks() -> str:
    sections = []
    for name, each in vars(hookspecs).items():
        if name.startswith(hookspecs.PREFIX):
            sections.append(f"### `{name}(config)`\n\n{inspect.cleandoc(each.__doc__ or '')}")
    return "\n\n".join(sections)


PARTS: Mapping[str, Callable[[], str]] = {
    "options": _options,
    "shifts": _shifts,
    "scores": _scores,
    "scorer-keys": _scorer_keys,
    "entry-keys": _entry_keys,
    "catalogue": _catalogue,
    "changes": _changes,
    "threshold-tables": _threshold_tables,
    "files": _files,
    "commands": _commands,
    "markers": _markers,
    "fixtures": _fixtures,
    "hooks": _hooks,
    "extras": _extras,
}


# Their forms -----------------------------------------------------------------------------------------------------


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *([_cell(each) for each in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}".rstrip(".")


def _first(text: str) -> str:
    """A form's docstring without what it refers a reader of the code to."""
    return re.sub(r"; see `.*?`", "", text)


def _keys(schema: Mapping[str, Any]) -> str:
    needed = schema.get("required", [])
    rows = [
        (f"`{key}`", _kind(each), ("always there. " if key in needed else "") + each.get("description", ""))
        for key, each in schema["properties"].items()
    ]
    return _table(("key", "value", "what it says"), rows)


def _kind(schema: Mapping[str, Any]) -> str:
    """What a value is, in words."""
    return " or ".join(dict.fromkeys(_kinds(schema))) or "any"


def _kinds(schema: Mapping[str, Any]) -> Iterator[str]:
    if "enum" in schema or "const" in schema:
        for each in schema.get("enum", [schema.get("const")]):
            yield f"`{str(each).lower() if isinstance(each, bool) else each}`"
    elif "$ref" in schema:
        yield schema["$ref"].rpartition("/")[2]
    elif "anyOf" in schema:
        for each in schema["anyOf"]:
            yield from _kinds(each)
    elif schema.get("type") == "array":
        yield f"list of {_kind(schema['items'])}" if schema.get("items") else "list"
    elif schema.get("type") == "object" and isinstance(schema.get("additionalProperties"), dict):
        yield f"table of {_kind(schema['additionalProperties'])}"
    elif schema.get("type"):
        names = {"object": "table", "string": "text", "integer": "whole number", "boolean": "true or false"}
        kind = str(schema["type"])
        yield names.get(kind, kind) if schema.get("format") != "date" else "date"


if __name__ == "__main__":
    sys.exit(main())
