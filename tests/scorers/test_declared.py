"""Tables of scorers: what they make, and every mistake in one, with its words."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_seedshift.core import registry
from pytest_seedshift.core.errors import SeedshiftError
from pytest_seedshift.core.scores import AvailableScores
from pytest_seedshift.models import catalogue
from pytest_seedshift.scorers import declared
from pytest_seedshift.scorers.declaration import SHORT


@pytest.fixture(autouse=True)
def session():
    known = registry.Extensions()
    registry.push(known)
    yield known
    registry.remove(known)


def load(folder: Path, text: str) -> None:
    (folder / "thresholds.toml").write_text(text)
    catalogue.load(folder)


def test_short_names_are_known_and_tables_change_or_add_some(tmp_path):
    (tmp_path / "mine").mkdir()
    load(
        tmp_path,
        '[scorers.vqa]\nsource = "./mine"\nquestion = "Is it {prompt}?"\ndtype = "bfloat16"\n'
        '[scorers.reward]\nkind = "clip"\nsource = "owner/name"\nlow = -20\nhigh = 30\ntitle = "Reward"\n',
    )
    scores = AvailableScores()
    assert {"vqa", "questions", "all_questions", "pickscore", "siglip2", "metaclip2", "reward"} <= {*scores.names}
    mine = declared.of("vqa")
    assert (mine.source, mine.how, mine.dtype) == (str(tmp_path / "mine"), "vqa", "bfloat16")
    assert mine.question == "Is it {prompt}?"
    reward = scores.find("reward")
    assert (reward.title, reward.low, reward.top, reward.binary) == ("Reward", -20, 30, False)
    assert scores.find("all_questions").binary
    assert declared.of("pickscore").source == "yuvalkirstain/PickScore_v1"
    assert declared.of("clip") is None
    assert declared.of("nothing") is None
    load(tmp_path, "")  # what a file does not say any more is not known any more
    assert declared.of("vqa").source == SHORT["vqa"].source


def test_a_scorer_of_the_user_s_own_keeps_its_name_before_a_short_one(tmp_path, session):
    session.scorers = registry.Registry("scorer", (), [("conftest.py", {"vqa": lambda device: device})])
    load(tmp_path, "")
    assert session.scorers.find("vqa").owner == "conftest.py"
    assert declared.of("vqa") is None
    with pytest.raises(
        SeedshiftError, match=r"two scorers are called 'vqa': one of conftest.py, one of .*\[scorers.vqa"
    ):
        load(tmp_path, '[scorers.vqa]\nsource = "owner/name"')


CLIP = 'kind = "clip"\nsource = "owner/name"\n'
MISTAKES = {
    "no kind": ('[scorers.mine]\nsource = "a/b"', "no kind is given: add kind ="),
    "an unknown kind": ('[scorers.mine]\nkind = "blip"\nsource = "a/b"', 'kind = \'blip\': give "clip", "vqa" or'),
    "no source": ('[scorers.mine]\nkind = "vqa"', "no source is given"),
    "another kind's source": ('[scorers.vqa]\nkind = "clip"', "no source is given"),
    "a slip": (f"[scorers.mine]\n{CLIP}hihg = 3", "unknown key 'hihg'. Did you mean 'high'?"),
    "a built-in score": (f"[scorers.clip]\n{CLIP}", "scorers = { clip = … }"),
    "the classifier's": (f"[scorers.top1]\n{CLIP}", "scorers = { vit = … }"),
    "a word of tables": (f"[scorers.likeness]\n{CLIP}", "not a name of a score"),
    "a column of tables": (f"[scorers.seed]\n{CLIP}", "not a name of a score"),
    "a position": (f"[scorers.position_x]\n{CLIP}", "not a name of a score"),
    "no name": (f'[scorers."a b"]\n{CLIP}', "not a name of a score"),
    "a range upside down": (f"[scorers.mine]\n{CLIP}low = 60", "low = 60 is not below high = 50"),
    "a range beyond cosines": (f"[scorers.mine]\n{CLIP}high = 200", "from -100 to 100"),
    "an infinite range": (f"[scorers.mine]\n{CLIP}high = inf", "high = inf: give a number"),
    "a range of vqa": ("[scorers.vqa]\nhigh = 2", "high is of the kind clip"),
    "a question of clip": (f'[scorers.mine]\n{CLIP}question = "{{prompt}}?"', "question is of the kind vqa"),
    "a question of nothing": ('[scorers.vqa]\nquestion = "Is it good?"', "a text with {prompt} in it"),
    "a question of more": ('[scorers.vqa]\nquestion = "{prompt} {0}"', "a text with {prompt} in it"),
    "every of vqa": ("[scorers.vqa]\nevery = true", "every is of the kind questions"),
    "no number type": ('[scorers.vqa]\ndtype = "int8"', "give float32, float16 or bfloat16"),
    "no table": ("scorers = 3", "[scorers] is 3, not a table"),
    "no table of a scorer": ("[scorers]\nmine = 3", "not a table"),
    "a pickle": ('[scorers.vqa]\nsource = "./weights.bin"', "is a pickle"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_names_the_file_the_table_and_what_is_valid(tmp_path, name):
    text, says = MISTAKES[name]
    (tmp_path / "weights.bin").write_bytes(b"")
    with pytest.raises(SeedshiftError) as caught:
        load(tmp_path, text)
    assert says in str(caught.value)
    assert "thresholds.toml" in str(caught.value)
    assert "scorers" in str(caught.value)


def test_mistakes_in_pyproject_name_it(tmp_path):
    (tmp_path / "pyproject.toml").write_text("[tool.seedshift.scorers.vqa]\nhigh = 2")
    with pytest.raises(SeedshiftError, match=r"pyproject.toml: \[tool.seedshift.scorers.vqa\]: high"):
        catalogue.load(tmp_path)
