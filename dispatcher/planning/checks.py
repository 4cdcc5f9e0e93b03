"""What in a row cannot be meant: flaws of the file, texts nobody speaks, damaged ids."""

from __future__ import annotations

from collections.abc import Sequence

from dispatcher.model import FlawKind, RowProblem, SheetRow
from dispatcher.planning.cell_text import damage_of, has_control, is_error, is_too_narrow
from dispatcher.planning.headers import Field
from dispatcher.planning.headings import shown
from dispatcher.planning.layout import Layout

# The reader names the remedy where it alone knows it.
_REMEDIES = {
    FlawKind.ERROR_CELL: "; mend the formula or type the value",
    FlawKind.EXTRA_CELLS: "; clear the extra cells or give them a header",
    FlawKind.TOO_LONG: "; shorten the text",
}
_DAMAGES = {
    "id_formula": "holds an id with = or an apostrophe in front, which is sent as it stands; leave "
    "only the id in the cell",
    "id_white_space": "has white space or invisible characters inside the id; remove them",
    "id_scientific": "holds an id that a spreadsheet shortened to an exponent; format the column "
    "as text and fill in the id again",
    "id_decimal": "holds an id that a spreadsheet gave decimals; format the column as text and "
    "fill in the id again",
}


class RowChecks:
    """Finds the first problem of a row; holds which columns of the sheet matter."""

    def __init__(self, layout: Layout, value_limit: int) -> None:
        self._headers = layout.headers
        self._limit = value_limit
        fields = dict(layout.fields)
        additional = (column for column, _ in layout.additional)
        self._used = tuple(
            sorted({*fields.values(), *additional, *layout.key_columns, *layout.required})
        )
        ids = (fields.get(f) for f in (Field.CONTACT_ID, Field.AGENT_ID, Field.FROM_NUMBER_ID))
        self._ids = frozenset({*ids, *layout.key_columns})
        timing = (fields.get(f) for f in (Field.DELAY, Field.SCHEDULE, Field.TIMEZONE))
        # Which columns a flaw matters in, where that is not all that are used. Without its time
        # a call would be placed at once.
        self._matters_in = {
            FlawKind.LONG_NUMBER: self._ids,
            FlawKind.MERGED: self._ids | frozenset(timing),
        }
        self._required = layout.required

    def problem(self, row: SheetRow, joined: str) -> RowProblem | None:
        """
        The first fault of the file or of a text in the columns that are used, or None.

        Arguments:
            row: The row.
            joined: All its cells in one: one look at them is enough for almost every row.
        """
        problem = self._flaw(row) if row.flaws else None
        if problem:
            return problem
        may_lack_value = "#" in joined or "Err:" in joined
        has_error = may_lack_value and any(map(is_error, row.cells))
        if has_error or len(joined) > self._limit or has_control(joined):
            problem = self._bad_text(row.cells)
        for column in self._required:
            if not problem and not row.cells[column].strip():
                problem = self.about(column, "required_empty", "is empty and required; fill it")
        return problem

    def damaged_id(self, identifier: str, column: int) -> RowProblem | None:
        """The problem of an id (trimmed) that a spreadsheet has changed, or None."""
        code = damage_of(identifier)
        return self.about(column, code, _DAMAGES[code]) if code else None

    def about(self, column: int, code: str, rest: str) -> RowProblem:
        """A problem whose sentence begins with the name of its column."""
        message = f'Column "{shown(self._headers[column])}" {rest}'
        return RowProblem(code=code, column=self._headers[column], message=message)

    def _flaw(self, row: SheetRow) -> RowProblem | None:
        for flaw in row.flaws:
            of_row = flaw.column < 0 or flaw.kind is FlawKind.EXTRA_CELLS
            if of_row or flaw.column in self._matters_in.get(flaw.kind, self._used):
                return RowProblem(
                    code=flaw.kind.value,
                    column="" if of_row else self._headers[flaw.column],
                    message=flaw.message + _REMEDIES.get(flaw.kind, ""),
                )
        return None

    def _bad_text(self, cells: Sequence[str]) -> RowProblem | None:
        for column in self._used:
            text = cells[column]
            if len(text) > self._limit:
                rest = f"has {len(text)} characters, more than {self._limit}; shorten the text"
                return self.about(column, "value_too_long", rest)
            if has_control(text):
                rest = "holds a control character; type the value again"
                return self.about(column, "control_character", rest)
            if is_too_narrow(text):
                rest = "was too narrow when the sheet was saved as text; widen it and save again"
                return self.about(column, "error_cell", rest)
            if is_error(text):
                rest = "holds the error of a formula; mend the formula or type the value"
                return self.about(column, "error_cell", rest)
        return None
