"""The transport that talks to the API itself: HTTP/1.1 over one connection."""

from __future__ import annotations

import functools
import ssl
from collections.abc import AsyncIterator
from typing import cast

import httpx

from dispatcher.client.connecting import connect
from dispatcher.client.connection import Connection

_HTTP_PORT, _HTTPS_PORT = 80, 443


class DirectTransport(httpx.AsyncBaseTransport):
    """
    Sends one request at a time, and none of them twice.

    Tells its steps through the ``trace`` extension in httpcore's words.
    """

    def __init__(self, *, tls: ssl.SSLContext | None, idle_seconds: float) -> None:
        """
        Open nothing yet.

        Args:
            tls: With which certificates to speak TLS, or None to speak none.
            idle_seconds: A connection that was idle for longer is left.
        """
        self._tls = tls
        self._idle_seconds = idle_seconds
        self._connection: Connection | None = None

    @property
    def is_open(self) -> bool:
        """Whether the next request can be sent at once, as far as is known without asking."""
        return self._connection is not None and self._connection.is_fresh(self._idle_seconds)

    async def open(self, url: httpx.URL) -> None:
        """
        Connect with the host of *url* for the next request.

        Raises:
            httpx.TransportError: It could not be done.
        """
        await self.aclose()
        self._connection = await self._connect(url)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """
        Send *request*, which has a body of bytes and says its length, and read the answer's head.

        Raises:
            httpx.TransportError: It could not be sent, or no answer came.
        """
        trace, content = request.extensions["trace"], _as_bytes(request)
        connection = self._connection
        if connection is None or not connection.may_carry(self._idle_seconds):
            await trace("connection.connect_tcp.started", {})
            await self.open(request.url)
            connection = cast("Connection", self._connection)
        try:
            await trace("http11.send_request_headers.started", {"request": request})
            connection.send(content)
            await trace("http11.send_request_body.complete", {"request": request})
            await connection.read_head()
        except BaseException:
            connection.abort()
            raise
        answer = connection.answer
        return httpx.Response(answer.status, headers=answer.headers, stream=_Body(connection))

    async def aclose(self) -> None:
        """Leave the connection, if there is one."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()

    async def _connect(self, url: httpx.URL) -> Connection:
        port = url.port or (_HTTP_PORT if self._tls is None else _HTTPS_PORT)
        return await connect(url.raw_host.decode("ascii"), port, self._tls)


class _Body(httpx.AsyncByteStream):
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        if piece := await self._connection.read_body():
            return piece
        raise StopAsyncIteration

    async def aclose(self) -> None:
        self._connection.release()


def _as_bytes(request: httpx.Request) -> bytes:
    if not isinstance(request.stream, httpx.ByteStream):
        raise TypeError("a request is sent in one piece")
    return _head(request.method, request.url.raw_path, *request.headers.raw) + next(
        iter(request.stream)
    )


@functools.lru_cache(maxsize=512)  # they differ in the length of the body alone
def _head(method: str, path: bytes, *headers: tuple[bytes, bytes]) -> bytes:
    lines = [b"%b %b HTTP/1.1" % (method.encode("ascii"), path)]
    lines += [b"%b: %b" % header for header in headers]
    return b"\r\n".join((*lines, b"", b""))
