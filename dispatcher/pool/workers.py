"""The concurrent senders: pace, mark, send, record, and again only what was not sent."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, suppress
from enum import StrEnum
from functools import partial
from http import HTTPStatus

from tenacity import AsyncRetrying, retry_if_result, stop_never, wait_none

from dispatcher.client import Client
from dispatcher.errors import StorageFailed
from dispatcher.ledger import Ledger
from dispatcher.model import (
    CallRequest,
    CallState,
    CallStatus,
    DueCall,
    Judgement,
    MarkRefusal,
    Reply,
    RowProblem,
    StopWord,
    Verdict,
    Withdrawal,
)
from dispatcher.pacer import CallTime, workers_needed
from dispatcher.planning import body_of, contact_hash, past_schedule
from dispatcher.policy import Conduct, judge
from dispatcher.pool.clients import Clients
from dispatcher.pool.crew import Crew, Work
from dispatcher.pool.observing import Observer, strict_message
from dispatcher.pool.outcomes import Outcomes
from dispatcher.pool.recorder import Recorder
from dispatcher.pool.records import given_up, mark_of, outcome_of
from dispatcher.pool.settings import Clock, Dispatched, PoolSettings, Unrecorded
from dispatcher.pool.slots import LATE_SECONDS, SLOWEST_SECONDS, Slots
from dispatcher.pool.source import Source
from dispatcher.pool.stops import Stops
from dispatcher.pool.times import Moment, Times
from dispatcher.pool.traffic import Traffic

_ASIDE_SECONDS = 0.2
_PATIENCE_SECONDS = 120.0  # another run's call ends sooner, unless that run is dead
_TICK_SECONDS = 0.25


class _Step(StrEnum):
    """What became of one try at a call."""

    DONE = "done"
    NOT_SENT = "not_sent"  # and may be tried again by this run
    STOPPED = "stopped"


class Pool:
    """
    One run's workers.

    Each worker takes a call, waits for its turn and its slot, marks the call ``sending`` in the
    ledger, and sends it once the mark is durable. Its outcome is queued before the mark of the
    worker's next call, and the ledger keeps the order: the next one is sent only when the outcome
    is durable too. So a killed process leaves at most one call per worker in doubt, and nothing was
    sent that was not marked before.

    Args:
        ledger: Open for writing, its campaign held by this process.
        calls: What is due, in order.
        settings: The frame of the run.
        connect: Makes one client; there is one for each worker.
        tell: Called a few times a second while the run lives, for the bar.
        lost: Called at once with each outcome the ledger could not take.
        clock: Time and chance.
    """

    def __init__(
        self,
        *,
        ledger: Ledger,
        calls: Iterator[DueCall],
        settings: PoolSettings,
        connect: Callable[[], Client],
        tell: Callable[[], None],
        lost: Callable[[Unrecorded], None] = lambda _unrecorded: None,
        clock: Clock | None = None,
    ) -> None:
        self._ledger = ledger
        self._settings = settings
        self._tell = tell
        self._clock = clock or Clock()
        self._times = Times(self._clock)
        self._stops = Stops(ledger, settings, self._times, stop=self.stop)
        self._source = Source(self._not_past(calls), limit=settings.limit)
        self._conduct = Conduct(settings.conduct)
        self._traffic = Traffic(self._conduct, self._clock)
        self._clients = Clients(connect)
        self._refused_at: dict[str, float] = {}
        self._calling: set[str] = set()
        self._pending_again: set[str] = set()
        self._outcomes = Outcomes(lost=lost, failed=self._stop_after, repeated=self._repeated)
        self._busy = CallTime()
        self._answering = CallTime()

    @property
    def counts(self) -> Counter[CallStatus]:
        """Outcomes so far, for the bar."""
        return self._outcomes.counts

    @property
    def held(self) -> tuple[float, str] | None:
        """Until when (monotonic seconds) and why the run waits, or None."""
        return self._conduct.held

    @property
    def outage_since(self) -> float | None:
        """When the API was first found away or failing (monotonic seconds), or None."""
        return self._conduct.outage_since

    @property
    def stopped(self) -> StopWord | None:
        """Why nothing begins any more, or None."""
        return self._conduct.stopped

    def stop(self, word: StopWord, message: str) -> None:
        """Begin nothing more; calls in flight finish and are recorded."""
        self._traffic.stop(word, message)

    def abort(self) -> None:
        """Let the requests in flight end now, as uncertain where they began to leave."""
        self._clients.abort()

    async def run(self) -> Dispatched:
        """
        Place the calls.

        Returns:
            What was done, also after a stop and after a ledger that failed.
        """
        with Recorder(
            self._ledger, repeat_after_hours=self._settings.repeat_after_hours
        ) as recorder:
            self._recorder = recorder
            self._slots = Slots(
                recorder,
                rate=self._settings.rate,
                base_url=self._settings.base_url,
                workers=self._settings.workers,
                clock=self._clock,
                strict=self._settings.strict,
            )
            self._observer = Observer(self._slots, self._traffic, self._clock)
            async with AsyncExitStack() as stack:
                self._crew = Crew(lambda: self._hire(stack), failed=self._stop_after)
                await self._stops.check_asked()  # it may have been asked before it began
                await self._grow()
                ticking = asyncio.create_task(self._tick())
                try:
                    await self._crew.work()
                finally:
                    await self._outcomes.settled()
                    ticking.cancel()
            with suppress(StorageFailed):
                await self._slots.close()
        return await self._dispatched()

    async def _hire(self, stack: AsyncExitStack) -> Work:
        await self._clients.add(stack)
        return self._work()

    async def _grow(self) -> None:
        """Have as many workers as were asked for, or as the pace needs."""
        seconds = self._busy.seconds + self._slots.ahead_seconds / 2  # all are taken twice
        needed = workers_needed(self._settings.rate, seconds=seconds)
        await self._crew.grow_to(self._settings.workers or needed)
        self._slots.workers = self._crew.size

    def _stop_after(self, fault: BaseException) -> None:
        message = fault.message if isinstance(fault, StorageFailed) else str(fault)
        self.stop(StopWord.LEDGER_FAILED, message)

    async def _tick(self) -> None:
        while True:
            self._stops.check_time()
            await self._stops.check_asked()
            await self._grow()
            self._tell()
            await asyncio.sleep(_TICK_SECONDS)

    async def _dispatched(self) -> Dispatched:
        if self._conduct.stopped is None and await self._source.is_limited():
            self.stop(StopWord.LIMIT, f"As asked by --limit {self._settings.limit}")
        return Dispatched(
            stopped=self._conduct.stopped,
            message=self._conduct.message or self._cost_of_strictness(),
            counts=dict(self.counts),
            unrecorded=tuple(self._outcomes.unrecorded),
        )

    def _cost_of_strictness(self) -> str:
        rate = self._settings.rate if self._settings.strict else None
        return strict_message(rate, seconds=self._answering.seconds)

    def _not_past(self, calls: Iterator[DueCall]) -> Iterator[DueCall]:
        now = self._times.started_at
        return (call for call in calls if past_schedule(call.request, now=now) is None)

    async def _work(self) -> None:
        while (call := await self._source.take()) is not None:
            step = await self._try(call)
            if step is _Step.NOT_SENT:
                again = AsyncRetrying(
                    retry=retry_if_result(lambda step: step is _Step.NOT_SENT),
                    stop=stop_never,
                    wait=wait_none(),  # the turn waits: a hold is the run's, not the call's
                )
                step = await again(self._try, call)
            if step is _Step.STOPPED:
                return

    async def _try(self, call: DueCall) -> _Step:
        self._stops.check_time()
        if not await self._traffic.turn(self._look):
            return _Step.STOPPED
        try:
            slot = await self._slots.next(self._traffic.clear_until)
            if slot is None:
                return _Step.NOT_SENT
            with self._clients.lent() as client:
                await client.open()  # before the mark: connecting would make the start late
                if await self._traffic.clear_until(self._clock.monotonic()):
                    return await self._mark_and_send(call, slot, client)
            self._slots.give_back(slot)
            return _Step.NOT_SENT
        finally:
            self._traffic.release()

    async def _mark_and_send(self, call: DueCall, slot: float, client: Client) -> _Step:
        moment = self._times.now()
        if (past := past_schedule(call.request, now=moment.latest)) is not None:
            self._slots.give_back(slot)
            return await self._give_up(call, past)
        body = self._body(call, moment)
        state = self._state_of(call)
        answer = await self._recorder.change(mark_of(call, state, body, moment))
        if isinstance(answer, MarkRefusal):
            self._slots.give_back(slot)
            return await self._refused(call, answer)
        attempt = int(answer)
        if not await self._may_start(slot, moment):
            self._slots.give_back(slot)
            key = call.request.key
            await self._recorder.change(Withdrawal(key=key, attempt=attempt, state=state))
            return _Step.NOT_SENT
        return await self._send(call, attempt, body, client)

    async def _may_start(self, slot: float, marked: Moment) -> bool:
        """Wait for the slot; True with the start noted, False when the call must be withdrawn."""
        latest = min(max(slot, self._clock.monotonic()), slot + SLOWEST_SECONDS) + LATE_SECONDS
        wanted = await self._slots.wanted(slot)
        while wanted is not None and self._clock.monotonic() <= latest:
            due = self._slots.earliest(wanted)
            is_clear = await self._traffic.clear_until(due)
            if not is_clear or self._times.has_slept_since(marked):
                return False
            if self._slots.has_passed(due):
                wanted = await self._slots.another()
            elif self._slots.begins(wanted):
                return True
        return False

    async def _send(self, call: DueCall, attempt: int, body: bytes, client: Client) -> _Step:
        began, number = self._clock.monotonic(), self._slots.started
        contact = call.request.contact
        self._calling.add(contact)
        result = await client.place(body)
        self._slots.ended()
        self._answering.took(self._clock.monotonic() - began)
        judgement = judge(result, contact_hash_sent=contact, contact_hash_of=contact_hash)
        self._record(call, attempt, judgement, began)  # before anything else can go wrong
        self._observer.observe(result, judgement, number=number)
        if judgement.verdict is Verdict.NOT_SENT:
            self._pending_again.add(call.request.key)
            return _Step.NOT_SENT
        return _Step.DONE

    def _record(self, call: DueCall, attempt: int, judgement: Judgement, began: float) -> None:
        outcome = outcome_of(call, attempt, judgement, self._clock.now())
        over = partial(self._over, call.request.contact, began)
        self._outcomes.queue(self._recorder, call.request, outcome, over=over)

    def _over(self, contact: str, began: float) -> None:
        self._busy.took(self._clock.monotonic() - began)
        self._calling.discard(contact)

    def _repeated(self, request: CallRequest) -> None:
        message = f"row {request.row} was answered with a call id that another call already has; "
        self.stop(StopWord.NOT_THE_API, message + "ask ContactShip before you go on")

    async def _give_up(self, call: DueCall, why: RowProblem) -> _Step:
        """Record a call that cannot be sent any more: its time passed after the run began."""
        await self._recorder.change(given_up(call, why, self._clock.now()))
        self.counts[CallStatus.FAILED] += 1
        return _Step.DONE

    async def _refused(self, call: DueCall, refusal: MarkRefusal) -> _Step:
        self._source.give_back()
        if refusal is MarkRefusal.BEING_CALLED and self._may_offer(call):
            await self._traffic.clear_until(self._clock.monotonic() + _ASIDE_SECONDS)
            self._source.put_aside(call)
        elif refusal is not MarkRefusal.CHANGED:
            self.counts[CallStatus.SKIPPED] += 1
        return _Step.DONE

    def _state_of(self, call: DueCall) -> CallState:
        """What was not sent is pending, also where it had failed or been rejected before."""
        return CallState.PENDING if call.request.key in self._pending_again else call.state

    def _may_offer(self, call: DueCall) -> bool:
        """Once more, or for as long as another call may take where calling again is wanted."""
        now = self._clock.monotonic()
        is_first = call.request.key not in self._refused_at
        since = self._refused_at.setdefault(call.request.key, now)
        if self._settings.repeat_after_hours:
            return is_first
        return call.request.contact in self._calling or now - since < _PATIENCE_SECONDS

    async def _look(self) -> bool:
        if not await self._may_look():
            return False
        with self._clients.lent() as client:
            answer = await client.look("/v1/credits")
        self._slots.ended()
        return isinstance(answer, Reply) and answer.status < HTTPStatus.INTERNAL_SERVER_ERROR

    async def _may_look(self) -> bool:
        """Wait for a slot, also in a hold; True with the start noted, False after a stop."""
        slot = await self._slots.next(self._traffic.going_until)
        while slot is not None and await self._traffic.going_until(self._slots.earliest(slot)):
            if self._slots.begins(slot):
                return True
        return False

    def _body(self, call: DueCall, moment: Moment) -> bytes:
        # A delay counts from the later opinion: a schedule that is past would ring at once.
        name, delay = self._settings.campaign, self._settings.delay
        return body_of(call.request, campaign=name, now=moment.latest, delay=delay)
