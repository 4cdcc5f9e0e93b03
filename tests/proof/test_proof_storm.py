"""The real command is killed again and again, at any moment; the server is the judge."""

from __future__ import annotations

import csv
import json
import os
import sqlite3
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from random import Random

import pytest

from dispatcher.sandbox import (
    ChanceFault,
    Fault,
    FaultKind,
    Faults,
    SandboxOptions,
    SandboxServer,
)

KILLS = int(os.environ.get("PROOF_KILLS", "200"))
WORKERS = 8
LOOKS_FIRST = 0.5  # share of the runs that reconcile
PAUSE_SECONDS = 2.0  # between two looks at the status, which cost as much as a run's start

FAULTS = (
    ChanceFault(probability=0.5, fault=Fault(latency_seconds=0.01)),
    ChanceFault(probability=0.02, fault=Fault(latency_seconds=0.2)),
    ChanceFault(probability=0.01, fault=Fault(kind=FaultKind.CLOSED_AFTER)),
    ChanceFault(probability=0.01, fault=Fault(kind=FaultKind.STATUS, status=422, placed=False)),
    ChanceFault(
        probability=0.01,
        fault=Fault(kind=FaultKind.STATUS, status=429, placed=False, retry_after="0.05"),
    ),
)


def has_ended(process: subprocess.Popen[str], *, within: float) -> bool:
    """Wait for the end of a process, for so many seconds at most."""
    try:
        process.wait(within)
    except subprocess.TimeoutExpired:
        return False
    return True


class Storm:
    """One campaign on one server, and the kills it lives through."""

    def __init__(self, folder: Path, server: SandboxServer, *, contacts: int, seed: int) -> None:
        self.folder = folder
        self.server = server
        self.contacts = contacts
        self.random = Random(seed)
        self.ledger = folder / "ledger.db"
        self.environment = {
            **os.environ,
            "CONTACTSHIP_API_KEY": server.key,
            "CONTACTSHIP_BASE_URL": server.url,
            "DISPATCHER_LEDGER": str(self.ledger),
        }
        with (folder / "campaign.csv").open("w", encoding="utf-8") as sheet:
            sheet.write("contact_id,agent_id,from_number_id,monto\n")
            sheet.writelines(f"person-{n},agent,number,{n}\n" for n in range(contacts))

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "dispatcher", *arguments],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )

    def run(self, rate: str, *more: str) -> subprocess.Popen[str]:
        return self.start(
            *("run", "campaign.csv", "--yes", "--json", "--quiet"),
            *("--workers", str(WORKERS), "--rate", rate, *more),
        )

    def kill_one(self, kills_left: int) -> None:
        """Let a run place a random number of calls, then kill it a random moment later."""
        known = len(self.server.record)
        most = 2 * max(0, self.contacts - known) // (kills_left + 1)
        target = known + self.random.randint(0, max(1, most))
        rate = f"{self.random.choice((60, 200, 1000))}/second"
        looks = self.random.random() < LOOKS_FIRST
        process = self.run(rate, *(() if looks else ("--no-reconcile",)))
        try:
            while len(self.server.record) < target and not has_ended(process, within=0.001):
                pass
            has_ended(process, within=self.random.random() * 0.05)
        finally:
            process.kill()
            process.communicate()

    def in_doubt(self) -> int:
        """How many calls the dead run left marked."""
        if not self.ledger.exists():
            return 0
        with closing(sqlite3.connect(self.ledger)) as database:
            found = database.execute("SELECT count(*) FROM calls WHERE state = 'sending'")
            return int(found.fetchone()[0])

    @contextmanager
    def watched(self) -> Iterator[list[tuple[int, str]]]:
        """Ask for the status over and over while the block runs."""
        answers: list[tuple[int, str]] = []
        is_over = threading.Event()

        def watch() -> None:
            while not is_over.wait(PAUSE_SECONDS):
                asked = self.start("status", "--json")
                out, err = asked.communicate()
                answers.append((asked.returncode, out if asked.returncode == 0 else err))

        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            yield answers
        finally:
            is_over.set()
            watcher.join()

    def judge(self, finished: dict[str, object]) -> Counter[str]:
        """Compare what the last run says of everyone with the server's record."""
        placed = Counter(call.contact_id for call in self.server.record)
        ids = {call.contact_id: call.call_id for call in self.server.record}
        assert max(placed.values()) == 1
        statuses: Counter[str] = Counter()
        with Path(str(finished["results"])).open(encoding="utf-8-sig", newline="") as file:
            for row in csv.DictReader(file):
                status, contact = row["call_status"], row["contact_id"]
                statuses[status] += 1
                assert status in ("placed", "uncertain", "rejected"), row
                assert status == "uncertain" or placed[contact] == (status == "placed"), row
                assert row["call_id"] == (ids[contact] if status == "placed" else ""), row
        assert statuses.total() == self.contacts
        return statuses


def weathered(folder: Path, *, kills: int, contacts: int, seed: int) -> Mapping[str, int]:
    """Kill run after run, then let one finish; the figures."""
    faults = Faults(seed=seed, by_chance=FAULTS)
    options = SandboxOptions(rate_per_minute=0, faults=faults, id_prefix="call-")
    with SandboxServer(options) as server:
        storm = Storm(folder, server, contacts=contacts, seed=seed)
        in_doubt = 0
        with storm.watched() as answers:
            for kill in range(kills):
                storm.kill_one(kills - kill)
                left = storm.in_doubt()
                assert left <= 2 * WORKERS
                in_doubt += left
        last = storm.run("unlimited")
        out, err = last.communicate()
        statuses = storm.judge(json.loads(out))
    assert last.returncode in (0, 4, 5), err
    assert [answer for answer in answers if answer[0] != 0] == []
    asked = {"kills_survived": kills, "contacts": contacts, "in_doubt": in_doubt}
    return {**asked, **statuses, "looks_at_the_status": len(answers)}


@pytest.mark.timeout(400)
def test_five_kills_call_nobody_twice(tmp_path: Path, tell: Callable[..., None]) -> None:
    figures = weathered(tmp_path, kills=5, contacts=200, seed=1)

    assert figures["placed"] > 100
    tell("kill -9 storm", **figures)


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_a_storm_of_kills_calls_nobody_twice(tmp_path: Path, tell: Callable[..., None]) -> None:
    figures = weathered(tmp_path, kills=KILLS, contacts=10 * max(KILLS, 200), seed=KILLS)

    assert figures["placed"] > figures["in_doubt"]
    tell("kill -9 storm", **figures)
