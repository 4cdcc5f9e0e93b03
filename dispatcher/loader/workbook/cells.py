"""The text of a cell: what its type, value and style come to."""

from __future__ import annotations

from dataclasses import dataclass

from dispatcher.loader.workbook.escapes import decoded
from dispatcher.loader.workbook.number_text import CellFault, iso_text, number_text
from dispatcher.loader.workbook.shared_strings import DanglingReferenceError, SharedStrings
from dispatcher.loader.workbook.styles import Styles
from dispatcher.model import FlawKind

_BOOLEANS = {"1": "TRUE", "true": "TRUE", "0": "FALSE", "false": "FALSE"}
_NO_BOOLEAN = CellFault(kind=FlawKind.ERROR_CELL, shown="neither TRUE nor FALSE")
_MOST_SHOWN = 20  # characters of an odd value in a message


@dataclass(frozen=True, slots=True, kw_only=True)
class Book:
    """
    What the cells of every sheet refer to.

    Attributes:
        texts: The shared texts.
        styles: The style table.
        from_1904: Days are counted from 1904-01-01.
        uncomputed: Formulas were left to be computed by whoever opens the file.
    """

    texts: SharedStrings
    styles: Styles
    from_1904: bool
    uncomputed: bool


def cell_text(book: Book, value: str, kind: str, style: str | None) -> str | CellFault:
    """
    Return the text of a cell that has a value.

    Args:
        book: What the value refers to.
        value: The value as the file has it, white space included.
        kind: The cell's type: ``n`` number, ``s`` shared text, ``str`` and ``inlineStr`` text,
            ``b`` boolean, ``e`` error, ``d`` date in ISO 8601.
        style: Style index as the file has it, None for the default.

    Raises:
        DanglingReferenceError: The value refers to a shared text that is not there, or its type
            is unknown.
    """
    match kind:
        case "s":
            return book.texts.named(value)
        case "n":
            return number_text(value, book.styles.form(style), from_1904=book.from_1904)
        case "str" | "inlineStr":
            return decoded(value)
        case "b":
            return _BOOLEANS.get(value.strip().lower(), _NO_BOOLEAN)
        case "e":
            shown = value.strip()[:_MOST_SHOWN] or "an error"
            return CellFault(kind=FlawKind.ERROR_CELL, shown=shown, text=shown)
        case "d":
            return iso_text(value, book.styles.form(style))
        case _:
            raise DanglingReferenceError(f"a type that does not exist, {kind[:_MOST_SHOWN]}")
