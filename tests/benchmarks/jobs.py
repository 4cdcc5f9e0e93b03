"""
The jobs that are measured against each other, one a process.

``python tests/benchmarks/jobs.py JOB PATH [ROWS]``. What a job needs it imports itself.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

NEEDS = {
    "csv.reader": (),
    "csv.writer": (),
    "pandas.read_csv": ("pandas",),
    "pandas.read_excel, openpyxl": ("pandas", "openpyxl"),
    "pandas.read_excel, calamine": ("pandas", "python_calamine"),
    "openpyxl read-only": ("openpyxl",),
    "openpyxl write-only": ("openpyxl",),
    "xlsxwriter constant_memory": ("xlsxwriter",),
}

RESULT_COLUMNS = (
    "call_status",
    "call_id",
    "call_created_at",
    "call_error_code",
    "call_error",
    "call_http_status",
    "call_attempts",
    "call_sent_at",
    "call_campaign",
    "source_row",
)
_HEADERS = (*(f"column {number}" for number in range(1, 11)), *RESULT_COLUMNS)


def is_installed(job: str) -> bool:
    """Return whether everything is there that a peer's job needs."""
    return all(find_spec(name) for name in NEEDS[job])


def _lines(count: int) -> Iterator[tuple[str, ...]]:
    for number in range(count):
        yield (
            f"550e8400-e29b-41d4-a716-{number:012}",
            "María José Núñez",
            f"+54911555{number % 100_000:05}",
            "14.058,10",
            "2026-01-02",
            "Préstamo personal",
            "https://example.com/pago?a=1&b=2",
            "",
            f"Calle {number % 5_000}",
            "=1+1",
            "placed",
            f"call-{number:012}",
            "2026-01-02T10:00:00Z",
            "",
            "",
            "201",
            "1",
            "2026-01-02T07:00:00-03:00",
            "cobranzas enero",
            str(number + 2),
        )


def _read_csv(path: Path) -> None:
    with path.open(encoding="utf-8", newline="") as file:
        for _ in csv.reader(file):
            pass


def _read_csv_by_pandas(path: Path) -> None:
    import pandas as pd

    pd.read_csv(path, dtype=str)


def _read_xlsx_by_pandas(path: Path) -> None:
    import pandas as pd

    pd.read_excel(path, dtype=str, engine="openpyxl")


def _read_xlsx_by_calamine(path: Path) -> None:
    import pandas as pd

    pd.read_excel(path, dtype=str, engine="calamine")


def _read_xlsx_by_openpyxl(path: Path) -> None:
    from openpyxl import load_workbook

    for _ in load_workbook(path, read_only=True).worksheets[0].iter_rows(values_only=True):
        pass


def _write_results(path: Path, count: int) -> None:
    from dispatcher.writer import target_for, write_results

    write_results(
        target_for(path),
        _HEADERS,
        _lines(count),
        lambda: [("Rows", str(count))],
        mode_from=None,
        ours=lambda _path, _digest: False,
    )


def _write_csv(path: Path, count: int) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(_HEADERS)
        writer.writerows(_lines(count))


def _write_xlsx_by_openpyxl(path: Path, count: int) -> None:
    from openpyxl import Workbook

    book = Workbook(write_only=True)
    sheet = book.create_sheet()
    sheet.append(_HEADERS)
    for line in _lines(count):
        sheet.append(line)
    book.save(path)


def _write_xlsx_by_xlsxwriter(path: Path, count: int) -> None:
    from xlsxwriter import Workbook  # type: ignore[import-untyped]

    with Workbook(path, {"constant_memory": True, "strings_to_formulas": False}) as book:
        sheet = book.add_worksheet()
        for number, line in enumerate((_HEADERS, *_lines(count))):
            for column, text in enumerate(line):
                sheet.write_string(number, column, text)


_READING = {
    "csv.reader": _read_csv,
    "pandas.read_csv": _read_csv_by_pandas,
    "pandas.read_excel, openpyxl": _read_xlsx_by_pandas,
    "pandas.read_excel, calamine": _read_xlsx_by_calamine,
    "openpyxl read-only": _read_xlsx_by_openpyxl,
}
_WRITING = {
    "dispatcher": _write_results,
    "csv.writer": _write_csv,
    "openpyxl write-only": _write_xlsx_by_openpyxl,
    "xlsxwriter constant_memory": _write_xlsx_by_xlsxwriter,
}

if __name__ == "__main__":
    job, place, *rows = sys.argv[1:]
    if rows:
        _WRITING[job](Path(place), int(rows[0]))
    else:
        _READING[job](Path(place))
