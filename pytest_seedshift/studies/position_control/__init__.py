"""Does a random shift with a direction move the object in the picture? The experiment, from pairs to intervals.

The paper reports that the position of the object in a Stable Diffusion image follows the direction of the random shift.
It gives no formula for a direction; the readings tested here are shifts that are stronger towards one side of the
picture (`random:left` and its like), and the sign of η of the plain `random` shift. `random:symmetric`, which has no
direction, is the null.
"""

from __future__ import annotations

from pytest_seedshift.core.stats.clustered import Displacement, clustered
from pytest_seedshift.studies.position_control.conditions import DIRECTIONS, Arm, choose
from pytest_seedshift.studies.position_control.experiment import CERTAINTY, MAGNITUDE, Row, Study, default_images, run
from pytest_seedshift.studies.position_control.measure import Placed

__all__ = [
    "CERTAINTY",
    "DIRECTIONS",
    "MAGNITUDE",
    "Arm",
    "Displacement",
    "Placed",
    "Row",
    "Study",
    "choose",
    "clustered",
    "default_images",
    "run",
]
