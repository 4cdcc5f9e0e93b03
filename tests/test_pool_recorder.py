"""One thread makes all changes durable, in groups that nobody waits for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Sequence
from datetime import UTC, datetime
from functools import wraps
from pathlib import Path
from typing import ParamSpec

import pytest

from dispatcher.errors import StorageFailed
from dispatcher.ledger import Ledger, RecordedOutcome, open_ledger
from dispatcher.model import (
    CallRequest,
    CallState,
    Mark,
    MarkRefusal,
    Outcome,
    PlannedRow,
    Purpose,
    SnapshotHead,
    Verdict,
    Withdrawal,
)
from dispatcher.pool.recorder import Recorder

NOW = datetime(2026, 11, 23, 13, 0, tzinfo=UTC)
NUMBERS = range(2, 42)

P = ParamSpec("P")


def in_a_loop(test: Callable[P, Coroutine[None, None, None]]) -> Callable[P, None]:
    @wraps(test)
    def run(*arguments: P.args, **options: P.kwargs) -> None:
        asyncio.run(test(*arguments, **options))

    return run


class CountingLedger(Ledger):
    """
    A ledger that tells how it is used.

    Attributes:
        groups: How much work each commit took.
        is_full: Refuse all that comes.
    """

    def __init__(self, opened: Ledger) -> None:
        super().__init__(
            opened._storage, ledger_id=opened.id, purpose=opened.purpose, is_new=opened.is_new
        )
        self.groups: list[int] = []
        self.is_full = False

    def commit(
        self, work: Sequence[Mark | Outcome | Withdrawal], *, repeat_after_hours: float
    ) -> list[int | MarkRefusal | RecordedOutcome]:
        self.groups.append(len(work))
        if self.is_full:
            raise StorageFailed("the disk is full")
        return super().commit(work, repeat_after_hours=repeat_after_hours)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[CountingLedger]:
    with open_ledger(str(tmp_path / "l.db"), purpose=Purpose.REAL, create=True) as opened:
        campaign = opened.claim_campaign("mora", key_columns=(), base_url="u")
        head = SnapshotHead(
            file="/a.csv",
            digest="d",
            settings_digest="s",
            format="csv",
            sheet="",
            encoding="",
            delimiter=",",
            headers=("contact_id",),
        )
        rows = [
            PlannedRow(
                number=number,
                cells=(str(number),),
                fate=CallRequest(
                    key=f"{number:032x}",
                    contact=f"{number:032x}",
                    row=number,
                    contact_id=str(number),
                    agent_id="a",
                    from_number_id="n",
                ),
            )
            for number in NUMBERS
        ]
        opened.record(campaign.id, head, rows, digest_of=lambda _: "d", remarks=lambda: (), at=NOW)
        yield CountingLedger(opened)


def mark(number: int) -> Mark:
    return Mark(
        key=f"{number:032x}",
        contact=f"{number:032x}",
        state=CallState.PENDING,
        body=b"{}",
        request_digest="d",
        at=NOW,
        due_at=NOW,
    )


def outcome(number: int) -> Outcome:
    return Outcome(
        key=f"{number:032x}",
        attempt=1,
        state=CallState.PLACED,
        verdict=Verdict.PLACED,
        call_id=f"call-{number}",
        at=NOW,
    )


@in_a_loop
async def test_what_one_turn_of_the_loop_asks_for_is_one_commit(ledger: CountingLedger) -> None:
    with Recorder(ledger, repeat_after_hours=20) as recorder:
        marked = await asyncio.gather(*(recorder.change(mark(number)) for number in NUMBERS))
        ended = await asyncio.gather(*(recorder.change(outcome(number)) for number in NUMBERS))

    assert set(marked) == {1}
    assert set(ended) == {RecordedOutcome.STORED}
    assert ledger.groups == [len(NUMBERS), len(NUMBERS)]


@in_a_loop
async def test_each_who_asks_gets_the_answer_to_what_was_asked(ledger: CountingLedger) -> None:
    with Recorder(ledger, repeat_after_hours=20) as recorder:
        await recorder.change(mark(2))
        answers = tuple(
            await asyncio.gather(
                recorder.change(mark(3)),
                recorder.change(outcome(2)),
                recorder.change(mark(99)),
                recorder.lease("u", lambda free: ((free + 1,), free + 2)),
            )
        )

    assert answers == (1, RecordedOutcome.STORED, MarkRefusal.CHANGED, (1.0,))


@in_a_loop
async def test_what_was_asked_for_is_durable_when_the_recorder_has_ended(
    ledger: CountingLedger,
) -> None:
    with Recorder(ledger, repeat_after_hours=20) as recorder:
        asked = [recorder.change(mark(number)) for number in NUMBERS]

    assert ledger.states()[0].states == {CallState.SENDING: len(NUMBERS)}
    assert set(await asyncio.gather(*asked)) == {1}


@in_a_loop
async def test_who_does_not_wait_any_more_keeps_nobody_from_an_answer(
    ledger: CountingLedger,
) -> None:
    with Recorder(ledger, repeat_after_hours=20) as recorder:
        gone, other = recorder.change(mark(2)), recorder.change(mark(3))
        gone.cancel()

        assert await other == 1


@in_a_loop
async def test_after_a_failed_commit_nothing_more_is_written(ledger: CountingLedger) -> None:
    with Recorder(ledger, repeat_after_hours=20) as recorder:
        ledger.is_full = True
        gone, other = recorder.change(mark(2)), recorder.change(mark(3))
        gone.cancel()
        with pytest.raises(StorageFailed, match="full"):
            await other
        ledger.is_full = False

        with pytest.raises(StorageFailed, match="full"):
            await recorder.change(mark(4))
        with pytest.raises(StorageFailed, match="full"):
            await recorder.lease("u", lambda free: ((), free))

    assert ledger.groups == [2]
    assert ledger.states()[0].states == {CallState.PENDING: len(NUMBERS)}
