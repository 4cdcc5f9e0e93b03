"""When each attempt of this run may start, in agreement with other live runs on the ledger."""

from __future__ import annotations

import asyncio
from collections import deque

from dispatcher.pacer import Rate, StartWindow, Tempo, lease
from dispatcher.pool.recorder import Plan, Recorder
from dispatcher.pool.settings import Clock

_LEASE_SECONDS = 0.25


class Slots:
    """
    Hands out absolute starting times.

    Slots are leased from the ledger's row for the base URL, a quarter of a second's worth at a
    time, so that two live runs never use one twice. A slot that passed unused is lost: what is
    late is not caught up in a burst. ``window`` repeats the promise for the starts as they truly
    happen.
    """

    def __init__(
        self, recorder: Recorder, *, rate: Rate | None, base_url: str, workers: int, clock: Clock
    ) -> None:
        self._recorder = recorder
        self._rate = rate
        self._base_url = base_url
        self._clock = clock
        self._free: deque[float] = deque()
        self._leasing = asyncio.Lock()
        self._window = StartWindow(rate)
        self._most = 1 if rate is None else _lease_size(rate, workers)
        self._tempo = Tempo()
        self._tempo_at = clock.monotonic()

    async def next(self) -> float:
        """Return the next free slot, monotonic seconds, at once if there is no rate."""
        if self._rate is None:
            return self._clock.monotonic()
        async with self._leasing:
            while True:
                now = self._clock.monotonic()
                while self._free and self._free[0] < now:
                    self._free.popleft()
                if self._free:
                    return self._free.popleft()
                self._free.extend(await self._lease(self._rate))
                if self._free:  # even if the commit took longer than the first slot was away
                    return self._free.popleft()

    def give_back(self, slot: float) -> None:
        """Return a slot whose call turned out not to be sent."""
        if self._rate is not None:
            self._free.appendleft(slot)

    def earliest(self, now: float) -> float:
        """Return the moment from which one more start keeps every window within the rate."""
        return self._window.earliest(now)

    def started(self, now: float) -> None:
        """Note a start as it happened."""
        self._window.started(now)

    def slow(self) -> None:
        """Lower the pace after a 429; it is regained little by little."""
        self._tempo.slow()
        self._tempo_at = self._clock.monotonic()

    async def draw(self, purse: str, plan: Plan) -> tuple[float, ...]:
        """Reserve from another budget that all who use this ledger and base URL share."""
        return await self._recorder.lease(f"{self._base_url} {purse}", plan)

    async def _lease(self, rate: Rate) -> tuple[float, ...]:
        now = self._clock.monotonic()
        self._tempo.steady(now - self._tempo_at)
        self._tempo_at = now
        slowed = rate.scaled(self._tempo.factor)

        def plan(next_free: float) -> tuple[tuple[float, ...], float]:
            # The clock is read in the commit: what was spent waiting for it is past.
            made = lease(slowed, next_free=next_free, now=self._clock.monotonic(), count=self._most)
            return made.slots, made.next_free

        return await self._recorder.lease(self._base_url, plan)


def _lease_size(rate: Rate, workers: int) -> int:
    return max(1, min(workers, int(rate.count / rate.unit_seconds * _LEASE_SECONDS)))
