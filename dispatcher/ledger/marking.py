"""Marking calls before their first byte leaves: pending, failed or rejected -> sending."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from sqlalchemy import BindParameter, Connection, Update, bindparam, insert, not_, select, update

from dispatcher.ledger.bodies import AttemptCodec
from dispatcher.ledger.packing import fingerprint
from dispatcher.ledger.prepared import Prepared, PreparedForSome
from dispatcher.ledger.schema import attempts, calls, spelled
from dispatcher.ledger.standing import BEING_CALLED, LEFT_ALONE, recent_from
from dispatcher.ledger.storage import seconds
from dispatcher.model import CallState, Mark, MarkRefusal

_AT_ONCE_SECONDS = 0.25  # a request may begin so long after its mark anyway


class _Marked(NamedTuple):
    key: bytes
    call: int
    attempt: int
    campaign_id: int


def _marking(old: CallState) -> PreparedForSome[_Marked]:
    def statement(keys: Sequence[BindParameter[object]]) -> Update:
        return (
            update(calls)
            .where(calls.c.key.in_(keys), calls.c.state == spelled(old), not_(LEFT_ALONE))
            .values(
                state=spelled(CallState.SENDING),
                attempts=calls.c.attempts + spelled(1),
                sent_at=bindparam("now"),
                due_at=bindparam("now"),
            )
            .returning(calls.c.key, calls.c.id, calls.c.attempts, calls.c.campaign_id)
        )

    return PreparedForSome(statement, ["now", "recent_from"], row=_Marked._make)


_MARK = {
    state: _marking(state) for state in (CallState.PENDING, CallState.FAILED, CallState.REJECTED)
}
_SET_TIMES = Prepared(
    update(calls)
    .where(calls.c.id == bindparam("call"))
    .values(sent_at=bindparam("at"), due_at=bindparam("due")),
    ["call", "at", "due"],
)
_NEW_ATTEMPT = Prepared(
    insert(attempts),
    ["call", "number", "started_at", "body", "snapshot_id", "row", "request_digest"],
)
_STANDING = select(calls.c.key, calls.c.state, BEING_CALLED).where(
    calls.c.key.in_(bindparam("keys", expanding=True))
)


def mark(
    connection: Connection,
    marks: Sequence[Mark],
    *,
    repeat_after_hours: float,
    codec_for: Callable[[Connection, int], AttemptCodec],
) -> list[int | MarkRefusal]:
    """
    Mark what may be marked.

    Arguments:
        connection: In a transaction that writes.
        marks: Wishes; of several for one contact only the first can be granted.
        repeat_after_hours: How long a contact that was called is left alone.
        codec_for: Gives the codec of a campaign.

    Returns:
        For each mark the number of its attempt, or why it was refused.
    """
    if not marks:
        return []
    wished = _one_per_contact(marks)
    now = seconds(min(wish.at for wish in marks))
    judged_at = min(wish.judged_at or wish.at for wish in marks)
    recent = recent_from(judged_at, repeat_after_hours)
    marked = _marked(connection, list(wished.values()), now, recent)
    granted = [(wish, marked[wish.key]) for wish in wished.values() if wish.key in marked]
    _set_times(connection, granted, now)
    _begin_attempts(connection, granted, codec_for)
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
    connection: Connection, wished: Sequence[Mark], now: float, recent: float
) -> dict[str, _Marked]:
    keys: dict[CallState, list[bytes]] = {}
    for wish in wished:
        if wish.state not in _MARK:
            raise ValueError(f"a call that is {wish.state} is never sent again")
        keys.setdefault(wish.state, []).append(bytes.fromhex(wish.key))
    return {
        marked.key.hex(): marked
        for state, some in keys.items()
        for marked in _MARK[state].run(connection, some, now, recent)
    }


def _set_times(connection: Connection, granted: Sequence[tuple[Mark, _Marked]], now: float) -> None:
    """Correct the times of the calls that were not marked just now, or ring later."""
    times = [
        (marked.call, seconds(wish.at), due_at)
        for wish, marked in granted
        if (due_at := seconds(wish.due_at)) - now > _AT_ONCE_SECONDS
    ]
    _SET_TIMES.run(connection, times)


def _begin_attempts(
    connection: Connection,
    granted: Sequence[tuple[Mark, _Marked]],
    codec_for: Callable[[Connection, int], AttemptCodec],
) -> None:
    begun = [
        (
            marked.call,
            marked.attempt,
            seconds(wish.at),
            *_kept(wish, codec_for(connection, marked.campaign_id)),
            fingerprint(wish.request_digest),
        )
        for wish, marked in granted
    ]
    _NEW_ATTEMPT.run(connection, begun)


def _kept(wish: Mark, codec: AttemptCodec) -> tuple[bytes | None, int | None, int | None]:
    """Return what to keep of a body, or else which row of which snapshot says it."""
    asked = wish.asked
    if asked and asked.snapshot_id and codec.is_said_by(asked.request, wish.body):
        return None, asked.snapshot_id, asked.request.row
    return codec.packer.pack(wish.body), None, None


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
