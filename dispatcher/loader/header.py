"""Which row of a sheet is the header."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice

from dispatcher.errors import SheetRefused
from dispatcher.loader.options import ReadOptions, Wanted

NumberedRow = tuple[int, Sequence[str]]
"""Row number as a person finds it, and the texts of the row."""

LOOK_AHEAD_ROWS = 21  # the first row that is not blank, and the twenty after it
_SHOWN_ROWS = 3
_SHOWN_CHARACTERS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class HeaderRow:
    """
    The row that names the columns.

    Attributes:
        number: Row number as a person finds it, from 1.
        cells: Its texts, as they stand.
    """

    number: int
    cells: tuple[str, ...]


def is_blank(cells: Iterable[str]) -> bool:
    """Say whether all cells are empty or white space."""
    text = "".join(cells)
    return not text or text.isspace()


def choose_header(
    rows: Iterable[NumberedRow], *, file: str, options: ReadOptions, wanted: Wanted
) -> HeaderRow:
    """
    Find the header: the row that was named, else the first one that is not blank.

    Args:
        rows: The rows of the sheet from its first one, blank ones may be left out; no more of
            them are taken than needed.
        file: The file as it was given, for messages.
        options: ``header_row`` names the row.
        wanted: Says whether a row has the required column. Where no row has it, the first one
            is the header, so that the message about the missing column can name what is there.

    Raises SheetRefused when there is no such row, when the sheet is blank, or when the required
    column is not in the first row but in one of the next twenty (title rows above the header).
    """
    if options.header_row:
        return _named_row(rows, file=file, number=options.header_row)
    filled = (HeaderRow(number=n, cells=tuple(cells)) for n, cells in rows if not is_blank(cells))
    first = list(islice(filled, LOOK_AHEAD_ROWS))
    if not first:
        raise SheetRefused(f"{file}: holds no rows", hint="look whether it was saved empty")
    found = next((index for index, row in enumerate(first) if wanted(row.cells)), 0)
    if found:
        raise _titles_above(first, found, file=file)
    return first[0]


def _named_row(rows: Iterable[NumberedRow], *, file: str, number: int) -> HeaderRow:
    for at, cells in rows:
        if at == number and not is_blank(cells):
            return HeaderRow(number=at, cells=tuple(cells))
        if at >= number:
            break
    raise SheetRefused(
        f"{file}: row {number} is blank or no row begins there, so it cannot be the header",
        hint="--header-row takes the row number that the spreadsheet shows",
    )


def _titles_above(first: Sequence[HeaderRow], found: int, *, file: str) -> SheetRefused:
    header = first[found]
    shown = [*first[: min(found, _SHOWN_ROWS)], header]
    rows = "; ".join(f"row {row.number}: {_excerpt(row.cells)}" for row in shown)
    return SheetRefused(
        f"{file}: the header seems to be row {header.number}, below other rows ({rows})",
        hint=f"if row {header.number} is the header, add --header-row {header.number}",
    )


def _excerpt(cells: Sequence[str]) -> str:
    text = " | ".join(" ".join(cell.split()) for cell in cells if cell.strip())
    text = "".join(each if each.isprintable() else "\ufffd" for each in text)
    return text if len(text) <= _SHOWN_CHARACTERS else text[: _SHOWN_CHARACTERS - 1] + "…"
