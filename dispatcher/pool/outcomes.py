"""What came of the attempts of a run, on its way into the ledger."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from functools import partial

from dispatcher.ledger import RecordedOutcome
from dispatcher.model import CallRequest, CallStatus, Outcome, Verdict
from dispatcher.pool.recorder import Changed, Recorder
from dispatcher.pool.settings import Unrecorded


class Outcomes:
    """
    Queues outcomes and takes note of them once they are durable.

    Nobody waits for one: the ledger keeps the order, so that what is queued later, as the mark of
    a worker's next call, is never durable before it.

    Attributes:
        counts: Durable outcomes.
        unrecorded: Those the ledger could not take.

    Args:
        lost: Called with each outcome the ledger could not take.
        failed: Called with the fault, before that.
        repeated: Called with a request whose answer bore the call id of another call.
    """

    def __init__(
        self,
        *,
        lost: Callable[[Unrecorded], None],
        failed: Callable[[BaseException], None],
        repeated: Callable[[CallRequest], None],
    ) -> None:
        self.counts: Counter[CallStatus] = Counter()
        self.unrecorded: list[Unrecorded] = []
        self._lost = lost
        self._failed = failed
        self._repeated = repeated
        self._on_the_way: set[asyncio.Future[Changed]] = set()

    def queue(
        self,
        recorder: Recorder,
        request: CallRequest,
        outcome: Outcome,
        *,
        over: Callable[[], None],
    ) -> None:
        """Have *recorder* make an outcome durable; *over* is called when it has, or has failed."""
        recording = recorder.change(outcome)
        self._on_the_way.add(recording)
        recording.add_done_callback(partial(self._recorded, request, outcome, over))

    async def settled(self) -> None:
        """Wait until all that was queued is durable, or could not be made so."""
        if self._on_the_way:
            await asyncio.wait(self._on_the_way)

    def _recorded(
        self,
        request: CallRequest,
        outcome: Outcome,
        over: Callable[[], None],
        recording: asyncio.Future[Changed],
    ) -> None:
        self._on_the_way.discard(recording)
        over()
        if (fault := recording.exception()) is not None:  # whatever it was: a person must hear it
            unrecorded = Unrecorded(row=request.row, outcome=outcome)
            self.unrecorded.append(unrecorded)
            self._failed(fault)
            self._lost(unrecorded)
            return
        if outcome.verdict is not Verdict.NOT_SENT:
            self.counts[CallStatus(outcome.verdict)] += 1
        if recording.result() is RecordedOutcome.REPEATED_ID:
            self._repeated(request)
