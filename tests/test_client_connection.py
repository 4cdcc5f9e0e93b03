"""What a connection does that no table of answers shows: against raw sockets, step by step."""

from __future__ import annotations

import asyncio
import gc
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from dispatcher.client import Client, direct
from dispatcher.client.connecting import connect
from dispatcher.model import Cause, Evidence, NoReply, Reply

PEM = Path(__file__).with_name("localhost.pem")
KEY = "canary-4f1d0a7be2"
CALL = b'{"contact_id": "c-1"}'
GOOD = b'HTTP/1.1 201 Created\r\nContent-Length: 16\r\n\r\n{"call_id": "x"}'
PLACED = Reply(status=201, body=b'{"call_id": "x"}')


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening


def url_of(listening: socket.socket) -> str:
    return f"http://127.0.0.1:{listening.getsockname()[1]}"


def client_of(url: str, *, connect: float = 20, answer: float = 20) -> Client:
    return Client(
        base_url=url,
        api_key=KEY,
        connect_timeout_seconds=connect,
        answer_timeout_seconds=answer,
    )


async def take(peer: socket.socket, *, until: bytes = CALL) -> bytes:
    """Read from a raw socket on the other side."""
    peer.setblocking(False)
    received = b""
    while until not in received:
        piece = await asyncio.get_running_loop().sock_recv(peer, 2**16)
        assert piece, "the client left"
        received += piece
    return received


async def accept(listening: socket.socket) -> socket.socket:
    listening.setblocking(False)
    peer, _ = await asyncio.get_running_loop().sock_accept(listening)
    return peer


async def has_left(peer: socket.socket) -> bool:
    """Wait until the client's side of the connection is closed."""
    try:
        while await asyncio.get_running_loop().sock_recv(peer, 2**16):
            pass
    except ConnectionError:
        pass
    return True


def reset(peer: socket.socket) -> None:
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.close()


# A connection that is made ahead


def test_a_connection_opened_ahead_carries_the_next_request(listener: socket.socket) -> None:
    async def scene() -> Reply | NoReply:
        async with client_of(url_of(listener)) as client:
            await client.open()
            peer = await accept(listener)
            placing = asyncio.create_task(client.place(CALL))
            await take(peer)
            peer.send(GOOD)
            await placing
            await client.open()  # there is one already
            placing = asyncio.create_task(client.place(CALL))
            await take(peer)
            peer.send(GOOD)
            peer.close()
            return await placing

    assert asyncio.run(scene()) == PLACED


def test_a_connection_that_cannot_be_opened_ahead_is_left_to_the_request(
    listener: socket.socket,
) -> None:
    url = url_of(listener)
    listener.close()

    async def scene() -> Reply | NoReply:
        async with client_of(url) as client:
            await client.open()
            return await client.place(CALL)

    answer = asyncio.run(scene())

    assert isinstance(answer, NoReply)
    assert (answer.evidence, answer.cause) == (Evidence.NOTHING_LEFT, Cause.UNREACHABLE)


@pytest.mark.parametrize("seconds", [0.01, 600], ids=["time is up", "aborted"])
def test_opening_ahead_ends_in_time_and_when_it_is_aborted(
    seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(*_where: object) -> None:
        client.abort() if seconds > 1 else None
        await asyncio.get_running_loop().create_future()

    monkeypatch.setattr(direct, "connect", never)
    client = client_of("http://127.0.0.1:1", connect=seconds)

    async def scene() -> None:
        async with client:
            await client.open()

    asyncio.run(scene())


# A connection that is no good any more


@pytest.mark.parametrize(
    "spoil",
    [
        socket.socket.close,
        lambda peer: peer.shutdown(socket.SHUT_WR),
        reset,
        lambda peer: peer.send(b"HTTP/1.1 408 Slow\r\nContent-Length: 0\r\n\r\n"),
    ],
    ids=["closed", "half closed", "reset", "bytes nobody asked for"],
)
@pytest.mark.parametrize("is_read", [False, True], ids=["in the kernel", "read by asyncio"])
def test_a_spoilt_idle_connection_is_noticed_before_anything_is_sent(
    spoil: Callable[[socket.socket], object], listener: socket.socket, *, is_read: bool
) -> None:
    async def scene() -> tuple[Reply | NoReply, bytes]:
        async with client_of(url_of(listener)) as client:
            placing = asyncio.create_task(client.place(CALL))
            first = await accept(listener)
            await take(first)
            first.send(GOOD)
            await placing

            spoil(first)  # and the loop has had no turn to read it
            if is_read:
                await asyncio.sleep(0.01)
            placing = asyncio.create_task(client.place(CALL))
            second = await accept(listener)
            await take(second)
            second.send(GOOD)
            left_over = b"" if first.fileno() == -1 else await _rest(first)
            first.close()
            second.close()
            return await placing, left_over

    assert asyncio.run(scene()) == (PLACED, b"")


async def _rest(peer: socket.socket) -> bytes:
    try:
        return await asyncio.get_running_loop().sock_recv(peer, 100)
    except ConnectionError:
        return b""


@pytest.mark.parametrize(
    "answer",
    [
        GOOD.replace(b"\r\n", b"\r\nConnection: close\r\n", 1),
        GOOD.replace(b"HTTP/1.1", b"HTTP/1.0"),
        GOOD + b"H",
        GOOD + GOOD,
    ],
    ids=["Connection: close", "HTTP/1.0", "a byte too much", "an answer too much"],
)
def test_a_connection_that_may_not_stay_is_left_at_once(
    answer: bytes, listener: socket.socket
) -> None:
    async def scene() -> tuple[Reply | NoReply, bool]:
        async with client_of(url_of(listener)) as client:
            placing = asyncio.create_task(client.place(CALL))
            with await accept(listener) as peer:
                await take(peer)
                peer.send(answer)
                return await placing, await has_left(peer)

    assert asyncio.run(scene()) == (PLACED, True)


def test_an_answer_before_the_request_has_left_whole_ends_the_connection(
    listener: socket.socket,
) -> None:
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2**12)

    async def scene() -> tuple[Reply | NoReply, bool]:
        async with client_of(url_of(listener)) as client:
            placing = asyncio.create_task(client.place(CALL + b" " * 10_000_000))
            with await accept(listener) as peer:
                await take(peer)
                peer.send(GOOD)
                return await placing, await has_left(peer)

    assert asyncio.run(scene()) == (PLACED, True)


@pytest.mark.parametrize("leave", [socket.socket.close, reset], ids=["close", "reset"])
def test_a_peer_that_leaves_within_a_long_request_makes_it_uncertain(
    leave: Callable[[socket.socket], object], listener: socket.socket
) -> None:
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2**12)

    async def scene() -> Reply | NoReply:
        async with client_of(url_of(listener)) as client:
            placing = asyncio.create_task(client.place(CALL + b" " * 10_000_000))
            peer = await accept(listener)
            await take(peer)
            leave(peer)
            return await placing

    result = asyncio.run(scene())

    assert isinstance(result, NoReply)
    assert (result.evidence, result.cause) == (Evidence.BEGAN, Cause.LOST)


# How a request leaves


def test_a_request_leaves_in_one_piece_at_once(listener: socket.socket) -> None:
    async def scene() -> bytes:
        async with client_of(url_of(listener)) as client:
            placing = asyncio.create_task(client.place(CALL))
            with await accept(listener) as peer:
                received = await take(peer, until=b"POST")
                peer.send(GOOD)
                await placing
            return received

    assert asyncio.run(scene()).endswith(b"\r\n\r\n" + CALL)


def test_small_packets_are_not_held_back(listener: socket.socket) -> None:
    async def scene() -> int:
        url = httpx.URL(url_of(listener))
        connection = await connect(url.host, url.port or 0, None)
        ours = connection._transport.get_extra_info("socket")
        is_prompt = ours.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        await connection.close()
        return int(is_prompt)

    assert asyncio.run(scene())


@pytest.mark.skipif(not socket.has_ipv6, reason="this machine has no IPv6")
def test_an_ipv6_address_is_reached_and_named_in_brackets() -> None:
    async def scene() -> tuple[Reply | NoReply, bytes]:
        with socket.create_server(("::1", 0), family=socket.AF_INET6) as listening:
            port = listening.getsockname()[1]
            async with client_of(f"http://[::1]:{port}") as client:
                placing = asyncio.create_task(client.place(CALL))
                with await accept(listening) as peer:
                    received = await take(peer)
                    peer.send(GOOD)
                    return await placing, received.replace(b"%d" % port, b"PORT")

    result, received = asyncio.run(scene())

    assert result == PLACED
    assert b"\r\nhost: [::1]:PORT\r\n" in received.lower().replace(b"port", b"PORT")


# Names with several addresses


def resolve_to(monkeypatch: pytest.MonkeyPatch, *addresses: tuple[str, int]) -> None:
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", address) for address in addresses]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)


def closed_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


@pytest.fixture
def full() -> Iterator[tuple[str, int]]:
    """An address where connecting neither succeeds nor fails."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listening:
        address = listening.getsockname()
        fillers = [socket.socket() for _ in range(3)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(address)
        yield address
        for filler in fillers:
            filler.close()


def test_the_next_address_is_tried_when_one_refuses_or_stalls(
    listener: socket.socket, full: tuple[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    refusing = ("127.0.0.1", closed_port())
    resolve_to(monkeypatch, refusing, full, listener.getsockname())

    async def scene() -> Reply | NoReply:
        async with client_of("http://api.test") as client:
            placing = asyncio.create_task(client.place(CALL))
            with await accept(listener) as peer:
                await take(peer)
                peer.send(GOOD)
                return await placing

    assert asyncio.run(scene()) == PLACED


def test_several_addresses_that_refuse_prove_that_nothing_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    resolve_to(monkeypatch, ("127.0.0.1", closed_port()), ("127.0.0.1", closed_port()))

    async def scene() -> Reply | NoReply:
        async with client_of("http://api.test") as client:
            return await client.place(CALL)

    assert asyncio.run(scene()) == NoReply(
        evidence=Evidence.NOTHING_LEFT,
        cause=Cause.UNREACHABLE,
        message="connection refused by api.test",
    )


# Giving up leaves nothing behind


async def stopped(client: Client, placing: asyncio.Task[Reply | NoReply], how: str) -> None:
    if how == "cancelled":
        placing.cancel()
    else:
        client.abort()
    await asyncio.gather(placing, return_exceptions=True)


HOW = pytest.mark.parametrize("how", ["cancelled", "aborted"])


@HOW
@pytest.mark.parametrize("answer", [b"", GOOD[:-1]], ids=["before the answer", "within it"])
def test_giving_up_closes_the_socket(how: str, answer: bytes, listener: socket.socket) -> None:
    async def scene() -> bool:
        client = client_of(url_of(listener))
        placing = asyncio.create_task(client.place(CALL))
        with await accept(listener) as peer:
            await take(peer)
            peer.send(answer)
            await stopped(client, placing, how)
            return await has_left(peer)

    assert asyncio.run(scene())
    gc.collect()  # an unclosed socket or transport would warn


@HOW
def test_giving_up_while_connecting_leaves_no_socket(how: str, full: tuple[str, int]) -> None:
    async def scene() -> None:
        client = client_of(f"http://127.0.0.1:{full[1]}")
        placing = asyncio.create_task(client.place(CALL))
        for _ in range(5):
            await asyncio.sleep(0)
        await stopped(client, placing, how)

    asyncio.run(scene())
    gc.collect()


@HOW
@pytest.mark.parametrize("turns", range(12))
def test_giving_up_within_a_handshake_closes_the_socket(
    how: str, turns: int, listener: socket.socket
) -> None:
    """At whatever turn of the loop it happens."""

    async def scene() -> bool:
        client = client_of(url_of(listener).replace("http:", "https:"))
        placing = asyncio.create_task(client.place(CALL))
        with await accept(listener) as peer:
            peer.setblocking(False)
            for _ in range(turns):
                await asyncio.sleep(0)
            await stopped(client, placing, how)
            return await has_left(peer)

    assert asyncio.run(scene())
    gc.collect()


async def answered_and_left(client: Client, listener: socket.socket) -> None:
    """Place a call over a connection that the server leaves after its answer."""
    placing = asyncio.create_task(client.place(CALL))
    with await accept(listener) as peer:
        await take(peer)
        peer.send(GOOD)
        await placing


@pytest.mark.parametrize("turns", range(1, 11))
def test_giving_up_while_a_spoilt_connection_is_replaced_says_truly_what_left(
    turns: int, listener: socket.socket
) -> None:
    """At whatever turn of the loop it happens."""

    async def scene() -> tuple[Reply | NoReply, bytes]:
        async with client_of(url_of(listener)) as client:
            await answered_and_left(client, listener)
            placing = asyncio.create_task(client.place(CALL))
            for _ in range(turns):
                await asyncio.sleep(0)
            await stopped(client, placing, "aborted")
            return await placing, received_by(listener)

    result, received = asyncio.run(scene())

    assert isinstance(result, NoReply)
    expected = Evidence.BEGAN if received else Evidence.NOTHING_LEFT
    assert (result.evidence, result.cause) == (expected, Cause.CANCELLED)


def test_giving_up_while_a_spoilt_connection_is_left_is_no_fault(
    listener: socket.socket, caplog: pytest.LogCaptureFixture
) -> None:
    async def scene() -> None:
        async with client_of(url_of(listener)) as client:
            await answered_and_left(client, listener)
            placing = asyncio.create_task(client.place(CALL))
            await asyncio.sleep(0)
            await stopped(client, placing, "cancelled")
            await asyncio.sleep(0)

    asyncio.run(scene())

    assert caplog.messages == []


def test_nothing_begins_to_leave_after_giving_up() -> None:
    """Not even in the turn of the loop in which the connection stands."""

    class Connecting(httpx.AsyncBaseTransport):
        def __init__(self) -> None:
            self.stands = asyncio.get_running_loop().create_future()

        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            trace = request.extensions["trace"]
            await trace("connection.connect_tcp.started", {})
            await self.stands
            await trace("http11.send_request_headers.started", {})
            raise AssertionError("it was sent")

    async def scene() -> Reply | NoReply:
        transport = Connecting()
        client = Client(
            base_url="http://api.test",
            api_key=KEY,
            connect_timeout_seconds=20,
            answer_timeout_seconds=20,
            transport=transport,
        )
        placing = asyncio.create_task(client.place(CALL))
        await asyncio.sleep(0)
        transport.stands.set_result(None)
        await stopped(client, placing, "aborted")
        return await placing

    result = asyncio.run(scene())

    assert isinstance(result, NoReply)
    assert (result.evidence, result.cause) == (Evidence.NOTHING_LEFT, Cause.CANCELLED)


def received_by(listening: socket.socket) -> bytes:
    """What a connection that waits to be accepted has brought, if there is one."""
    try:
        peer, _ = listening.accept()
    except BlockingIOError:
        return b""
    with peer:
        peer.settimeout(1)
        return peer.recv(2**16)


def test_a_client_that_is_left_has_closed_its_socket(listener: socket.socket) -> None:
    async def scene() -> bool:
        async with client_of(url_of(listener)) as client:
            placing = asyncio.create_task(client.place(CALL))
            peer = await accept(listener)
            await take(peer)
            peer.send(GOOD)
            await placing
        with peer:
            return peer.recv(1) == b""  # at once: the socket would block

    assert asyncio.run(scene())
    gc.collect()


def test_a_second_request_meanwhile_takes_the_first_ones_answer_from_it(
    listener: socket.socket,
) -> None:
    """A client is for one at a time; used otherwise, it says less than it might, never more."""

    async def scene() -> tuple[Reply | NoReply, Reply | NoReply]:
        async with client_of(url_of(listener)) as client:
            placing = asyncio.create_task(client.place(CALL))
            with await accept(listener) as peer:
                await take(peer)
                looking = asyncio.create_task(client.look("/v1/credits"))
                with await accept(listener) as other:
                    await take(other, until=b"\r\n\r\n")
                    other.send(GOOD)
                    return await placing, await looking

    first, second = asyncio.run(scene())

    assert isinstance(first, NoReply)
    assert (first.evidence, first.cause) == (Evidence.BEGAN, Cause.LOST)
    assert second == PLACED


# TLS


def speak_tls(listening: socket.socket, answers: list[bytes], received: list[bytes]) -> None:
    """Answer one request after another over TLS, then leave without a word."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(PEM)
    raw, _ = listening.accept()
    with tls.wrap_socket(raw, server_side=True, suppress_ragged_eofs=True) as peer:
        for answer in answers:
            piece = b""
            while CALL not in piece:
                piece += peer.recv(2**16)
            received.append(piece)
            peer.sendall(answer)
        socket.socket(fileno=peer.detach()).close()


def place_over_tls(
    listening: socket.socket, answers: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> tuple[list[Reply | NoReply], list[bytes]]:
    monkeypatch.setenv("SSL_CERT_FILE", str(PEM))
    received: list[bytes] = []
    serving = threading.Thread(target=speak_tls, args=(listening, answers, received))
    serving.start()

    async def scene() -> list[Reply | NoReply]:
        async with client_of(url_of(listening).replace("http:", "https:")) as client:
            return [await client.place(CALL) for _ in answers]

    try:
        return asyncio.run(scene()), received
    finally:
        serving.join()


def test_one_tls_connection_carries_many_requests(
    listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    results, received = place_over_tls(listener, [GOOD] * 3, monkeypatch)

    assert results == [PLACED] * 3
    assert len(received) == 3


def test_a_tls_connection_cut_within_an_answer_keeps_what_came(
    listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    results, _ = place_over_tls(listener, [GOOD, GOOD[:-1]], monkeypatch)

    assert results == [PLACED, Reply(status=201, body=PLACED.body[:-1], complete=False)]


def test_a_tls_connection_cut_before_an_answer_makes_the_call_uncertain(
    listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    results, _ = place_over_tls(listener, [b""], monkeypatch)

    assert isinstance(results[0], NoReply)
    assert (results[0].evidence, results[0].cause) == (Evidence.BEGAN, Cause.LOST)


def test_an_answer_in_several_tls_records_is_read_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many servers write head and body each by itself; the client finds both in one read."""
    monkeypatch.setenv("SSL_CERT_FILE", str(PEM))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(PEM)
    other = GOOD.replace(b'"x"', b'"y"')
    answers = iter([[GOOD], [other[:-16], other[-16:]], [GOOD[:9], GOOD[9:-5], GOOD[-5:]]])

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for records in answers:
            await reader.readuntil(CALL)
            for record in records:
                writer.write(record)
        await reader.read()
        writer.close()

    async def scene() -> list[Reply | NoReply]:
        # Not on a listener of ours: asyncio turns Nagle's delay off only where it opens it itself.
        listening = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
        url = url_of(listening.sockets[0]).replace("http:", "https:")
        async with listening, client_of(url) as client:
            return [await client.place(CALL) for _ in range(3)]

    other_placed = Reply(status=201, body=b'{"call_id": "y"}')
    assert asyncio.run(scene()) == [PLACED, other_placed, PLACED]


def test_a_connection_made_ahead_is_not_waited_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """A call that is never begun for it would never tell that the API cannot be reached."""
    monkeypatch.setattr("dispatcher.client.client._AHEAD_SECONDS", 0.05)
    monkeypatch.setattr(direct, "connect", lambda *_: asyncio.sleep(60))

    async def scene() -> None:
        async with client_of("http://127.0.0.1:9") as client, asyncio.timeout(5):
            await client.open()

    asyncio.run(scene())
