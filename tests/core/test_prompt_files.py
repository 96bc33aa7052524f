"""Files of prompts as people save them: what comes of them, and what is said of every mistake."""

from __future__ import annotations

import csv
import io
import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_seedshift.core import class_lists, prompt_files
from pytest_seedshift.core.errors import SeedshiftError

VISIBLE = st.text(
    st.characters(exclude_categories=["C", "Z"], exclude_characters=class_lists._BLANKS) | st.just(" "), min_size=1
).filter(str.strip)

PROMPTS = st.lists(
    VISIBLE, min_size=1, max_size=5, unique_by=lambda text: unicodedata.normalize("NFC", " ".join(text.split()))
)


def composed(texts: list[str]) -> list[str]:
    return [unicodedata.normalize("NFC", text.strip()) for text in texts]


@given(PROMPTS)
def test_whatever_can_be_seen_comes_through_all_ways_of_writing(prompts):
    table = io.StringIO(newline="")
    csv.writer(table).writerows([["prompt", "note"], *([each, "-"] for each in prompts)])
    tabs = io.StringIO(newline="")
    csv.writer(tabs, delimiter="\t").writerows([["Prompt"], *([each] for each in prompts)])
    lines = "\n".join(json.dumps({"prompt": each}) for each in prompts)
    for name, text in {"p.csv": table.getvalue(), "p.tsv": tabs.getvalue(), "p.jsonl": lines}.items():
        assert [row.prompt for row in prompt_files.parse(text, name).rows] == composed(prompts), name
    if {part.strip() for part in prompts[0].split(",")} <= set(prompt_files.COLUMNS):
        return  # names of columns, which a .txt has not
    assert [row.prompt for row in prompt_files.parse("\r\n".join(prompts), "p.txt").rows] == composed(prompts)


def test_all_columns_are_read_of_a_table_and_of_json():
    table = (
        "id,prompt,label,index,wnid,aliases,negative_prompt,tags,questions\n"
        '7,"two cats, one dog",cat,281,n02123045,tabby; puss,blurry,counting; animals,Two cats?;One dog?\n'
    )
    given_as = {
        "id": 7,
        "prompt": "two cats, one dog",
        "label": "cat",
        "index": 281,
        "wnid": "n02123045",
        "aliases": ["tabby", "puss"],
        "negative_prompt": "blurry",
        "tags": ["counting", "animals"],
        "questions": ["Two cats?", "One dog?"],
    }
    expected = prompt_files.Row(
        2,
        "two cats, one dog",
        "7",
        "cat",
        281,
        ("n02123045", "tabby", "puss"),
        "blurry",
        ("counting", "animals"),
        ("Two cats?", "One dog?"),
    )
    assert prompt_files.parse(table, "p.csv").rows == (expected,)
    assert prompt_files.parse("\n" + json.dumps(given_as), "p.jsonl").rows == (expected,)


def test_metadata_of_geneval_is_read_as_it_is():
    lines = [
        {"tag": "counting", "include": [{"class": "clock", "count": 2}], "exclude": [], "prompt": "two clocks"},
        {"tag": "position", "include": [{"class": "cup", "position": ["left of", 0]}], "prompt": "a cup left of a bed"},
    ]
    found = prompt_files.parse("\n".join(map(json.dumps, lines)), "evaluation_metadata.jsonl").rows
    assert [(row.key, row.tags, row.label) for row in found] == [
        ("two clocks", ("counting",), ""),
        ("a cup left of a bed", ("position",), ""),
    ]


# Of each: the file's name, its text, and what is said: the line, what is wrong, and the way out.
MISTAKES = [
    ("p.csv", "", ["it is empty", "prompt,tags"]),
    ("p.csv", "prompt\n", ["it has no prompts"]),
    ("p.txt", "\n \n", ["it has no prompts"]),
    ("p.csv", "prompt;tags\na cat;x\n", ["line 1", "semicolons", "save it with commas"]),
    ("p.csv", "prompt\ttags\na cat\tx\n", ["line 1", "tabs", "save it with commas"]),
    ("p.tsv", "prompt,tags\na cat,x\n", []),  # one column of that name: like none that is read
    ("p.csv", 'prompt\n"a cat\na dog"\n', ["line 2", "a line break (U+000A)", "delete it"]),
    ("p.csv", 'prompt\na cat\n"a dog\n', ["line 3", "unexpected end of data", "quotes"]),
    ("p.csv", "prompt,tags\na cat,x\n,y\n", ["line 3", "no prompt", "delete the line"]),
    ("p.csv", "id,prompt\n1,a cat\n,a dog\n", ["line 3", "no id", "delete the column"]),
    ("p.csv", "id,prompt\n1,a cat\n1,a dog\n", ["lines 2 and 3", "the id '1'", "different ones"]),
    ("p.csv", "prompt\na cat\na  cat\n", ["lines 2 and 3", "the prompt 'a  cat'", "an id of its own"]),
    ("p.txt", "a cat\na dog\na cat\n", ["lines 1 and 3", "the prompt 'a cat'", "delete one"]),
    ("p.csv", "prompts\na cat\n", ["line 1", "unknown column 'prompts'", "Did you mean 'prompt'?"]),
    ("p.csv", "prompt,tag\na cat,x\n", ["unknown column 'tag'", "Did you mean 'tags'?"]),
    ("p.csv", "prompt,negative\na cat,x\n", ["Did you mean 'negative_prompt'?"]),
    ("p.csv", "prompt,lable\na cat,x\n", ["Did you mean 'label'?"]),
    ("p.csv", "prompt_id,prompt\n1,a cat\n", ["Did you mean 'id'?"]),
    ("p.csv", "caption\na cat\n", ["Did you mean 'prompt'?"]),
    ("p.csv", "id,text,label,tags\na,a red cat,cat,x\n", ["unknown column 'text'", "Did you mean 'prompt'?"]),
    ("p.csv", "prompt,prompt\na cat,x\n", ["line 1", "'prompt' appears twice"]),
    ("p.csv", "note,number\na cat,1\n", ["line 1", "no column 'prompt'", "'label'", "'note', 'number'"]),
    ("p.csv", "prompt\na cat, a dog\n", ["line 2", "2 values for 1 columns", '"a cat, a dog"']),
    ("p.csv", "prompt,index\na cat,3\n", ["line 2", "index is a label's"]),
    ("p.csv", "prompt,label,index\na cat,cat,x\n", ["line 2", "index 'x' of 'cat'", "whole number"]),
    ("p.csv", "prompt,label\na cat,cat\na dog,\n", ["line 3", "no label", "delete the column"]),
    ("p.csv", "prompt,label,index\na,cat,1\nb,cat,2\n", ["lines 2 and 3", "'cat' has another index"]),
    ("p.csv", "prompt\na\xa0cat\n", ["line 2", "no-break space", "write an ordinary space"]),
    ("p.csv", "prompt\na\u200bcat\n", ["line 2", "zero width space", "delete it"]),
    ("p.csv", "prompt\na cat\na\0dog\n", ["line 3", "a NUL byte", "UTF-8"]),
    ("p.txt", "prompt,tags\na cat,x\n", ["line 1", "names columns", ".csv"]),
    ("p.jsonl", '[{"prompt": "a cat"}]', ["line 1", "no list around them", "delete '['"]),
    ("p.jsonl", '{"prompt": "a cat"}\n{"prompt": "a', ["line 2", "no JSON", '{"prompt": "a red cube"}']),
    ("p.jsonl", '"a cat"\n', ["line 1", "is not an object"]),
    ("p.jsonl", '{"prompt": 3}', ["line 1", "prompt = 3", "a text in quotes"]),
    ("p.jsonl", '{"prompt": "a", "tags": 3}', ["line 1", "tags = 3", "a list of texts"]),
    ("p.jsonl", '{"prompt": "a", "prompt": "b"}', ["line 1", "'prompt' appears twice"]),
    ("p.jsonl", '{"prompt": "a"}\n{"label": "b"}', ["line 2", "no prompt", "line 1 has one"]),
    ("p.jsonl", '{"text": "a"}', ["unknown key 'text'", "Did you mean 'prompt'?"]),
    ("p.jsonl", '{"label": "cat", "Image Descriptions": "a"}', ["unknown key 'image d", "Did you mean 'prompt'?"]),
    ("p.jsonl", '{"prompt": "a", "tag": "b"}', ["unknown key 'tag'", "Did you mean 'tags'?"]),
    ("p.jsonl", '{"prompt": ' + "[" * 5000 + "]" * 5000 + "}", ["line 1", "nest"]),
]


@pytest.mark.parametrize(("name", "text", "said"), MISTAKES, ids=map(str, range(len(MISTAKES))))
def test_every_mistake_is_named_with_its_line_and_the_way_out(name, text, said):
    with pytest.raises(SeedshiftError, match=r"^the prompts p\.\w+[,:]") as caught:
        prompt_files.parse(text, name)
    assert len(str(caught.value)) < 400
    for each in said:
        assert each in str(caught.value)


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (['{"prompt": "a"}', '{"prompt": 3}'], "evaluate(): prompts[1]: prompt = 3"),
        (['{"prompt": "a"}', '{"prompt": "a"}'], "evaluate(): prompts[0] and [1]: the prompt 'a'"),
        (['{"prompt": "a"}', '{"label": "b"}'], "evaluate(): prompts[1]: no prompt, and [0] has one"),
        (['{"text": "a"}'], "evaluate(): prompts[0]: unknown key 'text'. Did you mean 'prompt'?"),
    ],
)
def test_prompts_of_a_list_are_named_by_their_place_in_it(lines, said):
    with pytest.raises(SeedshiftError) as caught:
        prompt_files.parse("\n".join(lines), prompt_files.InPython("evaluate(): prompts"))
    assert str(caught.value).startswith(said)
    with pytest.raises(SeedshiftError, match="line"):  # a file has lines
        prompt_files.parse("\n".join(lines), "p.jsonl")


CALLED = st.lists(
    st.sampled_from(["prompt", "Text", "CAPTION", "sentence", "Descriptions", "input", "image", "full"]), min_size=1
).filter(lambda words: words != ["prompt"] and not {"input", "image", "full"}.issuperset(words))


@given(CALLED, st.sampled_from(["", " ", "_", "-"]), st.sampled_from(["", "label"]), st.sampled_from(["csv", "jsonl"]))
def test_a_prompt_under_another_name_is_an_error_whatever_else_is_there(words, joint, other, ending):
    name = joint.join(words)
    texts = {name: "a cat"} | ({other: "cat"} if other else {})
    text = json.dumps(texts) if ending == "jsonl" else "\n".join(",".join(each) for each in (texts, texts.values()))
    with pytest.raises(SeedshiftError, match=r"Did you mean 'prompt'\?"):
        prompt_files.parse(text, f"p.{ending}")
    if ending == "jsonl":
        beside = prompt_files.parse(json.dumps({"prompt": "a cat", **texts}), "p.jsonl")
        assert beside == ((prompt_files.Row(1, "a cat", label=texts.get("label", "")),), (name,))


@pytest.mark.parametrize(
    ("text", "ignored"),
    [
        ("prompt,Note \na cat,x\n", ("Note",)),
        ("prompt,category,challenge\na cat,Animals,Basic\n", ("category", "challenge")),
        ("prompt,caption,text_length\na cat,a dog,5\n", ("caption", "text_length")),
        ("label,prompt\ncat,a cat\n", ()),
    ],
)
def test_other_columns_are_ignored_by_name(text, ignored):
    found = prompt_files.parse(text, "p.csv")
    assert ([row.prompt for row in found.rows], found.ignored) == (["a cat"], ignored)


@pytest.mark.parametrize("column", ["text_length", "context", "input", "image", "split", "caption_model"])
def test_labels_may_stand_beside_columns_that_are_no_prompts(column):
    assert prompt_files.parse(f"label,{column}\ncat,x\n", "p.csv").ignored == (column,)


def test_keys_of_any_line_are_ignored_by_name():
    lines = [
        '{"prompt": "a", "Seed": 1}',
        '{"prompt": "b", "seed ": 2, "w": 3}',
        '{"tag": "t", "include": [], "prompt": "c"}',
    ]
    assert prompt_files.parse("\n".join(lines), "p.jsonl").ignored == ("Seed", "seed", "w", "include")


@given(st.binary(max_size=200).map(lambda raw: raw.decode("utf-8", errors="ignore")), st.sampled_from(["csv", "jsonl"]))
def test_whatever_the_text_is_there_are_prompts_or_a_sentence(text, ending):
    said = ""
    try:
        rows = prompt_files.parse(text, f"p.{ending}").rows
    except SeedshiftError as error:
        rows, said = (), str(error)
    assert rows or said.startswith(f"the prompts p.{ending}")
