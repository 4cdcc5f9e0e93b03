"""
The process that lets calamine at a file, run as ``python -m`` of this module.

calamine builds the whole sheet in memory and may panic on damaged files; here neither can hurt:
the memory and time of this process are bounded, and it ends with the file.

Arguments: the path, the format, and the index of a sheet or nothing. Without an index the answer is
an outline of each sheet, with one the rows of that sheet.
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
    SheetMetadata,
    SheetTypeEnum,
    SheetVisibleEnum,
)

from dispatcher.loader.legacy.answers import (
    DONE,
    PROTECTED,
    UNREADABLE,
    Block,
    Outline,
    Row,
)
from dispatcher.loader.legacy.values import is_long_number, value_text
from dispatcher.loader.workbook.shaping import LOOK_AHEAD

_MEMORY = 256 * 1024**2  # bytes of address space, and for each byte of the file:
_MEMORY_PER_BYTE = 40
_CPU_SECONDS = 60


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
            for wanted in indices:
                for row in _rows(workbook.get_sheet_by_index(int(wanted))):
                    _write(row, out)
            if not indices:
                for index, about in enumerate(workbook.sheets_metadata):
                    _write(_outline(workbook, index, about), out)
        end = DONE
    except PasswordError:
        end = PROTECTED
    except (CalamineError, OSError, ValueError):
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


def _opened(path: Path, kind: str) -> CalamineWorkbook:
    # calamine believes the name; where that lies it can go by the content, but then it does not
    # tell a password from damage.
    if path.suffix.lower() == f".{kind}":
        return CalamineWorkbook.from_path(path)
    with path.open("rb") as source:
        return CalamineWorkbook.from_filelike(source)


def _outline(workbook: CalamineWorkbook, index: int, about: SheetMetadata) -> Outline:
    visible = about.visible == SheetVisibleEnum.Visible
    if about.typ != SheetTypeEnum.WorkSheet:
        return about.name, visible, False, [], []
    sheet = workbook.get_sheet_by_index(index)
    blocks: list[Block] = [(*first, *last) for first, last in sheet.merged_cell_ranges or []]
    return about.name, visible, True, blocks, list(islice(_rows(sheet), LOOK_AHEAD))


def _rows(sheet: CalamineSheet) -> Iterator[Row]:
    # Rows come from the first of the sheet, cells only from its first column that holds anything.
    before = sheet.start[1] if sheet.start else 0
    for number, values in enumerate(sheet.iter_rows(), start=1):
        cells = [value_text(value) for value in values]
        while cells and not cells[-1]:
            cells.pop()
        if cells:
            long = [at for at, value in enumerate(values, start=before) if is_long_number(value)]
            yield number, [""] * before + cells, long


def _write(value: object, out: TextIO) -> None:
    out.write(json.dumps(value, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    limit_resources(Path(sys.argv[1]))
    main(sys.argv[1:], sys.stdout)
