"""The real command places calls for a long time while things go wrong; nothing of it grows."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import pytest

from dispatcher.sandbox import (
    ChanceFault,
    Fault,
    FaultKind,
    Faults,
    SandboxOptions,
    SandboxServer,
)

MINUTES = float(os.environ.get("PROOF_SOAK_MINUTES", "30"))
RATE = 50  # calls a second
WORKERS = 16
SPACING_SECONDS = 1 / RATE
ROOM_MEGABYTES = 12.0  # for what comes and goes; half a kilobyte a call is more in half an hour
ALONE = 2  # requests that may each have had a longer way than the others
HELD_SHARE = 0.985

FAULTS = (
    ChanceFault(probability=0.5, fault=Fault(latency_seconds=0.01)),
    ChanceFault(probability=0.02, fault=Fault(latency_seconds=0.3)),
    ChanceFault(probability=0.002, fault=Fault(kind=FaultKind.CLOSED_AFTER)),
    ChanceFault(probability=0.002, fault=Fault(kind=FaultKind.CUT)),
    ChanceFault(probability=0.001, fault=Fault(kind=FaultKind.SILENT_AFTER)),
    ChanceFault(probability=0.01, fault=Fault(kind=FaultKind.STATUS, status=422, placed=False)),
)
NO_ANSWER = Fault(kind=FaultKind.CLOSED_AFTER)
TOO_MANY = Fault(kind=FaultKind.STATUS, status=429, placed=False, retry_after="1", times=1)
# So many doubtful calls would end a run of the usual length; here they are wanted.
CONFIG = "stop:\n  uncertain: 0\napi:\n  answer_timeout_seconds: 2\n"

pytestmark = pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="no /proc here")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """
    What the process holds at a moment.

    Attributes:
        at: Monotonic seconds.
        megabytes: Resident.
        files: Open descriptors.
    """

    at: float
    megabytes: float
    files: int


class Soak:
    """One long run on one server."""

    def __init__(self, folder: Path, *, contacts: int, pause_seconds: float) -> None:
        self.folder = folder
        self.contacts = contacts
        self.pause_seconds = pause_seconds
        self.arrivals: list[float] = []
        self.samples: list[Sample] = []
        # Two thirds of the run are over when the limit is met.
        certain = {
            f"person-{contacts // 2}": (NO_ANSWER,),
            f"person-{contacts * 2 // 3}": (TOO_MANY,),
        }
        faults = Faults(seed=1, by_chance=FAULTS, contacts=certain)
        options = SandboxOptions(rate_per_minute=0, faults=faults, id_prefix="call-")
        self.server = SandboxServer(options, now=self._note_arrival)
        (folder / "config.yaml").write_text(CONFIG, encoding="utf-8")
        with (folder / "campaign.csv").open("w", encoding="utf-8") as sheet:
            sheet.write("contact_id,agent_id,from_number_id,monto\n")
            sheet.writelines(f"person-{n},agent,number,{n}\n" for n in range(contacts))

    def _note_arrival(self) -> datetime:
        """Tell the server the time; it asks once for each request."""
        self.arrivals.append(time.monotonic())
        return datetime.now(UTC)

    def run(self) -> dict[str, object]:
        """Let the command run to its end, looking at it now and then; what it says."""
        with self.server, self._started() as process:
            while process.poll() is None:
                with suppress(OSError):  # it may end between two looks
                    self.samples.append(_sample(process.pid))
                with suppress(subprocess.TimeoutExpired):
                    process.wait(self.pause_seconds)
            out, err = process.communicate()
        assert process.returncode == 5, err  # some calls are uncertain
        finished: dict[str, object] = json.loads(out)
        return finished

    def _started(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [
                *(sys.executable, "-m", "dispatcher", "run", "campaign.csv"),
                *("--yes", "--json", "--quiet", "--ledger", str(self.folder / "ledger.db")),
                *("--rate", f"{RATE}/second", "--workers", str(WORKERS)),
            ],
            cwd=self.folder,
            env={
                **os.environ,
                "CONTACTSHIP_API_KEY": self.server.key,
                "CONTACTSHIP_BASE_URL": self.server.url,
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )

    def settled(self) -> tuple[Sequence[Sample], Sequence[Sample]]:
        """The samples of the second third of the calls, and those of the last."""
        first, second = self.arrivals[len(self.arrivals) // 3], self.arrivals[-1]
        middle = (first + second) / 2
        return (
            [sample for sample in self.samples if first <= sample.at < middle],
            [sample for sample in self.samples if middle <= sample.at < second],
        )


def _sample(process: int) -> Sample:
    about = Path("/proc") / str(process)
    pages = int((about / "statm").read_text().split()[1])
    return Sample(
        at=time.monotonic(),
        megabytes=pages * os.sysconf("SC_PAGE_SIZE") / 2**20,
        files=sum(1 for _ in (about / "fd").iterdir()),
    )


def crowds(arrivals: Sequence[float]) -> Iterator[tuple[int, float]]:
    """
    Yield of each window of a second how many it holds, and how many it may.

    What is held up, by the network or by whoever counts, comes with what follows it. So a window
    may hold as many more as have their slots in the longest gap just before or within it.
    A burst that no gap explains is one too many.
    """
    for start, first in enumerate(arrivals):
        end = bisect_left(arrivals, first + 1)
        near = arrivals[bisect_left(arrivals, first - 1) : end]
        gap = max((later - earlier for earlier, later in pairwise(near)), default=0.0)
        yield end - start, RATE * (1 + max(SPACING_SECONDS, gap)) + ALONE


def soaked(folder: Path, *, contacts: int, pause_seconds: float) -> tuple[Soak, Counter[str]]:
    """Run, and hold what always has to hold; the counts of the statuses."""
    soak = Soak(folder, contacts=contacts, pause_seconds=pause_seconds)
    finished = soak.run()
    statuses = _judged(soak, finished)
    assert [crowd for crowd in crowds(soak.arrivals) if crowd[0] > crowd[1]] == []
    before, after = soak.settled()
    assert before
    assert after
    grown = max(s.megabytes for s in after) - max(s.megabytes for s in before)
    assert grown <= ROOM_MEGABYTES
    assert max(s.files for s in after) <= max(s.files for s in before) + 1
    return soak, statuses


def _judged(soak: Soak, finished: dict[str, object]) -> Counter[str]:
    """Compare what the run says of everyone with the server's record."""
    placed = Counter(call.contact_id for call in soak.server.record)
    ids = {call.contact_id: call.call_id for call in soak.server.record}
    assert max(placed.values()) == 1
    statuses: Counter[str] = Counter()
    with Path(str(finished["results"])).open(encoding="utf-8-sig", newline="") as file:
        for row in csv.DictReader(file):
            status, contact = row["call_status"], row["contact_id"]
            statuses[status] += 1
            assert status in ("placed", "uncertain", "rejected"), row
            assert (contact in placed) == (status != "rejected"), row
            assert row["call_id"] == (ids[contact] if status == "placed" else ""), row
    assert statuses.total() == soak.contacts
    counts = finished["counts"]
    assert isinstance(counts, dict)
    assert {status: count for status, count in counts.items() if count} == statuses
    # One request a call, and one more for the one that was told to wait.
    assert len(soak.arrivals) == soak.contacts + 1
    return statuses


def test_some_seconds_with_faults_leave_nothing_behind(
    tmp_path: Path, tell: Callable[..., None]
) -> None:
    soak, statuses = soaked(tmp_path, contacts=200, pause_seconds=0.05)

    tell("soak", contacts=soak.contacts, **statuses)


@pytest.mark.slow
@pytest.mark.timeout(300 + 90 * MINUTES)
@pytest.mark.skipif(MINUTES == 0, reason="PROOF_SOAK_MINUTES is 0")
def test_half_an_hour_with_faults_leaves_nothing_behind(
    tmp_path: Path, tell: Callable[..., None]
) -> None:
    soak, statuses = soaked(tmp_path, contacts=int(MINUTES * 60 * RATE), pause_seconds=1)

    arrivals = soak.arrivals
    minutes = [bisect_left(arrivals, first + 60) - n for n, first in enumerate(arrivals)]
    assert max(minutes) <= 60 * RATE
    # Until the limit is met; then the pace is slower for a while. This wants a quiet machine.
    undisturbed = arrivals[: len(arrivals) // 2]
    assert len(undisturbed) >= HELD_SHARE * RATE * (undisturbed[-1] - undisturbed[0])
    tell("soak", contacts=soak.contacts, minutes=int(MINUTES), **statuses)
