"""Prompt sets: what is made of class lists and of files, and that keys of class lists stay what they were."""

from __future__ import annotations

import codecs
from collections import Counter

import pytest

from pytest_seedshift.core import pairs, prompt_sets
from pytest_seedshift.core.cases import Case
from pytest_seedshift.core.errors import SeedshiftError
from pytest_seedshift.core.pairs import Label
from pytest_seedshift.models import fingerprint

LISTED = "label,index\nred circle,0\nblue square,1\n"


def write(folder, name, content):
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return str(path)


def test_keys_of_class_lists_are_those_of_the_version_before_prompt_sets():
    """Written down as that version gave them: a change makes every user generate anew, and baselines useless."""
    design = prompt_sets.class_list("toy16").design(64)
    assert pairs.fingerprint(design) == "898b98ab160d2a7b"
    assert fingerprint.image_key("model", Case("toy", "mean", 0.3), design[0]) == "af296a21e08b74bcb6f68cdc1213d8fd"
    assert (design[0].label.name, design[0].seed, design[0].label.answer) == ("ladybug", 3, 10)


@pytest.mark.parametrize("templates", [(), ("A photo of a {label}",)])
def test_a_class_list_is_a_prompt_set_with_the_same_keys(tmp_path, templates):
    listed = pairs.design(pairs.class_list(write(tmp_path, "mine.csv", LISTED)), 8)
    found = prompt_sets.read(str(tmp_path / "mine.csv"), templates).design(8)
    assert found == listed
    assert pairs.fingerprint(found) == pairs.fingerprint(listed)
    case = Case("toy", "mean", 0.3)
    assert fingerprint.image_keys("m", case, found) == fingerprint.image_keys("m", case, listed)
    assert [pair.label.answer for pair in found] == [pair.label.index for pair in listed]


def test_what_makes_another_picture_or_another_score_is_in_the_keys():
    plain = Label("one", 3, text="a cat")
    others = [
        Label("two", 3, text="a cat"),
        Label("one", 3, text="a dog"),
        Label("one", 3, text="a cat", negative_prompt="blur"),
    ]
    case = Case("toy")
    keys = [fingerprint.image_key("m", case, pairs.Pair(label, 0)) for label in [plain, *others]]
    assert len(set(keys)) == len(keys)
    scored = [plain, Label("one", 3, shows="cat"), Label("one", 3, shows="dog"), Label("one", 4, shows="cat")]
    scored += [Label("one", 3, shows="cat", questions=("Is it?",)), Label("one", 3, ("puss",), shows="cat")]
    assert len({label.answer for label in scored}) == len(scored)
    prints = [pairs.fingerprint([pairs.Pair(label, 0)]) for label in [plain, *others, *scored[1:5]]]
    assert len(set(prints)) == len(prints)
    tagged = Label("one", 3, text="a cat", tags=("animals",))  # which change neither picture nor score
    assert tagged == plain
    assert fingerprint.image_key("m", case, pairs.Pair(tagged, 0)) == keys[0]


def test_each_pair_has_one_template_by_its_key():
    templates = ("A photo of a {label}", "a drawing of {label}", "{label}, in snow")
    found = prompt_sets.class_list("toy16", templates)
    small, large = found.design(64), found.design(640)
    assert set(small) <= set(large)
    counts = Counter(pair.prompt.replace(pair.label.name, "{label}") for pair in large)
    assert set(counts) == set(templates)
    assert min(counts.values()) > 640 / 3 * 0.7
    plain = prompt_sets.class_list("toy16").design(640)
    assert [(pair.label.name, pair.seed) for pair in plain] == [(pair.label.name, pair.seed) for pair in large]
    assert {pair.label for pair in large} <= set(found.worded)
    assert found.template == " | ".join(templates)


def test_labels_with_ids_and_shares_of_classes(tmp_path):
    text = "id,label,index\n1,cat,0\n2,cat,0\n3,dog,1\n"
    found = prompt_sets.read(write(tmp_path, "mine.csv", text))
    assert {pair.prompt for pair in found.design(6)} == {"A photo of a cat", "A photo of a dog"}
    assert {each.as_class for each in found.prompts} == {Label("cat", 0), Label("dog", 1)}
    assert found.has_labels
    assert found.classes == 1  # who always says cat is right in two of three
    assert not prompt_sets.read(write(tmp_path, "mine.txt", "a cat\na dog\n")).has_labels


@pytest.mark.parametrize(
    ("content", "prompt"),
    [
        (codecs.BOM_UTF8 + b"prompt\na caf\xc3\xa9\n", "a café"),
        (b"prompt\r\na cafe\xcc\x81\r\n", "a café"),
    ],
)
def test_texts_are_utf_8_with_or_without_a_mark_and_composed(tmp_path, content, prompt):
    assert [each.prompt for each in prompt_sets.read(write(tmp_path, "p.csv", content)).prompts] == [prompt]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("p.csv", "prompt\na cat\na caf\xe9\n".encode("latin-1"), ["line 3", "not a text in UTF-8", "Save the file"]),
        ("p.csv", "prompt\na cat\n".encode("utf-16"), ["UTF-16", "UTF-8"]),
        ("p.csv", b"PK\x03\x04\xff", ["zip archive"]),
        ("p.csv", b"prompt\n" + b"a" * 5_000_000, ["larger than 4 MB"]),
        ("p.csv", None, ["Is a directory"]),
        ("lacking.csv", ..., ["No such file"]),
        ("p.json", "[]", ["give a .jsonl"]),
        ("toy61", ..., ["unknown prompt set 'toy61'", "Did you mean 'toy16'", ".jsonl"]),
    ],
)
def test_files_that_cannot_be_read_are_named_with_the_way_out(tmp_path, name, content, said):
    path = tmp_path / name
    if content is None:
        path.mkdir()
    elif content is not ...:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(SeedshiftError) as caught:
        prompt_sets.read(str(path) if name != "toy61" else name)
    for each in said:
        assert each in str(caught.value)


@pytest.mark.parametrize(
    ("templates", "said"),
    [
        (["a photo"], "no {label} is in it"),
        (["a {lable}"], "{lable}: only {label}"),
        (["a {label.__class__}"], "only {label}"),
        (["a {label!r}"], "only {label}"),
        (["a {label:>9}"], "only {label}"),
        (["a {0}"], "only {label}"),
        (["a {label"], "expected '}'"),
        (["a {label}\n"], "write 'a {label}'"),
        (["a\n{label}"], "a line break"),
        (["{label}", "{label}"], "appears twice"),
    ],
)
def test_templates_that_are_none(templates, said):
    with pytest.raises(SeedshiftError, match="template") as caught:
        prompt_sets.check_templates(templates)
    assert said in str(caught.value)


def test_braces_that_are_to_be_seen_are_written_twice():
    prompt_sets.check_templates(["{{a}} {label}"])
    assert pairs.worded(Label("{cat}", 0), "{{a}} {label}").prompt == "{a} {cat}"


def test_a_template_beside_texts_of_ones_own_is_refused(tmp_path):
    with pytest.raises(SeedshiftError, match="texts of their own"):
        prompt_sets.read(write(tmp_path, "p.csv", "prompt,label\na cat,cat\n"), ["a {label}"])


def test_what_is_drawn_and_what_is_ignored_is_said_of_every_kind_of_set(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "texts.csv").write_text("prompt,note\na cat,x\na dog,y\n")
    (tmp_path / "labels.csv").write_text("label,index,tags\ncat,281,pets\n")
    (tmp_path / "named.jsonl").write_text('{"label": "cat", "id": "a"}\n{"label": "cat", "id": "b"}\n')
    texts, named = (prompt_sets.read(str(tmp_path / name)) for name in ("texts.csv", "named.jsonl"))
    listed = prompt_sets.class_list(str(tmp_path / "labels.csv"), ("{label}", "a {label}"))
    shipped = prompt_sets.class_list("toy16")
    assert [each.describe() for each in (texts, named, listed, shipped)] == [
        "2 prompts of texts.csv, as they stand",
        "2 labels of named.jsonl, by the template 'A photo of a {label}'",
        "1 label of labels.csv, by the template '{label}' and 1 more, each pair by one",
        "16 labels of toy16, by the template 'A photo of a {label}'",
    ]
    assert (named.note, shipped.note) == (None, None)
    assert texts.note == "texts.csv: ignored, as no column of these names is read: 'note'"
    assert listed.note == "labels.csv: ignored, as no column of these names is read: 'tags'"
