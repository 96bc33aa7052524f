"""Likeness by DINOv2: a network that an entry names, as transformers has it, from safetensors alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import AutoModel

from helpers import tiny_dinov2
from pytest_seedshift.core import thresholds_parser
from pytest_seedshift.core.cases import Case, UnusableModelError
from pytest_seedshift.core.errors import ModelError
from pytest_seedshift.core.pairs import class_list, design
from pytest_seedshift.core.thresholds import ThresholdsError
from pytest_seedshift.models import catalogue
from pytest_seedshift.results.pictures import packed
from pytest_seedshift.runner import row_likeness
from pytest_seedshift.runner.orders import Reference, Row
from pytest_seedshift.runner.scorer_pool import ScorerPool
from pytest_seedshift.scorers import fingerprint
from pytest_seedshift.scorers.dinov2 import Dinov2

MEAN, STD = (0.4, 0.5, 0.6), (0.2, 0.3, 0.25)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tiny_dinov2.made(tmp_path_factory.mktemp("dinov2") / "tiny", MEAN, STD)


def images(count=3, side=40):
    levels = np.random.default_rng(7).integers(0, 256, (count, side, side, 3), dtype=np.uint8)
    return levels, torch.from_numpy(levels).permute(0, 3, 1, 2).float() / 255


def test_it_is_the_call_of_transformers_made_by_hand(folder):
    levels, given = images()
    found = Dinov2.load(str(folder), "cpu").embed(given)
    seen = np.stack([np.asarray(Image.fromarray(each).resize((28, 28), Image.Resampling.BICUBIC)) for each in levels])
    pixels = torch.from_numpy((seen / 255 - MEAN) / STD).permute(0, 3, 1, 2).float()
    with torch.inference_mode():
        wanted = AutoModel.from_pretrained(folder)(pixel_values=pixels).pooler_output
    assert found.shape == (3, 16)
    assert torch.allclose(found, wanted / wanted.norm(dim=-1, keepdim=True), atol=1e-5)


def test_pictures_of_a_batch_are_compared_by_it(folder):
    levels, given = images(4)
    other = torch.roll(given, 9, 2)
    references = [
        Reference(packed(given[0]), dinov2=str(folder)),
        Reference(packed(other[1]), dinov2=str(folder)),
        Reference(packed(other[2])),
        None,
    ]
    pairs = design(class_list("toy16"), 16)
    rows = [Row(Case("m"), pair, reference=each) for pair, each in zip(pairs, references, strict=False)]
    pool = ScorerPool(catalogue.shipped(), "cpu")
    found = row_likeness.measured(rows, given, lambda *of: pool.embedder("toy-latent", *of))
    assert found[0]["dinov2"] == 1.0
    one, two = (Dinov2.load(str(folder), "cpu").embed(each)[1] for each in (given, other))
    assert found[1]["dinov2"] == pytest.approx(float(one @ two), abs=1e-5)
    assert -1 <= found[1]["dinov2"] < 1
    assert "dinov2" not in found[2]
    assert "embedding" not in found[1]
    assert found[3] == {}
    assert pool.embedder("toy-latent", str(folder)) is pool.embedder("toy-glide", str(folder))
    assert len(levels) == 4


def test_what_is_no_such_network_is_an_error_in_words(folder, tmp_path):
    from transformers import CLIPTextConfig, CLIPTextModel, SegformerConfig, SegformerModel

    text = {"vocab_size": 32, "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    CLIPTextModel(CLIPTextConfig(**text)).save_pretrained(tmp_path / "t")
    sizes = {"depths": [1] * 4, "hidden_sizes": [8] * 4, "num_attention_heads": [1] * 4, "sr_ratios": [1] * 4}
    SegformerModel(SegformerConfig(**sizes)).save_pretrained(tmp_path / "s")
    for name, says in (("t", "does not embed pictures alone"), ("s", "pooler_output")):
        (tmp_path / name / "preprocessor_config.json").write_text((folder / "preprocessor_config.json").read_text())
        with pytest.raises(ModelError, match=says):
            Dinov2.load(str(tmp_path / name), "cpu").embed(images()[1])
    pool = ScorerPool(catalogue.shipped(), "cpu")
    with pytest.raises(UnusableModelError, match=r"\[likeness.models\] .*nowhere cannot be loaded"):
        pool.embedder("toy-latent", str(tmp_path / "nowhere"))


def test_pickles_are_refused(folder, tmp_path):
    (tmp_path / "config.json").write_text((folder / "config.json").read_text())
    torch.save({}, tmp_path / "pytorch_model.bin")
    with pytest.raises(ModelError, match="safetensors"):
        Dinov2.load(str(tmp_path), "cpu")


def test_its_fingerprint_is_that_of_its_weights_and_its_preparation(folder, tmp_path):
    import shutil

    shutil.copytree(folder, tmp_path / "copy")
    assert fingerprint.of_dinov2(str(folder)) == fingerprint.of_dinov2(str(tmp_path / "copy"))
    assert fingerprint.of_dinov2(str(folder)) != fingerprint.of_classifier(str(folder))
    config = tmp_path / "copy" / "preprocessor_config.json"
    config.write_text(config.read_text().replace("0.4", "0.45"))
    assert fingerprint.of_dinov2(str(folder)) != fingerprint.of_dinov2(str(tmp_path / "copy"))


def parsed(text, source="thresholds.toml"):
    return thresholds_parser.parse(text, source, catalogue.shipped().find)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[likeness]\ndinov2 = 0.9\n", 'dinov2 needs a model, and none is named: add [likeness.models] dinov2 = "face'),
        ("[shift.mean.likeness]\ndinov2 = 0.9\n[likeness]\nssim = 0.5\n", "dinov2 needs a model"),
        ("[likeness]\ndinov2 = 0.9\n[likeness.models]\ndino2 = 'x'\n", "Did you mean 'dinov2'"),
        ("[likeness]\ndinov2 = 0.9\n[likeness.models]\nssim = 'x'\n", "ssim"),
        ("[likeness]\ndinov2 = 0.9\n[likeness.models]\ndinov2 = 3\n", "dinov2 = 3: give a folder or a hub id"),
        ("[likeness]\ndinov2 = 0.9\n[likeness.models]\ndinov2 = ' '\n", "give a folder or a hub id"),
        ("[likeness]\ndinov2 = 0.9\nmodels = 'x'\n", "[likeness.models] is 'x', not a table"),
        ("[likeness]\ndinov2 = 1.9\n[likeness.models]\ndinov2 = 'x/y'\n", "0 to 1"),
        ("[default]\ntop1 = 0.5\n[shift.mean.likeness.models]\ndinov2 = 'x'\n", "models"),
    ],
)
def test_what_is_wrong_in_the_thresholds_is_said(text, says):
    with pytest.raises(ThresholdsError) as told:
        parsed(text)
    assert says in str(told.value)


def test_a_folder_is_looked_for_beside_the_file_and_the_model_is_in_the_fingerprint(folder):
    text = "[likeness]\ndinov2 = {{ min = 0.9, floor = 0.5, share = 0.9 }}\n[likeness.models]\ndinov2 = '{}'\n"
    found = parsed(text.format("tiny"), str(folder.parent / "thresholds.toml"))
    assert found.likeness_models == {"dinov2": str(folder)}
    assert parsed(text.format("a/b")).likeness_models == {"dinov2": "a/b"}
    assert parsed(text.format("a/b")).fingerprint != parsed(text.format("a/c")).fingerprint
    asked = {each.score for each in found.constraints(Case("toy-latent"))}
    assert asked == {"likeness_dinov2", "likeness_dinov2_at_0.5"}
