"""Which calls of a snapshot a run may send, and in which order."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain

from sqlalchemy import ColumnElement, Executable, and_, bindparam, not_, or_, select, true

from dispatcher.ledger.rows import codec_of
from dispatcher.ledger.schema import attempts, calls, snapshot_rows
from dispatcher.ledger.standing import CALLED_RECENTLY
from dispatcher.ledger.storage import BATCH_ROWS, Storage
from dispatcher.ledger.values import DueRules
from dispatcher.model import CallState, DueCall, Snapshot

NOT_PLACED = "resolved_not_placed"

_Own = Mapping[str, float]

_ROW_AND_CALL = snapshot_rows.join(calls, calls.c.id == snapshot_rows.c.call)
_OF_SNAPSHOT = and_(
    snapshot_rows.c.snapshot_id == bindparam("snapshot_id"),
    snapshot_rows.c.kind == "request",
    not_(CALLED_RECENTLY),
)
_REQUEST = (
    select(snapshot_rows.c.number, snapshot_rows.c.payload, calls.c.key, calls.c.contact)
    .select_from(_ROW_AND_CALL)
    .where(_OF_SNAPSHOT, calls.c.state == bindparam("state"))
    .order_by(snapshot_rows.c.number)
)
_NUMBERED = _REQUEST.where(snapshot_rows.c.number.in_(bindparam("numbers", expanding=True)))
_NUMBERS = (
    select(snapshot_rows.c.number)
    .select_from(
        _ROW_AND_CALL.outerjoin(
            attempts,
            and_(attempts.c.call == calls.c.id, attempts.c.number == calls.c.attempts),
        )
    )
    .where(_OF_SNAPSHOT, calls.c.state == bindparam("state"))
    .order_by(snapshot_rows.c.number)
)
_CHANGED = attempts.c.request_digest != snapshot_rows.c.request_digest


def due(
    storage: Storage, snapshot: Snapshot, rules: DueRules, *, since: float
) -> Iterator[DueCall]:
    """Return an iterator over the calls that may be sent; see ``Ledger.due``."""
    unsettled = true() if rules.retry_unplaced else calls.c.code != NOT_PLACED
    own: _Own = {"snapshot_id": snapshot.id, "recent_from": since}
    # Numbers only, 8 bytes each: what this run makes of its calls must not bring them up again.
    again = {
        CallState.FAILED: _numbers(storage, own, CallState.FAILED, unsettled),
        CallState.REJECTED: _numbers(storage, own, CallState.REJECTED, _rejected(rules)),
    }
    return chain(
        _pending(storage, snapshot, own, unsettled),
        *(_numbered(storage, snapshot, own, state, numbers) for state, numbers in again.items()),
    )


def _rejected(rules: DueRules) -> ColumnElement[bool]:
    if rules.retry_rejected:
        return true()
    return or_(_CHANGED, calls.c.code.in_(rules.stopping_codes))


def _numbers(
    storage: Storage, own: _Own, state: CallState, rule: ColumnElement[bool]
) -> array[int]:
    with storage.reading() as connection:
        found = (
            connection.execute(_NUMBERS.where(rule), {**own, "state": state})
            .yield_per(BATCH_ROWS)
            .scalars()
        )
        return array("q", found)


def _pending(
    storage: Storage, snapshot: Snapshot, own: _Own, unsettled: ColumnElement[bool]
) -> Iterator[DueCall]:
    statement = _REQUEST.where(unsettled, snapshot_rows.c.number > bindparam("after")).limit(
        BATCH_ROWS
    )
    page = _page(storage, snapshot, CallState.PENDING, statement, {**own, "after": 0})
    while page:
        yield from page
        after = page[-1].request.row
        page = _page(storage, snapshot, CallState.PENDING, statement, {**own, "after": after})


def _numbered(
    storage: Storage, snapshot: Snapshot, own: _Own, state: CallState, numbers: Sequence[int]
) -> Iterator[DueCall]:
    for start in range(0, len(numbers), BATCH_ROWS):
        some: dict[str, float | list[int]] = {
            **own,
            "numbers": list(numbers[start : start + BATCH_ROWS]),
        }
        yield from _page(storage, snapshot, state, _NUMBERED, some)


def _page(
    storage: Storage,
    snapshot: Snapshot,
    state: CallState,
    statement: Executable,
    window: Mapping[str, float | list[int]],
) -> list[DueCall]:
    with storage.reading() as connection:
        codec = codec_of(connection, snapshot)
        found = connection.execute(statement, {**window, "state": state}).all()
    return [
        DueCall(request=request, state=state)
        for number, payload, key, contact in found
        for request in [codec.request(payload, number=number, key=key.hex(), contact=contact.hex())]
    ]
