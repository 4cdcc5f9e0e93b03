"""What the attributes of rows and cells mean, worked out once for each way they are written."""

from __future__ import annotations

import re
from collections.abc import Callable, Sized
from xml.etree.ElementTree import Element

from dispatcher.loader.workbook.cells import CellReader

_MOST_WORDINGS = 2_000  # a sheet has a few
_WORDING = re.compile(r"""(?:[ \t\r\n]+[^ \t\r\n"'=]+="[^"]*")*[ \t\r\n]*""")


class Wordings:
    """
    The wordings of one sheet, as they stand behind a row's or a cell's name.

    Attributes:
        readers: How values are read, by the wording of their cells, of those met so far.
    """

    def __init__(
        self,
        reader: Callable[[str | None, str | None], CellReader],
        is_hidden: Callable[[Element], bool],
        parsed: Callable[[str], Element],
    ) -> None:
        """
        Join what gives them their meaning.

        Args:
            reader: Returns how the values of a type and style are read.
            is_hidden: Returns whether the person does not see a row, by its attributes.
            parsed: Returns the element of a tag, so that XML itself judges each new wording.
        """
        self.readers: dict[str, CellReader] = {}
        self._reader = reader
        self._is_hidden = is_hidden
        self._parsed = parsed
        self._hidden: dict[str, bool] = {}

    def reader(self, attributes: str) -> CellReader:
        """
        Return how the values of cells of a wording are read.

        Raises:
            DanglingReferenceError: It names a type or style that does not exist.
            KeyError: It has no usual form, or there are too many.
            SheetRefused: It is no valid XML.
        """
        reader = self.readers.get(attributes)
        if reader is None:
            cell = self._worded("c", attributes, known=self.readers)
            reader = self.readers[attributes] = self._reader(cell.get("t"), cell.get("s"))
        return reader

    def hides(self, attributes: str) -> bool:
        """Return whether the person does not see rows of a wording; raises as ``reader`` does."""
        hides = self._hidden.get(attributes)
        if hides is None:
            row = self._worded("row", attributes, known=self._hidden)
            hides = self._hidden[attributes] = self._is_hidden(row)
        return hides

    def _worded(self, tag: str, attributes: str, *, known: Sized) -> Element:
        if len(known) == _MOST_WORDINGS or not _WORDING.fullmatch(attributes):
            raise KeyError(attributes)
        return self._parsed(f'<{tag} r=""{attributes}/>')
