"""When a run goes on, holds, looks, probes and stops: a state machine that is told everything."""

from __future__ import annotations

import math

from dispatcher.model import Judgement, StopWord, Verdict
from dispatcher.policy.breaker import Breaker, BreakerState
from dispatcher.policy.steps import ConductRules, Go, Look, Step, Stop, Wait
from dispatcher.policy.waits import backoff_seconds

_FIRST_ANSWERS = 5
_ROW_REFUSALS = (400, 404)
_RATE_LIMITED = "rate_limited"
_UNREACHABLE = "unreachable"

_ASKED = "the API asked to wait"
_USED_UP = "the API's limit is used up"
_AWAY = "the API cannot be reached"
_FAILING = "the API keeps failing"
_LOOKING = "looking whether the API is back"
_PROBING = "one call probes whether the API is back"
_FIRST = "one call at a time until the first is placed"

_ADVICE = {
    StopWord.KEY_REFUSED: "Check CONTACTSHIP_API_KEY and what it may do, then run again.",
    StopWord.CREDIT_REFUSED: "Top up the account, then run again.",
    StopWord.REFUSED: "Look for a newer version of this program, then run again.",
    StopWord.NOT_THE_API: "Check api.base_url, the proxy and the ids, then run again.",
    StopWord.FIRST_CALLS_REFUSED: "Check the agent, the number and the contact column.",
    StopWord.UNREACHABLE: "Check the network, the proxy and api.base_url, then run again.",
    StopWord.BREAKER: "Run again when the API is well.",
    StopWord.TOO_MANY_UNCERTAIN: "Look for these with 'dispatcher reconcile' before running again.",
    StopWord.WAIT_TOO_LONG: "Run again later.",
}


def stop_message(word: StopWord, why: str) -> str:
    """One line: *why*, then what to do about *word*, if there is anything to do."""
    return f"{why.rstrip('.')}. {_ADVICE.get(word, '')}".rstrip()


class Conduct:
    """
    The state machine of one run. Times are monotonic seconds, *chance* is drawn in [0, 1).

    A run begins with one call at a time until one was placed. A 429 or an API out of reach holds
    it, a burst of failures pauses it, and some answers stop it. Stopped means that nothing new
    starts; calls in flight end and are still observed.

    Attributes:
        stopped: Why the run stops, or None; the first word stays.
        message: One line that says what to do, or "".
        outage_since: When the API was first found away or failing and has not answered well since,
            or None.
    """

    def __init__(self, rules: ConductRules) -> None:
        self.stopped: StopWord | None = None
        self.message = ""
        self.outage_since: float | None = None
        self._rules = rules
        self._breaker = Breaker(
            failures=rules.breaker_failures,
            of_last=rules.breaker_of_last,
            pause_seconds=rules.breaker_pause_seconds,
        )
        self._held: tuple[float, str] | None = None
        self._has_placed = False
        self._away = False
        self._times_asked = 0
        self._times_away = 0
        self._answers = 0
        self._row_refusals = 0
        self._uncertain = 0
        self._outage_word = StopWord.UNREACHABLE

    @property
    def held(self) -> tuple[float, str] | None:
        """Until when (monotonic seconds) nothing starts and why, or None."""
        if self._breaker.state is BreakerState.PAUSED:
            pause = (self._breaker.until, _FAILING)
            return max(pause, self._held) if self._held else pause
        return self._held

    def next_step(self, *, now: float, in_flight: int) -> Step:
        """
        Say what may be done now.

        Args:
            now: Monotonic seconds.
            in_flight: Calls marked whose end has not been observed, withdrawn or recorded yet.
        """
        self._give_up_if_due(now)
        if self.stopped is not None:
            return Stop(word=self.stopped, message=self.message)
        if self._held and self._held[0] <= now:
            self._held = None
        held = self.held
        if held and now < held[0]:
            return Wait(until=self._before_giving_up(held[0]), reason=held[1])
        return self._step_of_breaker(in_flight)

    def may_begin(self, *, now: float) -> bool:
        """Whether a marked call may begin at its slot: no hold, pause, look or stop."""
        held = self.held
        return (
            self.stopped is None
            and (held is None or held[0] <= now)
            and self._breaker.state in (BreakerState.CLOSED, BreakerState.PROBING)
        )

    def observe(
        self, judgement: Judgement, *, retry_after: float | None, now: float, chance: float
    ) -> None:
        """
        Take in what became of one attempt.

        Args:
            judgement: Its meaning.
            retry_after: Seconds that a 429 asked for, or None.
            now: Monotonic seconds.
            chance: In [0, 1), for jitter.
        """
        self._count(judgement)
        if judgement.stop is not None:
            self.stop_for(judgement.stop, stop_message(judgement.stop, judgement.message))
        if judgement.http_status:
            self._away = False
            self._times_away = 0
        if judgement.code == _RATE_LIMITED:
            self._wait_as_asked(retry_after, now=now, chance=chance)
        elif judgement.code == _UNREACHABLE:
            self._hold_away(now=now, chance=chance)
        elif judgement.failure:
            self._fail(now=now, chance=chance)
        elif judgement.http_status:
            self.outage_since = None
            self._breaker.succeeded()
        if judgement.http_status and judgement.code != _RATE_LIMITED:
            self._times_asked = 0
        self._stop_if_counted_out()
        self._give_up_if_due(now)

    def looked(self, *, alive: bool, now: float, chance: float) -> None:
        """
        Take in what a look found.

        Args:
            alive: The API answered with a status below 500.
            now: Monotonic seconds.
            chance: In [0, 1), for jitter.
        """
        if self._breaker.state is not BreakerState.LOOKING:
            return
        self._breaker.looked(alive=alive, now=now, chance=chance)
        if not alive:
            self._begin_outage(now)
        self._give_up_if_due(now)

    def hold_for(self, seconds: float, *, now: float) -> None:
        """Let nothing start for *seconds*: the API's own limit is used up, before a 429 says so."""
        self._hold(now + seconds, _USED_UP)

    def stop_for(self, word: StopWord, message: str) -> None:
        """Stop the run for *word*; the first word wins."""
        if self.stopped is None:
            self.stopped = word
            self.message = message

    def _step_of_breaker(self, in_flight: int) -> Step:
        state = self._breaker.state
        if state is BreakerState.LOOKING:
            return Wait(until=self._before_giving_up(math.inf), reason=_LOOKING)
        is_alone = self._away or not self._has_placed or state is not BreakerState.CLOSED
        if is_alone and in_flight:
            return Wait(until=self._before_giving_up(math.inf), reason=self._reason_alone())
        if state is BreakerState.PAUSED:
            self._breaker.look()
            return Look()
        return Go()

    def _reason_alone(self) -> str:
        if self._breaker.state is not BreakerState.CLOSED:
            return _PROBING
        return _AWAY if self._away else _FIRST

    def _count(self, judgement: Judgement) -> None:
        self._has_placed |= judgement.verdict is Verdict.PLACED
        self._uncertain += judgement.verdict is Verdict.UNCERTAIN
        if judgement.http_status and judgement.code != _RATE_LIMITED:
            self._answers += 1
            self._row_refusals += judgement.http_status in _ROW_REFUSALS

    def _stop_if_counted_out(self) -> None:
        if self._answers == self._row_refusals == _FIRST_ANSWERS:
            why = f"The first {_FIRST_ANSWERS} calls were all refused"
            word = StopWord.FIRST_CALLS_REFUSED
            self.stop_for(word, stop_message(word, why))
        if 0 < self._rules.stop_uncertain <= self._uncertain:
            why = f"{self._uncertain} calls of this run may or may not have been placed"
            word = StopWord.TOO_MANY_UNCERTAIN
            self.stop_for(word, stop_message(word, why))

    def _wait_as_asked(self, asked: float | None, *, now: float, chance: float) -> None:
        self.outage_since = None
        seconds = asked or 0.0
        if not seconds and not self._is_held(now):  # those under way count as one
            self._times_asked += 1
            seconds = backoff_seconds(self._times_asked, chance=chance)
        if seconds > self._rules.max_wait_seconds:
            why = (
                f"The API asked to wait {math.ceil(seconds)} seconds, more than "
                f"retry.max_wait_seconds ({self._rules.max_wait_seconds:g})"
            )
            word = StopWord.WAIT_TOO_LONG
            self.stop_for(word, stop_message(word, why))
        self._hold(now + seconds, _ASKED)

    def _hold_away(self, *, now: float, chance: float) -> None:
        self._away = True
        self._outage_word = StopWord.UNREACHABLE
        self._begin_outage(now)
        if not self._is_held(now):  # those under way count as one
            self._times_away += 1
            self._hold(now + backoff_seconds(self._times_away, chance=chance), _AWAY)

    def _fail(self, *, now: float, chance: float) -> None:
        self._outage_word = StopWord.BREAKER
        if self._breaker.failed(now=now, chance=chance):
            self._begin_outage(now)

    def _hold(self, until: float, reason: str) -> None:
        self._held = max(self._held, (until, reason)) if self._held else (until, reason)

    def _is_held(self, now: float) -> bool:
        return self._held is not None and now < self._held[0]

    def _begin_outage(self, now: float) -> None:
        if self.outage_since is None:
            self.outage_since = now

    def _before_giving_up(self, until: float) -> float | None:
        if self.outage_since is not None:
            until = min(until, self.outage_since + self._rules.give_up_seconds)
        return until if until < math.inf else None

    def _give_up_if_due(self, now: float) -> None:
        since = self.outage_since
        if since is None or now - since < self._rules.give_up_seconds:
            return
        word = self._outage_word
        state = "failing" if word is StopWord.BREAKER else "out of reach"
        why = f"The API has been {state} for {(now - since) / 60:.3g} minutes"
        self.stop_for(word, stop_message(word, why))
