"""Every order ends once, whatever dies: the dispatcher alone, with actors that are driven at random."""

from __future__ import annotations

import math

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from scipy import stats

from helpers.mortal_actors import MortalActors
from pytest_seedshift.runner.cluster import blame
from pytest_seedshift.runner.cluster.dispatch import IN_FLIGHT, MOST_KILLS, MOST_WRONG, PROBE, Dispatch


class World:
    """Actors that die over some rows, fail over others, and make the rest."""

    def __init__(self, poison=(), nowhere=(), broken=()):
        self.dispatch = Dispatch()
        self.poison, self.nowhere, self.broken = set(poison), set(nowhere), set(broken)
        self.deaths = 0
        self.made = []
        self.ended = {}

    def step(self, name):
        """Have an actor come to an end with the first of what it is at; whether it had anything."""
        dispatch = self.dispatch
        while (dispatch.next(name)) is not None:
            pass
        lane = dispatch.lanes[name]
        assert len(lane.making) <= IN_FLIGHT
        if not lane.making:
            return False
        piece = lane.making[0]
        if piece.order == PROBE:
            dispatch.done(name, piece, (), b"", {})
        elif any((piece.order, row) in self.poison for row in piece.rows):
            self.deaths += 1
            dispatch.remove(name)
            dispatch.add(name, lane.kind)
        else:
            bad = {row for row in piece.rows if (piece.order, row) in self.nowhere or name in self.broken}
            made = [row for row in piece.rows if row not in bad]
            self.made += [(piece.order, row) for row in made]
            dispatch.done(name, piece, made, b"x", dict.fromkeys(bad, f"NaN on {name}"))
        self.take()
        return True

    def take(self):
        for number, outcome in self.dispatch.ended():
            assert number not in self.ended
            self.ended[number] = outcome


@settings(max_examples=80, deadline=None, phases=[Phase.generate])
@given(data=st.data())
def test_every_order_ends_once_and_each_row_once(data):
    names = [f"a{each}" for each in range(data.draw(st.integers(1, 4)))]
    sizes = data.draw(st.lists(st.integers(1, 16), min_size=1, max_size=8))
    rows = [(order, row) for order, size in enumerate(sizes) for row in range(size)]
    poison = set(data.draw(st.lists(st.sampled_from(rows), max_size=2)))
    nowhere = set(data.draw(st.lists(st.sampled_from(rows), max_size=3))) - poison
    broken = data.draw(st.sets(st.sampled_from(names), max_size=len(names) - 1))
    world = World(poison, nowhere, broken)
    for name in names:
        world.dispatch.add(name, data.draw(st.sampled_from(["H100", "A100"])))
    for order, size in enumerate(sizes):
        world.dispatch.submit(data.draw(st.sampled_from([*names, "gone"])), order, f"m{order % 2}", size)
    for _ in range(3000):
        if world.dispatch.is_idle:
            break
        name = data.draw(st.sampled_from(names)) if data.draw(st.integers(0, 9)) == 0 else None
        if name is not None and data.draw(st.booleans()):  # a machine goes, and comes back
            world.dispatch.remove(name, innocent=data.draw(st.booleans()))
            world.take()
            world.dispatch.add(name, "H100")
        for each in names:
            world.step(each)
    if world.dispatch.dies_of_everything:  # with poison alone left of a model, and others that have died by chance
        assert poison
        return
    assert sorted(world.ended) == list(range(len(sizes)))
    assert len(world.made) == len(set(world.made))
    for order, outcome in world.ended.items():
        if outcome.unusable:  # nothing of its model was made before
            assert any((each, row) in poison for each, row in rows if each % 2 == order % 2)
            continue
        assert outcome.made | set(outcome.failed) == set(range(sizes[order]))
        assert not outcome.made & set(outcome.failed)
        for row in outcome.failed:
            assert (order, row) in poison | nowhere or broken
    assert not poison & set(world.made)


@pytest.mark.parametrize("place", [0, 7, 15])
def test_a_poison_row_is_found_and_all_others_are_made(place):
    world = World(poison={(0, place)})
    world.dispatch.add("a", "H100")
    world.dispatch.add("b", "H100")
    world.dispatch.submit("a", 0, "m", 16)
    world.dispatch.submit("a", 1, "m", 16)  # beside it
    while world.step("a") or world.step("b"):
        pass
    assert list(world.ended[0].failed) == [place]
    assert "dies over it" in world.ended[0].failed[place]
    assert world.ended[1].failed == {}
    assert MOST_KILLS + 5 < world.deaths < MOST_KILLS + 20  # then it is halved four times, and the row dies alone


def test_two_poison_rows_are_both_found():
    world = World(poison={(0, 3), (5, 1)})
    for name in "abc":
        world.dispatch.add(name, "H100")
    for order in range(12):
        world.dispatch.submit("abc"[order % 3], order, "m", 4)
    while any(world.step(name) for name in "abc"):
        assert world.deaths < 40
    assert {order: list(outcome.failed) for order, outcome in world.ended.items() if outcome.failed} == {0: [3], 5: [1]}


def dying(chance):
    """The rate at which actors die a second, by the chance that one does over a batch of four."""
    return lambda now: -math.log1p(-chance)


def storm(now):
    """Nobody dies for some seconds, then nearly everybody, and so on."""
    return 3.0 if now % 12 > 4 else 0.0


@pytest.mark.parametrize("seed", [0, 1, *(pytest.param(each, marks=pytest.mark.nightly) for each in range(2, 8))])
@pytest.mark.parametrize("actors", [1, 3, 8])
@pytest.mark.parametrize("rate", [dying(0.05), dying(0.3), dying(0.6), dying(0.8), storm])
def test_where_actors_die_by_chance_nothing_is_blamed(actors, rate, seed):
    world = MortalActors(seed, actors, rate, load=0.5)
    world.run(60)
    assert world.failed() == set()
    assert world.unusable() == set()
    assert world.gave_up or world.deaths > 0


def test_with_evidence_that_is_none_deaths_by_chance_would_be_blamed(monkeypatch):
    monkeypatch.setattr(blame, "LEVEL", 0.5)
    worlds = [MortalActors(seed, 3, dying(0.6), load=0.5) for seed in range(5)]
    for world in worlds:
        world.run(60)
    assert any(world.failed() for world in worlds)


@pytest.mark.parametrize("chance", [0.0, 0.05, 0.3, 0.6])
@pytest.mark.parametrize("actors", [1, 3, 64])
@pytest.mark.parametrize("poison", [{(7, 2)}, {(59, 0)}, {(7, 2), (8, 0), (9, 1), (30, 3), (59, 3)}], ids=len)
def test_what_kills_is_blamed_and_nothing_else(poison, actors, chance):
    world = MortalActors(1, actors, dying(chance), load=0.5, rows=poison)
    world.run(60)
    assert world.failed() == poison
    assert world.by_poison / len(poison) < 13 + 30 * chance + 8 * (len(poison) > 1)


def test_a_case_that_kills_is_blamed_without_each_of_its_images():
    poison = {(order, row) for order in range(20, 60) for row in (0, 2)}
    for actors in (1, 3, 8):
        world = MortalActors(1, actors, dying(0.05), rows=poison)
        world.run(60, case=lambda order, row: (order, row) in poison)
        assert world.failed() == poison
        assert world.by_poison < len(poison) + 10 * actors
        assert any("each image of its case" in said for each in world.ended.values() for said in each.failed.values())


def test_an_image_is_blamed_and_its_case_is_not():
    world = MortalActors(1, 3, dying(0.3), rows={(30, 0), (30, 1), (30, 2)})
    world.run(60, case=lambda order, row: "the only one")
    assert world.failed() == {(30, 0), (30, 1), (30, 2)}


@pytest.mark.parametrize("actors", [1, 3, 8])
def test_a_model_that_kills_is_given_up_and_others_go_on(actors):
    world = MortalActors(1, actors, dying(0.05), models={"m1"}, load=0.5)
    world.run(60, models=2)
    assert world.unusable() == {order for order in range(60) if order % 2}
    assert world.failed() == set()
    assert "no process comes to an end with images of m1" in world.ended[1].unusable
    assert not world.gave_up


def test_where_everything_dies_it_is_not_gone_on_for_ever():
    for actors, models in ((1, 1), (3, 2), (8, 4)):
        world = MortalActors(1, actors, lambda now: 0.0 if now < 20 else 50.0)
        world.run(400, models=models)
        assert world.gave_up
        assert world.failed() == set()
        assert len(world.ended) > len(world.unusable())


@given(
    deaths=st.integers(1, 12),
    others_died=st.integers(0, 30),
    others_survived=st.integers(0, 60),
)
def test_the_chance_of_deaths_is_fishers(deaths, others_died, others_survived):
    table = [[deaths, 0], [others_died, others_survived]]
    expected = stats.fisher_exact(table, alternative="greater").pvalue
    assert blame.by_chance(deaths, others_died, others_survived) == pytest.approx(expected, rel=1e-9)


def test_what_fails_in_one_place_is_tried_in_another_of_another_kind():
    world = World(broken={"a"})
    for name, kind in (("a", "A100"), ("b", "A100"), ("c", "H100")):
        world.dispatch.add(name, kind)
    world.dispatch.submit("a", 0, "m", 4)
    assert world.step("a")
    assert not world.step("b")
    assert world.step("c")
    assert world.ended[0].made == {0, 1, 2, 3}
    assert world.ended[0].slot == "c"


def test_an_actor_that_fails_over_what_others_make_is_used_no_more():
    world = World(broken={"a"})
    world.dispatch.add("a", "A100")
    world.dispatch.add("b", "A100")
    for order in range(MOST_WRONG):
        assert world.dispatch.at_fault() == []
        world.dispatch.submit("a", order, "m", 1)
        assert world.step("a")
        assert world.step("b")
    assert world.dispatch.at_fault() == ["a"]
    assert "a (A100) is not used any more" in world.dispatch.notes[0]
    assert "NaN on a" in world.dispatch.notes[0]


def test_what_fails_everywhere_is_the_rows_own_fault():
    world = World(nowhere={(0, 2)})
    world.dispatch.add("a", "A100")
    world.dispatch.add("b", "A100")
    for order in range(5):
        world.nowhere.add((order, 2))
        world.dispatch.submit("a", order, "m", 4)
        assert world.step("a")
        assert world.step("b")
        assert list(world.ended[order].failed) == [2]
    assert world.dispatch.at_fault() == []


def test_a_model_that_cannot_be_used_ends_its_orders():
    dispatch = Dispatch()
    dispatch.add("a", "A100")
    dispatch.submit("a", 0, "m", 3)
    piece = dispatch.next("a")
    dispatch.done("a", piece, [], b"", {}, "it cannot be loaded")
    [(number, outcome)] = dispatch.ended()
    assert (number, outcome.unusable) == (0, "it cannot be loaded")


def test_what_nobody_has_begun_is_withdrawn():
    dispatch = Dispatch()
    dispatch.add("a", "A100")
    for order in range(5):
        dispatch.submit("a", order, "m", 2)
    begun = [dispatch.next("a"), dispatch.next("a")]
    assert dispatch.next("a") is None
    assert sorted(dispatch.withdraw()) == [2, 3, 4]
    for piece in begun:
        dispatch.done("a", piece, [0, 1], b"x", {})
    assert [number for number, _ in dispatch.ended()] == [0, 1]
    assert dispatch.is_idle


def test_what_has_failed_in_the_only_place_waits_for_one_that_is_to_come():
    world = World(broken={"a"})
    world.dispatch.add("a", "A100")
    world.dispatch.expect(1)
    world.dispatch.submit("a", 0, "m", 4)
    assert world.step("a")
    assert not world.step("a")
    assert world.ended == {}
    world.dispatch.add("b", "A100")
    assert world.step("b")
    assert world.ended[0].made == {0, 1, 2, 3}
    world.dispatch.remove("b", innocent=True)
    world.dispatch.submit("a", 1, "m", 2)
    assert world.step("a")
    assert 1 not in world.ended
    world.dispatch.expect(0)  # none will come after all
    assert world.step("a")
    assert set(world.ended[1].failed) == {0, 1}
