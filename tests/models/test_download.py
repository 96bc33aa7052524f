"""A pipeline comes from the hub once, whole and without what is never loaded; the hub is one on this machine."""

from __future__ import annotations

import hashlib
import json
import shutil
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest
from huggingface_hub import constants

from helpers.hostile import FILES, GROUNDS, plant
from pytest_seedshift.core import pairs
from pytest_seedshift.core.checkpoints import places, repository, trust
from pytest_seedshift.core.errors import SeedshiftError
from pytest_seedshift.models import catalogue, fingerprint, load, locate
from pytest_seedshift.models.base import Entry

TOY = catalogue.shipped().find("toy-latent")
COMMIT = "0123456789abcdef0123456789abcdef01234567"
PAIR = pairs.design(pairs.class_list("toy16"), 16)[:1]


class Hub(BaseHTTPRequestHandler):
    """Serves the folders of `repositories` as the hub does, and counts what is downloaded."""

    repositories: ClassVar[dict[str, Path]] = {}
    downloads: ClassVar[Counter[str]] = Counter()

    def do_HEAD(self) -> None:
        self.serve(body=False)

    def do_GET(self) -> None:
        self.serve(body=True)

    def serve(self, *, body: bool) -> None:
        path = self.path.partition("?")[0]
        for name, folder in self.repositories.items():
            files = sorted(file for file in folder.rglob("*") if file.is_file())
            if path.startswith(f"/api/models/{name}/tree/"):
                listed = [
                    {"type": "file", "path": self.called(file, folder), "size": len(data), "oid": sha1(data)}
                    for file in files
                    if (data := file.read_bytes()) is not None
                ]
                return self.answer(json.dumps(listed).encode(), body=body)
            if path.startswith(f"/api/models/{name}"):
                siblings = [{"rfilename": self.called(file, folder)} for file in files]
                about = {"id": name, "modelId": name, "sha": COMMIT, "siblings": siblings, "tags": [], "private": False}
                return self.answer(json.dumps(about).encode(), body=body)
            for file in files:
                if path in {f"/{name}/resolve/{at}/{self.called(file, folder)}" for at in ("main", COMMIT)}:
                    if body:
                        self.downloads[self.called(file, folder)] += 1
                    return self.answer(file.read_bytes(), body=body)
        there = any(path.startswith(f"/{name}/resolve/") for name in self.repositories)
        self.send_response(404)
        self.send_header("X-Error-Code", "EntryNotFound" if there else "RepoNotFound")
        self.send_header("Content-Length", "0")
        self.end_headers()
        return None

    def called(self, file: Path, folder: Path) -> str:
        return file.relative_to(folder).as_posix()

    def answer(self, content: bytes, *, body: bool) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("ETag", f'"{sha1(content)}"')
        self.send_header("X-Repo-Commit", COMMIT)
        self.end_headers()
        if body:
            self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        pass


def sha1(data: bytes) -> str:
    return hashlib.sha1(data, usedforsecurity=False).hexdigest()


@pytest.fixture
def hub(tmp_path, monkeypatch) -> Iterator[type[Hub]]:
    """A hub that has toy-latent as `owner/toy`, beside pickles and a safety checker; an empty cache, online."""
    folder = tmp_path / "repository"
    shutil.copytree(TOY.pipeline[0], folder)
    index = folder / "model_index.json"
    checker = {"safety_checker": ["stable_diffusion", "StableDiffusionSafetyChecker"]}
    index.write_text(json.dumps(json.loads(index.read_text()) | checker))
    for part in ("unet", "vae", "safety_checker"):
        (folder / part).mkdir(exist_ok=True)
        (folder / part / "pytorch_model.bin").write_bytes(b"a pickle")
    (folder / "safety_checker" / "model.safetensors").write_bytes(b"never loaded")
    (folder / "sd.ckpt").write_bytes(b"a pickle")
    Hub.repositories, Hub.downloads = {"owner/toy": folder}, Counter()
    with ThreadingHTTPServer(("127.0.0.1", 0), Hub) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        url = f"http://127.0.0.1:{server.server_port}"
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(constants, "ENDPOINT", url)
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", url + "/{repo_id}/resolve/{revision}/{filename}")
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
        monkeypatch.setattr("huggingface_hub.hf_api.api.endpoint", url)
        monkeypatch.chdir(tmp_path)
        yield Hub
        server.shutdown()
        thread.join()


def entry(*sources: str) -> Entry:
    return Entry("mine", sources, steps=2, guidance=1.0)


def test_a_pipeline_is_downloaded_and_runs(hub):
    model = load.load(entry("owner/none", "owner/toy"), "cpu", "float32")
    expected = load.load(entry(TOY.pipeline[0]), "cpu", "float32").generate(PAIR)
    assert (model.generate(PAIR) - expected).abs().max() < 1e-5
    assert model.fingerprint == fingerprint.of_model(entry("owner/toy"), "cpu", "float32")


def test_each_file_is_downloaded_once_and_the_hub_is_not_needed_again(hub, monkeypatch):
    found = locate.locate_pipeline(["owner/toy"])
    assert set(hub.downloads.values()) == {1}
    hub.repositories.clear()
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert locate.locate_pipeline(["owner/none", "owner/toy"]) == found
    assert load.load(entry("owner/toy"), "cpu", "float32").generate(PAIR).isfinite().all()


def test_several_that_download_at_once_download_each_file_once(hub):
    with ThreadPoolExecutor(3) as pool:
        found = set(pool.map(lambda _: locate.locate_pipeline(["owner/toy"]).path, range(3)))
    assert len(found) == 1
    large = {name: count for name, count in hub.downloads.items() if name.endswith(".safetensors")}
    assert set(large.values()) == {1}
    assert len(large) == 3


def test_neither_pickles_nor_the_safety_checker_are_downloaded(hub):
    found = locate.locate_pipeline(["owner/toy"])
    assert trust.SAFETY_CHECKER in found.parts
    assert not [name for name in hub.downloads if name.endswith((".bin", ".ckpt")) or "safety_checker" in name]


def test_a_repository_of_pickles_is_refused(hub):
    folder = hub.repositories["owner/toy"]
    (folder / "unet" / "diffusion_pytorch_model.safetensors").unlink()
    with pytest.raises(SeedshiftError) as caught:
        locate.locate_pipeline(["owner/toy"])
    assert "safetensors" in str(caught.value)
    assert not [name for name in hub.downloads if name.endswith(".bin")]


def test_what_has_come_is_looked_through_before_it_is_loaded(hub):
    plant(hub.repositories["owner/toy"] / "vae" / "config.json", "auto_map", {"AutoModel": "owner/repo--evil.Evil"})
    for _ in range(2):  # from the hub, then from the cache
        with pytest.raises(trust.UntrustedError, match=r"owner/toy: vae/config\.json: auto_map = "):
            locate.locate_pipeline(["owner/toy"])


def test_of_a_pipeline_that_may_not_be_loaded_nothing_but_its_index_comes(hub):
    plant(hub.repositories["owner/toy"] / "model_index.json", "vae", ["diffusers", "StableDiffusionPipeline"])
    for _ in range(2):
        with pytest.raises(trust.UntrustedError, match=r"owner/toy: model_index\.json: vae = .* is a pipeline"):
            locate.locate_pipeline(["owner/toy"])
    assert set(hub.downloads) == {"model_index.json"}


def test_so_is_a_scorer(hub, tmp_path):
    for name, role in (("classifier", "vit"), ("clip", "clip")):
        folder = GROUNDS[name].build(tmp_path / name)
        plant(folder / FILES[name][0], "auto_map", {"AutoModel": "evil.Evil"})
        hub.repositories[f"owner/{role}"] = folder
        for _ in range(2):
            with pytest.raises(trust.UntrustedError, match=rf"owner/{role}: .*auto_map = "):
                repository.fetch(
                    f"owner/{role}", repository.CLIP_FILES if role == "clip" else repository.CLASSIFIER_FILES
                )
        with pytest.raises(trust.UntrustedError):
            repository.probe(f"owner/{role}", "open_clip_config.json" if role == "clip" else "config.json")


# What the list of a repository's files tells -----------------------------------------------------------------------


def as_variant(folder: Path, variant: str, parts: str = "*") -> None:
    for path in sorted(folder.glob(f"{parts}/*.safetensors")):
        path.rename(path.with_name(f"{path.stem}.{variant}.safetensors"))


def test_of_a_repository_with_one_variant_alone_that_is_brought_and_loaded(hub, monkeypatch):
    as_variant(hub.repositories["owner/toy"], "fp16")
    found = locate.locate_pipeline(["owner/toy"])
    assert found.variants == dict.fromkeys(("unet", "vae", "text_encoder"), "fp16")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert locate.locate_pipeline(["owner/toy"]) == found
    made = load.load(entry("owner/toy"), "cpu", "float32").generate(PAIR)
    assert (made - load.load(entry(TOY.pipeline[0]), "cpu", "float32").generate(PAIR)).abs().max() < 1e-5


def test_parts_of_several_variants_are_brought_each_from_its_own(hub):
    folder = hub.repositories["owner/toy"]
    as_variant(folder, "fp16", "unet")
    as_variant(folder, "bf16", "text_encoder")
    shutil.copy(next((folder / "vae").glob("*.safetensors")), folder / "vae/diffusion_pytorch_model.fp16.safetensors")
    found = locate.locate_pipeline(["owner/toy"])
    assert found.variants == {"unet": "fp16", "text_encoder": "bf16"}
    assert all(path.is_file() for path in found.files())
    assert locate.locate_pipeline(["owner/toy"]) == found


def test_of_a_repository_that_cannot_be_loaded_no_weights_come(hub):
    folder = hub.repositories["owner/toy"]
    path = next((folder / "unet").glob("*.safetensors"))
    for variant in ("fp16", "bf16"):
        shutil.copy(path, path.with_name(f"{path.stem}.{variant}.safetensors"))
    path.unlink()
    with pytest.raises(
        SeedshiftError, match=r"owner/toy: unet: it has no .* but several variants \(bf16, fp16\): choose one"
    ):
        locate.locate_pipeline(["owner/toy"])
    assert set(hub.downloads) == {"model_index.json"}
    assert locate.locate_pipeline(["owner/toy"], variant="bf16").variants == {"unet": "bf16"}


@pytest.mark.parametrize(
    ("file", "says"),
    [
        ("modular_model_index.json", "it is a modular pipeline of diffusers"),
        ("pytorch_lora_weights.safetensors", "it is a LoRA or another adapter"),
        ("unet/model.onnx", "it is a model of ONNX"),
    ],
)
def test_a_repository_that_is_no_pipeline_is_called_what_it_is(hub, tmp_path, file, says):
    path = tmp_path / "other" / file
    path.parent.mkdir(parents=True)
    path.write_text("{}")
    hub.repositories["owner/other"] = tmp_path / "other"
    with pytest.raises(places.WeightsNotFoundError, match=says):
        locate.probe_pipeline(["owner/other"])


def test_a_scorer_of_which_the_cache_has_the_configuration_alone_is_brought(hub, tmp_path):
    hub.repositories["owner/vit"] = shutil.copytree(TOY.classifier, tmp_path / "vit")
    found = repository.fetch("owner/vit", ("*.json",))
    assert not list(found.glob("*.safetensors"))
    assert list(repository.fetch("owner/vit", repository.CLASSIFIER_FILES).glob("*.safetensors"))
