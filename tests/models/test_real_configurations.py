"""The real models' configurations with random weights: what is loaded, prepared and run has the real size and form."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import open_clip
import pytest
import torch
from huggingface_hub import constants
from PIL import Image
from transformers import AutoImageProcessor, AutoModelForImageClassification

from helpers import real
from pytest_seedshift.core import pairs
from pytest_seedshift.core.errors import SeedshiftError
from pytest_seedshift.models.glide.architecture import BASE
from pytest_seedshift.scorers.classifier import Classifier
from pytest_seedshift.scorers.clip import ClipScore

pytestmark = [pytest.mark.slow, pytest.mark.nightly]

LABELS = pairs.class_list("imagenet100")
BATCH = LABELS[:4]
GIB = 2**30
MOST_MEMORY = 12 * GIB


@pytest.fixture(scope="module")
def vit(tmp_path_factory) -> Path:
    return real.vit(tmp_path_factory.mktemp("real") / "vit")


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> Path:
    return real.clip(tmp_path_factory.mktemp("real") / "clip")


@pytest.fixture(scope="module")
def pictures() -> list[Image.Image]:
    """Four pictures of 768 pixels, as Stable Diffusion 2.1 makes them."""
    chance = np.random.default_rng(0)
    small = [Image.fromarray(chance.integers(0, 256, (12, 12, 3), dtype=np.uint8)) for _ in BATCH]
    return [picture.resize((768, 768), Image.Resampling.BICUBIC) for picture in small]


@pytest.fixture(scope="module")
def images(pictures) -> torch.Tensor:
    return torch.stack([torch.from_numpy(np.array(picture)).permute(2, 0, 1) for picture in pictures]).float() / 255


def test_vit_b_16_of_1000_classes_knows_all_hundred_labels_and_scores_as_transformers_does(vit, pictures, images):
    classifier = Classifier.load(str(vit), "cpu")
    assert sum(weight.numel() for weight in classifier._model.parameters()) == 86_567_656
    classifier.check(LABELS)
    assert classifier._outputs == {label: label.index for label in LABELS}
    model, processor = (
        AutoModelForImageClassification.from_pretrained(vit),
        AutoImageProcessor.from_pretrained(vit, backend="pil"),
    )
    with torch.no_grad():
        ranking = model(**processor(images=pictures, return_tensors="pt")).logits.topk(5).indices
    names = [model.config.id2label[int(best)] for best in ranking[:, 0]]
    first = [pairs.Label(name, 0) for name in names]
    assert classifier.score(images, first)["top1"].tolist() == [1] * len(BATCH)
    fifth = [pairs.Label(model.config.id2label[int(row[4])], 0) for row in ranking]
    scores = classifier.score(images, fifth)
    assert scores["top1"].tolist() == [0] * len(BATCH)
    assert scores["top5"].tolist() == [1] * len(BATCH)


def test_vit_b_32_of_open_clip_scores_as_open_clip_does(clip, pictures, images):
    scorer = ClipScore.load(str(clip), "cpu")
    assert sum(weight.numel() for weight in scorer._model.parameters()) == 151_277_313
    scorer.check(LABELS)
    scores = scorer.score(images, BATCH)["clip"]
    model, preprocess = open_clip.create_model_from_pretrained(f"local-dir:{clip}")
    with torch.no_grad():
        seen = model.eval().encode_image(torch.stack([preprocess(picture) for picture in pictures]), normalize=True)
        asked = model.encode_text(open_clip.tokenize([label.prompt for label in BATCH]), normalize=True)
    expected = 100 * (seen * asked).sum(-1).clamp(min=0)
    assert (scores - expected).abs().max() < 1e-3


def test_a_prompt_of_77_tokens_is_read_and_one_of_78_refused(clip):
    scorer = ClipScore.load(str(clip), "cpu")
    words = 77 - 2 - len(open_clip.tokenizer.SimpleTokenizer().encode("A photo of a"))
    scorer.check([pairs.Label(" ".join(["dog"] * words), 0)])
    with pytest.raises(SeedshiftError, match="has 78 tokens, more than the 77"):
        scorer.check([pairs.Label(" ".join(["dog"] * (words + 1)), 0)])


@pytest.mark.parametrize("source", ["ViT-B-32/laion2b_s34b_b79k", "hf-hub:laion/CLIP-ViT-B-32-laion2B-s34B-b79K"])
def test_a_tag_of_open_clip_is_taken_from_the_cache(clip, tmp_path, monkeypatch, source, images):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    repository = tmp_path / "models--laion--CLIP-ViT-B-32-laion2B-s34B-b79K"
    commit = "0123456789abcdef0123456789abcdef01234567"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text(commit)
    (repository / "snapshots").mkdir()
    (repository / "snapshots" / commit).symlink_to(clip)
    scores = ClipScore.load(source, "cpu").score(images, BATCH)["clip"]
    assert torch.equal(scores, ClipScore.load(str(clip), "cpu").score(images, BATCH)["clip"])


@pytest.fixture(scope="module")
def sd21(tmp_path_factory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("real") / "stable-diffusion-2-1"
    memory, _ = peak_memory([sys.executable, real.__file__, "sd21", str(folder)], Path.cwd())
    assert memory < MOST_MEMORY
    yield folder
    shutil.rmtree(folder)


def peak_memory(command: list[str], folder: Path) -> tuple[int, str]:
    """Run a command in a folder; how many bytes it had at most, and what it printed."""
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    process.stdout.close()
    assert process.returncode == 0, output
    return usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024), output


def test_a_case_of_stable_diffusion_2_1_runs_from_its_folder(sd21, vit, clip, tmp_path):
    unet = json.loads((sd21 / "unet" / "config.json").read_text())
    assert (unet["sample_size"], unet["cross_attention_dim"]) == (96, 1024)
    (tmp_path / "thresholds.toml").write_text(
        "[default]\ntop1 = 0.0\nclip = 0.0\n"
        f'[models."{sd21}"]\n'
        "steps = 2\n"
        "guidance = 1.0\n"  # half the time on a CPU
        f'scorers = {{ vit = "{vit}", clip = "{clip}" }}\n'
    )
    options = [f"--seedshift-model={sd21}", "--seedshift-shift=mean", "--seedshift-magnitude=0.3", "-k", "mean"]
    options += ["--seedshift-device=cpu", "--seedshift-batch-size=1", "--seedshift-keep-images=none"]
    memory, _ = peak_memory([sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *options], tmp_path)
    print(f"one image of Stable Diffusion 2.1 took {memory / GIB:.1f} GiB")  # shown by pytest -rP
    assert memory < MOST_MEMORY
    (case,) = json.loads((tmp_path / ".seedshift" / "verdicts.json").read_text())["cases"]
    assert (case["verdict"], case["images"], case["design"]) == ("pass", 1, 400)
    with closing(sqlite3.connect(tmp_path / ".seedshift" / "samples.sqlite")) as store:
        scores = [json.loads(row[0]) for row in store.execute("SELECT scores FROM samples")]
    assert {name for each in scores for name in each} == {"top1", "top5", "clip"}


def test_glide_is_converted_from_its_released_files_saved_and_loaded(tmp_path):
    folder = tmp_path / "glide"
    memory, output = peak_memory([sys.executable, real.__file__, "glide", str(folder)], Path.cwd())
    try:
        print(f"converting and loading GLIDE took {memory / GIB:.1f} GiB")  # shown by pytest -rP
        assert memory < 6 * GIB
        made = json.loads(output.splitlines()[-1])
        assert made["parameters"] == [385_030_726, 398_361_286]
        assert made["seed_shape"] == [3, 64, 64]
        index = list(real.glide_shapes(BASE)).index("input_blocks.0.0.weight")
        block = 0.02 * torch.randn(1 << 22, generator=torch.Generator().manual_seed(0))
        assert made["first"] == pytest.approx([index, *block[1:3].tolist()])
        sizes = {
            part: json.loads((folder / "made" / part / "config.json").read_text()) for part in ("unet", "upsampler")
        }
        assert [sizes[part]["sample_size"] for part in sizes] == [64, 256]
    finally:
        shutil.rmtree(folder)
