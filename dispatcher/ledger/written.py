"""What the ledger notes of the results sheets that were written from it."""

from __future__ import annotations

from dataclasses import asdict

from sqlalchemy import bindparam, insert, select, update

from dispatcher.ledger.schema import results_files
from dispatcher.ledger.storage import Storage
from dispatcher.ledger.values import WrittenResults

_AT = select(results_files).where(results_files.c.path == bindparam("at_path"))
_OF = select(results_files).where(results_files.c.campaign == bindparam("of_campaign"))
_NEW = insert(results_files)
_REWRITTEN = (
    update(results_files)
    .where(results_files.c.path == bindparam("at_path"))
    .values(digest=bindparam("new_digest"), campaign=bindparam("of_campaign"))
)


class ResultsFiles:
    """Path, digest and campaign of each results sheet: only what is known here is overwritten."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def at(self, path: str) -> WrittenResults | None:
        """Return what was noted of the results sheet at this absolute path, or None."""
        with self._storage.reading() as connection:
            row = connection.execute(_AT, {"at_path": path}).first()
        return (
            WrittenResults(path=row.path, digest=row.digest, campaign=row.campaign) if row else None
        )

    def of(self, campaign: str) -> tuple[WrittenResults, ...]:
        """Return what was noted of all results sheets of a campaign, in no order."""
        with self._storage.reading() as connection:
            rows = connection.execute(_OF, {"of_campaign": campaign}).all()
        return tuple(
            WrittenResults(path=r.path, digest=r.digest, campaign=r.campaign) for r in rows
        )

    def note(self, path: str, digest: str, campaign: str) -> None:
        """Note a results sheet, in the place of what was noted of its path before."""
        new = {"at_path": path, "new_digest": digest, "of_campaign": campaign}
        written = WrittenResults(path=path, digest=digest, campaign=campaign)
        with self._storage.writing() as connection:
            if not connection.execute(_REWRITTEN, new).rowcount:
                connection.execute(_NEW, asdict(written))
