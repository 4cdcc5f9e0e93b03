"""Slots are handed out in their time, whatever the clock does in between."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from dispatcher.ledger import Ledger, open_ledger
from dispatcher.model import Purpose
from dispatcher.pacer import Rate
from dispatcher.pool.recorder import Plan, Recorder
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


class SteppedClock:
    """Stands still but for what is waited for."""

    def __init__(self) -> None:
        self.now = 1000.0

    async def clear(self, moment: float) -> bool:
        self.now = max(self.now, moment)
        return True


class SlowRecorder(Recorder):
    """As on a disk that takes its time: the clock goes on while it leases."""

    def __init__(self, ledger: Ledger, clock: SteppedClock, *, seconds: float) -> None:
        super().__init__(ledger, repeat_after_hours=0)
        self._clock = clock
        self._seconds = seconds

    async def lease(self, base_url: str, plan: Plan) -> tuple[float, ...]:  # type: ignore[override]
        slots = await super().lease(base_url, plan)
        self._clock.now += self._seconds
        return slots


@pytest.mark.parametrize(
    ("seconds", "later"), [(0.0, 0.0), (0.05, 0.0), (0.4, 0.5)], ids=["fast", "usual", "slow"]
)
def test_a_run_that_comes_keeps_clear_of_what_a_slow_ledger_delays(
    tmp_path: Path, seconds: float, later: float
) -> None:
    """The run that is there may start its last calls so much after their slots."""
    rate, clock = Rate(count=100, unit_seconds=1), SteppedClock()

    async def taken(ledger: Ledger, count: int, *, seconds: float) -> list[float]:
        with SlowRecorder(ledger, clock, seconds=seconds) as recorder:
            time = Clock(monotonic=lambda: clock.now)
            slots = Slots(recorder, rate=rate, base_url="here", workers=4, clock=time)
            handed_out = [await slots.next(clock.clear) for _ in range(count)]
        return [slot for slot in handed_out if slot is not None]

    async def main() -> tuple[float, float]:
        with open_ledger(str(tmp_path / "l.db"), purpose=Purpose.REAL, create=True) as ledger:
            *_, last = await taken(ledger, 12, seconds=seconds)
            (first,) = await taken(ledger, 1, seconds=0.0)
        return last, first

    last, first = asyncio.run(main())

    assert first - last == pytest.approx(rate.spacing_seconds + 0.3 + later)
