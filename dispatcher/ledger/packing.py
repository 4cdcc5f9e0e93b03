"""
How the texts of rows and bodies are kept: small, because a campaign may have a million.

A row is kept as JSON in which a value that is a cell of the row is the cell's index; rows and
bodies are compressed against the campaign's dictionary, a text of what most of them have in
common. The dictionary is made once, by the first recording, and holds no personal data; its end
is the answer that is documented, with the call's id and time as holes.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from json.encoder import encode_basestring as quoted
from typing import assert_never

from dispatcher.model import (
    CallRequest,
    CallStatus,
    Carried,
    Fate,
    RowProblem,
    Schedule,
    Skip,
    body_text,
)

_WINDOW = 12  # bits; a small window is quick to set up, and rows are short
_MEMORY = 5
_LARGEST_DICTIONARY = 3_500
_TAIL = 500  # what a window of 9 bits sees of the dictionary: the answer

ANSWER_ID, ANSWER_TIME = "\1", "\2"

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), check_circular=False).encode

Row = tuple[tuple[str, ...], Fate]
_Pair = tuple[str, str]
_RequestFields = tuple[
    str, str, str, list[int | _Pair], list[_Pair], float, tuple[str, str, str] | None
]


def fingerprint(digest: str) -> bytes:
    """Return 8 bytes that stand for a digest: one is compared with one other of the same call."""
    return hashlib.sha256(digest.encode()).digest()[:8]


def said_by(request: CallRequest, campaign: str) -> bytes:
    """Return the body that says what a request for a call at once asks for, and no more."""
    return body_text(request, campaign=campaign).encode("utf-8", "surrogatepass")


def dictionary_of(headers: Sequence[str], request: CallRequest | None, campaign: str) -> bytes:
    """
    Return the dictionary for a campaign: headers, and the frames of a body and of its answer.

    Arguments:
        headers: Header texts of its first sheet.
        request: A request of that sheet, for the ids of its agent and number; or None.
        campaign: Its name.
    """
    agent, number = (request.agent_id, request.from_number_id) if request else ("", "")
    names = [name for name, _ in request.additional_data] if request else list(headers)
    blank = CallRequest(
        key="",
        contact="",
        row=0,
        contact_id="",
        agent_id=agent,
        from_number_id=number,
        additional_data=tuple((name, "") for name in names),
    )
    schedule = {"schedule": {"scheduled_call_time": "20", "timezone": ""}}
    common = _json([agent, number, [], [], 0, schedule])
    answer = (
        f'{{"statusCode":201,"data":{{"call_id":"{ANSWER_ID}","agent_id":{quoted(agent)},'
        f'"contact_id":"","created_at":"{ANSWER_TIME}"}}}}'
    ).encode("utf-8", "surrogatepass")
    return (common + said_by(blank, campaign) + answer)[-_LARGEST_DICTIONARY:]


def tail_of(dictionary: bytes) -> bytes:
    """Return the end of a dictionary, with the answer."""
    return dictionary[-_TAIL:]


class Packer:
    """Compresses against one dictionary; one thread at a time."""

    def __init__(self, dictionary: bytes, *, window: int = _WINDOW, memory: int = _MEMORY) -> None:
        # Copies of a compressor that has read the dictionary are far cheaper than new ones.
        self._deflate = zlib.compressobj(
            1, zlib.DEFLATED, -window, memory, zlib.Z_DEFAULT_STRATEGY, dictionary
        )
        self._inflate = zlib.decompressobj(-window, dictionary)

    def pack(self, plain: bytes) -> bytes:
        """Compress."""
        deflate = self._deflate.copy()
        return deflate.compress(plain) + deflate.flush()

    def unpack(self, packed: bytes) -> bytes:
        """Return what ``pack`` was given."""
        return self._inflate.copy().decompress(packed)


def _json(value: object) -> bytes:
    return _encode(value).encode("utf-8", "surrogatepass")


class RowCodec:
    """Turns the rows of one sheet into payloads and back."""

    def __init__(self, headers: Sequence[str], packer: Packer) -> None:
        self._headers = headers
        self._index = {header: index for index, header in enumerate(headers)}
        self._packer = packer

    def encode(self, cells: Sequence[str], fate: Fate) -> bytes:
        """Return the payload of a row."""
        return self._packer.pack(_json([cells, self._fate_fields(cells, fate)]))

    def _fate_fields(self, cells: Sequence[str], fate: Fate) -> object:
        match fate:
            case CallRequest():
                return self._request_fields(cells, fate)
            case RowProblem():
                return [fate.code, fate.column, fate.message]
            case Skip():
                return [fate.code, fate.message]
            case Carried():
                return asdict(fate)
            case _:
                assert_never(fate)

    def _request_fields(self, cells: Sequence[str], request: CallRequest) -> list[object]:
        schedule = request.schedule
        return [
            request.contact_id,
            request.agent_id,
            request.from_number_id,
            [self._short(cells, pair) for pair in request.additional_data],
            request.metadata,
            request.delay_minutes,
            [schedule.local, schedule.timezone, schedule.at.isoformat()] if schedule else None,
        ]

    def _short(self, cells: Sequence[str], pair: tuple[str, str]) -> int | tuple[str, str]:
        index = self._index.get(pair[0], len(cells))
        return index if index < len(cells) and cells[index] == pair[1] else pair

    def decode(self, kind: str, payload: bytes, *, number: int, key: str, contact: str) -> Row:
        """
        Return cells and fate of a payload.

        Arguments:
            kind: What ``kind_of`` said of the fate.
            payload: What ``encode`` returned.
            number: The row's number.
            key: Key of a request's call, else "".
            contact: Hash of its contact, else "".
        """
        cells, fields = json.loads(self._plain(payload))
        match kind:
            case "request":
                return tuple(cells), self._request(cells, fields, number, key, contact)
            case "problem":
                code, column, message = fields
                return tuple(cells), RowProblem(code=code, column=column, message=message)
            case "skip":
                code, message = fields
                return tuple(cells), Skip(code=code, message=message)
            case _:
                status = CallStatus(fields.pop("status"))
                return tuple(cells), Carried(**fields, status=status)

    def request(self, payload: bytes, *, number: int, key: str, contact: str) -> CallRequest:
        """Return the call request in the payload of a row that has one."""
        cells, fields = json.loads(self._plain(payload))
        return self._request(cells, fields, number, key, contact)

    def _request(
        self, cells: Sequence[str], fields: _RequestFields, number: int, key: str, contact: str
    ) -> CallRequest:
        contact_id, agent, from_number, additional, named, delay, when = fields
        headers = self._headers
        return CallRequest(
            key=key,
            contact=contact,
            row=number,
            contact_id=contact_id,
            agent_id=agent,
            from_number_id=from_number,
            additional_data=tuple(
                [
                    (headers[one], cells[one]) if isinstance(one, int) else (one[0], one[1])
                    for one in additional
                ]
            ),
            metadata=tuple([(name, value) for name, value in named]),
            delay_minutes=delay,
            schedule=_schedule(*when) if when else None,
        )

    def _plain(self, payload: bytes) -> str:
        return self._packer.unpack(payload).decode("utf-8", "surrogatepass")


def kind_of(fate: Fate) -> str:
    """Return the word a fate is kept under."""
    match fate:
        case CallRequest():
            return "request"
        case RowProblem():
            return "problem"
        case Skip():
            return "skip"
        case Carried():
            return "carried"
        case _:
            assert_never(fate)


def _schedule(local: str, timezone: str, at: str) -> Schedule:
    return Schedule(local=local, timezone=timezone, at=datetime.fromisoformat(at))
