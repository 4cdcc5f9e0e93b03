"""Connections that were idle, in real time, with servers that close them after 1, 2 and 5 s."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Self

import pytest

from dispatcher.client import Client, route
from dispatcher.model import NoReply, Reply

CALL = b'{"contact_id": "c-1"}'
GOOD = b'HTTP/1.1 201 Created\r\nContent-Length: 16\r\n\r\n{"call_id": "x"}'
WAY_SECONDS = 0.05  # a request is so long on its way, and so is all that comes back
STOOD_STILL_SECONDS = 0.1  # who comes so late was closed upon, whatever the client did
TRIES = 10
SERVERS = (1.0, 2.0, 5.0)  # seconds after which they close a connection that is idle


class FarServer(asyncio.Protocol):
    """A server far away that leaves a connection when nothing has come for a time."""

    def __init__(self, idle_seconds: float) -> None:
        self._idle_seconds = idle_seconds
        self._loop = asyncio.get_running_loop()
        self._came = b""
        self._has_left = False
        self._timer: asyncio.TimerHandle | None = None
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._loop.call_later(WAY_SECONDS, self._take, data)

    def _take(self, data: bytes) -> None:
        if self._has_left:
            self._loop.call_later(WAY_SECONDS, self._transport.abort)
            return
        if self._timer is not None:
            self._timer.cancel()
        self._came += data
        if self._came.endswith(CALL):
            self._came = b""
            self._loop.call_later(WAY_SECONDS, self._transport.write, GOOD)
            self._timer = self._loop.call_later(self._idle_seconds, self._leave)

    def _leave(self) -> None:
        self._has_left = True
        self._loop.call_later(WAY_SECONDS, self._transport.close)


async def _second_call_after(gap: float, port: int) -> Reply | NoReply:
    async with Client(
        base_url=f"http://127.0.0.1:{port}",
        api_key="canary-4f1d0a7be2",
        connect_timeout_seconds=20,
        answer_timeout_seconds=20,
    ) as client:
        assert isinstance(await client.place(CALL), Reply)
        await asyncio.sleep(gap)
        return await client.place(CALL)


async def _calls_after(gaps: Sequence[float], *, idle_seconds: float) -> list[Reply | NoReply]:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: FarServer(idle_seconds), "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        return await asyncio.gather(*(_second_call_after(gap, port) for gap in gaps))


def _around(moment: float) -> list[float]:
    """From 0.3 s before to 0.1 s after, in steps of 20 ms."""
    return [moment + step / 50 for step in range(-15, 6)]


class Lag:
    """How late the loop was, at the worst, while the block ran."""

    async def __aenter__(self) -> Self:
        self.worst = 0.0
        self._watch = asyncio.create_task(self._look())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._watch.cancel()

    async def _look(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            before = loop.time()
            await asyncio.sleep(0.01)
            self.worst = max(self.worst, loop.time() - before - 0.01)


def test_reusing_a_connection_costs_no_uncertain_call_whenever_the_server_closes_it() -> None:
    async def scene() -> tuple[list[list[Reply | NoReply]], float]:
        async with Lag() as lag:
            results = await asyncio.gather(
                *(
                    _calls_after(
                        [*_around(route.IDLE_SECONDS), *_around(timer)], idle_seconds=timer
                    )
                    for timer in SERVERS
                )
            )
        return results, lag.worst

    for _ in range(TRIES):  # who stood still for so long says nothing
        results, lag = asyncio.run(scene())
        if lag <= STOOD_STILL_SECONDS:
            break

    lost = [result for of_server in results for result in of_server if isinstance(result, NoReply)]
    assert [len(of_server) for of_server in results] == [42, 42, 42]
    assert lost == []


def test_a_connection_reused_just_before_the_server_closes_it_would_cost_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(route, "IDLE_SECONDS", 4.0)

    results = asyncio.run(_calls_after(_around(1.0), idle_seconds=1.0))

    assert NoReply in {type(result) for result in results}
