"""What attempts sent and got: kept once, and known exactly."""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.ledger import DueRules, Ledger, open_ledger
from dispatcher.ledger.bodies import AttemptCodec
from dispatcher.ledger.call_ids import CallIds, kept_id, spelled_id
from dispatcher.ledger.packing import dictionary_of, said_by
from dispatcher.model import (
    OUR_METADATA,
    CallRequest,
    CallState,
    CallStatus,
    Campaign,
    Carried,
    DueCall,
    Mark,
    Outcome,
    PlannedRow,
    Purpose,
    Schedule,
    Skip,
    Snapshot,
    SnapshotHead,
    Verdict,
    Withdrawal,
)
from dispatcher.planning import DelayMode, body_of, call_key, contact_hash, request_digest

NOW = datetime(2026, 11, 23, 13, 0, tzinfo=UTC)
HEADERS = ("contact_id", "Nombre", "Teléfono", "Deuda", "Nota")
HEAD = SnapshotHead(
    file="/a.csv",
    digest="d",
    settings_digest="s",
    format="csv",
    sheet="",
    encoding="utf-8",
    delimiter=",",
    headers=HEADERS,
)
AGENT = "5f0c7d0e-2f3b-4b7e-9a43-3a1df4b0a1c2"
SCHEDULE = Schedule(
    local="2026-11-24 10:00:00",
    timezone="America/Argentina/Cordoba",
    at=datetime(2026, 11, 24, 13, 0, tzinfo=UTC),
)
TEXTS = st.text(max_size=40)
PAIRS = st.lists(st.tuples(TEXTS, TEXTS), max_size=4, unique_by=lambda pair: pair[0]).map(tuple)


def asked_of(cells: Sequence[str], row: int) -> CallRequest:
    return CallRequest(
        key=call_key("mora", cells[0]),
        contact=contact_hash(cells[0]),
        row=row,
        contact_id=cells[0],
        agent_id=AGENT,
        from_number_id="n1",
        additional_data=tuple(
            (name, text) for name, text in zip(HEADERS[1:], cells[1:], strict=True) if text
        ),
    )


def cells_of(number: int) -> tuple[str, ...]:
    contact = str(uuid.uuid5(uuid.NAMESPACE_DNS, str(number)))
    note = "llamar de tarde" if number % 3 else ""
    return contact, f"Ana {number} «Núñez»", f"+54911{number:08}", f"{number},50", note


def body(request: CallRequest, *, now: datetime = NOW) -> bytes:
    return body_of(request, campaign="mora", now=now, delay=DelayMode.SCHEDULE)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "l.db"


@pytest.fixture
def ledger(place: Path) -> Iterator[Ledger]:
    with open_ledger(str(place), purpose=Purpose.REAL, create=True) as opened:
        yield opened


@pytest.fixture
def mora(ledger: Ledger) -> Campaign:
    return ledger.claim_campaign("mora", key_columns=(), base_url="https://api", at=NOW)


def record(
    ledger: Ledger, campaign: Campaign, requests: Sequence[CallRequest], *, headers: Sequence[str]
) -> Snapshot:
    rows = [
        PlannedRow(
            number=request.row,
            cells=(request.contact_id, *dict(request.additional_data).values()),
            fate=request,
        )
        for request in requests
    ]
    return record_rows(ledger, campaign, rows, headers=headers)


def record_rows(
    ledger: Ledger, campaign: Campaign, rows: Sequence[PlannedRow], *, headers: Sequence[str]
) -> Snapshot:
    head = replace(HEAD, headers=tuple(headers))
    return ledger.record(
        campaign.id, head, rows, digest_of=request_digest, remarks=lambda: (), at=NOW
    )


def due(ledger: Ledger, snapshot: Snapshot) -> list[DueCall]:
    found = ledger.due(snapshot, DueRules(), repeat_after_hours=0, as_of=NOW)
    return sorted(found, key=lambda call: call.request.row)


def send(ledger: Ledger, call: DueCall, *, sent: bytes | None = None) -> bytes:
    """Mark a call with the body its row says, or with *sent*."""
    request = call.request
    exact = body(request) if sent is None else sent
    mark = Mark(
        key=request.key,
        contact=request.contact,
        state=call.state,
        body=exact,
        request_digest=request_digest(request),
        at=NOW,
        due_at=NOW,
        asked=call,
    )
    (number,) = ledger.commit([mark], repeat_after_hours=0)
    assert isinstance(number, int)
    return exact


def end(ledger: Ledger, call: DueCall, state: CallState, *, call_id: str = "") -> None:
    outcome = Outcome(
        key=call.request.key,
        attempt=1,
        state=state,
        verdict=Verdict(state.value),
        http_status=201,
        call_id=call_id,
        created_at="2026-11-23T13:00:01Z" if call_id else "",
        excerpt=answer(call, call_id),
        at=NOW + timedelta(seconds=1),
    )
    ledger.commit([outcome], repeat_after_hours=0)


def answer(call: DueCall, call_id: str) -> str:
    return (
        f'{{"statusCode":201,"data":{{"call_id":"{call_id}","agent_id":"{AGENT}",'
        f'"contact_id":"{call.request.contact_id}","created_at":"2026-11-23T13:00:01Z"}}}}'
    )


def read(place: Path, statement: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(place)) as connection:
        return connection.execute(statement).fetchall()


# Bodies


@given(
    additional=PAIRS,
    # A request's metadata is without our own three; a body of one that had them would be kept.
    metadata=PAIRS.filter(lambda pairs: not dict(pairs).keys() & set(OUR_METADATA)),
    contact=TEXTS,
    agent=TEXTS,
    campaign=TEXTS,
    schedule=st.sampled_from([None, SCHEDULE]),
)
def test_the_ledger_says_a_body_as_planning_does(
    additional: tuple[tuple[str, str], ...],
    metadata: tuple[tuple[str, str], ...],
    contact: str,
    agent: str,
    campaign: str,
    schedule: Schedule | None,
) -> None:
    request = replace(
        asked_of(cells_of(1), 7),
        contact_id=contact,
        agent_id=agent,
        additional_data=additional,
        metadata=metadata,
        schedule=schedule,
    )

    sent = body_of(request, campaign=campaign, now=NOW, delay=DelayMode.SCHEDULE)

    assert said_by(request, campaign) == sent


def test_a_body_that_its_row_says_is_not_kept_and_comes_back_exactly(
    ledger: Ledger, mora: Campaign, place: Path
) -> None:
    snapshot = record(ledger, mora, [asked_of(cells_of(n), n) for n in (2, 3)], headers=HEADERS)

    sent = [send(ledger, call) for call in due(ledger, snapshot)]

    assert read(place, "SELECT body, snapshot_id, row FROM attempts ORDER BY row") == [
        (None, snapshot.id, 2),
        (None, snapshot.id, 3),
    ]
    keys = [call_key("mora", cells_of(n)[0]) for n in (2, 3)]
    assert [ledger.sent_body(key, 1) for key in keys] == sent


def test_any_other_body_is_kept(ledger: Ledger, mora: Campaign, place: Path) -> None:
    later = replace(asked_of(cells_of(2), 2), delay_minutes=30)
    snapshot = record(ledger, mora, [later], headers=HEADERS)
    (call,) = due(ledger, snapshot)

    sent = send(ledger, call)

    assert b'"schedule"' in sent
    assert ledger.sent_body(call.request.key, 1) == sent
    assert read(place, "SELECT body IS NULL, row FROM attempts") == [(0, None)]


@pytest.mark.parametrize(
    "stranger",
    [pytest.param(0, id="of-no-snapshot"), pytest.param(None, id="not-told")],
)
def test_a_body_whose_row_is_not_told_is_kept(
    ledger: Ledger, mora: Campaign, place: Path, stranger: int | None
) -> None:
    snapshot = record(ledger, mora, [asked_of(cells_of(2), 2)], headers=HEADERS)
    (call,) = due(ledger, snapshot)
    asked = None if stranger is None else replace(call, snapshot_id=stranger)
    mark = Mark(
        key=call.request.key,
        contact=call.request.contact,
        state=call.state,
        body=body(call.request),
        request_digest=request_digest(call.request),
        at=NOW,
        due_at=NOW,
        asked=asked,
    )

    ledger.commit([mark], repeat_after_hours=0)

    assert read(place, "SELECT body IS NULL FROM attempts") == [(0,)]
    assert ledger.sent_body(call.request.key, 1) == body(call.request)


def test_what_was_sent_stays_known_where_a_later_row_names_the_call_again(
    ledger: Ledger, mora: Campaign
) -> None:
    """The rows of an old sheet go a thousand at a time; the second is of a later thousand."""
    asked = asked_of(cells_of(2), 2)
    again = Carried(
        key=asked.key, contact=asked.contact, call_id="c-1", status=CallStatus.UNCERTAIN
    )
    between = [
        PlannedRow(number=n, cells=cells_of(n), fate=Skip(code="duplicate", message=""))
        for n in range(3, 1_500)
    ]
    rows = [
        PlannedRow(number=2, cells=cells_of(2), fate=asked),
        *between,
        PlannedRow(number=1_500, cells=cells_of(2), fate=again),
    ]
    (call,) = due(ledger, record_rows(ledger, mora, rows, headers=HEADERS))
    sent = send(ledger, call)

    for _ in range(2):
        record(ledger, mora, [asked_of(cells_of(3), 2)], headers=HEADERS)

    assert ledger.sent_body(asked.key, 1) == sent


def test_a_body_that_no_row_says_any_more_is_unknown_and_stops_nobody(
    ledger: Ledger, mora: Campaign
) -> None:
    """As for a call that was read before its campaign's sheet was recorded anew, twice."""
    (call,) = due(ledger, record(ledger, mora, [asked_of(cells_of(2), 2)], headers=HEADERS))
    for _ in range(2):
        record(ledger, mora, [asked_of(cells_of(2), 2)], headers=HEADERS)

    send(ledger, call)
    end(ledger, call, CallState.UNCERTAIN)

    assert ledger.sent_body(call.request.key, 1) is None
    assert [doubt.body for doubt in ledger.doubts.of(mora.id)] == [b""]


def test_what_was_sent_stays_known_whatever_sheets_follow(ledger: Ledger, mora: Campaign) -> None:
    """A row that is recorded no more is kept with its attempt, to be read with its own headers."""
    first = record(ledger, mora, [asked_of(cells_of(n), n) for n in (2, 3, 4)], headers=HEADERS)
    two, three, four = due(ledger, first)
    sent = {call.request.key: send(ledger, call) for call in (two, three)}
    end(ledger, two, CallState.PLACED, call_id="id-2")
    end(ledger, three, CallState.UNCERTAIN)

    for shift in (10, 20):
        others = [asked_of((*cells_of(n)[:2], "", "", "otra"), n + shift) for n in (4, 3, 2)]
        second = record(ledger, mora, others, headers=("contact_id", "Nombre", "Nota"))

        (left,) = due(ledger, second)
        assert left.request.key == four.request.key
        assert {key: ledger.sent_body(key, 1) for key in sent} == sent
        (uncertain,) = ledger.doubts.of(mora.id)
        assert (uncertain.body, uncertain.row) == (sent[three.request.key], 3 + shift)


def test_a_body_of_a_newer_row_is_not_mixed_up_with_the_older_ones(
    ledger: Ledger, mora: Campaign
) -> None:
    first = record(ledger, mora, [asked_of(cells_of(2), 2)], headers=HEADERS)
    (call,) = due(ledger, first)
    before = send(ledger, call)
    end(ledger, call, CallState.REJECTED)
    changed = asked_of((*cells_of(2)[:4], "cambió"), 9)
    second = record(ledger, mora, [changed], headers=HEADERS)
    (again,) = due(ledger, second)

    after = send(ledger, again)
    record(ledger, mora, [asked_of(cells_of(5), 2)], headers=HEADERS)

    assert before != after
    assert [ledger.sent_body(changed.key, number) for number in (1, 2)] == [before, after]


def test_a_withdrawn_call_is_marked_anew_with_what_it_sends_then(
    ledger: Ledger, mora: Campaign
) -> None:
    snapshot = record(ledger, mora, [asked_of(cells_of(2), 2)], headers=HEADERS)
    (call,) = due(ledger, snapshot)
    send(ledger, call)
    back = Withdrawal(key=call.request.key, attempt=1, state=CallState.PENDING)
    ledger.commit([back], repeat_after_hours=0)

    sent = send(ledger, call, sent=b'{"something":"else"}')

    assert ledger.sent_body(call.request.key, 1) == sent


def test_purging_removes_what_rows_say_of_bodies_too(ledger: Ledger, mora: Campaign) -> None:
    first = record(ledger, mora, [asked_of(cells_of(n), n) for n in (2, 3)], headers=HEADERS)
    calls = due(ledger, first)
    for number, call in enumerate(calls):
        send(ledger, call)
        end(ledger, call, CallState.PLACED, call_id=f"id-{number}")
        if not number:
            record(ledger, mora, [asked_of(cells_of(3), 3)], headers=HEADERS)
    assert all(ledger.sent_body(call.request.key, 1) for call in calls)

    with ledger.holding.hold("mora"):
        ledger.purging.purge(mora, now=NOW + timedelta(days=90), repeat_after_hours=20)

    for call in calls:
        assert ledger.sent_body(call.request.key, 1) is None
        assert ledger.answer_excerpt(call.request.key, 1) is None
    (prospect,) = ledger.purging.prospects([mora], now=NOW, repeat_after_hours=0)
    assert prospect.is_purged


# Answers


@given(
    excerpt=st.text(st.characters() | st.sampled_from("\1\2\3"), max_size=60),
    call_id=TEXTS,
    created_at=TEXTS,
)
def test_any_excerpt_comes_back(excerpt: str, call_id: str, created_at: str) -> None:
    codec = AttemptCodec("mora", dictionary_of(HEADERS, asked_of(cells_of(2), 2), "mora"))

    kept = codec.pack_excerpt(excerpt, call_id=call_id, created_at=created_at)

    assert codec.excerpt(kept, call_id=call_id, created_at=created_at) == excerpt


def test_the_documented_answer_takes_few_bytes(ledger: Ledger, mora: Campaign, place: Path) -> None:
    snapshot = record(ledger, mora, [asked_of(cells_of(2), 2)], headers=HEADERS)
    (call,) = due(ledger, snapshot)
    send(ledger, call)

    end(ledger, call, CallState.PLACED, call_id=str(uuid.uuid4()))

    ((kept,),) = read(place, "SELECT length(excerpt) FROM attempts")
    assert isinstance(kept, int)
    assert kept < 60


def test_an_answer_of_each_attempt_comes_back_with_its_own_id(
    ledger: Ledger, mora: Campaign
) -> None:
    """Also a late one, whose id and time are not those of the call."""
    snapshot = record(ledger, mora, [asked_of(cells_of(2), 2)], headers=HEADERS)
    (call,) = due(ledger, snapshot)
    send(ledger, call)
    first, second = str(uuid.uuid4()), str(uuid.uuid4())

    for call_id in (first, second):
        end(ledger, call, CallState.PLACED, call_id=call_id)
        assert ledger.answer_excerpt(call.request.key, 1) == answer(call, call_id)

    assert ledger.answer_excerpt(call.request.key, 2) is None
    assert ledger.known_call_ids([first, second]) == {first}


# Ids


@given(st.one_of(TEXTS, st.uuids().map(str), st.uuids().map(lambda one: str(one).upper())))
def test_any_id_comes_back(call_id: str) -> None:
    assert spelled_id(kept_id(call_id)) == call_id


@pytest.mark.parametrize(
    ("call_id", "size"),
    [
        pytest.param("8f0a4a6c-0000-4a6c-9f5a-00000000beef", 16, id="a-uuid"),
        pytest.param("8F0A4A6C-0000-4A6C-9F5A-00000000BEEF", 36, id="in-capitals"),
        pytest.param("8f0a4a6c-0000-4a6c-9f5a-00000000beeg", 36, id="no-digits"),
        pytest.param("8f0a4a6c00-00-4a6c-9f5a-00000000beef", 36, id="other-hyphens"),
        pytest.param("call-1", 6, id="a-word"),
    ],
)
def test_an_id_that_is_a_uuid_takes_16_bytes(call_id: str, size: int) -> None:
    assert len(kept_id(call_id)) == size


def test_a_missing_id_stays_missing() -> None:
    column = CallIds()

    assert column.process_result_value(None, None) is None  # type: ignore[arg-type]


# What all of it takes


def test_a_placed_row_takes_less_than_400_bytes_above_its_text(
    ledger: Ledger, mora: Campaign, place: Path
) -> None:
    count = 3_000
    cells = [cells_of(number) for number in range(2, count + 2)]
    requests = [asked_of(row, number) for number, row in enumerate(cells, 2)]
    rows = [
        PlannedRow(number=request.row, cells=row, fate=request)
        for request, row in zip(requests, cells, strict=True)
    ]
    empty = place.stat().st_size
    snapshot = ledger.record(
        mora.id, HEAD, rows, digest_of=request_digest, remarks=lambda: (), at=NOW
    )
    calls = due(ledger, snapshot)
    ledger.commit([_mark(call) for call in calls], repeat_after_hours=0)
    ledger.commit([_placed(call) for call in calls], repeat_after_hours=0)
    ledger.close()

    with closing(sqlite3.connect(place)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    text = sum(len(",".join(row).encode()) + 1 for row in cells)
    assert (place.stat().st_size - empty - text) / count < 400


def _mark(call: DueCall) -> Mark:
    return Mark(
        key=call.request.key,
        contact=call.request.contact,
        state=call.state,
        body=body(call.request),
        request_digest=request_digest(call.request),
        at=NOW,
        due_at=NOW,
        asked=call,
    )


def _placed(call: DueCall) -> Outcome:
    call_id = str(uuid.uuid4())
    return Outcome(
        key=call.request.key,
        attempt=1,
        state=CallState.PLACED,
        verdict=Verdict.PLACED,
        http_status=201,
        call_id=call_id,
        created_at="2026-11-23T13:00:01Z",
        excerpt=answer(call, call_id),
        at=NOW,
    )
