"""What is doubtful about a sheet as a whole, seen while its rows pass."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

from dispatcher.model import CallRequest, PlannedRow, Remark, Skip
from dispatcher.planning.headers import Field
from dispatcher.planning.headings import Headings, shown
from dispatcher.planning.identity import has_uuid
from dispatcher.planning.layout import Layout
from dispatcher.planning.oddities import ODDITIES, Oddity
from dispatcher.planning.schedule import reads_either_way

# What stands in an id column when the columns were shifted or the wrong one was named. One-word
# texts of any other shape may be ids: only people know.
_NO_IDS = {
    "a date": re.compile(
        r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[T ].*)?"
        r"|[0-9]{1,2}([/.-])[0-9]{1,2}\1(?:[0-9]{2}|[0-9]{4})(?: .*)?"
    ),
    "a phone number": re.compile(
        r"\+[0-9 ().-]{6,24}|[0-9]{10,13}|\(?[0-9]{2,4}\)?[ -][0-9]{3,4}[ -][0-9]{4}"
    ),
    "an e-mail address": re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+"),
    "an amount": re.compile(
        r"(?:US|R|S/)?[$€£] ?-?[0-9][0-9.,]*"
        r"|-?[0-9]{1,3}(?:[.,][0-9]{3})+(?:[.,][0-9]{1,2})?|-?[0-9]+[.,][0-9]{1,2}"
    ),
    "text with spaces": re.compile(r"\S*\s.*", re.DOTALL),
}
_HEX = "[0-9a-fA-F]"
_PLAIN_ID = f"(?:[a-zA-Z]++_)?+{_HEX}{{8}}(?:-{_HEX}{{4}}){{3}}-{_HEX}{{12}}"
_PLAIN_IDS = re.compile(rf"(?:{_PLAIN_ID}\n)*+{_PLAIN_ID}")
# A line that a spreadsheet opened with the wrong delimiter and saved as the text of one cell.
_SEVERAL_CELLS = re.compile(r'[,;|"\t]')

_AT_ONCE = 64  # rows


class SheetWatch:
    """
    Sees every planned row of one sheet once, then makes its remarks.

    It looks at rows by the dozen: one search through all their values costs little more than one
    through those of a single row, and mostly there is nothing to find.

    Its codes: ``ids_look_wrong``, ``ids_not_uuid``, ``duplicate_other_data``, ``empty_header``,
    ``schedule_day_first`` and those of the oddities (``value_midnight`` ...). It holds counts and
    one example of each, whatever the number of rows.
    """

    def __init__(self, layout: Layout) -> None:
        self._headings = Headings(layout.headers)
        self._contact = dict(layout.fields)[Field.CONTACT_ID]
        self._schedule = layout.column_of(Field.SCHEDULE)
        self._unnamed = set(layout.unnamed)
        self._has_formats = bool(layout.formats)
        self._waiting: list[PlannedRow] = []
        self._sought: Sequence[Oddity] = ODDITIES
        self._found: list[Remark] = []
        self._ids = 0
        self._opaque = 0
        self._opaque_example = ""
        self._wrong = 0
        self._wrong_example = ""
        self._others = 0
        self._others_example = ""

    def over(self, rows: Iterable[PlannedRow]) -> Iterator[PlannedRow]:
        """The same rows, each seen as it passes."""
        for row in rows:
            self.see(row)
            yield row

    def see(self, row: PlannedRow) -> None:
        """Take note of one row."""
        self._waiting.append(row)
        if len(self._waiting) == _AT_ONCE:
            self._look()

    def remarks(self) -> tuple[Remark, ...]:
        """What was doubtful in the rows seen so far, the gravest first."""
        self._look()
        return (*self._id_remarks(), *self._duplicate_remarks(), *self._found)

    def _look(self) -> None:
        """Look at the rows that wait for it."""
        rows, self._waiting = self._waiting, []
        values = self._values(rows)
        traced = [oddity for oddity in self._sought if oddity.is_in(values)]
        self._see_ids(rows)
        for row in rows:
            if self._unnamed:
                self._see_unnamed(row)
            if self._schedule is not None:
                self._see_schedule(row, self._schedule)
            if isinstance(row.fate, CallRequest):
                if traced:
                    self._see_values(row.fate, traced)
            elif isinstance(row.fate, Skip) and row.fate.code == "duplicate_other_data":
                self._others += 1
                self._others_example = self._others_example or row.fate.message

    def _values(self, rows: Iterable[PlannedRow]) -> str:
        """Whatever *rows* may have spoken, and perhaps more, as ``Oddity.is_in`` takes it."""
        if self._has_formats:
            requests = (row.fate for row in rows if isinstance(row.fate, CallRequest))
            return _lined(value for request in requests for _, value in request.additional_data)
        return _lined(chain.from_iterable([row.cells for row in rows]))

    def _see_ids(self, rows: Sequence[PlannedRow]) -> None:
        column = self._contact
        if _PLAIN_IDS.fullmatch("\n".join([row.cells[column] for row in rows])):
            self._ids += len(rows)
            return
        for row in rows:
            self._see_id(row.cells[column].strip(), row.number)

    def _see_id(self, identifier: str, number: int) -> None:
        """Of an id without a UUID: is it an opaque word, or plainly something else?"""
        if not identifier:
            return
        self._ids += 1
        if has_uuid(identifier):
            if _SEVERAL_CELLS.search(identifier):
                self._see_wrong("several cells in one", number)
            return
        for kind, pattern in _NO_IDS.items():
            if pattern.fullmatch(identifier):
                self._see_wrong(kind, number)
                return
        self._opaque += 1
        self._opaque_example = self._opaque_example or f'"{shown(identifier)}" in row {number}'

    def _see_wrong(self, kind: str, number: int) -> None:
        self._wrong += 1
        self._wrong_example = self._wrong_example or f"row {number} holds {kind}"

    def _see_unnamed(self, row: PlannedRow) -> None:
        for column in [c for c in self._unnamed if row.cells[c].strip()]:
            self._unnamed.discard(column)
            message = (
                f"{self._headings.name(column)} has no header and is ignored, and row {row.number} "
                f"holds something there; give it a header if it should be sent"
            )
            self._found.append(Remark(code="empty_header", message=message))

    def _see_schedule(self, row: PlannedRow, column: int) -> None:
        if reads_either_way(row.cells[column]):
            self._schedule = None
            message = (
                f"{self._headings.name(column)} has dates like {shown(row.cells[column])} (row "
                f"{row.number}), read with the day first; write YYYY-MM-DD where the month was "
                f"meant first"
            )
            self._found.append(Remark(code="schedule_day_first", message=message))

    def _see_values(self, request: CallRequest, traced: Iterable[Oddity]) -> None:
        values = _lined(value for _, value in request.additional_data)
        for oddity in traced:
            if oddity in self._sought and oddity.is_in(values):
                self._found.append(_remark_on(oddity, request))
                self._sought = [other for other in self._sought if other is not oddity]

    def _id_remarks(self) -> Iterator[Remark]:
        if self._wrong * 2 > self._ids:
            message = (
                f"{self._wrong} of {self._ids} contact ids look like something else "
                f"({self._wrong_example}); is {self._headings.name(self._contact)} the right one?"
            )
            yield Remark(code="ids_look_wrong", message=message)
        odd = self._wrong + self._opaque
        if odd:
            example = self._opaque_example or self._wrong_example
            message = f"{odd} of {self._ids} contact ids do not look like a UUID ({example})"
            yield Remark(code="ids_not_uuid", message=message)

    def _duplicate_remarks(self) -> Iterator[Remark]:
        if self._others:
            message = (
                f"Rows left out because an earlier one has the same contact and other data: "
                f"{self._others}. {self._others_example}"
            )
            yield Remark(code="duplicate_other_data", message=message)


def _lined(values: Iterable[str]) -> str:
    return "\n".join(("", *values, ""))


def _remark_on(oddity: Oddity, request: CallRequest) -> Remark:
    """The remark with the place where the value stands, and no more of it than the odd part."""
    found = ((h, oddity.pattern.search(value)) for h, value in request.additional_data)
    place, text = next((shown(h), shown(match[0])) for h, match in found if match)
    message = f'Row {request.row}, column "{place}", holds {text}: {oddity.reason}'
    return Remark(code=oddity.code, message=message)
