"""What a spreadsheet is read into."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from dispatcher.model.row_value import row_value


@dataclass(frozen=True, slots=True, kw_only=True)
class Remark:
    """
    Something doubtful that a person should know; it holds nothing up.

    Attributes:
        code: Stable word, e.g. ``cp1252``, ``hidden_rows``.
        message: One plain sentence.
    """

    code: str
    message: str


class FlawKind(StrEnum):
    """Why the text of a cell or row is not what the person meant (each is a row problem's code)."""

    ERROR_CELL = "error_cell"  # #N/A, #REF! ...
    NO_VALUE = "formula_without_value"  # a formula that was never computed
    LONG_NUMBER = "long_number"  # a number of 16 digits or more: Excel has already changed it
    MERGED = "merged_cell"  # empty because it was merged with a neighbour
    EXTRA_CELLS = "extra_cells"  # the row is longer than the header
    TOO_LONG = "cell_too_long"  # more text than a cell may hold


@dataclass(frozen=True, slots=True, kw_only=True)
class Flaw:
    """
    A fault that only the reader of the file can see.

    Whether it matters depends on what the column is for, so planning decides.

    Attributes:
        kind: What is wrong.
        column: Index into the headers from 0, or -1 for the row as a whole.
        message: One sentence that names the cell as the person finds it, e.g. ``C5 holds #N/A``.
    """

    kind: FlawKind
    column: int
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SheetHead:
    """
    What was recognised before the first data row.

    Attributes:
        file: The path as it was given (``-`` for standard input).
        format: ``csv``, ``xlsx``, ``xls``, ``xlsb`` or ``ods``.
        sheet: Name of the sheet in a workbook, else "".
        encoding: Python's name of the text encoding of a CSV, else "".
        delimiter: The delimiter of a CSV, else "".
        header_row: Row number of the header as a person finds it, from 1.
        headers: Header texts as they stand, one for each column ("" where empty).
        hidden_columns: Indices of columns the person does not see.
        remarks: What was doubtful so far.
    """

    file: str
    format: str
    sheet: str = ""
    encoding: str = ""
    delimiter: str = ""
    header_row: int
    headers: tuple[str, ...]
    hidden_columns: frozenset[int] = frozenset()
    remarks: tuple[Remark, ...] = ()


@row_value(frozen=True, slots=True, kw_only=True)
class SheetRow:
    """
    One data row with at least one cell that is not blank.

    Attributes:
        number: Excel's row number; in a CSV the physical line where the record begins. From 1.
        cells: One text for each header, exactly as it stands.
        hidden: The person does not see this row (filtered or hidden by hand).
        flaws: What only the reader could see.
    """

    number: int
    cells: tuple[str, ...]
    hidden: bool = False
    flaws: tuple[Flaw, ...] = ()
