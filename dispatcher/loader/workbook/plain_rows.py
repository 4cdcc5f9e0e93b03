"""
Rows in the one shape that nearly all programs write, read by a pattern instead of as a tree.

A pattern costs half of what a tree does. It takes a row only where every character of it is
accounted for; any other row is left to the tree, so that both always say the same.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sized
from xml.etree.ElementTree import Element

from dispatcher.loader.workbook.cell_names import COLUMN_INDICES, MOST_ROWS
from dispatcher.loader.workbook.cells import CellReader, flaw_of
from dispatcher.loader.workbook.number_text import CellFault
from dispatcher.loader.workbook.shaping import RawRow
from dispatcher.loader.workbook.shared_strings import CELL_LIMIT, DanglingReferenceError
from dispatcher.model import Flaw

_MOST_WORDINGS = 2_000  # of attributes; a sheet has a few

_ROW = re.compile(r'[ \t\r\n]*<row r="([1-9][0-9]{0,6})"([^<>/]*)>')
# The last way to match, a single character, makes sure that none is passed over.
_CELL = re.compile(
    r'[ \t\r\n]*<c r="([A-Z]{1,3})([0-9]+)"([^<>/]*)'
    r"(?:/>|></c>|><v>([^<>&\x00-\x08\x0b-\x1f\x7f-\U0010ffff]+)</v></c>)"
    r"|[^ \t\r\n]"
)
_WORDING = re.compile(r"""(?:[ \t\r\n]+[^ \t\r\n"'=]+="[^"]*")*[ \t\r\n]*""")
_EMPTY_ROWS = re.compile(r"(?:[ \t\r\n]*<row(?: [^<>]*)?/>)+")
_ONE_ROW = re.compile(r"[ \t\r\n]*<row[ >]")


def stands_alone(markup: str) -> bool:
    """Return whether markup up to a row's end tag is whole rows, and no part of a comment."""
    empty = _EMPTY_ROWS.match(markup)
    start = empty.end() if empty else 0
    return (
        _ONE_ROW.match(markup, start) is not None
        and markup.find("<row", start) == markup.rfind("<row")
        and "<!" not in markup
        and "<?" not in markup
    )


class PlainRows:
    """Reads rows one by one, given their markup in ASCII without the end tag."""

    def __init__(
        self,
        reader: Callable[[str | None, str | None], CellReader],
        is_hidden: Callable[[Element], bool],
        parsed: Callable[[str], Element],
    ) -> None:
        """
        Join what rows need.

        Args:
            reader: Returns how the values of a type and style are read.
            is_hidden: Returns whether the person does not see a row, by its attributes.
            parsed: Returns the element of a tag, so that XML itself judges each new wording.
        """
        self._reader = reader
        self._is_hidden = is_hidden
        self._parsed = parsed
        self._readers: dict[str, CellReader] = {}
        self._hidden: dict[str, bool] = {}

    def row(self, markup: str, *, after: int) -> RawRow | None:
        """
        Return a row, or None for one of another shape.

        Args:
            markup: The row without its end tag, and white space before it.
            after: Number of the row before.

        Raises:
            SheetRefused: Its attributes are no valid XML.
        """
        start = _ROW.match(markup)
        if start is None:
            return None
        number, attributes = start.groups()
        if not after < int(number) <= MOST_ROWS:
            return None
        try:
            return self._filled(markup, start, is_hidden=self._hides(attributes))
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
        readers = self._readers
        cells: list[str] = []
        flaws: list[Flaw] = []
        for letters, digits, attributes, value in _CELL.findall(markup, start.end()):
            if digits != number:
                return None
            reader = readers.get(attributes) or self._reads(attributes)
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

    def _reads(self, attributes: str) -> CellReader:
        reader = self._readers.get(attributes)
        if reader is None:
            cell = self._worded("c", attributes, known=self._readers)
            reader = self._readers[attributes] = self._reader(cell.get("t"), cell.get("s"))
        return reader

    def _hides(self, attributes: str) -> bool:
        hides = self._hidden.get(attributes)
        if hides is None:
            row = self._worded("row", attributes, known=self._hidden)
            hides = self._hidden[attributes] = self._is_hidden(row)
        return hides

    def _worded(self, tag: str, attributes: str, *, known: Sized) -> Element:
        if len(known) == _MOST_WORDINGS or not _WORDING.fullmatch(attributes):
            raise KeyError(attributes)
        return self._parsed(f'<{tag} r=""{attributes}/>')
