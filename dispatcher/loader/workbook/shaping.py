"""From the rows as a workbook has them to a head and data rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

from dispatcher.loader.header import choose_header, is_blank
from dispatcher.loader.options import ReadOptions, Wanted
from dispatcher.loader.workbook.cell_names import COLUMN_NAMES, cell_name
from dispatcher.model import Flaw, FlawKind, Remark, SheetHead, SheetRow

LOOK_AHEAD = 500  # rows
LOOK_AHEAD_CHARACTERS = 1_000_000
_MOST_NAMED = 10
_NOT_AVAILABLE = "#N/A"  # as a spreadsheet says it
_CHANGED = frozenset({FlawKind.LONG_NUMBER, FlawKind.MERGED})


class RawRow(NamedTuple):
    """
    A row as the file has it; a tuple, because there are a million of them.

    Attributes:
        number: Row number from 1.
        cells: Texts from column A to the last one that is not empty.
        hidden: The person does not see it.
        flaws: What is wrong with its cells; their columns count from A.
    """

    number: int
    cells: Sequence[str]
    hidden: bool = False
    flaws: tuple[Flaw, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """
    The beginning of a sheet, so that it is read only once before its rows are.

    Attributes:
        first: Its first rows that hold anything, LOOK_AHEAD at most.
        is_all: There are no more.
        again: Begins a pass over all rows.
    """

    first: tuple[RawRow, ...]
    is_all: bool
    again: Callable[[], Iterator[RawRow]]

    def rows(self) -> Iterator[RawRow]:
        """Yield all rows that hold anything."""
        yield from self.first
        if not self.is_all:
            last = self.first[-1].number
            yield from (row for row in self.again() if row.number > last)


def preview_of(rows: Iterator[RawRow], again: Callable[[], Iterator[RawRow]]) -> Preview:
    """
    Read the beginning of a sheet.

    Args:
        rows: The rows from the first one.
        again: Begins a pass over them.

    Raises:
        SheetRefused: As *rows* does.
    """
    first: list[RawRow] = []
    room = LOOK_AHEAD_CHARACTERS
    for row in filter(holds_anything, rows):
        first.append(row)
        room -= sum(map(len, row.cells))
        if len(first) == LOOK_AHEAD or room < 0:
            return Preview(first=tuple(first), is_all=False, again=again)
    return Preview(first=tuple(first), is_all=True, again=again)


def holds_anything(row: RawRow) -> bool:
    """Return whether a person finds anything in a row."""
    return bool(row.flaws) or not is_blank(row.cells)


def head_of(
    preview: Preview,
    *,
    file: str,
    format_name: str,
    sheet: str,
    options: ReadOptions,
    wanted: Wanted,
    remarks: tuple[Remark, ...] = (),
) -> SheetHead:
    """
    Find the header of a sheet.

    A column beyond the last header belongs to the sheet if one of the first rows has anything in
    it: that is a column without a header, of which the person should hear.

    Args:
        preview: The beginning of the sheet.
        file: The file as it was given.
        format_name: Word for the format.
        sheet: Name of the sheet.
        options: What was said on the command line.
        wanted: Says whether a row has the required column.
        remarks: What was doubtful so far.

    Raises:
        SheetRefused: There is no header, or title rows stand above it.
    """
    numbered = ((row.number, row.cells) for row in preview.rows())
    header = choose_header(numbered, file=file, options=options, wanted=wanted)
    below = (row for row in preview.rows() if row.number >= header.number)
    width = max(_width(row) for row in islice(below, LOOK_AHEAD))
    return SheetHead(
        file=file,
        format=format_name,
        sheet=sheet,
        header_row=header.number,
        headers=tuple(_padded(header.cells, width)),
        remarks=remarks,
    )


def data_rows(rows: Iterable[RawRow], head: SheetHead, remarks: list[Remark]) -> Iterator[SheetRow]:
    """
    Yield the rows below the header that hold anything, as wide as the header.

    Args:
        rows: The rows of the sheet from its first one.
        head: Its head.
        remarks: ``hidden_rows``, ``long_number`` and ``merged_cell`` are added after the last row.

    Raises:
        SheetRefused: As *rows* does.
    """
    width = len(head.headers)
    hidden = 0
    changed = _ChangedCells()
    for row in rows:
        if row.number <= head.header_row or not holds_anything(row):
            continue
        hidden += row.hidden
        flaws = row.flaws
        cells = _padded(row.cells, width)
        if len(row.cells) > width or flaws:
            flaws = _fitting(row, width)
            cells = _marked(cells, flaws)
            changed.see(flaws)
        yield SheetRow(
            number=row.number,
            cells=tuple(cells),
            hidden=row.hidden,
            flaws=flaws,
        )
    if hidden:
        noun = "row is" if hidden == 1 else "rows are"
        remarks.append(
            Remark(
                code="hidden_rows",
                message=f"{hidden:,} {noun} hidden in the sheet, by a filter or by hand",
            )
        )
    remarks.extend(changed.remarks())


class _ChangedCells:
    """Cells that lost something before the file came here, whatever column they stand in."""

    def __init__(self) -> None:
        self._counts: Counter[FlawKind] = Counter()
        self._first: dict[FlawKind, str] = {}

    def see(self, flaws: Iterable[Flaw]) -> None:
        """See the flaws of a row."""
        for flaw in flaws:
            if flaw.kind in _CHANGED:
                self._counts[flaw.kind] += 1
                self._first.setdefault(flaw.kind, flaw.message)

    def remarks(self) -> Iterator[Remark]:
        """Tell each kind with its first cell."""
        for kind, message in self._first.items():
            count = self._counts[kind]
            more = f" ({count:,} such cells in all)" if count > 1 else ""
            yield Remark(code=kind.value, message=message + more)


def hidden_columns_remark(head: SheetHead, hidden: frozenset[int]) -> tuple[Remark, ...]:
    """
    Name the hidden columns.

    Args:
        head: The head with its headers.
        hidden: Indices of the columns the person does not see.
    """
    named = [_column_title(index, head.headers[index]) for index in sorted(hidden)]
    if not named:
        return ()
    more = f" and {len(named) - _MOST_NAMED} more" if len(named) > _MOST_NAMED else ""
    noun = "column is" if len(named) == 1 else "columns are"
    shown = ", ".join(named[:_MOST_NAMED]) + more
    return (Remark(code="hidden_columns", message=f"hidden {noun} in the sheet: {shown}"),)


def _width(row: RawRow) -> int:
    """Return the number of columns up to the last one that is not blank."""
    width = len(row.cells)
    while width and is_blank(row.cells[width - 1]):
        width -= 1
    return max([width, *(flaw.column + 1 for flaw in row.flaws)])


def _padded(cells: Sequence[str], width: int) -> Sequence[str]:
    count = len(cells)
    if count == width:
        return cells
    return cells[:width] if count > width else [*cells, *[""] * (width - count)]


def _fitting(row: RawRow, width: int) -> tuple[Flaw, ...]:
    """Return the flaws of the columns that have a header, and one for anything beyond them."""
    flaws = [flaw for flaw in row.flaws if flaw.column < width]
    beyond = [column for column in range(width, len(row.cells)) if row.cells[column].strip()]
    beyond += [flaw.column for flaw in row.flaws if flaw.column >= width]
    if beyond:
        name = cell_name(min(beyond), row.number)
        flaws.append(
            Flaw(
                kind=FlawKind.EXTRA_CELLS,
                column=-1,
                message=f"{name} is filled, beyond the last header",
            )
        )
    return tuple(flaws)


def _marked(cells: Sequence[str], flaws: Iterable[Flaw]) -> Sequence[str]:
    """Fill the cells without a value: fed back with the results, empty ones would be taken."""
    missing = {flaw.column for flaw in flaws if flaw.kind is FlawKind.NO_VALUE}
    if not missing:
        return cells
    return [_NOT_AVAILABLE if at in missing else text for at, text in enumerate(cells)]


def _column_title(index: int, header: str) -> str:
    title = " ".join(header.split())
    return f"{COLUMN_NAMES[index]} ({title})" if title else COLUMN_NAMES[index]
