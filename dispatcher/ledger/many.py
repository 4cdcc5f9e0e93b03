"""One statement for many rows, without the cost of preparing each row anew."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

from sqlalchemy import Connection, Dialect, Insert, Update

Values = Mapping[str, object]


def run_many(connection: Connection, statement: Insert | Update, rows: Sequence[Values]) -> None:
    """
    Run *statement* once for each of *rows*.

    SQLAlchemy's own way spends more time on the parameters of a row than SQLite on the row.

    Arguments:
        connection: In a transaction that writes.
        statement: Its parameters are named by the keys of the rows.
        rows: All with the same keys, in the types the driver takes; may be empty.
    """
    if not rows:
        return
    text, order, constants = _compiled(statement, connection.dialect, tuple(rows[0]))
    if constants:
        rows = [{**constants, **row} for row in rows]
    connection.exec_driver_sql(text, [tuple([row[name] for name in order]) for row in rows])


@lru_cache(maxsize=64)
def _compiled(
    statement: Insert | Update, dialect: Dialect, names: tuple[str, ...]
) -> tuple[str, tuple[str, ...], Values]:
    """Return the text, its parameters in order, and those whose value is part of the statement."""
    compiled = statement.compile(dialect=dialect, column_keys=list(names))
    constants = {name: value for name, value in compiled.params.items() if name not in names}
    return str(compiled), tuple(compiled.positiontup or ()), constants
