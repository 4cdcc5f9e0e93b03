"""The workers of a run as tasks: none is cancelled because another failed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine

from dispatcher.errors import StorageFailed

Work = Coroutine[None, None, None]


class Crew:
    """
    Workers that end when there is nothing left to do.

    Not a TaskGroup: it would cancel requests that are out when one worker fails. Here the others
    finish what they sent and record it; then the fault is raised.

    Args:
        hire: Makes one more worker.
        failed: Told at once of a worker's fault, so that nothing new begins.
    """

    def __init__(
        self, hire: Callable[[], Awaitable[Work]], *, failed: Callable[[BaseException], None]
    ) -> None:
        self._hire = hire
        self._failed = failed
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def size(self) -> int:
        """Workers hired so far."""
        return len(self._tasks)

    async def grow_to(self, size: int) -> None:
        """Hire until there are so many; nobody is let go."""
        while self.size < size:
            task = asyncio.create_task(await self._hire())
            task.add_done_callback(self._notice)
            self._tasks.append(task)

    async def work(self) -> None:
        """
        Wait until all have ended, also those hired meanwhile.

        Raises:
            BaseException: A worker's fault other than a ledger's, which only stops a run.
        """
        while out := [task for task in self._tasks if not task.done()]:
            await asyncio.wait(out)
        for task in self._tasks:
            fault = task.exception()
            if fault is not None and not isinstance(fault, StorageFailed):
                raise fault

    def _notice(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (fault := task.exception()) is not None:
            self._failed(fault)
