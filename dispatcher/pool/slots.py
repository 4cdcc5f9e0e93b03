"""When each attempt of this run may start, in agreement with other live runs on the ledger."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable
from heapq import heappop, heappush

from dispatcher.errors import StorageFailed
from dispatcher.pacer import Allowance, Gate, Permits, Rate, Tempo, lease
from dispatcher.pool.recorder import Plan, Recorder
from dispatcher.pool.settings import Clock

MARK_AHEAD_SECONDS = 0.1  # enough for a usual commit; a kill leaves what is marked in doubt
LATE_SECONDS = 1.0  # no marked call begins so long after its slot
SLOWEST_SECONDS = 10.0  # that a ledger may take for a mark, which then delays the slot
_LEASE_SECONDS = 0.25
_CONNECTING_SECONDS = 0.3

Clear = Callable[[float], Awaitable[bool]]
"""Waits for a moment (monotonic seconds); False when what waits for it must give up."""


class Slots:
    """
    Hands out absolute starting times, to whoever has waited longest.

    Slots are leased from the ledger's row for the base URL, a quarter of a second's worth at a
    time, so that two live runs never use one twice, and handed out shortly before their time. A
    slot that passed unused is lost: what is late is not caught up in a burst.

    Args:
        recorder: Leases from the ledger.
        rate: The pace, or None for no limit.
        base_url: Whose pace.
        workers: How many may want a slot, so that few workers do not lease what others could use.
        clock: Time.
        strict: Free a slot only a unit after its request ended.

    Attributes:
        ahead_seconds: How long before its time a slot is handed out: a tenth of a second, or as
            long as the ledger takes, so that a slow one still lets calls begin.
    """

    def __init__(
        self,
        recorder: Recorder,
        *,
        rate: Rate | None,
        base_url: str,
        workers: int,
        clock: Clock,
        strict: bool = False,
    ) -> None:
        self._recorder = recorder
        self._rate = rate
        self._base_url = base_url
        self.workers = workers
        self._clock = clock
        self._free: list[float] = []  # a heap
        self._in_turn = asyncio.Lock()
        self._coming: asyncio.Task[None] | None = None
        self._next_free = 0.0
        self._told_free = 0.0  # the same, as the ledger was told it
        self._delay = 0.0
        self._kept_before = -math.inf
        self._leased_at = -math.inf
        self._way_seconds = 0.0
        self._times_slow = 0
        self._taken = 0.0
        self._noted_at = -math.inf
        self.ahead_seconds = MARK_AHEAD_SECONDS
        self._shared_until = -math.inf
        self._gate = Gate(rate)
        self._permits = Permits(rate) if rate and strict else None
        self._allowance = Allowance()
        self._tempo = Tempo()
        self._tempo_at = clock.monotonic()

    async def next(self, clear: Clear) -> float | None:
        """
        Wait until shortly before the next free slot; at once if there is no rate.

        Returns:
            The slot, monotonic seconds, or None as soon as *clear* says so.

        Raises:
            StorageFailed: The ledger is too slow.
        """
        self._refuse_if_slow()
        if self._rate is None:
            return self._clock.monotonic()
        async with self._in_turn:  # first come, first served
            while await clear(self._next_moment(self._rate)):
                self._refuse_if_slow()
                if self._first_free(self._rate) is None:
                    await self._refill(self._rate)
                elif self._next_moment(self._rate) <= self._clock.monotonic() and self._free:
                    if self._permits:
                        self._permits.take()
                    return heappop(self._free)
        return None

    async def another(self) -> float | None:
        """
        Exchange a slot that has passed, for a call that is marked.

        Returns:
            The next free slot, monotonic seconds, or None where none is near.
        """
        if self._rate is None:
            return None
        if self._first_free(self._rate) is None:
            await self._refill(self._rate)
        found = self._first_free(self._rate)
        if found is None or found > self._clock.monotonic() + self.ahead_seconds:
            return None
        return heappop(self._free)

    def has_passed(self, moment: float) -> bool:
        """Tell whether a start that was due at *moment* must not be made up for any more."""
        now = self._clock.monotonic()
        tolerance = self._tolerance(self._rate, now) if self._rate else LATE_SECONDS
        return now - moment > tolerance

    async def wanted(self, slot: float) -> float | None:
        """
        Return when a call that was marked for *slot* is to start, monotonic seconds.

        A slot that passed before the mark was durable is only delayed where no other run is to be
        seen: the gate keeps every window. Beside another, starts have to keep to their slots, and
        one that came meanwhile was told of a delay, but of no more: beyond it the slot is
        exchanged for one from the ledger, None where none is near.
        """
        now = self._clock.monotonic()
        if self._rate is None:
            if slot >= self._noted_at:  # not of those that wait for the same commit
                self._noted_at = now
                self._note(now - slot, longest=SLOWEST_SECONDS + LATE_SECONDS)
            return now
        if now < self._close_until:
            return slot
        if now - slot > _alone_seconds(self._rate) + self._told_free - self._next_free:
            return await self.another()
        return max(slot, now)

    def give_back(self, slot: float) -> None:
        """Return a slot whose call turned out not to be sent."""
        if self._rate is not None:
            heappush(self._free, slot)
        if self._permits:
            self._permits.give_back()

    def earliest(self, slot: float) -> float:
        """Return from when on the start meant for *slot* keeps every window within the rate."""
        return self._gate.earliest(slot)

    def begins(self, slot: float) -> bool:
        """Note that a request starts now, or return False where that would be too soon."""
        now = self._clock.monotonic()
        due = self.earliest(slot)
        if due > now:
            return False
        self._gate.started(now)
        self._allowance.started += 1
        return True

    def ended(self) -> None:
        """Note the end of a request that started."""
        if self._permits:
            self._permits.ended(self._clock.monotonic())

    @property
    def started(self) -> int:
        """Requests that have started; the number of the last one."""
        return self._allowance.started

    def learn(self, *, remaining: int, seconds: float, number: int) -> float:
        """
        Take in what the answer to request *number* said of the API's own limit.

        Returns:
            Seconds for which nothing should start, 0 for none.
        """
        now = self._clock.monotonic()
        return self._allowance.learn(remaining=remaining, seconds=seconds, number=number, now=now)

    def slow(self) -> None:
        """Lower the pace after a 429; it is regained little by little."""
        self._tempo.slow()
        self._tempo_at = self._clock.monotonic()

    async def draw(self, purse: str, plan: Plan) -> tuple[float, ...]:
        """Reserve from another budget that all who use this ledger and base URL share."""
        return await self._recorder.lease(f"{self._base_url} {purse}", plan)

    async def close(self) -> None:
        """Give back what is leased and was not used, where nobody has leased since."""
        self._drop_before(self._clock.monotonic())
        if self._free:
            told, first = self._told_free, self._free[0] + self._told_free - self._next_free
            self._free.clear()

            def plan(next_free: float) -> tuple[tuple[float, ...], float]:
                return (), first if next_free == told else next_free

            await self._recorder.lease(self._base_url, plan)

    def _next_moment(self, rate: Rate) -> float:
        """When to hand out the next slot, or to look again for one."""
        now = self._clock.monotonic()
        if self._permits and (permitted := self._permits.free_from(now)) > now:
            self._drop_before(permitted)
            moment = self._free[0] if self._free else permitted
        else:
            moment = self._first_free(rate) or now
        return moment - self.ahead_seconds

    def _first_free(self, rate: Rate) -> float | None:
        """Drop what is past, and return the first slot that is left."""
        now = self._clock.monotonic()
        self._drop_before(now - self._tolerance(rate, now) / 2)
        return self._free[0] if self._free else None

    @property
    def _close_until(self) -> float:
        """Until when starts keep close to their slots: another run's lie between them."""
        return max(self._shared_until, self._kept_before)

    def _tolerance(self, rate: Rate, now: float) -> float:
        return rate.tolerance_seconds(is_shared=now < self._close_until)

    def _drop_before(self, moment: float) -> None:
        while self._free and self._free[0] < moment:
            heappop(self._free)

    async def _refill(self, rate: Rate) -> None:
        # A task, not the bare future: whoever finds it done finds its slots taken in as well.
        # With a callback that was still to come, a waiting worker went round for ever.
        if self._coming is None:
            self._coming = asyncio.create_task(self._take_in(rate))
        await self._coming

    async def _take_in(self, rate: Rate) -> None:
        asked_at = self._clock.monotonic()
        try:
            slots = await self._recorder.lease(self._base_url, self._plan(rate))
        finally:
            self._coming = None
        # What is leased next is that much later of use, and marking will take as long.
        now = self._clock.monotonic()
        self._note(now - asked_at, longest=SLOWEST_SECONDS)
        taken = min(SLOWEST_SECONDS, 1.25 * (now - asked_at))
        self.ahead_seconds = max(MARK_AHEAD_SECONDS, taken)
        self._way_seconds = min(SLOWEST_SECONDS, now - self._leased_at)
        self._delay = taken if taken > MARK_AHEAD_SECONDS else 0.0
        if now < self._shared_until:
            self._way_seconds += self._delay  # alone a start may as well be late
        for slot in slots:
            heappush(self._free, slot)

    def _note(self, seconds: float, *, longest: float) -> None:
        """Note how long the ledger took."""
        self._taken = seconds
        self._times_slow = self._times_slow + 1 if seconds > longest else 0

    def _refuse_if_slow(self) -> None:
        """
        Go on after one commit that took too long, but not after two in a row.

        Asked before a call is marked: one that is marked must be withdrawn first.
        """
        if self._times_slow > 1:
            raise StorageFailed(
                f"the ledger takes {self._taken:.0f} seconds to record anything, too long to call; "
                f"nothing more was sent",
                hint="put it on a faster disk, see --ledger, and run again",
            )

    def _plan(self, rate: Rate) -> Plan:
        now = self._clock.monotonic()
        self._tempo.steady(now - self._tempo_at)
        self._tempo_at = now
        share = self._allowance.per_second(now) / rate.per_second
        slowed = rate.scaled(self._tempo.at_most(share))
        count = max(1, min(self.workers, int(rate.per_second * _LEASE_SECONDS)))

        def plan(next_free: float) -> tuple[tuple[float, ...], float]:
            # The clock is read in the commit: what was spent waiting for it is past.
            before, self._leased_at = self._leased_at, self._clock.monotonic()
            is_ours = next_free == self._told_free
            made = lease(
                slowed,
                next_free=(
                    self._next_free if is_ours else next_free + self._beside_another(rate, before)
                ),
                now=self._leased_at + self._way_seconds,
                count=count,
            )
            self._next_free = self._told_free = made.next_free
            if self._leased_at < self._shared_until:
                self._kept_before = made.next_free
            else:
                self._told_free += self._delay
            return made.slots, self._told_free

        return plan

    def _beside_another(self, rate: Rate, before: float) -> float:
        """
        Note another run; return by how much its last start, thought to be alone, may be late.

        Args:
            rate: The pace.
            before: When this run leased last. The other has seen that for so long.
        """
        until = 2 * rate.unit_seconds
        self._shared_until = self._leased_at + until
        return _alone_seconds(rate) if self._leased_at >= before + until else 0.0


def _alone_seconds(rate: Rate) -> float:
    """By how much a start of a run that thinks itself alone may be late: it may have to connect."""
    return max(_CONNECTING_SECONDS, 2 * rate.tolerance_seconds(is_shared=False))
