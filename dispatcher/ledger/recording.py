"""Recording a sheet as a snapshot, batch by batch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, insert, select, update

from dispatcher.ledger.bodies import CAMPAIGN
from dispatcher.ledger.clearing import clear_away
from dispatcher.ledger.packing import Packer, RowCodec, dictionary_of, fingerprint, kind_of
from dispatcher.ledger.prepared import Prepared, PreparedForSome
from dispatcher.ledger.schema import calls, campaigns, snapshot_rows, snapshots
from dispatcher.ledger.snapshots import packed_head
from dispatcher.ledger.storage import BATCH_ROWS, Storage, moment_of, seconds
from dispatcher.model import (
    CallRequest,
    CallState,
    Carried,
    Fate,
    PlannedRow,
    Snapshot,
    SnapshotHead,
)


class _Known(NamedTuple):
    key: bytes
    call: int


_SET_DICTIONARY = (
    update(campaigns)
    .where(campaigns.c.id == bindparam("campaign"))
    .values(dictionary=bindparam("content"))
)
_NEW_SNAPSHOT = insert(snapshots).returning(snapshots.c.id)
_KNOWN_CALLS = PreparedForSome(
    lambda keys: select(calls.c.key, calls.c.id).where(calls.c.key.in_(keys)), row=_Known._make
)
_NEW_CALLS = Prepared(insert(calls), ["key", "campaign_id", "snapshot_id", "contact", "state"])
_NEW_ROWS = Prepared(
    insert(snapshot_rows),
    [
        "snapshot_id",
        "number",
        "kind",
        "call",
        "request_digest",
        "carried_id",
        "schedule_at",
        "payload",
    ],
)
_COMPLETE = (
    update(snapshots)
    .where(snapshots.c.id == bindparam("snapshot"))
    .values(complete=1, rows=bindparam("count"), head=bindparam("whole"))
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Line:
    """A planned row as it will be kept; *key* is b"" where it has no call."""

    number: int
    kind: str
    key: bytes
    contact: bytes
    request_digest: bytes | None
    carried_id: str | None
    schedule_at: float | None
    payload: bytes


def record(
    storage: Storage,
    campaign_id: int,
    head: SnapshotHead,
    rows: Iterable[PlannedRow],
    *,
    digest_of: Callable[[CallRequest], str],
    remarks: Callable[[], tuple[tuple[str, str], ...]],
    at: datetime,
) -> Snapshot:
    """Record a sheet; see ``Ledger.record``."""
    clear_away(storage, campaign_id)
    planned = iter(rows)
    batch = list(islice(planned, BATCH_ROWS))
    recording = _begin(storage, campaign_id, head, batch, at)
    count = len(batch)
    while len(batch) == BATCH_ROWS:
        recording.write(batch, digest_of)
        batch = list(islice(planned, BATCH_ROWS))
        count += len(batch)
    whole = replace(head, remarks=head.remarks + remarks())
    recording.write(batch, digest_of, completes=(whole, count))
    return Snapshot(
        id=recording.snapshot_id,
        campaign_id=campaign_id,
        head=whole,
        rows=count,
        recorded_at=moment_of(seconds(at)),
    )


def _begin(
    storage: Storage,
    campaign_id: int,
    head: SnapshotHead,
    first: Sequence[PlannedRow],
    at: datetime,
) -> _Recording:
    new = {"campaign_id": campaign_id, "head": packed_head(head), "recorded_at": seconds(at)}
    with storage.writing() as connection:
        name, dictionary = connection.execute(CAMPAIGN, {"campaign_id": campaign_id}).one()
        if dictionary is None:
            request = next((row.fate for row in first if isinstance(row.fate, CallRequest)), None)
            dictionary = dictionary_of(head.headers, request, name)
            connection.execute(_SET_DICTIONARY, {"campaign": campaign_id, "content": dictionary})
        snapshot_id = connection.execute(_NEW_SNAPSHOT, new).scalar_one()
    codec = RowCodec(head.headers, Packer(dictionary))
    return _Recording(storage, campaign_id=campaign_id, snapshot_id=snapshot_id, codec=codec)


class _Recording:
    """A snapshot that is not complete yet."""

    def __init__(
        self, storage: Storage, *, campaign_id: int, snapshot_id: int, codec: RowCodec
    ) -> None:
        self.snapshot_id = snapshot_id
        self._campaign_id = campaign_id
        self._storage = storage
        self._codec = codec

    def write(
        self,
        batch: Sequence[PlannedRow],
        digest_of: Callable[[CallRequest], str],
        *,
        completes: tuple[SnapshotHead, int] | None = None,
    ) -> None:
        """Write a batch, and with the last one its whole head and the number of rows."""
        lines = [self._line(row, digest_of) for row in batch]
        with self._storage.writing() as connection:
            if lines:
                self._insert(connection, lines)
            if completes:
                head, count = completes
                whole = {"snapshot": self.snapshot_id, "count": count, "whole": packed_head(head)}
                connection.execute(_COMPLETE, whole)

    def _line(self, row: PlannedRow, digest_of: Callable[[CallRequest], str]) -> _Line:
        fate = row.fate
        whose = fate if isinstance(fate, CallRequest | Carried) else None
        return _Line(
            number=row.number,
            kind=kind_of(fate),
            key=bytes.fromhex(whose.key) if whose else b"",
            contact=bytes.fromhex(whose.contact) if whose else b"",
            request_digest=fingerprint(digest_of(fate)) if isinstance(fate, CallRequest) else None,
            carried_id=(fate.call_id or None) if isinstance(fate, Carried) else None,
            schedule_at=_schedule_of(fate),
            payload=self._codec.encode(row.cells, fate),
        )

    def _insert(self, connection: Connection, lines: Sequence[_Line]) -> None:
        call_of = _ids(connection, {line.key for line in lines if line.key})
        new = {
            line.key: line for line in lines if line.kind == "request" and line.key not in call_of
        }
        if new:
            _NEW_CALLS.run(connection, [self._call(line) for line in new.values()])
            call_of |= _ids(connection, set(new))
        _NEW_ROWS.run(connection, [self._row(line, call_of.get(line.key)) for line in lines])

    def _call(self, line: _Line) -> tuple[object, ...]:
        state = CallState.PENDING.value
        return line.key, self._campaign_id, self.snapshot_id, line.contact, state

    def _row(self, line: _Line, call: int | None) -> tuple[object, ...]:
        return (
            self.snapshot_id,
            line.number,
            line.kind,
            call,
            line.request_digest,
            line.carried_id,
            line.schedule_at,
            line.payload,
        )


def _schedule_of(fate: Fate) -> float | None:
    if isinstance(fate, CallRequest) and fate.schedule:
        return seconds(fate.schedule.at)
    return None


def _ids(connection: Connection, keys: set[bytes]) -> dict[bytes, int]:
    return dict(_KNOWN_CALLS.run(connection, list(keys))) if keys else {}
