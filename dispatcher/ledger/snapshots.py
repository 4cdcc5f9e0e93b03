"""What is known of a whole snapshot."""

from __future__ import annotations

import json
from dataclasses import asdict

from sqlalchemy import ColumnElement, bindparam, func, select

from dispatcher.ledger.schema import calls, snapshot_rows, snapshots
from dispatcher.ledger.storage import Storage, moment_of
from dispatcher.model import CallState, Snapshot, SnapshotHead

_LAST = (
    select(snapshots)
    .where(snapshots.c.campaign_id == bindparam("campaign_id"), snapshots.c.complete == 1)
    .order_by(snapshots.c.id.desc())
    .limit(1)
)
HAS_OTHERS: ColumnElement[bool] = (
    select(snapshots.c.id)
    .where(
        snapshots.c.campaign_id == bindparam("campaign_id"),
        snapshots.c.id != bindparam("snapshot_id"),
    )
    .exists()
)
"""The campaign has had other snapshots than this one."""

_OTHER_PENDING = (
    select(func.count())
    .select_from(calls)
    .where(
        calls.c.campaign_id == bindparam("campaign_id"),
        calls.c.state == CallState.PENDING,
        calls.c.id.not_in(
            select(snapshot_rows.c.call).where(
                snapshot_rows.c.snapshot_id == bindparam("snapshot_id"),
                snapshot_rows.c.call.is_not(None),
            )
        ),
    )
)


def last(storage: Storage, campaign_id: int) -> Snapshot | None:
    """Return the campaign's last complete snapshot, or None."""
    with storage.reading() as connection:
        row = connection.execute(_LAST, {"campaign_id": campaign_id}).first()
    if row is None:
        return None
    purged_at = json.loads(row.head).get("purged_at")
    return Snapshot(
        id=row.id,
        campaign_id=row.campaign_id,
        head=unpacked_head(row.head),
        rows=row.rows,
        recorded_at=moment_of(row.recorded_at),
        purged_at=None if purged_at is None else moment_of(purged_at),
    )


def other_pending(storage: Storage, campaign_id: int, snapshot_id: int) -> int:
    """Count the campaign's pending calls that are not in this snapshot."""
    own = {"campaign_id": campaign_id, "snapshot_id": snapshot_id}
    with storage.reading() as connection:
        # Asked first: SQLite would look at every call to find that there can be none.
        if not connection.execute(select(HAS_OTHERS), own).scalar_one():
            return 0
        return connection.execute(_OTHER_PENDING, own).scalar_one()


def packed_head(head: SnapshotHead) -> str:
    """Return a head as the JSON text that is kept."""
    return json.dumps(asdict(head))


def unpacked_head(kept: str) -> SnapshotHead:
    """Return the head that was kept."""
    fields = json.loads(kept)
    fields.pop("purged_at", None)
    fields["headers"] = tuple(fields["headers"])
    fields["result_columns"] = tuple(fields["result_columns"])
    fields["remarks"] = tuple((code, message) for code, message in fields["remarks"])
    return SnapshotHead(**fields)
