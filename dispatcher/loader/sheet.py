"""An opened sheet: its head, and its rows as often as they are asked for."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from dispatcher.errors import SheetRefused
from dispatcher.model import Remark, SheetHead, SheetRow

RowSource = Callable[[list[Remark]], Iterator[SheetRow]]
"""Begins a pass over the data rows; what is doubtful is added to the list until the pass ends."""

_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class FileStamp:
    """
    What changes when a file is written or replaced.

    Attributes:
        size: Bytes.
        modified_ns: Time of the last change, nanoseconds since 1970.
        inode: Number of the file in its file system.
    """

    size: int
    modified_ns: int
    inode: int

    @classmethod
    def of(cls, path: Path) -> FileStamp:
        """Take the stamp of the file as it is now; raises OSError."""
        status = path.stat()
        return cls(size=status.st_size, modified_ns=status.st_mtime_ns, inode=status.st_ino)


class Sheet:
    """
    A sheet of any format, open for reading. A context manager.

    Attributes:
        head: What was recognised before the first data row.
        path: The file that is read (the private copy, where standard input was given).
    """

    def __init__(
        self,
        *,
        head: SheetHead,
        read: RowSource,
        path: Path,
        stamp: FileStamp,
        private: bool = False,
    ) -> None:
        """
        Join a head with the way to its rows.

        Args:
            head: What was recognised.
            read: Begins a new pass over the data rows.
            path: The file that is read.
            stamp: Its stamp, taken before the first byte was read.
            private: The file is our own copy and is removed when the sheet is closed.
        """
        self.head = head
        self.path = path
        self._read = read
        self._stamp = stamp
        self._private = private
        self._remarks: tuple[Remark, ...] = ()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def rows(self) -> Iterator[SheetRow]:
        """
        Read the data rows that are not blank, in file order, one at a time; again at each call.

        Raises SheetRefused when a row cannot be read exactly, or when the file is no longer the
        one that was opened: at the start and at the end of the pass.
        """
        self._refuse_change()
        remarks: list[Remark] = []
        try:
            yield from self._read(remarks)
        except SheetRefused:
            self._refuse_change()
            raise
        except OSError as error:
            raise SheetRefused(
                f"{self.head.file}: could not be read to its end ({error.strerror})"
            ) from error
        self._refuse_change()
        self._remarks = tuple(remarks)

    def remarks(self) -> tuple[Remark, ...]:
        """Say what was doubtful in the rows; complete once a pass of ``rows()`` has ended."""
        return self._remarks

    def digest(self) -> str:
        """
        Hash the bytes of the file that was opened.

        Returns:
            SHA-256, hex.

        Raises SheetRefused when the file is no longer the one that was opened.
        """
        self._refuse_change()
        digest = digest_of(self.path)
        self._refuse_change()
        return digest

    def close(self) -> None:
        """Remove the private copy, if there is one; may be called again."""
        if self._private:
            self.path.unlink(missing_ok=True)

    def _refuse_change(self) -> None:
        try:
            now = FileStamp.of(self.path)
        except OSError as error:
            raise SheetRefused(
                f"{self.head.file}: disappeared while it was being read",
                hint="wait until the file is complete, then start again",
            ) from error
        if now != self._stamp:
            raise SheetRefused(
                f"{self.head.file}: changed while it was being read",
                hint="wait until nobody writes to it, or work on a copy",
            )


def digest_of(path: Path) -> str:
    """Hash the bytes of a file: SHA-256, hex; raises OSError."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()
