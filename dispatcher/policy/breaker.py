"""The breaker: a burst of failures pauses the run until the API shows life."""

from __future__ import annotations

from collections import deque
from enum import StrEnum
from typing import assert_never

_LONGEST_PAUSE_SECONDS = 900.0
_STRETCHED = 0.1  # jitter adds up to a tenth, so that processes drift apart
_MOST_DOUBLINGS = 16


class BreakerState(StrEnum):
    """closed -> paused -> looking -> probing -> closed, and back to paused from the last two."""

    CLOSED = "closed"
    PAUSED = "paused"
    LOOKING = "looking"
    PROBING = "probing"


class Breaker:
    """
    Counts failures among the last attempts.

    Attributes:
        state: Where it stands.
        until: End of the pause, monotonic seconds; of use while paused.
    """

    def __init__(self, *, failures: int, of_last: int, pause_seconds: float) -> None:
        self.state = BreakerState.CLOSED
        self.until = 0.0
        self._failures = failures
        self._pause_seconds = pause_seconds
        self._last: deque[bool] = deque(maxlen=max(1, failures, of_last))
        self._openings = 0

    def failed(self, *, now: float, chance: float) -> bool:
        """Take in a failed attempt; True when the run must pause because of it."""
        match self.state:
            case BreakerState.CLOSED:
                self._last.append(True)
                if not 0 < self._failures <= sum(self._last):
                    return False
            case BreakerState.PAUSED | BreakerState.LOOKING:
                return False  # it was under way before the pause
            case BreakerState.PROBING:
                pass
            case never:
                assert_never(never)
        self._pause(now=now, chance=chance)
        return True

    def succeeded(self) -> None:
        """Take in an attempt that was answered without failure."""
        match self.state:
            case BreakerState.CLOSED:
                self._last.append(False)
            case BreakerState.PAUSED | BreakerState.LOOKING:
                pass  # it was under way before the pause
            case BreakerState.PROBING:
                self.state = BreakerState.CLOSED
                self._last.clear()
                self._openings = 0
            case never:
                assert_never(never)

    def look(self) -> None:
        """The pause is over and a look is under way."""
        self.state = BreakerState.LOOKING

    def looked(self, *, alive: bool, now: float, chance: float) -> None:
        """The look came back."""
        if alive:
            self.state = BreakerState.PROBING
        else:
            self._pause(now=now, chance=chance)

    def _pause(self, *, now: float, chance: float) -> None:
        doubled = self._pause_seconds * 2.0 ** min(self._openings, _MOST_DOUBLINGS)
        longest = max(_LONGEST_PAUSE_SECONDS, self._pause_seconds)
        self.until = now + min(longest, doubled) * (1 + _STRETCHED * chance)
        self._openings += 1
        self.state = BreakerState.PAUSED
