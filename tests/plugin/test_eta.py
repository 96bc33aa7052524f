"""The time left follows the pace of late: simulated runs with clocks of their own."""

from __future__ import annotations

import pytest

from helpers.records import record
from pytest_seedshift.plugin.eta import RECENT, Outlook
from pytest_seedshift.plugin.plan import Plan, Planned

CASES = 4
IMAGES = 400


class Clock:
    """One that is turned by hand."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def planned(cases: int = CASES, images: int = IMAGES, pace: float | None = 0.1) -> Plan:
    """So many cases of one model, whose pace was measured before, or not."""
    made = tuple(Planned(f"t[{each}]", "m", f"case {each}", images, images, images, 0, images) for each in range(cases))
    return Plan(made, {} if pace is None else {"m": pace}, "cpu", "float32", 0.99, "", "")


def at(case: int, images: int, expected: int = IMAGES) -> dict[str, object]:
    return {"id": f"case {case}", "images": images, "expected": expected, "generated": images}


def run(pace_of, *, told: float | None = 0.1, batch: int = 8, loading: float = 0.0):
    """The true seconds left and those foretold, (true, told) for each batch, where `pace_of` has each image's seconds.

    The first case shows a progress without images, behind which its model is loaded.
    """
    clock, total = Clock(), CASES * IMAGES
    outlook = Outlook(planned(pace=told), clock=clock)
    outlook.now([at(0, 0)])
    clock.now += loading
    seen = []
    for case in range(CASES):
        begun = clock.now
        for images in range(batch, IMAGES + 1, batch):
            number = case * IMAGES + images
            clock.now += sum(pace_of(each) for each in range(number - batch, number))
            seen.append((sum(pace_of(each) for each in range(number, total)), outlook.now([at(case, images)])[1]))
        seconds = clock.now - begun
        outlook.finish(record(id=f"case {case}", test=f"t[{case}]", model="m", generated=IMAGES, seconds=seconds))
    return seen


@pytest.mark.parametrize("told", [0.1, 5.0, None], ids=["as measured", "measured elsewhere", "not measured"])
def test_at_an_even_pace_the_time_left_is_right(told):
    for true, foretold in run(lambda _: 0.1, told=told)[2:-1]:
        assert foretold == pytest.approx(true)


@pytest.mark.parametrize("factor", [10.0, 0.1], ids=["slower", "faster"])
def test_the_time_left_follows_a_change_within_a_case(factor):
    """The pace changes in the middle of the first case: soon what is left is foretold at the pace of now."""
    seen = run(lambda number: 1.0 if number < 200 else factor)
    begins = next(place for place, (true, _) in enumerate(seen) if true <= (CASES * IMAGES - 200) * factor)
    spent = 0.0
    for (before, _), (true, foretold) in zip(seen[begins:-1], seen[begins + 1 :], strict=True):
        spent += before - true
        if spent >= RECENT + 8 * factor and true:
            assert foretold == pytest.approx(true, rel=1e-6)


def test_the_time_left_never_stands_still_as_a_machine_gets_slower():
    """Each image takes a thousandth longer than the last: what is foretold keeps near the truth of the next images."""
    seen = run(lambda number: 1.001**number)
    for number, (_, foretold) in list(enumerate(seen[:-1], 1))[1:]:
        left = CASES * IMAGES - 8 * number
        now = left * 1.001 ** (8 * number)
        assert 0.9 * now <= foretold <= 1.01 * now


def test_the_mean_of_all_that_was_made_would_not_follow():
    """What a mean over the run foretells: the check above sees the difference."""
    pace = [1.0] * 200 + [10.0] * 200
    left = 3 * IMAGES
    assert left * sum(pace) / len(pace) < 0.6 * left * 10.0


def test_loading_is_no_part_of_the_pace():
    for true, foretold in run(lambda _: 0.1, loading=500.0)[:-1]:
        assert foretold == pytest.approx(true)


def test_several_workers_share_what_is_left():
    clock = Clock()
    outlook = Outlook(planned(), workers=2, clock=clock)
    for images in range(0, 200, 8):
        left = outlook.now([at(0, images), at(1, images)])[1]
        clock.now += 8 * 2.0
    assert left == pytest.approx((CASES * IMAGES - 2 * 192) * 2.0 / 2)


def test_the_rate_is_that_of_the_last_minute():
    clock = Clock()
    outlook = Outlook(planned(), clock=clock)
    rates = []
    for images in range(0, 400, 4):
        rates.append(outlook.now([at(0, images)])[0])
        clock.now += 4 * (0.1 if images < 200 else 2.0)
    assert rates[0] is None
    assert rates[45] == pytest.approx(10.0, rel=0.05)
    assert rates[-1] == pytest.approx(0.5, rel=0.05)


def test_what_the_plan_has_measured_is_no_part_of_the_rate():
    clock = Clock()
    outlook = Outlook(planned(), clock=clock)
    clock.now += 0.01
    assert outlook.now([at(0, 12)])[0] is None
    clock.now += 1.0
    assert outlook.now([at(0, 22)])[0] == pytest.approx(10.0)


def test_how_many_images_all_cases_have_looked_at_and_will_have():
    outlook = Outlook(planned())
    assert outlook.images([]) == (0, CASES * IMAGES)
    assert outlook.images([at(0, 12), at(1, IMAGES)]) == (12 + IMAGES, CASES * IMAGES)
    seen = {**at(0, 12), "expected": 40}
    assert outlook.images([seen]) == (12, 40 + (CASES - 1) * IMAGES)
