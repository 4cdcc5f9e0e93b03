"""Real processes, killed, interrupted and run side by side; the server is the judge."""

from __future__ import annotations

import csv
import json
import os
import platform
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType

import pytest

from dispatcher.sandbox import Fault, FaultKind, Faults, SandboxOptions, SandboxServer

WORKERS = 4
LIMITED = """
import resource, runpy, sys
largest = int(sys.argv.pop(1))
resource.setrlimit(resource.RLIMIT_FSIZE, (largest, resource.RLIM_INFINITY))
runpy.run_module("dispatcher", run_name="__main__", alter_sys=True)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """A server, a folder and a ledger of one's own."""

    server: SandboxServer
    folder: Path

    def sheet(self, name: str, contacts: range) -> Path:
        path = self.folder / name
        with path.open("w", encoding="utf-8", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(["contact_id", "agent_id", "from_number_id", "monto"])
            rows.writerows([f"person-{n}", "agent", "number", n] for n in contacts)
        return path

    def start(
        self,
        *arguments: str | Path,
        program: tuple[str | Path, ...] = ("-m", "dispatcher"),
        environment: Mapping[str, str] = MappingProxyType({}),
    ) -> subprocess.Popen[str]:
        environment = {
            **os.environ,
            **environment,
            "CONTACTSHIP_API_KEY": self.server.key,
            "CONTACTSHIP_BASE_URL": self.server.url,
            "DISPATCHER_LEDGER": str(self.folder / "ledger.db"),
            "HOME": str(self.folder),
        }
        return subprocess.Popen(
            [sys.executable, *map(str, (*program, *arguments))],
            cwd=self.folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )

    def run(self, *arguments: str | Path) -> tuple[int, str, str]:
        process = self.start(*arguments)
        out, err = process.communicate(timeout=60)
        return process.returncode, out, err

    def campaign(self, sheet: Path, rate: str) -> tuple[str | Path, ...]:
        return ("run", sheet, "--yes", "--json", "--rate", rate, "--workers", str(WORKERS))

    def placed(self) -> Counter[str]:
        return Counter(call.contact_id for call in self.server.record)

    def wait_until_placed(self, count: int, process: subprocess.Popen[str]) -> None:
        while len(self.server.record) < count and process.poll() is None:
            pass


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    options = SandboxOptions(rate_per_minute=0, faults=Faults(), id_prefix="call-")
    with SandboxServer(options) as server:
        yield World(server=server, folder=tmp_path)


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return [*csv.DictReader(file)]


def test_killed_runs_call_nobody_twice_and_what_was_in_flight_is_uncertain(world: World) -> None:
    sheet = world.sheet("cobranzas.csv", range(120))
    for target in (20, 45, 70):
        process = world.start(*world.campaign(sheet, "100/second"), "--no-reconcile")
        world.wait_until_placed(target, process)
        process.kill()
        process.communicate()

    code, out, err = world.run(*world.campaign(sheet, "unlimited"), "--no-reconcile")
    assert out, err
    counts = json.loads(out)["counts"]
    placed = world.placed()
    assert code == 5, err
    assert max(placed.values()) == 1
    assert counts["placed"] + counts["uncertain"] == 120
    assert 0 < counts["uncertain"] <= 3 * 2 * WORKERS
    for row in rows_of(world.folder / "cobranzas.results.csv"):
        known = row["call_status"] == "placed"
        assert placed[row["contact_id"]] == 1 or not known
        assert bool(row["call_id"]) == known


def test_status_and_results_of_a_live_run_change_nothing(world: World) -> None:
    sheet = world.sheet("cobranzas.csv", range(60))
    process = world.start(*world.campaign(sheet, "30/second"))
    world.wait_until_placed(5, process)

    looks = 0
    while process.poll() is None and looks < 3:
        assert world.run("status", "--json")[0] == 0
        assert world.run("results", "cobranzas")[0] in (0, 5)
        looks += 1
    out, err = process.communicate(timeout=60)

    assert (process.returncode, json.loads(out)["counts"]["placed"]) == (0, 60), err
    assert set(world.placed().values()) == {1}


def test_a_second_run_of_the_campaign_is_turned_away(world: World) -> None:
    sheet = world.sheet("cobranzas.csv", range(900))
    first = world.start(*world.campaign(sheet, "20/second"))
    world.wait_until_placed(1, first)

    code, out, err = world.run(*world.campaign(sheet, "unlimited"))
    first.send_signal(signal.SIGINT)
    first.communicate(timeout=60)

    assert code == 7
    assert json.loads(out)["message"] in err
    assert 'campaign "cobranzas" is being run by' in err
    assert "dispatcher stop cobranzas" in err
    assert set(world.placed().values()) == {1}


@pytest.mark.skipif(sys.platform == "win32", reason="Windows sends other signals")
@pytest.mark.parametrize(
    ("number", "status"),
    [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 143)],
    ids=["ctrl-c", "term", "hangup"],
)
def test_a_signal_finishes_what_is_in_flight_and_writes_the_results(
    world: World, number: signal.Signals, status: int
) -> None:
    sheet = world.sheet("cobranzas.csv", range(200))
    process = world.start(*world.campaign(sheet, "40/second"))
    world.wait_until_placed(10, process)

    process.send_signal(number)
    out, err = process.communicate(timeout=60)

    ended = json.loads(out)
    placed = world.placed()
    assert (process.returncode, ended["stopped"]) == (status, "signal"), err
    assert ended["counts"]["placed"] == len(placed) == ended["counts"]["placed"] < 200
    assert ended["counts"]["uncertain"] == 0
    assert ended["counts"]["pending"] == 200 - len(placed)
    by_status = Counter(r["call_status"] for r in rows_of(Path(ended["results"])))
    assert by_status == {"placed": len(placed), "pending": 200 - len(placed)}


@pytest.mark.skipif(sys.platform == "win32", reason="Windows sends other signals")
def test_a_second_signal_ends_what_is_in_flight_and_all_that_was_sent_is_uncertain(
    tmp_path: Path,
) -> None:
    silent = {f"person-{n}": (Fault(kind=FaultKind.SILENT_AFTER),) for n in range(10, 200)}
    options = SandboxOptions(rate_per_minute=0, faults=Faults(contacts=silent), id_prefix="call-")
    with SandboxServer(options) as server:
        world = World(server=server, folder=tmp_path)
        sheet = world.sheet("cobranzas.csv", range(200))
        process = world.start(*world.campaign(sheet, "100/second"))
        world.wait_until_placed(10 + WORKERS, process)

        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        assert any("no new call" in line for line in process.stderr)
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=60)

        ended = json.loads(out)
        assert (process.returncode, ended["stopped"]) == (130, "signal"), err
        expected = {"placed": 10, "uncertain": WORKERS, "pending": 190 - WORKERS}
        assert {word: count for word, count in ended["counts"].items() if count} == expected
        rows = rows_of(Path(ended["results"]))
        assert Counter(row["call_status"] for row in rows) == expected
        assert len(world.placed()) == 10 + WORKERS


def test_a_run_that_is_asked_to_stop_ends_within_a_second_as_with_ctrl_c(world: World) -> None:
    sheet = world.sheet("cobranzas.csv", range(400))
    process = world.start(*world.campaign(sheet, "40/second"))
    world.wait_until_placed(10, process)

    code, _, said = world.run("stop", "Cobranzas")
    known = len(world.server.record)
    out, err = process.communicate(timeout=60)

    assert len(world.server.record) - known <= 40  # a second of its pace, told in calls
    ended = json.loads(out)
    placed = world.placed()
    assert code == 0
    assert 'Asked the run of "cobranzas" by ' in said
    assert (process.returncode, ended["exit_code"], ended["stopped"]) == (143, 143, "asked"), err
    assert "Asked to stop: no new call" in err
    assert "As asked by" in ended["message"]
    assert ended["counts"]["placed"] == len(placed) < 400
    assert ended["counts"]["pending"] == 400 - len(placed)
    assert ended["counts"]["uncertain"] == 0


@pytest.mark.skipif(sys.platform == "win32", reason="Windows names time zones otherwise")
def test_a_run_ends_well_when_the_time_of_stop_at_comes(world: World) -> None:
    sheet = world.sheet("cobranzas.csv", range(2000))
    seconds = 2
    while not world.server.record:  # on a machine that is slow to start, the time is past
        seconds *= 2
        at = datetime.now(tz=UTC) + timedelta(seconds=seconds)
        stop_at = (*world.campaign(sheet, "20/second"), "--stop-at", "12:00")
        process = world.start(*stop_at, environment={"TZ": _where_it_is_noon(at)})
        out, err = process.communicate(timeout=110)

    ended = json.loads(out)
    placed = world.placed()
    assert (process.returncode, ended["stopped"]) == (0, "stop_at"), err
    assert "No call starts after 12:00 (" in err
    assert "As asked by --stop-at" in ended["message"]
    assert set(placed.values()) == {1}
    counts = {word: count for word, count in ended["counts"].items() if count}
    assert counts == {"placed": len(placed), "pending": 2000 - len(placed)}
    late = sum(call.created_at > at for call in world.server.record)
    assert late <= 20  # a second of its pace, told in calls


def _where_it_is_noon(moment: datetime) -> str:
    """A time zone, as POSIX writes it, in which a moment is noon to the second."""
    begins = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    west = (moment - begins).seconds - 12 * 3600
    hours, rest = divmod(abs(west), 3600)
    return f"HERE{'-' if west < 0 else '+'}{hours}:{rest // 60}:{rest % 60}"


def test_stop_says_when_no_run_is_live_and_the_next_run_is_not_stopped(world: World) -> None:
    sheet = world.sheet("cobranzas.csv", range(5))
    assert world.run(*world.campaign(sheet, "unlimited"), "--limit", "2")[0] == 0

    code, _, said = world.run("stop", "cobranzas")
    unknown, _, unknown_said = world.run("stop", "another")
    after, _, err = world.run(*world.campaign(sheet, "unlimited"))

    assert (code, said) == (0, 'No run of the campaign "cobranzas" is live.\n')
    assert unknown == 2
    assert "it knows: cobranzas" in unknown_said
    assert after == 0, err
    assert len(world.placed()) == 5


def test_two_campaigns_at_once_both_finish_and_a_shared_contact_is_called_once(
    world: World,
) -> None:
    one = world.sheet("uno.csv", range(60))
    two = world.sheet("dos.csv", range(40, 110))
    first = world.start(*world.campaign(one, "60/second"))
    world.wait_until_placed(1, first)

    code, out, err = world.run(*world.campaign(two, "60/second"), "--campaign", "dos")
    first_out, first_err = first.communicate(timeout=60)

    assert first.returncode == 0, first_err
    assert code == 0, err
    assert len(world.placed()) == 110
    assert set(world.placed().values()) == {1}
    skipped = json.loads(out)["counts"]["skipped"] + json.loads(first_out)["counts"]["skipped"]
    assert skipped == 20


@pytest.mark.skipif(sys.platform == "win32", reason="Windows limits no file sizes")
def test_a_run_that_finds_no_room_for_its_record_places_no_call(world: World) -> None:
    sheet = world.sheet("cobranzas.csv", range(100))
    assert world.run(*world.campaign(sheet, "unlimited"), "--limit", "1")[0] == 0

    # 2 MB: enough to record the sheet, too little for a hundred calls.
    process = world.start(*world.campaign(sheet, "unlimited"), program=("-c", LIMITED, "2000000"))
    out, err = process.communicate(timeout=60)

    assert process.returncode == json.loads(out)["exit_code"] == 8, err
    assert "there is no room for the record of 99 calls" in err
    assert "nothing was sent" in err
    assert len(world.placed()) == 1
    assert world.run(*world.campaign(sheet, "unlimited"))[0] == 0
    assert set(world.placed().values()) == {1}
    assert len(world.placed()) == 100


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits a process that runs")
def test_a_disk_that_is_full_stops_the_run_and_no_id_is_lost(world: World) -> None:
    resource = pytest.importorskip("resource")
    sheet = world.sheet("cobranzas.csv", range(300))
    process = world.start(*world.campaign(sheet, "60/second"))
    world.wait_until_placed(20, process)

    # From now on no file of the process grows beyond this: the log of the ledger is longer.
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (100_000, 100_000))

    _judge_storage_fault(world, process, sheet)


@pytest.mark.skipif(
    sys.platform != "linux" or platform.machine() not in {"x86_64", "aarch64"},
    reason="only Linux lets its own calls fail, and only of these machines the numbers are known",
)
@pytest.mark.parametrize("kind", ["write", "sync"])
def test_a_disk_that_fails_stops_the_run_and_no_id_is_lost(world: World, kind: str) -> None:
    sheet = world.sheet("cobranzas.csv", range(300))
    sign = world.folder / "from now on"
    process = world.start(
        *world.campaign(sheet, "60/second"),
        program=(Path(__file__).with_name("failing_disk.py"), kind, sign),
    )
    world.wait_until_placed(20, process)

    sign.touch()

    said = _judge_storage_fault(world, process, sheet)
    assert "disk I/O error" in said


def _judge_storage_fault(world: World, process: subprocess.Popen[str], sheet: Path) -> str:
    """Wait for the end of a run and let the next one end it well; what the first one said."""
    out, first_err = process.communicate(timeout=60)
    ended = json.loads(out)
    assert (process.returncode, ended["stopped"]) == (8, "ledger_failed"), first_err
    ids = {call.call_id for call in world.server.record}
    written = {row["call_id"] for row in rows_of(Path(ended["results"]))} - {""}
    assert written == ids
    said = [line for line in first_err.splitlines() if line.startswith("NOT RECORDED")]
    files = [*world.folder.glob("dispatcher-unrecorded-*.jsonl")]  # none if no answer was out
    lines = [line for file in files for line in file.read_text("utf-8").splitlines()]
    kept = [json.loads(line)["call_id"] for line in lines]
    assert [line.rpartition(" ")[2] for line in said] == kept

    code, out, err = world.run(*world.campaign(sheet, "unlimited"))
    counts = json.loads(out)["counts"]
    assert all(f"Taken in from {file}: {len(kept)} placed call" in err for file in files)
    assert counts["placed"] == len(world.placed()) == 300 - counts["uncertain"]
    assert counts["uncertain"] <= WORKERS  # marked, not begun, and even that not recorded
    assert code == (5 if counts["uncertain"] else 0)
    assert set(world.placed().values()) == {1}
    return first_err


@pytest.mark.skipif(sys.platform == "win32", reason="Windows keeps what is open in its place")
def test_a_ledger_that_is_removed_under_a_run_stops_it_and_the_results_keep_the_ids(
    world: World,
) -> None:
    sheet = world.sheet("cobranzas.csv", range(300))
    process = world.start(*world.campaign(sheet, "60/second"))
    world.wait_until_placed(10, process)

    for path in world.folder.glob("ledger.db*"):
        if path.is_file():
            path.unlink()
    out, err = process.communicate(timeout=60)
    again = world.run(*world.campaign(sheet, "unlimited"))
    fed_back = world.run(*world.campaign(world.folder / "cobranzas.results.csv", "unlimited"))

    ended = json.loads(out)
    assert (process.returncode, ended["stopped"]) == (8, "ledger_failed"), err
    assert "was moved, replaced or removed while it was held" in err
    assert 10 <= ended["counts"]["placed"] < 300
    assert again[0] == 2
    assert "another ledger has dialled them" in again[2]
    assert fed_back[0] == 0, fed_back[2]
    assert json.loads(fed_back[1])["counts"]["placed"] == 300
    assert set(world.placed().values()) == {1}


def test_json_that_cannot_be_written_is_missed_aloud(world: World) -> None:
    process = world.start(*world.campaign(world.sheet("cobranzas.csv", range(3)), "unlimited"))
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()

    with process.stderr as err:
        said = err.read()

    assert process.wait(timeout=60) == 0
    assert "The JSON could not be written to stdout." in said.splitlines()
    assert len(world.placed()) == 3


def test_stdout_that_is_gone_does_not_stop_the_recording(world: World) -> None:
    sheet = world.sheet("cobranzas.csv", range(40))
    process = world.start(*world.campaign(sheet, "40/second"))
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    process.stderr.close()

    process.wait(timeout=60)

    assert process.returncode == 0
    assert len(world.placed()) == 40
    rows = rows_of(world.folder / "cobranzas.results.csv")
    assert {row["call_status"] for row in rows} == {"placed"}
