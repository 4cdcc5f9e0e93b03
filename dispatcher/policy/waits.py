"""How long to wait: what the API asks for, and what we choose ourselves."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

_SECONDS = re.compile(r"\d{1,12}(?:\.\d{1,9})?", re.ASCII)
_COUNT = re.compile(r"\d{1,9}", re.ASCII)
_MOMENT = re.compile(r"\d{1,15}(?:\.\d{1,9})?", re.ASCII)
_LONGEST_SECONDS = 10 * 365 * 86_400.0
_LONGEST_WINDOW_SECONDS = 120.0
_EARLIEST_EPOCH = 1e9  # a reset is told in seconds from now, or in seconds or ms since 1970
_EARLIEST_EPOCH_MS = 1e12
_LONGEST_BACKOFF_SECONDS = 60.0
_SOFTENED = 0.25  # jitter takes off up to a quarter
_MOST_DOUBLINGS = 16


def retry_after_seconds(text: str, *, now: datetime) -> float | None:
    """
    Read a ``Retry-After`` header (RFC 9110: seconds or an HTTP date).

    Args:
        text: The header's value, or "".
        now: Aware wall time.

    Returns:
        Seconds from 0 (also for a date that is past) to ten years, None when absent or garbage.
    """
    written = text.strip()
    if _SECONDS.fullmatch(written):
        return min(float(written), _LONGEST_SECONDS)
    try:
        at = parsedate_to_datetime(written)
        seconds = (at.replace(tzinfo=at.tzinfo or UTC) - now).total_seconds()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return min(max(0.0, seconds), _LONGEST_SECONDS)


def used_up_seconds(*, remaining: str, reset: str, now: datetime) -> float | None:
    """
    How long the API's own limit is used up, by ``X-RateLimit-Remaining`` and ``-Reset``.

    Args:
        remaining: Header value, or "".
        reset: Header value, or "".
        now: Aware wall time.

    Returns:
        Seconds to wait, up to two minutes; None when calls remain or the values make no sense.
    """
    left = remaining.strip()
    if not (_SECONDS.fullmatch(left) and float(left) == 0):
        return None
    return _seconds_to(reset, now)


def left_of_limit(
    *, limit: str, remaining: str, reset: str, now: datetime
) -> tuple[int, float] | None:
    """
    Read what is left of the API's own limit, by ``X-RateLimit-Limit``, ``-Remaining``, ``-Reset``.

    Args:
        limit: Header value, or "".
        remaining: Header value, or "".
        reset: Header value, or "".
        now: Aware wall time.

    Returns:
        Requests left and the seconds, up to two minutes, until there are more; None when the
        values make no sense or are about a longer time.
    """
    most, left = limit.strip(), remaining.strip()
    if not (_COUNT.fullmatch(most) and _COUNT.fullmatch(left) and int(left) <= int(most)):
        return None
    seconds = _seconds_to(reset, now)
    return None if seconds is None else (int(left), seconds)


def _seconds_to(reset: str, now: datetime) -> float | None:
    if not _MOMENT.fullmatch(at := reset.strip()):
        return None
    seconds = float(at)
    if seconds >= _EARLIEST_EPOCH_MS:
        seconds /= 1000
    if seconds >= _EARLIEST_EPOCH:
        seconds -= now.timestamp()
    return seconds if 0 < seconds <= _LONGEST_WINDOW_SECONDS else None


def backoff_seconds(times: int, *, chance: float) -> float:
    """
    Seconds to wait after the *times*-th fault in a row (from 1): 1, 2, 4 ... 60.

    Args:
        times: From 1.
        chance: In [0, 1): takes off up to a quarter, so that processes drift apart.
    """
    whole = min(_LONGEST_BACKOFF_SECONDS, 2.0 ** min(times - 1, _MOST_DOUBLINGS))
    return whole * (1 - _SOFTENED * chance)
