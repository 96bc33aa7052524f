"""Puts exported toys into the package, and the second classifier among the tests' data: says how, or with --write does.

    python -m tools.toys.ship --work WORK
    python -m tools.toys.ship --work WORK --write

What is not there, is no safetensors file or is much larger than what it replaces is refused before anything is written.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from .training import replace_folder

ROOT = Path(__file__).parents[2]
PLACES = {
    "toy-latent": "pytest_seedshift/models/toys/toy-latent",
    "toy-latent-zsnr/unet": "pytest_seedshift/models/toys/toy-latent-zsnr/unet",
    "toy-glide": "pytest_seedshift/models/toys/toy-glide",
    "toy-vit": "pytest_seedshift/scorers/toys/toy-vit",
    "toy-clip": "pytest_seedshift/scorers/toys/toy-clip",
    "toy-conv": "tests/data/toy-conv",
}
"""By folder in WORK/out, where it goes."""

LARGER = 1.25
"""All that ships together may be so much larger than what ships today."""

_SUFFIXES = {".json", ".safetensors", ".txt", ".bpe", ".model"}


class Change(NamedTuple):
    """A folder that replaces another one: its name, both places, and their bytes."""

    name: str
    source: Path
    target: Path
    before: int
    after: int


def size(folder: Path) -> int:
    """The bytes of all files of a folder; 0 where there is none."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def changes(work: Path, root: Path = ROOT, names: Sequence[str] = tuple(PLACES)) -> list[Change]:
    """What would replace what; `names` are those of `PLACES`."""
    found = []
    for name in names:
        place = PLACES[name]
        source, target = work / "out" / name, root / place
        found.append(Change(name, source, target, size(target), size(source)))
    return found


def problems(found: list[Change]) -> Iterator[str]:
    """Why it cannot be done."""
    for each in found:
        paths = sorted(each.source.rglob("*"))
        if not any(path.suffix == ".safetensors" for path in paths):
            yield f"{each.source} holds no weights: export {each.name} first"
        for path in paths:
            if path.is_symlink() or (path.is_file() and path.suffix not in _SUFFIXES):
                yield f"{path} is no configuration and no safetensors file: nothing else ships"
    wheel = [each for each in found if each.before and not PLACES[each.name].startswith("tests/")]
    before, after = sum(each.before for each in wheel), sum(each.after for each in wheel)
    if before and after > LARGER * before:
        yield f"what ships would grow from {before / 1e6:.1f} to {after / 1e6:.1f} MB, by more than {LARGER - 1:.0%}"


def main() -> None:
    """Puts exported toys where they ship from."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--work", type=Path, required=True, help="holds out/, as train_all and the exports leave it")
    parser.add_argument("--root", type=Path, default=ROOT, help="of the project, for trials")
    parser.add_argument("--only", choices=PLACES, nargs="+", default=list(PLACES), help="some of them (all)")
    parser.add_argument("--write", action="store_true", help="do it; without this it is only said")
    arguments = parser.parse_args()
    found = changes(arguments.work, arguments.root, arguments.only)
    for each in found:
        print(f"{each.name:22} {each.before / 1e6:6.2f} → {each.after / 1e6:6.2f} MB  {PLACES[each.name]}")
    if wrong := list(problems(found)):
        sys.exit("\n".join(wrong))
    if not arguments.write:
        print("nothing was written: --write does it")
        return
    for each in found:
        replace_folder(each.target, lambda beside, each=each: shutil.copytree(each.source, beside, dirs_exist_ok=True))
    print("written. Store keys of the toys are others from now on; run: python tests/helpers/standard_run.py")


if __name__ == "__main__":
    main()
