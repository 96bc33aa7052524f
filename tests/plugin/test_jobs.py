"""Items become jobs: what an item asks for is read once, and all that follows works on what was read."""

from __future__ import annotations

from collections import Counter

import pytest

from helpers.runs import PAGELESS
from pytest_seedshift.plugin import collection, item_jobs

TESTS = """
import pytest

@pytest.mark.reliability(models="toy-latent", shifts="mean", magnitudes=0.3, images=16, clip=0.0)
def test_cases(reliability):
    assert reliability.design == 16

@pytest.mark.breaking_point(models="toy-latent", shifts="mean", signs="+", images=16, clip={"max_drop": 40},
                            min_breaking_point=0.02)
def test_search():
    pass

@pytest.mark.reliability(models="toy-latent", shifts="mean", magnitudes=[0, 0.3], images=20, clip=0.0)
@pytest.mark.xfail
def test_expected():
    raise AssertionError
"""


@pytest.fixture
def reads(monkeypatch):
    """By item, how often its marker was read; those of tests before they are items have no part in it."""
    found = Counter()
    read = collection.read_marker

    def counted(settings, catalogue, mark, where, **arguments):
        if "[" in where:
            found[where] += 1
        return read(settings, catalogue, mark, where, **arguments)

    monkeypatch.setattr(collection, "read_marker", counted)
    return found


def test_an_item_s_marker_is_read_once_between_collection_and_verdict(pytester, run, verdicts, reads):
    pytester.makepyfile(TESTS)
    run(*PAGELESS, "--seedshift-null", "--seedshift-trajectories=1").assert_outcomes(passed=4, xfailed=2)
    assert len(verdicts()) == 3  # of the cases two tests are about the same
    assert set(reads.values()) == {1}
    names = [name.rpartition("::")[2] for name in reads]
    assert len(names) == 6
    assert {name.partition("[")[0] for name in names} == {
        "test_cases",
        "test_search",
        "test_expected",
        "test_null_control",
    }


def test_the_count_can_fail(pytester, run, reads, monkeypatch):
    request = item_jobs.ItemJobs.request

    def forgetful(self, item):
        self._requests.pop(item.nodeid, None)
        return request(self, item)

    monkeypatch.setattr(item_jobs.ItemJobs, "request", forgetful)
    pytester.makepyfile(TESTS)
    run(*PAGELESS, "-k", "cases")
    assert max(reads.values()) > 1


def test_what_cannot_be_resolved_is_said_before_anything_is_made(pytester, run):
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.reliability(models="toy-latent", shifts="mean", magnitudes=0.3, images=16, clip=0.0)
        def test_well():
            pass

        @pytest.mark.reliability(models="toy-latent", shifts="std", images=16, clip={"max_regression": 1.0})
        def test_badly():
            pass
        """
    )
    result = run(*PAGELESS)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: toy-latent-none-+0.00: max_regression of clip is set, and no baseline*"])
    assert not (pytester.path / ".seedshift" / "samples.sqlite").exists()


def test_an_item_that_a_hook_adds_late_is_judged_on_the_terms_of_the_others(pytester, run, verdicts):
    pytester.makeconftest(
        """
        import pytest

        class Late:
            kept = []

            @pytest.hookimpl(tryfirst=True)
            def pytest_collection_modifyitems(self, config, items):
                self.kept = [item for item in items if "mean" in item.nodeid]
                items[:] = [item for item in items if item not in self.kept]

            def pytest_collection_finish(self, session):
                session.items.extend(self.kept)

        def pytest_configure(config):
            config.pluginmanager.register(Late())
        """
    )
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.reliability(models="toy-latent", shifts="mean", magnitudes=0.3, images=16, clip=0.0)
        def test_it():
            pass
        """
    )
    run(*PAGELESS).assert_outcomes(passed=2)
    assert {name: case["verdict"] for name, case in verdicts().items()} == {
        "toy-latent-none-+0.00": "pass",
        "toy-latent-mean-+0.30": "pass",
    }
