"""Where a sheet is written: in the target's place, or beside what must not be overwritten."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import stat
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import IO

from dispatcher.errors import StorageFailed, UsageProblem

Ours = Callable[[Path, str], bool]  # (path, SHA-256 of what is there) -> we wrote exactly this

_BINARY = getattr(os, "O_BINARY", 0)  # only Windows translates line ends otherwise
_SIBLINGS = 100
_ANYBODY_WRITES = stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH
_TEMPORARY_STEM = 40
_RESULTS_STEM = re.compile(r"\.results(?: \(\d+\))?$", re.IGNORECASE)


class TableFormat(StrEnum):
    """The two kinds of sheet that are written."""

    CSV = "csv"
    XLSX = "xlsx"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """
    What is to be written where.

    Attributes:
        path: Wished place.
        format: Kind of sheet.
        delimiter: Between the cells of a CSV, one character.
    """

    path: Path
    format: TableFormat
    delimiter: str = ","


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """
    What was written.

    Attributes:
        path: Where: the wished place or a numbered sibling of it.
        digest: SHA-256 of the file, hex.
        rows: Lines below the header.
        is_beside: Whether it is a sibling.
    """

    path: Path
    digest: str
    rows: int
    is_beside: bool


def target_for(path: Path, *, delimiter: str = ",") -> Target:
    """
    Return the target for a path, its kind told by the suffix.

    Args:
        path: Ends in .xlsx, .csv, .tsv or .txt.
        delimiter: For a CSV: the input's, "" for a comma.

    Raises:
        UsageProblem: another suffix.
    """
    suffix = path.suffix.casefold()
    if suffix == ".xlsx":
        return Target(path=path, format=TableFormat.XLSX)
    if suffix in {".csv", ".tsv", ".txt"}:
        return Target(path=path, format=TableFormat.CSV, delimiter=delimiter or ",")
    raise UsageProblem(
        f"{path.name} is no name for a sheet that is written", hint="end it in .xlsx or .csv"
    )


def default_results_path(sheet: Path, *, input_format: str) -> Path:
    """
    Return the place of the results: beside the sheet, ``NAME.results.xlsx``, CSV for a CSV.

    The results of a results sheet are meant for the same place as before.
    """
    suffix = ".csv" if input_format == TableFormat.CSV else ".xlsx"
    return sheet.with_name(f"{_RESULTS_STEM.sub('', sheet.stem)}.results{suffix}")


def probe_folder(path: Path) -> None:
    """
    Try the folder a target is to be written into, leaving nothing behind.

    Raises:
        StorageFailed: nothing can be written there.
    """
    with temporary_beside(path) as temporary:
        if path.is_dir():  # or a name longer than the file system takes
            raise StorageFailed(f"{path} is a folder; name a file in it")
        with open_private(temporary) as file:
            file.write(b"\0")
            sync(file)  # a full disk may refuse only now


def choose_target(wanted: Path, *, ours: Ours, never: Collection[Path] = ()) -> Path:
    """
    Return where to write: *wanted*, or its first numbered sibling that may be taken.

    Args:
        wanted: The wished place.
        ours: Told path and digest of what is there, says whether we wrote exactly this.
        never: Files that are not overwritten whoever wrote them, above all the input.

    Raises:
        StorageFailed: no place in a hundred.
    """
    return next(_places(wanted, ours=ours, never=never))


def settle(temporary: Path, wanted: Path, *, ours: Ours, never: Collection[Path]) -> Path:
    """
    Give a finished file its name; where another program holds the target, that of a sibling.

    Raises:
        StorageFailed: no place in a hundred.
    """
    places = _places(wanted, ours=ours, never=never)
    while True:
        place = next(places)
        with suppress(PermissionError):  # on Windows: open in another program
            temporary.replace(place)
            _sync_folder(place.parent)
            return place


@contextmanager
def temporary_beside(path: Path) -> Iterator[Path]:
    """
    Name a file beside *path* to write to; it is gone afterwards unless it was renamed.

    Raises:
        StorageFailed: for any fault of the file system while it is in use.
    """
    name = f".{path.stem[:_TEMPORARY_STEM]}.{secrets.token_hex(4)}.tmp"
    temporary = path.parent / name
    try:
        yield temporary
    except OSError as error:
        raise StorageFailed(
            f"{path} cannot be written: {error.strerror or error}",
            hint="name another place, or mend this one",
        ) from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def open_private(path: Path) -> IO[bytes]:
    """Create a file that only its owner may read."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | _BINARY, 0o600)
    return os.fdopen(descriptor, "w+b")


def sync(file: IO[bytes]) -> None:
    """Bring the file to the disk itself."""
    file.flush()
    os.fsync(file.fileno())


def take_mode(path: Path, mode_from: Path | None) -> None:
    """Give a file the permissions of another, at least reading and writing for its owner."""
    if mode_from is None:
        return
    with suppress(OSError):  # the input may be gone, or the file system may know no permissions
        path.chmod(stat.S_IMODE(mode_from.stat().st_mode) & 0o666 | 0o600)


def behind_link(path: Path) -> Path:
    """Return the file a link stands for: renaming over the link would cut it."""
    return path.resolve() if path.is_symlink() else path


def digest_of(path: Path) -> str:
    """Return the SHA-256 of a file, hex; raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _places(wanted: Path, *, ours: Ours, never: Collection[Path]) -> Iterator[Path]:
    path = behind_link(wanted)
    for number in range(1, _SIBLINGS + 1):
        place = path if number == 1 else path.with_name(f"{path.stem} ({number}){path.suffix}")
        if _may_be_taken(place, ours=ours, never=never):
            yield place
    raise StorageFailed(
        f"{wanted} and its {_SIBLINGS - 1} numbered siblings are taken", hint="name another place"
    )


def _may_be_taken(place: Path, *, ours: Ours, never: Collection[Path]) -> bool:
    if any(place.with_name(lock).exists() for lock in _lock_files(place.name)):
        return False
    if not os.path.lexists(place):
        return True
    if not place.is_file() or any(_is_same(place, other) for other in never):
        return False
    try:
        return _may_be_written(place) and ours(place, digest_of(place))
    except OSError:
        return False


def _may_be_written(place: Path) -> bool:
    """Tell whether nobody made it read-only; renaming over it would not ask."""
    return bool(place.stat().st_mode & _ANYBODY_WRITES)


def _lock_files(name: str) -> tuple[str, str]:
    """Return what Excel and LibreOffice leave beside a workbook while it is open."""
    return f"~${name}", f".~lock.{name}#"


def _is_same(place: Path, other: Path) -> bool:
    try:
        return place.samefile(other)
    except OSError:
        return False


def _sync_folder(folder: Path) -> None:
    """Make a rename durable; Windows neither can nor need."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
