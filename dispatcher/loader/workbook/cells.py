"""The text of a cell: what its type, value and style come to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial

from dispatcher.loader.workbook.cell_names import cell_name
from dispatcher.loader.workbook.escapes import decoded
from dispatcher.loader.workbook.number_formats import FormKind, NumberForm
from dispatcher.loader.workbook.number_text import (
    CellFault,
    iso_text,
    number_text,
    plain_number,
)
from dispatcher.loader.workbook.shared_strings import DanglingReferenceError, SharedStrings
from dispatcher.loader.workbook.styles import Styles
from dispatcher.model import Flaw, FlawKind

CellReader = Callable[[str], str | CellFault]
"""Makes a cell's text of its value as the file has it."""

_KEPT_TEXTS = 1024  # dates and the like worked out before, for each style
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


def cell_reader(book: Book, kind: str | None, style: str | None) -> CellReader:
    """
    Return how the values of a type and style are read, the white space in them included.

    Args:
        book: What the values refer to.
        kind: The cell's type: ``n`` or None number, ``s`` shared text, ``str`` and ``inlineStr``
            text, ``b`` boolean, ``e`` error, ``d`` date in ISO 8601.
        style: Style index as the file has it, None for the default.

    Raises:
        DanglingReferenceError: The type is unknown. The reader itself raises it where a value
            refers to a shared text that is not there.
    """
    form = book.styles.form(style)
    match kind:
        case "n" | None:
            return _number_reader(form, from_1904=book.from_1904)
        case "s":
            return book.texts.named
        case "d":
            return partial(iso_text, form=form)
    reader = _READERS.get(kind)
    if reader is None:
        raise DanglingReferenceError(f"a type that does not exist, {kind[:_MOST_SHOWN]}")
    return reader


def _number_reader(form: NumberForm, *, from_1904: bool) -> CellReader:
    if form.kind is FormKind.PLAIN:
        return plain_number
    return lru_cache(_KEPT_TEXTS)(partial(number_text, form=form, from_1904=from_1904))


def flaw_of(fault: CellFault, column: int, row: int) -> Flaw:
    """Return the flaw of a cell; *column* counts from 0, *row* from 1."""
    message = f"{cell_name(column, row)} holds {fault.shown}"
    return Flaw(kind=fault.kind, column=column, message=message)


def _boolean(value: str) -> str | CellFault:
    return _BOOLEANS.get(value.strip().lower(), _NO_BOOLEAN)


def _error(value: str) -> CellFault:
    shown = value.strip()[:_MOST_SHOWN] or "an error"
    return CellFault(kind=FlawKind.ERROR_CELL, shown=shown, text=shown)


_READERS: dict[str, CellReader] = {
    "str": decoded,
    "inlineStr": decoded,
    "b": _boolean,
    "e": _error,
}
