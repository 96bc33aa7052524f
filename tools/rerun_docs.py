"""Runs the commands of the documentation that are about the toys, and keeps what they print: pages quote it.

    python -m tools.rerun_docs --out FOLDER [PAGE…]

Each page's blocks run one after the other, in a folder that all pages share: no image is made twice, and what was
stopped goes on. What a page's commands print is FOLDER/PAGE.txt, each behind its command.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
TOY = re.compile(r"\btoy-(latent|glide)|^python benchmarks/", re.MULTILINE)


def blocks(page: Path) -> Iterator[str]:
    """The shell blocks of a page that run toys."""
    for found in re.findall(r"^```sh\n(.*?)^```$", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE):
        if TOY.search(found) and "pip install" not in found:
            yield found


def run(page: Path, out: Path) -> bool:
    """Runs a page's blocks, and keeps what they print.

    Args:
        page: which.
        out: where that goes.

    Returns:
        Whether each ended in 0 or 1; 1 says that a toy breaks a threshold, which is a figure like any other.
    """
    place = out / "run"
    place.mkdir(parents=True, exist_ok=True)
    for name in ("benchmarks", "tools"):
        if not (place / name).exists():
            (place / name).symlink_to(ROOT / name)
    paths = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    printed, well = [], True
    for block in blocks(page):
        begun = time.monotonic()
        done = subprocess.run(
            ["bash", "-c", block],
            cwd=place,
            env={**os.environ, "PATH": paths, "COLUMNS": "200"},
            check=False,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        well = well and done.returncode in (0, 1)
        printed.append(
            f"$ {block.rstrip()}\n{done.stdout}\n# status {done.returncode}, {time.monotonic() - begun:.0f} s"
        )
    if printed:
        name = "-".join(page.relative_to(ROOT).with_suffix(".txt").parts)
        (out / name).write_text("\n\n".join(printed) + "\n", encoding="utf-8")
    return well


def main() -> None:
    """Runs some pages' commands, else those of all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pages", type=Path, nargs="*", metavar="PAGE", help="(README.md and docs/**/*.md)")
    parser.add_argument("--out", type=Path, required=True, help="a folder for what is printed, and for the images")
    arguments = parser.parse_args()
    pages = arguments.pages or [ROOT / "README.md", *sorted(ROOT.glob("docs/**/*.md"))]
    out = arguments.out.resolve()
    failed = [page for page in map(Path.resolve, pages) if any(blocks(page)) and not run(page, out)]
    sys.exit(f"could not be run: {', '.join(map(str, failed))}" if failed else 0)


if __name__ == "__main__":
    main()
