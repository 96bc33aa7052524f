"""The one schema of verdicts.json and costs.json: who writes, reads, merges, compares or shows them has these forms.

What a reader has to know of a run is here; documents that earlier versions have written lack some: these fields have a
value that says that nothing is known. run.json's form is `metadata.Facts`, which start-up has without pydantic
and which pydantic reads all the same.
Between processes records travel in built-in types: `Form.built_in`.
"""

from pytest_seedshift.results.schema.base import (
    MOST_IMAGES,
    Count,
    Form,
    Images,
    Number,
    Seconds,
    describe,
    read,
    readable,
)
from pytest_seedshift.results.schema.documents import (
    Baseline,
    Cost,
    Costs,
    Entry,
    Head,
    Kind,
    Model,
    Planned,
    Shard,
    Verdicts,
)
from pytest_seedshift.results.schema.records import (
    Change,
    Constraint,
    KeptPicture,
    LeastAlike,
    Likeness,
    Measurement,
    Record,
    Score,
    Subject,
    TagScores,
    read_record,
)
from pytest_seedshift.results.schema.searches import CLEAR, Probe, ProbeScore, Search
from pytest_seedshift.results.schema.seed_use import SeedUse

__all__ = [
    "CLEAR",
    "MOST_IMAGES",
    "Baseline",
    "Change",
    "Constraint",
    "Cost",
    "Costs",
    "Count",
    "Entry",
    "Form",
    "Head",
    "Images",
    "KeptPicture",
    "Kind",
    "LeastAlike",
    "Likeness",
    "Measurement",
    "Model",
    "Number",
    "Planned",
    "Probe",
    "ProbeScore",
    "Record",
    "Score",
    "Search",
    "Seconds",
    "SeedUse",
    "Shard",
    "Subject",
    "TagScores",
    "Verdicts",
    "describe",
    "read",
    "read_record",
    "readable",
]
