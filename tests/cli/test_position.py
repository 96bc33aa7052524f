"""Position control from the command line and in a test: what it says, writes, keeps and refuses."""

from __future__ import annotations

import io
import json
import re
import sqlite3
from contextlib import chdir, closing, redirect_stdout
from types import SimpleNamespace

import pytest

from helpers.pages import blocks
from pytest_seedshift.__main__ import main
from pytest_seedshift.core.cases import Case
from pytest_seedshift.models import catalogue
from pytest_seedshift.results import run as runs
from pytest_seedshift.results.run_folder import RunFolder
from pytest_seedshift.runner.workbench import Workbench
from pytest_seedshift.studies import position_control

pytestmark = pytest.mark.usefixtures("memory", "warm_executable")

DESIGN = catalogue.shipped().design("toy-latent", 16)


def study(folder, *arguments):
    """Run the command; its status, what it printed, and its files."""
    told = io.StringIO()
    with chdir(folder.parent), redirect_stdout(told):  # where no conftest and no thresholds file of ours lies
        status = main(["position", "toy-latent", "--images=16", "--batch-size=16", f"--dir={folder}", *arguments])
    page, data = (folder / f"position-toy-latent.{end}" for end in ("html", "json"))
    return SimpleNamespace(
        status=status, said=told.getvalue(), page=page.read_text(), data=json.loads(data.read_text()), folder=folder
    )


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return study(tmp_path_factory.mktemp("position") / "run")


def rows(path, query):
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(query).fetchall()


def test_the_table_has_a_line_for_each_direction_the_sign_and_the_null(made):
    names = ["all directions", "left", "right", "up", "down", "sign +", "sign −", "sign ±", "null"]
    assert [row["name"] for row in made.data["rows"]] == names
    for name in names:
        assert re.search(rf"^  {re.escape(name)} +[+-]\d+\.\d", made.said, re.MULTILINE), name
    assert "all intervals hold together at 99 %" in made.said
    assert "position-toy-latent.html" in made.said


def test_the_null_is_not_displaced_beyond_its_interval(made):
    null = made.data["rows"][-1]
    for part in ("along", "across"):
        assert null[part]["low"] < 0 < null[part]["high"]
    assert made.status == 0
    assert "The null, which has no direction, is not displaced beyond its interval" in made.said


def test_the_rows_are_what_the_positions_in_the_file_say(made):
    arm = made.data["arms"]["left"]
    moved = [before["x"] - after["x"] for before, after in zip(made.data["control"], arm["positions"], strict=True)]
    left = next(row for row in made.data["rows"] if row["name"] == "left")
    assert left["along"]["mean"] == pytest.approx(sum(moved) / 16)
    assert left["pairs"] == 16
    towards = [row["along"]["mean"] for row in made.data["rows"] if row["kind"] == "towards"]
    assert made.data["rows"][0]["along"]["mean"] == pytest.approx(sum(towards) / 4)


def test_the_page_needs_nothing_else_and_shows_every_arm(made):
    assert not re.search(r"""(src|href)=["'](?!data:|#)""", made.page)
    assert not re.search(r"https?://(?!www\.w3\.org/)", made.page)
    assert "<script" not in made.page
    assert made.page.count("<figure") == 7
    strips = made.page[made.page.index('id="strips-title"') :]
    assert strips.count("<use href=") == 8 * 8
    assert 'aria-label="control: ' in strips


def test_a_second_run_makes_nothing_and_says_the_same(made):
    again = study(made.folder)
    assert "128 images made in" in made.page
    assert "All 128 images were in the store, none was made." in again.page
    assert again.said == made.said
    assert again.data == made.data


def test_its_samples_are_there_for_a_verdict_and_a_report_reads_the_folder(made):
    bench = Workbench(RunFolder(made.folder), "cpu", None)
    with closing(bench):
        assert bench.missing(Case("toy-latent"), DESIGN) == []
        assert bench.missing(Case("toy-latent", "random:left", 0.3), DESIGN) == []
        bench.scheduler.collect(Case("toy-latent", "mean", 0.3), DESIGN, 2)  # without positions
    run = runs.load(made.folder)
    by_case = {each.case: each for each in run.cases}
    assert len(by_case) == 9
    assert len(by_case[Case("toy-latent")].samples) == 16
    assert len(by_case[Case("toy-latent", "mean", 0.3)].samples) == 2


@pytest.mark.slow
def test_measuring_anew_changes_no_score(tmp_path):
    bench = Workbench(RunFolder(tmp_path / "run"), "cpu", None, batch_size=8)
    bench.folder.prepare()
    with closing(bench):
        first = position_control.run(bench, "toy-latent", directions=["left"], images=16)
        store = bench.folder.samples_file
        kept = rows(store, "SELECT * FROM scores WHERE scores NOT LIKE '%position%' ORDER BY image, scorer")
        with closing(sqlite3.connect(store)) as connection, connection:
            connection.execute("DELETE FROM scores WHERE scores LIKE '%position%'")
        second = position_control.run(bench, "toy-latent", directions=["left"], images=16)
    assert first.generated == 48
    assert 0 < second.generated < 48  # pictures that were kept are measured as they are
    assert rows(store, "SELECT * FROM scores WHERE scores NOT LIKE '%position%' ORDER BY image, scorer") == kept
    for before, after in zip(first.placed["left"], second.placed["left"], strict=True):
        assert (after.x, after.y) == pytest.approx((before.x, before.y), abs=1e-4)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["toy-latent", "--magnitude=0"], "magnitude 0: nothing would move"),
        (["toy-latent", "--shift=lef"], "unknown direction 'lef'. Did you mean 'left'?"),
        (["toy-latent", "--shift=mean"], "unknown direction 'mean'. Known: down, left, right, sign, up"),
        (["toy-latnet"], "unknown model 'toy-latnet'. Did you mean 'toy-latent'?"),
        (["toy-latent+foo"], "unknown change of a model 'foo'"),
        (["toy-latent+ddim+ancestral"], "'ddim' and 'ancestral' contradict each other"),
        (["toy-latent", "--images=3"], "3 images are fewer than the 16 classes"),
        (["toy-latent", "--images=0"], "--images 0: give a whole number of at least 1"),
        (["toy-latent", "--certainty=1"], "certainty = 1.0: give a number above 0.5 and below 1"),
        (["toy-latent", "--device=abacus"], "the device 'abacus' is not there"),
        (["toy-latent", "--dir=/dev/null/run"], "error: --dir=/dev/null/run: the run folder cannot be written to"),
    ],
)
def test_a_mistake_is_said_in_a_line_before_anything_is_made(tmp_path, monkeypatch, capsys, arguments, said):
    monkeypatch.chdir(tmp_path)
    assert main(["position", *arguments]) == 4
    told = capsys.readouterr()
    assert said in told.err
    assert "Traceback" not in told.err
    assert told.out == ""
    assert not list(tmp_path.glob("**/*.png"))


@pytest.mark.slow
def test_the_example_of_the_guide_passes_and_a_wrong_direction_is_told_without_a_traceback(pytester, run):
    (example,) = blocks("python", "docs/how-to/position.md")
    wrong = "\ndef test_wrong(seedshift_position):\n    seedshift_position(directions=['north'])\n"
    pytester.makepyfile(example + wrong)
    result = run("--seedshift-model=toy-latent", "--seedshift-images=16", "-k", "objects or wrong")
    result.assert_outcomes(passed=1, failed=1, deselected=31)
    result.stdout.fnmatch_lines(["*seedshift_position: unknown direction 'north'. Known: *"])
    result.stdout.no_fnmatch_line("*Traceback*")


PLANTED = """
import torch

from pytest_seedshift import Axes, seed_vectors


class Planted:
    \"\"\"Draws a square, out of the middle by a quarter of the difference between its seed vector's halves.\"\"\"

    name = fingerprint = "planted"
    seed_shape, seed_axes = (3, 32, 32), Axes(channels=0, height=1, width=2)

    def __init__(self, device, dtype):
        pass

    def generate(self, pairs, shift=None, on_step=None):
        z = seed_vectors(pairs, self.seed_shape)
        z = z if shift is None else shift(z, pairs)
        side = torch.linspace(-1, 1, 32).sign()
        middle = torch.stack([(z * side).mean((1, 2, 3)), (z * side[:, None]).mean((1, 2, 3))], 1) / 2
        place = (torch.arange(64) + 0.5) / 64 - 0.5
        x, y = ((place - each[:, None]).abs() < 0.15 for each in middle.mT)
        square = (x[:, None, :] & y[:, :, None]).float()
        return (0.8 - 0.6 * square)[:, None].expand(-1, 3, -1, -1).clone()


def pytest_seedshift_models():
    return {"planted": Planted}
"""

# Times u, whose mean is 0.5, a ramp from 0 to 2 gives the halves of the seed vector the means 0.25 and 0.75 times η.
# Half the mean over both, one of them with its sign turned, is a quarter of their difference: 0.125 of the width.
PLANTED_TESTS = """
import pytest

def test_planted(seedshift_position):
    study = seedshift_position(magnitude=1.0, directions=["left", "down"])
    for name in ("left", "down"):
        assert study.row(name).along.mean == pytest.approx(0.125, abs=0.03)
        assert study.row(name).moves
        assert study.row(name).across.low < 0 < study.row(name).across.high
    assert not study.null.moves_at_all
"""


@pytest.mark.slow
def test_a_model_of_one_s_own_that_follows_the_direction_is_found_to_follow_by_about_as_much(pytester, run):
    pytester.makeconftest(PLANTED)
    pytester.makefile(".toml", thresholds='[models.planted]\nclasses = "toy16"\nscorers = "toy"\n')
    pytester.makepyfile(PLANTED_TESTS)
    options = ("--seedshift-model=planted", "--seedshift-images=16", "--seedshift-batch-size=16")
    result = run(*options, "-k", "test_planted")
    result.assert_outcomes(passed=1, deselected=31)


@pytest.mark.slow
def test_the_command_knows_a_model_of_a_conftest_and_writes_where_it_is_told(pytester, capfd):
    pytester.makeconftest(PLANTED)
    pytester.makefile(".toml", thresholds='[models.planted]\nclasses = "toy16"\nscorers = "toy"\n')
    asked = ["position", "planted", "--images=16", "--batch-size=16", "--shift=left"]
    assert main([*asked, "--output=page.html", "--json"]) == 0
    told = capfd.readouterr()
    found = json.loads(told.out)
    assert (found["model"], [row["name"] for row in found["rows"]]) == ("planted", ["left", "null"])
    assert found == json.loads((pytester.path / "page.json").read_text())
    assert "all intervals hold together at 99 %" in told.err
    assert not (pytester.path / ".seedshift/position-planted.html").exists()
    assert main([*asked, "--output=-"]) == 0
    told = capfd.readouterr()
    assert told.out.lower().startswith("<!doctype html>")
    assert "seedshift position planted --images=16 --batch-size=16 --shift=left --output=-" in told.out
