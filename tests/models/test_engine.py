"""How a model is run: each change by its name does what diffusers' own call does, and is in the key."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch
from diffusers import DiffusionPipeline, FirstBlockCacheConfig, FluxPipeline, StableDiffusionPipeline
from diffusers.models import attention_dispatch
from peft import LoraConfig
from peft.utils import get_peft_model_state_dict
from safetensors.torch import load_file, save_file

from helpers.families import FAMILIES
from pytest_seedshift.core import model_names, pairs
from pytest_seedshift.core.errors import SeedshiftError
from pytest_seedshift.core.model_names import canonical
from pytest_seedshift.models import catalogue, engine, entry_schema, entry_tables, load, rng
from pytest_seedshift.models import fingerprint as fingerprints
from pytest_seedshift.models.base import Entry
from pytest_seedshift.models.engine_settings import Cache, EngineSettings, Lora, Quantization
from pytest_seedshift.results import run_settings

if TYPE_CHECKING:
    from pytest_seedshift.core.pairs import Pair

SHIPPED = catalogue.shipped()
TOY = SHIPPED.find("toy-latent")
FOLDER = Path(TOY.pipeline[0])
PAIRS = pairs.design(pairs.class_list("toy16"), 16)[:4]
STEPS = 6


def loaded(name: str, entries: dict[str, Entry] | None = None) -> Any:
    """A model by its name, once all has been checked that can be beforehand."""
    found = catalogue.Catalogue({**SHIPPED.entries, **(entries or {})})
    entry = found.find(name)
    found.check_files(entry)
    return load.load(entry, "cpu", entry.engine.dtype or "float32")


def refused(name: str, entries: dict[str, Entry] | None = None) -> str:
    found = catalogue.Catalogue({**SHIPPED.entries, **(entries or {})})
    with pytest.raises(SeedshiftError) as caught:
        found.check_files(found.find(name))
    return str(caught.value)


def by_hand(pipeline: Any, shape: tuple[int, ...], **call: Any) -> torch.Tensor:
    """The images of diffusers' own call, as it stands in its documentation."""
    return hand_made(pipeline, shape, PAIRS, **call)


def hand_made(pipeline: Any, shape: tuple[int, ...], design: Sequence[Pair], **call: Any) -> torch.Tensor:
    pipeline.set_progress_bar_config(disable=True)
    for name in ("unet", "vae"):
        if name in pipeline.components:
            pipeline.components[name].to(memory_format=torch.channels_last)  # as our own are
    generators = [rng.generator(pair, f"z{shape}") for pair in design]
    prompts = [pair.prompt for pair in design]
    return pipeline(prompt=prompts, generator=generators, output_type="pt", **call)[0].float().clamp(0, 1)


def of_toy(**more: Any) -> Any:
    return DiffusionPipeline.from_pretrained(FOLDER, use_safetensors=True, safety_checker=None, **more)


CALL = {"num_inference_steps": TOY.steps, "guidance_scale": TOY.guidance}


@pytest.fixture(scope="module")
def plain() -> torch.Tensor:
    return loaded("toy-latent").generate(PAIRS)


@pytest.fixture(scope="module")
def flux(tmp_path_factory) -> dict[str, Entry]:
    """An entry of a small transformer, which has caches and lets diffusers choose its attention."""
    torch.manual_seed(0)
    family, folder = FAMILIES["flux"], tmp_path_factory.mktemp("flux")
    family.build().save_pretrained(folder)
    call = {key: value for key, value in family.call.items() if key not in ("height", "width")}
    entry = Entry("flux-small", (str(folder),), steps=STEPS, height=32, width=48, call=tuple(call.items()))
    return {"flux-small": dataclasses.replace(entry, classes="toy16", classifier=TOY.classifier, clip=TOY.clip)}


def of_flux(flux: dict[str, Entry]) -> Any:
    return FluxPipeline.from_pretrained(flux["flux-small"].pipeline[0], use_safetensors=True)


def flux_call(flux: dict[str, Entry]) -> dict[str, Any]:
    return {"num_inference_steps": STEPS, **FAMILIES["flux"].call}


@pytest.fixture(scope="module")
def adapters(tmp_path_factory) -> Path:
    """Two adapters of toy-latent's network, as diffusers saves them, and one of another's."""
    folder = tmp_path_factory.mktemp("adapters")
    for number, name in enumerate(("one", "two")):
        torch.manual_seed(number)
        network = of_toy().unet
        network.add_adapter(LoraConfig(r=2, target_modules=["to_q", "to_v"], init_lora_weights=False))
        StableDiffusionPipeline.save_lora_weights(folder / name, get_peft_model_state_dict(network))
    wide = {
        key: torch.cat([value, value], dim=1 if "lora_A" in key or ".lora.down" in key else 0)
        for key, value in load_file(folder / "one" / "pytorch_lora_weights.safetensors").items()
    }
    save_file(wide, folder / "wide.safetensors")
    others = {key.replace("attn", "other"): value for key, value in wide.items()}
    save_file(others, folder / "other.safetensors")
    return folder


# What changes do --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("change", ["int8", "fp8", "int8dq"])
def test_a_quantised_model_is_torchao_s_own(plain, change):
    import torchao.quantization as ao

    made = {
        "int8": ao.Int8WeightOnlyConfig,
        "fp8": ao.Float8WeightOnlyConfig,
        "int8dq": ao.Int8DynamicActivationInt8WeightConfig,
    }
    model, pipeline = loaded(f"toy-latent+{change}"), of_toy()
    ao.quantize_(pipeline.unet, made[change]())
    found = model.generate(PAIRS)
    assert torch.equal(found, by_hand(pipeline, model.seed_shape, **CALL))
    assert not torch.equal(found, plain)


def test_a_number_type_by_name_is_that_of_the_pipeline_whatever_else_was_asked_for(plain):
    model = loaded("toy-latent+dtype=bfloat16")
    assert model.settings("bfloat16")["dtype"] == "bfloat16"
    assert not torch.equal(model.generate(PAIRS), plain)


@pytest.mark.parametrize("source", ["one", "one/pytorch_lora_weights.safetensors"])
@pytest.mark.parametrize("weight", ["", ":0.5", ":-1"])
def test_an_adapter_is_what_diffusers_loads(plain, adapters, source, weight):
    model, pipeline = loaded(f"toy-latent+lora={adapters / source}{weight}"), of_toy()
    pipeline.load_lora_weights(adapters / "one", adapter_name="style")
    pipeline.set_adapters(["style"], [float(weight[1:] or 1)])
    found = model.generate(PAIRS)
    assert torch.equal(found, by_hand(pipeline, model.seed_shape, **CALL))
    assert not torch.equal(found, plain)


def test_adapters_add_up_in_any_order(adapters):
    one, two = f"lora={adapters / 'one'}:0.5", f"lora={adapters / 'two'}"
    model, same = loaded(f"toy-latent+{one}+{two}"), loaded(f"toy-latent+{two}+{one}")
    pipeline = of_toy()
    pipeline.load_lora_weights(adapters / "one", adapter_name="a")
    with pytest.warns(UserWarning, match="multiple adapters"):
        pipeline.load_lora_weights(adapters / "two", adapter_name="b")
    pipeline.set_adapters(["a", "b"], [0.5, 1.0])
    found = model.generate(PAIRS)
    assert torch.equal(found, by_hand(pipeline, model.seed_shape, **CALL))
    assert model.fingerprint == same.fingerprint
    assert torch.equal(found, same.generate(PAIRS))


def test_an_adapter_of_no_weight_changes_nothing(plain, adapters):
    assert torch.allclose(loaded(f"toy-latent+lora={adapters / 'one'}:0").generate(PAIRS), plain, atol=2e-5)


def test_attention_is_that_of_the_name_and_no_other_model_s(flux):
    model, pipeline = loaded("flux-small+attention=_native_math", flux), of_flux(flux)
    before = attention_dispatch._AttentionBackendRegistry._active_backend
    assert before == attention_dispatch.AttentionBackendName.NATIVE
    with attention_dispatch.attention_backend("_native_math"):
        wanted = by_hand(pipeline, model.seed_shape, **flux_call(flux))
    assert torch.equal(model.generate(PAIRS), wanted)
    backends = {
        module.processor._attention_backend
        for module in model._pipeline.transformer.modules()
        if hasattr(getattr(module, "processor", None), "_attention_backend")
    }
    assert backends == {attention_dispatch.AttentionBackendName._NATIVE_MATH}


@pytest.mark.parametrize("change", ["tiling", "slicing", "channels_last"])
def test_pictures_are_decoded_otherwise_and_are_the_same(plain, change):
    model = loaded(f"toy-latent+{change}")
    assert torch.allclose(model.generate(PAIRS), plain, atol=2e-5)
    if change != "channels_last":
        assert getattr(model._pipeline.vae, f"use_{change}")


def test_another_scheduler_by_its_name_is_that_of_an_entry():
    entry = dataclasses.replace(TOY, name="mine", scheduler=entry_tables.Scheduler("EulerDiscreteScheduler"))
    assert (
        loaded("toy-latent+scheduler=EulerDiscreteScheduler").fingerprint == loaded("mine", {"mine": entry}).fingerprint
    )
    assert SHIPPED.same_as("toy-latent+scheduler=DDIMScheduler") == "toy-latent"


def test_all_parts_have_the_memory_format_also_those_that_have_not_by_themselves():
    pipeline = FAMILIES["stable-diffusion-3"].build()
    patches = pipeline.transformer.pos_embed.proj.weight
    assert not patches.is_contiguous(memory_format=torch.channels_last)
    engine.apply(pipeline, dataclasses.replace(TOY, engine=EngineSettings(channels_last=True)))
    assert pipeline.transformer.pos_embed.proj.weight.is_contiguous(memory_format=torch.channels_last)


def test_the_words_of_names_and_of_entries_are_the_same():
    keys = typing.get_type_hints(entry_schema._Cache)["method"], entry_schema._EngineSettings.model_fields["compile"]
    assert typing.get_args(keys[0]) == model_names.CACHES
    assert all(mode in str(keys[1].annotation) for mode in model_names.COMPILE_MODES)
    assert {*engine._CACHES} == {*model_names.CACHES}


@pytest.mark.nightly
def test_a_compiled_model_draws_the_same_pictures(plain):
    model = loaded("toy-latent+compile")
    assert torch.allclose(model.generate(PAIRS), plain, atol=1e-3)
    assert model._pipeline.unet._compiled_call_impl is not None


# Caches -----------------------------------------------------------------------------------------------------------

CACHED = "flux-small+cache=first-block:0.4"


def test_a_cache_is_diffusers_own_and_leaves_something_out(flux):
    model, pipeline = loaded(CACHED, flux), of_flux(flux)
    pipeline.transformer.enable_cache(FirstBlockCacheConfig(threshold=0.4))
    wanted = [hand_made(pipeline, model.seed_shape, [pair], **flux_call(flux)) for pair in PAIRS]
    found = model.generate(PAIRS)
    assert torch.equal(found, torch.cat(wanted))
    assert not torch.equal(found, loaded("flux-small", flux).generate(PAIRS))


@pytest.mark.parametrize("cache", ["taylorseer:2", "pyramid", "first-block", "sea"])
def test_images_under_a_cache_do_not_depend_on_those_beside_them(flux, cache):
    model = loaded(f"flux-small+cache={cache}", flux)
    together, alone = model.generate(PAIRS), torch.cat([model.generate([pair]) for pair in PAIRS])
    assert torch.allclose(together, alone, atol=2e-4)


def test_they_would_if_a_batch_were_made_at_once(flux, monkeypatch):
    monkeypatch.setattr(engine, "BY_BATCH", ())
    apart = []
    for threshold in (0.3, 0.5, 0.68, 0.8):
        model = loaded(f"flux-small+cache=first-block:{threshold}", flux)
        alone = torch.cat([model.generate([pair]) for pair in PAIRS])
        apart.append((model.generate(PAIRS) - alone).abs().max().item())
    assert max(apart) > 1e-2


class _StoppedError(Exception):
    pass


def interrupted(model: Any) -> torch.Tensor:
    """The images after a call that an error has ended in the middle."""

    def stop(step: int, state: torch.Tensor) -> None:
        if step == 2:
            raise _StoppedError

    with pytest.raises(_StoppedError):
        model.generate(PAIRS[2:3], on_step=stop)
    return model.generate(PAIRS[:1])


@pytest.mark.parametrize("cache", ["first-block:5", "taylorseer:2", "pyramid"])
def test_a_cache_holds_nothing_over_from_a_call_that_was_ended(flux, cache):
    model = loaded(f"flux-small+cache={cache}", flux)
    assert torch.equal(interrupted(model), model.generate(PAIRS[:1]))


def test_it_would_if_it_were_not_made_to_forget(flux, monkeypatch):
    model = loaded("flux-small+cache=first-block:5", flux)
    monkeypatch.setattr(engine, "forget", lambda pipeline: None)
    assert not torch.equal(interrupted(model), model.generate(PAIRS[:1]))


# Keys -------------------------------------------------------------------------------------------------------------


def test_each_change_has_a_key_of_its_own(adapters, flux):
    of_toy = ["int8", "fp8", "int8dq", "compile", "compile=max-autotune", "tiling", "slicing", "channels_last"]
    of_flux = ["attention=_native_math", "cache=first-block", "cache=first-block:0.1", "cache=taylorseer"]
    names = ["toy-latent", *(f"toy-latent+{change}" for change in of_toy)]
    names += [f"toy-latent+lora={adapters / name}" for name in ("one", "one:0.5", "two")]
    names += [f"toy-latent+lora={adapters / 'one'}+lora={adapters / 'two'}"]
    names += ["flux-small", *(f"flux-small+{change}" for change in of_flux)]
    found = catalogue.Catalogue({**SHIPPED.entries, **flux})
    keys = [fingerprints.of_model(found.find(name), "cpu", "float32") for name in names]
    assert len(set(keys)) == len(keys)


def test_an_adapter_is_in_the_key_by_its_content(adapters, tmp_path):
    file = adapters / "one" / "pytorch_lora_weights.safetensors"
    copy = tmp_path / "copy.safetensors"
    copy.write_bytes(file.read_bytes())
    keys = [
        fingerprints.of_model(SHIPPED.find(f"toy-latent+lora={path}"), "cpu", "float32")
        for path in (file, copy, adapters / "two")
    ]
    assert keys[0] == keys[1] != keys[2]


def test_what_is_kept_of_a_run_says_how_the_model_is_run_and_no_path(adapters):
    name = f"toy-latent+lora={adapters / 'one'}:0.5+int8+cache=first-block:0.1+tiling+compile+dtype=bfloat16"
    engine_of = SHIPPED.find(name).engine.record()
    assert engine_of == {
        "cache": "first-block threshold=0.1",
        "compile": "default",
        "loras": ["one:0.5"],
        "quantization": "torchao Int8WeightOnlyConfig",
        "tiling": True,
    }
    told = run_settings.describe(run_settings.checked({"engine": engine_of, "steps": 3}))
    assert told == (
        "3 steps, cache first-block threshold=0.1, compile default, loras one:0.5, "
        "quantization torchao Int8WeightOnlyConfig, tiling"
    )
    assert run_settings.differences({"steps": 3}, {"steps": 3, "engine": {"compile": "default"}}) == [
        "engine.compile none → default"
    ]


# What cannot be ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("attention=_native_math", "UNet2DConditionModel does not let diffusers choose its attention"),
        ("attention=nativ", "unknown attention backend of diffusers 'nativ'. Did you mean 'native'?"),
        ("attention=xformers", "attention=xformers: "),
        ("cache=first-block", "StableDiffusionPipeline of diffusers has no caches"),
        ("cache=mag", "`mag_ratios` must be provided"),
        ("scheduler=DDIMSchedule", "unknown scheduler 'DDIMSchedule'. Did you mean 'DDIMScheduler'?"),
        ("scheduler=FlowMatchEulerDiscreteScheduler", "cannot take the place of DDIMScheduler"),
        ("variant=fp16", "no weights of it have that variant"),
        ("lora=nowhere.safetensors", "the adapter nowhere.safetensors is not there"),
        ("int8+fp8", "'int8' and 'fp8' contradict each other"),
        ("ddim+scheduler=DDIMScheduler", "'ddim' and 'scheduler=DDIMScheduler' contradict each other"),
        ("dtype=half", "'dtype=half': give one of bfloat16, float16, float32"),
        ("cache=first", "'cache=first': give one of faster, first-block"),
        ("cache=taylorseer:1.5", "give a whole number of steps"),
        ("cache=pyramid:2", "the cache pyramid has no threshold"),
        ("compile=fast", "'compile=fast': give a mode of torch.compile"),
        ("tilling", "unknown change of a model 'tilling'. Did you mean 'tiling'?"),
        ("lora=", "'lora=': give a .safetensors file"),
        ("lora=a.safetensors:heavy", "'lora=a.safetensors:heavy': give a .safetensors file"),
        ("lora=a.safetensors:nan", "'lora=a.safetensors:nan': give a .safetensors file"),
        ("int8=4", "'int8=4': int8 takes no value"),
    ],
)
def test_what_cannot_be_is_said_before_anything_is_loaded(change, said):
    assert said in refused(f"toy-latent+{change}")


@pytest.mark.parametrize(
    ("layer", "size"),
    [
        ("transformer.transformer_blocks.0.attn.to_q", 32),
        ("unet.down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_q", 640),
        ("unet.nowhere.to_q", 32),
    ],
)
def test_an_adapter_of_another_family_is_refused_before_anything_is_loaded(tmp_path, layer, size):
    halves = {f"{layer}.lora_A.weight": torch.ones(2, size), f"{layer}.lora_B.weight": torch.ones(size, 2)}
    save_file(halves, tmp_path / "other.safetensors")
    said = refused(f"toy-latent+lora={tmp_path / 'other.safetensors'}")
    assert f"none of its 1 layers is there and of that size, such as {layer}. It was trained for another model" in said


@pytest.mark.parametrize("part", ["scheduler", "tokenizer"])
def test_what_has_no_weights_is_not_quantised(part):
    wanted = Quantization("torchao", (("quant_type", "Int8WeightOnlyConfig"),), ("unet", part))
    entry = dataclasses.replace(TOY, name="mine", engine=EngineSettings(quantization=wanted))
    said = refused("mine", {"mine": entry})
    assert f"{part} has no weights that could be quantised. Known: text_encoder, unet, vae" in said


def test_what_a_device_does_not_bear_is_told_with_the_quantisation(monkeypatch):
    def fails(*_: object) -> None:
        raise ImportError("Requires mslk >= 1.0.0")

    monkeypatch.setattr(load, "_from_folder", fails)
    with pytest.raises(SeedshiftError, match=r"toy-latent\+int8: quantization by torchao Int8WeightOnlyConfig: .*mslk"):
        load.load(SHIPPED.find("toy-latent+int8"), "cpu", "float32")


def test_an_adapter_that_is_given_twice_contradicts_itself(adapters):
    one = f"lora={adapters / 'one'}"
    assert "contradict each other" in refused(f"toy-latent+{one}+{one}:0.5")


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda folder: FOLDER / "unet" / "diffusion_pytorch_model.safetensors", "holds no adapter"),
        (lambda folder: FOLDER, "has none"),
        (lambda folder: folder, "has 2 of them: other.safetensors, wide.safetensors. Name the file"),
        (lambda folder: folder / "torn.safetensors", "holds no adapter"),
        (lambda folder: folder / "pickle.bin", "is a pickle"),
        (lambda folder: folder / "adapter.json", "is not a safetensors file"),
    ],
)
def test_what_is_no_adapter_is_refused(adapters, tmp_path, make, said):
    folder = tmp_path / "given"
    folder.mkdir()
    for name in ("other", "wide"):
        (folder / f"{name}.safetensors").write_bytes((adapters / f"{name}.safetensors").read_bytes())
    path = make(folder)
    if path.name == "torn.safetensors":
        path.write_bytes((adapters / "wide.safetensors").read_bytes()[:40])
    if path.suffix in (".bin", ".json"):
        path.write_bytes(b"\x80\x04.")
    assert said in refused(f"toy-latent+lora={path}")


@pytest.mark.parametrize("name", ["wide", "other"])
def test_an_adapter_of_another_model_is_refused(adapters, name):
    path = adapters / f"{name}.safetensors"
    with pytest.raises(SeedshiftError, match=r"does not fit StableDiffusionPipeline: .*trained for another model"):
        loaded(f"toy-latent+lora={path}")


@pytest.mark.parametrize(("change", "package"), [("int8", "torchao"), ("lora={}", "peft")])
def test_a_package_that_is_not_installed_is_named(adapters, monkeypatch, change, package):
    native = engine.find_spec
    for module in (engine, engine.loras):
        monkeypatch.setattr(module, "find_spec", lambda name: None if name == package else native(name))
    assert f"pip install {package}" in refused(f"toy-latent+{change.format(adapters / 'one')}")


# Entries ----------------------------------------------------------------------------------------------------------


def entry_of(**table: Any) -> Entry:
    given = entry_schema.check("mine", {"pipeline": str(FOLDER), **table}, "[models.mine]", new=True)
    return entry_tables.entry_of("mine", given, Path.cwd(), None)


def test_keys_of_an_entry_say_what_names_say(adapters):
    made = entry_of(
        loras=[str(adapters / "one"), {"source": str(adapters / "two"), "weight": 0.5}],
        quantization={"backend": "torchao", "quant_type": "Int8WeightOnlyConfig"},
        cache={"method": "first-block", "threshold": 0.1},
        attention="native",
        compile=True,
        tiling=True,
    )
    named = SHIPPED.find(
        f"toy-latent+lora={adapters / 'one'}+lora={adapters / 'two'}:0.5+int8+cache=first-block:0.1+attention=native"
        "+compile+tiling"
    )
    assert made.engine == named.engine


def test_an_entry_has_more_than_names_can_say():
    made = entry_of(quantization={"backend": "bitsandbytes_4bit", "parts": ["unet"], "bnb_4bit_quant_type": "nf4"})
    assert made.engine.quantization == Quantization("bitsandbytes_4bit", (("bnb_4bit_quant_type", "nf4"),), ("unet",))
    assert entry_of(cache={"method": "mag", "mag_ratios": [1.0, 0.9]}).engine == EngineSettings(
        cache=Cache("mag", (("mag_ratios", (1.0, 0.9)),))
    )
    assert entry_of(loras=["owner/name"]).engine.loras == (Lora("owner/name"),)


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"loras": "one"}, "loras = 'one': give a list of adapters"),
        ({"loras": [{"source": "a", "wieght": 1.0}]}, "loras: unknown key 'wieght'. Did you mean 'weight'?"),
        ({"loras": []}, "loras = []: give a list"),
        ({"quantization": "int8"}, "quantization = 'int8': give a table of a backend"),
        ({"quantization": {"quant_type": "x"}}, "give a table of a backend"),
        ({"cache": "first"}, "cache = 'first': give one of faster, first-block"),
        ({"compile": "fast"}, "compile = 'fast': give true, or a mode"),
        ({"tiling": 1}, "tiling = 1: give true or false"),
    ],
)
def test_an_entry_s_mistakes_are_said(table, said):
    with pytest.raises(entry_schema.EntryError) as caught:
        entry_of(**table)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("quantization", "said"),
    [
        ({"backend": "torcha", "quant_type": "x"}, "unknown backend 'torcha'. Did you mean 'torchao'?"),
        ({"backend": "gguf"}, "gguf is not installed: pip install gguf"),
        ({"backend": "torchao", "quant_type": "Int8WeightOnly"}, "unknown configuration of torchao 'Int8WeightOnly'"),
        ({"backend": "torchao", "bits": 4, "quant_type": "Int8WeightOnlyConfig"}, "unknown option of TorchAoConfig"),
        ({"backend": "torchao", "quant_type": "Int8WeightOnlyConfig", "parts": ["unett"]}, "Did you mean 'unet'?"),
    ],
)
def test_what_a_quantisation_cannot_be_is_said(quantization, said):
    made = dataclasses.replace(entry_of(quantization=quantization), classes="toy16", classifier="", clip="")
    assert said in refused("mine", {"mine": made})


# Names ------------------------------------------------------------------------------------------------------------


def test_names_have_one_spelling_whatever_the_order():
    one = canonical("m+tiling+lora=b.safetensors:1.0+int8+cache=first-block:0.10+compile=default+lora=a:0.50")
    assert one == "m+cache=first-block:0.1+compile+int8+lora=a:0.5+lora=b.safetensors+tiling"
    assert canonical(one) == one


def test_a_place_with_colons_is_no_weight():
    drive = "m+lora=C:/adapters/style.safetensors"
    assert SHIPPED.find(drive.replace("m+", "toy-latent+")).engine.loras == (Lora("C:/adapters/style.safetensors"),)
    assert canonical(drive + ":0.5") == drive + ":0.5"


def test_a_model_of_one_s_own_is_run_as_its_factory_makes_it():
    own = dataclasses.replace(TOY, name="mine", own=object())
    assert "mine is run as its factory makes it" in refused("mine+int8", {"mine": own})
