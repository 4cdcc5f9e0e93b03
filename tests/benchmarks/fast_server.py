"""
A server that places every call, and does nothing else: it has to be faster than whoever calls.

``python tests/benchmarks/fast_server.py PORT SECONDS`` answers on a port of the loopback, 0 for a
free one, each request after so many seconds. It writes its port to stdout; when its stdin ends, so
does it, and what it counted follows as one JSON object.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import socket
import sys
import time
from itertools import count

_HEAD_END = b"\r\n\r\n"
_LENGTH = b"content-length:"
_BODY = (
    b'{"statusCode":201,"data":{"call_id":"%08x-8f0a-4a6c-9f5a-%012x",'
    b'"created_at":"2026-11-01T00:00:00Z"}}'
)
_ANSWER = b"HTTP/1.1 201 Created\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b"
_BACKLOG = 2048


class _Counter:
    """Numbers the calls, and remembers when the first and the last came (monotonic seconds)."""

    def __init__(self) -> None:
        self._numbers = count(1)
        self._server = secrets.randbits(32)  # no id of another server may come again
        self.calls = 0
        self.first_at = self.last_at = 0.0

    def answer(self) -> bytes:
        self.last_at = time.monotonic()
        self.first_at = self.first_at or self.last_at
        self.calls = next(self._numbers)
        body = _BODY % (self._server, self.calls)
        return _ANSWER % (len(body), body)

    def told(self) -> str:
        return json.dumps({"calls": self.calls, "first_at": self.first_at, "last_at": self.last_at})


class _Connection(asyncio.Protocol):
    """Answers the requests of one connection."""

    def __init__(self, counter: _Counter, delay_seconds: float) -> None:
        self._counter = counter
        self._delay_seconds = delay_seconds
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        while (end := _end_of_request(self._received)) and len(self._received) >= end:
            self._received = self._received[end:]
            self._answer(self._counter.answer())

    def _answer(self, answer: bytes) -> None:
        if self._delay_seconds:
            loop = asyncio.get_running_loop()
            loop.call_later(self._delay_seconds, self._transport.write, answer)
        else:
            self._transport.write(answer)


def _end_of_request(received: bytes) -> int:
    """Return how long the first request is, 0 while its head is not whole."""
    head_end = received.find(_HEAD_END)
    if head_end < 0:
        return 0
    head = received[:head_end].lower()
    start = head.find(_LENGTH)
    length = int(head[start + len(_LENGTH) :].split(b"\r\n", 1)[0]) if start >= 0 else 0
    return head_end + len(_HEAD_END) + length


async def _serve(port: int, delay_seconds: float) -> None:
    counter = _Counter()
    loop = asyncio.get_running_loop()
    # The protocol is named because asyncio switches Nagle's algorithm off only then.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    server = await loop.create_server(
        lambda: _Connection(counter, delay_seconds), sock=listener, backlog=_BACKLOG
    )
    print(listener.getsockname()[1], flush=True)
    is_over = asyncio.Event()
    loop.add_reader(sys.stdin.fileno(), is_over.set)
    await is_over.wait()
    server.close()
    print(counter.told(), flush=True)


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1]), float(sys.argv[2])))
