"""A live run: the pool with its bar and its signals."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from dataclasses import dataclass

from dispatcher.cli.signals import Signals, caught
from dispatcher.model import CallStatus, StopWord
from dispatcher.pool import Dispatched, Pool
from dispatcher.progress import Progress, Quietness, Tally

_GENTLY = "no new call; those in flight are finished and recorded."

MakePool = Callable[[Callable[[], None]], Pool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lived:
    """
    How a live run ended.

    Attributes:
        dispatched: What the pool did.
        signal_number: The first signal that came, or None.
    """

    dispatched: Dispatched
    signal_number: int | None


def live(make_pool: MakePool, *, due: int, quietness: Quietness) -> Lived:
    """
    Run a pool to its end, showing where it stands.

    Args:
        make_pool: Makes the pool, given what to call when there is something to show.
        due: Number of calls to place.
        quietness: How much is shown.
    """
    return asyncio.run(_live(make_pool, due, quietness))


async def _live(make_pool: MakePool, due: int, quietness: Quietness) -> Lived:
    with Progress(due, stream=sys.stderr, quietness=quietness) as progress:
        stopping = _Stopping(progress)
        pool = make_pool(lambda: stopping.show(pool))
        signals = Signals(
            on_first=lambda: _end_gently(pool, progress),
            on_second=lambda: _end_at_once(pool, progress),
        )
        with caught(signals):
            dispatched = await pool.run()
        progress.show(tally_of(pool))
    return Lived(dispatched=dispatched, signal_number=signals.number)


def tally_of(pool: Pool) -> Tally:
    """Return what the bar shows of a pool."""
    counts = pool.counts
    return Tally(
        placed=counts[CallStatus.PLACED],
        not_placed=counts[CallStatus.REJECTED]
        + counts[CallStatus.FAILED]
        + counts[CallStatus.SKIPPED],
        uncertain=counts[CallStatus.UNCERTAIN],
        held=pool.held,
        outage_since=pool.outage_since,
    )


class _Stopping:
    """Shows a pool, and says once that somebody else asked it to end."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._is_said = False

    def show(self, pool: Pool) -> None:
        if pool.stopped is StopWord.ASKED and not self._is_said:
            self._is_said = True
            self._progress.say(f"Asked to stop: {_GENTLY}")
        self._progress.show(tally_of(pool))


def _end_gently(pool: Pool, progress: Progress) -> None:
    pool.stop(StopWord.SIGNAL, "stopped by a signal; run the same command again to continue")
    progress.say(f"Stopping: {_GENTLY} Again: at once.")


def _end_at_once(pool: Pool, progress: Progress) -> None:
    progress.say("Stopping at once: calls in flight are recorded as uncertain.")
    pool.abort()
