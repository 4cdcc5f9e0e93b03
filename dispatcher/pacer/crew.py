"""How many senders a pace needs."""

from __future__ import annotations

import math

from dispatcher.pacer.rate import Rate

FEWEST = 2
MOST = 256
UNPACED = 32  # enough to keep one core busy; more only wait for each other
_CALLS = 16


class CallTime:
    """
    How long a call takes, as the last ones did.

    Attributes:
        seconds: Mean in which, once there were 16, each call counts a sixteenth.
    """

    def __init__(self) -> None:
        self.seconds = 0.0
        self._calls = 0

    def took(self, seconds: float) -> None:
        """Take in how long one call took."""
        self._calls = min(_CALLS, self._calls + 1)
        self.seconds += (seconds - self.seconds) / self._calls


def workers_needed(rate: Rate | None, *, seconds: float) -> int:
    """
    Return how many workers keep a pace: twice what Little's law says, from 2 to 256.

    Args:
        rate: The pace, or None for no limit.
        seconds: How long one call keeps a worker busy, on average.
    """
    if rate is None:
        return UNPACED
    return min(MOST, max(FEWEST, math.ceil(2 * rate.per_second * seconds) + 1))
