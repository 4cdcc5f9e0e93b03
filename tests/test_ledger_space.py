"""Room for a run is taken before its first call, and what the run writes lands in it."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import pytest

from dispatcher.errors import StorageFailed
from dispatcher.ledger import Ledger, open_ledger, space
from dispatcher.model import (
    CallRequest,
    CallState,
    Mark,
    Outcome,
    PlannedRow,
    Purpose,
    SnapshotHead,
    Verdict,
)

NOW = datetime(2026, 6, 15, 12, tzinfo=UTC)
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


class Sizes(NamedTuple):
    file: int
    log: int


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with open_ledger(str(tmp_path / "l.db"), purpose=Purpose.REAL, create=True) as opened:
        yield opened


def sizes(ledger: Ledger) -> Sizes:
    file = Path(ledger.location)
    return Sizes(file.stat().st_size, file.with_name(file.name + "-wal").stat().st_size)


def hexed(number: int) -> str:
    return sha256(b"%d" % number).hexdigest()[:32]


def record(ledger: Ledger, count: int) -> None:
    campaign = ledger.claim_campaign("mora", key_columns=(), base_url="https://api")
    rows = (
        PlannedRow(
            number=number,
            cells=(str(number),),
            fate=CallRequest(
                key=hexed(number),
                contact=hexed(-number),
                row=number,
                contact_id=str(number),
                agent_id="a",
                from_number_id="n",
            ),
        )
        for number in range(count)
    )
    ledger.record(campaign.id, HEAD, rows, digest_of=lambda _: "d", remarks=lambda: (), at=NOW)


def call(ledger: Ledger, number: int) -> None:
    body = b'{"contact_id":"%d","note":"%s"}' % (number, hexed(number).encode() * 8)
    mark = Mark(
        key=hexed(number),
        contact=hexed(-number),
        state=CallState.PENDING,
        body=body,
        request_digest="d",
        at=NOW,
        due_at=NOW,
    )
    outcome = Outcome(
        key=hexed(number),
        attempt=1,
        state=CallState.PLACED,
        verdict=Verdict.PLACED,
        http_status=201,
        call_id=f"0e5c1f7a-0000-4000-8000-{number:012d}",
        created_at="2026-06-15T12:00:00.000Z",
        at=NOW,
    )
    for work in (mark, outcome):
        ledger.commit([work], repeat_after_hours=0)


@pytest.mark.parametrize("count", [1, 10, 120])
def test_a_run_grows_neither_the_file_nor_its_log(ledger: Ledger, count: int) -> None:
    record(ledger, count)
    ledger.reserve_space(calls=count)
    before = sizes(ledger)

    for number in range(count):
        call(ledger, number)

    assert sizes(ledger) == before


def test_room_that_is_there_is_not_taken_again(ledger: Ledger) -> None:
    ledger.reserve_space(calls=10_000)
    first = sizes(ledger)

    ledger.reserve_space(calls=10_000)
    ledger.reserve_space(calls=5)

    assert sizes(ledger) == first
    assert first.file >= 10_000 * space.CALL_BYTES
    with closing(sqlite3.connect(ledger.location)) as database:
        assert database.execute("SELECT count(*) FROM reserve").fetchone() == (0,)


def test_a_disk_without_room_is_not_filled_first(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = Path(ledger.location).stat().st_size
    usage = shutil.disk_usage(ledger.location)._replace(free=1_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _folder: usage)

    with pytest.raises(StorageFailed, match="no room for the record of 2000 calls") as caught:
        ledger.reserve_space(calls=2000)

    assert "has 1000000 bytes left and needs " in caught.value.message
    assert caught.value.hint.startswith("nothing was sent")
    assert Path(ledger.location).stat().st_size == before


def test_room_that_cannot_be_had_is_said(ledger: Ledger) -> None:
    with closing(sqlite3.connect(ledger.location)) as database:
        database.execute(
            "CREATE TRIGGER full AFTER INSERT ON reserve"
            " BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END"
        )

    with pytest.raises(StorageFailed, match=r"no room for .*database or disk is full"):
        ledger.reserve_space(calls=3)
