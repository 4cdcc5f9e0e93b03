"""The pace of whole runs on a clock that jumps, as a server counts it."""

from __future__ import annotations

import asyncio
import itertools
import math
import selectors
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Self, TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dispatcher.ledger import RecordedOutcome
from dispatcher.model import CallRequest, CallState, DueCall, Mark, NoReply, Reply, StopWord
from dispatcher.pacer import Rate, strict_cost
from dispatcher.planning import DelayMode
from dispatcher.policy import ConductRules
from dispatcher.pool import Clock, Dispatched, Pool, PoolSettings, workers

EPOCH = datetime(2026, 6, 15, 12, tzinfo=UTC)
STALL_SECONDS = 0.3
COMMIT_SECONDS = 0.002
JITTER_SECONDS = 0.002  # of the way to the server
SHARE = 0.985

T = TypeVar("T")
Plan = Callable[[float], tuple[tuple[float, ...], float]]


class _Jumping(selectors.SelectSelector):
    """Waits for nothing: where a loop would sleep, its clock jumps."""

    loop: VirtualLoop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        assert timeout is not None, "nothing is left that could ever happen"
        self.loop.now += timeout + 1e-6  # to compute takes time too
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop on a clock of its own; what others do in threads it does in place."""

    def __init__(self) -> None:
        selector = _Jumping()
        selector.loop = self
        self.now = 1000.0
        super().__init__(selector)

    def time(self) -> float:
        return self.now

    def run_in_executor(  # type: ignore[override]
        self, _executor: None, function: Callable[..., T], *arguments: object
    ) -> asyncio.Future[T]:
        future: asyncio.Future[T] = self.create_future()
        future.set_result(function(*arguments))
        return future


@dataclass(slots=True, kw_only=True)
class Server:
    """
    Counts what arrives.

    Attributes:
        loop: Its clock.
        latency: Seconds until an answer, drawn for each.
        connecting_seconds: The longest it takes to connect.
        answer: What it says, given the time, instead of placing the call; None to place it.
        told: Limit, remaining and reset, given the time.
        arrivals: When requests arrived.
    """

    loop: VirtualLoop
    random: Random
    latency: Callable[[], float]
    connecting_seconds: float = 0.3
    answer: Callable[[float], Reply | None] = lambda _now: None
    told: Callable[[float], tuple[str, str, str]] = lambda _now: ("", "", "")
    arrivals: list[float] = field(default_factory=list)
    refused: int = 0
    ids: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[Connection]:
        yield Connection(self)

    async def place(self, _body: bytes) -> Reply | NoReply:
        await asyncio.sleep(self.random.random() * JITTER_SECONDS)
        now = self.loop.time()
        self.arrivals.append(now)
        refusal = self.answer(now)
        reply = refusal or Reply(status=201, body=b'{"call_id":"id-%d"}' % next(self.ids))
        limit, remaining, reset = self.told(now)
        self.refused += refusal is not None
        await asyncio.sleep(self.latency())
        return replace(reply, limit=limit, remaining=remaining, reset=reset)

    def most_in(self, unit_seconds: float) -> int:
        """The most arrivals that any window of the unit holds."""
        moments = sorted(self.arrivals)
        most, first = 0, 0
        for last, moment in enumerate(moments):
            while moment - moments[first] >= unit_seconds:
                first += 1
            most = max(most, last - first + 1)
        return most


class Connection:
    """One worker's; it takes its time to be made, when it is opened or else with the first call."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._is_open = False

    async def open(self) -> None:
        if not self._is_open:
            self._is_open = True
            await asyncio.sleep(self._server.random.random() * self._server.connecting_seconds)

    async def place(self, body: bytes) -> Reply | NoReply:
        await self.open()
        return await self._server.place(body)


class Book:
    """The ledger of several runs, and their recorder: every commit takes its time."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop
        self.next_free = 0.0
        self.leases = 0
        self.holding = self

    def asked_by(self, _campaign: str) -> str:
        return ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_fault: object) -> None:
        pass

    def change(self, change: object) -> asyncio.Future[object]:
        done = 1 if isinstance(change, Mark) else RecordedOutcome.STORED
        return self._later(lambda: done)

    def lease(self, _base_url: str, plan: Plan) -> asyncio.Future[tuple[float, ...]]:
        self.leases += 1
        slots = self._reserve(plan)
        return self._later(lambda: slots)

    def _reserve(self, plan: Plan) -> tuple[float, ...]:
        slots, self.next_free = plan(self.next_free)
        return slots

    def _later(self, result: Callable[[], T]) -> asyncio.Future[T]:
        future: asyncio.Future[T] = self._loop.create_future()

        def resolve() -> None:
            if not future.done():
                future.set_result(result())

        self._loop.call_later(COMMIT_SECONDS, resolve)
        return future


@pytest.fixture(autouse=True, scope="module")
def recorder() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patches:
        patches.setattr(workers, "Recorder", lambda ledger, **_hours: ledger)
        yield


def calls_of(count: int) -> Iterator[DueCall]:
    for number in range(count):
        request = CallRequest(
            key=f"{number:032x}",
            contact=f"{number:064x}",
            row=number + 2,
            contact_id=f"person-{number}",
            agent_id="a",
            from_number_id="n",
        )
        yield DueCall(request=request, state=CallState.PENDING)


def pool_of(server: Server, book: Book, count: int, **changes: object) -> Pool:
    frame: dict[str, object] = {
        "campaign": "c",
        "base_url": "here",
        "workers": 0,
        "rate": None,
        "delay": DelayMode.SCHEDULE,
        "repeat_after_hours": 20,
        "conduct": ConductRules(stop_uncertain=0),
    }
    time = server.loop.time
    return Pool(
        ledger=book,  # type: ignore[arg-type]
        calls=calls_of(count),
        settings=PoolSettings(**(frame | changes)),  # type: ignore[arg-type]
        connect=server.connect,  # type: ignore[arg-type]
        tell=lambda: None,
        clock=Clock(
            monotonic=time,
            now=lambda: EPOCH + timedelta(seconds=time()),
            chance=server.random.random,
        ),
    )


def run(loop: VirtualLoop, *pools: Pool) -> list[Dispatched]:
    async def all_of_them() -> list[Dispatched]:
        done = await asyncio.gather(*(pool.run() for pool in pools))
        await asyncio.sleep(0)  # what was cancelled ends
        return done

    try:
        return loop.run_until_complete(all_of_them())
    finally:
        loop.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """
    One job.

    Attributes:
        rate: Its pace.
        seconds: Longest answer.
        stalls: How many seconds apart the loop stands still, 0 for never.
        spare: Workers beyond those that the pace needs, 0 for ``auto``.
        seed: Of all chance.
    """

    rate: Rate
    seconds: float
    stalls: float
    spare: int
    seed: int

    @property
    def count(self) -> int:
        """Calls for two units, or for some answers; bounded."""
        paced = self.rate.per_second * max(2 * self.rate.unit_seconds, 1.5 + 3 * self.seconds)
        return min(2500, int(paced) + 10)

    @property
    def needed(self) -> int:
        """Twice what the rate needs by Little's law."""
        mean = self.seconds / 2 + 2 * COMMIT_SECONDS + JITTER_SECONDS
        return math.ceil(2 * self.rate.per_second * mean)

    @property
    def workers(self) -> int:
        return min(500, self.needed + self.spare) if self.spare else 0

    @property
    def begins_after(self) -> float:
        """Seconds until all workers are there: they follow the first that was placed."""
        return 0.6 + 2 * self.seconds

    @property
    def is_keepable(self) -> bool:
        """Whether there can be enough workers, and calls enough to see it."""
        most = 500 if self.spare else 256
        lasts = self.count / self.rate.per_second
        return self.needed <= most and lasts > self.begins_after + 0.5


DEMANDS = st.builds(
    Demand,
    rate=st.sampled_from(
        [
            Rate(count=120, unit_seconds=60),
            Rate(count=10, unit_seconds=1),
            Rate(count=100, unit_seconds=1),
            Rate(count=500, unit_seconds=1),
            Rate(count=2000, unit_seconds=1),
        ]
    ),
    seconds=st.sampled_from([0.0, 0.05, 0.4, 2.0]),
    stalls=st.sampled_from([0.0, 1.7, 5.3]),
    spare=st.sampled_from([0, 1, 50]),
    seed=st.integers(0, 2**32),
)


def stall_now_and_then(loop: VirtualLoop, every: float) -> list[float]:
    """Let the loop stand still; returns when, and is filled while it runs."""
    stalls: list[float] = []

    def stall() -> None:
        stalls.append(loop.now)
        loop.now += STALL_SECONDS
        loop.call_later(every, stall)

    if every:
        loop.call_later(every, stall)
    return stalls


def share_of(demand: Demand, server: Server, still: list[float]) -> float:
    """Starts by those that were allowed, once all workers are there; *still*: when it stood."""
    moments = sorted(server.arrivals)
    begin = moments[0] + demand.begins_after
    counted = [moment for moment in moments if moment >= begin]
    # What stands still loses the slots of that time, and perhaps the one it comes back in.
    lost = sum(begin <= at < counted[-1] for at in still) * (
        STALL_SECONDS + demand.rate.spacing_seconds
    )
    allowed = (counted[-1] - counted[0] - lost) * demand.rate.per_second
    return (len(counted) - 1) / allowed


def server_for(loop: VirtualLoop, seed: int, seconds: float) -> Server:
    random = Random(seed)
    return Server(loop=loop, random=random, latency=lambda: random.random() * seconds)


@settings(deadline=None, max_examples=12)
@given(DEMANDS)
def test_the_server_sees_the_rate_and_never_more(demand: Demand) -> None:
    """Whatever the answers take, however many workers, and though the loop stands still."""
    loop = VirtualLoop()
    server = server_for(loop, demand.seed, demand.seconds)
    still = stall_now_and_then(loop, demand.stalls)
    pool = pool_of(server, Book(loop), demand.count, rate=demand.rate, workers=demand.workers)

    (done,) = run(loop, pool)

    assert (done.stopped, len(server.arrivals)) == (None, demand.count)
    assert server.most_in(demand.rate.unit_seconds) <= demand.rate.count
    if demand.is_keepable:
        assert share_of(demand, server, still) >= SHARE


@settings(deadline=None, max_examples=10)
@given(
    rate=st.sampled_from([Rate(count=10, unit_seconds=1), Rate(count=300, unit_seconds=1)]),
    stalls=st.sampled_from([0.0, 1.1]),
    seed=st.integers(0, 2**32),
)
def test_two_runs_on_one_ledger_keep_the_rate_together(
    rate: Rate, stalls: float, seed: int
) -> None:
    loop = VirtualLoop()
    server = server_for(loop, seed, 0.1)
    book = Book(loop)
    stall_now_and_then(loop, stalls)
    count = int(rate.count * 2)
    pools = [pool_of(server, book, count, rate=rate, workers=80) for _ in range(2)]

    run(loop, *pools)

    assert len(server.arrivals) == 2 * count
    assert server.most_in(rate.unit_seconds) <= rate.count
    # Both begin with one call at a time; from then on they fill each other's time.
    lasted = max(server.arrivals) - min(server.arrivals)
    if not stalls:
        assert lasted <= 1.02 * 2 * count / rate.per_second + 1


@pytest.mark.parametrize("seconds", [0.0, 0.2, 1.0], ids=["at once", "200 ms", "1 s"])
def test_a_strict_pace_counts_from_the_end_of_each_request_and_costs_what_is_said(
    seconds: float,
) -> None:
    rate = Rate(count=40, unit_seconds=1)
    loop = VirtualLoop()
    server = Server(loop=loop, random=Random(1), latency=lambda: seconds)
    pool = pool_of(server, Book(loop), 400, rate=rate, workers=100, strict=True)

    (done,) = run(loop, pool)

    counted = sorted(server.arrivals)[100:]
    a_second = (len(counted) - 1) / (counted[-1] - counted[0])
    promised = min(0.99, 1 - strict_cost(rate, seconds=seconds)) * 40
    assert server.most_in(1) <= 40
    assert a_second == pytest.approx(promised, rel=0.03)
    assert done.message.startswith("pace.strict: ")


def test_a_hold_is_not_caught_up_and_the_pace_is_regained_little_by_little() -> None:
    rate = Rate(count=20, unit_seconds=1)
    loop = VirtualLoop()
    server = server_for(loop, 1, 0.1)
    refusals = [Reply(status=429, retry_after="5")]
    server.answer = lambda now: refusals.pop() if now > 1010 and refusals else None

    run(loop, pool_of(server, Book(loop), 1500, rate=rate, workers=20))

    (held_at, back_at), *others = [
        pair for pair in itertools.pairwise(server.arrivals) if pair[1] - pair[0] > 1
    ]
    assert not others
    assert 4.8 < back_at - held_at < 5.3
    since = [at - back_at for at in server.arrivals if at >= back_at]
    in_second = Counter(int(at) for at in since)
    assert 9 <= in_second[1] <= 11  # half of it at first
    assert 14 <= in_second[45] <= 16
    assert 15 <= in_second[59] <= 17
    assert server.most_in(1) <= 20


class SharedLimit:
    """120 a minute in fixed windows, of which another client takes some at random."""

    def __init__(self, loop: VirtualLoop, random: Random, *, others: int) -> None:
        self._loop, self._random = loop, random
        self._others = others
        self._ahead = random.random() * 60
        self._window, self._used = 0, 0
        if others:
            self._come()

    def answer(self, now: float) -> Reply | None:
        is_free = self._take(now)
        return None if is_free else Reply(status=429, retry_after=f"{self._left(now)}")

    def told(self, now: float) -> tuple[str, str, str]:
        return "120", f"{120 - self._used}", f"{self._left(now)}"

    def _left(self, now: float) -> int:
        return math.ceil(60 - (now + self._ahead) % 60)

    def _take(self, now: float) -> bool:
        window = int((now + self._ahead) // 60)
        if window != self._window:
            self._window, self._used = window, 0
        if self._used == 120:
            return False
        self._used += 1
        return True

    def _come(self) -> None:
        self._take(self._loop.now)
        self._loop.call_later(self._random.expovariate(self._others / 60), self._come)


@pytest.mark.parametrize("seed", range(9))
def test_a_limit_that_others_share_is_kept_without_being_told_so(seed: int) -> None:
    loop = VirtualLoop()
    server = server_for(loop, seed, (0.1, 0.6, 2.0)[seed % 3])
    limit = SharedLimit(loop, server.random, others=30)
    server.answer, server.told = limit.answer, limit.told
    rate = Rate(count=120, unit_seconds=60)

    run(loop, pool_of(server, Book(loop), 2000, rate=rate, workers=8, max_seconds=600.0))

    assert server.refused <= 2
    assert len(server.arrivals) - server.refused >= 780  # of the 900 that others leave


def test_a_limit_that_nobody_shares_costs_nothing() -> None:
    loop = VirtualLoop()
    server = server_for(loop, 1, 0.5)
    limit = SharedLimit(loop, server.random, others=0)
    server.answer, server.told = limit.answer, limit.told
    rate = Rate(count=120, unit_seconds=60)

    run(loop, pool_of(server, Book(loop), 400, rate=rate, workers=8))

    assert not server.refused
    assert server.arrivals[-1] - server.arrivals[0] <= 1.02 * 400 / 2 + 1


@pytest.mark.parametrize("commit", [0.3, 1.5, 8.0])
@pytest.mark.parametrize("runs", [1, 2])
@pytest.mark.parametrize("rate", [None, Rate(count=100, unit_seconds=60)], ids=["-", "100/min"])
def test_calls_begin_however_slow_the_ledger_is(
    commit: float, runs: int, rate: Rate | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(globals(), "COMMIT_SECONDS", commit)
    loop = VirtualLoop()
    server = server_for(loop, 1, 0.1)
    book = Book(loop)

    run(loop, *(pool_of(server, book, 20, rate=rate, workers=4) for _ in range(runs)))

    assert len(server.arrivals) == 20 * runs
    assert rate is None or server.most_in(60) <= 100
    assert max(server.arrivals) - 1000 <= 20 * 6 * commit + 60


@pytest.mark.parametrize("workers", [1, 4])
@pytest.mark.parametrize("rate", [None, Rate(count=100, unit_seconds=60)], ids=["-", "100/min"])
def test_a_ledger_too_slow_to_call_ends_the_run_with_a_line(
    rate: Rate | None, workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(globals(), "COMMIT_SECONDS", 11.2)
    loop = VirtualLoop()
    server = server_for(loop, 1, 0.1)

    (done,) = run(loop, pool_of(server, Book(loop), 20, rate=rate, workers=workers))

    assert done.stopped is StopWord.LEDGER_FAILED
    assert "the ledger takes 11 seconds to record anything" in done.message
    assert server.arrivals == []


def test_what_was_leased_and_not_used_goes_back() -> None:
    loop = VirtualLoop()
    server = server_for(loop, 1, 0.0)
    book = Book(loop)

    run(loop, pool_of(server, book, 1, rate=Rate(count=100, unit_seconds=1), workers=50))

    assert book.next_free == pytest.approx(server.arrivals[0] + 0.01, abs=0.01)
