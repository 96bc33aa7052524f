"""From requests to jobs: constraints, design, test of each, the family of all, errors that stay with their own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_seedshift.core import thresholds_parser
from pytest_seedshift.core.cases import Case
from pytest_seedshift.core.errors import SeedshiftError, SeedshiftUsageError
from pytest_seedshift.core.score_kinds import BUILT_IN
from pytest_seedshift.core.scores import Constraint
from pytest_seedshift.core.searches import Search
from pytest_seedshift.core.stats.null_control import NullTest
from pytest_seedshift.core.thresholds import ThresholdsError
from pytest_seedshift.models import catalogue
from pytest_seedshift.runner.job import Request
from pytest_seedshift.runner.job_resolution import Jobs, Terms

MODEL = "toy-latent"
FILE = """
[default]
top1 = 0.5
clip = { max_drop = 2.0 }

[shift.std]
top5 = 0.75
"""


def terms(text: str = FILE, **changes) -> Terms:
    thresholds = thresholds_parser.parse(text, "thresholds.toml", catalogue.shipped().find)
    found = Terms(thresholds, catalogue.shipped(), lambda _: {name: BUILT_IN[name] for name in ("top1", "clip")})
    return replace(found, **changes)


def case(shift: str = "mean", magnitude: float = 0.3, number: int = 0, **arguments) -> Request:
    return Request(f"test_{number}[{shift}{magnitude}]", "reliability", Case(MODEL, shift, magnitude), 16, **arguments)


def asked(jobs: Jobs, request: Request) -> dict[str, Constraint]:
    return {each.score: each for each in jobs.of(request).constraints}


def test_a_job_has_the_narrowest_bounds_and_its_own_above_them():
    plain, own = case("std"), case("std", number=1, constraints={"top5": Constraint("top5", 0.25)})
    jobs = Jobs([plain, own], terms())
    assert asked(jobs, plain)["top5"].minimum == 0.75
    assert asked(jobs, own)["top5"].minimum == 0.25
    assert asked(jobs, own)["top1"].minimum == asked(jobs, plain)["top1"].minimum == 0.5
    assert jobs.of(plain).design == catalogue.shipped().design(MODEL, 16)
    assert jobs.of(plain).test.size == 16
    assert [job.nodeid for job in jobs] == [plain.nodeid, own.nodeid]


def test_each_kind_is_tested_in_its_own_way():
    searched = Request("search", "breaking_point", Search(MODEL, "mean", 1), 16, minimum=0.25)
    null = Request("null", "null_control", Case(MODEL).null_control, 16)
    jobs = Jobs([case(), searched, null], terms())
    search = jobs.of(searched)
    assert (search.case, search.search, search.minimum) == (Case(MODEL, "mean"), searched.subject, 0.25)
    assert {each.score for each in search.constraints} == {"top1", "clip"}
    assert isinstance(jobs.of(null).test, NullTest)
    assert jobs.of(null).constraints == ()
    assert [each.score for each in jobs.of(null).test.constraints] == ["top1", "clip"]
    assert jobs.reliability == [jobs.of(case())]


def test_the_design_is_of_the_seed_that_is_said_nearest():
    of_file, own = case(), case(number=1, design_seed=7)
    jobs = Jobs([of_file, own], terms("[verdict]\ndesign_seed = 3\n" + FILE))
    designs = [catalogue.shipped().design(MODEL, 16, seed) for seed in (3, 7)]
    assert [jobs.of(each).design for each in (of_file, own)] == designs
    assert designs[0] != designs[1]


def test_an_error_stays_with_its_own_item():
    silent = Request("silent", "reliability", Case(MODEL, "random", 0.3), 16)
    regression = case(number=2, constraints={"top1": Constraint("top1", max_regression=0.1)})
    text = "[shift.mean]\ntop1 = 0.5\n"
    jobs = Jobs([silent, case(), regression], terms(text, no_baseline="is asked for: give a baseline"))
    assert jobs.of(case()).constraints[0].minimum == 0.5
    with pytest.raises(ThresholdsError, match=r"no threshold for toy-latent-random-\+0\.30"):
        jobs.of(silent)
    with pytest.raises(SeedshiftUsageError, match="max_regression of top1 is asked for: give a baseline"):
        jobs.of(regression)
    with pytest.raises(ThresholdsError):  # the first one's
        jobs.check()
    assert [job.nodeid for job in jobs] == [case().nodeid]


def test_regressions_are_left_out_where_the_run_makes_the_baseline():
    request = case(constraints={"top1": Constraint("top1", max_regression=0.1)})
    jobs = Jobs([request], terms())
    assert jobs.leaves_regressions
    assert asked(jobs, request)["top1"].max_regression is None
    assert not Jobs([case()], terms()).leaves_regressions


def test_several_tests_of_a_case_are_one_where_they_ask_the_same_of_it():
    family, other = terms("[verdict]\nfamily = true\n" + FILE), {"top1": Constraint("top1", 0.25)}
    once, again = case(), case(number=1)
    assert Jobs([once, again], family).threshold_tests == Jobs([once], family).threshold_tests == 2
    assert Jobs([once, case(number=1, constraints=other)], family).threshold_tests == 3


def test_what_comes_later_is_resolved_on_the_terms_of_the_others():
    family = terms("[verdict]\nfamily = true\n" + FILE)
    jobs, later = Jobs([case(), case("std", number=1)], family), case("random", number=2)
    assert jobs.of(later).test.thresholds == jobs.threshold_tests == 2 + 3
    assert Jobs([case()], terms()).threshold_tests == 0


shifts = st.sampled_from(["mean", "std", "random", "mixed"])
requests = st.lists(
    st.tuples(shifts, st.sampled_from([-0.3, 0.1, 0.3]), st.none() | st.floats(0, 1)), min_size=1, max_size=6
)


@settings(max_examples=40, deadline=None)
@given(requests, st.randoms(use_true_random=False))
def test_a_job_depends_on_the_others_in_nothing_but_how_many_share_the_certainty(found, random):
    made: Sequence[Request] = [
        case(shift, magnitude, number, constraints={} if own is None else {"top1": Constraint("top1", own)})
        for number, (shift, magnitude, own) in enumerate(found)
    ]
    together, shuffled = Jobs(made, terms()), Jobs(random.sample(made, len(made)), terms())
    alone = [Jobs([each], terms()).of(each) for each in made]
    assert [together.of(each) for each in made] == [shuffled.of(each) for each in made] == alone


def test_nothing_of_it_is_pytest_s():
    source = Path(catalogue.__file__).parents[1] / "runner"
    assert not any("import pytest\n" in (source / name).read_text() for name in ("job.py", "job_resolution.py"))
    assert issubclass(ThresholdsError, SeedshiftError)
