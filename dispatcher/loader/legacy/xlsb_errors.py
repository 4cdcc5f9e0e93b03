"""The error cells of an XLSB workbook, whose records are those of [MS-XLSB]."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from pathlib import Path

from dispatcher.loader.legacy.error_cells import ErrorCells, Scan, error_word
from dispatcher.loader.workbook.package import Package
from dispatcher.loader.workbook.relations import relations_of

_WORKBOOK = "xl/workbook.bin"
_SHEET, _SHEETS_END = 0x9C, 0x90
_ROW, _ERRORS, _CELLS_END = 0x00, (0x03, 0x0B), 0x92
_NO_PART = 0xFFFFFFFF

# Blank cells, numbers, booleans and shared texts, most of what there is: skipped a run at a time.
_HARMLESS = re.compile(
    rb"(?:[\x02\x07]\x0c.{12}|\x05\x10.{16}|\x01\x08.{8}|\x04\x09.{9})++", re.DOTALL
)


def xlsb_scan(path: Path) -> Scan:
    """
    Return the scan of a workbook.

    Raises:
        SheetRefused: The archive or a part of it cannot be unpacked.
        ValueError: The file is damaged.
        OSError: It is not there or may not be read.
    """
    with Package(path, file=path.name) as package:
        targets = {about.id: about.target for about in relations_of(package, _WORKBOOK)}
        ids = list(_sheet_ids(b"".join(package.chunks(_WORKBOOK))))
    return lambda sheet: _errors(path, targets[ids[sheet]])


def _sheet_ids(data: bytes) -> Iterator[str]:
    for kind, at, _ in _records(data, _SHEETS_END):
        if kind == _SHEET:
            (length,) = struct.unpack_from("<I", data, at + 8)
            if length != _NO_PART:
                yield data[at + 12 : at + 12 + 2 * length].decode("utf-16-le", "replace")


def _errors(path: Path, part: str) -> ErrorCells:
    with Package(path, file=path.name) as package:
        data = b"".join(package.chunks(part))
    found: dict[int, dict[int, str]] = {}
    row = 0
    for kind, at, _ in _records(data, _CELLS_END):
        if kind == _ROW:
            (row,) = struct.unpack_from("<I", data, at)
        elif kind in _ERRORS:
            column, code = struct.unpack_from("<I4xB", data, at)
            found.setdefault(row + 1, {})[column] = error_word(code)
    return found


def _records(data: bytes, end: int) -> Iterator[tuple[int, int, int]]:
    """Yield kind, place and size of the records before the one of kind *end*."""
    at = 0
    while at < len(data):
        kind, at = _packed(data, at, most=2)
        size, at = _packed(data, at, most=4)
        if kind == end:
            return
        if at + size > len(data):
            break
        yield kind, at, size
        at += size
        run = _HARMLESS.match(data, at)
        at = run.end() if run else at
    raise ValueError("the records are cut off")


def _packed(data: bytes, at: int, *, most: int) -> tuple[int, int]:
    """Return a number of up to *most* bytes, seven bits in each, and the place behind it."""
    number = 0
    for index, byte in enumerate(data[at : at + most]):
        number |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:  # noqa: PLR2004 the bit that says another byte follows
            return number, at + index + 1
    return number, at + most
