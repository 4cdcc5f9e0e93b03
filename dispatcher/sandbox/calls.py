"""The routes that read calls."""

from __future__ import annotations

import http
from collections.abc import Callable
from datetime import datetime

from starlette.requests import Request
from starlette.responses import Response

from dispatcher.sandbox.answers import error_answer, json_answer, wrapped
from dispatcher.sandbox.call_views import (
    call_view,
    callee_of,
    life_at_desk,
    record_view,
    status_view,
)
from dispatcher.sandbox.desk import Desk
from dispatcher.sandbox.options import Generation
from dispatcher.sandbox.query import Query, listed
from dispatcher.sandbox.record import PlacedCall

_FILTERS = frozenset(
    [
        "limit",
        "offset",
        "order",
        "date_from",
        "date_to",
        "call_status",
        "call_result",
        "agent_id",
        "phoneNumber",
    ]
)
_DETAIL = frozenset({"include_transcript"})
_TRANSCRIPT = "Agent: Buenos días.\nUser: Hola.\nAgent: Muchas gracias, adiós.\n"


async def list_calls(desk: Desk, request: Request) -> Response:
    """Show a page of the calls, newest first unless asked otherwise."""
    now = desk.now()
    query = Query(request.query_params, allowed=_FILTERS)
    page = query.page(default_limit=20)
    order = query.choice("order", among=("asc", "desc"), default="desc")
    wanted = _filter(desk, query, now=now)
    if query.messages:
        return error_answer(http.HTTPStatus.BAD_REQUEST, query.messages)
    calls = [call for call in desk.calls.calls if wanted(call)]
    if order == "desc":
        calls.reverse()
    rows = [call_view(desk, call, at=now) for call in page.of(calls)]
    return listed(list(rows), total=len(calls), page=page, generation=desk.options.generation)


def _filter(desk: Desk, query: Query, *, now: datetime) -> Callable[[PlacedCall], bool]:
    date_from = query.moment("date_from")
    date_to = query.moment("date_to", end_of_day=True)
    agent_id, phone = query.text("agent_id"), query.text("phoneNumber")
    status, result = query.text("call_status"), query.text("call_result")

    def wanted(call: PlacedCall) -> bool:
        if date_from is not None and call.created_at < date_from:
            return False
        if date_to is not None and call.created_at > date_to:
            return False
        if agent_id and call.agent_id != agent_id:
            return False
        if phone and callee_of(call).phone_number != phone:
            return False
        if not (status or result):
            return True
        life = life_at_desk(desk, call, at=now)
        became = life.ending.result if life.ending else ""
        return (not status or life.status == status) and (not result or became == result)

    return wanted


async def show_call(desk: Desk, request: Request) -> Response:
    """Show one call, with its transcript once it ended unless that is declined."""
    query = Query(request.query_params, allowed=_DETAIL)
    with_transcript = query.choice("include_transcript", among=("true", "false"), default="true")
    if query.messages:
        return error_answer(http.HTTPStatus.BAD_REQUEST, query.messages)
    call = desk.calls.find(request.path_params["call_id"])
    if call is None:
        return error_answer(http.HTTPStatus.NOT_FOUND, "Call not found")
    view = call_view(desk, call, at=desk.now())
    if with_transcript == "true" and view.get("call_result") == "completed":
        view["transcript"] = _TRANSCRIPT
    return json_answer(view)


async def show_call_status(desk: Desk, request: Request) -> Response:
    """Show where one call stands; generation A has no such route."""
    if desk.options.generation is Generation.A:
        return error_answer(http.HTTPStatus.NOT_FOUND, f"Cannot GET {request.url.path}")
    call = desk.calls.find(request.path_params["call_id"])
    if call is None:
        return error_answer(http.HTTPStatus.NOT_FOUND, "Call not found")
    return wrapped(status_view(desk, call, at=desk.now()), generation=desk.options.generation)


async def show_record(desk: Desk, _request: Request) -> Response:
    """Show every call that was truly placed: no route of the API, and without limit."""
    calls = desk.calls.calls
    return json_answer(
        {
            "count": len(calls),
            "calls": [record_view(call) for call in calls],
            "requests": dict(desk.calls.requests),
        }
    )
