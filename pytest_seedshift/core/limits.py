"""Upper limits of what a run may be asked for: beyond them lie typing errors, and runs that fill memory and never end.

`--seedshift-no-limits` lifts them all, for who means it. Beside them stands what a grid is made of where nobody says
otherwise. Read by every pytest run, so nothing heavy is imported.
"""

from __future__ import annotations

from pytest_seedshift.core.errors import SeedshiftUsageError

IMAGES = 100_000
"""Of a design: at the bound itself a verdict looks at all of them, and so in every case."""

CASES = 10_000
"""Of one test: each is an item of pytest, with its own record and its own part of the report."""

DESIGN_SEED = 2**32 - 1
"""Of a design; nothing lifts it: up to it a seed index is an exact number wherever it is written, see `pairs.SEEDS`."""

BATCH = 4096
"""Images that are generated at once; those of the largest batch that is ever found are 32."""

GPUS_PER_MODEL = 64
"""GPUs of one machine that a model is spread over."""

TRAJECTORIES = 1000
"""Pairs whose states lie in memory together, a case."""

MAGNITUDE = 3.0
"""Of a shift, without its sign: the seed vector's numbers have a standard deviation of 1."""

SIDE = 8192
"""Of an image, in pixels."""

PIXELS = 4096 * 4096
"""Of an image: what the report still shows."""

STEPS = 10_000
"""Of a sampler; most schedules have 1000."""

GUIDANCE = 100.0
"""Of classifier-free guidance; models want 1 to 15."""

DEFAULT_SHIFTS = ("random", "mean", "std", "mixed", "arrangement")

DEFAULT_MAGNITUDES = (-0.3, -0.2, -0.1, 0.1, 0.2, 0.3)

DTYPES = ("float32", "float16", "bfloat16")
"""The number types that a model may be run in."""

LIFT = "--seedshift-no-limits (--no-limits of a command, no_limits=True in Python)"


class LimitError(SeedshiftUsageError):
    """More than a limit allows; the message says what lifts it."""


def check(value: float, most: float, what: str, *, lifted: bool, hint: str = "") -> None:
    """Hold a number against its limit.

    Args:
        value: without its sign.
        most: the largest that is allowed.
        what: whose number it is, with the number: `--seedshift-images=5000000`.
        lifted: whether the user has lifted all limits.
        hint: what was probably meant, as a sentence.

    Raises:
        LimitError: it is above.
    """
    if not lifted and value > most:
        meant = f" {hint}." if hint else ""
        raise LimitError(f"{what}: more than {most:,g}, the limit.{meant} If it is meant, {LIFT} lifts all limits")
