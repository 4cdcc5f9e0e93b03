"""How a placed call goes on: queued, in progress, ended, all computed from the time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from dispatcher.sandbox.chance import draw
from dispatcher.sandbox.options import Generation
from dispatcher.sandbox.record import PlacedCall


class LifeStatus(StrEnum):
    """Where a placed call is."""

    QUEUED = "in-queue"
    IN_PROGRESS = "in-progress"
    ENDED = "ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """
    How a call turns out.

    Attributes:
        result: As in ``call_result``.
        reason: As in ``disconnection_reason``.
        sentiment: As in ``call_analysis``.
        summary: What was said, in a sentence.
        shortest_seconds: Least time on the line.
        longest_seconds: Most time on the line.
    """

    result: str
    reason: str
    sentiment: str
    summary: str
    shortest_seconds: float
    longest_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """
    A call at one moment.

    Attributes:
        status: Where it is.
        started_at: When the phone rang, aware UTC; None before.
        finished_at: When it ended, aware UTC; None before.
        ending: How it turned out; None before.
    """

    status: LifeStatus
    started_at: datetime | None = None
    finished_at: datetime | None = None
    ending: Ending | None = None


def _ending(result: str, reason: str, sentiment: str, summary: str, *seconds: float) -> Ending:
    shortest, longest = seconds
    return Ending(
        result=result,
        reason=reason,
        sentiment=sentiment,
        summary=summary,
        shortest_seconds=shortest,
        longest_seconds=longest,
    )


# (share of the calls, how they end): invented, of the order that outbound campaigns see.
_ENDINGS = (
    (0.30, _ending("completed", "user_hangup", "Positive", "Promised to pay.", 35, 180)),
    (0.12, _ending("completed", "agent_hangup", "Neutral", "Asked to be called later.", 25, 120)),
    (0.08, _ending("completed", "user_hangup", "Negative", "Disputes the amount.", 20, 150)),
    (0.18, _ending("voicemail", "voicemail_reached", "Unknown", "Reached a voicemail.", 8, 25)),
    (0.24, _ending("no_answer", "dial_no_answer", "Unknown", "Nobody answered.", 20, 40)),
    (0.06, _ending("busy", "dial_busy", "Unknown", "The line was busy.", 2, 6)),
)
_OTHERWISE = _ending("failed", "dial_failed", "Unknown", "The call did not go through.", 1, 3)
_QUEUE_SECONDS = (2, 8)


def life_of(call: PlacedCall, *, seed: int, generation: Generation, at: datetime) -> Life:
    """Return where *call* is *at* this moment (aware UTC)."""
    fate = ("life", seed, call.order.callee, call.number)
    ending = _drawn_ending(draw(*fate, "ending"))
    queued = _between(*_QUEUE_SECONDS, share=draw(*fate, "queue"))
    on_the_line = _between(
        ending.shortest_seconds, ending.longest_seconds, share=draw(*fate, "line")
    )
    starts = _rings_from(call, generation) + timedelta(seconds=queued)
    ends = starts + timedelta(seconds=on_the_line)
    if at < starts:
        return Life(status=LifeStatus.QUEUED)
    if at < ends:
        return Life(status=LifeStatus.IN_PROGRESS, started_at=starts)
    return Life(status=LifeStatus.ENDED, started_at=starts, finished_at=ends, ending=ending)


def _rings_from(call: PlacedCall, generation: Generation) -> datetime:
    if call.order.schedule is not None:
        return call.order.schedule.at
    if generation is Generation.B:  # which says that these routes do not apply a delay
        return call.created_at
    # A delay of centuries is a number too; a year is as good as never here.
    return call.created_at + timedelta(minutes=min(call.order.delay_minutes, 525_600))


def _drawn_ending(number: float) -> Ending:
    for share, ending in _ENDINGS:
        if number < share:
            return ending
        number -= share
    return _OTHERWISE


def _between(least: float, most: float, *, share: float) -> float:
    return round(least + (most - least) * share, 1)
