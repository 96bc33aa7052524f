"""A JUnit file of records, in the form in which pytest writes one."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from pytest_seedshift.core import text
from pytest_seedshift.reporting import tally
from pytest_seedshift.results.statuses import KNOWN, SKIPPED
from pytest_seedshift.runner import records as recorded
from pytest_seedshift.studies.breaking_point import records as searched

if TYPE_CHECKING:
    from pytest_seedshift.runner.records import Record

_KINDS = {"fail": "failure", "error": "error", "measured": "skipped", KNOWN: "skipped", SKIPPED: "skipped"}
"""By status, the element that says so; what passes has none. As pytest does, a known failure is told as skipped."""

_TYPES = {KNOWN: "pytest.xfail", SKIPPED: "pytest.skip"}
"""By status, the type of that element."""


def to_xml(
    grid: Sequence[Mapping[str, Any]],
    records: Sequence[Record],
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
    by_test = {record["test"]: record for record in records}
    found = [by_test.get(entry["test"]) for entry in grid]
    kinds = [_KINDS["error"] if record is None else _KINDS.get(tally.status(record)) for record in found]
    suites = ElementTree.Element("testsuites", name="pytest tests")
    suite = ElementTree.SubElement(
        suites,
        "testsuite",
        name="pytest",
        errors=str(kinds.count("error")),
        failures=str(kinds.count("failure") + len(beyond)),
        skipped=str(kinds.count("skipped")),
        tests=str(len(grid) + len(beyond)),
        time=f"{sum(record['seconds'] for record in found if record is not None):.3f}",
    )
    for entry, record in zip(grid, found, strict=True):
        _append(suite, entry["test"], record, (controls or {}).get(entry["id"]))
    for test, reason in beyond.items():
        classname, name = _place(test)
        case = ElementTree.SubElement(suite, "testcase", classname=classname, name=name, time="0.000")
        ElementTree.SubElement(case, "failure", message=reason.partition("\n")[0]).text = reason
    for element in suites.iter():
        element.text = element.text and text.xml(element.text)
        element.attrib |= {name: text.xml(value) for name, value in element.attrib.items()}
    content: bytes = ElementTree.tostring(suites, encoding="utf-8", xml_declaration=True)
    return content


def _append(suite: ElementTree.Element, test: str, record: Record | None, control: Mapping[str, float] | None) -> None:
    classname, name = _place(test)
    seconds = 0.0 if record is None else record["seconds"]
    case = ElementTree.SubElement(suite, "testcase", classname=classname, name=name, time=f"{seconds:.3f}")
    if record is None:
        ElementTree.SubElement(case, "error", message="no verdict: no run has judged this case").text = test
        return
    properties = ElementTree.SubElement(case, "properties")
    is_search = recorded.is_search(record)
    for key, value in searched.properties(record) if is_search else recorded.properties(record, control):
        ElementTree.SubElement(properties, "property", name=key, value=str(value))
    status = tally.status(record)
    if status in _KINDS:
        reason = str(record["reason"])
        message = str(record.get("xfail", "")) if status == KNOWN else reason.partition("\n")[0]
        element = ElementTree.SubElement(case, _KINDS[status], message=message)
        element.text = reason
        if status in _TYPES:
            element.set("type", _TYPES[status])


def _place(test: str) -> tuple[str, str]:
    """`tests/test_a.py::TestB::test_c[id]` is the class `tests.test_a.TestB` and the name `test_c[id]`."""
    before, bracket, parameters = test.partition("[")
    path, *names = before.split("::")
    file = re.sub(r"\.py$", "", path.replace("/", "."))
    return ".".join([file, *names[:-1]]), (names[-1] if names else "") + bracket + parameters
