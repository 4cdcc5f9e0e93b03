"""The answers of the API in both generations, and how they go wrong."""

from __future__ import annotations

import asyncio
import http
import json
from collections.abc import Sequence
from datetime import datetime
from typing import cast

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from dispatcher.sandbox.faults import Fault, FaultKind
from dispatcher.sandbox.options import Generation
from dispatcher.sandbox.record import Json

TRANSPORT = "transport"
"""Name under which the server leaves the connection's transport in the scope's state."""

_CLOSED = frozenset({FaultKind.CLOSED_BEFORE, FaultKind.CLOSED_AFTER})
_SILENT = frozenset({FaultKind.SILENT_BEFORE, FaultKind.SILENT_AFTER})


def json_answer(content: Json, *, status: int = 200) -> Response:
    """Return *content* as the JSON body of an answer."""
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    # A lone surrogate is valid in JSON's escapes but not in UTF-8.
    body = text.encode("utf-8", "replace")
    return Response(body, status_code=status, media_type="application/json")


def wrapped(content: Json, *, generation: Generation, status: int = 200) -> Response:
    """Return *content* bare in generation A, in statusCode and data in B."""
    if generation is Generation.B:
        content = {"statusCode": status, "data": content}
    return json_answer(content, status=status)


def error_answer(status: int, message: str | Sequence[str]) -> Response:
    """Return the API's error: *message* is one sentence, or one for each complaint."""
    content: dict[str, Json] = {
        "statusCode": status,
        "message": message if isinstance(message, str) else list(message),
    }
    # As the API does it: the plainest errors lack this field.
    if status not in (http.HTTPStatus.UNAUTHORIZED, http.HTTPStatus.TOO_MANY_REQUESTS):
        content["error"] = phrase_of(status)
    return json_answer(content, status=status)


def phrase_of(status: int) -> str:
    """Return the reason phrase of *status*, "Unknown" where there is none."""
    try:
        return http.HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"


def fault_status_answer(fault: Fault) -> Response:
    """Return the answer that a ``status`` fault gives instead of the usual one."""
    if fault.body is None:
        answer = error_answer(fault.status, phrase_of(fault.status))
    else:
        answer = Response(fault.body, fault.status, media_type=fault.content_type)
    if fault.status in (http.HTTPStatus.NO_CONTENT, http.HTTPStatus.NOT_MODIFIED):
        answer = Response(status_code=fault.status)
    for name, value in fault.headers:
        answer.headers[name] = value
    if fault.retry_after:
        answer.headers["Retry-After"] = fault.retry_after
    return answer


def instant_text(at: datetime) -> str:
    """Return an aware UTC moment as the API writes it, e.g. ``2026-06-15T14:30:00.000Z``."""
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


class FaultyAnswer(Response):
    """An answer that comes late, broken, or not at all."""

    def __init__(self, answer: Response, fault: Fault) -> None:
        super().__init__(status_code=answer.status_code)
        self.raw_headers = answer.raw_headers  # shared: the gate still adds its limits
        self._answer = answer
        self._fault = fault

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or fail to."""
        seconds = self._fault.latency_seconds
        if seconds and await _gone_within(receive, seconds=seconds):
            return
        if self._fault.kind in _CLOSED:
            _transport_of(scope).abort()
        elif self._fault.kind is FaultKind.CUT:
            await self._send_part(send)
            _transport_of(scope).close()
        elif self._fault.kind not in _SILENT:
            await self._answer(scope, receive, send)
            return
        await _until_gone(receive)

    async def _send_part(self, send: Send) -> None:
        body = bytes(self._answer.body)
        part = body[: int(len(body) * self._fault.keep_share)]
        status = self._answer.status_code
        await send({"type": "http.response.start", "status": status, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": part, "more_body": True})


async def _until_gone(receive: Receive) -> None:
    # The server would take a silent return for a mistake and answer 500.
    while (await receive())["type"] != "http.disconnect":
        pass


async def _gone_within(receive: Receive, *, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            await _until_gone(receive)
    except TimeoutError:
        return False
    return True


def _transport_of(scope: Scope) -> asyncio.Transport:
    return cast(asyncio.Transport, scope["state"][TRANSPORT])
