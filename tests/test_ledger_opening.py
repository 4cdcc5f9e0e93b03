"""Opening, checking and creating a ledger, and reading one without touching it."""

from __future__ import annotations

import os
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import insert, select

from dispatcher.errors import DispatcherError, StorageFailed, UsageProblem
from dispatcher.ledger import Ledger, mounts, open_ledger, opening, read_ledger
from dispatcher.ledger.mounts import network_kind
from dispatcher.ledger.schema import facts
from dispatcher.ledger.storage import connect_to_write
from dispatcher.model import Purpose, RunEnd, RunStart, SnapshotHead

NOW = datetime(2026, 11, 23, 13, 0, tzinfo=UTC)
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
START = RunStart(
    campaign_id=1,
    snapshot_id=1,
    user="u",
    host="h",
    version="1",
    arguments="[]",
    settings="{}",
    started_at=NOW,
)


def create(path: Path) -> Ledger:
    return open_ledger(str(path), purpose=Purpose.REAL, create=True)


def reading(path: Path) -> Ledger:
    ledger = read_ledger(str(path))
    assert ledger is not None
    return ledger


def without_shared_memory(path: Path) -> None:
    """Make a ledger beside which SQLite finds no place for shared memory, even as root."""
    create(path).close()
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    path.with_name(path.name + "-shm").symlink_to("/nowhere/at/all")


def spoil(path: Path, statement: str) -> None:
    connection = sqlite3.connect(path)
    connection.execute(statement)
    connection.commit()
    connection.close()


def test_a_new_ledger_is_private_and_says_that_it_is_new(tmp_path: Path) -> None:
    path = tmp_path / "state" / "ledger.db"

    with create(path) as first:
        names = {child.name for child in path.parent.iterdir()}

    assert first.is_new
    assert first.location == str(path)
    assert first.purpose is Purpose.REAL
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE((path.parent / "ledger.db.locks").stat().st_mode) == 0o700
    assert not [name for name in names if ".new" in name]


def test_opening_again_finds_the_same_ledger(tmp_path: Path) -> None:
    with create(tmp_path / "l.db") as first:
        pass

    with create(tmp_path / "l.db") as second:
        assert not second.is_new
        assert second.id == first.id


@pytest.mark.parametrize(
    ("pragma", "value"),
    [
        ("journal_mode", "wal"),
        ("synchronous", 2),
        ("fullfsync", 1),
        ("foreign_keys", 1),
        ("busy_timeout", 30_000),
    ],
)
def test_what_durability_rests_on_is_in_force(
    tmp_path: Path, pragma: str, value: str | int
) -> None:
    with create(tmp_path / "l.db") as ledger, ledger._storage.writing() as connection:
        assert connection.exec_driver_sql(f"PRAGMA {pragma}").scalar() == value


def test_a_writing_transaction_holds_others_off_from_its_beginning(tmp_path: Path) -> None:
    with create(tmp_path / "l.db") as ledger, ledger._storage.writing():
        other = sqlite3.connect(tmp_path / "l.db", timeout=0)

        with pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("BEGIN IMMEDIATE")

        other.close()


def test_the_same_file_by_a_link_and_by_a_url_is_one_ledger(tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "there").symlink_to(tmp_path / "here")

    with (
        create(tmp_path / "here" / "l.db") as one,
        open_ledger(
            f"sqlite:///{tmp_path}/there/l.db", purpose=Purpose.REAL, create=False
        ) as other,
    ):
        assert one.location == other.location
        assert not other.is_new


def test_a_path_with_odd_characters_is_a_path(tmp_path: Path) -> None:
    path = tmp_path / "año 50% [x]?#" / "l.db"

    with create(path):
        pass

    assert path.is_file()
    with reading(path) as ledger:
        assert ledger.location == str(path)


@pytest.mark.parametrize(
    "place",
    ["postgresql+psycopg://u:secret@h/d", "sqlite://", "sqlite:///:memory:", "://"],
    ids=["another_database", "nowhere", "memory", "nonsense"],
)
def test_a_place_that_cannot_keep_a_ledger_is_refused(place: str) -> None:
    with pytest.raises(UsageProblem) as caught:
        open_ledger(place, purpose=Purpose.REAL, create=True)

    assert "secret" not in caught.value.message
    assert caught.value.hint


def test_a_missing_ledger_is_not_created_unasked(tmp_path: Path) -> None:
    with pytest.raises(UsageProblem, match="there is no ledger"):
        open_ledger(str(tmp_path / "l.db"), purpose=Purpose.REAL, create=False)

    assert read_ledger(str(tmp_path / "l.db")) is None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("purpose", list(Purpose))
def test_a_ledger_refuses_the_other_use(tmp_path: Path, purpose: Purpose) -> None:
    open_ledger(str(tmp_path / "l.db"), purpose=purpose, create=True).close()
    other = next(one for one in Purpose if one is not purpose)

    with pytest.raises(UsageProblem, match="rehearsal"):
        open_ledger(str(tmp_path / "l.db"), purpose=other, create=True)


def _cut(path: Path) -> None:
    os.truncate(path, 6_000)


def _overwrite(path: Path) -> None:
    with path.open("r+b") as stream:
        stream.seek(4096 * 3)
        stream.write(b"\xff" * 4096 * 4)


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _a_sheet(path: Path) -> None:
    path.write_text("contact_id;nombre\n", "utf-8")


def _a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _another_database(path: Path) -> None:
    path.unlink()
    spoil(path, "CREATE TABLE t (a)")


def _a_page_of_zeros(path: Path) -> None:
    with path.open("r+b") as stream:
        stream.seek(4096 * 5)
        stream.write(b"\x00" * 4096)


@pytest.mark.parametrize(
    "damage",
    [_cut, _overwrite, _empty, _a_sheet, _a_folder, _another_database, _a_page_of_zeros],
    ids=lambda damage: damage.__name__,
)
def test_what_is_damaged_or_no_ledger_is_refused_and_left_as_it_is(
    tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    path = tmp_path / "l.db"
    create(path).close()
    damage(path)
    before = path.read_bytes() if path.is_file() else b""

    for attempt in (create, reading):
        with pytest.raises(StorageFailed) as caught:
            attempt(path)
        assert str(path) in caught.value.message

    assert (path.read_bytes() if path.is_file() else b"") == before


def test_a_large_ledger_is_opened_without_reading_all_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    create(tmp_path / "l.db").close()
    _a_page_of_zeros(tmp_path / "l.db")
    monkeypatch.setattr(opening, "_CHECK_WHOLE_BELOW_BYTES", 1)

    with create(tmp_path / "l.db") as ledger:
        assert not ledger.is_new


@pytest.mark.parametrize(("version", "which"), [(99, "a newer version"), (2, "the older version")])
def test_a_ledger_of_another_version_is_refused_with_the_remedy(
    tmp_path: Path, version: int, which: str
) -> None:
    create(tmp_path / "l.db").close()
    spoil(tmp_path / "l.db", f"UPDATE ledger SET schema_version = {version}")  # noqa: S608

    with pytest.raises(StorageFailed, match=f"schema version {version}") as caught:
        create(tmp_path / "l.db")

    assert which in caught.value.hint


def test_a_log_without_its_ledger_is_not_buried_under_a_new_one(tmp_path: Path) -> None:
    path = tmp_path / "l.db"
    (tmp_path / "l.db-wal").write_bytes(b"what was not yet in the file")

    with pytest.raises(StorageFailed, match=r"its log l\.db-wal is still there"):
        create(path)

    assert not path.exists()


def test_what_a_creation_that_broke_off_left_is_cleared(tmp_path: Path) -> None:
    (tmp_path / "l.db.new").write_bytes(b"half")
    (tmp_path / "l.db.new-wal").write_bytes(b"half")
    (tmp_path / "l.db-wal").write_bytes(b"")

    with create(tmp_path / "l.db") as ledger:
        assert ledger.is_new

    assert not list(tmp_path.glob("*.new*"))


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(StorageFailed, match="cannot be created"):
        create(tmp_path / "file" / "l.db")


def test_a_full_disk_while_creating_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = connect_to_write

    def tiny(file: Path) -> sqlite3.Connection:
        connection = real(file)
        connection.execute("PRAGMA max_page_count = 3")
        return connection

    monkeypatch.setattr(opening, "connect_to_write", tiny)

    with pytest.raises(StorageFailed, match="full"):
        create(tmp_path / "l.db")

    assert not (tmp_path / "l.db").exists()


def test_of_two_that_create_at_once_one_finds_what_the_other_made(tmp_path: Path) -> None:
    ledgers: list[Ledger] = []
    both = threading.Barrier(4)

    def begin() -> None:
        both.wait()
        ledgers.append(create(tmp_path / "l.db"))

    threads = [threading.Thread(target=begin) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len({ledger.id for ledger in ledgers}) == 1
    assert sum(ledger.is_new for ledger in ledgers) == 1
    for ledger in ledgers:
        ledger.close()


def test_one_that_comes_second_to_creating_makes_nothing(tmp_path: Path) -> None:
    create(tmp_path / "l.db").close()
    before = (tmp_path / "l.db").read_bytes()

    assert not opening._create(tmp_path / "l.db", Purpose.REAL)
    assert (tmp_path / "l.db").read_bytes() == before


MOUNTS = """\
/dev/sda1 / ext4 rw 0 0
server:/home /home nfs4 rw 0 0
/dev/sdb1 /home/local ext4 rw 0 0
//nas/share /mnt/the\\040share cifs rw 0 0
me@host: /mnt/ssh fuse.sshfs rw 0 0
overlay / overlay rw 0 0
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/var/l.db", ""),
        ("/home/ana/l.db", "nfs4"),
        ("/home/local/l.db", ""),
        ("/homestead/l.db", ""),
        ("/mnt/the share/l.db", "cifs"),
        ("/mnt/ssh/a/l.db", "fuse.sshfs"),
        ("//nas/share/l.db", "a network share"),
    ],
)
def test_the_file_system_of_a_path_is_that_of_its_deepest_mount(path: str, kind: str) -> None:
    assert network_kind(Path(path), MOUNTS) == kind


def test_a_ledger_on_a_network_file_system_is_refused_unless_allowed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mounts").write_text(f"server:/x {tmp_path} nfs4 rw 0 0\n")
    monkeypatch.setattr(mounts, "MOUNTS", tmp_path / "mounts")
    path = str(tmp_path / "l.db")

    with pytest.raises(StorageFailed, match="network file system"):
        open_ledger(path, purpose=Purpose.REAL, create=True)

    open_ledger(path, purpose=Purpose.REAL, create=True, allow_network=True).close()
    with pytest.raises(StorageFailed, match="network file system"):
        read_ledger(path)


def test_a_machine_that_does_not_tell_its_mounts_is_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mounts, "MOUNTS", tmp_path / "nothing here")

    with create(tmp_path / "l.db") as ledger:
        assert ledger.is_new


def test_reading_changes_no_byte_of_the_ledger(tmp_path: Path) -> None:
    with create(tmp_path / "l.db") as ledger:
        ledger.claim_campaign("c", key_columns=(), base_url="u")
    before = (tmp_path / "l.db").read_bytes()

    with reading(tmp_path / "l.db") as ledger:
        assert [campaign.name for campaign in ledger.campaigns()] == ["c"]
        assert ledger.last_snapshot(1) is None
        assert not ledger.holding.is_held("c")

    assert (tmp_path / "l.db").read_bytes() == before


WRITES: dict[str, Callable[[Ledger], object]] = {
    "claim": lambda ledger: ledger.claim_campaign("new", key_columns=(), base_url="u"),
    "hold": lambda ledger: ledger.holding.hold("c").__enter__(),
    "settle": lambda ledger: ledger.settle_left_over(1, at=NOW),
    "record": lambda ledger: ledger.record(
        1, HEAD, [], digest_of=lambda _: "", remarks=lambda: (), at=NOW
    ),
    "commit": lambda ledger: ledger.commit([], repeat_after_hours=20),
    "reserve": lambda ledger: ledger.reserve("u", lambda _: ((), 0.0)),
    "resolve": lambda ledger: ledger.resolve(
        1, "0" * 32, call_id=None, reason="r", user="u", at=NOW
    ),
    "begin_run": lambda ledger: ledger.begin_run(START),
    "end_run": lambda ledger: ledger.end_run(1, RunEnd(stopped=None, message="", finished_at=NOW)),
    "note_results": lambda ledger: ledger.results_files.note("/p", "d", "c"),
}


@pytest.mark.parametrize("write", list(WRITES.values()), ids=list(WRITES))
def test_a_ledger_opened_to_be_read_refuses_to_write(
    tmp_path: Path, write: Callable[[Ledger], object]
) -> None:
    with create(tmp_path / "l.db") as ledger:
        ledger.claim_campaign("c", key_columns=(), base_url="u")

    with reading(tmp_path / "l.db") as ledger, pytest.raises(StorageFailed):
        write(ledger)


def test_a_ledger_can_be_read_where_sqlite_can_write_nothing_beside_it(tmp_path: Path) -> None:
    without_shared_memory(tmp_path / "l.db")

    with reading(tmp_path / "l.db") as ledger:
        assert ledger.campaigns() == ()


def test_with_a_log_that_cannot_be_shared_it_is_not_read_as_if_there_were_none(
    tmp_path: Path,
) -> None:
    without_shared_memory(tmp_path / "l.db")
    (tmp_path / "l.db-wal").write_bytes(b"somebody writes")

    with pytest.raises(StorageFailed, match="could not be read"):
        reading(tmp_path / "l.db")


DIES = """
import os, signal, sys
from datetime import datetime, UTC
from dispatcher.ledger import open_ledger
from dispatcher.model import Purpose
ledger = open_ledger(sys.argv[1], purpose=Purpose.REAL, create=True)
ledger.claim_campaign("committed", key_columns=(), base_url="u")
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_was_committed_before_a_kill_can_be_read(tmp_path: Path) -> None:
    died = subprocess.run([sys.executable, "-c", DIES, str(tmp_path / "l.db")], check=False)

    assert died.returncode == -signal.SIGKILL
    with reading(tmp_path / "l.db") as ledger:
        assert [campaign.name for campaign in ledger.campaigns()] == ["committed"]


def test_a_fault_is_told_without_what_was_being_written(tmp_path: Path) -> None:
    row = {"id": "1", "purpose": "secret words", "schema_version": 1, "created_at": 1.0}

    with (
        create(tmp_path / "l.db") as ledger,
        pytest.raises(StorageFailed) as caught,
        ledger._storage.writing() as connection,
    ):
        connection.execute(insert(facts), row)

    assert "could not be written: CHECK constraint failed" in caught.value.message
    assert "secret words" not in caught.value.message
    assert "secret words" not in str(caught.value.__cause__)


def test_faults_end_the_command_as_storage_faults(tmp_path: Path) -> None:
    with (
        create(tmp_path / "l.db") as ledger,
        pytest.raises(DispatcherError) as caught,
        ledger._storage.writing() as connection,
    ):
        connection.execute(select(facts.c.id).where(facts.c.id == "")).one()

    assert caught.value.exit_code == 8
