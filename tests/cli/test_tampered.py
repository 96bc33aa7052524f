"""verdicts.json that a hand has changed in one place: whoever reads it says so."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pytest_seedshift.__main__ import main
from pytest_seedshift.core.errors import DataError
from pytest_seedshift.results import schema

GOLDEN = Path(__file__).parents[1] / "data" / "golden" / "run-verdicts.json"


def changed(place: int, change) -> dict:
    document = json.loads(GOLDEN.read_text())
    change(document["cases"][place])
    return document


def with_minimum() -> int:
    """The place of a case that saw its whole design and has a minimum."""
    cases = json.loads(GOLDEN.read_text())["cases"]
    return next(
        place
        for place, each in enumerate(cases)
        if each["images"] == each["design"] > 0 and any(one["kind"] == "min" for one in each["constraints"])
    )


def minimum(record: dict) -> dict:
    return next(each for each in record["constraints"] if each["kind"] == "min")


PLACE = with_minimum()
CHANGES = [
    (lambda record: record["scores"]["top1"].update(mean=0.999, low=0.2, high=0.4), "scores.top1: the mean 0.999 lies"),
    (lambda record: record.update(images=record["design"] + 1), "images: "),
    (lambda record: minimum(record).update(measured=0.123), "constraints.0: 0.123 was measured of "),
    (lambda record: minimum(record).update(holds=not minimum(record)["holds"]), "constraints."),
]


def test_every_record_of_a_run_is_read():
    for each in json.loads(GOLDEN.read_text())["cases"]:
        assert schema.read_record(schema.Record, each).test == each["test"]


@pytest.mark.parametrize(("change", "said"), CHANGES)
def test_a_record_that_contradicts_itself_is_refused_wherever_it_is_read(tmp_path, capsys, change, said):
    document = changed(PLACE, change)
    with pytest.raises(DataError, match="it was changed after the run"):
        schema.read_record(schema.Record, document["cases"][PLACE])
    tmp_path.joinpath("verdicts.json").write_text(json.dumps(document))
    assert main(["thresholds", str(tmp_path), "--output", str(tmp_path / "thresholds.toml")]) == 4
    err = capsys.readouterr().err
    assert f"its verdicts.json is damaged: cases.{PLACE}.{said}" in err
    assert not tmp_path.joinpath("thresholds.toml").exists()
    model = document["cases"][PLACE]["model"]
    main(["card", str(tmp_path), "--model", model])
    told = capsys.readouterr()
    assert f"case {PLACE + 1} of verdicts.json cannot be read: {said}" in told.err
