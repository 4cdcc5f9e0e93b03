"""What ends a run from outside: a time that was set, or somebody who asked."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from dispatcher.errors import StorageFailed
from dispatcher.ledger import Ledger
from dispatcher.model import StopWord
from dispatcher.pool.settings import PoolSettings
from dispatcher.pool.times import Times


class Stops:
    """
    Looks whether the run is to end.

    Args:
        ledger: Where somebody may have asked for it.
        settings: The times that were set.
        times: What time it is.
        stop: Told the word and the line.
    """

    def __init__(
        self,
        ledger: Ledger,
        settings: PoolSettings,
        times: Times,
        *,
        stop: Callable[[StopWord, str], None],
    ) -> None:
        self._ledger = ledger
        self._settings = settings
        self._times = times
        self._stop = stop
        self._is_timed = settings.stop_at is not None or settings.max_seconds > 0

    def check_time(self) -> None:
        """Stop once a time that was set has come, by either clock."""
        if not self._is_timed:
            return
        settings, times = self._settings, self._times
        if settings.stop_at is not None and times.now().latest >= settings.stop_at:
            self._stop(StopWord.STOP_AT, "As asked by --stop-at")
        elif settings.max_seconds and times.elapsed_seconds >= settings.max_seconds:
            self._stop(StopWord.MAX_MINUTES, "As asked by --max-minutes")

    async def check_asked(self) -> None:
        """Stop once somebody has asked for it through the ledger."""
        try:
            who = await asyncio.to_thread(self._ledger.holding.asked_by, self._settings.campaign)
        except StorageFailed as fault:
            self._stop(StopWord.LEDGER_FAILED, fault.message)
        else:
            if who:
                self._stop(StopWord.ASKED, f"As asked by {who}; run it again to continue")
