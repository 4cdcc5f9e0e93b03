"""Times of day as a person types them."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from dispatcher.errors import UsageProblem

_CLOCK = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)")


def stop_moment(text: str, *, timezone: str, now: datetime | None = None) -> datetime | None:
    """
    Return today's moment of a time of day, which may be past already.

    Args:
        text: ``HH:MM``, or "" for none.
        timezone: IANA name; "" is the machine's zone.
        now: Aware; the present by default.

    Returns:
        Aware UTC, or None for no text.

    Raises:
        UsageProblem: it is no time of day.
    """
    if not text:
        return None
    match = _CLOCK.fullmatch(text.strip())
    if match is None:
        raise UsageProblem(f"--stop-at {text!r} is no time of day", hint="e.g. --stop-at 18:00")
    here = (now or datetime.now(tz=UTC)).astimezone(ZoneInfo(timezone) if timezone else None)
    moment = here.replace(hour=int(match[1]), minute=int(match[2]), second=0, microsecond=0)
    return moment.astimezone(UTC)
