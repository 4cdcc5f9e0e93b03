"""The rules of a run's conduct, and what it may answer when asked for the next step."""

from __future__ import annotations

from dataclasses import dataclass

from dispatcher.model import StopWord


@dataclass(frozen=True, slots=True, kw_only=True)
class ConductRules:
    """
    When a run holds, pauses and stops.

    Attributes:
        breaker_failures: Pause after so many failures among the last attempts; 0 = never.
        breaker_of_last: How many attempts are looked back on.
        breaker_pause_seconds: First pause; doubled each time, at most 15 minutes.
        give_up_seconds: Stop when an outage lasts so long; 0 = at its first sign.
        max_wait_seconds: Stop when the API asks to wait longer.
        stop_uncertain: Stop when so many calls of this run became uncertain; 0 = never.
    """

    breaker_failures: int = 5
    breaker_of_last: int = 20
    breaker_pause_seconds: float = 30
    give_up_seconds: float = 3600
    max_wait_seconds: float = 900
    stop_uncertain: int = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Go:
    """One more call may be marked now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """
    No call may be marked.

    Attributes:
        until: Ask again then (monotonic seconds), or None: when a call in flight has ended.
        reason: A few words for the bar.
    """

    until: float | None
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """Do one GET that places nothing, then tell ``Conduct.looked``; others wait meanwhile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """
    Nothing new starts in this run; calls in flight end and are recorded.

    Attributes:
        word: Why.
        message: One line that says what to do.
    """

    word: StopWord
    message: str


Step = Go | Wait | Look | Stop
