"""Settings of the process in a sample's key: those that are not at their defaults, by name, and nothing else."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest
import torch
from diffusers.models import attention_dispatch
from diffusers.models.attention_dispatch import AttentionBackendName

from pytest_seedshift.models import catalogue, fingerprint, libraries, process_settings
from pytest_seedshift.models.location import Location

TOY = catalogue.shipped().find("toy-latent")


def of_toy() -> str:
    return fingerprint.of_model(TOY, "cpu", "float32")


@pytest.fixture(autouse=True)
def _as_they_are(monkeypatch):
    for name in (process_settings.ATTENTION, *process_settings._OF_ENVIRONMENT):
        monkeypatch.delenv(name, raising=False)
    assert (
        process_settings.in_force("cpu")
        == process_settings.in_force("cuda:0")
        == process_settings.in_force("mps")
        == ()
    )


@pytest.fixture
def set_back():
    """Give back what is changed of torch through `(owner, name)`, by what it was."""
    undo = []
    yield undo.append
    for each in reversed(undo):
        each()


CHANGES = {
    "matmul": (
        lambda: torch.set_float32_matmul_precision("medium"),
        lambda: torch.set_float32_matmul_precision("highest"),
        "cpu",
        "float32 matmul precision (oneDNN) = bf16",
    ),
    "matmul-cuda": (
        lambda: torch.set_float32_matmul_precision("high"),
        lambda: torch.set_float32_matmul_precision("highest"),
        "cuda:1",
        "float32 matmul precision (CUDA) = tf32",
    ),
    "tf32-off": (
        lambda: setattr(torch.backends.cudnn, "allow_tf32", False),
        lambda: setattr(torch.backends.cudnn, "allow_tf32", True),
        "cuda",
        "float32 convolution precision (cuDNN) = ieee",
    ),
    "deterministic": (
        lambda: torch.use_deterministic_algorithms(True, warn_only=True),
        lambda: torch.use_deterministic_algorithms(False),
        "cpu",
        "deterministic algorithms = True",
    ),
    "benchmark": (
        lambda: setattr(torch.backends.cudnn, "benchmark", True),
        lambda: setattr(torch.backends.cudnn, "benchmark", False),
        "cuda",
        "cuDNN benchmark = True",
    ),
    "flash": (
        lambda: torch.backends.cuda.enable_flash_sdp(False),
        lambda: torch.backends.cuda.enable_flash_sdp(True),
        "cpu",
        "flash attention of torch = False",
    ),
    "default-type": (
        lambda: torch.set_default_dtype(torch.float64),
        lambda: torch.set_default_dtype(torch.float32),
        "cpu",
        "default number type = torch.float64",
    ),
    "autocast": (
        lambda: torch.set_autocast_enabled("cpu", True),
        lambda: torch.set_autocast_enabled("cpu", False),
        "cpu",
        "autocast = torch.bfloat16",
    ),
    "attention": (
        lambda: attention_dispatch._AttentionBackendRegistry.set_active_backend(AttentionBackendName._NATIVE_MATH),
        lambda: attention_dispatch._AttentionBackendRegistry.set_active_backend(AttentionBackendName.NATIVE),
        "cpu",
        "attention backend = _native_math",
    ),
}


@pytest.mark.parametrize("name", CHANGES)
def test_what_is_set_is_in_the_key_by_name_and_what_is_set_back_is_not(name, set_back):
    change, back, device, said = CHANGES[name]
    before = of_toy()
    set_back(back)
    change()
    assert said in process_settings.in_force(device)
    assert (of_toy() != before) == (process_settings.in_force("cpu") != ())
    assert (device != "cpu") or of_toy() != before
    back()
    assert process_settings.in_force(device) == ()
    assert of_toy() == before


def test_what_is_set_for_another_kind_of_device_changes_nothing(set_back):
    before = of_toy()
    set_back(CHANGES["benchmark"][1])
    CHANGES["benchmark"][0]()
    assert process_settings.in_force("cpu") == ()
    assert of_toy() == before


def test_precision_set_by_the_new_way_and_the_old_one_is_read(set_back):
    """Torch refuses to answer for its whole precision where both were used."""
    set_back(lambda: torch.set_float32_matmul_precision("highest"))
    torch.set_float32_matmul_precision("highest")
    torch.backends.mkldnn.matmul.fp32_precision = "bf16"
    with pytest.raises(RuntimeError):
        torch.get_float32_matmul_precision()
    assert process_settings.in_force("cpu") == ("float32 matmul precision (oneDNN) = bf16",)
    torch.backends.mkldnn.matmul.fp32_precision = "ieee"


@pytest.mark.parametrize(("name", "device"), [("ONEDNN_MAX_CPU_ISA", "cpu"), ("CUBLAS_WORKSPACE_CONFIG", "cuda:3")])
def test_what_libraries_read_of_the_environment_is_in_the_key(name, device, monkeypatch):
    monkeypatch.setenv(name, "")
    assert process_settings.in_force(device) == ()
    monkeypatch.setenv(name, "X")
    assert process_settings.in_force(device) == (f"{name} = X",)


def test_what_set_attention_backend_left_is_in_the_key(set_back):
    """Set for one model, it is the backend of all that say nothing."""
    from diffusers import FluxTransformer2DModel

    set_back(CHANGES["attention"][1])
    with torch.device("meta"):
        other = FluxTransformer2DModel(num_layers=1, num_single_layers=0, num_attention_heads=2, attention_head_dim=16)
    before = of_toy()
    other.set_attention_backend("_native_math")
    assert of_toy() != before


def asked(environment: dict[str, str], code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("backend", "words"),
    [
        ("_native_mat", ("attention backend of diffusers '_native_mat'", "_native_math")),
        pytest.param("xformers", ("DIFFUSERS_ATTN_BACKEND", "install `xformers"), marks=pytest.mark.nightly),
    ],
)
def test_a_backend_that_there_is_not_is_refused_in_words(backend, words):
    code = (
        "from pytest_seedshift.models import process_settings\n"
        "try: process_settings.check()\nexcept ValueError as error: print(error)"
    )
    found = asked({process_settings.ATTENTION: backend}, code)
    assert all(each in found.stdout for each in words), found


@pytest.mark.nightly
def test_a_backend_of_the_environment_is_in_the_key_whether_or_not_diffusers_is_there():
    code = (
        "import sys\nfrom pytest_seedshift.models import process_settings as settings\n"
        "def say(): print(settings.in_force('cpu'), 'diffusers' in sys.modules)\n"
        "say()\nsettings.check()\nsay()"
    )
    lines = asked({process_settings.ATTENTION: "_native_math"}, code).stdout.splitlines()
    assert lines == ["('attention backend = _native_math',) False", "('attention backend = _native_math',) True"]


# Libraries that parts name -------------------------------------------------------------------------------------------


@pytest.fixture
def with_config(tmp_path):
    folder = tmp_path / "toy"
    shutil.copytree(TOY.pipeline[0], folder)

    def change(**more) -> Location:
        path = folder / "unet/config.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **more}))
        return Location(str(folder), folder)

    return change


@pytest.mark.parametrize(
    ("more", "package"),
    [
        ({"quantization_config": {"quant_method": "torchao"}}, "torchao"),
        ({"quantization_config": {"load_in_4bit": True}}, "bitsandbytes"),
        ({"quantization_config": {"quant_method": "quanto"}}, "optimum-quanto"),
        ({"text_config": {"quantization_config": {"quant_method": "bitsandbytes"}}}, "bitsandbytes"),
        ({"_attn_implementation": "flash_attention_2"}, "flash-attn"),
        ({"quantization_config": None, "_attn_implementation": "sdpa"}, None),
    ],
)
def test_a_library_is_in_the_key_where_a_part_names_it(with_config, more, package, monkeypatch):
    assert libraries.taking_part(with_config(), TOY) == ()
    found = libraries.taking_part(with_config(**more), TOY)
    here = next((each.version for each in metadata.distributions(name=package)), "not installed") if package else ""
    assert found == (() if package is None else (f"{package} {here}",))
    monkeypatch.setattr(libraries, "version", lambda name: "7.0")
    assert libraries.taking_part(with_config(**more), TOY) == (() if package is None else (f"{package} 7.0",))


def test_a_part_that_is_replaced_takes_no_library_along(with_config):
    location = with_config(quantization_config={"quant_method": "torchao"})
    entry = dataclasses.replace(TOY, parts=(("unet", str(Path(TOY.pipeline[0]) / "unet")),))
    assert libraries.taking_part(location, entry) == ()
