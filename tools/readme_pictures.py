"""Makes the README's pictures: the contact sheet, what shifts do to the same seed vectors, and the report.

python -m tools.readme_pictures REPORT.html [--chromium PATH] [--out docs]
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import torch
from playwright.sync_api import sync_playwright
from torch import Tensor
from torch.nn.functional import interpolate
from torchvision.utils import save_image

from pytest_seedshift.core.cases import Case
from pytest_seedshift.models import catalogue
from pytest_seedshift.results.run_folder import RunFolder
from pytest_seedshift.runner.workbench import Workbench

CASES = (Case("toy-latent"), Case("toy-latent", "arrangement", 0.3), Case("toy-latent", "mean", 0.3))
SAMPLERS = tuple(Case(model, "mean", magnitude) for model in ("toy-glide", "toy-glide-ddim") for magnitude in (0, 0.3))
SIZE = 64


def main() -> None:
    """Write contact-sheet.png, shifts.png, samplers.png and report.png."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("report", type=Path, help="a report of pytest-html with toy-latent's cases")
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    parser.add_argument("--out", type=Path, default=Path("docs"))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        bench = Workbench(RunFolder(Path(folder)), "cpu", "float32", batch_size=64)
        save_image(by_class(bench, CASES[0]), options.out / "contact-sheet.png", nrow=16, padding=2, pad_value=1)
        for name, cases in (("shifts", CASES), ("samplers", SAMPLERS)):
            firsts = [by_class(bench, case)[:16] for case in cases]
            save_image(torch.cat(firsts), options.out / f"{name}.png", nrow=16, padding=2, pad_value=1)
    screenshot(options.report, options.out / "report.png", options.chromium)


def by_class(bench: Workbench, case: Case) -> Tensor:
    """A case's images, sorted so that a column is a class and a row a seed index: (64, 3, SIZE, SIZE) in [0, 1]."""
    pairs = sorted(catalogue.shipped().design(case.model, 64), key=lambda pair: (pair.seed, pair.label.index))
    (batch,) = bench.service.engine(case.model).run(case, pairs)
    return interpolate(batch.images, (SIZE, SIZE))


def screenshot(report: Path, path: Path, chromium: str) -> None:
    """The upper part of a report as a reader sees it."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 960})
        page.goto(report.resolve().as_uri())
        page.wait_for_timeout(500)
        page.screenshot(path=path)
        browser.close()


if __name__ == "__main__":
    main()
