"""A case's address on the page."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote

from hypothesis import given
from hypothesis import strategies as st

from pytest_seedshift.core import text
from pytest_seedshift.core.cases import Case
from pytest_seedshift.reporting.anchors import anchor, fragment, link, slug

names = st.text(min_size=1)


@given(names, st.floats(-1, 1))
def test_a_link_leads_to_its_case_whatever_the_model_is_called(name, magnitude):
    case = Case(name, "mean", magnitude)
    assert unquote(fragment(case.id)) == f"#{anchor(case.id)}"
    assert not any(each.isspace() for each in anchor(case.id))
    assert text.html(anchor(case.id)) == anchor(case.id)  # which is what the page makes of it
    assert fragment(case.id).isascii()
    assert not set(fragment(case.id)) & set(" \"'<>")


def test_the_address_of_a_plain_case_is_its_id():
    assert link(Path("report.html"), "toy-latent-mean-+0.30") == "report.html#toy-latent-mean-+0.30"


@given(names, names)
def test_unlike_models_have_unlike_short_names(one, other):
    assert (slug(one) == slug(other)) == (one == other)
    assert slug(one).isalnum()
