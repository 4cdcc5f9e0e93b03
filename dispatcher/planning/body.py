"""A call request as the exact bytes that are sent."""

from __future__ import annotations

import json
from datetime import datetime

from dispatcher.model import CallRequest
from dispatcher.planning.schedule import API_FORM, UTC_NAME, due_at
from dispatcher.planning.settings import DelayMode

OUR_METADATA = ("dispatch_campaign", "dispatch_key", "dispatch_row")

_encode = json.JSONEncoder(
    ensure_ascii=False, separators=(",", ":"), check_circular=False, allow_nan=False
).encode


def body_of(request: CallRequest, *, campaign: str, now: datetime, delay: DelayMode) -> bytes:
    """
    The JSON body, compact, UTF-8.

    Arguments:
        request: What to ask for.
        campaign: Normalised name, for the metadata.
        now: The moment of marking, aware; a delay counts from it.
        delay: Whether a delay is sent as such or as a UTC schedule.
    """
    body: dict[str, object] = {
        "contact_id": request.contact_id,
        "agent_id": request.agent_id,
        "from_number_id": request.from_number_id,
    }
    if request.additional_data:
        body["additional_data"] = [{"key": k, "value": v} for k, v in request.additional_data]
    if request.delay_minutes and delay is DelayMode.SEND:
        body["delay"] = _plain_number(request.delay_minutes)
    elif when := _schedule_of(request, now):
        body["schedule"] = {"scheduled_call_time": when[0], "timezone": when[1]}
    ours = (campaign, request.key, str(request.row))
    body["metadata"] = dict(request.metadata) | dict(zip(OUR_METADATA, ours, strict=True))
    return _encode(body).encode()


def _plain_number(minutes: float) -> float:
    return int(minutes) if minutes == int(minutes) else minutes


def _schedule_of(request: CallRequest, now: datetime) -> tuple[str, str] | None:
    """Wall time and zone to send, or None for a call at once."""
    if request.schedule:
        return request.schedule.local, request.schedule.timezone
    if request.delay_minutes:
        return due_at(request, now=now).strftime(API_FORM), UTC_NAME
    return None
