"""When the next attempt may start: arithmetic on the monotonic clock, in seconds."""

from __future__ import annotations

import math
import re
from collections import deque
from dataclasses import dataclass
from fractions import Fraction

from dispatcher.errors import UsageProblem

_UNITS = {
    "s": 1,
    "sec": 1,
    "second": 1,
    "m": 60,
    "min": 60,
    "minute": 60,
    "h": 3600,
    "hour": 3600,
}
_RATE = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)\s*/\s*([a-z]+)", re.ASCII)
_FASTEST_PER_SECOND = 100_000
_SLOWEST_PER_SECOND = Fraction(1, 86_400)

_FILL = 0.99  # slots use 99 % of the rate: the rest absorbs lateness
_GUARD = 1.002  # what our clock calls one unit may be a little less on the server's side
_TRUST_SECONDS = 3600.0
_TRUST_SLOTS = 100

_SLOWED = 0.5
_SLOWEST = 0.05
_REGAINED_PER_SECOND = 0.05 / 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """
    So many starts in any window of a unit.

    Attributes:
        count: Starts, above 0; a whole number unless the rate was scaled.
        unit_seconds: Length of the window in seconds, above 0.
    """

    count: float
    unit_seconds: float

    def __post_init__(self) -> None:
        if not (0 < self.count < math.inf and 0 < self.unit_seconds < math.inf):
            raise ValueError("a rate needs a positive count and unit")

    @property
    def spacing_seconds(self) -> float:
        """Seconds between two slots: unit / (0.99 x count)."""
        return self.unit_seconds / (_FILL * self.count)

    def scaled(self, factor: float) -> Rate:
        """The same unit with *factor* (above 0, at most 1) of the starts."""
        return Rate(count=self.count * factor, unit_seconds=self.unit_seconds)


def parse_rate(text: str) -> Rate | None:
    """
    Read ``N/second``, ``N/minute``, ``N/hour`` (also s, min, m, h) or ``unlimited``.

    A count that is not whole is told in the smallest unit that makes it whole
    (``0.5/second`` is ``30/minute``), so that windows can be counted.

    Returns:
        The rate, or None for ``unlimited``.

    Raises:
        UsageProblem: Anything else, faster than 100,000 a second or slower than one a day.
    """
    written = text.strip().lower()
    if written == "unlimited":
        return None
    match = _RATE.fullmatch(written)
    unit = _UNITS.get(match[2].removesuffix("s") or match[2]) if match else None
    if match is None or unit is None:
        raise UsageProblem(
            f"the rate {text!r} is not understood",
            hint="write it like 100/minute, 10/second, 500/hour or unlimited",
        )
    count = Fraction(match[1])
    if not _SLOWEST_PER_SECOND <= count / unit <= _FASTEST_PER_SECOND:
        raise UsageProblem(
            f"the rate {text!r} is out of bounds",
            hint="from one a day to 100,000 a second, or unlimited",
        )
    return _in_whole_numbers(count, unit)


def _in_whole_numbers(count: Fraction, unit: int) -> Rate:
    for larger in (unit, 60, 3600):
        scaled = count * larger / unit
        if larger >= unit and scaled.denominator == 1:
            return Rate(count=float(scaled), unit_seconds=float(larger))
    return Rate(count=float(count.numerator), unit_seconds=float(unit * count.denominator))


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """
    Slots reserved for one taker.

    Attributes:
        slots: Moments at which one attempt each may start, monotonic seconds, ascending.
        next_free: First moment that nobody has reserved, monotonic seconds.
    """

    slots: tuple[float, ...]
    next_free: float


def lease(rate: Rate | None, *, next_free: float, now: float, count: int) -> Lease:
    """
    Reserve *count* slots at absolute moments, none before *now*.

    Time that passed unused is not caught up. A *next_free* further ahead than anyone can have
    reserved (one unit, an hour and a hundred slots) was written before the machine started anew
    and is ignored.

    Args:
        rate: The pace, or None for no limit.
        next_free: From the last lease, monotonic seconds.
        now: Monotonic seconds.
        count: Slots wanted, at least 1.
    """
    if count < 1:
        raise ValueError("a lease holds at least one slot")
    if rate is None:
        return Lease(slots=(now,) * count, next_free=now)
    spacing = rate.spacing_seconds
    believable = now + rate.unit_seconds + _TRUST_SECONDS + _TRUST_SLOTS * spacing
    first = now if next_free > believable else max(now, next_free)
    return Lease(
        slots=tuple(first + index * spacing for index in range(count)),
        next_free=first + count * spacing,
    )


class StartWindow:
    """
    The last starts of this process, so that no sliding window of the unit holds more than *rate*.

    Slots alone cannot promise that: a start may come late and the next one in time.
    """

    def __init__(self, rate: Rate | None) -> None:
        self._unit_seconds = rate.unit_seconds * _GUARD if rate else 0.0
        self._starts: deque[float] = deque(maxlen=max(1, int(rate.count)) if rate else 0)

    def earliest(self, now: float) -> float:
        """First moment from *now* on at which one more start keeps every window, in seconds."""
        if self._starts.maxlen == 0 or len(self._starts) < (self._starts.maxlen or 0):
            return now
        return max(now, self._starts[0] + self._unit_seconds)

    def started(self, now: float) -> None:
        """One attempt started at *now* (monotonic seconds)."""
        self._starts.append(now)


class Tempo:
    """
    How much of the rate is used: halved by each 429, regained by 0.05 in 10 s without one.

    Attributes:
        factor: From 0.05 to 1; scale the rate of a lease by it.
    """

    def __init__(self) -> None:
        self.factor = 1.0

    def slow(self) -> None:
        """A 429 came."""
        self.factor = max(_SLOWEST, self.factor * _SLOWED)

    def steady(self, seconds: float) -> None:
        """So many seconds went by without a 429."""
        self.factor = min(1.0, self.factor + max(0.0, seconds) * _REGAINED_PER_SECOND)
