"""How much of the rate is used, learned from what the API says of its own limit."""

from __future__ import annotations

import math

_SLOWED = 0.5
_SLOWEST = 0.05
_REGAINED_PER_SECOND = 0.05 / 10

_SAME_WINDOW_SECONDS = 1.5  # the API tells whole seconds
_TOO_SHORT_SECONDS = 2.0  # to be spread
_PRIOR_SECONDS = 20.0  # without others, until we know better; halved by each window
_MARGIN = 2  # left over where others use the limit, for what they do meanwhile


class Tempo:
    """
    How much of the rate is used: halved by each 429, regained by 0.05 in 10 s without one.

    Attributes:
        factor: From 0.05 to 1; scale the rate of a lease by it.
    """

    def __init__(self) -> None:
        self.factor = 1.0

    def slow(self) -> None:
        """A 429 came."""
        self.factor = max(_SLOWEST, self.factor * _SLOWED)

    def steady(self, seconds: float) -> None:
        """So many seconds went by without a 429."""
        self.factor = min(1.0, self.factor + max(0.0, seconds) * _REGAINED_PER_SECOND)

    def at_most(self, share: float) -> float:
        """Return the factor, or a smaller *share* of the rate, but never none."""
        return max(_SLOWEST, min(self.factor, share))


class Allowance:
    """
    What the API's own limit leaves to us, spread over the time until it is renewed.

    Others who use the same limit are known by what is missing and was not ours. What they use is
    expected to go on, and a little more is left to them: so a window ends without a 429.

    Times are monotonic seconds; requests are numbered in the order in which they start.

    Attributes:
        started: How many requests have started; the number of the last one.
    """

    def __init__(self) -> None:
        self.started = 0
        self._until = -math.inf
        self._anchor = (0, 0, 0.0)  # number, remaining and moment of the window's first answer
        self._others = 0.0  # what they used in earlier windows, the older the less,
        self._seconds = _PRIOR_SECONDS  # and in how long
        self._now_others = (0, 0.0)  # the same of this window
        self._per_second = math.inf

    def per_second(self, now: float) -> float:
        """Return how many requests a second may start, ``inf`` where nothing is known."""
        return self._per_second if now < self._until + _SAME_WINDOW_SECONDS else math.inf

    def learn(self, *, remaining: int, seconds: float, number: int, now: float) -> float:
        """
        Take in what an answer said.

        Args:
            remaining: Requests that are left in the window of the API's limit.
            seconds: Until that window ends.
            number: Of the request that was answered.
            now: Monotonic seconds.

        Returns:
            Seconds for which nothing should start, 0 for none.
        """
        if now + seconds > self._until + _SAME_WINDOW_SECONDS:
            self._begin_window(remaining, number, now)
        self._until = max(self._until, now + seconds)
        first, at_first, since = self._anchor
        self._now_others = (max(0, at_first - remaining - (number - first)), now - since)
        theirs = (self._others + self._now_others[0]) / (self._seconds + self._now_others[1])
        unheard = self.started - number  # not yet counted by what was said
        left = remaining - unheard - (_MARGIN if theirs else 0)
        if theirs and left < 1:
            return seconds
        if seconds > _TOO_SHORT_SECONDS:
            self._per_second = max(0.0, left - theirs * seconds) / seconds
        return 0.0

    def _begin_window(self, remaining: int, number: int, now: float) -> None:
        self._others = (self._others + self._now_others[0]) / 2
        self._seconds = (self._seconds + self._now_others[1]) / 2
        self._now_others = (0, 0.0)
        self._anchor = (number, remaining, now)
        self._per_second = math.inf
