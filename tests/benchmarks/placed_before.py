"""
Places calls in a ledger as runs of yesterday would have, and calls nobody.

``python tests/benchmarks/placed_before.py LEDGER CAMPAIGN COUNT`` writes through the ledger's own
transitions: each call is marked, then its outcome is recorded.
"""

from __future__ import annotations

import sys
import uuid
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice

from dispatcher.ledger import DueRules, Ledger, open_ledger
from dispatcher.model import CallState, DueCall, Mark, Outcome, Purpose, Verdict
from dispatcher.planning import DelayMode, body_of, request_digest

_PER_COMMIT = 1_000
_REPEAT_AFTER_HOURS = 20


def place_before(ledger: Ledger, campaign: str, calls: int) -> None:
    """Record the first *calls* due calls of a campaign as placed."""
    known = ledger.campaign(campaign)
    assert known is not None
    snapshot = ledger.last_snapshot(known.id)
    assert snapshot is not None
    at = datetime.now(tz=UTC) - timedelta(days=1)
    due = islice(
        ledger.due(snapshot, DueRules(), repeat_after_hours=_REPEAT_AFTER_HOURS, as_of=at), calls
    )
    while group := list(islice(due, _PER_COMMIT)):
        marks = [_mark(call, campaign, at) for call in group]
        ledger.commit(marks, repeat_after_hours=_REPEAT_AFTER_HOURS)
        ledger.commit(list(_outcomes(group, at)), repeat_after_hours=_REPEAT_AFTER_HOURS)


def _mark(call: DueCall, campaign: str, at: datetime) -> Mark:
    request = call.request
    return Mark(
        key=request.key,
        contact=request.contact,
        state=call.state,
        body=body_of(request, campaign=campaign, now=at, delay=DelayMode.SCHEDULE),
        request_digest=request_digest(request),
        at=at,
        due_at=at,
        asked=call,
    )


def _outcomes(group: Sequence[DueCall], at: datetime) -> Iterator[Outcome]:
    for call in group:
        call_id = str(uuid.uuid4())
        yield Outcome(
            key=call.request.key,
            attempt=1,
            state=CallState.PLACED,
            verdict=Verdict.PLACED,
            http_status=201,
            call_id=call_id,
            created_at="2026-11-01T00:00:00Z",
            excerpt=f'{{"statusCode":201,"data":{{"call_id":"{call_id}"}}}}',
            at=at,
        )


def _main() -> None:
    place, campaign, calls = sys.argv[1:]
    with (
        open_ledger(place, purpose=Purpose.REAL, create=False) as ledger,
        ledger.holding.hold(campaign),
    ):
        place_before(ledger, campaign, int(calls))


if __name__ == "__main__":
    _main()
