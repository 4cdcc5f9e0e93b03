"""The sandbox's own rate limit."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

_MINUTE = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """
    Whether one request may pass.

    Attributes:
        granted: It may.
        headers: ``X-RateLimit-*``, and ``Retry-After`` where it may not.
    """

    granted: bool
    headers: tuple[tuple[str, str], ...] = ()


UNLIMITED = Admission(granted=True)


class MinuteLimit:
    """
    So many requests in any 60 seconds (a sliding window: stricter than counting by the minute).

    Only admitted requests count, so waiting always helps.
    """

    def __init__(self, per_minute: int, *, monotonic: Callable[[], float]) -> None:
        self._per_minute = per_minute
        self._monotonic = monotonic
        self._admitted: deque[float] = deque()

    def admit(self) -> Admission:
        """Admit one request now, or say in how many whole seconds the next one may come."""
        if not self._per_minute:
            return UNLIMITED
        now = self._monotonic()
        while self._admitted and self._admitted[0] <= now - _MINUTE:
            self._admitted.popleft()
        granted = len(self._admitted) < self._per_minute
        if granted:
            self._admitted.append(now)
        return Admission(granted=granted, headers=self._headers(now=now, granted=granted))

    def _headers(self, *, now: float, granted: bool) -> tuple[tuple[str, str], ...]:
        reset = str(math.ceil(self._admitted[0] + _MINUTE - now))
        headers = (
            ("X-RateLimit-Limit", str(self._per_minute)),
            ("X-RateLimit-Remaining", str(self._per_minute - len(self._admitted))),
            ("X-RateLimit-Reset", reset),
        )
        return headers if granted else (*headers, ("Retry-After", reset))
