"""When the phone is to ring: delays in minutes and wished moments."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from dispatcher.model import CallRequest, RowProblem, Schedule
from dispatcher.planning.headings import shown

API_FORM = "%Y-%m-%d %H:%M:%S"
UTC_NAME = "UTC"
_MONTHS = 12
MOST_MINUTES = 525_600  # a year; a larger number is some other column

_MINUTES = re.compile(r"([0-9]{1,6})(?:[.,]([0-9]{1,9}))?")
_TIME = r"(?P<hour>[0-9]{1,2}):(?P<minute>[0-9]{2})(?::(?P<second>[0-9]{2})(?:\.0{1,9})?)?"
_ZONE = r"\s*(?P<zone>Z|[+-][0-9]{2}:?[0-9]{2})?"
_YEAR_FIRST = re.compile(
    rf"(?P<year>20[0-9]{{2}})-(?P<month>[0-9]{{1,2}})-(?P<day>[0-9]{{1,2}})(?:[T ]{_TIME}{_ZONE})?",
    re.IGNORECASE,
)
_DAY_FIRST = re.compile(
    rf"(?P<day>[0-9]{{1,2}})(?P<mark>[/-])(?P<month>[0-9]{{1,2}})(?P=mark)(?P<year>20[0-9]{{2}})"
    rf"(?:[T ]{_TIME}{_ZONE})?",
    re.IGNORECASE,
)
_SHAPE = "YYYY-MM-DD HH:MM or DD/MM/YYYY HH:MM (day first)"
# What the zone files of some machines hold beside the IANA names.
_MACHINE_ZONES = ("localtime", "posixrules", "Factory", "posix/", "right/")


def due_at(request: CallRequest, *, now: datetime) -> datetime:
    """
    When the phone will ring if *request* is sent at *now* (aware): UTC; a delay is rounded up to
    the second so that nobody is called before the time asked for.
    """
    if request.schedule:
        return request.schedule.at
    moment = now.astimezone(UTC)
    if not request.delay_minutes:
        return moment
    due = moment + timedelta(minutes=request.delay_minutes)
    return due.replace(microsecond=0) + timedelta(seconds=1 if due.microsecond else 0)


def past_schedule(request: CallRequest, *, now: datetime) -> RowProblem | None:
    """The problem of a row whose wished moment is not after *now* (aware), else None."""
    if request.schedule is None or request.schedule.at > now:
        return None
    return RowProblem(code="schedule_past", column="", message=request.schedule.past_words)


@lru_cache(maxsize=512)
def zone_named(name: str) -> ZoneInfo | None:
    """The time zone of an IANA name, or None where there is no such zone."""
    if name.startswith(_MACHINE_ZONES):
        return None
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def read_delay(text: str, column: str) -> float | RowProblem:
    """Minutes of a delay cell (decimal point or comma), 0.0 for an empty one, or its problem."""
    text = text.strip()
    if not text:
        return 0.0
    match = _MINUTES.fullmatch(text)
    # "1.500" may be one and a half minutes or one thousand five hundred.
    if match and not (len(match[2] or "") == 3 and int(match[1])):  # noqa: PLR2004
        minutes = float(f"{match[1]}.{match[2] or 0}")
        if minutes <= MOST_MINUTES:
            return minutes
    return RowProblem(
        code="bad_delay",
        column=column,
        message=f'The delay in column "{shown(column)}" is not a number of minutes from 0 to '
        f"{MOST_MINUTES}; write it like 30 or 2.5",
    )


def read_schedule(text: str, zone_name: str, column: str) -> Schedule | RowProblem | None:
    """
    The wished moment of a schedule cell.

    Arguments:
        text: ``YYYY-MM-DD HH:MM[:SS]`` (also with T), or ``DD/MM/YYYY HH:MM[:SS]``, day always
            first; either with ``Z`` or an offset, which then counts instead of the zone.
        zone_name: IANA name of the row or the defaults, or "".
        column: Header of the cell, for the problem.

    Returns:
        None for an empty cell; a RowProblem where no single moment is meant.
    """
    text = text.strip()
    if not text:
        return None
    match = _YEAR_FIRST.fullmatch(text) or _DAY_FIRST.fullmatch(text)
    if match and match["hour"] is None:
        return _problem("schedule_without_time", column, f"has a date without a time; use {_SHAPE}")
    wall = _wall_time(match) if match else None
    if match is None or wall is None:
        return _problem("bad_schedule", column, f"is not a date and time; use {_SHAPE}")
    if match["zone"]:
        return _at_offset(wall, match["zone"], column)
    return _in_zone(wall, zone_name.strip(), column)


def _problem(code: str, column: str, rest: str) -> RowProblem:
    message = f'The schedule in column "{shown(column)}" {rest}'
    return RowProblem(code=code, column=column, message=message)


def _wall_time(match: re.Match[str]) -> datetime | None:
    """The naive date and time that the digits say, or None where the calendar has none."""
    names = ("year", "month", "day", "hour", "minute", "second")
    try:
        return datetime(*(int(match[name] or 0) for name in names))  # type: ignore[arg-type]  # noqa: DTZ001
    except ValueError:
        return None


def _at_offset(wall: datetime, offset: str, column: str) -> Schedule | RowProblem:
    try:
        at = datetime.fromisoformat(f"{wall.isoformat()}{offset.upper()}").astimezone(UTC)
    except ValueError:
        return _problem("bad_schedule", column, "has an offset that no zone has; use e.g. -03:00")
    return Schedule(local=at.strftime(API_FORM), timezone=UTC_NAME, at=at)


def _in_zone(wall: datetime, zone_name: str, column: str) -> Schedule | RowProblem:
    if not zone_name:
        rest = "has no time zone; add a timezone column or set defaults.timezone"
        return _problem("schedule_without_timezone", column, rest)
    zone = zone_named(zone_name)
    if zone is None:
        rest = "has a time zone that does not exist; use an IANA name like America/Bogota"
        return _problem("bad_timezone", column, rest)
    early, late = wall.replace(tzinfo=zone), wall.replace(tzinfo=zone, fold=1)
    before, after = early.utcoffset(), late.utcoffset()
    if before != after:
        return _clock_change(column, is_gap=before < after)  # type: ignore[operator]
    return Schedule(local=wall.strftime(API_FORM), timezone=zone_name, at=early.astimezone(UTC))


def _clock_change(column: str, *, is_gap: bool) -> RowProblem:
    """The clocks go forward over the wall time (a gap), or back over it (it comes twice)."""
    if is_gap:
        rest = "does not exist in its time zone: the clocks go forward over it; choose another time"
        return _problem("schedule_in_gap", column, rest)
    rest = "comes twice in its time zone: the clocks go back over it; write it with an offset"
    return _problem("schedule_ambiguous", column, rest)


def reads_either_way(text: str) -> bool:
    """True for a date like ``06/05/2026``, which some read with the month first."""
    match = _DAY_FIRST.fullmatch(text.strip())
    if match is None or match["day"] == match["month"]:
        return False
    return int(match["day"]) <= _MONTHS
