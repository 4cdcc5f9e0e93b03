"""A call request as the exact bytes that are sent."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from dispatcher.model import CallRequest, Schedule, body_text
from dispatcher.planning.schedule import API_FORM, UTC_NAME, due_at
from dispatcher.planning.settings import DelayMode


def body_of(request: CallRequest, *, campaign: str, now: datetime, delay: DelayMode) -> bytes:
    """
    The JSON body, compact, UTF-8.

    Arguments:
        request: What to ask for.
        campaign: Normalised name, for the metadata.
        now: The moment of marking, aware; a delay counts from it.
        delay: Whether a delay is sent as such or as a UTC schedule.

    Raises:
        UnicodeEncodeError: A text holds half of a surrogate pair.
    """
    minutes = ""
    if request.delay_minutes:
        if delay is DelayMode.SEND:
            minutes = _number(request.delay_minutes)
        elif request.schedule is None:
            request = replace(request, schedule=_schedule_of(request, now))
    return body_text(request, campaign=campaign, delay=minutes).encode()


def _number(minutes: float) -> str:
    return repr(int(minutes) if minutes == int(minutes) else minutes)


def _schedule_of(request: CallRequest, now: datetime) -> Schedule:
    at = due_at(request, now=now)
    return Schedule(local=at.strftime(API_FORM), timezone=UTC_NAME, at=at)
