"""Class lists as people save them: what two texts that look alike mean, and what is said of every mistake."""

from __future__ import annotations

import csv
import io
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pytest_seedshift.core import class_lists
from pytest_seedshift.core.errors import SeedshiftError


def refused(text: str) -> str:
    with pytest.raises(SeedshiftError, match=r"^the class list mine\.csv") as caught:
        class_lists.parse(text, "mine.csv")
    return str(caught.value)


def labels(text: str) -> list[str]:
    return [row.label for row in class_lists.parse(text, "mine.csv")]


VISIBLE = st.text(
    st.characters(exclude_categories=["C", "Z"], exclude_characters=class_lists._BLANKS) | st.just(" "), min_size=1
).filter(str.strip)


@given(
    st.lists(
        VISIBLE, min_size=1, max_size=6, unique_by=lambda text: unicodedata.normalize("NFC", " ".join(text.split()))
    )
)
@example(['the "big" one', "owl, great grey", "a;b", "a|b", "می‌خواهم", "👩‍🌾", "猫", "café", "cafe\u0301 noir"])
def test_what_can_be_seen_comes_through_whole_and_composed(names):
    out = io.StringIO(newline="")
    csv.writer(out).writerows([["label", "index"], *([name, str(k)] for k, name in enumerate(names))])
    assert labels(out.getvalue()) == [unicodedata.normalize("NFC", name.strip()) for name in names]


@pytest.mark.parametrize(
    ("sign", "called"),
    [
        ("\n", "a line break (U+000A)"),
        ("\r\n", "a line break (U+000D)"),
        ("\u2028", "line separator (U+2028)"),
        ("\u2029", "paragraph separator (U+2029)"),
        ("\x85", "a control sign (U+0085)"),
        ("\f", "a control sign (U+000C)"),
        ("\0", "a control sign (U+0000)"),
        ("\x1b", "a control sign (U+001B)"),
        ("\t", "a control sign (U+0009)"),
        ("\u200b", "zero width space (U+200B)"),
        ("\u200d", "zero width joiner (U+200D)"),
        ("\ufeff", "zero width no-break space (U+FEFF)"),
        ("\u00ad", "soft hyphen (U+00AD)"),
        ("\u202e", "right-to-left override (U+202E)"),
        ("\u00a0", "no-break space (U+00A0): write an ordinary space"),
        ("\u3164", "hangul filler (U+3164): delete it"),
        ("\u2800", "braille pattern blank (U+2800): delete it"),
        ("\u034f", "combining grapheme joiner (U+034F): delete it"),
        ("\u3000", "ideographic space (U+3000): write an ordinary space"),
    ],
)
@pytest.mark.parametrize("column", ["label", "wnid", "aliases"])
def test_a_sign_that_nobody_sees_is_an_error_with_its_line(sign, called, column):
    values = {"label": "sealion", "wnid": "", "aliases": "", column: f"sea{sign}lion"}
    row = ",".join(f'"{values[name]}"' for name in ("label", "wnid", "aliases"))
    message = refused(f"label,wnid,aliases,index\nzebra,,,1\n{row},0\n")
    assert f"line 3: the {column} 'sea<U+{ord(sign[0]):04X}>" in message
    assert called in message


def test_the_line_of_an_error_is_where_its_row_begins():
    assert "line 5: no label" in refused('label,index,note\na,0,"two\nlines"\n\n,1,\n')


def test_decomposed_and_composed_are_one_label():
    both = "\n".join(["label,index", "café,0", unicodedata.normalize("NFD", "café") + ",1"])
    assert "lines 2 and 3: the label 'café' appears twice" in refused(both)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("label;index\nzebra;0\n", "its columns have semicolons between them: save it with commas"),
        ("label\tindex\nzebra\t0\n", "its columns have tabs between them: save it with commas"),
        ("Index | Label\n0|zebra\n", "its columns have vertical bars between them"),
        ("label,index,label\na,0,b\n", "has the column 'label' twice"),
        ("label,index,WNID,wnid\na,0,b,c\n", "has the column 'wnid' twice"),
        ("", "is empty"),
        ("\n\n", "is empty"),
        (
            "owl,24\n",
            "lacks the column 'label' and the column 'index': its first line names the columns, and holds 'owl', '24'",
        ),
        ("label,index\nowl, great grey,24\n", "line 2: 3 values for 2 columns. A text with a comma needs quotes"),
        ('label,index\n"owl,24\n', "line 2: unexpected end of data"),
        ('label,index\n"great "grey" owl",24\n', "line 2: ',' expected after '\"'"),
        ("label,index\nowl," + "9" * 5000 + "\n", "line 2: index '99999999999999999999'"),
        ("label,index\nowl,٣\n", "line 2: index '٣'"),
        ("label,index\nowl,1.0\n", "line 2: index '1.0'"),
        ("label,index\n" + "x" * 200_000 + ",1\n", "line 2: field larger than field limit"),
        ("label,index\ncrane,134\nhare,3\ncrane,517\n", "lines 2 and 4: the label 'crane' appears twice"),
        ("label,index\nsea lion,1\nsea  lion,2\n", "lines 2 and 3: the label 'sea  lion' appears twice"),
        ("label,index\nfig,1\nowl,1\n", "lines 2 and 3: the index 1 is that of 'fig' and of 'owl'"),
    ],
)
def test_a_mistake_is_told_with_its_place_and_the_way_out(text, message):
    assert message in refused(text)


def test_capitals_and_spaces_of_the_first_line_are_no_difference():
    assert labels("Label, INDEX ,Note\nzebra,0,x\n") == ["zebra"]


def outcome(text: str) -> str:
    try:
        return f"{len(class_lists.parse(text, 'mine.csv'))} rows"
    except SeedshiftError as error:
        return str(error)


@given(st.text(), st.sampled_from(["", "label,index,wnid,aliases\n"]))
def test_no_text_ends_in_anything_but_rows_or_words(text, header):
    said = outcome(header + text)
    assert said.startswith("the class list mine.csv") or said.endswith("rows")
