"""Reads from the API at the pace of everything that shares the ledger; places nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus

from dispatcher.client import Client
from dispatcher.errors import LookUpFailed
from dispatcher.model import NoReply, Reply
from dispatcher.policy import backoff_seconds, retry_after_seconds
from dispatcher.pool.settings import Clock
from dispatcher.pool.slots import Slots

LISTS_A_MINUTE = 20
"""What the API allows an organization for its lists, on top of the general limit."""

_TRIES = 4
_MINUTE = 60.1  # a little more than the API counts by its own clock
_NO_QUERY: Mapping[str, str] = {}


class Looker:
    """
    One reader; its requests go one after another.

    Each takes a slot like a call does, so that reading never makes calls exceed the rate. The
    list of calls has a budget of its own besides.

    Args:
        client: Open.
        slots: The pace.
        max_wait_seconds: The longest wait the API may ask for; beyond it the 429 is returned.
        has_time: Wait for lists whose budget is spent, rather than give up.
        clock: Time and chance.
        sleep: Waits so many seconds.
    """

    def __init__(
        self,
        client: Client,
        slots: Slots,
        *,
        max_wait_seconds: float,
        has_time: bool = True,
        clock: Clock,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._client = client
        self._slots = slots
        self._max_wait_seconds = max_wait_seconds
        self._has_time = has_time
        self._clock = clock
        self._sleep = sleep
        self._lists = _Purse(slots, clock)

    async def look(self, path: str, query: Mapping[str, str] = _NO_QUERY) -> Reply | NoReply:
        """Read something."""
        return await self._patiently(path, query, None)

    async def look_at_list(self, path: str, query: Mapping[str, str]) -> Reply | NoReply:
        """
        Read a page of a list that the API limits further.

        Raises:
            LookUpFailed: The budget is spent, and there is no time to wait for more.
        """
        return await self._patiently(path, query, self._lists)

    async def _patiently(
        self, path: str, query: Mapping[str, str], budget: _Purse | None
    ) -> Reply | NoReply:
        """Ask again what was lost on the way or came too soon: reading twice harms nobody."""
        for attempt in range(1, _TRIES):
            answer = await self._ask(path, query, budget)
            wait = self._wait_after(answer, attempt)
            if wait is None:
                return answer
            await self._sleep(wait)
        return await self._ask(path, query, budget)

    async def _ask(
        self, path: str, query: Mapping[str, str], budget: _Purse | None
    ) -> Reply | NoReply:
        await self._turn(budget)
        try:
            return await self._client.look(path, query)
        finally:
            self._slots.ended()

    async def _turn(self, budget: _Purse | None) -> None:
        while True:
            slot = await self._slots.next(self._wait_until) or 0.0  # who only reads never gives up
            await self._wait_until(slot)
            if budget is None or (free_at := await budget.take()) is None:
                break
            self._slots.give_back(slot)
            if not self._has_time:
                raise LookUpFailed(
                    f"the {LISTS_A_MINUTE} looks a minute at its list of calls are used up",
                    hint="'dispatcher reconcile' waits for more",
                )
            await self._wait_until(free_at)
        while not self._slots.begins(slot):
            await self._wait_until(self._slots.earliest(slot))

    async def _wait_until(self, moment: float) -> bool:
        await self._sleep(max(0.0, moment - self._clock.monotonic()))
        return True

    def _wait_after(self, answer: Reply | NoReply, attempt: int) -> float | None:
        """Return how long to wait before asking again, or None: this is the answer."""
        backoff = backoff_seconds(attempt, chance=self._clock.chance())
        if isinstance(answer, NoReply):
            return backoff if attempt == 1 else None
        if answer.status != HTTPStatus.TOO_MANY_REQUESTS:
            return None
        self._slots.slow()
        asked = retry_after_seconds(answer.retry_after, now=self._clock.now())
        wait = asked or backoff
        return wait if wait <= self._max_wait_seconds else None


class _Purse:
    """
    What the API allows for its lists: a coin for each, which comes back after a minute.

    The coins lie in the ledger, so that two commands on it spend them together.
    """

    def __init__(self, slots: Slots, clock: Clock) -> None:
        self._slots = slots
        self._clock = clock
        self._next = 0

    async def take(self) -> float | None:
        """Take a coin; else return when the first will be back (monotonic seconds)."""
        back_at: list[float] = []
        for _ in range(LISTS_A_MINUTE):
            coin = f"list {self._next}"
            self._next = (self._next + 1) % LISTS_A_MINUTE
            if await self._slots.draw(coin, lambda free_at: self._try(free_at, back_at)):
                return None
        return min(back_at)

    def _try(self, free_at: float, back_at: list[float]) -> tuple[tuple[float, ...], float]:
        now = self._clock.monotonic()
        # One that is further away was spent before the machine started anew.
        if now < free_at <= now + _MINUTE:
            back_at.append(free_at)
            return (), free_at
        return (now,), now + _MINUTE
