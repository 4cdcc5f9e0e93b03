"""
Rows in the one shape that nearly all programs write, read by a pattern instead of as a tree.

A pattern costs half of what a tree does. It takes a row only where every character of it is
accounted for; any other row is left to the tree, so that both always say the same.
"""

from __future__ import annotations

import re

from dispatcher.loader.workbook.cell_names import COLUMN_INDICES, MOST_ROWS
from dispatcher.loader.workbook.cells import flaw_of
from dispatcher.loader.workbook.number_text import CellFault
from dispatcher.loader.workbook.shaping import RawRow
from dispatcher.loader.workbook.shared_strings import CELL_LIMIT, DanglingReferenceError
from dispatcher.loader.workbook.wordings import Wordings
from dispatcher.model import Flaw

ROW_TAG = re.compile(r'[ \t\r\n]*<row r="([1-9][0-9]{0,6})"([^<>/]*)>')
# Of a value that stands in it as it is, and in ASCII.
VALUE = r"[^<>&\x00-\x08\x0b-\x1f\x7f-\U0010ffff]+"
# The last way to match, a single character, makes sure that none is passed over.
CELL = re.compile(
    r'[ \t\r\n]*<c r="([A-Z]{1,3})([0-9]+)"([^<>/]*)'
    rf"(?:/>|></c>|><v>({VALUE})</v></c>)"
    r"|[^ \t\r\n]"
)


class PlainRows:
    """Reads rows one by one, given their markup in ASCII without the end tag."""

    def __init__(self, wordings: Wordings) -> None:
        """Begin with the meanings of a sheet's wordings."""
        self._wordings = wordings

    def row(self, markup: str, *, after: int) -> RawRow | None:
        """
        Return a row, or None for one of another shape.

        Args:
            markup: The row without its end tag, and white space before it.
            after: Number of the row before.

        Raises:
            SheetRefused: Its attributes are no valid XML.
        """
        start = ROW_TAG.match(markup)
        if start is None:
            return None
        number, attributes = start.groups()
        if not after < int(number) <= MOST_ROWS:
            return None
        try:
            return self._filled(markup, start, is_hidden=self._wordings.hides(attributes))
        except (DanglingReferenceError, KeyError):
            return None

    def _filled(self, markup: str, start: re.Match[str], *, is_hidden: bool) -> RawRow | None:
        """
        Return a row with its cells.

        Raises:
            DanglingReferenceError: A cell refers to what is not there.
            KeyError: A column does not exist.
        """
        number = start[1]
        readers, new_reader = self._wordings.readers, self._wordings.reader
        cells: list[str] = []
        flaws: list[Flaw] = []
        for letters, digits, attributes, value in CELL.findall(markup, start.end()):
            if digits != number:
                return None
            reader = readers.get(attributes) or new_reader(attributes)
            column = COLUMN_INDICES[letters]
            if not value:
                continue
            found = reader(value)
            if isinstance(found, CellFault):
                flaws.append(flaw_of(found, column, int(number)))
            text = found.text if isinstance(found, CellFault) else found
            if not text:
                continue
            missing = column - len(cells)
            if missing < 0 or len(text) > CELL_LIMIT:
                return None
            if missing:
                cells += [""] * missing
            cells.append(text)
        return RawRow(int(number), cells, is_hidden, tuple(flaws))
