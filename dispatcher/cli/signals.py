"""Turns signals into two words for a run: the first ends it gently, the second at once."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from dispatcher.cli.console import console_watched

_NAMES = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")


class Signals:
    """
    What came so far.

    Attributes:
        number: The first signal, or None.
    """

    def __init__(self, *, on_first: Callable[[], None], on_second: Callable[[], None]) -> None:
        self.number: int | None = None
        self._on_first = on_first
        self._on_second = on_second

    def receive(self, number: int) -> None:
        """Act on one signal."""
        if self.number is None:
            self.number = number
            self._on_first()
        else:
            self._on_second()


@contextmanager
def caught(signals: Signals) -> Iterator[None]:
    """
    Hand the signals that ask a process to end to *signals* while the block runs.

    They are delivered in the running loop, between two steps of it, so that nothing is cut off
    in the middle.
    """
    loop = asyncio.get_running_loop()

    def handle(number: int, _frame: object) -> None:
        loop.call_soon_threadsafe(signals.receive, number)

    numbers = [getattr(signal, name) for name in _NAMES if hasattr(signal, name)]
    before = {number: signal.signal(number, handle) for number in numbers}
    try:
        with console_watched(lambda: handle(signal.SIGTERM, None)):
            yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
