"""Words on a terminal, times of day, and the signals."""

from __future__ import annotations

import asyncio
import io
import os
import signal
import sys
from datetime import UTC, datetime

import pytest

from dispatcher.cli import terminal
from dispatcher.cli.signals import Signals, caught
from dispatcher.cli.times import stop_moment
from dispatcher.errors import UsageProblem


def test_what_could_steer_a_terminal_is_made_visible() -> None:
    assert terminal.plain("a\x1b[0m\u202eb\nc") == "a\\x1b[0m\\u202eb\nc"
    assert terminal.plain("José\u00a0Núñez") == "José\u00a0Núñez"
    assert terminal.one_line("a\r\nb") == "a  b"


@pytest.mark.parametrize(
    ("answer", "meaning"),
    [("y\n", True), ("Sí\n", True), ("n\n", False), ("\n", False), ("", False), ("yep\n", False)],
)
def test_only_a_clear_yes_is_one(
    answer: str, *, meaning: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(answer))

    assert terminal.ask("Really?") is meaning


def test_a_pipe_that_is_gone_is_no_reason_to_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w", encoding="utf-8") as stream:
        monkeypatch.setattr(sys, "stderr", stream)
        terminal.say("one")
        terminal.say("two")


def test_a_terminal_that_lacks_a_letter_gets_its_number(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))

    terminal.put("José")
    sys.stdout.flush()

    assert raw.getvalue() == b"Jos\\xe9\n"


def test_a_time_of_day_is_todays_in_the_zone() -> None:
    now = datetime(2026, 6, 15, 23, 30, tzinfo=UTC)

    moment = stop_moment("18:00", timezone="America/Argentina/Buenos_Aires", now=now)

    assert moment == datetime(2026, 6, 15, 21, tzinfo=UTC)


@pytest.mark.parametrize("text", ["25:00", "18", "18:60", "six"])
def test_what_is_no_time_of_day_is_refused(text: str) -> None:
    with pytest.raises(UsageProblem, match="no time of day"):
        stop_moment(text, timezone="")


def test_no_text_is_no_time() -> None:
    assert stop_moment("", timezone="") is None


def test_the_first_signal_ends_gently_the_next_ones_at_once() -> None:
    said: list[str] = []

    async def main() -> int | None:
        signals = Signals(
            on_first=lambda: said.append("gently"), on_second=lambda: said.append("at once")
        )
        with caught(signals):
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.raise_signal(number)
                await asyncio.sleep(0)
                await asyncio.sleep(0)
        return signals.number

    before = signal.getsignal(signal.SIGTERM)

    assert asyncio.run(main()) == signal.SIGTERM
    assert said == ["gently", "at once"]
    assert signal.getsignal(signal.SIGTERM) is before
