"""What an answer means for the calls to come: for the pace and for the conduct of the run."""

from __future__ import annotations

from http import HTTPStatus

from dispatcher.model import Judgement, NoReply, Reply
from dispatcher.pacer import Rate, strict_cost
from dispatcher.policy import left_of_limit, retry_after_seconds, used_up_seconds
from dispatcher.pool.settings import Clock
from dispatcher.pool.slots import Slots
from dispatcher.pool.traffic import Traffic


class Observer:
    """Tells pace and conduct of each attempt."""

    def __init__(self, slots: Slots, traffic: Traffic, clock: Clock) -> None:
        self._slots = slots
        self._traffic = traffic
        self._clock = clock

    def observe(self, result: Reply | NoReply, judgement: Judgement, *, number: int) -> None:
        """
        Take in one attempt.

        Args:
            result: What came back.
            judgement: Its meaning.
            number: Of the request, in the order of their starts.
        """
        asked = None
        if judgement.http_status == HTTPStatus.TOO_MANY_REQUESTS:
            self._slots.slow()
        if isinstance(result, Reply) and (result.retry_after or result.remaining):
            asked = retry_after_seconds(result.retry_after, now=self._clock.now())
            self._learn(result, number)
        self._traffic.observe(judgement, retry_after=asked)

    def _learn(self, reply: Reply, number: int) -> None:
        """Keep to the API's own limit, as far as a reply tells of it."""
        now = self._clock.now()
        hold = used_up_seconds(remaining=reply.remaining, reset=reply.reset, now=now)
        left = left_of_limit(
            limit=reply.limit, remaining=reply.remaining, reset=reply.reset, now=now
        )
        if left is not None:
            remaining, seconds = left
            learned = self._slots.learn(remaining=remaining, seconds=seconds, number=number)
            hold = max(hold or 0.0, learned)
        if hold:
            self._traffic.hold_for(hold)


def strict_message(rate: Rate | None, *, seconds: float) -> str:
    """One line that says what a strict pace cost where answers took so long, "" without one."""
    if rate is None or not seconds:
        return ""
    cost = strict_cost(rate, seconds=seconds)
    return f"pace.strict: answers took {seconds:.2f} seconds, which cost {cost:.1%} of the pace"
