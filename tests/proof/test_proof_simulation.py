"""Thousands of schedules on a clock that jumps: whatever happens, nobody is called twice."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from dispatcher.model import CallState, CallStatus
from dispatcher.pacer import Rate
from dispatcher.policy import ConductRules

if TYPE_CHECKING:
    from tests.proof.conftest import Process, World

    WorldOf = Callable[[object], World]

SCHEDULES = int(os.environ.get("PROOF_SCHEDULES", "3000"))
ONCE_FAILED: tuple[int, ...] = ()


class Schedule:
    """What happens in one world, drawn from its seed."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.random = world.random

    def play(self) -> None:
        """Let some rounds of runs fare as chance has it, then one in peace."""
        world, random = self.world, self.random
        for _ in range(random.randint(1, 4)):
            self._weather()
            some = random.choice((["mora"], ["mora"], ["otra"], ["mora", "otra"], ["otra", "mora"]))
            rate = self._rate()
            processes = [self._process(campaign, rate) for campaign in some]
            world.run(*processes, apart=random.choice((0.0, 0.5, 5.0)))
            for process in processes:
                self._judge_run(process)
            self._judge_pace(processes, rate)
            world.loop.passed += random.choice((1.0, 100.0, 5000.0))
        self._heal()
        self._judge_end()

    def _weather(self) -> None:
        from tests.proof.conftest import CALM, FAILING, ROUGH, STINGY

        world, random = self.world, self.random
        world.manners = random.choice((CALM, ROUGH, ROUGH, FAILING, STINGY))
        world.disk_pace = random.choice(
            ((0.0,), (0.0, 0.003), (0.001, 0.05, 0.3), (0.01, 0.9, 2.5))
        )
        world.away = []
        for _ in range(random.choice((0, 0, 1, 2))):
            start = world.time() + random.choice((0.0, 0.3, 3.0, 30.0)) * random.random()
            world.away.append((start, start + random.choice((1.0, 60.0, 1200.0, 9000.0))))

    def _rate(self) -> Rate | None:
        return self.random.choice(
            (
                None,
                Rate(count=10, unit_seconds=1),
                Rate(count=2, unit_seconds=1),
                Rate(count=100, unit_seconds=60),
                Rate(count=6, unit_seconds=60),
            )
        )

    def _process(self, campaign: str, rate: Rate | None) -> Process:
        random = self.random
        fates = ("stop", "abort", "kill", "kill", "kill", "full", "unsure", "suspend", "clock")
        step = 0
        drawn = []
        for _ in range(random.choice((0, 1, 1, 2, 3))):
            step += random.randint(1, random.choice((5, 30, 80)))
            drawn.append((step, random.choice(fates)))
        return self.world.process(
            campaign,
            *drawn,
            workers=random.choice((1, 2, 3, 6)),
            rate=rate,
            limit=random.choice((0, 0, 0, 1, 4)),
            max_seconds=random.choice((0.0, 0.0, 0.0, 5.0, 600.0)),
            conduct=ConductRules(
                breaker_failures=random.choice((0, 1, 3, 5)),
                breaker_of_last=random.choice((5, 20)),
                breaker_pause_seconds=random.choice((1.0, 30.0)),
                give_up_seconds=random.choice((0.0, 60.0, 3600.0)),
                max_wait_seconds=random.choice((20.0, 900.0)),
                stop_uncertain=random.choice((0, 1, 3, 20)),
            ),
        )

    def _heal(self) -> None:
        from tests.proof.conftest import CALM

        world = self.world
        world.manners, world.away, world.disk_pace = CALM, [], (0.0,)
        for campaign in ("mora", "otra"):
            process = world.process(campaign, conduct=ConductRules(stop_uncertain=0))
            world.run(process)
            self._judge_run(process)
            if process.done is None or process.done.stopped is not None:
                world.violated(f"a run in peace did not end well: {process.done}")

    # The judges

    def _judge_run(self, process: Process) -> None:
        """Judge one run that ended or died."""
        world, done = self.world, process.done
        if process.is_dead:
            return
        assert done is not None
        counted = {
            status: done.counts.get(CallStatus(status), 0)
            for status in ("placed", "rejected", "uncertain", "failed")
        }
        kept = {status: process.kept[status] for status in counted}
        if counted != kept and not done.unrecorded:
            world.violated(f"counts {counted} for what was recorded {kept}")
        if done.unrecorded and process.disk == "well":
            world.violated("not recorded on a disk that is well")
        bound = process.settings.conduct.stop_uncertain
        if bound and kept["uncertain"] > bound + process.settings.workers:
            world.violated(f"{kept['uncertain']} uncertain calls in one run")
        handed_out = {unrecorded.outcome.call_id for unrecorded in done.unrecorded}
        known = {call_id for (call_id,) in world.read("SELECT call_id FROM calls")}
        for call in world.accepted:
            if call.by is process and call.is_told and call.call_id not in known | handed_out:
                world.violated(f"the id {call.call_id} was told and is lost")

    def _judge_pace(self, processes: list[Process], rate: Rate | None) -> None:
        if rate is None:
            return
        for process in processes:
            worst = most_in_a_window(process.starts, rate.unit_seconds)
            if worst > rate.count:
                self.world.violated(f"{worst} starts in a window of {rate}")

    def _judge_end(self) -> None:
        world = self.world
        rows = world.read("SELECT key, contact, state, call_id, attempts FROM calls")
        standing = {bytes(key).hex(): (state, call_id) for key, _, state, call_id, _ in rows}
        self._judge_keys(standing)
        self._judge_contacts()
        for key, call_id in world.promises.items():
            if standing[key] != (CallState.PLACED, call_id):
                world.violated(f"{call_id} was durable, and its call is {standing[key]}")
        called = {contact for _, contact, state, _, _ in rows if state in ("placed", "uncertain")}
        for _, contact, state, _, _ in rows:
            if state == "sending" or (state == "pending" and contact not in called):
                world.violated(f"a call is still {state} after a run in peace")

    def _judge_keys(self, standing: dict[str, tuple[object, object]]) -> None:
        world = self.world
        for key, times in Counter(call.key for call in world.accepted).items():
            if times > 1:
                world.violated(f"one call was placed {times} times")
        for call in world.accepted:
            if standing[call.key] not in (
                (CallState.PLACED, call.call_id),
                (CallState.UNCERTAIN, None),
            ):
                world.violated(f"{call.call_id} was accepted, and its call is {standing[call.key]}")

    def _judge_contacts(self) -> None:
        by_contact: dict[str, list[float]] = {}
        for call in self.world.accepted:
            by_contact.setdefault(call.contact, []).append(call.at)
        for moments in by_contact.values():
            if any(after - before < 12 * 3600 for before, after in pairwise(sorted(moments))):
                self.world.violated("one contact was called twice")


def most_in_a_window(starts: list[float], unit_seconds: float) -> int:
    """The most starts that any window of the unit holds."""
    moments = sorted(starts)
    return max(
        (
            sum(1 for m in moments[i:] if m - first < unit_seconds)
            for i, first in enumerate(moments)
        ),
        default=0,
    )


def played(world_of: WorldOf, seed: object) -> World:
    world = world_of(seed)
    Schedule(world).play()
    return world


@pytest.mark.parametrize("first", range(0, 40, 20))
def test_no_schedule_breaks_a_promise(world_of: WorldOf, first: int) -> None:
    broken = {
        seed: found
        for seed in range(first, first + 20)
        if (found := played(world_of, seed).violations)
    }

    assert not broken, f"seeds that failed: {broken}"
