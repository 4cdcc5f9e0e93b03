"""The calls still to be made, handed out one by one."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator
from itertools import islice

from dispatcher.model import DueCall

_CHUNK = 256


class Source:
    """
    Hands out due calls in order, at most *limit* of them (0: all).

    Reading the ledger happens in a thread, a chunk at a time. A call whose contact was being
    called at that moment is put aside and offered again after all others.
    """

    def __init__(self, calls: Iterator[DueCall], *, limit: int = 0) -> None:
        self._calls = calls
        self._ready: deque[DueCall] = deque()
        self._aside: deque[DueCall] = deque()
        self._left = limit or None
        self._reading = asyncio.Lock()

    async def take(self) -> DueCall | None:
        """Return the next call, or None when there is none or the limit is reached."""
        if (not self._ready and not await self._refill()) or self._left == 0:
            return None
        if self._left is not None:
            self._left -= 1
        return self._ready.popleft()

    def give_back(self) -> None:
        """Say that the call last taken was not started, so that it does not count."""
        if self._left is not None:
            self._left += 1

    def put_aside(self, call: DueCall) -> None:
        """Offer *call* again after all others."""
        self._aside.append(call)

    async def is_limited(self) -> bool:
        """Whether the limit alone holds back further calls."""
        return self._left == 0 and await self._refill()

    async def _refill(self) -> bool:
        async with self._reading:
            if not self._ready:
                self._ready.extend(await asyncio.to_thread(lambda: [*islice(self._calls, _CHUNK)]))
            if not self._ready and self._aside:
                self._ready.append(self._aside.popleft())
            return bool(self._ready)
