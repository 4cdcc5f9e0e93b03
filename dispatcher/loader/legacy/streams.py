"""The stream of an Office 97 workbook, taken out of its compound file."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence

_HEADER = struct.Struct("<30xHH10xII4xII4xI4x109I")
_ENTRY_BYTES = 128
_ROOT = "root entry"
_BOOK, _OLD_BOOK = "workbook", "book"
_LAST = 0xFFFFFFFA  # from here on a number is no sector but a mark, as the end of a chain


def workbook_stream(data: bytes) -> bytes:
    """
    Return the records of the workbook.

    Args:
        data: A compound file; its layout is that of [MS-CFB].

    Raises:
        ValueError: It is damaged, or holds no workbook.
    """
    try:
        return _workbook(data)
    except (struct.error, IndexError, KeyError) as problem:
        raise ValueError("no workbook in a compound file") from problem


def _workbook(data: bytes) -> bytes:
    shift, small_shift, tables, folder, cutoff, small_table, more, *first = _HEADER.unpack_from(
        data
    )
    size, small_size = 1 << shift, 1 << small_shift
    body = memoryview(data)[size:]
    if tables * size > len(data):
        raise ValueError("the allocation table is cut off")
    while more < _LAST and len(first) < tables:
        *numbers, more = _numbers(body[more * size : (more + 1) * size])
        first += numbers
    table = [n for at in first[:tables] for n in _numbers(body[at * size : (at + 1) * size])]
    entries = _entries(_joined(body, size, table, folder))
    start, length = entries[_BOOK if _BOOK in entries else _OLD_BOOK]
    if length < cutoff:  # small streams lie together in one of their own
        small = memoryview(_joined(body, size, table, small_table))
        body = memoryview(_joined(body, size, table, entries[_ROOT][0]))
        table, size = list(_numbers(small)), small_size
    return _joined(body, size, table, start)[:length]


def _numbers(sector: memoryview) -> tuple[int, ...]:
    return struct.unpack(f"<{len(sector) // 4}I", sector[: len(sector) // 4 * 4])


def _joined(body: memoryview, size: int, table: Sequence[int], start: int) -> bytes:
    return b"".join(body[at * size : (at + 1) * size] for at in _chain(table, start))


def _chain(table: Sequence[int], start: int) -> Iterator[int]:
    for _ in range(len(table)):
        if start >= _LAST:
            return
        yield start
        start = table[start]


def _entries(folder: bytes) -> dict[str, tuple[int, int]]:
    """Return first sector and bytes of each stream by its case-folded name."""
    found: dict[str, tuple[int, int]] = {}
    for at in range(0, len(folder) - _ENTRY_BYTES + 1, _ENTRY_BYTES):
        (length,) = struct.unpack_from("<H", folder, at + 64)
        name = folder[at : at + max(length, 2) - 2].decode("utf-16-le", "replace").casefold()
        found.setdefault(name, struct.unpack_from("<II", folder, at + 116))
    return found
