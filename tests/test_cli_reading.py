"""A sheet of any size is planned, or the machine's lack of room is said in one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from dispatcher.cli import reading
from dispatcher.cli.app import run_app

ROWS = 1_500  # more than are kept in memory before the file is written


@pytest.fixture(name="sheet")
def _sheet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A sheet that repeats its first contact in its last row, and no room for claims in memory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(reading, "_CLAIMS_IN_MEMORY", 1)
    ids = [f"550e8400-e29b-41d4-a716-{number:012}" for number in range(ROWS)]
    Path("people.csv").write_text("\n".join(("contact_id", *ids, ids[0], "")), encoding="utf-8")
    return "people.csv"


def test_claims_of_a_large_sheet_are_kept_in_a_temporary_file(
    sheet: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_app(["check", sheet]) == 0

    out = capsys.readouterr().out
    assert f"{ROWS + 1} rows: {ROWS} can be called, 1 skipped" in out
    assert f"row {ROWS + 2}: Row 2 asks for the same call" in out


def test_no_room_for_them_is_said_and_nothing_else_is_done(
    sheet: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("tempfile.tempdir", "/nowhere/at/all")

    assert run_app(["check", sheet]) == 8

    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.splitlines() == [
        "dispatcher: a temporary file could not be written or read (No such file or directory)",
        "  make room for it, or name another folder in TMPDIR",
    ]
