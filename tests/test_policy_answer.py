"""What is read from an answer, whole, cut or broken, and how text from outside is shown."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dispatcher.policy import (
    backoff_seconds,
    one_line,
    plain,
    read_answer,
    retry_after_seconds,
    used_up_seconds,
)
from dispatcher.policy.answer import _any_answer, _usual_answer

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
CALL_ID = "0c7e7c9e-8f0a-4a6c-9f5a-6d2a5b1f0c11"
JSON = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=4).map("x".__add__), inner, max_size=3)
    ),
    max_leaves=10,
)
FIELDS = st.dictionaries(st.text(max_size=5).map("x".__add__), JSON, max_size=3)


@settings(deadline=None)
@given(
    before=FIELDS,
    after=FIELDS,
    outer=FIELDS,
    is_wrapped=st.booleans(),
    is_ascii=st.booleans(),
    indent=st.sampled_from([None, 2]),
    cut=st.integers(0, 10_000),
)
def test_an_id_is_found_from_the_moment_its_closing_quote_has_come(
    before: dict[str, object],
    after: dict[str, object],
    outer: dict[str, object],
    is_wrapped: bool,  # noqa: FBT001
    is_ascii: bool,  # noqa: FBT001
    indent: int | None,
    cut: int,
) -> None:
    call = {**before, "call_id": CALL_ID, **after}
    answer = {**outer, "data": call} if is_wrapped else {**outer, **call}
    body = json.dumps(answer, ensure_ascii=is_ascii, indent=indent).encode("utf-8", "replace")
    closing_quote = body.index(f'"{CALL_ID}"'.encode()) + len(CALL_ID) + 2

    for end in {cut % (len(body) + 1), closing_quote - 1, closing_quote, len(body)}:
        found = read_answer(body[:end]).call_id
        assert found == (CALL_ID if end >= closing_quote else "")


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_no_bytes_raise(body: bytes) -> None:
    read_answer(body)


@settings(deadline=None)
@given(st.text(alphabet='{}[]:,"\\ \ndatcl_i1e.-\ud800\ufeff', max_size=60))
def test_nothing_that_looks_like_json_raises(text: str) -> None:
    read_answer(text.encode("utf-8", "surrogatepass"))


@pytest.mark.parametrize(
    ("body", "call_id"),
    [
        (b'{"call_id": "a"}', "a"),
        (b'{"data": {"call_id": "a"}}', "a"),
        (b'\xef\xbb\xbf {"call_id": "a"}', "a"),
        (b'{"call_id": 12345}', "12345"),
        (b'{"call_id": 12345', ""),
        (b'{"call_id": 1.5}', ""),
        (b'{"call_id": true}', ""),
        (b'{"call_id": " a "}', "a"),
        (b'{"call_id": "", "data": {"call_id": "b"}}', "b"),
        (b'{"call_id": "a", "data": {"call_id": "b"}}', "a"),
        (b'{"data": {"call_id": "b"}, "call_id": "a"}', "b"),
        (b'{"call_id": "a", "call_id": "b"}', "a"),
        (b'{"call_id": "a\\u0062"}', "ab"),
        (b'{"call_id": "a\\qb"}', "a\\qb"),
        (b'{"call_id": "a\nb"}', "a\\nb"),
        (b'{"call_id": "\\ud83d\\ude00"}', "\U0001f600"),
        (b'{"call_id": "\\ud83d"}', "\ufffd"),
        (b'{"call_id": "\xff"}', "\ufffd"),
        (b'{"x": NaN, "y": undefined, "call_id": "a"} trailing', "a"),
        (b'{"x": [1, {"call_id": "z"}], "call_id": "a"', "a"),
        (b'{"x": ["call_id", "z"], "data": ["call_id"], "call_id": "a"', "a"),
        (b'{"call\\u005fid": "a"}', "a"),
        (b'{"x": "\\"", "call_id": "a"}', "a"),
        (b'{"x": "call_id", "y": "z"}', ""),
        (b'{"x": 1], "call_id": "a"}', ""),
        (b'[{"call_id": "a"}]', ""),
        (b'"call_id"', ""),
        (b'{"x": 1}{"call_id": "a"}', ""),
        (b'{"data": {"x": {"call_id": "a"}}}', ""),
        (b'{"other": {"call_id": "a"}}', ""),
        (b"<html>", ""),
        (b"[" * 100_000, ""),
        (b'{"x":' * 50_000 + b'"y"' + b"}" * 50_000, ""),
    ],
)
def test_the_first_whole_id_at_its_place_counts(body: bytes, call_id: str) -> None:
    assert read_answer(body).call_id == call_id


def test_contact_and_time_are_read_beside_the_id() -> None:
    answer = read_answer(
        b'{"data": {"call_id": "a", "contact_id": "c", "created_at": "2026-03-01T00:00:00Z"}}'
    )

    assert (answer.contact_id, answer.created_at) == ("c", "2026-03-01T00:00:00Z")


@pytest.mark.parametrize(
    ("body", "messages"),
    [
        (b'{"message": "no", "error": "Bad Request"}', ("no",)),
        (b'{"message": ["one", "two", 3], "error": "Bad Request"}', ("one", "two")),
        (b'{"error": "Bad Request"}', ("Bad Request",)),
        (b'{"error": {"message": "no"}}', ("no",)),
        (b'{"message": {"text": "no"}}', ()),
        (b'{"message": 5}', ()),
        (b"nothing", ()),
    ],
)
def test_what_the_api_says_went_wrong_is_a_text_or_a_list(
    body: bytes, messages: tuple[str, ...]
) -> None:
    assert read_answer(body).messages == messages


def test_what_moves_the_cursor_or_hides_is_shown_as_an_escape() -> None:
    assert plain("a\x1b[31mb\r\n\u202ec\u200b", limit=99) == "a\\x1b[31mb\\r\\n\\u202ec\\u200b"


def test_a_long_text_is_cut_and_shows_it() -> None:
    assert plain("x" * 20, limit=10) == "x" * 7 + "..."
    assert plain("x" * 10, limit=10) == "x" * 10


@settings(deadline=None)
@given(st.text(), st.integers(0, 50))
def test_a_shown_text_is_bounded_and_printable(text: str, limit: int) -> None:
    shown = plain(text, limit=limit)

    assert len(shown) <= max(3, limit)
    assert not any(character < " " or "\x7f" <= character <= "\x9f" for character in shown)


def test_markup_and_line_breaks_leave_one_line() -> None:
    assert one_line("<b>no</b>\n such <i", limit=99) == "no such"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("", None),
        ("0", 0),
        ("7", 7),
        (" 1.5 ", 1.5),
        ("-5", None),
        ("1e3", None),
        ("soon", None),
        ("9" * 12, 10 * 365 * 86_400),
        ("9" * 400, None),
        ("31536000", 31_536_000),
        ("Sun, 01 Mar 2026 12:01:30 GMT", 90),
        ("Sun, 01 Mar 2026 12:01:30 -0000", 90),
        ("Sun, 01 Mar 2026 14:01:30 +0200", 90),
        ("Sun Mar  1 12:01:30 2026", 90),
        ("Sun, 01 Mar 2026 11:00:00 GMT", 0),
        ("Sun, 01 Mar 9999 12:00:00 GMT", 10 * 365 * 86_400),
        ("Sun, 99 Mar 2026 12:00:00 GMT", None),
        ("2026-03-01T12:00:00Z", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(text: str, seconds: float | None) -> None:
    assert retry_after_seconds(text, now=NOW) == seconds


@settings(deadline=None)
@given(st.text(max_size=40), st.integers(-10_000, 10_000))
def test_no_retry_after_raises(text: str, days: int) -> None:
    seconds = retry_after_seconds(text, now=NOW + timedelta(days=days))

    assert seconds is None or seconds >= 0


@settings(deadline=None)
@given(st.integers(1, 10_000), st.floats(0, 1, exclude_max=True))
def test_backoff_doubles_up_to_a_minute_less_a_quarter_at_most(times: int, chance: float) -> None:
    whole = min(60.0, 2.0 ** min(times - 1, 20))

    assert 0.75 * whole <= backoff_seconds(times, chance=chance) <= whole


@pytest.mark.parametrize(
    ("remaining", "reset", "seconds"),
    [
        ("0", "30", 30),
        (" 0 ", " 30 ", 30),
        ("0", f"{NOW.timestamp() + 45:.0f}", 45),
        ("0", f"{NOW.timestamp() * 1000 + 45_000:.0f}", 45),
        ("1", "30", None),
        ("", "30", None),
        ("0", "", None),
        ("0", "soon", None),
        ("0", "0", None),
        ("0", "3600", None),
        ("0", f"{NOW.timestamp() - 5:.0f}", None),
    ],
)
def test_a_limit_is_used_up_only_by_sane_headers(
    remaining: str, reset: str, seconds: float | None
) -> None:
    assert used_up_seconds(remaining=remaining, reset=reset, now=NOW) == seconds


NAMES = st.sampled_from(
    ("call_id", "contact_id", "created_at", "data", "message", "error", "x", "")
)
PLAIN = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from(("", " c-1 ", "a b", "\x1b", "\u202e", "\\", "\n")),
)
VALUES = st.recursive(
    PLAIN, lambda inner: st.one_of(st.lists(inner), st.dictionaries(NAMES, inner)), max_leaves=8
)


@given(
    st.dictionaries(NAMES, VALUES),
    st.sampled_from([json.JSONEncoder(), json.JSONEncoder(ensure_ascii=False)]),
    st.sampled_from(("", " ", "x", "{}")),
)
def test_the_quick_reading_finds_what_the_patient_one_does(
    answer: dict[str, object], encoder: json.JSONEncoder, after: str
) -> None:
    text = encoder.encode(answer) + after

    assert _usual_answer(text) in (None, _any_answer(text))


@pytest.mark.parametrize(
    "text",
    [
        '{"call_id": "a", "call_id": "b"}',
        '{"call_id": "a", "data": {"call_id": "b"}}',
        '{"call_id": 17}',
        '{"message": "no"}',
        '["call_id"]',
        '{"call_id": "a"',
        '{"call_id": "\\u0061"}',
        "[" * 100_000,
    ],
    ids=("twice", "in both places", "a number", "a message", "a list", "cut", "an escape", "deep"),
)
def test_an_answer_that_is_not_as_usual_is_read_patiently(text: str) -> None:
    assert _usual_answer(text) is None
