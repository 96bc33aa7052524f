"""The robustness report in a real browser, of run folders that were written by the store's own writer."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from helpers import synthetic, wanderings
from pytest_seedshift.core.cases import Case
from pytest_seedshift.reporting import page as report

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium: install it or give its path in CHROMIUM"),
]
QUIET = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
BROKEN = "toy-latent-mean-+0.30"
SIZES = {"desk": (1280, 900), "phone": (390, 844)}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def file(tmp_path_factory) -> Path:
    """The report of two models of which the first breaks under one of two shifts."""
    folder = synthetic.write(tmp_path_factory.mktemp("run"))
    for name in wanderings.CASES:
        wanderings.add(folder, Case(*name), f"print of {name[0]}")
    synthetic.add_seed_use(folder, "toy-latent", blind="toy-glide")
    return report.write(folder.path)


def look(browser: Browser, file: Path, size: str = "desk", anchor: str = "", **context) -> Page:
    """The page, with everything that goes wrong on it in `problems` and everything it asks for in `requests`."""
    width, height = SIZES[size]
    page = browser.new_context(viewport={"width": width, "height": height}, **context).new_page()
    page.problems, page.requests = [], []
    page.on("console", lambda message: page.problems.append(message.text))
    page.on("pageerror", lambda error: page.problems.append(str(error)))
    page.on("request", lambda request: page.requests.append(request.url))
    page.goto(file.as_uri() + anchor)
    return page


BOTH = pytest.mark.parametrize("page", SIZES, indirect=True)
"""For what is laid out otherwise on a phone; all else is looked at there nightly."""


@pytest.fixture(params=["desk", pytest.param("phone", marks=pytest.mark.nightly)])
def page(request, browser, file) -> Iterator[Page]:
    page = look(browser, file, request.param)
    yield page
    assert page.problems == []
    assert [url for url in page.requests if not url.startswith("data:")] == [file.as_uri()] * len(page.requests)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "the page scrolls sideways"
    page.context.close()


def case(page: Page, name: str):
    return page.locator(f"details.case[id='{name}']")


# What is seen first ------------------------------------------------------------------------------------------------


@BOTH
def test_the_verdicts_are_the_first_things_on_the_page(page):
    sentences = page.locator(".sentence")
    expect(sentences).to_contain_text(
        ["toy-latent fails 1 of 5 cases: breaks under mean at +0.30.", "toy-glide passes all 5 cases."]
    )
    expect(sentences.first).to_be_in_viewport(ratio=1)


def test_a_failing_cell_is_marked_by_more_than_colour(page):
    row = page.get_by_role("region", name="toy-latent, top-1").get_by_role("row", name="mean")
    expect(row.get_by_role("cell").last).to_have_text(re.compile(r"0\.\d\d✗ breaks its threshold"))
    expect(row.get_by_role("cell").first).not_to_contain_text("✗")


@BOTH
def test_every_picture_is_drawn_and_told(page):
    page.locator("details").evaluate_all("all => all.forEach(each => { each.open = true })")
    shots = page.locator("main .shot svg")
    assert shots.count() > 50
    assert all(shots.evaluate_all("all => all.map(svg => svg.getAttribute('aria-label').length > 5)"))
    assert all(shots.evaluate_all("all => all.map(svg => document.querySelector(svg.firstElementChild.href.baseVal))"))
    seen = "all => all.filter(svg => svg.checkVisibility()).map(svg => svg.firstElementChild.getBBox().width)"
    assert set(shots.evaluate_all(seen)) == {1}
    decode = "all => Promise.all(all.map(each => Object.assign(new Image(), {src: each.href.baseVal}).decode()))"
    page.locator(".album image").evaluate_all(decode)  # raises where one is no picture


def test_curves_have_a_line_for_each_model_and_the_threshold(page):
    panel = page.locator(".panels figure").first
    assert panel.locator("g.series-0").count() >= 2  # the line and its interval
    assert panel.locator("g.series-1").count() >= 2
    assert "var(--bound)" in panel.inner_html()


def test_who_does_not_look_at_its_seed_vector_is_told_first_and_the_null_control_stands_beside(page):
    expect(page.locator("#verdicts")).to_contain_text("toy-glide ignores its seed vector")
    section = page.locator("#seeduse")
    expect(section.get_by_role("row", name="toy-latent").first).to_contain_text("0.76")
    expect(section).to_contain_text("toy-glide ignores its seed vector")
    expect(section).to_contain_text("Null control of toy-latent")
    expect(section).to_contain_text("nothing changes")


# Ways to a case -----------------------------------------------------------------------------------------------------


def test_a_cell_leads_to_its_case_and_opens_it(page):
    expect(case(page, BROKEN)).not_to_have_attribute("open", "")
    page.locator(f"a[data-case='{BROKEN}']").first.click()
    expect(case(page, BROKEN)).to_have_attribute("open", "")
    expect(case(page, BROKEN).locator("summary")).to_be_in_viewport()
    expect(case(page, BROKEN).locator("summary")).to_be_focused()
    assert page.url.endswith(f"#{BROKEN}")


@pytest.mark.parametrize("name", [BROKEN, "toy-glide-std--0.30", "toy-glide-none-+0.00"])
def test_a_link_from_elsewhere_opens_its_case(browser, file, name):
    page = look(browser, file, anchor=f"#{name}")
    expect(case(page, name)).to_have_attribute("open", "")
    expect(case(page, name).locator("summary")).to_be_in_viewport()
    page.context.close()


def test_a_case_tells_what_was_right_before_and_is_wrong_now(page):
    page.goto(page.url + f"#{BROKEN}")
    ours = case(page, BROKEN)
    expect(ours).to_contain_text(
        re.compile(r"Of the 16 pairs that the control has too, \d+ are right without the shift")
    )
    changed = ours.locator(".changed li")
    assert changed.count() > 0
    expect(changed.first.get_by_role("img")).to_have_count(2)
    labels = changed.first.get_by_role("img").evaluate_all("all => all.map(each => each.getAttribute('aria-label'))")
    assert re.fullmatch(r"control: (.*), right", labels[0])
    assert re.fullmatch(r"shifted: (.*), wrong", labels[1])


# Pictures by pointer and keyboard -----------------------------------------------------------------------------------


@BOTH
def test_pointing_at_a_cell_shows_its_pictures(page):
    peek = page.locator("#peek")
    expect(peek).to_be_hidden()
    page.locator(f"a[data-case='{BROKEN}']").first.hover()
    expect(peek).to_be_visible()
    expect(peek).to_contain_text("mean +0.30")
    assert peek.locator("svg").count() >= 8
    expect(peek).to_be_in_viewport(ratio=0.99)
    page.mouse.move(0, 0)
    expect(peek).to_be_hidden()


def test_the_keyboard_alone_does_all_of_it(page):
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the verdicts")).to_be_focused()
    cell = page.locator(".cell a").first
    for _ in range(60):
        page.keyboard.press("Tab")
        if cell.evaluate("cell => cell === document.activeElement"):
            break
    expect(cell).to_be_focused()
    expect(page.locator("#peek")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#peek")).to_be_hidden()
    page.keyboard.press("Enter")
    expect(case(page, "toy-latent-mean--0.30")).to_have_attribute("open", "")
    page.keyboard.press("Enter")  # the summary has the focus now
    expect(case(page, "toy-latent-mean--0.30")).not_to_have_attribute("open", "")


# Filters and tables -------------------------------------------------------------------------------------------------


def test_filters_narrow_the_page_by_model_shift_and_verdict(page):
    status = page.get_by_role("status")
    expect(status).to_have_text("10 of 10 cases shown")
    page.get_by_role("checkbox", name="toy-glide").uncheck()
    expect(status).to_have_text("5 of 10 cases shown")
    expect(page.get_by_role("heading", name="toy-glide", exact=True)).to_have_count(0)
    expect(page.locator(".panels g.series-1").first).to_be_hidden()
    page.get_by_role("checkbox", name="std").uncheck()
    expect(status).to_have_text("3 of 10 cases shown")
    expect(page.locator(".heat").first.get_by_role("row", name="std")).to_have_count(0)
    page.get_by_role("radio", name="failing").check()
    expect(status).to_have_text("1 of 10 cases shown")
    expect(page.locator("details.case:visible")).to_have_count(1)
    page.get_by_role("radio", name="passing").check()
    expect(status).to_have_text("2 of 10 cases shown")
    expect(page.locator("details.case:visible")).to_have_count(2)


def test_a_link_shows_its_case_even_if_a_filter_hid_it(page):
    page.get_by_role("radio", name="passing").check()
    expect(case(page, BROKEN)).to_be_hidden()
    page.evaluate(f"location.hash = '#{BROKEN}'")
    expect(case(page, BROKEN)).to_be_visible()
    expect(page.get_by_role("radio", name="all")).to_be_checked()


def test_classes_are_worst_first_and_sort_by_any_column(page):
    table = page.get_by_role("region", name="toy-latent, class by class")
    values = "rows => rows.map(row => Number(row.cells[2].dataset.value))"
    worst_first = table.locator("tbody tr").evaluate_all(values)
    assert worst_first == sorted(worst_first)
    assert len(set(worst_first)) > 1
    button = table.get_by_role("button", name="all shifts")
    button.press("Enter")
    assert table.locator("tbody tr").evaluate_all(values) == sorted(worst_first, reverse=True)
    expect(table.get_by_role("columnheader", name="all shifts")).to_have_attribute("aria-sort", "descending")
    table.get_by_role("button", name="class").click()
    labels = table.get_by_role("rowheader").all_text_contents()
    assert labels == sorted(labels)


def test_one_label_at_a_time_grows(page):
    growth = page.locator(".growth").first
    expect(growth.locator(".one:visible")).to_have_count(1)
    first = growth.locator(".one:visible caption").text_content()
    growth.get_by_role("combobox").select_option(index=1)
    expect(growth.locator(".one:visible")).to_have_count(1)
    assert growth.locator(".one:visible caption").text_content() != first


# For everyone -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "scheme"),
    [
        ("desk", "light"),
        ("phone", "dark"),
        pytest.param("desk", "dark", marks=pytest.mark.nightly),
        pytest.param("phone", "light", marks=pytest.mark.nightly),
    ],
)
def test_axe_finds_no_issue(browser, file, violations, size, scheme):
    page = look(browser, file, size, color_scheme=scheme)
    page.locator("details").evaluate_all("all => all.forEach(each => { each.open = true })")
    assert violations(page) == []
    page.evaluate("document.querySelector('main').insertAdjacentHTML('beforeend', '<img id=mute src=\"data:,\">')")
    assert violations(page, "#mute"), "axe looks at nothing"
    page.context.close()


def test_without_scripts_everything_is_there(browser, file):
    page = look(browser, file, java_script_enabled=False)
    expect(page.locator(".growth .one").last).to_be_visible()
    expect(page.locator(".sentence").first).to_be_visible()
    expect(page.locator(".filters")).to_be_hidden()
    page.locator(f"a[data-case='{BROKEN}']").first.click()
    expect(case(page, BROKEN).locator("summary")).to_be_in_viewport()
    page.context.close()


def test_it_prints_its_failing_cases_on_paper(browser, file):
    page = look(browser, file, color_scheme="dark")
    page.emulate_media(media="print", color_scheme="dark")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    expect(case(page, BROKEN).locator(".strip")).to_be_visible()
    expect(page.locator(".filters")).to_be_hidden()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.pdf().startswith(b"%PDF")
    page.context.close()


def test_nothing_leaves_the_page_even_if_something_tries(browser, file):
    page = look(browser, file)
    page.evaluate("document.body.insertAdjacentHTML('beforeend', '<img src=\"https://example.org/x.png\" alt=\"\">')")
    page.evaluate("fetch('https://example.org').catch(() => 0)")
    script = "const s = document.createElement('script'); s.textContent = 'window.ran = 1'; document.body.append(s)"
    page.evaluate(script)
    assert page.evaluate("window.ran") is None
    assert any("Content Security Policy" in problem for problem in page.problems)
    page.context.close()


# Text that is not meant as text --------------------------------------------------------------------------------------

HOSTILE = (
    "<script>window.ran = 1</script>",
    '"quo\'ted" & <b>bold</b>',
    "שלום עולם",
    "\u202eevil",
    "🦉 owl",
    "a]]>b",
    "{{ 7 * 7 }}",
    "$x^2$",
)


def test_hostile_names_are_shown_as_text(browser, tmp_path):
    model = "mo del/<img src=x onerror='window.ran=1'>\"🦉"
    plan = synthetic.Plan(models=(model, "שלום"), labels=HOSTILE, command=("--x=<script>alert(1)</script>", "a b"))
    folder = synthetic.write(tmp_path / "<i>run & 'folder'", plan)  # its name alone is told, not where it lies
    page = look(browser, report.write(folder.path))
    assert page.evaluate("window.ran") is None
    assert page.problems == []
    assert page.locator("main img, main script, main i").count() == 0
    expect(page.locator(".sentence").first).to_contain_text(f"{model} fails 1 of 5 cases")
    expect(page.locator("h1")).to_contain_text(model)
    names = page.locator("section#classes tbody th").all_text_contents()
    assert set(names) == {name.replace("\u202e", r"\u202e") for name in HOSTILE}  # what turns text round is shown
    expect(page.locator("#facts")).to_contain_text("--x=<script>alert(1)</script>")
    expect(page.locator("#facts")).to_contain_text("<i>run & 'folder'")
    expect(page.locator("#facts")).not_to_contain_text(str(tmp_path))
    page.locator(".cell.broken a").first.click()
    expect(page.locator("details.case.fail")).to_have_attribute("open", "")
    page.context.close()


# The labels of the curves' axes -------------------------------------------------------------------------------------

GRIDS = [
    tuple(sign * step * number for sign in (-1, 1) for number in range(1, most + 1))
    for step, most in ((0.05, 3), (0.05, 4), (0.1, 3), (0.025, 4), (0.125, 2))
] + [(0.05, 0.1, 0.15, 0.2), (-0.3, 0.05), (0.001, 0.5), (0.01, 0.02, 0.03), (100.0, 1000.0)]

LEAST = 3.0
"""Pixels between two labels."""

APART = """() => [...document.querySelectorAll('#curves .panels svg')].map(svg => {
    const boxes = [...svg.querySelectorAll('text')].map(text => text.getBoundingClientRect());
    const bottom = Math.max(...boxes.map(box => box.bottom));
    const row = boxes.filter(box => bottom - box.bottom < 1).sort((a, b) => a.left - b.left);
    return row.slice(1).map((box, place) => box.left - row[place].right);
})"""


CURVES = re.compile(r'<section[^>]* id="curves".*?</section>', re.DOTALL)


@pytest.fixture(scope="module")
def opened(browser, file) -> Iterator[Page]:
    """A page into which the curves of others are put: loading one takes longer than looking at its labels."""
    page = look(browser, file)
    yield page
    page.context.close()


def gaps(opened: Page, tmp_path: Path, magnitudes: tuple[float, ...]) -> list[float]:
    """How far the labels of the magnitudes stand apart, in all panels and sizes of window."""
    plan = synthetic.Plan(magnitudes=magnitudes, shifts=("mean",), images=8, pictures=0)
    (curves,) = CURVES.findall(report.write(synthetic.write(tmp_path, plan).path).read_text(encoding="utf-8"))
    opened.evaluate("curves => { document.querySelector('#curves').outerHTML = curves }", curves)
    found = []
    for width, height in SIZES.values():
        opened.set_viewport_size({"width": width, "height": height})
        panels = opened.evaluate(APART)
        assert panels
        assert all(panels)
        found += [gap for panel in panels for gap in panel]
    return found


@pytest.mark.parametrize("magnitudes", GRIDS, ids=lambda grid: f"{min(grid):g}to{max(grid):g}in{len(grid)}")
def test_the_labels_of_the_magnitudes_stand_apart(opened, tmp_path, magnitudes):
    assert min(gaps(opened, tmp_path, magnitudes)) >= LEAST


def test_labels_that_run_together_are_noticed(opened, tmp_path, monkeypatch):
    monkeypatch.setattr("pytest_seedshift.reporting.page.plots._APART", -20)
    assert min(gaps(opened, tmp_path, GRIDS[0])) < LEAST
