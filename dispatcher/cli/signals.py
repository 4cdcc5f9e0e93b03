"""Turns signals into two words for a run: the first ends it gently, the second at once."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NoReturn

from dispatcher.cli.console import console_watched
from dispatcher.errors import Interrupted, Terminated

_NAMES = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")
_SAME_SECONDS = 0.1  # timeout(1) and a closing terminal tell everything twice; no hand is so quick


class Signals:
    """
    What came so far.

    Attributes:
        number: The first signal, or None.
    """

    def __init__(
        self,
        *,
        on_first: Callable[[], None],
        on_second: Callable[[], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.number: int | None = None
        self._on_first = on_first
        self._on_second = on_second
        self._clock = clock
        self._received_at = 0.0

    def receive(self, number: int) -> None:
        """Act on one signal; the same one again at once is no second."""
        now = self._clock()
        if self.number is None:
            self.number, self._received_at = number, now
            self._on_first()
        elif number != self.number or now - self._received_at > _SAME_SECONDS:
            self._on_second()


@contextmanager
def caught(signals: Signals) -> Iterator[None]:
    """
    Hand the signals that ask a process to end to *signals* while the block runs.

    They are delivered in the running loop, between two steps of it, so that nothing is cut off
    in the middle.
    """
    from asyncio import get_running_loop  # most commands need none

    loop = get_running_loop()

    def handle(number: int, _frame: object) -> None:
        loop.call_soon_threadsafe(signals.receive, number)

    with _handled(handle), console_watched(lambda: handle(signal.SIGTERM, None)):
        yield


@contextmanager
def finishing(signals: Signals) -> Iterator[None]:
    """Hand the signals to *signals* at once while the block finishes what no loop waits for."""
    with _handled(lambda number, _frame: signals.receive(number)):
        yield


@contextmanager
def interruptible() -> Iterator[None]:
    """Let a signal end the block as an expected ending, wherever no call is in flight."""
    with _handled(_interrupt):
        yield


def _interrupt(number: int, _frame: object) -> NoReturn:
    ending = Interrupted if number == signal.SIGINT else Terminated
    raise ending("interrupted: nothing more was done")


@contextmanager
def _handled(handle: Callable[[int, object], None]) -> Iterator[None]:
    before = {number: signal.signal(number, handle) for number in _numbers()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _numbers() -> list[int]:
    found = [getattr(signal, name) for name in _NAMES if hasattr(signal, name)]
    hangup = getattr(signal, "SIGHUP", None)
    # nohup(1) lets a run outlive its terminal.
    return [n for n in found if n != hangup or signal.getsignal(n) != signal.SIG_IGN]
