"""Progress is seen on a terminal, logged elsewhere, and never in the way."""

from __future__ import annotations

import io
import os
import re
import threading
from datetime import UTC, datetime, timedelta

import pytest

from dispatcher.progress import Progress, Quietness, Tally


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


class FakeClock:
    """Monotonic seconds and local time that go on only when told."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds

    def now(self) -> datetime:
        start = datetime(2026, 11, 20, 12, 3, tzinfo=UTC)
        return start + timedelta(seconds=self.seconds - 1000)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def progress(
    total: int, stream: io.StringIO, clock: FakeClock, quietness: Quietness = Quietness.NORMAL
) -> Progress:
    return Progress(total, stream=stream, quietness=quietness, clock=clock, now=clock.now)


def last_draw(stream: io.StringIO) -> str:
    return stream.getvalue().rstrip("\n").rsplit("\r", 1)[-1].strip()


# --- elsewhere: lines


def test_a_log_has_a_line_at_the_start_and_at_the_end(clock: FakeClock) -> None:
    stream = io.StringIO()

    with progress(400, stream, clock) as shown:
        clock.seconds += 20
        shown.show(Tally(placed=30, not_placed=2, uncertain=1))

    assert stream.getvalue().splitlines() == [
        "Placing 400 calls",
        "33 of 400: 30 placed, 2 not placed, 1 uncertain; 99/min, 4 min left",
    ]


def test_a_log_has_a_line_at_each_tenth_however_fast(clock: FakeClock) -> None:
    stream = io.StringIO()

    with progress(4000, stream, clock) as shown:
        for placed in range(4001):
            shown.show(Tally(placed=placed))

    done = [line.split(" of ")[0] for line in stream.getvalue().splitlines()[1:]]
    assert done == [str(tenth * 400) for tenth in range(1, 11)]


def test_a_log_has_a_line_every_half_minute(clock: FakeClock) -> None:
    stream = io.StringIO()

    with progress(4000, stream, clock) as shown:
        for placed in range(100):
            clock.seconds += 1
            shown.show(Tally(placed=placed))

    assert len(stream.getvalue().splitlines()) == 2 + 3


def test_a_hold_is_said_at_once_with_since_reason_and_next_try(clock: FakeClock) -> None:
    stream = io.StringIO()

    with progress(4000, stream, clock) as shown:
        shown.show(Tally(placed=1))
        shown.show(Tally(placed=1, held=(clock() + 70, "too many requests")))
        clock.seconds += 10
        shown.show(Tally(placed=1, held=(clock() + 70, "too many requests")))
        clock.seconds += 25
        shown.show(Tally(placed=1, held=(clock() + 70, "too many requests")))
        shown.show(Tally(placed=1))

    _, began, still, ended = stream.getvalue().splitlines()
    assert "; waiting since 12:03, too many requests; next try 12:04:10" in began
    assert "; waiting since 12:03, too many requests; next try 12:04:45" in still
    assert "waiting" not in ended


def test_an_outage_is_told_since_it_began_however_often_a_try_failed(clock: FakeClock) -> None:
    stream = io.StringIO()
    began = clock()

    with progress(4000, stream, clock) as shown:
        shown.show(Tally(placed=1, outage_since=began, held=(clock() + 2, "away")))
        clock.seconds += 600
        shown.show(Tally(placed=1, outage_since=began))
        shown.show(Tally(placed=1, outage_since=began, held=(clock() + 60, "away")))

    assert "waiting since 12:03, away; next try 12:14:00" in stream.getvalue()


@pytest.mark.parametrize("until", [float("inf"), 0.0, float("nan")])
def test_a_hold_without_an_end_names_no_next_try(clock: FakeClock, until: float) -> None:
    stream = io.StringIO()

    with progress(10, stream, clock) as shown:
        shown.show(Tally(held=(until, "the API fails")))

    assert "waiting since 12:03, the API fails; 0/min" in stream.getvalue()
    assert "next try" not in stream.getvalue()


def test_no_calls_at_all_are_no_fault(clock: FakeClock) -> None:
    stream = io.StringIO()

    with progress(0, stream, clock) as shown:
        shown.show(Tally())

    assert "0 of 0" in stream.getvalue()


# --- on a terminal: a bar


def test_a_terminal_gets_a_bar_with_counts_pace_and_time_left(clock: FakeClock) -> None:
    stream = Terminal()

    with progress(40, stream, clock) as shown:
        shown.show(Tally(placed=8, not_placed=1, uncertain=1))

    drawn = last_draw(stream)
    assert "10/40" in drawn
    assert "8 placed, 1 not placed, 1 uncertain" in drawn
    assert re.search(r"\[\d\d:\d\d<[\d:]+, \d+/min\]", drawn)


def test_a_bar_that_nothing_moved_yet_shows_no_pace(clock: FakeClock) -> None:
    stream = Terminal()

    with progress(40, stream, clock) as shown:
        shown.show(Tally())

    assert "0/40 [" in last_draw(stream)
    assert "0/min" in last_draw(stream)


def test_a_bar_shows_why_nothing_moves(clock: FakeClock) -> None:
    stream = Terminal()

    with progress(40, stream, clock) as shown:
        shown.show(Tally(held=(clock() + 70, "unreachable")))

    assert "waiting since 12:03, unreachable; next try 12:04:10" in last_draw(stream)


def test_a_bar_is_not_drawn_for_every_call(clock: FakeClock) -> None:
    stream = Terminal()

    with progress(20_000, stream, clock) as shown:
        for placed in range(20_000):
            shown.show(Tally(placed=placed))

    assert stream.getvalue().count("\r") < 2000


def test_a_line_said_stands_above_the_bar(clock: FakeClock) -> None:
    stream = Terminal()

    with progress(40, stream, clock) as shown:
        shown.say("Stopping")
        shown.show(Tally(placed=1))

    assert "\rStopping\n" in stream.getvalue()
    assert "1/40" in last_draw(stream)


def test_a_bar_has_no_thread_of_its_own(clock: FakeClock) -> None:
    before = threading.active_count()

    with progress(40, Terminal(), clock):
        during = threading.active_count()

    assert during == before


# --- quiet, and gone


@pytest.mark.parametrize("stream", [io.StringIO(), Terminal()], ids=["log", "terminal"])
def test_quiet_shows_nothing_but_what_is_said(stream: io.StringIO, clock: FakeClock) -> None:
    with progress(40, stream, clock, Quietness.QUIET) as shown:
        shown.show(Tally(placed=40))
        shown.say("Stopping")

    assert stream.getvalue() == "Stopping\n"


class Breaking(io.StringIO):
    """A stream whose reader goes away after some writes."""

    def __init__(self, *, writes: int, is_terminal: bool) -> None:
        super().__init__()
        self._writes = writes
        self._is_terminal = is_terminal

    def isatty(self) -> bool:
        return self._is_terminal

    def write(self, text: str) -> int:
        self._writes -= 1
        if self._writes < 0:
            raise BrokenPipeError
        return super().write(text)


@pytest.mark.parametrize("writes", range(6))
@pytest.mark.parametrize("is_terminal", [True, False], ids=["terminal", "log"])
def test_a_broken_pipe_never_raises(*, writes: int, is_terminal: bool, clock: FakeClock) -> None:
    stream = Breaking(writes=writes, is_terminal=is_terminal)

    with progress(4, stream, clock) as shown:
        for placed in range(5):
            clock.seconds += 40
            shown.show(Tally(placed=placed))
            shown.say("still here")


def test_a_real_pipe_without_a_reader_never_raises(clock: FakeClock) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    raw = os.fdopen(writer, "wb", buffering=0)
    stream = io.TextIOWrapper(raw, write_through=True)

    with Progress(4, stream=stream, clock=clock) as shown:
        shown.show(Tally(placed=4))

    raw.close()


def test_a_closed_stream_never_raises(clock: FakeClock) -> None:
    stream = Terminal()
    stream.close()
    log = io.StringIO()
    log.close()

    for closed in (stream, log):
        with progress(4, closed, clock) as shown:
            shown.show(Tally(placed=4))


def test_an_error_of_the_run_passes_through(clock: FakeClock) -> None:
    with pytest.raises(KeyboardInterrupt), progress(4, Terminal(), clock):
        raise KeyboardInterrupt


def test_time_is_taken_from_the_machine_by_default() -> None:
    stream = io.StringIO()

    with Progress(4, stream=stream) as shown:
        shown.show(Tally(placed=2, held=(0.0, "asleep")))

    assert re.search(r"waiting since \d\d:\d\d, asleep", stream.getvalue())
