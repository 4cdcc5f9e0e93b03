"""What a run would find, without recording anything; and forgetting what never ran."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import and_, bindparam, delete, func, or_, select

from dispatcher.ledger.packing import fingerprint
from dispatcher.ledger.schema import attempts, calls, campaigns, runs, snapshot_rows, snapshots
from dispatcher.ledger.standing import recent_from
from dispatcher.ledger.storage import Storage
from dispatcher.ledger.values import CampaignStates, DueRules, Prospect
from dispatcher.model import RESOLVED_NOT_PLACED, CallState, Campaign

_KNOWN = (
    select(calls.c.key, calls.c.state, calls.c.code, attempts.c.request_digest)
    .select_from(
        calls.outerjoin(
            attempts, and_(attempts.c.call == calls.c.id, attempts.c.number == calls.c.attempts)
        )
    )
    .where(calls.c.key.in_(bindparam("keys", expanding=True)))
)
_LEFT_ALONE = select(calls.c.contact, calls.c.key).where(
    calls.c.contact.in_(bindparam("contacts", expanding=True)),
    or_(
        calls.c.state == CallState.SENDING,
        and_(
            calls.c.state.in_([CallState.PLACED, CallState.UNCERTAIN]),
            calls.c.due_at > bindparam("recent_from"),
        ),
    ),
)
_STATES = select(calls.c.campaign_id, calls.c.state, func.count()).group_by(
    calls.c.campaign_id, calls.c.state
)
_OTHERS = select(campaigns.c.id).where(campaigns.c.id != bindparam("campaign_id")).limit(1)
_PENDING_ELSEWHERE = (
    select(calls.c.campaign_id, func.count().label("pending"))
    .where(calls.c.state == CallState.PENDING, calls.c.campaign_id != bindparam("campaign_id"))
    .group_by(calls.c.campaign_id)
)
_RUNS = select(func.count()).select_from(runs).where(runs.c.campaign_id == bindparam("campaign_id"))
_FORGET = (
    delete(snapshot_rows).where(
        snapshot_rows.c.snapshot_id.in_(
            select(snapshots.c.id).where(snapshots.c.campaign_id == bindparam("campaign"))
        )
    ),
    delete(snapshots).where(snapshots.c.campaign_id == bindparam("campaign")),
    delete(calls).where(calls.c.campaign_id == bindparam("campaign")),
    delete(campaigns).where(campaigns.c.id == bindparam("campaign")),
)


def sendable(
    storage: Storage,
    prospects: Sequence[Prospect],
    rules: DueRules,
    *,
    repeat_after_hours: float,
    as_of: datetime,
) -> frozenset[str]:
    """Return the keys of those that a run would send; see ``Ledger.sendable``."""
    since = recent_from(as_of, repeat_after_hours)
    keys = [bytes.fromhex(prospect.key) for prospect in prospects]
    contacts = [bytes.fromhex(prospect.contact) for prospect in prospects]
    with storage.reading() as connection:
        known = {row.key: row for row in connection.execute(_KNOWN, {"keys": keys})}
        called = connection.execute(_LEFT_ALONE, {"contacts": contacts, "recent_from": since})
        left_alone = {(row.contact, row.key) for row in called}
    callers = {contact for contact, _ in left_alone}
    free = set()
    for prospect, key, contact in zip(prospects, keys, contacts, strict=True):
        if contact in callers and any(c == contact and k != key for c, k in left_alone):
            continue
        row = known.get(key)
        if row is None or _may_be_sent(row.state, row.code, row.request_digest, prospect, rules):
            free.add(prospect.key)
    return frozenset(free)


def states(storage: Storage, known: Collection[Campaign]) -> tuple[CampaignStates, ...]:
    """Count the calls of each campaign by state, whatever sheet they came from."""
    found: dict[int, dict[CallState, int]] = {campaign.id: {} for campaign in known}
    with storage.reading() as connection:
        for campaign_id, state, count in connection.execute(_STATES):
            found.setdefault(campaign_id, {})[CallState(state)] = count
    return tuple(CampaignStates(campaign=c, states=found[c.id]) for c in known)


def pending_elsewhere(storage: Storage, campaign_id: int) -> dict[int, int]:
    """Count the pending calls of all other campaigns, by the campaign's number."""
    with storage.reading() as connection:
        # Asked first: all calls would be looked at to find that none is of another campaign.
        if connection.execute(_OTHERS, {"campaign_id": campaign_id}).first() is None:
            return {}
        found = connection.execute(_PENDING_ELSEWHERE, {"campaign_id": campaign_id})
        return {row.campaign_id: row.pending for row in found}


def forget(storage: Storage, campaign_id: int) -> bool:
    """Remove a campaign that never ran; False, and nothing removed, where one did."""
    with storage.writing() as connection:
        if connection.execute(_RUNS, {"campaign_id": campaign_id}).scalar_one():
            return False
        for statement in _FORGET:
            connection.execute(statement, {"campaign": campaign_id})
    return True


def _may_be_sent(
    state: str, code: str, sent_digest: bytes | None, prospect: Prospect, rules: DueRules
) -> bool:
    match CallState(state):
        case CallState.PENDING | CallState.FAILED:
            return rules.retry_unplaced or code != RESOLVED_NOT_PLACED
        case CallState.REJECTED:
            changed = sent_digest != fingerprint(prospect.request_digest)
            return rules.retry_rejected or changed or code in rules.stopping_codes
        case _:
            return False
