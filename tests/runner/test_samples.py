"""Samples in the store and in the run folder: what was written is found."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pytest_seedshift.core.cases import Case
from pytest_seedshift.core.pairs import Label, Pair
from pytest_seedshift.models import catalogue, fingerprint
from pytest_seedshift.results.pictures import packed
from pytest_seedshift.results.run_folder import RunFolder
from pytest_seedshift.results.sample_rows import Image, ScoreKey
from pytest_seedshift.results.sample_store import Store, StoreError
from pytest_seedshift.runner.samples import Known, Samples

CASE = Case("toy-latent", "mean", 0.3)
CONTROL = CASE.control
DESIGN = catalogue.shipped().design("toy-latent", 16)
VALUES = ({"top1": 1.0, "top5": 1.0}, {"clip": 21.5})
DARK = packed(torch.zeros(3, 4, 4))
MERGED = {"top1": 1.0, "top5": 1.0, "clip": 21.5}


@pytest.fixture
def folder(tmp_path) -> RunFolder:
    folder = RunFolder(tmp_path / ".seedshift")
    folder.prepare()
    return folder


@pytest.fixture
def store(folder):
    with closing(Store(folder.samples_file)) as store:
        yield store


# What was written is found ----------------------------------------------------------------------------------------


@pytest.fixture
def samples(store, folder) -> Samples:
    return Samples(store, folder, "model", ("vit", "clip"))


def save(folder: RunFolder, samples: Samples, pair: Pair) -> Path:
    return folder.save_picture(CASE, pair, samples.picture_name(CASE, pair), packed(torch.zeros(3, 4, 4)))


def write(samples: Samples, pairs: Sequence[Pair], pictures: dict[Pair, Path] | None = None) -> None:
    samples.write(CASE, pairs, [VALUES] * len(pairs), pictures or {})


def test_samples_that_were_written_are_found_in_the_order_asked_for(samples):
    assert samples.find(CASE, DESIGN) == {}
    write(samples, DESIGN[:3])
    found = samples.find(CASE, DESIGN[::-1])
    assert list(found) == list(DESIGN[2::-1])
    assert all((each.case, each.pair, each.scores) == (CASE, pair, MERGED) for pair, each in found.items())


def test_writing_gives_what_finding_gives(samples, folder):
    pictures = {DESIGN[0]: save(folder, samples, DESIGN[0])}
    assert samples.write(CASE, DESIGN, [VALUES] * 16, pictures) == samples.find(CASE, DESIGN)


@pytest.mark.parametrize("other", [CONTROL, Case("toy-latent", "mean", -0.3), Case("toy-latent", "std", 0.3)])
def test_samples_of_other_cases_are_not_found(samples, other):
    write(samples, DESIGN)
    assert samples.find(other, DESIGN) == {}


def test_samples_of_another_model_or_by_other_scorers_are_not_found(samples, store, folder):
    write(samples, DESIGN)
    assert Samples(store, folder, "other", ("vit", "clip")).find(CASE, DESIGN) == {}
    assert Samples(store, folder, "model", ("vit", "other")).find(CASE, DESIGN) == {}
    assert len(Samples(store, folder, "model", ("vit",)).find(CASE, DESIGN)) == 16


def test_a_score_of_another_class_is_not_found(samples):
    write(samples, DESIGN[:1])
    other = dataclasses.replace(DESIGN[0], label=Label(DESIGN[0].label.name, 999))
    assert samples.find(CASE, [other]) == {}


def test_an_image_without_all_of_its_scores_is_no_sample(samples, store):
    key = fingerprint.image_key("model", CASE, DESIGN[0])
    image = Image(key, "model", "toy-latent", "mean", 0.3, DESIGN[0].label.name, 0, "prompt")
    index = DESIGN[0].label.index
    store.add([image], {ScoreKey(key, "vit", index): VALUES[0]})
    assert samples.find(CASE, DESIGN) == {}
    store.add([], {ScoreKey(key, "clip", index): VALUES[1]})
    assert samples.find(CASE, DESIGN)[DESIGN[0]].scores == MERGED


def test_a_sample_that_is_to_be_shown_needs_its_picture(samples, folder):
    first, second = DESIGN[:2]
    pictures = {first: save(folder, samples, first)}
    write(samples, DESIGN[:2], pictures)
    assert samples.find(CASE, DESIGN)[first].picture == pictures[first].path
    assert list(samples.find(CASE, DESIGN, shown=[first])) == [first, second]
    assert list(samples.find(CASE, DESIGN, shown=[first, second])) == [first]
    assert samples.pictures(CASE, DESIGN) == pictures
    pictures[first].path.unlink()
    assert list(samples.find(CASE, DESIGN, shown=[first])) == [second]
    assert samples.find(CASE, DESIGN)[first].picture is None
    assert samples.pictures(CASE, DESIGN) == {}


def test_pictures_are_found_whatever_scores_them(samples, store, folder):
    pictures = {DESIGN[0]: save(folder, samples, DESIGN[0])}
    write(samples, DESIGN[:2], pictures)
    assert Samples(store, folder, "model", ("other",)).pictures(CASE, DESIGN) == pictures
    assert Samples(store, folder, "other", ("vit", "clip")).pictures(CASE, DESIGN) == {}


def test_a_run_folder_can_be_moved(samples, store, folder, tmp_path):
    write(samples, DESIGN[:1], {DESIGN[0]: save(folder, samples, DESIGN[0])})
    store.close()
    moved = RunFolder(folder.path.rename(tmp_path / "moved"))
    with closing(Store(moved.samples_file)) as store:
        found = Samples(store, moved, "model", ("vit", "clip")).find(CASE, DESIGN)
    assert found[DESIGN[0]].picture.is_relative_to(moved.path)


def test_scores_that_do_not_fit_their_pairs_are_not_written(samples):
    for scores in ([VALUES], [VALUES[:1]] * 2):
        with pytest.raises(ValueError, match="zip"):
            samples.write(CASE, DESIGN[:2], scores, {})
    assert samples.find(CASE, DESIGN) == {}


# What was found is remembered -------------------------------------------------------------------------------------

steps = st.lists(
    st.tuples(
        st.sampled_from(["find", "find", "write", "written by another", "picture by another"]),
        st.sampled_from(
            [CASE, CONTROL, dataclasses.replace(CASE, magnitude=1), dataclasses.replace(CASE, magnitude=1.0)]
        ),
        st.lists(st.integers(0, 5), unique=True),
        st.sets(st.integers(0, 5)),
    ),
    max_size=12,
)


@given(steps=steps, most=st.sampled_from([0, 3, 1000]))
def test_what_is_remembered_is_what_the_store_has(tmp_path_factory, steps, most):
    """Whoever writes, and however little is remembered. A picture that nobody needs may be seen later."""
    folder = RunFolder(tmp_path_factory.mktemp("run") / ".seedshift")
    folder.prepare()
    with closing(Store(folder.samples_file)) as store, closing(Store(folder.samples_file)) as others:
        samples = Samples(store, folder, "model", ("vit", "clip"), known=Known(most))
        for what, case, places, shown in steps:
            wanted, shown = [DESIGN[place] for place in places], {DESIGN[place] for place in shown}
            other = Samples(others, folder, "model", ("vit", "clip"))  # knows nothing yet
            if what == "find":
                expected, found = other.find(case, wanted, shown), samples.find(case, wanted, shown)
                assert list(found) == list(expected)
                for pair, each in found.items():
                    assert (each.case, each.pair, each.scores) == (case, pair, expected[pair].scores)
                    assert each.picture in (None, expected[pair].picture)
                    assert each.picture == expected[pair].picture or pair not in shown
                continue
            writer = samples if what == "write" else other
            there = writer.find(case, wanted) if "picture" in what else wanted
            kept = {pair: folder.save_picture(case, pair, writer.picture_name(case, pair), DARK) for pair in there}
            writer.write(case, list(there), [VALUES] * len(there), kept if "picture" in what else {})


def test_a_store_that_is_gone_is_noticed_though_all_samples_are_known(samples, store):
    write(samples, DESIGN)
    store.path.unlink()
    with pytest.raises(StoreError, match="removed while this run used it"):
        samples.find(CASE, DESIGN)


def test_no_more_is_remembered_than_is_said():
    known = Known(most=10)
    for case in range(5):
        known.of(case).update(dict.fromkeys(range(4)))
        known.trim(4)
    assert [len(known.of(case)) for case in range(5)] == [0, 0, 0, 4, 4]


def test_marks_are_found_of_those_that_are_asked_for(samples):
    """Of any number of others too: in a run of pictures of one colour each has one."""
    samples.mark("flat", CONTROL, DESIGN)
    samples.mark("flat", CASE, DESIGN[3:5])
    samples.mark("same", CASE, DESIGN)
    assert samples.marked("flat", CASE, DESIGN[:4]) == {DESIGN[3]}
    assert samples.marked("other", CASE, DESIGN) == samples.marked("flat", CASE, []) == set()
