"""The process dies before and after everything it does; resuming calls nobody twice."""

from __future__ import annotations

import csv
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from queue import SimpleQueue
from typing import Self

import pytest

from dispatcher.sandbox import Fault, FaultKind, Faults, SandboxOptions, SandboxServer

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="children are forked")

KILLED = 137
AT_ONCE = 2
CHUNK = 6
MOST_STEPS = 600

STATUS = FaultKind.STATUS
# contact -> what goes wrong, where it ends, and how many requests that takes at most
PEOPLE: Mapping[str, tuple[Fault | None, str, int]] = {
    "fine": (None, "placed", 1),
    "refused": (Fault(kind=STATUS, status=422, placed=False), "rejected", 1),
    "lost": (Fault(kind=FaultKind.CLOSED_AFTER), "uncertain", 1),
    "busy": (
        Fault(kind=STATUS, status=429, placed=False, retry_after="0.01", times=1),
        "placed",
        2,
    ),
    "dropped": (Fault(kind=FaultKind.CLOSED_BEFORE, placed=False), "uncertain", 1),
    "broken": (Fault(kind=STATUS, status=500, placed=False), "uncertain", 1),
    "cut": (Fault(kind=FaultKind.CUT, keep_share=0.7), "placed", 1),
    "last": (None, "placed", 1),
}
ALL = tuple(PEOPLE)
FEWER = ("fine", "refused", "lost", "busy", "cut", "last")


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where a call stands in the ledger."""

    state: str
    call_id: str | None
    code: str


class Family:
    """A process that forks one child after another."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, Path(__file__).with_name("dying_command.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, **order: object) -> int:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()


class World:
    """One campaign whose first run dies at a step, with people of its own on a shared server."""

    def __init__(
        self, folder: Path, step: int, server: SandboxServer, names: Sequence[str] = ALL
    ) -> None:
        self.folder = folder / str(step)
        self.folder.mkdir()
        self.step = step
        self.names = names
        self.server = server
        with (self.folder / "campaign.csv").open("w", encoding="utf-8") as file:
            file.write("contact_id,agent_id,from_number_id\n")
            file.writelines(f"{self.contact(name)},agent,number\n" for name in names)

    def contact(self, name: str) -> str:
        return f"{name}-{self.step}"

    def run(self, family: Family, *more: str, die_at: int = 0, is_fine: bool = False) -> int:
        return family.run(
            folder=str(self.folder),
            environment={
                "CONTACTSHIP_API_KEY": self.server.key,
                "CONTACTSHIP_BASE_URL": self.server.url,
                "DISPATCHER_LEDGER": str(self.folder / "ledger.db"),
            },
            arguments=[
                *("run", "campaign.csv", "--yes", "--quiet", "--workers", "2"),
                *("--rate", "500/second", *more),
            ],
            die_at=die_at,
            is_fine=is_fine,
            log=f"steps-{die_at}.txt",
        )

    def standing(self) -> dict[str, Standing]:
        """Return where the ledger says everyone stands; nothing where there is none yet."""
        ledger = self.folder / "ledger.db"
        if not ledger.exists():
            return {}
        with closing(sqlite3.connect(ledger)) as database:
            found = database.execute(
                "SELECT number, state, call_id, calls.code FROM calls"
                " JOIN snapshot_rows ON snapshot_rows.call = calls.id"
            ).fetchall()
        return {self.names[n - 2]: Standing(state=s, call_id=i, code=c) for n, s, i, c in found}

    def steps(self, die_at: int) -> list[str]:
        return (self.folder / f"steps-{die_at}.txt").read_text().splitlines()

    def results(self) -> dict[str, tuple[str, str]]:
        path = self.folder / "campaign.results.csv"
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = [*csv.DictReader(file)]
        return {
            self.names[int(line["source_row"]) - 2]: (line["call_status"], line["call_id"])
            for line in lines
        }

    def judge(self, before: dict[str, Standing], *, reconciles: bool) -> None:
        """Compare what the resumed run made of it with the crash and with the server's record."""
        after = self.standing()
        placed = Counter(call.contact_id for call in self.server.record)
        ids = {call.contact_id: call.call_id for call in self.server.record}
        for name in self.names:
            _, expected, most = PEOPLE[name]
            contact, was, now = self.contact(name), before.get(name), after[name]
            requests = self.server.requests.get(contact, 0)
            assert placed[contact] <= 1, f"{name} was called twice"
            assert requests <= most, f"{name} was asked for {requests} times"
            if now.code == "reconciled":
                assert reconciles, name
                assert was is None or was.state != "placed" or was == now, name
            elif was is not None and was.state == "sending":
                assert (now.state, now.code) == ("uncertain", "interrupted"), name
            elif was is not None and was.state != "pending":
                assert now == was, name
            else:
                assert (now.state, requests) == (expected, most), name
            if now.state == "placed":
                assert now.call_id == ids[contact], name
        assert self.results() == {
            name: (standing.state, standing.call_id or "") for name, standing in after.items()
        }


@pytest.fixture
def server() -> Iterator[SandboxServer]:
    faults = {
        f"{name}-{step}": (fault,)
        for name, (fault, _, _) in PEOPLE.items()
        for step in range(MOST_STEPS)
        if fault is not None
    }
    options = SandboxOptions(rate_per_minute=0, faults=Faults(contacts=faults), id_prefix="call-")
    with SandboxServer(options) as serving:
        yield serving


def enumerate_crashes(folder: Path, crash_at: Callable[[Path, int, Family], str]) -> Counter[str]:
    """Crash at the first step, the second and so on, until no step is left; at which kinds."""

    def crash(step: int) -> str:
        family = families.get()
        try:
            return crash_at(folder, step, family)
        finally:
            families.put(family)

    kinds: Counter[str] = Counter()
    families: SimpleQueue[Family] = SimpleQueue()
    with ExitStack() as stack:
        for _ in range(AT_ONCE):
            families.put(stack.enter_context(Family()))
        pool = stack.enter_context(ThreadPoolExecutor(AT_ONCE))
        for first in count(1, CHUNK):
            died_at = [*pool.map(crash, range(first, first + CHUNK))]
            kinds.update(step.partition(":")[0] for step in died_at if step)
            if not any(died_at):  # one commit may take more or less of what is queued
                return kinds
    raise AssertionError


@pytest.fixture
def folder(memory: Path) -> Path:
    """A folder that no slow disk holds up: what a disk may lose has a proof of its own."""
    return Path(tempfile.mkdtemp(dir=memory))


@pytest.mark.parametrize(
    "is_fine",
    [
        pytest.param(False, id="milestones"),
        pytest.param(True, id="every-event", marks=pytest.mark.slow),
    ],
)
@pytest.mark.timeout(1800)
def test_wherever_the_process_dies_nobody_is_called_twice_and_nothing_known_is_lost(
    folder: Path, server: SandboxServer, tell: Callable[..., None], *, is_fine: bool
) -> None:
    def crash_at(folder: Path, step: int, family: Family) -> str:
        """Crash at a step, resume, judge; the step's name, or "" where the run had ended."""
        world = World(folder, step, server, ALL if is_fine else FEWER)
        status = world.run(family, "--no-reconcile", die_at=step, is_fine=is_fine)
        before = world.standing()
        died_at = world.steps(step)[-1] if status == KILLED else ""
        if died_at:
            assert world.run(family, "--no-reconcile") == 5, world.folder
        world.judge(before, reconciles=False)
        return died_at

    kinds = enumerate_crashes(folder, crash_at)

    assert kinds.total() > 40
    assert {"ledger", "network", "file"} <= kinds.keys()
    tell("crash enumeration", steps_died_at=kinds.total())


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_wherever_it_dies_while_it_looks_for_lost_answers_no_id_is_wrong(
    folder: Path, server: SandboxServer, tell: Callable[..., None]
) -> None:
    def crash_at(folder: Path, step: int, family: Family) -> str:
        """Let a run leave uncertain calls, and the next die at a step; resume and judge."""
        world = World(folder, step, server)
        world.run(family, "--no-reconcile", "--limit", "6")
        status = world.run(family, die_at=step, is_fine=True)
        before = world.standing()
        died_at = world.steps(step)[-1] if status == KILLED else ""
        if died_at:
            world.run(family)
        world.judge(before, reconciles=True)
        assert world.standing()["lost"].code == "reconciled"
        return died_at

    kinds = enumerate_crashes(folder, crash_at)

    assert kinds.total() > 80
    tell("crash enumeration", steps_died_at=kinds.total())
