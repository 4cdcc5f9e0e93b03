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
        port: Of the server: a campaign stays with the address it was begun at.
    """

    usage: Usage
    calls: int
    per_second: float
    first_call_seconds: float
    port: int


def served(work: Callable[[str], Usage], *, delay_seconds: float = 0, port: int = 0) -> Served:
    """
    Do *work*, given the URL of a server of its own.

    Arguments:
        work: Done in another process.
        delay_seconds: The server answers each request so much later.
        port: The server's, 0 for a free one.
    """
    command = [PYTHON, str(_SERVER), str(port), str(delay_seconds)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        port = int(server.stdout.readline())
        try:
            usage = work(f"http://127.0.0.1:{port}")
        finally:
            seen, _ = server.communicate()
        tally = json.loads(seen)
    between = tally["last_at"] - tally["first_at"]
    return Served(
        usage=usage,
        calls=tally["calls"],
        per_second=(tally["calls"] - 1) / between if between else 0.0,
        first_call_seconds=tally["first_at"] - usage.started_at if tally["calls"] else 0.0,
        port=port,
    )
