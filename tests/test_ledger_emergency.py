"""What the ledger could not take is kept in a file, and taken in from it later."""

from __future__ import annotations

import json
import os
import stat
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from dispatcher.ledger import (
    EmergencyEntry,
    EmergencyFile,
    emergency_files,
    read_emergency,
    set_aside,
)

NOW = datetime(2026, 6, 15, 12, tzinfo=UTC)
LEDGER = "5f0c"
posix = pytest.mark.skipif(sys.platform == "win32", reason="other systems, other permissions")


def entry(number: int, **changes: object) -> EmergencyEntry:
    words: dict[str, object] = {
        "row": number,
        "key": f"{number:032x}",
        "attempt": 1,
        "call_id": f"id-{number}",
        "at": NOW,
        "http_status": 201,
        "created_at": "2026-06-15T12:00:00Z",
    }
    return EmergencyEntry(**(words | changes))  # type: ignore[arg-type]


def file_in(*folders: Path, campaign: str = "mora") -> EmergencyFile:
    return EmergencyFile(folders, ledger_id=LEDGER, campaign=campaign)


def found(*folders: Path, campaign: str = "mora") -> tuple[Path, ...]:
    return emergency_files(folders, ledger_id=LEDGER, campaign=campaign)


def read(path: Path) -> tuple[EmergencyEntry, ...]:
    return read_emergency(path, ledger_id=LEDGER, campaign="mora")


def test_what_is_kept_is_read_again(tmp_path: Path) -> None:
    file = file_in(tmp_path)

    path = file.add(entry(2))
    again = file.add(entry(3))

    assert path is not None
    assert path == again
    assert found(tmp_path) == (path,)
    assert read(path) == (entry(2), entry(3))
    assert json.loads(path.read_text(encoding="utf-8").splitlines()[0]) == {
        "ledger": LEDGER,
        "campaign": "mora",
        "key": f"{2:032x}",
        "attempt": 1,
        "call_id": "id-2",
        "time": "2026-06-15T12:00:00+00:00",
        "row": 2,
        "http_status": 201,
        "created_at": "2026-06-15T12:00:00Z",
    }


def test_nothing_is_created_before_there_is_something_to_keep(tmp_path: Path) -> None:
    file_in(tmp_path)

    assert not [*tmp_path.iterdir()]


def test_two_runs_have_files_of_their_own(tmp_path: Path) -> None:
    paths = {file_in(tmp_path).add(entry(n)) for n in (2, 3)}

    assert set(found(tmp_path)) == paths
    assert len(paths) == 2


@posix
def test_the_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    path = file_in(tmp_path).add(entry(2))

    assert path is not None
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@posix
def test_a_folder_everybody_may_write_to_is_passed_over(tmp_path: Path) -> None:
    shared, own = tmp_path / "shared", tmp_path / "own"
    for folder in (shared, own):
        folder.mkdir()
    shared.chmod(0o1777)

    path = file_in(shared, own).add(entry(2))

    assert path is not None
    assert path.parent == own
    assert not [*shared.iterdir()]


def test_a_folder_that_is_gone_or_none_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    assert file_in(tmp_path / "gone", tmp_path / "file").add(entry(2)) is None
    path = file_in(tmp_path / "gone", tmp_path / "file", tmp_path).add(entry(2))
    assert path is not None


def test_a_file_that_takes_no_more_is_followed_by_one_elsewhere(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir(mode=0o700)
    two.mkdir(mode=0o700)
    file = file_in(one, two)
    first = file.add(entry(2))
    assert first is not None
    first.unlink()

    second = file.add(entry(3))

    assert second is not None
    assert (second.parent, read(second)) == (two, (entry(3),))


def test_a_disk_that_takes_nothing_leaves_no_empty_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_descriptor: int) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(os, "fsync", full)

    assert file_in(tmp_path).add(entry(2)) is None
    assert not [*tmp_path.iterdir()]


def test_a_disk_that_is_full_after_a_while_keeps_what_it_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = file_in(tmp_path)
    path = file.add(entry(2))

    def full(_descriptor: int) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(os, "fsync", full)

    assert file.add(entry(3)) is None
    assert path is not None
    assert entry(2) in read(path)


def test_files_of_others_are_not_found_and_their_lines_not_believed(tmp_path: Path) -> None:
    path = file_in(tmp_path).add(entry(2))
    assert path is not None
    with path.open("a", encoding="utf-8") as lines:
        for change in (
            {"ledger": "another"},
            {"campaign": "another"},
            {"key": "short"},
            {"key": "00"},
            {"attempt": 0},
            {"call_id": ""},
            {"time": "2026-06-15T12:00:00"},
            {"time": 5},
        ):
            kept = json.loads(path.read_text(encoding="utf-8").splitlines()[0])
            lines.write(json.dumps(kept | change) + "\n")
        lines.write('[1]\n{"ledger": "5f0c", "campaign": "mora"}\n{"ledger": "5f0')

    assert read(path) == (entry(2),)
    assert not found(tmp_path, campaign="another")
    assert not emergency_files([tmp_path], ledger_id="another", campaign="mora")


def test_a_file_that_was_set_aside_is_not_found_again(tmp_path: Path) -> None:
    path = file_in(tmp_path).add(entry(2))
    assert path is not None

    set_aside(path)
    set_aside(path)

    assert not found(tmp_path, tmp_path, tmp_path / "gone")
    assert path.with_name(path.name + ".taken").exists()


@posix
def test_a_link_is_not_followed(tmp_path: Path) -> None:
    path = file_in(tmp_path).add(entry(2))
    assert path is not None
    link = path.with_name(path.name.replace(".jsonl", "x.jsonl"))
    link.symlink_to(path)

    with pytest.raises(OSError, match="symbolic links"):
        read(link)


def test_a_time_without_a_zone_is_no_time() -> None:
    with pytest.raises(ValueError, match="zone"):
        entry(2, at=NOW.replace(tzinfo=None))
