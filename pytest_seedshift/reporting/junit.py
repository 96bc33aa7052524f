"""A JUnit file of records, in the form in which pytest writes one."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from pytest_seedshift.core import text
from pytest_seedshift.results.statuses import KNOWN, SKIPPED
from pytest_seedshift.runner import records as recorded

if TYPE_CHECKING:
    from pytest_seedshift.results.schema import Entry, Record, Search

_KINDS = {"fail": "failure", "error": "error", "measured": "skipped", KNOWN: "skipped", SKIPPED: "skipped"}
"""By status, the element that says so; what passes has none. As pytest does, a known failure is reported as skipped."""

_TYPES = {KNOWN: "pytest.xfail", SKIPPED: "pytest.skip"}
"""By status, the type of that element."""


def to_xml(
    grid: Sequence[Entry],
    records: Sequence[Record | Search],
    controls: Mapping[str, Mapping[str, float]] | None = None,
    beyond: Mapping[str, str] | None = None,
) -> bytes:
    """One test case for each entry of the grid; one without a record is an error.

    Args:
        grid: as verdicts.json has it.
        records: of the cases.
        controls: the control's means on the pairs of a case, by the case's id and by score, as far as they are known.
        beyond: what fails beside the cases, by test, with its reason.

    Returns:
        The file, in UTF-8. Elements and attributes are those that pytest's families xunit1 and xunit2 both have.
    """
    beyond = beyond or {}
    by_test = {record.test: record for record in records}
    found = [by_test.get(entry.test) for entry in grid]
    kinds = [_KINDS["error"] if record is None else _KINDS.get(record.status) for record in found]
    suites = ElementTree.Element("testsuites", name="pytest tests")
    suite = ElementTree.SubElement(
        suites,
        "testsuite",
        name="pytest",
        errors=str(kinds.count("error")),
        failures=str(kinds.count("failure") + len(beyond)),
        skipped=str(kinds.count("skipped")),
        tests=str(len(grid) + len(beyond)),
        time=f"{sum(record.seconds for record in found if record is not None):.3f}",
    )
    for entry, record in zip(grid, found, strict=True):
        _append(suite, entry.test, record, (controls or {}).get(entry.id))
    for test, reason in beyond.items():
        classname, name = _place(test)
        case = ElementTree.SubElement(suite, "testcase", classname=classname, name=name, time="0.000")
        ElementTree.SubElement(case, "failure", message=text.first_line(reason)).text = reason
    for element in suites.iter():
        element.text = element.text and text.xml(element.text)
        element.attrib |= {name: text.xml(value) for name, value in element.attrib.items()}
    content: bytes = ElementTree.tostring(suites, encoding="utf-8", xml_declaration=True)
    return content


def _append(
    suite: ElementTree.Element, test: str, record: Record | Search | None, control: Mapping[str, float] | None
) -> None:
    classname, name = _place(test)
    seconds = 0.0 if record is None else record.seconds
    case = ElementTree.SubElement(suite, "testcase", classname=classname, name=name, time=f"{seconds:.3f}")
    if record is None:
        ElementTree.SubElement(case, "error", message="no verdict: no run has judged this case").text = test
        return
    properties = ElementTree.SubElement(case, "properties")
    for key, value in properties_of(record, control):
        ElementTree.SubElement(properties, "property", name=key, value=str(value))
    status = record.status
    if status in _KINDS:
        message = record.xfail if status == KNOWN else text.first_line(record.reason)
        element = ElementTree.SubElement(case, _KINDS[status], message=message)
        element.text = record.reason
        if status in _TYPES:
            element.set("type", _TYPES[status])


def properties_of(record: Record | Search, control: Mapping[str, float] | None = None) -> list[tuple[str, object]]:
    """A record's figures as properties, be it of a case or of a search; see `records.properties`."""
    from pytest_seedshift.results import schema

    if isinstance(record, schema.Record):
        return recorded.properties(record, control)
    from pytest_seedshift.studies.breaking_point import records as searched

    return searched.properties(record)


def _place(test: str) -> tuple[str, str]:
    """`tests/test_a.py::TestB::test_c[id]` is the class `tests.test_a.TestB` and the name `test_c[id]`."""
    before, bracket, parameters = test.partition("[")
    path, *names = before.split("::")
    file = re.sub(r"\.py$", "", path.replace("/", "."))
    return ".".join([file, *names[:-1]]), (names[-1] if names else "") + bracket + parameters
