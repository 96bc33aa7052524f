"""Which files are loaded, what of these lacks, and what a folder is that is no model: by names and headers alone."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import struct
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_seedshift.core.checkpoints import contents, headers, places, repository
from pytest_seedshift.core.checkpoints.contents import networks, packages
from pytest_seedshift.core.errors import SeedshiftError
from pytest_seedshift.models import catalogue, file_checks, locate, parts
from pytest_seedshift.models.base import Entry
from pytest_seedshift.scorers import class_mapping
from pytest_seedshift.scorers import fingerprint as scorer_fingerprint

TOY = catalogue.shipped().find("toy-latent")
UNET = "diffusion_pytorch_model"


def index(**shards: str) -> dict[str, Any]:
    return {"metadata": {}, "weight_map": shards or {"a": "1.safetensors"}}


def chosen(*names: str, library: str = "diffusers", wanted: str | None = None, **indexes: Any) -> networks.Weights:
    return networks.choose(names, library, lambda name: indexes.get("index", index()), wanted=wanted)


@pytest.mark.parametrize(
    ("names", "library", "wanted", "files", "variant"),
    [
        ((f"{UNET}.safetensors", f"{UNET}.fp16.safetensors"), "diffusers", None, (f"{UNET}.safetensors",), None),
        (
            (f"{UNET}.safetensors", f"{UNET}.fp16.safetensors"),
            "diffusers",
            "fp16",
            (f"{UNET}.fp16.safetensors",),
            "fp16",
        ),
        ((f"{UNET}.safetensors",), "diffusers", "fp16", (f"{UNET}.safetensors",), None),
        ((f"{UNET}.fp16.safetensors", f"{UNET}.bin"), "diffusers", None, (f"{UNET}.fp16.safetensors",), "fp16"),
        ((f"{UNET}.non_ema.safetensors",), "diffusers", None, (f"{UNET}.non_ema.safetensors",), "non_ema"),
        (("model.fp16.safetensors",), "transformers", None, ("model.fp16.safetensors",), "fp16"),
        (
            (f"{UNET}.safetensors.index.fp16.json", "1.safetensors"),
            "diffusers",
            None,
            (f"{UNET}.safetensors.index.fp16.json", "1.safetensors"),
            "fp16",
        ),
        (  # as older versions of diffusers have named it
            (f"{UNET}.safetensors.fp16.index.json", "1.safetensors"),
            "diffusers",
            None,
            (f"{UNET}.safetensors.fp16.index.json", "1.safetensors"),
            "fp16",
        ),
        # Where both are there, diffusers takes the index and transformers the one file.
        (
            (f"{UNET}.safetensors.index.json", f"{UNET}.safetensors", "1.safetensors"),
            "diffusers",
            None,
            (f"{UNET}.safetensors.index.json", "1.safetensors"),
            None,
        ),
        (
            ("model.safetensors.index.json", "model.safetensors", "1.safetensors"),
            "transformers",
            None,
            ("model.safetensors",),
            None,
        ),
    ],
)
def test_files_without_a_variant_are_taken_else_those_of_the_only_one(names, library, wanted, files, variant):
    found = chosen(*names, library=library, wanted=wanted)
    assert (found.files, found.variant, found.problems) == (files, variant, ())


@pytest.mark.parametrize(
    ("names", "says"),
    [
        (
            (f"{UNET}.fp16.safetensors", f"{UNET}.bf16.safetensors"),
            r"several variants \(bf16, fp16\).*variant = \"bf16\"",
        ),
        ((f"{UNET}.bin",), r"a pickle \(diffusion_pytorch_model\.bin\).*save_pretrained"),
        (("model.safetensors",), r"under another name \(model\.safetensors\).*diffusion_pytorch_model\.safetensors"),
        (("Diffusion_Pytorch_Model.SAFETENSORS",), "under another name"),
        ((f"{UNET}-00001-of-00002.safetensors",), r"has shards .*no diffusion_pytorch_model\.safetensors\.index\.json"),
        ((f"{UNET}.safetensors.index.json",), r"lacks 1\.safetensors, which diffusion_pytorch_model.*names"),
        (("pytorch_lora_weights.safetensors",), r"LoRA or another adapter \(pytorch_lora_weights.*fuse_lora"),
        (("model.onnx",), "of ONNX"),
        (("unet-Q4_K_M.gguf",), "of GGUF"),
        ((), r"has no weights \(no \.safetensors file\)"),
    ],
)
def test_what_lies_in_place_of_weights_is_named(names, says):
    (problem,) = chosen(*names).problems
    assert re.search(says, problem.text), problem.text


def test_a_variant_that_is_whole_is_named_where_an_index_without_one_is_not():
    (problem,) = chosen(f"{UNET}.safetensors.index.json", f"{UNET}.fp16.safetensors").problems
    assert problem.text.endswith('The variant fp16 is there: variant = "fp16" chooses it')


VARIANTS = st.sampled_from([None, "fp16", "bf16", "ema", "non_ema"])


@given(st.sets(VARIANTS), VARIANTS, st.sampled_from(["diffusers", "transformers"]))
def test_whatever_variants_there_are_the_files_are_of_one_of_them(there, wanted, library):
    stem = networks.STEMS[library]
    names = {f"{stem}.safetensors" if each is None else f"{stem}.{each}.safetensors" for each in there}
    found = chosen(*names, library=library, wanted=wanted)
    if wanted in there or None in there or len(there) == 1:
        assert set(found.files) <= names
        assert not found.problems
        assert found.variant in there
        assert found.variant == wanted or wanted not in there
    else:
        assert found.problems
        assert not found.files


# Folders ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def copy(tmp_path) -> Path:
    shutil.copytree(TOY.pipeline[0], tmp_path / "mine")
    return tmp_path / "mine"


def as_variant(folder: Path, variant: str = "fp16", parts: str = "*") -> None:
    for path in sorted(folder.glob(f"{parts}/*.safetensors")):
        path.rename(path.with_name(f"{path.stem}.{variant}.safetensors"))


def refused(*sources: str | Path, **more: Any) -> str:
    def check() -> None:
        location = locate.locate_pipeline([*map(str, sources)], **more)
        file_checks.check(Entry("mine", tuple(map(str, sources))), location)

    with pytest.raises(SeedshiftError) as caught:
        check()
    return str(caught.value)


def fingerprint(folder: Path) -> str:
    return locate.locate_pipeline([str(folder)]).fingerprint()


def write(path: Path, content: bytes | str = b"x") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)


def safetensors(*names: str) -> bytes:
    header = json.dumps({name: {"dtype": "F32", "shape": [], "data_offsets": [0, 4]} for name in names}).encode()
    return struct.pack("<Q", len(header)) + header + b"\0" * 4


@pytest.mark.parametrize(
    "path",
    [
        "README.md",
        "checkpoint-10/optimizer.pt",
        "checkpoint-10/unet/diffusion_pytorch_model.safetensors",
        "samples/0.png",
        "logs/events.out.tfevents.1",
        "trainer_state.json",
        "training_args.bin",
        "train.log",
        "unet/README.md",
        "unet/trainer_state.json",
        "unet/optimizer.bin",
        "unet/diffusion_pytorch_model.fp16.safetensors",
        "unet/diffusion_pytorch_model.non_ema.safetensors",
        "vae/0.png",
        "scheduler/notes.txt",
        "tokenizer/README.md",
        "tokenizer/train_results.json",
        "safety_checker/model.safetensors",
        "style-lora.safetensors",
    ],
)
def test_what_is_not_loaded_is_no_part_of_a_fingerprint(copy, path):
    before = fingerprint(copy)
    write(copy / path, "{}")
    assert fingerprint(copy) == before


@pytest.mark.parametrize(
    "path",
    [
        "model_index.json",
        "unet/config.json",
        "unet/diffusion_pytorch_model.safetensors",
        "vae/config.json",
        "text_encoder/model.safetensors",
        "tokenizer/tokenizer.json",
        "tokenizer/tokenizer_config.json",
        "scheduler/scheduler_config.json",
    ],
)
def test_what_is_loaded_is(copy, path):
    before = fingerprint(copy)
    content = (copy / path).read_bytes()
    (copy / path).write_bytes(content + b" " if path.endswith(".json") else content[:-1] + bytes([content[-1] ^ 1]))
    assert fingerprint(copy) != before


def test_a_folder_without_other_files_keeps_the_fingerprint_that_all_its_files_gave(copy):
    digest = hashlib.sha256(repr(()).encode())
    for name, file in sorted((file.relative_to(copy).as_posix(), file) for file in copy.rglob("*") if file.is_file()):
        digest.update(f"{name}\n{hashlib.sha256(file.read_bytes()).hexdigest()}\n".encode())
    assert fingerprint(copy) == digest.hexdigest()[:16]


def test_the_only_variant_is_taken_and_named(copy):
    as_variant(copy, "fp16", "unet")
    as_variant(copy, "bf16", "vae")  # another one: each part is loaded by itself
    location = locate.locate_pipeline([str(copy)])
    assert location.variants == {"unet": "fp16", "vae": "bf16"}
    assert sorted(location.notes("mine")) == [
        "the weights of mine are of the variant bf16 (vae): there are no others",
        "the weights of mine are of the variant fp16 (unet): there are no others",
    ]
    assert {path.name for path in location.files()} >= {f"{UNET}.fp16.safetensors", f"{UNET}.bf16.safetensors"}


def test_a_variant_that_an_entry_names_is_taken_and_one_that_is_nowhere_is_refused(copy):
    shutil.copy(copy / "unet" / f"{UNET}.safetensors", copy / "unet" / f"{UNET}.fp16.safetensors")
    location = locate.locate_pipeline([str(copy)], variant="fp16")
    assert location.variants == {"unet": "fp16"}
    assert location.notes("mine") == ["the weights of mine are of the variant fp16 (unet), as its entry says"]
    assert location.fingerprint() != fingerprint(copy)
    message = refused(copy, variant="fp61")
    assert "variant = 'fp61': no weights of it have that variant" in message
    assert "Did you mean 'fp16'" in message


def a_folder(folder: Path) -> None:
    path = folder / "unet" / f"{UNET}.safetensors"
    path.unlink()
    path.mkdir()


def a_pointer(name: str) -> Any:
    return lambda folder: write(folder / name, "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n")


def a_config(name: str, **keys: Any) -> Any:
    def change(folder: Path) -> None:
        path = folder / name
        path.write_text(json.dumps(json.loads(path.read_text()) | keys))

    return change


def a_lora(folder: Path) -> None:
    write(folder / "unet" / f"{UNET}.safetensors", safetensors("down_blocks.0.to_q.lora_A.weight"))


def slow(folder: Path) -> None:
    shutil.rmtree(folder / "tokenizer")
    write(folder / "tokenizer" / "spiece.model")
    write(folder / "tokenizer" / "tokenizer_config.json", "{}")


def words(folder: Path, *names: str) -> None:
    (folder / "tokenizer" / "tokenizer.json").unlink()
    for name in names:
        write(folder / "tokenizer" / name, "{}")


def sharded(folder: Path, lost: str | None = None, metadata: Any = "{}") -> None:
    (folder / "unet" / f"{UNET}.safetensors").unlink()
    write(folder / "unet" / "1.safetensors", safetensors("a"))
    content = index(a="1.safetensors", **({lost: "1.safetensors"} if lost else {}))
    if metadata is None:
        del content["metadata"]
    write(folder / "unet" / f"{UNET}.safetensors.index.json", json.dumps(content))


MISTAKES: dict[str, tuple[Any, str]] = {
    "a folder in place of a file": (
        a_folder,
        "unet/diffusion_pytorch_model.safetensors: cannot be read: Is a directory",
    ),
    "a pointer of git-lfs": (a_pointer(f"vae/{UNET}.safetensors"), "a pointer of git-lfs in place of the file: run"),
    "a pointer for a configuration": (a_pointer("vae/config.json"), "vae/config.json: cannot be read: it is a pointer"),
    "an empty file": (lambda folder: write(folder / f"vae/{UNET}.safetensors", b""), "but empty: get it again"),
    "an adapter's weights": (a_lora, "holds the weights of a LoRA or another adapter"),
    "an adapter beside": (
        lambda folder: write(folder / "pytorch_lora_weights.safetensors", safetensors("unet.lora.up.weight")),
        "pytorch_lora_weights.safetensors: is the file of a LoRA or another adapter, beside a pipeline",
    ),
    "no configuration of a part": (lambda folder: (folder / "vae/config.json").unlink(), "vae: lacks config.json"),
    "no scheduler's": (
        lambda folder: (folder / "scheduler/scheduler_config.json").unlink(),
        "scheduler: lacks scheduler_config.json",
    ),
    "an empty tokenizer": (
        lambda folder: [path.unlink() for path in (folder / "tokenizer").iterdir()],
        "tokenizer: has none of a tokenizer's files",
    ),
    "quantised": (
        a_config("unet/config.json", quantization_config={"quant_method": "torchao"}),
        "unet: its weights are quantised (quant_method torchao), for which torchao has to be installed: pip install",
    ),
    "a model of SentencePiece": (slow, "pip install sentencepiece protobuf"),
    "no merges": (lambda folder: words(folder, "vocab.json"), "tokenizer: lacks merges.txt, without which vocab.json"),
    "no vocabulary": (lambda folder: words(folder, "merges.txt"), "tokenizer: lacks vocab.json, without which"),
    "no words at all": (lambda folder: words(folder), "tokenizer: has no vocabulary (no tokenizer.json"),
    "a part left out": (
        a_config("model_index.json", text_encoder=[None, None]),
        "text_encoder: is null in model_index.json: the pipeline was saved without it",
    ),
    "a tensor that no shard has": (lambda folder: sharded(folder, lost="b"), "names b in 1.safetensors, but no shard"),
    "an index without metadata": (
        lambda folder: sharded(folder, metadata=None),
        'has no table "metadata", which the libraries read',
    ),
    "no weights": (lambda folder: (folder / f"unet/{UNET}.safetensors").unlink(), "unet: has no weights"),
    "ONNX": (
        a_config("model_index.json", _class_name="ORTStableDiffusionPipeline", unet=["diffusers", "Gone"]),
        "ONNX",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_what_cannot_be_loaded_is_refused_with_what_would_help(copy, monkeypatch, mistake):
    monkeypatch.setattr(packages, "_is_installed", lambda name: False)
    change, says = MISTAKES[mistake]
    if mistake == "ONNX":
        shutil.rmtree(copy / "unet")
    change(copy)
    assert says in refused(copy)


def test_an_index_may_name_copies_of_weights_that_were_left_away(copy):
    sharded(copy, lost="encoder.embed_tokens.weight")
    location = locate.locate_pipeline([str(copy)])
    file_checks.check(Entry("mine", (str(copy),)), location)


def test_a_tokenizer_of_bytes_has_no_words(copy):
    words(copy)
    a_config("model_index.json", tokenizer=["transformers", "ByT5Tokenizer"])(copy)
    assert locate.locate_pipeline([str(copy)]).path == copy


def test_a_safety_checker_of_an_unknown_library_is_no_reason_to_refuse(copy):
    a_config("model_index.json", safety_checker=["elsewhere", "Checker"])(copy)
    assert locate.locate_pipeline([str(copy)]).path == copy


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({"modular_model_index.json": "{}"}, "is a modular pipeline of diffusers (modular_model_index.json)"),
        ({"pytorch_lora_weights.safetensors": "x"}, "is a LoRA or another adapter (pytorch_lora_weights.safetensors)"),
        (
            {"style.safetensors": safetensors("lora_unet_mid.lora_down.weight")},
            "style.safetensors holds the weights of a LoRA",
        ),
        ({"unet/model.onnx": "x"}, "is a model of ONNX (unet/model.onnx)"),
        ({"flux-Q8.gguf": "x"}, "has weights of GGUF (flux-Q8.gguf)"),
        (
            {"config.json": '{"_class_name": "UNet2DConditionModel"}'},
            "the config.json of UNet2DConditionModel: it is one",
        ),
        (
            {"ip-adapter.safetensors": safetensors("image_proj.proj.weight")},
            "holds an IP-Adapter",
        ),
        ({"refs/main": "x", "snapshots/0a/model_index.json": "{}"}, "but in snapshots/0a below it: give that folder"),
        ({"a/model_index.json": "{}", "b/model_index.json": "{}"}, "but in a, b below it: give that folder"),
        ({"whole.safetensors": safetensors("a")}, "if the whole pipeline is in that file, give its path"),
    ],
)
def test_a_folder_that_is_no_pipeline_is_called_what_it_is(tmp_path, files, says):
    for name, content in files.items():
        write(tmp_path / "mine" / name, content)
    assert says in refused(tmp_path / "mine")


def test_a_file_of_another_form_is_no_model(tmp_path):
    for name in ("flux-Q8.gguf", "style.SAFETENSORS", "notes.txt"):
        write(tmp_path / name)
        assert f"{name} is not a .safetensors file, and nothing else is ever loaded" in refused(tmp_path / name)


# Parts and scorers ------------------------------------------------------------------------------------------------


def of_part(folder: Path, variant: str | None = None) -> Any:
    return parts.check(Entry("mine", ("./mine",), parts=(("unet", str(folder)),), variant=variant))


def test_a_part_of_its_own_is_loaded_from_the_same_kinds_of_files(copy):
    folder = copy / "unet"
    entry = Entry("mine", ("./mine",), parts=(("unet", str(folder)),))
    of_part(folder)
    before = parts.fingerprints(entry)
    write(folder / "README.md")
    write(folder / "optimizer.pt")
    assert parts.fingerprints(entry) == before
    as_variant(copy, "fp16", "unet")
    of_part(folder)
    assert parts.fingerprints(entry) != before
    write(folder / f"{UNET}.safetensors.index.json", json.dumps(index(a=f"{UNET}-00001-of-00002.safetensors")))
    with pytest.raises(SeedshiftError, match=r"mine: parts: unet: .*: lacks diffusion_pytorch_model-00001-of-.*fp16"):
        of_part(folder)
    of_part(folder, "fp16")


def test_a_classifier_is_loaded_from_the_same_kinds_of_files(tmp_path):
    def problems(folder: Path) -> list[str]:
        return [problem.text for _, problem in contents.classifier(contents.OnDisk(folder)).problems]

    folder = tmp_path / "vit"
    shutil.copytree(TOY.classifier, folder)
    assert problems(folder) == []
    weights_of = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").rename(folder / "model.fp16.safetensors")
    assert problems(folder) == []
    assert contents.classifier(contents.OnDisk(folder)).variants == {"": "fp16"}
    write(folder / "model.bf16.safetensors", weights_of)
    assert "several variants (bf16, fp16)" in problems(folder)[0]
    (folder / "preprocessor_config.json").unlink()
    assert problems(folder)[1] == "lacks preprocessor_config.json, which says how pictures are prepared for it"


def test_clip_is_loaded_from_the_file_that_open_clip_prefers(tmp_path):
    folder = tmp_path / "clip"
    shutil.copytree(TOY.clip, folder)
    before = set(contents.clip(contents.OnDisk(folder)).files)
    assert "open_clip_model.safetensors" in before
    write(folder / "model.safetensors")
    assert set(contents.clip(contents.OnDisk(folder)).files) == before
    (folder / "open_clip_model.safetensors").unlink()
    assert "model.safetensors" in contents.clip(contents.OnDisk(folder)).files
    (folder / "model.safetensors").rename(folder / "shard.safetensors")
    write(folder / "model.safetensors.index.json", json.dumps(index(a="shard.safetensors")))
    ((_, problem),) = contents.clip(contents.OnDisk(folder)).problems
    assert "in shards, which open_clip does not read" in problem.text


# Adapters ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "unet.a.to_q.lora_A.weight",
        "unet.a.to_q.lora.down.weight",
        "lora_unet_down_blocks_0_to_k.lora_up.weight",
        "lora_te1_text_model.alpha",
        "base.to_q.lora_A.default.weight",
        "unet.mid.hada_w1_a",
        "lycoris_unet_mid.lokr_w1",
    ],
)
def test_an_adapter_is_known_by_its_weights_names(tmp_path, name):
    write(tmp_path / "a.safetensors", safetensors(name))
    assert headers.is_adapter(tmp_path / "a.safetensors")


FILES = {
    "an IP-Adapter": ("image_proj.proj.weight", "ip_adapter.1.to_k_ip.weight"),
    "the embeddings of a textual inversion": ("<cat-toy>",),
    "the embeddings of a textual inversion (SDXL)": ("clip_g", "clip_l"),
    "a ControlNet": ("control_model.input_blocks.0.0.weight",),
    "a ControlNet (diffusers)": ("controlnet_cond_embedding.conv_in.weight", "down_blocks.0.a"),
    "a T2I-Adapter": ("adapter.body.0.in_conv.weight",),
    "an upscaler": ("conv_first.weight", "body.0.rdb1.conv1.weight"),
    "a VAE alone": ("first_stage_model.encoder.conv_in.weight",),
    "a VAE alone (diffusers)": ("encoder.conv_in.weight", "decoder.conv_in.weight", "quant_conv.weight"),
    "a denoising network alone": ("model.diffusion_model.input_blocks.0.0.weight",),
    "a denoising network alone (Flux)": ("double_blocks.0.img_attn.proj.weight", "img_in.weight"),
    "a text encoder alone": ("text_model.encoder.layers.0.layer_norm1.weight",),
    "a text encoder alone (T5)": ("encoder.block.0.layer.0.SelfAttention.q.weight", "shared.weight"),
    "weights of a LoRA": ("double_blocks.0.processor.qkv_lora1.down.weight",),
    "weights of a LoRA (VeRA)": ("base_model.model.x.vera_lambda_b",),
    "quantised weights": (
        "model.diffusion_model.a.weight",
        "model.diffusion_model.a.scale_weight",
        "first_stage_model.a",
    ),
    "quantised weights (fp8)": ("double_blocks.0.img_attn.proj.weight", "scaled_fp8"),
    "quantised weights (nf4)": ("model.diffusion_model.x.weight.quant_state.bitsandbytes__nf4",),
    "quantised weights (SVDQuant)": ("transformer_blocks.0.qweight", "transformer_blocks.0.lora_down"),
}


@pytest.mark.parametrize("what", FILES)
def test_a_single_file_that_is_no_whole_pipeline_is_called_what_it_is(tmp_path, what):
    write(tmp_path / "mine.safetensors", safetensors(*FILES[what]))
    assert what.partition(" (")[0] in refused(tmp_path / "mine.safetensors")


def test_a_part_in_a_single_file_may_lie_beside_the_rest_of_its_pipeline(copy):
    path = copy / "mine.safetensors"
    write(path, safetensors("model.diffusion_model.input_blocks.0.0.weight"))
    location = locate.locate_pipeline([str(path)])
    file_checks.check(Entry("mine", (str(path),)), location)
    write(path, safetensors("control_model.a", "model.diffusion_model.a"))
    assert "holds a ControlNet, and no pipeline" in refused(path)


@pytest.mark.parametrize(
    "names", [("a",), ("model.diffusion_model.a", "first_stage_model.a", "cond_stage_model.a"), ("explora", "scale")]
)
def test_a_file_that_may_be_a_whole_pipeline_is_left_to_diffusers(tmp_path, names):
    write(tmp_path / "mine.safetensors", safetensors(*names))
    assert headers.no_pipeline(tmp_path / "mine.safetensors", whole=True) is None


@pytest.mark.parametrize("name", ["model.diffusion_model.input_blocks.0.weight", "explora.weight", "colorant.lora_x"])
def test_other_weights_are_not_taken_for_one(tmp_path, name):
    write(tmp_path / "a.safetensors", safetensors(name))
    assert not headers.is_adapter(tmp_path / "a.safetensors")
    assert headers.why_not(tmp_path / "a.safetensors") is None


# The cache --------------------------------------------------------------------------------------------------------

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def cache(tmp_path, monkeypatch) -> Path:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "cache"


def cached(cache: Path, source: str, folder: str | Path, ref: str | None = "main") -> Path:
    root = cache / f"models--{source.replace('/', '--')}"
    shutil.copytree(folder, root / "snapshots" / COMMIT)
    if ref is not None:
        write(root / "refs" / ref, COMMIT)
    return root / "snapshots" / COMMIT


def test_only_one_variant_in_the_cache_is_taken(cache, copy):
    as_variant(copy)
    cached(cache, "me/toy", copy)
    assert set(locate.locate_pipeline(["me/toy"]).variants.values()) == {"fp16"}


def test_what_the_cache_lacks_is_named_with_its_part(cache):
    snapshot = cached(cache, "me/toy", TOY.pipeline[0])
    (snapshot / "vae" / f"{UNET}.safetensors").unlink()
    (snapshot / "vae" / f"{UNET}.safetensors").symlink_to("../../../blobs/gone")
    said = refused("me/toy")
    assert "(not whole: vae: has no weights (no .safetensors file)" in said
    assert f"1 link in it leads nowhere (vae/{UNET}.safetensors to ../../../blobs/gone)" in said


def test_a_revision_that_the_cache_has_not_is_told_with_those_it_has(cache):
    cached(cache, "me/toy", TOY.pipeline[0], ref="v1")
    assert f"it has no revision 'v2' of it, but v1, {COMMIT}" in refused("me/toy", revision="v2")
    assert f"it has not its branch main, but v1, {COMMIT}" in refused("me/toy")
    assert locate.locate_pipeline(["me/toy"], "v1").path.name == COMMIT


def test_a_revision_is_found_by_any_of_its_names(cache):
    """A branch, one with a slash, a pull request, a tag, a commit in full or in short, in either case."""
    root = cached(cache, "me/toy", TOY.pipeline[0], ref="feature/new").parent.parent
    for ref in ("v1.0", "refs/pr/3", "beef"):
        write(root / "refs" / ref, COMMIT)
    for name in ("feature/new", "v1.0", "refs/pr/3", "beef", COMMIT, COMMIT[:7], COMMIT[:4], COMMIT[:12].upper()):
        assert locate.locate_pipeline(["me/toy"], name).path.name == COMMIT, name
    for name in (COMMIT[:3], "main", COMMIT[1:8], "v1", f"{COMMIT[:7]}x"):
        assert f"it has no revision '{name}' of it" in refused("me/toy", revision=name)


def test_the_beginning_of_several_commits_is_none(cache):
    root = cached(cache, "me/toy", TOY.pipeline[0]).parent.parent
    other = COMMIT[:-1] + ("0" if COMMIT[-1] != "0" else "1")
    (root / "snapshots" / other).mkdir()
    with pytest.raises(SeedshiftError, match=rf"revision = '{COMMIT[:7]}': several commits .*{COMMIT}.*: give one"):
        locate.locate_pipeline(["me/toy"], COMMIT[:7])
    assert locate.locate_pipeline(["me/toy"], COMMIT).path.name == COMMIT


def test_a_modular_repository_in_the_cache_is_called_so(cache, tmp_path):
    write(tmp_path / "modular" / "modular_model_index.json", "{}")
    cached(cache, "me/mod", tmp_path / "modular")
    message = refused("me/mod")
    assert message.startswith("me/mod is a modular pipeline of diffusers")
    assert "hf download" not in message


@pytest.mark.parametrize(
    ("source", "file", "patterns"),
    [
        (TOY.classifier, "config.json", repository.CLASSIFIER_FILES),
        (TOY.clip, "open_clip_config.json", repository.CLIP_FILES),
    ],
    ids=["classifier", "clip"],
)
def test_a_scorer_of_which_only_the_configuration_is_there_is_not(cache, tmp_path, source, file, patterns):
    snapshot = cached(cache, "me/scorer", source)
    repository.probe("me/scorer", file)
    assert repository.fetch("me/scorer", patterns).samefile(snapshot)
    shutil.copytree(snapshot, tmp_path / "mine")
    for folder in (snapshot, tmp_path / "mine"):
        next(folder.glob("*.safetensors")).unlink()
    with pytest.raises(places.WeightsNotFoundError, match=r"not whole: has no weights"):
        repository.probe("me/scorer", file)
    with pytest.raises(places.WeightsNotFoundError, match=r"not whole: has no weights"):
        repository.fetch("me/scorer", patterns)
    with pytest.raises(SeedshiftError, match=r"mine: has no weights"):
        repository.probe(str(tmp_path / "mine"), file)


@pytest.mark.parametrize("fingerprint_of", [scorer_fingerprint.of_classifier, scorer_fingerprint.of_clip])
def test_a_scorer_s_card_is_no_part_of_its_fingerprint(tmp_path, fingerprint_of):
    source = TOY.classifier if fingerprint_of is scorer_fingerprint.of_classifier else TOY.clip
    shutil.copytree(source, tmp_path / "mine")
    for name in ("README.md", "trainer_state.json", "optimizer.pt" if "vit" in source else "loss.png"):
        write(tmp_path / "mine" / name, "{}")
    assert fingerprint_of(str(tmp_path / "mine")) == fingerprint_of(source)


# Classifiers' configurations --------------------------------------------------------------------------------------

FORM = {"input_size": [3, 160, 160], "num_classes": 1000, "classifier": "head", "mean": [0.5] * 3, "std": [0.5] * 3}


def test_a_classifier_in_timms_form_is_read_as_transformers_reads_it(tmp_path):
    def outputs(**config: Any) -> dict[int, str]:
        write(tmp_path / "config.json", json.dumps({"architecture": "test_vit", "pretrained_cfg": FORM} | config))
        os.utime(tmp_path / "config.json", ns=(0, hash(str(config)) % 10**18))
        return class_mapping.outputs_of(tmp_path)

    assert outputs(num_classes=2, label_names=["zebra", "eft"]) == {0: "zebra", 1: "eft"}
    of_imagenet = outputs(num_classes=1000)
    assert len(of_imagenet) == 1000
    assert of_imagenet[340] == "zebra"
