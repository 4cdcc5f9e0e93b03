"""
Runs the command and notes what its CPU is used for while calls are placed.

``python tests/benchmarks/sampled_run.py FILE ARGUMENTS...`` runs ``dispatcher ARGUMENTS`` on Linux
and writes CPU seconds by group to FILE as one JSON object.

A timer of the kernel interrupts the process after every few milliseconds of CPU. Each thread's CPU
clock is read then, and what it has advanced is put down to the innermost function of that thread
that belongs to a group. So nothing is slowed down but by the interrupts, and no thread's waiting
counts. Only samples inside the event loop count: reading, recording and writing sheets have parts
of their own.
"""

from __future__ import annotations

import json
import signal
import sys
import threading
import time
from pathlib import Path
from types import FrameType

INTERVAL_SECONDS = 0.004

REST = "event loop and sockets"
PROGRESS = "progress bar"
LOGGING = "logging"
LEDGER = "ledger"

# Whose functions they are, by the beginning of a module's name; the longest that fits decides.
_OWNERS = {
    "HTTP": (
        "dispatcher.client",
        "httpx",
        "httpcore",
        "h11",
        "httptools",
        "anyio",
        "sniffio",
        "ssl",
    ),
    LEDGER: ("dispatcher.ledger", "dispatcher.pool.recorder", "sqlalchemy", "sqlite3"),
    "pacing": ("dispatcher.pacer", "dispatcher.pool.slots"),
    "policy": ("dispatcher.policy", "dispatcher.pool.traffic", "dispatcher.pool.stops"),
    "JSON": ("json",),
    "request and its key": ("dispatcher.planning", "dispatcher.model", "dispatcher.pool.source"),
    PROGRESS: ("dispatcher.progress", "dispatcher.cli.live", "tqdm"),
    LOGGING: ("logging",),
    "workers and retries": ("dispatcher.pool", "tenacity"),
}
GROUPS = (*_OWNERS, REST)
_GROUP_OF = {module: group for group, modules in _OWNERS.items() for module in modules}
_LOOP = "asyncio.base_events"


def group_of(module: str) -> str | None:
    """Return the group of a module, None for one that works for whoever calls it."""
    while module:
        if module in _GROUP_OF:
            return _GROUP_OF[module]
        module = module.rpartition(".")[0]
    return None


class Sampler:
    """Adds up the CPU seconds of each group; started and read in the main thread."""

    def __init__(self) -> None:
        self.seconds = dict.fromkeys(GROUPS, 0.0)
        self._read_at: dict[int, float] = {}

    def start(self) -> None:
        """Sample from now on."""
        signal.signal(signal.SIGPROF, self._sample)
        signal.setitimer(signal.ITIMER_PROF, INTERVAL_SECONDS, INTERVAL_SECONDS)

    def stop(self) -> None:
        """Sample no more."""
        signal.setitimer(signal.ITIMER_PROF, 0)

    def _sample(self, _number: int, interrupted: FrameType | None) -> None:
        frames = sys._current_frames()
        loop = _inside_loop(_modules(interrupted))
        for thread in threading.enumerate():
            if thread.ident is None:
                continue  # it is about to start
            spent = self._spent(thread.ident)
            is_main = thread is threading.main_thread()
            modules = loop if is_main else _modules(frames.get(thread.ident))
            if loop:
                self.seconds[next(filter(None, map(group_of, modules)), REST)] += spent

    def _spent(self, thread: int) -> float:
        """Return the CPU seconds of a thread since it was last asked."""
        clock = time.clock_gettime(time.pthread_getcpuclockid(thread))
        spent = clock - self._read_at.get(thread, 0.0)
        self._read_at[thread] = clock
        return spent


def _modules(frame: FrameType | None) -> list[str]:
    """Return the modules of a stack, innermost first."""
    names = []
    while frame is not None:
        names.append(str(frame.f_globals.get("__name__", "")))
        frame = frame.f_back
    return names


def _inside_loop(modules: list[str]) -> list[str]:
    """Return the part of a stack that the event loop has called, empty where none runs."""
    outermost = max((place for place, name in enumerate(modules) if name == _LOOP), default=-1)
    return modules[: outermost + 1]


def _main() -> int:
    target, *arguments = sys.argv[1:]
    from dispatcher.cli.app import run_app

    sampler = Sampler()
    sampler.start()
    status = run_app(arguments)
    sampler.stop()
    Path(target).write_text(json.dumps(sampler.seconds), encoding="utf-8")
    return status


if __name__ == "__main__":
    sys.exit(_main())
