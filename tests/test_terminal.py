"""Words on a terminal, times of day, and the signals."""

from __future__ import annotations

import asyncio
import io
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from dispatcher.cli import terminal
from dispatcher.cli.live import while_writing
from dispatcher.cli.signals import Signals, caught, finishing, interruptible
from dispatcher.cli.times import stop_moment
from dispatcher.errors import DispatcherError, Interrupted, Terminated, UsageProblem


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


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no full disk to write to")
def test_a_full_disk_is_no_reason_to_stop_nor_to_fail_at_exit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with Path("/dev/full").open("w", encoding="utf-8") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        terminal.put("one")
        terminal.put("two")


@pytest.mark.parametrize("closed", ["2>&-", ">&-", "0>&- >&- 2>&-"])
@pytest.mark.skipif(os.name != "posix", reason="other shells close nothing")
def test_a_stream_that_is_closed_from_the_start_is_no_reason_to_stop(
    closed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    sheet = Path("campaign.csv")
    sheet.write_text("contact_id,agent_id,from_number_id\nc-1,a,n\nc-2,a,n\n", encoding="utf-8")
    command = f'"{sys.executable}" -m dispatcher run campaign.csv --sandbox --yes {closed}'

    status = subprocess.run(["/bin/sh", "-c", command], check=False, capture_output=True).returncode

    assert status == 0
    assert Path("campaign.results.csv").read_text("utf-8-sig").count(",placed,") == 2


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


@pytest.mark.parametrize(
    ("seconds", "number", "expected"),
    [
        (0.01, signal.SIGTERM, ["gently"]),
        (0.3, signal.SIGTERM, ["gently", "at once"]),
        (0.01, signal.SIGINT, ["gently", "at once"]),
    ],
    ids=["told-twice", "later", "another"],
)
def test_a_signal_that_is_told_twice_is_one(
    seconds: float, number: signal.Signals, expected: list[str]
) -> None:
    said: list[str] = []
    moments = iter((5.0, 5.0 + seconds))
    signals = Signals(
        on_first=lambda: said.append("gently"),
        on_second=lambda: said.append("at once"),
        clock=lambda: next(moments),
    )

    signals.receive(signal.SIGTERM)
    signals.receive(number)

    assert said == expected


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="there are no terminals to hang up")
def test_a_run_that_nohup_started_ignores_that_its_terminal_went() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with interruptible():
            signal.raise_signal(signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize(
    ("number", "ending"), [(signal.SIGINT, Interrupted), (signal.SIGTERM, Terminated)]
)
def test_a_signal_ends_a_command_that_places_no_calls(
    number: signal.Signals, ending: type[DispatcherError]
) -> None:
    before = signal.getsignal(number)

    with pytest.raises(ending, match="nothing more was done"), interruptible():
        signal.raise_signal(number)

    assert signal.getsignal(number) is before


def test_while_the_results_are_written_one_signal_waits_and_the_next_one_leaves(
    capsys: pytest.CaptureFixture[str],
) -> None:
    signals = while_writing("'mora y más'")

    with finishing(signals):
        signal.raise_signal(signal.SIGTERM)
        said = capsys.readouterr().err
        with pytest.raises(Terminated) as left:
            signal.raise_signal(signal.SIGINT)

    assert said == "Writing the results. Again: end without them.\n"
    assert left.value.hint == "nothing is lost: dispatcher results 'mora y más'"
