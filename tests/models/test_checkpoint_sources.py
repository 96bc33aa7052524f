"""Where weights come from, and their fingerprint. Nothing here reaches a network."""

import hashlib
import os
import re
import shutil
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from huggingface_hub import constants

from pytest_seedshift.core.checkpoints import repository
from pytest_seedshift.core.checkpoints.hashing import fingerprint
from pytest_seedshift.core.checkpoints.places import WeightsNotFoundError, looks_local
from pytest_seedshift.core.checkpoints.repository import fetch, probe
from pytest_seedshift.core.errors import SeedshiftError
from pytest_seedshift.models.locate import locate_pipeline, probe_pipeline

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def cache(tmp_path, monkeypatch) -> Path:
    """An empty Hugging Face cache of this test's own, offline."""
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "cache"


def cached(cache: Path, source: str, files: dict[str, bytes]) -> Path:
    """Lay files into the cache as the hub's client does: blobs named by their SHA-256, and links to them."""
    repository = cache / f"models--{source.replace('/', '--')}"
    snapshot = repository / "snapshots" / COMMIT
    for folder in (snapshot, repository / "blobs", repository / "refs"):
        folder.mkdir(parents=True)
    (repository / "refs" / "main").write_text(COMMIT)
    for name, content in files.items():
        blob = repository / "blobs" / hashlib.sha256(content).hexdigest()
        blob.write_bytes(content)
        (snapshot / name).symlink_to(os.path.relpath(blob, snapshot))
    return snapshot


def refused(source: str, file: str = "model_index.json") -> str:
    with pytest.raises(WeightsNotFoundError) as caught:
        probe(source, file)
    return str(caught.value)


def test_a_folder_that_has_the_file_is_enough(cache):
    folder = Path("models/mine")
    folder.mkdir(parents=True)
    (folder / "model_index.json").write_text("{}")
    for source in (str(folder), str(folder.absolute()), "./models/mine"):
        probe(source, "model_index.json")
        assert fetch(source, ["*"]).samefile(folder)


def test_the_home_folder_may_be_written_as_a_tilde(cache, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "model_index.json").write_text("{}")
    probe("~/mine", "model_index.json")
    assert fetch("~/mine", ["*"]) == tmp_path / "mine"


def test_a_path_that_is_not_there_is_sought_nowhere_else(cache):
    message = refused("/models/mine")
    assert message.startswith(
        "the weights of '/models/mine' were not found. Tried: the folder /models/mine (not there)"
    )
    assert "hub" not in message
    assert "give the path of a folder that has them" in message


def test_a_folder_that_lacks_the_file_is_told_so(cache):
    Path("mine").mkdir()
    (Path("mine") / "model.safetensors").write_bytes(b"")
    assert "the folder ./mine (no model_index.json in it)" in refused("./mine")


def test_a_hub_id_offline_is_told_with_all_that_was_tried(cache):
    message = refused("owner/name")
    assert "the folder owner/name (not there)" in message
    assert f"the Hugging Face cache at {cache} (not there)" in message
    assert "the hub (offline: HF_HUB_OFFLINE is set)" in message
    assert "hf download owner/name" in message


def test_a_hub_id_in_the_cache_needs_no_hub(cache):
    snapshot = cached(cache, "owner/name", {"model_index.json": b"{}", "model.safetensors": b"weights"})
    probe("owner/name", "model_index.json")
    assert fetch("owner/name", ["*"]).samefile(snapshot)
    assert "the hub (offline" in refused("owner/name", "another.json")
    assert "the hub (offline" in refused("owner/other")


def test_fetching_what_is_nowhere_says_whose_weights(cache):
    with pytest.raises(WeightsNotFoundError, match="the weights of 'owner/name' could not be downloaded"):
        fetch("owner/name", ["*"])


class Hub(BaseHTTPRequestHandler):
    """A hub of `owner/name`, that has a model_index.json of two bytes, and of `owner/gated`, which asks for consent."""

    def do_HEAD(self) -> None:
        found = self.path.startswith("/owner/name/resolve/main/model_index.json")
        gated = self.path.startswith("/owner/gated/")
        known = self.path.startswith("/owner/name/")
        self.send_response(200 if found else 403 if gated else 404)
        self.send_header("Content-Length", "2" if found else "0")
        self.send_header("ETag", '"44136fa355b3678a1146ad16f7e8649e94fb4f21"')
        self.send_header("X-Repo-Commit", COMMIT)
        if not found:
            revision = known and "/resolve/main/" not in self.path
            code = "GatedRepo" if gated else "RevisionNotFound" if revision else "RepoNotFound"
            self.send_header("X-Error-Code", "EntryNotFound" if known and not revision else code)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def hub(cache, monkeypatch) -> Iterator[str]:
    """A hub on this machine, online."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Hub) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        url = f"http://127.0.0.1:{server.server_port}"
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(constants, "ENDPOINT", url)
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", url + "/{repo_id}/resolve/{revision}/{filename}")
        yield url
        server.shutdown()
        thread.join()


def test_asking_the_hub_leaves_the_cache_as_it_was(cache, hub):
    # One file in the cache would pass for a whole copy of the weights when they are fetched.
    probe("owner/name", "model_index.json")
    assert not cache.exists()


def test_a_repository_that_the_hub_does_not_have_is_told_so(cache, hub):
    assert "the hub (it has no such repository" in refused("owner/other")


def test_a_gated_repository_says_where_to_consent_and_how_to_log_in(cache, hub):
    message = refused("owner/gated")
    assert "the hub (it asks for consent to its terms, at https://huggingface.co/owner/gated" in message
    assert "for a login: 'hf auth login')" in message


def test_a_repository_that_lacks_the_file_or_the_revision_is_told_so(cache, hub):
    assert "the hub (its repository has no config.json)" in refused("owner/name", "config.json")
    with pytest.raises(WeightsNotFoundError, match=r"the hub \(its repository has no revision 'v9'\)"):
        probe_pipeline(["owner/name"], "v9")


def test_of_several_sources_the_first_that_can_be_had_is_enough(cache, hub):
    probe_pipeline(["owner/gated", "owner/other", "./mine", "owner/name"])
    assert not cache.exists()


def test_of_several_sources_all_that_was_tried_is_told(cache, hub):
    with pytest.raises(WeightsNotFoundError) as caught:
        probe_pipeline(["owner/gated", "./mine", "owner/other"])
    message = str(caught.value)
    assert message.startswith("the weights of 'owner/gated' or './mine' or 'owner/other' were not found. Tried: ")
    for tried in (
        "the folder ./mine (not there)",
        f"the Hugging Face cache at {cache} (not there)",
        "the hub for owner/gated (it asks for consent",
        "the hub for owner/other (it has no such repository",
        "run 'hf download owner/gated' or 'hf download owner/other' where there is a network",
    ):
        assert tried in message


def test_a_hub_that_cannot_be_reached_is_told_so(cache, hub, monkeypatch):
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", "http://127.0.0.1:1/{repo_id}/{revision}/{filename}")
    assert "the hub (cannot be reached" in refused("owner/name")


PIPELINE = {"model_index.json": b'{"_class_name": "DDPMPipeline"}'}


def test_what_is_on_this_machine_stands_before_what_is_on_the_hub(cache, hub):
    # The same source is found whether or not the hub can be reached, so that its samples are found again.
    snapshot = cached(cache, "owner/second", PIPELINE)
    found = locate_pipeline(["owner/name", "owner/second"])
    assert found.source == "owner/second"
    assert found.path.samefile(snapshot)


def test_the_first_source_on_this_machine_is_taken(cache):
    cached(cache, "owner/one", PIPELINE)
    cached(cache, "owner/two", PIPELINE)
    assert locate_pipeline(["owner/none", "owner/two", "owner/one"]).source == "owner/two"


def test_a_copy_in_the_cache_that_is_not_whole_is_none(cache):
    index = b'{"_class_name": "DDPMPipeline", "unet": ["diffusers", "UNet2DModel"]}'
    snapshot = cached(cache, "owner/name", {"model_index.json": index})
    (snapshot / "unet").mkdir()
    (snapshot / "unet" / "config.json").write_text("{}")
    with pytest.raises(WeightsNotFoundError, match=r"\(not whole: unet: has no weights \(no \.safetensors file\)\)"):
        probe_pipeline(["owner/name"])
    shards = snapshot / "unet" / "diffusion_pytorch_model.safetensors.index.json"
    shards.write_text('{"metadata": {}, "weight_map": {"a": "1.safetensors", "b": "2.safetensors"}}')
    (snapshot / "unet" / "1.safetensors").write_bytes(b"")
    with pytest.raises(
        WeightsNotFoundError, match=r"\(not whole: unet: lacks 2\.safetensors, which diff\S+\.index\.json names\)"
    ):
        probe_pipeline(["owner/name"])
    (snapshot / "unet" / "2.safetensors").write_bytes(b"")
    probe_pipeline(["owner/name"])


def test_a_pipeline_s_prior_belongs_to_it(cache):
    index = b'{"_class_name": "KandinskyV22Pipeline"}'
    card = b"---\nprior:\n- owner/prior\n---\nA decoder.\n"
    cached(cache, "owner/decoder", {"model_index.json": index, "README.md": card})
    with pytest.raises(WeightsNotFoundError, match="not whole: the prior is not there"):
        probe_pipeline(["owner/decoder"])
    prior = cached(cache, "owner/prior", PIPELINE)
    found = locate_pipeline(["owner/decoder"])
    assert [path.resolve() for path in found.priors] == [prior.resolve()]
    before = found.fingerprint()
    (prior / "README.md").write_bytes(b"other")
    assert found.fingerprint() == before  # nothing is loaded from it
    (prior / "model_index.json").unlink()
    (prior / "model_index.json").write_bytes(PIPELINE["model_index.json"] + b" ")
    assert found.fingerprint() != before


@pytest.mark.parametrize("source", ["owner/name", "stabilityai/stable-diffusion-2-1", "a/b", "A_b/c.d-e"])
def test_what_has_the_form_of_a_hub_id_may_be_one(source):
    assert not looks_local(source)


@pytest.mark.parametrize(
    "source",
    [
        "toy",
        "./mine",
        "../mine",
        "/mine",
        "/a/mine",
        "~/mine",
        "a/b/c",
        "my models/sd",
        "a/.b",
        "a/b.git",
        "a/b--c",
    ],
)
def test_what_cannot_be_a_hub_id_is_a_folder(cache, source):
    assert looks_local(source)
    assert "hub" not in refused(source)


@pytest.fixture
def folder(tmp_path) -> Path:
    folder = tmp_path / "weights"
    (folder / "unet").mkdir(parents=True)
    (folder / "model_index.json").write_bytes(b"{}")
    (folder / "unet" / "model.safetensors").write_bytes(b"weights")
    return folder


def test_fingerprint_is_of_the_content_and_not_of_the_place(folder, tmp_path):
    copy = tmp_path / "elsewhere" / "copy"
    shutil.copytree(folder, copy)
    assert fingerprint(folder) == fingerprint(copy)
    assert fingerprint(folder, "float32", [("steps", 12)]) == fingerprint(copy, "float32", [("steps", 12)])


def test_fingerprint_changes_with_every_byte_name_file_and_setting(folder):
    weights = folder / "unet" / "model.safetensors"
    found = [fingerprint(folder), fingerprint(folder, "float32"), fingerprint(folder, "float16")]
    found.append(fingerprint(folder, "float16", 12))
    weights.write_bytes(b"weightz")
    found.append(fingerprint(folder))
    weights.write_bytes(b"weights")
    assert fingerprint(folder) == found[0]
    weights.rename(folder / "unet" / "other.safetensors")
    found.append(fingerprint(folder))
    (folder / "unet" / "other.safetensors").rename(folder / "model.safetensors")
    found.append(fingerprint(folder))
    (folder / "empty").write_bytes(b"")
    found.append(fingerprint(folder))
    assert len(set(found)) == len(found)


def test_fingerprint_of_a_cached_copy_is_that_of_a_plain_copy(cache, tmp_path):
    files = {"model_index.json": b"{}", "model.safetensors": b"weights"}
    snapshot = cached(cache, "owner/name", files)
    plain = tmp_path / "plain"
    plain.mkdir()
    for name, content in files.items():
        (plain / name).write_bytes(content)
    assert fingerprint(snapshot) == fingerprint(plain)


def test_a_blobs_name_stands_for_its_content(cache):
    snapshot = cached(cache, "owner/name", {"model.safetensors": b"weights"})
    before = fingerprint(snapshot)
    blob = (snapshot / "model.safetensors").resolve()
    blob.write_bytes(b"never read")
    assert fingerprint(snapshot) == before
    (snapshot / "model.safetensors").unlink()
    blob.rename(blob.with_name("0" * 64))
    (snapshot / "model.safetensors").symlink_to(blob.with_name("0" * 64))
    assert fingerprint(snapshot) != before


def test_a_link_to_anything_else_is_read(folder, tmp_path):
    target = tmp_path / "target"
    target.write_bytes(b"weights")
    (folder / "unet" / "model.safetensors").unlink()
    (folder / "unet" / "model.safetensors").symlink_to(target)
    before = fingerprint(folder)
    target.write_bytes(b"weightz")
    assert fingerprint(folder) != before


def test_a_downloads_notes_are_no_weights(folder):
    before = fingerprint(folder)
    (folder / ".cache" / "huggingface").mkdir(parents=True)
    (folder / ".cache" / "huggingface" / "model_index.json.metadata").write_text("1700000000.0")
    (folder / "unet" / ".DS_Store").write_bytes(b"")
    assert fingerprint(folder) == before


def dated(path: Path) -> Path:
    """Set a file's modification time, as copying does that keeps times."""
    os.utime(path, ns=(0, 10**18))
    return path


def test_a_file_is_read_once_a_process_and_again_when_it_has_changed(folder, monkeypatch):
    reads = []
    digest = hashlib.file_digest
    monkeypatch.setattr(hashlib, "file_digest", lambda opened, name: reads.append(opened.name) or digest(opened, name))
    before = fingerprint(folder)
    assert len(reads) == len(set(reads)) >= 2
    reads.clear()
    assert fingerprint(folder) == before
    assert reads == []
    changed = dated(folder / "unet" / "model.safetensors")
    assert fingerprint(folder) == before
    assert reads == [str(changed)]  # its times have changed, its content has not
    reads.clear()
    changed.write_bytes(b"weightz")
    dated(changed)  # the same size, the same modification time
    assert fingerprint(folder) != before
    assert reads == [str(changed)]


# Caches that were made or moved by hand -----------------------------------------------------------------------------


def at(cache: Path, revision: str, text: str) -> None:
    """Let a branch of `owner/name` be what a file of that text says."""
    path = cache / "models--owner--name" / "refs" / revision
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.mark.parametrize("revision", [None, "dev", "refs/pr/11"])
@pytest.mark.parametrize("end", ["\n", "\r\n", " \n"])
def test_a_branch_may_end_in_a_line(cache, revision, end):
    snapshot = cached(cache, "owner/name", PIPELINE)
    at(cache, revision or "main", f"{COMMIT}{end}")
    assert locate_pipeline(["owner/name"], revision).path == snapshot


def test_so_may_that_of_a_scorer(cache):
    snapshot = cached(cache, "owner/name", {"config.json": b'{"model_type": "vit"}', "model.safetensors": b""})
    at(cache, "main", f"{COMMIT}\n")
    assert repository._snapshot("owner/name", ["*.json"], "", reads=True) == snapshot


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("b" * 40, rf"main of it is at the commit {'b' * 40}, which it has not, but {COMMIT}"),
        ("", rf"main of it names no commit in its file, but {COMMIT}"),
        ("../../elsewhere", rf"main of it names no commit in its file, but {COMMIT}"),
    ],
)
def test_a_branch_of_a_commit_that_is_not_there_is_told(cache, text, says):
    cached(cache, "owner/name", PIPELINE)
    at(cache, "main", text)
    assert re.search(says, refused("owner/name"))
    with pytest.raises(WeightsNotFoundError, match=says):
        locate_pipeline(["owner/name"])


def test_links_that_lead_nowhere_are_told_in_the_cache_and_in_a_copy_of_it(cache, tmp_path):
    index = b'{"_class_name": "StableDiffusionPipeline", "unet": ["diffusers", "UNet2DConditionModel"]}'
    snapshot = cached(cache, "owner/name", {"model_index.json": index})
    (snapshot / "unet").mkdir()
    (snapshot / "unet" / "config.json").write_text("{}")
    (snapshot / "unet" / "diffusion_pytorch_model.safetensors").symlink_to("../../../blobs/gone")
    says = r"no weights .*, and 1 link in it leads nowhere \(unet/diffusion_pytorch_model\.safetensors to \S+gone\)"
    with pytest.raises(WeightsNotFoundError, match=says):
        probe_pipeline(["owner/name"])
    shutil.copytree(snapshot, tmp_path / "copy", symlinks=True)
    (tmp_path / "copy" / "model_index.json").unlink()
    (tmp_path / "copy" / "model_index.json").write_bytes(index)
    with pytest.raises(SeedshiftError, match=f"{says}.*'cp -rL'"):
        probe_pipeline([str(tmp_path / "copy")])
    (tmp_path / "copy" / "model_index.json").unlink()
    (tmp_path / "copy" / "model_index.json").symlink_to("nowhere")
    with pytest.raises(WeightsNotFoundError, match=r"no model_index\.json in it, and 2 links in it lead nowhere"):
        probe_pipeline([str(tmp_path / "copy")])
