"""The rows of a worksheet, as a stream over its XML in constant memory."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache, partial
from typing import NoReturn

from dispatcher.loader.workbook.cell_names import (
    COLUMN_INDICES,
    COLUMN_NAMES,
    MOST_COLUMNS,
    MOST_ROWS,
    cell_name,
    position,
)
from dispatcher.loader.workbook.cells import Book, CellFault, cell_text
from dispatcher.loader.workbook.escapes import decoded
from dispatcher.loader.workbook.markup import (
    PREFIX,
    SPREADSHEET_NAMESPACES,
    Attributes,
    is_true,
    local_name,
    parse,
    parser_for,
)
from dispatcher.loader.workbook.package import Package
from dispatcher.loader.workbook.refusal import unreadable, unsafe
from dispatcher.loader.workbook.shaping import RawRow
from dispatcher.loader.workbook.shared_strings import CELL_LIMIT, PIECE_LIMIT
from dispatcher.model import Flaw, FlawKind

_KEPT_TEXTS = 8192  # values worked out before, for columns that repeat them
_TEXT_MATTERS_FROM = 64 * 1024**2  # characters
_MOST_TEXT_RATIO = 20  # characters of a sheet's cells to bytes of its XML and shared texts
_NEVER_COMPUTED = "holds a formula that was never computed: open the file in Excel and save it"


class RowStream:
    """
    One pass over a worksheet.

    A million rows of twelve columns are sixty million calls of the handlers, so what happens for
    every cell stands in few functions, and fields are slots.

    Attributes:
        hidden_columns: (first, last) indices of hidden columns, known with the first row.
    """

    __slots__ = (
        "_book",
        "_cell",
        "_cells",
        "_column",
        "_default_hidden",
        "_file",
        "_flaws",
        "_formula",
        "_hidden",
        "_inline",
        "_is_cell",
        "_is_row",
        "_is_value",
        "_namespace",
        "_number",
        "_number_text",
        "_numbered",
        "_package",
        "_parser",
        "_part",
        "_phonetic",
        "_piece",
        "_room",
        "_rows",
        "_text_of",
        "_value",
        "hidden_columns",
    )

    def __init__(self, package: Package, part: str, book: Book) -> None:
        self.hidden_columns: list[tuple[int, int]] = []
        self._package = package
        self._file = package.file
        self._part = part
        self._book = book
        self._text_of = lru_cache(_KEPT_TEXTS)(partial(cell_text, book))
        ratio_room = _MOST_TEXT_RATIO * (package.size(part) + book.texts.size)
        self._room = max(_TEXT_MATTERS_FROM, ratio_room)
        self._rows: list[RawRow] = []
        self._piece: list[str] = []  # character data since the last tag that matters
        self._namespace = self._is_value = self._is_cell = self._is_row = ""
        self._default_hidden = False
        self._number = 0
        self._number_text = "0"
        self._numbered = True
        self._hidden = False
        self._cells: list[str] = []
        self._flaws: list[Flaw] = []
        self._cell: Attributes | None = None
        self._column = -1
        self._value: str | None = None
        self._formula = False
        self._inline: list[str] | None = None
        self._phonetic = False

    def __iter__(self) -> Iterator[RawRow]:
        """
        Read the rows that hold anything, in file order; once.

        Raises:
            SheetRefused: The part is damaged or unsafe, or says something no reader may guess at.
        """
        self._parser = parser_for(self._package, self._part)
        self._parser.StartElementHandler = self._begin_root
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._piece.append
        for _ in parse(self._package, self._part, self._parser):
            if self._cell is None:
                self._piece.clear()
            elif sum(map(len, self._piece)) > PIECE_LIMIT:
                raise unsafe(self._file, f"its part {self._part} holds an endless cell")
            yield from self._rows
            self._rows.clear()
        yield from self._rows

    def _begin_root(self, element: str, _: Attributes) -> None:
        name = local_name(element)
        namespace = element.removesuffix(name)
        if name != "worksheet" or namespace.removesuffix(PREFIX) not in SPREADSHEET_NAMESPACES:
            raise unreadable(self._file, f"its part {self._part} is not a worksheet")
        self._namespace = namespace
        self._is_value = f"{namespace}v"
        self._is_cell = f"{namespace}c"
        self._is_row = f"{namespace}row"
        self._parser.StartElementHandler = self._begin

    def _begin(self, element: str, attributes: Attributes) -> None:
        if element == self._is_value:
            self._piece.clear()
        elif element == self._is_cell:
            self._cell = attributes
            self._value = None
            self._formula = False
            self._inline = None
        elif element == self._is_row:
            self._begin_row(attributes)
        elif element.startswith(self._namespace):
            self._begin_other(local_name(element), attributes)

    def _begin_other(self, name: str, attributes: Attributes) -> None:
        match name:
            case "f":
                self._formula = True
            case "is":
                self._inline = []
            case "t":
                self._piece.clear()
            case "rPh":
                self._phonetic = True
            case "col":
                self._note_column(attributes)
            case "sheetFormatPr":
                self._default_hidden = is_true(attributes.get("zeroHeight"))
            case _:
                pass

    def _end(self, element: str) -> None:
        if element == self._is_value:
            self._value = "".join(self._piece)
        elif element == self._is_cell:
            if self._cell is not None:
                self._end_cell(self._cell)
                self._cell = None
        elif element == self._is_row:
            self._end_row()
        elif self._inline is not None and element.startswith(self._namespace):
            self._end_inline(local_name(element), self._inline)

    def _end_inline(self, name: str, inline: list[str]) -> None:
        if name == "rPh":
            self._phonetic = False
        elif name == "t" and not self._phonetic:
            inline.append("".join(self._piece))

    def _end_cell(self, cell: Attributes) -> None:
        column = self._column + 1
        reference = cell.get("r")
        if reference is None:
            if column >= MOST_COLUMNS:
                self._refuse(f"has too many cells in row {self._number}")
        elif column >= MOST_COLUMNS or reference != COLUMN_NAMES[column] + self._number_text:
            column = self._place(reference)
        self._column = column
        value = self._value
        kind = cell.get("t", "n")
        if value is None or (self._formula and self._lacks_value(value, kind)):
            text = self._without_value(column)
        else:
            try:
                found = self._text_of(value, kind, cell.get("s"))
            except LookupError as problem:
                self._refuse(f"has cell {self._at(column)} with {problem}")
            text = found if isinstance(found, str) else self._faulty(found, column)
        if not text:
            return
        if len(text) > CELL_LIMIT:
            self._refuse(f"has more than {CELL_LIMIT:,} characters in {self._at(column)}")
        if column == len(self._cells):
            self._cells.append(text)
        else:
            self._put(text, column)

    def _place(self, reference: str) -> int:
        """Return the column of a cell that does not follow the one before it."""
        letters = reference.rstrip("0123456789")
        column = COLUMN_INDICES.get(letters)
        if column is not None and letters + self._number_text == reference:
            return column
        found = position(reference)
        if found is None:
            self._refuse(f"has a cell named {reference[:20]}")
        column, row = found
        if row != self._number:
            # A row without a number is where its first cell says.
            if self._numbered or self._column >= 0 or row < self._number:
                self._refuse(f"has cell {reference} in row {self._number}")
            self._number = row
            self._number_text = str(row)
        return column

    def _put(self, text: str, column: int) -> None:
        missing = column - len(self._cells)
        if missing >= 0:
            self._cells.extend([""] * missing)
            self._cells.append(text)
        elif self._cells[column]:
            self._refuse(f"has two cells {self._at(column)}")
        else:
            self._cells[column] = text

    def _lacks_value(self, value: str, kind: str) -> bool:
        """
        Return whether a formula's value was never computed.

        Writers that cannot compute leave it empty, or write 0 or nothing and ask whoever opens
        the file to compute everything.
        """
        if self._book.uncomputed and kind in {"n", "str"} and value in {"", "0"}:
            return True
        return not value and kind != "str"

    def _without_value(self, column: int) -> str:
        if self._inline is not None:
            return decoded("".join(self._inline))
        if self._formula:
            self._flaw(FlawKind.NO_VALUE, column, _NEVER_COMPUTED)
        return ""

    def _faulty(self, fault: CellFault, column: int) -> str:
        self._flaw(fault.kind, column, f"holds {fault.shown}")
        return fault.text

    def _flaw(self, kind: FlawKind, column: int, what: str) -> None:
        message = f"{self._at(column)} {what}"
        self._flaws.append(Flaw(kind=kind, column=column, message=message))

    def _begin_row(self, attributes: Attributes) -> None:
        stated = attributes.get("r")
        self._numbered = stated is not None
        self._number = self._number + 1 if stated is None else self._row_number(stated)
        self._number_text = str(self._number)
        self._column = -1
        hidden, height = attributes.get("hidden"), attributes.get("ht")
        if hidden is None and height is None:
            self._hidden = self._default_hidden
        else:
            self._hidden = is_true(hidden) or _is_zero(height)

    def _row_number(self, stated: str) -> int:
        try:
            number = int(stated)
        except ValueError:
            self._refuse(f"has a row numbered {stated[:20]}")
        if not self._number < number <= MOST_ROWS:
            self._refuse(f"has row {number} after row {self._number}")
        return number

    def _end_row(self) -> None:
        self._piece.clear()
        if not self._cells and not self._flaws:
            return
        self._room -= sum(map(len, self._cells))
        if self._room < 0:
            raise unsafe(self._file, f"its part {self._part} repeats texts beyond any real sheet")
        self._rows.append(
            RawRow(
                number=self._number,
                cells=self._cells,
                hidden=self._hidden,
                flaws=tuple(self._flaws),
            )
        )
        self._cells = []
        self._flaws = []

    def _note_column(self, attributes: Attributes) -> None:
        if not is_true(attributes.get("hidden")) and not _is_zero(attributes.get("width")):
            return
        first, last = attributes.get("min", ""), attributes.get("max", "")
        if first.isdecimal() and last.isdecimal() and len(self.hidden_columns) < MOST_COLUMNS:
            self.hidden_columns.append((int(first) - 1, min(int(last), MOST_COLUMNS) - 1))

    def _at(self, column: int) -> str:
        return cell_name(column, self._number)

    def _refuse(self, what: str) -> NoReturn:
        raise unreadable(self._file, f"its part {self._part} {what}")


def _is_zero(text: str | None) -> bool:
    try:
        return text is not None and float(text) == 0
    except ValueError:
        return False
