"""Opens an XLSX or XLSM workbook and finds the sheet and the header that are meant."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
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
from dispatcher.loader.workbook.shaping import RawRow, data_rows, head_of, hidden_columns_remark
from dispatcher.loader.workbook.shared_strings import shared_strings_of
from dispatcher.loader.workbook.styles import styles_of
from dispatcher.model import Remark, SheetHead, SheetRow


@dataclass(frozen=True, slots=True, kw_only=True)
class _Source:
    """Everything a later pass needs; the file itself is opened anew for each."""

    path: Path
    part: str
    book: Book
    head: SheetHead
    merges: tuple[Merge, ...]


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
        candidates = [_candidate(package, entry, book) for entry in contents.sheets]
        chosen = choose_sheet(candidates, file=file, options=options, wanted=wanted)
        head = head_of(
            chosen.rows,
            file=file,
            format_name="xlsx",
            sheet=chosen.name,
            options=options,
            wanted=wanted,
        )
        part = contents.sheets[candidates.index(chosen)].part
        source = _Source(
            path=path,
            part=part,
            book=book,
            head=_with_hidden_columns(head, RowStream(package, part, book)),
            merges=merges_of(package, part),
        )
    return Sheet(head=source.head, read=partial(_pass, source), path=path, stamp=stamp)


def _book(package: Package, contents: Contents) -> Book:
    return Book(
        texts=shared_strings_of(package, contents.texts),
        styles=styles_of(package, contents.styles),
        from_1904=contents.from_1904,
        uncomputed=contents.uncomputed,
    )


def _candidate(package: Package, entry: SheetEntry, book: Book) -> Candidate:
    def rows() -> Iterator[RawRow]:
        if not entry.part:
            raise damaged(package.file, f'sheet "{entry.name}" is missing')
        yield from RowStream(package, entry.part, book)

    return Candidate(name=entry.name, visible=entry.visible, has_cells=entry.has_cells, rows=rows)


def _with_hidden_columns(head: SheetHead, stream: RowStream) -> SheetHead:
    next(iter(stream), None)  # the columns are described before the first row
    hidden = frozenset(
        index
        for first, last in stream.hidden_columns
        for index in range(first, min(last + 1, len(head.headers)))
    )
    remarks = hidden_columns_remark(head, hidden)
    return replace(head, hidden_columns=hidden, remarks=(*head.remarks, *remarks))


def _pass(source: _Source, remarks: list[Remark]) -> Iterator[SheetRow]:
    with Package(source.path, file=source.head.file) as package:
        rows = with_merges(
            iter(RowStream(package, source.part, source.book)),
            source.merges,
            width=len(source.head.headers),
            file=source.head.file,
        )
        yield from data_rows(rows, source.head, remarks)
