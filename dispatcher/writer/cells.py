"""Writes cells as the XML of a sheet, every text as a text and nothing as a formula."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count

from openpyxl.utils import get_column_letter

from dispatcher.errors import StorageFailed
from dispatcher.writer.columns import Columns

_LONGEST = 32_767  # characters in a cell, as Excel counts them
_LAST_ROW = 1_048_576
_LAST_COLUMN = 16_384

_UNSPEAKABLE = re.compile("[\x00-\x08\x0b-\x1f\ud800-\udfff\ufffe\uffff]|_(?=x[0-9A-Fa-f]{4}_)")


@dataclass(frozen=True, slots=True, kw_only=True)
class CellStyles:
    """
    Numbers of the cell formats in the workbook's styles.

    Attributes:
        header: Of the header.
        text: Of every text cell.
        number: Of number cells.
        status: Of the status cell, by its word.
    """

    header: int
    text: int
    number: int
    status: dict[str, int]


class RowWriter:
    """Makes the XML of one row after the other, from row 1."""

    def __init__(self, width: int, *, columns: Columns, styles: CellStyles) -> None:
        if width > _LAST_COLUMN:
            raise StorageFailed(
                f"A workbook holds {_LAST_COLUMN} columns, and the results have {width}",
                hint="name a target that ends in .csv",
            )
        self._letters = [get_column_letter(i + 1) for i in range(width)]
        self._columns = columns
        self._styles = styles
        self._numbers = count(1)

    def header(self, cells: Sequence[str]) -> str:
        """Return the XML of the header."""
        number = self._next_row()
        style = self._styles.header
        return _row(number, [self._text(i, number, style, c) for i, c in enumerate(cells)])

    def row(self, cells: Sequence[str]) -> str:
        """
        Return the XML of a data row.

        Raises:
            StorageFailed: more rows than a workbook holds, or a text longer than a cell holds.
        """
        number = self._next_row()
        style = self._styles.text
        made = [self._text(i, number, style, c) for i, c in enumerate(cells)]
        for i in self._columns.numbers:
            if 0 <= i < len(cells) and cells[i].isascii() and cells[i].isdigit():
                made[i] = self._number(i, number, cells[i])
        i = self._columns.status
        if i >= 0:
            made[i] = self._text(i, number, self._styles.status.get(cells[i], style), cells[i])
        return _row(number, made)

    def _next_row(self) -> int:
        number = next(self._numbers)
        if number > _LAST_ROW:
            raise StorageFailed(
                f"A workbook holds {_LAST_ROW} rows, and the results have more",
                hint="name a target that ends in .csv",
            )
        return number

    def _text(self, column: int, row: int, style: int, text: str) -> str:
        if not text:
            return f'<c r="{self._letters[column]}{row}" s="{style}"/>'
        # Excel counts the halves of characters beyond U+FFFF.
        if len(text) * 2 > _LONGEST and len(text.encode("utf-16-le", "replace")) > 2 * _LONGEST:
            raise StorageFailed(
                f"{self._letters[column]}{row} would hold more than {_LONGEST} characters, "
                "which no workbook can",
                hint="name a target that ends in .csv",
            )
        return (
            f'<c r="{self._letters[column]}{row}" s="{style}" t="inlineStr">'
            f'<is><t xml:space="preserve">{xml_text(text)}</t></is></c>'
        )

    def _number(self, column: int, row: int, digits: str) -> str:
        style = self._styles.number
        return f'<c r="{self._letters[column]}{row}" s="{style}"><v>{digits}</v></c>'


def xml_text(text: str) -> str:
    """
    Return the text as character data; what XML cannot hold becomes ``_x0001_`` as in Excel.

    A text that itself looks like this is protected the way Excel does it, ``_x005F_x0001_``.
    """
    text = sheet_text(text)
    if "&" in text:
        text = text.replace("&", "&amp;")
    if "<" in text:
        text = text.replace("<", "&lt;")
    return text.replace(">", "&gt;") if ">" in text else text


def sheet_text(text: str) -> str:
    """Return the text with what XML cannot hold in Excel's own writing, not yet as XML."""
    return _UNSPEAKABLE.sub(_escaped, text) if _UNSPEAKABLE.search(text) else text


def _escaped(match: re.Match[str]) -> str:
    return f"_x{ord(match[0]):04X}_"


def _row(number: int, cells: list[str]) -> str:
    return f'<row r="{number}">{"".join(cells)}</row>'
