"""How often something may start: so many times in a unit of time."""

from __future__ import annotations

import math
import re
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
_LATE_SHARE = 0.01  # of a unit, which is all that is left
_MARGIN_SHARE = 0.005  # of a unit: by how much the starts of several runs may leave their slots
_WAYS_SHARE = 0.008  # of a unit: by how much two ways to the server may differ
_LATEST_SECONDS = 1.0


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

    @property
    def per_second(self) -> float:
        """Starts in a second, on average."""
        return self.count / self.unit_seconds

    @property
    def ways_seconds(self) -> float:
        """By how much the ways of two starts may differ, and the server still sees the rate."""
        return min(_LATEST_SECONDS, _WAYS_SHARE * self.unit_seconds)

    def tolerance_seconds(self, *, is_shared: bool) -> float:
        """
        How late a slot may still be used: so little that no burst comes of it.

        Alone a run sees to its windows itself. Where slots lie far apart it may then be half their
        distance; those that follow give way. With *is_shared* slots are all that keeps the starts
        of several runs apart.
        """
        if is_shared:
            return min(_LATEST_SECONDS, _MARGIN_SHARE * self.unit_seconds)
        share = _LATE_SHARE * self.unit_seconds
        return min(_LATEST_SECONDS, max(share, self.spacing_seconds / 2))

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
