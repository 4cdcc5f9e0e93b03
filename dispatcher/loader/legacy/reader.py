"""
The process that lets calamine at a file, run as ``python -m`` of this module.

calamine builds the whole sheet in memory and may panic on damaged files; here neither can hurt:
the memory and time of this process are bounded, and it ends with the file.

Arguments: the path, and the name of a sheet or nothing. Answers with JSON, one value a line:
without a name, for each sheet ``[name, visible, has_cells, [row, ...]]`` with its first rows; with
a name ``{"merges": [[row, column, last row, last column], ...]}``, then its rows. A row is
``[number, [text, ...], [column of a long number, ...]]`` and has at least one text. The last line is
``{"end": "done"}`` or says why there is no more: ``protected``, ``unreadable``.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TextIO

from python_calamine import (
    CalamineError,
    CalamineSheet,
    CalamineWorkbook,
    PasswordError,
    SheetTypeEnum,
    SheetVisibleEnum,
)

from dispatcher.loader.header import LOOK_AHEAD_ROWS
from dispatcher.loader.legacy.values import is_long_number, value_text

DONE, PROTECTED, UNREADABLE = "done", "protected", "unreadable"

_MEMORY = 384 * 1024**2  # bytes of address space, and for each byte of the file:
_MEMORY_PER_BYTE = 40
_CPU_SECONDS = 60

Row = tuple[int, list[str], list[int]]


def main(arguments: list[str], out: TextIO) -> None:
    """
    Read a file and write what is in it.

    Args:
        arguments: Path, and name of a sheet or nothing.
        out: Where to write.
    """
    path, *names = arguments
    try:
        with CalamineWorkbook.from_path(path) as workbook:
            for name in names:
                _write_sheet(workbook, name, out)
            if not names:
                _write_outline(workbook, out)
        end = DONE
    except PasswordError:
        end = PROTECTED
    except (CalamineError, OSError, ValueError):
        end = UNREADABLE
    _write({"end": end}, out)


def limit_resources(path: Path) -> None:
    """Bound memory and time of this process, on systems that can."""
    try:
        import resource  # noqa: PLC0415 not on Windows
    except ImportError:
        return
    memory = _MEMORY + _MEMORY_PER_BYTE * path.stat().st_size
    for kind, limit in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_CPU, _CPU_SECONDS),
        (resource.RLIMIT_CORE, 0),
    ):
        hard = resource.getrlimit(kind)[1]
        resource.setrlimit(kind, (limit if hard < 0 else min(limit, hard), hard))


def _write_outline(workbook: CalamineWorkbook, out: TextIO) -> None:
    for about in workbook.sheets_metadata:
        has_cells = about.typ == SheetTypeEnum.WorkSheet
        rows: list[Row] = []
        if has_cells:
            rows = list(islice(_rows(workbook.get_sheet_by_name(about.name)), LOOK_AHEAD_ROWS))
        visible = about.visible == SheetVisibleEnum.Visible
        _write([about.name, visible, has_cells, rows], out)


def _write_sheet(workbook: CalamineWorkbook, name: str, out: TextIO) -> None:
    sheet = workbook.get_sheet_by_name(name)
    _write({"merges": _merges(sheet)}, out)
    for row in _rows(sheet):
        _write(row, out)


def _merges(sheet: CalamineSheet) -> list[list[int]]:
    return [[*first, *last] for first, last in sheet.merged_cell_ranges or []]


def _rows(sheet: CalamineSheet) -> Iterator[Row]:
    above, before = sheet.start or (0, 0)
    for number, values in enumerate(sheet.iter_rows(), start=1):
        cells = [value_text(value) for value in values]
        while cells and not cells[-1]:
            cells.pop()
        if cells:
            yield number, cells, [at for at, value in enumerate(values) if is_long_number(value)]


def _write(value: object, out: TextIO) -> None:
    out.write(json.dumps(value, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    limit_resources(Path(sys.argv[1]))
    main(sys.argv[1:], sys.stdout)
