"""The run folder."""

import json
from pathlib import Path

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image

from pytest_seedshift.cases import Case
from pytest_seedshift.pairs import Label, Pair
from pytest_seedshift.store import RunFolder, Sample

CASE = Case("toy-latent", "mean:exact", 0.3)
names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=300)


@pytest.fixture
def folder(tmp_path) -> RunFolder:
    folder = RunFolder(tmp_path / "deep" / ".seedshift")
    folder.prepare()
    return folder


def sample(label: str = "Löwe", seed: int = 0, **fields) -> Sample:
    return Sample(CASE, Pair(Label(label, 3), seed), {"top1": 1.0, "clip": 21.5}, **fields)


def lines(folder: RunFolder) -> list[dict]:
    with folder.samples_file.open(encoding="utf-8", newline="\n") as file:
        return [json.loads(line) for line in file]


def test_a_sample_is_a_line_with_all_that_is_known_of_it(folder):
    picture = folder.save_picture(CASE, sample().pair, torch.zeros(3, 4, 4))
    folder.append([sample(picture=picture)], {"model": "ab", "scorers": "cd+ef"})
    (line,) = lines(folder)
    assert folder.path / line.pop("picture") == picture
    assert line == {
        "case": "toy-latent-mean:exact-+0.30",
        "model": "toy-latent",
        "shift": "mean:exact",
        "magnitude": 0.3,
        "label": "Löwe",
        "seed": 0,
        "prompt": "A photo of a Löwe",
        "scores": {"top1": 1.0, "clip": 21.5},
        "fingerprints": {"model": "ab", "scorers": "cd+ef"},
    }


@given(label=names)
def test_any_label_survives_writing_and_reading(tmp_path_factory, label):
    folder = RunFolder(tmp_path_factory.mktemp("run"))
    folder.append([sample(label), sample(label, seed=1)], {})
    assert [(line["label"], line["seed"]) for line in lines(folder)] == [(label, 0), (label, 1)]


def test_labels_are_readable_in_the_file(folder):
    folder.append([sample("Löwe 狮子")], {})
    assert "Löwe 狮子" in folder.samples_file.read_text(encoding="utf-8")


def test_appending_keeps_what_is_there(folder):
    for seed in range(3):
        folder.append([sample(seed=seed)], {})
    folder.append([], {})
    assert [line["seed"] for line in lines(folder)] == [0, 1, 2]
    assert lines(folder)[0]["picture"] is None


def test_prepare_starts_with_no_samples_and_keeps_the_verdicts(folder):
    folder.append([sample()], {})
    folder.write_verdicts([{"id": "a"}])
    folder.prepare()
    assert lines(folder) == []
    assert folder.read_verdicts() == [{"id": "a"}]


def test_prepare_keeps_the_folder_out_of_version_control(folder):
    assert (folder.path / ".gitignore").read_text() == "*\n"


def test_a_folder_that_cannot_be_is_an_os_error(tmp_path):
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(OSError, match="file"):
            RunFolder(path).prepare()


def test_verdicts_survive_writing_and_reading(folder):
    cases = [{"id": "x", "passed": True, "scores": {"top1": {"mean": 0.5}}, "worst": ["Löwe"]}]
    folder.write_verdicts(cases)
    assert json.loads(folder.verdicts_file.read_text(encoding="utf-8")) == {"version": 1, "cases": cases}
    assert folder.read_verdicts() == cases


def test_who_reads_verdicts_while_they_are_written_reads_the_old_ones_whole(folder):
    folder.write_verdicts([{"id": "old"}])
    with folder.verdicts_file.open(encoding="utf-8") as reader:
        folder.write_verdicts([{"id": "new"}])
        assert json.load(reader)["cases"] == [{"id": "old"}]
    assert folder.read_verdicts() == [{"id": "new"}]


@pytest.mark.parametrize("cases", [[{"id": object()}], [{"id": "\ud800"}]])
def test_verdicts_that_cannot_be_written_leave_the_old_ones(folder, cases):
    folder.write_verdicts([{"id": "old"}])
    before = set(folder.path.iterdir())
    with pytest.raises((TypeError, UnicodeEncodeError)):
        folder.write_verdicts(cases)
    assert folder.read_verdicts() == [{"id": "old"}]
    assert set(folder.path.iterdir()) == before


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"version": 2, "cases": [1]}', '{"version": 1}', '{"version": 1, "cases": null}']
)
def test_verdicts_that_cannot_be_read_are_none(folder, text):
    folder.verdicts_file.write_text(text)
    assert folder.read_verdicts() == []


def test_no_verdicts_are_none(folder):
    assert folder.read_verdicts() == []
    folder.verdicts_file.write_bytes(b"\xff\xfe")
    assert folder.read_verdicts() == []


@given(model=names, label=names, seed=st.integers(0, 999))
@example(model="/a/folder" * 40, label="𠮷" * 200, seed=999)
def test_pictures_of_any_model_and_label_lie_in_the_run_folder(tmp_path_factory, model, label, seed):
    folder = RunFolder(tmp_path_factory.mktemp("run"))
    path = folder.save_picture(Case(model, "mean:exact", -0.3), Pair(Label(label, 0), seed), torch.zeros(3, 2, 2))
    assert path.is_file()
    assert path.resolve().parent.parent == folder.path.resolve() / "pictures"
    assert not set('<>:"/\\|?*\n\0') & set(path.parent.name + path.name)


def test_texts_that_differ_get_pictures_that_differ(folder):
    models = ["a/b", "a:b", "a b", "a_b", "a//b", "../a_b", "ä/b", "x" * 300, "y" * 10 + "x" * 290, "C:\\a\\b"]
    assert len({folder.picture_folder(Case(model)) for model in models}) == len(models)
    labels = ["baluster / handrail", "baluster _ handrail", "baluster : handrail", "Löwe", "Lowe"]
    image = torch.zeros(3, 2, 2)
    assert len({folder.save_picture(CASE, Pair(Label(label, 0), 0), image) for label in labels}) == len(labels)


def test_a_plain_name_is_its_own_file_name(folder):
    assert folder.picture_folder(Case("toy-latent", "mean", 0.3)).name == "toy-latent-mean-+0.30"
    path = folder.save_picture(CASE, Pair(Label("Löwe", 3), 12), torch.zeros(3, 2, 2))
    assert path.name == "Löwe-12.png"


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_a_picture_is_the_image_rounded_to_a_byte(folder, dtype):
    image = torch.zeros(3, 2, 3, dtype=dtype)
    image[0] = 1
    image[1, 1, 2] = 0.75
    image[2, 1, 1] = 0.999
    image[2, 0, 0] = 1.5
    image[2, 0, 1] = -0.5
    with Image.open(folder.save_picture(CASE, sample().pair, image)) as picture:
        assert picture.size == (3, 2)
        assert picture.mode == "RGB"
        assert picture.getpixel((0, 0)) == (255, 0, 255)
        assert picture.getpixel((1, 0)) == (255, 0, 0)
        assert picture.getpixel((2, 1)) == (255, 191, 0)
        assert picture.getpixel((1, 1)) == (255, 0, 255)


def test_paths_are_shown_relative_to_the_working_directory(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert folder.shown(folder.verdicts_file) == str(Path("deep", ".seedshift", "verdicts.json"))
    monkeypatch.chdir(tmp_path / "deep" / ".seedshift")
    assert folder.shown(tmp_path / "other") == str(tmp_path / "other")
