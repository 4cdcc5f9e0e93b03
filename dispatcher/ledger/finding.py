"""Finding single calls by contact, by the API's id, by key."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import and_, bindparam, select, union

from dispatcher.ledger.bodies import ATTEMPT_ID, BODY, SAID_ROW, Codecs, KeptBody
from dispatcher.ledger.schema import attempts, calls, snapshot_rows
from dispatcher.ledger.standing import RECORD, Standing, record_of
from dispatcher.ledger.storage import BATCH_ROWS, Storage
from dispatcher.ledger.values import KnownCall

_OF_CONTACT = (
    select(*RECORD, calls.c.key)
    .where(calls.c.campaign_id == bindparam("campaign_id"), calls.c.contact == bindparam("contact"))
    .order_by(calls.c.id)
)
_KNOWN_IDS = union(
    select(calls.c.call_id).where(calls.c.call_id.in_(bindparam("some", expanding=True))),
    select(snapshot_rows.c.carried_id).where(
        snapshot_rows.c.carried_id.in_(bindparam("some", expanding=True))
    ),
)
_THIS = and_(calls.c.key == bindparam("key"), attempts.c.number == bindparam("attempt"))
_BODY = (
    select(*BODY)
    .select_from(
        calls.join(attempts, attempts.c.call == calls.c.id).outerjoin(snapshot_rows, SAID_ROW)
    )
    .where(_THIS)
)
_ANSWER = select(
    calls.c.campaign_id,
    attempts.c.excerpt,
    calls.c.created_at,
    ATTEMPT_ID.label("call_id"),
).where(attempts.c.call == calls.c.id, _THIS)


def find_calls(storage: Storage, campaign_id: int, contact: str) -> tuple[KnownCall, ...]:
    """Return the campaign's calls to a contact, in order of recording."""
    whose = {"campaign_id": campaign_id, "contact": bytes.fromhex(contact)}
    with storage.reading() as connection:
        found = connection.execute(_OF_CONTACT, whose).all()
    return tuple(
        KnownCall(
            key=row.key.hex(),
            record=record_of(Standing(*row[: len(RECORD)]), changed=False, called_recently=False),
        )
        for row in found
    )


def known_call_ids(storage: Storage, call_ids: Collection[str]) -> frozenset[str]:
    """Return those of *call_ids* that a call or a carried row of this ledger has."""
    wanted = list(call_ids)
    known: set[str] = set()
    with storage.reading() as connection:
        for start in range(0, len(wanted), BATCH_ROWS):
            some = {"some": wanted[start : start + BATCH_ROWS]}
            known.update(connection.execute(_KNOWN_IDS, some).scalars())
    return frozenset(known)


def sent_body(storage: Storage, key: str, attempt: int) -> bytes | None:
    """Return the exact bytes an attempt sent, or None where none is known."""
    which = {"key": bytes.fromhex(key), "attempt": attempt}
    with storage.reading() as connection:
        row = connection.execute(_BODY, which).first()
        return (Codecs().body(connection, KeptBody._make(row)) or None) if row else None


def answer_excerpt(storage: Storage, key: str, attempt: int) -> str | None:
    """Return the start of the answer to an attempt, or None where none is known."""
    which = {"key": bytes.fromhex(key), "attempt": attempt}
    with storage.reading() as connection:
        row = connection.execute(_ANSWER, which).first()
        if row is None:
            return None
        codec = Codecs().of(connection, row.campaign_id)
    known = {"call_id": row.call_id, "created_at": row.created_at}
    return codec.excerpt(row.excerpt, **known) or None
