"""Runs over prompts of one's own: where they may be named, what stands above what, and what is refused."""

from __future__ import annotations

import json
import re
import sys

import pytest

from helpers.prompted import BARE, CONFTEST, RUN, drawn
from pytest_seedshift.__main__ import main

GENEVAL = "".join(
    json.dumps({"tag": tag, "include": [{"class": "bench", "count": 1}], "prompt": prompt}) + "\n"
    for tag, prompt in [("single_object", "a photo of a bench"), ("colors", "a photo of a black bench")]
)

FILES = {
    "in_default.csv": 'prompt,id,Remark\n"a cat, in default",one,\na dog,two,\n',
    "sub/of_model.txt": "a cat of the model\n",
    "geneval.jsonl": GENEVAL,
    "labels.csv": "label,index\nred circle,0\n",
}


@pytest.fixture
def project(pytester):
    pytester.makeconftest(CONFTEST)
    for name, text in FILES.items():
        (pytester.path / name).parent.mkdir(exist_ok=True)
        (pytester.path / name).write_text(text)

    def thresholds(text: str) -> None:
        (pytester.path / "thresholds.toml").write_text(text)

    return thresholds


def test_the_narrowest_place_that_names_prompts_decides(pytester, project):
    project('[default]\nwhite = 0.0\nprompts = "in_default.csv"\n')
    first = pytester.runpytest("seedshift", *RUN, *BARE, "-v")
    first.assert_outcomes(passed=2)
    ignored = "seedshift: in_default.csv: ignored, as no column of these names is read: 'Remark'"
    first.stdout.fnmatch_lines(["seedshift: 2 prompts of in_default.csv, as they stand", "*", ignored])
    assert first.outlines.count(ignored) == 1
    assert drawn(pytester.path) == {("one", "a cat, in default"), ("two", "a dog")}

    project('[default]\nwhite = 0.0\nprompts = "in_default.csv"\n[models.mine]\nprompts = "sub/of_model.txt"\n')
    pytester.runpytest("seedshift", *RUN, *BARE, "--seedshift-dir=two").assert_outcomes(passed=2)
    assert drawn(pytester.path, "two") == {("a cat of the model",) * 2}

    option = "--seedshift-prompts=geneval.jsonl"
    pytester.runpytest("seedshift", *RUN, *BARE, "--seedshift-dir=three", option).assert_outcomes(passed=2)
    assert drawn(pytester.path, "three") == {(each,) * 2 for each in ("a photo of a bench", "a photo of a black bench")}

    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.reliability(prompts="labels.csv", white=0.0)
        def test_mine():
            pass
        """
    )
    result = pytester.runpytest(*RUN, *BARE, "--seedshift-dir=four", option, "-v")
    result.assert_outcomes(passed=2)
    by_template = "seedshift: 1 label of labels.csv, by the template 'A photo of a {label}'"
    result.stdout.fnmatch_lines([by_template, "*mine+prompts=labels.csv mean +0.30*pass*"])
    result.stdout.no_fnmatch_line("*ignored*")
    assert drawn(pytester.path, "four") == {("red circle", "A photo of a red circle")}


def test_a_second_run_generates_nothing_and_other_texts_are_generated(pytester, project):
    project('[default]\nwhite = 0.0\nprompts = "in_default.csv"\n')
    first = pytester.runpytest("seedshift", *RUN, *BARE)
    first.stdout.no_fnmatch_line("* 0 generated*")
    again = pytester.runpytest("seedshift", *RUN, *BARE)
    again.stdout.fnmatch_lines(["* 0 generated*"])
    (pytester.path / "in_default.csv").write_text('prompt,id,tags\n"a cat, in default",one,cats\na black dog,two,\n')
    third = pytester.runpytest("seedshift", *RUN, *BARE)
    third.stdout.no_fnmatch_line("* 0 generated*")
    assert ("two", "a black dog") in drawn(pytester.path)


@pytest.mark.parametrize(
    ("thresholds", "arguments", "said"),
    [
        ('[models.mine]\nclasses="toy16"\nprompts="in_default.csv"', (), "prompts and classes"),
        ("[models.mine]\nprompts=3", (), "prompts = 3: give"),
        ('[default]\nprompts="lacking.csv"', (), "lacking.csv cannot be read: No such file"),
        ('[default]\nprompts="in_default.json"', (), "prompts: in_default.json: give a .jsonl"),
        ('[default]\nprompts="in_default.csv"\ntemplate="a {label}"', (), "texts of their own"),
        ('[default]\ntemplate="a {lable}"', (), "{lable}: only {label} can stand in braces"),
        ("[models.mine]\ntemplate=[]", (), "template = []: give"),
        (
            '[default]\npromps="in_default.csv"',
            (),
            "unknown score 'promps'. Known: all_questions, clip, metaclip2, pickscore, questions, siglip2, top1, top5, "
            "vqa, white. Did you mean 'prompts'?",
        ),
        ("", ("--seedshift-prompts=lacking.csv",), "lacking.csv cannot be read: No such file"),
        ("", ("--seedshift-prompts=in_default",), "--seedshift-prompts: unknown prompt set 'in_default'"),
        ('[default]\nprompts="in_default.csv"', ("--seedshift-images=1",), "1 images are fewer than the 2 prompts of"),
    ],
)
def test_contradictions_and_mistakes_end_the_run_before_its_first_image(pytester, project, thresholds, arguments, said):
    head, _, rest = thresholds.partition("\n")
    white = "white=0.0\n" if head == "[default]" else "[default]\nwhite=0.0\n"
    project(f"{head}\n{white}{rest}" if head == "[default]" else f"{white}{thresholds}")
    result = pytester.runpytest("seedshift", *RUN, *BARE, *arguments)
    assert result.ret == 4, result.stdout.str()
    assert said in result.stderr.str().replace(f"{pytester.path}/", ""), result.stderr.str()
    assert not (pytester.path / ".seedshift" / "samples.sqlite").exists()


def test_top_1_without_labels_is_refused_with_the_way_out(pytester, project):
    project('[default]\ntop1 = 0.5\nprompts = "in_default.csv"\n[models.mine]\nscorers = "toy"\n')
    result = pytester.runpytest("seedshift", *RUN, *BARE)
    assert result.ret == 4
    assert "top-1 and top-5 need labels" in result.stderr.str()
    assert "column label" in result.stderr.str()


TAGGED = """\
id,prompt,tags
c1,a cat,animals;simple
c2,a dog,animals
n1,three fragile cups,counting
n2,two fragile bowls,counting
"""


def shown(capsys, *arguments: str) -> str:
    """What a command prints."""
    capsys.readouterr()
    assert main([*arguments]) == 0, capsys.readouterr().err
    return capsys.readouterr().out


def test_tags_have_bounds_figures_and_a_table(pytester, project, capsys):
    (pytester.path / "tagged.csv").write_text(TAGGED)
    project(
        '[default]\nwhite = 0.2\nprompts = "tagged.csv"\n[tag.animals]\nwhite = 0.9\n'
        "[tag.counting]\nwhite = { min = 0.1, max_drop = 0.3 }\n"
    )
    result = pytester.runpytest("seedshift", *RUN, "--seedshift-sensitivity=never", "--junit-xml=junit.xml")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        [
            "*breaks mine: white of counting drop 1.00 > 0.30*",
            "*worst prompts: n1 0.00, n2 0.00 · worst tags: counting 0.00 ·*",
        ]
    )
    document = json.loads((pytester.path / ".seedshift" / "verdicts.json").read_text())
    control, shifted = document["cases"]
    assert control["verdict"] == "pass"
    assert {"score": "white@animals", "kind": "min", "holds": True}.items() <= control["constraints"][1].items()
    assert {tag: each["scores"]["white"]["mean"] for tag, each in shifted["tags"].items()} == {
        "animals": 1.0,
        "counting": 0.0,
        "simple": 1.0,
    }
    assert sum(shifted["tags"][tag]["pairs"] for tag in ("animals", "counting")) == shifted["images"] < 100
    assert 'name="seedshift_white@counting" value="0.0"' in (pytester.path / "junit.xml").read_text()
    page = (pytester.path / ".seedshift" / "report.html").read_text()
    assert "Tag by tag" in page
    again = pytester.runpytest("seedshift", *RUN, *BARE)
    again.stdout.fnmatch_lines(["* 0 generated*"])
    # and so do all that read a run
    seen = shown(capsys, "report", ".seedshift", "--summary", "summary.md")
    for told in ((pytester.path / "summary.md").read_text(), shown(capsys, "card", ".seedshift")):
        assert "| white by tag | control | mean | breaks its bound |" in told, told
        assert re.search(r"\| counting \| 1\.0\d? \(\d+\) \| 0\.0\d? \(\d+\) \| in 1 case \|", told), told
        assert re.search(r"\| simple \| 1\.0\d? \(\d+\) \| 1\.0\d? \(\d+\) \| no \|", told), told
    seen = shown(capsys, "compare", ".seedshift", ".seedshift")
    assert re.search(r"mine counting +white +0\.\d+ → +0\.\d+ +0 of \d+ turned wrong and 0 right, p 1,", seen), seen
    assert "max_regression and within are of all pairs" in seen
    assert "Comparison tag by tag" in (pytester.path / ".seedshift" / "comparison.html").read_text()
    seen = shown(capsys, "history", "history", "--add", ".seedshift", "--name", "v1")
    line = json.loads((pytester.path / "history" / "history.jsonl").read_text())
    assert line["cases"][1]["tags"]["counting"]["scores"]["white"]["mean"] == 0.0


def test_a_tag_that_no_prompt_has_is_refused(pytester, project):
    (pytester.path / "tagged.csv").write_text(TAGGED)
    project('[default]\nwhite = 0.2\nprompts = "tagged.csv"\n[tag.animal]\nwhite = 0.9\n')
    result = pytester.runpytest("seedshift", *RUN, *BARE)
    assert result.ret == 4
    assert "[tag.animal]: unknown tag of a prompt 'animal'. Did you mean 'animals'?" in result.stderr.str()


@pytest.mark.nightly
def test_runs_without_labels_are_merged_compared_and_kept_as_baselines(pytester, project):
    """No classifier is there, nor any other scorer of the package."""
    (pytester.path / "tagged.csv").write_text(TAGGED)
    bounds = '[default]\nwhite = 0.2\nprompts = "tagged.csv"\n[tag.counting]\nwhite = { min = 0.1, max_drop = 0.3 }\n'
    project(bounds)
    few = ("--seedshift-images=40", "--seedshift-batch-size=16")
    pytester.runpytest("seedshift", *RUN, *BARE, *few, "--seedshift-exact", "--seedshift-save-baseline=base.json")
    for shard in (1, 2):
        pytester.runpytest("seedshift", *RUN, *BARE, *few, f"--seedshift-shard={shard}/2", f"--seedshift-dir=s{shard}")
    project(f'{bounds}[baseline]\npath = "base.json"\n[shift.mean]\nwhite = {{ min = 0.2, max_regression = 0.1 }}\n')
    judged = pytester.runpytest("seedshift", *RUN, *BARE, *few, "--seedshift-dir=judged")
    judged.assert_outcomes(passed=1, failed=1)
    judged.stdout.fnmatch_lines(["*mine is compared with mine of base.json: run alike*"])
    merged = pytester.run(sys.executable, "-m", "pytest_seedshift", "merge", "--output=m", "s1", "s2")
    merged.stdout.fnmatch_lines(["2 cases of 2 runs: 1 pass, 1 fail"])
    page = (pytester.path / "m" / "report.html").read_text()
    assert "Tag by tag" in page
    assert "Prompt by prompt" in page
    compared = pytester.run(sys.executable, "-m", "pytest_seedshift", "compare", ".seedshift", "judged")
    compared.stdout.fnmatch_lines(["*mine is compared with mine of .seedshift: run alike*"])
