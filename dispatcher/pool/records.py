"""What the ledger is told of a call: the wish to send it, and what came of it."""

from __future__ import annotations

from datetime import datetime

from dispatcher.model import CallState, DueCall, Judgement, Mark, Outcome, RowProblem, Verdict
from dispatcher.planning import due_at, request_digest
from dispatcher.pool.times import Moment

_STATE_AFTER = {
    Verdict.PLACED: CallState.PLACED,
    Verdict.REJECTED: CallState.REJECTED,
    Verdict.UNCERTAIN: CallState.UNCERTAIN,
    Verdict.NOT_SENT: CallState.PENDING,
}


def outcome_of(call: DueCall, attempt: int, judgement: Judgement, at: datetime) -> Outcome:
    """Return the outcome of an attempt that ended at *at*."""
    return Outcome(
        key=call.request.key,
        attempt=attempt,
        state=_STATE_AFTER[judgement.verdict],
        verdict=judgement.verdict,
        code=judgement.code,
        message=judgement.message,
        http_status=judgement.http_status,
        call_id=judgement.call_id,
        created_at=judgement.created_at,
        excerpt=judgement.excerpt,
        at=at,
    )


def mark_of(call: DueCall, state: CallState, body: bytes, moment: Moment) -> Mark:
    """Return the wish to send *body* for a call now."""
    return Mark(
        key=call.request.key,
        contact=call.request.contact,
        state=state,
        body=body,
        request_digest=request_digest(call.request),
        at=moment.wall,
        due_at=due_at(call.request, now=moment.latest),
        judged_at=moment.earliest,
        asked=call,
    )


def given_up(call: DueCall, why: RowProblem, at: datetime) -> Outcome:
    """Return the record of a call that was not and will not be sent."""
    return Outcome(
        key=call.request.key,
        attempt=0,
        state=CallState.FAILED,
        verdict=Verdict.NOT_SENT,
        code=why.code,
        message=why.message,
        at=at,
    )
