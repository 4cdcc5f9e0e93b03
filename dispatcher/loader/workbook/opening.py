"""Opens an XLSX or XLSM workbook and finds the sheet and the header that are meant."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cache, partial
from pathlib import Path

from dispatcher.loader.options import ReadOptions, Wanted
from dispatcher.loader.sheet import FileStamp, Sheet
from dispatcher.loader.workbook.cells import Book
from dispatcher.loader.workbook.choice import Candidate, choose_sheet
from dispatcher.loader.workbook.contents import Contents, SheetEntry, contents_of
from dispatcher.loader.workbook.markup import judge_prologs
from dispatcher.loader.workbook.merges import Merge, merges_of, with_merges
from dispatcher.loader.workbook.package import Package
from dispatcher.loader.workbook.refusal import damaged
from dispatcher.loader.workbook.rows import RowStream
from dispatcher.loader.workbook.shaping import (
    Preview,
    RawRow,
    data_rows,
    head_of,
    hidden_columns_remark,
    preview_of,
)
from dispatcher.loader.workbook.styles import styles_of
from dispatcher.loader.workbook.text_table import shared_strings_of
from dispatcher.model import Remark, SheetHead, SheetRow


def open_workbook(path: Path, *, file: str, options: ReadOptions, wanted: Wanted) -> Sheet:
    """
    Open a workbook; nothing of it is read in full yet but the texts its cells share.

    Args:
        path: Where the file is.
        file: The path as it was given, for messages.
        options: What was said on the command line.
        wanted: Says whether a row has the required column.

    Raises:
        SheetRefused: It cannot be read exactly, or it does not say which sheet or row is meant.
        OSError: It is not there or may not be read.
    """
    stamp = FileStamp.of(path)
    with Package(path, file=file) as package:
        judge_prologs(package)
        contents = contents_of(package)
        book = _book(package, contents)
        sheets = [_Sheet(package, entry, book) for entry in contents.sheets]
        candidates = [sheet.candidate() for sheet in sheets]
        chosen = choose_sheet(candidates, file=file, options=options, wanted=wanted)
        head = head_of(
            chosen.look(),
            file=file,
            format_name="xlsx",
            sheet=chosen.name,
            options=options,
            wanted=wanted,
        )
        sheet = sheets[candidates.index(chosen)]
        head = sheet.with_hidden_columns(head)
        merges = merges_of(package, sheet.part)
    read = partial(_pass, chosen.look(), merges, head)
    return Sheet(head=head, read=read, path=path, stamp=stamp)


def _book(package: Package, contents: Contents) -> Book:
    return Book(
        texts=shared_strings_of(package, contents.texts),
        styles=styles_of(package, contents.styles),
        from_1904=contents.from_1904,
        uncomputed=contents.uncomputed,
    )


class _Sheet:
    """
    A sheet of an open workbook.

    Attributes:
        part: Name of its part.
    """

    def __init__(self, package: Package, entry: SheetEntry, book: Book) -> None:
        self.part = entry.part
        self._package = package
        self._entry = entry
        self._book = book
        self._stream = RowStream(package, entry.part, book)

    def candidate(self) -> Candidate:
        """Return what is to be chosen from."""
        return Candidate(
            name=self._entry.name,
            visible=self._entry.visible,
            has_cells=self._entry.has_cells,
            look=cache(self._preview),
        )

    def with_hidden_columns(self, head: SheetHead) -> SheetHead:
        """Add the hidden columns to a head; they are known once the preview was read."""
        hidden = frozenset(
            index
            for first, last in self._stream.hidden_columns
            for index in range(first, min(last + 1, len(head.headers)))
        )
        remarks = hidden_columns_remark(head, hidden)
        return replace(head, hidden_columns=hidden, remarks=(*head.remarks, *remarks))

    def _preview(self) -> Preview:
        if not self.part:
            raise damaged(self._package.file, f'sheet "{self._entry.name}" is missing')
        again = partial(_all_rows, self._package.path, self._package.file, self.part, self._book)
        return preview_of(iter(self._stream), again)


def _all_rows(path: Path, file: str, part: str, book: Book) -> Iterator[RawRow]:
    """Read all rows of a sheet, with the file opened anew."""
    with Package(path, file=file) as package:
        yield from RowStream(package, part, book)


def _pass(
    preview: Preview, merges: tuple[Merge, ...], head: SheetHead, remarks: list[Remark]
) -> Iterator[SheetRow]:
    rows = with_merges(preview.rows(), merges, width=len(head.headers), file=head.file)
    yield from data_rows(rows, head, remarks)
