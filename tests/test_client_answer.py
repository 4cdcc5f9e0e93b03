"""How answers are read out of the bytes of a connection."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.client.answer import AnswerReader

OK = b"HTTP/1.1 201 Created\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
LENGTH = b"Content-Length: 2\r\n"
TWO = OK + LENGTH + b"\r\n{}"


@dataclass(frozen=True)
class Read:
    """What was read: status, body, whether whole, and whether another may follow."""

    status: int
    body: bytes = b""
    is_complete: bool = True
    may_stay: bool = True
    is_http: bool = True


ANSWERS: dict[str, tuple[bytes, Read]] = {
    "a length": (TWO, Read(201, b"{}")),
    "no body": (OK + b"Content-Length: 0\r\n\r\n", Read(201)),
    "a status that has no body": (b"HTTP/1.1 204 None\r\n\r\n", Read(204)),
    "no reason": (b"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\n{}", Read(200, b"{}")),
    "chunks": (CHUNKED + b"1;a=b\r\n{\r\n1\r\n}\r\n0\r\n\r\n", Read(201, b"{}")),
    "chunks with a trailer": (CHUNKED + b"2\r\n{}\r\n0\r\nA: b\r\n\r\n", Read(201, b"{}")),
    "Connection: close": (
        OK + b"Connection: close\r\nContent-Length: 2\r\n\r\n{}",
        Read(201, b"{}", may_stay=False),
    ),
    "HTTP/1.0": (
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}",
        Read(200, b"{}", may_stay=False),
    ),
    "HTTP/1.0 that stays": (
        b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\n{}",
        Read(200, b"{}"),
    ),
    "until the end": (OK + b"\r\n{}", Read(201, b"{}", may_stay=False)),
    "interim answers": (
        b"HTTP/1.1 100 Go\r\n\r\nHTTP/1.1 103 Hints\r\nConnection: close\r\nLink: a\r\n\r\n" + TWO,
        Read(201, b"{}"),
    ),
    "bare line feeds": (TWO.replace(b"\r\n", b"\n"), Read(201, b"{}")),
    "folded header": (OK + b"A: b\r\n c\r\nContent-Length: 2\r\n\r\n{}", Read(201, b"{}")),
    "length and chunks": (
        OK + b"Content-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        Read(201, b"{}"),
    ),
    "bytes after the answer": (TWO + b"H", Read(201, b"{}", may_stay=False)),
    "garbage after the answer": (TWO + b"\x00", Read(201, b"{}", may_stay=False)),
    "an answer after the answer": (TWO + TWO, Read(201, b"{}", may_stay=False)),
    "short of its length": (
        OK + b"Content-Length: 3\r\n\r\n{}",
        Read(201, b"{}", is_complete=False),
    ),
    "short of its chunks": (CHUNKED + b"3\r\n{}", Read(201, b"{}", is_complete=False)),
    "no head": (OK, Read(0, is_complete=False, may_stay=False)),
    "only an interim answer": (
        b"HTTP/1.1 100 Go\r\n\r\n",
        Read(0, is_complete=False, may_stay=False),
    ),
    "another protocol": (
        b"HTTP/1.1 101 Go\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
        Read(0, is_complete=False, may_stay=False, is_http=False),
    ),
    "garbage": (b"SSH-2.0\r\n", Read(0, is_complete=False, may_stay=False, is_http=False)),
    "its length twice": (TWO.replace(LENGTH, LENGTH * 2), Read(201, b"{}")),
    "its length twice in a line": (TWO.replace(b": 2", b": 2, 2"), Read(201, b"{}")),
    "its length twice, after an interim answer": (
        b"HTTP/1.1 103 Hints\r\nContent-Length: 9\r\n\r\n" + TWO.replace(LENGTH, LENGTH * 2),
        Read(201, b"{}"),
    ),
    "its length twice, with bare line feeds": (
        TWO.replace(LENGTH, LENGTH * 2).replace(b"\r\n", b"\n"),
        Read(201, b"{}"),
    ),
    "two lengths": (
        TWO.replace(LENGTH, b"Content-Length: 1\r\n" + LENGTH),
        Read(201, b"{}", is_complete=False, may_stay=False, is_http=False),
    ),
    "two lengths in a line": (
        TWO.replace(b": 2", b": 2, 1"),
        Read(201, b"{}", is_complete=False, may_stay=False, is_http=False),
    ),
    "a length that is no number": (
        TWO.replace(b": 2", b": two"),
        Read(201, b"{}", is_complete=False, may_stay=False),
    ),
    "a length without end": (
        TWO.replace(b": 2", b": " + b"2" * 40),
        Read(0, is_complete=False, may_stay=False, is_http=False),
    ),
    "its length twice in a head that breaks off": (
        OK + LENGTH * 2 + b"Date",
        Read(0, is_complete=False, may_stay=False),
    ),
    "broken chunks": (
        CHUNKED + b"2\r\n{}\r\nzz\r\n",
        Read(201, b"{}", is_complete=False, may_stay=False, is_http=False),
    ),
}


def read(pieces: Iterable[bytes]) -> Read:
    """Read *pieces* to the end of the connection."""
    reader = AnswerReader()
    body = b""
    is_http = True
    try:
        for piece in pieces:
            reader.feed(piece)
            body += reader.take()
    except httpx.RemoteProtocolError:
        is_http = False
    else:
        reader.end()
    return Read(
        status=reader.status,
        body=body + reader.take(),
        is_complete=reader.is_complete,
        may_stay=reader.may_stay,
        is_http=is_http,
    )


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_is_read_as_far_as_it_goes(name: str) -> None:
    answer, expected = ANSWERS[name]

    assert read([answer]) == expected


@given(name=st.sampled_from(sorted(ANSWERS)), cuts=st.sets(st.integers(1, 120)))
def test_an_answer_reads_the_same_however_its_bytes_are_split(name: str, cuts: set[int]) -> None:
    answer, expected = ANSWERS[name]
    bounds = [0, *sorted(cut for cut in cuts if cut < len(answer)), len(answer)]

    pieces = [answer[start:end] for start, end in pairwise(bounds)]

    assert read(pieces) == expected


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_reads_the_same_byte_by_byte(name: str) -> None:
    answer, expected = ANSWERS[name]

    assert read(answer[at : at + 1] for at in range(len(answer))) == expected


@given(st.lists(st.binary(max_size=40), max_size=20))
def test_whatever_comes_is_an_answer_or_is_none(pieces: list[bytes]) -> None:
    read([OK, *pieces])


def test_headers_are_the_final_ones_without_trailers() -> None:
    reader = AnswerReader()

    reader.feed(b"HTTP/1.1 103 Hints\r\nLink: a\r\n\r\n" + CHUNKED + b"0\r\nA: b\r\n\r\n")

    assert reader.headers == [(b"Transfer-Encoding", b"chunked")]


def test_one_answer_after_another_is_read_afresh() -> None:
    reader = AnswerReader()
    reader.feed(TWO)

    reader.begin()
    before = (reader.status, list(reader.headers), reader.take())
    reader.feed(b"HTTP/1.1 400 Bad\r\nContent-Length: 1\r\n\r\nx")

    assert before == (0, [], b"")
    assert (reader.status, reader.take(), reader.is_complete) == (400, b"x", True)


ENDLESS = {
    "headers": OK + b"A: " + b"b" * 2**20,
    "interim answers": b"HTTP/1.1 100 Go\r\n\r\n" * 2**16,
    "trailers": CHUNKED + b"0\r\n" + b"A: b\r\n" * 2**18,
    "chunk extension": CHUNKED + b"1;" + b"a" * 2**20,
}


@pytest.mark.parametrize("name", ENDLESS)
def test_what_frames_an_answer_is_bounded(name: str) -> None:
    assert not read([ENDLESS[name]]).is_http


def test_a_long_body_is_not_taken_for_its_frame() -> None:
    assert read([OK + b"Content-Length: 3000000\r\n\r\n", b" " * 3_000_000]).is_complete
