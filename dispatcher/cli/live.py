"""A live run: the pool with its bar and its signals."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from dispatcher.cli.signals import Signals, caught
from dispatcher.cli.terminal import say
from dispatcher.errors import Terminated
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
        bug: What the pool failed with after its requests had ended, or None; to be raised once
            what was done is written down.
    """

    dispatched: Dispatched
    signal_number: int | None
    bug: Exception | None = None


def live(make_pool: MakePool, *, due: int, quietness: Quietness) -> Lived:
    """
    Run a pool to its end, showing where it stands.

    Args:
        make_pool: Makes the pool, given what to call when there is something to show.
        due: Number of calls to place.
        quietness: How much is shown.
    """
    return asyncio.run(_live(make_pool, due, quietness))


def while_writing(campaign: str) -> Signals:
    """
    All calls are recorded, only the results are left to write: a hurry can do without them.

    Args:
        campaign: Its name, as a command takes it.
    """

    def leave() -> None:
        again = f"nothing is lost: dispatcher results {campaign}"
        raise Terminated("the results were not written", hint=again)

    return Signals(
        on_first=lambda: say("Writing the results. Again: end without them."), on_second=leave
    )


async def _live(make_pool: MakePool, due: int, quietness: Quietness) -> Lived:
    with Progress(due, stream=sys.stderr, quietness=quietness) as progress:
        stopping = _Stopping(progress)
        pool = make_pool(lambda: stopping.show(pool))
        signals = Signals(
            on_first=lambda: _end_gently(pool, progress),
            on_second=lambda: _end_at_once(pool, progress),
        )
        with caught(signals):
            dispatched, bug = await _run(pool)
        if dispatched.stopped is StopWord.WAIT_TOO_LONG:
            dispatched = replace(dispatched, message=dispatched.message + _not_before(pool))
        progress.show(tally_of(pool))
    return Lived(dispatched=dispatched, signal_number=signals.number, bug=bug)


async def _run(pool: Pool) -> tuple[Dispatched, Exception | None]:
    try:
        return await pool.run(), None
    except Exception as bug:  # noqa: BLE001 - it is raised once the results are written
        said = f"unexpected error: {type(bug).__name__}"
        return Dispatched(stopped=None, message=said, counts=dict(pool.counts)), bug


def _not_before(pool: Pool) -> str:
    """Say until when the API wants to be left alone."""
    now = time.monotonic()
    until = pool.held[0] if pool.held is not None else now
    moment = datetime.now().astimezone() + timedelta(seconds=until - now)
    return f" Not before {moment:%Y-%m-%d %H:%M %Z}."


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
