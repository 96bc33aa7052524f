"""No call in the package loads weights, a tokenizer or a pickle without the arguments that make it safe."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import pytest_seedshift

PACKAGE = Path(pytest_seedshift.__file__).parent

NEEDS: dict[str, dict[str, object]] = {
    "from_pretrained": {"local_files_only": True, "trust_remote_code": False},
    "from_single_file": {"local_files_only": True},
    "load_config": {"local_files_only": True},
    "create_model": {"require_pretrained": True, "weights_only": True},
    "get_tokenizer": {"trust_remote_code": False},
    "download": {"trust_remote_code": False, "use_safetensors": True},
    "load_lora_weights": {"local_files_only": True, "use_safetensors": True},
    "torch.load": {"weights_only": True},
}
"""By the end of what is called, the arguments that it needs."""

CONFIGURATIONS = (
    "AutoConfig",
    "AutoImageProcessor",
    "AutoProcessor",
    "AutoTokenizer",
    "GlideTokenizer",
    "tokenizer_class",
)
"""Whose `from_pretrained` reads configurations alone. All others read weights, which must be safetensors."""

NEVER = (
    "create_model_and_transforms",
    "create_model_from_pretrained",
    "get_class_from_dynamic_module",
    "load_dataset",
    "load_state_dict_from_url",
    "read_pickle",
    "unsafe_load",
    "yaml.load",
    "torch.jit.load",
    "np.load",
    "numpy.load",
    "eval",
    "exec",
    "input",
)
"""What is not called at all."""

PICKLES = ("cloudpickle", "dill", "joblib", "marshal", "pickle", "shelve")
"""Modules of which nothing but exceptions is used, but where the processes of one run speak to each other."""

WIRE = "runner/cluster/wire.py"

ONLY_IN = {
    "hf_hub_download": ("locate.py",),
    "snapshot_download": ("locate.py", "repository.py"),
    "download": ("locate.py",),
}
"""What brings files here, and the modules in which `trust` looks at them."""


def problems(source: str, name: str) -> Iterator[str]:
    """What a module calls unsafely."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        called = ast.unparse(node.func)
        where = f"{name}:{node.lineno}: {called}"
        last = called.rpartition(".")[2]
        given = {
            each.arg: ast.literal_eval(each.value) for each in node.keywords if isinstance(each.value, ast.Constant)
        }
        for key in (called, last):
            for argument, value in NEEDS.get(key, {}).items():
                if argument == "require_pretrained" and given.get("load_weights") is False:
                    continue  # a network without weights, to be measured
                if argument not in given or given[argument] is not value:
                    yield f"{where} lacks {argument}={value}"
        if (
            last == "from_pretrained"
            and called.partition(".")[0] not in CONFIGURATIONS
            and given.get("use_safetensors") is not True
        ):
            yield f"{where} lacks use_safetensors=True"
        if called in NEVER or (last in NEVER and last not in ("eval", "exec", "input")):
            yield f"{where} is never called"
        if called.partition(".")[0] in PICKLES:
            yield f"{where} reads a pickle"
        if last in ONLY_IN and Path(name).name not in ONLY_IN[last]:
            yield f"{where} is called in {' and '.join(ONLY_IN[last])} alone"


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_no_call_of_the_package_is_unsafe(path):
    found = list(problems(path.read_text(encoding="utf-8"), path.name))
    if path == PACKAGE / WIRE:
        assert any("reads a pickle" in each for each in found)  # else it is none any more
        found = [each for each in found if "reads a pickle" not in each]
    assert found == []


def test_the_package_does_call_what_is_looked_for():
    called = {
        ast.unparse(node.func).rpartition(".")[2]
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
    }
    assert called >= {"from_pretrained", "from_single_file", "create_model", "get_tokenizer", "download", "load"}


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("AutoTokenizer.from_pretrained(x)", "lacks trust_remote_code=False"),
        ("AutoTokenizer.from_pretrained(x, local_files_only=True, trust_remote_code=True)", "trust_remote_code=False"),
        ("AutoTokenizer.from_pretrained(x, local_files_only=True, trust_remote_code=None)", "trust_remote_code=False"),
        ("AutoTokenizer.from_pretrained(x, trust_remote_code=False)", "lacks local_files_only=True"),
        ("made.from_pretrained(x, local_files_only=True, trust_remote_code=False)", "lacks use_safetensors=True"),
        ("AutoModel.from_pretrained(x, local_files_only=True, trust_remote_code=False)", "lacks use_safetensors=True"),
        ("AnyOther.from_pretrained(x, local_files_only=True, trust_remote_code=False)", "lacks use_safetensors=True"),
        ("kind.from_single_file(x)", "lacks local_files_only=True"),
        ("open_clip.create_model('local-dir:x')", "lacks weights_only=True"),
        ("open_clip.create_model_and_transforms('x')", "is never called"),
        ("get_tokenizer('x')", "lacks trust_remote_code=False"),
        ("torch.load(x)", "lacks weights_only=True"),
        ("torch.load(x, weights_only=False)", "lacks weights_only=True"),
        ("torch.load(x, weights_only=safe)", "lacks weights_only=True"),
        ("pickle.load(x)", "reads a pickle"),
        ("joblib.load(x)", "reads a pickle"),
        ("numpy.load(x)", "is never called"),
        ("yaml.load(x)", "is never called"),
        ("exec(x)", "is never called"),
        ("input('?')", "is never called"),
        ("snapshot_download('owner/name')", "is called in locate.py and repository.py alone"),
        ("DiffusionPipeline.download('x', use_safetensors=True)", "lacks trust_remote_code=False"),
    ],
)
def test_an_unsafe_call_would_be_found(source, message):
    assert any(message in found for found in problems(source, "module.py"))


def test_a_safe_call_is_none():
    assert not list(problems("torch.load(x, weights_only=True); model.eval(); path.load(x); pipeline(x)", "module.py"))
