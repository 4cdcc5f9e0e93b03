"""Calls whose outcome nobody saw: left over by a dead run, or settled by a person."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import (
    Connection,
    and_,
    bindparam,
    insert,
    literal_column,
    select,
    union_all,
    update,
)

from dispatcher.errors import UsageProblem
from dispatcher.ledger.schema import attempts, calls, resolutions
from dispatcher.ledger.storage import Storage, seconds
from dispatcher.model import RESOLVED_NOT_PLACED, CallState, Verdict

INTERRUPTED = "interrupted"
_INTERRUPTED_MESSAGE = (
    "the run ended while this call was being sent: check in ContactShip whether it was placed"
)

# A literal, for SQLite takes the partial index of calls being sent for nothing else.
_LEFT_OVER = and_(
    calls.c.campaign_id == bindparam("campaign"), calls.c.state == literal_column("'sending'")
)
_END_ATTEMPTS = (
    update(attempts)
    .where(
        attempts.c.finished_at.is_(None),
        attempts.c.call.in_(select(calls.c.id).where(_LEFT_OVER)),
    )
    .values(finished_at=bindparam("at"), verdict=Verdict.UNCERTAIN, code=INTERRUPTED)
)
_SETTLE = (
    update(calls)
    .where(_LEFT_OVER)
    .values(
        state=CallState.UNCERTAIN, code=INTERRUPTED, message=_INTERRUPTED_MESSAGE, http_status=0
    )
)
_UNCERTAIN = select(calls.c.id).where(
    calls.c.campaign_id == bindparam("campaign_id"),
    calls.c.key == bindparam("key"),
    calls.c.state == CallState.UNCERTAIN,
)
_OWNERS = union_all(
    select(calls.c.id).where(calls.c.call_id == bindparam("call_id")),
    # A second id of a call that was placed twice is known to its attempt alone.
    select(attempts.c.call).where(
        attempts.c.call_id == bindparam("call_id"), attempts.c.call != bindparam("call")
    ),
)
_RESOLVE = (
    update(calls)
    .where(calls.c.id == bindparam("call"), calls.c.state == CallState.UNCERTAIN)
    .values(
        state=bindparam("new_state"),
        call_id=bindparam("new_call_id"),
        code=bindparam("new_code"),
        message=bindparam("new_message"),
    )
)
_NEW_RESOLUTION = insert(resolutions)


def settle_left_over(storage: Storage, campaign_id: int, *, at: datetime) -> int:
    """Turn what a dead run left ``sending`` into ``uncertain``; return how many there were."""
    with storage.writing() as connection:
        connection.execute(_END_ATTEMPTS, {"campaign": campaign_id, "at": seconds(at)})
        return connection.execute(_SETTLE, {"campaign": campaign_id}).rowcount


def resolve(
    storage: Storage,
    campaign_id: int,
    key: str,
    *,
    call_id: str | None,
    reason: str,
    user: str,
    at: datetime,
) -> None:
    """Settle one uncertain call by a person's word; see ``Ledger.resolve``."""
    state = CallState.FAILED if call_id is None else CallState.PLACED
    with storage.writing() as connection:
        call = _uncertain(connection, campaign_id, key)
        if call_id is not None:
            _must_be_free(connection, call_id, call)
        connection.execute(_RESOLVE, {"call": call, "new_state": state} | _words(call_id, user))
        connection.execute(
            _NEW_RESOLUTION,
            {
                "call": call,
                "state": state,
                "call_id": call_id,
                "user": user,
                "reason": reason,
                "at": seconds(at),
            },
        )


def _words(call_id: str | None, user: str) -> dict[str, str | None]:
    is_placed = call_id is not None
    return {
        "new_call_id": call_id,
        "new_code": "" if is_placed else RESOLVED_NOT_PLACED,
        "new_message": "" if is_placed else f"settled as not placed by {user}",
    }


def _uncertain(connection: Connection, campaign_id: int, key: str) -> int:
    call = connection.execute(
        _UNCERTAIN, {"campaign_id": campaign_id, "key": bytes.fromhex(key)}
    ).scalar()
    if call is None:
        raise UsageProblem(
            "this call is not uncertain, so there is nothing to settle",
            hint="see where it stands with: dispatcher status CAMPAIGN",
        )
    return int(call)


def _must_be_free(connection: Connection, call_id: str, call: int) -> None:
    if not call_id:
        raise UsageProblem("the call id is empty", hint="give the id of the call that was placed")
    if connection.execute(_OWNERS, {"call_id": call_id, "call": call}).first() is not None:
        raise UsageProblem(
            f"another call of this ledger has the call id {call_id}",
            hint="check the id; each call has its own",
        )
