"""One thread that makes every change of a live run durable, whatever is queued in one commit."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self, TypeVar

from dispatcher.ledger import Ledger, RecordedOutcome
from dispatcher.model import Mark, MarkRefusal, Outcome, Withdrawal

Change = Mark | Outcome | Withdrawal
Changed = int | MarkRefusal | RecordedOutcome
Plan = Callable[[float], tuple[tuple[float, ...], float]]

_MOST_PER_COMMIT = 1_000

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Job:
    change: Change
    future: asyncio.Future[Changed]


@dataclass(frozen=True, slots=True)
class _Lease:
    base_url: str
    plan: Plan
    future: asyncio.Future[tuple[float, ...]]


class Recorder:
    """
    The only writer of a run.

    It commits whatever has been queued as soon as it is idle, outcomes before marks, so that a
    busy run pays for one sync per group and a quiet one waits for nothing. A future is resolved
    only when its commit has returned: what it says is durable.

    After a failed commit nothing more is written: every later job fails with the same fault.
    """

    def __init__(self, ledger: Ledger, *, repeat_after_hours: float) -> None:
        self._ledger = ledger
        self._repeat_after_hours = repeat_after_hours
        self._queue: queue.SimpleQueue[_Job | _Lease | None] = queue.SimpleQueue()
        self._fault: BaseException | None = None
        self._thread = threading.Thread(target=self._serve, name="recorder", daemon=True)

    def __enter__(self) -> Self:
        """Start the thread."""
        self._loop = asyncio.get_running_loop()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Finish what is queued and end the thread."""
        self._queue.put(None)
        self._thread.join()

    def change(self, change: Change) -> asyncio.Future[Changed]:
        """
        Ask for one guarded transition.

        Returns:
            A future that answers once it is durable: for a mark the attempt's number or why it
            was refused, else what became of the record. It raises ``StorageFailed``.
        """
        future: asyncio.Future[Changed] = self._loop.create_future()
        self._queue.put(_Job(change, future))
        return future

    def lease(self, base_url: str, plan: Plan) -> asyncio.Future[tuple[float, ...]]:
        """Take slots out of the row that all live runs on this ledger share."""
        future: asyncio.Future[tuple[float, ...]] = self._loop.create_future()
        self._queue.put(_Lease(base_url, plan, future))
        return future

    def _serve(self) -> None:
        while (first := self._queue.get()) is not None:
            self._write([first, *self._queued()])

    def _write(self, work: Sequence[_Job | _Lease]) -> None:
        for lease in (job for job in work if isinstance(job, _Lease)):
            self._reserve(lease)
        # Outcomes go first: a mark in the same commit then sees what its contact has become.
        jobs = [job for job in work if isinstance(job, _Job)]
        jobs.sort(key=lambda job: isinstance(job.change, Mark))
        if jobs:
            self._commit(jobs)

    def _queued(self) -> list[_Job | _Lease]:
        work: list[_Job | _Lease] = []
        while len(work) < _MOST_PER_COMMIT:
            try:
                job = self._queue.get_nowait()
            except queue.Empty:
                break
            if job is None:
                self._queue.put(None)
                break
            work.append(job)
        return work

    def _reserve(self, lease: _Lease) -> None:
        try:
            self._refuse_after_fault()
            slots = self._ledger.reserve(lease.base_url, lease.plan)
        except BaseException as fault:  # noqa: BLE001 - whoever waits must hear of it
            self._fault = fault
            self._answer([_fail(lease.future, fault)])
        else:
            self._answer([_resolve(lease.future, slots)])

    def _commit(self, jobs: Sequence[_Job]) -> None:
        try:
            self._refuse_after_fault()
            results = self._ledger.commit(
                [job.change for job in jobs], repeat_after_hours=self._repeat_after_hours
            )
        except BaseException as fault:  # noqa: BLE001 - whoever waits must hear of it
            self._fault = fault
            self._answer([_fail(job.future, fault) for job in jobs])
        else:
            pairs = zip(jobs, results, strict=True)
            self._answer([_resolve(job.future, result) for job, result in pairs])

    def _refuse_after_fault(self) -> None:
        if self._fault is not None:
            raise self._fault

    def _answer(self, answers: Sequence[Callable[[], None]]) -> None:
        def deliver() -> None:
            for answer in answers:
                answer()

        self._loop.call_soon_threadsafe(deliver)


def _resolve(future: asyncio.Future[T], result: T) -> Callable[[], None]:
    return lambda: None if future.done() else future.set_result(result)


def _fail(future: asyncio.Future[T], fault: BaseException) -> Callable[[], None]:
    return lambda: None if future.done() else future.set_exception(fault)
