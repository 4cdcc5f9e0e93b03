"""
Kernel locks: one run per campaign, and an end of the process by any cause releases it.

A run holds an exclusive ``flock`` on a file of its own; who holds it is written into the file
after taking it. A probe asks for a shared lock and gives it back at once. A run that meets a probe
can tell: it too gets a shared lock then, which a run would refuse, and so it tries again instead
of giving up. On Windows a byte range far behind the text is locked, and a run always tries again
for a moment.
"""

from __future__ import annotations

import getpass
import hashlib
import json
import os
import shlex
import socket
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from dispatcher.errors import CampaignHeld, StorageFailed

_PAUSE_SECONDS = 0.01
_TRIES = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """
    Who holds a lock.

    Attributes:
        user: Login name.
        host: Host name.
        pid: Process id on that host.
        since: ``YYYY-MM-DD HH:MM:SS UTC``.
        token: Names this one holding of the lock: a pid may come again.
    """

    user: str
    host: str
    pid: int
    since: str
    token: str

    @property
    def words(self) -> str:
        """Who, where and since when, for a person."""
        return f"{self.user} on {self.host} since {self.since}"


def _nap() -> None:
    time.sleep(_PAUSE_SECONDS)


@contextmanager
def hold(folder: Path, campaign: str, *, pause: Callable[[], None] = _nap) -> Iterator[Holder]:
    """
    Hold a campaign's lock while the block runs, and give what others read of it.

    Arguments:
        folder: The ledger's folder of locks; created where missing.
        campaign: Normalised name.
        pause: Waits a moment between two tries while probes are in the way.

    Raises:
        CampaignHeld: A live run holds it.
    """
    path = _lock_file(folder, campaign)
    descriptor = _open(path)
    try:
        if not _taken(descriptor, pause):
            raise _held_by_another(campaign, path)
        holder = _this_process()
        _write_holder(descriptor, holder)
        yield holder
    finally:
        os.close(descriptor)


def is_held(folder: Path, campaign: str) -> bool:
    """Tell whether a live run holds the campaign's lock, without writing anything."""
    try:
        descriptor = os.open(_lock_file(folder, campaign), os.O_RDONLY)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise StorageFailed(f"the locks in {folder} cannot be read: {error.strerror}") from error
    try:
        return not _shared(descriptor)
    finally:
        os.close(descriptor)


def holder_of(folder: Path, campaign: str, *, pause: Callable[[], None] = _nap) -> Holder | None:
    """
    Return who holds the campaign's lock, or None where nobody does.

    Raises:
        StorageFailed: Somebody does, and does not say who.
    """
    for _ in range(_TRIES):
        if not is_held(folder, campaign):
            return None
        if (holder := _read_holder(_lock_file(folder, campaign))) is not None:
            return holder
        pause()  # the other has only just taken it
    raise StorageFailed(f'the lock of campaign "{campaign}" does not say who holds it')


@contextmanager
def creating(folder: Path) -> Iterator[None]:
    """Let one process at a time create the ledger that *folder* belongs to."""
    descriptor = _open(folder / "create.lock")
    try:
        _wait_for(descriptor)
        yield
    finally:
        os.close(descriptor)


def _lock_file(folder: Path, campaign: str) -> Path:
    return folder / f"{hashlib.sha256(campaign.encode()).hexdigest()[:32]}.lock"


def _open(path: Path) -> int:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise StorageFailed(
            f"the lock {path} cannot be created: {error.strerror}",
            hint="check the permissions of the ledger's folder",
        ) from error


def _taken(descriptor: int, pause: Callable[[], None]) -> bool:
    for _ in range(_TRIES):
        if _exclusive(descriptor):
            return True
        if not _only_probed(descriptor):
            return False
        pause()
    return False


if sys.platform == "win32":  # pragma: no cover
    import msvcrt

    _FAR_BEHIND_THE_TEXT = 1 << 30

    def _exclusive(descriptor: int) -> bool:
        os.lseek(descriptor, _FAR_BEHIND_THE_TEXT, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

    def _shared(descriptor: int) -> bool:
        return _exclusive(descriptor)

    def _only_probed(_descriptor: int) -> bool:
        return True

    def _wait_for(descriptor: int) -> None:
        while not _exclusive(descriptor):
            _nap()

else:
    import fcntl

    def _flock(descriptor: int, kind: int) -> bool:
        try:
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _exclusive(descriptor: int) -> bool:
        return _flock(descriptor, fcntl.LOCK_EX)

    def _shared(descriptor: int) -> bool:
        return _flock(descriptor, fcntl.LOCK_SH)

    def _only_probed(descriptor: int) -> bool:
        probed = _shared(descriptor)
        fcntl.flock(descriptor, fcntl.LOCK_UN)
        return probed

    def _wait_for(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX)


def _this_process() -> Holder:
    return Holder(
        user=this_user(),
        host=socket.gethostname(),
        pid=os.getpid(),
        since=datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC"),
        token=uuid.uuid4().hex,
    )


def _write_holder(descriptor: int, holder: Holder) -> None:
    os.ftruncate(descriptor, 0)
    os.lseek(descriptor, 0, os.SEEK_SET)
    os.write(descriptor, json.dumps(asdict(holder)).encode())


def _read_holder(path: Path) -> Holder | None:
    try:
        return Holder(**json.loads(path.read_text("utf-8")))
    except (OSError, ValueError, TypeError):  # half written, or by another version
        return None


def this_user() -> str:
    """Return the login name of whoever runs this, or what comes nearest to it."""
    try:
        return getpass.getuser()
    except (ImportError, KeyError, OSError):
        return f"user {os.getuid()}" if hasattr(os, "getuid") else "somebody"


def _held_by_another(campaign: str, path: Path) -> CampaignHeld:
    holder = _read_holder(path)
    return CampaignHeld(
        f'campaign "{campaign}" is being run by {holder.words if holder else "another process"}',
        hint=f"wait for it, or end it with: dispatcher stop {shlex.quote(campaign)}",
    )
