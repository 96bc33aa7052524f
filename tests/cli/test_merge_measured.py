"""What shards have measured of their pictures, beside verdicts: joined, it is what one run of all has measured."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from helpers.runs import EASY
from pytest_seedshift.__main__ import main
from pytest_seedshift.results import label_shares, shifted_likeness

pytestmark = pytest.mark.usefixtures("memory")

TOY = Path(__file__).parents[2] / "pytest_seedshift/models/toys/toy-latent"
THRESHOLDS = f"""
{EASY}
[models.quick]
pipeline = '{TOY}'
steps = 5
guidance = 1.0
classes = "two.csv"
scorers = "toy"
"""
RUN = (
    *("--seedshift-model=quick", "--seedshift-images=12", "--seedshift-batch-size=12", "--seedshift-exact"),
    *("--seedshift-shift=mean", "--seedshift-magnitude=-0.3,0.3", "--seedshift-keep-images=all"),
)


def test_likeness_under_shifts_and_shares_by_label_are_those_of_one_run(pytester, run, capsys):
    pytester.path.joinpath("thresholds.toml").write_text(THRESHOLDS)
    pytester.path.joinpath("two.csv").write_text("label,index\nsnail,14\npenguin,7\n")
    run(*RUN, "--seedshift-dir=whole").assert_outcomes(passed=3)
    for number in (1, 2, 3):  # a page of a shard nobody looks at
        part = (f"--seedshift-shard={number}/3", f"--seedshift-dir=part-{number}", "--seedshift-report=none")
        run(*RUN, *part).assert_outcomes(passed=1, deselected=2)
    shards = [f"part-{number}" for number in (1, 2, 3)]
    assert sum(bool(label_shares.read(Path(name))) for name in shards) == 1  # of the one that has the control
    assert main(["merge", *shards, "--output", "merged"]) == 0
    assert "left out" not in capsys.readouterr().out
    (whole,) = label_shares.read(Path("whole")).values()
    assert whole.pictures == {"snail": 6, "penguin": 6}
    assert label_shares.read(Path("merged")) == {"quick": whole}
    cases = shifted_likeness.read(Path("whole"))
    assert [case.magnitude for case in cases] == [-0.3, 0.3]
    assert shifted_likeness.read(Path("merged")) == cases
    page = Path("merged/report.html").read_text()
    assert "label by label" in page
    assert "How far shifts move the picture" in page

    # What was measured of other pictures is not what is shown beside these.
    (of_control,) = (name for name in shards if label_shares.read(Path(name)))
    file = Path(of_control, label_shares.FILE_NAME)
    document = json.loads(file.read_text())
    document["models"][0]["of"] = "another"
    file.write_text(json.dumps(document))
    assert main(["merge", *shards, "--output", "merged"]) == 0
    assert "warning: quick: what the seed vector explains label by label is left out" in capsys.readouterr().out
    assert label_shares.read(Path("merged")) == {}
    assert "label by label" not in Path("merged/report.html").read_text()
