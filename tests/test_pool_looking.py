"""Reading from the API keeps to its limits, and asks again what came too soon."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from dispatcher.client import Client
from dispatcher.errors import LookUpFailed
from dispatcher.ledger import Ledger, open_ledger
from dispatcher.model import NoReply, Purpose, Reply
from dispatcher.pacer import Rate
from dispatcher.pool.looking import LISTS_A_MINUTE, Looker
from dispatcher.pool.recorder import Recorder
from dispatcher.pool.settings import Clock
from dispatcher.pool.slots import Slots
from dispatcher.sandbox import SandboxOptions, SandboxServer


class Time:
    """A clock that only waiting moves."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.waited: list[float] = []

    async def sleep(self, seconds: float) -> None:
        assert seconds >= 0
        assert len(self.waited) < 1000, "it waits for ever"
        if seconds:
            self.waited.append(seconds)
        self.now += seconds


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with open_ledger(str(tmp_path / "l.db"), purpose=Purpose.REAL, create=True) as opened:
        yield opened


async def _looked(
    url: str,
    key: str,
    ledger: Ledger,
    time: Time,
    *,
    times: int,
    rate: Rate | None = None,
    strict: bool = False,
    has_time: bool = True,
) -> list[Reply | NoReply]:
    clock = Clock(monotonic=lambda: time.now, chance=lambda: 0.0)
    client = Client(base_url=url, api_key=key, connect_timeout_seconds=5, answer_timeout_seconds=5)
    with Recorder(ledger, repeat_after_hours=0) as recorder:
        slots = Slots(recorder, rate=rate, base_url=url, workers=1, clock=clock, strict=strict)
        async with client:
            looker = Looker(
                client, slots, max_wait_seconds=30, has_time=has_time, clock=clock, sleep=time.sleep
            )
            return [
                await (
                    looker.look_at_list("/v1/calls", {"limit": "1"})
                    if times > 1
                    else looker.look("/v1/credits")
                )
                for _ in range(times)
            ]


def test_the_list_is_asked_at_most_so_often_in_any_minute(ledger: Ledger, time: Time) -> None:
    with SandboxServer(
        SandboxOptions(rate_per_minute=1000, list_rate_per_minute=LISTS_A_MINUTE),
        monotonic=lambda: time.now,
    ) as server:
        answers = asyncio.run(_looked(server.url, server.key, ledger, time, times=45))

    assert {a.status for a in answers if isinstance(a, Reply)} == {200}
    assert len(answers) == 45
    assert 120 <= sum(time.waited) < 121


def test_two_commands_on_one_ledger_share_what_the_list_allows(ledger: Ledger, time: Time) -> None:
    with (
        SandboxServer(
            SandboxOptions(rate_per_minute=1000, list_rate_per_minute=LISTS_A_MINUTE),
            monotonic=lambda: time.now,
        ) as server,
        open_ledger(ledger.location, purpose=Purpose.REAL, create=False) as other,
    ):
        first = asyncio.run(_looked(server.url, server.key, ledger, time, times=15))
        second = asyncio.run(_looked(server.url, server.key, other, time, times=15))

    assert {a.status for a in first + second if isinstance(a, Reply)} == {200}
    assert 60 <= sum(time.waited) < 61


def test_who_has_no_time_gives_up_where_the_budget_is_spent(ledger: Ledger, time: Time) -> None:
    with SandboxServer(SandboxOptions(rate_per_minute=1000)) as server:
        asyncio.run(_looked(server.url, server.key, ledger, time, times=20, has_time=False))
        with pytest.raises(LookUpFailed, match="used up"):
            asyncio.run(_looked(server.url, server.key, ledger, time, times=2, has_time=False))

    assert time.waited == []


def test_what_was_spent_before_the_machine_started_anew_is_back(ledger: Ledger, time: Time) -> None:
    with SandboxServer(SandboxOptions(rate_per_minute=1000)) as server:
        asyncio.run(_looked(server.url, server.key, ledger, time, times=20))
        time.now = 5.0
        asyncio.run(_looked(server.url, server.key, ledger, time, times=20))

    assert time.waited == []


def test_looking_draws_on_the_shared_pace(ledger: Ledger, time: Time) -> None:
    rate = Rate(count=10, unit_seconds=1)

    with SandboxServer(SandboxOptions(rate_per_minute=0)) as server:
        asyncio.run(_looked(server.url, server.key, ledger, time, times=3, rate=rate))
        free = ledger.reserve(server.url, lambda known: ((known,), known))

    assert free[0] == pytest.approx(1000.0 + 3 * rate.spacing_seconds)


def test_a_429_is_waited_for_and_asked_again(ledger: Ledger, time: Time) -> None:
    with SandboxServer(
        SandboxOptions(rate_per_minute=1, list_rate_per_minute=1), monotonic=lambda: time.now
    ) as server:
        answers = asyncio.run(_looked(server.url, server.key, ledger, time, times=1))
        more = asyncio.run(_looked(server.url, server.key, ledger, time, times=1))

    assert [a.status for a in answers if isinstance(a, Reply)] == [200]
    (last,) = more
    assert isinstance(last, Reply)
    assert last.status == 429, "a minute is longer than max_wait_seconds"
    assert time.waited == []


def test_a_short_429_is_asked_again(ledger: Ledger, time: Time) -> None:
    with SandboxServer(SandboxOptions(rate_per_minute=1), monotonic=lambda: time.now) as server:
        asyncio.run(_looked(server.url, server.key, ledger, time, times=1))
        time.now += 45
        (answer,) = asyncio.run(_looked(server.url, server.key, ledger, time, times=1))

    assert isinstance(answer, Reply)
    assert answer.status == 200
    assert 14 <= sum(time.waited) <= 16


def test_an_answer_that_was_lost_is_asked_for_once_more(ledger: Ledger, time: Time) -> None:
    (answer,) = asyncio.run(_looked("http://127.0.0.1:9", "a-key", ledger, time, times=1))

    assert isinstance(answer, NoReply)
    assert time.waited == [1.0]


async def _refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(asyncio.IncompleteReadError):
        while await reader.readuntil(b"\r\n\r\n"):
            writer.write(b"HTTP/1.1 429 Wait\r\nContent-Length: 0\r\n\r\n")
    writer.close()


def test_the_last_try_is_over_for_a_strict_pace_like_those_before(
    ledger: Ledger, time: Time
) -> None:
    async def scene() -> list[Reply | NoReply]:
        async with await asyncio.start_server(_refuse, "127.0.0.1", 0) as server:
            url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            one = Rate(count=1, unit_seconds=1)
            return await _looked(url, "a-key", ledger, time, times=2, rate=one, strict=True)

    answers = asyncio.run(scene())

    assert [answer.status for answer in answers if isinstance(answer, Reply)] == [429, 429]
