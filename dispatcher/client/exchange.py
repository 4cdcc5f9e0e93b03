"""One request on its way: what has been seen of it, and by when it must end."""

from __future__ import annotations

import contextlib
import zlib
from collections.abc import Mapping

import httpx

from dispatcher.client.deadline import Deadline
from dispatcher.client.faults import NETWORK_FAULTS, explain
from dispatcher.model import Cause, Evidence, NoReply, Reply

_SEND_BEGINS = frozenset(
    ("http11.send_request_headers.started", "http2.send_request_headers.started")
)
_TOLD_HEADERS = frozenset(
    (
        b"content-encoding",
        b"content-type",
        b"retry-after",
        b"x-ratelimit-limit",
        b"x-ratelimit-remaining",
        b"x-ratelimit-reset",
    )
)
_LONGEST_BODY = 2**20
_GZIP_OR_ZLIB = zlib.MAX_WBITS | 32


class Exchange:
    """
    Carries out one request.

    The transport tells its steps through httpcore's ``trace`` extension. Nothing of our request
    has left when it told at least one step but not that it began to send. No transport sends
    again what it began to send.
    """

    def __init__(
        self, *, peer: str, connect_seconds: float, answer_seconds: float, deadline: Deadline
    ) -> None:
        self._peer = peer
        self._connect_seconds = connect_seconds
        self._answer_seconds = answer_seconds
        self._deadline = deadline
        self._has_report = False
        self._began = False
        self._aborted = False
        self._head: httpx.Response | None = None
        self._body: list[bytes] = []
        self._complete = False

    async def carry_out(
        self, transport: httpx.AsyncBaseTransport, request: httpx.Request
    ) -> Reply | NoReply:
        """Send *request* and read its answer until it ends, breaks or the deadline passes."""
        request.extensions["trace"] = self._on_trace
        fault: BaseException | None = None
        try:
            with self._deadline:
                self._end_within(self._connect_seconds + self._answer_seconds)
                await self._send_and_read(transport, request)
        except NETWORK_FAULTS as error:
            fault = error
        return self._no_reply(fault) if self._head is None else self._reply(self._head)

    def abort(self) -> None:
        """End now, with what came so far."""
        self._aborted = True
        self._end_within(0.0)

    async def _send_and_read(
        self, transport: httpx.AsyncBaseTransport, request: httpx.Request
    ) -> None:
        self._head = await transport.handle_async_request(request)
        stream = self._head.stream
        if not isinstance(stream, httpx.AsyncByteStream):
            raise TypeError("the transport is not for asyncio")
        try:
            length = 0
            async for piece in stream:
                self._body.append(piece)
                length += len(piece)
                if length > _LONGEST_BODY:
                    return
            self._complete = True
        finally:
            await stream.aclose()

    async def _on_trace(self, step: str, details: Mapping[str, object]) -> None:
        del details
        if step in _SEND_BEGINS:
            self._has_report = True
            if self._aborted:  # the connection stands in the very turn that was to end it
                raise httpx.ConnectError("stopped")
            self._began = True
            self._end_within(self._answer_seconds)
        elif not self._has_report:
            self._end_within(self._connect_seconds)
        self._has_report = True

    def _end_within(self, seconds: float) -> None:
        self._deadline.move(0.0 if self._aborted else seconds)

    def _reply(self, head: httpx.Response) -> Reply:
        told = _told_headers(head)
        body, is_whole = _decoded(b"".join(self._body), told.get(b"content-encoding", ""))
        return Reply(
            status=head.status_code,
            body=body[:_LONGEST_BODY],
            complete=self._complete and is_whole,
            content_type=told.get(b"content-type", ""),
            retry_after=told.get(b"retry-after", ""),
            limit=told.get(b"x-ratelimit-limit", ""),
            remaining=told.get(b"x-ratelimit-remaining", ""),
            reset=told.get(b"x-ratelimit-reset", ""),
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
        if self._deadline.has_passed:
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


def _told_headers(head: httpx.Response) -> dict[bytes, str]:
    """The headers that matter; the values of one given more than once are joined."""
    told: dict[bytes, str] = {}
    for written, value in head.headers.raw:
        if (name := written.lower()) in _TOLD_HEADERS:
            text = value.decode("utf-8", "replace")
            told[name] = f"{told[name]}, {text}" if name in told else text
    return told


def _decoded(body: bytes, coding: str) -> tuple[bytes, bool]:
    """The body unpacked as far as possible, although we ask for none to be packed."""
    if coding.strip().lower() not in ("gzip", "x-gzip", "deflate"):
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
