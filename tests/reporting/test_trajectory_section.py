"""Trajectories on the page: what is there, why something is not, and nothing but text of what others have named."""

from __future__ import annotations

import re

import pytest

from helpers import synthetic, wanderings
from pytest_seedshift.core.cases import Case
from pytest_seedshift.reporting import page
from pytest_seedshift.results import run
from pytest_seedshift.studies.trajectories import files

PLAN = synthetic.Plan(images=8, pictures=2)
NAMES = (("toy-latent", "none", 0.0), ("toy-latent", "mean", 0.3))


@pytest.fixture
def folder(tmp_path):
    folder = synthetic.write(tmp_path / "run", PLAN)
    for name in NAMES:
        wanderings.add(folder, Case(*name), "print of toy-latent")
    return folder


def section(folder) -> str:
    """The page's part about trajectories; empty where there is none."""
    found = re.search(r'<section id="trajectories".*?</section>', page.make(run.load(folder.path)), re.DOTALL)
    return " ".join(found[0].split()) if found else ""


def test_a_run_without_trajectories_has_no_such_part(tmp_path):
    assert section(synthetic.write(tmp_path / "run", PLAN)) == ""


def test_table_curves_planes_and_pictures_are_those_of_the_recorded_cases(folder):
    html = section(folder)
    kept = files.read(files.path_of(folder, Case(*NAMES[1]), "print of toy-latent")).trajectory
    assert f"<td>{kept.discontinuity:.2f}</td>" in html
    assert html.count("<figure") == 4  # two curves, two planes
    assert html.count("predicted after step 8, control: owl") == 1
    assert html.count("predicted after step 1, shifted: pizza") == 1
    assert "A note." in html
    assert "Not recorded: <bdi>mean</bdi> -0.30, <bdi>std</bdi> -0.30, <bdi>std</bdi> +0.30." in html
    assert "toy-glide" not in html


def test_what_cannot_be_read_or_was_not_recorded_is_said(folder):
    paths = sorted(files.find(folder))
    paths[0].write_bytes(b"damaged")
    files.write_reason(paths[1], Case(*NAMES[0]), "print of toy-latent", "no callback")
    html = section(folder)
    assert f"{paths[0].name} cannot be read" in html
    assert "No trajectory of control: <bdi>no callback</bdi>." in html


def test_pictures_that_are_lost_have_a_place_that_says_so(folder):
    for path in folder.trajectories_folder.glob("*/*.png"):
        path.unlink()
    assert section(folder).count("picture missing") == 8


def test_trajectories_of_another_version_of_the_model_are_not_shown(folder):
    for name in NAMES:
        path = files.path_of(folder, Case(*name), "print of toy-latent")
        kept = files.read(path).trajectory
        path.unlink()
        files.write(path, "another", kept)
    assert section(folder) == ""


def test_no_picture_from_outside_of_the_folder_gets_on_the_page(folder, tmp_path):
    (tmp_path / "secret.png").write_bytes(next(folder.path.rglob("*.png")).read_bytes())
    for path in folder.trajectories_folder.glob("*/*.png"):
        path.unlink()
        path.symlink_to(tmp_path / "secret.png")
    assert section(folder).count("picture missing") == 8


def test_names_of_pairs_and_reasons_are_text(folder):
    hostile = '<script>alert("é🦉")</script>'
    wanderings.add(folder, Case(*NAMES[1]), "print of toy-latent", ((hostile, 0), ("pizza", 1)))
    files.write_reason(
        files.path_of(folder, Case(*NAMES[0]), "print of toy-latent"), Case(*NAMES[0]), "print of toy-latent", hostile
    )
    html = section(folder)
    assert "<script>" not in html
    assert html.count("&lt;script&gt;alert(&#34;é🦉&#34;)&lt;/script&gt;") > 2
