"""One SQLite file: its connections, its transactions, and its faults as StorageFailed."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from dispatcher.errors import StorageFailed

BUSY_SECONDS = 30.0
_TO_READ, _TO_WRITE = "BEGIN", "BEGIN IMMEDIATE"
BATCH_ROWS = 1_000  # rows in a transaction that writes, and in a page that is read

# In force on every connection that writes; journal_mode stays with the file.
PRAGMAS = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    "PRAGMA fullfsync = ON",
    "PRAGMA foreign_keys = ON",
    "PRAGMA cache_size = -16000",
)


def seconds(moment: datetime) -> float:
    """Return an aware moment as the tables keep it: seconds since the epoch."""
    return moment.timestamp()


def moment_of(kept: float) -> datetime:
    """Return what ``seconds`` kept, aware UTC, to the microsecond."""
    return datetime.fromtimestamp(kept, UTC)


class Storage:
    """
    The connections to one ledger file.

    Attributes:
        file: Its absolute path, links resolved.
        locks: Folder of its kernel locks.
        writable: False for one opened to be read only.
    """

    def __init__(self, file: Path, *, writable: bool) -> None:
        self.file = file
        self.locks = file.with_name(file.name + ".locks")
        self.writable = writable
        self._engine = _engine(file, writable=writable)
        self._idle: dict[str, Connection] = {}

    def close(self) -> None:
        """Close all connections that are not in use."""
        while self._idle:
            self._idle.popitem()[1].close()
        self._engine.dispose()

    def must_be_writable(self) -> None:
        """Raise StorageFailed if this ledger was opened to be read only."""
        if not self.writable:
            raise StorageFailed(f"ledger {self.file} was opened to be read, not written")

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Give a connection whose reads all see one moment."""
        with self._faults_named("read"), self._transaction(_TO_READ) as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Give a connection in a transaction that is durable, or undone, when the block ends."""
        self.must_be_writable()
        with (
            self._faults_named("written"),
            self._transaction(_TO_WRITE) as connection,
        ):
            yield connection

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[Connection]:
        with self._kept_open(begin) as connection, connection.begin():
            # The driver would begin by itself, deferred and only before a write. Told here, not
            # by an event of the engine: one that has any asks before and after each statement.
            connection.connection.cursor().execute(begin)
            yield connection

    @contextmanager
    def _kept_open(self, begin: str) -> Iterator[Connection]:
        """
        Give a connection that stays; one of its own would cost as much as a small commit.

        One that reads and one that writes are kept, each with a cache of what it is used for. What
        else is wanted at the same time, which is seldom, is closed again.
        """
        connection = self._idle.pop(begin, None) or self._engine.connect()
        try:
            yield connection
        except BaseException:
            connection.close()
            raise
        # One that only reads has to look each time whether there is a log.
        if not self.writable or self._idle.setdefault(begin, connection) is not connection:
            connection.close()

    def checkpoint(self) -> None:
        """Move the log into the file as far as readers let it; the next write begins it anew."""
        self.must_be_writable()
        with self._faults_named("written"), self._kept_open(_TO_WRITE) as connection:
            connection.connection.cursor().execute("PRAGMA wal_checkpoint")

    @contextmanager
    def _faults_named(self, what: str) -> Iterator[None]:
        try:
            yield
        except (SQLAlchemyError, sqlite3.Error) as error:
            # Only the database's own words: the statement's parameters are personal data.
            own = error.orig if isinstance(error, DBAPIError) else error
            reason = own if isinstance(own, sqlite3.Error) else type(own).__name__
            raise StorageFailed(
                f"ledger {self.file} could not be {what}: {reason}",
                hint="check the disk's space and health and the file's permissions",
            ) from error


def _engine(file: Path, *, writable: bool) -> Engine:
    def connect() -> sqlite3.Connection:
        return connect_to_write(file) if writable else _connect_to_read(file)

    return create_engine("sqlite://", creator=connect, hide_parameters=True, poolclass=NullPool)


def log_of(file: Path) -> Path | None:
    """Return the write-ahead log with what is not in the file yet, or None without one."""
    log = file.with_name(file.name + "-wal")
    return log if log.exists() and log.stat().st_size else None


def connect_to_write(file: Path, *, mode: str = "rw") -> sqlite3.Connection:
    """Open a connection with everything in force that durability rests on."""
    connection = _connect(f"file:{quote(str(file))}?mode={mode}")
    for pragma in PRAGMAS:
        connection.execute(pragma)
    return connection


def _connect_to_read(file: Path) -> sqlite3.Connection:
    address = f"file:{quote(str(file))}?mode=ro"
    connection = _connect(address)
    try:
        connection.execute("SELECT 1 FROM sqlite_master")
    except sqlite3.OperationalError:
        connection.close()
        # In a folder that cannot be written SQLite finds no place for its shared memory. Without
        # a write-ahead log beside it the file alone is the whole truth.
        if log_of(file) is not None:
            raise
        return _connect(address + "&immutable=1")
    return connection


def _connect(address: str) -> sqlite3.Connection:
    return sqlite3.connect(
        address, uri=True, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
    )
