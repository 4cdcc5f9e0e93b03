"""Recording sheets, reading them back, and which calls are due."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from dispatcher.errors import UsageProblem
from dispatcher.ledger import DueCalls, DueRules, Ledger, Prospect, open_ledger
from dispatcher.ledger.packing import Packer, RowCodec, dictionary_of, kind_of
from dispatcher.ledger.schema import calls, snapshot_rows, snapshots
from dispatcher.ledger.storage import Storage, moment_of, seconds
from dispatcher.model import (
    CallRequest,
    CallState,
    CallStatus,
    Campaign,
    Carried,
    Fate,
    Mark,
    Outcome,
    PlannedRow,
    Purpose,
    RecordedRow,
    RowProblem,
    RunStart,
    Schedule,
    Skip,
    Snapshot,
    SnapshotHead,
    Verdict,
)

NOW = datetime(2026, 11, 23, 13, 0, tzinfo=UTC)
HEADERS = ("contact_id", "nombre", "monto")
HEAD = SnapshotHead(
    file="/sheets/mora.csv",
    digest="d" * 64,
    settings_digest="s" * 32,
    format="csv",
    sheet="",
    encoding="utf-8",
    delimiter=";",
    headers=HEADERS,
    result_columns=(2,),
    remarks=(("cp1252", "read as cp1252"),),
)


def hexed(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:32]


def request(number: int, *, campaign: str = "mora", amount: str = "10,5") -> CallRequest:
    return CallRequest(
        key=hexed(f"{campaign} {number}"),
        contact=hexed(f"contact {number}"),
        row=number,
        contact_id=f"id-{number}",
        agent_id="agent",
        from_number_id="number",
        additional_data=(("nombre", "Ana"), ("monto", amount)),
    )


def planned(fate: Fate, number: int = 0) -> PlannedRow:
    if isinstance(fate, CallRequest):
        cells = (fate.contact_id, "Ana", dict(fate.additional_data)["monto"])
        return PlannedRow(number=fate.row, cells=cells, fate=fate)
    return PlannedRow(number=number, cells=("x", "", ""), fate=fate)


def digest_of(wanted: CallRequest) -> str:
    return json.dumps([wanted.contact_id, wanted.additional_data])


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with open_ledger(str(tmp_path / "l.db"), purpose=Purpose.REAL, create=True) as opened:
        yield opened


@pytest.fixture
def mora(ledger: Ledger) -> Campaign:
    return ledger.claim_campaign("mora", key_columns=("factura",), base_url="https://api", at=NOW)


def record(
    ledger: Ledger, campaign: Campaign, rows: Sequence[PlannedRow], *, at: datetime = NOW
) -> Snapshot:
    return ledger.record(
        campaign.id, HEAD, rows, digest_of=digest_of, remarks=lambda: (("a", "b"),), at=at
    )


def requests_of(*numbers: int, campaign: str = "mora") -> list[PlannedRow]:
    return [planned(request(number, campaign=campaign)) for number in numbers]


def read(ledger: Ledger, snapshot: Snapshot) -> list[RecordedRow]:
    return list(ledger.rows(snapshot, repeat_after_hours=20, as_of=NOW))


def settle(
    ledger: Ledger, wanted: CallRequest, state: CallState, *, code: str = "", at: datetime = NOW
) -> None:
    """Send a pending call and let it end in *state*."""
    mark = Mark(
        key=wanted.key,
        contact=wanted.contact,
        state=CallState.PENDING,
        body=b"{}",
        request_digest=digest_of(wanted),
        at=at,
        due_at=at,
    )
    (attempt,) = ledger.commit([mark], repeat_after_hours=0)
    assert isinstance(attempt, int)
    if state is not CallState.SENDING:
        is_placed = state is CallState.PLACED
        outcome = Outcome(
            key=wanted.key,
            attempt=attempt,
            state=state,
            verdict=Verdict.PLACED if is_placed else Verdict.UNCERTAIN,
            code=code,
            call_id=f"call-{wanted.row}" if is_placed else "",
            at=at,
        )
        ledger.commit([outcome], repeat_after_hours=0)


def count_of(ledger: Ledger, what: str) -> int:
    table = {"calls": calls, "rows": snapshot_rows, "snapshots": snapshots}[what]
    with ledger._storage.reading() as connection:
        return connection.execute(select(func.count()).select_from(table)).scalar_one()


# Campaigns


def test_a_campaign_is_created_once_and_found_by_name(ledger: Ledger, mora: Campaign) -> None:
    again = ledger.claim_campaign("mora", key_columns=("factura",), base_url="https://api")
    other = ledger.claim_campaign("otra", key_columns=(), base_url="sandbox")

    assert again == mora
    assert ledger.campaign("mora") == mora
    assert ledger.campaign("nobody") is None
    assert ledger.campaigns() == (mora, other)


@pytest.mark.parametrize(
    ("key_columns", "base_url", "said"),
    [((), "https://api", "factura"), (("factura",), "https://other", "https://api")],
    ids=["key_columns", "base_url"],
)
def test_a_campaign_refuses_what_it_was_not_begun_with(
    ledger: Ledger, mora: Campaign, key_columns: tuple[str, ...], base_url: str, said: str
) -> None:
    with pytest.raises(UsageProblem, match=said) as caught:
        ledger.claim_campaign(mora.name, key_columns=key_columns, base_url=base_url)

    assert "--campaign" in caught.value.hint


# Recording


def test_a_snapshot_comes_back_as_it_was_recorded(ledger: Ledger, mora: Campaign) -> None:
    schedule = Schedule(local="2026-11-24 10:00:00", timezone="America/Lima", at=NOW)
    full = replace(request(2), schedule=schedule, metadata=(("origen", "x"),), delay_minutes=1.5)
    carried = Carried(
        key=hexed("k"),
        contact=hexed("c"),
        call_id="old",
        status=CallStatus.PLACED,
        created_at="t",
        sent_at="u",
        error_code="v",
        error="w",
    )
    rows = [
        planned(full),
        planned(RowProblem(code="no_contact", column="contact_id", message="m"), 4),
        planned(Skip(code="duplicate", message="m"), 5),
        planned(carried, 6),
        planned(Carried(key="", contact="", call_id="", status=CallStatus.UNCERTAIN), 7),
    ]

    snapshot = record(ledger, mora, rows)

    assert snapshot.rows == 5
    assert snapshot.head == replace(HEAD, remarks=(*HEAD.remarks, ("a", "b")))
    assert snapshot == ledger.last_snapshot(mora.id)
    found = read(ledger, snapshot)
    assert [(row.number, row.cells, row.fate) for row in found] == [
        (row.number, row.cells, row.fate) for row in rows
    ]
    assert [row.call is not None for row in found] == [True, False, False, False, False]


@pytest.mark.parametrize("count", [0, 1, 999, 1000, 1001, 2000, 2001])
def test_any_number_of_rows_is_recorded_and_read(
    ledger: Ledger, mora: Campaign, count: int
) -> None:
    skip = Skip(code="s", message="")

    snapshot = record(ledger, mora, [planned(skip, number) for number in range(2, count + 2)])

    assert snapshot.rows == count
    assert [row.number for row in read(ledger, snapshot)] == list(range(2, count + 2))


def test_a_million_rows_are_not_one_transaction(ledger: Ledger, mora: Campaign) -> None:
    seen: list[int] = []

    def rows() -> Iterator[PlannedRow]:
        for number in range(1, 2_502):
            if number % 500 == 0:
                seen.append(count_of(ledger, "rows"))
            yield planned(Skip(code="s", message=""), number)

    record(ledger, mora, list(requests_of(1)))
    ledger.record(mora.id, HEAD, rows(), digest_of=digest_of, remarks=lambda: (), at=NOW)

    assert seen == [1, 1, 1001, 1001, 2001]


def test_a_recording_that_broke_off_counts_for_nothing_and_is_cleared(
    ledger: Ledger, mora: Campaign
) -> None:
    first = record(ledger, mora, requests_of(2, 3))

    def breaks_off() -> Iterator[PlannedRow]:
        yield from requests_of(*range(2, 1_500))
        raise OSError("the file changed")

    with pytest.raises(OSError, match="the file changed"):
        ledger.record(mora.id, HEAD, breaks_off(), digest_of=digest_of, remarks=lambda: (), at=NOW)

    assert ledger.last_snapshot(mora.id) == first
    assert count_of(ledger, "calls") == 1_000
    again = record(ledger, mora, requests_of(2, 3, 4))
    assert count_of(ledger, "calls") == 3
    assert count_of(ledger, "snapshots") == 2
    assert ledger.other_pending(mora.id, again.id) == 0


def test_only_the_last_two_snapshots_keep_their_rows(ledger: Ledger, mora: Campaign) -> None:
    oldest = record(ledger, mora, requests_of(*range(2, 1_100)))
    last_but_one = record(ledger, mora, requests_of(2, 3))

    last = record(ledger, mora, requests_of(2))

    assert [len(read(ledger, one)) for one in (oldest, last_but_one, last)] == [0, 2, 1]
    assert count_of(ledger, "calls") == 1_098


def test_calls_keep_what_became_of_them_when_their_sheet_is_recorded_again(
    ledger: Ledger, mora: Campaign
) -> None:
    record(ledger, mora, requests_of(2, 3))
    settle(ledger, request(2), CallState.PLACED)

    snapshot = record(ledger, mora, [planned(request(3)), planned(replace(request(2), row=9))])

    states = [(row.number, row.call.state) for row in read(ledger, snapshot) if row.call]
    assert states == [(3, CallState.PENDING), (9, CallState.PLACED)]


def test_pending_calls_of_people_who_left_the_sheet_are_counted(
    ledger: Ledger, mora: Campaign
) -> None:
    record(ledger, mora, requests_of(2, 3, 4, 5))
    settle(ledger, request(4), CallState.PLACED)

    snapshot = record(ledger, mora, requests_of(2))

    assert ledger.other_pending(mora.id, snapshot.id) == 2


def test_a_carried_row_is_told_by_the_ledger_where_it_knows_more(
    ledger: Ledger, mora: Campaign
) -> None:
    wanted = [request(number) for number in (2, 3, 4)]
    record(ledger, mora, [planned(one) for one in wanted])
    settle(ledger, wanted[0], CallState.PLACED)
    fates = [
        Carried(key=one.key, contact=one.contact, call_id="c", status=CallStatus.UNCERTAIN)
        for one in [*wanted[:2], request(99)]
    ]

    rows = read(ledger, record(ledger, mora, [planned(f, n) for n, f in enumerate(fates, 2)]))

    assert [row.call and row.call.state for row in rows] == [CallState.PLACED, None, None]
    assert not any(row.call and row.call.changed for row in rows)


@pytest.mark.parametrize("at", [NOW, NOW.replace(microsecond=999_999)], ids=["even", "odd"])
def test_moments_come_back_to_the_microsecond(at: datetime) -> None:
    assert moment_of(seconds(at)) == at
    assert moment_of(seconds(at.astimezone())) == at


@given(st.datetimes(datetime(2020, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001
def test_every_moment_comes_back(at: datetime) -> None:
    assert moment_of(seconds(at)) == at


TEXTS = st.text(max_size=12)
HEADER_ROWS = st.lists(TEXTS, min_size=1, max_size=5)


@st.composite
def rows_of_any_kind(draw: st.DrawFn) -> tuple[list[str], tuple[str, ...], Fate]:
    headers = draw(HEADER_ROWS)
    cells = tuple(draw(st.lists(TEXTS, min_size=len(headers), max_size=len(headers))))
    names = st.sampled_from(headers) | TEXTS
    pairs = st.lists(st.tuples(names, st.sampled_from(cells) | TEXTS), max_size=5).map(tuple)
    schedules = st.builds(
        Schedule,
        local=TEXTS,
        timezone=TEXTS,
        at=st.datetimes(datetime(2020, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    )
    fates = (
        st.builds(
            CallRequest,
            key=st.just("k"),
            contact=st.just("c"),
            row=st.just(7),
            contact_id=TEXTS,
            agent_id=TEXTS,
            from_number_id=TEXTS,
            additional_data=pairs,
            metadata=pairs,
            delay_minutes=st.floats(0, 1e6),
            schedule=st.none() | schedules,
        )
        | st.builds(RowProblem, code=TEXTS, column=TEXTS, message=TEXTS)
        | st.builds(Skip, code=TEXTS, message=TEXTS)
        | st.builds(
            Carried,
            key=TEXTS,
            contact=TEXTS,
            call_id=TEXTS,
            status=st.sampled_from(CallStatus),
            error=TEXTS,
        )
    )
    return headers, cells, draw(fates)


@settings(max_examples=150)
@given(rows_of_any_kind(), st.booleans())
def test_any_row_comes_back_from_its_payload(
    row: tuple[list[str], tuple[str, ...], Fate],
    knows_a_request: bool,  # noqa: FBT001
) -> None:
    headers, cells, fate = row
    first = fate if knows_a_request and isinstance(fate, CallRequest) else None
    codec = RowCodec(headers, Packer(dictionary_of(headers, first, "campaña")))

    payload = codec.encode(cells, fate)

    kind = kind_of(fate)
    assert codec.decode(kind, payload, number=7, key="k", contact="c") == (cells, fate)


def test_half_a_surrogate_pair_comes_back(ledger: Ledger, mora: Campaign) -> None:
    row = PlannedRow(number=2, cells=("\ud83d", "", ""), fate=Skip(code="s", message=""))

    snapshot = record(ledger, mora, [row])

    assert read(ledger, snapshot)[0].cells == row.cells


def test_a_row_costs_at_most_400_bytes_above_its_text(ledger: Ledger, mora: Campaign) -> None:
    rows = requests_of(*range(2, 5_002))
    before = Path(ledger.location).stat().st_size

    record(ledger, mora, rows)
    ledger.close()

    text = sum(len(cell.encode()) + 1 for row in rows for cell in row.cells)
    size = Path(ledger.location).stat().st_size - before
    assert (size - text) / len(rows) < 400


# What each row shows


def test_a_row_shows_that_it_asks_for_something_else_now(ledger: Ledger, mora: Campaign) -> None:
    record(ledger, mora, requests_of(2, 3))
    settle(ledger, request(2), CallState.PLACED)
    settle(ledger, request(3), CallState.PLACED)

    snapshot = record(ledger, mora, [planned(request(2)), planned(request(3, amount="99"))])

    assert [row.call and row.call.changed for row in read(ledger, snapshot)] == [False, True]


HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("state", "ago", "hours", "recently"),
    [
        (CallState.PLACED, 19 * HOUR, 20, True),
        (CallState.PLACED, 21 * HOUR, 20, False),
        (CallState.PLACED, -48 * HOUR, 20, True),
        (CallState.UNCERTAIN, 19 * HOUR, 20, True),
        (CallState.UNCERTAIN, 19 * HOUR, 0, False),
        (CallState.PLACED, -48 * HOUR, 0, False),
        (CallState.SENDING, 48 * HOUR, 20, True),
        (CallState.SENDING, 48 * HOUR, 0, True),
        (CallState.FAILED, 1 * HOUR, 20, False),
        (CallState.REJECTED, 1 * HOUR, 20, False),
    ],
)
def test_a_pending_row_shows_that_another_campaign_has_called_its_contact(
    ledger: Ledger,
    mora: Campaign,
    state: CallState,
    ago: timedelta,
    hours: float,
    recently: bool,  # noqa: FBT001
) -> None:
    otra = ledger.claim_campaign("otra", key_columns=(), base_url="https://api")
    record(ledger, otra, requests_of(2, campaign="otra"))
    settle(ledger, request(2, campaign="otra"), state, at=NOW - ago)
    snapshot = record(ledger, mora, requests_of(2, 3))

    rows = list(ledger.rows(snapshot, repeat_after_hours=hours, as_of=NOW))

    assert [row.call and row.call.called_recently for row in rows] == [recently, False]


def test_what_was_placed_itself_is_not_called_recently(ledger: Ledger, mora: Campaign) -> None:
    snapshot = record(ledger, mora, requests_of(2))
    settle(ledger, request(2), CallState.PLACED)

    (row,) = read(ledger, snapshot)

    assert row.call
    assert row.call.call_id == "call-2"
    assert row.call.sent_at == NOW
    assert not row.call.called_recently


def test_one_row_is_found_by_its_number(ledger: Ledger, mora: Campaign) -> None:
    snapshot = record(ledger, mora, requests_of(2, 4))

    found = ledger.find_row(snapshot, 4)

    assert found
    assert found.fate == request(4)
    assert ledger.find_row(snapshot, 3) is None
    assert ledger.find_row(snapshot, 5) is None


def test_rows_are_read_by_their_numbers(ledger: Ledger, mora: Campaign) -> None:
    snapshot = record(ledger, mora, requests_of(*range(2, 2_500)))
    wanted = [*range(3, 2_499, 2)]

    rows = ledger.rows(snapshot, repeat_after_hours=0, as_of=NOW, numbers=wanted)

    assert [row.number for row in rows] == wanted


# Rows that say no more than their status


def scheduled(number: int, at: datetime) -> CallRequest:
    wish = Schedule(local=f"{at:%Y-%m-%d %H:%M:%S}", timezone="UTC", at=at)
    return replace(request(number), schedule=wish)


def test_what_is_simply_placed_or_pending_is_counted_and_the_rest_is_named(
    ledger: Ledger, mora: Campaign
) -> None:
    otra = ledger.claim_campaign("otra", key_columns=(), base_url="https://api")
    record(ledger, otra, requests_of(4, campaign="otra"))
    settle(ledger, request(4, campaign="otra"), CallState.PLACED)
    rows = [
        *requests_of(2, 3, 4),
        planned(scheduled(5, NOW)),
        planned(scheduled(6, NOW + timedelta(seconds=1))),
        planned(RowProblem(code="p", column="", message=""), 7),
        planned(Skip(code="s", message=""), 8),
        planned(Carried(key="", contact="", call_id="c", status=CallStatus.PLACED), 9),
        *requests_of(*range(10, 16)),
    ]
    snapshot = record(ledger, mora, rows)
    settle(ledger, request(2), CallState.PLACED)
    settle(ledger, request(10), CallState.PLACED, code="wrong_contact")
    for number, state in enumerate(list(CallState)[1:], 11):
        settle(ledger, request(number), state)

    plain = ledger.plain_rows(snapshot, repeat_after_hours=20, as_of=NOW)

    assert (plain.placed, plain.pending) == (2, 2)  # 2 and 12; 3 and 6
    assert list(plain.others) == [4, 5, 7, 8, 9, 10, 11, 13, 14, 15]


def test_what_was_placed_with_other_data_is_not_simply_placed(
    ledger: Ledger, mora: Campaign
) -> None:
    record(ledger, mora, requests_of(2, 3))
    settle(ledger, request(2), CallState.PLACED)
    settle(ledger, request(3), CallState.PLACED)
    snapshot = record(ledger, mora, [*requests_of(2), planned(request(3, amount="7"))])

    plain = ledger.plain_rows(snapshot, repeat_after_hours=20, as_of=NOW)

    assert plain.placed == 1
    assert list(plain.others) == [3]


# Overlap


def overlap_of(
    ledger: Ledger, mora: Campaign, mine: Sequence[int], *, since: datetime
) -> tuple[str, int] | None:
    snapshot = record(ledger, mora, requests_of(*mine))
    return ledger.overlap(mora.id, snapshot.id, since=since)


def test_a_campaign_that_holds_half_of_the_rows_is_named(ledger: Ledger, mora: Campaign) -> None:
    small = ledger.claim_campaign("small", key_columns=(), base_url="https://api")
    large = ledger.claim_campaign("large", key_columns=(), base_url="https://api")
    record(ledger, small, requests_of(2, campaign="small"))
    record(ledger, large, requests_of(2, 3, 9, campaign="large"))

    found = overlap_of(ledger, mora, (2, 3, 4, 5), since=NOW - 24 * HOUR)

    assert found == ("large", 2)


@pytest.mark.parametrize(
    ("theirs", "state", "since"),
    [
        ((2,), CallState.PENDING, NOW - HOUR),
        ((2, 3), CallState.REJECTED, NOW - HOUR),
        ((2, 3), CallState.PENDING, NOW + HOUR),
        ((8, 9), CallState.PENDING, NOW - HOUR),
    ],
    ids=["less_than_half", "none_was_called", "long_ago", "other_people"],
)
def test_a_campaign_that_holds_less_or_is_old_is_not_named(
    ledger: Ledger,
    mora: Campaign,
    theirs: tuple[int, ...],
    state: CallState,
    since: datetime,
) -> None:
    otra = ledger.claim_campaign("otra", key_columns=(), base_url="https://api")
    record(ledger, otra, requests_of(*theirs, campaign="otra"))
    if state is not CallState.PENDING:
        settle(ledger, request(theirs[0], campaign="otra"), state)

    assert overlap_of(ledger, mora, (2, 3, 4), since=since) is None


# Due


def offered(ledger: Ledger, snapshot: Snapshot, rules: DueRules) -> DueCalls:
    return ledger.due(snapshot, rules, repeat_after_hours=20, as_of=NOW)


def numbers_due(ledger: Ledger, snapshot: Snapshot, rules: DueRules) -> list[int]:
    return [due.request.row for due in offered(ledger, snapshot, rules)]


def test_pending_calls_come_first_and_in_order_of_rows(ledger: Ledger, mora: Campaign) -> None:
    snapshot = record(ledger, mora, requests_of(*range(2, 2_300)))
    settle(ledger, request(2), CallState.FAILED)
    settle(ledger, request(3), CallState.PLACED)
    settle(ledger, request(4), CallState.UNCERTAIN)
    settle(ledger, request(5), CallState.SENDING)
    settle(ledger, request(6), CallState.REJECTED, code="http_400")

    found = offered(ledger, snapshot, DueRules())
    due = list(found)

    assert found.count == len(due)
    assert [one.request.row for one in due] == [*range(7, 2_300), 2]
    assert due[0].request == request(7)
    assert due[-1].state is CallState.FAILED


@pytest.mark.parametrize(
    ("rules", "numbers"),
    [
        (DueRules(), [4]),
        (DueRules(stopping_codes=frozenset({"key_refused"})), [3, 4]),
        (DueRules(retry_rejected=True), [2, 3, 4]),
    ],
    ids=["changed", "stopped_a_run", "asked_for"],
)
def test_rejected_calls_are_due_when_there_is_a_reason(
    ledger: Ledger, mora: Campaign, rules: DueRules, numbers: list[int]
) -> None:
    record(ledger, mora, requests_of(2, 3, 4))
    settle(ledger, request(2), CallState.REJECTED, code="http_400")
    settle(ledger, request(3), CallState.REJECTED, code="key_refused")
    settle(ledger, request(4), CallState.REJECTED, code="http_400")

    snapshot = record(ledger, mora, [*requests_of(2, 3), planned(request(4, amount="7"))])

    assert numbers_due(ledger, snapshot, rules) == numbers


@pytest.mark.parametrize(("retry", "numbers"), [(False, [4]), (True, [3, 4])])
def test_what_a_person_settled_as_not_placed_is_due_only_when_asked_for(
    ledger: Ledger,
    mora: Campaign,
    retry: bool,  # noqa: FBT001
    numbers: list[int],
) -> None:
    snapshot = record(ledger, mora, requests_of(3, 4))
    settle(ledger, request(3), CallState.FAILED, code="resolved_not_placed")
    settle(ledger, request(4), CallState.FAILED, code="schedule_past")

    assert numbers_due(ledger, snapshot, DueRules(retry_unplaced=retry)) == numbers


def test_what_this_run_made_of_a_call_does_not_bring_it_up_again(
    ledger: Ledger, mora: Campaign
) -> None:
    snapshot = record(ledger, mora, requests_of(2, 3, 4))
    settle(ledger, request(4), CallState.REJECTED)

    rows = []
    for due in offered(ledger, snapshot, DueRules(retry_rejected=True)):
        rows.append(due.request.row)
        if due.state is CallState.PENDING:
            settle(
                ledger,
                due.request,
                CallState.REJECTED if due.request.row == 2 else CallState.FAILED,
            )

    assert rows == [2, 3, 4]


def test_a_call_that_moved_on_since_it_was_found_is_not_offered(
    ledger: Ledger, mora: Campaign
) -> None:
    snapshot = record(ledger, mora, requests_of(*range(2, 1_005)))

    found = offered(ledger, snapshot, DueRules())
    next(found)
    settle(ledger, request(1_003), CallState.PLACED)

    assert [due.request.row for due in found] == [*range(3, 1_003), 1_004]


def test_calls_whose_schedule_is_past_are_found_and_counted(ledger: Ledger, mora: Campaign) -> None:
    wishes = [NOW - timedelta(days=1), NOW, NOW + timedelta(seconds=1)]
    rows = [planned(scheduled(number, at)) for number, at in enumerate(wishes, 3)]
    snapshot = record(ledger, mora, [*requests_of(2), *rows])

    found = offered(ledger, snapshot, DueRules())

    assert (found.count, found.late) == (4, 2)
    assert [due.request.row for due in found] == [2, 3, 4, 5]


def test_only_calls_of_the_snapshot_are_due(ledger: Ledger, mora: Campaign) -> None:
    record(ledger, mora, requests_of(2, 3))
    snapshot = record(ledger, mora, [planned(Skip(code="s", message=""), 2), *requests_of(4)])

    assert numbers_due(ledger, snapshot, DueRules()) == [4]


@pytest.mark.parametrize(
    ("state", "numbers"),
    [(CallState.PLACED, [3]), (CallState.UNCERTAIN, [3]), (CallState.SENDING, [2, 3])],
)
def test_a_contact_that_was_called_recently_is_not_offered_but_one_being_called_is(
    ledger: Ledger, mora: Campaign, state: CallState, numbers: list[int]
) -> None:
    otra = ledger.claim_campaign("otra", key_columns=(), base_url="https://api")
    record(ledger, otra, requests_of(2, campaign="otra"))
    settle(ledger, request(2, campaign="otra"), state)
    snapshot = record(ledger, mora, requests_of(2, 3))

    assert numbers_due(ledger, snapshot, DueRules()) == numbers


# What a run would find


def prospect(number: int, *, amount: str = "10,5", campaign: str = "mora") -> Prospect:
    wanted = request(number, amount=amount, campaign=campaign)
    return Prospect(key=wanted.key, contact=wanted.contact, request_digest=digest_of(wanted))


def numbers_sendable(
    ledger: Ledger, prospects: Sequence[Prospect], rules: DueRules, *, hours: float = 20
) -> list[int]:
    keys = ledger.sendable(prospects, rules, repeat_after_hours=hours, as_of=NOW)
    return [number for number, one in enumerate(prospects) if one.key in keys]


def test_a_run_would_send_what_is_new_pending_or_failed(ledger: Ledger, mora: Campaign) -> None:
    record(ledger, mora, requests_of(*range(6)))
    settle(ledger, request(1), CallState.PLACED)
    settle(ledger, request(2), CallState.UNCERTAIN)
    settle(ledger, request(3), CallState.SENDING)
    settle(ledger, request(4), CallState.FAILED)
    settle(ledger, request(5), CallState.FAILED, code="resolved_not_placed")
    prospects = [prospect(number) for number in range(7)]

    assert numbers_sendable(ledger, prospects, DueRules()) == [0, 4, 6]
    assert numbers_sendable(ledger, prospects, DueRules(retry_unplaced=True)) == [0, 4, 5, 6]


@pytest.mark.parametrize(
    ("rules", "numbers"),
    [
        (DueRules(), [2]),
        (DueRules(stopping_codes=frozenset({"key_refused"})), [1, 2]),
        (DueRules(retry_rejected=True), [0, 1, 2]),
    ],
    ids=["changed", "stopped_a_run", "asked_for"],
)
def test_a_run_would_send_rejected_calls_for_the_same_reasons(
    ledger: Ledger, mora: Campaign, rules: DueRules, numbers: list[int]
) -> None:
    record(ledger, mora, requests_of(0, 1, 2))
    settle(ledger, request(0), CallState.REJECTED, code="http_400")
    settle(ledger, request(1), CallState.REJECTED, code="key_refused")
    settle(ledger, request(2), CallState.REJECTED, code="http_400")

    found = numbers_sendable(ledger, [prospect(0), prospect(1), prospect(2, amount="7")], rules)

    assert found == numbers


@pytest.mark.parametrize(("hours", "numbers"), [(20, [1]), (0, [0, 1])])
def test_a_run_would_leave_contacts_alone_that_others_called(
    ledger: Ledger, mora: Campaign, hours: float, numbers: list[int]
) -> None:
    otra = ledger.claim_campaign("otra", key_columns=(), base_url="https://api")
    record(ledger, otra, requests_of(0, campaign="otra"))
    settle(ledger, request(0, campaign="otra"), CallState.PLACED)
    record(ledger, mora, requests_of(0))

    found = numbers_sendable(ledger, [prospect(0), prospect(1)], DueRules(), hours=hours)

    assert found == numbers


def test_the_calls_of_each_campaign_are_counted_by_state(ledger: Ledger, mora: Campaign) -> None:
    otra = ledger.claim_campaign("otra", key_columns=(), base_url="https://api")
    record(ledger, mora, requests_of(2, 3, 4))
    settle(ledger, request(2), CallState.PLACED)

    first, second = ledger.states()

    assert first.campaign == mora
    assert first.states == {CallState.PLACED: 1, CallState.PENDING: 2}
    assert second.campaign == otra
    assert second.states == {}


def test_other_campaigns_with_pending_calls_are_named(ledger: Ledger, mora: Campaign) -> None:
    for name, numbers in (("dos", (2, 3)), ("tres", (4,)), ("cero", ())):
        other = ledger.claim_campaign(name, key_columns=(), base_url="https://api")
        record(ledger, other, requests_of(*numbers, campaign=name))
    record(ledger, mora, requests_of(2))

    assert ledger.pending_elsewhere(mora.id) == (("dos", 2), ("tres", 1))


def test_a_campaign_that_never_ran_can_be_forgotten(ledger: Ledger, mora: Campaign) -> None:
    otra = ledger.claim_campaign("otra", key_columns=(), base_url="https://api")
    record(ledger, otra, requests_of(2, campaign="otra"))
    record(ledger, mora, requests_of(2, 3))

    assert ledger.forget(mora.id)

    assert ledger.campaigns() == (otra,)
    assert [count_of(ledger, what) for what in ("calls", "rows", "snapshots")] == [1, 1, 1]


def test_a_campaign_that_ran_is_never_forgotten(ledger: Ledger, mora: Campaign) -> None:
    snapshot = record(ledger, mora, requests_of(2))
    ledger.begin_run(
        RunStart(
            campaign_id=mora.id,
            snapshot_id=snapshot.id,
            user="u",
            host="h",
            version="1",
            arguments="[]",
            settings="{}",
            started_at=NOW,
        )
    )

    assert not ledger.forget(mora.id)
    assert ledger.last_snapshot(mora.id) == snapshot


def test_ids_are_known_from_calls_and_from_carried_rows(ledger: Ledger, mora: Campaign) -> None:
    carried = Carried(key="", contact="", call_id="carried-1", status=CallStatus.PLACED)
    record(ledger, mora, [*requests_of(2), planned(carried, 3)])
    settle(ledger, request(2), CallState.PLACED)

    known = ledger.known_call_ids(["call-2", "carried-1", *(f"no-{n}" for n in range(1_500))])

    assert known == {"call-2", "carried-1"}
    assert ledger.known_call_ids([]) == frozenset()


def test_a_storage_of_its_own_finds_the_same(ledger: Ledger, mora: Campaign) -> None:
    storage = Storage(Path(ledger.location), writable=False)

    with storage.reading() as connection:
        assert connection.exec_driver_sql("SELECT name FROM campaigns").scalars().all() == ["mora"]

    assert mora.name == "mora"
    storage.close()
