"""Marking calls before their first byte leaves: pending, failed or rejected -> sending."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, insert, not_, select, update

from dispatcher.ledger.many import run_many
from dispatcher.ledger.packing import Packer, fingerprint
from dispatcher.ledger.schema import attempts, calls
from dispatcher.ledger.standing import BEING_CALLED, LEFT_ALONE, recent_from
from dispatcher.ledger.storage import seconds
from dispatcher.model import CallState, Mark, MarkRefusal

_MARK = (
    update(calls)
    .where(
        calls.c.key.in_(bindparam("keys", expanding=True)),
        calls.c.state == bindparam("old"),
        not_(LEFT_ALONE),
    )
    .values(
        state=CallState.SENDING,
        attempts=calls.c.attempts + 1,
        sent_at=bindparam("now"),
        due_at=bindparam("now"),
    )
    .returning(calls.c.key, calls.c.id, calls.c.attempts, calls.c.campaign_id)
)
_SET_TIMES = (
    update(calls)
    .where(calls.c.id == bindparam("call"))
    .values(sent_at=bindparam("at"), due_at=bindparam("due"))
)
_NEW_ATTEMPT = insert(attempts)
_STANDING = select(calls.c.key, calls.c.state, BEING_CALLED).where(
    calls.c.key.in_(bindparam("keys", expanding=True))
)

_LEAVABLE = frozenset({CallState.PENDING, CallState.FAILED, CallState.REJECTED})


class _Marked(NamedTuple):
    call: int
    attempt: int
    campaign_id: int


def mark(
    connection: Connection,
    marks: Sequence[Mark],
    *,
    repeat_after_hours: float,
    packer_for: Callable[[Connection, int], Packer],
) -> list[int | MarkRefusal]:
    """
    Mark what may be marked.

    Arguments:
        connection: In a transaction that writes.
        marks: Wishes; of several for one contact only the first can be granted.
        repeat_after_hours: How long a contact that was called is left alone.
        packer_for: Gives the packer of a campaign.

    Returns:
        For each mark the number of its attempt, or why it was refused.
    """
    if not marks:
        return []
    wished = _one_per_contact(marks)
    now = min(wish.at for wish in marks)
    judged_at = min(wish.judged_at or wish.at for wish in marks)
    recent = recent_from(judged_at, repeat_after_hours)
    marked = _marked(connection, list(wished.values()), now, recent)
    granted = [(wish, marked[wish.key]) for wish in wished.values() if wish.key in marked]
    _set_times(connection, granted, now)
    _begin_attempts(connection, granted, packer_for)
    refusals = _refusals(connection, [w.key for w in wished.values() if w.key not in marked])
    answers: list[int | MarkRefusal] = [MarkRefusal.BEING_CALLED] * len(marks)
    for position, wish in wished.items():
        is_marked = wish.key in marked
        answers[position] = marked[wish.key].attempt if is_marked else refusals(wish)
    return answers


def _one_per_contact(marks: Sequence[Mark]) -> dict[int, Mark]:
    """Return the first mark of each contact by its position."""
    first: dict[str, int] = {}
    for position, wish in enumerate(marks):
        first.setdefault(wish.contact, position)
    return {position: marks[position] for position in first.values()}


def _marked(
    connection: Connection, wished: Sequence[Mark], now: datetime, recent: float
) -> dict[str, _Marked]:
    keys: dict[CallState, list[bytes]] = {}
    for wish in wished:
        if wish.state not in _LEAVABLE:
            raise ValueError(f"a call that is {wish.state} is never sent again")
        keys.setdefault(wish.state, []).append(bytes.fromhex(wish.key))
    marked: dict[str, _Marked] = {}
    for state, some in keys.items():
        rows = connection.execute(
            _MARK,
            {
                "keys": some,
                "old": state,
                "now": seconds(now),
                "recent_from": recent,
            },
        ).all()
        marked |= {key.hex(): _Marked(*rest) for key, *rest in rows}
    return marked


def _set_times(
    connection: Connection, granted: Sequence[tuple[Mark, _Marked]], now: datetime
) -> None:
    times = [
        {"call": marked.call, "at": seconds(wish.at), "due": seconds(wish.due_at)}
        for wish, marked in granted
        if wish.at != now or wish.due_at != now
    ]
    run_many(connection, _SET_TIMES, times)


def _begin_attempts(
    connection: Connection,
    granted: Sequence[tuple[Mark, _Marked]],
    packer_for: Callable[[Connection, int], Packer],
) -> None:
    begun = [
        {
            "call": marked.call,
            "number": marked.attempt,
            "started_at": seconds(wish.at),
            "body": packer_for(connection, marked.campaign_id).pack(wish.body),
            "request_digest": fingerprint(wish.request_digest),
        }
        for wish, marked in granted
    ]
    run_many(connection, _NEW_ATTEMPT, begun)


def _refusals(connection: Connection, keys: Sequence[str]) -> Callable[[Mark], MarkRefusal]:
    rows = (
        connection.execute(_STANDING, {"keys": [bytes.fromhex(key) for key in keys]}).all()
        if keys
        else []
    )
    standing = {key.hex(): (state, being_called) for key, state, being_called in rows}

    def refusal(wish: Mark) -> MarkRefusal:
        state, being_called = standing.get(wish.key, ("", False))
        if state != wish.state:
            return MarkRefusal.CHANGED
        return MarkRefusal.BEING_CALLED if being_called else MarkRefusal.CALLED_RECENTLY

    return refusal
