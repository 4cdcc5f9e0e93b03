"""Slots are handed out in their time, whatever the clock does in between."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from dispatcher.ledger import open_ledger
from dispatcher.model import Purpose
from dispatcher.pacer import Rate
from dispatcher.pool.recorder import Recorder
from dispatcher.pool.settings import Clock
from dispatcher.pool.slots import MARK_AHEAD_SECONDS, Slots

RATE = Rate(count=100, unit_seconds=60)


@pytest.mark.parametrize("ticks", range(6))
def test_a_slot_that_passes_while_it_is_looked_at_is_exchanged(ticks: int, tmp_path: Path) -> None:
    now, tick = 1000.0, 0.001
    slots: list[Slots] = []
    lateness = [MARK_AHEAD_SECONDS + RATE.tolerance_seconds(is_shared=True) / 2 - ticks * tick]

    def monotonic() -> float:
        nonlocal now
        now += tick
        return now

    async def clear(moment: float) -> bool:
        nonlocal now
        now = max(now, moment)
        if slots[0]._free and lateness:
            now = moment + lateness.pop()
        return True

    async def main() -> float | None:
        with (
            open_ledger(str(tmp_path / "l.db"), purpose=Purpose.REAL, create=True) as ledger,
            Recorder(ledger, repeat_after_hours=0) as recorder,
        ):
            clock = Clock(monotonic=monotonic)
            slots.append(Slots(recorder, rate=RATE, base_url="here", workers=1, clock=clock))
            return await slots[0].next(clear)

    slot = asyncio.run(main())

    assert slot is not None
    assert slot > now - RATE.tolerance_seconds(is_shared=True)
    assert lateness == []
