"""Campaigns: what they agree on for ever, and where they overlap."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime

from sqlalchemy import Connection, bindparam, func, insert, select
from sqlalchemy import distinct as distinct_of

from dispatcher.errors import UsageProblem
from dispatcher.ledger.schema import calls, campaigns, snapshot_rows, snapshots
from dispatcher.ledger.storage import Storage, seconds
from dispatcher.model import CallState, Campaign

_ALL = select(
    campaigns.c.id, campaigns.c.name, campaigns.c.key_columns, campaigns.c.base_url
).order_by(campaigns.c.id)
_BY_NAME = _ALL.where(campaigns.c.name == bindparam("name"))
_NAME = select(campaigns.c.name).where(campaigns.c.id == bindparam("campaign_id"))
_NEW = insert(campaigns)

_CALLABLE = (
    select(func.count())
    .select_from(snapshot_rows)
    .where(
        snapshot_rows.c.snapshot_id == bindparam("snapshot_id"), snapshot_rows.c.kind == "request"
    )
)
_RECENT = (
    select(snapshots.c.campaign_id)
    .where(
        snapshots.c.campaign_id != bindparam("campaign_id"),
        snapshots.c.complete == 1,
        snapshots.c.recorded_at >= bindparam("since"),
    )
    .distinct()
)
_own = calls.alias("own")
_other = calls.alias("other")
_STANDING = (
    select(_other.c.campaign_id, func.count(distinct_of(_own.c.id)).label("standing"))
    .select_from(
        snapshot_rows.join(_own, _own.c.id == snapshot_rows.c.call).join(
            _other, _other.c.contact == _own.c.contact
        )
    )
    .where(
        snapshot_rows.c.snapshot_id == bindparam("snapshot_id"),
        snapshot_rows.c.kind == "request",
        _other.c.campaign_id.in_(bindparam("recent", expanding=True)),
        _other.c.state.in_(
            [CallState.PENDING, CallState.SENDING, CallState.PLACED, CallState.UNCERTAIN]
        ),
    )
    .group_by(_other.c.campaign_id)
    .order_by(func.count(distinct_of(_own.c.id)).desc(), _other.c.campaign_id.desc())
    .limit(1)
)


def claim(
    storage: Storage, name: str, *, key_columns: tuple[str, ...], base_url: str, at: datetime | None
) -> Campaign:
    """Create the campaign, or return it if key columns and base URL agree; else UsageProblem."""
    with storage.writing() as connection:
        row = connection.execute(_BY_NAME, {"name": name}).first()
        if row is None:
            _insert(connection, name, key_columns, base_url, at or datetime.now(UTC))
            row = connection.execute(_BY_NAME, {"name": name}).one()
    known = _campaign(*row)
    _must_agree(known, key_columns, base_url)
    return known


def _insert(
    connection: Connection, name: str, key_columns: Sequence[str], base_url: str, at: datetime
) -> None:
    connection.execute(
        _NEW,
        {
            "name": name,
            "key_columns": json.dumps(key_columns),
            "base_url": base_url,
            "created_at": seconds(at),
        },
    )


def _must_agree(known: Campaign, key_columns: tuple[str, ...], base_url: str) -> None:
    if known.key_columns != key_columns:
        listed = ", ".join(known.key_columns) or "none"
        raise UsageProblem(
            f'campaign "{known.name}" was begun with the key columns: {listed}',
            hint="set key: to these, or give this campaign a new name with --campaign",
        )
    if known.base_url != base_url:
        raise UsageProblem(
            f'campaign "{known.name}" was begun through {known.base_url}, not {base_url}',
            hint="use that base URL, or give this campaign a new name with --campaign",
        )


def find(storage: Storage, name: str) -> Campaign | None:
    """Return the campaign of this name, or None."""
    with storage.reading() as connection:
        row = connection.execute(_BY_NAME, {"name": name}).first()
    return _campaign(*row) if row else None


def every(storage: Storage) -> tuple[Campaign, ...]:
    """Return all campaigns, oldest first."""
    with storage.reading() as connection:
        return tuple(_campaign(*row) for row in connection.execute(_ALL))


def name_of(storage: Storage, campaign_id: int) -> str:
    """Return a campaign's name, or "" for an unknown number."""
    with storage.reading() as connection:
        name = connection.execute(_NAME, {"campaign_id": campaign_id}).scalar()
    return name or ""


def overlap(
    storage: Storage, campaign_id: int, snapshot_id: int, *, since: datetime
) -> tuple[str, int] | None:
    """Name the other campaign in which at least half of a snapshot's callable rows stand."""
    own = {"campaign_id": campaign_id, "snapshot_id": snapshot_id}
    with storage.reading() as connection:
        recent = connection.execute(_RECENT, own | {"since": seconds(since)}).scalars().all()
        if not recent:
            return None
        most = connection.execute(_STANDING, own | {"recent": recent}).first()
        if most is None or most.standing * 2 < connection.execute(_CALLABLE, own).scalar_one():
            return None
        name = connection.execute(_NAME, {"campaign_id": most.campaign_id}).scalar_one()
    return name, most.standing


def _campaign(number: int, name: str, key_columns: str, base_url: str) -> Campaign:
    return Campaign(
        id=number, name=name, key_columns=tuple(json.loads(key_columns)), base_url=base_url
    )
