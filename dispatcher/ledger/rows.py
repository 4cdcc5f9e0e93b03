"""The rows of a snapshot with the calls they led to, page by page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, Executable, and_, bindparam, case, false, select

from dispatcher.ledger.bodies import CAMPAIGN
from dispatcher.ledger.packing import Packer, RowCodec
from dispatcher.ledger.schema import attempts, calls, snapshot_rows
from dispatcher.ledger.standing import LEFT_ALONE, RECORD, Standing, recent_from, record_of
from dispatcher.ledger.storage import BATCH_ROWS, Storage
from dispatcher.model import CallState, RecordedRow, Snapshot

_ROWS = (
    select(
        *RECORD,
        snapshot_rows.c.number,
        snapshot_rows.c.kind,
        snapshot_rows.c.payload,
        calls.c.key,
        calls.c.contact,
        and_(
            snapshot_rows.c.kind == "request",
            attempts.c.request_digest != snapshot_rows.c.request_digest,
        ).label("changed"),
        case((calls.c.state == CallState.PENDING, LEFT_ALONE), else_=false()).label("left_alone"),
    )
    .select_from(
        snapshot_rows.outerjoin(calls, calls.c.id == snapshot_rows.c.call).outerjoin(
            attempts,
            and_(attempts.c.call == calls.c.id, attempts.c.number == calls.c.attempts),
        )
    )
    .where(snapshot_rows.c.snapshot_id == bindparam("snapshot_id"))
    .order_by(snapshot_rows.c.number)
)
_FROM_NUMBER = _ROWS.where(snapshot_rows.c.number >= bindparam("first")).limit(bindparam("count"))
_NUMBERED = _ROWS.where(snapshot_rows.c.number.in_(bindparam("numbers", expanding=True)))


class _Kept(NamedTuple):
    standing: Standing  # all None where the row has no call
    number: int
    kind: str
    payload: bytes
    key: bytes
    contact: bytes
    changed: int | None
    left_alone: int


def codec_of(connection: Connection, snapshot: Snapshot) -> RowCodec:
    """Return what reads the payloads of a snapshot."""
    own = {"campaign_id": snapshot.campaign_id}
    dictionary = connection.execute(CAMPAIGN, own).one().dictionary
    return RowCodec(snapshot.head.headers, Packer(dictionary))


def rows(
    storage: Storage,
    snapshot: Snapshot,
    *,
    repeat_after_hours: float,
    as_of: datetime,
    numbers: Sequence[int] | None = None,
) -> Iterator[RecordedRow]:
    """Yield the rows in input order; each page is a transaction of its own."""
    recent = recent_from(as_of, repeat_after_hours)
    if numbers is None:
        return _every(storage, snapshot, recent)
    return _some(storage, snapshot, recent, numbers)


def row(storage: Storage, snapshot: Snapshot, number: int) -> RecordedRow | None:
    """Return one row by its number, or None."""
    never = {"recent_from": recent_from(snapshot.recorded_at, 0)}
    return next(iter(_page(storage, snapshot, _NUMBERED, never | {"numbers": [number]})), None)


def _every(storage: Storage, snapshot: Snapshot, recent: float) -> Iterator[RecordedRow]:
    first = 0
    while True:
        window = {"first": first, "count": BATCH_ROWS, "recent_from": recent}
        page = _page(storage, snapshot, _FROM_NUMBER, window)
        yield from page
        if len(page) < BATCH_ROWS:
            return
        first = page[-1].number + 1


def _some(
    storage: Storage, snapshot: Snapshot, recent: float, numbers: Sequence[int]
) -> Iterator[RecordedRow]:
    for start in range(0, len(numbers), BATCH_ROWS):
        some = list(numbers[start : start + BATCH_ROWS])
        yield from _page(storage, snapshot, _NUMBERED, {"numbers": some, "recent_from": recent})


def _page(
    storage: Storage, snapshot: Snapshot, statement: Executable, window: Mapping[str, object]
) -> list[RecordedRow]:
    with storage.reading() as connection:
        codec = codec_of(connection, snapshot)
        found = connection.execute(statement, {**window, "snapshot_id": snapshot.id}).all()
    return [
        _recorded(codec, _Kept(Standing(*one[: len(RECORD)]), *one[len(RECORD) :])) for one in found
    ]


def _recorded(codec: RowCodec, kept: _Kept) -> RecordedRow:
    is_request = kept.kind == "request"
    cells, fate = codec.decode(
        kept.kind,
        kept.payload,
        number=kept.number,
        key=kept.key.hex() if is_request else "",
        contact=kept.contact.hex() if is_request else "",
    )
    call = None
    # A row that was carried over says more than a call of which the ledger knows nothing yet.
    if is_request or kept.standing.state not in {None, CallState.PENDING}:
        call = record_of(
            kept.standing,
            changed=bool(kept.changed),
            called_recently=bool(kept.left_alone),
        )
    return RecordedRow(number=kept.number, cells=cells, fate=fate, call=call)
