"""Which calls of a snapshot a run may send, and in which order."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from sqlalchemy import Boolean, ColumnElement, and_, bindparam, func, not_, or_, select

from dispatcher.ledger.rows import codec_of
from dispatcher.ledger.schema import attempts, calls, snapshot_rows
from dispatcher.ledger.standing import CALLED_RECENTLY
from dispatcher.ledger.storage import BATCH_ROWS, Storage, seconds
from dispatcher.ledger.values import DueRules
from dispatcher.model import RESOLVED_NOT_PLACED, CallState, DueCall, Snapshot

IS_LATE: ColumnElement[bool] = func.coalesce(snapshot_rows.c.schedule_at <= bindparam("as_of"), 0)
"""The row has a schedule, and it is past at *as_of*."""

_IN_ORDER = (CallState.PENDING, CallState.FAILED, CallState.REJECTED)

_ROW_AND_CALL = snapshot_rows.join(calls, calls.c.id == snapshot_rows.c.call)
_OF_SNAPSHOT = and_(
    snapshot_rows.c.snapshot_id == bindparam("snapshot_id"),
    snapshot_rows.c.kind == "request",
    not_(CALLED_RECENTLY),
)
_IS_CHANGED = attempts.c.request_digest != snapshot_rows.c.request_digest
_RULE = or_(
    and_(
        calls.c.state.in_([CallState.PENDING, CallState.FAILED]),
        or_(bindparam("retry_unplaced", type_=Boolean), calls.c.code != RESOLVED_NOT_PLACED),
    ),
    and_(
        calls.c.state == CallState.REJECTED,
        or_(
            bindparam("retry_rejected", type_=Boolean),
            _IS_CHANGED,
            calls.c.code.in_(bindparam("stopping_codes", expanding=True)),
        ),
    ),
)
_FOUND = (
    select(calls.c.state, snapshot_rows.c.number, IS_LATE)
    .select_from(
        _ROW_AND_CALL.outerjoin(
            attempts,
            and_(attempts.c.call == calls.c.id, attempts.c.number == calls.c.attempts),
        )
    )
    # The states come first: of those that were placed nothing else is looked at.
    .where(calls.c.state.in_(_IN_ORDER), _OF_SNAPSHOT, _RULE)
    .order_by(snapshot_rows.c.number)
)
_REQUESTS = (
    select(snapshot_rows.c.number, snapshot_rows.c.payload, calls.c.key, calls.c.contact)
    .select_from(_ROW_AND_CALL)
    .where(
        _OF_SNAPSHOT,
        calls.c.state == bindparam("state"),
        snapshot_rows.c.number.in_(bindparam("numbers", expanding=True)),
    )
    .order_by(snapshot_rows.c.number)
)


class DueCalls(Iterator[DueCall]):
    """
    The calls a run may send, found at one moment and read in pages as they are asked for.

    Attributes:
        count: How many were found.
        late: How many of them had a schedule that was past.
    """

    def __init__(self, *, count: int, late: int, calls: Iterator[DueCall]) -> None:
        self.count = count
        self.late = late
        self._calls = calls

    def __next__(self) -> DueCall:
        return next(self._calls)


def due(
    storage: Storage, snapshot: Snapshot, rules: DueRules, *, since: float, as_of: datetime
) -> DueCalls:
    """Find the calls that may be sent; see ``Ledger.due``."""
    # Numbers only, 4 bytes each: what this run makes of its calls must not bring them up again.
    found: dict[str, array[int]] = {state: array("I") for state in _IN_ORDER}
    late = 0
    wanted = {"snapshot_id": snapshot.id, "recent_from": since, "as_of": seconds(as_of)}
    rule = {
        "retry_unplaced": rules.retry_unplaced,
        "retry_rejected": rules.retry_rejected,
        "stopping_codes": list(rules.stopping_codes),
    }
    with storage.reading() as connection:
        rows = connection.execute(_FOUND, wanted | rule).yield_per(BATCH_ROWS)
        for state, number, is_late in rows:
            found[state].append(number)
            late += is_late
    return DueCalls(
        count=sum(map(len, found.values())),
        late=late,
        calls=_calls(storage, snapshot, found, since=since),
    )


def _calls(
    storage: Storage, snapshot: Snapshot, found: Mapping[str, Sequence[int]], *, since: float
) -> Iterator[DueCall]:
    for state in _IN_ORDER:
        numbers = found[state]
        for start in range(0, len(numbers), BATCH_ROWS):
            some = numbers[start : start + BATCH_ROWS]
            yield from _page(storage, snapshot, state, some, since=since)


def _page(
    storage: Storage, snapshot: Snapshot, state: CallState, numbers: Sequence[int], *, since: float
) -> list[DueCall]:
    wanted = {
        "snapshot_id": snapshot.id,
        "recent_from": since,
        "state": state,
        "numbers": list(numbers),
    }
    with storage.reading() as connection:
        codec = codec_of(connection, snapshot)
        found = connection.execute(_REQUESTS, wanted).all()
    return [
        DueCall(request=request, state=state, snapshot_id=snapshot.id)
        for number, payload, key, contact in found
        for request in [codec.request(payload, number=number, key=key.hex(), contact=contact.hex())]
    ]
