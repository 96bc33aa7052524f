"""The scorers against the libraries' own way from a picture to a score, and what the toys must be able to tell."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import open_clip
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from safetensors.torch import load_file, save_file
from transformers import AutoImageProcessor, AutoModelForImageClassification

from pytest_seedshift.core import pairs
from pytest_seedshift.core.checkpoints.trust import UntrustedError
from pytest_seedshift.core.errors import SeedshiftError
from pytest_seedshift.models import catalogue, load
from pytest_seedshift.scorers import open_clip_tags, pillow_resize
from pytest_seedshift.scorers.classifier import Classifier
from pytest_seedshift.scorers.clip import ClipScore

ENTRY = catalogue.shipped().find("toy-latent")
LABELS = pairs.class_list(ENTRY.classes)


@pytest.fixture(scope="module")
def images():
    """Images of the model whose values an eight-bit picture holds exactly."""
    made = load.load(ENTRY, "cpu", "float32").generate(pairs.design(LABELS, 16))
    return made.mul(255).round() / 255


@pytest.fixture(scope="module")
def pictures(images):
    return [Image.fromarray((image.permute(1, 2, 0) * 255).round().byte().numpy()) for image in images]


@pytest.fixture(scope="module")
def labels():
    return [pair.label for pair in pairs.design(LABELS, 16)]


def test_top_1_and_top_5_are_what_transformers_says_of_the_same_pictures(images, pictures, labels):
    scores = Classifier.load(ENTRY.classifier, "cpu").score(images, labels)
    model = AutoModelForImageClassification.from_pretrained(ENTRY.classifier)
    processor = AutoImageProcessor.from_pretrained(ENTRY.classifier)
    ranking = model(**processor(images=pictures, return_tensors="pt")).logits.argsort(-1, descending=True)
    for row, label in enumerate(labels):
        place = ranking[row].tolist().index(label.index)
        assert scores["top1"][row] == float(place == 0)
        assert scores["top5"][row] == float(place < 5)


@pytest.mark.parametrize("side", [64, 97, 512])
def test_the_clip_score_is_what_open_clip_says_of_the_same_pictures(pictures, labels, side):
    pictures = [picture.resize((side, side)) for picture in pictures]
    scores = ClipScore.load(ENTRY.clip, "cpu").score(as_tensors(pictures), labels)["clip"]
    model, preprocess = open_clip.create_model_from_pretrained(f"local-dir:{ENTRY.clip}")
    tokenizer = open_clip.get_tokenizer(f"local-dir:{ENTRY.clip}")
    with torch.no_grad():
        seen = model.eval().encode_image(torch.stack([preprocess(picture) for picture in pictures]), normalize=True)
        asked = model.encode_text(tokenizer([label.prompt for label in labels]), normalize=True)
    expected = 100 * (seen * asked).sum(-1).clamp(min=0)
    assert (scores - expected).abs().max() < 1e-3


def test_a_wrong_label_scores_lower(images, labels):
    classifier, clip = Classifier.load(ENTRY.classifier, "cpu"), ClipScore.load(ENTRY.clip, "cpu")
    wrong = [*labels[1:], labels[0]]
    assert classifier.score(images, wrong)["top1"].mean() < classifier.score(images, labels)["top1"].mean()
    assert clip.score(images, wrong)["clip"].mean() < clip.score(images, labels)["clip"].mean() - 10


def test_grey_pictures_are_no_class_s_pictures(labels):
    grey = torch.full((16, 3, 64, 64), 0.5)
    assert Classifier.load(ENTRY.classifier, "cpu").score(grey, labels)["top1"].sum() <= 1
    assert ClipScore.load(ENTRY.clip, "cpu").score(grey, labels)["clip"].mean() < 25


def test_scores_do_not_depend_on_the_batch(images, labels):
    for scorer in (Classifier.load(ENTRY.classifier, "cpu"), ClipScore.load(ENTRY.clip, "cpu")):
        together = scorer.score(images, labels)
        alone = scorer.score(images[3:4], labels[3:4])
        for name, values in alone.items():
            assert torch.allclose(values, together[name][3:4], atol=1e-3)


# What the networks see -------------------------------------------------------------------------------------------


def as_tensors(pictures) -> torch.Tensor:
    """Pictures as the engine gives them: floats in steps of 1/255."""
    return torch.stack([torch.from_numpy(np.array(picture)).permute(2, 0, 1) for picture in pictures]).float() / 255


def noisy(height: int, width: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8))


def smooth(height: int, width: int) -> Image.Image:
    y, x = np.mgrid[0:height, 0:width]
    waves = [np.sin(x / 37 + k) * np.cos(y / 53 - k) for k in range(3)]
    return Image.fromarray(np.stack([127.5 + 127.5 * wave for wave in waves], -1).round().astype(np.uint8))


def edges(height: int, width: int) -> Image.Image:
    """Black and white squares: where a cubic filter overshoots."""
    y, x = np.mgrid[0:height, 0:width]
    return Image.fromarray(np.repeat((((x // 7 + y // 5) % 2) * 255).astype(np.uint8)[..., None], 3, -1))


SIZES = [(512, 512), (768, 768), (64, 64), (97, 97), (300, 451)]


PICTURES = st.sampled_from([noisy, smooth, edges])
KINDS = st.sampled_from(["bilinear", "bicubic"])


def resized(picture: Image.Image, height: int, width: int, kind: str) -> tuple[np.ndarray, np.ndarray]:
    """A picture resized by us and by Pillow."""
    ours = pillow_resize.resize(torch.from_numpy(np.array(picture)).permute(2, 0, 1), height, width, kind)
    return ours.permute(1, 2, 0).numpy(), np.array(picture.resize((width, height), Image.Resampling[kind.upper()]))


@given(side=st.integers(1, 120), to=st.integers(1, 120), kind=KINDS, picture=PICTURES)
@settings(max_examples=200)
def test_resizing_squares_gives_pillow_s_numbers(side, to, kind, picture):
    ours, theirs = resized(picture(side, side), to, to, kind)
    assert (ours == theirs).all()


@given(
    sides=st.lists(st.integers(1, 80), min_size=3, max_size=3), grown=st.integers(0, 40), kind=KINDS, picture=PICTURES
)
@settings(max_examples=200)
def test_resizing_gives_pillow_s_numbers_where_it_does_not_begin_with_the_columns(sides, grown, kind, picture):
    height, width, to = sides
    ours, theirs = resized(picture(height, width), height + grown, to, kind)
    assert (ours == theirs).all()


def test_the_engine_s_floats_are_their_bytes():
    levels = torch.arange(256, dtype=torch.uint8)
    for dtype in (torch.float32, torch.float64):
        assert torch.equal(pillow_resize.as_bytes(levels.to(dtype) / 255), levels)
    assert pillow_resize.as_bytes(torch.tensor([-0.1, 1.1])).tolist() == [0, 255]


PROCESSORS = {
    # google/vit-base-patch16-224
    "ViT-B/16": {"size": {"height": 224, "width": 224}, "resample": 2},
    "ViT-B/16 bicubic": {"size": {"height": 224, "width": 224}, "resample": 3},
    "toy": {"size": {"height": 64, "width": 64}, "resample": 2},
    # facebook/deit-base-distilled-patch16-224 and the like
    "cropped": {
        "size": {"shortest_edge": 256},
        "resample": 3,
        "do_center_crop": True,
        "crop_size": {"height": 224, "width": 224},
        "image_mean": [0.485, 0.456, 0.406],
        "image_std": [0.229, 0.224, 0.225],
    },
}


@pytest.mark.parametrize("picture", [noisy, smooth, edges])
@pytest.mark.parametrize("form", PROCESSORS)
def test_the_classifier_sees_what_pillow_s_processor_makes_of_the_picture(tmp_path, form, picture):
    classifier = copied(ENTRY.classifier, tmp_path / "vit")
    config = json.loads((classifier / "preprocessor_config.json").read_text())
    (classifier / "preprocessor_config.json").write_text(json.dumps(config | PROCESSORS[form]))
    theirs = AutoImageProcessor.from_pretrained(classifier, backend="pil")
    ours = Classifier.load(str(classifier), "cpu")
    for size in SIZES:
        made = picture(*size)
        expected = theirs(images=[made], return_tensors="pt")["pixel_values"]
        assert (ours.see(as_tensors([made])) - expected).abs().max() < 1e-6


@pytest.mark.parametrize("picture", [noisy, smooth, edges])
@pytest.mark.parametrize(
    "settings_", [{}, {"interpolation": "bilinear", "resize_mode": "squash"}, {"interpolation": "random"}], ids=str
)
def test_clip_sees_what_open_clip_makes_of_the_picture(tmp_path, settings_, picture):
    folder = with_settings(copied(ENTRY.clip, tmp_path / "clip"), preprocess_cfg=settings_)
    _, preprocess = open_clip.create_model_from_pretrained(f"local-dir:{folder}")
    ours = ClipScore.load(str(folder), "cpu")
    for size in SIZES:
        made = picture(*size)
        assert (ours._see(as_tensors([made]))[0] - preprocess(made)).abs().max() < 1e-5


def test_pictures_that_cannot_be_prepared_are_refused(tmp_path):
    folder = with_settings(copied(ENTRY.clip, tmp_path / "clip"), preprocess_cfg={"resize_mode": "longest"})
    with pytest.raises(SeedshiftError, match="resize_mode 'longest' and interpolation 'bicubic', which cannot be made"):
        ClipScore.load(str(folder), "cpu")


@pytest.mark.parametrize("side", [0, -4, 20_000, 10**12])
@pytest.mark.parametrize("key", ["size", "crop_size"])
def test_pictures_that_would_fill_the_memory_are_refused(tmp_path, key, side):
    classifier = copied(ENTRY.classifier, tmp_path / "vit")
    config = json.loads((classifier / "preprocessor_config.json").read_text())
    (classifier / "preprocessor_config.json").write_text(json.dumps(config | {key: {"height": 64, "width": side}}))
    with pytest.raises(SeedshiftError, match=f"asks for pictures of {side:,} pixels a side, where 1 to 8,192 can"):
        Classifier.load(str(classifier), "cpu")


def test_a_network_that_is_larger_than_its_weights_is_refused_before_it_is_made(tmp_path):
    folder = copied(ENTRY.clip, tmp_path / "clip")
    config = json.loads((folder / "open_clip_config.json").read_text())
    config["model_cfg"]["text_cfg"]["vocab_size"] = 10**11
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    with pytest.raises(SeedshiftError, match=r"open_clip_config\.json describes a network of .* numbers, and its"):
        ClipScore.load(str(folder), "cpu")


# What is checked before anything is generated ----------------------------------------------------------------------


def test_a_prompt_that_clip_would_cut_is_refused():
    label = pairs.Label("banana on a table beside a very long list of other things that nobody asked for at all", 0)
    with pytest.raises(SeedshiftError, match=r"has \d+ tokens, more than the 16 that CLIP .* reads"):
        ClipScore.load(ENTRY.clip, "cpu").score(torch.zeros(1, 3, 64, 64), [label])
    with pytest.raises(SeedshiftError, match=r"has \d+ tokens, more than the 16 that CLIP .* reads"):
        ClipScore.load(ENTRY.clip, "cpu").check([*LABELS, label])


@given(words=st.integers(1, 60))
@settings(deadline=None)
def test_the_length_of_a_prompt_is_told_to_the_token(words, clip):
    # One letter is one token, and so are "a", "photo" and "of" or not: the tokenizer itself says, uncut.
    prompt = pairs.Label(" ".join(["x"] * words), 0).prompt
    tokens = len(clip._tokenizer.tokenizer(prompt)["input_ids"])
    if tokens <= 16:
        clip._encode(prompt, torch.device("cpu"))
    else:
        with pytest.raises(SeedshiftError, match=f"has {tokens} tokens, more than the 16"):
            clip._encode(prompt, torch.device("cpu"))


@pytest.fixture(scope="module")
def clip():
    return ClipScore.load(ENTRY.clip, "cpu")


def test_the_toys_know_their_labels(clip):
    Classifier.load(ENTRY.classifier, "cpu").check(LABELS)
    clip.check(LABELS)


def test_labels_of_another_list_are_refused():
    with pytest.raises(SeedshiftError, match="match none of its 16 classes: 'poke bonnet'"):
        Classifier.load(ENTRY.classifier, "cpu").check(pairs.class_list("imagenet100"))
    stranger = pairs.Label("bananna", 0)
    with pytest.raises(SeedshiftError, match=r"'bananna' .did you mean 'banana'"):
        Classifier.load(ENTRY.classifier, "cpu").score(torch.zeros(1, 3, 64, 64), [stranger])


def test_outputs_count_by_their_names_and_not_by_their_places(tmp_path, images, labels):
    folder = copied(ENTRY.classifier, tmp_path / "vit")
    turned = {str(k): LABELS[(k + 5) % 16].name for k in range(16)}
    with_settings(folder, id2label=turned, label2id={name: int(k) for k, name in turned.items()})
    weights = load_file(folder / "model.safetensors")
    for name in ("classifier.weight", "classifier.bias"):
        weights[name] = weights[name].roll(-5, 0)
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    here, there = (Classifier.load(place, "cpu").score(images, labels) for place in (ENTRY.classifier, str(folder)))
    assert all(torch.equal(here[name], there[name]) for name in here)
    assert here["top1"].sum() > 8


def test_indices_are_trusted_where_outputs_have_no_names_and_it_is_said(tmp_path, images, labels):
    folder = copied(ENTRY.classifier, tmp_path / "vit")
    with_settings(folder, id2label={str(k): f"LABEL_{k}" for k in range(16)}, label2id={})
    classifier = Classifier.load(str(folder), "cpu")
    note = catalogue.shipped().check_labels(dataclasses.replace(ENTRY, classifier=str(folder)))
    assert note.startswith(f"the outputs of {folder} have no names: the indices of the class list are trusted")
    assert catalogue.shipped().check_labels(ENTRY) is None
    expected = Classifier.load(ENTRY.classifier, "cpu").score(images, labels)
    assert torch.equal(classifier.score(images, labels)["top1"], expected["top1"])


def test_a_classifier_of_fewer_than_five_classes_has_all_in_its_top_5(tmp_path):
    folder = copied(ENTRY.classifier, tmp_path / "vit")
    with_settings(folder, id2label={"0": "banana", "1": "pizza"}, label2id={"banana": 0, "pizza": 1})
    weights = load_file(folder / "model.safetensors")
    for name in ("classifier.weight", "classifier.bias"):
        weights[name] = weights[name][:2].clone()
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    scores = Classifier.load(str(folder), "cpu").score(torch.rand(2, 3, 64, 64), [LABELS[0], LABELS[2]])
    assert scores["top5"].tolist() == [1, 1]


# Weights that must not be used -------------------------------------------------------------------------------------


def copied(source: str, folder: Path) -> Path:
    shutil.copytree(source, folder)
    return folder


def with_settings(folder: Path, **changes: dict) -> Path:
    """Change the configuration in a folder; of `preprocess_cfg` only the keys that are given."""
    file = next(file for name in ("open_clip_config.json", "config.json") if (file := folder / name).exists())
    config = json.loads(file.read_text())
    if "preprocess_cfg" in changes:
        changes["preprocess_cfg"] = config["preprocess_cfg"] | changes["preprocess_cfg"]
    file.write_text(json.dumps(config | changes))
    return folder


def weights_file(folder: Path) -> Path:
    return next(folder.glob("*.safetensors"))


SCORERS = pytest.mark.parametrize(
    ("loader", "source"), [(Classifier.load, ENTRY.classifier), (ClipScore.load, ENTRY.clip)], ids=["vit", "clip"]
)


@SCORERS
def test_weights_with_nan_are_refused_by_their_name(tmp_path, loader, source):
    folder = copied(source, tmp_path / "bad")
    weights = load_file(weights_file(folder))
    name = sorted(name for name in weights if "bias" in name)[0]
    weights[name][0] = torch.nan
    save_file(weights, weights_file(folder), {"format": "pt"})
    with pytest.raises(SeedshiftError, match=f"bad: the weights {name.replace('.', '[.]')} have NaN or Inf in them"):
        loader(str(folder), "cpu")


@SCORERS
def test_a_damaged_file_is_refused(tmp_path, loader, source):
    folder = copied(source, tmp_path / "bad")
    weights_file(folder).write_bytes(weights_file(folder).read_bytes()[:1000])
    with pytest.raises(SeedshiftError, match=r"bad cannot be loaded: .*cut short"):
        loader(str(folder), "cpu")


@SCORERS
def test_weights_that_lack_a_part_are_refused(tmp_path, loader, source):
    folder = copied(source, tmp_path / "bad")
    weights = load_file(weights_file(folder))
    del weights[sorted(weights)[0]]
    save_file(weights, weights_file(folder), {"format": "pt"})
    with pytest.raises(SeedshiftError, match=r"bad (lacks weights|cannot be loaded as)"):
        loader(str(folder), "cpu")


@SCORERS
def test_a_folder_without_weights_is_refused_and_nothing_random_is_used(tmp_path, loader, source):
    folder = copied(source, tmp_path / "bad")
    weights_file(folder).unlink()
    with pytest.raises(SeedshiftError, match=r"bad: has no weights"):
        loader(str(folder), "cpu")


@SCORERS
def test_a_pickle_is_never_loaded(tmp_path, loader, source):
    folder = copied(source, tmp_path / "bad")
    name = "pytorch_model.bin" if loader == Classifier.load else "open_clip_pytorch_model.bin"
    torch.save(load_file(weights_file(folder)), folder / name)
    weights_file(folder).unlink()
    with pytest.raises(UntrustedError, match=r"pytorch_model\.bin.* can|could run"):
        loader(str(folder), "cpu")


def test_a_pickle_beside_weights_of_another_name_is_not_taken_for_them(tmp_path):
    # open_clip would take open_clip_pytorch_model.bin before model.safetensors.
    folder = copied(ENTRY.clip, tmp_path / "bad")
    torch.save(load_file(weights_file(folder)), folder / "open_clip_pytorch_model.bin")
    weights_file(folder).rename(folder / "model.safetensors")
    with pytest.raises(UntrustedError, match=r"only open_clip_pytorch_model\.bin, which can run code"):
        ClipScore.load(str(folder), "cpu")


def test_an_image_that_the_classifier_has_no_answer_for_has_no_score(labels):
    classifier = Classifier.load(ENTRY.classifier, "cpu")
    with torch.no_grad():
        classifier._model.classifier.bias[3] = torch.inf
    scores = classifier.score(torch.rand(2, 3, 64, 64), labels[:2])
    assert scores["top1"].isnan().all()
    assert scores["top5"].isnan().all()


# Tags --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "place"),
    [
        ("ViT-B-32/laion2b_s34b_b79k", "laion/CLIP-ViT-B-32-laion2B-s34B-b79K"),
        ("ViT-B-32-quickgelu/openai", "timm/vit_base_patch32_clip_224.openai"),
        ("laion/CLIP-ViT-B-32-laion2B-s34B-b79K", "laion/CLIP-ViT-B-32-laion2B-s34B-b79K"),
        ("hf-hub:laion/CLIP-ViT-H-14", "laion/CLIP-ViT-H-14"),
        ("local-dir:/models/clip", "/models/clip"),
        ("/models/ViT-B-32/laion2b_s34b_b79k", "/models/ViT-B-32/laion2b_s34b_b79k"),
        ("clip", "clip"),
        ("ViT-B-32", "ViT-B-32"),
    ],
)
def test_a_tag_is_the_repository_that_open_clip_takes_it_from_and_all_else_itself(source, place):
    assert open_clip_tags.repository(source) == place
    assert open_clip_tags.repository(place) == place


def test_every_architecture_that_has_tags_is_known_as_one():
    assert {architecture for architecture, _ in open_clip.list_pretrained()} <= open_clip_tags._architectures()


def test_a_folder_that_is_called_like_a_tag_is_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ViT-B-32" / "openai").mkdir(parents=True)
    assert open_clip_tags.repository("ViT-B-32/openai") == "ViT-B-32/openai"


def test_an_unknown_tag_is_told_with_what_was_meant():
    with pytest.raises(SeedshiftError, match=r"ViT-B-32 'laion2b'\. Did you mean 'laion2b_"):
        open_clip_tags.repository("ViT-B-32/laion2b")


def test_weights_that_are_not_on_the_hub_are_told_so():
    elsewhere = [
        f"{architecture}/{tag}"
        for architecture, tag in open_clip.list_pretrained()
        if not open_clip.get_pretrained_cfg(architecture, tag)["hf_hub"]
    ]
    for source in elsewhere:
        with pytest.raises(SeedshiftError, match="from elsewhere than the hub"):
            open_clip_tags.repository(source)


def test_the_fingerprint_is_the_weights():
    assert Classifier.load(ENTRY.classifier, "cpu").fingerprint == Classifier.load(ENTRY.classifier, "cpu").fingerprint
    assert Classifier.load(ENTRY.classifier, "cpu").fingerprint != ClipScore.load(ENTRY.clip, "cpu").fingerprint


def test_a_classifier_in_timms_form_sees_pictures_as_timm_prepares_them(tmp_path):
    timm = pytest.importorskip("timm")
    from PIL import Image

    torch.manual_seed(0)
    network = timm.create_model("test_vit", num_classes=16).eval()
    save_file(network.state_dict(), tmp_path / "model.safetensors")
    names = [label.name for label in pairs.class_list("toy16")]
    form = {
        "input_size": [3, 160, 160],
        "interpolation": "bicubic",
        "crop_pct": 0.95,
        "mean": [0.5] * 3,
        "std": [0.5] * 3,
    }
    config = {"architecture": "test_vit", "num_classes": 16, "label_names": names, "pretrained_cfg": form}
    (tmp_path / "config.json").write_text(json.dumps(config))
    classifier = Classifier.load(str(tmp_path), "cpu")
    images = torch.randint(0, 256, (2, 3, 64, 64)) / 255
    transform = timm.data.create_transform(**timm.data.resolve_data_config(form), is_training=False)
    pictures = [Image.fromarray((255 * each).round().byte().permute(1, 2, 0).numpy()) for each in images]
    seen = torch.stack([transform(each) for each in pictures])
    assert torch.equal(classifier.see(images), seen)
    with torch.inference_mode():
        expected = network(seen).argmax(-1)
    labels = pairs.class_list("toy16")
    for place, output in enumerate(expected):
        assert classifier.score(images, [labels[output]] * 2)["top1"][place] == 1
