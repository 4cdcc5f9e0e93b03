"""One thread that makes every change of a live run durable, whatever is queued in one commit."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import NamedTuple, Self, TypeVar

from dispatcher.ledger import Ledger, RecordedOutcome
from dispatcher.model import Mark, MarkRefusal, Outcome, Withdrawal

Change = Mark | Outcome | Withdrawal
Changed = int | MarkRefusal | RecordedOutcome
Plan = Callable[[float], tuple[tuple[float, ...], float]]

_MOST_PER_COMMIT = 1_000

T = TypeVar("T")


class _Job(NamedTuple):
    change: Change
    future: asyncio.Future[Changed]


class _Lease(NamedTuple):
    base_url: str
    plan: Plan
    future: asyncio.Future[tuple[float, ...]]


class Recorder:
    """
    The only writer of a run.

    It commits whatever has been asked for as soon as it is idle, so that a busy run pays for one
    sync per group and a quiet one waits for nothing. A future is resolved only when its commit has
    returned: what it says is durable. The thread is woken once for all that one turn of the event
    loop asks for, and the loop once for all that a commit answers: each wakes at a price.

    After a failed commit nothing more is written: every later job fails with the same fault.
    """

    def __init__(self, ledger: Ledger, *, repeat_after_hours: float) -> None:
        self._ledger = ledger
        self._repeat_after_hours = repeat_after_hours
        self._asked: deque[_Job | _Lease] = deque()
        self._goes_on: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self._is_waking = False
        self._fault: BaseException | None = None
        self._thread = threading.Thread(target=self._serve, name="recorder", daemon=True)

    def __enter__(self) -> Self:
        """Start the thread."""
        self._loop = asyncio.get_running_loop()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Finish what is queued and end the thread."""
        self._goes_on.put(False)
        self._thread.join()

    def change(self, change: Change) -> asyncio.Future[Changed]:
        """
        Ask for one guarded transition.

        Returns:
            A future that answers once it is durable: for a mark the attempt's number or why it
            was refused, else what became of the record. It raises ``StorageFailed``.
        """
        future: asyncio.Future[Changed] = self._loop.create_future()
        self._ask(_Job(change, future))
        return future

    def lease(self, base_url: str, plan: Plan) -> asyncio.Future[tuple[float, ...]]:
        """Take slots out of the row that all live runs on this ledger share."""
        future: asyncio.Future[tuple[float, ...]] = self._loop.create_future()
        self._ask(_Lease(base_url, plan, future))
        return future

    def _ask(self, job: _Job | _Lease) -> None:
        self._asked.append(job)
        if not self._is_waking:
            self._is_waking = True
            self._loop.call_soon(self._wake)

    def _wake(self) -> None:
        self._is_waking = False
        self._goes_on.put(True)

    def _serve(self) -> None:
        goes_on = True
        while goes_on:
            goes_on = self._goes_on.get()
            while work := self._queued():
                self._write(work)

    def _queued(self) -> list[_Job | _Lease]:
        count = min(len(self._asked), _MOST_PER_COMMIT)
        return [self._asked.popleft() for _ in range(count)]

    def _write(self, work: Sequence[_Job | _Lease]) -> None:
        for lease in (job for job in work if isinstance(job, _Lease)):
            self._reserve(lease)
        if jobs := [job for job in work if isinstance(job, _Job)]:
            self._commit(jobs)

    def _reserve(self, lease: _Lease) -> None:
        try:
            self._refuse_after_fault()
            slots = self._ledger.reserve(lease.base_url, lease.plan)
        except BaseException as fault:  # noqa: BLE001 - whoever waits must hear of it
            self._fault = fault
            self._loop.call_soon_threadsafe(_fail, [lease.future], fault)
        else:
            self._loop.call_soon_threadsafe(_resolve, [lease.future], [slots])

    def _commit(self, jobs: Sequence[_Job]) -> None:
        futures = [job.future for job in jobs]
        try:
            self._refuse_after_fault()
            answers = self._ledger.commit(
                [job.change for job in jobs], repeat_after_hours=self._repeat_after_hours
            )
        except BaseException as fault:  # noqa: BLE001 - whoever waits must hear of it
            self._fault = fault
            self._loop.call_soon_threadsafe(_fail, futures, fault)
        else:
            self._loop.call_soon_threadsafe(_resolve, futures, answers)

    def _refuse_after_fault(self) -> None:
        if self._fault is not None:
            raise self._fault


def _resolve(futures: Sequence[asyncio.Future[T]], answers: Sequence[T]) -> None:
    for future, answer in zip(futures, answers, strict=True):
        if not future.done():
            future.set_result(answer)


def _fail(futures: Sequence[asyncio.Future[T]], fault: BaseException) -> None:
    for future in futures:
        if not future.done():
            future.set_exception(fault)
