"""Models derived by their name: the grammar, what a mistake says, and what the changes are."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_seedshift.core.model_names import base_of, canonical
from pytest_seedshift.models import catalogue
from pytest_seedshift.models.base import Entry, Sampling, Scheduler
from pytest_seedshift.models.derive import DerivationError, derive, split

SHIPPED = catalogue.shipped()
CHANGES = {
    "ddim": {"sampling": Sampling(sampler="ddim")},
    "ancestral": {"sampling": Sampling(sampler="ancestral")},
    "clip": {"sampling": Sampling(clip=True)},
    "clip=1.5": {"sampling": Sampling(clip=1.5)},
    "noclip": {"sampling": Sampling(clip=False)},
    "zsnr": {"sampling": Sampling(zsnr=True)},
    "steps=20": {"sampling": Sampling(), "steps": 20},
    "guidance=1": {"sampling": Sampling(), "guidance": 1.0},
    "guidance=0": {"sampling": Sampling(), "guidance": 0.0},
}
FITTING = st.permutations(["ancestral", "clip=2", "zsnr", "steps=20", "guidance=1"]).flatmap(
    lambda changes: st.integers(1, len(changes)).map(lambda count: changes[:count])
)


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_changes_one_thing_of_the_entry(change):
    name = f"sd21+{change}"
    assert SHIPPED.find(name) == dataclasses.replace(SHIPPED.find("sd21"), name=name, **CHANGES[change])


@given(FITTING, st.randoms(use_true_random=False))
def test_the_order_of_changes_changes_the_name_alone(changes, random):
    others = random.sample(changes, len(changes))
    first, second = (SHIPPED.find("+".join(["sd21", *each])) for each in (changes, others))
    assert dataclasses.replace(first, name="") == dataclasses.replace(second, name="")
    assert canonical(first.name) == canonical(second.name)
    assert base_of(first.name) == "sd21"
    assert SHIPPED.find(canonical(first.name)).sampling == first.sampling


@given(st.text(st.characters(exclude_characters="+"), min_size=1, max_size=20))
def test_a_name_without_changes_is_its_own_canonical_name(name):
    assert canonical(name) == base_of(name) == name


def test_numbers_have_one_canonical_spelling():
    assert canonical("m+steps=020+guidance=1.50+clip=2.0") == canonical("m+clip=2+guidance=1.5+steps=20")
    assert canonical("m+steps=2") != canonical("m+steps=3")
    assert canonical("m+clip") != canonical("m+noclip")


def test_a_sampler_takes_the_share_of_noise_of_the_entry_s_call_with_it():
    base = Entry("x", ("a/b",), call=(("eta", 1.0), ("guidance_rescale", 0.7)))
    assert derive(base, "x+ddim", ["ddim"]).call == (("guidance_rescale", 0.7),)
    assert derive(base, "x+clip", ["clip"]).call == base.call


def test_a_guidance_that_is_the_entry_s_already_stays_as_the_entry_says_it():
    base = Entry("x", ("a/b",), guidance=4)
    assert repr(derive(base, "x+guidance=4", ["guidance=4"]).guidance) == "4"


# Mistakes ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ("ddmi", "unknown change of a model 'ddmi'. Did you mean 'ddim'? Known: ancestral, attention, cache, "),
        ("step=20", "unknown change of a model 'step'. Did you mean 'steps'?"),
        ("", "nothing stands between a plus sign and what follows. Changes: ancestral"),
        ("+ddim", "nothing stands between a plus sign and what follows"),
        ("ddim+ancestral", "'ddim' and 'ancestral' contradict each other: leave one of them out"),
        ("clip+steps=3+noclip", "'clip' and 'noclip' contradict each other"),
        ("clip=2+clip=3", "'clip=2' and 'clip=3' contradict each other"),
        ("steps=20+steps=30", "'steps=20' and 'steps=30' contradict each other"),
        ("steps=20+steps=20", "'steps=20' is given twice: leave one of them out"),
        ("steps=0", "'steps=0': give a whole number of at least 1, such as steps=20"),
        ("steps", "'steps': give a whole number"),
        ("steps=-3", "'steps=-3': give a whole number"),
        ("steps=2.5", "'steps=2.5': give a whole number"),
        ("steps=²", "'steps=²': give a whole number"),
        ("guidance=abc", "'guidance=abc': give a number of at least 0, such as guidance=7.5"),
        ("guidance=", "'guidance=': give a number"),
        ("guidance=nan", "'guidance=nan': give a number"),
        ("guidance=-1", "'guidance=-1': give a number"),
        ("clip=0", "'clip=0': give a number above 0"),
        ("clip=inf", "'clip=inf': give a number above 0"),
        ("ddim=1", "'ddim=1': ddim takes no value"),
        ("zsnr=", "'zsnr=': zsnr takes no value"),
    ],
)
def test_a_change_that_cannot_be_made(changes, message):
    with pytest.raises(DerivationError) as caught:
        SHIPPED.find(f"sd21+{changes}")
    assert str(caught.value).startswith(f"sd21+{changes}: {message}")


def test_an_unknown_model_is_told_without_its_changes():
    with pytest.raises(ValueError, match=r"^unknown model 'sd12'\. Did you mean 'sd21'\?"):
        SHIPPED.find("sd12+ddim")


def test_a_mistake_behind_a_hub_id_is_one_in_a_change():
    assert SHIPPED.find("owner/name+ddim").pipeline == ("owner/name",)
    with pytest.raises(DerivationError, match="unknown change of a model 'dimm'"):
        SHIPPED.find("owner/name+dimm+steps=2")


# Names with a plus sign -------------------------------------------------------------------------------------------


def test_a_folder_whose_name_has_a_plus_sign_is_found_as_it_stands(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("my+model", "my+model+ddim", "plain"):
        (tmp_path / name).mkdir()
    assert SHIPPED.find("my+model") == Entry("my+model", ("my+model",))
    assert SHIPPED.find("./my+model+ddim") == Entry("./my+model+ddim", ("./my+model+ddim",))
    derived = SHIPPED.find("./my+model+steps=3")
    assert (derived.pipeline, derived.steps) == (("./my+model",), 3)
    assert SHIPPED.find("my+model+ddim+clip").pipeline == ("my+model+ddim",)
    with pytest.raises(DerivationError, match="unknown change of a model 'nodel'"):
        SHIPPED.find("./plain+nodel")


def test_a_path_that_is_not_there_keeps_its_plus_sign(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert SHIPPED.find("./my+model") == Entry("./my+model", ("./my+model",))
    assert SHIPPED.find("./my+model+ddim").pipeline == ("./my+model",)


def test_a_single_file_can_be_derived_from(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a+b.safetensors").touch()
    assert SHIPPED.find("a+b.safetensors+ddim").pipeline == ("a+b.safetensors",)


def test_an_entry_whose_name_has_a_plus_sign_stands_above_what_it_could_mean(tmp_path):
    (tmp_path / "thresholds.toml").write_text(
        '[models."sd21+ddim"]\npipeline = "a/b"\nsteps = 5\n[models."mine+x"]\npipeline = "a/b"\n'
    )
    found = catalogue.load(tmp_path)
    assert found.find("sd21+ddim").pipeline == ("a/b",)
    assert found.find("sd21+ddim+steps=7") == dataclasses.replace(
        found.find("sd21+ddim"), name="sd21+ddim+steps=7", steps=7, sampling=Sampling()
    )
    assert found.find("mine+x+clip").sampling == Sampling(clip=True)


def test_what_a_user_says_of_a_model_holds_for_those_derived_from_it(tmp_path):
    (tmp_path / "thresholds.toml").write_text('[models.sd21]\nguidance = 3.0\nscheduler = { name = "PNDMScheduler" }\n')
    found = catalogue.load(tmp_path).find("sd21+steps=7")
    assert (found.guidance, found.scheduler) == (3.0, Scheduler("PNDMScheduler"))


@given(st.text("ab+=/.", max_size=12))
def test_any_text_is_split_into_itself(text):
    base, changes = split(text, lambda _: False)
    assert "+".join([base, *changes]) == text
