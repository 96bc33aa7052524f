"""What is done with --seedshift-cluster before any cluster is asked, and what is said where there is none."""

from __future__ import annotations

import socket

import pytest

from helpers import painted

MINE = ("--seedshift-model=mine", "--seedshift-shift=mean", "--seedshift-magnitude=0.3", "--seedshift-images=16")
WHERE = "127.0.0.1:1"
"""Where nobody listens."""

WITH = f"--seedshift-cluster={WHERE}"


@pytest.fixture(autouse=True)
def project(pytester, monkeypatch):
    pytester.makeconftest(painted.losing(0, 5, 1))
    (pytester.path / "thresholds.toml").write_text('[default]\nwhite = 0.8\n[models.mine]\nclasses = "toy16"\n')
    for name in ("RAY_ADDRESS", "RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    monkeypatch.setenv("RAY_AUTH_TOKEN", "secret")


def run(pytester, *arguments):
    result = pytester.runpytest_inprocess("seedshift", "-p", "no:cacheprovider", *MINE, *arguments)
    said = result.stdout.str() + result.stderr.str()
    assert "Traceback" not in said
    assert "INTERNALERROR" not in said
    return result.ret, said


def test_a_cluster_that_is_not_there_ends_a_run(pytester):
    status, said = run(pytester, WITH)
    assert status == pytest.ExitCode.USAGE_ERROR
    assert f"no Ray cluster answers at {WHERE}" in said


@pytest.mark.parametrize("only", ["--collect-only", "--seedshift-plan"])
@pytest.mark.parametrize("where", [WITH, "--seedshift-cluster=local", "--seedshift-cluster=auto"])
def test_lists_and_plans_ask_no_cluster(pytester, monkeypatch, only, where):
    monkeypatch.setenv("RAY_ADDRESS", WHERE)
    status, said = run(pytester, only, where)
    assert status == 0
    assert "mean" in said


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (("--seedshift-cluster=local:0",), "give a whole number of processes from 1"),
        (("--seedshift-cluster=loca",), "Did you mean 'local'"),
        ((WITH, "-n2"), "-n together with --seedshift-cluster: give one of them"),
        ((WITH, "--seedshift-gpus-per-model=0"), "--seedshift-gpus-per-model"),
        ((WITH, "--seedshift-cluster-timeout=0"), "--seedshift-cluster-timeout"),
        (("--seedshift-cluster-timeout=5",), "has no effect without --seedshift-cluster"),
    ],
)
def test_what_cannot_be_is_told_before(pytester, given, sentence):
    status, said = run(pytester, *given)
    assert status == pytest.ExitCode.USAGE_ERROR
    assert sentence in said


@pytest.mark.parametrize(
    ("mode", "sentence"),
    [
        ("", "RAY_AUTH_MODE is not set"),
        ("disabled", "RAY_AUTH_MODE=disabled"),
        ("k8s", "RAY_AUTH_MODE=k8s"),
        (" token", "RAY_AUTH_MODE= token"),
    ],
)
def test_without_a_token_nothing_is_asked(pytester, monkeypatch, mode, sentence):
    monkeypatch.setenv("RAY_AUTH_MODE", mode)
    status, said = run(pytester, WITH)
    assert status == pytest.ExitCode.USAGE_ERROR
    assert sentence in said
    assert "--seedshift-cluster-without-token" in said


def test_a_model_that_cannot_go_to_another_process_is_named(tmp_path):
    """Where the file of its conftest holds something of this process alone."""
    from pytest_seedshift.core.errors import SeedshiftUsageError
    from pytest_seedshift.core.registry import Extensions, Registry
    from pytest_seedshift.models.catalogue import Catalogue
    from pytest_seedshift.runner.cluster import setup

    with socket.socket() as held:
        models = Registry("model", (), [("conftest.py", {"mine": lambda device, dtype: held})])
        given = setup.Setup(Catalogue({}), extensions=Extensions(models=models, scorers=Registry("scorer", (), [])))
        with pytest.raises(SeedshiftUsageError, match=r"mine.* cannot go to a cluster: TypeError: .*socket"):
            setup.pack(given, tmp_path)
