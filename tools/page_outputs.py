"""Renews the outputs that pages show, each by the command that stands in a comment before it.

A comment has the command and, if not all of what it prints is shown, the first and the last line of each part:

    <!-- output: pytest seedshift --seedshift-model=toy-latent | from: ^toy-latent$ | to: ^  arrangement -->

What stands in place of a command as `the program above` is the block of Python before it. Blocks that follow a line
with no more than a file's name, such as "`prompts.csv`:", are the files of the folder in which the page's commands run.

python -m tools.page_outputs [PAGE ...] [--write] [--store FOLDER]

With a store all commands share a run folder, so that no image is made twice and what was stopped goes on.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ABOVE = "the program above"
_FILE = re.compile(r"^`([\w./-]+\.\w+)`:\n+```[a-z]*\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_BLOCK = re.compile(r"^<!-- output: (.*?) -->\n+```[a-z]*\n(.*?)^```$", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class Output:
    """A block of output.

    Attributes:
        command: for a shell, or a program of Python.
        parts: the first and the last line of each part that is shown, as regular expressions; empty for all.
        shown: the block.
        start: where the block begins in its page.
    """

    command: str
    parts: tuple[tuple[str, str], ...]
    shown: str
    start: int


def outputs(page: str) -> list[Output]:
    """The blocks of output of a page that have a command.

    Raises:
        ValueError: a comment that is not as it should be.
    """
    found = []
    for match in _BLOCK.finditer(page):
        command, *rest = re.split(r" \| (?=from: |to: )", match[1])
        if [each.partition(": ")[0] for each in rest] != ["from", "to"] * (len(rest) // 2):
            raise ValueError(f"give pairs of `from: …` and `to: …`: {match[1]}")
        lines = [each.partition(": ")[2] for each in rest]
        if command == ABOVE:
            command = re.findall(r"^```python\n(.*?)^```$", page[: match.start()], re.DOTALL | re.MULTILINE)[-1]
        found.append(Output(command, tuple(zip(lines[::2], lines[1::2], strict=True)), match[2], match.start(2)))
    return found


def files(page: str) -> dict[str, str]:
    """The files that a page shows, by name."""
    return {match[1]: match[2] for match in _FILE.finditer(page)}


def part(printed: str, parts: Sequence[tuple[str, str]]) -> str:
    """What of a command's output is shown.

    Raises:
        ValueError: a line is not there.
    """
    if not parts:
        return printed.strip("\n") + "\n"
    lines, shown, at = printed.splitlines(), [], 0
    for first, last in parts:
        begin = _line(lines, first, at)
        at = _line(lines, last, begin) + 1
        shown += lines[begin:at]
    return "\n".join(shown) + "\n"


def _line(lines: Sequence[str], pattern: str, after: int) -> int:
    for number, line in enumerate(lines[after:], after):
        if re.search(pattern, line):
            return number
    raise ValueError(f"no line with {pattern!r} in what the command prints:\n" + "\n".join(lines))


def shape(text: str) -> list[str]:
    """Words and signs of a text, without numbers, room and verdicts: what does not depend on the models' weights."""
    plain = re.sub(r"[✗≈*†]|[-+±]?\d[\d.,e–-]*| · worst .*", "", text)
    return [" ".join(line.split()) for line in plain.splitlines()]


def run(command: str, folder: Path, store: Path | None = None, shown: Mapping[str, str] | None = None) -> str:
    """What a command prints on the standard output, in a folder of its own.

    Args:
        command: for a shell; a program of Python, where it has several lines.
        folder: in which it runs.
        store: its run folder, which others may have used; None for a new one.
        shown: files that it finds there, by name.

    Raises:
        RuntimeError: it ended in another status than 0 and 1.
    """
    for name, text in (shown or {}).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    if store:
        store.mkdir(parents=True, exist_ok=True)
        (folder / ".seedshift").symlink_to(store.resolve())
    program = [sys.executable, "-c", command] if "\n" in command else ["bash", "-c", command]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | {"PATH": path, "PYTHONIOENCODING": "utf-8"}
    ended = subprocess.run(program, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if ended.returncode not in (0, 1):
        raise RuntimeError(f"{command}: status {ended.returncode}\n{ended.stdout}{ended.stderr}")
    return ended.stdout


def renewed(page: str, printed: Mapping[str, str]) -> str:
    """A page with what its commands print now."""
    for output in reversed(outputs(page)):
        end = output.start + len(output.shown)
        page = page[: output.start] + part(printed[output.command], output.parts) + page[end:]
    return page


def main() -> None:
    """Run the commands of pages; show which outputs have another shape, or write all of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pages", nargs="*", type=Path, help="else all that have such outputs")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--store", type=Path, metavar="FOLDER")
    options = parser.parse_args()
    pages = options.pages or [ROOT / "README.md", *sorted(ROOT.glob("docs/**/*.md"))]
    printed: dict[str, str] = {}
    differ = 0
    for path in pages:
        page = path.read_text()
        for output in outputs(page):
            if output.command not in printed:
                print(f"{path.name}: {output.command}", flush=True)
                with tempfile.TemporaryDirectory() as folder:
                    printed[output.command] = run(output.command, Path(folder), options.store, files(page))
            now = part(printed[output.command], output.parts)
            if shape(now) != shape(output.shown):
                differ += 1
                print(f"{path.name}: was\n{output.shown}now\n{now}")
        if options.write:
            path.write_text(renewed(page, printed))
    sys.exit(1 if differ and not options.write else 0)


if __name__ == "__main__":
    main()
