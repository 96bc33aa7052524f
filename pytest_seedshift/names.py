"""The names that tests use: the marker, the fixtures, the built-in suite. Read by every pytest run, so nothing more."""

from __future__ import annotations

MARKER = "reliability"
MARKER_HELP = (
    "reliability(models=…, shifts=…, magnitudes=…, images=…, exact=…, top1=…, top5=…, clip=…): make one item for each "
    "model, shift and magnitude, and fail it where the scores do not meet their thresholds. All arguments are optional."
)

SUITE = "seedshift"
"""The node id of the built-in suite; it can be given to pytest like a file."""

PARAMETER = "_seedshift_parameter"
"""The fixture that every item about a case or a model is parametrized by."""

RESULT = "reliability"
"""The fixture that judges a case."""

CASE_FIXTURES = frozenset({RESULT, "seedshift_case", "seedshift_shift", "seedshift_trajectory"})
MODEL_FIXTURES = frozenset({"seedshift_model", "seedshift_scorers"})

NULL_RESULT = "_seedshift_null"
"""The fixture that judges a null control."""

NULL_TEST = f"{SUITE}::test_null_control"
"""The node id of the test of null controls, without its parameter."""
