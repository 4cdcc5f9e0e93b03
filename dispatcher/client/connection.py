"""One connection with the server, which carries one request at a time."""

from __future__ import annotations

import asyncio
import selectors
import ssl
from typing import cast

import httpx

from dispatcher.client.answer import AnswerReader

_Selector = getattr(selectors, "PollSelector", selectors.SelectSelector)  # Windows has no poll


class Connection(asyncio.Protocol):
    """
    Sends a request in one piece and reads the answer.

    Attributes:
        answer: To the last request, as far as it has come.
    """

    def __init__(self) -> None:
        self.answer = AnswerReader()
        self._loop = asyncio.get_running_loop()
        self._watch: selectors.BaseSelector = _Selector()
        self._transport: asyncio.Transport
        self._news: asyncio.Future[None] | None = None
        self._fault: httpx.TransportError | None = None
        self._gone = self._loop.create_future()
        self._is_idle = True
        self._idle_since = self._loop.time()

    def is_fresh(self, longest_idle_seconds: float) -> bool:
        """Say whether another request may be sent, by all that asyncio has been told."""
        return (
            self._is_idle
            and not self._gone.done()
            and not self._transport.is_closing()
            and self._loop.time() - self._idle_since <= longest_idle_seconds
        )

    def may_carry(self, longest_idle_seconds: float) -> bool:
        """Say whether another request may be sent, by all that this machine has been told."""
        # The kernel may know what asyncio has not read yet: an end, or bytes unasked for.
        return self.is_fresh(longest_idle_seconds) and not self._watch.select(0)

    def send(self, request: bytes) -> None:
        """Send *request*; a fault shows when the answer is read."""
        self._is_idle = False
        self.answer.begin()
        self._transport.write(request)

    async def read_head(self) -> None:
        """
        Wait until status and headers have come.

        Raises:
            httpx.TransportError: They never will.
        """
        while not self.answer.status:
            await self._more()

    async def read_body(self) -> bytes:
        """
        Read on in the body; b"" is its end.

        Raises:
            httpx.TransportError: It broke off.
        """
        while not (piece := self.answer.take()) and not self.answer.is_complete:
            await self._more()
        return piece

    def release(self) -> None:
        """Keep the connection for another request if both sides are through with this one."""
        has_sent_all = not self._transport.get_write_buffer_size()
        if self.answer.is_complete and self.answer.may_stay and has_sent_all:
            self._is_idle = True
            self._idle_since = self._loop.time()
        else:
            self.abort()

    def abort(self) -> None:
        """Leave without a word."""
        self._transport.abort()

    async def close(self) -> None:
        """Leave, and wait until the socket is closed."""
        self.abort()
        await self._gone

    async def secure(self, host: str, tls: ssl.SSLContext) -> None:
        """
        Agree on TLS with *host*, or leave.

        Raises:
            OSError: No trust, or no TLS there.
        """
        try:
            secured = await self._loop.start_tls(self._transport, self, tls, server_hostname=host)
        except BaseException:
            self.abort()
            raise
        self._transport = cast("asyncio.Transport", secured)

    async def _more(self) -> None:
        if self._fault is not None:
            raise self._fault
        self._news = self._loop.create_future()
        await self._news

    def _wake(self) -> None:
        if self._news is not None and not self._news.done():
            self._news.set_result(None)

    def _break(self, fault: httpx.TransportError) -> None:
        if self._fault is None:
            self._fault = fault
            self._wake()
            self.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast("asyncio.Transport", transport)
        self._watch.register(transport.get_extra_info("socket"), selectors.EVENT_READ)

    def data_received(self, data: bytes) -> None:
        """Read on in the answer; bytes that nobody asked for end the connection."""
        if self._is_idle:
            self.abort()
            return
        try:
            self.answer.feed(data)
        except httpx.RemoteProtocolError as fault:
            self._break(fault)
        self._wake()

    def eof_received(self) -> None:
        """Nothing more will come, which is how some answers end."""
        if self._fault is None:
            self.answer.end()
            self._break(httpx.RemoteProtocolError("disconnected"))

    def connection_lost(self, error: Exception | None) -> None:
        """Tell who waits."""
        if error is None:
            self.eof_received()
        else:
            self._break(_lost_by(error))
        self._watch.close()
        if not self._gone.done():  # who waited for it may have been cancelled
            self._gone.set_result(None)


def _lost_by(error: Exception) -> httpx.ReadError:
    lost = httpx.ReadError("lost")
    lost.__cause__ = error
    return lost
