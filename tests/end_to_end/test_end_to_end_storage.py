"""The ledger and the results meet a file system that does not do as it should."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import stat
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from dispatcher.cli import results
from dispatcher.ledger import mounts
from dispatcher.model import CallStatus

if TYPE_CHECKING:
    from tests.end_to_end.conftest import World


@pytest.fixture
def _on_network(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    table = world.folder / "mounts"
    table.write_text(f"server:/x {world.folder} nfs4 rw 0 0\n", encoding="utf-8")
    monkeypatch.setattr(mounts, "MOUNTS", table)


@pytest.mark.usefixtures("_on_network")
def test_a_ledger_on_a_network_file_system_is_refused_unless_it_is_accepted(world: World) -> None:
    sheet = world.people(2)

    refused = world.run(sheet)
    accepted = world.run(sheet, "--ledger-on-network")

    assert refused.status == 8
    assert "is on a network file system (nfs4)" in refused.complaint[0]
    assert "--ledger-on-network" in refused.complaint[1]
    assert (accepted.status, accepted.counts) == (0, {"placed": 2}), accepted.err


@pytest.mark.usefixtures("_on_network")
@pytest.mark.parametrize(
    "command",
    [
        ("status",),
        ("results", "campaign"),
        ("stop", "campaign"),
        ("reconcile", "campaign"),
        ("purge", "--older-than", "90d"),
        ("run", "campaign.csv", "--dry-run"),
        ("resolve", "campaign", "--row", "2", "--placed", "x", "--reason", "y", "--yes"),
    ],
    ids=lambda command: command[0],
)
def test_every_command_with_a_ledger_can_accept_the_network(
    world: World, command: tuple[str, ...]
) -> None:
    world.run(world.people(2), "--ledger-on-network")

    refused = world.command(*command)
    accepted = world.command(*command, "--ledger-on-network")

    assert (refused.status, "network file system" in refused.err) == (8, True)
    assert "network file system" not in accepted.err


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "home"
    folder.mkdir(mode=0o700)
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("USERPROFILE", str(folder))
    return folder


def _break(world: World, rule: str) -> None:
    with closing(sqlite3.connect(world.ledger)) as database, database:
        database.execute(f"CREATE TRIGGER broken {rule} BEGIN SELECT RAISE(ABORT, 'I/O'); END")


def _mend(world: World) -> None:
    with closing(sqlite3.connect(world.ledger)) as database, database:
        database.execute("DROP TRIGGER broken")


def _break_after_placing(world: World, placed: int) -> None:
    count = "(SELECT count(*) FROM calls WHERE state = 'placed')"
    _break(world, f"BEFORE UPDATE ON calls WHEN NEW.state = 'placed' AND {count} >= {placed}")


def _emergency_files(folder: Path) -> list[Path]:
    return sorted(folder.glob("dispatcher-unrecorded-*.jsonl"))


def test_a_ledger_that_fails_stops_the_run_and_every_id_is_kept_and_taken_in_later(
    world: World, home: Path
) -> None:
    sheet = world.people(30)
    assert world.run(sheet, "--limit", "4").counts["placed"] == 4
    _break_after_placing(world, 10)

    failed = world.run(sheet)
    (file,) = _emergency_files(world.folder)
    entries = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    sheet_then = world.lines("campaign.results.csv")
    record_then = [call.call_id for call in world.server.record]
    _mend(world)
    again = world.run(sheet)

    record = {call.call_id: call for call in world.server.record}
    assert (failed.status, failed.report["stopped"]) == (8, "ledger_failed")
    assert "I/O" in str(failed.report["message"])
    assert entries
    for entry in entries:
        call = record[entry["call_id"]]
        assert entry["campaign"] == "campaign"
        assert str(entry["row"]) == call.metadata["dispatch_row"]
        assert entry["key"] == call.metadata["dispatch_key"]
        row = entry["row"]
        assert f"NOT RECORDED: row {row} was placed: {entry['call_id']}" in failed.err
    assert f"Kept in {file}" in failed.err
    assert {line["call_id"] for line in sheet_then} == {"", *record_then}
    assert (again.status, again.counts) == (0, {"placed": 30}), again.err
    assert f"Taken in from {file}: {len(entries)} placed call" in again.err
    assert not _emergency_files(world.folder)
    assert file.with_name(file.name + ".taken").exists()
    assert not [*home.iterdir()]
    assert world.called() == sorted(f"c-{n}" for n in range(1, 31))
    assert world.agrees(str(again.report["results"]))


@pytest.mark.skipif(os.name != "posix", reason="other systems have other permissions")
def test_the_emergency_file_is_for_its_owner_and_never_where_everybody_may_write(
    world: World, home: Path
) -> None:
    sheet = world.people(12)
    world.folder.chmod(0o777)
    assert world.run(sheet, "--limit", "1").status == 0
    _break_after_placing(world, 3)

    failed = world.run(sheet)
    world.folder.chmod(0o700)
    (file,) = _emergency_files(home)
    mode = stat.S_IMODE(file.stat().st_mode)
    _mend(world)
    again = world.run(sheet)

    assert (failed.status, mode) == (8, 0o600)
    assert not _emergency_files(world.folder)
    assert (again.status, again.counts) == (0, {"placed": 12}), again.err
    assert f"Taken in from {file}" in again.err
    assert not _emergency_files(home)


def test_an_emergency_file_beside_other_results_is_found_again(world: World, home: Path) -> None:
    sheet = world.people(12)
    aside = world.folder / "aside"
    aside.mkdir(mode=0o700)
    assert world.run(sheet, "--limit", "1").status == 0
    _break_after_placing(world, 3)

    failed = world.run(sheet, "--results", aside / "r.csv")
    assert _emergency_files(aside)
    _mend(world)
    again = world.run(sheet)

    assert failed.status == 8
    assert not _emergency_files(aside)
    assert (again.status, again.counts) == (0, {"placed": 12}), again.err
    assert not [*home.iterdir()]


def test_an_id_that_can_be_kept_nowhere_is_said_all_the_same(world: World, home: Path) -> None:
    sheet = world.people(12)
    assert world.run(sheet, "--limit", "1").status == 0
    _break_after_placing(world, 3)
    world.folder.chmod(0o777)
    home.chmod(0o777)

    failed = world.run(sheet)

    assert failed.status == 8
    assert "NOT RECORDED: row " in failed.err
    assert "could be kept nowhere: write down what is said above" in failed.err
    assert not _emergency_files(world.folder)


def test_entries_of_calls_that_nobody_knows_are_left_where_they_are(
    world: World, home: Path
) -> None:
    sheet = world.people(12)
    assert world.run(sheet, "--limit", "1").status == 0
    _break_after_placing(world, 3)
    world.run(sheet)
    (file,) = _emergency_files(world.folder)
    entry = json.loads(file.read_text(encoding="utf-8").splitlines()[0])
    strange = entry | {"key": "0" * 32, "call_id": "call-nobody-knows"}
    with file.open("a", encoding="utf-8") as lines:
        lines.write(json.dumps(strange) + "\n")
    _mend(world)

    again = world.run(sheet)
    once_more = world.run(sheet)

    assert (again.status, again.counts) == (0, {"placed": 12}), again.err
    assert "left there: call-nobody-knows" in again.err
    assert _emergency_files(world.folder) == [file]
    assert (once_more.status, once_more.counts) == (0, {"placed": 12})
    assert not [*home.iterdir()]


def test_an_emergency_file_that_cannot_be_read_is_said_and_the_run_goes_on(
    world: World, home: Path
) -> None:
    sheet = world.people(12)
    assert world.run(sheet, "--limit", "1").status == 0
    _break_after_placing(world, 3)
    world.run(sheet)
    (file,) = _emergency_files(world.folder)
    file.unlink()
    file.mkdir()
    _mend(world)

    refused = world.run(sheet)  # the results hold ids that the ledger does not know
    again = world.run(sheet, "--results", world.folder / "others.csv", "--no-reconcile")

    assert refused.status == 2
    assert f"{file} holds ids of placed calls and cannot be read: " in again.err
    assert f"cannot take them in from {file}, which cannot be read" in refused.complaint[0]
    assert "make that file readable and run again" in refused.complaint[1]
    assert again.status == 5
    assert len(world.called()) == len(set(world.called())) == 12
    assert not [*home.iterdir()]


def _after(happens: Callable[[], None]) -> Callable[..., object]:
    """Write the results as ever, once something else has happened."""
    write = results.write_somewhere

    def written(*arguments: object, **named: object) -> object:
        happens()
        return write(*arguments, **named)  # type: ignore[arg-type]

    return written


def test_results_whose_folder_is_gone_at_the_end_are_written_at_home(
    world: World, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sheet = world.people(3)
    gone = world.folder / "gone"
    gone.mkdir()
    monkeypatch.setattr(results, "write_somewhere", _after(lambda: shutil.rmtree(gone)))

    ended = world.run(sheet, "--results", gone / "r.csv")
    later = world.command("results", "campaign", "--results", world.folder / "later.csv")

    assert (ended.status, ended.counts) == (0, {"placed": 3}), ended.err
    assert ended.report["results"] == str(home / "r.csv")
    assert "the results are in the home folder instead" in ended.err
    assert set(world.statuses(home / "r.csv").values()) == {"placed"}
    assert later.status == 0
    assert set(world.statuses("later.csv").values()) == {"placed"}


def test_results_that_were_made_read_only_meanwhile_stay_as_they_are(
    world: World, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sheet = world.people(3)
    assert world.run(sheet, "--limit", "1").status == 0
    first = world.folder / "campaign.results.csv"
    before = first.read_bytes()
    monkeypatch.setattr(results, "write_somewhere", _after(lambda: first.chmod(stat.S_IRUSR)))

    ended = world.run(sheet)

    assert (ended.status, ended.counts) == (0, {"placed": 3}), ended.err
    assert first.read_bytes() == before
    assert ended.report["results"] == str(world.folder / "campaign.results (2).csv")
    assert f"{first} is not ours to overwrite: the results are beside it." in ended.err
    assert set(world.statuses("campaign.results (2).csv").values()) == {"placed"}
    assert not [*home.iterdir()]


def test_results_that_find_no_place_end_with_8_and_can_be_written_later(
    world: World, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sheet = world.people(3)
    gone = world.folder / "gone"
    gone.mkdir()

    def vanish() -> None:
        shutil.rmtree(gone)
        shutil.rmtree(home)

    monkeypatch.setattr(results, "write_somewhere", _after(vanish))

    ended = world.run(sheet, "--results", gone / "r.csv")
    later = world.command("results", "campaign")

    assert ended.status == 8
    assert ended.report["this_run"] == {word.value: 3 * (word == "placed") for word in CallStatus}
    assert "r.csv cannot be written" in ended.complaint[0]
    assert "dispatcher results campaign" in ended.complaint[1]
    assert later.status == 0
    assert set(world.statuses().values()) == {"placed"}


def test_results_the_ledger_cannot_note_are_there_and_the_status_is_8(
    world: World, home: Path
) -> None:
    sheet = world.people(3)
    assert world.run(sheet, "--limit", "1").status == 0
    _break(world, "BEFORE UPDATE ON results_files")

    ended = world.run(sheet)

    assert ended.status == 8
    assert "campaign.results.csv, but ledger" in ended.complaint[0]
    assert ended.counts == {"placed": 3}
    assert set(world.statuses().values()) == {"placed"}
    assert not [*home.iterdir()]


def test_a_ledger_that_cannot_note_the_end_of_a_run_has_failed(world: World, home: Path) -> None:
    sheet = world.people(3)
    assert world.run(sheet, "--limit", "1").status == 0
    _break(world, "BEFORE UPDATE ON runs")

    ended = world.run(sheet)
    _mend(world)
    again = world.run(sheet)

    assert (ended.status, ended.report["stopped"]) == (8, "ledger_failed")
    assert ended.counts == {"placed": 3}
    assert (again.status, again.counts) == (0, {"placed": 3})
    assert not [*home.iterdir()]
