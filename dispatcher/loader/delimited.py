"""CSV, TSV and other text with delimiters -> a sheet."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from dispatcher.errors import SheetRefused
from dispatcher.loader.delimiter import find_dialect
from dispatcher.loader.encoding import recognise_encoding
from dispatcher.loader.header import choose_header
from dispatcher.loader.options import ReadOptions, Wanted
from dispatcher.loader.records import Source, read_records
from dispatcher.loader.sheet import FileStamp, Sheet
from dispatcher.model import Flaw, FlawKind, Remark, SheetHead, SheetRow

MOST_CHARACTERS = 32_767  # of a cell, as in Excel
MOST_COLUMNS = 16_384  # as in Excel

_RESULT_HEADERS = frozenset({"call_status", "call_id"})
_ESCAPED = frozenset("=+-@\t\r")
_END_OF_FILE_MARK = ["\x1a"]  # as old programs write it after the last line
_NONE: tuple[Flaw, ...] = ()
_COLUMNS_TO_TELL = 3  # fewer delimiters stand in any sentence


def open_delimited(
    path: Path, *, file: str, options: ReadOptions, wanted: Wanted, private: bool = False
) -> Sheet:
    """
    Open a text with delimiters.

    Args:
        path: An ordinary file, not empty.
        file: The file as it was given, for messages.
        options: Encoding, delimiter and header row, where a person named them.
        wanted: Says whether some header texts have the required column.
        private: The file is our own copy and is removed when the sheet is closed.

    Raises SheetRefused when it cannot be read exactly, UsageProblem for an unknown encoding or
    delimiter, OSError.
    """
    stamp = FileStamp.of(path)
    form = recognise_encoding(path, file=file, named=options.encoding)
    source = Source(path=path, file=file, form=form)
    dialect = find_dialect(source, options=options, wanted=wanted)
    with closing(read_records(source, dialect.delimiter)) as records:
        below = (record for record in records if record[0] >= dialect.first_line)
        header = choose_header(below, file=file, options=options, wanted=wanted)
    if len(header.cells) > MOST_COLUMNS:
        raise SheetRefused(
            f"{file}: line {header.number} has {len(header.cells):,} columns, "
            f"a sheet has at most {MOST_COLUMNS:,}",
            hint="name the right one: --delimiter",
        )
    escaped = {_squashed(cell) for cell in header.cells} >= _RESULT_HEADERS
    head = SheetHead(
        file=file,
        format="csv",
        encoding=form.encoding,
        delimiter=dialect.delimiter,
        header_row=header.number,
        headers=tuple(_unescaped(header.cells) if escaped else header.cells),
        remarks=form.remarks,
    )
    body = _Body(source=source, head=head, escaped=escaped)
    return Sheet(head=head, read=body.rows, path=path, stamp=stamp, private=private)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Body:
    """
    The rows below the header.

    Attributes:
        source: The file.
        head: What was recognised.
        escaped: It is a results sheet of ours, where an apostrophe keeps cells from being formulas.
    """

    source: Source
    head: SheetHead
    escaped: bool

    def rows(self, remarks: list[Remark]) -> Iterator[SheetRow]:
        """Begin a pass; the remarks are there when it has ended."""
        doubts = _Doubts(headers=self.head.headers, delimiter=self.head.delimiter)
        header_row, width = self.head.header_row, len(self.head.headers)
        number = header_row
        for number, record in read_records(self.source, self.head.delimiter):
            if number <= header_row:
                continue
            # One joined text answers three questions about a row faster than its cells would.
            text = "".join(record)
            if not text or text.isspace() or record == _END_OF_FILE_MARK:
                continue
            cells, flaws = record, _NONE
            if len(text) > MOST_CHARACTERS:
                flaws = _too_long(number, record[:width])
            if "\n" in text or "\r" in text:
                doubts.look_within(number, record)
            if len(record) != width:
                flaws += _extra(number, record, width)
                doubts.measure(number, len(record))
                cells = record[:width] + [""] * (width - len(record))
            if self.escaped:
                cells = _unescaped(cells)
            yield SheetRow(number=number, cells=tuple(cells), flaws=flaws)
        remarks.extend(doubts.remarks(cut_line=number if self.source.form.ends_open else 0))


@dataclass(slots=True, kw_only=True)
class _Doubts:
    """What is doubtful about the rows of one pass, each kind with its first row."""

    headers: Sequence[str]
    delimiter: str
    short: int = 0
    first_short: int = 0
    last_short: int = 0
    swallowed: int = 0
    _named: int = field(init=False)

    def __post_init__(self) -> None:
        # Cells that are missing below empty headers at the right are missed by nobody.
        named = [index for index, header in enumerate(self.headers, 1) if header.strip()]
        self._named = max(named, default=0)

    def measure(self, number: int, cells: int) -> None:
        """See a row whose count of cells is not that of the header."""
        if cells < self._named:
            self.short += 1
            self.first_short = self.first_short or number
            self.last_short = number

    def look_within(self, number: int, cells: Sequence[str]) -> None:
        """See a row with a line break in a cell: two stray quotes make one row out of many."""
        least = len(self.headers) - 1
        if self.swallowed or least + 1 < _COLUMNS_TO_TELL:
            return
        lines = (line for cell in cells for line in cell.splitlines()[1:-1])
        if any(line.count(self.delimiter) >= least for line in lines):
            self.swallowed = number

    def remarks(self, *, cut_line: int) -> Iterator[Remark]:
        """Tell them; *cut_line* is where the last record begins if it has no line end, else 0."""
        cut = self.short > 0 and self.last_short == cut_line
        others = self.short - cut
        if others:
            rows = "row has" if others == 1 else "rows have"
            yield Remark(
                code="short_rows",
                message=f"{others} {rows} fewer cells than the header, the first in line "
                f"{self.first_short}; the missing ones are taken as empty",
            )
        if cut:
            yield Remark(
                code="last_row_cut",
                message=f"the last row (line {cut_line}) is short and has no line end: "
                "was the file cut off?",
            )
        if self.swallowed:
            yield Remark(
                code="row_within_cell",
                message=f"a quoted cell of the row in line {self.swallowed} holds what looks like "
                "whole rows: is a quote missing or too many?",
            )


def _extra(number: int, cells: Sequence[str], width: int) -> tuple[Flaw, ...]:
    if not any(cell.strip() for cell in cells[width:]):
        return ()
    message = f"line {number} has {len(cells)} cells, the header has {width}"
    return (Flaw(kind=FlawKind.EXTRA_CELLS, column=-1, message=message),)


def _too_long(number: int, cells: Sequence[str]) -> tuple[Flaw, ...]:
    return tuple(
        Flaw(
            kind=FlawKind.TOO_LONG,
            column=index,
            message=f"line {number}, cell {index + 1} holds {len(cell):,} characters, "
            f"more than the {MOST_CHARACTERS:,} of a cell",
        )
        for index, cell in enumerate(cells)
        if len(cell) > MOST_CHARACTERS
    )


def _squashed(header: str) -> str:
    return unicodedata.normalize("NFKC", header).strip("\ufeff\u200b\u2060 \t").casefold()


def _unescaped(cells: Sequence[str]) -> list[str]:
    """Take away the one apostrophe that our results sheet put before a would-be formula."""
    return [
        cell[1:] if cell.startswith("'") and cell.lstrip("'")[:1] in _ESCAPED else cell
        for cell in cells
    ]
