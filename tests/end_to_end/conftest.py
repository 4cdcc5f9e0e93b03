"""A folder, a server and a ledger of its own for every end-to-end test; the command runs within."""

from __future__ import annotations

import csv
import io
import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import openpyxl
import pytest

from dispatcher.cli.app import run_app
from dispatcher.sandbox import Fault, Faults, Generation, SandboxOptions, SandboxServer

Line = dict[str, str]
Table = list[tuple[object, ...]]

CONFIG = "defaults:\n  agent_id: agent-1\n  from_number_id: number-1\n"
# Beside what the run itself says of its sheet, the ledger remembers what it wrote where.
NOTES_OF_FILES = "results_files"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """
    How one command ended.

    Attributes:
        status: Its exit status.
        out: What it wrote to stdout.
        err: What it wrote to stderr.
    """

    status: int
    out: str
    err: str

    @property
    def report(self) -> Mapping[str, object]:
        """The one JSON object on stdout."""
        return cast(Mapping[str, object], json.loads(self.out))

    @property
    def counts(self) -> Mapping[str, int]:
        """Where the rows of the sheet stand, without the words that no row has."""
        counts = cast(Mapping[str, int], self.report["counts"])
        assert sum(counts.values()) == self.report["rows"]
        return {word: number for word, number in counts.items() if number}

    @property
    def complaint(self) -> list[str]:
        """The lines of the error: the message, then the hint if there is one."""
        lines = self.err.splitlines()
        begins = [i for i, line in enumerate(lines) if line.startswith("dispatcher: ")]
        assert len(begins) == 1, self.err
        return lines[begins[0] :]


class World:
    """
    Where one test's campaign lives.

    Attributes:
        folder: The working folder.
        ledger: The ledger that the environment names.
        server: The server that the environment names.
    """

    def __init__(
        self,
        folder: Path,
        stack: ExitStack,
        monkeypatch: pytest.MonkeyPatch,
        capture: pytest.CaptureFixture[str],
    ) -> None:
        self.folder = folder
        self.ledger = folder / "ledger.db"
        self._stack = stack
        self._monkeypatch = monkeypatch
        self._capture = capture
        self.configure("")
        self.set("DISPATCHER_LEDGER", str(self.ledger))
        self.server = self.serve()

    def serve(
        self,
        faults: Faults | None = None,
        *,
        generation: Generation = Generation.B,
        rate_per_minute: int = 0,
    ) -> SandboxServer:
        """Start another server, lead the environment to it, and return it."""
        options = SandboxOptions(
            faults=faults or Faults(),
            generation=generation,
            rate_per_minute=rate_per_minute,
            id_prefix="call-",
        )
        self.server = self._stack.enter_context(SandboxServer(options))
        self.set("CONTACTSHIP_BASE_URL", self.server.url)
        self.set("CONTACTSHIP_API_KEY", self.server.key)
        return self.server

    def serve_faults(self, faults: Mapping[str, Fault]) -> SandboxServer:
        """Start a server on which some contacts fare as said, and all others well."""
        return self.serve(Faults(contacts={who: (fault,) for who, fault in faults.items()}))

    def set(self, variable: str, value: str) -> None:
        """Set a variable of the environment."""
        self._monkeypatch.setenv(variable, value)

    def unset(self, variable: str) -> None:
        """Remove a variable from the environment."""
        self._monkeypatch.delenv(variable, raising=False)

    def configure(self, text: str, *, with_ids: bool = True) -> Path:
        """Write ``config.yaml``, with the agent and the number unless told otherwise."""
        path = self.folder / "config.yaml"
        path.write_text((CONFIG if with_ids else "") + text, encoding="utf-8")
        return path

    def command(self, *arguments: str | Path) -> Ended:
        """Run one command of the dispatcher, in this process."""
        self._capture.readouterr()
        status = run_app([str(argument) for argument in arguments])
        said = self._capture.readouterr()
        return Ended(status=status, out=said.out, err=said.err)

    def run(self, *arguments: str | Path) -> Ended:
        """Run a campaign as fast as it goes, without a question, with the JSON at its end."""
        return self.command("run", *arguments, "--yes", "--json", "--rate", "unlimited")

    def csv(
        self,
        rows: Sequence[Sequence[str]],
        *,
        name: str = "campaign.csv",
        header: Sequence[str] = ("contact_id", "nombre", "monto"),
        delimiter: str = ",",
        encoding: str = "utf-8",
    ) -> Path:
        """Write a sheet as CSV; a name that exists is replaced."""
        text = io.StringIO()
        csv.writer(text, delimiter=delimiter, lineterminator="\r\n").writerows([header, *rows])
        path = self.folder / name
        path.write_bytes(text.getvalue().encode(encoding))
        return path

    def people(self, count: int, *, name: str = "campaign.csv", first: int = 1) -> Path:
        """Write a CSV with the contacts ``c-1``, ``c-2`` and so on."""
        numbers = range(first, first + count)
        return self.csv([(f"c-{i}", f"Persona {i}", f"{i}.000,50") for i in numbers], name=name)

    def workbook(self, rows: Sequence[Sequence[object]], *, name: str = "campaign.xlsx") -> Path:
        """Write a workbook of one sheet; the first row is its header."""
        book = openpyxl.Workbook()
        sheet = book.active
        assert sheet is not None
        for row in rows:
            sheet.append(list(row))
        path = self.folder / name
        book.save(path)
        return path

    def lines(self, path: Path | str) -> list[Line]:
        """Read a results sheet: header -> text, row by row."""
        path = self.folder / path
        header, *rows = _workbook_rows(path) if path.suffix == ".xlsx" else _csv_rows(path)
        return [dict(zip(header, row, strict=True)) for row in rows]

    def statuses(self, path: Path | str = "campaign.results.csv") -> dict[str, str]:
        """Read a results sheet: contact id -> status, of sheets without a contact twice."""
        lines = self.lines(path)
        found = {line["contact_id"]: line["call_status"] for line in lines}
        assert len(found) == len(lines)
        return found

    def called(self) -> list[str]:
        """List the contacts the server was asked to call, once for each request, sorted."""
        asked = self.server.requests
        return sorted(contact for contact, times in asked.items() for _ in range(times))

    def agrees(self, path: Path | str) -> bool:
        """Compare a results sheet, row by row, with the calls that the server truly placed."""
        record = self.server.record
        said = [line for line in self.lines(path) if line["call_status"] == "placed"]
        kept = {
            call.call_id: (call.contact_id, str(call.metadata["dispatch_row"])) for call in record
        }
        found = {line["call_id"]: (line["contact_id"], line["source_row"]) for line in said}
        return found == kept and len(said) == len(record)

    def remembered(self) -> dict[str, Table]:
        """Dump all that the ledger knows of campaigns, calls and runs."""
        with closing(sqlite3.connect(f"file:{self.ledger}?mode=ro", uri=True)) as connection:
            names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            tables = {name for (name,) in names.fetchall()} - {NOTES_OF_FILES}
            return {
                name: connection.execute(f'SELECT * FROM "{name}"').fetchall()  # noqa: S608
                for name in sorted(tables)
            }

    def files(self) -> dict[str, bytes]:
        """Read every file below the working folder."""
        return {
            str(path.relative_to(self.folder)): path.read_bytes()
            for path in sorted(self.folder.rglob("*"))
            if path.is_file()
        }


def _csv_rows(path: Path) -> list[list[str]]:
    text = path.read_bytes().decode("utf-8-sig")
    delimiter = ";" if ";" in text.splitlines()[0] else ","
    return list(csv.reader(io.StringIO(text), delimiter=delimiter))


def _workbook_rows(path: Path) -> list[list[str]]:
    with closing(openpyxl.load_workbook(path, read_only=True)) as book:
        sheet = book.worksheets[0]
        return [
            ["" if value is None else str(value) for value in row]
            for row in sheet.iter_rows(values_only=True)
        ]


@pytest.fixture
def world(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Iterator[World]:
    """An empty folder to work in, and a server that stands for the real API."""
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    with ExitStack() as stack:
        yield World(folder, stack, monkeypatch, capsys)
