"""The standard run: a small project whose outputs are kept, so that a change to the code shows what it changes in them.

Its files lie in data/standard_run, what it puts out in data/golden. To see what differs, and to write it anew:

    python tests/helpers/standard_run.py [--write]

A toy model, two prompts a class, six cases: a baseline is saved by a first version of the model; a second one, of fewer
steps, is held against it, with a null control, a search for a breaking point and its seed sensitivity; the same run
again in two shards, merged; both runs compared; a model card. What varies by itself is taken out: see `normalise`.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

DATA = Path(__file__).parent.parent / "data"
PROJECT = DATA / "standard_run"
GOLDEN = DATA / "golden"
TOY = Path(__file__).parents[2] / "pytest_seedshift/models/toys/toy-latent"

PYTEST = ("-m", "pytest")
SEEDSHIFT = ("-m", "pytest_seedshift")
BEFORE = "-k 'not breaking' --seedshift-exact --seedshift-report=none --seedshift-dir=before"
SAVED = "--seedshift-thresholds=before.toml --seedshift-save-baseline=baseline.json"
HELD = "--seedshift-null --seedshift-baseline=baseline.json --seedshift-sensitivity=always"
RUN = "--seedshift-dir=run --seedshift-trajectories=1 --seedshift-summary=run/summary.md --junitxml=run/junit.xml"
SHARD = "--seedshift-dir=shard-{0} --seedshift-shard={0}/2 --seedshift-report=none"

COMMANDS: dict[str, tuple[str, ...]] = {
    "before": (*PYTEST, *shlex.split(f"{BEFORE} {SAVED}")),
    "run": (*PYTEST, *shlex.split(f"{HELD} {RUN}")),
    "shard-1": (*PYTEST, *shlex.split(f"{HELD} {SHARD.format(1)}")),
    "shard-2": (*PYTEST, *shlex.split(f"{HELD} {SHARD.format(2)}")),
    "merge": (*SEEDSHIFT, *shlex.split("merge shard-1 shard-2 --output merged --summary merged/summary.md")),
    "compare": (*SEEDSHIFT, *shlex.split("compare before run --allow-missing --output run/comparison.html")),
    "card": (*SEEDSHIFT, *shlex.split("card run --output run/card.md")),
}
"""What is run in the project's folder, one after the other: what Python is given, by name."""

FILES = (
    "baseline.json",
    "before/verdicts.json",
    "run/verdicts.json",
    "run/run.json",
    "run/report.html",
    "run/junit.xml",
    "run/summary.md",
    "run/card.md",
    "run/comparison.html",
    "merged/verdicts.json",
    "merged/run.json",
    "merged/report.html",
    "merged/junit.xml",
    "merged/summary.md",
)
"""The files whose content is kept, beside what the commands print."""

ENVIRONMENT = "environment.json"
NEAR = 0.01
"""Numbers of other processors and libraries differ by less."""
PACKAGES = ("torch", "torchvision", "diffusers", "transformers", "open_clip_torch", "numpy", "scipy", "pillow")


def environment() -> dict[str, str]:
    """What pictures, their hashes and fingerprints depend on, beside the code."""
    versions = {package: version(package) for package in (*PACKAGES, "matplotlib")}
    return {"machine": platform.machine(), "rounding": _rounding(), **versions}


def _rounding() -> str:
    """How this processor rounds: others have other instructions, and other last digits of the same sums."""
    import torch

    values = torch.linspace(-1, 1, 3 * 32 * 32).view(1, 3, 32, 32).sin()
    kernel = torch.linspace(-1, 1, 24 * 3 * 9).view(24, 3, 3, 3).cos()
    found = torch.nn.functional.conv2d(values, kernel, padding=1).flatten(1)
    found = torch.nn.functional.silu(found).view(24, -1) @ found.view(24, -1).T
    return hashlib.sha256(found.softmax(1).numpy().tobytes()).hexdigest()[:12]


def make_project(folder: Path, older: Path | None = None) -> None:
    """Put the project's files and its model into a folder.

    Args:
        folder: where.
        older: a folder of toys and scorers to use in place of those that ship.
    """
    for file in PROJECT.iterdir():
        shutil.copy(file, folder / file.name.removesuffix(".txt"))
    if older is None:
        shutil.copytree(TOY, folder / "toy")
        return
    without_guidance(folder)
    for name, place in (("toy-latent", "toy"), ("toy-vit", "vit"), ("toy-clip", "clip")):
        shutil.copytree(older / name, folder / place)
    for name in ("thresholds.toml", "before.toml"):
        text = folder.joinpath(name).read_text(encoding="utf-8")
        scorers = 'scorers = { vit = "./vit", clip = "./clip" }'
        folder.joinpath(name).write_text(text.replace('scorers = "toy"', scorers), encoding="utf-8")


def without_guidance(folder: Path) -> None:
    """Make the project's files ask for guidance 1, as they did when the older run was made."""
    for name in ("thresholds.toml", "before.toml"):
        text = folder.joinpath(name).read_text(encoding="utf-8")
        folder.joinpath(name).write_text(text.replace("guidance = 2.0", "guidance = 1.0"), encoding="utf-8")


def make(folder: Path, python: str = sys.executable) -> dict[str, str]:
    """Make the standard run in a folder: all its outputs that there are, normalised, by name."""
    make_project(folder)
    outputs = {}
    variables = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("CI", "GITHUB_", "PYTEST_", "SEEDSHIFT_", "FORCE_", "PY_COLORS"))
    } | {"OMP_NUM_THREADS": "1", "COLUMNS": "120", "LC_ALL": "C.UTF-8", "TERM": "dumb", "NO_COLOR": "1"}
    for name, arguments in COMMANDS.items():
        if name.startswith("shard-"):  # with the images of the whole run: a shard generates nothing
            kept = (".gitignore", ".seedshift-run", "samples.sqlite", "pictures", "settings", "sensitivity")
            others = [each.name for each in (folder / "run").iterdir() if each.name not in kept]
            shutil.copytree(folder / "run", folder / name, ignore=shutil.ignore_patterns(*others))
        done = subprocess.run(
            [python, *arguments], cwd=folder, env=variables, check=False, capture_output=True, text=True
        )
        outputs[f"{name}.txt"] = normalise(
            f"{name}.txt", f"{done.stdout}{done.stderr}exit status {done.returncode}\n", folder
        )
    for file in FILES:
        name = file.replace("/", "-")
        if folder.joinpath(file).exists():
            outputs[name] = normalise(name, folder.joinpath(file).read_text(encoding="utf-8"), folder)
    return outputs


# What varies ------------------------------------------------------------------------------------------------------

_NUMBER = r"\d[\d,]*(?:\.\d+)?(?:e-?\d+)?"
_TIME = rf"(?:{_NUMBER} (?:ms|s|min|h|d)\b(?: \d+ (?:s|min|h)\b)?)"
VARYING: tuple[tuple[str, str], ...] = (
    (rf"\bin {_TIME}", "in TIME"),  # how long it took to generate
    (rf"{_TIME} (an image|each)", r"TIME \1"),
    (rf"about {_TIME}(, up to {_TIME})?", "about TIME"),  # what the plan expects, by a measured speed
    (rf"took {_TIME}", "took TIME"),
    (rf"{_NUMBER} images/s", "SPEED images/s"),
    (r"\bin \d+\.\d+s( \(\d+:\d+:\d+\))?", "in TIME"),  # pytest's last line
    (r"^=+ (.* in TIME) =+$", r"= \1 ="),  # which is as wide as the terminal
    (r"^-+ (generated xml file: .*) -+$", r"- \1 -"),  # likewise, less what its folder's name takes
    (r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d(\.\d+)?)?([+-]\d\d:\d\d|Z)?", "DATE"),
    (r"\d{4}-\d\d-\d\d\b", "DATE"),
    (r'\btime="[\d.]+"', 'time="TIME"'),  # JUnit
    (r'hostname="[^"]*"', 'hostname="HOST"'),
    (r"Linux-[\w.+-]+|(?:macOS|Windows)-[\w.+-]+", "SYSTEM"),
    (r"^platform .*$", "platform PLATFORM"),
    (r"^plugins: .*$", "plugins: PLUGINS"),
    (r"\b(torch|torchvision|diffusers|transformers|open_clip_torch) \d+(\.\d+)+(\+\w+)?", r"\1 VERSION"),
    (r"^- (machine|versions): .*$", r"- \1: MACHINE OR VERSIONS"),  # Markdown
    (r"(<dt>(?:machine|versions)</dt>\s*<dd>)[\s\S]*?</dd>", r"\1MACHINE OR VERSIONS</dd>"),  # HTML
    (r"0x[0-9a-f]{6,}", "ADDRESS"),
)
"""Patterns of text, and what stands for them in all outputs."""

VARYING_KEYS = {
    "seconds": "TIME",
    "peak_memory": "BYTES",
    "started": "DATE",
    "python": "VERSION",
    "system": "SYSTEM",
    "processor": "PROCESSOR",
    "cores": "CORES",
    "versions": "VERSIONS",
    "libraries": "VERSIONS",
    "workers": "WORKERS",
}
"""Keys of JSON, and what stands for their values."""

_BY_THE_CLOCK = re.compile(r"images/s|^test_subject\.py|^seedshift$|^[.F]+$|^\.? *\[ *\d+%\]$|^$")
"""Lines of a terminal that stand there, or stand where they do, by the time that has gone by."""
_CASE_LINE = re.compile(r"^(?:seedshift|test_subject\.py)?\s+(\d+/\d+ .*?)(?:  about [\w ]+ left)?$")
_COSTS = re.compile(r'<details class="costs">.*?</details>', re.DOTALL)
_COST = re.compile(r'(<td[^>]* data-value=")[\d.]*\.[\d.]*("[^>]*>)[\d.,]+<')
_DIGITS = re.compile(r"\b\d+\.\d{7,}(?:e-?\d+)?\b")
_DATA = re.compile(r"data:([\w/+.-]+);base64,([A-Za-z0-9+/=]+)")
_HASH = re.compile(
    r"\b(?:m[0-9a-f]{10}|[0-9a-f]{64}|[0-9a-f]{32}|[0-9a-f]{16}|[0-9a-f]{12})\b|(?<=-)[0-9a-f]{8}(?=\.png)"
)


def normalise(name: str, text: str, folder: Path) -> str:
    """An output without what varies from run to run or from machine to machine, and without pictures.

    Args:
        name: of the output; its suffix says what it is.
        text: the output.
        folder: that it was made in.
    """
    text = text.replace(str(folder.resolve()), "FOLDER").replace(str(folder), "FOLDER")
    if name.endswith(".json"):
        return json.dumps(_normalise_json(json.loads(text)), indent=1, ensure_ascii=False) + "\n"
    if name.endswith(".txt"):
        lines = (_CASE_LINE.sub(r"  \1", line.rstrip()) for line in text.splitlines())
        text = "\n".join(line for line in lines if not _BY_THE_CLOCK.search(line)) + "\n"
    if name.endswith(".html"):
        text = _DATA.sub(lambda found: f"data:{found[1]};sha256,{_digest(found[2])}", text)
        text = _COSTS.sub(lambda found: _COST.sub(r"\1TIME\2TIME<", found[0]), text)
    for pattern, instead in VARYING:
        text = re.sub(pattern, instead, text, flags=re.MULTILINE)
    return _DIGITS.sub(lambda found: f"{float(found[0]):.6g}", text)  # processors differ in the last digits


def _normalise_json(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: VARYING_KEYS.get(key) or _normalise_json(each) for key, each in value.items()}
    if isinstance(value, list):
        return list(map(_normalise_json, value))
    if isinstance(value, float):  # processors differ in the last digits
        return float(f"{value:.6g}")
    if isinstance(value, str):
        for pattern, instead in VARYING:
            value = re.sub(pattern, instead, value)
    return value


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def of_any_environment(text: str) -> str:
    """An output without hashes of pictures, weights with libraries' versions, keys: other libraries, other hashes."""
    return _HASH.sub("HASH", text)


# Kept outputs -----------------------------------------------------------------------------------------------------


def read_golden() -> dict[str, str]:
    """The outputs that are kept, by name."""
    outputs = {}
    for file in GOLDEN.iterdir():
        content = file.read_bytes()
        if file.suffix == ".gz":
            outputs[file.stem] = gzip.decompress(content).decode()
        else:
            outputs[file.name] = content.decode()
    return outputs


def write_golden(outputs: Mapping[str, str]) -> None:
    """Keep outputs in place of those before; what is large is compressed, to the same bytes every time."""
    shutil.rmtree(GOLDEN, ignore_errors=True)
    GOLDEN.mkdir(parents=True)
    for name, text in {**outputs, ENVIRONMENT: json.dumps(environment(), indent=1) + "\n"}.items():
        content = text.encode()
        if len(content) > 50_000:
            GOLDEN.joinpath(f"{name}.gz").write_bytes(gzip.compress(content, mtime=0))
        else:
            GOLDEN.joinpath(name).write_bytes(content)


def differences_from_golden(outputs: Mapping[str, str]) -> list[str]:
    """What differs from the outputs that are kept.

    With other libraries or on another processor, of all but hashes and by more than `NEAR`.
    """
    from helpers.output_differences import differences  # as a script, `main` has to say first where that lies

    kept = read_golden() if GOLDEN.is_dir() else {}
    same = json.loads(kept.pop(ENVIRONMENT, "{}")) == environment()
    if same:
        return differences(kept, outputs)
    before, now = ({name: of_any_environment(text) for name, text in each.items()} for each in (kept, outputs))
    return differences(before, now, NEAR)


def main() -> None:
    import argparse

    sys.path.insert(0, str(Path(__file__).parents[1]))  # as pytest has it
    from helpers import warm

    parser = argparse.ArgumentParser(description="Make the standard run and say what differs from its kept outputs.")
    parser.add_argument("--write", action="store_true", help="keep the outputs as they are now")
    parser.add_argument("--keep", metavar="FOLDER", type=Path, help="leave the run's folder there, too")
    options = parser.parse_args()
    with TemporaryDirectory(prefix="run") as folder, warm.python(Path(folder)) as python:
        project = Path(folder, "project")
        project.mkdir()
        outputs = make(project, str(python))
        if options.keep:
            shutil.copytree(project, options.keep)
    found = differences_from_golden(outputs)
    print("\n".join(found) or "nothing differs")
    if options.write:
        write_golden(outputs)
    sys.exit(bool(found) and not options.write)


if __name__ == "__main__":
    main()
