"""
The bare fast server, which also remembers when each request arrived.

``python tests/benchmarks/arrivals_server.py PORT SECONDS``: as for ``fast_server``; the moments
(monotonic seconds) stand in its JSON object as ``arrivals``.
"""

from __future__ import annotations

import asyncio
import json
import sys

import fast_server


class Counter(fast_server._Counter):
    """Counts, and remembers when."""

    def __init__(self) -> None:
        super().__init__()
        self._arrivals: list[float] = []

    def answer(self) -> bytes:
        said = super().answer()
        self._arrivals.append(self.last_at)
        return said

    def told(self) -> str:
        return json.dumps({**json.loads(super().told()), "arrivals": self._arrivals})


if __name__ == "__main__":
    fast_server._Counter = Counter  # type: ignore[misc]
    asyncio.run(fast_server._serve(int(sys.argv[1]), float(sys.argv[2])))
