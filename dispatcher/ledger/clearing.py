"""Forgetting recordings that broke off, and the rows of snapshots that grew old."""

from __future__ import annotations

from sqlalchemy import bindparam, delete, select, update

from dispatcher.ledger import snapshots as kept_snapshots
from dispatcher.ledger.bodies import SAID_ROW
from dispatcher.ledger.schema import attempts, calls, snapshot_rows, snapshots
from dispatcher.ledger.storage import BATCH_ROWS, Storage
from dispatcher.model import CallState

_OUTDATED = select(snapshots.c.id, snapshots.c.complete).where(
    snapshots.c.campaign_id == bindparam("campaign_id"), snapshots.c.id != bindparam("kept")
)
_SOME_ROWS = (
    select(snapshot_rows.c.number, snapshot_rows.c.call)
    .where(snapshot_rows.c.snapshot_id == bindparam("snapshot_id"))
    .order_by(snapshot_rows.c.number)
    .limit(BATCH_ROWS)
)
# What was sent of a row stays known when the row goes.
_KEEP_SAID = (
    update(attempts)
    .where(
        attempts.c.call.in_(
            select(snapshot_rows.c.call).where(
                snapshot_rows.c.snapshot_id == bindparam("of_snapshot"),
                snapshot_rows.c.number <= bindparam("last"),
            )
        ),
        attempts.c.snapshot_id == bindparam("of_snapshot"),
        # Another row of the call may come later: by then this one has gone.
        attempts.c.row <= bindparam("last"),
        attempts.c.payload.is_(None),
        attempts.c.body.is_(None),
    )
    .values(
        payload=select(snapshot_rows.c.payload)
        .where(SAID_ROW)
        .correlate(attempts)
        .scalar_subquery()
    )
)
_DROP_ROWS = delete(snapshot_rows).where(
    snapshot_rows.c.snapshot_id == bindparam("snapshot_id"),
    snapshot_rows.c.number <= bindparam("last"),
)
# Calls that only the broken recording brought in: no complete snapshot has ever held them.
_DROP_CALLS = delete(calls).where(
    calls.c.id.in_(bindparam("ids", expanding=True)),
    calls.c.snapshot_id == bindparam("snapshot_id"),
    calls.c.state == CallState.PENDING,
    calls.c.attempts == 0,
)
_DROP_SNAPSHOT = delete(snapshots).where(snapshots.c.id == bindparam("snapshot_id"))


def clear_away(storage: Storage, campaign_id: int) -> None:
    """
    Remove incomplete snapshots with the calls only they brought in, and the rows of old ones.

    Rows are removed in transactions of at most 1,000; the last complete snapshot keeps its own.
    """
    last = kept_snapshots.last(storage, campaign_id)
    with storage.reading() as connection:
        outdated = connection.execute(
            _OUTDATED, {"campaign_id": campaign_id, "kept": last.id if last else 0}
        ).all()
    for snapshot_id, complete in outdated:
        while _drop_some(storage, snapshot_id, is_complete=bool(complete)):
            pass


def _drop_some(storage: Storage, snapshot_id: int, *, is_complete: bool) -> bool:
    """Remove up to 1,000 rows; False when none was left."""
    this = {"snapshot_id": snapshot_id}
    with storage.writing() as connection:
        rows = connection.execute(_SOME_ROWS, this).all()
        if rows:
            connection.execute(_KEEP_SAID, {"of_snapshot": snapshot_id, "last": rows[-1].number})
            connection.execute(_DROP_ROWS, this | {"last": rows[-1].number})
        if not is_complete:
            ids = [row.call for row in rows if row.call is not None]
            connection.execute(_DROP_CALLS, this | {"ids": ids})
            if not rows:
                connection.execute(_DROP_SNAPSHOT, this)
    return bool(rows)
