"""What one process costs."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
PYTHON = sys.executable
DISPATCHER = (PYTHON, "-m", "dispatcher")

_NOTHING: Mapping[str, str] = {}
_MEGABYTE = 1024 * (1024 if sys.platform == "darwin" else 1)  # in units of ru_maxrss


class BenchmarkFailed(Exception):
    """A process that was to be measured did not do its work."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """
    What a process has used.

    Attributes:
        started_at: Monotonic seconds, the same for all processes.
        wall_seconds: From its start to its end.
        cpu_seconds: Of all its threads, in the kernel too.
        peak_megabytes: Most memory resident at once.
        output: What it wrote to stdout.
    """

    started_at: float
    wall_seconds: float
    cpu_seconds: float
    peak_megabytes: float
    output: str


def measure(
    command: Sequence[str | Path],
    *,
    folder: Path,
    times: int = 1,
    environment: Mapping[str, str] = _NOTHING,
) -> Usage:
    """
    Run a command *times* times in *folder*, and return the usage of the cheapest run.

    What it starts and waits for itself is counted as its own. *environment* is added to this one.

    The kernel counts the memory of whoever starts a process as the process's own, so this process
    has to stay smaller than what it measures: it imports nothing large, and works with no sheet.

    Raises:
        BenchmarkFailed: it did not end with exit status 0.
    """
    whole = {**os.environ, "PYTHONPATH": str(PROJECT), "NO_PROXY": "127.0.0.1", **environment}
    runs = [_run([str(part) for part in command], folder, whole) for _ in range(times)]
    return min(runs, key=lambda usage: usage.cpu_seconds)


def _run(command: list[str], folder: Path, environment: Mapping[str, str]) -> Usage:
    started_at = time.monotonic()
    with (
        tempfile.TemporaryFile("w+", encoding="utf-8") as messages,
        subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=messages,
            text=True,
        ) as process,
    ):
        assert process.stdout is not None
        output = process.stdout.read()
        _, status, used = os.wait4(process.pid, 0)
        wall_seconds = time.monotonic() - started_at
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            messages.seek(0)
            raise BenchmarkFailed(
                f"{' '.join(command)} ended with status {process.returncode}\n{messages.read()}"
            )
    return Usage(
        started_at=started_at,
        wall_seconds=wall_seconds,
        cpu_seconds=used.ru_utime + used.ru_stime,
        peak_megabytes=used.ru_maxrss / _MEGABYTE,
        output=output,
    )
