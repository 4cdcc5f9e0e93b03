"""What a worker pool is told before it starts, and what it tells afterwards."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from dispatcher.model import CallStatus, Outcome, StopWord
from dispatcher.pacer import Rate
from dispatcher.planning import DelayMode
from dispatcher.policy import ConductRules


def _utc_now() -> datetime:
    return datetime.now(tz=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """
    Where the pool takes time and chance from.

    Attributes:
        monotonic: Seconds of a clock that only goes forward; for waits and slots.
        now: Aware UTC; for records, schedules and times of day.
        chance: A number in [0, 1); for jitter.
    """

    monotonic: Callable[[], float] = time.monotonic
    now: Callable[[], datetime] = _utc_now
    chance: Callable[[], float] = random.random


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolSettings:
    """
    The frame of one run.

    Attributes:
        campaign: Normalised campaign name, sent as metadata.
        base_url: The API; live runs on one ledger against the same one share the rate.
        workers: Concurrent senders, 0 for as many as the pace needs.
        rate: Most starts in a unit of time, None for unlimited.
        strict: A slot is free again only a unit after its request ended.
        delay: How a delay in the sheet is sent.
        repeat_after_hours: A contact is not called twice within this time, 0 for off.
        conduct: When to hold and when to stop.
        limit: Most calls to start, 0 for all.
        stop_at: No call starts from this moment on (aware UTC), or None.
        max_seconds: No call starts after so many seconds, 0 for no bound.
    """

    campaign: str
    base_url: str
    workers: int
    rate: Rate | None
    delay: DelayMode
    repeat_after_hours: float
    conduct: ConductRules
    strict: bool = False
    limit: int = 0
    stop_at: datetime | None = None
    max_seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Unrecorded:
    """
    What came of a call, and the ledger could not take.

    Attributes:
        row: Row number as the spreadsheet shows it.
        outcome: What came of it.
    """

    row: int
    outcome: Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispatched:
    """
    What a pool did.

    Attributes:
        stopped: Why before its calls were done, or None.
        message: One line that says what to do, or "".
        counts: Outcomes of this run's calls.
        unrecorded: Outcomes that could not be made durable; placed ones must be shown.
    """

    stopped: StopWord | None
    message: str
    counts: Mapping[CallStatus, int] = field(default_factory=dict)
    unrecorded: tuple[Unrecorded, ...] = ()
