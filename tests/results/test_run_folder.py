"""The run folder: pictures, verdicts, locks."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from filelock import Timeout
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image

from helpers.records import record
from pytest_seedshift.core.cases import Case
from pytest_seedshift.core.pairs import Label, Pair
from pytest_seedshift.results import costs, schema
from pytest_seedshift.results.pictures import packed
from pytest_seedshift.results.run_folder import Picture, RunFolder, VerdictsError, file_name

CASE = Case("toy-latent", "mean:exact", 0.3)
PAIR = Pair(Label("Löwe", 3), 0)
KEY = "0123456789abcdef0123456789abcdef"
PNG = packed(torch.zeros(3, 2, 2))


def of(test: str, **more: object) -> schema.Record:
    return record({"id": test, "test": f"a::{test}", "generated": 1, "seconds": 0.5, **more})


def read(folder: RunFolder, notes: list[str] | None = None) -> list[schema.Record]:
    return [record(each) for each in folder.read_document(notes)["cases"]]


names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=300)


@pytest.fixture
def folder(tmp_path) -> RunFolder:
    folder = RunFolder(tmp_path / "deep" / ".seedshift")
    folder.prepare()
    return folder


def test_prepare_keeps_what_is_there(folder):
    folder.write_verdicts([of("a")])
    folder.samples_file.write_bytes(b"samples")
    picture = folder.save_picture(CASE, PAIR, KEY, PNG).path
    folder.prepare()
    assert read(folder) == [of("a")]
    assert folder.samples_file.read_bytes() == b"samples"
    assert picture.is_file()


def test_prepare_keeps_the_folder_out_of_version_control(folder):
    assert (folder.path / ".gitignore").read_text() == "*\n"


def test_a_folder_that_cannot_be_is_an_os_error(tmp_path):
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(OSError, match="file"):
            RunFolder(path).prepare()


# Verdicts ---------------------------------------------------------------------------------------------------------


def test_verdicts_survive_writing_and_reading(folder):
    cases = [of("x", scores={"top1": {"mean": 0.5, "low": 0.4, "high": 0.6}}, of_a_later_version=["Löwe"])]
    folder.write_verdicts(cases)
    assert read(folder) == cases


def test_who_reads_verdicts_while_they_are_written_reads_the_old_ones_whole(folder):
    folder.write_verdicts([of("old")])
    with folder.verdicts_file.open(encoding="utf-8") as reader:
        folder.write_verdicts([of("new")])
        assert json.load(reader)["cases"] == [
            of("old").model_dump(exclude_unset=True, exclude={"generated", "seconds"})
        ]
    assert read(folder) == [of("new")]


def test_names_that_are_no_utf_8_are_written_and_read(folder):
    for name in ("\udcff", "\ud800", "a\udcff/模型", "\n\x1b\u2028"):
        folder.write_verdicts([of(name)])
        assert read(folder) == [of(name)]
        folder.verdicts_file.read_bytes().decode()
    assert file_name("\udcff") != file_name("\udcfe")
    assert file_name("\ud800")


def test_verdicts_that_cannot_be_written_leave_the_old_ones(folder):
    cases = [of("new", of_a_later_version=object())]
    folder.write_verdicts([of("old")])
    before = set(folder.path.iterdir())
    with pytest.raises(TypeError):
        folder.write_verdicts(cases)
    assert read(folder) == [of("old")]
    assert set(folder.path.iterdir()) == before


def test_what_a_case_cost_stands_beside_its_verdict_and_not_in_it(folder):
    folder.write_verdicts([of("x", generated=8, seconds=2.5)])
    first = folder.verdicts_file.read_bytes()
    folder.write_verdicts([of("x", generated=0, seconds=0.0)])
    assert folder.verdicts_file.read_bytes() == first
    assert read(folder) == [of("x", generated=0, seconds=0.0)]


@pytest.mark.parametrize(
    "text", [None, "", "[]", '{"version": 2}', '{"version": 1, "cases": {"a::x": {"seconds": 1}}}']
)
def test_costs_that_cannot_be_read_are_said_and_verdicts_stand(folder, text):
    folder.write_verdicts([of("x", generated=8, seconds=2.5)])
    path, notes = folder.path / costs.FILE_NAME, []
    path.unlink() if text is None else path.write_text(text)
    assert read(folder, notes) == [of("x", generated=0, seconds=0.0)]
    assert [note.partition(" ")[0] for note in notes] == ["costs.json"]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"{}",
        b'{"version": 2, "cases": [1]}',
        b'{"version": 1}',
        b'{"version": 1, "cases": [1]}',
        b"\xff",
    ],
)
def test_verdicts_that_cannot_be_read_are_an_error(folder, content):
    folder.verdicts_file.write_bytes(content)
    with pytest.raises(VerdictsError, match=r"its verdicts\.json (is|has|was)"):
        folder.read_document()


def test_no_verdicts_are_an_error(folder):
    with pytest.raises(VerdictsError, match="no run has ended there"):
        folder.read_document()


# Pictures ---------------------------------------------------------------------------------------------------------


@given(model=names, label=names, seed=st.integers(0, 999))
@example(model="/a/folder" * 40, label="𠮷" * 200, seed=999)
def test_pictures_of_any_model_and_label_lie_in_the_run_folder(tmp_path_factory, model, label, seed):
    folder = RunFolder(tmp_path_factory.mktemp("run"))
    pair = Pair(Label(label, 0), seed)
    path = folder.save_picture(Case(model, "mean:exact", -0.3), pair, KEY, PNG).path
    assert path.is_file()
    assert path.resolve().parent.parent == folder.path.resolve() / "pictures"
    assert not set('<>:"/\\|?*\n\0') & set(path.parent.name + path.name)


def test_texts_that_differ_get_pictures_that_differ(folder):
    models = ["a/b", "a:b", "a b", "a_b", "a//b", "../a_b", "ä/b", "x" * 300, "y" * 10 + "x" * 290, "C:\\a\\b"]
    assert len({folder.picture_folder(Case(model)) for model in models}) == len(models)
    labels = ["baluster / handrail", "baluster _ handrail", "baluster : handrail", "Löwe", "Lowe"]
    assert len({folder.save_picture(CASE, Pair(Label(label, 0), 0), KEY, PNG) for label in labels}) == len(labels)


def test_a_plain_name_is_its_own_file_name(folder):
    assert folder.picture_folder(Case("toy-latent", "mean", 0.3)).name == "toy-latent-mean-+0.30"
    assert folder.save_picture(CASE, Pair(PAIR.label, 12), KEY, PNG).path.name == "Löwe-12-01234567.png"


def test_pictures_of_one_pair_by_two_versions_of_a_model_are_two(folder):
    assert folder.save_picture(CASE, PAIR, KEY, PNG) != folder.save_picture(CASE, PAIR, "f" + KEY[1:], PNG)
    assert folder.save_picture(CASE, PAIR, KEY, PNG) == folder.save_picture(CASE, PAIR, KEY, PNG)
    assert len(list(folder.picture_folder(CASE).iterdir())) == 2


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_a_picture_is_the_image_rounded_to_a_byte(folder, dtype):
    image = torch.zeros(3, 2, 3, dtype=dtype)
    image[0] = 1
    image[1, 1, 2] = 0.75
    image[2, 1, 1] = 0.999
    with Image.open(folder.save_picture(CASE, PAIR, KEY, packed(image)).path) as picture:
        assert picture.size == (3, 2)
        assert picture.mode == "RGB"
        assert picture.getpixel((1, 0)) == (255, 0, 0)
        assert picture.getpixel((2, 1)) == (255, 191, 0)
        assert picture.getpixel((1, 1)) == (255, 0, 255)


def test_a_picture_gives_back_the_image_that_was_scored(folder):
    image = torch.arange(256).repeat(3, 2, 1).float().div(255)
    loaded = folder.load_picture(folder.save_picture(CASE, PAIR, KEY, packed(image)))
    assert loaded.dtype == np.float32
    assert np.array_equal(loaded, image.numpy())


@pytest.fixture
def picture(folder) -> Path:
    return folder.save_picture(
        CASE, PAIR, KEY, packed(torch.rand(3, 16, 16, generator=torch.Generator().manual_seed(0)))
    )


@pytest.mark.parametrize("length", [0, 20, 60, 400])
def test_a_truncated_picture_is_none(folder, picture, length):
    picture.path.write_bytes(picture.path.read_bytes()[:length])
    assert folder.load_picture(picture) is None


def test_a_picture_with_a_changed_byte_is_none(folder, picture):
    content = picture.path.read_bytes()
    for place in range(0, len(content), 5):
        picture.path.write_bytes(content[:place] + bytes([content[place] ^ 0x55]) + content[place + 1 :])
        assert folder.load_picture(picture) is None
    picture.path.write_bytes(content)
    assert folder.load_picture(picture) is not None


def test_a_picture_that_is_gone_is_none(folder):
    assert folder.load_picture(Picture(folder.path / "nowhere.png", "")) is None


def test_a_picture_that_cannot_be_saved_leaves_nothing_behind(folder):
    path = folder.save_picture(CASE, PAIR, KEY, PNG).path
    path.unlink()
    path.mkdir()
    before = set(folder.picture_folder(CASE).iterdir())
    with pytest.raises(OSError, match=r"directory|exists"):
        folder.save_picture(CASE, PAIR, KEY, PNG)
    assert set(folder.picture_folder(CASE).iterdir()) == before


# Locks ------------------------------------------------------------------------------------------------------------


def test_a_lock_is_held_by_one_process_until_it_ends_however_it_ends(folder):
    script = f"""
import sys
from pathlib import Path
from pytest_seedshift.results.run_folder import RunFolder
with RunFolder(Path({str(folder.path)!r})).lock("toy / mean"):
    print("held", flush=True)
    sys.stdin.read()
"""
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", script], stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout.readline() == "held\n"
        with pytest.raises(Timeout):
            folder.lock("toy / mean").acquire(timeout=0)
        with folder.lock("toy : mean").acquire(timeout=0):
            process.send_signal(signal.SIGKILL)
            process.wait(30)
    with folder.lock("toy / mean").acquire(timeout=0):
        pass
