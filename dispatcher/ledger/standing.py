"""When a contact must be left alone, and where its calls stand."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import ColumnElement, and_, bindparam, or_, select

from dispatcher.ledger.schema import calls, spelled
from dispatcher.ledger.storage import moment_of, seconds
from dispatcher.model import CallRecord, CallState

_NEVER = 1e15  # no time is later: nothing counts as recent

_others = calls.alias("others")

_IS_ANOTHER = and_(_others.c.contact == calls.c.contact, _others.c.id != calls.c.id)
_IS_SENDING = _others.c.state == spelled(CallState.SENDING)
_IS_RECENT = and_(
    _others.c.state.in_([spelled(CallState.PLACED), spelled(CallState.UNCERTAIN)]),
    _others.c.due_at > bindparam("recent_from"),
)


def _is_any(rule: ColumnElement[bool]) -> ColumnElement[bool]:
    """Another call to the contact of this call for which *rule* holds."""
    return select(_others.c.id).where(_IS_ANOTHER, rule).correlate(calls).exists()


BEING_CALLED = _is_any(_IS_SENDING)
"""Another call to this call's contact is being sent."""

CALLED_RECENTLY = _is_any(_IS_RECENT)
"""Another call was or may have been placed and rings, or rang, after *recent_from*."""

LEFT_ALONE = _is_any(or_(_IS_SENDING, _IS_RECENT))
"""The contact must not be called now."""

RECORD = (
    calls.c.state,
    calls.c.code,
    calls.c.message,
    calls.c.http_status,
    calls.c.call_id,
    calls.c.created_at,
    calls.c.attempts,
    calls.c.sent_at,
)


class Standing(NamedTuple):
    """What a row that selected RECORD holds."""

    state: str
    code: str
    message: str
    http_status: int
    call_id: str | None
    created_at: str
    attempts: int
    sent_at: float | None


def recent_from(at: datetime, repeat_after_hours: float) -> float:
    """Return the moment after which a call counts as recent, in seconds; 0 hours: none does."""
    return seconds(at) - repeat_after_hours * 3600 if repeat_after_hours > 0 else _NEVER


def record_of(standing: Standing, *, changed: bool, called_recently: bool) -> CallRecord:
    """Return the call record of what a row that selected RECORD holds."""
    return CallRecord(
        state=CallState(standing.state),
        code=standing.code,
        message=standing.message,
        http_status=standing.http_status,
        call_id=standing.call_id or "",
        created_at=standing.created_at,
        attempts=standing.attempts,
        sent_at=None if standing.sent_at is None else moment_of(standing.sent_at),
        changed=changed,
        called_recently=called_recently,
    )
