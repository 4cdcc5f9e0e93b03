"""Runs, and the pace they share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict

from sqlalchemy import Connection, bindparam, insert, select, update

from dispatcher.ledger.schema import runs, slots
from dispatcher.ledger.storage import Storage, moment_of, seconds
from dispatcher.ledger.values import KnownRun
from dispatcher.model import RunEnd, RunStart, StopWord

_NEW = insert(runs).returning(runs.c.id)
_END = (
    update(runs)
    .where(runs.c.id == bindparam("run"))
    .values(stopped=bindparam("word"), message=bindparam("line"), finished_at=bindparam("moment"))
)
_LAST = (
    select(runs)
    .where(runs.c.campaign_id == bindparam("campaign_id"))
    .order_by(runs.c.id.desc())
    .limit(1)
)
_NEXT_FREE = select(slots.c.next_free).where(slots.c.base_url == bindparam("url")).with_for_update()
_FIRST_SLOTS = insert(slots)
_TAKEN = (
    update(slots)
    .where(slots.c.base_url == bindparam("url"))
    .values(next_free=bindparam("free_from"))
)


def begin(storage: Storage, start: RunStart) -> int:
    """Record that a run begins, and return its number."""
    kept = asdict(start) | {"started_at": seconds(start.started_at)}
    with storage.writing() as connection:
        return int(connection.execute(_NEW, kept).scalar_one())


def end(storage: Storage, run_id: int, how: RunEnd) -> None:
    """Record how a run ended."""
    with storage.writing() as connection:
        connection.execute(
            _END,
            {
                "run": run_id,
                "word": how.stopped or "",
                "line": how.message,
                "moment": seconds(how.finished_at),
            },
        )


def last(storage: Storage, campaign_id: int) -> KnownRun | None:
    """Return the campaign's last run, or None."""
    with storage.reading() as connection:
        row = connection.execute(_LAST, {"campaign_id": campaign_id}).first()
    if row is None:
        return None
    start = RunStart(
        campaign_id=row.campaign_id,
        snapshot_id=row.snapshot_id,
        user=row.user,
        host=row.host,
        version=row.version,
        arguments=row.arguments,
        settings=row.settings,
        results=row.results,
        started_at=moment_of(row.started_at),
    )
    return KnownRun(id=row.id, start=start, end=_end_of(row.stopped, row.message, row.finished_at))


def _end_of(stopped: str, message: str, finished_at: float | None) -> RunEnd | None:
    if finished_at is None:
        return None
    return RunEnd(
        stopped=StopWord(stopped) if stopped else None,
        message=message,
        finished_at=moment_of(finished_at),
    )


def reserve(
    storage: Storage, base_url: str, plan: Callable[[float], tuple[tuple[float, ...], float]]
) -> tuple[float, ...]:
    """Reserve slots of the pace shared by all runs on this ledger; see ``Ledger.reserve``."""
    with storage.writing() as connection:
        known = connection.execute(_NEXT_FREE, {"url": base_url}).scalar()
        reserved, next_free = plan(known or 0.0)
        _keep(connection, base_url, next_free, is_first=known is None)
    return reserved


def _keep(connection: Connection, base_url: str, next_free: float, *, is_first: bool) -> None:
    if is_first:
        connection.execute(_FIRST_SLOTS, {"base_url": base_url, "next_free": next_free})
    else:
        connection.execute(_TAKEN, {"url": base_url, "free_from": next_free})
