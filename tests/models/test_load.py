"""Loading pipelines of diffusers: what an entry changes, what is refused, and that nothing unsafe is loaded."""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import (
    DDIMScheduler,
    DDPMPipeline,
    DiffusionPipeline,
    StableDiffusionImg2ImgPipeline,
    TextToVideoSDPipeline,
    UNet2DModel,
    UNet3DConditionModel,
)
from safetensors.torch import load_file, save_file

from pytest_seedshift.core import pairs
from pytest_seedshift.core.checkpoints import places, trust
from pytest_seedshift.core.errors import SeedshiftError
from pytest_seedshift.models import catalogue, load, locate, pipeline_class, sampling_notes
from pytest_seedshift.models import fingerprint as fingerprints
from pytest_seedshift.models.base import Entry, Scheduler
from pytest_seedshift.models.pipeline_class import LoadError

TOY = catalogue.shipped().find("toy-latent")
FOLDER = Path(TOY.pipeline[0])
DESIGN = pairs.design(pairs.class_list("toy16"), 16)[:2]


@pytest.fixture
def copy(tmp_path) -> Path:
    """A copy of toy-latent's folder."""
    shutil.copytree(FOLDER, tmp_path / "model")
    return tmp_path / "model"


def parts() -> dict[str, Any]:
    pipeline = DiffusionPipeline.from_pretrained(FOLDER, dtype=torch.float32, low_cpu_mem_usage=False)
    return {name: part for name, part in pipeline.components.items() if part is not None}


def entry_at(path: Path | str, **changes: Any) -> Entry:
    return dataclasses.replace(TOY, name="mine", pipeline=(str(path),), **changes)


def loaded(path: Path | str, **changes: Any) -> Any:
    return load.load(entry_at(path, **changes), "cpu", "float32")


def refused(path: Path | str, **changes: Any) -> str:
    with pytest.raises(SeedshiftError) as caught:
        loaded(path, **changes)
    return str(caught.value)


def rewrite(file: Path, **changes: Any) -> None:
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


# What an entry changes --------------------------------------------------------------------------------------------


def test_a_folder_is_loaded_in_the_number_type_that_is_asked_for():
    model = load.load(TOY, "cpu", "bfloat16")
    assert model.name == "toy-latent"
    assert model._pipeline.unet.dtype == torch.bfloat16
    assert model.fingerprint == fingerprints.of_model(TOY, "cpu", "bfloat16")
    assert model.generate(DESIGN).shape == (2, 3, 64, 64)


# diffusers and numpy disagree about this sampler's own arithmetic.
@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning")
def test_the_scheduler_is_replaced_and_keeps_the_rest_of_its_configuration():
    model = loaded(FOLDER, scheduler=Scheduler("EulerAncestralDiscreteScheduler", (("timestep_spacing", "trailing"),)))
    made, own = model._pipeline.scheduler.config, loaded(FOLDER)._pipeline.scheduler.config
    assert type(model._pipeline.scheduler).__name__ == "EulerAncestralDiscreteScheduler"
    assert made.timestep_spacing == "trailing"
    assert (made.beta_start, made.prediction_type) == (own.beta_start, own.prediction_type)
    assert model.generate(DESIGN).isfinite().all()


def test_steps_guidance_size_and_further_arguments_reach_the_call():
    changes = {"steps": 3, "guidance": 2.0, "height": 32, "width": 48, "call": (("eta", 1.0),)}
    model = loaded(FOLDER, **changes)
    steps = []
    images = model.generate(DESIGN, on_step=lambda step, _: steps.append(step))
    assert images.shape == (2, 3, 32, 48)
    assert steps == [0, 1, 2]
    without = dataclasses.replace(entry_at(FOLDER, **changes), call=())
    assert not torch.equal(load.load(without, "cpu", "float32").generate(DESIGN), images)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"scheduler": Scheduler("DDIMSchedular")},
            "the scheduler of mine: unknown scheduler 'DDIMSchedular'. Did you mean 'DDIMScheduler'?",
        ),
        ({"scheduler": Scheduler("UNet2DModel")}, "the scheduler of mine: unknown scheduler 'UNet2DModel'."),
        (
            {"scheduler": Scheduler("DDIMScheduler", (("beta_strat", 0.1),))},
            "unknown option of DDIMScheduler 'beta_strat'. Did you mean 'beta_start'?",
        ),
        (
            {"scheduler": Scheduler("DDIMScheduler", (("beta_schedule", "cubic"),))},
            "DDIMScheduler does not take {'beta_schedule': 'cubic'}",
        ),
        (
            {"call": (("eat", 1.0),)},
            "mine: call: unknown argument of StableDiffusionPipeline 'eat'. Did you mean 'eta'?",
        ),
    ],
)
def test_a_key_that_does_not_fit_the_pipeline_says_so(changes, message):
    assert message in refused(FOLDER, **changes)


def test_a_pipeline_that_auto_pipeline_does_not_know_is_loaded_all_the_same(copy):
    # Made of the same parts, and drawing with the same methods, at a default size that is none for the toy.
    rewrite(copy / "model_index.json", _class_name="StableDiffusionPanoramaPipeline")
    model = loaded(copy, height=64, width=64)
    assert type(model._pipeline).__name__ == "StableDiffusionPanoramaPipeline"


# What is refused --------------------------------------------------------------------------------------------------


def test_a_text_to_video_pipeline_is_refused(tmp_path):
    made = parts() | {
        "unet": UNet3DConditionModel(
            block_out_channels=(32, 64),
            layers_per_block=1,
            down_block_types=("CrossAttnDownBlock3D", "DownBlock3D"),
            up_block_types=("UpBlock3D", "CrossAttnUpBlock3D"),
            cross_attention_dim=32,
            attention_head_dim=4,
            norm_num_groups=8,
        )
    }
    TextToVideoSDPipeline(**made).save_pretrained(tmp_path / "video")
    assert "is a TextToVideoSDPipeline, which makes videos: give a text-to-image" in refused(tmp_path / "video")


def test_an_image_to_image_pipeline_is_refused(tmp_path):
    made = StableDiffusionImg2ImgPipeline(
        **parts(), safety_checker=None, feature_extractor=None, requires_safety_checker=False
    )
    made.save_pretrained(tmp_path / "edit")
    message = refused(tmp_path / "edit")
    assert "is a StableDiffusionImg2ImgPipeline, which wants an image besides the prompt" in message


def test_a_pipeline_without_a_prompt_is_refused(tmp_path):
    unet = UNet2DModel(
        sample_size=8,
        block_out_channels=(32, 32),
        layers_per_block=1,
        down_block_types=("DownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "UpBlock2D"),
        norm_num_groups=8,
    )
    DDPMPipeline(unet=unet, scheduler=DDIMScheduler()).save_pretrained(tmp_path / "free")
    assert "is a DDPMPipeline, which takes no prompt" in refused(tmp_path / "free")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("WanPipeline", "makes videos"),
        ("AnimateDiffPipeline", "makes videos"),
        ("StableDiffusionInpaintPipeline", "wants an image"),
        ("StableDiffusionControlNetPipeline", "wants an image"),
        ("FluxControlPipeline", "wants an image"),
        ("StableDiffusionUpscalePipeline", "wants an image"),
        ("DiTPipeline", "takes no prompt"),
        ("KandinskyV22PriorPipeline", "makes no images"),
        ("StableAudioPipeline", "makes sound"),
        ("TomorrowPipeline", "has no pipeline 'TomorrowPipeline'; a newer one may have it"),
    ],
)
def test_what_is_no_text_to_image_pipeline_is_refused_by_its_class(copy, name, message):
    rewrite(copy / "model_index.json", _class_name=name)
    assert message in refused(copy)


@pytest.mark.parametrize(
    "name",
    [
        "StableDiffusionXLPipeline",
        "StableDiffusion3Pipeline",
        "FluxPipeline",
        "Flux2Pipeline",
        "PixArtSigmaPipeline",
        "SanaPipeline",
        "KandinskyV22CombinedPipeline",
        "KandinskyV22Pipeline",
        "Kandinsky5T2IPipeline",
        "IFPipeline",
        "AuraFlowPipeline",
        "QwenImagePipeline",
        "ZImagePipeline",
        "LatentConsistencyModelPipeline",
        "Lumina2Pipeline",
        "HunyuanDiTPipeline",
        "CogView4Pipeline",
        "LDMTextToImagePipeline",
        "StableUnCLIPPipeline",
        "StableCascadeDecoderPipeline",
        "StableCascadeCombinedPipeline",
        "ChromaPipeline",
    ],
)
def test_text_to_image_pipelines_are_not_refused_by_their_class(name):
    assert pipeline_class.text_to_image_class(name, "mine").__name__ == name


def test_a_folder_that_is_no_pipeline_is_refused(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(places.WeightsNotFoundError, match=r"no model_index\.json in it"):
        loaded(tmp_path / "empty")
    (tmp_path / "empty" / "model_index.json").write_text("{")
    assert "model_index.json: cannot be read: not JSON" in refused(tmp_path / "empty")
    (tmp_path / "empty" / "model_index.json").write_text("[]")
    assert "model_index.json: cannot be read: no JSON object" in refused(tmp_path / "empty")
    (tmp_path / "empty" / "model_index.json").write_text("{}")
    assert "names no class of diffusers" in refused(tmp_path / "empty")


def test_a_folder_that_lacks_a_part_is_refused(copy):
    shutil.rmtree(copy / "vae")
    assert refused(copy) == f"{copy}: vae: is not there"


def test_weights_of_other_shapes_are_refused(copy):
    rewrite(copy / "unet" / "config.json", block_out_channels=[32, 64, 64])
    assert "unet" in refused(copy) or "conv" in refused(copy)


# What is never loaded ---------------------------------------------------------------------------------------------


def test_a_folder_of_pickles_is_refused_before_anything_is_loaded(copy):
    file = copy / "unet" / "diffusion_pytorch_model.safetensors"
    file.rename(file.with_suffix(".bin"))
    message = refused(copy)
    assert "unet: its weights are a pickle (diffusion_pytorch_model.bin), which could run any code" in message


def test_code_in_a_folder_is_never_run(copy, tmp_path):
    trap = f"open({str(tmp_path / 'ran')!r}, 'w')\nclass Trap: pass\n"
    (copy / "trap.py").write_text(trap)
    (copy / "unet" / "trap.py").write_text(trap)
    own = json.loads((copy / "model_index.json").read_text())
    rewrite(copy / "model_index.json", _class_name=["trap", "Trap"])
    assert "_class_name = ['trap', 'Trap']: is not the name of a library's class, but of code of its own" in refused(
        copy
    )
    (copy / "model_index.json").write_text(json.dumps(own | {"unet": ["trap", "Trap"]}))
    assert "unet = ['trap', 'Trap']: is code of its own (unet/trap.py), which is never loaded" in refused(copy)
    (copy / "unet" / "trap.py").unlink()
    assert "unet = ['trap', 'Trap']: 'trap' is not a library that pipelines are of" in refused(copy)
    assert not (tmp_path / "ran").exists()


def test_no_library_is_imported_because_a_folder_names_it(copy, monkeypatch):
    (copy.parent / "planted_by_a_test.py").write_text("raise SystemExit('imported')")
    monkeypatch.syspath_prepend(copy.parent)
    rewrite(copy / "model_index.json", unet=["planted_by_a_test", "UNet"])
    assert "is not a library that pipelines are of" in refused(copy)


def test_a_safety_checker_is_not_loaded(copy):
    rewrite(copy / "model_index.json", safety_checker=["stable_diffusion", "StableDiffusionSafetyChecker"])
    (copy / "safety_checker").mkdir()
    (copy / "safety_checker" / "config.json").write_text("{}")
    (copy / "safety_checker" / "pytorch_model.bin").write_bytes(b"never read")
    model = loaded(copy)
    assert model._pipeline.safety_checker is None
    assert trust.SAFETY_CHECKER in locate.locate_pipeline((str(copy),)).parts
    assert torch.equal(model.generate(DESIGN), loaded(FOLDER).generate(DESIGN))


# Moved modules and single files -----------------------------------------------------------------------------------


def test_parts_of_modules_that_diffusers_has_moved_are_found(copy):
    from diffusers import pipelines

    rewrite(copy / "model_index.json", vqgan=["wuerstchen", "PaellaVQModel"])
    (copy / "vqgan").mkdir()
    (copy / "vqgan" / "config.json").write_text('{"_class_name": "PaellaVQModel"}')
    (copy / "vqgan" / "diffusion_pytorch_model.safetensors").write_bytes(b"")
    pipeline_class.check_libraries(locate.locate_pipeline((str(copy),)))
    assert pipelines.wuerstchen.PaellaVQModel.__name__ == "PaellaVQModel"


def renamed(name: str, pairs: dict[str, str]) -> str:
    for old, new in pairs.items():
        name = re.sub(rf"(?<![^.]){old}(?=\.|$)", new, name)
    return name


def unet_name(name: str, layers: int) -> str:
    """What Stable Diffusion's own files call a weight of the denoiser that diffusers calls `name`."""
    found = re.match(r"(down|up)_blocks\.(\d+)\.(resnets|attentions|downsamplers|upsamplers)\.(\d+)\.(.*)", name)
    if found:
        way, level, kind, layer, rest = found.groups()
        side, place = ("input", 1) if way == "down" else ("output", 0)
        place += int(level) * (layers + 1) + (layers if kind.endswith("samplers") else int(layer))
        # An upsampler comes after the attention of its block; of the toy's blocks, the middle one has attention.
        part = {"resnets": "0", "attentions": "1", "downsamplers": "0.op", "upsamplers": "2" if level == "1" else "1"}
        rest = rest.removeprefix("conv.") if kind == "downsamplers" else rest
        name = f"{side}_blocks.{place}.{part[kind]}.{rest}"
    for part, index in {"resnets.0": "0", "attentions.0": "1", "resnets.1": "2"}.items():
        name = name.replace(f"mid_block.{part}.", f"middle_block.{index}.")
    if "transformer_blocks" not in name:
        name = renamed(name, {"norm1": "in_layers.0", "conv1": "in_layers.2", "norm2": "out_layers.0"})
        name = renamed(name, {"conv2": "out_layers.3", "time_emb_proj": "emb_layers.1"})
        name = renamed(name, {"conv_shortcut": "skip_connection"})
    first = {"time_embedding.linear_1": "time_embed.0", "time_embedding.linear_2": "time_embed.2"}
    outer = {"conv_in": "input_blocks.0.0", "conv_norm_out": "out.0", "conv_out": "out.2"}
    return f"model.diffusion_model.{renamed(name, first | outer)}"


def vae_name(name: str, levels: int) -> str:
    """What Stable Diffusion's own files call a weight of the autoencoder that diffusers calls `name`."""
    name = re.sub(r"down_blocks\.(\d+)\.resnets\.", r"down.\1.block.", name)
    name = re.sub(r"down_blocks\.(\d+)\.downsamplers\.0\.", r"down.\1.downsample.", name)
    name = re.sub(r"up_blocks\.(\d+)\.resnets\.", lambda at: f"up.{levels - 1 - int(at[1])}.block.", name)
    name = re.sub(r"up_blocks\.(\d+)\.upsamplers\.0\.", lambda at: f"up.{levels - 1 - int(at[1])}.upsample.", name)
    for index in (0, 1):
        name = name.replace(f"mid_block.resnets.{index}.", f"mid.block_{index + 1}.")
    return f"first_stage_model.{renamed(name, {'conv_shortcut': 'nin_shortcut', 'conv_norm_out': 'norm_out'})}"


@pytest.fixture
def single(tmp_path) -> Path:
    """The toy in one file, its weights named as in Stable Diffusion's own files; the configuration beside it."""
    made = parts()
    layers = made["unet"].config.layers_per_block
    levels = len(made["vae"].config.block_out_channels)
    tensors = {unet_name(name, layers): tensor for name, tensor in made["unet"].state_dict().items()}
    tensors |= {vae_name(name, levels): tensor for name, tensor in made["vae"].state_dict().items()}
    prefix = "cond_stage_model.transformer.text_model."
    tensors |= {prefix + name: tensor for name, tensor in made["text_encoder"].state_dict().items()}
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, tmp_path / "toy.safetensors")
    shutil.copytree(FOLDER, tmp_path / "toy", ignore=shutil.ignore_patterns("*.safetensors"))
    return tmp_path / "toy.safetensors"


def test_a_single_file_with_its_configuration_beside_it_is_the_folder_it_was_made_from(single):
    model = loaded(single)
    assert (model.generate(DESIGN) - loaded(FOLDER).generate(DESIGN)).abs().max() < 1e-5
    assert model.fingerprint == fingerprints.of_model(entry_at(single), "cpu", "float32")


def test_a_single_file_s_fingerprint_is_of_its_content_and_of_its_configuration(single, tmp_path):
    def fingerprint() -> str:
        return fingerprints.of_model(entry_at(single), "cpu", "float32")

    found = [fingerprint()]
    rewrite(single.with_suffix("") / "scheduler" / "scheduler_config.json", beta_end=0.02)
    found.append(fingerprint())
    data = bytearray(single.read_bytes())
    data[-1] ^= 1
    single.write_bytes(data)
    found.append(fingerprint())
    assert len(set(found)) == 3


@pytest.fixture
def marked(single):
    """Give the single file tensors that hold nothing but their names, and its scheduler a class and a prediction."""

    def mark(*names: str, kind: str = "DDIMScheduler", prediction: str = "epsilon") -> Path:
        save_file(load_file(single) | {name: torch.zeros(0) for name in names}, single)
        rewrite(single.with_suffix("") / "scheduler/scheduler_config.json", prediction_type=prediction)
        rewrite(single.with_suffix("") / "model_index.json", scheduler=["diffusers", kind])
        return single

    return mark


def sampled_by(entry: Entry) -> tuple[str, str, bool]:
    scheduler = load.load(entry, "cpu", "float32")._pipeline.scheduler
    config = scheduler.config
    ends_in_noise = config.get("rescale_betas_zero_snr") and config.get("timestep_spacing") == "trailing"
    return type(scheduler).__name__, config["prediction_type"], bool(ends_in_noise)


def said_of(entry: Entry) -> str:
    return "; ".join(sampling_notes.notes(locate.locate_pipeline(entry.pipeline), entry))


def test_a_single_file_that_says_v_is_sampled_so_and_ends_in_noise_where_it_says_that(marked):
    """With the very pictures of the toy, whose network predicts v, though its configuration now says the noise."""
    plain = entry_at(marked())
    before = fingerprints.of_model(plain, "cpu", "float32")
    assert sampled_by(plain) == ("DDIMScheduler", "epsilon", False)
    assert said_of(plain) == ""
    by_v = entry_at(marked("v_pred"))
    assert sampled_by(by_v) == ("DDIMScheduler", "v_prediction", False)
    assert (loaded(by_v.pipeline[0]).generate(DESIGN) - loaded(FOLDER).generate(DESIGN)).abs().max() < 1e-5
    assert "predicts v" in said_of(by_v)
    assert fingerprints.of_model(by_v, "cpu", "float32") != before
    both = entry_at(marked("ztsnr"))
    assert sampled_by(both) == ("DDIMScheduler", "v_prediction", True)
    assert "predicts v, with a schedule that ends in pure noise" in said_of(both)
    assert sampled_by(dataclasses.replace(both, scheduler=Scheduler("EulerDiscreteScheduler"))) == (
        "EulerDiscreteScheduler",
        "v_prediction",
        True,
    )
    given = Scheduler("DDIMScheduler", (("prediction_type", "epsilon"), ("rescale_betas_zero_snr", False)))
    assert sampled_by(dataclasses.replace(both, scheduler=given)) == ("DDIMScheduler", "epsilon", False)


def test_what_a_scheduler_cannot_do_of_it_is_said(marked):
    entry = entry_at(marked("v_pred", "ztsnr", kind="PNDMScheduler"))
    assert sampled_by(entry) == ("PNDMScheduler", "v_prediction", False)
    assert "PNDMScheduler cannot sample with a schedule that ends in pure noise: give scheduler" in said_of(entry)
    derived = catalogue.Catalogue({"one": dataclasses.replace(entry, name="one")}).find("one+ddim")
    assert sampled_by(derived) == ("DDIMScheduler", "v_prediction", True)


def test_zero_terminal_noise_alone_is_heeded_where_v_is_predicted_and_said_where_it_is_not(marked):
    entry = entry_at(marked("ztsnr"))
    assert sampled_by(entry) == ("DDIMScheduler", "epsilon", False)
    assert "ztsnr and no v_pred: not heeded" in said_of(entry)
    marked(prediction="v_prediction")
    assert sampled_by(entry) == ("DDIMScheduler", "v_prediction", True)
    assert "has the tensor ztsnr: it is sampled as one that predicts v, with a schedule that" in said_of(entry)


def test_a_single_file_without_configuration_offline_says_what_would_help(single, monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(single.parent / "cache"))
    shutil.rmtree(single.with_suffix(""))
    with pytest.raises(places.WeightsNotFoundError) as caught:
        loaded(single)
    assert "a single file has no configuration of its parts" in str(caught.value)
    lacking = "stable-diffusion-v1-5/stable-diffusion-v1-5 is not in the Hugging Face cache and not downloadable"
    assert lacking in str(caught.value)
    assert "beside the file" in str(caught.value)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("cond_stage_model.transformer.text_model.final_layer_norm.bias", "CLIPTextModel's final_layer_norm.bias"),
        ("model.diffusion_model.out.2.bias", "UNet2DConditionModel's conv_out.bias"),
        ("first_stage_model.decoder.conv_in.weight", "AutoencoderKL's decoder.conv_in.weight"),
    ],
)
def test_a_single_file_that_lacks_a_weight_is_refused(single, name, words):
    tensors = load_file(single)
    del tensors[name]
    save_file(tensors, single)
    assert refused(single) == f"{single} lacks weights: {words}"
    assert torch.nn.Module.to.__module__ == "torch.nn.modules.module"


def test_a_file_that_is_no_pipeline_is_refused(single):
    save_file({"something": torch.zeros(1)}, single)
    assert str(single) in refused(single)
    single.write_bytes(b"not safetensors")
    assert str(single) in refused(single)


def test_a_pickled_checkpoint_is_refused(tmp_path):
    (tmp_path / "sd.ckpt").write_bytes(b"never read")
    assert "is a pickle: loading it could run any code" in refused(tmp_path / "sd.ckpt")


# Onto the device --------------------------------------------------------------------------------------------------


def test_what_does_not_fit_a_gpu_says_what_would_help(monkeypatch):
    pipeline = loaded(FOLDER)._pipeline
    sizes = load._sizes(pipeline)
    on_disk = sum(each.stat().st_size for each in FOLDER.rglob("*.safetensors"))  # in float16
    assert sum(sizes.values()) == pytest.approx(2 * on_disk, rel=0.05)
    with pytest.raises(LoadError, match=r"cuda:0 has room for 0\.0: .* alone takes .*--seedshift-dtype"):
        load._offload(pipeline, "mine", "cuda:0", sizes, room=max(sizes.values()) - 1)
    monkeypatch.setattr(type(pipeline), "model_cpu_offload_seq", None)  # a family whose parts cannot take turns
    with pytest.raises(LoadError, match=r"room for \d\.\d\. What would help: another --seedshift-device"):
        load._offload(pipeline, "mine", "cuda:0", sizes, room=max(sizes.values()))
