"""The zip archive a workbook is packed in: judged before anything in it is read."""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from dispatcher.errors import SheetRefused
from dispatcher.loader.workbook.refusal import damaged, protected, unsafe

MOST_PARTS = 10_000
MOST_UNPACKED = 4 * 1024**3  # bytes; a million rows of twelve columns are about half of one GiB
MOST_RATIO = 200  # unpacked to packed; sheets stay under 50, styled empty rows included
RATIO_MATTERS_FROM = 32 * 1024**2  # bytes unpacked: small files may pack as well as they like
CHUNK = 16 * 1024  # bytes; what fits the processor's cache is parsed fastest

_DIRECTORY_LIMIT = MOST_PARTS * 512  # bytes of the zip's table of contents
_END_RECORD = struct.Struct("<4s4H2LH")
_ZIP64_RECORD = struct.Struct("<4sQ2H2L4Q")
_SEE_ZIP64 = 0xFFFFFFFF
_END_SEARCH = 0x10000 + 256  # the records at the end and the longest comment
_COMPOUND_FILE = bytes.fromhex("D0CF11E0A1B11AE1")  # old Office files and encrypted new ones
_ENCRYPTED_FLAG = 0x1
_BROKEN = (  # what zipfile and zlib raise for bytes that are not as they should be
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    IndexError,
    NotImplementedError,
    OSError,
    OverflowError,
    RuntimeError,
    ValueError,
)


class Package:
    """
    The parts of a workbook by name; a context manager.

    Names are compared as Office does: without regard to case, a leading ``/`` or the slash's
    direction.
    """

    def __init__(self, path: Path, *, file: str) -> None:
        """
        Open the archive and judge it by its table of contents; no part is unpacked yet.

        Args:
            path: Where the file is.
            file: The name to use in messages.

        Raises:
            SheetRefused: No zip, damaged, encrypted, too many parts, two parts of one name,
                too much to unpack.
            OSError: It is not there or may not be read.
        """
        self.path = path
        self.file = file
        self._source = path.open("rb")
        try:
            self._archive = self._opened()
            self._parts = self._named(self._archive.infolist())
            self._judge_sizes()
        except BaseException:
            self._source.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Release the file; closing twice does no harm."""
        self._archive.close()
        self._source.close()

    def names(self) -> tuple[str, ...]:
        """Return the names of all parts as :func:`part_name` writes them, folders left out."""
        return tuple(self._parts)

    def has(self, name: str) -> bool:
        """Return whether there is a part of this name."""
        return part_name(name) in self._parts

    def size(self, name: str) -> int:
        """Return the unpacked size of a part in bytes, 0 for one that is not there."""
        part = self._parts.get(part_name(name))
        return part.file_size if part else 0

    def judge_ratio(self, name: str, *, most: int, above: int) -> None:
        """
        Judge how well a part is packed.

        Args:
            name: Name of a part; one that is not there passes.
            most: Bytes unpacked that one byte may stand for.
            above: Bytes unpacked up to which it does not matter.

        Raises:
            SheetRefused: It is packed better than anything honest.
        """
        part = self._parts.get(part_name(name))
        if part and part.file_size > max(above, most * part.compress_size):
            raise unsafe(self.file, f"its part {part.filename} unpacks to a zip bomb's size")

    def judge_count(self, name: str, count: int, *, most: int, above: int) -> None:
        """
        Judge how many pieces a part turned out to hold.

        Args:
            name: Name of a part.
            count: Cells or texts read of it so far.
            most: Pieces that one packed byte may stand for.
            above: Pieces up to which it does not matter.

        Raises:
            SheetRefused: They are more than anything honest holds.
        """
        part = self._parts.get(part_name(name))
        if part and count > max(above, most * part.compress_size):
            what = f"its part {part.filename} holds more empty pieces than any real sheet"
            raise unsafe(self.file, what)

    def chunks(self, name: str) -> Iterator[bytes]:
        """
        Unpack a part piece by piece.

        Args:
            name: Name of a part.

        Raises:
            SheetRefused: There is no such part, or it is damaged.
        """
        part = self._parts.get(part_name(name))
        if part is None:
            raise damaged(self.file, f"its part {name} is missing")
        with self._part(part) as stream:
            while chunk := self._read(stream, part):
                yield chunk

    def _opened(self) -> zipfile.ZipFile:
        start = self._source.read(len(_COMPOUND_FILE))
        if start == _COMPOUND_FILE:
            raise protected(self.file)
        if not start:
            raise SheetRefused(f"{self.file}: the file is empty", hint="save the sheet again")
        try:
            if self._directory_size() > _DIRECTORY_LIMIT:
                raise unsafe(self.file, f"more than {MOST_PARTS:,} parts in one workbook")
            return zipfile.ZipFile(self._source)
        except _BROKEN as problem:
            if start.startswith(b"PK"):
                raise damaged(self.file, "cut off, or its zip structure is broken") from problem
            raise SheetRefused(
                f"{self.file}: not a workbook, whatever its name says",
                hint="save the sheet as .xlsx or .csv",
            ) from problem

    def _directory_size(self) -> int:
        """
        Return the size of the table of contents in bytes, 0 where no record tells it.

        zipfile builds an object for every entry before anything can be counted, and a bomb may
        have millions.
        """
        end = self._source.seek(0, 2)
        self._source.seek(max(0, end - _END_SEARCH))
        tail = self._source.read()
        at = tail.rfind(b"PK\x05\x06")
        if at < 0 or len(tail) - at < _END_RECORD.size:
            return 0
        size = int(_END_RECORD.unpack_from(tail, at)[5])
        if size != _SEE_ZIP64:
            return size
        at = tail.rfind(b"PK\x06\x06", 0, at)
        return int(_ZIP64_RECORD.unpack_from(tail, at)[8]) if at >= 0 else end

    def _named(self, entries: list[zipfile.ZipInfo]) -> dict[str, zipfile.ZipInfo]:
        if len(entries) > MOST_PARTS:
            raise unsafe(self.file, f"more than {MOST_PARTS:,} parts in one workbook")
        parts: dict[str, zipfile.ZipInfo] = {}
        for entry in entries:
            if entry.flag_bits & _ENCRYPTED_FLAG:
                raise protected(self.file)
            name = part_name(entry.filename)
            if name in parts:
                raise unsafe(self.file, f"two parts have the name {entry.filename}")
            if not name.endswith("/"):
                parts[name] = entry
        return parts

    def _judge_sizes(self) -> None:
        for name in self._parts:
            self.judge_ratio(name, most=MOST_RATIO, above=RATIO_MATTERS_FROM)
        if sum(part.file_size for part in self._parts.values()) > MOST_UNPACKED:
            raise unsafe(self.file, f"it unpacks to more than {MOST_UNPACKED // 1024**3} GiB")

    def _part(self, part: zipfile.ZipInfo) -> IO[bytes]:
        # Office packs with these two; the other methods cannot be unpacked in bounded pieces.
        if part.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
            raise damaged(self.file, f"its part {part.filename} is packed in an unknown way")
        try:
            return self._archive.open(part)
        except _BROKEN as problem:
            raise damaged(self.file, f"its part {part.filename} cannot be unpacked") from problem

    def _read(self, stream: IO[bytes], part: zipfile.ZipInfo) -> bytes:
        try:
            return stream.read(CHUNK)
        except _BROKEN as problem:
            raise damaged(self.file, f"its part {part.filename} cannot be unpacked") from problem


def part_name(name: str) -> str:
    """Return the one form in which part names are compared."""
    return name.replace("\\", "/").lstrip("/").lower()
