"""Uncertain calls as they can be looked for in the API's list, and settling what was found."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import (
    BindParameter,
    Connection,
    Row,
    Select,
    and_,
    bindparam,
    exists,
    func,
    insert,
    or_,
    select,
    union,
    update,
)

from dispatcher.ledger.bodies import BODY, SAID_ROW, Codecs, KeptBody
from dispatcher.ledger.schema import attempts, calls, resolutions, snapshot_rows, snapshots, spelled
from dispatcher.ledger.storage import Storage, moment_of, seconds
from dispatcher.ledger.values import TracedCall, UncertainCall
from dispatcher.model import CallState

RECONCILED = "reconciled"
_RECONCILED_MESSAGE = (
    "the answer was lost; this is the only call to this contact by this agent that ContactShip"
    " lists for that time"
)

_last = (
    select(func.max(snapshots.c.id))
    .where(snapshots.c.campaign_id == calls.c.campaign_id, snapshots.c.complete == 1)
    .correlate(calls)
    .scalar_subquery()
)
_row = (
    select(func.min(snapshot_rows.c.number))
    .where(snapshot_rows.c.snapshot_id == _last, snapshot_rows.c.call == calls.c.id)
    .correlate(calls)
    .scalar_subquery()
)
_CALLS: Select[tuple[object, ...]] = select(
    *BODY,
    calls.c.code,
    calls.c.due_at,
    attempts.c.started_at,
    attempts.c.finished_at,
    _row.label("row"),
).select_from(
    calls.join(
        attempts, and_(attempts.c.call == calls.c.id, attempts.c.number == calls.c.attempts)
    ).outerjoin(snapshot_rows, SAID_ROW)
)
_OF_CAMPAIGN = _CALLS.where(
    calls.c.campaign_id == bindparam("campaign_id"), calls.c.state == spelled(CallState.UNCERTAIN)
).order_by(attempts.c.started_at.desc(), calls.c.id.desc())
_RIVALS = _CALLS.where(
    calls.c.contact == bindparam("contact"),
    calls.c.key != bindparam("key"),
    calls.c.state.in_([CallState.UNCERTAIN, CallState.SENDING]),
)

_THIS = select(calls.c.id).where(calls.c.key == bindparam("key"))
_SOME: BindParameter[list[str]] = bindparam("call_ids", expanding=True)
# Ids of other calls, of other attempts to the contact (whose index this needs), and of rows that
# sheets brought along.
_TAKEN = union(
    select(calls.c.call_id).where(calls.c.call_id.in_(_SOME), calls.c.key != bindparam("key")),
    select(attempts.c.call_id).where(
        attempts.c.call_id.in_(_SOME),
        attempts.c.call.in_(
            select(calls.c.id).where(
                calls.c.contact == bindparam("contact"), calls.c.key != bindparam("key")
            )
        ),
    ),
    select(snapshot_rows.c.carried_id).where(
        snapshot_rows.c.carried_id.in_(_SOME),
        or_(snapshot_rows.c.call.is_(None), snapshot_rows.c.call != _THIS.scalar_subquery()),
    ),
)
_owner = calls.alias("owner")
_RECONCILE = (
    update(calls)
    .where(
        calls.c.key == bindparam("which"),
        calls.c.state == CallState.UNCERTAIN,
        ~exists().where(_owner.c.call_id == bindparam("new_call_id")),
    )
    .values(
        state=CallState.PLACED,
        call_id=bindparam("new_call_id"),
        created_at=bindparam("new_created_at"),
        code=RECONCILED,
        message=_RECONCILED_MESSAGE,
    )
    .returning(calls.c.id)
)
_NEW_RESOLUTION = insert(resolutions)


class Doubts:
    """The calls of a ledger whose outcome nobody saw."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def of(self, campaign_id: int) -> tuple[UncertainCall, ...]:
        """Return the uncertain calls of a campaign, the latest first."""
        with self._storage.reading() as connection:
            found = connection.execute(_OF_CAMPAIGN, {"campaign_id": campaign_id}).all()
            return _unpacked(connection, found)

    def rivals(self, call: UncertainCall) -> tuple[UncertainCall, ...]:
        """Return the other calls to its contact, of any campaign, without a known outcome."""
        whose = {"contact": bytes.fromhex(call.contact), "key": bytes.fromhex(call.key)}
        with self._storage.reading() as connection:
            return _unpacked(connection, connection.execute(_RIVALS, whose).all())

    def taken_ids(self, call: UncertainCall, call_ids: Collection[str]) -> frozenset[str]:
        """Return those of *call_ids* that belong to something else than this call."""
        own = {
            "contact": bytes.fromhex(call.contact),
            "key": bytes.fromhex(call.key),
            "call_ids": list(call_ids),
        }
        with self._storage.reading() as connection:
            return frozenset(connection.execute(_TAKEN, own).scalars())

    def reconcile(self, traced: TracedCall) -> bool:
        """
        Settle a call by what the API's list says: uncertain -> placed, code ``reconciled``.

        Returns:
            False, and nothing changed, if it is not uncertain any more or its id is another's.
        """
        which = {
            "which": bytes.fromhex(traced.key),
            "new_call_id": traced.call_id,
            "new_created_at": traced.created_at,
        }
        with self._storage.writing() as connection:
            call = connection.execute(_RECONCILE, which).scalar()
            if call is not None:
                connection.execute(_NEW_RESOLUTION, _resolution(int(call), traced))
        return call is not None


def _resolution(call: int, traced: TracedCall) -> dict[str, str | int | float]:
    return {
        "call": call,
        "state": CallState.PLACED,
        "call_id": traced.call_id,
        "user": traced.user,
        "reason": RECONCILED,
        "at": seconds(traced.at),
    }


def _unpacked(
    connection: Connection, found: Sequence[Row[tuple[object, ...]]]
) -> tuple[UncertainCall, ...]:
    codecs = Codecs()
    return tuple(
        UncertainCall(
            key=row.key.hex(),
            contact=row.contact.hex(),
            row=row.row or 0,
            code=row.code,
            body=codecs.body(connection, KeptBody._make(row[: len(BODY)])),
            started_at=moment_of(row.started_at),
            ended_at=_moment_or_none(row.finished_at),
            due_at=moment_of(row.due_at),
        )
        for row in found
    )


def _moment_or_none(kept: float | None) -> datetime | None:
    return None if kept is None else moment_of(kept)
