"""How pytest-xdist distributes the cases, with `--dist worksteal`."""

from __future__ import annotations

from xdist.scheduler import WorkStealingScheduling


class PatientWorkStealing(WorkStealingScheduling):  # type: ignore[misc]
    """Work stealing that waits until there is work.

    When a worker dies before all have collected, pytest-xdist (3.8) finds that the others have nothing to do and shuts
    them down. Then some or all of the cases would never run.
    """

    def check_schedule(self) -> None:
        """Distribute, once it is known what."""
        if self.collection is not None:
            super().check_schedule()
