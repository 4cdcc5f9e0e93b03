"""Cells by the names people call them: ``C5`` is the third column of the fifth row."""

from __future__ import annotations

import re
from itertools import chain, islice, product
from string import ascii_uppercase

MOST_COLUMNS = 16_384
MOST_ROWS = 1_048_576

_LETTERS = chain.from_iterable(product(ascii_uppercase, repeat=length) for length in (1, 2, 3))
COLUMN_NAMES = tuple("".join(letters) for letters in islice(_LETTERS, MOST_COLUMNS))
COLUMN_INDICES = {name: index for index, name in enumerate(COLUMN_NAMES)}

_REFERENCE = re.compile(r"\$?([A-Za-z]{1,3})\$?([0-9]{1,7})")


def cell_name(column: int, row: int) -> str:
    """Return the name of a cell; *column* counts from 0, *row* from 1."""
    return f"{COLUMN_NAMES[column]}{row}"


def position(reference: str) -> tuple[int, int] | None:
    """Return column from 0 and row from 1 of a reference like ``$C$5``, None if it is none."""
    found = _REFERENCE.fullmatch(reference)
    if found is None or found[1].upper() not in COLUMN_INDICES:
        return None
    row = int(found[2])
    return (COLUMN_INDICES[found[1].upper()], row) if 1 <= row <= MOST_ROWS else None
