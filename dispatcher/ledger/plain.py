"""The rows of a snapshot of which there is nothing to say but placed or pending: counted unread."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import and_, bindparam, case, false, not_, or_, select, true

from dispatcher.ledger.due import IS_LATE
from dispatcher.ledger.schema import attempts, calls, snapshot_rows
from dispatcher.ledger.snapshots import HAS_OTHERS
from dispatcher.ledger.standing import LEFT_ALONE, recent_from
from dispatcher.ledger.storage import BATCH_ROWS, Storage, seconds
from dispatcher.model import CallState, Snapshot

_SENT_AS_IT_IS = (
    select(attempts.c.call)
    .where(
        attempts.c.call == calls.c.id,
        attempts.c.number == calls.c.attempts,
        attempts.c.request_digest == snapshot_rows.c.request_digest,
    )
    .correlate(calls, snapshot_rows)
    .exists()
)
# Conditions that are jumped over, not values: SQLite works out every part of a value.
_SAYS_MORE = or_(
    calls.c.state.is_distinct_from(CallState.PLACED),
    calls.c.code != "",
    snapshot_rows.c.kind != "request",
    # Without other snapshots nothing else can have been sent: a million attempts are not looked at.
    and_(HAS_OTHERS, not_(_SENT_AS_IT_IS)),
)
_IS_PENDING = case(
    (
        and_(
            calls.c.state == CallState.PENDING,
            calls.c.code == "",
            snapshot_rows.c.kind == "request",
            not_(IS_LATE),
            not_(LEFT_ALONE),
        ),
        true(),
    ),
    else_=false(),
)
_NOT_PLACED = (
    select(snapshot_rows.c.number, _IS_PENDING)
    .select_from(snapshot_rows.outerjoin(calls, calls.c.id == snapshot_rows.c.call))
    .where(snapshot_rows.c.snapshot_id == bindparam("snapshot_id"), _SAYS_MORE)
    .order_by(snapshot_rows.c.number)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlainRows:
    """
    How many rows of a snapshot say no more than their status, and which say more.

    Attributes:
        placed: Rows that were placed as they are now.
        pending: Rows that a run may call at that moment.
        others: Numbers of all other rows, in input order.
    """

    placed: int
    pending: int
    others: Sequence[int]


def plain_rows(
    storage: Storage, snapshot: Snapshot, *, repeat_after_hours: float, as_of: datetime
) -> PlainRows:
    """Count the plain rows; see ``Ledger.plain_rows``."""
    pending, others = 0, array("I")
    wanted = {
        "snapshot_id": snapshot.id,
        "campaign_id": snapshot.campaign_id,
        "recent_from": recent_from(as_of, repeat_after_hours),
        "as_of": seconds(as_of),
    }
    with storage.reading() as connection:
        for number, is_pending in connection.execute(_NOT_PLACED, wanted).yield_per(BATCH_ROWS):
            if is_pending:
                pending += 1
            else:
                others.append(number)
    return PlainRows(placed=snapshot.rows - pending - len(others), pending=pending, others=others)
