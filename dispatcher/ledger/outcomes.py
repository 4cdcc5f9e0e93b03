"""What attempts led to: sending -> an outcome, or back because the request never began."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    bindparam,
    delete,
    func,
    insert,
    select,
    update,
)

from dispatcher.errors import StorageFailed
from dispatcher.ledger.bodies import AttemptCodec
from dispatcher.ledger.call_ids import kept_id
from dispatcher.ledger.prepared import Prepared, PreparedForSome
from dispatcher.ledger.schema import attempts, calls, spelled
from dispatcher.ledger.storage import seconds
from dispatcher.ledger.values import RecordedOutcome
from dispatcher.model import CallState, Outcome, Withdrawal


class _Call(NamedTuple):
    key: bytes
    number: int
    state: str
    attempts: int
    call_id: str | bytes | None
    campaign_id: int

    def is_sending(self, attempt: int) -> bool:
        return self.state == CallState.SENDING and self.attempts == attempt


class _Owner(NamedTuple):
    call_id: str | bytes
    number: int


class _Ended(NamedTuple):
    """What the statements about an ended attempt take."""

    call_number: int
    attempt: int
    counted: int
    at: float
    new_state: str
    new_verdict: str
    new_code: str
    new_message: str
    new_http_status: int
    new_call_id: str | bytes
    new_created_at: str
    other_call_id: str | bytes  # of the attempt, where it is not the call's
    new_excerpt: bytes


_STANDING = PreparedForSome(
    lambda keys: (
        select(
            calls.c.key,
            calls.c.id,
            calls.c.state,
            calls.c.attempts,
            calls.c.call_id,
            calls.c.campaign_id,
        )
        .where(calls.c.key.in_(keys))
        .with_for_update()
    ),
    row=_Call._make,
)
_OWNERS = PreparedForSome(
    lambda call_ids: select(calls.c.call_id, calls.c.id).where(calls.c.call_id.in_(call_ids)),
    row=_Owner._make,
)
_WHAT_IT_LED_TO: dict[str, ColumnElement[object]] = {
    "state": bindparam("new_state"),
    "code": bindparam("new_code"),
    "message": bindparam("new_message"),
    "http_status": bindparam("new_http_status"),
    "call_id": func.nullif(bindparam("new_call_id"), spelled("")),
    "created_at": bindparam("new_created_at"),
}
_SETTLE = Prepared(
    update(calls)
    .where(
        calls.c.id == bindparam("call_number"),
        calls.c.attempts == bindparam("attempt"),
        calls.c.state == spelled(CallState.SENDING),
    )
    .values(_WHAT_IT_LED_TO),
    _Ended._fields,
)
_END_ATTEMPT = Prepared(
    update(attempts)
    .where(attempts.c.call == bindparam("call_number"), attempts.c.number == bindparam("attempt"))
    .values(
        finished_at=bindparam("at"),
        http_status=bindparam("new_http_status"),
        verdict=bindparam("new_verdict"),
        code=bindparam("new_code"),
        call_id=bindparam("other_call_id"),
        excerpt=bindparam("new_excerpt"),
    ),
    _Ended._fields,
)
_WIN = Prepared(
    update(calls)
    .where(calls.c.id == bindparam("call_number"), calls.c.state != spelled(CallState.PLACED))
    .values(
        _WHAT_IT_LED_TO
        | {
            "attempts": bindparam("counted"),
            "sent_at": func.coalesce(calls.c.sent_at, bindparam("at")),
            "due_at": func.coalesce(calls.c.due_at, bindparam("at")),
        }
    ),
    _Ended._fields,
)
_INSERT_ENDED = insert(attempts)
_FLAG = (
    update(calls)
    .where(calls.c.id == bindparam("call_number"))
    .values(code=bindparam("new_code"), message=bindparam("new_message"))
)
_GIVE_UP = (
    update(calls)
    .where(
        calls.c.id == bindparam("call_number"),
        calls.c.state.in_([CallState.PENDING, CallState.FAILED, CallState.REJECTED]),
    )
    .values(state=CallState.FAILED, code=bindparam("new_code"), message=bindparam("new_message"))
)
_WITHDRAW = (
    update(calls)
    .where(
        calls.c.id == bindparam("call_number"),
        calls.c.attempts == bindparam("attempt"),
        calls.c.state == CallState.SENDING,
    )
    .values(
        state=bindparam("new_state"),
        attempts=calls.c.attempts - 1,
        sent_at=select(attempts.c.started_at)
        .where(attempts.c.call == calls.c.id, attempts.c.number == calls.c.attempts - 1)
        .scalar_subquery(),
    )
)
_STRIKE_OUT = delete(attempts).where(
    attempts.c.call == bindparam("call_number"), attempts.c.number == bindparam("attempt")
)

_REPEATED_ID = (
    "the API answered with the call id of another call: check in ContactShip whether this"
    " contact was called"
)
_SECOND_ID = (
    "the API reported two calls to this contact, the second as {}: check them in ContactShip"
)


def end(
    connection: Connection,
    work: Sequence[Outcome | Withdrawal],
    *,
    codec_for: Callable[[Connection, int], AttemptCodec],
) -> list[RecordedOutcome]:
    """
    Record outcomes and withdrawals in the order given, whatever their calls have become.

    Arguments:
        connection: In a transaction that writes.
        work: Any number for any call.
        codec_for: Gives the codec of a campaign.

    Raises:
        StorageFailed: The ledger does not know a call; nothing may be committed then.
    """
    return [
        answer
        for batch in _distinct(work)
        for answer in _Batch(connection, batch, codec_for).recorded()
    ]


def _distinct(work: Iterable[Outcome | Withdrawal]) -> Iterator[list[Outcome | Withdrawal]]:
    """Cut into batches of one item per call, for each is judged by what the last one left."""
    batch: dict[str, Outcome | Withdrawal] = {}
    for item in work:
        if item.key in batch:
            yield list(batch.values())
            batch = {}
        batch[item.key] = item
    if batch:
        yield list(batch.values())


class _Batch:
    """One item for each of some calls: judged one by one, written together."""

    def __init__(
        self,
        connection: Connection,
        items: Sequence[Outcome | Withdrawal],
        codec_for: Callable[[Connection, int], AttemptCodec],
    ) -> None:
        self._connection = connection
        self._codec_for = codec_for
        self._items = items
        self._calls = _standing(connection, items)
        self._owners = _owners(connection, items)
        self._ended: list[_Ended] = []

    def recorded(self) -> list[RecordedOutcome]:
        """Write all, and say what became of each."""
        answers = [self._record(item) for item in self._items]
        _SETTLE.run(self._connection, self._ended)
        _END_ATTEMPT.run(self._connection, self._ended)
        return answers

    def _record(self, item: Outcome | Withdrawal) -> RecordedOutcome:
        call = self._calls.get(item.key)
        if call is None:
            raise StorageFailed(f"the ledger knows no call {item.key}")
        if isinstance(item, Withdrawal):
            return self._withdraw(call, item)
        if item.attempt == 0:
            return self._give_up(call, item)
        is_repeated = self._is_repeated(call, item)
        if is_repeated:
            item = replace(item, code="repeated_call_id", message=_REPEATED_ID)
        if call.is_sending(item.attempt):
            self._ended.append(self._end_of(call, item))
            answer = RecordedOutcome.STORED
        else:
            self._record_late(call, item)
            answer = RecordedOutcome.LATE
        return RecordedOutcome.REPEATED_ID if is_repeated else answer

    def _end_of(self, call: _Call, item: Outcome) -> _Ended:
        call_id = kept_id(item.call_id)
        makes_it_placed = item.state is CallState.PLACED and call.state != CallState.PLACED
        excerpt = self._codec_for(self._connection, call.campaign_id).pack_excerpt(
            item.excerpt,
            call_id=item.call_id,
            created_at=item.created_at if makes_it_placed else "",
        )
        return _Ended(
            call_number=call.number,
            attempt=item.attempt,
            counted=max(call.attempts, item.attempt),
            at=seconds(item.at),
            new_state=item.state,
            new_verdict=item.verdict,
            new_code=item.code,
            new_message=item.message,
            new_http_status=item.http_status,
            new_call_id=call_id,
            new_created_at=item.created_at,
            other_call_id="" if makes_it_placed or call_id == call.call_id else call_id,
            new_excerpt=excerpt,
        )

    def _is_repeated(self, call: _Call, item: Outcome) -> bool:
        if not item.call_id:
            return False
        owners = self._owners.setdefault(kept_id(item.call_id), set())
        owners.add(call.number)
        return len(owners) > 1

    def _record_late(self, call: _Call, item: Outcome) -> None:
        ended = self._end_of(call, item)
        is_known = _END_ATTEMPT.run(self._connection, [ended])
        if item.state is not CallState.PLACED:
            return
        if not is_known:
            self._connection.execute(_INSERT_ENDED, _whole_attempt(ended))
        if call.state != CallState.PLACED:
            _WIN.run(self._connection, [ended])
        elif ended.other_call_id:
            message = _SECOND_ID.format(item.call_id)
            self._connection.execute(_FLAG, _flag(call, "second_call_id", message))

    def _give_up(self, call: _Call, item: Outcome) -> RecordedOutcome:
        if item.state is not CallState.FAILED:
            raise ValueError("a call without an attempt can only have failed")
        flag = _flag(call, item.code, item.message)
        changed = self._connection.execute(_GIVE_UP, flag).rowcount
        return RecordedOutcome.STORED if changed else RecordedOutcome.LATE

    def _withdraw(self, call: _Call, item: Withdrawal) -> RecordedOutcome:
        if not call.is_sending(item.attempt):
            return RecordedOutcome.LATE
        mark = {"call_number": call.number, "attempt": item.attempt}
        self._connection.execute(_WITHDRAW, mark | {"new_state": item.state})
        self._connection.execute(_STRIKE_OUT, mark)
        return RecordedOutcome.STORED


def _standing(connection: Connection, items: Sequence[Outcome | Withdrawal]) -> dict[str, _Call]:
    found = _STANDING.run(connection, [bytes.fromhex(item.key) for item in items])
    return {call.key.hex(): call for call in found}


def _owners(
    connection: Connection, items: Sequence[Outcome | Withdrawal]
) -> dict[str | bytes, set[int]]:
    call_ids = [
        kept_id(item.call_id) for item in items if isinstance(item, Outcome) and item.call_id
    ]
    owners: dict[str | bytes, set[int]] = {}
    if call_ids:
        for owner in _OWNERS.run(connection, call_ids):
            owners.setdefault(owner.call_id, set()).add(owner.number)
    return owners


def _whole_attempt(ended: _Ended) -> dict[str, object]:
    """Return an attempt that was struck out and has a reply all the same."""
    return {
        "call": ended.call_number,
        "number": ended.attempt,
        "started_at": ended.at,
        "finished_at": ended.at,
        "body": b"",
        "request_digest": b"",
        "http_status": ended.new_http_status,
        "verdict": ended.new_verdict,
        "code": ended.new_code,
        "call_id": ended.other_call_id,
        "excerpt": ended.new_excerpt,
    }


def _flag(call: _Call, code: str, message: str) -> dict[str, object]:
    return {"call_number": call.number, "new_code": code, "new_message": message}
