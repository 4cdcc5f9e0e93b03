"""
What attempts sent and got, as it is kept: exactly, and nothing twice.

A body that says what its recorded row asks for, and no more, is not kept: the row says it again.
This is seen when the call is marked, byte by byte; any other body is kept compressed. Of the
excerpt of an answer the call's id and time are left out, and the rest is compressed against the
answer that is documented.
"""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, and_, bindparam, case, func, select

from dispatcher.ledger.packing import (
    ANSWER_ID,
    ANSWER_TIME,
    Packer,
    RowCodec,
    said_by,
    tail_of,
)
from dispatcher.ledger.schema import attempts, calls, campaigns, snapshot_rows, snapshots
from dispatcher.ledger.snapshots import unpacked_head
from dispatcher.model import CallRequest, Verdict

_ANSWER_WINDOW = 9  # bits
_AS_IS = "\3"  # begins an excerpt in which a hole stands by itself

CAMPAIGN = select(campaigns.c.name, campaigns.c.dictionary).where(
    campaigns.c.id == bindparam("campaign_id")
)
"""What the texts of a campaign are packed with: its name and its dictionary."""

_HEAD = select(snapshots.c.head).where(snapshots.c.id == bindparam("snapshot_id"))

BODY = (
    calls.c.key,
    calls.c.contact,
    calls.c.campaign_id,
    attempts.c.body,
    attempts.c.snapshot_id,
    attempts.c.row.label("number"),
    func.coalesce(attempts.c.payload, snapshot_rows.c.payload).label("payload"),
)
"""What ``Codecs.body`` needs of an attempt; from ``SAID_ROW`` too."""

SAID_ROW = and_(
    snapshot_rows.c.snapshot_id == attempts.c.snapshot_id,
    snapshot_rows.c.number == attempts.c.row,
)
"""The row whose request the body of an attempt says."""

ATTEMPT_ID: ColumnElement[str | bytes] = case(
    (and_(attempts.c.verdict == Verdict.PLACED, attempts.c.call_id == ""), calls.c.call_id),
    else_=attempts.c.call_id,
)
"""The id that came back to an attempt, from its call too; "" without one."""


class KeptBody(NamedTuple):
    """What a row that selected BODY holds; *payload* is of its row, where no body is kept."""

    key: bytes
    contact: bytes
    campaign_id: int
    body: bytes | None
    snapshot_id: int | None
    number: int | None
    payload: bytes | None


class AttemptCodec:
    """
    Turns what the attempts of one campaign sent and got into what is kept, and back.

    Arguments:
        campaign: Its name.
        dictionary: What its texts are compressed against.
    """

    def __init__(self, campaign: str, dictionary: bytes) -> None:
        self._campaign = campaign
        self.packer = Packer(dictionary)
        self._answers = Packer(tail_of(dictionary), window=_ANSWER_WINDOW, memory=1)

    def is_said_by(self, request: CallRequest, body: bytes) -> bool:
        """Return whether a body says what a request asks for, and no more."""
        return said_by(request, self._campaign) == body

    def said_by(self, request: CallRequest) -> bytes:
        """Return that body."""
        return said_by(request, self._campaign)

    def pack_excerpt(self, excerpt: str, *, call_id: str, created_at: str) -> bytes:
        """Return what to keep of an answer without an id and a time that are kept beside it."""
        if not excerpt:
            return b""
        plain = excerpt
        if ANSWER_ID in excerpt or ANSWER_TIME in excerpt or excerpt.startswith(_AS_IS):
            plain = _AS_IS + excerpt
        else:
            if call_id:
                plain = plain.replace(call_id, ANSWER_ID)
            if created_at:
                plain = plain.replace(created_at, ANSWER_TIME)
        return self._answers.pack(plain.encode("utf-8", "surrogatepass"))

    def excerpt(self, kept: bytes, *, call_id: str, created_at: str) -> str:
        """Return the excerpt of which ``pack_excerpt`` kept this."""
        plain = self._answers.unpack(kept).decode("utf-8", "surrogatepass") if kept else ""
        if plain.startswith(_AS_IS):
            return plain.removeprefix(_AS_IS)
        return plain.replace(ANSWER_TIME, created_at).replace(ANSWER_ID, call_id)


class Codecs:
    """The codecs of campaigns, each made once: a campaign's dictionary never changes."""

    def __init__(self) -> None:
        self._known: dict[int, AttemptCodec] = {}

    def of(self, connection: Connection, campaign_id: int) -> AttemptCodec:
        """Return the codec of a campaign whose sheet was recorded."""
        if campaign_id not in self._known:
            own = {"campaign_id": campaign_id}
            self._known[campaign_id] = AttemptCodec(*connection.execute(CAMPAIGN, own).one())
        return self._known[campaign_id]

    def body(self, connection: Connection, kept: KeptBody) -> bytes:
        """Return the exact bytes an attempt sent, b"" where they are not known any more."""
        codec = self.of(connection, kept.campaign_id)
        if kept.body is not None:
            return codec.packer.unpack(kept.body) if kept.body else b""
        if kept.payload is None or kept.number is None:
            return b""
        head = connection.execute(_HEAD, {"snapshot_id": kept.snapshot_id}).scalar_one()
        request = RowCodec(unpacked_head(head).headers, codec.packer).request(
            kept.payload, number=kept.number, key=kept.key.hex(), contact=kept.contact.hex()
        )
        return codec.said_by(request)
