"""Shows on stderr how far a run is: a bar on a terminal, now and then a line elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from types import TracebackType
from typing import Self, TextIO

from tqdm import tqdm

_REFRESH_SECONDS = 0.2
_LINE_SECONDS = 30.0
_FORESEEABLE_SECONDS = 7 * 86_400.0
_LINE_SHARES = 10  # a line at each tenth of the calls
_BAR = "{percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt} [{elapsed}<{remaining}, {pace}]{postfix}"


def _local_now() -> datetime:
    return datetime.now().astimezone()


class Quietness(StrEnum):
    """Whether progress is shown at all."""

    NORMAL = "normal"
    QUIET = "quiet"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """
    How far a run is.

    Attributes:
        placed: Calls placed by this run.
        not_placed: Calls rejected, failed or not called any more by this run.
        uncertain: Calls that may have been placed.
        held: Why nothing starts at the moment and until when (a few words, and seconds of the
            monotonic clock before them), or None.
        outage_since: When the API was first found away or failing (monotonic seconds), or None.
    """

    placed: int = 0
    not_placed: int = 0
    uncertain: int = 0
    held: tuple[float, str] | None = None
    outage_since: float | None = None

    @property
    def done(self) -> int:
        """Calls of this run that came to an end."""
        return self.placed + self.not_placed + self.uncertain


class _Wording:
    """Puts tallies into words, and remembers since when nothing starts."""

    def __init__(
        self, total: int, *, clock: Callable[[], float], now: Callable[[], datetime]
    ) -> None:
        self.total = total
        self.clock = clock
        self._now = now
        self._began = clock()
        self._held_since: datetime | None = None

    def counts(self, tally: Tally) -> str:
        """Return the three counts, and why nothing starts at the moment."""
        counts = (
            f"{tally.placed} placed, {tally.not_placed} not placed, {tally.uncertain} uncertain"
        )
        if tally.held is None:
            self._held_since = None
            return counts
        self._held_since = self._held_since or self._now()
        since = self._held_since
        if tally.outage_since is not None:  # between two tries nothing is held for a moment
            since = self._now() - timedelta(seconds=self.clock() - tally.outage_since)
        return f"{counts}; {self._held(since, *tally.held)}"

    def pace(self, tally: Tally) -> str:
        """Return the pace since the start, and the time left at this pace."""
        minutes = (self.clock() - self._began) / 60
        pace = tally.done / minutes if minutes > 0 else 0.0
        left = f", {(self.total - tally.done) / pace:.0f} min left" if pace else ""
        return f"{pace:.0f}/min{left}"

    def _held(self, since: datetime, until: float, reason: str) -> str:
        words = f"waiting since {since:%H:%M}, {reason}"
        wait = until - self.clock()
        if not 0 < wait < _FORESEEABLE_SECONDS:
            return words
        return f"{words}; next try {self._now() + timedelta(seconds=wait):%H:%M:%S}"


class Progress:
    """
    A context manager that is told the tally and shows it.

    It draws a few times a second at most, however often it is told. A closed terminal or pipe
    silences it; it never raises.
    """

    def __init__(
        self,
        total: int,
        *,
        stream: TextIO,
        quietness: Quietness = Quietness.NORMAL,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = _local_now,
    ) -> None:
        self._display = _display(stream, quietness, _Wording(total, clock=clock, now=now))
        self._tally = Tally()
        self._broken = False

    def __enter__(self) -> Self:
        self._attempt(self._display.begin)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._attempt(lambda: self._display.end(self._tally))
        self._display.release()

    def show(self, tally: Tally) -> None:
        """Take the newest tally; it is drawn when it is time to."""
        self._tally = tally
        self._attempt(lambda: self._display.show(tally))

    def say(self, text: str) -> None:
        """Write a line of text above the bar, also where it is quiet."""
        self._attempt(lambda: self._display.say(text))

    def _attempt(self, draw: Callable[[], None]) -> None:
        if self._broken:
            return
        try:
            draw()
        except (OSError, ValueError):  # gone, or closed; recording goes on
            self._broken = True
            self._display.release()


class _Silence:
    """Shows nothing but what is said expressly."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def begin(self) -> None:
        """Show the start."""

    def show(self, tally: Tally) -> None:
        """Show the tally, or not yet."""

    def end(self, tally: Tally) -> None:
        """Show the last tally."""

    def say(self, text: str) -> None:
        """Write a line."""
        self._stream.write(f"{text}\n")
        self._stream.flush()

    def release(self) -> None:
        """Let go of the stream without writing to it."""


class _Lines(_Silence):
    """Log lines, for a file or a journal."""

    def __init__(self, stream: TextIO, wording: _Wording) -> None:
        super().__init__(stream)
        self._wording = wording
        self._last = wording.clock()
        self._share = 0
        self._was_held = False
        self._written: Tally | None = None

    def begin(self) -> None:
        noun = "call" if self._wording.total == 1 else "calls"
        self.say(f"Placing {self._wording.total} {noun}")

    def show(self, tally: Tally) -> None:
        began_to_hold = tally.held is not None and not self._was_held
        is_time = self._wording.clock() - self._last >= _LINE_SECONDS
        if is_time or began_to_hold or self._share_of(tally) > self._share:
            self._write(tally)
        self._was_held = tally.held is not None

    def end(self, tally: Tally) -> None:
        if tally != self._written:
            self._write(tally)

    def _write(self, tally: Tally) -> None:
        self._last, self._share = self._wording.clock(), self._share_of(tally)
        self._written = tally
        counts, pace = self._wording.counts(tally), self._wording.pace(tally)
        self.say(f"{tally.done} of {self._wording.total}: {counts}; {pace}")

    def _share_of(self, tally: Tally) -> int:
        return tally.done * _LINE_SHARES // max(self._wording.total, 1)


class _Bar(_Silence):
    """A bar that redraws itself."""

    def __init__(self, stream: TextIO, wording: _Wording) -> None:
        super().__init__(stream)
        self._wording = wording
        self._bar: _PacedBar | None = None

    def begin(self) -> None:
        self._bar = _PacedBar(
            total=self._wording.total,
            file=self._stream,
            bar_format=_BAR,
            dynamic_ncols=True,
            mininterval=_REFRESH_SECONDS,
            miniters=0,  # the time alone decides, so that a hold shows although nothing moves
        )

    def show(self, tally: Tally) -> None:
        if self._bar is not None:
            self._bar.set_postfix_str(self._wording.counts(tally), refresh=False)
            self._bar.update(tally.done - self._bar.n)

    def end(self, tally: Tally) -> None:
        if self._bar is not None:
            self.show(tally)
            self._bar.refresh()
            self._bar.close()

    def say(self, text: str) -> None:
        with _PacedBar.external_write_mode(file=self._stream):
            super().say(text)

    def release(self) -> None:
        if self._bar is not None:
            self._bar.disable = True  # else it writes once more when it is collected


class _PacedBar(tqdm):  # type: ignore[type-arg]
    """tqdm with the pace in calls a minute and without a thread of its own."""

    monitor_interval = 0

    @property
    def format_dict(self) -> MutableMapping[str, object]:
        """The words of the bar."""
        words: MutableMapping[str, object] = super().format_dict
        rate, seconds = words["rate"], words["elapsed"]
        if not isinstance(rate, float):  # nothing moved yet
            rate = self.n / seconds if isinstance(seconds, float) and seconds else 0.0
        words["pace"] = f"{rate * 60:.0f}/min"
        return words


def _display(stream: TextIO, quietness: Quietness, wording: _Wording) -> _Silence:
    if quietness is Quietness.QUIET:
        return _Silence(stream)
    return _Bar(stream, wording) if _is_terminal(stream) else _Lines(stream, wording)


def _is_terminal(stream: TextIO) -> bool:
    try:
        return stream.isatty()
    except ValueError:  # closed
        return False
