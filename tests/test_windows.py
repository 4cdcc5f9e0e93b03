"""
What is written for Windows alone, run here: only the calls of the system itself are replaced.

What stays unseen is whether Windows does what its manual says: that a console that goes is told to
the handler, that the process then lives for five seconds, and that the end of a process frees a
locked range.
"""

from __future__ import annotations

import asyncio
import ctypes
import fcntl
import importlib.util
import os
import signal
import struct
import sys
import threading
import types
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dispatcher.cli import console, signals
from dispatcher.cli.signals import Signals, caught, interruptible
from dispatcher.errors import CampaignHeld, Terminated
from dispatcher.ledger import lock

if sys.platform != "linux":
    pytest.skip("stands in for Windows on Linux", allow_module_level=True)

CTRL_C, CTRL_BREAK, CLOSED, LOGGED_OFF, SHUT_DOWN = 0, 1, 2, 5, 6
Handler = Callable[[int], int]


def as_on_windows(module: types.ModuleType, monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    """Load a module's source once more, as Python does on Windows."""
    assert module.__file__ is not None
    spec = importlib.util.spec_from_file_location(f"{module.__name__}_on_windows", module.__file__)
    assert spec is not None
    assert spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, loaded.__name__, loaded)
    monkeypatch.setattr(sys, "platform", "win32")
    try:
        spec.loader.exec_module(loaded)
    finally:
        monkeypatch.setattr(sys, "platform", "linux")
    return loaded


class Kernel32:
    """Keeps the handlers that Windows would call, each in a thread of its own."""

    def __init__(self) -> None:
        self.handlers: list[Handler] = []
        self.kernel32 = self

    def SetConsoleCtrlHandler(self, handler: Handler, add: bool) -> None:  # noqa: FBT001, N802
        if add:
            self.handlers.append(handler)
        else:
            self.handlers.remove(handler)

    def tells(self, event: int) -> bool:
        """Tell all handlers, and return whether one took care of it."""
        answers: list[bool] = []
        for handler in self.handlers:
            own = threading.Thread(target=lambda call=handler: answers.append(bool(call(event))))
            own.start()
            own.join()
        return any(answers)


@pytest.fixture
def windows(monkeypatch: pytest.MonkeyPatch) -> Kernel32:
    kernel = Kernel32()
    monkeypatch.setattr(ctypes, "windll", kernel, raising=False)
    monkeypatch.setattr(ctypes, "WINFUNCTYPE", ctypes.CFUNCTYPE, raising=False)
    return kernel


@pytest.fixture
def naps(windows: Kernel32, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The console as it is watched on Windows; how long its process was kept for."""
    watched = as_on_windows(console, monkeypatch)
    slept: list[float] = []
    monkeypatch.setattr(watched, "time", types.SimpleNamespace(sleep=slept.append))
    monkeypatch.setattr(signals, "console_watched", watched.console_watched)
    assert windows.handlers == []
    return slept


@pytest.mark.parametrize("event", [CLOSED, LOGGED_OFF, SHUT_DOWN], ids=["closed", "off", "down"])
def test_a_console_that_goes_ends_the_run_gently_and_leaves_it_four_seconds_to_record(
    windows: Kernel32, naps: list[float], event: int
) -> None:
    said: list[str] = []

    async def main() -> tuple[bool, int | None]:
        told = Signals(on_first=lambda: said.append("gently"), on_second=lambda: said.append("now"))
        with caught(told):
            is_taken = await asyncio.to_thread(windows.tells, event)
            await asyncio.sleep(0)
        return is_taken, told.number

    assert asyncio.run(main()) == (True, signal.SIGTERM)
    assert said == ["gently"]
    assert naps == [4.0]
    assert windows.handlers == []


@pytest.mark.parametrize("event", [CTRL_C, CTRL_BREAK], ids=["ctrl-c", "ctrl-break"])
def test_keys_are_left_to_the_signals_that_python_makes_of_them(
    windows: Kernel32, naps: list[float], event: int
) -> None:
    said: list[str] = []

    async def main() -> bool:
        with caught(Signals(on_first=lambda: said.append("1"), on_second=lambda: said.append("2"))):
            return await asyncio.to_thread(windows.tells, event)

    assert asyncio.run(main()) is False
    assert (said, naps) == ([], [])


@pytest.fixture
def ctrl_break(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """A signal of this system that has the name of the one of Ctrl-Break."""
    monkeypatch.setattr(signal, "SIGBREAK", signal.SIGUSR1, raising=False)
    before = signal.getsignal(signal.SIGUSR1)
    yield signal.SIGUSR1
    assert signal.getsignal(signal.SIGUSR1) is before


def test_ctrl_break_ends_a_run_like_ctrl_c(ctrl_break: int) -> None:
    said: list[str] = []

    async def main() -> int | None:
        told = Signals(on_first=lambda: said.append("gently"), on_second=lambda: said.append("now"))
        with caught(told):
            for number in (ctrl_break, signal.SIGINT):
                signal.raise_signal(number)
                await asyncio.sleep(0)
                await asyncio.sleep(0)
        return told.number

    assert asyncio.run(main()) == ctrl_break
    assert said == ["gently", "now"]


def test_ctrl_break_ends_a_command_that_places_no_calls(ctrl_break: int) -> None:
    with pytest.raises(Terminated, match="nothing more was done"), interruptible():
        signal.raise_signal(ctrl_break)


# The lock


def locking(descriptor: int, mode: int, length: int) -> None:
    """Lock a range from where the file stands, against every other opening of it."""
    assert mode == LK_NBLCK
    is_read_only = fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY
    kind = fcntl.F_RDLCK if is_read_only else fcntl.F_WRLCK  # Windows locks both alike
    start = os.lseek(descriptor, 0, os.SEEK_CUR)
    fcntl.fcntl(
        descriptor,
        fcntl.F_OFD_SETLK,
        struct.pack("hhqqi4x", kind, os.SEEK_SET, start, length, 0),
    )


LK_NBLCK = 2


@pytest.fixture
def windows_lock(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    """The lock of a campaign as it is held on Windows."""
    msvcrt = types.ModuleType("msvcrt")
    msvcrt.locking, msvcrt.LK_NBLCK = locking, LK_NBLCK  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "msvcrt", msvcrt)
    return as_on_windows(lock, monkeypatch)


def test_a_campaign_is_held_once_and_who_holds_it_can_be_read(
    windows_lock: types.ModuleType, tmp_path: Path
) -> None:
    pauses: list[None] = []

    assert not windows_lock.is_held(tmp_path, "mora")
    with windows_lock.hold(tmp_path, "mora") as holder:
        assert windows_lock.is_held(tmp_path, "mora")
        assert windows_lock.holder_of(tmp_path, "mora") == holder
        with (
            pytest.raises(CampaignHeld, match=f"is being run by {holder.user} on"),
            windows_lock.hold(tmp_path, "mora", pause=lambda: pauses.append(None)),
        ):
            pass
        with windows_lock.hold(tmp_path, "otra"):
            pass

    assert not windows_lock.is_held(tmp_path, "mora")
    assert len(pauses) == 100  # a probe looks like a run there, so it is waited for a moment


def test_a_run_waits_for_a_probe_that_looks_like_a_run(
    windows_lock: types.ModuleType, tmp_path: Path
) -> None:
    with windows_lock.hold(tmp_path, "mora"):
        pass
    (path,) = tmp_path.iterdir()
    probe = os.open(path, os.O_RDONLY)
    assert windows_lock._exclusive(probe)
    pauses: list[None] = []

    def pause() -> None:
        pauses.append(None)
        if len(pauses) == 3:
            os.close(probe)

    with windows_lock.hold(tmp_path, "mora", pause=pause) as holder:
        assert windows_lock.holder_of(tmp_path, "mora") == holder

    assert len(pauses) == 3


def test_one_process_at_a_time_creates_a_ledger(
    windows_lock: types.ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    first = windows_lock.creating(tmp_path)
    first.__enter__()

    def nap() -> None:
        order.append("waited")
        first.__exit__(None, None, None)

    monkeypatch.setattr(windows_lock, "_nap", nap)
    with windows_lock.creating(tmp_path):
        order.append("entered")

    assert order == ["waited", "entered"]
