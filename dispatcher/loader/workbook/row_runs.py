"""
Rows written like those before them, many at once.

One pattern is made of all the ways in which each column was written so far. A row that it takes
has every character accounted for, and the values of a run of such rows are read column by column,
for half of what it takes row by row. Whatever is not plain text is left to the row by itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

from dispatcher.loader.workbook.cell_names import COLUMN_INDICES, COLUMN_NAMES, MOST_ROWS
from dispatcher.loader.workbook.cells import CellReader
from dispatcher.loader.workbook.number_text import plain_number, settled_numbers
from dispatcher.loader.workbook.plain_rows import CELL, ROW_TAG, VALUE
from dispatcher.loader.workbook.shaping import RawRow
from dispatcher.loader.workbook.shared_strings import (
    CELL_LIMIT,
    DanglingReferenceError,
    SharedStrings,
)
from dispatcher.loader.workbook.wordings import Wordings

_MOST_LESSONS = 8  # to compile a pattern takes as long as to read some hundred rows
_MOST_WAYS = 128  # in which the columns are written, together
_MOST_COLUMNS = 64
_SPACE = r"[ \t\r\n]*"
_INDEX = "[0-9]{1,9}"

_ColumnReader = Callable[[Sequence[str]], Sequence[str] | None]


class Run(NamedTuple):
    """
    Rows that follow each other.

    Attributes:
        rows: What they hold, blank ones included; None where they are to be read one by one.
        size: Characters of all their cells.
        last: Number of the last row.
        end: Where the markup goes on.
    """

    rows: list[RawRow] | None
    size: int
    last: int
    end: int


class RowRuns:
    """Reads runs of rows, given their markup in ASCII, each with its end tag."""

    def __init__(self, wordings: Wordings, texts: SharedStrings) -> None:
        """
        Begin without knowing any row.

        Args:
            wordings: What the attributes mean.
            texts: The shared texts.
        """
        self._wordings = wordings
        self._texts = texts
        self._ways: dict[str, set[str]] = {}  # column letters -> attributes of its cells
        self._lessons = 0
        self._is_new = False
        self._match: Callable[[str, int], re.Match[str] | None] = _never
        self._readers: list[tuple[int, _ColumnReader]] = []
        self._width = 0

    def note(self, markup: str) -> None:
        """Take note of how a row that was read by itself is written."""
        if self._lessons == _MOST_LESSONS:
            return
        start = ROW_TAG.match(markup)
        for letters, _, attributes, _ in CELL.findall(markup, start.end() if start else 0):
            ways = self._ways.setdefault(letters, set())
            if attributes not in ways:
                ways.add(attributes)
                self._is_new = True

    def learn(self) -> None:
        """Make a pattern of all that was noted."""
        ways = sum(map(len, self._ways.values()))
        if not self._is_new or ways > _MOST_WAYS or len(self._ways) > _MOST_COLUMNS:
            return
        columns = sorted((COLUMN_INDICES[letters], ways) for letters, ways in self._ways.items())
        if columns[-1][0] >= _MOST_COLUMNS:
            return
        self._is_new = False
        self._lessons += 1
        self._readers = []
        pieces = [f'{_SPACE}<row r="([1-9][0-9]{{0,6}})"([^<>/]*)>']
        for column, attributes in columns:
            pieces.append(self._piece(column, sorted(attributes)))
        pieces.append(f"{_SPACE}</row>")
        self._match = re.compile("".join(pieces)).match
        self._width = columns[-1][0] + 1

    def take(self, markup: str, start: int, *, after: int) -> Run:
        """
        Read the rows from a place on, as far as the pattern goes.

        Args:
            markup: Rows, each with its end tag.
            start: Where the first one begins.
            after: Number of the row before.

        Raises:
            SheetRefused: Attributes of a row are no valid XML.
        """
        match, found, end = self._match, [], start
        while row := match(markup, end):
            found.append(row.groups(""))
            end = row.end()
        if not found:
            return Run([], 0, after, start)
        numbers, attributes, *values = zip(*found, strict=True)
        ordered = [after, *map(int, numbers)]
        if ordered[-1] > MOST_ROWS or any(one >= next_ for one, next_ in pairwise(ordered)):
            return Run(None, 0, after, end)
        try:
            hidden = list(map(self._wordings.hides, attributes))
            columns = self._columns(values, len(found))
        except (DanglingReferenceError, KeyError):
            return Run(None, 0, after, end)
        size = _size(columns)
        if size is None:
            return Run(None, 0, after, end)
        cells = zip(*columns, strict=True)
        rows = list(map(RawRow, ordered[1:], cells, hidden))
        return Run(rows, size, ordered[-1], end)

    def _piece(self, column: int, attributes: Iterable[str]) -> str:
        """Return the pattern of a cell, and remember how what it finds is read."""
        ways = []
        for way in attributes:
            reader = self._wordings.reader(way)
            is_shared = reader == self._texts.named
            value = _INDEX if is_shared else VALUE
            ways.append(f"{re.escape(way)}(?:/>|></c>|><v>({value})</v></c>)")
            self._readers.append((column, self._texts.all_named if is_shared else _all(reader)))
        return rf'(?:{_SPACE}<c r="{COLUMN_NAMES[column]}\1"(?:{"|".join(ways)}))?'

    def _columns(self, values: Sequence[Sequence[str]], height: int) -> list[Sequence[str]]:
        """
        Read the values of a run.

        Raises:
            DanglingReferenceError: One refers to what is not there.
            KeyError: One is no plain text.
        """
        blank = [""] * height
        columns: list[Sequence[str]] = [blank] * self._width
        for (column, read), stored in zip(self._readers, values, strict=True):
            if not any(stored):
                continue
            texts = read(stored)
            if texts is None:
                raise KeyError(column)
            one = columns[column]
            columns[column] = (
                texts if one is blank else [a or b for a, b in zip(one, texts, strict=True)]
            )
        return columns


def _never(_markup: str, _start: int) -> None:
    return None


def _all(reader: CellReader) -> _ColumnReader:
    def read(values: Sequence[str]) -> Sequence[str] | None:
        if is_plain and settled_numbers(values):
            return values
        found = [reader(value) if value else "" for value in values]
        texts = [text for text in found if isinstance(text, str)]
        return texts if len(texts) == len(values) else None

    is_plain = reader is plain_number
    return read


def _size(columns: Iterable[Sequence[str]]) -> int | None:
    """Return the characters of all columns, None where a cell has more than it can hold."""
    size = 0
    for column in columns:
        length = len("".join(column))
        if length > CELL_LIMIT and max(map(len, column)) > CELL_LIMIT:
            return None
        size += length
    return size
