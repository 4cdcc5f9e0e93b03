"""Removing personal data of old campaigns: what was called and when stays, who it was does not."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import datetime

from sqlalchemy import (
    BindParameter,
    Connection,
    and_,
    bindparam,
    exists,
    func,
    or_,
    select,
    union_all,
    update,
)

from dispatcher.errors import StorageFailed, UsageProblem
from dispatcher.ledger.schema import (
    attempts,
    calls,
    campaigns,
    resolutions,
    runs,
    snapshot_rows,
    snapshots,
)
from dispatcher.ledger.standing import recent_from
from dispatcher.ledger.storage import Storage, connect_to_write, moment_of, seconds
from dispatcher.ledger.values import PurgeBar, PurgeProspect
from dispatcher.model import CallState, Campaign

_OF: BindParameter[int] = bindparam("of_campaign")
_OWN_CALLS = select(calls.c.id).where(calls.c.campaign_id == _OF)
_OWN_SNAPSHOTS = select(snapshots.c.id).where(snapshots.c.campaign_id == _OF)

_active = union_all(
    select(campaigns.c.created_at.label("at")).where(campaigns.c.id == _OF),
    select(snapshots.c.recorded_at).where(snapshots.c.campaign_id == _OF),
    select(runs.c.started_at).where(runs.c.campaign_id == _OF),
    select(runs.c.finished_at).where(runs.c.campaign_id == _OF),
    select(calls.c.sent_at).where(calls.c.campaign_id == _OF),
    select(resolutions.c.at).where(resolutions.c.call.in_(_OWN_CALLS)),
).subquery()
_LAST_ACTIVE = select(func.max(_active.c.at))

_STATES = select(calls.c.state).where(calls.c.campaign_id == _OF).distinct()
_LAST_DUE = select(func.max(calls.c.due_at)).where(
    calls.c.campaign_id == _OF, calls.c.state.in_([CallState.PLACED, CallState.UNCERTAIN])
)
_BARS_OF_STATES = {
    CallState.PENDING: PurgeBar.PENDING,
    CallState.SENDING: PurgeBar.SENDING,
    CallState.UNCERTAIN: PurgeBar.UNCERTAIN,
}

_NONE = b""
_ROWS = and_(snapshot_rows.c.snapshot_id.in_(_OWN_SNAPSHOTS), snapshot_rows.c.payload != _NONE)
# A body of NULL is said by a row.
_ATTEMPTS = and_(
    attempts.c.call.in_(_OWN_CALLS),
    or_(attempts.c.body.is_distinct_from(_NONE), attempts.c.excerpt != _NONE),
)
_MESSAGES = and_(calls.c.campaign_id == _OF, calls.c.message != "")
_REASONS = and_(resolutions.c.call.in_(_OWN_CALLS), resolutions.c.reason != "")
_RUNS = and_(runs.c.campaign_id == _OF, runs.c.message != "")
_REMAINS = select(
    or_(
        *(
            exists().where(rule).select_from(table)
            for table, rule in (
                (snapshot_rows, _ROWS),
                (attempts, _ATTEMPTS),
                (calls, _MESSAGES),
                (resolutions, _REASONS),
                (runs, _RUNS),
            )
        )
    )
)
_FORGET = (
    update(snapshot_rows).where(_ROWS).values(payload=_NONE),
    update(attempts).where(_ATTEMPTS).values(body=_NONE, payload=None, excerpt=_NONE),
    update(calls).where(_MESSAGES).values(message=""),
    update(resolutions).where(_REASONS).values(reason=""),
    update(runs).where(_RUNS).values(message=""),
)
_HEADS = select(snapshots.c.id, snapshots.c.head).where(snapshots.c.campaign_id == _OF)
_BEHEAD = (
    update(snapshots).where(snapshots.c.id == bindparam("snapshot")).values(head=bindparam("kept"))
)


class Purging:
    """Removes personal data from a ledger; a campaign's under ``hold`` of it."""

    def __init__(self, storage: Storage, *, must_hold: Callable[[int], None]) -> None:
        self._storage = storage
        self._must_hold = must_hold

    def prospects(
        self, known: Sequence[Campaign], *, now: datetime, repeat_after_hours: float
    ) -> tuple[PurgeProspect, ...]:
        """Say of each of these campaigns what a purge would find."""
        with self._storage.reading() as connection:
            return tuple(_prospect(connection, one, now, repeat_after_hours) for one in known)

    def purge(self, campaign: Campaign, *, now: datetime, repeat_after_hours: float) -> None:
        """
        Remove the personal data of a campaign, all of it or none.

        Row contents, bodies, answers and messages that may quote them go; keys, hashes of
        contacts, ids, states, codes and times stay. Its snapshots are never reused.

        Raises:
            UsageProblem: Its data cannot go yet; the message says why.
        """
        self._must_hold(campaign.id)
        own = {"of_campaign": campaign.id}
        with self._storage.writing() as connection:
            # Removed bytes are overwritten at once; ``compact`` sees to those removed before.
            connection.exec_driver_sql("PRAGMA secure_delete = ON")
            bars = _prospect(connection, campaign, now, repeat_after_hours).bars
            if bars:
                raise UsageProblem(f'campaign "{campaign.name}" has {", ".join(bars)}')
            for snapshot_id, head in connection.execute(_HEADS, own).all():
                kept = {"snapshot": snapshot_id, "kept": _kept_of(head, now)}
                connection.execute(_BEHEAD, kept)
            for statement in _FORGET:
                connection.execute(statement, own)

    def compact(self) -> None:
        """
        Rewrite the file and empty its log, so that no byte of what was removed is left in them.

        Raises:
            StorageFailed: The disk is full, or another process reads or writes the ledger.
        """
        self._storage.must_be_writable()
        self._storage.close()
        try:
            with closing(connect_to_write(self._storage.file)) as connection:
                connection.execute("VACUUM")
                (is_busy, *_) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        except sqlite3.Error as error:
            raise _not_compact(self._storage, str(error)) from error
        if is_busy:
            raise _not_compact(self._storage, "another process is reading it")


def _not_compact(storage: Storage, why: str) -> StorageFailed:
    return StorageFailed(
        f"ledger {storage.file} could not be rewritten, so what was removed is still in it: {why}",
        hint="run the same command again",
    )


def _prospect(
    connection: Connection, campaign: Campaign, now: datetime, repeat_after_hours: float
) -> PurgeProspect:
    own = {"of_campaign": campaign.id}
    states = {CallState(state) for state in connection.execute(_STATES, own).scalars()}
    bars = [bar for state, bar in _BARS_OF_STATES.items() if state in states]
    last_due = connection.execute(_LAST_DUE, own).scalar()
    if last_due is not None and last_due > seconds(now):
        bars.append(PurgeBar.SCHEDULED)
    elif last_due is not None and last_due > recent_from(now, repeat_after_hours):
        bars.append(PurgeBar.RECENT)
    return PurgeProspect(
        campaign=campaign,
        last_active=moment_of(connection.execute(_LAST_ACTIVE, own).scalar_one()),
        bars=tuple(bars),
        is_purged=not connection.execute(_REMAINS, own).scalar_one(),
    )


def _kept_of(head: str, now: datetime) -> str:
    """
    Return a head without what could hold personal data.

    Without its digest no file is ever the same as the one it was made of, so it is not reused.
    """
    fields = json.loads(head)
    nothing = {"digest": "", "settings_digest": "", "headers": [], "result_columns": []}
    at = fields.get("purged_at") or seconds(now)
    return json.dumps(fields | nothing | {"remarks": [], "purged_at": at})
