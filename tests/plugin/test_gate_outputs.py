"""One number for one thing: what a run says of its baseline is the same wherever it says it, in shards too."""

from __future__ import annotations

import json
import re
from html import unescape
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml

from helpers.painted import HEAD, RUN, losing
from pytest_seedshift.__main__ import main
from pytest_seedshift.reporting import anchors

AGAINST = (*RUN, "--seedshift-baseline=base.json")
WORSE = "mine-mean-+0.30"


@pytest.fixture
def project(pytester: pytest.Pytester) -> Path:
    """A model that is white for all labels but one has made a baseline; now it is black for four more in one case."""
    path = pytester.path
    path.joinpath("thresholds.toml").write_text(f"{HEAD}white = {{ max_regression = 0.02 }}\n")
    pytester.makeconftest(losing(1, 1, 1))
    pytester.runpytest_inprocess(*RUN, "--seedshift-exact", "--seedshift-save-baseline=base.json").assert_outcomes(
        passed=3
    )
    pytester.makeconftest(losing(1, 7, 1))
    return path


def numbers(text: str) -> set[str]:
    """All p-values with the level that they are held against."""
    return set(re.findall(r"p [\de.-]+, level [\de.-]+\d", text))


def test_all_outputs_of_a_run_say_one_number_for_one_thing(pytester, project, capsys):
    files = ("--junitxml=junit.xml", "--seedshift-summary=summary.md", "--seedshift-exact")
    result = pytester.runpytest_inprocess(*AGAINST, *files)
    result.assert_outcomes(passed=2, failed=1)
    folder = project / ".seedshift"
    records = json.loads(folder.joinpath("verdicts.json").read_text())["cases"]
    (constraint,) = next(each for each in records if each["id"] == WORSE)["constraints"]
    change, found = constraint["change"], json.loads(folder.joinpath("comparison.json").read_text())
    (row,) = (each for each in found["cases"] if each["id"] == WORSE and each["score"] == "white")
    assert row["change"] == change
    assert row["regressed"]
    assert row["before"] - row["after"] == pytest.approx(constraint["measured"]) == pytest.approx(24 / 64)
    assert (change["lost"], change["won"], change["pairs"], change["allowed"]) == (24, 0, 64, 0.02)
    assert change["level"] == pytest.approx(0.01 / 5)  # three cases, a pool of two, and one of all
    assert found["family"] == 5

    said = f"p {change['p']:.2g}, level {change['level']:.2g}"
    out = result.stdout.str()
    (failure,) = (line for line in out.splitlines() if line.startswith("mine is worse than its baseline"))
    (closing,) = (line for line in out.splitlines() if line.startswith("  mine mean +0.30"))
    assert said in failure
    assert said in closing
    assert "24 pairs of 64 turned wrong and 0 right" in failure
    assert "24 pairs of 64 turned wrong and 0 right" in closing
    properties = {
        each.get("name"): each.get("value") for each in ElementTree.parse("junit.xml").iterfind(".//property")
    }
    names = [name for name in properties if name.startswith("seedshift_white_regression")]
    assert names
    xml = Path("junit.xml").read_text()
    assert f'name="seedshift_white_regression_p" value="{change["p"]}"' in xml
    page = folder.joinpath("report.html").read_text()
    assert f'<td data-value="{change["p"]}">' in page
    assert f'<td data-value="{change["least"]}">{change["least"]:.3f}</td>' in page

    sentences = [each["sentence"] for each in found["sentences"]]
    assert len(sentences) == 3
    summary = project.joinpath("summary.md").read_text().replace("\\", "")
    for sentence in sentences:
        assert sentence.startswith("At 99 %, mine loses at most ")
        assert sentence in out
        assert sentence in page
        assert sentence in summary
    (whole,) = (each for each in found["sentences"] if each["shift"] is None)
    assert (whole["cases"], whole["pairs"], whole["lost"], whole["won"]) == (3, 192, 24, 0)
    assert whole["drop"] == pytest.approx(24 / 192)
    assert whole["drop"] < whole["most"] < 0.3

    assert main(["compare", "base.json", ".seedshift"]) == 1
    of_file = capsys.readouterr().out
    main(["compare", "base.json", ".seedshift", "--output", "other.html"])
    assert said in of_file
    assert numbers(of_file) >= numbers(closing)


def test_shards_of_a_run_with_a_baseline_merge_to_the_one_run_byte_for_byte(pytester, project, capsys):
    """One case has lost a little: alone it would be a regression, beside the whole grid, in a shard too, it is none."""
    project.joinpath("thresholds.toml").write_text(f'{HEAD}white = {{ max_regression = 0.0, significant = "any" }}\n')
    pytester.makeconftest(losing(1, 3, 1))  # eight pairs: p 0.004 is above 0.01 / 5
    one = pytester.runpytest_inprocess(*AGAINST, "--seedshift-exact", "--seedshift-dir=one")
    one.assert_outcomes(passed=3)
    for number in "123":
        shard = f"shard-{number}"
        part = pytester.runpytest_inprocess(
            *AGAINST, "--seedshift-exact", f"--seedshift-dir={shard}", f"--seedshift-shard={number}/3"
        )
        part.assert_outcomes(passed=1, deselected=2)
        part.stdout.fnmatch_lines(["*where all shards are merged"])
        assert json.loads(Path(shard, "comparison.json").read_text())["pools"] == []
    capsys.readouterr()
    assert main(["merge", "shard-1", "shard-2", "shard-3", "--output", "merged"]) == 0
    for name in ("verdicts.json", "comparison.json", "against.json"):
        assert Path("merged", name).read_bytes() == Path("one", name).read_bytes(), name
    merged = capsys.readouterr().out
    for sentence in json.loads(Path("one/comparison.json").read_text())["sentences"]:
        assert sentence["sentence"] in merged
        assert sentence["sentence"] in one.stdout.str()

    assert main(["merge", "shard-1", "shard-2", "--output", "two"]) == 1  # a part is not the whole
    assert json.loads(Path("two/comparison.json").read_text())["pools"] == []

    project.joinpath("thresholds.toml").write_text(
        f'{HEAD}white = {{ max_regression = 0.0, significant = "any" }}\n[verdict]\nfamily = false\n'
    )
    alone = pytester.runpytest_inprocess(*AGAINST, "--seedshift-exact", "--seedshift-dir=alone")
    assert alone.ret == pytest.ExitCode.TESTS_FAILED


def test_chance_is_left_out_of_account_against_no_baseline_that_stopped_early(pytester, project):
    project.joinpath("thresholds.toml").write_text(f"{HEAD}white = 0.5\n")
    pytester.makeconftest(losing(1, 1, 1))
    pytester.runpytest_inprocess(*RUN, "--seedshift-save-baseline=early.json").assert_outcomes(passed=3)
    for bound, status in (("significant = false", 4), ('significant = "any"', 0), ("significant = true", 0)):
        project.joinpath("thresholds.toml").write_text(f"{HEAD}white = {{ max_regression = 0.02, {bound} }}\n")
        result = pytester.runpytest_inprocess(*RUN, "--seedshift-baseline=early.json", "--seedshift-dir=other")
        assert result.ret == status, bound
    project.joinpath("thresholds.toml").write_text(f"{HEAD}white = {{ max_regression = 0.02, significant = false }}\n")
    result = pytester.runpytest_inprocess(*RUN, "--seedshift-baseline=early.json", "--seedshift-dir=other")
    result.stderr.fnmatch_lines(
        ["*significant = false is set for white of mine-*stopped early*Run the older version with *"]
    )
    pytester.makeconftest(losing(1, 2, 1))
    pytester.runpytest_inprocess(*AGAINST, "--seedshift-dir=other").assert_outcomes(passed=2, failed=1)


def test_what_the_design_cannot_see_is_said_before_it_is_run(pytester, project):
    result = pytester.runpytest_inprocess(*AGAINST, "--seedshift-plan")
    result.stdout.fnmatch_lines(
        ["seedshift: warning: max_regression = 0.02 of white is underpowered: * (64 images, level *"]
    )
    (images,) = re.findall(r"about (\d+) images detect a drop of 0.04", result.stdout.str())
    wide = [f"--seedshift-images={int(images)}" if "images" in each else each for each in RUN]
    pytester.makeconftest(losing(1, 1, 1))
    pytester.runpytest_inprocess(*wide, "--seedshift-exact", "--seedshift-save-baseline=wide.json")
    enough = pytester.runpytest_inprocess(*wide, "--seedshift-baseline=wide.json", "--seedshift-plan")
    enough.stdout.no_fnmatch_line("*underpowered*")


def test_many_thresholds_are_told_before_and_after(pytester, project):
    """0.56 where 0.6 is asked: a failure that chance may explain, and none where the certainty is the grid's.

    Terminal, summary and both pages say the same of it; the plan's sentence stands on the report too.
    """
    path = project.joinpath("thresholds.toml")
    pytester.makeconftest(losing(1, 7, 16))
    for family, outcomes in (
        ("", {"passed": 1, "failed": 2}),
        ("[verdict]\nfamily = true\n", {"passed": 2, "failed": 1}),
    ):
        path.write_text(f"{HEAD}white = 0.6\n{family}")
        result = pytester.runpytest_inprocess(
            *RUN,
            "--seedshift-summary=summary.md",
            f"--seedshift-dir=run{bool(family)}",
            "--html=tests.html",
            "-v",
        )
        result.assert_outcomes(**outcomes)
        out = result.stdout.str()
        (before,) = (
            line.removeprefix("seedshift: ")
            for line in result.outlines
            if "a model whose true" in line and line.startswith("seedshift: ")
        )
        (after,) = (
            line for line in result.outlines if re.match(r"\d of 3 cases fails? a threshold[:.] .*chance", line)
        )
        report = shown(Path(f"run{bool(family)}", "report.html").read_text())
        assert f"{after}." in report
        assert f"{before[0].upper()}{before[1:]}." in report
        assert f"{after}." in shown(Path("tests.html").read_text())
        assert after in shown(Path("summary.md").read_text())
        if family:
            assert "holds over 3 bounds of 3 cases" in out
            assert (
                "1 of 3 cases fails a threshold: chance explains none, as the certainty is held over all bounds" in out
            )
            reasons = [each["reason"] for each in json.loads(Path("runTrue/verdicts.json").read_text())["cases"]]
            assert any("white 0.56 < 0.60, not significant (p 0" in each for each in reasons), reasons
        else:
            assert re.search(
                r"fails at least one of 3 cases by chance in up to \d+ % of runs \(0.05 above: \d+ %; ", out
            )
            said = (
                "2 of 3 cases fail a threshold. By chance, a model whose true accuracies lie 0.03 above all minima "
                "fails up to 3 (0.05 above: 2; 0.1 above: 1)"
            )
            assert said in out
            assert said in Path("summary.md").read_text().replace("\\", "")


def shown(text: str) -> str:
    """A page, a card or a summary as its reader sees it: no tags, no escapes, one blank between words."""
    bare = re.sub(r"<(?:style|script)\b.*?</(?:style|script)>", "", text, flags=re.DOTALL)
    return " ".join(unescape(re.sub(r"<[^>]*>", "", bare)).replace("\\", "").split())


@pytest.mark.parametrize("exact", [False, True])
def test_means_images_and_counts_of_a_run_are_the_same_in_all_its_outputs(exact, pytester, project, capsys):
    """Two of three cases fail, one of them by little: what each output says of them, held against verdicts.json."""
    project.joinpath("thresholds.toml").write_text(f"{HEAD}white = 0.5\n")
    pytester.makeconftest(losing(1, 9, 14))
    more = ("--junitxml=junit.xml", "--seedshift-summary=summary.md", *(["--seedshift-exact"] if exact else []))
    arguments = [each for each in RUN if each != "-q"]
    result = pytester.runpytest_inprocess(*arguments, *more)
    result.assert_outcomes(passed=1, failed=2)
    out, folder = result.stdout.str(), project / ".seedshift"
    records = json.loads(folder.joinpath("verdicts.json").read_text())["cases"]
    costs = json.loads(folder.joinpath("costs.json").read_text())["cases"]
    page = folder.joinpath("report.html").read_text()
    summary = shown(project.joinpath("summary.md").read_text())
    assert main(["card", ".seedshift"]) == 0
    card = capsys.readouterr().out
    xml = {
        each.get("name", ""): {of.get("name"): of.get("value") for of in each.iterfind(".//property")}
        for each in ElementTree.parse("junit.xml").iterfind(".//testcase")
    }
    index = yaml.safe_load(card.split("---")[1])["model-index"][0]["results"]
    metrics = [metric for each in index for metric in each["metrics"] if metric["type"] == "white"]
    assert len(metrics) == len(records)
    for record in records:
        mean = ("" if exact else "≈") + f"{record['scores']['white']['mean']:.2f}"
        properties = xml[record["test"].partition("::")[2]]
        assert properties["seedshift_white"] == str(record["scores"]["white"]["mean"])
        assert properties["seedshift_images"] == str(record["images"])
        (metric,) = (each for each in metrics if each["value"] == round(record["scores"]["white"]["mean"], 4))
        assert metric["args"]["images"] == record["images"]
        assert metric["args"].get("early", False) is not exact
        (line,) = (each for each in result.outlines if re.search(r"\d/3 mine ", each) and case_of(record) in each)
        assert f"white {mean.lstrip('≈')} " in line
        assert f" {record['images']} images" in line
        (part,) = re.findall(
            rf'<details [^>]*id="{re.escape(anchors.anchor(record["id"]))}".*?</details>', page, re.DOTALL
        )
        assert mean in shown(part)
        assert f"{record['images']} of the {record['design']} images of the design looked at" in shown(part)
        assert mean in summary
        assert any(mean in each for each in result.outlines[result.outlines.index("mine") :])
    images, design = (sum(record[name] for record in records) for name in ("images", "design"))
    assert (images == design) is exact
    (closing,) = (each for each in result.outlines if "images looked at" in each)
    assert closing.startswith(f"3 cases: 1 pass, 2 fail · {images} of {design} images looked at, ")
    for told in (shown(page), summary):
        assert "mine fails 2 of 3 cases" in told
    for told in (
        f"{images} of {design} images of the design",
        f"{sum(each['generated'] for each in costs.values())} images made in",
    ):
        assert told in shown(page)
    assert ("Cases stop as soon as they are decided" in card) is not exact
    assert not (exact and "as soon as they are decided" in page)
    assert ("decided early" in shown(page)) is not exact
    assert ("early mean" in out) is not exact


def case_of(record: dict) -> str:
    return record["id"].removeprefix("mine-").replace("none-+0.00", "control").replace("-", " ", 1)
