"""
Starts at a rate as other programs do, with nothing to do in between.

``python paced_loop.py aiolimiter|sleep COUNT UNIT STARTS`` prints the moments as JSON.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time


async def _limited(count: float, unit: float, starts: int) -> list[float]:
    from aiolimiter import AsyncLimiter  # type: ignore[import-not-found]

    limiter = AsyncLimiter(count, unit)
    moments: list[float] = []

    async def start() -> None:
        async with limiter:
            moments.append(time.monotonic())

    await asyncio.gather(*(start() for _ in range(starts)))
    return moments


async def _slept(count: float, unit: float, starts: int) -> list[float]:
    moments: list[float] = []
    for _ in range(starts):
        moments.append(time.monotonic())
        await asyncio.sleep(unit / count)
    return moments


if __name__ == "__main__":
    how = {"aiolimiter": _limited, "sleep": _slept}[sys.argv[1]]
    paced = how(float(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4]))
    print(json.dumps(asyncio.run(paced)))
