"""By when a request must have ended."""

from __future__ import annotations

import asyncio
import types
from typing import Self


class Deadline:
    """
    Cancels the task inside it when time is up, as ``asyncio.timeout`` does.

    Serves one request after another with one timer, which rings, finds that the deadline has
    moved, and is set anew: a timer for each request costs a tenth of the request.

    Attributes:
        has_passed: Time was up.
    """

    def __init__(self) -> None:
        self.has_passed = False
        self._at: float | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[object] | None = None
        self._cancelling = 0

    def __enter__(self) -> Self:
        self.has_passed = False
        self._task = asyncio.current_task()
        self._cancelling = self._task.cancelling() if self._task else 0
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: types.TracebackType | None,
    ) -> bool:
        task, self._task, self._at = self._task, None, None
        if task is None or not self.has_passed:
            return False
        is_ours = task.uncancel() <= self._cancelling  # else somebody else cancelled it too
        return is_ours and kind is asyncio.CancelledError

    def move(self, seconds: float) -> None:
        """End *seconds* from now; a deadline that has passed stands."""
        if self.has_passed:
            return
        self._at = asyncio.get_running_loop().time() + seconds
        if self._timer is None or self._timer.when() > self._at:
            self._set(self._at)

    def close(self) -> None:
        """Leave no timer behind."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _set(self, at: float) -> None:
        self.close()
        self._timer = asyncio.get_running_loop().call_at(at, self._ring)

    def _ring(self) -> None:
        self._timer = None
        if self._at is None or self._task is None:
            return
        loop = asyncio.get_running_loop()
        if loop.time() < self._at:
            self._set(self._at)
        else:
            # After a pause of the machine an answer and the end of its time are found at once;
            # what has come, has come: its reader, woken by now, goes first.
            loop.call_soon(self._end)

    def _end(self) -> None:
        if self._at is None or self._task is None:
            return
        if asyncio.get_running_loop().time() >= self._at:
            self.has_passed = True
            self._task.cancel()
