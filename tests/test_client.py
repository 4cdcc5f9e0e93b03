"""What the client sends, when it gives up, and the ways to the API."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from dispatcher import __version__
from dispatcher.client import CALLS_PATH, Client
from dispatcher.client.direct import DirectTransport
from dispatcher.errors import UsageProblem
from dispatcher.model import Cause, Evidence, NoReply, Reply

KEY = "canary-4f1d0a7be2"
CALL = b'{"contact_id": "c-1"}'
GOOD = b'HTTP/1.1 201 Created\r\nContent-Length: 16\r\n\r\n{"call_id": "x"}'

PEM = Path(__file__).with_name("localhost.pem")

Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def serving(script: Script, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    tasks: list[asyncio.Task[None]] = []

    async def play(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await script(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.append(asyncio.create_task(play(reader, writer)))

    listener = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=tls)
    try:
        yield listener.sockets[0].getsockname()[1]
    finally:
        listener.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def client_of(
    url: str,
    *,
    connect: float = 20,
    answer: float = 20,
    transport: httpx.AsyncBaseTransport | None = None,
) -> Client:
    return Client(
        base_url=url,
        api_key=KEY,
        connect_timeout_seconds=connect,
        answer_timeout_seconds=answer,
        transport=transport,
    )


async def place_at(url: str, *, connect: float = 20) -> Reply | NoReply:
    async with client_of(url, connect=connect) as client:
        return await client.place(CALL)


async def says_well(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(CALL)
    writer.write(GOOD)
    await writer.drain()


async def says_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    del writer
    while await reader.read(1000):
        pass


async def speaks_no_tls(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(100)
    writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    await writer.drain()


async def closes(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    del writer
    await reader.read(100)


def is_unsent(result: Reply | NoReply, *words: str) -> bool:
    assert isinstance(result, NoReply)
    assert all(word in result.message for word in words), result.message
    return (result.evidence, result.cause) == (Evidence.NOTHING_LEFT, Cause.UNREACHABLE)


# What is sent


def test_a_call_is_posted_with_key_type_and_exact_body() -> None:
    received: list[bytes] = []

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        received.append(await reader.readuntil(CALL))
        writer.write(GOOD)

    async def scene() -> Reply | NoReply:
        async with serving(script) as port:
            return await place_at(f"http://127.0.0.1:{port}/prefix/")

    result = asyncio.run(scene())

    assert result == Reply(status=201, body=b'{"call_id": "x"}')
    head, _, body = received[0].partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    assert body == CALL
    assert lines[0] == f"POST /prefix{CALLS_PATH} HTTP/1.1"
    assert {line.lower() for line in lines[1:]} >= {
        f"x-api-key: {KEY}",
        "accept: application/json",
        "accept-encoding: identity",
        "content-type: application/json",
        f"content-length: {len(CALL)}",
        f"user-agent: contactship-dispatcher/{__version__}",
    }


def test_a_look_escapes_path_and_query() -> None:
    received: list[bytes] = []

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        received.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(GOOD)

    async def scene() -> Reply | NoReply:
        async with serving(script) as port, client_of(f"http://127.0.0.1:{port}") as client:
            return await client.look("/v1/calls/a?b c", {"phoneNumber": "+34 600"})

    assert isinstance(asyncio.run(scene()), Reply)
    assert received[0].startswith(b"GET /v1/calls/a%3Fb%20c?phoneNumber=%2B34+600 HTTP/1.1\r\n")
    assert b"content-type" not in received[0].lower()


def test_redirects_are_not_followed_and_cookies_not_kept() -> None:
    received: list[bytes] = []

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            received.append(await reader.readuntil(CALL))
            writer.write(
                b"HTTP/1.1 308 Moved\r\nLocation: /elsewhere\r\nSet-Cookie: a=b\r\n"
                b"Content-Length: 0\r\n\r\n"
            )

    async def scene() -> list[Reply | NoReply]:
        async with serving(script) as port, client_of(f"http://127.0.0.1:{port}") as client:
            return [await client.place(CALL), await client.place(CALL)]

    assert asyncio.run(scene()) == [Reply(status=308), Reply(status=308)]
    assert all(b"elsewhere" not in one and b"cookie" not in one.lower() for one in received)


# The key


@pytest.mark.parametrize(
    "key",
    [
        "",
        " ",
        f"{KEY} ",
        f"{KEY}\n",
        f"{KEY[:5]}\t{KEY[5:]}",
        f"{KEY}\x00",
        f"{KEY}é",
        "\ufeff" + KEY,
    ],
    ids=["empty", "blank", "space", "newline", "tab", "NUL", "accent", "BOM"],
)
def test_a_key_that_no_header_can_hold_is_refused_without_showing_it(key: str) -> None:
    with pytest.raises(UsageProblem) as caught:
        Client(
            base_url="http://127.0.0.1:1",
            api_key=key,
            connect_timeout_seconds=1,
            answer_timeout_seconds=1,
        )

    assert "canary" not in f"{caught.value!r} {caught.value.message} {caught.value.hint}"


def test_the_key_is_in_no_repr() -> None:
    client = client_of("http://127.0.0.1:1")

    assert KEY not in repr(client) + repr(vars(client))


def test_a_short_key_is_not_searched_for_in_answers() -> None:
    async def scene() -> Reply | NoReply:
        async with serving(says_well) as port:
            client = Client(
                base_url=f"http://127.0.0.1:{port}",
                api_key="x",
                connect_timeout_seconds=20,
                answer_timeout_seconds=20,
            )
            async with client:
                return await client.place(CALL)

    assert asyncio.run(scene()) == Reply(status=201, body=b'{"call_id": "x"}')


# No connection: nothing was sent


def test_a_refused_connection_proves_that_nothing_left() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]

        result = asyncio.run(place_at(f"http://127.0.0.1:{port}"))

    assert is_unsent(result, f"connection refused by 127.0.0.1:{port}")


@pytest.mark.parametrize("name", ["nobody.invalid", "a" * 64 + ".invalid"], ids=["unknown", "long"])
def test_a_name_that_is_not_resolved_proves_that_nothing_left(name: str) -> None:
    result = asyncio.run(place_at(f"http://{name}"))

    assert is_unsent(result, f"the name {name} could not be resolved")


@pytest.mark.parametrize(
    ("script", "word"),
    [(speaks_no_tls, "TLS"), (closes, "")],
    ids=["plain server", "close in the handshake"],
)
def test_a_failed_handshake_proves_that_nothing_left(script: Script, word: str) -> None:
    async def scene() -> Reply | NoReply:
        async with serving(script) as port:
            return await place_at(f"https://127.0.0.1:{port}")

    assert is_unsent(asyncio.run(scene()), word, "127.0.0.1")


def test_a_stalled_handshake_ends_with_the_connect_timeout_and_nothing_left() -> None:
    async def scene() -> Reply | NoReply:
        async with serving(says_nothing) as port:
            return await place_at(f"https://127.0.0.1:{port}", connect=0.2)

    assert is_unsent(asyncio.run(scene()), "no connection with", "within 0.2 seconds")


def tls_server() -> ssl.SSLContext:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(PEM)
    return tls


def test_a_certificate_nobody_vouches_for_is_refused_before_anything_is_sent() -> None:
    async def scene() -> Reply | NoReply:
        async with serving(says_well, tls_server()) as port:
            return await place_at(f"https://127.0.0.1:{port}")

    assert is_unsent(asyncio.run(scene()), "TLS: the certificate of 127.0.0.1")


def test_own_certificates_are_trusted_through_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(PEM))

    async def scene() -> Reply | NoReply:
        async with serving(says_well, tls_server()) as port:
            return await place_at(f"https://127.0.0.1:{port}")

    assert asyncio.run(scene()) == Reply(status=201, body=b'{"call_id": "x"}')


def test_certificates_that_cannot_be_read_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "missing.pem"))

    with pytest.raises(UsageProblem, match=r"missing\.pem"):
        client_of("https://127.0.0.1:1")


# Addresses and proxies


@pytest.mark.parametrize(
    "url",
    ["", "api.contactship.ai", "ftp://host", "https://", "https://me:word@host", "https://h:port"],
)
def test_a_base_url_that_is_no_address_is_refused_without_showing_it(url: str) -> None:
    with pytest.raises(UsageProblem) as caught:
        client_of(url)

    assert "word" not in caught.value.message


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"HTTP/1.1 407 Who are you\r\nContent-Length: 0\r\n\r\n", ("did not let", ": 407")),
        (b"", ("closed the connection",)),
        (b"HTTP/1.1 200 Connected\r\n\r\n", ()),
    ],
    ids=["refusal", "silence", "tunnel to nothing"],
)
def test_a_fault_of_the_proxy_proves_that_nothing_left(
    answer: bytes, words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    received: list[bytes] = []

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        received.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(answer)

    async def scene() -> Reply | NoReply:
        async with serving(script) as port:
            monkeypatch.setenv("HTTPS_PROXY", f"user:secret@127.0.0.1:{port}")
            return await place_at("https://api.test.invalid")

    result = asyncio.run(scene())

    assert is_unsent(result, *words)
    assert received[0].startswith(b"CONNECT api.test.invalid:443 HTTP/1.1")
    assert KEY.encode() not in received[0]
    assert "secret" not in repr(result)


def test_a_proxy_that_stalls_ends_with_the_connect_timeout_and_nothing_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def scene() -> Reply | NoReply:
        async with serving(says_nothing) as port:
            monkeypatch.setenv("ALL_PROXY", f"http://127.0.0.1:{port}")
            return await place_at("https://api.test.invalid", connect=0.2)

    assert is_unsent(asyncio.run(scene()), "no connection with 127.0.0.1")


def test_a_request_through_a_plain_proxy_counts_as_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene() -> Reply | NoReply:
        async with serving(closes) as port:
            monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{port}")
            return await place_at("http://api.test.invalid")

    result = asyncio.run(scene())

    assert isinstance(result, NoReply)
    assert (result.evidence, result.cause) == (Evidence.BEGAN, Cause.LOST)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_loopback_address_needs_no_proxy(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")

    async def scene() -> Reply | NoReply:
        async with serving(says_well) as port:
            return await place_at(f"http://{host}:{port}")

    assert isinstance(asyncio.run(scene()), Reply)


def test_no_proxy_is_heeded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("NO_PROXY", "nobody.invalid")

    result = asyncio.run(place_at("http://nobody.invalid"))

    assert is_unsent(result, "nobody.invalid could not be resolved")


@pytest.mark.parametrize(
    "proxy", ["socks5://user:secret@host:1", "gopher://secret", "http://h:secret"]
)
def test_a_proxy_that_cannot_be_used_is_refused_without_showing_it(
    proxy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALL_PROXY", proxy)

    with pytest.raises(UsageProblem) as caught:
        client_of("https://api.test.invalid")

    assert "secret" not in f"{caught.value!r} {caught.value.hint}"


def test_a_level_that_somebody_set_for_the_logs_of_httpcore_stays(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    logger = logging.getLogger("httpcore")
    before = logger.level
    logger.setLevel(logging.INFO)
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")

    client_of("https://api.test.invalid")

    assert logger.level == logging.INFO
    logger.setLevel(before)


def test_a_body_that_is_made_on_the_way_is_a_bug() -> None:
    async def parts() -> AsyncIterator[bytes]:
        yield CALL

    async def scene() -> None:
        async with DirectTransport(tls=None, idle_seconds=4) as transport:
            request = httpx.Request("POST", "http://127.0.0.1:1", content=parts())
            request.extensions["trace"] = None
            await transport.handle_async_request(request)

    with pytest.raises(TypeError, match="one piece"):
        asyncio.run(scene())


# Abort and cancellation


async def abort_when(ready: asyncio.Event, client: Client) -> Reply | NoReply:
    placing = asyncio.create_task(client.place(CALL))
    await ready.wait()
    client.abort()
    return await placing


def test_an_aborted_request_that_began_is_told_so() -> None:
    async def scene() -> Reply | NoReply:
        ready = asyncio.Event()

        async def script(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
            await reader.readuntil(CALL)
            ready.set()
            await reader.read()

        async with serving(script) as port, client_of(f"http://127.0.0.1:{port}") as client:
            return await abort_when(ready, client)

    result = asyncio.run(scene())

    assert isinstance(result, NoReply)
    assert (result.evidence, result.cause) == (Evidence.BEGAN, Cause.CANCELLED)


def test_an_abort_while_connecting_proves_that_nothing_left() -> None:
    async def scene() -> Reply | NoReply:
        ready = asyncio.Event()

        async def script(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
            await reader.read(1)  # the handshake began
            ready.set()
            await reader.read()

        async with serving(script) as port, client_of(f"https://127.0.0.1:{port}") as client:
            return await abort_when(ready, client)

    result = asyncio.run(scene())

    assert isinstance(result, NoReply)
    assert (result.evidence, result.cause) == (Evidence.NOTHING_LEFT, Cause.CANCELLED)


class Announcing(httpx.AsyncBaseTransport):
    """A real transport that tells when the first part of a body has come."""

    def __init__(self) -> None:
        self.inner = httpx.AsyncHTTPTransport()
        self.came = asyncio.Event()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await self.inner.handle_async_request(request)
        assert isinstance(response.stream, httpx.AsyncByteStream)
        response.stream = AnnouncingStream(response.stream, self.came)
        return response

    async def aclose(self) -> None:
        await self.inner.aclose()


class AnnouncingStream(httpx.AsyncByteStream):
    def __init__(self, inner: httpx.AsyncByteStream, came: asyncio.Event) -> None:
        self.inner = inner
        self.came = came

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self.inner:
            yield chunk
            self.came.set()

    async def aclose(self) -> None:
        await self.inner.aclose()


def test_an_abort_within_the_answer_keeps_what_came() -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(CALL)
        writer.write(GOOD[:-1])
        await reader.read()

    async def scene() -> Reply | NoReply:
        transport = Announcing()
        async with serving(script) as port:
            client = client_of(f"http://127.0.0.1:{port}", transport=transport)
            async with client:
                return await abort_when(transport.came, client)

    result = asyncio.run(scene())

    assert result == Reply(status=201, body=b'{"call_id": "x"', complete=False)


def test_an_abort_with_nothing_in_flight_changes_nothing() -> None:
    async def scene() -> Reply | NoReply:
        async with serving(says_well) as port, client_of(f"http://127.0.0.1:{port}") as client:
            client.abort()
            return await client.place(CALL)

    assert isinstance(asyncio.run(scene()), Reply)


def test_a_cancelled_task_is_cancelled() -> None:
    async def scene() -> None:
        ready = asyncio.Event()

        async def script(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
            await reader.readuntil(CALL)
            ready.set()
            await reader.read()

        async with serving(script) as port, client_of(f"http://127.0.0.1:{port}") as client:
            placing = asyncio.create_task(client.place(CALL))
            await ready.wait()
            placing.cancel()
            with pytest.raises(asyncio.CancelledError):
                await placing

    asyncio.run(scene())


# A transport that reports nothing proves nothing


class Mute(httpx.AsyncBaseTransport):
    """Reports no step; fails, or never answers."""

    def __init__(self, fault: Exception | None) -> None:
        self.fault = fault

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        del request
        if self.fault is not None:
            raise self.fault
        await asyncio.Event().wait()
        raise AssertionError


@pytest.mark.parametrize(
    ("fault", "cause"),
    [
        (httpx.ConnectError("x"), Cause.LOST),
        (httpx.ReadError("x"), Cause.LOST),
        (OSError(113, "no route"), Cause.LOST),
        (ExceptionGroup("many", [OSError(101, "x")]), Cause.LOST),
        (RecursionError("deep"), Cause.LOST),
        (None, Cause.TIMED_OUT),
    ],
    ids=["connect error", "read error", "os error", "group", "deep chain", "silence"],
)
def test_without_a_report_nothing_is_proven(fault: Exception | None, cause: Cause) -> None:
    if isinstance(fault, ExceptionGroup):
        fault = _chained(fault)
    if isinstance(fault, RecursionError):
        for _ in range(20):
            fault = _chained(fault)

    async def scene() -> Reply | NoReply:
        client = client_of("http://api.test", connect=0.05, answer=0.05, transport=Mute(fault))
        async with client:
            return await client.place(CALL)

    result = asyncio.run(scene())

    assert isinstance(result, NoReply)
    assert (result.evidence, result.cause) == (Evidence.UNKNOWN, cause)


def _chained(inner: Exception) -> Exception:
    outer = httpx.ConnectError("All connection attempts failed")
    outer.__cause__ = inner
    return outer


def test_a_transport_may_answer_without_any_report() -> None:
    async def scene() -> Reply | NoReply:
        transport = httpx.MockTransport(lambda _: httpx.Response(201, content=b'{"call_id": "x"}'))
        async with client_of("http://api.test", transport=transport) as client:
            return await client.place(CALL)

    assert asyncio.run(scene()) == Reply(status=201, body=b'{"call_id": "x"}')


class OnlySync(httpx.SyncByteStream):
    pass


class Sync(httpx.AsyncBaseTransport):
    """Not for asyncio."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        del request
        return httpx.Response(200, stream=OnlySync())


def test_a_transport_that_is_not_for_asyncio_is_a_bug() -> None:
    with pytest.raises((TypeError, RuntimeError)):
        asyncio.run(client_of("http://h", transport=Sync()).place(CALL))


class AbortsTooLate(httpx.AsyncBaseTransport):
    """Aborts when the deadline has just passed."""

    client: Client

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        del request
        try:
            await asyncio.Event().wait()
        finally:
            self.client.abort()
        raise AssertionError


def test_an_abort_after_the_deadline_does_no_harm() -> None:
    async def scene() -> Reply | NoReply:
        transport = AbortsTooLate()
        transport.client = client_of("http://h", connect=0.01, answer=0.01, transport=transport)
        return await transport.client.place(CALL)

    result = asyncio.run(scene())

    assert isinstance(result, NoReply)
    assert (result.evidence, result.cause) == (Evidence.UNKNOWN, Cause.CANCELLED)
