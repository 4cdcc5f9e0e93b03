"""Finding, checking and creating a ledger."""

from __future__ import annotations

import os
import sqlite3
import sys
import uuid
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import create_engine, insert, inspect, select, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.pool import StaticPool

from dispatcher.errors import StorageFailed, UsageProblem
from dispatcher.ledger import lock
from dispatcher.ledger.ledger import Ledger
from dispatcher.ledger.mounts import mounts_of_this_machine, network_kind
from dispatcher.ledger.schema import SCHEMA_VERSION, facts, metadata
from dispatcher.ledger.storage import Storage, connect_to_write, log_of, seconds
from dispatcher.model import Purpose

_FACTS = select(facts.c.id, facts.c.purpose, facts.c.schema_version)
_COMPANIONS = ("-wal", "-shm", "-journal")
_MAGIC = b"SQLite format 3\0"
_CHECK_WHOLE_BELOW_BYTES = 50_000_000


def open_ledger(
    place: str, *, purpose: Purpose, create: bool, allow_network: bool = False
) -> Ledger:
    """
    Open a ledger to work with it.

    Opening changes the state of no call. The file is created readable by its owner only.

    Arguments:
        place: Path, or ``sqlite:///`` URL.
        purpose: What it is to be used for.
        create: Create it where there is none.
        allow_network: Accept a network file system.

    Raises:
        UsageProblem: It serves the other purpose, or there is none and *create* is false.
        StorageFailed: It is damaged, no ledger, of another version, or on a network file system.
    """
    file = _file_of(place, allow_network=allow_network)
    is_new = not file.exists()
    if is_new:
        if not create:
            raise UsageProblem(
                f"there is no ledger at {file}",
                hint="check --ledger and DISPATCHER_LEDGER, or let the command create it",
            )
        is_new = _create(file, purpose)
    ledger = _opened(file, writable=True, is_new=is_new)
    if ledger.purpose is not purpose:
        ledger.close()
        raise _other_purpose(file, ledger.purpose)
    return ledger


def read_ledger(place: str, *, allow_network: bool = False) -> Ledger | None:
    """
    Open a ledger to read it; every method that writes raises StorageFailed.

    Arguments:
        place: Path, or ``sqlite:///`` URL.
        allow_network: Accept a network file system.

    Returns:
        The ledger, of either purpose; None where there is none.

    Raises:
        StorageFailed: As for ``open_ledger``.
    """
    file = _file_of(place, allow_network=allow_network)
    if not file.exists():
        return None
    return _opened(file, writable=False, is_new=False)


def _file_of(place: str, *, allow_network: bool) -> Path:
    path = Path(_path_in_url(place) if "://" in place else place)
    file = Path(os.path.realpath(path.expanduser()))
    kind = "" if allow_network else network_kind(file, mounts_of_this_machine())
    if kind:
        raise StorageFailed(
            f"ledger {file} is on a network file system ({kind}), where locks are not safe",
            hint="name a place on a local disk with --ledger, or, if one machine alone uses it,"
            " add --ledger-on-network",
        )
    return file


def _path_in_url(place: str) -> str:
    try:
        url = make_url(place)
    except ArgumentError:
        raise UsageProblem("the ledger's URL is not valid", hint="give a file path") from None
    if url.get_backend_name() != "sqlite" or not url.database or url.database == ":memory:":
        raise UsageProblem(
            f"a ledger cannot be kept in {url.get_backend_name()} at this place",
            hint="give a file path",
        )
    return url.database


def _other_purpose(file: Path, purpose: Purpose) -> UsageProblem:
    if purpose is Purpose.SANDBOX:
        return UsageProblem(
            f"ledger {file} is for rehearsals and cannot record real calls",
            hint="name another with --ledger, or add --sandbox",
        )
    return UsageProblem(
        f"ledger {file} records real calls and cannot be used for a rehearsal",
        hint="leave out --ledger, or name one that was created with --sandbox",
    )


def _create(file: Path, purpose: Purpose) -> bool:
    """Create a whole ledger or none; False when another process was faster."""
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with lock.creating(file.with_name(file.name + ".locks")):
            if file.exists():
                return False
            _must_have_no_log(file)
            _draft(file.with_name(file.name + ".new"), purpose).rename(file)
            _sync_folder(file.parent)
    except (OSError, sqlite3.Error, SQLAlchemyError) as error:
        raise StorageFailed(
            f"ledger {file} cannot be created: {error}",
            hint="check the folder's permissions and the disk's space, or name another place",
        ) from error
    return True


def _must_have_no_log(file: Path) -> None:
    log = log_of(file)
    if log is not None:
        # A new file in its place would be overwritten with the old one's pages.
        raise _damaged(file, f"the file is gone, but its log {log.name} is still there")


def _draft(draft: Path, purpose: Purpose) -> Path:
    for suffix in ("", *_COMPANIONS):
        draft.with_name(draft.name + suffix).unlink(missing_ok=True)
    os.close(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    connection = connect_to_write(draft)
    engine = create_engine("sqlite://", creator=lambda: connection, poolclass=StaticPool)
    try:
        with engine.begin() as transaction:
            transaction.exec_driver_sql("BEGIN IMMEDIATE")
            metadata.create_all(transaction)
            transaction.execute(
                insert(facts),
                {
                    "id": str(uuid.uuid4()),
                    "purpose": purpose,
                    "schema_version": SCHEMA_VERSION,
                    "created_at": seconds(datetime.now(UTC)),
                },
            )
    finally:
        engine.dispose()
    return draft


def _sync_folder(folder: Path) -> None:
    if sys.platform != "win32":  # pragma: no branch - Windows neither can nor need
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _opened(file: Path, *, writable: bool, is_new: bool) -> Ledger:
    _check_is_database(file)
    reader = Storage(file, writable=False)  # what is not ours is not to be changed by looking
    ledger_id, purpose = _checked_facts(reader, file)
    storage = Storage(file, writable=True) if writable else reader
    return Ledger(storage, ledger_id=ledger_id, purpose=purpose, is_new=is_new)


def _check_is_database(file: Path) -> None:
    try:
        with file.open("rb") as stream:
            start = stream.read(len(_MAGIC))
    except OSError as error:
        raise StorageFailed(f"ledger {file} cannot be read: {error.strerror}") from error
    if start != _MAGIC:
        raise _damaged(file, "this is no ledger, or its beginning is lost")


def _checked_facts(storage: Storage, file: Path) -> tuple[str, Purpose]:
    with storage.reading() as connection:
        if not inspect(connection).has_table(facts.name):
            raise _damaged(file, "this database is no ledger")
        if file.stat().st_size < _CHECK_WHOLE_BELOW_BYTES:
            verdict = connection.execute(text("PRAGMA quick_check(1)")).scalar_one()
            if verdict != "ok":
                raise _damaged(file, f"it is damaged ({verdict})")
        row = connection.execute(_FACTS).one()
    if row.schema_version != SCHEMA_VERSION:
        which = "a newer" if row.schema_version > SCHEMA_VERSION else "the older"
        raise StorageFailed(
            f"ledger {file} has schema version {row.schema_version}, and this dispatcher"
            f" knows version {SCHEMA_VERSION}",
            hint=f"use {which} version of the dispatcher: a new ledger knows nobody who was called",
        )
    return row.id, Purpose(row.purpose)


def _damaged(file: Path, why: str) -> StorageFailed:
    return StorageFailed(
        f"ledger {file} cannot be used: {why}",
        hint="nothing was changed; restore it from a backup, or name another with --ledger",
    )
