"""The error cells of an XLS workbook, whose records are those of [MS-XLS]."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from pathlib import Path

from dispatcher.loader.legacy.error_cells import ErrorCells, Scan, error_word
from dispatcher.loader.legacy.streams import workbook_stream

_BEGIN, _END, _SHEET = 0x0809, 0x000A, 0x0085
_FORMULA, _ERROR = 0x0006, 0x0205
_FORMULA_BYTES, _ERROR_BYTES = 14, 8
_IS_ERROR, _NO_NUMBER = 2, 0xFFFF

# Blank cells, numbers and shared texts, most of what there is: skipped a run at a time.
_HARMLESS = re.compile(
    rb"(?:\x01\x02\x06\0.{6}|\xfd\0\x0a\0.{10}|\x7e\x02\x0a\0.{10}|\x03\x02\x0e\0.{14})++",
    re.DOTALL,
)


def xls_scan(path: Path) -> Scan:
    """
    Return the scan of a workbook.

    Raises:
        ValueError: The file is damaged.
        OSError: It is not there or may not be read.
    """
    stream = workbook_stream(path.read_bytes())
    starts = [_number(stream, at) for kind, at, _ in _records(stream, 0) if kind == _SHEET]
    return lambda sheet: _errors(stream, starts[sheet])


def _errors(stream: bytes, start: int) -> ErrorCells:
    found: dict[int, dict[int, str]] = {}
    for kind, at, size in _records(stream, start):
        if kind == _ERROR and size >= _ERROR_BYTES:
            row, column, code, is_error = struct.unpack_from("<HHxxBB", stream, at)
        elif kind == _FORMULA and size >= _FORMULA_BYTES:
            row, column, tag, code, mark = struct.unpack_from("<HHxxBxBxxxH", stream, at)
            is_error = tag == _IS_ERROR and mark == _NO_NUMBER
        else:
            continue
        if is_error:
            found.setdefault(row + 1, {})[column] = error_word(code)
    return found


def _records(stream: bytes, start: int) -> Iterator[tuple[int, int, int]]:
    """Yield kind, place and size of the records of one part: until it ends, or a chart begins."""
    at = start
    while at + 4 <= len(stream):
        kind, size = struct.unpack_from("<HH", stream, at)
        if kind == _END or (kind == _BEGIN and at > start):
            return
        if at + 4 + size > len(stream):
            break
        yield kind, at + 4, size
        at += 4 + size
        run = _HARMLESS.match(stream, at)
        at = run.end() if run else at
    raise ValueError("the records are cut off")


def _number(stream: bytes, at: int) -> int:
    return int.from_bytes(stream[at : at + 4], "little")
