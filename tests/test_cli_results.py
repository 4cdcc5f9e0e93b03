"""Where the rows stand, and when a results sheet is known without being read."""

from __future__ import annotations

import csv
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import pytest

from dispatcher.cli.results import ResultsView, refuse_foreign
from dispatcher.errors import UsageProblem
from dispatcher.ledger import Ledger, open_ledger
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
    RowProblem,
    RunEnd,
    RunStart,
    Schedule,
    Skip,
    Snapshot,
    SnapshotHead,
    StopWord,
    Verdict,
)
from dispatcher.report import Totals
from dispatcher.writer import Target, digest_of, target_for

NOW = datetime(2026, 11, 23, 13, 0, tzinfo=UTC)
HEAD = SnapshotHead(
    file="/sheets/mora.csv",
    digest="d",
    settings_digest="s",
    format="csv",
    sheet="",
    encoding="utf-8",
    delimiter=",",
    headers=("contact_id",),
)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with open_ledger(str(tmp_path / "l.db"), purpose=Purpose.REAL, create=True) as opened:
        yield opened


@pytest.fixture
def mora(ledger: Ledger) -> Campaign:
    return ledger.claim_campaign("mora", key_columns=(), base_url="https://api", at=NOW)


def hexed(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:32]


def request(number: int, *, agent: str = "a", at: datetime | None = None) -> CallRequest:
    return CallRequest(
        key=hexed(f"key {number}"),
        contact=hexed(f"contact {number}"),
        row=number,
        contact_id=f"id-{number}",
        agent_id=agent,
        from_number_id="n",
        schedule=Schedule(local="", timezone="UTC", at=at) if at else None,
    )


def record(ledger: Ledger, campaign: Campaign, fates: list[Fate]) -> Snapshot:
    rows = [PlannedRow(number=n, cells=(f"{n}",), fate=fate) for n, fate in enumerate(fates, 2)]
    return ledger.record(
        campaign.id, HEAD, rows, digest_of=lambda r: r.agent_id, remarks=tuple, at=NOW
    )


def settle(ledger: Ledger, wanted: CallRequest, state: CallState, *, code: str = "") -> None:
    mark = Mark(
        key=wanted.key,
        contact=wanted.contact,
        state=CallState.PENDING,
        body=b"{}",
        request_digest=wanted.agent_id,
        at=NOW,
        due_at=NOW,
    )
    (attempt,) = ledger.commit([mark], repeat_after_hours=0)
    assert isinstance(attempt, int)
    outcome = Outcome(
        key=wanted.key,
        attempt=attempt,
        state=state,
        verdict=Verdict.PLACED if state is CallState.PLACED else Verdict.REJECTED,
        code=code,
        message=code and f"because of {code}",
        call_id=f"call-{wanted.row}" if state is CallState.PLACED else "",
        at=NOW,
    )
    ledger.commit([outcome], repeat_after_hours=0)


def view(ledger: Ledger, campaign: Campaign, snapshot: Snapshot) -> ResultsView:
    return ResultsView(
        ledger=ledger,
        campaign=campaign,
        snapshot=snapshot,
        timezone="",
        repeat_after_hours=20,
        as_of=NOW,
    )


def test_counting_and_reading_the_rows_say_the_same(ledger: Ledger, mora: Campaign) -> None:
    fates: list[Fate] = [
        *map(request, range(2, 8)),
        request(8, at=NOW - timedelta(hours=1)),
        request(9, at=NOW + timedelta(hours=1)),
        RowProblem(code="no_contact", column="", message="it is empty"),
        Skip(code="duplicate", message="as row 2"),
        Carried(key="", contact="", call_id="c", status=CallStatus.PLACED, error_code="old"),
    ]
    record(ledger, mora, fates)
    settle(ledger, request(2), CallState.PLACED)
    settle(ledger, request(3), CallState.PLACED)
    settle(ledger, request(4), CallState.PLACED, code="wrong_contact")
    settle(ledger, request(5), CallState.REJECTED, code="http_400")
    settle(ledger, request(6), CallState.UNCERTAIN, code="timeout")
    fates[1] = request(3, agent="another")
    shown = view(ledger, mora, record(ledger, mora, fates))

    standing = shown.standing()

    read = Totals()
    assert len(list(shown.lines(read))) == len(fates)
    assert (standing.counts, standing.groups) == (read.counts, read.groups)
    assert set(standing.counts.values()) == {0, 1, 2, 4}


# A results sheet that is in the way


@pytest.fixture
def target(tmp_path: Path) -> Target:
    """A results sheet with an id that the ledger does not know."""
    path = tmp_path / "mora.results.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([("contact_id", "call_status", "call_id"), ("1", "placed", "x")])
    return target_for(path)


def begun_run(ledger: Ledger, campaign: Campaign) -> int:
    start = RunStart(
        campaign_id=campaign.id,
        snapshot_id=record(ledger, campaign, [request(2)]).id,
        user="u",
        host="h",
        version="1",
        arguments="[]",
        settings="{}",
        started_at=NOW,
    )
    return ledger.begin_run(start)


def noted(ledger: Ledger, target: Target, campaign: Campaign) -> None:
    ledger.results_files.note(str(target.path), digest_of(target.path), campaign.name)


def ended(*, stopped: StopWord | None = None) -> RunEnd:
    return RunEnd(stopped=stopped, message="", finished_at=NOW)


def test_what_this_ledger_has_written_is_known_unread(
    ledger: Ledger, mora: Campaign, target: Target, tmp_path: Path
) -> None:
    ledger.end_run(begun_run(ledger, mora), ended())
    noted(ledger, target, mora)

    refuse_foreign(target, ledger, sheet=tmp_path / "mora.csv")


@pytest.mark.parametrize("end", [None, ended(stopped=StopWord.LEDGER_FAILED)])
def test_what_a_run_wrote_that_could_not_record_everything_is_read(
    ledger: Ledger, mora: Campaign, target: Target, tmp_path: Path, end: RunEnd | None
) -> None:
    run = begun_run(ledger, mora)
    if end is not None:
        ledger.end_run(run, end)
    noted(ledger, target, mora)

    with pytest.raises(UsageProblem, match="another ledger"):
        refuse_foreign(target, ledger, sheet=tmp_path / "mora.csv")


def test_what_was_changed_since_it_was_written_is_read(
    ledger: Ledger, mora: Campaign, target: Target, tmp_path: Path
) -> None:
    ledger.end_run(begun_run(ledger, mora), ended())
    noted(ledger, target, mora)
    target.path.write_text(target.path.read_text() + "2,placed,y\n")

    with pytest.raises(UsageProblem, match="2 call ids"):
        refuse_foreign(target, ledger, sheet=tmp_path / "mora.csv")


def test_what_is_no_file_any_more_holds_nothing_foreign(
    ledger: Ledger, mora: Campaign, target: Target, tmp_path: Path
) -> None:
    ledger.end_run(begun_run(ledger, mora), ended())
    noted(ledger, target, mora)
    target.path.unlink()

    refuse_foreign(target, ledger, sheet=tmp_path / "mora.csv")
    refuse_foreign(replace(target, path=tmp_path), ledger, sheet=tmp_path / "mora.csv")


def test_a_run_that_writes_a_csv_does_without_openpyxl() -> None:
    look = "import sys, dispatcher.cli.run; sys.exit('openpyxl' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", look], check=False).returncode == 0
