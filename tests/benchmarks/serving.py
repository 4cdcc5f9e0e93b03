"""Work done against the bare fast server, and what the server saw of it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from measuring import PYTHON, Usage

_SERVER = Path(__file__).resolve().parent / "fast_server.py"


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """
    What a process used, and what it asked of the server.

    Attributes:
        usage: Of the process alone: the server is another.
        calls: How many the server placed.
        per_second: Calls a second between the first and the last, as the server saw them.
        first_call_seconds: From the start of the process to the first call; 0 without one.
    """

    usage: Usage
    calls: int
    per_second: float
    first_call_seconds: float


def served(work: Callable[[str], Usage], *, delay_seconds: float = 0) -> Served:
    """Do *work*, given the URL of a server of its own that answers after *delay_seconds*."""
    command = [PYTHON, str(_SERVER), str(delay_seconds)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        try:
            usage = work(f"http://127.0.0.1:{int(server.stdout.readline())}")
        finally:
            server.stdin.close()
        seen = json.loads(server.stdout.read())
    between = seen["last_at"] - seen["first_at"]
    return Served(
        usage=usage,
        calls=seen["calls"],
        per_second=(seen["calls"] - 1) / between if between else 0.0,
        first_call_seconds=seen["first_at"] - usage.started_at if seen["calls"] else 0.0,
    )
