"""The connections to a ledger file: what they cost, and that they are nobody else's."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from sqlalchemy import bindparam, insert, select

from dispatcher.errors import StorageFailed
from dispatcher.ledger import open_ledger
from dispatcher.ledger.prepared import Prepared, PreparedForSome
from dispatcher.ledger.schema import results_files
from dispatcher.ledger.storage import Storage
from dispatcher.model import Purpose

PATHS = [f"/{number}" for number in range(9)]
NEW = Prepared(insert(results_files), ["campaign", "digest", "path"])
SOME: PreparedForSome[tuple[object, ...]] = PreparedForSome(
    lambda paths: select(results_files.c.path).where(
        results_files.c.path.in_(paths), results_files.c.campaign == bindparam("whose")
    ),
    ["whose"],
    row=tuple,
)


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[Storage]:
    with open_ledger(str(tmp_path / "l.db"), purpose=Purpose.REAL, create=True) as ledger:
        yield ledger._storage


def add(storage: Storage, *paths: str) -> int:
    with storage.writing() as connection:
        return NEW.run(connection, [("mora", "d", path) for path in paths])


def found(storage: Storage, *paths: str) -> list[str]:
    with storage.reading() as connection:
        return sorted(str(path) for (path,) in SOME.run(connection, paths, "mora"))


def test_a_prepared_statement_takes_the_values_of_rows_by_name(storage: Storage) -> None:
    assert add(storage, *PATHS) == len(PATHS)

    assert found(storage, *PATHS) == PATHS


def test_a_prepared_statement_for_no_row_changes_nothing(storage: Storage) -> None:
    assert add(storage) == 0


@pytest.mark.parametrize("count", range(1, len(PATHS)))
def test_a_prepared_statement_is_about_as_many_as_are_listed(storage: Storage, count: int) -> None:
    add(storage, *PATHS)

    assert found(storage, *PATHS[:count]) == PATHS[:count]


def test_a_transaction_that_failed_leaves_nothing_behind(storage: Storage) -> None:
    with pytest.raises(StorageFailed):
        add(storage, "/1", "/1")

    assert add(storage, "/1") == 1
    assert found(storage, "/1", "/2") == ["/1"]


def test_one_transaction_after_another_uses_one_connection(storage: Storage) -> None:
    with storage.writing() as first:
        pass
    with storage.writing() as second:
        pass

    assert first is second


def test_transactions_at_one_time_never_share_a_connection(storage: Storage) -> None:
    add(storage, "/1")
    with storage.writing() as connection:
        other = threading.Thread(target=add, args=(storage, "/2"))
        other.start()
        NEW.run(connection, [("mora", "d", "/3")])
    other.join()

    assert found(storage, "/1", "/2", "/3") == ["/1", "/2", "/3"]


def test_a_closed_storage_opens_anew(storage: Storage) -> None:
    add(storage, "/1")
    storage.close()

    assert add(storage, "/2") == 1


def test_however_many_read_at_once_the_log_can_be_moved_into_the_file(storage: Storage) -> None:
    """Their connections are kept, and keep nobody waiting."""
    with ExitStack() as stack:
        for _ in range(40):
            stack.enter_context(storage.reading())

    storage.checkpoint()

    assert add(storage, *PATHS) == len(PATHS)
