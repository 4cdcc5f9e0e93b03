"""Thousands of schedules on a clock that jumps: whatever happens, nobody is called twice."""

from __future__ import annotations

import asyncio
import io
import os
import re
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime
from itertools import pairwise
from random import Random
from typing import TYPE_CHECKING

import pytest

from dispatcher import policy
from dispatcher.cli.live import tally_of
from dispatcher.ledger import DueRules, Ledger
from dispatcher.model import (
    CallState,
    CallStatus,
    Cause,
    DueCall,
    Evidence,
    Judgement,
    Mark,
    NoReply,
    Outcome,
    Reply,
    StopWord,
    Verdict,
    Withdrawal,
)
from dispatcher.pacer import Lease, Rate, lease
from dispatcher.policy import ConductRules
from dispatcher.pool import Pool, slots, workers
from dispatcher.pool.recorder import Recorder
from dispatcher.pool.slots import Slots
from dispatcher.pool.traffic import Traffic
from dispatcher.progress import Progress

if TYPE_CHECKING:
    from tests.proof.conftest import Process, World, Worlds

SCHEDULES = int(os.environ.get("PROOF_SCHEDULES", "5000"))
SHORT, CHUNK = 60, 10
ENOUGH = 300
PARTS = 8
SIZES = (*("few",) * 32, *("usual",) * 4, "many")  # few people meet as many faults, and sooner
HOURS = 20
LOOK_SECONDS = workers._TICK_SECONDS  # as a real run looks; the schedules look more seldom
FATES = (
    *("stop", "stop", "asked", "abort"),
    *("kill", "kill", "kill", "full", "unsure", "suspend", "clock"),
)


class Schedule:
    """What happens in one world, drawn from its seed."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.random = world.random
        self.hours = self.random.choice((HOURS, HOURS, HOURS, 0))

    def play(self) -> None:
        """Let some rounds of runs fare as chance has it, then one in peace."""
        world, random = self.world, self.random
        for _ in range(random.choice((1, 1, 2, 2, 3, 4))):
            self._weather()
            some = random.choice((["mora"], ["mora"], ["otra"], ["mora", "otra"], ["otra", "mora"]))
            rate = self._rate()
            processes = [self._process(campaign, rate) for campaign in some]
            world.run(*processes, apart=random.choice((0.0, 0.5, 5.0)))
            for process in processes:
                self._judge_run(process)
            self._judge_pace(processes, rate)
            world.wait(random.choice((1.0, 100.0, 5000.0)))
            world.settle(random.choice((0.0, 0.0, 0.5)))
        self._heal()
        self._judge_end()

    def _weather(self) -> None:
        world, random = self.world, self.random
        world.weather = random.choice(("calm", "rough", "rough", "failing", "stingy"))
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
                Rate(count=3, unit_seconds=1),
                Rate(count=2, unit_seconds=1),
                Rate(count=100, unit_seconds=60),
                Rate(count=6, unit_seconds=60),
                Rate(count=3, unit_seconds=60),
            )
        )

    def _process(self, campaign: str, rate: Rate | None) -> Process:
        random = self.random
        step = 0
        fates = []
        for _ in range(random.choice((0, 1, 1, 2, 3))):
            step += random.randint(1, random.choice((5, 15, 30, 60)))
            fates.append((step, random.choice(FATES)))
        alarms = [
            (random.choice((0.1, 1.0, 10.0, 100.0)) * random.random(), random.choice(FATES))
            for _ in range(random.choice((0, 0, 1, 2)))
        ]
        rules = DueRules(
            retry_unplaced=random.random() < 0.5,
            retry_rejected=random.random() < 0.4,
            stopping_codes=policy.STOPPING_CODES,
        )
        return self.world.process(
            campaign,
            *fates,
            alarms=tuple(alarms),
            rules=rules,
            repeat_after_hours=self.hours,
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
        world = self.world
        world.weather, world.away, world.disk_pace = "calm", [], (0.0,)
        world.wait(1000.0)
        self._run_in_peace("mora")
        self._run_in_peace("otra")
        if world.states("mora")["pending"]:
            # What a dead run of the other left in doubt was known only when that ran again.
            self._run_in_peace("mora")

    def _run_in_peace(self, campaign: str) -> None:
        world = self.world
        process = world.process(
            campaign,
            repeat_after_hours=self.hours,
            conduct=ConductRules(stop_uncertain=0),
        )
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
        if 0 < process.settings.limit < sum(kept.values()):
            world.violated(f"{kept} calls with a limit of {process.settings.limit}")
        if done.unrecorded and process.disk == "well":
            world.violated("not recorded on a disk that is well")
        bound = process.settings.conduct.stop_uncertain
        if bound and kept["uncertain"] > bound + process.settings.workers:
            world.violated(f"{kept['uncertain']} uncertain calls in one run")
        handed_out = {unrecorded.outcome.call_id for unrecorded in done.unrecorded}
        known = {call_id for (call_id,) in world.read("SELECT spelled_id(call_id) FROM calls")}
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
        both = [moment for process in processes for moment in process.starts]
        # Each run keeps to the rate whatever happens. Between two runs it is the slots that
        # are shared, and a start may come a little after its slot.
        worst = most_in_a_window(both, rate.unit_seconds)
        if (
            worst
            > (rate.unit_seconds + rate.tolerance_seconds(is_shared=True)) / rate.spacing_seconds
            + 1
        ):
            self.world.violated(f"{worst} starts of two runs in a window of {rate}")

    def _judge_end(self) -> None:
        world = self.world
        rows = world.read(
            "SELECT lower(hex(key)), contact, state, spelled_id(call_id), attempts FROM calls"
        )
        standing = {str(key): (state, call_id) for key, _, state, call_id, _ in rows}
        self._judge_keys(standing)
        if self.hours:
            self._judge_contacts()
        for key, call_id in world.promises.items():
            if standing[key] != (CallState.PLACED, call_id):
                world.violated(f"{call_id} was durable, and its call is {standing[key]}")
        called = {contact for _, contact, state, _, _ in rows if state in ("placed", "uncertain")}
        for _, contact, state, _, _ in rows:
            is_free = self.hours == 0 or contact not in called
            if state == "sending" or (state == "pending" and is_free):
                world.violated(f"a call is still {state} after a run in peace")

    def _judge_keys(self, standing: dict[str, tuple[object, object]]) -> None:
        world = self.world
        for times in Counter(call.key for call in world.accepted).values():
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


def played(world_of: Worlds, seed: object) -> World:
    """Play a schedule to its end."""
    world = world_of(seed, size=Random(f"size {seed}").choice(SIZES))
    try:
        Schedule(world).play()
    except RuntimeError as stuck:  # of the loop: nothing is left that could ever happen
        world.violated(f"stuck: {stuck}")
    for fault in world.loop.faults:
        world.violated(f"nobody heard of {fault!r}")
    return world


def proven(world_of: Worlds, tell: Callable[..., None], seeds: Iterable[int]) -> None:
    broken, began_at = {}, time.process_time()
    for seed in seeds:
        world = played(world_of, seed)
        if world.violations:
            broken[seed] = world.violations
        tell(
            "simulation",
            schedules=1,
            kills=sum(process.is_dead for process in world.processes),
            calls_placed=len(world.accepted),
        )
    tell("simulation", cpu_seconds=round(time.process_time() - began_at))
    assert not broken, f"seeds that failed: {broken}"


@pytest.mark.parametrize("first", range(0, SHORT, CHUNK))
def test_no_schedule_breaks_a_promise(
    world_of: Worlds, tell: Callable[..., None], first: int
) -> None:
    proven(world_of, tell, range(first, first + CHUNK))


@pytest.mark.slow
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("part", range(PARTS))
def test_no_schedule_of_thousands_breaks_a_promise(
    world_of: Worlds, tell: Callable[..., None], part: int
) -> None:
    proven(world_of, tell, range(SHORT + part, SHORT + SCHEDULES, PARTS))


def test_a_seed_plays_the_same_schedule_again(world_of: Worlds) -> None:
    def trace() -> tuple[object, ...]:
        world = played(world_of, 7)
        return (
            [(call.key, call.at, call.call_id) for call in world.accepted],
            [process.starts for process in world.processes],
            sorted(world.read("SELECT key, state, code, attempts, sent_at FROM calls")),
            world.time(),
        )

    assert trace() == trace()


# Schedules that once failed


def test_a_rejected_call_that_is_asked_to_wait_is_sent_again_by_the_same_run(
    world_of: Worlds,
) -> None:
    world = world_of(1)
    world.transit = (0.0, 0.1)  # never so long that an answer is given up
    world.weather = "refusing"
    world.run(world.process("otra"))
    world.weather = "busy"
    process = world.process("otra", rules=DueRules(retry_rejected=True))

    world.run(process)

    assert process.done is not None
    assert process.done.counts == {CallStatus.PLACED: 8}
    assert world.violations == []


def test_a_look_that_waits_for_its_slot_does_not_start_after_a_stop(world_of: Worlds) -> None:
    world = world_of(1)
    world.weather = "broken"
    process = world.process(
        "otra",
        alarms=((5.0, "stop"),),
        rate=Rate(count=6, unit_seconds=60),
        conduct=ConductRules(breaker_failures=1, breaker_pause_seconds=1),
    )
    began_at = world.time()

    world.run(process)

    assert len(process.starts) == 1
    assert world.time() - began_at < 6


@pytest.mark.parametrize("after", [step / 10 for step in range(2, 22, 3)])
def test_a_run_that_is_asked_to_stop_begins_nothing_a_second_later(
    world_of: Worlds, monkeypatch: pytest.MonkeyPatch, after: float
) -> None:
    world = world_of(1, size="many")
    monkeypatch.setattr(workers, "_TICK_SECONDS", LOOK_SECONDS)
    world.transit, rate = (0.01,), Rate(count=10, unit_seconds=1)
    process = world.process("otra", alarms=((after, "asked"),), rate=rate)

    world.run(process)

    asked_at = process.began_at + after
    assert process.done is not None
    assert process.done.stopped is StopWord.ASKED
    assert 0 < len(process.starts) < 30
    assert max(process.starts) < asked_at + 1.0
    assert world.time() < asked_at + 2.0  # what was in flight has ended too
    assert world.violations == []


def test_a_contact_whom_a_dead_campaign_was_calling_does_not_hold_up_another_for_ever(
    world_of: Worlds,
) -> None:
    world = world_of(1)
    calling_one_of_both = (
        "SELECT 1 FROM calls WHERE state = 'sending' AND contact IN"
        " (SELECT contact FROM calls GROUP BY contact HAVING count(DISTINCT campaign_id) > 1)"
    )

    def die_while_calling_one_of_both(process: Process) -> None:
        if world.read(calling_one_of_both):
            process.die()

    world.on_commit = die_while_calling_one_of_both
    dead = world.process("mora", workers=1, repeat_after_hours=0)
    world.run(dead)
    world.on_commit = lambda _: None
    assert dead.is_dead
    assert world.states("mora")["sending"] == 1
    process = world.process("otra", repeat_after_hours=0)

    world.run(process)

    assert process.done is not None
    assert process.done.counts[CallStatus.SKIPPED] == 1
    assert world.states("otra")["pending"] == 1


@pytest.mark.parametrize("seed", [340])
def test_a_run_whose_disk_stalled_does_not_start_late_between_the_slots_of_one_that_came(
    world_of: Worlds, seed: int
) -> None:
    assert played(world_of, seed).violations == []


@pytest.mark.parametrize(
    ("minutes", "stopped", "placed"),
    [(20, None, 8), (75, StopWord.UNREACHABLE, 0)],
    ids=["shorter-than-patience", "longer"],
)
@pytest.mark.parametrize("kind", ["refused", "busy"])
def test_an_outage_leaves_everybody_pending_and_the_run_goes_on_by_itself(
    world_of: Worlds, kind: str, minutes: int, stopped: StopWord | None, placed: int
) -> None:
    world = world_of(1)
    began_at, seconds, since = world.time(), minutes * 60.0, f"{world.now():%H:%M}"
    world.transit, log = (0.01,), io.StringIO()
    process = world.process("otra", rate=Rate(count=100, unit_seconds=60))
    if kind == "refused":
        world.away = [(began_at, began_at + seconds)]
    else:
        world.weather = "full"
        world.loop.call_later(seconds, setattr, world, "weather", "calm")
        stopped, placed = None, 8  # it answers, so no patience is lost
    with Progress(8, stream=log, clock=world.time, now=world.now) as progress:
        process.on_tick = lambda pool: progress.show(tally_of(pool)) if pool else None

        world.run(process)

    assert process.done is not None
    assert process.done.stopped is stopped
    assert process.done.counts.get(CallStatus.PLACED, 0) == placed
    assert world.states("otra")["pending"] == 8 - placed
    why = "the API cannot be reached" if kind == "refused" else "the API asked to wait"
    assert re.search(rf"waiting since {since}, {why}; next try \d\d:\d\d:\d\d", log.getvalue())
    patience = 3600.0 if stopped else seconds
    assert patience <= world.time() - began_at < patience + 90
    assert world.violations == []


# What the simulation would notice


def forget_what_was_sending(patches: pytest.MonkeyPatch) -> None:
    """Like a queue that gives a dead worker's job to the next one."""

    def rescue(ledger: Ledger, _campaign_id: int, **_at: datetime) -> int:
        with ledger._storage.writing() as connection:
            connection.exec_driver_sql("UPDATE calls SET state='pending' WHERE state='sending'")
        return 0

    patches.setattr(Ledger, "settle_left_over", rescue)


def take_a_lost_answer_for_not_sent(patches: pytest.MonkeyPatch) -> None:
    def judge(result: Reply | NoReply, **asked: object) -> Judgement:
        if isinstance(result, NoReply):
            result = replace(result, evidence=Evidence.NOTHING_LEFT, cause=Cause.UNREACHABLE)
        return policy.judge(result, **asked)  # type: ignore[arg-type]

    patches.setattr(workers, "judge", judge)


def take_a_server_error_for_not_sent(patches: pytest.MonkeyPatch) -> None:
    def judge(result: Reply | NoReply, **asked: object) -> Judgement:
        if isinstance(result, Reply) and result.status >= 500:
            result = replace(result, status=429)
        return policy.judge(result, **asked)  # type: ignore[arg-type]

    patches.setattr(workers, "judge", judge)


def mark_only_in_memory(patches: pytest.MonkeyPatch) -> None:
    change = Recorder.change

    def changed(recorder: Recorder, work: Mark | Outcome | Withdrawal) -> object:
        future = change(recorder, work)
        if isinstance(work, Mark):
            future = asyncio.get_running_loop().create_future()
            future.set_result(1)
        return future

    patches.setattr(Recorder, "change", changed)


def call_everybody_again_at_once(patches: pytest.MonkeyPatch) -> None:
    commit = Ledger.commit

    def careless(ledger: Ledger, work: object, **_hours: float) -> object:
        return commit(ledger, work, repeat_after_hours=0)  # type: ignore[arg-type]

    patches.setattr(Ledger, "commit", careless)


def begin_what_is_marked_whatever_comes(patches: pytest.MonkeyPatch) -> None:
    async def deaf(traffic: Traffic, moment: float) -> bool:
        await asyncio.sleep(max(0.0, moment - traffic._clock.monotonic()))
        return True

    patches.setattr(Traffic, "clear_until", deaf)


def catch_up_in_a_burst(patches: pytest.MonkeyPatch) -> None:
    def hasty(rate: Rate, *, next_free: float, now: float, count: int, **_behind: float) -> Lease:
        return lease(rate, next_free=next_free, now=next_free or now, count=count)

    patches.setattr(slots, "lease", hasty)
    patches.setattr(Slots, "earliest", lambda _, slot: slot)
    patches.setattr(workers, "LATE_SECONDS", 1e9)
    patches.setattr(Slots, "has_passed", lambda _, _slot: False)
    patches.setattr(Slots, "_drop_before", lambda _, _moment: None)


def forget_outcomes_after_a_stop(patches: pytest.MonkeyPatch) -> None:
    record = Pool._record

    def lazy(pool: Pool, *what: object) -> None:
        if pool._conduct.stopped is None:
            record(pool, *what)  # type: ignore[arg-type]

    patches.setattr(Pool, "_record", lazy)


def keep_an_outcome_without_its_id(patches: pytest.MonkeyPatch) -> None:
    record = Pool._record

    def forgetful(pool: Pool, call: DueCall, attempt: int, judgement: Judgement, at: float) -> None:
        if judgement.call_id:
            judgement = replace(judgement, verdict=Verdict.UNCERTAIN, call_id="")
        record(pool, call, attempt, judgement, at)

    patches.setattr(Pool, "_record", forgetful)


def keep_twice_the_pace(patches: pytest.MonkeyPatch) -> None:
    begin = Slots.__init__

    def hurried(own: Slots, recorder: Recorder, *, rate: Rate | None, **more: object) -> None:
        if rate is not None:
            rate = Rate(count=2 * rate.count, unit_seconds=rate.unit_seconds)
        begin(own, recorder, rate=rate, **more)  # type: ignore[arg-type]

    patches.setattr(Slots, "__init__", hurried)


def withdraw_what_was_sent(patches: pytest.MonkeyPatch) -> None:
    record = Pool._record

    def shy(pool: Pool, call: DueCall, attempt: int, judgement: Judgement, began: float) -> None:
        if judgement.verdict is not Verdict.UNCERTAIN:
            record(pool, call, attempt, judgement, began)
            return
        key, state = call.request.key, call.state
        pool._recorder.change(Withdrawal(key=key, attempt=attempt, state=state))

    patches.setattr(Pool, "_record", shy)


@pytest.mark.parametrize(
    ("break_it", "noticed", "first"),
    [
        (forget_what_was_sending, "placed 2 times", 18),
        (take_a_lost_answer_for_not_sent, "placed 2 times", 2),
        (take_a_server_error_for_not_sent, "placed 2 times", 25),
        (mark_only_in_memory, "left while its call was", 0),
        (call_everybody_again_at_once, "one contact was called twice", 0),
        (begin_what_is_marked_whatever_comes, "started after a stop", 1),
        (catch_up_in_a_burst, "starts in a window", 3),
        (keep_twice_the_pace, "starts in a window", 62),
        (forget_outcomes_after_a_stop, "is lost", 9),
        (keep_an_outcome_without_its_id, "is lost", 0),
        (withdraw_what_was_sent, "placed 2 times", 2),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_the_simulation_notices_a_broken_promise(
    world_of: Worlds,
    monkeypatch: pytest.MonkeyPatch,
    break_it: Callable[[pytest.MonkeyPatch], None],
    noticed: str,
    first: int,
) -> None:
    break_it(monkeypatch)

    # Many seeds show it; the first one is only a hint where to begin.
    seeds = range(first, first + ENOUGH)
    assert any(noticed in what for seed in seeds for what in played(world_of, seed).violations)
