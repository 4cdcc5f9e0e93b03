"""
A world whose clock jumps, whose network and disk obey a seed, and whose processes can die.

The proofs that nobody is called twice and nothing is lost. Short forms run with all tests; the
long ones by ``python -m pytest tests/proof --slow``, which tells their figures at its end. The
sizes can be set by the environment: PROOF_KILLS (200), PROOF_SCHEDULES (5000) and
PROOF_SOAK_MINUTES (30; 0 leaves the soak out).
"""

from __future__ import annotations

import asyncio
import contextvars
import json
import os
import selectors
import shutil
import sqlite3
import tempfile
import uuid
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Self, TypeVar

import httpx
import pytest

from dispatcher.client import Client
from dispatcher.errors import StorageFailed
from dispatcher.ledger import DueRules, Ledger, RecordedOutcome, open_ledger
from dispatcher.ledger.call_ids import spelled_id
from dispatcher.model import (
    CallRequest,
    CallState,
    Campaign,
    Mark,
    MarkRefusal,
    Outcome,
    PlannedRow,
    Purpose,
    Snapshot,
    SnapshotHead,
    StopWord,
    Withdrawal,
)
from dispatcher.planning import DelayMode, call_key, contact_hash, request_digest
from dispatcher.policy import STOPPING_CODES, ConductRules
from dispatcher.pool import Clock, Dispatched, Pool, PoolSettings, workers
from dispatcher.pool.recorder import Changed, Plan, Recorder

EPOCH = datetime(2026, 6, 15, 12, tzinfo=UTC)
API = "http://127.0.0.1:9"
HOURS = 20
RULES = DueRules(stopping_codes=STOPPING_CODES)
TICK_SECONDS = 10.0  # seldom enough for hours that pass in no time
ASIDE_SECONDS = 2.0  # the same, for a call that waits for another to its contact
FOREVER = 30 * 86400.0
TRANSIT_SECONDS = (*(0.001, 0.01, 0.2) * 8, 30.0, 500.0)  # some arrive after everybody gave up
LONGEST_END_SECONDS = 80.0  # the deadlines of a connection and an answer, and a slow disk

Rows = tuple[tuple[int, str, float], ...]
"""Of each row: contact, further key value, minutes of delay."""


def _sheets(first: int, shared: int, last: int) -> dict[str, Rows]:
    """Two campaigns: those from *shared* to *first* stand in both, two people twice in one."""
    return {
        "mora": (
            *((n, "", 90.0 if n == shared - 2 else 0.0) for n in range(first)),
            *((n, "2", 0.0) for n in (1, shared)),
        ),
        "otra": tuple((n, "", 0.0) for n in range(shared, last)),
    }


SHEETS = {
    "few": _sheets(4, 2, 5),
    "usual": _sheets(11, 7, 15),
    "many": _sheets(40, 30, 60),
}

T = TypeVar("T")
Changes = Sequence[Mark | Outcome | Withdrawal]


class StuckError(RuntimeError):
    """Nothing is left to do that will ever end."""


class DiedError(Exception):
    """The process is dead and does nothing any more."""


class _Jumping(selectors.SelectSelector):
    """Waits for nothing: where a loop would sleep, its clock jumps."""

    loop: VirtualLoop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None or self.loop.passed > FOREVER:
            raise StuckError
        self.loop.passed += timeout + 1e-6  # to compute takes time too
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop on a clock of its own; what others do in threads it does in place."""

    def __init__(self) -> None:
        selector = _Jumping()
        selector.loop = self
        self.passed = 1000.0
        self.faults: list[object] = []
        super().__init__(selector)
        self.set_exception_handler(self._note_fault)
        self.set_task_factory(_owned_task)  # type: ignore[arg-type]

    def time(self) -> float:
        return self.passed

    def _note_fault(self, _: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
        """Keep what nobody heard of, but for what the dead left and what a broken disk said."""
        fault = context.get("exception")
        if not isinstance(fault, DiedError | StorageFailed | asyncio.CancelledError):
            self.faults.append(fault or context["message"])

    def _write_to_self(self) -> None:
        """Wake nobody: there are no other threads."""

    def run_in_executor(  # type: ignore[override]
        self, _executor: None, function: Callable[..., T], *arguments: object
    ) -> asyncio.Future[T]:
        future: asyncio.Future[T] = self.create_future()
        try:
            future.set_result(function(*arguments))
        except BaseException as fault:  # noqa: BLE001 - whoever waits must hear of it
            future.set_exception(fault)
        return future


_owner: contextvars.ContextVar[Process] = contextvars.ContextVar("owner")


def _owned_task(
    loop: asyncio.AbstractEventLoop, work: Coroutine[object, object, T], **options: object
) -> asyncio.Task[T]:
    task = asyncio.Task(work, loop=loop, **options)  # type: ignore[arg-type]
    owner = _owner.get(None)
    if owner is not None:
        owner.tasks.append(task)
    return task


# The server


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """
    How the API treats one request.

    Attributes:
        arrives: The request reaches it.
        accepts: It places the call.
        status: What it answers, 0 for nothing.
        body: The answer, with ``{id}`` and ``{contact}`` filled in.
        share: Part of the answer's body that arrives.
        headers: Further headers.
        seconds: How long it thinks.
    """

    arrives: bool = True
    accepts: bool = False
    status: int = 0
    body: str = '{"message":"so"}'
    share: float = 1.0
    headers: tuple[tuple[str, str], ...] = ()
    seconds: float = 0.05


PLACED_BODY = '{"statusCode":201,"data":{"call_id":"{id}","contact_id":"{contact}"}}'
PLACED = Manner(accepts=True, status=201, body=PLACED_BODY)
HTML = (("content-type", "text/html"),)
TOO_MANY = Manner(status=429)

ROUGH: tuple[tuple[float, Manner], ...] = (
    (40, PLACED),
    (6, replace(PLACED, seconds=3.0)),
    (5, replace(PLACED, status=0)),  # the answer is lost
    (3, replace(PLACED, seconds=200.0)),  # and later than anybody waits
    (3, replace(PLACED, share=0.4)),
    (3, replace(PLACED, share=0.9)),
    (4, replace(PLACED, status=500)),
    (4, Manner(status=503)),
    (3, Manner(arrives=False)),
    (3, Manner(seconds=200.0, status=500)),
    (2, Manner(status=408)),
    (2, replace(PLACED, status=409)),
    (6, TOO_MANY),
    (3, replace(TOO_MANY, headers=(("retry-after", "1"),))),
    (2, replace(TOO_MANY, headers=(("retry-after", "0"),))),
    (2, replace(TOO_MANY, headers=(("retry-after", "30"),))),
    (1, replace(TOO_MANY, headers=(("retry-after", "31536000"),))),
    (1, replace(TOO_MANY, headers=(("retry-after", "soon"),))),
    (5, Manner(status=422)),
    (3, Manner(status=404)),
    (2, Manner(status=401)),
    (2, Manner(status=402)),
    (1, Manner(status=307)),
    (1, Manner(status=400, body="<html>", headers=HTML)),
    (1, replace(PLACED, status=200, body="<html>", headers=HTML)),
    (2, replace(PLACED, body="{}")),
    (1, replace(PLACED, body=PLACED_BODY.replace("{contact}", "somebody-else"))),
    (1, replace(PLACED, body=PLACED_BODY.replace("{id}", "{other}"))),
    (2, replace(PLACED, headers=(("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "7")))),
)
CALM: tuple[tuple[float, Manner], ...] = ((1, PLACED),)
WEATHER = {
    "calm": CALM,
    "refusing": ((1, Manner(status=422)),),
    "broken": ((1, Manner(status=500)),),
    "full": ((1, TOO_MANY),),
    "busy": ((1, PLACED), (1, replace(TOO_MANY, headers=(("retry-after", "1"),)))),
    "rough": ROUGH,
    "failing": tuple(pair for pair in ROUGH if pair[1].status >= 500) * 4 + ROUGH,
    "stingy": tuple(pair for pair in ROUGH if pair[1].status == 429) * 4 + ROUGH,
}


@dataclass(slots=True, kw_only=True)
class Accepted:
    """
    A phone that rings.

    Attributes:
        key: The call.
        contact: Who is called.
        at: Seconds on the world's clock.
        call_id: The id given.
        by: The process that asked.
        is_told: The whole answer reached the process.
    """

    key: str
    contact: str
    at: float
    call_id: str
    by: Process
    is_told: bool = False


class Body(httpx.AsyncByteStream):
    """What arrives of an answer."""

    def __init__(self, content: bytes, *, share: float, on_end: Callable[[], None]) -> None:
        self._content = content
        self._share = share
        self._on_end = on_end

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self._content[: int(len(self._content) * self._share)]
        await asyncio.sleep(0.001)
        if self._share < 1:
            raise httpx.ReadError("reset")
        self._on_end()


class Wire(httpx.AsyncBaseTransport):
    """One connection from one process to the API."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._world = process.world

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        process, world, random = self._process, self._world, self._world.random
        trace = request.extensions["trace"]
        process.begins()
        await trace("connection.connect_tcp.started", {})
        await process.step()
        await asyncio.sleep(random.choice((0.0, 0.001, 0.02)))
        if not world.is_reachable():
            await asyncio.sleep(random.choice((0.0, 0.0, 600.0)))
            raise httpx.ConnectError("refused")
        await process.step()
        await trace("http11.send_request_headers.started", {"request": request})
        answer: asyncio.Future[httpx.Response] = asyncio.get_running_loop().create_future()
        body = request.read() if request.method == "POST" else b""
        if body:
            process.must_be_marked(body)
        world.carry(body, answer, by=process)  # the bytes are out, whatever becomes of us
        await process.step()
        response = await answer
        await process.step()
        return response


# The processes


class DrivenRecorder(Recorder):
    """The recorder without its thread: it writes what is queued when the disk's time has come."""

    def __enter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self._is_due = False
        return self

    def __exit__(self, *_: object) -> None:
        self._turn()

    def change(self, change: Mark | Outcome | Withdrawal) -> asyncio.Future[Changed]:
        future = super().change(change)
        self._arrange()
        return future

    def lease(self, base_url: str, plan: Plan) -> asyncio.Future[tuple[float, ...]]:
        future = super().lease(base_url, plan)
        self._arrange()
        return future

    def _arrange(self) -> None:
        if not self._is_due:
            self._is_due = True
            assert isinstance(self._ledger, WatchedLedger)
            self._loop.call_later(self._ledger.process.world.disk_seconds(), self._turn)

    def _turn(self) -> None:
        self._is_due = False
        self._write(self._queued())


class WatchedLedger(Ledger):
    """A process's ledger: it dies with it, breaks when told, and all that it promised is kept."""

    def __init__(self, opened: Ledger, process: Process) -> None:
        super().__init__(
            opened._storage, ledger_id=opened.id, purpose=opened.purpose, is_new=opened.is_new
        )
        self.process = process

    def commit(
        self, work: Changes, *, repeat_after_hours: float
    ) -> list[int | MarkRefusal | RecordedOutcome]:
        process = self.process
        process.count_step()
        process.must_live()
        if process.disk is Disk.FULL:
            raise StorageFailed("the disk is full")
        answers = super().commit(work, repeat_after_hours=repeat_after_hours)
        process.world.on_commit(process)
        process.count_step()
        process.must_live()
        if process.disk is Disk.UNSURE:
            raise StorageFailed("input/output error")
        for change, answer in zip(work, answers, strict=True):
            process.promised(change, answer)
        return answers

    def reserve(
        self, base_url: str, plan: Callable[[float], tuple[tuple[float, ...], float]]
    ) -> tuple[float, ...]:
        self.process.must_live()
        if self.process.disk is not Disk.WELL:
            raise StorageFailed("the disk is full")
        return super().reserve(base_url, plan)


class Disk:
    """How a process's disk does."""

    WELL = "well"
    FULL = "full"  # nothing is written any more
    UNSURE = "unsure"  # what was written is reported as lost


class Fate:
    """What befalls a process."""

    STOP = "stop"
    ASKED = "asked"  # by another process, through the ledger
    ABORT = "abort"
    KILL = "kill"
    FULL = "full"
    UNSURE = "unsure"
    SUSPEND = "suspend"
    CLOCK = "clock"


@dataclass(slots=True, kw_only=True, eq=False)
class Process:
    """
    One run of the dispatcher on one campaign.

    Attributes:
        world: Where it lives.
        campaign: Which one it runs.
        settings: As the pool takes them.
        fates: (step, fate): what befalls it before which of its steps, in order.
        alarms: (seconds, fate): what befalls it how long after its beginning.
    """

    world: World
    campaign: str
    settings: PoolSettings
    rules: DueRules
    fates: deque[tuple[int, str]] = field(default_factory=deque)
    alarms: tuple[tuple[float, str], ...] = ()
    tasks: list[asyncio.Task[object]] = field(default_factory=list)
    steps: int = 0
    is_dead: bool = False
    disk: str = Disk.WELL
    pool: Pool | None = None
    done: Dispatched | None = None
    began_at: float = 0.0
    stopped_at: float = FOREVER
    starts: list[float] = field(default_factory=list)
    kept: Counter[str] = field(default_factory=Counter)
    on_tick: Callable[[Pool | None], None] = lambda _: None

    async def live(self) -> None:
        """Do what ``run`` does between recording the sheet and writing the results."""
        _owner.set(self)
        for seconds, fate in self.alarms:
            self.world.loop.call_later(seconds, self._alarm, fate)
        try:
            await self._run(WatchedLedger(self.world.opened, self))
        except (DiedError, asyncio.CancelledError):
            if not self.is_dead:
                raise

    async def _run(self, ledger: WatchedLedger) -> None:
        world = self.world
        known, snapshot = world.recording(self.campaign)
        hours = self.settings.repeat_after_hours
        with ledger.holding.hold(self.campaign):
            ledger.settle_left_over(known.id, at=world.now())
            due = ledger.due(snapshot, self.rules, repeat_after_hours=hours, as_of=world.now())
            self.pool = Pool(
                ledger=ledger,
                calls=due,
                settings=self.settings,
                connect=self._connect,
                tell=lambda: self.on_tick(self.pool),
                clock=Clock(monotonic=world.time, now=world.now, chance=world.random.random),
            )
            self.began_at = world.time()
            self.done = await self.pool.run()
            if world.lasted(self.stopped_at) > LONGEST_END_SECONDS:
                world.violated(
                    f"{self.campaign} ended {world.lasted(self.stopped_at)} s after a stop"
                )

    def _connect(self) -> Client:
        return Client(
            base_url=API,
            api_key="key",
            connect_timeout_seconds=10,
            answer_timeout_seconds=60,
            transport=Wire(self),
        )

    def die(self) -> None:
        """End like a process that was killed: at once, with nothing written or sent any more."""
        self.is_dead = True
        left = self.world.states(self.campaign)[CallState.SENDING]
        if left > self.settings.workers:
            self.world.violated(f"{left} calls in doubt after a kill of {self.campaign}")
        for task in self.tasks:
            self.world.loop.call_soon(task.cancel)

    def must_live(self) -> None:
        if self.is_dead:
            raise DiedError

    async def step(self) -> None:
        """Count a step of the network; the dead take none."""
        self.count_step()
        if self.is_dead:
            await asyncio.sleep(FOREVER)

    def count_step(self) -> None:
        self.steps += 1
        while self.fates and self.fates[0][0] <= self.steps and not self.is_dead:
            self._meet(self.fates.popleft()[1])

    def _alarm(self, fate: str) -> None:
        if self.done is None and not self.is_dead:
            self._meet(fate)

    def _meet(self, fate: str) -> None:
        world = self.world
        match fate:
            case Fate.STOP | Fate.ABORT if self.pool is not None:
                self.pool.stop(StopWord.SIGNAL, "stopped")
                self.stopped_at = min(self.stopped_at, world.lived)
                if fate == Fate.ABORT:
                    self.pool.abort()
            case Fate.ASKED:
                world.opened.holding.ask(self.campaign, at=world.now())
            case Fate.KILL:
                self.die()
            case Fate.FULL | Fate.UNSURE:
                self.disk = fate
            case Fate.SUSPEND:
                world.sleep(world.random.choice((2.0, 40.0, 4000.0)))
            case _:
                world.ahead += timedelta(hours=world.random.choice((-3.0, -0.1, 0.1, 1.0)))

    def begins(self) -> None:
        """Note that a request starts, and judge whether it may."""
        if self.is_dead:
            return
        if self.pool is not None and self.pool._conduct.stopped is not None:
            self.world.violated(f"a request of {self.campaign} started after a stop")
        self.starts.append(self.world.time())
        bound = self.settings.max_seconds
        if bound and self.starts[-1] - self.began_at > bound + TICK_SECONDS:
            self.world.violated(f"a request of {self.campaign} started after the time set")

    def must_be_marked(self, body: bytes) -> None:
        """Judge whether the ledger knows of a request before its first byte leaves."""
        key = json.loads(body)["metadata"]["dispatch_key"]
        state, attempts = self.world.read(
            "SELECT state, attempts FROM calls WHERE key = ?", bytes.fromhex(key)
        )[0]
        if state != CallState.SENDING or not attempts:
            self.world.violated(f"a request left while its call was {state}")

    def promised(
        self, change: Mark | Outcome | Withdrawal, answer: int | MarkRefusal | RecordedOutcome
    ) -> None:
        """Keep what a commit that returned has promised."""
        if answer is MarkRefusal.CHANGED:
            self.world.violated(f"a call of {self.campaign} was not what its run thought")
        if isinstance(change, Outcome):
            self.kept[change.state] += 1
            if answer is RecordedOutcome.LATE:
                self.world.violated(f"an outcome of {self.campaign} came late")
            if change.call_id:
                self.world.promises[change.key] = change.call_id


# The world


class World:
    """
    One schedule: a ledger, an API and the processes that live on one clock.

    Attributes:
        weather: How the API treats requests: a word of ``WEATHER``.
        away: (from, to) in seconds: when it cannot be reached.
        transit: Seconds a request may be on its way.
        in_air: key -> requests that left and have not arrived.
        promises: key -> call id of what was durable.
        violations: What must never happen and did.
    """

    def __init__(self, opened: Ledger, seed: object) -> None:
        self.random = Random(str(seed))
        self.loop = VirtualLoop()
        self.opened = opened
        self.ahead = timedelta()
        self.weather = "calm"
        self.away: list[tuple[float, float]] = []
        self.transit: tuple[float, ...] = TRANSIT_SECONDS
        self.disk_pace: tuple[float, ...] = (0.0, 0.003)
        self.accepted: list[Accepted] = []
        self.in_air: Counter[str] = Counter()
        self.promises: dict[str, str] = {}
        self.violations: list[str] = []
        self.processes: list[Process] = []
        self.on_commit: Callable[[Process], None] = lambda _: None
        self._recordings: dict[str, tuple[Campaign, Snapshot]] = {}
        self._ids = 0
        self._slept = 0.0
        self._reader = sqlite3.connect(opened.location, isolation_level=None)
        self._reader.create_function("spelled_id", 1, lambda kept: kept and spelled_id(kept))

    def close(self) -> None:
        self._reader.close()
        self.opened.close()
        self.loop.close()

    def time(self) -> float:
        return self.loop.passed

    @property
    def lived(self) -> float:
        """Seconds the machine was awake."""
        return self.loop.passed - self._slept

    def lasted(self, since: float) -> float:
        """Seconds the machine was awake after *since*, below 0 if it was never reached."""
        return self.lived - since

    def wait(self, seconds: float) -> None:
        """Let time pass, and what is on its way arrive."""
        self.loop.run_until_complete(asyncio.sleep(seconds))

    def sleep(self, seconds: float) -> None:
        """Suspend the machine."""
        self.loop.passed += seconds
        self._slept += seconds

    def now(self) -> datetime:
        return EPOCH + self.ahead + timedelta(seconds=self.loop.passed)

    def disk_seconds(self) -> float:
        return self.random.choice(self.disk_pace)

    def is_reachable(self) -> bool:
        return not any(start <= self.time() < end for start, end in self.away)

    def read(self, statement: str, *values: object) -> list[tuple[object, ...]]:
        return self._reader.execute(statement, values).fetchall()

    def recording(self, campaign: str) -> tuple[Campaign, Snapshot]:
        """The campaign and the snapshot of its sheet, which no run of a world records anew."""
        if campaign not in self._recordings:
            known = self.opened.campaign(campaign)
            assert known is not None
            snapshot = self.opened.last_snapshot(known.id)
            assert snapshot is not None
            self._recordings[campaign] = known, snapshot
        return self._recordings[campaign]

    def states(self, campaign: str = "") -> Counter[object]:
        rows = self.read(
            "SELECT state FROM calls JOIN campaigns ON campaigns.id = campaign_id"
            " WHERE name = ? OR ? = ''",
            campaign,
            campaign,
        )
        return Counter(state for (state,) in rows)

    def violated(self, what: str) -> None:
        self.violations.append(what)

    def process(
        self,
        campaign: str,
        *fates: tuple[int, str],
        alarms: tuple[tuple[float, str], ...] = (),
        rules: DueRules = RULES,
        **settings: object,
    ) -> Process:
        """Make a process; it begins to live in ``run``."""
        frame = PoolSettings(
            campaign=campaign,
            base_url=API,
            workers=3,
            rate=None,
            delay=DelayMode.SCHEDULE,
            repeat_after_hours=HOURS,
            conduct=ConductRules(),
        )
        process = Process(
            world=self,
            campaign=campaign,
            settings=replace(frame, **settings),  # type: ignore[arg-type]
            rules=rules,
            fates=deque(fates),
            alarms=alarms,
        )
        self.processes.append(process)
        return process

    def run(self, *processes: Process, apart: float = 0.0) -> None:
        """Let processes live side by side until all have ended or died."""

        async def live() -> None:
            tasks = []
            for process in processes:
                tasks.append(asyncio.create_task(process.live()))
                await asyncio.sleep(apart)
            await asyncio.gather(*tasks)
            for process in processes:
                await asyncio.gather(*process.tasks, return_exceptions=True)

        self.loop.run_until_complete(live())

    def settle(self, share: float) -> None:
        """Let a person who knows the truth settle some of the uncertain calls."""
        rows = self.read("SELECT key, campaign_id FROM calls WHERE state = 'uncertain'")
        truth = {call.key: call.call_id for call in self.accepted}
        taken = {call_id for (call_id,) in self.read("SELECT spelled_id(call_id) FROM calls")}
        for key, campaign_id in rows:
            assert isinstance(key, bytes)
            assert isinstance(campaign_id, int)
            call_id = truth.get(key.hex())
            if self.random.random() > share or self.in_air[key.hex()] or call_id in taken:
                continue
            self.opened.resolve(
                campaign_id, key.hex(), call_id=call_id, reason="", user="ana", at=self.now()
            )
            if call_id:
                self.promises[key.hex()] = call_id
                taken.add(call_id)

    def carry(self, body: bytes, answer: asyncio.Future[httpx.Response], *, by: Process) -> None:
        """Bring a request to the API, and what it says back, in their own time."""
        manner = self._manner() if body else Manner(status=200)
        transit = self.random.choice(self.transit)

        key = json.loads(body)["metadata"]["dispatch_key"] if body else ""
        self.in_air[key] += 1

        def arrive() -> None:
            self.in_air[key] -= 1
            response = self._receive(manner, body, by)
            self.loop.call_later(manner.seconds, lambda: _deliver(answer, response))

        self.loop.call_later(transit, arrive)

    def _manner(self) -> Manner:
        weather = WEATHER[self.weather]
        manners = [manner for _, manner in weather]
        return self.random.choices(manners, [weight for weight, _ in weather])[0]

    def _receive(self, manner: Manner, body: bytes, by: Process) -> httpx.Response | None:
        if not manner.arrives:
            return None
        told = None
        text = manner.body
        if body and manner.accepts:
            asked = json.loads(body)
            self._ids += 1
            told = Accepted(
                key=asked["metadata"]["dispatch_key"],
                contact=asked["contact_id"],
                at=self.time(),
                call_id=str(uuid.UUID(int=self._ids)) if self._ids % 2 else f"id-{self._ids}",
                by=by,
            )
            other = self.accepted[0].call_id if self.accepted else told.call_id
            if "{other}" in text:
                told.call_id = other
            text = text.replace("{id}", told.call_id).replace("{other}", other)
            text = text.replace("{contact}", told.contact)
            self.accepted.append(told)
        if not manner.status:
            return None

        def end() -> None:
            if told is not None and manner.status < 300 and f'"{told.call_id}"' in text:
                told.is_told = True

        stream = Body(text.encode(), share=manner.share, on_end=end)
        headers = [("content-type", "application/json"), *manner.headers]
        return httpx.Response(manner.status, headers=dict(headers), stream=stream)


def _deliver(answer: asyncio.Future[httpx.Response], response: httpx.Response | None) -> None:
    if answer.done():
        return
    if response is None:
        answer.set_exception(httpx.ReadError("reset"))
        answer.exception()  # who asked may be dead
    else:
        answer.set_result(response)


# In which order


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The storm cannot be shared out, so it begins first, with short tests queued behind it."""
    ours = [item for item in items if Path(__file__).parent in item.path.parents]
    ours.sort(key=_turn_of)
    places = [index for index, item in enumerate(items) if item in ours]
    for place, item in zip(places, ours, strict=True):
        items[place] = item


def _turn_of(item: pytest.Item) -> int:
    is_slow = item.get_closest_marker("slow") is not None
    return 2 * is_slow - 3 * (is_slow and "storm" in item.nodeid)


# What the proofs tell

FIGURES = "proof: "


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Add up what the proofs counted, in whichever process they ran."""
    told: dict[str, Counter[str]] = {}
    for report in terminalreporter.getreports("passed"):
        for name, figures in report.user_properties:
            if name.startswith(FIGURES) and isinstance(figures, dict):
                told.setdefault(name.removeprefix(FIGURES), Counter()).update(figures)
    if told:
        terminalreporter.section("proofs")
        terminalreporter.line("| proof | what it lived through | called twice | ids lost |")
        terminalreporter.line("| --- | --- | --- | --- |")
    for name, counts in told.items():
        figures = ", ".join(f"{count:,} {what}" for what, count in counts.items())
        terminalreporter.line(f"| {name} | {figures} | 0 | 0 |")


@pytest.fixture
def tell(request: pytest.FixtureRequest) -> Callable[..., None]:
    """Give figures to the summary: ``tell("storm", kills=3)``."""

    def told(proof: str, **figures: int) -> None:
        named = {what.replace("_", " "): count for what, count in figures.items()}
        request.node.user_properties.append((FIGURES + proof, named))

    return told


# What every proof begins with


def requests_of(campaign: str, rows: Rows) -> list[CallRequest]:
    """The rows of a campaign's sheet as requests."""
    return [
        CallRequest(
            key=call_key(campaign, f"person-{contact}", (further,)),
            contact=contact_hash(f"person-{contact}"),
            row=row,
            contact_id=f"person-{contact}",
            agent_id="agent",
            from_number_id="number",
            delay_minutes=delay,
        )
        for row, (contact, further, delay) in enumerate(rows, start=2)
    ]


def _record(ledger: Ledger, campaign: str, sheet: Rows) -> None:
    head = SnapshotHead(
        file=f"/{campaign}.csv",
        digest="d",
        settings_digest="s",
        format="csv",
        sheet="",
        encoding="utf-8",
        delimiter=",",
        headers=("contact_id",),
    )
    known = ledger.claim_campaign(campaign, key_columns=(), base_url=API)
    rows = [
        PlannedRow(number=request.row, cells=(request.contact_id,), fate=request)
        for request in requests_of(campaign, sheet)
    ]
    ledger.record(known.id, head, rows, digest_of=request_digest, remarks=lambda: (), at=EPOCH)


@pytest.fixture(scope="session")
def memory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder in memory where there is one: the proofs that cut the power have their own."""
    shared = Path("/dev/shm")  # noqa: S108
    if not os.access(shared, os.W_OK):
        yield tmp_path_factory.mktemp("worlds")
        return
    with tempfile.TemporaryDirectory(dir=shared) as folder:
        yield Path(folder)


@pytest.fixture(scope="session")
def recorded(memory: Path) -> dict[str, Path]:
    """Of each size a ledger with two campaigns that share people, recorded and not yet run."""
    files = {size: memory / f"recorded-{size}.db" for size in SHEETS}
    for size, file in files.items():
        with open_ledger(str(file), purpose=Purpose.REAL, create=True) as ledger:
            for campaign, rows in SHEETS[size].items():
                _record(ledger, campaign, rows)
    return files


class Worlds:
    """Makes worlds in memory, one at a time in each place."""

    def __init__(self, folder: Path, recorded: Mapping[str, Path]) -> None:
        self._folder = folder
        self._recorded = recorded
        self._opened: dict[str, Ledger] = {}
        self._worlds: dict[str, World] = {}

    def __call__(
        self,
        seed: object,
        *,
        size: str = "usual",
        place: str = "here",
        image: Path | None = None,
    ) -> World:
        """Make a world from a seed, with a ledger of a size, or as *image* shows it."""
        self.leave(place)
        file = self._folder / f"{place}.db"
        for suffix in ("", "-wal"):
            source = Path(f"{image or self._recorded[size]}{suffix}")
            if source.exists():
                shutil.copy(source, f"{file}{suffix}")
        if place not in self._opened:
            # Opened once: each opening compiles every statement anew.
            self._opened[place] = open_ledger(str(file), purpose=Purpose.REAL, create=False)
        self._worlds[place] = World(self._opened[place], seed)
        return self._worlds[place]

    def leave(self, place: str) -> None:
        if place in self._worlds:
            self._worlds.pop(place).close()
        for path in self._folder.glob(f"{place}.db*"):
            shutil.rmtree(path, ignore_errors=True)
            path.unlink(missing_ok=True)

    def leave_all(self) -> None:
        for place in [*self._worlds]:
            self.leave(place)


@pytest.fixture
def world_of(
    memory: Path, recorded: Mapping[str, Path], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Worlds]:
    """Make a world from a seed; the one before is gone then."""
    monkeypatch.setattr(workers, "Recorder", DrivenRecorder)
    monkeypatch.setattr(workers, "_TICK_SECONDS", TICK_SECONDS)
    monkeypatch.setattr(workers, "_ASIDE_SECONDS", ASIDE_SECONDS)
    worlds = Worlds(memory, recorded)
    yield worlds
    worlds.leave_all()
