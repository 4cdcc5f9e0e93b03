"""The way in: what a file is, and who reads it."""

from __future__ import annotations

import os
import stat
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import assert_never

from dispatcher.errors import SheetRefused
from dispatcher.loader.options import ReadOptions, Wanted
from dispatcher.loader.recognise import Format, recognise
from dispatcher.loader.sheet import Sheet, digest_of
from dispatcher.model import Remark

STANDARD_INPUT = "-"
_CHUNK_BYTES = 1 << 20


def open_sheet(path: str, *, options: ReadOptions, wanted: Wanted) -> Sheet:
    """
    Open a sheet of any format that can be read; what it is, is judged by its content.

    Args:
        path: The file, or ``-`` for a CSV on standard input, which is kept in a private
            temporary file until the sheet is closed.
        options: What a person said about it.
        wanted: Says whether some header texts have the required column.

    Raises SheetRefused for anything that cannot be read exactly; UsageProblem for an option that
    has no meaning.
    """
    if path == STANDARD_INPUT:
        return _open_standard_input(options=options, wanted=wanted)
    try:
        return _open_file(_ordinary_file(path), file=path, options=options, wanted=wanted)
    except OSError as error:
        raise _unreadable(path, error) from error


def file_digest(path: str) -> str:
    """
    Hash the bytes of a file.

    Returns:
        SHA-256, hex.

    Raises SheetRefused when it is missing, no ordinary file, or cannot be read (standard input
    cannot: ask the opened sheet for its digest).
    """
    try:
        return digest_of(_ordinary_file(path))
    except OSError as error:
        raise _unreadable(path, error) from error


def _open_file(path: Path, *, file: str, options: ReadOptions, wanted: Wanted) -> Sheet:
    found = recognise(path, file=file)
    sheet = _open_as(found, path, file=file, options=options, wanted=wanted)
    return _with_ignored(sheet, options)


def _with_ignored(sheet: Sheet, options: ReadOptions) -> Sheet:
    """Remark which options have no meaning for a format, rather than pass over them."""
    if sheet.head.format == Format.CSV:
        given, what = {"--sheet": options.sheet}, "a text file has no sheets"
    else:
        given = {"--encoding": options.encoding, "--delimiter": options.delimiter}
        what = "a workbook has none"
    ignored = [name for name, value in given.items() if value]
    if ignored:
        verb = "is" if len(ignored) == 1 else "are"
        message = (
            f"{' and '.join(ignored)} {verb} ignored: {what}; leave it out, or name the file that "
            f"was meant"
        )
        remark = Remark(code="option_ignored", message=message)
        sheet.head = replace(sheet.head, remarks=(*sheet.head.remarks, remark))
    return sheet


def _open_as(
    found: Format, path: Path, *, file: str, options: ReadOptions, wanted: Wanted
) -> Sheet:
    # A reader is imported when its format comes: the workbook side costs a tenth of a second.
    match found:
        case Format.CSV:
            from dispatcher.loader.delimited import open_delimited  # noqa: PLC0415

            return open_delimited(path, file=file, options=options, wanted=wanted)
        case Format.XLSX:
            from dispatcher.loader.workbook import open_workbook  # noqa: PLC0415

            return open_workbook(path, file=file, options=options, wanted=wanted)
        case Format.XLS | Format.XLSB | Format.ODS as old:
            from dispatcher.loader.legacy import open_legacy  # noqa: PLC0415

            return open_legacy(path, file=file, format=old.value, options=options, wanted=wanted)
        case never:
            assert_never(never)


def _open_standard_input(*, options: ReadOptions, wanted: Wanted) -> Sheet:
    from dispatcher.loader.delimited import open_delimited  # noqa: PLC0415

    copy = _spooled()
    try:
        _refuse_workbook(recognise(copy, file=STANDARD_INPUT))
        sheet = open_delimited(
            copy, file=STANDARD_INPUT, options=options, wanted=wanted, private=True
        )
        return _with_ignored(sheet, options)
    except BaseException:
        copy.unlink(missing_ok=True)
        raise


def _refuse_workbook(found: Format) -> None:
    if found is not Format.CSV:
        raise SheetRefused(
            "-: a workbook cannot be read from standard input",
            hint="save it to a file and name the file",
        )


def _spooled() -> Path:
    """Copy standard input to a file that only this user may read, so that it can be read twice."""
    if sys.stdin is None:
        raise SheetRefused("-: there is no standard input")
    handle, name = tempfile.mkstemp(prefix="dispatcher-", suffix=".csv")  # mode 0600
    try:
        with os.fdopen(handle, "wb") as target:
            while chunk := sys.stdin.buffer.read(_CHUNK_BYTES):
                target.write(chunk)
    except BaseException as error:
        Path(name).unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise SheetRefused(
                f"-: standard input could not be kept in {tempfile.gettempdir()} ({error.strerror})"
            ) from error
        raise
    return Path(name)


def _ordinary_file(path: str) -> Path:
    """Refuse what is no file before it is opened: opening a named pipe would wait for ever."""
    if "\x00" in path or not path:
        raise SheetRefused("the path of the sheet is not a path", hint="name a file")
    mode = Path(path).stat().st_mode
    if stat.S_ISDIR(mode):
        raise SheetRefused(f"{path}: a folder, not a sheet", hint="name a file in it")
    if not stat.S_ISREG(mode):
        raise SheetRefused(
            f"{path}: a pipe or device, not a file", hint="a CSV can come on standard input: -"
        )
    return Path(path)


def _unreadable(path: str, error: OSError) -> SheetRefused:
    if isinstance(error, FileNotFoundError):
        return SheetRefused(f"{path}: there is no such file", hint="check its name and folder")
    if isinstance(error, PermissionError):
        return SheetRefused(f"{path}: no permission to read it", hint="check who may read it")
    return SheetRefused(f"{path}: cannot be read ({error.strerror})")
