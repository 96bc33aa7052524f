"""The words of a breaking point."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pytest_seedshift.core import messages, tables
from pytest_seedshift.core.cases import format_magnitude

if TYPE_CHECKING:
    from pytest_seedshift.results.schema import Search

_UNKNOWN = {"error": "could not be judged", "skipped": "skipped"}
"""Of a search that has not been made, by verdict."""

_CELLS = {"fail": "✗", "error": "!", "known": "k"}


_SPENT = "the budget of images was used up before all was looked at"


def is_unknown(record: Search) -> bool:
    """Whether a record says nothing of a breaking point: it could not be judged, or was skipped before it was."""
    return record.verdict == "error" or (record.verdict == "skipped" and not record.probes)


def point(record: Search) -> str:
    """The breaking point in short: `+0.24`, `+0.10 to +0.20`, `holds up to +1.00`, `0: fails unshifted`."""
    if is_unknown(record):
        return "not known"
    if record.at is None:
        return f"holds up to {_end(record)}"
    if record.at == 0 or record.holds_at is None:
        return "0: fails unshifted"
    exact = round(abs(record.at - record.holds_at), 6) <= 0.02
    return format_magnitude(record.at) if exact else f"{_signed(record.holds_at)} to {format_magnitude(record.at)}"


def _end(record: Search) -> str:
    """Up to where a model holds that fails nowhere."""
    return format_magnitude(record.magnitude if record.holds_at is None else record.holds_at)


def finding(record: Search) -> str:
    """What was found, in a sentence without its stop: `toy-latent breaks under mean at +0.24 and holds at +0.22`."""
    if record.at == 0:
        broken = next((probe.broken for probe in record.probes if not probe.holds), "")
        return f"{record.model} fails without any shift ({broken}): no magnitude was searched"
    where = f"{record.model} {{}} under {record.shift}"
    if record.at is None:
        said = f"{where.format('holds')} up to {format_magnitude(record.magnitude)}"
        return said if abs(record.magnitude) == 1 else f"{said}, the last magnitude at which the shift has a meaning"
    broken = next((probe.broken for probe in record.probes if not probe.holds), "")
    said = f"{where.format('breaks')} at {format_magnitude(record.at)} ({broken})"
    said += f" and holds at {_signed(record.holds_at or 0.0)}"
    if not record.within_budget:
        said += f"; {_SPENT}"
    return f"{said}{monotony(record)}"


def monotony(record: Search) -> str:
    """What is not as a breaking point promises; empty where the model fails from there on, as far as was looked."""
    return f"; it {_recovery(record)}" if record.recovers else ""


def _recovery(record: Search) -> str:
    said = f"holds again at {_list(record.recovers)}"
    return said + (f" and fails again at {_list(record.relapses)}" if record.relapses else "")


def interval(record: Search) -> str:
    """Where another draw of pairs would have it: `95 % interval +0.20 to +0.28`."""
    low = _signed(record.low or 0.0)
    high = f"beyond {format_magnitude(record.magnitude)}" if record.high is None else format_magnitude(record.high)
    return f"95 % interval {low} to {high}"


def work(record: Search) -> str:
    """What it took: `14 magnitudes, 812 images, a scan: 20000`."""
    magnitudes = messages.count(len(record.shifted), "magnitude")
    return f"{magnitudes}, {messages.count(record.images, 'image')}, a scan: {record.scan}"


def reason(record: Search) -> str:
    """Why a search has its verdict."""
    said = finding(record)
    if record.at == 0:
        return said
    asked = ""
    if record.minimum is not None:
        asked = f", required: not before {format_magnitude(_asked(record))}"
    return f"{said}{asked} ({interval(record)}; {work(record)})"


def measured(record: Search) -> str:
    """Why a search without a bound is neither passed nor failed."""
    return (
        f"{record.reason}. Measured only, as no bound was given: what is not checked has not passed. Add "
        f"'min_breaking_point = 0.2' to [default], [shift.{record.shift}] or [model.{record.model}] in thresholds.toml"
    )


def line(record: Search) -> str:
    """The line of the terminal: `toy-latent mean +  breaks at +0.24  95 % interval +0.20 to +0.28`."""
    if is_unknown(record):
        return _UNKNOWN[record.verdict]
    told = point(record)
    told = told if record.at in (None, 0) else f"breaks at {told}"
    if record.at != 0:
        told += f"  {interval(record)}"
    told += f"; {_recovery(record)}" if record.recovers else ""
    return told + ("" if record.within_budget else f"; {_SPENT}")


def table(records: Sequence[Search]) -> list[str]:
    """All breaking points, a line a shift, the signs across."""
    failed = any(record.status == "fail" for record in records)
    legend = [
        *(["✗ earlier than required"] if failed else []),
        *([] if any(record.minimum for record in records) else ["no min_breaking_point is set"]),
        *(["k known failure"] if any(record.status == "known" for record in records) else []),
        *(["≈ it recovers"] if any(record.recovers for record in records) else []),
        *([f"… {_SPENT}"] if any(not record.within_budget for record in records) else []),
    ]
    rows = [["", "negative ", "positive "]]
    for model, shift in dict.fromkeys((record.model, record.shift) for record in records):
        cells = {record.sign: record for record in records if (record.model, record.shift) == (model, shift)}
        rows.append([f"{model}  {shift}", *(_cell(cells.get(sign)) for sign in ("-", "+"))])
    lines = ["breaking points", *tables.table(rows, "<>", least=(0, 26))]
    return lines + ([f"  {', '.join(legend)}"] if legend else [])


def _cell(record: Search | None) -> str:
    if record is None:
        return "· "
    told = point(record)
    if record.at is None and not is_unknown(record):
        told = f"beyond {_end(record)}"
    elif record.recovers:
        told += " ≈"
    told += "" if record.within_budget or is_unknown(record) else " …"
    return f"{told}{_CELLS.get(record.status, ' ')}"


def _asked(record: Search) -> float:
    return (record.minimum or 0.0) * (-1 if record.magnitude < 0 else 1)


def _signed(magnitude: float) -> str:
    return format_magnitude(magnitude) if magnitude else "0"


def _list(magnitudes: Sequence[float]) -> str:
    *others, last = map(format_magnitude, magnitudes)
    return f"{', '.join(others)} and {last}" if others else last
