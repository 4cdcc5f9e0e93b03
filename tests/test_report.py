"""What the results sheet, the counts and the end of a run say."""

from __future__ import annotations

import json
import signal
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfoNotFoundError

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.model import (
    CallRecord,
    CallRequest,
    CallState,
    CallStatus,
    Carried,
    Fate,
    Purpose,
    RecordedRow,
    ResultRow,
    RowProblem,
    Schedule,
    Skip,
    StopWord,
)
from dispatcher.report import (
    RESULT_COLUMNS,
    CodeGroup,
    RunFacts,
    Totals,
    count,
    exit_status,
    headers_of,
    line_of,
    result_of,
    run_json,
    summary_lines,
    summary_pairs,
    this_run_counts,
)

NOW = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)
PROBLEM = RowProblem(code="no_contact", column="contact_id", message="No id; fill it in")
REQUEST = CallRequest(
    key="0" * 32, contact="1" * 32, row=7, contact_id="c-7", agent_id="a", from_number_id="n"
)
CARRIED = Carried(
    key="0" * 32,
    contact="1" * 32,
    call_id="call-old",
    status=CallStatus.PLACED,
    created_at="then",
    sent_at="earlier",
    error_code="old_code",
    error="old sentence",
)
PLACED = CallRecord(
    state=CallState.PLACED,
    http_status=201,
    call_id="call-7",
    created_at="2026-11-20T14:00:00Z",
    attempts=2,
    sent_at=NOW,
)


def judged(
    fate: Fate, call: CallRecord | None = None, *, timezone: str = "", as_of: datetime = NOW
) -> ResultRow:
    row = RecordedRow(number=7, cells=("c-7", "Ana"), fate=fate, call=call)
    return result_of(row, campaign="debt", timezone=timezone, as_of=as_of)


def scheduled(at: datetime) -> CallRequest:
    wished = Schedule(local="2026-11-20 12:00:00", timezone="UTC", at=at)
    return replace(REQUEST, schedule=wished)


def counts_of(**words: int) -> dict[CallStatus, int]:
    return dict.fromkeys(CallStatus, 0) | {CallStatus(w): n for w, n in words.items()}


# --- one row


@pytest.mark.parametrize(
    ("fate", "status", "code"),
    [
        pytest.param(PROBLEM, CallStatus.INVALID, "no_contact", id="problem"),
        pytest.param(
            Skip(code="duplicate", message="As row 3"), CallStatus.SKIPPED, "duplicate", id="skip"
        ),
    ],
)
def test_a_row_without_a_call_shows_why(fate: Fate, status: CallStatus, code: str) -> None:
    row = judged(fate)

    assert (row.status, row.error_code, row.attempts, row.sent_at) == (status, code, 0, "")
    assert row.error == getattr(fate, "message", "")
    assert (row.number, row.cells, row.campaign) == (7, ("c-7", "Ana"), "debt")


@pytest.mark.parametrize(
    "state",
    [CallState.PLACED, CallState.REJECTED, CallState.FAILED, CallState.UNCERTAIN],
)
def test_a_settled_call_shows_as_the_ledger_has_it(state: CallState) -> None:
    call = replace(PLACED, state=state, code="some_code", message="A sentence", changed=True)

    row = judged(REQUEST, call)

    assert row.status == state.value
    assert (row.error_code, row.error) == ("some_code", "A sentence")
    assert (row.call_id, row.created_at) == ("call-7", "2026-11-20T14:00:00Z")
    assert (row.http_status, row.attempts) == (201, 2)


def test_a_call_placed_with_other_data_says_so() -> None:
    row = judged(REQUEST, replace(PLACED, changed=True))

    assert (row.status, row.error_code) == (CallStatus.PLACED, "placed_with_other_data")
    assert "not placed again" in row.error


def test_a_plainly_placed_call_has_no_code() -> None:
    assert judged(REQUEST, PLACED).error_code == ""


def test_a_call_in_flight_shows_as_uncertain() -> None:
    row = judged(REQUEST, CallRecord(state=CallState.SENDING, attempts=1, sent_at=NOW))

    assert (row.status, row.error_code) == (CallStatus.UNCERTAIN, "in_flight")


def test_a_pending_call_keeps_its_last_code() -> None:
    call = CallRecord(state=CallState.PENDING, code="rate_limited", message="429", attempts=3)

    row = judged(REQUEST, call)

    assert (row.status, row.error_code, row.attempts) == (CallStatus.PENDING, "rate_limited", 3)


def test_a_request_the_ledger_has_no_call_of_is_pending() -> None:
    assert judged(REQUEST).status is CallStatus.PENDING


def test_a_pending_call_to_somebody_called_recently_is_skipped() -> None:
    row = judged(REQUEST, CallRecord(state=CallState.PENDING, called_recently=True))

    assert (row.status, row.error_code) == (CallStatus.SKIPPED, "called_recently")


def test_a_placed_call_is_not_skipped_for_being_recent() -> None:
    assert judged(REQUEST, replace(PLACED, called_recently=True)).status is CallStatus.PLACED


@pytest.mark.parametrize(
    ("seconds", "status"),
    [
        pytest.param(-1, CallStatus.INVALID, id="past"),
        pytest.param(0, CallStatus.INVALID, id="at this moment"),
        pytest.param(1, CallStatus.PENDING, id="ahead"),
    ],
)
def test_a_schedule_is_judged_at_the_moment_asked_for(seconds: int, status: CallStatus) -> None:
    request = scheduled(NOW + timedelta(seconds=seconds))

    row = judged(request, CallRecord(state=CallState.PENDING))

    assert row.status is status
    assert row.error_code == ("schedule_past" if status is CallStatus.INVALID else "")


def test_a_past_schedule_does_not_hide_that_the_call_was_placed() -> None:
    assert judged(scheduled(NOW - timedelta(days=1)), PLACED).status is CallStatus.PLACED


@pytest.mark.parametrize(
    "call",
    [
        pytest.param(None, id="unknown to the ledger"),
        pytest.param(CallRecord(state=CallState.PENDING), id="never placed by the ledger"),
    ],
)
def test_a_carried_row_keeps_what_the_sheet_says(call: CallRecord | None) -> None:
    row = judged(CARRIED, call)

    assert (row.status, row.call_id) == (CallStatus.PLACED, "call-old")
    assert (row.created_at, row.sent_at) == ("then", "earlier")
    assert (row.error_code, row.error) == ("old_code", "old sentence")


@pytest.mark.parametrize("state", [s for s in CallState if s is not CallState.PENDING])
def test_the_ledger_decides_over_a_carried_row(state: CallState) -> None:
    row = judged(CARRIED, replace(PLACED, state=state))

    assert row.call_id == "call-7"
    assert row.status == ("uncertain" if state is CallState.SENDING else state.value)


@pytest.mark.parametrize(
    ("timezone", "shown"),
    [
        pytest.param("", "2026-11-20T15:00:00+00:00", id="UTC"),
        pytest.param("America/Argentina/Buenos_Aires", "2026-11-20T12:00:00-03:00", id="zone"),
    ],
)
def test_the_moment_of_sending_is_in_the_configured_zone(timezone: str, shown: str) -> None:
    assert judged(REQUEST, PLACED, timezone=timezone).sent_at == shown


def test_an_unknown_zone_is_refused() -> None:
    with pytest.raises(ZoneInfoNotFoundError):
        judged(REQUEST, PLACED, timezone="Mars/One")


def test_a_line_has_the_input_and_the_ten_columns() -> None:
    row = judged(REQUEST, PLACED)

    line = line_of(row, result_columns=())

    assert line[:2] == ("c-7", "Ana")
    assert dict(zip(RESULT_COLUMNS, line[2:], strict=True)) == {
        "call_status": "placed",
        "call_id": "call-7",
        "call_created_at": "2026-11-20T14:00:00Z",
        "call_error_code": "",
        "call_error": "",
        "call_http_status": "201",
        "call_attempts": "2",
        "call_sent_at": "2026-11-20T15:00:00+00:00",
        "call_campaign": "debt",
        "source_row": "7",
    }


def test_result_columns_of_the_input_are_replaced() -> None:
    headers = ("call_status", "contact_id", "call_id", "name")
    row = ResultRow(number=2, cells=("old", "c", "old", "Ana"), status=CallStatus.PENDING)

    assert headers_of(headers, result_columns=(0, 2)) == ("contact_id", "name", *RESULT_COLUMNS)
    assert line_of(row, result_columns=(0, 2))[:3] == ("c", "Ana", "pending")


def test_a_row_without_a_reply_has_no_http_status() -> None:
    line = line_of(judged(PROBLEM), result_columns=())

    assert line[2 + RESULT_COLUMNS.index("call_http_status")] == ""
    assert line[2 + RESULT_COLUMNS.index("call_attempts")] == "0"


# --- counts


@given(st.lists(st.sampled_from(CallStatus)))
def test_counts_have_all_seven_words_and_add_up(statuses: list[CallStatus]) -> None:
    counts = count(ResultRow(number=1, cells=(), status=status) for status in statuses)

    assert set(counts) == set(CallStatus)
    assert sum(counts.values()) == len(statuses)


def test_plain_rows_are_counted_without_being_read() -> None:
    totals = Totals()

    totals.add_plain(CallStatus.PLACED, 3)

    assert totals.rows == totals.counts[CallStatus.PLACED] == 3
    assert totals.groups == ()


def test_rows_are_grouped_by_status_and_code() -> None:
    totals = Totals()
    for number in range(1, 9):
        totals.add(
            ResultRow(
                number=number,
                cells=(),
                status=CallStatus.INVALID if number > 1 else CallStatus.REJECTED,
                error_code="no_contact",
                error=f"sentence {number}",
            )
        )
    totals.add(ResultRow(number=9, cells=(), status=CallStatus.PLACED))

    first, second = totals.groups

    assert (first.status, first.count, first.rows) == (CallStatus.INVALID, 7, (2, 3, 4, 5, 6))
    assert first.message == "sentence 2"
    assert (second.status, second.count) == (CallStatus.REJECTED, 1)
    assert totals.rows == 9


def test_this_run_has_its_own_settled_calls_and_what_it_judged() -> None:
    final = counts_of(placed=10, invalid=2, skipped=1, pending=3)

    words = this_run_counts({CallStatus.PLACED: 4, CallStatus.PENDING: 9}, final=final)

    assert words == counts_of(placed=4, invalid=2, skipped=1, pending=3)


# --- the exit status


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        pytest.param(counts_of(), 0, id="no rows"),
        pytest.param(counts_of(placed=3, skipped=2), 0, id="all placed or skipped"),
        pytest.param(counts_of(pending=3), 0, id="pending"),
        pytest.param(counts_of(placed=3, invalid=1), 4, id="invalid"),
        pytest.param(counts_of(placed=3, rejected=1), 4, id="rejected"),
        pytest.param(counts_of(placed=3, failed=1), 4, id="failed"),
        pytest.param(counts_of(invalid=1, uncertain=1), 5, id="uncertain wins over invalid"),
    ],
)
@pytest.mark.parametrize("stopped", [None, StopWord.LIMIT, StopWord.STOP_AT, StopWord.MAX_MINUTES])
def test_the_counts_decide_where_nothing_went_wrong(
    counts: dict[CallStatus, int], expected: int, stopped: StopWord | None
) -> None:
    assert exit_status(counts, stopped=stopped, signal_number=None) == expected


TOLD = {
    StopWord.LIMIT: 5,
    StopWord.STOP_AT: 5,
    StopWord.MAX_MINUTES: 5,
    StopWord.SIGNAL: 143,
    StopWord.ASKED: 143,
    StopWord.LEDGER_FAILED: 8,
}


@pytest.mark.parametrize("word", StopWord)
def test_a_run_that_stopped_by_itself_exits_6_whatever_the_counts(word: StopWord) -> None:
    counts = counts_of(uncertain=1, invalid=1)

    assert exit_status(counts, stopped=word, signal_number=None) == TOLD.get(word, 6)


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        pytest.param(signal.SIGINT, 130, id="Ctrl-C"),
        pytest.param(signal.SIGTERM, 143, id="SIGTERM"),
        pytest.param(1, 143, id="SIGHUP"),
    ],
)
@pytest.mark.parametrize("stopped", [StopWord.SIGNAL, StopWord.BREAKER])
def test_a_signal_wins_over_a_stop(number: int, expected: int, stopped: StopWord) -> None:
    assert exit_status(counts_of(uncertain=1), stopped=stopped, signal_number=number) == expected


def test_a_failed_ledger_wins_over_a_signal() -> None:
    stopped = StopWord.LEDGER_FAILED

    assert exit_status(counts_of(), stopped=stopped, signal_number=signal.SIGINT) == 8


# --- the end of a run


def facts(**changes: object) -> RunFacts:
    made = RunFacts(
        campaign="debt",
        sheet="/s/debt.xlsx",
        results="/s/debt.results.xlsx",
        ledger="/l/ledger.db",
        counts=counts_of(placed=30, rejected=1),
        this_run=counts_of(placed=29, rejected=1),
        started_at=NOW,
        finished_at=NOW + timedelta(seconds=20),
        exit_code=4,
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def test_the_json_object_has_what_was_promised() -> None:
    said = run_json(facts())

    assert json.loads(json.dumps(said)) == {
        "campaign": "debt",
        "sheet": "/s/debt.xlsx",
        "results": "/s/debt.results.xlsx",
        "ledger": "/l/ledger.db",
        "rows": 31,
        "counts": {
            "placed": 30,
            "rejected": 1,
            "failed": 0,
            "uncertain": 0,
            "invalid": 0,
            "skipped": 0,
            "pending": 0,
        },
        "this_run": {
            "placed": 29,
            "rejected": 1,
            "failed": 0,
            "uncertain": 0,
            "invalid": 0,
            "skipped": 0,
            "pending": 0,
        },
        "stopped": None,
        "started_at": "2026-11-20T15:00:00.000+00:00",
        "finished_at": "2026-11-20T15:00:20.000+00:00",
        "seconds": 20.0,
        "calls_per_minute": 90.0,
        "exit_code": 4,
    }


def test_the_json_object_of_a_refused_run_carries_the_message() -> None:
    none = counts_of()

    said = run_json(facts(counts=none, this_run=none, message="No key", finished_at=NOW))

    assert (said["message"], said["rows"], said["calls_per_minute"]) == ("No key", 0, 0.0)


def test_the_json_object_names_the_stop() -> None:
    assert run_json(facts(stopped=StopWord.KEY_REFUSED))["stopped"] == "key_refused"


def test_a_clock_set_back_gives_no_negative_duration() -> None:
    assert facts(finished_at=NOW - timedelta(hours=1)).seconds == 0.0


def test_the_summary_sheet_has_counts_and_facts() -> None:
    pairs = dict(summary_pairs(facts(), timezone="America/Argentina/Buenos_Aires"))

    assert (pairs["Campaign"], pairs["Rows"], pairs["Placed"]) == ("debt", "31", "30")
    assert (pairs["Placed by this run"], pairs["Stopped"]) == ("29", "no")
    assert pairs["Started"] == "2026-11-20T12:00:00-03:00"
    assert "Rehearsal" not in pairs
    assert "Message" not in pairs


def test_the_summary_sheet_of_a_rehearsal_begins_by_saying_so() -> None:
    pairs = summary_pairs(
        facts(purpose=Purpose.SANDBOX, stopped=StopWord.BREAKER, message="Paused"), timezone=""
    )

    assert pairs[0][0] == "Rehearsal"
    assert "nobody was called" in pairs[0][1]
    assert ("Message", "Paused") in pairs
    assert ("Stopped", "breaker") in pairs


def test_a_person_reads_counts_place_and_pace() -> None:
    lines = summary_lines(facts(counts=counts_of(placed=31)), ())

    assert lines == (
        "31 rows: 31 placed.",
        "This run: 29 placed, 1 rejected, 90 a minute.",
        "Results: /s/debt.results.xlsx",
    )


def test_a_run_without_rows_says_that_there_was_nothing_to_do() -> None:
    none = counts_of()

    lines = summary_lines(facts(counts=none, this_run=none, results="", message="No rows"), ())

    assert lines == ("0 rows: nothing to do.", "No rows")


def test_a_person_reads_what_to_do_next() -> None:
    counts = counts_of(uncertain=1, rejected=1, failed=1, invalid=1, pending=1)

    text = "\n".join(
        summary_lines(
            facts(as_typed="'two words'", counts=counts, stopped=StopWord.BREAKER, message="Ill"),
            (),
        )
    )

    assert "Stopped early (breaker). Ill" in text
    assert "dispatcher resolve 'two words' --row N" in text
    assert "dispatcher run --campaign 'two words'" in text
    assert "--retry-rejected" in text
    assert "mend them" in text
    assert "tries them again" in text


@pytest.mark.parametrize(
    ("failed", "settled", "said"),
    [
        (1, 0, ["Failed calls were not placed; the next run tries them again."]),
        (2, 2, ["Calls settled as not placed are sent again only with --retry-unplaced."]),
        (
            3,
            2,
            [
                "Failed calls were not placed; the next run tries them again.",
                "Calls settled as not placed are sent again only with --retry-unplaced.",
            ],
        ),
    ],
    ids=["failed", "settled", "both"],
)
def test_what_happens_next_to_failed_calls_is_true_of_each(
    failed: int, settled: int, said: list[str]
) -> None:
    code = "resolved_not_placed"
    group = CodeGroup(
        status=CallStatus.FAILED, code=code, count=settled, rows=(2,), message="by ana"
    )

    lines = summary_lines(facts(counts=counts_of(failed=failed)), (group,) if settled else ())

    assert [line for line in lines if "again" in line] == said


def test_a_rehearsal_offers_nothing_to_settle_or_continue() -> None:
    counts = counts_of(uncertain=1, pending=1)

    text = "\n".join(summary_lines(facts(counts=counts, purpose=Purpose.SANDBOX), ()))

    assert "rehearsal" in text
    assert "dispatcher resolve" not in text
    assert "--campaign" not in text


def test_reasons_are_listed_with_their_rows_on_one_plain_line_each() -> None:
    totals = Totals()
    for number, error in enumerate(["bad\n\x1b[31mred", *["again"] * 6], start=2):
        totals.add(
            ResultRow(
                number=number,
                cells=(),
                status=CallStatus.INVALID,
                error_code="no_contact",
                error=error,
            )
        )
    totals.add(
        ResultRow(
            number=9, cells=(), status=CallStatus.REJECTED, error_code="http_404", error="x" * 500
        )
    )
    totals.add(ResultRow(number=10, cells=(), status=CallStatus.SKIPPED, error_code="duplicate"))

    lines = [line for line in summary_lines(facts(), totals.groups) if line.startswith("  ")]

    assert lines[0] == "  7 invalid, no_contact (rows 2, 3, 4, 5, 6, ...): bad  [31mred"
    assert lines[1].startswith("  1 rejected, http_404 (row 9): xxx")
    assert lines[1].endswith("x…")
    assert len(lines[1]) < 200
    assert lines[2] == "  1 skipped, duplicate (row 10)"


def test_many_reasons_are_cut_short() -> None:
    totals = Totals()
    for number in range(12):
        totals.add(
            ResultRow(
                number=number, cells=(), status=CallStatus.REJECTED, error_code=f"code_{number}"
            )
        )

    text = "\n".join(summary_lines(facts(), totals.groups))

    assert "and 4 other reasons" in text
