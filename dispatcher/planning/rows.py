"""Sheet rows become call requests, row problems, skips and carried rows."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from dispatcher.model import (
    CallRequest,
    CallStatus,
    Carried,
    Fate,
    FlawKind,
    PlannedRow,
    RowProblem,
    SheetRow,
    Skip,
)
from dispatcher.planning.claims import Claims, Kinship
from dispatcher.planning.identity import call_key, contact_hash
from dispatcher.planning.layout import Layout
from dispatcher.planning.requests import RequestMaker
from dispatcher.planning.settings import HiddenRows, PlanSettings

SANDBOX_PREFIX = "sandbox-"  # ids of calls that nobody received

_HIDDEN = Skip(code="hidden", message="The row is hidden in the sheet, and hidden rows are skipped")

_LONG_NUMBER = re.compile(r"-?[0-9]{16,}")
# What was wrong with a row that nobody sees in the cells of a results sheet.
_UNSEEN = {
    FlawKind.EXTRA_CELLS: "The row had cells beyond the header, which are not in this sheet; "
    "compare it with the first sheet, then clear its call_error_code",
    FlawKind.LONG_NUMBER: "An id of this row was a number of 16 digits or more, of which Excel "
    "keeps only 15; fill it in again, then clear the row's call_error_code",
}


def plan_rows(
    rows: Iterable[SheetRow], layout: Layout, settings: PlanSettings, claims: Claims
) -> Iterator[PlannedRow]:
    """
    Give every row exactly one fate, in order, reading no further than asked.

    Arguments:
        rows: The rows of one sheet.
        layout: What its columns are for.
        settings: The same that *layout* was made with.
        claims: Empty, or filled by ``claim_carried`` where the sheet is a results sheet.
    """
    fates = _Fates(layout, settings, claims)
    for row in rows:
        yield PlannedRow(number=row.number, cells=row.cells, fate=fates.fate(row))


def claim_carried(
    rows: Iterable[SheetRow], layout: Layout, settings: PlanSettings, claims: Claims
) -> None:
    """
    Claim the calls that the rows of a results sheet say were placed or may have been, so that an
    added or reordered row for the same contact above them is not called. A pass of its own, before
    ``plan_rows``; without effect in any other sheet.
    """
    fates = _Fates(layout, settings, claims)
    if layout.is_results_sheet:
        for row in rows:
            fates.carried(row)


class _Fates:
    """Decides row by row; holds what is the same for all rows of a sheet."""

    def __init__(self, layout: Layout, settings: PlanSettings, claims: Claims) -> None:
        self._requests = RequestMaker(layout, settings)
        self._claims = claims
        self._campaign = settings.campaign
        self._headers = tuple(map(_folded, layout.headers))
        self._contact = self._requests.contact_column
        self._skips_hidden = settings.hidden is HiddenRows.SKIP
        self._is_results_sheet = layout.is_results_sheet
        self._columns = {
            name: layout.result_column(f"call_{name}")
            for name in ("id", "status", "created_at", "sent_at", "error_code", "error")
        }

    def fate(self, row: SheetRow) -> Fate:
        if _folded(row.cells[self._contact]) == self._headers[self._contact]:
            repeated = self._repeated_header(row)
            if repeated is not None:
                return repeated
        if self._is_results_sheet:
            carried = self.carried(row)
            if carried is not None:
                return carried
            unmended = self._unmended(row)
            if unmended is not None:
                return unmended
        if self._skips_hidden and row.hidden:
            return _HIDDEN
        request = self._requests.request(row)
        if isinstance(request, RowProblem):
            return request
        return self._duplicate(request) or request

    def _repeated_header(self, row: SheetRow) -> RowProblem | None:
        """The problem of a row that says what the header says, as where two exports were joined."""
        if tuple(map(_folded, row.cells)) != self._headers:
            return None
        message = "The row repeats the header; delete it, and look whether two sheets were joined"
        return RowProblem(code="repeated_header", column="", message=message)

    def _duplicate(self, request: CallRequest) -> Skip | None:
        """Claim the call; the reason to skip it where an earlier row has it."""
        earlier = self._claims.claim(request.key, row=request.row, content=_content(request))
        if earlier is None:
            return None
        if earlier.kinship is Kinship.CALLED:
            message = f"Row {earlier.row} has the same contact and was called before"
            return Skip(code="duplicate", message=message)
        if earlier.kinship is Kinship.SAME:
            message = f"Row {earlier.row} asks for the same call"
            return Skip(code="duplicate", message=message)
        message = (
            f"Row {request.row} has the same contact as row {earlier.row} and other data; only row "
            f"{earlier.row} is called. Where both are wanted, name the column that tells them "
            f"apart in key:"
        )
        return Skip(code="duplicate_other_data", message=message)

    def carried(self, row: SheetRow) -> Carried | None:
        """The earlier call that the row of a results sheet tells of, or None."""
        call_id = self._text(row, "id").strip()
        if call_id.startswith(SANDBOX_PREFIX):
            return None
        status = self._text(row, "status").strip().casefold()
        if not call_id and status not in (CallStatus.PLACED, CallStatus.UNCERTAIN):
            return None
        contact_id, key_values = self._requests.identity(row.cells)
        key = call_key(self._campaign, contact_id, key_values) if contact_id else ""
        if key:
            self._claims.claim(key, row=row.number, content=None)
        return Carried(
            key=key,
            contact=contact_hash(contact_id),
            call_id=call_id,
            status=CallStatus.PLACED if call_id else CallStatus(status),
            created_at=self._text(row, "created_at"),
            sent_at=self._text(row, "sent_at"),
            error_code=self._text(row, "error_code"),
            error=self._text(row, "error"),
        )

    def _unmended(self, row: SheetRow) -> RowProblem | None:
        """The problem that the row of a results sheet had, where its cells cannot show it."""
        code = self._text(row, "error_code").strip()
        status = self._text(row, "status").strip().casefold()
        if status != CallStatus.INVALID or code not in _UNSEEN:
            return None
        kind = FlawKind(code)
        if kind is FlawKind.LONG_NUMBER:
            contact_id, key_values = self._requests.identity(row.cells)
            if not any(_LONG_NUMBER.fullmatch(text.strip()) for text in (contact_id, *key_values)):
                return None
        return RowProblem(code=code, column="", message=_UNSEEN[kind])

    def _text(self, row: SheetRow, name: str) -> str:
        column = self._columns[name]
        return "" if column is None else row.cells[column]


def _folded(text: str) -> str:
    return text.strip().casefold()


def _content(request: CallRequest) -> int:
    """What a row asks for, apart from whom it calls; comparable within one process."""
    return hash(
        (
            request.additional_data,
            request.agent_id,
            request.from_number_id,
            request.metadata,
            request.delay_minutes,
            request.schedule,
        )
    )
