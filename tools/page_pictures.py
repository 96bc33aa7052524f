"""Makes the pictures of the README and of the documentation, from runs of its own.

python -m tools.page_pictures [NAME ...] [--chromium PATH] [--out docs]

contact-sheet, shifts and samplers are the toys' pictures; report and robustness are the pages of the default
run of `toy-latent`; trajectories is of `toy-latent` and `toy-glide`. Without names all are made.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import torch
from PIL import Image
from playwright.sync_api import Locator, Page, sync_playwright
from torch import Tensor
from torch.nn.functional import interpolate
from torchvision.utils import save_image

from pytest_seedshift.core.cases import Case
from pytest_seedshift.models import catalogue
from pytest_seedshift.results.run_folder import RunFolder
from pytest_seedshift.runner.workbench import Workbench

CASES = (Case("toy-latent"), Case("toy-latent", "arrangement", 0.3), Case("toy-latent", "mixed", -0.3))
SAMPLERS = tuple(
    Case(model, "mixed", magnitude) for model in ("toy-glide", "toy-glide-ddim") for magnitude in (0, -0.3)
)
SIZE = 64
WIDTH = 1280
GAP = 20
DEFAULT_RUN = ("--seedshift-model=toy-latent", "--html=report.html", "--self-contained-html")
TRAJECTORIES = (
    "--seedshift-model=toy-latent,toy-glide",
    "--seedshift-shift=mixed",
    "--seedshift-magnitude=-0.3",
    "--seedshift-images=64",
    "--seedshift-trajectories=4",
)
CROSSED = (
    *("why", "toy-latent+steps=10+noclip", "toy-glide+steps=10+noclip", "--factors", "sampler,guidance=1,2,7.5"),
    *("--shift", "mixed", "--images", "400", "--output", "crossed.html"),
)


def main() -> None:
    """Write the pictures that are named."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(MAKERS))
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    parser.add_argument("--out", type=Path, default=Path("docs"))
    parser.add_argument("--store", type=Path, help="a run folder to share, so that no image is made twice")
    options = parser.parse_args()
    if unknown := set(options.names) - MAKERS.keys():
        parser.error(f"unknown: {', '.join(sorted(unknown))}. Known: {', '.join(MAKERS)}")
    makers = {maker: [] for maker in MAKERS.values()}
    for name in options.names or MAKERS:
        makers[MAKERS[name]].append(name)
    with tempfile.TemporaryDirectory() as folder:
        for number, (maker, names) in enumerate(makers.items()):
            if names:
                at = Path(folder) / str(number)
                at.mkdir()
                if options.store:
                    (at / ".seedshift").symlink_to(options.store.resolve())
                maker(names, at, options.out.resolve(), options.chromium)


def toys(names: list[str], folder: Path, out: Path, _chromium: str) -> None:
    """What the toys draw: all without a shift, and the first of each class under some."""
    bench = Workbench(RunFolder(folder), "cpu", "float32", batch_size=64)
    if "contact-sheet" in names:
        save_image(by_class(bench, CASES[0]), out / "contact-sheet.png", nrow=16, padding=2, pad_value=1)
    for name, cases in (("shifts", CASES), ("samplers", SAMPLERS)):
        if name in names:
            firsts = [by_class(bench, case)[:16] for case in cases]
            save_image(torch.cat(firsts), out / f"{name}.png", nrow=16, padding=2, pad_value=1)


def by_class(bench: Workbench, case: Case) -> Tensor:
    """A case's images, sorted so that a column is a class and a row a seed index: (64, 3, SIZE, SIZE) in [0, 1]."""
    pairs = sorted(catalogue.shipped().design(case.model, 64), key=lambda pair: (pair.seed, pair.label.index))
    (batch,) = bench.service.engine(case.model).run(case, pairs)
    return interpolate(batch.images, (SIZE, SIZE))


def pages(names: list[str], folder: Path, out: Path, chromium: str) -> None:
    """The upper part of pytest-html's page; of the report the verdict, the heat maps and a case that fails."""
    run(folder, *DEFAULT_RUN)
    if "report" in names:
        with opened(folder / "report.html", chromium) as page:
            page.screenshot(path=out / "report.png")
    if "robustness" in names:
        with opened(folder / ".seedshift/report.html", chromium) as page:
            maps = page.locator("section:has(.cell)").first.bounding_box()
            assert maps is not None
            clip = {"x": 0, "y": 0, "width": WIDTH, "height": maps["y"] + maps["height"]}
            top = page.screenshot(full_page=True, clip=clip)  # type: ignore[arg-type]
            case = page.locator("details.case.fail, details.case").first
            case.evaluate("each => { each.open = true }")
            stacked([read(top), shot(case)]).save(out / "robustness.png", optimize=True)


def paths(_names: list[str], folder: Path, out: Path, chromium: str) -> None:
    """Of each model a row: the distance to the control by step, the control's trajectories and the shifted ones."""
    run(folder, *TRAJECTORIES)
    with opened(folder / ".seedshift/report.html", chromium) as page:
        rows = []
        for model in page.locator("#trajectories .model").all():
            distance = model.locator(".panels:not(.ways) figure").first
            rows.append(beside([shot(each) for each in (distance, *model.locator(".ways figure").all()[:2])]))
        stacked(rows).save(out / "trajectories.png", optimize=True)


def crossed(_names: list[str], folder: Path, out: Path, chromium: str) -> None:
    """What sampler and guidance do to the toys' retained scores, as the page of `why` draws it."""
    run(folder, *CROSSED, module="pytest_seedshift")
    with opened(folder / "crossed.html", chromium) as page:
        stacked([shot(each) for each in page.locator(".panels").all()]).save(out / "crossed.png", optimize=True)


def run(folder: Path, *arguments: str, module: str = "pytest") -> None:
    """Run pytest in a folder, or another module: cases may fail.

    Raises:
        RuntimeError: the run did not come to its end.
    """
    options = ("-p", "no:cacheprovider", "-q") if module == "pytest" else ()
    command = [sys.executable, "-m", module, *options, *arguments]
    ended = subprocess.run(command, cwd=folder, check=False)
    if ended.returncode not in (0, 1):
        raise RuntimeError(f"{' '.join(command)}: status {ended.returncode}")


@contextmanager
def opened(path: Path, chromium: str) -> Iterator[Page]:
    """A page in a browser."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": WIDTH, "height": 960})
        page.goto(path.resolve().as_uri())
        page.wait_for_timeout(500)
        yield page
        browser.close()


def read(data: bytes) -> Image.Image:
    """A picture of its file's bytes."""
    return Image.open(BytesIO(data)).convert("RGB")


def shot(element: Locator) -> Image.Image:
    """An element as a reader sees it."""
    element.scroll_into_view_if_needed()
    return read(element.screenshot())


def stacked(images: list[Image.Image]) -> Image.Image:
    """Pictures below each other, on white."""
    height = sum(each.height for each in images) + GAP * (len(images) - 1)
    made = Image.new("RGB", (max(each.width for each in images), height), "white")
    at = 0
    for each in images:
        made.paste(each, ((made.width - each.width) // 2, at))
        at += each.height + GAP
    return made


def beside(images: list[Image.Image]) -> Image.Image:
    """Pictures beside each other, on white."""
    made = Image.new("RGB", (sum(each.width for each in images), max(each.height for each in images)), "white")
    at = 0
    for each in images:
        made.paste(each, (at, 0))
        at += each.width
    return made


MAKERS: dict[str, Callable[[list[str], Path, Path, str], None]] = {
    "contact-sheet": toys,
    "shifts": toys,
    "samplers": toys,
    "report": pages,
    "robustness": pages,
    "trajectories": paths,
    "crossed": crossed,
}
"""What makes each picture: those of one maker are made of one run."""

if __name__ == "__main__":
    main()
