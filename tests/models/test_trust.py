"""Nothing in a folder of weights runs code, or has anything loaded from elsewhere: what is refused, and what is not."""

from __future__ import annotations

import errno
import json
import os
import pickle
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path
from typing import Any

import open_clip
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save_file
from transformers import dynamic_module_utils

from helpers import hostile
from pytest_seedshift.core.checkpoints import configurations, trust
from pytest_seedshift.core.errors import SeedshiftError
from pytest_seedshift.models import catalogue, load, locate, parts
from pytest_seedshift.models.base import Entry
from pytest_seedshift.scorers import loading
from pytest_seedshift.scorers.classifier import Classifier
from pytest_seedshift.scorers.clip import ClipScore

TOY = catalogue.shipped().find("toy-latent")
FILES = [(name, file) for name, files in hostile.FILES.items() for file in files]


@pytest.fixture
def built(tmp_path) -> Callable[[str], Path]:
    return lambda name: hostile.GROUNDS[name].build(tmp_path / "mine")


def refusal(folder: Path) -> str:
    with pytest.raises(trust.UntrustedError) as caught:
        trust.check(folder, "./mine")
    message = str(caught.value)
    assert message.startswith("./mine: ")
    assert "\n" not in message
    return message


# What may be loaded -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", hostile.GROUNDS)
def test_a_folder_of_weights_passes(built, name):
    trust.check(built(name), name)


@pytest.mark.parametrize(("name", "file"), FILES)
def test_what_real_configurations_have_passes(built, name, file):
    folder = built(name)
    for key, value in hostile.HARMLESS.items():
        hostile.plant(folder / file, key, value)
    trust.check(folder, name)


def test_other_files_may_lie_beside_weights(built):
    folder = built("pipeline")
    (folder / "checkpoint-10").mkdir()
    (folder / "checkpoint-10" / "optimizer.pt").write_bytes(b"a pickle that nothing reads")
    (folder / "args.json").write_text('{"pretrained_model_name_or_path": "owner/repo", "trust_remote_code": true}')
    (folder / "training.json").write_text("[" * 100_000)
    (folder / "unet" / "pytorch_model.bin").write_bytes(b"beside safetensors")
    (folder / ".cache").mkdir()
    (folder / ".cache" / "notes.py").write_text("")
    trust.check(folder, "mine")


def test_code_that_diffusers_has_taken_over_may_still_be_named(built):
    # Kolors' configurations name ChatGLM's code, which diffusers has a class of its own for.
    folder = built("pipeline")
    hostile.plant(folder / "model_index.json", "text_encoder", ["kolors", "ChatGLMModel"])
    hostile.plant(folder / "text_encoder" / "config.json", "auto_map", {"AutoModel": "modeling_chatglm.ChatGLMModel"})
    (folder / "text_encoder" / "modeling_chatglm.py").write_text("")
    trust.check(folder, "mine")
    (folder / "text_encoder" / "kolors.py").write_text("")
    assert "model_index.json: text_encoder = ['kolors', 'ChatGLMModel']: is code of its own" in refusal(folder)


@pytest.mark.parametrize("architecture", open_clip.list_models())
def test_open_clip_s_own_architectures_pass_but_those_whose_tower_comes_from_elsewhere(built, architecture):
    folder, settings = built("clip"), open_clip.get_model_config(architecture)
    (folder / trust.CLIP_CONFIG).write_text(json.dumps({"model_cfg": settings}))
    if "hf_model_name" in settings["text_cfg"]:
        assert "model_cfg.text_cfg.hf_model_name = " in refusal(folder)
    else:
        trust.check(folder, "mine")


# What may not -----------------------------------------------------------------------------------------------------


def check_plants(folder: Path, file: str, *, every: int, levels: Iterable[tuple[str, ...]]) -> None:
    """Plant keys into a file, every so many of them, each under one of some others, and see them refused by name."""
    path = folder / file
    plants = hostile.OF_VOCABULARIES if hostile.is_vocabulary(file) else [*hostile.KEYS, *hostile.VALUES]
    before = path.read_bytes()
    for (key, value), under in zip(plants[::every], cycle(levels), strict=False):
        planted = hostile.plant(path, key, value, under=under)
        message = refusal(folder)
        assert message.startswith(f"./mine: {file}: {planted}"), (message, planted)
        path.write_bytes(before)
    trust.check(folder, "mine")


LEVELS = ((), ("text_config",), tuple(f"level{n}" for n in range(6)))


@pytest.mark.parametrize(("name", "file"), FILES)
def test_no_configuration_may_have_a_key_that_runs_code_or_leads_elsewhere(built, name, file):
    seldom = name in ("file", "cached")  # the same files as those of the pipeline
    check_plants(built(name), file, every=5 if seldom else 1, levels=LEVELS)


@pytest.mark.nightly
@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize(("name", "file"), FILES)
def test_no_configuration_may_have_any_of_them_anywhere(built, name, file, level):
    check_plants(built(name), file, every=1, levels=[level])


@pytest.mark.parametrize(("key", "value"), hostile.KEYS)
def test_nor_may_an_object_in_a_list(built, key, value):
    folder = built("pipeline")
    first, _, last = key.partition(".")
    hostile.plant(folder / "vae" / "config.json", "layers", [{}, [{first: {last: value} if last else value}]])
    assert f"vae/config.json: layers[1][0].{key}" in refusal(folder)


def test_a_file_that_only_a_newer_loader_would_read_is_looked_through_too(built):
    folder = built("classifier")
    for name in ("processor_config.json", "generation_config.json", "config.9.0.0.json", "chat_template.json"):
        (folder / name).write_text('{"auto_map": {"AutoProcessor": "evil.Evil"}}')
        assert f"./mine: {name}: auto_map" in refusal(folder)
        (folder / name).unlink()


@pytest.mark.parametrize(
    ("part", "message"),
    [
        (["os", "system"], "'os' is not a library that pipelines are of"),
        (["pytest_seedshift.models.load", "load"], "is not a library that pipelines are of"),
        (["diffusers.utils", "Evil"], "is not a library that pipelines are of"),
        (["../evil", "Evil"], "is not a library that pipelines are of"),
        (["diffusers", "StableDiffusionPipeline"], "is a pipeline, and no part"),
        (["diffusers", "AutoPipelineForText2Image"], "is a pipeline, and no part"),
        (["stable_diffusion", "StableDiffusionPipeline"], "is a pipeline, and no part"),
        (["diffusers", "OnnxRuntimeModel"], "is loaded from other files than safetensors"),
        (["diffusers", "utils.Evil"], "is not the name of a class"),
    ],
)
def test_no_part_may_be_of_a_class_that_brings_code_or_hides_other_parts(built, part, message):
    folder = built("pipeline")
    hostile.plant(folder / "model_index.json", "vae", part)
    assert f"model_index.json: vae = {part}: " in refusal(folder)
    assert message in refusal(folder)


def test_no_part_may_be_a_pipeline_by_its_own_files(built):
    folder = built("pipeline")
    hostile.plant(folder / "model_index.json", "vae", ["diffusers", "AutoModel"])
    trust.check(folder, "mine")
    hostile.plant(folder / "vae" / "config.json", "_class_name", "StableDiffusionPipeline")
    assert "vae/config.json: _class_name = 'StableDiffusionPipeline': is a pipeline, and no part" in refusal(folder)
    shutil.copyfile(folder / "model_index.json", folder / "vae" / "model_index.json")
    hostile.plant(folder / "vae" / "config.json", "_class_name", "AutoencoderKL")
    assert "vae/model_index.json: makes of the part a pipeline" in refusal(folder)


def test_no_part_may_lie_elsewhere(built):
    folder = built("pipeline")
    index = json.loads((folder / "model_index.json").read_text())
    (folder / "model_index.json").write_text(json.dumps(index | {"..": ["diffusers", "AutoencoderKL"]}))
    assert "model_index.json: .. = ['diffusers', 'AutoencoderKL']: a part's folder lies in" in refusal(folder)


@pytest.mark.parametrize("name", hostile.GROUNDS)
@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("evil.py", "is code beside the weights"),
        ("None.py", "is code beside the weights"),
        ("evil.cpython-311-x86_64-linux-gnu.so", "is code beside the weights"),
        ("vocab.pkl", "is a pickle"),
        ("tokenizer.PICKLE", "is a pickle"),
        ("adapter_config.json", "makes of the folder an adapter"),
        (".metadata", "is of a distributed checkpoint"),
        ("shard-00001-model-00001-of-00001.safetensors", "is of a distributed checkpoint"),
    ],
)
def test_no_file_may_be_code_or_a_pickle_or_lead_to_another_model(built, name, file, message):
    folder = built(name)
    places = [folder, *(path for path in folder.iterdir() if path.is_dir())]
    for place in places:
        (place / file).write_text("{}")
        assert f"./mine: {(place / file).relative_to(folder).as_posix()}: {message}" in refusal(folder)
        (place / file).unlink()
    trust.check(folder, "mine")


@pytest.mark.parametrize(
    "shard",
    ["shard.bin", "../x.safetensors", "/tmp/x.safetensors", "a\\x.safetensors", "x.SAFETENSORS.pt", "", 5, None],
)
def test_shards_are_safetensors_of_the_folder(built, shard):
    folder = built("sharded")
    hostile.plant(folder / hostile.FILES["sharded"][0], "weight_map", {"first.weight": shard})
    assert (
        f"{hostile.FILES['sharded'][0]}: weight_map.'first.weight' = {shard!r}: is not a safetensors file of"
        in refusal(folder).replace("weight_map.first.weight", "weight_map.'first.weight'")
    )


def test_an_index_of_shards_is_a_table(built):
    folder = built("classifier")
    for shards in ([], "model.safetensors", None):
        (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": shards}))
        assert "model.safetensors.index.json: weight_map = " in refusal(folder)


def test_a_shard_that_is_a_link_out_of_the_folder_is_refused_but_not_to_the_blobs_of_a_cache(built, tmp_path):
    folder = built("sharded")
    shard = folder / "unet" / "diffusion_pytorch_model-00002-of-00002.safetensors"
    (tmp_path / "secret.safetensors").write_bytes(b"")
    shard.unlink()
    shard.symlink_to(tmp_path / "secret.safetensors")
    hostile.plant(folder / hostile.FILES["sharded"][0], "weight_map", {"w": shard.name})
    assert "weight_map.w = " in refusal(folder)
    assert "is a link out of the folder" in refusal(folder)
    shard.unlink()
    (folder / "unet" / "here.safetensors").write_bytes(b"")
    shard.symlink_to("here.safetensors")
    trust.check(folder, "mine")


def test_a_shard_in_a_cache_is_a_link_to_a_blob(built):
    snapshot = built("cached")
    index = {"weight_map": {"w": "diffusion_pytorch_model.safetensors"}}
    (snapshot / "unet" / "diffusion_pytorch_model.safetensors.index.json").write_text(json.dumps(index))
    trust.check(snapshot, "owner/evil")


def test_a_tokenizer_is_not_taken_from_elsewhere(built):
    folder = built("clip")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (folder / name).unlink()
    assert "model_cfg.text_cfg.hf_tokenizer_name = 'toy-clip': the folder has no tokenizer" in refusal(folder)


@pytest.mark.parametrize(
    "value",
    ["ab", {"evil": 1, "Evil": 2}, ["evil", "Evil", "x"], ["evil"], 5, ["diffusers", None], [None, "X"]],
    ids=str,
)
def test_a_part_is_described_by_a_library_and_a_class_and_nothing_else(built, value):
    folder = built("pipeline")
    hostile.plant(folder / "model_index.json", "unet", value)
    assert "model_index.json: unet = " in refusal(folder)
    assert "a part is described by the names of a library and of a class in a list" in refusal(folder)


def test_a_pipeline_s_settings_are_no_parts(built):
    folder = built("pipeline")
    values = (True, 5, None, 0.5, "text", "20", [2, 5, 8], [None, None], [1, 2], {"a": 1, "b": 2}, [[1, 2], [3, 4]])
    for number, value in enumerate(values):
        hostile.plant(folder / "model_index.json", f"setting_{number}", value)
    hostile.plant(folder / "model_index.json", "safety_checker", [None, None])
    hostile.plant(folder / "model_index.json", "n" * 5000, True)
    hostile.plant(folder / "model_index.json", "nul\0", True)
    trust.check(folder, "mine")


def test_a_link_to_a_folder_of_code_is_followed_as_a_loader_would(built, tmp_path):
    folder = built("pipeline")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "generate.py").write_text("")
    (folder / "text_encoder" / "custom_generate").symlink_to(tmp_path / "elsewhere")
    assert "text_encoder/custom_generate/generate.py: is code beside the weights" in refusal(folder)


@pytest.mark.parametrize("name", ["clip", "classifier", "pipeline"])
def test_a_folder_under_the_name_of_weights_is_no_weights(built, name):
    folder = built(name)
    weight = next(folder.rglob("*.safetensors"))
    weight.unlink()
    weight.mkdir()
    assert f"{weight.relative_to(folder).as_posix()}: cannot be read: {os.strerror(errno.EISDIR)}" in refusal(folder)


def test_a_part_in_place_of_a_pipeline_s_own_is_looked_through(built):
    folder = built("part")
    hostile.plant(folder / "config.json", "auto_map", {"AutoModel": "evil.Evil"})
    entry = Entry("mine", TOY.pipeline, parts=(("unet", str(folder)),))
    with pytest.raises(trust.UntrustedError, match=r"mine: parts: unet: .*config\.json: auto_map"):
        parts.check(entry)


def test_a_pickle_beside_a_single_file_s_configuration_is_refused(built):
    folder = built("file")
    locate.probe_pipeline([f"{folder}.safetensors"])
    (folder / "text_encoder" / "pytorch_model.bin").write_bytes(b"")
    with pytest.raises(trust.UntrustedError, match=r"text_encoder: pytorch_model\.bin in .* is a pickle"):
        locate.probe_pipeline([f"{folder}.safetensors"])


def test_a_prior_that_names_itself_is_looked_for_once(built):
    folder = built("pipeline")
    hostile.plant(folder / "model_index.json", "_class_name", "KandinskyV22Pipeline")
    (folder / "README.md").write_text(f"---\nprior:\n- {folder}\n---\n")
    assert locate.locate_pipeline([str(folder)]).priors == (folder,)
    hostile.plant(folder / "vae" / "config.json", "auto_map", {"AutoModel": "evil.Evil"})
    with pytest.raises(trust.UntrustedError):
        locate.locate_pipeline([str(folder)])


def test_folders_as_deep_as_a_path_can_be_do_no_harm(built):
    folder = built("pipeline")
    deep = folder / "unet"
    for _ in range(60):
        deep = deep / "d"
    deep.mkdir(parents=True)
    (deep / "evil.py").write_text("")  # which no loader would reach
    (folder / "unet" / "loop").symlink_to(folder / "unet")
    trust.check(folder, "mine")


def test_what_was_found_is_looked_for_again_when_a_file_changes(built):
    folder = built("classifier")
    trust.check(folder, "mine")
    hostile.plant(folder / "config.json", "auto_map", {"AutoModel": "evil.Evil"})
    refusal(folder)
    hostile.plant(folder / "config.json", "auto_map", None)
    trust.check(folder, "mine")


# Configurations that are hostile themselves -----------------------------------------------------------------------


def _fifo(path: Path) -> None:
    os.mkfifo(path)


def _huge(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(200_000_000)


BROKEN: dict[str, tuple[Callable[[Path], object], str]] = {
    "empty": (lambda path: path.write_bytes(b""), "not JSON"),
    "nested": (lambda path: path.write_text("[" * 100_000), "nested"),
    "nested objects": (lambda path: path.write_text('{"a":' * 500 + "1" + "}" * 500), "nested deeper than"),
    "no object": (lambda path: path.write_text('["auto_map"]'), "no JSON object"),
    "a text": (lambda path: path.write_text('"auto_map"'), "no JSON object"),
    "a number of many digits": (lambda path: path.write_text(f'{{"a": {"9" * 10_000}}}'), "cannot be read"),
    "not UTF-8": (lambda path: path.write_bytes(b'{"a": "\xff"}'), "not a text in UTF-8"),
    "UTF-16": (lambda path: path.write_text('{"a": 1}', encoding="utf-16"), "not a text in UTF-8"),
    "many values": (lambda path: path.write_text("[" + "1," * 5_000_000 + "1]"), "has more than"),
    "huge": (_huge, "larger than"),
    "a folder": (lambda path: path.mkdir(), os.strerror(errno.EISDIR)),
    "a pipe": (_fifo, "not an ordinary file"),
}


@pytest.mark.parametrize("kind", BROKEN)
@pytest.mark.parametrize(("name", "file"), [("pipeline", "vae/config.json"), ("clip", "open_clip_config.json")])
def test_what_cannot_be_read_is_refused_in_one_sentence(built, name, file, kind):
    folder, (make, message) = built(name), BROKEN[kind]
    (folder / file).unlink()
    make(folder / file)
    assert refusal(folder).startswith(f"./mine: {file}: ")
    assert message in refusal(folder)


@pytest.mark.parametrize("kind", ["nested", "no object", "not UTF-8", "huge"])
def test_so_is_an_index_that_cannot_be_read(built, kind):
    folder, (make, message) = built("pipeline"), BROKEN[kind]
    make(folder / "model_index.json")
    assert message in refusal(folder)


@pytest.mark.parametrize("file", ["tokenizer.json", "merges.txt", "tokenizer.model", "chat_template.jinja"])
def test_texts_are_not_larger_than_any_is(built, file):
    folder = built("pipeline")
    (folder / "tokenizer" / file).unlink(missing_ok=True)
    _huge(folder / "tokenizer" / file)
    assert f"tokenizer/{file}: cannot be read: larger than 128 MB" in refusal(folder)


def test_weights_that_are_a_pipe_are_not_waited_for(built):
    folder = built("clip")
    (folder / "open_clip_model.safetensors").unlink()
    os.mkfifo(folder / "open_clip_model.safetensors")
    assert "open_clip_model.safetensors: cannot be read: it is not an ordinary file" in refusal(folder)


def test_names_that_are_no_text_stand_in_one_line(built):
    folder = built("classifier")
    (folder / "line\nbreak\x1b[31m.py").write_text("")
    assert r"line\nbreak\x1b[31m.py" in refusal(folder)
    (folder / "line\nbreak\x1b[31m.py").unlink()
    hostile.plant(folder / "config.json", "auto_map", "a\nb", under=("key\n::error::",))
    assert r"'key\n::error::'.auto_map = 'a\nb': " in refusal(folder)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=4,
)


@given(
    json_values,
    st.sampled_from([key.split(".")[-1] for key, _ in hostile.KEYS] + ["tokenizer_kwargs", "weight_map", "model_args"]),
)
def test_any_value_of_any_key_is_judged_without_an_error(value, key):
    for document in (
        {key: value},
        {"a": [{key: value}]},
        {"tokenizer_kwargs": {key: value}},
        {"model_args": {key: value}},
    ):
        for vocabulary in (False, True):
            finding = configurations.find(document, vocabulary=vocabulary)
            assert finding is None or len(str(finding)) < 500


# What the libraries read ------------------------------------------------------------------------------------------


@contextmanager
def looked_for(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[set[str]]:
    """The names of the JSON files in a folder that are opened, or asked for."""
    found: set[str] = set()
    root = str(folder)

    def note(path: object) -> None:
        if (
            isinstance(path, (str, os.PathLike))
            and os.fspath(path).startswith(root)
            and os.fspath(path).endswith(".json")
        ):
            found.add(os.path.relpath(path, root))

    recording = True

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if recording and event == "open":
            note(arguments[0])

    sys.addaudithook(hook)
    with monkeypatch.context() as patch:
        for name in ("isfile", "exists", "lexists"):
            theirs = getattr(os.path, name)
            patch.setattr(os.path, name, lambda path, theirs=theirs: (note(path), theirs(path))[1])
        yield found
    recording = False


def loaders() -> dict[str, Callable[[Path], object]]:
    def part(folder: Path) -> object:
        return load.load(
            Entry("mine", TOY.pipeline, steps=2, guidance=1.0, parts=(("unet", str(folder)),)), "cpu", "float32"
        )

    def pipeline(folder: Path) -> object:
        return load.load(Entry("mine", (str(folder),), steps=2), "cpu", "float32")

    def classifier(folder: Path) -> object:
        return Classifier.load(str(folder), "cpu")

    def clip(folder: Path) -> object:
        return ClipScore.load(str(folder), "cpu")

    return {
        "pipeline": pipeline,
        "glide": pipeline,
        "cached": pipeline,
        "part": part,
        "classifier": classifier,
        "timm": classifier,
        "clip": clip,
    }


@pytest.mark.parametrize("name", loaders())
def test_every_json_that_a_library_reads_or_would_read_is_looked_through(built, name, monkeypatch):
    folder = built(name)
    if name == "timm":
        import timm

        state = timm.create_model("test_vit", num_classes=16).state_dict()
        save_file({f"timm_model.{key}": value for key, value in state.items()}, folder / "model.safetensors")
    with monkeypatch.context() as patch:  # what the gate itself reads is no library's
        patch.setattr(trust, "check", lambda *_: None)
        with looked_for(folder, monkeypatch) as found:
            try:
                loaders()[name](folder)
            except AttributeError:  # of timm's processors, once all is read
                assert name == "timm"
    assert found >= {file for file in hostile.FILES[name] if Path(file).name != "tokenizer.json"}
    trust.check(folder, "mine")
    for file in sorted(found):
        path, there = folder / file, (folder / file).exists()
        if not path.parent.is_dir():
            continue
        before = path.read_bytes() if there else b"{}"
        path.unlink(missing_ok=True)
        path.write_bytes(before)
        hostile.plant(path, "auto_map", {"AutoModel": "evil.Evil"})
        assert file in refusal(folder)
        path.unlink()
        if there:
            path.write_bytes(before)
    trust.check(folder, "mine")


# Behind the gate --------------------------------------------------------------------------------------------------


@pytest.fixture
def open_gate(monkeypatch, tmp_path) -> None:
    """No gate, code modules in a folder of this test's own, and somebody who answers every question with yes."""
    monkeypatch.setattr(trust, "check", lambda *_: None)
    monkeypatch.setattr(dynamic_module_utils, "HF_MODULES_CACHE", str(tmp_path / "modules"))
    monkeypatch.setattr("builtins.input", lambda *_: "y")
    monkeypatch.setattr(sys, "path", list(sys.path))


def with_code(folder: Path, canary: Path, *names: str) -> None:
    for name in names:
        hostile.plant(folder / name, "auto_map", hostile._CODE)
    hostile.code(folder, canary)


def _clip_with_code(folder: Path, canary: Path) -> None:
    with_code(folder, canary, "tokenizer_config.json")
    hostile.plant(folder / "tokenizer_config.json", "tokenizer_class", "Evil")
    hostile.plant(
        folder / "open_clip_config.json",
        "tokenizer_kwargs",
        {"trust_remote_code": True},
        under=("model_cfg", "text_cfg"),
    )


def _classifier_with_code(folder: Path, canary: Path) -> None:
    with_code(folder, canary, "config.json", "preprocessor_config.json")
    hostile.plant(folder / "config.json", "model_type", "evil")
    hostile.plant(folder / "preprocessor_config.json", "image_processor_type", "Evil")


def _processor_with_code(folder: Path, canary: Path) -> None:
    with_code(folder, canary, "preprocessor_config.json")
    hostile.plant(folder / "preprocessor_config.json", "image_processor_type", "Evil")


def _pickled_shard(folder: Path, canary: Path) -> None:
    torch.save({"weight": torch.zeros(1)}, folder / "shard.bin")
    (folder / "model.safetensors").unlink()
    index = {"metadata": {}, "weight_map": {"classifier.weight": "shard.bin"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))


def _nested_pipeline(folder: Path, canary: Path) -> None:
    hostile.copied(hostile.MODELS / "toy-latent")(folder / "nested")
    shutil.rmtree(folder / "vae")
    (folder / "nested").rename(folder / "vae")
    for path in (folder / "vae").rglob("*.safetensors"):
        path.with_suffix(".bin").write_bytes(pickle.dumps(hostile.Boom(canary)))
        path.unlink()
    hostile.plant(folder / "model_index.json", "vae", ["diffusers", "StableDiffusionPipeline"])


def _pipeline_with_code(folder: Path, canary: Path) -> None:
    with_code(folder, canary, "model_index.json")
    hostile.plant(folder / "model_index.json", "_class_name", ["evil", "Evil"])


def _part_with_code(folder: Path, canary: Path) -> None:
    with_code(folder, canary, "unet/config.json")
    hostile.plant(folder / "model_index.json", "unet", ["evil", "Evil"])


EXPLOITS = {
    "clip": ("clip", _clip_with_code),
    "classifier": ("classifier", _classifier_with_code),
    "processor": ("classifier", _processor_with_code),
    "shard": ("classifier", _pickled_shard),
    "nested": ("pipeline", _nested_pipeline),
    "class": ("pipeline", _pipeline_with_code),
    "part": ("pipeline", _part_with_code),
}


@pytest.mark.parametrize("name", EXPLOITS)
def test_the_gate_refuses_what_once_ran(built, tmp_path, name):
    ground, plant = EXPLOITS[name]
    folder = built(ground)
    plant(folder, tmp_path / "canary")
    with pytest.raises(trust.UntrustedError):
        loaders()[ground](folder)
    assert not (tmp_path / "canary").exists()


@pytest.mark.parametrize("name", EXPLOITS)
@pytest.mark.usefixtures("open_gate")
def test_behind_the_gate_no_code_is_run_and_no_pickle_read_either(built, tmp_path, name):
    ground, plant = EXPLOITS[name]
    folder = built(ground)
    plant(folder, tmp_path / "canary")
    with pytest.raises((SeedshiftError, OSError, ValueError)):
        loaders()[ground](folder)
    assert not (tmp_path / "canary").exists()


@pytest.mark.usefixtures("open_gate")
def test_without_either_the_code_would_run(built, tmp_path):
    folder = built("clip")
    _clip_with_code(folder, tmp_path / "canary")
    with pytest.raises((SeedshiftError, OSError, ValueError, TypeError, AttributeError)):
        open_clip.get_tokenizer(f"local-dir:{folder}")
    assert (tmp_path / "canary").read_text() == "ran"


def test_sealed_nothing_is_fetched_asked_or_unpickled_and_afterwards_all_is_as_before(tmp_path, monkeypatch):
    from huggingface_hub import constants, hf_hub_download

    monkeypatch.setattr("builtins.input", lambda *_: pytest.fail("somebody was asked"))
    torch.save({}, tmp_path / "weights.pt")
    before = torch.load, constants.HF_HUB_OFFLINE, dynamic_module_utils.TIME_OUT_REMOTE_CODE
    with loading.sealed("mine"):
        with pytest.raises(trust.UntrustedError, match="mine: a pickle in it would be read"):
            torch.load(tmp_path / "weights.pt", weights_only=True)
        with pytest.raises(ValueError, match="custom code"):
            dynamic_module_utils.resolve_trust_remote_code(None, "mine", False, True)
        with pytest.raises(trust.UntrustedError, match="code that lies with its weights"):
            dynamic_module_utils.get_class_in_module("Evil", "evil.py")
        with pytest.raises(trust.UntrustedError, match="mine: weights would be fetched"):
            torch.hub.load_state_dict_from_url("https://example.org/weights.pth", model_dir=str(tmp_path))
        with pytest.raises(OSError, match=r"offline|cache|local"):
            hf_hub_download("owner/name", "config.json", cache_dir=tmp_path)
    assert (torch.load, constants.HF_HUB_OFFLINE, dynamic_module_utils.TIME_OUT_REMOTE_CODE) == before
    assert torch.load(tmp_path / "weights.pt", weights_only=True) == {}
