"""Uncertain calls as they are looked for, and personal data that is removed for good."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import pytest

from dispatcher.errors import StorageFailed, UsageProblem
from dispatcher.ledger import (
    Ledger,
    PurgeBar,
    PurgeProspect,
    TracedCall,
    UncertainCall,
    open_ledger,
    read_ledger,
)
from dispatcher.model import (
    CallRequest,
    CallState,
    CallStatus,
    Campaign,
    Carried,
    Mark,
    Outcome,
    PlannedRow,
    Purpose,
    RowProblem,
    RunEnd,
    RunStart,
    SnapshotHead,
    StopWord,
    Verdict,
)

NOW = datetime(2026, 11, 23, 13, 0, tzinfo=UTC)
LATER = NOW + timedelta(days=100)
CANARY = "Canaria Pérez"
HEAD = SnapshotHead(
    file="/mora.csv",
    digest="d",
    settings_digest="s",
    format="csv",
    sheet="",
    encoding="utf-8",
    delimiter=",",
    headers=("contact_id", f"Nombre de {CANARY}"),
)


def hexed(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:32]


def record(ledger: Ledger, name: str, numbers: range, *, carried: str = "") -> Campaign:
    campaign = ledger.claim_campaign(name, key_columns=(), base_url="https://api", at=NOW)
    rows = [PlannedRow(number=n, cells=(f"c-{n}", CANARY), fate=_request(name, n)) for n in numbers]
    rows.append(
        PlannedRow(
            number=90,
            cells=("", CANARY),
            fate=RowProblem(code="x", column="", message=f"{CANARY} has no id"),
        )
    )
    if carried:
        fate = Carried(key="", contact="", call_id=carried, status=CallStatus.PLACED)
        rows.append(PlannedRow(number=91, cells=("c-91", CANARY), fate=fate))
    ledger.record(
        campaign.id,
        HEAD,
        rows,
        digest_of=lambda _: "wanted",
        remarks=lambda: (("odd", f"{CANARY} looks odd"),),
        at=NOW,
    )
    return campaign


def _request(name: str, number: int) -> CallRequest:
    return CallRequest(
        key=hexed(f"{name} {number}"),
        contact=hexed(f"c-{number}"),
        row=number,
        contact_id=f"c-{number}",
        agent_id="a",
        from_number_id="n",
        additional_data=(("Nombre", CANARY),),
    )


def attempt(
    ledger: Ledger,
    name: str,
    number: int,
    state: CallState,
    *,
    call_id: str = "",
    at: datetime = NOW,
    due_in: timedelta = timedelta(),
) -> None:
    """Mark a call, and end its attempt unless it is to stay sending."""
    key = hexed(f"{name} {number}")
    mark = Mark(
        key=key,
        contact=hexed(f"c-{number}"),
        state=CallState.PENDING,
        body=json.dumps({"contact_id": f"c-{number}", "agent_id": "a", "n": CANARY}).encode(),
        request_digest="wanted",
        at=at,
        due_at=at + due_in,
    )
    (made,) = ledger.commit([mark], repeat_after_hours=0)
    if state is CallState.SENDING:
        return
    verdict = {CallState.FAILED: Verdict.NOT_SENT}.get(state) or Verdict(state.value)
    ledger.commit(
        [
            Outcome(
                key=key,
                attempt=int(made),
                state=state,
                verdict=verdict,
                code="" if call_id else "timeout",
                message=f"no answer for {CANARY}",
                call_id=call_id,
                excerpt=f"dear {CANARY}",
                at=at + timedelta(seconds=5),
            )
        ],
        repeat_after_hours=0,
    )


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "l.db"


@pytest.fixture
def ledger(place: Path) -> Iterator[Ledger]:
    with open_ledger(str(place), purpose=Purpose.REAL, create=True) as opened:
        yield opened


@pytest.fixture
def mora(ledger: Ledger) -> Campaign:
    return record(ledger, "mora", range(2, 6), carried="carried-1")


# Uncertain calls


def test_an_uncertain_call_tells_what_is_needed_to_look_for_it(
    ledger: Ledger, mora: Campaign
) -> None:
    attempt(ledger, "mora", 3, CallState.UNCERTAIN, due_in=timedelta(hours=2))
    attempt(ledger, "mora", 2, CallState.UNCERTAIN, at=NOW + timedelta(minutes=1))
    attempt(ledger, "mora", 4, CallState.PLACED, call_id="id-4")

    latest, earlier = ledger.doubts.of(mora.id)

    assert latest.row == 2
    body = {"contact_id": "c-3", "agent_id": "a", "n": CANARY}
    assert earlier == UncertainCall(
        key=hexed("mora 3"),
        contact=hexed("c-3"),
        row=3,
        code="timeout",
        body=json.dumps(body).encode(),
        started_at=NOW,
        ended_at=NOW + timedelta(seconds=5),
        due_at=NOW + timedelta(hours=2),
    )


def test_a_call_that_the_last_sheet_does_not_have_is_in_no_row(
    ledger: Ledger, mora: Campaign
) -> None:
    attempt(ledger, "mora", 2, CallState.UNCERTAIN)
    record(ledger, "mora", range(3, 6))

    assert [call.row for call in ledger.doubts.of(mora.id)] == [0]


def test_the_rivals_of_a_call_are_others_to_its_contact_without_an_outcome(
    ledger: Ledger, mora: Campaign
) -> None:
    otra = record(ledger, "otra", range(2, 5))
    attempt(ledger, "mora", 2, CallState.UNCERTAIN)
    attempt(ledger, "mora", 3, CallState.UNCERTAIN)
    attempt(ledger, "otra", 2, CallState.SENDING)
    attempt(ledger, "otra", 3, CallState.PLACED, call_id="id-3")
    other, call = sorted(ledger.doubts.of(mora.id), key=lambda c: -c.row)

    (rival,) = ledger.doubts.rivals(call)

    assert (rival.key, rival.ended_at) == (hexed("otra 2"), None)
    assert ledger.doubts.rivals(other) == ()
    assert ledger.doubts.of(otra.id) == ()


def test_ids_of_other_calls_attempts_and_sheets_are_taken(ledger: Ledger, mora: Campaign) -> None:
    record(ledger, "otra", range(2, 5))
    attempt(ledger, "mora", 2, CallState.UNCERTAIN)
    attempt(ledger, "mora", 3, CallState.PLACED, call_id="id-3")
    attempt(ledger, "otra", 2, CallState.PLACED, call_id="id-2")
    late = Outcome(
        key=hexed("otra 2"),
        attempt=1,
        state=CallState.PLACED,
        verdict=Verdict.PLACED,
        call_id="second-2",
        at=NOW,
    )
    ledger.commit([late], repeat_after_hours=0)
    (call,) = ledger.doubts.of(mora.id)

    taken = ledger.doubts.taken_ids(call, ["id-3", "id-2", "second-2", "carried-1", "free"])

    assert taken == {"id-3", "id-2", "second-2", "carried-1"}
    assert ledger.doubts.taken_ids(call, []) == frozenset()


def test_an_id_that_the_sheet_gives_for_the_call_itself_is_not_taken(ledger: Ledger) -> None:
    mora = record(ledger, "mora", range(2, 3))
    attempt(ledger, "mora", 2, CallState.UNCERTAIN)
    fate = Carried(
        key=hexed("mora 2"), contact=hexed("c-2"), call_id="own", status=CallStatus.UNCERTAIN
    )
    ledger.record(
        mora.id,
        HEAD,
        [PlannedRow(number=2, cells=("c-2", ""), fate=fate)],
        digest_of=lambda _: "wanted",
        remarks=lambda: (),
        at=NOW,
    )
    (call,) = ledger.doubts.of(mora.id)

    assert call.row == 2
    assert ledger.doubts.taken_ids(call, ["own"]) == frozenset()


def traced(number: int, call_id: str) -> TracedCall:
    return TracedCall(
        key=hexed(f"mora {number}"), call_id=call_id, created_at="then", user="ana", at=LATER
    )


def test_a_call_that_was_found_is_placed_and_it_is_kept_how(
    ledger: Ledger, mora: Campaign, place: Path
) -> None:
    attempt(ledger, "mora", 2, CallState.UNCERTAIN)

    assert ledger.doubts.reconcile(traced(2, "found"))

    (call,) = ledger.find_calls(mora.id, hexed("c-2"))
    record = call.record
    assert (record.state, record.call_id, record.code) == (CallState.PLACED, "found", "reconciled")
    assert (record.created_at, record.attempts) == ("then", 1)
    with closing(sqlite3.connect(place)) as connection:
        kept = connection.execute("SELECT state, call_id, user, reason, at FROM resolutions")
        assert kept.fetchall() == [("placed", "found", "ana", "reconciled", LATER.timestamp())]


@pytest.mark.parametrize(
    "state", [None, CallState.SENDING, CallState.PLACED, CallState.REJECTED, CallState.FAILED]
)
def test_only_an_uncertain_call_is_reconciled(
    ledger: Ledger, mora: Campaign, state: CallState | None
) -> None:
    if state is not None:
        attempt(ledger, "mora", 2, state, call_id="own" if state is CallState.PLACED else "")
    before = ledger.find_calls(mora.id, hexed("c-2"))

    assert not ledger.doubts.reconcile(traced(2, "found"))

    assert ledger.find_calls(mora.id, hexed("c-2")) == before


def test_an_id_that_another_call_has_is_not_given_twice(ledger: Ledger, mora: Campaign) -> None:
    attempt(ledger, "mora", 2, CallState.UNCERTAIN)
    attempt(ledger, "mora", 3, CallState.PLACED, call_id="id-3")

    assert not ledger.doubts.reconcile(traced(2, "id-3"))

    assert [call.row for call in ledger.doubts.of(mora.id)] == [2]


# Purging


def finish(ledger: Ledger, mora: Campaign) -> None:
    """End every call of the campaign, with a run that stopped and one settled by hand."""
    for number in range(2, 4):
        attempt(ledger, "mora", number, CallState.PLACED, call_id=f"id-{number}")
    attempt(ledger, "mora", 4, CallState.REJECTED)
    attempt(ledger, "mora", 5, CallState.UNCERTAIN)
    ledger.resolve(
        mora.id, hexed("mora 5"), call_id=None, reason=f"{CANARY} said so", user="ana", at=NOW
    )
    snapshot = ledger.last_snapshot(mora.id)
    assert snapshot
    run = ledger.begin_run(
        RunStart(
            campaign_id=mora.id,
            snapshot_id=snapshot.id,
            user="ana",
            host="h",
            version="1",
            arguments="[]",
            settings="{}",
            started_at=NOW,
        )
    )
    end = RunEnd(stopped=StopWord.REFUSED, message=f"about {CANARY}", finished_at=NOW)
    ledger.end_run(run, end)


def prospect(ledger: Ledger, *, now: datetime = LATER, hours: float = 20) -> PurgeProspect:
    (found,) = ledger.purging.prospects(ledger.campaigns(), now=now, repeat_after_hours=hours)
    return found


def purge(ledger: Ledger, campaign: Campaign) -> None:
    with ledger.holding.hold(campaign.name):
        ledger.purging.purge(campaign, now=LATER, repeat_after_hours=20)
    ledger.purging.compact()


def test_no_byte_of_a_person_is_left_in_the_files(
    ledger: Ledger, mora: Campaign, place: Path
) -> None:
    finish(ledger, mora)
    record(ledger, "mora", range(2, 6))
    assert any(
        CANARY.encode() in path.read_bytes()
        for path in place.parent.glob("l.db*")
        if path.is_file()
    )

    purge(ledger, mora)

    files = [path for path in place.parent.rglob("*") if path.is_file()]
    assert place in files
    for path in files:
        assert b"Canaria" not in path.read_bytes(), path
    for packed in _texts(place):
        assert "Canaria" not in packed


def _texts(place: Path) -> Iterator[str]:
    """All that can still be read out of the payloads and bodies."""
    with open_ledger(str(place), purpose=Purpose.REAL, create=False) as ledger:
        for number in range(2, 6):
            yield str(ledger.sent_body(hexed(f"mora {number}"), 1))


def test_what_was_called_and_when_stays(ledger: Ledger, mora: Campaign) -> None:
    finish(ledger, mora)
    before = [call for n in range(2, 6) for call in ledger.find_calls(mora.id, hexed(f"c-{n}"))]

    purge(ledger, mora)

    after = [call for n in range(2, 6) for call in ledger.find_calls(mora.id, hexed(f"c-{n}"))]
    for one, other in zip(before, after, strict=True):
        assert (one.key, one.record.state, one.record.code) == (
            other.key,
            other.record.state,
            other.record.code,
        )
        assert (one.record.call_id, one.record.sent_at) == (
            other.record.call_id,
            other.record.sent_at,
        )
        assert other.record.message == ""
    assert ledger.known_call_ids(["id-2", "carried-1"]) == {"id-2", "carried-1"}


def test_a_purged_recording_is_never_the_same_as_a_sheet(ledger: Ledger, mora: Campaign) -> None:
    finish(ledger, mora)

    purge(ledger, mora)

    snapshot = ledger.last_snapshot(mora.id)
    assert snapshot
    assert (snapshot.head.digest, snapshot.head.settings_digest) == ("", "")
    assert (snapshot.purged_at, snapshot.rows, snapshot.head.file) == (LATER, 6, "/mora.csv")
    assert prospect(ledger).is_purged


def test_a_second_purge_changes_nothing_but_what_came_since(ledger: Ledger, mora: Campaign) -> None:
    finish(ledger, mora)
    purge(ledger, mora)
    first = ledger.last_snapshot(mora.id)

    with ledger.holding.hold("mora"):
        ledger.purging.purge(mora, now=LATER + timedelta(days=1), repeat_after_hours=20)

    assert ledger.last_snapshot(mora.id) == first


def test_after_a_purge_nobody_is_called_again(ledger: Ledger, mora: Campaign) -> None:
    finish(ledger, mora)
    purge(ledger, mora)

    record(ledger, "mora", range(2, 6))

    snapshot = ledger.last_snapshot(mora.id)
    assert snapshot
    assert snapshot.purged_at is None
    rows = [*ledger.rows(snapshot, repeat_after_hours=20, as_of=LATER)]
    states = [row.call.state for row in rows if row.call]
    assert states == [CallState.PLACED, CallState.PLACED, CallState.REJECTED, CallState.FAILED]
    assert not any(row.call.changed for row in rows if row.call)


BARS = {
    "pending": (None, timedelta(), LATER, {PurgeBar.PENDING}),
    "sending": (CallState.SENDING, timedelta(), LATER, {PurgeBar.SENDING}),
    "uncertain": (CallState.UNCERTAIN, timedelta(), LATER, {PurgeBar.UNCERTAIN}),
    "scheduled": (CallState.PLACED, timedelta(days=200), LATER, {PurgeBar.SCHEDULED}),
    "recent": (CallState.PLACED, timedelta(), NOW + timedelta(hours=19), {PurgeBar.RECENT}),
    "old": (CallState.PLACED, timedelta(), NOW + timedelta(hours=21), set()),
}


@pytest.mark.parametrize(("state", "due_in", "now", "bars"), BARS.values(), ids=BARS)
def test_open_and_young_campaigns_are_left_out(
    ledger: Ledger,
    state: CallState | None,
    due_in: timedelta,
    now: datetime,
    bars: set[PurgeBar],
) -> None:
    mora = record(ledger, "mora", range(2, 3))
    if state is not None:
        call_id = "id" if state is CallState.PLACED else ""
        attempt(ledger, "mora", 2, state, call_id=call_id, due_in=due_in)

    found = prospect(ledger, now=now)

    assert set(found.bars) == bars
    assert found.last_active == NOW
    if bars:
        with (
            ledger.holding.hold("mora"),
            pytest.raises(UsageProblem, match='campaign "mora" has calls'),
        ):
            ledger.purging.purge(mora, now=now, repeat_after_hours=20)
        assert not prospect(ledger, now=now).is_purged


def test_a_campaign_is_purged_only_under_its_lock(ledger: Ledger, mora: Campaign) -> None:
    finish(ledger, mora)

    with pytest.raises(StorageFailed, match="not held by this process"):
        ledger.purging.purge(mora, now=LATER, repeat_after_hours=20)


def test_a_ledger_that_is_being_read_says_that_it_is_not_clean_yet(
    ledger: Ledger, mora: Campaign, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    finish(ledger, mora)
    monkeypatch.setattr("dispatcher.ledger.storage.BUSY_SECONDS", 0.05)
    with closing(sqlite3.connect(place, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM calls").fetchone()
        with pytest.raises(StorageFailed, match="another process is reading it"):
            purge(ledger, mora)

    ledger.purging.compact()

    assert b"Canaria" not in place.read_bytes()


def test_a_ledger_that_is_being_written_is_not_rewritten(
    ledger: Ledger, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dispatcher.ledger.storage.BUSY_SECONDS", 0.05)
    with closing(sqlite3.connect(place, isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        with pytest.raises(StorageFailed, match=r"could not be rewritten.*locked"):
            ledger.purging.compact()


@pytest.mark.usefixtures("mora")
def test_a_ledger_opened_to_be_read_is_not_rewritten(place: Path) -> None:
    readable = read_ledger(str(place))
    assert readable
    with readable, pytest.raises(StorageFailed, match="opened to be read"):
        readable.purging.compact()


def test_the_results_sheets_of_a_campaign_are_known(ledger: Ledger) -> None:
    ledger.results_files.note("/a.csv", "1", "mora")
    ledger.results_files.note("/b.csv", "2", "mora")
    ledger.results_files.note("/c.csv", "3", "otra")

    noted = {(one.path, one.digest) for one in ledger.results_files.of("mora")}

    assert noted == {("/a.csv", "1"), ("/b.csv", "2")}
