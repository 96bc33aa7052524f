"""Which output of a classifier stands for which label, by every naming that classifiers of ImageNet-1k have."""

from __future__ import annotations

import json
import random
import re

import open_clip
import pytest
from hypothesis import given
from hypothesis import strategies as st
from timm.data import ImageNetInfo
from torchvision.models import ViT_B_16_Weights

from pytest_seedshift.core import pairs
from pytest_seedshift.core.errors import SeedshiftError
from pytest_seedshift.core.pairs import Label
from pytest_seedshift.scorers import class_mapping

IMAGENET100 = pairs.class_list("imagenet100")
_INFO = ImageNetInfo()
NAMINGS = {
    # WordNet's synonyms with commas between them, as google/vit-base-patch16-224 and most of the hub have them
    "synonyms": _INFO.label_descriptions(),
    "WordNet ids": _INFO.label_names(),
    "torchvision": ViT_B_16_Weights.DEFAULT.meta["categories"],
    "open_clip": list(open_clip.IMAGENET_CLASSNAMES),
}


def numbered(names):
    return dict(enumerate(names))


def refused(labels_, outputs) -> str:
    with pytest.raises(SeedshiftError, match=r"^vit: ") as caught:
        class_mapping.match(labels_, numbered(outputs), "vit")
    return str(caught.value)


@pytest.mark.parametrize("naming", NAMINGS)
def test_all_hundred_labels_are_the_classes_that_the_list_says(naming):
    assert len(NAMINGS[naming]) == class_mapping.IMAGENET_CLASSES
    found = class_mapping.match(IMAGENET100, numbered(NAMINGS[naming]), "vit")
    assert found == {label: label.index for label in IMAGENET100}


@pytest.mark.parametrize("naming", NAMINGS)
@given(order=st.randoms(use_true_random=False).map(lambda chance: chance.sample(range(1000), 1000)))
def test_labels_are_found_in_whatever_order_a_classifier_has_them(naming, order):
    outputs = [NAMINGS[naming][k] for k in order]
    found = class_mapping.match(IMAGENET100, numbered(outputs), "vit")
    assert {label: order[index] for label, index in found.items()} == {label: label.index for label in IMAGENET100}


def test_the_hundred_have_the_synonyms_that_wordnet_gives_their_ids():
    for label in IMAGENET100:
        known = {class_mapping.normalised(name) for name in class_mapping.names(label)}
        wordnet = {class_mapping.normalised(name) for name in NAMINGS["synonyms"][label.index].split(",")}
        ambiguous = {"gong", "grass snake", "harp", "sand viper", "sus scrofa"}  # of two classes each
        assert wordnet - known <= ambiguous
        assert _INFO.label_names()[label.index] in known


def test_a_classifier_of_the_hundred_alone_is_enough():
    outputs = [NAMINGS["synonyms"][label.index] for label in IMAGENET100]
    found = class_mapping.match(IMAGENET100, numbered(outputs), "vit")
    assert list(found.values()) == list(range(100))


@pytest.mark.parametrize("name", ["shih_tzu", "Shih-Tzu", "SHIH TZU", " shih tzu", "Shih/Tzu"])
def test_case_and_signs_are_no_difference(name):
    assert class_mapping.match([Label("Shih Tzu", 7)], {0: "pug", 1: name}, "vit") == {Label("Shih Tzu", 7): 1}


@given(st.text())
def test_normalising_twice_changes_nothing_more(name):
    assert class_mapping.normalised(class_mapping.normalised(name)) == class_mapping.normalised(name)


def test_the_index_chooses_between_two_classes_of_one_name():
    outputs = {134: "crane", 517: "crane", 3: "hare"}
    bird, machine = Label("crane", 134), Label("crane", 517)
    assert class_mapping.match([bird], outputs, "vit") == {bird: 134}
    assert class_mapping.match([machine], outputs, "vit") == {machine: 517}
    with pytest.raises(SeedshiftError, match=r"'crane' \(may be any of 134, 517\)"):
        class_mapping.match([Label("crane", 3)], outputs, "vit")


def test_an_index_alone_never_overrules_the_names():
    assert class_mapping.match([Label("hare", 0)], {0: "coyote", 1: "hare"}, "vit") == {Label("hare", 0): 1}


def test_labels_that_match_nothing_are_all_named_with_what_was_meant():
    outputs = ["tench, Tinca tinca", "hare", "strawberry"]
    message = refused([Label("hare", 1), Label("strawbery", 2), Label("Qx7", 0)], outputs)
    assert message == (
        "vit: 2 of the 3 labels of the class list match none of its 3 classes: 'strawbery' (did you mean "
        "'strawberry'?), 'Qx7'. Its classes are those of id2label in its config.json. Use a class list with its names, "
        "or a classifier that knows the labels"
    )


def test_the_error_stays_short_for_a_list_of_something_else():
    message = refused(IMAGENET100, ["banana", "pizza"])
    assert "100 of the 100 labels" in message
    assert "and 95 more" in message


def test_two_labels_of_one_class_are_an_error():
    message = refused([Label("Shih Tzu", 0), Label("shih-tzu", 1)], ["Shih-Tzu", "pug"])
    assert "'Shih Tzu' and 'shih-tzu' are both its class 'Shih-Tzu' (0)" in message


@pytest.mark.parametrize("form", ["LABEL_{}", "{}"])
def test_outputs_without_names_are_trusted_where_they_are_a_thousand(form):
    outputs = numbered(form.format(k) for k in range(1000))
    assert class_mapping.are_unnamed(outputs)
    assert class_mapping.match(IMAGENET100, outputs, "vit") == {label: label.index for label in IMAGENET100}


def test_outputs_without_names_are_trusted_where_they_are_as_many_as_the_labels():
    toy = pairs.class_list("toy16")
    assert class_mapping.match(toy, numbered(f"LABEL_{k}" for k in range(16)), "vit") == {
        label: label.index for label in toy
    }


@given(st.permutations(range(16)), st.sampled_from(["{}", "LABEL_{}", "{:03}"]))
def test_outputs_that_are_called_by_numbers_are_found_by_them_wherever_they_stand(order, form):
    toy, outputs = pairs.class_list("toy16"), numbered(form.format(k) for k in order)
    assert {
        outputs[place] for label, place in class_mapping.match(toy, outputs, "vit").items() if label.index == 10
    } == {form.format(10)}
    note = class_mapping.note(outputs, "vit")
    assert note is not None
    assert ("have numbers as names, and not in order" in note) == (list(order) != sorted(order))


def test_folders_in_the_order_of_texts_are_such_numbers():
    found = class_mapping.match(IMAGENET100, numbered(sorted(map(str, range(1000)))), "vit")
    assert (
        {label.index: found[label] for label in IMAGENET100}[236] == sorted(map(str, range(1000))).index("236") != 236
    )


@pytest.mark.parametrize("outputs", [[str(k + 1) for k in range(16)], ["0"] * 16, [f"{2 * k}" for k in range(16)]])
def test_of_other_numbers_it_is_open_what_they_mean(outputs):
    assert "the class list's indices are ambiguous" in refused(pairs.class_list("toy16"), outputs)


@pytest.mark.parametrize(("name", "outputs"), [("imagenet100", 10), ("imagenet100", 1001), ("toy16", 1000)])
def test_outputs_without_names_are_trusted_no_further(name, outputs):
    message = refused(pairs.class_list(name), [f"LABEL_{k}" for k in range(outputs)])
    assert f"its {outputs} outputs have no names" in message
    assert re.search(r"would be trusted if it had (100 outputs, or 1000|16 outputs)\.", message)


def test_an_index_beyond_the_outputs_is_an_error():
    message = refused([Label("hare", 0), Label("coyote", 2)], ["LABEL_0", "LABEL_1"])
    assert "'coyote' has the index 2 in the class list, but the 2 outputs go from 0 to 1" in message


@given(st.integers(2, 30), st.integers())
def test_any_list_of_distinct_names_is_found_in_any_order(count, seed):
    order = random.Random(seed).sample(range(count), count)
    wanted = [Label(f"thing {k}", k) for k in range(count)]
    found = class_mapping.match(wanted, numbered(f"thing {k}, alias {k}" for k in order), "vit")
    assert all(order[index] == label.index for label, index in found.items())


def test_a_folder_tells_its_outputs_without_being_loaded(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"id2label": {"0": "tench, Tinca tinca", "1": "goldfish"}}))
    assert class_mapping.outputs_of(tmp_path) == {0: "tench, Tinca tinca", 1: "goldfish"}
    (tmp_path / "config.json").write_text("{}")
    assert class_mapping.outputs_of(tmp_path) == {0: "LABEL_0", 1: "LABEL_1"}


@pytest.mark.parametrize("text", ["", "[]", '{"id2label": 3}', '{"id2label": {"a": "b"}}', None])
def test_a_folder_that_tells_nothing_is_an_error(tmp_path, text):
    if text is not None:
        (tmp_path / "config.json").write_text(text)
    with pytest.raises(SeedshiftError, match=r"config\.json is not a configuration of a classifier"):
        class_mapping.outputs_of(tmp_path)


def test_a_name_and_an_id_of_two_outputs_are_an_error_that_names_both():
    listed = [Label("zebra", 0, ("n01631663",)), Label("eft", 1, ("n02391049",))]
    message = refused(listed, ["n02391049, zebra", "n01631663, eft"])
    assert "the label 'zebra' is the output 0 ('n02391049, zebra')" in message
    assert "its WordNet id 'n01631663' is the output 1 ('n01631663, eft')" in message


@pytest.mark.parametrize("outputs", [["zebra", "eft"], ["n02391049", "n01631663"], ["LABEL_0", "LABEL_1"]])
def test_an_id_of_another_class_is_an_error_whatever_the_classifier_knows(outputs):
    listed = [Label("zebra", 0, ("n01631663",)), Label("eft", 1, ("n02391049",))]
    message = refused(listed, outputs)
    assert "the label 'zebra' is n02391049, output 340 of ImageNet" in message
    assert "its WordNet id n01631663 is that of 'eft', n01631663, output 27" in message


def test_another_name_of_another_output_is_an_error():
    message = refused([Label("hare", 0, ("coyote",)), Label("pug", 2)], ["hare", "coyote", "pug"])
    assert "the label 'hare' is the output 0 ('hare'), but its other name 'coyote' is the output 1" in message


def test_ids_that_imagenet_does_not_have_and_names_of_one_s_own_are_left_alone():
    listed = [Label("zebra", 0, ("n99999999",)), Label("my fox", 1, ("n02119789", "kit fox"))]
    assert list(class_mapping.match(listed, numbered(["zebra", "my fox"]), "vit").values()) == [0, 1]
