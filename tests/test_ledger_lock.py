"""One run per campaign: a lock that the kernel holds."""

from __future__ import annotations

import fcntl
import getpass
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from dispatcher.errors import CampaignHeld, StorageFailed
from dispatcher.ledger import Ledger, lock, open_ledger, read_ledger
from dispatcher.model import Purpose

HOLDS = """
import sys
from dispatcher.ledger import open_ledger
from dispatcher.model import Purpose
opened = open_ledger(sys.argv[1], purpose=Purpose.REAL, create=True)
with opened as ledger, ledger.holding.hold("mora"):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with open_ledger(str(tmp_path / "l.db"), purpose=Purpose.REAL, create=True) as opened:
        yield opened


@contextmanager
def a_process_that_holds(ledger: Ledger) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDS, ledger.location],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_a_second_process_is_told_who_holds_the_campaign(ledger: Ledger) -> None:
    with (
        a_process_that_holds(ledger),
        pytest.raises(CampaignHeld) as caught,
        ledger.holding.hold("mora"),
    ):
        pass

    assert caught.value.exit_code == 7
    assert f'campaign "mora" is being run by {getpass.getuser()} on ' in caught.value.message
    assert f" since {datetime.now(UTC):%Y-%m}-" in caught.value.message
    assert caught.value.hint == "wait for it, or end it with: dispatcher stop mora"


def test_kill_9_releases_the_lock(ledger: Ledger) -> None:
    with a_process_that_holds(ledger) as process:
        assert ledger.holding.is_held("mora")

        os.kill(process.pid, signal.SIGKILL)
        process.wait()

        assert not ledger.holding.is_held("mora")
        with ledger.holding.hold("mora"):
            assert ledger.holding.is_held("mora")
    assert not ledger.holding.is_held("mora")


def test_two_campaigns_of_one_ledger_can_be_held_at_once(ledger: Ledger) -> None:
    with ledger.holding.hold("a"), ledger.holding.hold("b"):
        assert ledger.holding.is_held("a")
        assert ledger.holding.is_held("b")


def test_two_openings_in_one_process_exclude_each_other(ledger: Ledger) -> None:
    with open_ledger(ledger.location, purpose=Purpose.REAL, create=False) as other:
        with ledger.holding.hold("a"), pytest.raises(CampaignHeld), other.holding.hold("a"):
            pass

        with other.holding.hold("a"):
            assert ledger.holding.is_held("a")


def test_a_fault_under_the_lock_releases_it(ledger: Ledger) -> None:
    with pytest.raises(ValueError, match="a fault"), ledger.holding.hold("a"):
        raise ValueError("a fault")

    assert not ledger.holding.is_held("a")


def test_asking_creates_nothing(ledger: Ledger) -> None:
    reader = read_ledger(ledger.location)
    assert reader is not None
    before = sorted(Path(ledger.location + ".locks").iterdir())

    with reader:
        assert not reader.holding.is_held("never run")

    assert sorted(Path(ledger.location + ".locks").iterdir()) == before


def test_a_run_waits_for_a_probe_to_pass(tmp_path: Path) -> None:
    path = lock._lock_file(tmp_path, "a")
    path.touch()
    probe = os.open(path, os.O_RDONLY)
    fcntl.flock(probe, fcntl.LOCK_SH)
    pauses: list[int] = []

    def pause() -> None:
        pauses.append(len(pauses))
        if len(pauses) == 3:
            os.close(probe)

    with lock.hold(tmp_path, "a", pause=pause):
        assert lock.is_held(tmp_path, "a")

    assert len(pauses) == 3


def test_a_probe_that_never_ends_is_told_as_a_holder_without_a_name(tmp_path: Path) -> None:
    path = lock._lock_file(tmp_path, "a")
    path.touch()
    probe = os.open(path, os.O_RDONLY)
    fcntl.flock(probe, fcntl.LOCK_SH)

    with (
        pytest.raises(CampaignHeld, match="by another process"),
        lock.hold(tmp_path, "a", pause=lambda: None),
    ):
        pass

    os.close(probe)


def test_a_pause_is_short() -> None:
    lock._nap()


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with (
        pytest.raises(StorageFailed, match="cannot be created"),
        lock.hold(tmp_path / "file" / "locks", "a"),
    ):
        pass


def test_a_lock_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(StorageFailed, match="cannot be read"):
        lock.is_held(tmp_path / "file", "a")


def test_a_user_without_a_name_is_told_by_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nameless() -> str:
        raise KeyError("uid not found")

    monkeypatch.setattr(getpass, "getuser", nameless)

    with (
        lock.hold(tmp_path, "a"),
        pytest.raises(CampaignHeld, match=f"user {os.getuid()} on "),
        lock.hold(tmp_path, "a"),
    ):
        pass


def test_whoever_holds_a_campaign_can_be_asked_to_stop(ledger: Ledger) -> None:
    with ledger.holding.hold("a"):
        assert ledger.holding.asked_by("a") == ""

        with open_ledger(ledger.location, purpose=Purpose.REAL, create=False) as other:
            holder = other.holding.ask("a", at=datetime.now(UTC))
            again = other.holding.ask("a", at=datetime.now(UTC))

        assert holder is not None
        assert (holder, holder.pid) == (again, os.getpid())
        assert ledger.holding.asked_by("a") == getpass.getuser()
        assert ledger.holding.asked_by("b") == ""


def test_what_one_run_was_asked_says_nothing_to_the_next(ledger: Ledger) -> None:
    with ledger.holding.hold("a"):
        ledger.holding.ask("a", at=datetime.now(UTC))

    with ledger.holding.hold("a"):
        assert ledger.holding.asked_by("a") == ""


@pytest.mark.parametrize("is_there", [True, False], ids=["replaced", "removed"])
@pytest.mark.skipif(sys.platform == "win32", reason="Windows keeps what is open in its place")
def test_a_ledger_that_is_another_file_now_is_no_ledger_to_go_on_with(
    ledger: Ledger, *, is_there: bool
) -> None:
    file = Path(ledger.location)
    with ledger.holding.hold("a"):
        file.rename(file.with_name("aside.db"))
        if is_there:
            file.write_bytes(b"")

        with pytest.raises(StorageFailed, match="was moved, replaced or removed"):
            ledger.holding.asked_by("a")


def test_nobody_is_asked_where_no_run_is_live(ledger: Ledger) -> None:
    with ledger.holding.hold("a"):
        pass

    assert ledger.holding.ask("a", at=datetime.now(UTC)) is None
    assert ledger.holding.ask("never run", at=datetime.now(UTC)) is None


def test_a_run_that_has_only_just_taken_the_lock_is_waited_for(tmp_path: Path) -> None:
    with lock.hold(tmp_path, "a") as holder:
        path = lock._lock_file(tmp_path, "a")
        whole = path.read_text()
        path.write_text(whole[:9])

        def pause() -> None:
            path.write_text(whole)

        assert lock.holder_of(tmp_path, "a", pause=pause) == holder


def test_a_lock_that_never_says_who_holds_it_is_said(tmp_path: Path) -> None:
    with lock.hold(tmp_path, "a"):
        lock._lock_file(tmp_path, "a").write_text('{"user": "ana"}')

        with pytest.raises(StorageFailed, match="does not say who holds it"):
            lock.holder_of(tmp_path, "a", pause=lambda: None)
