"""The names that tests use: the marker, the fixtures, the built-in suite. Read by every pytest run, so nothing more."""

from __future__ import annotations

PROGRAM = "seedshift"
"""The name under which the commands are installed."""

USAGE_ERROR = 4
"""pytest's own status for a mistake of the user's, and so that of every command."""

MARKER = "reliability"
MARKER_HELP = (
    "reliability(models=…, shifts=…, magnitudes=…, images=…, exact=…, top1=…, top5=…, clip=…): make one item for each "
    "model, shift and magnitude. An item fails if its scores miss their thresholds. All arguments are optional."
)

BREAKING_MARKER = "breaking_point"
BREAKING_MARKER_HELP = (
    "breaking_point(models=…, shifts=…, signs=…, images=…, exact=…, min_breaking_point=…, top1=…, top5=…, clip=…): "
    "make an item for each model, shift and sign that searches for the smallest failing magnitude. An item fails if "
    "that is below min_breaking_point. All arguments are optional."
)

BREAKING_RESULT = "_seedshift_search"
"""The fixture that searches for a breaking point; `breaking_point` hands its result on."""

SUITE = "seedshift"
"""The node id of the built-in suite; it can be given to pytest like a file."""

PARAMETER = "_seedshift_parameter"
"""The fixture that every item about a case or a model is parametrized by."""

# What a project's own fixture of the same name could override stands in none of these: whatever `reliability` is there,
# a marked test is judged, and who uses none of ours is left alone.

RESULT = "_seedshift_result"
"""The fixture that judges a case; `reliability` hands its result on."""

CASE = "_seedshift_case"
"""The fixture that all fixtures about a case ask for; those about a model need none."""

NULL_RESULT = "_seedshift_null"
"""The fixture that judges a null control."""

NULL_TEST = f"{SUITE}::test_null_control"
"""The node id of the test of null controls, without its parameter."""
