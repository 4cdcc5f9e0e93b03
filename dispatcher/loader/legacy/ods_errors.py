"""The error cells of an ODS workbook: those marked so, and formulas that show an error."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from xml.parsers import expat

from dispatcher.loader.legacy.error_cells import UNNAMED, ErrorCells, Scan
from dispatcher.loader.workbook.cell_names import MOST_COLUMNS, MOST_ROWS
from dispatcher.loader.workbook.markup import Attributes, PrologGuard, attribute, local_name
from dispatcher.loader.workbook.package import Package

_CONTENT = "content.xml"
_SHOWN = r"#(?:N/A|NV|[^\s<>\"'#&]{2,24}[!?])|Err:[0-9]{3}"  # some are translated
_IS_SHOWN = re.compile(_SHOWN)
_HINT = re.compile(rb"value-type\s*=\s*[\"']error|" + _SHOWN.encode())
_HINT_BYTES = 64
_MOST_SHOWN = 64  # characters, more than any error has
_ASIDES = frozenset({"annotation", "frame", "shapes", "tracked-changes"})
_local = lru_cache(1024)(local_name)
_CELLS = frozenset({"table-cell", "covered-table-cell"})


def ods_scan(path: Path) -> Scan:
    """
    Return the scan of a workbook.

    Raises:
        SheetRefused: The archive or its content cannot be unpacked, or declares a document type.
        ValueError: The content is no valid XML.
        OSError: It is not there or may not be read.
    """
    with Package(path, file=path.name) as package:
        if not _may_hold_errors(package):
            return lambda _: {}
        return _parsed(package).__getitem__


def _may_hold_errors(package: Package) -> bool:
    tail = b""
    for chunk in package.chunks(_CONTENT):
        if _HINT.search(tail + chunk):
            return True
        tail = (tail + chunk)[-_HINT_BYTES:]
    return False


def _parsed(package: Package) -> list[ErrorCells]:
    guard = PrologGuard(package, _CONTENT)
    parser = expat.ParserCreate(namespace_separator="}")
    tables = _Tables(parser)
    try:
        for chunk in package.chunks(_CONTENT):
            guard.look(chunk)
            parser.Parse(chunk, False)
        parser.Parse(b"", True)
    except expat.ExpatError as problem:
        raise ValueError("no valid XML") from problem
    return tables.found


class _Tables:
    """
    Follows the tables of a document.

    Attributes:
        found: The error cells of each table.
    """

    def __init__(self, parser: expat.XMLParserType) -> None:
        self.found: list[ErrorCells] = []
        parser.StartElementHandler = self._begin
        parser.EndElementHandler = self._end
        self._parser = parser
        self._asides = 0  # comments, drawings and what was deleted have texts of their own
        self._cells: dict[int, Mapping[int, str]] = {}
        self._rows = range(1)  # those the current one stands for
        self._column = self._columns = 0
        self._errors: dict[int, str] = {}
        self._is_marked = False
        self._shown = ""

    def _begin(self, name: str, attributes: Attributes) -> None:
        local = _local(name)
        if local in _ASIDES:
            self._asides += 1
        elif self._asides:
            return
        elif local in _CELLS:
            self._begin_cell(attributes)
        elif local == "table-row":
            repeats = _repeats(attribute(attributes, "number-rows-repeated"), MOST_ROWS)
            first = self._rows.stop
            self._rows = range(first, min(first + repeats, MOST_ROWS + 1))
            self._column, self._errors = 0, {}
        elif local == "table" and attribute(attributes, "name"):
            self._rows, self._cells = range(1), {}
            self.found.append(self._cells)

    def _begin_cell(self, attributes: Attributes) -> None:
        self._columns, self._shown, self._is_marked = 1, "", False
        for key, value in attributes.items():
            match _local(key):
                case "number-columns-repeated":
                    self._columns = _repeats(value, MOST_COLUMNS)
                case "value-type" if value == "error":
                    self._is_marked = True
                    self._parser.CharacterDataHandler = self._text
                case "formula":
                    self._parser.CharacterDataHandler = self._text

    def _text(self, text: str) -> None:
        if not self._asides and len(self._shown) <= _MOST_SHOWN:
            self._shown += text

    def _end(self, name: str) -> None:
        local = _local(name)
        if local in _ASIDES:
            self._asides -= 1
        elif self._asides:
            return
        elif local in _CELLS:
            if self._parser.CharacterDataHandler is not None:
                self._end_formula()
            self._column += self._columns
        elif local == "table-row" and self._errors:
            self._cells.update(dict.fromkeys(self._rows, self._errors))

    def _end_formula(self) -> None:
        self._parser.CharacterDataHandler = None
        shown = self._shown.strip()
        names_error = _IS_SHOWN.fullmatch(shown) is not None
        if names_error or self._is_marked:
            word = shown if names_error else UNNAMED
            cells = range(self._column, min(self._column + self._columns, MOST_COLUMNS))
            self._errors.update(dict.fromkeys(cells, word))


def _repeats(text: str, most: int) -> int:
    return min(int(text or 1), most)
