"""What the results sheet says about one row of the input."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, tzinfo
from typing import assert_never
from zoneinfo import ZoneInfo

from dispatcher.model import (
    CallRecord,
    CallRequest,
    CallState,
    CallStatus,
    Carried,
    RecordedRow,
    ResultRow,
    RowProblem,
    Skip,
)

RESULT_COLUMNS = (
    "call_status",
    "call_id",
    "call_created_at",
    "call_error_code",
    "call_error",
    "call_http_status",
    "call_attempts",
    "call_sent_at",
    "call_campaign",
    "source_row",
)

_OTHER_DATA = (
    "placed_with_other_data",
    "The call was placed earlier with other data than this row has now; it is not placed again.",
)
_IN_FLIGHT = (
    "in_flight",
    "A live run was placing this call at that moment; write the results again once it has ended.",
)
_CALLED_RECENTLY = (
    "called_recently",
    (
        "This contact was called, may have been called, or will be, within the hours of "
        "repeat_after_hours; run the sheet again later."
    ),
)


def result_of(row: RecordedRow, *, campaign: str, timezone: str, as_of: datetime) -> ResultRow:
    """
    Say where a row of a snapshot stands.

    What depends on the time (called recently, a schedule now past) is judged here, at *as_of*,
    because the snapshot may be older.

    Args:
        row: The recorded row with its call.
        campaign: Name of the campaign.
        timezone: IANA name for ``sent_at``; "" is UTC.
        as_of: The moment of judging, aware.

    Raises:
        zoneinfo.ZoneInfoNotFoundError: *timezone* is no known zone (the configuration refuses it).
    """
    zone = ZoneInfo(timezone) if timezone else UTC
    match row.fate:
        case RowProblem(code=code, message=message):
            return _uncalled(row, (CallStatus.INVALID, code, message), campaign)
        case Skip(code=code, message=message):
            return _uncalled(row, (CallStatus.SKIPPED, code, message), campaign)
        case Carried() as carried:
            # A call that is still pending here was never placed by this ledger, so what the
            # sheet brought along, a call id above all, says more.
            if row.call is None or row.call.state is CallState.PENDING:
                return _carried(row, carried, campaign)
            return _called(row, row.call, _judge(row.call), campaign, zone)
        case CallRequest() as request:
            call = row.call or CallRecord(state=CallState.PENDING)
            said = _too_late(request, call, as_of) or _judge(call)
            return _called(row, call, said, campaign, zone)
        case _:
            assert_never(row.fate)


def line_of(row: ResultRow, *, result_columns: Sequence[int]) -> tuple[str, ...]:
    """
    Return the cells of a line of the results sheet: the input's, then ours.

    Args:
        row: The result row.
        result_columns: Indices of input columns that ours replace.
    """
    cells = row.cells
    if result_columns:
        cells = tuple(cell for i, cell in enumerate(cells) if i not in result_columns)
    return (
        *cells,
        row.status.value,
        row.call_id,
        row.created_at,
        row.error_code,
        row.error,
        str(row.http_status or ""),
        str(row.attempts),
        row.sent_at,
        row.campaign,
        str(row.number),
    )


def headers_of(headers: Sequence[str], *, result_columns: Sequence[int]) -> tuple[str, ...]:
    """
    Return the header of the results sheet: the input's, then ours.

    Args:
        headers: The input's headers.
        result_columns: Indices of input columns that ours replace.
    """
    kept = (text for index, text in enumerate(headers) if index not in result_columns)
    return (*kept, *RESULT_COLUMNS)


_Said = tuple[CallStatus, str, str]  # status, code, sentence


def _too_late(request: CallRequest, call: CallRecord, as_of: datetime) -> _Said | None:
    """Judge what depends on the time: why a pending call cannot be placed now, or None."""
    if call.state is not CallState.PENDING:
        return None
    if call.called_recently:
        return (CallStatus.SKIPPED, *_CALLED_RECENTLY)
    if request.schedule is not None and request.schedule.at <= as_of:
        return CallStatus.INVALID, "schedule_past", request.schedule.past_words
    return None


def _judge(call: CallRecord) -> _Said:
    match call.state:
        case CallState.SENDING:
            return (CallStatus.UNCERTAIN, *_IN_FLIGHT)
        case CallState.PLACED if call.changed and not call.code:
            return (CallStatus.PLACED, *_OTHER_DATA)
        case _:
            return (CallStatus(call.state.value), call.code, call.message)


def _uncalled(row: RecordedRow, said: _Said, campaign: str) -> ResultRow:
    status, code, message = said
    return ResultRow(
        number=row.number,
        cells=row.cells,
        status=status,
        error_code=code,
        error=message,
        campaign=campaign,
    )


def _carried(row: RecordedRow, carried: Carried, campaign: str) -> ResultRow:
    return ResultRow(
        number=row.number,
        cells=row.cells,
        status=carried.status,
        call_id=carried.call_id,
        created_at=carried.created_at,
        error_code=carried.error_code,
        error=carried.error,
        sent_at=carried.sent_at,
        campaign=campaign,
    )


def _called(
    row: RecordedRow, call: CallRecord, said: _Said, campaign: str, zone: tzinfo
) -> ResultRow:
    status, code, message = said
    return ResultRow(
        number=row.number,
        cells=row.cells,
        status=status,
        call_id=call.call_id,
        created_at=call.created_at,
        error_code=code,
        error=message,
        http_status=call.http_status,
        attempts=call.attempts,
        sent_at=_iso(call.sent_at, zone),
        campaign=campaign,
    )


def _iso(moment: datetime | None, zone: tzinfo) -> str:
    return "" if moment is None else moment.astimezone(zone).isoformat(timespec="seconds")
