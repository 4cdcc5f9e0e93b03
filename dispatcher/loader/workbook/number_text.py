"""
The text of a number cell, as the person sees it in Excel.

=====================  ==========================================================
stored                 text
=====================  ==========================================================
integer                its digits, never ``.0`` and never an exponent
other number           the shortest text that reads back to the same number
date format            ``2026-03-01``
date and time          ``2026-03-01 17:30``, with ``:SS`` where it is not zero
time                   ``17:30``, the same
elapsed time           ``26:05``, hours as many as there are, the same
percentage             ``21%``, with as many decimals as the format shows
zeros (``00000``)      ``06083``
currency, thousands    the number
=====================  ==========================================================
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import assert_never

from dispatcher.loader.workbook.number_formats import PLACE, FormKind, NumberForm
from dispatcher.model import FlawKind

LONG_DIGITS = 16  # Excel keeps 15
EXACT_BELOW = 1e15  # from here on Excel no longer holds every digit
LONG_NUMBER = (
    f"a number of {LONG_DIGITS} digits or more, of which Excel keeps only {LONG_DIGITS - 1}:"
    " format the column as text and enter it again"
)

_NUMBER = re.compile(r"[+-]?(?:[0-9]{1,400}\.?[0-9]{0,400}|\.[0-9]{1,400})(?:[eE][+-]?[0-9]{1,4})?")
# Fifteen digits or fewer in their shortest form read back as they are: no arithmetic is needed.
_SETTLED = re.compile(r"-?[1-9][0-9]{0,9}\.[0-9]{0,4}[1-9]")
_ALL_SETTLED = re.compile(
    r"(?:(?:-?[1-9][0-9]{0,9}\.[0-9]{0,4}[1-9]|[1-9][0-9]{0,14}|0)?+(?:\0|\Z))*+"
)
_INTEGER = re.compile(r"-?[0-9]+")
_ISO = re.compile(
    r"(?:(?P<date>[0-9]{4}-[0-9]{2}-[0-9]{2})T?)?"
    r"(?:(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2})(?::(?P<second>[0-9]{2}(?:\.[0-9]+)?))?)?Z?"
)
_DAY = 86_400  # seconds
_LAST_DAY = date(9999, 12, 31)
_ROOM = Context(prec=60)  # fifteen digits before the point, thirty after it


@dataclass(frozen=True, slots=True, kw_only=True)
class CellFault:
    """
    A cell whose text is not what the person meant.

    Attributes:
        kind: What is wrong.
        shown: What it holds, to complete "C5 holds ...".
        text: Its text all the same, or "".
    """

    kind: FlawKind
    shown: str
    text: str = ""


_NO_DATE = CellFault(kind=FlawKind.ERROR_CELL, shown="a date that Excel cannot show")
_NO_NUMBER = CellFault(kind=FlawKind.ERROR_CELL, shown="no readable number")


def number_text(stored: str, form: NumberForm, *, from_1904: bool) -> str | CellFault:
    """
    Return the text of a number.

    Args:
        stored: The number as the file has it.
        form: How it is to be shown.
        from_1904: Days are counted from 1904-01-01 instead of 1900.

    Returns:
        The text, or a fault where the number is none, has more digits than Excel keeps, or is a
        date outside the years 1900 to 9999.
    """
    if form.kind is FormKind.PLAIN or not stored.strip():
        return plain_number(stored)
    stored = stored.strip()
    if not _NUMBER.fullmatch(stored) or math.isinf(value := float(stored)):
        return _NO_NUMBER
    match form.kind:
        case FormKind.PERCENT:
            return _percent(value, form) if abs(value) < EXACT_BELOW else _plain(stored, value)
        case FormKind.ZEROS:
            return _filled(stored, value, form)
        case FormKind.DURATION:
            return duration_text(value * _DAY) if abs(value) < EXACT_BELOW else _NO_DATE
        case FormKind.DATE | FormKind.DATE_TIME | FormKind.TIME:
            return _moment(value, form.kind, from_1904=from_1904)
    assert_never(form.kind)


def plain_number(stored: str) -> str | CellFault:
    """
    Return the text of a number that is shown as it is; "" for white space.

    Args:
        stored: The number as the file has it.
    """
    if len(stored) < LONG_DIGITS and stored.isdigit() and stored.isascii():
        return stored if stored[0] != "0" else str(int(stored))
    if _SETTLED.fullmatch(stored):
        return stored
    stored = stored.strip()
    if not stored:
        return ""
    if not _NUMBER.fullmatch(stored) or math.isinf(value := float(stored)):
        return _NO_NUMBER
    return _plain(stored, value)


def settled_numbers(stored: Sequence[str]) -> bool:
    """
    Return whether numbers that are shown as they are are all their own text.

    Args:
        stored: The numbers as the file has them, without NULs; "" where there is none.
    """
    return _ALL_SETTLED.fullmatch("\0".join(stored)) is not None


def iso_text(stored: str, form: NumberForm) -> str:
    """
    Return the text of a date cell that strict Open XML stores in ISO 8601.

    Args:
        stored: e.g. ``2026-03-01T17:30:00``; anything else is returned as it is.
        form: How it is to be shown.
    """
    found = _ISO.fullmatch(stored.strip())
    if found is None or not (found["date"] or found["hour"]):
        return stored
    seconds = int(found["hour"] or 0) * 3600 + int(found["minute"] or 0) * 60
    seconds = min(seconds + _whole(float(found["second"] or 0)), _DAY - 1)
    day, clock = found["date"] or "", clock_text(seconds)
    if not day or form.kind is FormKind.TIME:
        return clock
    with_time = form.kind is FormKind.DATE_TIME or (form.kind is not FormKind.DATE and seconds)
    return f"{day} {clock}" if with_time else day


def plain_text(value: float) -> str:
    """Return the shortest text without an exponent that reads back to the same number."""
    text = repr(value)
    if "e" in text:
        text = format(Decimal(text), "f")
    text = text.removesuffix(".0")
    return "0" if text == "-0" else text


def clock_text(seconds: int) -> str:
    """Return seconds since midnight (or more) as ``HH:MM``, with ``:SS`` where not zero."""
    hours, rest = divmod(seconds, 3600)
    text = f"{hours:02d}:{rest // 60:02d}"
    return f"{text}:{rest % 60:02d}" if rest % 60 else text


def duration_text(seconds: float) -> str:
    """Return a length of time as ``H:MM``, with ``:SS`` where not zero."""
    whole = _whole(abs(seconds))
    hours, rest = divmod(whole, 3600)
    text = f"{hours}{clock_text(rest)[2:]}"
    return f"-{text}" if seconds < 0 and whole else text


def _plain(stored: str, value: float) -> str | CellFault:
    if abs(value) < EXACT_BELOW:
        return plain_text(value)
    # Digits that are written out stay: a float would change yet more of them.
    return _long(stored if _INTEGER.fullmatch(stored) else plain_text(value))


def _long(text: str) -> CellFault:
    return CellFault(
        kind=FlawKind.LONG_NUMBER,
        shown=LONG_NUMBER,
        text=text,
    )


def _percent(value: float, form: NumberForm) -> str:
    shown = (Decimal(repr(value)) * 100).quantize(
        Decimal(1).scaleb(-form.most_decimals), rounding=ROUND_HALF_UP, context=_ROOM
    )
    text = f"{shown:,f}" if form.grouped else f"{shown:f}"
    for _ in range(form.most_decimals - form.decimals):
        text = text.removesuffix("0")
    return _unsigned_zero(text.removesuffix(".")) + "%"


def _filled(stored: str, value: float, form: NumberForm) -> str | CellFault:
    number = int(stored) if _INTEGER.fullmatch(stored) else _rounded(value)
    places = form.template.count(PLACE)
    digits = str(abs(number)).zfill(places)
    surplus = len(digits) - places  # a number that is too long keeps all its digits in front
    first = form.template.index(PLACE)
    pieces: list[str] = ["-"] if number < 0 else []
    at = 0
    for index, piece in enumerate(form.template):
        if piece != PLACE:
            pieces.append(piece)
            continue
        end = at + 1 + (surplus if index == first else 0)
        pieces.append(digits[at:end])
        at = end
    text = "".join(pieces)
    return text if abs(value) < EXACT_BELOW else _long(text)


def _moment(value: float, kind: FormKind, *, from_1904: bool) -> str | CellFault:
    if not 0 <= value <= (_LAST_DAY - date(1899, 12, 30)).days + 1:
        return _NO_DATE
    days, seconds = divmod(_whole(value * _DAY), _DAY)
    if kind is FormKind.TIME:
        return clock_text(seconds)
    day = _day_text(days, from_1904=from_1904)
    if not day:
        return _NO_DATE
    return day if kind is FormKind.DATE else f"{day} {clock_text(seconds)}"


def _day_text(days: int, *, from_1904: bool) -> str:
    """
    Return the day Excel shows for its number, "" past the year 9999.

    Excel counts 1900-02-29, a day that never was, as number 60, and shows number 0 as the
    "zeroth" of January 1900.
    """
    if from_1904:
        start = date(1904, 1, 1)
    elif days in {0, 60}:
        return "1900-02-29" if days else "1900-01-00"
    else:
        start = date(1899, 12, 31) if days < 60 else date(1899, 12, 30)  # noqa: PLR2004
    if days > (_LAST_DAY - start).days:
        return ""
    return (start + timedelta(days=days)).isoformat()


def _whole(seconds: float) -> int:
    """Round to the nearest second; 17:29:59.9996 is how 17:30 is often stored."""
    return math.floor(seconds + 0.5)


def _rounded(value: float) -> int:
    return int(Decimal(repr(value)).to_integral_value(rounding=ROUND_HALF_UP))


def _unsigned_zero(text: str) -> str:
    return text.lstrip("-") if not text.strip("-0.,") else text
