"""What every route of one running sandbox shares."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from dispatcher.sandbox.faults import FaultPicker
from dispatcher.sandbox.limiter import MinuteLimit
from dispatcher.sandbox.options import SandboxOptions
from dispatcher.sandbox.record import PlacedCalls


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """
    One running sandbox.

    Attributes:
        options: What it was started with.
        now: Current time, aware UTC.
        calls: What it placed.
        faults: Who gets which fault.
        general: Limit over all routes.
        call_lists: Further limit on the list of calls.
        contact_lists: Further limit on the list of contacts.
    """

    options: SandboxOptions
    now: Callable[[], datetime]
    calls: PlacedCalls
    faults: FaultPicker
    general: MinuteLimit
    call_lists: MinuteLimit
    contact_lists: MinuteLimit


def open_desk(
    options: SandboxOptions,
    *,
    now: Callable[[], datetime],
    monotonic: Callable[[], float],
) -> Desk:
    """Return a desk that has placed nothing yet."""
    rate = options.rate_per_minute
    list_rate = options.list_rate_per_minute if rate else 0
    return Desk(
        options=options,
        now=now,
        calls=PlacedCalls(),
        faults=FaultPicker(options.faults),
        general=MinuteLimit(rate, monotonic=monotonic),
        call_lists=MinuteLimit(list_rate, monotonic=monotonic),
        contact_lists=MinuteLimit(list_rate, monotonic=monotonic),
    )
