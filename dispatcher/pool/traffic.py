"""Lets calls begin one after another, and holds them all at once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from dispatcher.model import Judgement, StopWord
from dispatcher.policy import Conduct, Go, Look, Stop, Wait
from dispatcher.pool.settings import Clock


class Bell:
    """Wakes those who wait for it: all of them, or the one who has waited longest."""

    def __init__(self) -> None:
        self._waiting: dict[asyncio.Future[None], None] = {}  # in order

    def ring(self) -> None:
        """Wake all who wait now."""
        for waiting in self._waiting:
            _wake(waiting)

    def ring_once(self) -> None:
        """Wake the first who waits now and was not woken."""
        for waiting in self._waiting:
            if not waiting.done():
                waiting.set_result(None)
                return

    async def wait(self, seconds: float | None) -> None:
        """Wait for the bell, at most *seconds* (None: for ever)."""
        loop = asyncio.get_running_loop()
        waiting = loop.create_future()
        self._waiting[waiting] = None
        timer = None if seconds is None else loop.call_later(seconds, _wake, waiting)
        try:
            await waiting
        finally:
            del self._waiting[waiting]
            if timer is not None:
                timer.cancel()


def _wake(waiting: asyncio.Future[None]) -> None:
    if not waiting.done():
        waiting.set_result(None)


class Traffic:
    """
    The conduct of a run, seen from its workers.

    A worker takes a *turn* before anything else and releases it when its attempt is over; in
    between it may wait for its slot, and every wait ends early when the run holds or stops.
    """

    def __init__(self, conduct: Conduct, clock: Clock) -> None:
        self._conduct = conduct
        self._clock = clock
        self._in_flight = 0
        self._looking = False
        self._room = Bell()
        self._alarm = Bell()

    @property
    def in_flight(self) -> int:
        """Turns taken and not yet released."""
        return self._in_flight

    async def turn(self, look: Callable[[], Awaitable[bool]]) -> bool:
        """
        Wait until one more call may begin.

        Args:
            look: Asks the API for a sign of life, when the conduct wants one.

        Returns:
            True with a turn taken, False when nothing may begin any more.
        """
        while True:
            now = self._clock.monotonic()
            match self._conduct.next_step(now=now, in_flight=self._in_flight):
                case Go():
                    self._in_flight += 1
                    self._room.ring_once()  # and so on, while there is room
                    return True
                case Stop():
                    self._room.ring()
                    return False
                case Wait(until=until):
                    await self._room.wait(None if until is None else max(0.0, until - now))
                case Look():
                    await self._look(look)

    def release(self) -> None:
        """Give a turn back."""
        self._in_flight -= 1
        self._room.ring_once()

    async def clear_until(self, moment: float) -> bool:
        """Wait for *moment* (monotonic seconds); False as soon as nothing may begin."""
        while self._conduct.may_begin(now=(now := self._clock.monotonic())):
            if moment <= now:
                return True
            await self._alarm.wait(moment - now)
        return False

    async def going_until(self, moment: float) -> bool:
        """Wait for *moment* (monotonic seconds), also in a hold; False as soon as it stops."""
        while self._conduct.stopped is None:
            left = moment - self._clock.monotonic()
            if left <= 0:
                return True
            await self._alarm.wait(left)
        return False

    def observe(self, judgement: Judgement, *, retry_after: float | None) -> None:
        """Tell the conduct of an attempt, and all workers of what follows."""
        now = self._clock.monotonic()
        self._conduct.observe(
            judgement, retry_after=retry_after, now=now, chance=self._clock.chance()
        )
        if not self._conduct.may_begin(now=now):
            self._wake()

    def hold_for(self, seconds: float) -> None:
        """Let nothing begin for so long: the API's limit is used up."""
        self._conduct.hold_for(seconds, now=self._clock.monotonic())
        self._wake()

    def stop(self, word: StopWord, message: str) -> None:
        """Let nothing begin any more; the first word wins."""
        self._conduct.stop_for(word, message)
        self._wake()

    def _wake(self) -> None:
        self._alarm.ring()
        self._room.ring()

    async def _look(self, look: Callable[[], Awaitable[bool]]) -> None:
        if self._looking:
            await self._room.wait(None)
            return
        self._looking = True
        try:
            alive = await look()
        finally:
            self._looking = False
        self._conduct.looked(alive=alive, now=self._clock.monotonic(), chance=self._clock.chance())
        self._room.ring()
