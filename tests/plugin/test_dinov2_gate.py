"""Bounds on likeness by DINOv2: judged against a baseline's pictures, by a model that is looked for beforehand."""

from __future__ import annotations

import json

import pytest

from helpers import painted, tiny_dinov2

CONFTEST = painted.losing(0, 0, 5).replace("(3, 8, 8)", "(3, 16, 16)")
GATE = "{head}white = 0.1\n[likeness]\ndinov2 = 0.9\n[likeness.models]\ndinov2 = '{model}'\n"


def test_a_version_is_judged_by_it_against_a_baseline_s_pictures(pytester):
    tiny_dinov2.made(pytester.path / "tiny")
    pytester.makeconftest(CONFTEST)
    path = pytester.path / "thresholds.toml"
    path.write_text(f"{painted.HEAD}white = 0.1\n")
    assert pytester.runpytest(*painted.RUN, "--seedshift-exact", "--seedshift-save-baseline=base").ret == 0
    path.write_text(GATE.format(head=painted.HEAD, model="tiny"))
    assert pytester.runpytest(*painted.RUN, "--seedshift-baseline=base").ret == 0
    case = json.loads(pytester.path.joinpath(".seedshift/verdicts.json").read_text())["cases"][0]
    assert case["likeness"]["equal"] == case["likeness"]["pairs"]
    assert any(each["score"] == "likeness_dinov2" for each in case["constraints"])

    pytester.makeconftest(CONFTEST.replace("float(pair.label.index not in lost)", "0.3 + pair.seed % 2 * 0.4"))
    (pytester.path / "conftest.py").write_text((pytester.path / "conftest.py").read_text().replace("mine, ", "other, "))
    path.write_text(GATE.format(head=painted.HEAD, model="tiny").replace("0.9", "0.999"))
    assert pytester.runpytest(*painted.RUN, "--seedshift-baseline=base").ret == 1

    path.write_text(GATE.format(head=painted.HEAD, model="nowhere/at-all/x"))
    refused = pytester.runpytest(*painted.RUN, "--seedshift-baseline=base")
    assert refused.ret == pytest.ExitCode.USAGE_ERROR
    refused.stderr.fnmatch_lines(["*likeness.models* dinov2: *nowhere/at-all/x*"])
