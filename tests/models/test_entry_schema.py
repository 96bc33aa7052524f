"""Entries of the user's: what may stand in them, and what a mistake says."""

from __future__ import annotations

import tomllib

import pytest

from pytest_seedshift.models.entry_schema import EntryError, check

WHOLE = """
pipeline = ["./mine", "owner/name"]
revision = "v1"
scheduler = { name = "DDIMScheduler", timestep_spacing = "trailing" }
steps = 4
guidance = 0.0
height = 512
width = 768
dtype = { cuda = "bfloat16", cpu = "float32" }
classes = "mine.csv"
scorers = { vit = "owner/vit" }
call = { eta = 1.0, max_sequence_length = 256 }
memory = 2.5
licence = "MIT"
"""


def checked(text: str, name: str = "mine", *, new: bool = False) -> dict:
    return check(name, tomllib.loads(text), f"t.toml: [models.{name}]", new=new)


def refused(text: str, name: str = "mine", *, new: bool = False) -> str:
    with pytest.raises(EntryError) as caught:
        checked(text, name, new=new)
    message = str(caught.value)
    assert message.startswith(f"t.toml: [models.{name}]")
    return message


def test_every_key_may_stand_in_an_entry():
    assert checked(WHOLE) == tomllib.loads(WHOLE)


@pytest.mark.parametrize("key", sorted(tomllib.loads(WHOLE)))
def test_every_key_may_stand_alone_where_an_entry_is_overridden(key):
    table = {key: tomllib.loads(WHOLE)[key]}
    assert check("mine", table, "here", new=False) == table


@pytest.mark.parametrize(
    "text",
    ['pipeline = "owner/name"', 'dtype = "float16"', "guidance = 7", 'scorers = "toy"', 'scorers = "imagenet"'],
)
def test_keys_may_be_short(text):
    assert checked(text) == tomllib.loads(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("pipelin = 'x'", "unknown key 'pipelin'. Did you mean 'pipeline'? Known: advice, attention, cache, "),
        ("top1 = 0.5", "unknown key 'top1'."),
        ("top1 = 0.5", "(thresholds of a model stand in [model.NAME], without s)"),
        ("steps = 4\nguidence = 1.0", "unknown key 'guidence'. Did you mean 'guidance'?"),
        ("scorers = { vit = 'a/b', clp = 'a/c' }", "scorers: unknown key 'clp'. Did you mean 'clip'?"),
        ("pipeline = 3", "pipeline = 3: give a folder, a .safetensors file, a hub id"),
        ("pipeline = []", "pipeline = []: give a folder"),
        ("pipeline = ''", "pipeline = '': give a folder"),
        ("pipeline = ['a/b', 3]", "pipeline = ['a/b', 3]: give a folder"),
        ("revision = 1.0", "revision = 1.0: give a branch, a tag or a commit"),
        ("scheduler = 'DDIMScheduler'", "scheduler = 'DDIMScheduler': give a scheduler class"),
        ("scheduler = { eta = 1.0 }", "scheduler = {'eta': 1.0}: give a scheduler class"),
        ("steps = 0", "steps = 0: give a whole number of at least 1"),
        ("steps = 2.5", "steps = 2.5: give a whole number"),
        ("steps = true", "steps = True: give a whole number"),
        ("steps = '4'", "steps = '4': give a whole number"),
        ("guidance = -1.0", "guidance = -1.0: give a number of at least 0"),
        ("guidance = nan", "guidance = nan: give a number"),
        ("height = 4", "height = 4: give a whole number of pixels, at least 8"),
        ("width = 'wide'", "width = 'wide': give a whole number of pixels"),
        ("dtype = 'int8'", "dtype = 'int8': give float32, float16 or bfloat16"),
        ("dtype = { cuda = 'half' }", "dtype = {'cuda': 'half'}: give float32"),
        ("classes = 'toy61'", "classes: unknown class list 'toy61'. Did you mean 'toy16'?"),
        ("scorers = 'imagnet'", 'scorers = \'imagnet\': give "imagenet", "toy", or a table'),
        ("call = 3", "call = 3: give a table"),
        ("call = { latents = 1 }", "call: 'latents' is given by seedshift itself"),
        ("call = { num_inference_steps = 4 }", "'num_inference_steps' has a key of its own: steps = 4"),
        ("memory = 0.0", "memory = 0.0: give GiB"),
        ("licence = 3", "licence = 3: give a note"),
    ],
)
def test_a_mistake_says_where_it_is_and_what_is_valid(text, message):
    assert message in refused(text)


def test_a_new_entry_says_where_its_pipeline_is():
    assert "no pipeline is given: add pipeline = …, a folder" in refused("steps = 4", new=True)
    assert checked("pipeline = 'owner/name'", new=True)


def test_a_place_needs_no_pipeline_and_takes_none():
    assert check("./mine", {"steps": 4}, "here", new=True, place=True) == {"steps": 4}
    with pytest.raises(EntryError, match=r"here: pipeline: the table's name says where it is"):
        check("./mine", {"pipeline": "a/b"}, "here", new=True, place=True)


def test_an_entry_is_a_table():
    with pytest.raises(EntryError, match=r"here is 3, not a table"):
        check("mine", 3, "here", new=True)


@pytest.mark.parametrize("name", ["mine", "sd1.5", "my-model_2+x", "Löwe"])
def test_names_of_models(name):
    assert checked("steps = 4", name)


@pytest.mark.parametrize("name", ["", "a,b", "a b", "owner/name", "./mine", "-x"])
def test_what_could_not_be_written_as_an_option_is_no_name(name):
    assert "is not a name of a model" in refused("steps = 4", name)
