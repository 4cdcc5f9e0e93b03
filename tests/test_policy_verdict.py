"""The table of verdicts, row by row."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dispatcher.model import (
    Cause,
    Evidence,
    Judgement,
    NoReply,
    Reply,
    StopWord,
    Verdict,
)
from dispatcher.policy import STOPPING_CODES, judge

PLACED, REJECTED = Verdict.PLACED, Verdict.REJECTED
NOT_SENT, UNCERTAIN = Verdict.NOT_SENT, Verdict.UNCERTAIN
NOT_API = StopWord.NOT_THE_API
HTML = b"\xef\xbb\xbf \n<!doctype html><title>No</title>"
KEEP_THEIR_WORD = (401, 402, 403, 407, 410)


def judged(result: Reply | NoReply) -> Judgement:
    return judge(result, contact_hash_sent="C-1", contact_hash_of=str.upper)


@pytest.mark.parametrize(
    ("status", "verdict", "code", "stop"),
    [
        (200, UNCERTAIN, "answer_without_id", None),
        (204, UNCERTAIN, "answer_without_id", None),
        (299, UNCERTAIN, "answer_without_id", None),
        (300, UNCERTAIN, "not_the_api", NOT_API),
        (301, REJECTED, "not_the_api", NOT_API),
        (302, UNCERTAIN, "not_the_api", NOT_API),
        (304, UNCERTAIN, "not_the_api", NOT_API),
        (307, REJECTED, "not_the_api", NOT_API),
        (308, REJECTED, "not_the_api", NOT_API),
        (400, REJECTED, "invalid_request", None),
        (401, REJECTED, "key_refused", StopWord.KEY_REFUSED),
        (402, REJECTED, "credit_refused", StopWord.CREDIT_REFUSED),
        (403, REJECTED, "key_refused", StopWord.KEY_REFUSED),
        (404, REJECTED, "not_found", None),
        (405, REJECTED, "not_the_api", NOT_API),
        (406, REJECTED, "rejected", None),
        (407, REJECTED, "key_refused", StopWord.KEY_REFUSED),
        (408, UNCERTAIN, "timeout", None),
        (409, UNCERTAIN, "conflict", None),
        (410, REJECTED, "refused", StopWord.REFUSED),
        (413, REJECTED, "too_large", None),
        (422, REJECTED, "invalid_request", None),
        (429, NOT_SENT, "rate_limited", None),
        (451, REJECTED, "rejected", None),
        (500, UNCERTAIN, "server_error", None),
        (503, UNCERTAIN, "server_error", None),
        (599, UNCERTAIN, "server_error", None),
        (101, UNCERTAIN, "not_the_api", NOT_API),
        (999, UNCERTAIN, "not_the_api", NOT_API),
    ],
)
def test_a_status_has_its_verdict(
    status: int, verdict: Verdict, code: str, stop: StopWord | None
) -> None:
    judgement = judged(Reply(status=status, body=b'{"message": "because"}'))

    assert (judgement.verdict, judgement.code, judgement.stop) == (verdict, code, stop)
    assert judgement.http_status == status
    assert judgement.message.endswith(f"({status}): because")
    assert judgement.failure == (status == 408 or 500 <= status < 600)


@pytest.mark.parametrize("status", range(200, 600))
def test_only_a_success_with_an_id_is_placed(status: int) -> None:
    judgement = judged(Reply(status=status, body=b'{"call_id": "x", "created_at": "now"}'))

    is_placed = status < 300
    assert (judgement.verdict is PLACED) == is_placed
    assert judgement.call_id == ("x" if is_placed else "")
    assert judgement.created_at == ("now" if is_placed else "")


@pytest.mark.parametrize("status", range(400, 500))
@pytest.mark.parametrize(
    "reply",
    [Reply(status=400, body=HTML), Reply(status=400, body=b"no", content_type="Text/HTML; x")],
    ids=["by body", "by type"],
)
def test_a_refusal_in_html_is_not_the_api(status: int, reply: Reply) -> None:
    plain = judged(Reply(status=status))
    html = judged(Reply(status=status, body=reply.body, content_type=reply.content_type))

    if status in (*KEEP_THEIR_WORD, 408, 409, 429):
        assert (html.verdict, html.code, html.stop) == (plain.verdict, plain.code, plain.stop)
    else:
        assert (html.verdict, html.code, html.stop) == (REJECTED, "not_the_api", NOT_API)
    assert html.message.endswith("an HTML page came back")


@pytest.mark.parametrize("status", [200, 201, 204])
def test_a_success_in_html_is_uncertain_and_stops(status: int) -> None:
    judgement = judged(Reply(status=status, body=HTML))

    assert (judgement.verdict, judgement.code) == (UNCERTAIN, "not_the_api")
    assert judgement.stop is NOT_API


def test_an_id_is_believed_whatever_type_was_announced() -> None:
    judgement = judged(Reply(status=200, body=b'{"call_id": "x"}', content_type="text/html"))

    assert (judgement.verdict, judgement.stop) == (PLACED, None)


def test_a_plain_success_has_no_code_and_no_message() -> None:
    body = b'{"statusCode": 201, "data": {"call_id": "x", "contact_id": "c-1"}}'

    judgement = judged(Reply(status=201, body=body))

    assert judgement == Judgement(
        verdict=PLACED, http_status=201, call_id="x", excerpt=body.decode()
    )


@pytest.mark.parametrize("contact", [b'"c-1"', b"null", b'""', b'"C-1"'])
def test_a_contact_that_is_the_same_or_absent_is_no_difference(contact: bytes) -> None:
    judgement = judged(Reply(status=201, body=b'{"call_id": "x", "contact_id": %s}' % contact))

    assert (judgement.verdict, judgement.code, judgement.stop) == (PLACED, "", None)


@pytest.mark.parametrize("contact", [b'"c-2"', b"5"])
def test_another_contact_is_placed_flagged_and_stops(contact: bytes) -> None:
    judgement = judged(Reply(status=201, body=b'{"call_id": "x", "contact_id": %s}' % contact))

    assert (judgement.verdict, judgement.code) == (PLACED, "wrong_contact")
    assert (judgement.call_id, judgement.stop) == ("x", NOT_API)
    assert "another contact" in judgement.message


@pytest.mark.parametrize(
    ("body", "failure"),
    [(b'{"call_id": "x"', False), (b'{"call_id": "x', True)],
    ids=["after the id", "before"],
)
def test_a_cut_success_is_a_failure_only_without_its_id(body: bytes, *, failure: bool) -> None:
    judgement = judged(Reply(status=201, body=body, complete=False))

    assert judgement.verdict is (UNCERTAIN if failure else PLACED)
    assert judgement.failure is failure


@pytest.mark.parametrize(
    ("evidence", "cause", "verdict", "code", "failure"),
    [
        (Evidence.NOTHING_LEFT, Cause.UNREACHABLE, NOT_SENT, "unreachable", False),
        (Evidence.NOTHING_LEFT, Cause.TIMED_OUT, NOT_SENT, "unreachable", False),
        (Evidence.NOTHING_LEFT, Cause.LOST, NOT_SENT, "unreachable", False),
        (Evidence.NOTHING_LEFT, Cause.CANCELLED, NOT_SENT, "interrupted", False),
        (Evidence.BEGAN, Cause.TIMED_OUT, UNCERTAIN, "timeout", True),
        (Evidence.BEGAN, Cause.LOST, UNCERTAIN, "connection_lost", True),
        (Evidence.BEGAN, Cause.UNREACHABLE, UNCERTAIN, "connection_lost", True),
        (Evidence.BEGAN, Cause.CANCELLED, UNCERTAIN, "interrupted", False),
        (Evidence.UNKNOWN, Cause.UNREACHABLE, UNCERTAIN, "connection_lost", True),
        (Evidence.UNKNOWN, Cause.TIMED_OUT, UNCERTAIN, "timeout", True),
        (Evidence.UNKNOWN, Cause.LOST, UNCERTAIN, "connection_lost", True),
        (Evidence.UNKNOWN, Cause.CANCELLED, UNCERTAIN, "interrupted", False),
    ],
)
def test_silence_is_unsent_only_with_proof(
    evidence: Evidence, cause: Cause, verdict: Verdict, code: str, *, failure: bool
) -> None:
    judgement = judged(NoReply(evidence=evidence, cause=cause, message="the line\x1b broke"))

    assert (judgement.verdict, judgement.code, judgement.failure) == (verdict, code, failure)
    assert judgement.http_status == 0
    assert judgement.stop is None
    assert judgement.message.endswith(": the line\\x1b broke")


def test_a_message_of_the_api_is_one_bounded_line_without_markup() -> None:
    body = b'{"message": ["bad <b>id</b>", "no\\nnumber\\u202e"]}'

    assert judged(Reply(status=400, body=body)).message == (
        "The API did not accept this row (400): bad id ; no number\\u202e"
    )
    long = judged(Reply(status=400, body=b'{"message": "%s"}' % (b"x" * 5000)))
    assert len(long.message) < 400


def test_a_refusal_without_a_message_is_still_a_sentence() -> None:
    assert judged(Reply(status=400)).message == "The API did not accept this row (400)"


def test_the_excerpt_is_bounded_and_harmless() -> None:
    excerpt = judged(Reply(status=500, body=b"\x1b[2J\xff" + b"x" * 5000)).excerpt

    assert excerpt.startswith("\\x1b[2J\ufffdxxx")
    assert len(excerpt) == 2000


def test_the_codes_that_stop_a_run_are_known_to_the_next_one() -> None:
    assert sorted(STOPPING_CODES) == ["credit_refused", "key_refused", "not_the_api", "refused"]


@settings(deadline=None)
@given(
    status=st.integers(0, 1000),
    body=st.binary(max_size=100),
    content_type=st.text(max_size=10),
    complete=st.booleans(),
)
def test_no_reply_raises_and_every_one_that_is_not_plain_is_explained(
    status: int,
    body: bytes,
    content_type: str,
    complete: bool,  # noqa: FBT001
) -> None:
    judgement = judged(
        Reply(status=status, body=body, content_type=content_type, complete=complete)
    )

    assert bool(judgement.code) == bool(judgement.message)
    assert (judgement.verdict is PLACED) == bool(judgement.call_id)
    if judgement.verdict is REJECTED:
        assert (judgement.code in STOPPING_CODES) == (judgement.stop is not None)
