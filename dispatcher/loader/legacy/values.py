"""The text of a value as calamine gives it, by the same rules as in XLSX where it can be."""

from __future__ import annotations

import re
from datetime import date, datetime, time, timedelta

from dispatcher.loader.workbook.number_text import (
    EXACT_BELOW,
    clock_text,
    duration_text,
    plain_text,
)

Value = int | float | str | bool | time | date | datetime | timedelta

_ISO_DURATION = re.compile(r"PT(?P<hours>\d+)H(?P<minutes>\d+)M(?P<seconds>\d+)(?:[.,]\d+)?S")


def value_text(value: Value) -> str:
    """Return the text of a cell's value."""
    match value:
        case bool():
            return "TRUE" if value else "FALSE"
        case str():
            return _spelled(value)
        case int() | float():
            return str(value) if isinstance(value, int) else plain_text(value)
        case _:
            return _time_text(value)


def is_long_number(value: Value) -> bool:
    """Return whether a value is a number with more digits than a workbook keeps."""
    return (
        isinstance(value, int | float) and not isinstance(value, bool) and abs(value) >= EXACT_BELOW
    )


def _time_text(value: date | time | timedelta) -> str:
    match value:
        case datetime():
            return _moment_text(value)
        case date():
            return value.isoformat()
        case time():
            return clock_text(_seconds(value.hour, value.minute, value.second, value.microsecond))
        case timedelta():
            return duration_text(value.total_seconds())


def _spelled(text: str) -> str:
    """Return a text; an ODS time of 24 hours and more comes as one, in ISO 8601."""
    found = _ISO_DURATION.fullmatch(text)
    if found is None:
        return text
    hours, minutes, seconds = (int(found[part]) for part in ("hours", "minutes", "seconds"))
    return duration_text(hours * 3600 + minutes * 60 + seconds)


def _moment_text(moment: datetime) -> str:
    rounded = moment + timedelta(milliseconds=500)
    seconds = _seconds(rounded.hour, rounded.minute, rounded.second, 0)
    return f"{rounded.date().isoformat()} {clock_text(seconds)}"


def _seconds(hours: int, minutes: int, seconds: int, microseconds: int) -> int:
    return hours * 3600 + minutes * 60 + seconds + (microseconds >= 500_000)  # noqa: PLR2004
