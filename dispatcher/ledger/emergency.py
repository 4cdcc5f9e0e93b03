"""
The emergency file: ids of placed calls that the ledger could not take.

It lies beside the results, else in the home folder, never in a folder that everybody may write to.
Each line is one JSON object and on the disk before the next is begun. What names the ledger and
the campaign is believed: the ledger's id stands nowhere but in the ledger and in these files.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import stat
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import bindparam, select

from dispatcher.ledger.bodies import Codecs
from dispatcher.ledger.outcomes import end
from dispatcher.ledger.schema import calls, runs
from dispatcher.ledger.storage import Storage
from dispatcher.model import CallState, Outcome, Verdict

_TAKEN = ".taken"
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)
_PLACES = (
    select(runs.c.results)
    .where(runs.c.campaign_id == bindparam("campaign"), runs.c.results != "")
    .distinct()
    .order_by(runs.c.results)
)
_KNOWN = select(calls.c.key).where(
    calls.c.campaign_id == bindparam("campaign"),
    calls.c.key.in_(bindparam("keys", expanding=True)),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class EmergencyEntry:
    """
    A placed call that the ledger could not take; raises ValueError where it names none.

    Attributes:
        row: Row number as the spreadsheet shows it; for a person.
        key: The call, 32 hex digits.
        attempt: The attempt's number, from 1.
        call_id: Its id.
        at: When the attempt ended, aware.
        http_status: Of the answer.
        created_at: As the API said, or "".
    """

    row: int
    key: str
    attempt: int
    call_id: str
    at: datetime
    http_status: int = 0
    created_at: str = ""

    def __post_init__(self) -> None:
        if len(bytes.fromhex(self.key)) != _KEY_BYTES or self.attempt < 1 or not self.call_id:
            raise ValueError("an entry names a call, its attempt and its id")
        if self.at.tzinfo is None:
            raise ValueError("a time without zone says nothing")


_KEY_BYTES = 16


class EmergencyFile:
    """
    A file of one run, created with its first entry.

    Args:
        folders: Where it may lie, best first.
        ledger_id: Id of the ledger.
        campaign: Normalised name.
    """

    def __init__(self, folders: Sequence[Path], *, ledger_id: str, campaign: str) -> None:
        self._names = {"ledger": ledger_id, "campaign": campaign}
        name = f"{_stem(ledger_id, campaign)}{secrets.token_hex(4)}.jsonl"
        self._places = deque(folder / name for folder in folders if not _is_shared(folder))
        self._is_begun = False

    def add(self, entry: EmergencyEntry) -> Path | None:
        """Keep an entry; return the file it is in, or None where no place takes it."""
        line = (json.dumps(self._names | _kept(entry)) + "\n").encode()
        while self._places:
            try:
                self._append(self._places[0], line)
            except OSError:
                self._places.popleft()
                self._is_begun = False
            else:
                return self._places[0]
        return None

    def _append(self, path: Path, line: bytes) -> None:
        flags = os.O_WRONLY | os.O_APPEND | _NO_LINK
        if not self._is_begun:
            flags |= os.O_CREAT | os.O_EXCL
        descriptor = os.open(path, flags, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            try:
                file.write(line)
                file.flush()
                os.fsync(descriptor)
            except OSError:
                if not self._is_begun:
                    path.unlink()
                raise
        self._is_begun = True


def emergency_files(folders: Iterable[Path], *, ledger_id: str, campaign: str) -> tuple[Path, ...]:
    """Return the emergency files of a campaign that were not taken in yet, from these folders."""
    pattern = f"{_stem(ledger_id, campaign)}*.jsonl"
    found: dict[Path, None] = {}
    for folder in folders:
        with suppress(OSError):
            found |= dict.fromkeys(sorted(folder.resolve().glob(pattern)))
    return tuple(found)


def read_emergency(path: Path, *, ledger_id: str, campaign: str) -> tuple[EmergencyEntry, ...]:
    """
    Return the whole entries of this ledger and campaign; what is cut or foreign is left out.

    Raises:
        OSError: It cannot be read.
    """
    with os.fdopen(os.open(path, os.O_RDONLY | _NO_LINK), "rb") as file:
        lines = file.read().splitlines()
    names = {"ledger": ledger_id, "campaign": campaign}
    return tuple(entry for line in lines for entry in _entries(line, names))


def set_aside(path: Path) -> None:
    """Rename a file that was taken in; where that is forbidden, taking it in again does no harm."""
    with suppress(OSError):
        path.rename(path.with_name(path.name + _TAKEN))


class Emergencies:
    """
    What emergency files bring back into the ledger.

    Args:
        storage: The ledger's.
        must_hold: Raises StorageFailed where this process does not hold a campaign.
    """

    def __init__(self, storage: Storage, *, must_hold: Callable[[int], None]) -> None:
        self._storage = storage
        self._must_hold = must_hold

    def places(self, campaign_id: int) -> tuple[Path, ...]:
        """Return where the campaign's runs meant to write their results, each once."""
        with self._storage.reading() as connection:
            places = connection.execute(_PLACES, {"campaign": campaign_id}).scalars()
            return tuple(Path(place) for place in places)

    def take_in(
        self, campaign_id: int, entries: Sequence[EmergencyEntry]
    ) -> tuple[EmergencyEntry, ...]:
        """
        Let calls be placed that an earlier run placed and could not record; only under ``hold``.

        Returns:
            The entries whose call this campaign does not know: nothing came of them.
        """
        self._must_hold(campaign_id)
        keys = {bytes.fromhex(entry.key) for entry in entries}
        with self._storage.writing() as connection:
            found = connection.execute(_KNOWN, {"campaign": campaign_id, "keys": list(keys)})
            known = {key.hex() for (key,) in found}
            outcomes = [_outcome(entry) for entry in entries if entry.key in known]
            end(connection, outcomes, codec_for=Codecs().of)
        return tuple(entry for entry in entries if entry.key not in known)


def _stem(ledger_id: str, campaign: str) -> str:
    mark = hashlib.sha256(f"{ledger_id}\n{campaign}".encode()).hexdigest()[:12]
    return f"dispatcher-unrecorded-{mark}-"


def _is_shared(folder: Path) -> bool:
    """Whether everybody may write there, or it is no folder at all."""
    try:
        found = folder.stat()
    except OSError:
        return True
    everybody = sys.platform != "win32" and bool(found.st_mode & stat.S_IWOTH)
    return everybody or not stat.S_ISDIR(found.st_mode)


def _kept(entry: EmergencyEntry) -> dict[str, str | int]:
    return {
        "key": entry.key,
        "attempt": entry.attempt,
        "call_id": entry.call_id,
        "time": entry.at.isoformat(),
        "row": entry.row,
        "http_status": entry.http_status,
        "created_at": entry.created_at,
    }


def _entries(line: bytes, names: dict[str, str]) -> Iterator[EmergencyEntry]:
    try:
        kept = json.loads(line)
        if names.items() <= kept.items():
            yield EmergencyEntry(
                row=int(kept["row"]),
                key=str(kept["key"]),
                attempt=int(kept["attempt"]),
                call_id=str(kept["call_id"]),
                at=datetime.fromisoformat(kept["time"]),
                http_status=int(kept["http_status"]),
                created_at=str(kept["created_at"]),
            )
    except (AttributeError, KeyError, TypeError, ValueError):
        return


def _outcome(entry: EmergencyEntry) -> Outcome:
    return Outcome(
        key=entry.key,
        attempt=entry.attempt,
        state=CallState.PLACED,
        verdict=Verdict.PLACED,
        http_status=entry.http_status,
        call_id=entry.call_id,
        created_at=entry.created_at,
        at=entry.at,
    )
