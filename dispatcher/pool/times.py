"""The wall clock, doubted: it may be set, by hours, while a run lives."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from dispatcher.pool.settings import Clock

_LONGEST = timedelta(seconds=30)  # longer than a call that is marked ever waits for its start


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """
    What time it is, as far as it can be known.

    The second opinion is the start of the run plus what the monotonic clock has counted since. It
    misses a clock that was put right, and on some systems the time a machine slept.

    Attributes:
        wall: What the wall clock says; for records.
        earliest: The earlier of the two opinions; who was called before is judged by it.
        latest: The later one; what may be too late is judged by it.
    """

    wall: datetime
    earliest: datetime
    latest: datetime


class Times:
    """Tells moments from the start of a run on; all are aware UTC."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._began = clock.monotonic()
        self.started_at = clock.now()

    @property
    def elapsed_seconds(self) -> float:
        """Seconds since the start that the monotonic clock has counted."""
        return self._clock.monotonic() - self._began

    def has_slept_since(self, moment: Moment) -> bool:
        """
        Tell whether the machine slept, or the wall clock was set, since *moment*, seconds ago.

        The monotonic clock does not count such time on every system: a call that was marked before
        it would start hours after its time, as if nothing had been.
        """
        return abs(self._clock.now() - moment.wall) > _LONGEST

    def now(self) -> Moment:
        """Return what time it is."""
        wall = self._clock.now()
        counted = self.started_at + timedelta(seconds=self.elapsed_seconds)
        return Moment(wall=wall, earliest=min(wall, counted), latest=max(wall, counted))
