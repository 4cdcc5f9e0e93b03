"""Every fault a server can make, on fresh and reused connections, and what it means for a call."""

from __future__ import annotations

import asyncio
import gzip
import json
import socket
import ssl
import struct
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from dispatcher.client import Client
from dispatcher.model import Cause, Evidence, NoReply, Reply, Verdict
from dispatcher.policy import judge

PEM = Path(__file__).with_name("localhost.pem")
KEY = "canary-4f1d0a7be2"
CALL = b'{"contact_id": "c-1", "agent_id": "a-1", "from_number_id": "n-1"}'
ANSWER = json.dumps({"statusCode": 201, "data": {"call_id": "call-1", "agent_id": "a-1"}}).encode()
TO_THE_ID = ANSWER[: ANSWER.index(b"call-1") + len(b'call-1"')]
SHORT_OF_THE_ID = TO_THE_ID[:-1]


def http(status: int, body: bytes = b"", *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status} Word", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


def length_of(text: str) -> bytes:
    return f"HTTP/1.1 201 Word\r\nContent-Length: {text}\r\n\r\n".encode()


GOOD = http(201, ANSWER, "Content-Type: application/json")
CUT = http(201, ANSWER).removesuffix(ANSWER)


@dataclass
class Peer:
    """One connection as the server sees it."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    over: asyncio.Event

    async def read(self) -> bytes:
        head = await self.reader.readuntil(b"\r\n\r\n")
        length = next(
            (
                int(line[15:])
                for line in head.lower().split(b"\r\n")
                if line[:15] == b"content-length:"
            ),
            0,
        )
        return head + await self.reader.readexactly(length)

    def reset(self) -> None:
        raw = self.writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


Script = Callable[[Peer], Awaitable[None]]


@dataclass
class Server:
    """Plays one script per connection, the last one for all that follow."""

    scripts: tuple[Script, ...]
    connections: int = 0
    over: asyncio.Event = field(default_factory=asyncio.Event)
    closed: asyncio.Event = field(default_factory=asyncio.Event)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        script = self.scripts[min(self.connections, len(self.scripts) - 1)]
        self.connections += 1
        try:
            await script(Peer(reader, writer, self.over))
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()
            self.closed.set()


Served = AbstractAsyncContextManager[tuple[Server, str]]
Serving = Callable[..., Served]


@asynccontextmanager
async def serving_plainly(
    *scripts: Script, tls: ssl.SSLContext | None = None
) -> AsyncIterator[tuple[Server, str]]:
    server = Server(scripts)
    tasks: list[asyncio.Task[None]] = []

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.append(asyncio.create_task(server.serve(reader, writer)))

    listener = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=tls)
    port = listener.sockets[0].getsockname()[1]
    try:
        yield server, f"http://127.0.0.1:{port}"
    finally:
        server.over.set()
        listener.close()
        await asyncio.gather(*tasks)


@pytest.fixture(params=["direct", "over TLS", "through a proxy"])
def serving(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Serving:
    """A server that is the API, the API over TLS, or the proxy before it."""

    def direct(*scripts: Script) -> Served:
        return serving_plainly(*scripts)

    @asynccontextmanager
    async def over_tls(*scripts: Script) -> AsyncIterator[tuple[Server, str]]:
        monkeypatch.setenv("SSL_CERT_FILE", str(PEM))
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(PEM)
        async with serving_plainly(*scripts, tls=tls) as (server, url):
            yield server, url.replace("http:", "https:")

    @asynccontextmanager
    async def through_a_proxy(*scripts: Script) -> AsyncIterator[tuple[Server, str]]:
        async with serving_plainly(*scripts) as (server, url):
            monkeypatch.setenv("HTTP_PROXY", url)
            yield server, "http://api.test.invalid"

    ways = {"direct": direct, "over TLS": over_tls, "through a proxy": through_a_proxy}
    return ways[request.param]


def client_of(url: str, *, connect: float = 20, answer: float = 20) -> Client:
    return Client(
        base_url=url,
        api_key=KEY,
        connect_timeout_seconds=connect,
        answer_timeout_seconds=answer,
    )


def says(answer: bytes, *, then: str = "close") -> Script:
    """Read the request, send *answer*, then close, reset or hang."""

    async def script(peer: Peer) -> None:
        await peer.read()
        peer.writer.write(answer)
        await peer.writer.drain()
        if then == "reset":
            peer.reset()
        if then == "hang":
            await peer.over.wait()

    return script


async def good(peer: Peer) -> None:
    while True:
        await peer.read()
        peer.writer.write(GOOD)


async def resets_at_once(peer: Peer) -> None:
    peer.reset()


async def closes_at_once(peer: Peer) -> None:
    peer.writer.close()


async def closes_before_reading(peer: Peer) -> None:
    await peer.reader.readexactly(1)


async def drips(peer: Peer) -> None:
    await peer.read()
    peer.writer.write(CUT + TO_THE_ID)
    while not peer.over.is_set():
        peer.writer.write(b" ")
        await peer.writer.drain()
        await asyncio.sleep(0.01)


async def refuses_early(peer: Peer) -> None:
    await peer.reader.readuntil(b"\r\n\r\n")
    peer.writer.write(http(413, b'{"message": "request entity too large"}'))
    await peer.reader.read()


def broken_gzip() -> bytes:
    packer = zlib.compressobj(wbits=31)
    packed = packer.compress(TO_THE_ID) + packer.flush(zlib.Z_FULL_FLUSH)
    return http(201, packed + b"\xff" * 40, "Content-Encoding: gzip")


PLACED = (Verdict.PLACED, "")
LOST = (Verdict.UNCERTAIN, "connection_lost")
LATE = (Verdict.UNCERTAIN, "timeout")
NO_ID = (Verdict.UNCERTAIN, "answer_without_id")
NOT_API = (Verdict.UNCERTAIN, "not_the_api")
SHORT = 0.4  # seconds until the deadline, where it has to pass

ON_ANY_CONNECTION: dict[str, tuple[Script, tuple[Verdict, str], float]] = {
    "a good answer": (says(GOOD), PLACED, 20),
    "close before reading": (closes_before_reading, LOST, 20),
    "close after processing": (says(b""), LOST, 20),
    "reset after processing": (says(b"", then="reset"), LOST, 20),
    "hang": (says(b"", then="hang"), LATE, SHORT),
    "hang within the status line": (says(b"HTTP/1.1 20", then="hang"), LATE, SHORT),
    "close within the headers": (says(b"HTTP/1.1 201 C\r\nContent-"), LOST, 20),
    "cut after the id": (says(CUT + TO_THE_ID), PLACED, 20),
    "cut before the id": (says(CUT + SHORT_OF_THE_ID), NO_ID, 20),
    "cut before the body": (says(CUT), NO_ID, 20),
    "stalled after the id": (says(CUT + TO_THE_ID, then="hang"), PLACED, SHORT),
    "stalled before the id": (says(CUT + SHORT_OF_THE_ID, then="hang"), NO_ID, SHORT),
    "a drip after the id": (drips, PLACED, SHORT),
    "gzip": (says(http(201, gzip.compress(ANSWER), "Content-Encoding: gzip")), PLACED, 20),
    "deflate": (says(http(201, zlib.compress(ANSWER), "Content-Encoding: deflate")), PLACED, 20),
    "gzip broken after the id": (says(broken_gzip()), PLACED, 20),
    "gzip that is none": (says(http(201, ANSWER, "Content-Encoding: gzip")), NO_ID, 20),
    "gzip cut after nothing": (
        says(http(201, gzip.compress(ANSWER)[:12], "Content-Encoding: gzip")),
        NO_ID,
        20,
    ),
    "garbage": (says(b"\x00\x01 garbage \xff\r\n\r\n"), LOST, 20),
    "endless headers": (says(b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 30_000), LOST, 20),
    "interim answer, then close": (says(b"HTTP/1.1 103 Early Hints\r\n\r\n"), LOST, 20),
    "interim answer, then a good one": (says(b"HTTP/1.1 100 Go\r\n\r\n" + GOOD), PLACED, 20),
    "switching protocols": (
        says(b"HTTP/1.1 101 Switch\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n"),
        LOST,
        20,
    ),
    "early 413": (refuses_early, (Verdict.REJECTED, "too_large"), 20),
    "chunks": (
        says(
            b"HTTP/1.1 201 C\r\nTransfer-Encoding: chunked\r\n\r\n"
            + b"%x\r\n%s\r\n0\r\n\r\n" % (len(ANSWER), ANSWER)
        ),
        PLACED,
        20,
    ),
    "chunks broken after the id": (
        says(
            b"HTTP/1.1 201 C\r\nTransfer-Encoding: chunked\r\n\r\n"
            + b"%x\r\n%s\r\nzz\r\n" % (len(TO_THE_ID), TO_THE_ID)
        ),
        PLACED,
        20,
    ),
    "its length twice": (
        says(http(201, ANSWER, f"Content-Length: {len(ANSWER)}"), then="hang"),
        PLACED,
        20,
    ),
    "its length twice in a line": (
        says(length_of(f"{len(ANSWER)}, {len(ANSWER)}") + ANSWER, then="hang"),
        PLACED,
        20,
    ),
    "its length twice, after an interim answer": (
        says(
            b"HTTP/1.1 103 Hints\r\nContent-Length: 7\r\n\r\n"
            + http(201, ANSWER, f"Content-Length: {len(ANSWER)}"),
            then="hang",
        ),
        PLACED,
        20,
    ),
    "a length without end": (says(length_of("9" * 40) + ANSWER), LOST, 20),
    "two lengths, cut within the head": (says(length_of("5, 5")[:-3]), LOST, 20),
    "until close, as HTTP/1.0": (says(b"HTTP/1.0 200 OK\r\n\r\n" + ANSWER), PLACED, 20),
    "a page": (says(http(200, b"<html>", "Content-Type: text/html")), NOT_API, 20),
    "longer than an answer may be": (says(http(201, b" " * (2**20 + 10) + ANSWER)), NO_ID, 20),
}


# The transport for proxies reads none of these.
WITHOUT_A_SURE_LENGTH: dict[str, tuple[Script, tuple[Verdict, str], float]] = {
    "two lengths": (says(http(201, ANSWER, "Content-Length: 5"), then="hang"), PLACED, 20),
    "two lengths, the other way round": (
        says(length_of(f"5\r\nContent-Length: {len(ANSWER)}") + ANSWER, then="hang"),
        PLACED,
        20,
    ),
    "two lengths and no id": (says(http(201, b"{}", "Content-Length: 1"), then="hang"), NO_ID, 20),
    "two lengths, both too long": (
        says(length_of("7000, 8000") + ANSWER, then="hang"),
        PLACED,
        SHORT,
    ),
    "a length that is no number": (says(length_of("some") + ANSWER), PLACED, 20),
}


@pytest.mark.parametrize("reused", [False, True], ids=["fresh", "reused"])
@pytest.mark.parametrize("name", [*ON_ANY_CONNECTION, *WITHOUT_A_SURE_LENGTH])
def test_a_fault_has_its_verdict_and_nothing_is_sent_twice(
    name: str,
    *,
    reused: bool,
    serving: Serving,
    caplog: pytest.LogCaptureFixture,
    request: pytest.FixtureRequest,
) -> None:
    script, expected, deadline = (ON_ANY_CONNECTION | WITHOUT_A_SURE_LENGTH)[name]
    if name in WITHOUT_A_SURE_LENGTH and "through a proxy" in request.node.name:
        expected = LOST

    async def on_reused(peer: Peer) -> None:
        await says(GOOD, then="")(peer)
        await script(peer)

    async def scene() -> tuple[Reply | NoReply, int]:
        async with serving(on_reused if reused else script) as (server, url):
            async with client_of(url, answer=deadline) as client:
                if reused:
                    assert isinstance(await client.place(CALL), Reply)
                result = await client.place(CALL)
            return result, server.connections

    with caplog.at_level("DEBUG"):
        result, connections = asyncio.run(scene())

    judgement = judge(result, contact_hash_sent="c-1", contact_hash_of=str)
    assert (judgement.verdict, judgement.code) == expected
    assert judgement.call_id == ("call-1" if expected is PLACED else "")
    assert connections == 1
    if isinstance(result, NoReply):
        assert result.evidence is Evidence.BEGAN
    assert KEY not in caplog.text + repr(result)


@pytest.mark.parametrize("script", [resets_at_once, closes_at_once], ids=["reset", "close"])
def test_a_connection_ended_on_accept_is_uncertain(script: Script, serving: Serving) -> None:
    async def scene() -> Reply | NoReply:
        async with serving(script) as (_, url), client_of(url) as client:
            return await client.place(CALL)

    result = asyncio.run(scene())

    assert isinstance(result, NoReply)
    assert (result.evidence, result.cause) == (Evidence.BEGAN, Cause.LOST)


@pytest.mark.parametrize("then", ["close", "reset"])
def test_a_large_request_refused_early_is_rejected_or_uncertain_but_never_unsent(
    then: str, serving: Serving
) -> None:
    async def script(peer: Peer) -> None:
        await peer.reader.readuntil(b"\r\n\r\n")
        peer.writer.write(http(413))
        if then == "reset":
            peer.reset()

    async def scene() -> Reply | NoReply:
        async with serving(script) as (_, url), client_of(url) as client:
            return await client.place(CALL + b" " * 4_000_000)

    judgement = judge(asyncio.run(scene()), contact_hash_sent="c-1", contact_hash_of=str)

    assert judgement.verdict in (Verdict.REJECTED, Verdict.UNCERTAIN)


def test_an_answer_reset_on_its_way_is_uncertain(serving: Serving) -> None:
    async def scene() -> Reply | NoReply:
        async with (
            serving(says(CUT + b"{", then="reset")) as (_, url),
            client_of(url) as client,
        ):
            return await client.place(CALL)

    judgement = judge(asyncio.run(scene()), contact_hash_sent="c-1", contact_hash_of=str)

    assert judgement.verdict is Verdict.UNCERTAIN
    assert judgement.code in ("answer_without_id", "connection_lost")
    assert judgement.failure


@pytest.mark.parametrize("reused", [False, True], ids=["fresh", "reused"])
def test_every_status_comes_back_as_it_is(*, reused: bool, serving: Serving) -> None:
    statuses = range(200, 600)

    async def script(peer: Peer) -> None:
        while True:
            address = (await peer.read()).split(b" ")[1]
            status = int(address[-3:])
            has_body = status not in (204, 304)
            extra = () if reused else ("Connection: close",)
            peer.writer.write(http(status, b"{}" if has_body else b"", *extra))
            if not reused:
                return

    async def scene() -> tuple[list[Reply | NoReply], int]:
        async with serving(script) as (server, url), client_of(url) as client:
            return [await client.look(f"/{status}") for status in statuses], server.connections

    results, connections = asyncio.run(scene())

    assert [result.status for result in results if isinstance(result, Reply)] == list(statuses)
    assert all(result.complete for result in results if isinstance(result, Reply))
    assert connections == (1 if reused else len(statuses))


MALFORMED = {
    "nothing": b"",
    "null": b"null",
    "a text": b'"call-1"',
    "a list": b'[{"call_id": "call-1"}]',
    "no id": b'{"statusCode": 201, "data": {}}',
    "empty id": b'{"call_id": ""}',
    "blank id": b'{"call_id": "  "}',
    "null id": b'{"call_id": null}',
    "an id that is a list": b'{"call_id": ["call-1"]}',
    "an id too deep": b'{"data": {"call": {"call_id": "call-1"}}}',
    "broken off": b'{"call_id": "call-1',
    "not text": b"\xff\xfe\x00\x80",
}


@pytest.mark.parametrize("reused", [False, True], ids=["fresh", "reused"])
@pytest.mark.parametrize("name", MALFORMED)
def test_a_success_without_an_id_is_uncertain_and_its_bytes_are_kept(
    name: str, *, reused: bool, serving: Serving
) -> None:
    async def script(peer: Peer) -> None:
        if reused:
            await says(GOOD, then="")(peer)
        await says(http(200, MALFORMED[name]))(peer)

    async def scene() -> Reply | NoReply:
        async with serving(script) as (_, url), client_of(url) as client:
            if reused:
                await client.place(CALL)
            return await client.place(CALL)

    result = asyncio.run(scene())

    assert isinstance(result, Reply)
    assert result.body == MALFORMED[name]
    judgement = judge(result, contact_hash_sent="c-1", contact_hash_of=str)
    assert (judgement.verdict, judgement.code) == NO_ID


def test_an_idle_connection_that_the_server_closed_costs_no_uncertain_call(
    serving: Serving,
) -> None:
    async def scene() -> tuple[list[Reply | NoReply], int]:
        results = []
        async with serving(says(GOOD)) as (server, url), client_of(url) as client:
            for _ in range(5):
                results.append(await client.place(CALL))
                await server.closed.wait()
                server.closed.clear()
            return results, server.connections

    results, connections = asyncio.run(scene())

    assert all(isinstance(result, Reply) and result.status == 201 for result in results)
    assert connections == 5


@dataclass
class Clock:
    now: float = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.mark.parametrize(("idle", "connections"), [(0.74, 1), (0.76, 2)], ids=["0.74 s", "0.76 s"])
def test_an_idle_connection_is_left_before_common_servers_drop_it(
    idle: float, connections: int, serving: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    monkeypatch.setattr("httpcore._async.http11.time", clock)

    async def scene() -> int:
        monkeypatch.setattr(asyncio.get_running_loop(), "time", clock.monotonic)
        async with serving(good) as (server, url), client_of(url) as client:
            await client.place(CALL)
            clock.now += idle
            await client.place(CALL)
            return server.connections

    assert asyncio.run(scene()) == connections


def test_a_server_that_repeats_the_key_does_not_bring_it_into_reply_or_log(
    caplog: pytest.LogCaptureFixture, serving: Serving
) -> None:
    echo = http(400, f'{{"message": "bad {KEY}"}}'.encode(), f"Retry-After: {KEY}")

    async def scene() -> Reply | NoReply:
        async with serving(says(echo)) as (_, url), client_of(url) as client:
            return await client.place(CALL)

    with caplog.at_level("DEBUG"):
        result = asyncio.run(scene())

    assert isinstance(result, Reply)
    assert result.body == b'{"message": "bad [key]"}'
    assert KEY not in caplog.text + repr(result)


def test_the_headers_that_matter_come_back(serving: Serving) -> None:
    answer = http(
        429,
        b"{}",
        "Content-Type: application/json",
        "Retry-After: 7",
        "X-RateLimit-Limit: 120",
        "X-RateLimit-Remaining: 0",
        "X-RateLimit-Reset: 30",
    )

    async def scene() -> Reply | NoReply:
        async with serving(says(answer)) as (_, url), client_of(url) as client:
            return await client.place(CALL)

    assert asyncio.run(scene()) == Reply(
        status=429,
        body=b"{}",
        content_type="application/json",
        retry_after="7",
        limit="120",
        remaining="0",
        reset="30",
    )
