"""
The process that lets pandas and calamine at a file, run as ``python -m`` of this module.

calamine builds the whole sheet in memory and may panic on damaged files; here neither can hurt:
the memory and time of this process are bounded, and it ends with the file.

pandas opens the file, by its content and not its name. The values are taken as calamine has them,
because in a data frame every date becomes a moment at midnight.

Arguments: the path, the format, and the index of a sheet or nothing. Without an index the answer is
an outline of each sheet, with one the rows of that sheet.
"""

from __future__ import annotations

import json
import struct
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import chain, islice, repeat
from pathlib import Path
from typing import TextIO, cast

from python_calamine import (
    CalamineError,
    CalamineSheet,
    CalamineWorkbook,
    PasswordError,
    SheetMetadata,
    SheetTypeEnum,
    SheetVisibleEnum,
)

from dispatcher.errors import SheetRefused
from dispatcher.loader.legacy.answers import (
    DONE,
    PROTECTED,
    UNREADABLE,
    Block,
    Outline,
    Row,
)
from dispatcher.loader.legacy.error_cells import ErrorCells, Scan
from dispatcher.loader.legacy.ods_errors import ods_scan
from dispatcher.loader.legacy.values import Value, is_long_number, value_text
from dispatcher.loader.legacy.xls_errors import xls_scan
from dispatcher.loader.legacy.xlsb_errors import xlsb_scan
from dispatcher.loader.workbook.shaping import LOOK_AHEAD

_MEMORY = (
    448 * 1024**2
)  # bytes of address space, 200 MiB of it for pandas; and for each of the file:
_MEMORY_PER_BYTE = 40
_CPU_SECONDS = 60

_SCANS = {"xls": xls_scan, "xlsb": xlsb_scan, "ods": ods_scan}


def main(arguments: list[str], out: TextIO) -> None:
    """
    Read a file and write what is in it.

    Args:
        arguments: Path, format, and index of a sheet or nothing.
        out: Where to write.
    """
    path, kind, *indices = arguments
    try:
        with _opened(Path(path), kind) as workbook:
            scan = _SCANS[kind](Path(path))
            for wanted in indices:
                sheet = workbook.get_sheet_by_index(int(wanted))
                for row in _rows(sheet, scan(int(wanted))):
                    _write(row, out)
            if not indices:
                for index, about in enumerate(workbook.sheets_metadata):
                    _write(_outline(workbook, index, about, scan), out)
        end = DONE
    except PasswordError:
        end = PROTECTED
    except (CalamineError, SheetRefused, OSError, ValueError, LookupError, struct.error):
        end = UNREADABLE
    _write(end, out)


def limit_resources(path: Path) -> None:
    """Bound memory and time of this process, on systems that can."""
    if sys.platform != "win32":
        import resource  # noqa: PLC0415 - not on Windows

        memory = _MEMORY + _MEMORY_PER_BYTE * path.stat().st_size
        for kind, limit in (
            (resource.RLIMIT_AS, memory),
            (resource.RLIMIT_CPU, _CPU_SECONDS),
            (resource.RLIMIT_CORE, 0),
        ):
            hard = resource.getrlimit(kind)[1]
            resource.setrlimit(kind, (limit if hard < 0 else min(limit, hard), hard))


@contextmanager
def _opened(path: Path, kind: str) -> Iterator[CalamineWorkbook]:
    import pandas as pd  # noqa: PLC0415 after the bounds are set

    try:
        opened = pd.ExcelFile(path, engine="calamine")
    except CalamineError:
        # By its content calamine does not tell a password from damage, by its name it does.
        if path.suffix.lower() == f".{kind}":
            CalamineWorkbook.from_path(path).close()
        raise
    with opened as book:
        yield cast(CalamineWorkbook, book.book)


def _outline(workbook: CalamineWorkbook, index: int, about: SheetMetadata, scan: Scan) -> Outline:
    visible = about.visible == SheetVisibleEnum.Visible
    if about.typ != SheetTypeEnum.WorkSheet:
        return about.name, visible, False, [], []
    sheet = workbook.get_sheet_by_index(index)
    blocks: list[Block] = [(*first, *last) for first, last in sheet.merged_cell_ranges or []]
    rows = list(islice(_rows(sheet, scan(index)), LOOK_AHEAD))
    return about.name, visible, True, blocks, rows


def _rows(sheet: CalamineSheet, errors: ErrorCells) -> Iterator[Row]:
    # Rows come from the first of the sheet, cells only from its first column that holds anything;
    # error cells may stand beyond both.
    before = sheet.start[1] if sheet.start else 0
    last = max(errors, default=0)
    rows = chain(sheet.iter_rows(), repeat([], max(0, last - sheet.total_height)))
    for number, values in enumerate(rows, start=1):
        row = _row(values, before, errors.get(number, {}))
        if row[0]:
            yield number, *row


def _row(
    values: list[Value], before: int, errors: Mapping[int, str]
) -> tuple[list[str], list[int], list[int]]:
    """Return the texts of a row, the columns of its long numbers and those of its error cells."""
    cells = [""] * before + [value_text(value) for value in values]
    cells += [""] * (max(errors, default=-1) + 1 - len(cells))
    for column, word in errors.items():
        cells[column] = word
    while cells and not cells[-1]:
        cells.pop()
    long = [at for at, value in enumerate(values, start=before) if is_long_number(value)]
    return cells, long, sorted(errors)


def _write(value: object, out: TextIO) -> None:
    out.write(json.dumps(value, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    limit_resources(Path(sys.argv[1]))
    main(sys.argv[1:], sys.stdout)
