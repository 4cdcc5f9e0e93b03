"""The moments at which starts may lie, and what keeps them apart as they truly happen."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

from dispatcher.pacer.rate import Rate

_TRUST_SECONDS = 60.0
_TRUST_SLOTS = 100
_MOST_KEPT = 10_000
_GUARD = 1.002  # what our clock calls one unit may be a little less on the server's side


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

    Time that passed unused is not caught up. A *next_free* further ahead than a minute and a
    hundred slots was written before the machine started anew and is ignored. Nobody reserves so
    much: whoever would pass half of it gets one slot.

    Args:
        rate: The pace, or None for no limit.
        next_free: From the last lease, monotonic seconds.
        now: Monotonic seconds.
        count: Most slots wanted, at least 1.
    """
    if count < 1:
        raise ValueError("a lease holds at least one slot")
    if rate is None:
        return Lease(slots=(now,) * count, next_free=now)
    spacing = rate.spacing_seconds
    believable = _TRUST_SECONDS + _TRUST_SLOTS * spacing
    first = now if next_free > now + believable else max(now, next_free)
    if first + count * spacing > now + believable / 2:
        count = 1
    return Lease(
        slots=tuple(first + index * spacing for index in range(count)),
        next_free=first + count * spacing,
    )


class Gate:
    """
    Keeps the starts of one process apart as they truly happen.

    Slots alone cannot promise that: a start may come late and the next one in time. So a start
    waits until the one that lies a whole count before it is a unit past, and a little more for
    what their ways to the server may differ. What is late is made up for within the tolerance,
    and beyond it pushes the next ones away (GCRA, the algorithm of ATM's traffic contract, applied
    to one's own starts).
    """

    def __init__(self, rate: Rate | None) -> None:
        self._spacing = rate.spacing_seconds if rate else 0.0
        self._slack = rate.tolerance_seconds(is_shared=False) if rate else 0.0
        self._window = rate.unit_seconds + rate.ways_seconds if rate else 0.0
        count = max(1, int(rate.count)) if rate else 1
        # Of a large count only every so manieth start is kept: the window is a little longer then.
        self._every = math.ceil(count / _MOST_KEPT)
        self._kept: deque[float] = deque(maxlen=count // self._every)
        self._started = 0
        self._due = 0.0

    def earliest(self, now: float) -> float:
        """First moment from *now* on at which one more start keeps every window, in seconds."""
        due = max(now, self._due - self._slack)
        if len(self._kept) == self._kept.maxlen:
            return max(due, self._kept[0] + self._window)
        return due

    def started(self, now: float) -> None:
        """One attempt started at *now* (monotonic seconds)."""
        self._due = max(now, self._due) + self._spacing
        if self._started % self._every == 0:
            self._kept.append(now)
        self._started += 1


def strict_cost(rate: Rate, *, seconds: float) -> float:
    """Return the share of the pace, below 1, that ``Permits`` cost where answers take *seconds*."""
    return seconds / (rate.unit_seconds + seconds)


class Permits:
    """
    As many permits as the rate counts; each is free again one unit after its request *ended*.

    However long a request takes to arrive, the server then never sees more than the count in any
    window of the unit. The price is latency / (unit + latency) of the pace.
    """

    def __init__(self, rate: Rate) -> None:
        self._unit_seconds = rate.unit_seconds * _GUARD
        self._count = max(1, int(rate.count))
        self._out = 0
        self._ended: deque[float] = deque()

    def free_from(self, now: float) -> float:
        """Return the earliest moment, from *now* on, at which one more may be taken, in seconds."""
        while self._ended and self._ended[0] + self._unit_seconds <= now:
            self._ended.popleft()
        wanting = self._out + len(self._ended) - self._count
        if wanting < 0:
            return now
        if wanting < len(self._ended):
            return self._ended[wanting] + self._unit_seconds
        return now + self._unit_seconds  # all are out: none ends before now

    def take(self) -> None:
        """Take one."""
        self._out += 1

    def give_back(self) -> None:
        """Give one back whose request did not start."""
        self._out -= 1

    def ended(self, now: float) -> None:
        """The request of one ended at *now* (monotonic seconds)."""
        self._out -= 1
        self._ended.append(now)
