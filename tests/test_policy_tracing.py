"""Which call of the API's list is the one that a lost answer belonged to."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.policy import (
    CallPage,
    ListedCall,
    Sought,
    Trace,
    TraceKind,
    TraceRules,
    days_to_look_at,
    read_call,
    read_calls,
    read_contact,
    trace,
)

START = datetime(2026, 6, 15, 14, 30, tzinfo=UTC)
END = START + timedelta(seconds=30)
LATER = START + timedelta(hours=2)
PHONE = "+5491100000001"
RULES = TraceRules()

SOUGHT = Sought(
    contact="hash of c-1",
    phone=PHONE,
    agent_id="agent-1",
    started_at=START,
    ended_at=END,
    due_at=START,
)
LISTED = ListedCall(
    call_id="call-1",
    contact_id="c-1",
    phone=PHONE,
    agent_id="agent-1",
    created_at=START + timedelta(seconds=1),
)


def hash_of(contact_id: str) -> str:
    return f"hash of {contact_id}"


def traced(
    *listed: ListedCall,
    sought: Sought = SOUGHT,
    taken: tuple[str, ...] = (),
    rivals: tuple[Sought, ...] = (),
    now: datetime = LATER,
) -> Trace:
    return trace(
        sought,
        listed,
        taken=taken,
        rivals=rivals,
        contact_hash_of=hash_of,
        rules=RULES,
        now=now,
    )


def test_the_only_call_to_that_contact_by_that_agent_at_that_time_is_the_one() -> None:
    assert traced(LISTED) == Trace(kind=TraceKind.FOUND, calls=(LISTED,))


@pytest.mark.parametrize(
    "seconds",
    [-RULES.skew_seconds, 0, 30, 30 + RULES.margin_seconds],
    ids=["skew", "start", "end", "margin"],
)
def test_the_time_is_from_the_start_less_the_skew_to_the_end_and_the_margin(
    seconds: float,
) -> None:
    just = replace(LISTED, created_at=START + timedelta(seconds=seconds))
    is_before = seconds < 0
    beyond = replace(
        LISTED, created_at=START + timedelta(seconds=seconds + (-1 if is_before else 1) * 900)
    )

    assert traced(just).kind is TraceKind.FOUND
    assert traced(beyond) == Trace(kind=TraceKind.NO_TRACE, calls=(beyond,))


OTHERS = {
    "another contact": replace(LISTED, contact_id="c-2"),
    "another agent": replace(LISTED, agent_id="agent-2"),
    "another phone, no contact": replace(LISTED, contact_id="", phone="+5491100000002"),
    "the contact called us": replace(LISTED, is_inbound=True),
}


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS)
def test_a_call_of_somebody_else_is_no_trace(other: ListedCall) -> None:
    assert traced(other) == Trace(kind=TraceKind.NO_TRACE)
    assert traced(other, LISTED).kind is TraceKind.FOUND


def test_an_id_that_another_call_has_is_no_trace() -> None:
    assert traced(LISTED, taken=("call-1",)) == Trace(kind=TraceKind.NO_TRACE)


def test_the_phone_stands_for_a_contact_that_is_not_said() -> None:
    assert traced(replace(LISTED, contact_id="")).kind is TraceKind.FOUND


def test_two_calls_are_listed_and_none_is_chosen() -> None:
    second = replace(LISTED, call_id="call-2")

    assert traced(LISTED, second) == Trace(kind=TraceKind.SEVERAL, calls=(LISTED, second))


def test_one_call_on_two_pages_is_one() -> None:
    assert traced(LISTED, LISTED).kind is TraceKind.FOUND


UNSAID = {
    "contact and phone": replace(LISTED, contact_id="", phone=""),
    "agent": replace(LISTED, agent_id=""),
    "time": replace(LISTED, created_at=None),
}


@pytest.mark.parametrize("call", UNSAID.values(), ids=UNSAID)
def test_what_the_api_leaves_unsaid_makes_a_candidate_and_never_the_one(call: ListedCall) -> None:
    assert traced(call) == Trace(kind=TraceKind.SEVERAL, calls=(call,))
    other = replace(call, call_id="call-2")
    assert traced(LISTED, other).kind is TraceKind.SEVERAL


def test_a_call_that_may_be_another_attempts_is_listed_for_both() -> None:
    rival = replace(SOUGHT, started_at=START + timedelta(minutes=1), ended_at=LATER)

    assert traced(LISTED, rivals=(rival,)) == Trace(kind=TraceKind.SEVERAL, calls=(LISTED,))


def test_a_rival_of_another_day_is_none() -> None:
    day = timedelta(days=1)
    rival = replace(SOUGHT, started_at=START - day, ended_at=END - day, due_at=START - day)

    assert traced(LISTED, rivals=(rival,)).kind is TraceKind.FOUND


def test_before_it_has_settled_nothing_is_called_traceless() -> None:
    settled = END + timedelta(seconds=RULES.settle_seconds)

    early = traced(now=settled - timedelta(seconds=1))

    assert early == Trace(kind=TraceKind.TOO_EARLY, until=settled)
    assert traced(now=settled).kind is TraceKind.NO_TRACE
    assert traced(LISTED, now=END).kind is TraceKind.FOUND


def test_a_scheduled_call_is_not_called_traceless_before_its_time() -> None:
    scheduled = replace(SOUGHT, due_at=START + timedelta(days=2))

    early = traced(sought=scheduled, now=START + timedelta(days=1))

    assert (early.kind, early.until) == (
        TraceKind.TOO_EARLY,
        scheduled.due_at + timedelta(seconds=RULES.settle_seconds),
    )
    assert traced(LISTED, sought=scheduled, now=LATER).kind is TraceKind.FOUND


def test_a_call_created_when_a_scheduled_one_was_to_ring_is_shown_to_a_person() -> None:
    scheduled = replace(SOUGHT, due_at=START + timedelta(days=2))
    ringing = replace(LISTED, created_at=scheduled.due_at)

    assert traced(ringing, sought=scheduled).kind is TraceKind.SEVERAL
    assert traced(ringing).kind is TraceKind.NO_TRACE


@pytest.mark.parametrize(
    ("sought", "days"),
    [
        (SOUGHT, (date(2026, 6, 14), date(2026, 6, 16))),
        (
            replace(SOUGHT, due_at=START + timedelta(days=2)),
            (date(2026, 6, 14), date(2026, 6, 18)),
        ),
        (
            replace(
                SOUGHT,
                started_at=datetime(2026, 6, 15, 0, 1, tzinfo=UTC),
                ended_at=datetime(2026, 6, 15, 23, 55, tzinfo=UTC),
            ),
            (date(2026, 6, 13), date(2026, 6, 17)),
        ),
    ],
    ids=["at once", "scheduled", "near midnight"],
)
def test_the_day_and_the_one_around_it_are_looked_at(
    sought: Sought, days: tuple[date, date]
) -> None:
    assert days_to_look_at(sought, RULES) == days


@given(
    st.lists(
        st.builds(
            ListedCall,
            call_id=st.sampled_from(["a", "b", "c"]),
            contact_id=st.sampled_from(["", "c-1", "c-2"]),
            phone=st.sampled_from(["", PHONE, "+1"]),
            agent_id=st.sampled_from(["", "agent-1", "agent-2"]),
            created_at=st.none()
            | st.integers(-90_000, 90_000).map(lambda s: START + timedelta(seconds=s)),
        ),
        max_size=6,
    ),
    st.sets(st.sampled_from(["a", "b", "c"])),
)
def test_what_is_found_is_one_whole_match_that_nobody_else_has(
    listed: list[ListedCall], taken: set[str]
) -> None:
    found = traced(*listed, taken=tuple(taken))

    if found.kind is TraceKind.FOUND:
        (call,) = found.calls
        assert call.call_id not in taken
        assert call.contact_id in ("c-1", "")
        assert call.agent_id == "agent-1"
        assert call.created_at is not None
        assert START - timedelta(seconds=300) <= call.created_at <= END + timedelta(seconds=600)


# What the API says

CALL = {
    "id": "call-1",
    "direction": "outbound",
    "created_at": "2026-06-15T14:30:01.000Z",
    "agent_id": "agent-1",
    "contact": {"id": "c-1", "phone_number": PHONE},
}
READ = replace(LISTED, created_text="2026-06-15T14:30:01.000Z")


@pytest.mark.parametrize(
    ("answer", "total"),
    [
        ({"data": [CALL], "count": 41}, 41),
        ({"statusCode": 200, "data": [CALL], "pagination": {"page": 1, "total_rows": 41}}, 41),
        ({"data": [CALL]}, None),
        ({"data": [CALL], "count": "41"}, None),
        ({"data": [CALL], "count": True}, None),
    ],
    ids=["generation a", "generation b", "no total", "text", "no number"],
)
def test_a_page_of_either_generation_is_read(answer: object, total: int | None) -> None:
    assert read_calls(json.dumps(answer).encode()) == CallPage(calls=(READ,), total=total)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b"{}",
        b'{"data":{}}',
        b'{"data":[1]}',
        b'{"data":[{"created_at":"2026-06-15"}]}',
        b'{"data":' + b"[" * 100_000,
        json.dumps({"data": [CALL, None]}).encode(),
    ],
    ids=["empty", "html", "list", "no data", "object", "number", "no id", "deep", "one of two"],
)
def test_a_list_that_cannot_be_understood_is_none(body: bytes) -> None:
    assert read_calls(body) is None


@pytest.mark.parametrize(
    ("count", "total", "offset", "is_last"),
    [
        (3, None, 0, True),
        (10, None, 0, False),
        (10, 10, 0, False),
        (3, 3, 0, True),
        (0, 40, 40, True),
        (10, 30, 10, False),
        (10, 30, 20, True),
        (5, 30, 5, False),
    ],
    ids=[
        "short",
        "full",
        "full, its own length as total",
        "all",
        "empty",
        "amid",
        "the last",
        "capped by the server",
    ],
)
def test_all_pages_are_asked_for(
    count: int, total: int | None, offset: int, *, is_last: bool
) -> None:
    page = CallPage(calls=(READ,) * count, total=total)

    assert page.is_last(offset=offset, limit=10) is is_last


@pytest.mark.parametrize(
    "answer", [CALL, {"statusCode": 200, "data": CALL}], ids=["bare", "wrapped"]
)
def test_one_call_is_read_bare_or_wrapped(answer: object) -> None:
    assert read_call(json.dumps(answer).encode()) == READ


def test_what_a_call_does_not_say_is_empty() -> None:
    body = b'{"id": 17, "contact": null, "created_at": "soon", "direction": "INBOUND"}'

    assert read_call(body) == ListedCall(call_id="17", created_text="soon", is_inbound=True)


def test_text_of_the_api_is_made_visible() -> None:
    listed = read_call(b'{"id": "call-\\u001b[31m", "agent_id": "\\u202eagent"}')

    assert listed == ListedCall(call_id="call-\\x1b[31m", agent_id="\\u202eagent")


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-06-15T14:30:01.000Z", START + timedelta(seconds=1)),
        ("2026-06-15T11:30:01-03:00", START + timedelta(seconds=1)),
        ("2026-06-15 14:30:01", START + timedelta(seconds=1)),
        ("0001-01-01T00:00:00+10:00", None),
        ("15/06/2026", None),
    ],
    ids=["utc", "offset", "without a zone", "before time", "garbage"],
)
def test_the_time_of_creation_is_read(text: str, moment: datetime | None) -> None:
    call = read_call(json.dumps({"id": "x", "created_at": text}).encode())

    assert call is not None
    assert (call.created_at, call.created_text) == (moment, text)


CONTACT = {"id": "c-1", "phone_number": PHONE}


@pytest.mark.parametrize(
    "answer",
    [CONTACT, {"data": CONTACT}, {"statusCode": 200, "data": {"contact": CONTACT}}],
    ids=["bare", "data", "data.contact"],
)
def test_a_contact_is_read_in_all_three_shapes(answer: object) -> None:
    assert read_contact(json.dumps(answer).encode()) == ("c-1", PHONE)


@pytest.mark.parametrize(
    ("body", "read"),
    [(b"[]", None), (b'{"data": {"id": "c-1"}}', None), (b'{"phone_number": null}', ("", ""))],
    ids=["list", "no number", "null"],
)
def test_a_contact_without_a_number_is_told_from_none(
    body: bytes, read: tuple[str, str] | None
) -> None:
    assert read_contact(body) == read
