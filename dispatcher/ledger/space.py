"""
Room for a run, taken before its first call.

The ledger is filled with zeros that are then given back: its file keeps the pages and fills them
again before it grows, and the write-ahead log, which is not cut while the ledger is open, is begun
anew and keeps its length. So what a run writes lands where the disk has already given the room. A
file beside the ledger that is deleted when the disk is full would not do: anybody may be faster to
take its place, and the commit that failed has failed.
"""

from __future__ import annotations

import shutil

from sqlalchemy import bindparam, delete, func, insert, text

from dispatcher.errors import StorageFailed
from dispatcher.ledger.schema import reserve
from dispatcher.ledger.storage import Storage

CALL_BYTES = 1_024  # most take some 160, those with a body of their own or a long answer more
_LOG_BYTES = 4_400_000  # SQLite begins the log anew when it holds 1,000 pages of 4,096 bytes
_LOG_BYTES_A_CALL = 65_536  # while it is shorter: two commits of up to eight pages
_CHUNK_BYTES = _LOG_BYTES

_FILL = insert(reserve).values(filler=func.zeroblob(bindparam("size")))
_EMPTY = delete(reserve)
_FREE_PAGES = text("PRAGMA freelist_count")
_PAGE_BYTES = text("PRAGMA page_size")


def reserve_space(storage: Storage, calls: int) -> None:
    """
    Take room for so many calls; see ``Ledger.reserve_space``.

    Arguments:
        storage: Writable.
        calls: How many calls are about to be sent.
    """
    log = min(_LOG_BYTES, _LOG_BYTES_A_CALL * calls)
    wanted = max(log, CALL_BYTES * calls)
    missing = wanted - _free_bytes(storage)
    try:
        _must_have_room(storage, log + max(0, missing))
        _fill(storage, wanted if missing > 0 else log)
        storage.checkpoint()
    except StorageFailed as fault:
        raise StorageFailed(
            f"there is no room for the record of {calls} calls: {fault.message}",
            hint="nothing was sent; free some space, or name a ledger elsewhere with --ledger",
        ) from fault


def _free_bytes(storage: Storage) -> int:
    with storage.reading() as connection:
        pages = connection.execute(_FREE_PAGES).scalar_one()
        return int(pages * connection.execute(_PAGE_BYTES).scalar_one())


def _must_have_room(storage: Storage, size: int) -> None:
    """Look first: a disk filled to the brim by the attempt would help nobody."""
    free = shutil.disk_usage(storage.file.parent).free
    if free < size:
        raise StorageFailed(f"{storage.file.parent} has {free} bytes left and needs {size}")


def _fill(storage: Storage, size: int) -> None:
    try:
        while size > 0:
            with storage.writing() as connection:
                connection.execute(_FILL, {"size": min(size, _CHUNK_BYTES)})
            size -= _CHUNK_BYTES
    finally:
        with storage.writing() as connection:
            connection.execute(_EMPTY)
