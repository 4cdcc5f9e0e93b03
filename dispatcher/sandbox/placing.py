"""The two routes that place a call."""

from __future__ import annotations

import http
from collections.abc import Callable
from datetime import datetime
from uuid import uuid4

from starlette.requests import Request
from starlette.responses import Response

from dispatcher.sandbox.answers import (
    FaultyAnswer,
    error_answer,
    fault_status_answer,
    instant_text,
    wrapped,
)
from dispatcher.sandbox.desk import Desk
from dispatcher.sandbox.faults import NO_FAULT, Fault, FaultKind
from dispatcher.sandbox.options import Generation
from dispatcher.sandbox.record import CallOrder, Json, PlacedCall
from dispatcher.sandbox.validation import (
    BadRequest,
    parse_body,
    read_contact_call,
    read_phone_call,
)

_CREATED = {Generation.A: http.HTTPStatus.OK, Generation.B: http.HTTPStatus.CREATED}


async def place_contact_call(desk: Desk, request: Request) -> Response:
    """Place a call to a contact."""
    return await _place(desk, request, read=read_contact_call)


async def place_phone_call(desk: Desk, request: Request) -> Response:
    """Place a call to a bare number."""
    return await _place(desk, request, read=read_phone_call)


async def _place(
    desk: Desk, request: Request, *, read: Callable[..., CallOrder | BadRequest]
) -> Response:
    now = desk.now()
    order = _read(await request.body(), request.headers.get("content-type", ""), read=read, now=now)
    if isinstance(order, BadRequest):
        return error_answer(http.HTTPStatus.BAD_REQUEST, order.messages)
    desk.calls.note_request(order.callee)
    unknown = _unknown(desk, order)
    if unknown:
        return error_answer(http.HTTPStatus.NOT_FOUND, f"{unknown} not found")
    fault = desk.faults.pick(order.callee)
    if not fault.placed:
        return FaultyAnswer(fault_status_answer(fault), fault)
    # Not seeded: no two sandboxes may ever give out the same id to one ledger.
    call = desk.calls.place(order, call_id=f"{desk.options.id_prefix}{uuid4()}", at=now)
    answer = _created(call, fault=fault, generation=desk.options.generation)
    return answer if fault is NO_FAULT else FaultyAnswer(answer, fault)


def _read(
    body: bytes,
    content_type: str,
    *,
    read: Callable[..., CallOrder | BadRequest],
    now: datetime,
) -> CallOrder | BadRequest:
    parsed = parse_body(body, content_type=content_type)
    return parsed if isinstance(parsed, BadRequest) else read(parsed, now=now)


def _unknown(desk: Desk, order: CallOrder) -> str:
    faults = desk.options.faults
    if order.callee in faults.unknown_contacts:
        return "Contact"
    if order.agent_id in faults.unknown_agents:
        return "Agent"
    return "Phone number" if order.from_number_id in faults.unknown_numbers else ""


def _created(call: PlacedCall, *, fault: Fault, generation: Generation) -> Response:
    status = _CREATED[generation]
    if fault.kind is FaultKind.STATUS:
        return fault_status_answer(fault)
    if fault.kind is FaultKind.NOT_JSON:
        return Response("call queued", status_code=status, media_type="text/plain")
    content: dict[str, Json] = {
        "call_id": call.call_id,
        "agent_id": call.agent_id,
        "contact_id": call.contact_id or None,
        "created_at": instant_text(call.created_at),
    }
    if fault.kind is FaultKind.NO_CALL_ID:
        del content["call_id"]
    return wrapped(content, generation=generation, status=status)
