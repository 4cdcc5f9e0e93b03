"""The states of a call: marking, outcomes, withdrawals, and what nobody saw."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import pytest
from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError

from dispatcher.errors import StorageFailed, UsageProblem
from dispatcher.ledger import (
    EmergencyEntry,
    Ledger,
    RecordedOutcome,
    WrittenResults,
    open_ledger,
)
from dispatcher.ledger.bodies import ATTEMPT_ID
from dispatcher.ledger.schema import attempts, calls, resolutions
from dispatcher.model import (
    CallRecord,
    CallRequest,
    CallState,
    Campaign,
    Mark,
    MarkRefusal,
    Outcome,
    PlannedRow,
    Purpose,
    RunEnd,
    RunStart,
    Snapshot,
    SnapshotHead,
    StopWord,
    Verdict,
    Withdrawal,
)

NOW = datetime(2026, 11, 23, 13, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
HEAD = SnapshotHead(
    file="/a.csv",
    digest="d",
    settings_digest="s",
    format="csv",
    sheet="",
    encoding="utf-8",
    delimiter=",",
    headers=("contact_id",),
)
PENDING, SENDING, PLACED, REJECTED, FAILED, UNCERTAIN = CallState
STORED, LATE, REPEATED_ID = RecordedOutcome


def hexed(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:32]


def key_of(number: int, campaign: str = "mora") -> str:
    return hexed(f"{campaign} {number}")


def record(ledger: Ledger, name: str, numbers: Sequence[int]) -> Snapshot:
    """Record calls to contacts with these numbers; 2 and 102 are one contact."""
    campaign = ledger.claim_campaign(name, key_columns=(), base_url="https://api")
    rows = [
        PlannedRow(
            number=number,
            cells=(str(number),),
            fate=CallRequest(
                key=key_of(number, name),
                contact=hexed(f"contact {number % 100}"),
                row=number,
                contact_id=str(number),
                agent_id="a",
                from_number_id="n",
            ),
        )
        for number in numbers
    ]
    return ledger.record(
        campaign.id, HEAD, rows, digest_of=lambda _: "wanted", remarks=lambda: (), at=NOW
    )


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with open_ledger(str(tmp_path / "l.db"), purpose=Purpose.REAL, create=True) as opened:
        record(opened, "mora", [*range(2, 9), 102])
        record(opened, "otra", range(2, 5))
        yield opened


@pytest.fixture
def mora(ledger: Ledger) -> Campaign:
    campaign = ledger.campaign("mora")
    assert campaign
    return campaign


def mark(
    number: int,
    campaign: str = "mora",
    *,
    state: CallState = PENDING,
    at: datetime = NOW,
    due_in: timedelta = timedelta(),
) -> Mark:
    return Mark(
        key=key_of(number, campaign),
        contact=hexed(f"contact {number % 100}"),
        state=state,
        body=b'{"contact_id":"%d"}' % number,
        request_digest="wanted",
        at=at,
        due_at=at + due_in,
    )


VERDICTS = {
    PLACED: Verdict.PLACED,
    REJECTED: Verdict.REJECTED,
    UNCERTAIN: Verdict.UNCERTAIN,
    FAILED: Verdict.REJECTED,
    PENDING: Verdict.NOT_SENT,
}


def outcome(
    number: int,
    state: CallState,
    campaign: str = "mora",
    *,
    attempt: int = 1,
    call_id: str = "",
    code: str = "",
) -> Outcome:
    return Outcome(
        key=key_of(number, campaign),
        attempt=attempt,
        state=state,
        verdict=VERDICTS[state],
        code=code,
        message=f"it is {state}",
        http_status=201 if state is PLACED else 500,
        call_id=call_id or (f"call-{campaign}-{number}" if state is PLACED else ""),
        created_at="2026-11-23T13:00:01Z" if state is PLACED else "",
        excerpt="the answer",
        at=NOW + timedelta(seconds=1),
    )


def commit(ledger: Ledger, *work: Mark | Outcome | Withdrawal, hours: float = 20) -> list[object]:
    return list(ledger.commit(work, repeat_after_hours=hours))


def record_of(ledger: Ledger, number: int, campaign: str = "mora") -> CallRecord:
    owner = ledger.campaign(campaign)
    assert owner
    known = ledger.find_calls(owner.id, hexed(f"contact {number % 100}"))
    return next(call.record for call in known if call.key == key_of(number, campaign))


def state_of(ledger: Ledger, number: int, campaign: str = "mora") -> CallState:
    return record_of(ledger, number, campaign).state


def attempts_of(ledger: Ledger, number: int) -> list[tuple[int, str, str, str]]:
    statement = (
        select(attempts.c.number, attempts.c.verdict, attempts.c.code, ATTEMPT_ID)
        .join(calls, calls.c.id == attempts.c.call)
        .where(calls.c.key == bytes.fromhex(key_of(number)))
        .order_by(attempts.c.number)
    )
    with ledger._storage.reading() as connection:
        return [(n, v, c, i) for n, v, c, i in connection.execute(statement)]


# Marking


def test_a_marked_call_is_durable_with_the_exact_body(ledger: Ledger) -> None:
    assert commit(ledger, mark(2)) == [1]

    with open_ledger(ledger.location, purpose=Purpose.REAL, create=False) as other:
        assert record_of(other, 2) == CallRecord(state=SENDING, attempts=1, sent_at=NOW)
        assert other.sent_body(key_of(2), 1) == b'{"contact_id":"2"}'
        assert other.sent_body(key_of(2), 2) is None
        assert other.sent_body(key_of(3), 1) is None


def test_each_mark_keeps_its_own_times(ledger: Ledger) -> None:
    commit(ledger, mark(2), mark(3, at=NOW + HOUR), mark(4, due_in=48 * HOUR))

    assert record_of(ledger, 3).sent_at == NOW + HOUR
    assert record_of(ledger, 4).sent_at == NOW
    commit(ledger, outcome(4, PLACED))
    later = NOW + 60 * HOUR
    assert commit(ledger, mark(4, "otra", at=later)) == [MarkRefusal.CALLED_RECENTLY]


def test_a_call_is_marked_once(ledger: Ledger) -> None:
    assert commit(ledger, mark(2), mark(2)) == [1, MarkRefusal.BEING_CALLED]
    assert commit(ledger, mark(2)) == [MarkRefusal.CHANGED]


def test_a_call_the_ledger_does_not_know_is_not_marked(ledger: Ledger) -> None:
    assert commit(ledger, mark(99)) == [MarkRefusal.CHANGED]


def test_nothing_is_marked_by_an_empty_batch(ledger: Ledger) -> None:
    assert commit(ledger) == []


@pytest.mark.parametrize("state", [SENDING, PLACED, UNCERTAIN])
def test_what_may_have_been_sent_cannot_even_be_asked_for(ledger: Ledger, state: CallState) -> None:
    with pytest.raises(ValueError, match="never sent again"):
        commit(ledger, mark(2, state=state))


@pytest.mark.parametrize("ended", [PLACED, UNCERTAIN])
@pytest.mark.parametrize("asked", [PENDING, FAILED, REJECTED])
def test_what_may_have_been_placed_is_never_marked_again(
    ledger: Ledger, ended: CallState, asked: CallState
) -> None:
    commit(ledger, mark(2))
    commit(ledger, outcome(2, ended))

    assert commit(ledger, mark(2, state=asked), hours=0) == [MarkRefusal.CHANGED]
    assert state_of(ledger, 2) is ended


@pytest.mark.parametrize("ended", [FAILED, REJECTED])
def test_what_was_not_placed_is_marked_from_the_state_it_is_in(
    ledger: Ledger, ended: CallState
) -> None:
    commit(ledger, mark(2))
    commit(ledger, outcome(2, ended, code="why"))

    assert commit(ledger, mark(2)) == [MarkRefusal.CHANGED]
    assert commit(ledger, mark(2, state=ended), mark(3)) == [2, 1]
    assert [number for number, *_ in attempts_of(ledger, 2)] == [1, 2]


def test_a_batch_marks_one_call_of_a_contact(ledger: Ledger) -> None:
    assert commit(ledger, mark(2), mark(3), mark(102)) == [1, 1, MarkRefusal.BEING_CALLED]
    assert state_of(ledger, 102) is PENDING


def test_a_contact_being_called_is_not_called_by_another_campaign(ledger: Ledger) -> None:
    commit(ledger, mark(2))

    assert commit(ledger, mark(2, "otra"), hours=0) == [MarkRefusal.BEING_CALLED]


def test_a_contact_in_two_campaigns_is_called_once(ledger: Ledger) -> None:
    with open_ledger(ledger.location, purpose=Purpose.REAL, create=False) as other:
        results: list[object] = []
        both = threading.Barrier(2)

        def send(through: Ledger, campaign: str) -> None:
            both.wait()
            results.extend(commit(through, *(mark(number, campaign) for number in (2, 3, 4))))

        threads = [
            threading.Thread(target=send, args=arguments)
            for arguments in ((ledger, "mora"), (other, "otra"))
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert sorted(map(str, results)) == ["1"] * 3 + ["being_called"] * 3


@pytest.mark.parametrize(
    ("ended", "later", "hours", "answer"),
    [
        (PLACED, 19 * HOUR, 20, MarkRefusal.CALLED_RECENTLY),
        (PLACED, 21 * HOUR, 20, 1),
        (PLACED, 1 * HOUR, 0, 1),
        (PLACED, -48 * HOUR, 20, MarkRefusal.CALLED_RECENTLY),
        (UNCERTAIN, 19 * HOUR, 20, MarkRefusal.CALLED_RECENTLY),
        (UNCERTAIN, 21 * HOUR, 20, 1),
        (REJECTED, 1 * HOUR, 20, 1),
        (FAILED, 1 * HOUR, 20, 1),
        (PENDING, 1 * HOUR, 20, 1),
    ],
)
def test_marking_judges_again_whether_the_contact_was_called_recently(
    ledger: Ledger, ended: CallState, later: timedelta, hours: float, answer: object
) -> None:
    commit(ledger, mark(2))
    commit(ledger, outcome(2, ended))

    assert commit(ledger, mark(2, "otra", at=NOW + later), hours=hours) == [answer]


def test_other_keys_of_one_contact_fall_under_it_too(ledger: Ledger) -> None:
    commit(ledger, mark(2))
    commit(ledger, outcome(2, PLACED))

    assert commit(ledger, mark(102)) == [MarkRefusal.CALLED_RECENTLY]
    assert commit(ledger, mark(102), hours=0) == [1]


def test_marks_see_the_outcomes_of_their_own_batch(ledger: Ledger) -> None:
    commit(ledger, mark(2))

    answers = commit(ledger, mark(2, "otra"), outcome(2, REJECTED), mark(3))

    assert answers == [1, STORED, 1]


# Outcomes


@pytest.mark.parametrize("state", [PLACED, REJECTED, FAILED, UNCERTAIN, PENDING])
def test_an_outcome_is_stored_with_its_evidence(ledger: Ledger, state: CallState) -> None:
    commit(ledger, mark(2))

    assert commit(ledger, outcome(2, state, code="word")) == [STORED]

    found = record_of(ledger, 2)
    assert (found.state, found.code, found.attempts, found.sent_at) == (state, "word", 1, NOW)
    assert found.message == f"it is {state}"
    assert (found.call_id, bool(found.created_at)) == (
        ("call-mora-2", True) if state is PLACED else ("", False)
    )
    assert found.http_status == (201 if state is PLACED else 500)
    assert attempts_of(ledger, 2) == [(1, VERDICTS[state], "word", found.call_id)]


def test_what_was_not_sent_is_pending_and_its_attempt_is_counted(ledger: Ledger) -> None:
    for attempt in (1, 2, 3):
        assert commit(ledger, mark(2)) == [attempt]
        commit(ledger, outcome(2, PENDING, attempt=attempt, code="rate_limited"))

    assert record_of(ledger, 2).attempts == 3
    assert len(attempts_of(ledger, 2)) == 3


@pytest.mark.parametrize("state", [REJECTED, FAILED, UNCERTAIN, PENDING])
def test_a_late_outcome_completes_its_attempt_and_changes_nothing_else(
    ledger: Ledger, mora: Campaign, state: CallState
) -> None:
    commit(ledger, mark(2))
    with ledger.holding.hold("mora"):
        ledger.settle_left_over(mora.id, at=NOW)

    assert commit(ledger, outcome(2, state, code="late")) == [LATE]

    assert record_of(ledger, 2).code == "interrupted"
    assert state_of(ledger, 2) is UNCERTAIN
    assert attempts_of(ledger, 2) == [(1, VERDICTS[state], "late", "")]


def test_evidence_of_a_placed_call_wins_over_uncertain(ledger: Ledger, mora: Campaign) -> None:
    commit(ledger, mark(2))
    with ledger.holding.hold("mora"):
        ledger.settle_left_over(mora.id, at=NOW)

    assert commit(ledger, outcome(2, PLACED)) == [LATE]

    found = record_of(ledger, 2)
    assert (found.state, found.call_id, found.code) == (PLACED, "call-mora-2", "")


def test_evidence_of_a_placed_call_wins_over_what_a_person_said(
    ledger: Ledger, mora: Campaign
) -> None:
    commit(ledger, mark(2))
    commit(ledger, outcome(2, UNCERTAIN))
    ledger.resolve(mora.id, key_of(2), call_id=None, reason="no trace", user="ana", at=NOW)
    assert commit(ledger, mark(2, state=FAILED), hours=0) == [2]

    assert commit(ledger, outcome(2, PLACED, attempt=1)) == [LATE]
    assert commit(ledger, outcome(2, REJECTED, attempt=2)) == [LATE]

    assert state_of(ledger, 2) is PLACED
    assert [verdict for _, verdict, _, _ in attempts_of(ledger, 2)] == ["placed", "rejected"]


def test_a_second_call_to_the_same_person_is_flagged_and_neither_id_is_lost(
    ledger: Ledger, mora: Campaign
) -> None:
    commit(ledger, mark(2))
    commit(ledger, outcome(2, UNCERTAIN))
    ledger.resolve(mora.id, key_of(2), call_id=None, reason="no trace", user="ana", at=NOW)
    commit(ledger, mark(2, state=FAILED))
    first = outcome(2, PLACED, attempt=1, call_id="one")

    assert commit(ledger, outcome(2, PLACED, attempt=2, call_id="two"), first) == [STORED, LATE]

    found = record_of(ledger, 2)
    assert (found.state, found.call_id, found.code) == (PLACED, "two", "second_call_id")
    assert "one" in found.message
    assert [call_id for *_, call_id in attempts_of(ledger, 2)] == ["one", "two"]


def test_the_same_outcome_twice_is_told_once(ledger: Ledger) -> None:
    commit(ledger, mark(2))

    assert commit(ledger, outcome(2, PLACED), outcome(2, PLACED)) == [STORED, LATE]
    assert record_of(ledger, 2).code == ""


@pytest.mark.parametrize("together", [True, False], ids=["one_commit", "two_commits"])
def test_an_id_that_another_call_has_is_recorded_and_flagged(
    ledger: Ledger,
    together: bool,  # noqa: FBT001
) -> None:
    commit(ledger, mark(2), mark(3))
    work = [outcome(2, PLACED, call_id="same"), outcome(3, PLACED, call_id="same")]

    answers = (
        commit(ledger, *work) if together else [*commit(ledger, work[0]), *commit(ledger, work[1])]
    )

    assert answers == [STORED, REPEATED_ID]
    assert [record_of(ledger, number).code for number in (2, 3)] == ["", "repeated_call_id"]
    assert [record_of(ledger, number).call_id for number in (2, 3)] == ["same", "same"]


def test_a_late_outcome_may_repeat_an_id_too(ledger: Ledger) -> None:
    commit(ledger, mark(2), mark(3))
    commit(ledger, outcome(2, PLACED, call_id="same"), outcome(3, UNCERTAIN))

    assert commit(ledger, outcome(3, PLACED, call_id="same")) == [REPEATED_ID]
    assert record_of(ledger, 3).code == "repeated_call_id"


def test_an_outcome_of_an_unknown_call_fails_the_whole_batch(ledger: Ledger) -> None:
    commit(ledger, mark(2))

    with pytest.raises(StorageFailed, match="knows no call"):
        commit(ledger, outcome(2, PLACED), outcome(99, PLACED), mark(3))

    assert [state_of(ledger, number) for number in (2, 3)] == [SENDING, PENDING]


def test_a_placed_outcome_without_an_id_is_refused_as_a_whole(ledger: Ledger) -> None:
    commit(ledger, mark(2))

    with pytest.raises(StorageFailed, match="placed_has_its_id"):
        commit(ledger, replace(outcome(2, PLACED), call_id=""), mark(3))

    assert [state_of(ledger, number) for number in (2, 3)] == [SENDING, PENDING]


# Given up unsent


def test_a_call_whose_time_passed_fails_without_an_attempt(ledger: Ledger) -> None:
    given_up = outcome(2, FAILED, attempt=0, code="schedule_past")

    assert commit(ledger, given_up) == [STORED]

    found = record_of(ledger, 2)
    assert (found.state, found.code, found.attempts) == (FAILED, "schedule_past", 0)
    assert found.sent_at is None
    assert attempts_of(ledger, 2) == []
    assert commit(ledger, mark(2, state=FAILED)) == [1]


@pytest.mark.parametrize("state", [PLACED, UNCERTAIN])
def test_what_was_sent_cannot_be_given_up(ledger: Ledger, state: CallState) -> None:
    commit(ledger, mark(2))
    commit(ledger, outcome(2, state))

    assert commit(ledger, outcome(2, FAILED, attempt=0)) == [LATE]
    assert state_of(ledger, 2) is state


def test_only_a_failure_needs_no_attempt(ledger: Ledger) -> None:
    with pytest.raises(ValueError, match="can only have failed"):
        commit(ledger, outcome(2, REJECTED, attempt=0))


# Withdrawals


def withdrawal(number: int, *, attempt: int = 1, state: CallState = PENDING) -> Withdrawal:
    return Withdrawal(key=key_of(number), attempt=attempt, state=state)


def test_a_withdrawn_mark_leaves_no_trace(ledger: Ledger) -> None:
    before = record_of(ledger, 2)
    commit(ledger, mark(2))

    assert commit(ledger, withdrawal(2)) == [STORED]

    assert record_of(ledger, 2) == before
    assert attempts_of(ledger, 2) == []
    assert commit(ledger, mark(2, "otra")) == [1]


def test_a_withdrawn_mark_goes_back_to_what_it_was(ledger: Ledger) -> None:
    commit(ledger, mark(2))
    commit(ledger, outcome(2, REJECTED, code="http_400"))
    before = record_of(ledger, 2)
    commit(ledger, mark(2, state=REJECTED, at=NOW + HOUR))

    assert commit(ledger, withdrawal(2, attempt=2, state=REJECTED)) == [STORED]

    assert record_of(ledger, 2) == before
    assert commit(ledger, mark(2, state=REJECTED)) == [2]


def test_a_call_that_ended_is_not_withdrawn(ledger: Ledger) -> None:
    commit(ledger, mark(2))
    commit(ledger, outcome(2, PLACED))

    assert commit(ledger, withdrawal(2)) == [LATE]
    assert state_of(ledger, 2) is PLACED
    assert len(attempts_of(ledger, 2)) == 1


def test_a_withdrawn_call_that_was_placed_all_the_same_is_placed(ledger: Ledger) -> None:
    commit(ledger, mark(2))
    commit(ledger, withdrawal(2))

    assert commit(ledger, outcome(2, PLACED)) == [LATE]

    found = record_of(ledger, 2)
    assert (found.state, found.call_id, found.attempts) == (PLACED, "call-mora-2", 1)
    assert attempts_of(ledger, 2) == [(1, "placed", "", "call-mora-2")]
    assert ledger.sent_body(key_of(2), 1) is None


def test_an_attempt_nobody_began_can_still_bring_the_evidence(ledger: Ledger) -> None:
    """An emergency file may know more than a ledger that was restored from a backup."""
    assert commit(ledger, outcome(2, PLACED)) == [LATE]

    assert record_of(ledger, 2).sent_at == NOW + timedelta(seconds=1)
    assert state_of(ledger, 2) is PLACED


def test_a_withdrawn_call_that_failed_is_as_if_it_had_not_been_marked(ledger: Ledger) -> None:
    commit(ledger, mark(2))
    commit(ledger, withdrawal(2))

    assert commit(ledger, outcome(2, UNCERTAIN)) == [LATE]

    assert state_of(ledger, 2) is PENDING
    assert commit(ledger, mark(2)) == [1]


# Left over, and settled by a person


def test_only_who_holds_the_campaign_settles_what_was_left_over(
    ledger: Ledger, mora: Campaign
) -> None:
    commit(ledger, mark(2))

    with pytest.raises(StorageFailed, match='"mora" is not held'):
        ledger.settle_left_over(mora.id, at=NOW)
    with pytest.raises(StorageFailed), ledger.holding.hold("otra"):
        ledger.settle_left_over(mora.id, at=NOW)

    assert state_of(ledger, 2) is SENDING


def test_what_was_left_over_is_uncertain_in_this_campaign_only(
    ledger: Ledger, mora: Campaign
) -> None:
    commit(ledger, mark(2), mark(3), mark(4, "otra"), mark(5))
    commit(ledger, outcome(5, REJECTED))

    with ledger.holding.hold("mora"):
        assert ledger.settle_left_over(mora.id, at=NOW + HOUR) == 2
        assert ledger.settle_left_over(mora.id, at=NOW + HOUR) == 0

    assert record_of(ledger, 2).code == "interrupted"
    assert [state_of(ledger, number) for number in (2, 3, 5)] == [UNCERTAIN, UNCERTAIN, REJECTED]
    assert state_of(ledger, 4, "otra") is SENDING
    assert attempts_of(ledger, 2) == [(1, "uncertain", "interrupted", "")]


DIES = """
import os, signal, sys
from datetime import datetime
from dispatcher.ledger import open_ledger
from dispatcher.model import CallState, Mark, Purpose
at = datetime.fromisoformat(sys.argv[4])
opened = open_ledger(sys.argv[1], purpose=Purpose.REAL, create=False)
with opened as ledger, ledger.holding.hold("mora"):
    mark = Mark(key=sys.argv[2], contact=sys.argv[3], state=CallState.PENDING, body=b"{}",
                request_digest="d", at=at, due_at=at)
    assert ledger.commit([mark], repeat_after_hours=20) == [1]
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_process_was_sending_is_found_by_the_next_that_holds_the_campaign(
    ledger: Ledger, mora: Campaign
) -> None:
    arguments = [ledger.location, key_of(2), hexed("contact 2"), NOW.isoformat()]

    died = subprocess.run([sys.executable, "-c", DIES, *arguments], check=False)

    assert died.returncode == -signal.SIGKILL
    assert state_of(ledger, 2) is SENDING
    with ledger.holding.hold("mora"):
        assert ledger.settle_left_over(mora.id, at=NOW) == 1
    assert commit(ledger, mark(2), hours=0) == [MarkRefusal.CHANGED]


def test_opening_changes_the_state_of_no_call(ledger: Ledger) -> None:
    commit(ledger, mark(2))

    with open_ledger(ledger.location, purpose=Purpose.REAL, create=False) as other:
        assert state_of(other, 2) is SENDING

    assert commit(ledger, outcome(2, PLACED)) == [STORED]


@pytest.mark.parametrize(
    ("call_id", "state", "code"),
    [("found", PLACED, ""), (None, FAILED, "resolved_not_placed")],
    ids=["placed", "not_placed"],
)
def test_a_person_settles_an_uncertain_call(
    ledger: Ledger, mora: Campaign, call_id: str | None, state: CallState, code: str
) -> None:
    commit(ledger, mark(2))
    commit(ledger, outcome(2, UNCERTAIN, code="timed_out"))

    ledger.resolve(
        mora.id, key_of(2), call_id=call_id, reason="seen in the list", user="ana", at=NOW
    )

    found = record_of(ledger, 2)
    assert (found.state, found.call_id, found.code) == (state, call_id or "", code)
    with ledger._storage.reading() as connection:
        kept = connection.execute(select(resolutions)).one()
    assert (kept.user, kept.reason, kept.state) == ("ana", "seen in the list", state)
    assert (kept.call_id, kept.at) == (call_id, NOW.timestamp())


@pytest.mark.parametrize("state", [PENDING, SENDING, PLACED, REJECTED, FAILED])
def test_only_an_uncertain_call_can_be_settled(
    ledger: Ledger, mora: Campaign, state: CallState
) -> None:
    commit(ledger, mark(2))
    if state is not SENDING:
        commit(ledger, outcome(2, state))

    with pytest.raises(UsageProblem, match="not uncertain"):
        ledger.resolve(mora.id, key_of(2), call_id=None, reason="r", user="u", at=NOW)

    assert state_of(ledger, 2) is state


def test_a_call_of_another_campaign_is_not_settled(ledger: Ledger, mora: Campaign) -> None:
    commit(ledger, mark(2, "otra"))
    commit(ledger, outcome(2, UNCERTAIN, "otra"))

    with pytest.raises(UsageProblem, match="not uncertain"):
        ledger.resolve(mora.id, key_of(2, "otra"), call_id=None, reason="r", user="u", at=NOW)


@pytest.mark.parametrize(
    ("call_id", "said"),
    [("call-mora-3", "another call"), ("its second", "another call"), ("", "empty")],
)
def test_a_call_is_not_settled_with_an_id_that_is_not_its_own(
    ledger: Ledger, mora: Campaign, call_id: str, said: str
) -> None:
    commit(ledger, mark(2), mark(3))
    commit(ledger, outcome(2, UNCERTAIN), outcome(3, PLACED))
    commit(ledger, outcome(3, PLACED, call_id="its second"))

    with pytest.raises(UsageProblem, match=said):
        ledger.resolve(mora.id, key_of(2), call_id=call_id, reason="r", user="u", at=NOW)

    assert state_of(ledger, 2) is UNCERTAIN


# What the file itself refuses


def plain_call(**changes: object) -> dict[str, object]:
    return {
        "key": b"k" * 16,
        "campaign_id": 1,
        "snapshot_id": 1,
        "contact": b"c" * 16,
        "state": "pending",
    } | changes


SENT = {"attempts": 1, "sent_at": 1.0, "due_at": 1.0}


@pytest.mark.parametrize(
    "call",
    [
        plain_call(state="lost"),
        plain_call(key=b"short"),
        plain_call(contact=b""),
        plain_call(campaign_id=99),
        plain_call(attempts=-1),
        plain_call(state="placed", **SENT),
        plain_call(state="placed", call_id="", **SENT),
        plain_call(state="rejected", call_id="x", **SENT),
        plain_call(state="placed", call_id="x"),
        plain_call(state="sending"),
        plain_call(state="uncertain", attempts=1),
    ],
    ids=[
        "unknown_state",
        "short_key",
        "no_contact",
        "no_campaign",
        "negative_attempts",
        "placed_without_id",
        "placed_with_empty_id",
        "rejected_with_id",
        "placed_without_attempt",
        "sending_without_attempt",
        "uncertain_without_time",
    ],
)
def test_an_impossible_call_is_refused_by_the_file(ledger: Ledger, call: dict[str, object]) -> None:
    with (
        pytest.raises(StorageFailed, match="constraint failed") as caught,
        ledger._storage.writing() as connection,
    ):
        connection.execute(insert(calls), call)

    assert isinstance(caught.value.__cause__, IntegrityError)


def test_two_calls_of_one_contact_can_never_be_sending(ledger: Ledger) -> None:
    commit(ledger, mark(2))
    by_force = (
        update(calls)
        .where(calls.c.key == bytes.fromhex(key_of(2, "otra")))
        .values(state="sending", attempts=1, sent_at=1.0, due_at=1.0)
    )

    with (
        pytest.raises(StorageFailed, match="UNIQUE constraint failed"),
        ledger._storage.writing() as connection,
    ):
        connection.execute(by_force)


@pytest.mark.parametrize(
    "values",
    [{"number": 0}, {"verdict": "maybe"}, {"finished_at": 1.0}, {"call": 9_999}],
    ids=["number_zero", "unknown_verdict", "end_without_verdict", "no_call"],
)
def test_an_impossible_attempt_is_refused_by_the_file(
    ledger: Ledger, values: dict[str, object]
) -> None:
    attempt = {"call": 1, "number": 1, "started_at": 1.0, "body": b"", "request_digest": b""}

    with (
        pytest.raises(StorageFailed, match="constraint failed"),
        ledger._storage.writing() as connection,
    ):
        connection.execute(insert(attempts), attempt | values)


# What an emergency file brings back


def entry(number: int, *, attempt: int = 1, call_id: str = "") -> EmergencyEntry:
    return EmergencyEntry(
        row=number,
        key=key_of(number),
        attempt=attempt,
        call_id=call_id or f"call-mora-{number}",
        at=NOW + timedelta(seconds=1),
        http_status=201,
        created_at="2026-11-23T13:00:01Z",
    )


def test_an_emergency_file_makes_calls_placed_whatever_they_became(
    ledger: Ledger, mora: Campaign
) -> None:
    commit(ledger, *(mark(number) for number in (2, 3, 4)))
    commit(ledger, outcome(4, PLACED))
    with ledger.holding.hold("mora"):
        ledger.emergencies.take_in(mora.id, [entry(2)])  # still sending
        ledger.settle_left_over(mora.id, at=NOW)

        unknown = ledger.emergencies.take_in(
            mora.id, [entry(2), entry(3), entry(4), entry(5), entry(77)]
        )

    assert unknown == (entry(77),)
    for number in (2, 3, 4, 5):  # the last was pending: this ledger is an older copy
        record = record_of(ledger, number)
        assert (record.state, record.call_id) == (PLACED, f"call-mora-{number}")
        assert (record.code, record.http_status, record.attempts) == ("", 201, 1)
        assert attempts_of(ledger, number) == [(1, "placed", "", f"call-mora-{number}")]


def test_a_second_id_from_an_emergency_file_is_flagged(ledger: Ledger, mora: Campaign) -> None:
    commit(ledger, mark(2))
    commit(ledger, outcome(2, PLACED))

    with ledger.holding.hold("mora"):
        ledger.emergencies.take_in(mora.id, [entry(2, call_id="another")])

    assert record_of(ledger, 2).call_id == "call-mora-2"
    assert record_of(ledger, 2).code == "second_call_id"


def test_an_emergency_file_is_taken_in_only_under_the_lock(ledger: Ledger, mora: Campaign) -> None:
    with pytest.raises(StorageFailed, match="not held"):
        ledger.emergencies.take_in(mora.id, [entry(2)])


# Runs, pace, results


def test_the_places_of_results_are_remembered_from_the_start_of_a_run(
    ledger: Ledger, mora: Campaign
) -> None:
    snapshot = ledger.last_snapshot(mora.id)
    assert snapshot
    for place in ("/b/r.csv", "", "/a/r.csv", "/b/r.csv"):
        ledger.begin_run(replace(start_of(snapshot), results=place))

    assert ledger.emergencies.places(mora.id) == (Path("/a/r.csv"), Path("/b/r.csv"))
    last = ledger.last_run(mora.id)
    assert last
    assert last.start.results == "/b/r.csv"


def start_of(snapshot: Snapshot) -> RunStart:
    return RunStart(
        campaign_id=snapshot.campaign_id,
        snapshot_id=snapshot.id,
        user="ana",
        host="mesa",
        version="0.1.0",
        arguments='["run"]',
        settings="{}",
        started_at=NOW,
    )


@pytest.mark.parametrize("word", [None, StopWord.BREAKER])
def test_the_last_run_is_kept_with_its_end(
    ledger: Ledger, mora: Campaign, word: StopWord | None
) -> None:
    snapshot = ledger.last_snapshot(mora.id)
    assert snapshot
    assert ledger.last_run(mora.id) is None
    ledger.begin_run(start_of(snapshot))

    run_id = ledger.begin_run(start_of(snapshot))

    running = ledger.last_run(mora.id)
    assert running
    assert (running.id, running.start, running.end) == (run_id, start_of(snapshot), None)
    end = RunEnd(stopped=word, message="do this", finished_at=NOW + HOUR)
    ledger.end_run(run_id, end)
    ended = ledger.last_run(mora.id)
    assert ended
    assert ended.end == end


def test_slots_follow_one_another_whoever_takes_them(ledger: Ledger) -> None:
    seen: list[float] = []

    def plan(next_free: float) -> tuple[tuple[float, ...], float]:
        seen.append(next_free)
        return (next_free, next_free + 1), next_free + 2

    with open_ledger(ledger.location, purpose=Purpose.REAL, create=False) as other:
        taken = [one.reserve("https://api", plan) for one in (ledger, other, ledger)]

    assert taken == [(0.0, 1.0), (2.0, 3.0), (4.0, 5.0)]
    assert seen == [0.0, 2.0, 4.0]
    assert ledger.reserve("https://other", plan) == (0.0, 1.0)


def test_a_plan_that_fails_reserves_nothing(ledger: Ledger) -> None:
    def plan(_next_free: float) -> tuple[tuple[float, ...], float]:
        raise ValueError("no plan")

    with pytest.raises(ValueError, match="no plan"):
        ledger.reserve("https://api", plan)

    assert ledger.reserve("https://api", lambda next_free: ((next_free,), 1.0)) == (0.0,)


def test_the_last_digest_of_a_results_sheet_is_known(ledger: Ledger) -> None:
    assert ledger.results_files.at("/a.csv") is None

    ledger.results_files.note("/a.csv", "one", "mora")
    ledger.results_files.note("/b.csv", "other", "otra")
    ledger.results_files.note("/a.csv", "two", "mora")

    assert ledger.results_files.at("/a.csv") == WrittenResults(
        path="/a.csv", digest="two", campaign="mora"
    )


def test_a_reader_is_not_held_up_by_a_writer(ledger: Ledger) -> None:
    with ledger._storage.writing() as connection:
        connection.execute(update(calls).values(message="not yet committed"))

        assert record_of(ledger, 2).message == ""
