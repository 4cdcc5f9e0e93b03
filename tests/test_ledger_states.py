"""The ledger as a state machine: whatever is done in whatever order, its promises hold."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from itertools import count
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from dispatcher.errors import UsageProblem
from dispatcher.ledger import RecordedOutcome, open_ledger
from dispatcher.model import (
    CallRequest,
    CallState,
    Mark,
    MarkRefusal,
    Outcome,
    PlannedRow,
    Purpose,
    SnapshotHead,
    Verdict,
    Withdrawal,
)

START = datetime(2026, 11, 23, 13, 0, tzinfo=UTC)
HEAD = SnapshotHead(
    file="/a.csv",
    digest="d",
    settings_digest="s",
    format="csv",
    sheet="",
    encoding="",
    delimiter=",",
    headers=("contact_id",),
)
PENDING, SENDING, PLACED, REJECTED, FAILED, UNCERTAIN = CallState
VERDICTS = {
    PLACED: Verdict.PLACED,
    REJECTED: Verdict.REJECTED,
    FAILED: Verdict.REJECTED,
    UNCERTAIN: Verdict.UNCERTAIN,
    PENDING: Verdict.NOT_SENT,
}
HOURS = 20
CAMPAIGNS = ("mora", "otra")
CONTACTS = range(4)
CALLS = st.integers(0, len(CAMPAIGNS) * len(CONTACTS) - 1)


def hexed(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:32]


@dataclass
class Expected:
    """What a call must be, told by the simplest program that could tell it."""

    campaign: str
    contact: str
    key: str
    state: CallState = PENDING
    attempts: int = 0
    due_at: datetime | None = None
    before: list[CallState] = field(default_factory=list)
    ids: set[str] = field(default_factory=set)

    def blocks(self, other: Expected, now: datetime) -> MarkRefusal | None:
        """Why *other*, a call to the same contact, may not be sent now, or None."""
        if self is other or self.contact != other.contact:
            return None
        if self.state is SENDING:
            return MarkRefusal.BEING_CALLED
        recent = self.due_at is not None and self.due_at > now - timedelta(hours=HOURS)
        if self.state in {PLACED, UNCERTAIN} and recent:
            return MarkRefusal.CALLED_RECENTLY
        return None


class States(RuleBasedStateMachine):
    """Two openings of one ledger take turns at two campaigns that share their contacts."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        place = str(Path(self.folder.name) / "l.db")
        self.ledgers = [open_ledger(place, purpose=Purpose.REAL, create=True) for _ in range(2)]
        self.turns = count()
        self.ids = count()
        self.now = START
        self.calls: list[Expected] = []
        self.numbers: dict[str, int] = {}
        for name in CAMPAIGNS:
            self._record(name)

    def _record(self, name: str) -> None:
        ledger = self.ledgers[0]
        campaign = ledger.claim_campaign(name, key_columns=(), base_url="u")
        self.numbers[name] = campaign.id
        rows = []
        for number in CONTACTS:
            call = Expected(name, hexed(f"contact {number}"), hexed(f"{name} {number}"))
            self.calls.append(call)
            request = CallRequest(
                key=call.key,
                contact=call.contact,
                row=number + 1,
                contact_id=str(number),
                agent_id="a",
                from_number_id="n",
            )
            rows.append(PlannedRow(number=number + 1, cells=(str(number),), fate=request))
        ledger.record(
            campaign.id, HEAD, rows, digest_of=lambda _: "d", remarks=lambda: (), at=START
        )

    def teardown(self) -> None:
        for ledger in self.ledgers:
            ledger.close()
        self.folder.cleanup()

    def _commit(self, *work: Mark | Outcome | Withdrawal) -> list[object]:
        ledger = self.ledgers[next(self.turns) % 2]
        return list(ledger.commit(work, repeat_after_hours=HOURS))

    @rule(hours=st.sampled_from([0.1, 5, 30, -3]))
    def time_passes(self, hours: float) -> None:
        self.now += timedelta(hours=hours)

    @rule(
        which=st.lists(CALLS, min_size=1, max_size=4, unique=True),
        asked=st.sampled_from([PENDING, PENDING, FAILED, REJECTED]),
        ahead=st.sampled_from([0, 0, 48]),
    )
    def mark(self, which: list[int], asked: CallState, ahead: int) -> None:
        calls = [self.calls[index] for index in which]
        due = self.now + timedelta(hours=ahead)
        marks = [
            Mark(
                key=call.key,
                contact=call.contact,
                state=asked,
                body=b"{}",
                request_digest="d",
                at=self.now,
                due_at=due,
            )
            for call in calls
        ]

        answers = self._commit(*marks)

        seen: set[str] = set()
        granted = []
        for call, answer in zip(calls, answers, strict=True):
            assert answer == self._expected_answer(call, asked, is_second=call.contact in seen)
            seen.add(call.contact)
            if isinstance(answer, int):
                granted.append(call)
        for call in granted:
            call.before.append(asked)
            call.state, call.due_at = SENDING, due
            call.attempts += 1

    def _expected_answer(
        self, call: Expected, asked: CallState, *, is_second: bool
    ) -> int | MarkRefusal:
        if is_second:
            return MarkRefusal.BEING_CALLED
        if call.state is not asked:
            return MarkRefusal.CHANGED
        refusals = {other.blocks(call, self.now) for other in self.calls} - {None}
        if MarkRefusal.BEING_CALLED in refusals:
            return MarkRefusal.BEING_CALLED
        return MarkRefusal.CALLED_RECENTLY if refusals else call.attempts + 1

    @rule(which=CALLS, state=st.sampled_from(list(VERDICTS)), back=st.sampled_from([0, 0, 1]))
    def outcome(self, which: int, state: CallState, back: int) -> None:
        call = self.calls[which]
        attempt = call.attempts - back
        if attempt < 1:
            return
        call_id = f"id-{next(self.ids)}" if state is PLACED else ""
        told = Outcome(
            key=call.key,
            attempt=attempt,
            state=state,
            verdict=VERDICTS[state],
            call_id=call_id,
            at=self.now,
        )

        (answer,) = self._commit(told)

        is_current = call.state is SENDING and back == 0
        assert answer is (RecordedOutcome.STORED if is_current else RecordedOutcome.LATE)
        if is_current or state is PLACED:
            call.state = state
        if call_id:
            call.ids.add(call_id)

    @rule(which=CALLS)
    def withdraw(self, which: int) -> None:
        call = self.calls[which]
        if not call.before:
            return
        former = call.before[-1]

        (answer,) = self._commit(Withdrawal(key=call.key, attempt=call.attempts, state=former))

        if call.state is SENDING:
            assert answer is RecordedOutcome.STORED
            call.before.pop()
            call.attempts -= 1
            call.state = former
        else:
            assert answer is RecordedOutcome.LATE

    @rule(which=CALLS)
    def give_up(self, which: int) -> None:
        call = self.calls[which]

        (answer,) = self._commit(
            Outcome(key=call.key, attempt=0, state=FAILED, verdict=Verdict.NOT_SENT, at=self.now)
        )

        if call.state in {PENDING, FAILED, REJECTED}:
            assert answer is RecordedOutcome.STORED
            call.state = FAILED
        else:
            assert answer is RecordedOutcome.LATE

    @rule(name=st.sampled_from(CAMPAIGNS))
    def settle_left_over(self, name: str) -> None:
        ledger = self.ledgers[next(self.turns) % 2]
        left_over = [c for c in self.calls if c.campaign == name and c.state is SENDING]

        with ledger.holding.hold(name):
            settled = ledger.settle_left_over(self.numbers[name], at=self.now)

        assert settled == len(left_over)
        for call in left_over:
            call.state = UNCERTAIN

    @rule(which=CALLS, is_placed=st.booleans())
    def resolve(self, which: int, is_placed: bool) -> None:  # noqa: FBT001
        call = self.calls[which]
        call_id = f"id-{next(self.ids)}" if is_placed else None

        try:
            self.ledgers[0].resolve(
                self.numbers[call.campaign],
                call.key,
                call_id=call_id,
                reason="r",
                user="u",
                at=self.now,
            )
        except UsageProblem:
            assert call.state is not UNCERTAIN
        else:
            assert call.state is UNCERTAIN
            call.state = PLACED if is_placed else FAILED
            call.ids |= {call_id} if call_id else set()

    @invariant()
    def every_call_is_as_expected(self) -> None:
        for name, number in self.numbers.items():
            snapshot = self.ledgers[1].last_snapshot(number)
            assert snapshot
            rows = self.ledgers[1].rows(snapshot, repeat_after_hours=HOURS, as_of=self.now)
            mine = [call for call in self.calls if call.campaign == name]
            for row, call in zip(rows, mine, strict=True):
                assert row.call
                assert (row.call.state, row.call.attempts) == (call.state, call.attempts)
                assert (row.call.call_id in call.ids) == (call.state is PLACED)

    @invariant()
    def no_contact_is_being_called_twice(self) -> None:
        sending = [call.contact for call in self.calls if call.state is SENDING]
        assert len(sending) == len(set(sending))


States.TestCase.settings = settings(max_examples=25, stateful_step_count=30, deadline=None)
TestStates = States.TestCase
