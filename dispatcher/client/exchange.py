"""One request on its way: what has been seen of it, and by when it must end."""

from __future__ import annotations

import asyncio
import contextlib
import zlib
from collections.abc import Mapping
from typing import Protocol, runtime_checkable

import httpx

from dispatcher.client.faults import NETWORK_FAULTS, explain
from dispatcher.model import Cause, Evidence, NoReply, Reply

_SEND_BEGINS = frozenset(
    ("http11.send_request_headers.started", "http2.send_request_headers.started")
)
_CONNECTED = "connection.connect_tcp.complete"
_LONGEST_BODY = 2**20
_GZIP_OR_ZLIB = zlib.MAX_WBITS | 32


@runtime_checkable
class _Closable(Protocol):
    async def aclose(self) -> None: ...


class Exchange:
    """
    Carries out one request.

    The transport tells its steps through httpcore's ``trace`` extension. Nothing of our request
    has left when it told at least one step but not that it began to send ours: a proxy's CONNECT
    is a request too, and not ours. httpcore never sends again what it began to send.
    """

    def __init__(self, *, peer: str, connect_seconds: float, answer_seconds: float) -> None:
        self._peer = peer
        self._connect_seconds = connect_seconds
        self._answer_seconds = answer_seconds
        self._deadline = asyncio.timeout(connect_seconds + answer_seconds)
        self._has_report = False
        self._began = False
        self._aborted = False
        self._connecting: _Closable | None = None
        self._head: httpx.Response | None = None
        self._body = bytearray()
        self._complete = False

    async def carry_out(
        self, transport: httpx.AsyncBaseTransport, request: httpx.Request
    ) -> Reply | NoReply:
        """Send *request* and read its answer until it ends, breaks or the deadline passes."""
        request.extensions["trace"] = self._on_trace
        fault: BaseException | None = None
        try:
            async with self._deadline:
                await self._send_and_read(transport, request)
        except NETWORK_FAULTS as error:
            fault = error
        finally:
            await self._leave_connecting()
        return self._no_reply(fault) if self._head is None else self._reply(self._head)

    def abort(self) -> None:
        """End now, with what came so far."""
        self._aborted = True
        self._end_within(0.0)

    async def _send_and_read(
        self, transport: httpx.AsyncBaseTransport, request: httpx.Request
    ) -> None:
        response = await transport.handle_async_request(request)
        self._head = response
        stream = response.stream
        try:
            if not isinstance(stream, httpx.AsyncByteStream):
                raise TypeError("the transport is not for asyncio")
            async for chunk in stream:
                self._body += chunk
                if len(self._body) > _LONGEST_BODY:
                    return
            self._complete = True
        finally:
            await response.aclose()

    async def _on_trace(self, step: str, details: Mapping[str, object]) -> None:
        if not self._has_report:
            self._has_report = True
            self._end_within(self._connect_seconds)
        stream = details.get("return_value") if step == _CONNECTED else None
        if isinstance(stream, _Closable):
            self._connecting = stream
        if step in _SEND_BEGINS and _method(details) != b"CONNECT":
            self._began = True
            self._end_within(self._answer_seconds)

    async def _leave_connecting(self) -> None:
        # httpcore forgets the socket when it is cancelled within a TLS handshake.
        if self._connecting is not None and not self._began:
            await self._connecting.aclose()

    def _end_within(self, seconds: float) -> None:
        # A deadline that has passed, or an abort, stands.
        if not self._deadline.expired():
            wait = 0.0 if self._aborted else seconds
            self._deadline.reschedule(asyncio.get_running_loop().time() + wait)

    def _reply(self, head: httpx.Response) -> Reply:
        headers = head.headers
        coding = headers.get("content-encoding", "").strip().lower()
        body, is_whole = _decoded(bytes(self._body), coding)
        return Reply(
            status=head.status_code,
            body=body[:_LONGEST_BODY],
            complete=self._complete and is_whole,
            content_type=headers.get("content-type", ""),
            retry_after=headers.get("retry-after", ""),
            limit=headers.get("x-ratelimit-limit", ""),
            remaining=headers.get("x-ratelimit-remaining", ""),
            reset=headers.get("x-ratelimit-reset", ""),
        )

    def _no_reply(self, fault: BaseException | None) -> NoReply:
        evidence = Evidence.UNKNOWN
        if self._has_report:
            evidence = Evidence.BEGAN if self._began else Evidence.NOTHING_LEFT
        has_left = evidence is not Evidence.NOTHING_LEFT
        if self._aborted:
            return NoReply(
                evidence=evidence, cause=Cause.CANCELLED, message="stopped before an answer came"
            )
        if self._deadline.expired():
            return self._too_late(evidence, has_left=has_left)
        return NoReply(
            evidence=evidence,
            cause=Cause.LOST if has_left else Cause.UNREACHABLE,
            message=explain(fault, peer=self._peer) if fault else "no answer came",
        )

    def _too_late(self, evidence: Evidence, *, has_left: bool) -> NoReply:
        if has_left:
            message = f"no answer from {self._peer} within {self._answer_seconds:g} seconds"
            return NoReply(evidence=evidence, cause=Cause.TIMED_OUT, message=message)
        message = f"no connection with {self._peer} within {self._connect_seconds:g} seconds"
        return NoReply(evidence=evidence, cause=Cause.UNREACHABLE, message=message)


def _method(details: Mapping[str, object]) -> bytes:
    method = getattr(details.get("request"), "method", b"")
    return method if isinstance(method, bytes) else b""


def _decoded(body: bytes, coding: str) -> tuple[bytes, bool]:
    """The body unpacked as far as possible, although we ask for none to be packed."""
    if coding not in ("gzip", "x-gzip", "deflate"):
        return body, True
    unpacker = zlib.decompressobj(_GZIP_OR_ZLIB)
    try:
        return unpacker.decompress(body, _LONGEST_BODY), unpacker.eof
    except zlib.error:
        return _decoded_part(body), False


def _decoded_part(body: bytes) -> bytes:
    unpacker = zlib.decompressobj(_GZIP_OR_ZLIB)
    unpacked = bytearray()
    with contextlib.suppress(zlib.error):
        for byte in body:  # one by one: what a longer piece gave before the fault would be lost
            unpacked += unpacker.decompress(bytes((byte,)))
    return bytes(unpacked)
