"""What an OLE compound file (the container of Office 97 and of encrypted workbooks) holds."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import BinaryIO

SIGNATURE = bytes.fromhex("D0CF11E0A1B11AE1")

_HEADER_BYTES = 512
_ENTRY_BYTES = 128
_MOST_SECTORS = 2_000  # of the folder; Office writes two or three
_FAT_IN_HEADER = 109


def stream_names(source: BinaryIO) -> frozenset[str]:
    """
    Name the streams and folders of a compound file.

    Args:
        source: The file, open for reading bytes.

    Returns:
        The names, case-folded; as many as can be read where the file is damaged or cut off.

    The layout is that of [MS-CFB]: a header, then sectors; the folder is a chain of sectors with
    four entries or more in each.
    """
    source.seek(0)
    header = source.read(_HEADER_BYTES)
    if len(header) < _HEADER_BYTES:
        return frozenset()
    (shift,) = struct.unpack_from("<H", header, 30)
    sector_bytes = 4096 if shift == 12 else 512  # noqa: PLR2004 - the two sizes there are
    names: set[str] = set()
    for sector in _folder_sectors(source, header, sector_bytes):
        names.update(_entry_names(_sector(source, sector, sector_bytes)))
    return frozenset(names)


def _sector(source: BinaryIO, number: int, sector_bytes: int) -> bytes:
    source.seek((number + 1) * sector_bytes)
    return source.read(sector_bytes)


def _folder_sectors(source: BinaryIO, header: bytes, sector_bytes: int) -> Iterator[int]:
    """Follow the chain through the part of the allocation table that the header points to."""
    tables: tuple[int, ...] = struct.unpack_from(f"<{_FAT_IN_HEADER}I", header, 76)
    in_table = sector_bytes // 4
    (sector,) = struct.unpack_from("<I", header, 48)
    for _ in range(_MOST_SECTORS):
        yield sector
        table, at = divmod(sector, in_table)
        if table >= _FAT_IN_HEADER:
            return
        next_one = _sector(source, tables[table], sector_bytes)[at * 4 : at * 4 + 4]
        if len(next_one) < 4:  # noqa: PLR2004 - bytes of a number
            return
        (sector,) = struct.unpack("<I", next_one)


def _entry_names(sector: bytes) -> Iterator[str]:
    for start in range(0, len(sector) - _ENTRY_BYTES + 1, _ENTRY_BYTES):
        (length,) = struct.unpack_from("<H", sector, start + 64)
        if 2 <= length <= 64:  # noqa: PLR2004 - bytes of the name with its end mark
            name = sector[start : start + length - 2].decode("utf-16-le", "replace")
            yield name.casefold()
