"""Holding a campaign, and being asked through the ledger to let it go."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from sqlalchemy import bindparam, insert, select

from dispatcher.errors import StorageFailed
from dispatcher.ledger import campaigns, lock
from dispatcher.ledger.schema import stop_requests
from dispatcher.ledger.storage import Storage, seconds

_ASKED_BY = select(stop_requests.c.user).where(stop_requests.c.token == bindparam("held"))
_ASK = insert(stop_requests)


class Holding:
    """
    The campaigns this process holds on one ledger.

    A request to end names one holding of the lock, not the campaign: what a dead run was asked
    says nothing to the next one, so nothing has to be cleared away.
    """

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._tokens: dict[str, str] = {}
        self._held_file: tuple[int, int] | None = None

    @contextmanager
    def hold(self, campaign: str) -> Iterator[None]:
        """
        Hold a campaign's kernel lock while the block runs; however the process ends, it is free.

        Raises:
            CampaignHeld: Another run holds it; the message says who, where and since when.
        """
        self._storage.must_be_writable()
        with lock.hold(self._storage.locks, campaign) as holder:
            self._tokens[campaign] = holder.token
            self._held_file = self._file()
            try:
                yield
            finally:
                del self._tokens[campaign]

    def is_held(self, campaign: str) -> bool:
        """Tell whether a live run holds the campaign; takes nothing from it and writes nothing."""
        return lock.is_held(self._storage.locks, campaign)

    def must_hold(self, campaign_id: int) -> None:
        """Raise StorageFailed if this process does not hold the campaign."""
        name = campaigns.name_of(self._storage, campaign_id)
        if name not in self._tokens:
            raise StorageFailed(f'campaign "{name}" is not held by this process')

    def ask(self, campaign: str, *, at: datetime) -> lock.Holder | None:
        """Ask the live run of a campaign to end; return who runs it, None where nobody does."""
        asked: lock.Holder | None = None
        # The file may still have named the last holder: then the new one is asked too.
        while (holder := lock.holder_of(self._storage.locks, campaign)) not in (None, asked):
            asked = holder
            self._ask(holder.token, at)
        return asked

    def asked_by(self, campaign: str) -> str:
        """
        Return who asked this process to end its holding of the campaign, or "".

        Raises:
            StorageFailed: The ledger cannot be read, or its file is not the one that was held.
        """
        if self._file() != self._held_file:
            # What is open still takes writes, and nobody will ever read them.
            raise StorageFailed(
                f"ledger {self._storage.file} was moved, replaced or removed while it was held",
                hint="put back the file that was there, and run again",
            )
        with self._storage.reading() as connection:
            found = connection.execute(_ASKED_BY, {"held": self._tokens.get(campaign, "")})
            return found.scalar() or ""

    def _file(self) -> tuple[int, int] | None:
        try:
            found = self._storage.file.stat()
        except OSError:
            return None
        return found.st_dev, found.st_ino

    def _ask(self, token: str, at: datetime) -> None:
        with self._storage.writing() as connection:
            if connection.execute(_ASKED_BY, {"held": token}).first() is None:
                new = {"token": token, "user": lock.this_user(), "at": seconds(at)}
                connection.execute(_ASK, new)
