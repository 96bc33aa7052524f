"""The store of samples: what is written is there for every process, whatever dies; nothing damaged is trusted."""

from __future__ import annotations

import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from helpers.limits import files_no_larger_than
from pytest_seedshift.results import sample_reading, sample_rows, sample_store
from pytest_seedshift.results.sample_rows import Image, Pace, ScoreKey
from pytest_seedshift.results.sample_store import Store, prepare
from pytest_seedshift.results.sample_tables import StoreError

BATCH = 5
SCORES = {"top1": 1.0, "clip": 21.5}
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=50)
finite = st.floats(allow_nan=False, allow_infinity=False)

# Writes batches, as the plugin does, and says after each one that it is written.
WRITER = f"""
import sys
from itertools import islice, count
from pathlib import Path
from pytest_seedshift.results import sample_store
from pytest_seedshift.results.sample_store import Store
from pytest_seedshift.results.sample_rows import Image, ScoreKey
from pytest_seedshift.results.sample_tables import StoreError

path, who, first, batches = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
store = Store(path)
for batch in range(first, first + batches):
    seeds = range({BATCH} * batch, {BATCH} * (batch + 1))
    images = [Image(f"{{who}}{{seed}}", "f", "m", "mean", 0.5, "owl", seed, "an owl") for seed in seeds]
    scores = {{ScoreKey(image.key, scorer, 3): {SCORES} for image in images for scorer in "ab"}}
    try:
        store.add(images, scores)
    except StoreError as error:
        sys.exit(str(error))
    print(batch, flush=True)
"""


def image(key: str = "k", seed: int = 0, **fields) -> Image:
    known = {"model": "toy-latent", "shift": "mean", "magnitude": 0.3, "label": "Löwe", "prompt": "A photo of a Löwe"}
    return Image(key=key, fingerprint="f", seed=seed, **{**known, **fields})


def score_key(key: str = "k", scorer: str = "s", label_index: int = 3) -> ScoreKey:
    return ScoreKey(key, scorer, label_index)


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "samples.sqlite"


@pytest.fixture
def store(path):
    with closing(Store(path)) as store:
        yield store


def write(path: Path, who: str = "", first: int = 0, batches: int = 10_000) -> subprocess.Popen:
    """A process that writes batches."""
    arguments = [sys.executable, "-c", WRITER, str(path), who, str(first), str(batches)]
    return subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def samples(count: int = 60) -> dict[str, Image]:
    return {f"{seed:032x}": image(f"{seed:032x}", seed) for seed in range(count)}


def fill(path: Path, count: int = 60) -> dict[str, Image]:
    made = samples(count)
    with closing(Store(path)) as store:
        store.add(list(made.values()), {score_key(key, scorer): SCORES for key in made for scorer in "ab"})
    return made


def rows(path: Path, query: str) -> list[tuple]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(query).fetchall()


def change(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(statement)


def whole_batches(path: Path) -> set[int]:
    """The batches of `WRITER` that the store has; fails where one is there in part."""
    with closing(Store(path)) as store:
        store.check()
    images = dict(rows(path, f"SELECT seed / {BATCH}, count(*) FROM images GROUP BY 1"))
    scores = dict(rows(path, f"SELECT seed / {BATCH}, count(*) FROM samples GROUP BY 1"))
    assert set(images.values()) <= {BATCH}
    assert scores == {batch: 2 * count for batch, count in images.items()}
    return set(images)


# What is written --------------------------------------------------------------------------------------------------


@given(label=texts, prompt=texts, magnitude=finite, seed=st.integers(0, 2**62), picture=st.none() | texts, value=finite)
def test_what_is_written_is_read_exactly(tmp_path_factory, label, prompt, magnitude, seed, picture, value):
    written = image("k", seed, label=label, prompt=prompt, magnitude=magnitude, picture=picture)
    with closing(Store(tmp_path_factory.mktemp("store") / "samples.sqlite")) as store:
        store.add([written], {score_key(): {"top1": 1.0, label: value}})
        assert store.images(["k"]) == {"k": written}
        assert store.scores([score_key()]) == {score_key(): {"top1": 1.0, label: value}}
        store.check()


@pytest.mark.parametrize("magnitude", [0.0, -0.0, 1, 0, 1e300, 0.1 + 0.2])
def test_any_number_of_a_magnitude_is_read_again(store, magnitude):
    store.add([image(magnitude=magnitude)], {})
    assert store.images(["k"])["k"].magnitude == magnitude


def test_what_was_not_written_is_not_there(store):
    store.add([image()], {score_key(): SCORES})
    assert store.images(["other"]) == store.images([]) == {}
    others = [score_key(key="other"), score_key(scorer="other"), score_key(label_index=4)]
    assert store.scores(others) == store.scores([]) == {}
    assert store.scores([*others, score_key()]) == {score_key(): SCORES}


def test_more_keys_than_one_statement_takes(store):
    images = [image(str(seed), seed) for seed in range(1201)]
    store.add(images, {score_key(each.key): {"top1": float(each.seed % 2)} for each in images})
    assert store.images(each.key for each in images) == {each.key: each for each in images}
    found = store.scores(score_key(each.key) for each in images)
    assert {key.image: values["top1"] for key, values in found.items()} == {each.key: each.seed % 2 for each in images}


def test_a_sample_that_is_written_again_is_replaced(store):
    store.add([image()], {score_key(): SCORES})
    store.add([image(picture="a.png")], {score_key(): {"top1": 0.0}})
    assert store.images(["k"]) == {"k": image(picture="a.png")}
    assert store.scores([score_key()]) == {score_key(): {"top1": 0.0}}


def test_nothing_to_write_is_no_mistake(store):
    store.add([], {})
    store.check()


def test_a_batch_that_cannot_be_written_whole_is_not_written_at_all(store):
    store.add([image("before")], {})
    with pytest.raises(OverflowError):
        store.add([image("first"), image("second", seed=2**70)], {score_key("first"): SCORES})
    with pytest.raises(TypeError):
        store.add([image("first")], {score_key("first"): {"top1": object()}})
    assert list(store.images(["before", "first", "second"])) == ["before"]
    store.add([image("after")], {})
    store.check()


def test_the_pace_of_a_model_is_its_own_on_each_device(store):
    assert store.pace("f", "cpu") is None
    store.set_pace("f", "cpu", Pace(4))
    store.set_pace("f", "gpu", Pace(64, 0.25))
    assert (store.pace("f", "cpu"), store.pace("f", "gpu"), store.pace("g", "cpu")) == (Pace(4), Pace(64, 0.25), None)
    store.set_pace("f", "cpu", Pace(8, 1.5))
    assert store.pace("f", "cpu") == Pace(8, 1.5)


def test_how_many_images_a_verdict_took_is_remembered_by_case_and_design(store):
    store.set_visited("f", "mean", 0.3, 400, 25)
    assert store.visited("f", "mean", 0.3, 400) == 25
    others = [("g", "mean", 0.3, 400), ("f", "std", 0.3, 400), ("f", "mean", -0.3, 400), ("f", "mean", 0.3, 200)]
    assert [store.visited(*other) for other in others] == [None] * 4


@given(label=texts, prompt=texts, magnitude=finite, picture=st.none() | texts, value=finite, other=finite)
def test_what_is_taken_over_is_what_was_written(tmp_path_factory, label, prompt, magnitude, picture, value, other):
    """Row by row, with its seals; and what a store has already stays, but for a picture that it lacks."""
    folder = tmp_path_factory.mktemp("stores")
    written = image("k", 1, label=label, prompt=prompt, magnitude=magnitude, picture=picture)
    tables = [f"SELECT * FROM {table} ORDER BY 1, 2" for table in ("images", "scores", "paces", "visits")]
    with closing(Store(folder / "source")) as source, closing(Store(folder / "empty")) as empty:
        source.add([written, image("l", 2)], {score_key(): {label: value}, score_key(scorer="b"): {"top1": 1.0}})
        source.mark("flat", ["k"])
        empty.take_over(source)
        for query in tables:
            assert rows(folder / "empty", query) == rows(folder / "source", query)
        with closing(Store(folder / "mine")) as mine:
            mine.add([image("k", 1, magnitude=magnitude)], {score_key(): {label: other}})
            mine.take_over(source)
            mine.check()
            assert mine.scores([score_key()])[score_key()] == {label: other}
            assert mine.images(["k"])["k"] == (image("k", 1, magnitude=magnitude) if picture is None else written)
            assert len(mine.images("kl")) == 2


def test_a_store_takes_over_what_it_lacks_of_another_and_keeps_its_own(store, tmp_path):
    with closing(Store(tmp_path / "other.sqlite")) as other:
        other.add(
            [image(str(key), key, picture=f"{key}.png", digest="d") for key in range(1200)],
            {score_key(str(key)): {"top1": 0.0} for key in range(1200)},
        )
        other.set_pace("f", "cpu", Pace(8, 0.5))
        other.set_visited("f", "mean", 0.5, 400, 24)
        store.add([image("0"), image("1", 1, picture="own.png", digest="o")], {score_key("0"): {"top1": 1.0}})
        store.set_visited("f", "mean", 0.5, 400, 32)
        store.take_over(other)
        store.take_over(other)  # nothing more
    store.check()
    assert len(store.images(map(str, range(1200)))) == 1200
    assert store.images(["0"])["0"].picture == "0.png"  # it had none
    assert store.images(["1"])["1"].picture == "own.png"
    values = store.scores(score_key(str(key)) for key in range(1200))
    assert [values[score_key(str(key))]["top1"] for key in (0, 1)] == [1.0, 0.0]
    assert len(values) == 1200
    assert store.pace("f", "cpu") == Pace(8, 0.5)
    assert store.visited("f", "mean", 0.5, 400) == 32


def test_samples_can_be_read_with_any_sqlite(store, path):
    store.add([image(picture="a.png")], {score_key(): SCORES})
    assert rows(path, "SELECT * FROM samples") == [
        ("toy-latent", "mean", 0.3, "Löwe", 0, "A photo of a Löwe", "a.png", "s", '{"top1": 1.0, "clip": 21.5}', "f")
    ]
    assert rows(path, "PRAGMA journal_mode") == [("wal",)]


# Several processes ------------------------------------------------------------------------------------------------


def test_an_open_store_sees_what_others_write(store, path):
    with closing(Store(path)) as other:
        other.add([image()], {score_key(): SCORES})
        assert store.images(["k"]) == {"k": image()}
        store.set_pace("f", "cpu", Pace(4))
        assert other.pace("f", "cpu") == Pace(4)


def test_processes_that_write_at_once_lose_nothing(path):
    """Four start on a store that does not exist; two of them write the same samples."""
    writers = [write(path, who, batches=40) for who in ("a", "b", "c", "c")]
    errors = [writer.communicate(timeout=60)[1] for writer in writers]
    assert errors == [""] * 4
    with closing(Store(path)) as store:
        store.check()
        keys = [f"{who}{seed}" for who in "abc" for seed in range(40 * BATCH)]
        assert store.images(keys).keys() == set(keys)
        wanted = [score_key(key, scorer) for key in keys for scorer in "ab"]
        assert store.scores(wanted) == dict.fromkeys(wanted, SCORES)


def test_a_process_that_is_killed_while_it_writes_loses_at_most_the_batch_in_flight(path):
    rng, known = random.Random(2), set()
    for _ in range(8):
        first = max(known, default=-1) + 1
        with write(path, first=first) as writer:
            assert writer.stdout.readline() == f"{first}\n"
            time.sleep(rng.uniform(0, 0.1))
            writer.send_signal(signal.SIGKILL)
            said = {first, *map(int, writer.stdout)}
        found = whole_batches(path)
        assert known | said <= found <= known | said | {max(said) + 1}
        known = found
    assert prepare(path) is None


@pytest.fixture
def killed(path) -> int:
    """Batches that a process wrote before it was killed; what it wrote last is in the write-ahead log alone."""
    with write(path) as writer:
        while int(writer.stdout.readline()) < 9:
            pass
        writer.send_signal(signal.SIGKILL)
    assert path.with_name(path.name + "-wal").stat().st_size
    return 10


def test_a_damaged_write_ahead_log_costs_its_last_batches_and_no_more(path, killed):
    log = path.with_name(path.name + "-wal")
    data = bytearray(log.read_bytes())
    data[len(data) // 2 :] = random.Random(3).randbytes(len(data) - len(data) // 2)
    log.write_bytes(data)
    assert prepare(path) is None
    found = whole_batches(path)
    assert found == set(range(len(found)))


def test_a_store_that_was_deleted_without_its_log_begins_anew(path, killed):
    path.unlink()
    assert prepare(path) is None
    assert whole_batches(path) == set()


def test_a_fresh_store_sets_aside_what_a_killed_process_wrote(path, killed):
    assert prepare(path, fresh=True) is None
    assert whole_batches(path) == set()
    assert set(range(killed)) <= whole_batches(path.with_name("samples.previous.sqlite"))


def test_one_of_many_that_prepare_at_once_makes_the_store(path):
    script = "import sys; from pathlib import Path; from pytest_seedshift.results import sample_store as store; "
    script += "sys.stdin.read(); print(store.prepare(Path(sys.argv[1])))"
    arguments = [sys.executable, "-c", script, str(path)]
    pipe = subprocess.PIPE
    processes = [subprocess.Popen(arguments, stdin=pipe, stdout=pipe, stderr=pipe, text=True) for _ in range(6)]
    for process in processes:
        process.stdin.close()
        process.stdin = None
    assert [process.communicate(timeout=60) for process in processes] == [("None\n", "")] * 6


def test_a_full_disk_is_told_and_what_was_written_is_safe(path):
    with files_no_larger_than(200_000):
        writer = write(path)
    said, error = writer.communicate(timeout=60)
    assert error.startswith(f"{path} cannot be used: ")
    assert error.endswith("Samples that were written before are safe\n")
    written = set(map(int, said.split()))
    assert len(written) > 1
    assert prepare(path) is None
    assert whole_batches(path) == written
    with write(path, first=len(written), batches=3) as writer:
        assert writer.wait(60) == 0
    assert whole_batches(path) == set(range(len(written) + 3))


# Damage -----------------------------------------------------------------------------------------------------------


def aside(path: Path) -> list[Path]:
    return sorted(path.parent.glob("samples.damaged-*.sqlite"))


def check_damage(path: Path, made: dict[str, Image]) -> bool:
    """Whether damage is noticed. If so, the store is set aside whole, with a warning; if not, it does no harm."""
    damaged = path.read_bytes()
    warning = prepare(path)
    if warning is not None:
        assert [each.read_bytes() for each in aside(path)] == [damaged]
        assert warning.startswith(f"{path}: damaged: ")
        assert f"It is set aside as {aside(path)[0].name}, none of its samples is used" in warning
    with closing(Store(path)) as store:
        images = store.images(made)
        assert images.items() <= made.items()
        assert not images or warning is None
        wanted = [score_key(key, scorer) for key in made for scorer in "ab"]
        assert set(map(str, store.scores(wanted).values())) <= {str(SCORES)}
        store.add(list(made.values()), {})
        store.check()
        assert store.images(made) == made
    return warning is not None


@pytest.fixture(scope="module")
def sound(tmp_path_factory) -> Path:
    """A store that is not damaged."""
    path = tmp_path_factory.mktemp("sound") / "samples.sqlite"
    fill(path)
    return path


@settings(max_examples=100)
@example(place=0.09375, length=1, seed=0)  # the name of a table is no text
@given(place=st.floats(0, 1, exclude_max=True), length=st.sampled_from([1, 16, 256, 4096]), seed=st.integers(0, 2**32))
def test_random_bytes_in_a_store_are_noticed_or_harmless(sound, tmp_path_factory, place, length, seed):
    content = sound.read_bytes()
    start = 100 + int(place * (len(content) - 100))  # behind the header of the file
    noise = random.Random(seed).randbytes(length)
    path = tmp_path_factory.mktemp("store") / "samples.sqlite"
    path.write_bytes((content[:start] + noise + content[start + length :])[: len(content)])
    check_damage(path, samples())


@given(part=st.floats(0, 1, exclude_max=True))
def test_a_truncated_store_is_set_aside(sound, tmp_path_factory, part):
    content = sound.read_bytes()
    path = tmp_path_factory.mktemp("store") / "samples.sqlite"
    path.write_bytes(content[: 2 + int(part * (len(content) - 2))])  # to SQLite, one byte is an empty file
    assert check_damage(path, samples())


NO_DATABASES = (b"not a database\n", b"not a database\n" * 500, b"\0" * 8192, b"SQLite format 3\0" + b"\xff" * 8000)


@pytest.mark.parametrize("content", NO_DATABASES, ids=["short", "text", "zeros", "header"])
def test_what_is_no_database_is_set_aside(path, content):
    path.write_bytes(content)
    assert check_damage(path, {})


CHANGES = (
    *(f"UPDATE images SET {column} = 'x' WHERE seed = 7" for column in ("key", "fingerprint", "model", "shift")),
    *(f"UPDATE images SET {column} = 'x' WHERE seed = 7" for column in ("label", "prompt", "picture", "seal")),
    "UPDATE images SET magnitude = 0.30000000000000004 WHERE seed = 7",
    "UPDATE images SET seed = 1000 WHERE seed = 7",
    "UPDATE scores SET scores = replace(scores, '21.5', '22.5') WHERE image LIKE '%7' AND scorer = 'a'",
    "UPDATE scores SET class = 4 WHERE image LIKE '%7' AND scorer = 'a'",
    "UPDATE scores SET scorer = 'c' WHERE image LIKE '%7' AND scorer = 'a'",
    "UPDATE scores SET image = image || 'x' WHERE scorer = 'a'",
)


@pytest.mark.parametrize("statement", CHANGES)
def test_a_changed_value_is_noticed_although_the_database_is_sound(path, statement):
    made = fill(path)
    change(path, statement)
    assert rows(path, "PRAGMA integrity_check") == [("ok",)]
    assert check_damage(path, made)


@pytest.mark.parametrize("value", ["batch_size = 0", "batch_size = 'x'", "seconds = 'x'"])
def test_a_changed_pace_is_not_used(path, value):
    with closing(Store(path)) as store:
        store.set_pace("f", "cpu", Pace(4, 0.1))
    change(path, f"UPDATE paces SET {value}")
    prepare(path)
    with closing(Store(path)) as store:
        assert store.pace("f", "cpu") is None


@pytest.mark.parametrize("value", ["'x'", "-4"])
def test_a_changed_number_of_images_that_a_verdict_took_is_not_used(path, value):
    with closing(Store(path)) as store:
        store.set_visited("f", "mean", 0.3, 400, 25)
    change(path, f"UPDATE visits SET images = {value}")
    prepare(path)
    with closing(Store(path)) as store:
        assert store.visited("f", "mean", 0.3, 400) is None


def test_a_value_that_changes_while_the_store_is_open_is_not_used(path, store):
    fill(path)
    for statement in ("UPDATE images SET picture = 'x' WHERE seed = 7", CHANGES[10]):
        change(path, statement)
    changed, other = f"{7:032x}", f"{8:032x}"
    assert list(store.images([changed, other])) == [other]
    wanted = [score_key(key, "a") for key in (changed, other)]
    assert list(store.scores(wanted)) == wanted[1:]
    with pytest.raises(StoreError, match=r"samples.sqlite: damaged: a row of images fails its checksum"):
        store.check()


def test_no_damaged_store_takes_the_place_of_another(path):
    contents = [bytes([65 + count]) * 5000 for count in range(4)]
    for content in contents:
        path.write_bytes(content)
        assert prepare(path) is not None
    assert sorted(each.read_bytes() for each in aside(path)) == contents


# Stores that somebody else has made --------------------------------------------------------------------------------


def forge(path: Path, statement: str, *values: object) -> None:
    """Change a store and seal its rows again."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(statement, values)
        for table, key in (("images", "key"), ("scores", "image || scorer")):
            for row in connection.execute(f"SELECT {key}, * FROM {table}").fetchall():
                connection.execute(
                    f"UPDATE {table} SET seal = ? WHERE {key} = ?", (sample_rows.seal_of(row[1:-1]), row[0])
                )
        connection.commit()


ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT "
HOSTILE = {
    "a view in place of a table": "DROP TABLE images; CREATE VIEW images AS " + ENDLESS + "i AS key, i AS fingerprint, "
    "i AS model, i AS shift, i AS magnitude, i AS label, i AS seed, i AS prompt, i AS picture, i AS digest, i AS seal "
    "FROM n",
    "a view of scores": "DROP TABLE scores; CREATE VIEW scores AS "
    + ENDLESS
    + "i AS image, i AS scorer, i AS class, i AS "
    "scores, i AS seal FROM n",
    "another table": "CREATE TABLE more (x)",
    "a trigger": "CREATE TRIGGER t AFTER INSERT ON images BEGIN DELETE FROM scores; END",
    "an index with a function": "CREATE INDEX i ON images (abs(seed))",
    "a generated column": "ALTER TABLE paces ADD COLUMN x AS (hex(zeroblob(batch_size * 1000000)))",
    "a table that is lacking": "DROP TABLE visits",
    "another view of samples": "DROP VIEW samples; CREATE VIEW samples AS SELECT 1",
}


@pytest.mark.parametrize("statements", HOSTILE.values(), ids=HOSTILE)
def test_a_store_whose_tables_are_not_ours_is_not_read(path, statements):
    fill(path)
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(statements)
    for reader in (lambda: sample_reading.read(path), lambda: Store(path)):
        with pytest.raises(StoreError, match=rf"{path.name}: damaged: its tables are not as seedshift makes them"):
            reader()
    assert "set aside" in prepare(path)


@pytest.mark.parametrize("suffix", ["", "-wal", "-shm"])
@pytest.mark.parametrize("kind", ["link", "pipe", "folder", "sparse"])
def test_a_store_that_is_no_ordinary_file_is_not_opened(path, tmp_path, suffix, kind):
    fill(path)
    other = tmp_path / "other"
    place = path.with_name(path.name + suffix)
    place.rename(other) if place.exists() else other.write_bytes(b"")
    before = other.read_bytes()
    if kind == "link":
        place.symlink_to(other)
    elif kind == "pipe":
        os.mkfifo(place)
    elif kind == "folder":
        place.mkdir()
    else:
        with place.open("wb") as file:
            file.truncate(10**12)
    for reader in (lambda: sample_reading.read(path), lambda: Store(path), lambda: prepare(path)):
        with pytest.raises(StoreError, match=rf"{place.name} cannot be used: it is"):
            reader()
    assert other.read_bytes() == before


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE images SET model = x'ff00' WHERE seed = 7",
        "UPDATE images SET seed = 'seven' WHERE seed = 7",
        "UPDATE images SET seed = 7.5 WHERE seed = 7",
        "UPDATE images SET magnitude = 9e999 WHERE seed = 7",
        "UPDATE images SET magnitude = 'x' WHERE seed = 7",
        "UPDATE images SET picture = x'00' WHERE seed = 7",
        *(
            f"UPDATE scores SET scores = '{text}' WHERE image LIKE '%7' AND scorer = 'a'"
            for text in ("[1]", "{", '{"top1": "x"}', '{"top1": null}', '{"top1": 1e999}', '{"top1": NaN}', "[" * 9000)
        ),
        "UPDATE scores SET scores = 7 WHERE image LIKE '%7' AND scorer = 'a'",
        f"UPDATE scores SET scores = '{{\"top1\": {10**400}}}' WHERE image LIKE '%7' AND scorer = 'a'",
        "UPDATE scores SET class = 'x' WHERE image LIKE '%7' AND scorer = 'a'",
    ],
)
def test_a_row_with_a_right_seal_and_wrong_content_is_not_used(path, statement):
    made = fill(path)
    forge(path, statement)
    assert sample_reading.read(path).broken >= 1
    with closing(Store(path)) as store:
        assert set(store.images(made)) >= set(made) - {f"{7:032x}"}
        wanted = [score_key(key, scorer) for key in made for scorer in "ab"]
        assert all(values == SCORES for values in store.scores(wanted).values())
    assert "set aside" in prepare(path)


@pytest.mark.parametrize("how", ["removed", "replaced", "with its folder"])
def test_a_store_that_vanishes_while_it_is_used_is_noticed(tmp_path, how):
    folder = tmp_path / "run"
    folder.mkdir()
    path = folder / "samples.sqlite"
    with closing(Store(path)) as store:
        store.add([image()], {})
        if how == "with its folder":
            shutil.rmtree(folder)
        else:
            for each in folder.iterdir():
                each.unlink()
        if how == "replaced":
            Store(path).close()
        was = "replaced" if how == "replaced" else "removed"
        for use in (lambda: store.add([image()], {}), lambda: store.images(["k"]), lambda: store.pace("f", "cpu")):
            with pytest.raises(
                StoreError, match=rf"samples.sqlite was {was} while this run used it: .* is lost"
            ) as said:
                use()
            assert "safe" not in str(said.value)


@pytest.mark.parametrize("name", ["caf\udcff", "\udc80\udcff", "模型", "\U0001f40c", "a\0b"], ids=ascii)
def test_names_that_are_no_utf_8_are_read_as_they_were_written(path, store, name):
    made = image(model=name, label=name, prompt=f"A photo of {name}", picture=f"pictures/{name}.png")
    store.add([made], {score_key("k", "s"): SCORES})
    assert store.images(["k"]) == {"k": made}
    assert sample_reading.read(path, [name]).images == (made,)
    assert sample_reading.read(path, ["another"]).images == ()
    store.check()


# Stores that are not for this version -----------------------------------------------------------------------------


def test_a_store_of_another_version_is_an_error_with_a_way_out(path):
    fill(path)
    change(path, "PRAGMA user_version = 99")
    before = path.read_bytes()
    with pytest.raises(StoreError, match=r"another version of seedshift \(its format is 99.*--seedshift-fresh"):
        prepare(path)
    assert path.read_bytes() == before
    assert prepare(path, fresh=True) is None
    assert path.with_name("samples.previous.sqlite").read_bytes() == before


def test_a_database_of_something_else_is_an_error_and_is_left_as_it_is(path):
    change(path, "CREATE TABLE bookmarks (place)")
    before = path.read_bytes()
    with pytest.raises(StoreError, match="is a database, but not of seedshift: give another --seedshift-dir"):
        prepare(path)
    assert path.read_bytes() == before
    assert sorted(path.parent.iterdir()) == [path]


def test_a_store_that_cannot_be_opened_is_told(tmp_path):
    for path in (tmp_path, tmp_path / "nowhere" / "samples.sqlite"):
        with pytest.raises(StoreError, match=r"cannot be used: (unable to open|it is not an ordinary file)"):
            prepare(path)


def test_a_store_is_set_aside_only_when_it_is_asked_or_damaged(path):
    made = fill(path)
    assert prepare(path) is None
    assert sorted(path.parent.iterdir()) == [path]
    with closing(Store(path)) as store:
        assert store.images(made) == made


def test_fresh_keeps_the_store_before_and_only_that(path):
    assert prepare(path, fresh=True) is None
    previous = path.with_name("samples.previous.sqlite")
    for count in (3, 5):
        fill(path, count)
        assert prepare(path, fresh=True) is None
        assert rows(path, "SELECT count(*) FROM images") == [(0,)]
        assert rows(previous, "SELECT count(*) FROM images") == [(count,)]


def test_a_disk_that_refuses_the_write_ahead_log_is_told_with_a_way_out(path, monkeypatch):
    assert prepare(path) is None
    path.unlink()
    connect = sqlite3.connect

    def without_shared_memory(file, *args, **kwargs):
        """SQLite itself, by a way to the disk that has no shared memory, as network disks have none."""
        return connect(f"{Path(file).absolute().as_uri()}?vfs=unix-dotfile", *args, **kwargs, uri=True)

    monkeypatch.setattr(sample_store.sqlite3, "connect", without_shared_memory)
    said = prepare(path)
    assert "refuses SQLite's write-ahead log" in said
    assert "(journal_mode is delete, not wal)" in said
    assert "--seedshift-dir on a local disk" in said
    with closing(Store(path)) as store:
        store.add([image()], {})
        assert store._connection.execute("PRAGMA synchronous").fetchone() == (2,)
    with closing(Store(path)) as store:
        assert store.images(["k"]) == {"k": image()}
