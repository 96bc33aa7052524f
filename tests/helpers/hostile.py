"""Folders of weights as somebody hostile would make them: what lies where, and what is planted into it.

A ground is a folder that may be loaded; a plant is what must not be. Code that is planted writes a file, the canary.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_seedshift import models, scorers

MODELS = Path(models.__file__).parent / "toys"
SCORERS = Path(scorers.__file__).parent / "toys"

TIMM = {
    "architecture": "test_vit",
    "num_classes": 16,
    "label_names": [f"class {index}" for index in range(16)],
    "pretrained_cfg": {
        "tag": "r160_in1k",
        "custom_load": False,
        "input_size": [3, 160, 160],
        "fixed_input_size": True,
        "interpolation": "bicubic",
        "crop_pct": 0.95,
        "mean": [0.5, 0.5, 0.5],
        "std": [0.5, 0.5, 0.5],
        "num_classes": 16,
        "first_conv": "patch_embed.proj",
        "classifier": "head",
    },
}
"""A classifier in the form that timm's repositories on the hub have, with labels of its own."""


@dataclass(frozen=True)
class Ground:
    """A folder that may be loaded.

    Attributes:
        build: makes it.
        role: what it is in a run: `pipeline`, `file`, `part`, `classifier`, `clip` or `cached`.
    """

    build: Callable[[Path], Path]
    role: str


def copied(source: Path) -> Callable[[Path], Path]:
    """A copy, in which weights are links."""

    def copy(source: str, target: str) -> None:
        if source.endswith(".safetensors"):
            Path(target).symlink_to(source)
        else:
            shutil.copyfile(source, target)

    def build(folder: Path) -> Path:
        shutil.copytree(source, folder, copy_function=copy)
        return folder

    return build


def _timm(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(TIMM))
    (folder / "model.safetensors").write_bytes(b"")
    return folder


def _beside_a_file(folder: Path) -> Path:
    """A configuration without weights, beside a single file of the same name."""
    shutil.copytree(MODELS / "toy-latent", folder, ignore=shutil.ignore_patterns("*.safetensors"))
    folder.with_name(f"{folder.name}.safetensors").write_bytes(b"")
    return folder


def _sharded(folder: Path) -> Path:
    """A pipeline of which a part has its weights in two files."""
    copied(MODELS / "toy-latent")(folder)
    unet = folder / "unet"
    (unet / "diffusion_pytorch_model.safetensors").unlink()
    for number in (1, 2):
        (unet / f"diffusion_pytorch_model-0000{number}-of-00002.safetensors").write_bytes(b"")
    shards = {f"weight.{n}": f"diffusion_pytorch_model-0000{n}-of-00002.safetensors" for n in (1, 2)}
    index = {"metadata": {"total_size": 1}, "weight_map": shards}
    (unet / "diffusion_pytorch_model.safetensors.index.json").write_text(json.dumps(index))
    return folder


def _cached(folder: Path) -> Path:
    """A snapshot in a cache of the hub: links to blobs."""
    repository = folder / "hub" / "models--owner--evil"
    snapshot, blobs = repository / "snapshots" / ("0" * 40), repository / "blobs"
    blobs.mkdir(parents=True)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("0" * 40)
    for number, path in enumerate(sorted((MODELS / "toy-latent").rglob("*.*"))):
        blob = blobs / f"{number:064x}"
        shutil.copyfile(path, blob)
        place = snapshot / path.relative_to(MODELS / "toy-latent")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(os.path.relpath(blob, place.parent))
    return snapshot


GROUNDS = {
    "pipeline": Ground(copied(MODELS / "toy-latent"), "pipeline"),
    "sharded": Ground(_sharded, "pipeline"),
    "glide": Ground(copied(MODELS / "toy-glide"), "pipeline"),
    "file": Ground(_beside_a_file, "file"),
    "part": Ground(copied(MODELS / "toy-latent-zsnr" / "unet"), "part"),
    "classifier": Ground(copied(SCORERS / "toy-vit"), "classifier"),
    "timm": Ground(_timm, "classifier"),
    "clip": Ground(copied(SCORERS / "toy-clip"), "clip"),
    "cached": Ground(_cached, "cached"),
}

_AUTO = ("AutoConfig", "AutoModel", "AutoModelForImageClassification", "AutoImageProcessor", "AutoProcessor")
_CODE = dict.fromkeys(_AUTO, "evil.Evil") | {"AutoTokenizer": ["evil.Evil", "evil.Evil"]}

KEYS: tuple[tuple[str, Any], ...] = (
    ("auto_map", _CODE),
    ("auto_map", {"AutoModel": "owner/repo--evil.Evil"}),
    ("auto_map", ["evil.Evil", None]),
    ("trust_remote_code", True),
    ("trust_remote_code", "yes"),
    ("custom_pipeline", "evil"),
    ("custom_generate", "owner/repo"),
    ("attn_implementation", "kernels-community/flash-attn"),
    ("attn_implementation", "owner/kernel@main:forward"),
    ("attn_implementation", {"": "sdpa", "text_config": {"": "owner/kernel"}}),
    ("attn_implementation", "flash_attention_2"),
    ("_attn_implementation", "owner/kernel"),
    ("_attn_implementation_internal", "owner/kernel"),
    ("attn_implementation", ["owner/kernel"]),
    ("experts_implementation", "deepgemm"),
    ("kernel_config", {"RMSNorm": "owner/kernel:RMSNorm"}),
    ("use_kernels", True),
    ("quantization_config", {"quant_method": "nunchaku_lite"}),
    ("quantization_config", {"quant_method": "fp8"}),
    ("quantization_config", {"quant_method": "modelopt", "load_in_4bit": False}),
    ("quantization_config", {"bits": 4}),
    ("quantization_config", "fp8"),
    ("compression_config", {"quant_method": "mxfp4"}),
    ("checkpoint_path", "/tmp/evil.pth"),
    ("model_args.checkpoint_path", "evil.pth"),
    ("model_args.pretrained", 1),
    ("model_args.pretrained_cfg", {"file": "evil.pth"}),
    ("pretrained_model_name_or_path", "owner/repo"),
    ("use_pretrained_backbone", True),
    ("backbone", "owner/repo"),
    ("timm_model_name", "hf-hub:owner/repo"),
    ("architecture", "local-dir:/tmp/evil"),
    ("hf_model_name", "owner/repo"),
    ("tokenizer_kwargs.trust_remote_code", False),
    ("tokenizer_kwargs.bpe_path", "/tmp/evil.gz"),
    ("tokenizer_kwargs.clean", {"evil": "evil"}),
    ("tokenizer_kwargs", "evil"),
    ("transformers_weights", "adapter_model.bin"),
    ("transformers_weights", "../other/model.safetensors"),
    ("configuration_files", ["config.4.0.0.json", "../config.5.0.0.json"]),
    ("fast_tokenizer_files", ["/tmp/tokenizer.4.0.0.json"]),
    ("vocab_file", "/etc/passwd"),
    ("vocab_file", "vocab.pkl"),
    ("tokenizer_class", "owner/repo--evil.Evil"),
    ("processor_class", "evil.Evil"),
    ("image_processor_type", "evil.Evil"),
    ("_class_name", ["evil", "Evil"]),
    ("_class_name", "evil.Evil"),
    ("part._class_name", "StableDiffusionPipeline"),
    ("audio_tokenizer", {"audio_tokenizer_class": "Evil", "audio_tokenizer_name_or_path": "owner/repo"}),
    ("base_model_name_or_path", "owner/repo"),
    ("init_inputs", ["/etc/passwd"]),
    ("repo_path", "owner/repo"),
    ("speaker_embeddings.repo_or_path", "owner/repo"),
    ("num_labels", 10**9),
    ("num_hidden_layers", 10**6),
    ("layers_per_block", [2, [2, 100_000]]),
    ("num_train_timesteps", 10**10),
    ("sample_size", 100_000),
)
"""What no configuration may have: the keys, and a value."""

VALUES: tuple[tuple[str, Any], ...] = (
    ("loader", "owner/repo--evil.Evil"),
    ("hooks", ["evil.py"]),
    ("table", "table.pickle"),
)
"""What no value of a key that nobody has thought of may be; of a list of tokens it may."""

HARMLESS: dict[str, Any] = {
    "auto_map": None,
    "trust_remote_code": False,
    "custom_pipeline": None,
    "attn_implementation": {"": "sdpa", "vision_config": "eager", "text_config": None},
    "_attn_implementation_autoset": True,
    "_name_or_path": "/home/somebody/owner--repo/train.py",
    "name_or_path": "owner/repo--evil.Evil",
    "quantization_config": {"quant_method": "bitsandbytes", "load_in_4bit": True, "bnb_4bit_quant_type": "nf4"},
    "nested": {"quantization_config": {"quant_method": "torchao", "quant_type": {"default": {"_type": "Int8"}}}},
    "use_pretrained_backbone": False,
    "timm_model_pretrained": False,
    "pretrained_window_sizes": [0, 0, 0, 0],
    "pretrained_cfg": {"tag": "in1k", "url": "https://example.org/weights.pth", "custom_load": True},
    "architecture": "vit_base_patch16_224.augreg_in21k",
    "architectures": ["CLIPTextModel"],
    "text_model": {"architecture": "a transformer, causal", "cache_dir": "/home/somebody/.cache"},
    "backbone_config": {"model_type": "resnet"},
    "tokenizer_kwargs": {"clean": "canonicalize", "strip_sep_token": True},
    "tokenizer_class": "CLIPTokenizer",
    "processor_class": None,
    "num_class": 10,
    "special_tokens_map_file": "/home/somebody/.cache/special_tokens_map.json",
    "tokenizer_file": "/home/somebody/tokenizer.json",
    "fast_tokenizer_files": ["tokenizer.4.0.0.json"],
    "init_inputs": [],
    "transformers_weights": "model.safetensors",
    "model_max_length": 10**30,
    "time_step_limit": [0.0, float("inf")],
    "id2label": {"0": "owner/repo--evil.py", "1": "checkpoint_path"},
    "label2id": {"auto_map": 1, "trust_remote_code": 1},
    "chat_template": "{% for message in messages %}x/y--z.py{% endfor %}",
    "model_args": {"img_size": 224, "act_layer": "gelu"},
    "kernel_size": 3,
    "num_classes": 21_843,
    "layers_per_block": [2, 2],
    "transformer_layers_per_block": [1, 2, 10],
    "num_single_layers": 38,
    "num_train_timesteps": 1000,
    "sample_size": 1024,
    "theta": 10**9,
    "origin_url": "https://example.org/blob/main/vit.py",
}
"""What real configurations have, and may."""


def configurations(folder: Path) -> list[str]:
    """The JSON files of a folder."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.json"))


def is_vocabulary(name: str) -> bool:
    return Path(name).name in ("tokenizer.json", "vocab.json", "added_tokens.json")


def plant(path: Path, key: str, value: Any, *, under: tuple[str, ...] = ()) -> str:
    """Put a key into a JSON file, under others, and give the path of the key as an error has it."""
    document = json.loads(path.read_text())
    place = document
    for name in (*under, *key.split(".")[:-1]):
        place = place.setdefault(name, {})
    place[key.rpartition(".")[2]] = value
    if path.is_symlink():
        path.unlink()
    path.write_text(json.dumps(document))
    return ".".join((*under, key))


def code(folder: Path, canary: Path) -> None:
    """Lay code into a folder and those of its parts, under the names that plants speak of."""
    text = f"from pathlib import Path\nPath({str(canary)!r}).write_text('ran')\nclass Evil: pass\n"
    for place in (folder, *(each for each in folder.iterdir() if each.is_dir())):
        (place / "evil.py").write_text(text)


class Boom:
    """Runs code when it is unpickled."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> tuple[Any, ...]:
        return self.canary.write_text, ("ran",)


def all_folders() -> Iterator[tuple[str, str, str, Any]]:
    """Enough of grounds, files and plants for every file and every plant to be among them: name, file, key, value."""
    waiting = [*KEYS, *VALUES] * 2
    files = [(name, file) for name, files in FILES.items() for file in files]
    for name, file in files * 2:
        fit = OF_VOCABULARIES if is_vocabulary(file) else waiting
        yield name, file, *waiting.pop(next(index for index, each in enumerate(waiting) if each in fit))
    yield from (("pipeline", "vae/config.json", key, value) for key, value in waiting)


OF_VOCABULARIES = [(key, value) for key, value in KEYS if type(value) is not int]
"""Those for a list of tokens, where numbers are of tokens and any text may be one."""

FILES: dict[str, list[str]] = {
    "pipeline": configurations(MODELS / "toy-latent"),
    "sharded": ["unet/diffusion_pytorch_model.safetensors.index.json"],
    "glide": configurations(MODELS / "toy-glide"),
    "file": configurations(MODELS / "toy-latent"),
    "part": ["config.json"],
    "classifier": configurations(SCORERS / "toy-vit"),
    "timm": ["config.json"],
    "clip": configurations(SCORERS / "toy-clip"),
    "cached": configurations(MODELS / "toy-latent"),
}
"""The configurations of each ground."""
