"""The routes, each behind key and rate limit."""

from __future__ import annotations

import hmac
import http
from collections.abc import Awaitable, Callable

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from dispatcher.sandbox.answers import error_answer, phrase_of
from dispatcher.sandbox.calls import list_calls, show_call, show_call_status, show_record
from dispatcher.sandbox.desk import Desk
from dispatcher.sandbox.limiter import UNLIMITED, MinuteLimit
from dispatcher.sandbox.look_ups import (
    list_agents,
    list_contacts,
    list_numbers,
    show_contact,
    show_credits,
)
from dispatcher.sandbox.placing import place_contact_call, place_phone_call

_Handler = Callable[[Desk, Request], Awaitable[Response]]
_Endpoint = Callable[[Request], Awaitable[Response]]


def build_app(desk: Desk) -> Starlette:
    """Return the application that serves *desk*."""
    once, calls = (desk.general,), (desk.general, desk.call_lists)
    contacts = (desk.general, desk.contact_lists)
    table: tuple[tuple[str, str, _Handler, tuple[MinuteLimit, ...]], ...] = (
        ("POST", "/v1/calls/single-contact-call", place_contact_call, once),
        ("POST", "/v1/calls/single-phone-call", place_phone_call, once),
        ("GET", "/v1/calls", list_calls, calls),
        ("GET", "/v1/calls/{call_id}", show_call, once),
        ("GET", "/v1/calls/{call_id}/status", show_call_status, once),
        ("GET", "/v1/contacts", list_contacts, contacts),
        ("GET", "/v1/contacts/{identifier}", show_contact, once),
        ("GET", "/v1/agents", list_agents, once),
        ("GET", "/v1/phone-numbers", list_numbers, once),
        ("GET", "/v1/credits", show_credits, once),
        ("GET", "/sandbox/record", show_record, ()),
    )
    routes = [
        Route(path, _guarded(desk, handler, limits), methods=[method])
        for method, path, handler, limits in table
    ]
    return Starlette(routes=routes, exception_handlers={HTTPException: _no_such_route})


def _guarded(desk: Desk, handler: _Handler, limits: tuple[MinuteLimit, ...]) -> _Endpoint:
    key = desk.options.key.encode()

    async def endpoint(request: Request) -> Response:
        given = request.headers.get("x-api-key", "").encode("latin-1")
        if not hmac.compare_digest(given, key):
            return error_answer(http.HTTPStatus.UNAUTHORIZED, "Unauthorized")
        admission = UNLIMITED
        for limit in limits:
            admission = limit.admit()
            if not admission.granted:
                break
        answer = await _handled(desk, handler, request) if admission.granted else _too_many()
        answer.headers.update(dict(admission.headers))
        return answer

    return endpoint


async def _handled(desk: Desk, handler: _Handler, request: Request) -> Response:
    try:
        return await handler(desk, request)
    except ClientDisconnect:  # gone before its request was whole: nobody hears this answer
        return error_answer(http.HTTPStatus.BAD_REQUEST, "the request broke off")


def _too_many() -> Response:
    message = "ThrottlerException: Too Many Requests"
    return error_answer(http.HTTPStatus.TOO_MANY_REQUESTS, message)


async def _no_such_route(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    if status == http.HTTPStatus.NOT_FOUND:
        return error_answer(status, f"Cannot {request.method} {request.url.path}")
    return error_answer(status, phrase_of(status))
