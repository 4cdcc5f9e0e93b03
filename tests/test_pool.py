"""The worker pool against a real ledger and a real server on loopback."""

from __future__ import annotations

import asyncio
import io
import json
import re
import socket
import sqlite3
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from dispatcher.cli.live import tally_of
from dispatcher.client import Client
from dispatcher.ledger import DueRules, Ledger, open_ledger
from dispatcher.model import (
    CallRequest,
    CallState,
    CallStatus,
    Campaign,
    DueCall,
    NoReply,
    PlannedRow,
    Purpose,
    RecordedRow,
    Reply,
    Schedule,
    Snapshot,
    SnapshotHead,
    StopWord,
)
from dispatcher.pacer import Rate
from dispatcher.planning import DelayMode, call_key, contact_hash, request_digest
from dispatcher.policy import ConductRules
from dispatcher.pool import Clock, Dispatched, Pool, PoolSettings
from dispatcher.pool.recorder import Change, Changed, Recorder
from dispatcher.pool.slots import Slots
from dispatcher.pool.source import Source
from dispatcher.pool.traffic import Bell
from dispatcher.progress import Progress

NOW = datetime(2026, 6, 15, 12, tzinfo=UTC)
CAMPAIGN = "cobranzas"

Answer = Callable[[str, int], Awaitable[tuple[int, object] | None]]
"""(contact id, how often it was asked for) -> status and JSON body, or None to hang up."""


class Api:
    """A server of a few lines that keeps what reached it."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.asked: Counter[str] = Counter()
        self.paths: list[str] = []
        self.busy = 0
        self.busiest = 0
        self.started: list[float] = []
        self.url = ""
        self.keeps = True

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await self._serve_one(reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _serve_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        self.started.append(time.monotonic())
        lines = head.split("\r\n")
        self.paths.append(lines[0].split()[1])
        length = next((int(x[15:]) for x in lines if x.lower().startswith("content-length:")), 0)
        body = await reader.readexactly(length)
        contact = json.loads(body)["contact_id"] if body else ""
        self.asked[contact] += 1
        self.busy += 1
        self.busiest = max(self.busiest, self.busy)
        try:
            said = await self.answer(contact, self.asked[contact])
        finally:
            self.busy -= 1
        if said is None:
            return False
        status, content = said
        text = content if isinstance(content, bytes) else json.dumps(content).encode()
        retry = b"retry-after: 0\r\n" if status == 429 else b""
        writer.write(b"HTTP/1.1 %d X\r\n%s" % (status, retry))
        close = b"" if self.keeps else b"connection: close\r\n"
        writer.write(b"content-type: application/json\r\n" + close)
        writer.write(b"content-length: %d\r\n\r\n" % len(text) + text)
        await writer.drain()
        return self.keeps


@asynccontextmanager
async def served(answer: Answer) -> AsyncIterator[Api]:
    api = Api(answer)
    server = await asyncio.start_server(api.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    api.url = f"http://127.0.0.1:{port}"
    try:
        yield api
    finally:
        server.close()


async def place(contact: str, _times: int) -> tuple[int, object]:
    return 201, {"statusCode": 201, "data": {"call_id": f"id-{contact}", "contact_id": contact}}


def request_for(number: int, *, contact: str = "", schedule: Schedule | None = None) -> CallRequest:
    contact = contact or f"person-{number}"
    return CallRequest(
        key=call_key(CAMPAIGN, contact, (str(number),)),
        contact=contact_hash(contact),
        row=number,
        contact_id=contact,
        agent_id="agent",
        from_number_id="number",
        schedule=schedule,
    )


class World:
    """A campaign that is recorded and held."""

    def __init__(self, ledger: Ledger, campaign: Campaign, snapshot: Snapshot) -> None:
        self.ledger = ledger
        self.campaign = campaign
        self.snapshot = snapshot

    def due(self) -> Iterator[DueCall]:
        return self.ledger.due(self.snapshot, DueRules(), repeat_after_hours=0, as_of=NOW)

    def rows(self) -> list[RecordedRow]:
        now = datetime.now(tz=UTC)
        return [*self.ledger.rows(self.snapshot, repeat_after_hours=0, as_of=now)]

    def states(self) -> Counter[str]:
        return Counter(row.call.state for row in self.rows() if row.call)

    def pool(
        self,
        api: Api,
        settings: PoolSettings | None = None,
        *,
        clock: Clock | None = None,
        connect: Callable[[], Client] | None = None,
    ) -> Pool:
        return Pool(
            ledger=self.ledger,
            calls=self.due(),
            settings=settings or frame(),
            connect=connect or (lambda: client_of(api)),
            tell=lambda: None,
            clock=clock,
        )


def client_of(api: Api, kind: type[Client] = Client) -> Client:
    return kind(
        base_url=api.url, api_key="key", connect_timeout_seconds=5, answer_timeout_seconds=20
    )


def frame(**changes: object) -> PoolSettings:
    settings = PoolSettings(
        campaign=CAMPAIGN,
        base_url="here",
        workers=4,
        rate=None,
        delay=DelayMode.SCHEDULE,
        repeat_after_hours=20,
        conduct=ConductRules(),
    )
    return replace(settings, **changes)  # type: ignore[arg-type]


@pytest.fixture
def record(tmp_path: Path) -> Iterator[Callable[..., World]]:
    with open_ledger(str(tmp_path / "ledger.db"), purpose=Purpose.REAL, create=True) as ledger:
        campaign = ledger.claim_campaign(CAMPAIGN, key_columns=(), base_url="here")
        with ledger.holding.hold(CAMPAIGN):

            def recorded(*requests: CallRequest) -> World:
                head = SnapshotHead(
                    file="s.csv",
                    digest="d",
                    settings_digest="s",
                    format="csv",
                    sheet="",
                    encoding="utf-8",
                    delimiter=",",
                    headers=("contact_id",),
                )
                rows = [PlannedRow(number=r.row, cells=(r.contact_id,), fate=r) for r in requests]
                snapshot = ledger.record(
                    campaign.id,
                    head,
                    rows,
                    digest_of=request_digest,
                    remarks=lambda: (),
                    at=NOW,
                )
                return World(ledger, campaign, snapshot)

            yield recorded


Record = Callable[..., World]


def people(count: int) -> list[CallRequest]:
    return [request_for(number) for number in range(2, count + 2)]


def run(pool_of: Callable[[Api], Pool], answer: Answer = place) -> tuple[Dispatched, Api]:
    async def main() -> tuple[Dispatched, Api]:
        async with served(answer) as api:
            return await pool_of(api).run(), api

    return asyncio.run(main())


def test_every_call_is_placed_once(record: Record) -> None:
    world = record(*people(30))

    done, api = run(world.pool)

    assert done.stopped is None
    assert done.counts == {CallStatus.PLACED: 30}
    assert set(api.asked.values()) == {1}
    assert {row.call.call_id for row in world.rows() if row.call} == {
        f"id-person-{n}" for n in range(2, 32)
    }


def test_a_call_is_marked_in_the_ledger_before_its_request_arrives(
    record: Record, tmp_path: Path
) -> None:
    world = record(*people(10))
    seen: list[str] = []

    async def look_first(contact: str, times: int) -> tuple[int, object]:
        key = call_key(CAMPAIGN, contact, (contact.removeprefix("person-"),))
        with sqlite3.connect(tmp_path / "ledger.db") as database:
            found = database.execute("SELECT state FROM calls WHERE key = ?", (bytes.fromhex(key),))
            seen.append(found.fetchone()[0])
        database.close()
        return await place(contact, times)

    run(world.pool, look_first)

    assert seen == ["sending"] * 10


def test_one_call_at_a_time_until_one_was_placed(record: Record) -> None:
    world = record(*people(12))
    busiest_at_first: list[int] = []
    api_of: list[Api] = []

    async def refuse_three(contact: str, times: int) -> tuple[int, object]:
        await asyncio.sleep(0.01)
        if len(busiest_at_first) < 3:
            busiest_at_first.append(api_of[0].busiest)
            return 422, {"message": "no"}
        return await place(contact, times)

    def pool_of(api: Api) -> Pool:
        api_of.append(api)
        return world.pool(api)

    done, api = run(pool_of, refuse_three)

    assert busiest_at_first == [1, 1, 1]
    assert api.busiest > 1
    assert done.counts == {CallStatus.REJECTED: 3, CallStatus.PLACED: 9}


def test_429_holds_the_run_and_sends_the_same_call_again(record: Record) -> None:
    world = record(*people(6))

    async def once_too_many(contact: str, times: int) -> tuple[int, object]:
        if contact == "person-4" and times == 1:
            return 429, {"message": "slow down"}
        return await place(contact, times)

    clock = Clock(chance=lambda: 0.0)
    done, api = run(lambda api: world.pool(api, clock=clock), once_too_many)

    assert done.counts == {CallStatus.PLACED: 6}
    assert api.asked["person-4"] == 2
    attempts = {row.number: row.call.attempts for row in world.rows() if row.call}
    assert attempts == {2: 1, 3: 1, 4: 2, 5: 1, 6: 1, 7: 1}


def test_a_lost_answer_is_uncertain_and_never_sent_again(record: Record) -> None:
    world = record(*people(5))

    async def hang_up_once(contact: str, times: int) -> tuple[int, object] | None:
        return None if contact == "person-3" else await place(contact, times)

    done, api = run(world.pool, hang_up_once)
    again, second = run(world.pool, place)

    assert done.counts == {CallStatus.PLACED: 4, CallStatus.UNCERTAIN: 1}
    assert api.asked["person-3"] == 1
    assert again.counts == {}
    assert not second.asked


def test_after_a_stop_calls_in_flight_are_recorded_and_nothing_else_starts(record: Record) -> None:
    world = record(*people(40))
    pools: list[Pool] = []

    async def stop_at_ten(contact: str, times: int) -> tuple[int, object]:
        if contact == "person-10":
            pools[0].stop(StopWord.SIGNAL, "stopped")
        await asyncio.sleep(0.01)
        return await place(contact, times)

    def pool_of(api: Api) -> Pool:
        pools.append(world.pool(api))
        return pools[0]

    done, api = run(pool_of, stop_at_ten)

    assert done.stopped is StopWord.SIGNAL
    assert world.states() == {"placed": api.asked.total(), "pending": 40 - api.asked.total()}
    assert done.counts[CallStatus.PLACED] == api.asked.total() < 20


def test_a_run_that_was_asked_to_stop_before_it_began_places_no_call(record: Record) -> None:
    world = record(*people(4))
    world.ledger.holding.ask(CAMPAIGN, at=NOW)

    done, api = run(world.pool)

    assert done.stopped is StopWord.ASKED
    assert done.message.startswith("As asked by ")
    assert not api.asked
    assert world.states() == {"pending": 4}


def test_a_ledger_that_cannot_be_asked_stops_the_run(record: Record, tmp_path: Path) -> None:
    world = record(*people(4))
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as database:
        database.execute("DROP TABLE stop_requests")

    done, api = run(world.pool)

    assert done.stopped is StopWord.LEDGER_FAILED
    assert not api.asked


def test_an_abort_makes_what_began_uncertain_and_leaves_the_rest_pending(record: Record) -> None:
    world = record(*people(20))
    pools: list[Pool] = []
    waiting: list[str] = []

    async def hang(contact: str, times: int) -> tuple[int, object] | None:
        if contact == "person-2":
            return await place(contact, times)
        waiting.append(contact)
        if len(waiting) == 4:
            pools[0].stop(StopWord.SIGNAL, "stopped")
            pools[0].abort()
        await asyncio.sleep(30)
        return None

    def pool_of(api: Api) -> Pool:
        pools.append(world.pool(api))
        return pools[0]

    done, _ = run(pool_of, hang)

    assert done.counts == {CallStatus.PLACED: 1, CallStatus.UNCERTAIN: 4}
    assert world.states() == {"placed": 1, "uncertain": 4, "pending": 15}


def test_a_marked_call_that_did_not_begin_goes_back_without_an_attempt(record: Record) -> None:
    world = record(*people(3))
    pools: list[Pool] = []
    settings = frame(rate=Rate(count=10.0, unit_seconds=1.0), workers=3)

    async def stop_when_the_next_is_marked(contact: str, times: int) -> tuple[int, object]:
        if contact == "person-3":
            while world.states()["sending"] < 2:  # noqa: ASYNC110 - the ledger rings no bell
                await asyncio.sleep(0)
            pools[0].stop(StopWord.SIGNAL, "stopped")
        return await place(contact, times)

    def pool_of(api: Api) -> Pool:
        pools.append(world.pool(api, settings))
        return pools[0]

    run(pool_of, stop_when_the_next_is_marked)

    last = world.rows()[-1].call
    assert last is not None
    assert (last.state, last.attempts) == (CallState.PENDING, 0)


def test_the_limit_counts_calls_that_were_started(record: Record) -> None:
    world = record(*people(9))

    done, api = run(lambda api: world.pool(api, frame(limit=4)))
    rest, _ = run(lambda api: world.pool(api, frame(limit=5)))

    assert (done.stopped, api.asked.total()) == (StopWord.LIMIT, 4)
    assert rest.stopped is None
    assert world.states() == {"placed": 9}


def test_the_time_set_ends_the_run_before_the_next_call(record: Record) -> None:
    world = record(*people(9))
    past = datetime.now(tz=UTC) - timedelta(seconds=1)

    stopped, api = run(lambda api: world.pool(api, frame(stop_at=past)))

    assert (stopped.stopped, api.asked.total()) == (StopWord.STOP_AT, 0)


def test_the_minutes_set_end_the_run_while_it_holds(record: Record) -> None:
    world = record(*people(3))
    settings = frame(max_seconds=0.3, conduct=ConductRules(give_up_seconds=3600))

    async def never(_contact: str, _times: int) -> tuple[int, object]:
        return 429, {}

    done, _ = run(lambda api: world.pool(api, settings), never)

    assert done.stopped is StopWord.MAX_MINUTES
    assert world.states() == {"pending": 3}


def test_one_contact_is_called_once_though_two_rows_ask(record: Record) -> None:
    both = [request_for(2, contact="ana"), request_for(3, contact="ana")]
    world = record(*both, *people(8)[2:])

    done, api = run(world.pool)

    assert api.asked["ana"] == 1
    assert done.counts == {CallStatus.PLACED: 7, CallStatus.SKIPPED: 1}


def test_one_contact_is_called_twice_in_turn_where_that_is_wanted(record: Record) -> None:
    world = record(*(request_for(number, contact="ana") for number in range(2, 6)))
    busiest: list[int] = []

    async def slowly(contact: str, times: int) -> tuple[int, object]:
        await asyncio.sleep(0.01)
        return 201, {"call_id": f"id-{times}", "contact_id": contact}

    def pool_of(api: Api) -> Pool:
        return world.pool(api, frame(repeat_after_hours=0))

    done, api = run(pool_of, slowly)
    busiest.append(api.busiest)

    assert done.counts == {CallStatus.PLACED: 4}
    assert busiest == [1]


def test_a_call_id_that_another_call_has_is_kept_and_stops_the_run(record: Record) -> None:
    world = record(*people(12))

    async def same_id(contact: str, _times: int) -> tuple[int, object]:
        return 201, {"call_id": "one", "contact_id": contact}

    done, api = run(lambda api: world.pool(api, frame(workers=1)), same_id)

    assert done.stopped is StopWord.NOT_THE_API
    assert "row 3" in done.message
    assert api.asked.total() == 2
    assert world.states() == {"placed": 2, "pending": 10}


class _Outage:
    """A server that goes away after some calls and comes back when the run has held twice."""

    def __init__(self, pool_of: Callable[[Api, Callable[[], None]], Pool], *, after: int) -> None:
        self._pool_of = pool_of
        self._after = after
        self._api = Api(self._answer)
        self._api.keeps = False  # what goes away with the server is never in flight
        self._back = asyncio.Event()
        self._server: asyncio.Server | None = None
        self.log = io.StringIO()
        self.tries: set[float] = set()

    async def run(self) -> tuple[Dispatched, Api]:
        with closing(socket.create_server(("127.0.0.1", 0))) as found:
            self._port = found.getsockname()[1]
        self._api.url = f"http://127.0.0.1:{self._port}"
        if self._after:
            await self._listen()
        with Progress(12, stream=self.log) as progress:
            pool = self._pool_of(self._api, lambda: self._watch(pool, progress))
            coming_back = asyncio.create_task(self._come_back())
            done = await pool.run()
        await coming_back
        self._go_away()
        return done, self._api

    def _go_away(self) -> None:
        if self._server is not None:
            self._server.close()

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._api.serve, "127.0.0.1", self._port)

    async def _answer(self, contact: str, times: int) -> tuple[int, object]:
        if self._api.asked.total() == self._after:
            self._go_away()
        return await place(contact, times)

    def _watch(self, pool: Pool, progress: Progress) -> None:
        progress.show(tally_of(pool))
        if pool.held is not None:
            self.tries.add(pool.held[0])
        if len(self.tries) == 2:
            self._back.set()

    async def _come_back(self) -> None:
        await self._back.wait()
        await self._listen()


@pytest.mark.parametrize(("after", "workers"), [(0, 4), (5, 1)], ids=["at first", "meanwhile"])
def test_an_outage_holds_the_run_which_goes_on_by_itself_and_calls_nobody_twice(
    record: Record, after: int, workers: int
) -> None:
    world = record(*people(12))

    def pool_of(api: Api, tell: Callable[[], None]) -> Pool:
        return Pool(
            ledger=world.ledger,
            calls=world.due(),
            settings=frame(workers=workers),
            connect=lambda: client_of(api),
            tell=tell,
        )

    async def main() -> tuple[Dispatched, Api, str]:
        outage = _Outage(pool_of, after=after)
        done, api = await outage.run()
        return done, api, outage.log.getvalue()

    done, api, log = asyncio.run(main())

    assert (done.stopped, done.counts) == (None, {CallStatus.PLACED: 12})
    assert set(api.asked.values()) == {1}
    assert re.search(
        r"waiting since \d\d:\d\d, the API cannot be reached; next try \d\d:\d\d:\d\d", log
    )


class _Stepping:
    """Clocks that a test moves: the wall clock by any step, the monotonic one forward."""

    def __init__(self) -> None:
        self.step = timedelta()
        self.slept = 0.0

    @property
    def clock(self) -> Clock:
        return Clock(
            now=lambda: datetime.now(tz=UTC) + self.step,
            monotonic=lambda: time.monotonic() + self.slept,
        )


STEPS = pytest.mark.parametrize(
    "step", [timedelta(hours=-5), timedelta(hours=5)], ids=["back", "forth"]
)


@STEPS
def test_a_wall_clock_that_is_set_changes_neither_the_pace_nor_who_is_called(
    record: Record, step: timedelta, starts: list[float]
) -> None:
    world = record(*people(25))
    settings = frame(rate=Rate(count=10.0, unit_seconds=0.25), workers=10)
    clocks = _Stepping()

    async def set_the_clock(contact: str, times: int) -> tuple[int, object]:
        if contact == "person-8":
            clocks.step = step
        return await place(contact, times)

    done, api = run(lambda api: world.pool(api, settings, clock=clocks.clock), set_the_clock)

    assert done.counts == {CallStatus.PLACED: 25}
    assert set(api.asked.values()) == {1}
    assert all(b - a >= 0.25 for a, b in zip(starts, starts[10:], strict=False))


def test_a_machine_that_slept_catches_nothing_up_in_a_burst(
    record: Record, starts: list[float]
) -> None:
    world = record(*people(25))
    settings = frame(rate=Rate(count=10.0, unit_seconds=0.25), workers=10)
    clocks = _Stepping()

    async def sleep_for_hours(contact: str, times: int) -> tuple[int, object]:
        if contact == "person-8":
            clocks.step, clocks.slept = timedelta(hours=3), 3 * 3600.0
        return await place(contact, times)

    done, api = run(lambda api: world.pool(api, settings, clock=clocks.clock), sleep_for_hours)

    assert done.counts == {CallStatus.PLACED: 25}
    assert set(api.asked.values()) == {1}
    # By this clock hours lie between what started before the sleep and after it.
    assert all(b - a >= 0.25 for a, b in zip(starts, starts[10:], strict=False))


@STEPS
def test_a_contact_is_left_alone_though_the_clock_says_that_a_day_has_gone(
    record: Record, step: timedelta
) -> None:
    both = [request_for(2, contact="ana"), request_for(3, contact="ana")]
    world = record(both[0], *people(5)[2:], both[1])
    clocks = _Stepping()

    async def set_the_clock(contact: str, times: int) -> tuple[int, object]:
        clocks.step = step * 10
        return await place(contact, times)

    settings = frame(workers=1)
    done, api = run(lambda api: world.pool(api, settings, clock=clocks.clock), set_the_clock)
    again, second = run(lambda api: world.pool(api, settings))

    assert api.asked["ana"] == 1
    assert done.counts == {CallStatus.PLACED: 4, CallStatus.SKIPPED: 1}
    assert again.counts == {CallStatus.SKIPPED: 1}  # also once the clock is right again
    assert not second.asked


def test_a_clock_that_is_set_back_does_not_put_off_the_time_to_stop(record: Record) -> None:
    world = record(*people(30))
    clocks = _Stepping()
    stop_at = datetime.now(tz=UTC) + timedelta(minutes=30)

    async def set_the_clock(contact: str, times: int) -> tuple[int, object]:
        if contact == "person-4":
            clocks.step, clocks.slept = timedelta(hours=-2), 31 * 60.0
        return await place(contact, times)

    settings = frame(workers=1, stop_at=stop_at)
    done, api = run(lambda api: world.pool(api, settings, clock=clocks.clock), set_the_clock)

    assert (done.stopped, api.asked.total()) == (StopWord.STOP_AT, 3)


@pytest.mark.parametrize(
    ("hours", "stopped", "sent"), [(1, StopWord.STOP_AT, 0), (9, None, 2)], ids=["late", "in-time"]
)
def test_a_call_marked_before_the_machine_slept_is_judged_anew(
    record: Record,
    monkeypatch: pytest.MonkeyPatch,
    hours: float,
    stopped: StopWord | None,
    sent: int,
) -> None:
    """Where the monotonic clock misses the sleep, its slot seems to be still to come."""
    world = record(*people(2))
    clocks, commit = _Stepping(), Ledger.commit

    def sleep_after_it(ledger: Ledger, work: Sequence[Change], **rules: float) -> list[Changed]:
        done = commit(ledger, work, **rules)
        clocks.step = timedelta(hours=8)
        return done

    monkeypatch.setattr(Ledger, "commit", sleep_after_it)
    settings = frame(workers=1, stop_at=datetime.now(tz=UTC) + timedelta(hours=hours))
    done, api = run(lambda api: world.pool(api, settings, clock=clocks.clock))

    assert (api.asked.total(), done.stopped) == (sent, stopped)
    assert world.states() == {"placed" if sent else "pending": 2}


def test_a_schedule_is_past_though_the_clock_was_set_back(record: Record) -> None:
    at = datetime.now(tz=UTC) + timedelta(minutes=30)
    schedule = Schedule(local=f"{at:%Y-%m-%d %H:%M:%S}", timezone="UTC", at=at)
    world = record(request_for(2), request_for(3, schedule=schedule))
    clocks = _Stepping()

    async def set_the_clock(contact: str, times: int) -> tuple[int, object]:
        clocks.step, clocks.slept = timedelta(hours=-2), 31 * 60.0
        return await place(contact, times)

    settings = frame(workers=1)
    done, api = run(lambda api: world.pool(api, settings, clock=clocks.clock), set_the_clock)

    assert done.counts == {CallStatus.PLACED: 1, CallStatus.FAILED: 1}
    assert api.asked.total() == 1


def test_a_schedule_that_passes_during_the_run_fails_unsent(record: Record) -> None:
    at = NOW + timedelta(minutes=1)
    schedule = Schedule(local="2026-06-15 12:01:00", timezone="UTC", at=at)
    world = record(request_for(2), request_for(3, schedule=schedule))
    moments = [NOW]

    async def take_an_hour(contact: str, times: int) -> tuple[int, object]:
        moments.append(NOW + timedelta(hours=1))
        return await place(contact, times)

    clock = Clock(now=lambda: moments[-1])
    done, api = run(lambda api: world.pool(api, frame(workers=1), clock=clock), take_an_hour)

    assert done.counts == {CallStatus.PLACED: 1, CallStatus.FAILED: 1}
    assert api.asked.total() == 1
    last = world.rows()[-1].call
    assert last is not None
    assert (last.state, last.code, last.attempts) == (CallState.FAILED, "schedule_past", 0)


def test_a_schedule_past_at_the_start_is_not_touched(record: Record) -> None:
    at = NOW - timedelta(minutes=1)
    schedule = Schedule(local="2026-06-15 11:59:00", timezone="UTC", at=at)
    world = record(request_for(2, schedule=schedule))

    done, api = run(lambda api: world.pool(api, clock=Clock(now=lambda: NOW)))

    assert done.counts == {}
    assert not api.asked
    assert world.states() == {"pending": 1}


def test_after_a_pause_a_look_comes_before_the_next_call(record: Record) -> None:
    world = record(*people(6))
    rules = ConductRules(breaker_failures=2, breaker_of_last=4, breaker_pause_seconds=0.05)

    async def fail_twice(contact: str, times: int) -> tuple[int, object]:
        if contact in ("person-3", "person-4"):
            return 500, {}
        return await place(contact, times)

    def pool_of(api: Api) -> Pool:
        return world.pool(api, frame(workers=2, conduct=rules))

    done, api = run(pool_of, fail_twice)

    assert done.counts == {CallStatus.PLACED: 4, CallStatus.UNCERTAIN: 2}
    assert api.paths.count("/v1/credits") == 1


def test_an_outcome_the_ledger_cannot_take_stops_the_run_and_is_handed_out(
    record: Record, tmp_path: Path
) -> None:
    world = record(*people(20))
    database = sqlite3.connect(tmp_path / "ledger.db")
    database.execute(
        "CREATE TRIGGER full BEFORE UPDATE ON calls WHEN NEW.call_id = 'id-person-8'"
        " BEGIN SELECT RAISE(ABORT, 'disk I/O error'); END"
    )
    database.close()

    done, api = run(world.pool)

    assert done.stopped is StopWord.LEDGER_FAILED
    assert "disk I/O error" in done.message
    handed_out = {(u.row, u.outcome.call_id) for u in done.unrecorded}
    assert (8, "id-person-8") in handed_out
    assert world.states()["placed"] + len(done.unrecorded) == api.asked.total() < 20


class _Breaking(Client):
    """A client with a bug that one contact brings out."""

    async def place(self, body: bytes) -> Reply | NoReply:
        if b"person-6" in body:
            raise ZeroDivisionError
        return await super().place(body)


def test_a_bug_in_one_worker_lets_the_others_finish_and_is_raised(record: Record) -> None:
    world = record(*people(30))
    recorded: list[int] = []

    async def slowly(contact: str, times: int) -> tuple[int, object]:
        await asyncio.sleep(0.02)
        recorded.append(times)
        return await place(contact, times)

    with pytest.raises(ZeroDivisionError):
        run(lambda api: world.pool(api, connect=lambda: client_of(api, _Breaking)), slowly)

    states = world.states()
    assert states["placed"] == len(recorded)
    assert states["sending"] == 1


def test_two_runs_on_one_ledger_never_share_a_slot(record: Record) -> None:
    world = record(*people(1))
    rate = Rate(count=200.0, unit_seconds=1.0)

    async def take(slots: Slots, count: int) -> list[float]:
        return [await slots.next(always) or 0.0 for _ in range(count)]

    async def always(_moment: float) -> bool:
        return True

    async def main() -> list[float]:
        with (
            Recorder(world.ledger, repeat_after_hours=0) as one,
            Recorder(world.ledger, repeat_after_hours=0) as two,
        ):
            both = [
                Slots(recorder, rate=rate, base_url="here", workers=8, clock=Clock())
                for recorder in (one, two)
            ]
            taken = await asyncio.gather(*(take(slots, 40) for slots in both))
        return sorted(slot for each in taken for slot in each)

    slots = asyncio.run(main())

    gaps = [after - before for before, after in pairwise(slots)]
    assert min(gaps) >= rate.spacing_seconds * 0.999


@pytest.fixture
def starts(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """When calls started, by the clock that paces them."""
    noted: list[float] = []
    begins = Slots.begins

    def begun(slots: Slots, slot: float) -> bool:
        did = begins(slots, slot)
        if did:
            noted.append(slots._clock.monotonic())
        return did

    monkeypatch.setattr(Slots, "begins", begun)
    return noted


def test_no_window_of_the_unit_holds_more_starts_than_the_rate(
    record: Record, starts: list[float]
) -> None:
    world = record(*people(25))
    settings = frame(rate=Rate(count=10.0, unit_seconds=0.25), workers=10)

    run(lambda api: world.pool(api, settings))

    assert len(starts) == 25
    assert all(after - before >= 0.25 for before, after in zip(starts, starts[10:], strict=False))


def test_the_source_offers_again_what_was_put_aside_after_all_others() -> None:
    calls = [DueCall(request=request, state=CallState.PENDING) for request in people(3)]

    async def main() -> list[int]:
        source = Source(iter(calls))
        first = await source.take()
        assert first is not None
        source.put_aside(first)
        taken = []
        while (call := await source.take()) is not None:
            taken.append(call.request.row)
        return taken

    assert asyncio.run(main()) == [3, 4, 2]


def test_a_call_given_back_does_not_count_for_the_limit() -> None:
    calls = [DueCall(request=request, state=CallState.PENDING) for request in people(3)]

    async def main() -> tuple[bool, bool]:
        source = Source(iter(calls), limit=2)
        await source.take()
        source.give_back()
        await source.take()
        await source.take()
        return await source.is_limited(), await source.take() is None

    assert asyncio.run(main()) == (False, True)


def test_a_bell_wakes_all_who_wait_and_only_them() -> None:
    async def main() -> list[str]:
        bell, heard = Bell(), []

        async def wait(name: str) -> None:
            await bell.wait(None)
            heard.append(name)

        waiting = [asyncio.create_task(wait(name)) for name in ("a", "b")]
        await asyncio.sleep(0)
        bell.ring()
        await asyncio.gather(*waiting)
        await bell.wait(0)
        return heard

    assert asyncio.run(main()) == ["a", "b"]
