"""
Statements a run executes for every call: written with SQLAlchemy, compiled once, run by the driver.

SQLAlchemy's own execution takes 25 us for a statement, and more for the parameters of a row than
SQLite for the row: half of what the ledger cost a call. What is rare goes through it all the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Generic, TypeVar

from sqlalchemy import BindParameter, Connection, Insert, Update, bindparam
from sqlalchemy.engine.interfaces import DBAPICursor
from sqlalchemy.sql.elements import DQLDMLClauseElement

_Row = tuple[object, ...]
_Arranged = Callable[[_Row], _Row]

R = TypeVar("R")


class Prepared:
    """
    A statement that is run once for each of many rows.

    Arguments:
        statement: It takes at least two parameters.
        names: What the values of a row are called, in the row's order; its parameters are among
            them.
    """

    def __init__(self, statement: Insert | Update, names: Sequence[str]) -> None:
        self._statement = statement
        self._names = tuple(names)
        self._ready: dict[str, tuple[str, _Arranged]] = {}

    def run(self, connection: Connection, rows: Sequence[_Row]) -> int:
        """Run it for *rows*, of the types the driver takes, and return how many it changed."""
        if not rows:
            return 0
        dialect = connection.dialect.name
        if dialect not in self._ready:
            self._ready[dialect] = _compiled(connection, self._statement, self._names)
        text, arranged = self._ready[dialect]
        cursor = _cursor(connection)
        cursor.executemany(text, [*map(arranged, rows)])
        return cursor.rowcount


class PreparedForSome(Generic[R]):
    """
    A statement about some rows, which a value of theirs tells.

    It is prepared for 1, 2, 4, 8 ... values, and the last is repeated where there are fewer.

    Arguments:
        statement: Made for so many parameters; it means the same when one is repeated.
        names: What its other parameters are called.
        row: Makes what is returned of the values of a row.
    """

    def __init__(
        self,
        statement: Callable[[Sequence[BindParameter[object]]], DQLDMLClauseElement],
        names: Sequence[str] = (),
        *,
        row: Callable[[_Row], R],
    ) -> None:
        self._statement = statement
        self._row = row
        self._names = tuple(names)
        self._ready: dict[tuple[str, int], tuple[str, _Arranged]] = {}

    def run(self, connection: Connection, some: Sequence[object], *others: object) -> list[R]:
        """Return the rows it finds, or changed, of *some*, at least one."""
        size = 1 << (len(some) - 1).bit_length()
        which = (connection.dialect.name, size)
        if which not in self._ready:
            listed = [f"listed_{number}" for number in range(size)]
            statement = self._statement([bindparam(name) for name in listed])
            self._ready[which] = _compiled(connection, statement, (*listed, *self._names))
        text, arranged = self._ready[which]
        filled = (*some, *([some[-1]] * (size - len(some))), *others)
        cursor = _cursor(connection)
        cursor.execute(text, arranged(filled))
        return [*map(self._row, cursor.fetchall())]


def _cursor(connection: Connection) -> DBAPICursor:
    return connection.connection.cursor()


def _compiled(
    connection: Connection, statement: DQLDMLClauseElement, names: tuple[str, ...]
) -> tuple[str, _Arranged]:
    """Return the text, and what puts the values called *names* in the order of its parameters."""
    columns = list(names) if isinstance(statement, Insert) else None
    compiled = statement.compile(dialect=connection.dialect, column_keys=columns)
    order = [names.index(name) for name in compiled.positiontup or ()]
    # Of one index it would return the value, of a slice it returns a row.
    return str(compiled), itemgetter(*order) if len(order) > 1 else itemgetter(slice(1))
