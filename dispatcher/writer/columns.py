"""Which columns of a table are not plain text."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """
    The columns that are not plain text.

    Attributes:
        status: Index of the column that is coloured by its word, -1 for none.
        numbers: Indices of columns whose whole numbers are number cells.
    """

    status: int = -1
    numbers: frozenset[int] = frozenset()
