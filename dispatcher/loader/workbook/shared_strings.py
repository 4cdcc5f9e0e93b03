"""The table of texts that cells share, kept small: it is what remains in memory of a workbook."""

from __future__ import annotations

from array import array

from dispatcher.loader.workbook.escapes import decoded
from dispatcher.loader.workbook.markup import Attributes, local_name, parse, parser_for
from dispatcher.loader.workbook.package import Package
from dispatcher.loader.workbook.refusal import unsafe

CELL_LIMIT = 32_767  # characters Excel allows in a cell
PIECE_LIMIT = 1024 * 1024  # characters of one text before anything can be said about it
_MOST_RATIO = 50  # texts that are listed once each do not pack any better
_RATIO_MATTERS_FROM = 64 * 1024**2  # bytes


class SharedStrings:
    """
    Texts by index.

    They stand end to end in one block of UTF-8: a million of them as Python strings would take
    four times the room. A text that no cell may hold is cut one character past the limit.
    """

    def __init__(self) -> None:
        self._block = bytearray()
        self._ends = array("Q", [0])

    @property
    def size(self) -> int:
        """Bytes of all texts together."""
        return len(self._block)

    def __getitem__(self, index: int) -> str:
        if index < 0:
            raise IndexError(index)
        return self._block[self._ends[index] : self._ends[index + 1]].decode("utf-8")

    def append(self, text: str) -> None:
        """Add a text at the end."""
        self._block += text[: CELL_LIMIT + 1].encode("utf-8")
        self._ends.append(len(self._block))


class _Reader:
    """Handlers that gather the texts of a shared string table."""

    def __init__(self, texts: SharedStrings) -> None:
        self.piece: list[str] = []
        self._texts = texts
        self._pieces: list[str] = []
        self._phonetic = False

    def begin(self, element: str, _: Attributes) -> None:
        match local_name(element):
            case "si":
                self._pieces.clear()
            case "t":
                self.piece.clear()
            case "rPh":  # how it is pronounced, which is not part of the text
                self._phonetic = True
            case _:
                pass

    def end(self, element: str) -> None:
        match local_name(element):
            case "t" if not self._phonetic:
                self._pieces.append("".join(self.piece))
            case "rPh":
                self._phonetic = False
            case "si":
                self._texts.append(decoded("".join(self._pieces)))
            case _:
                pass
        self.piece.clear()


def shared_strings_of(package: Package, part: str) -> SharedStrings:
    """
    Read the table of shared texts.

    Args:
        package: The workbook.
        part: Name of the part, "" for a workbook without one.

    Raises:
        SheetRefused: The part is damaged, no valid XML, or unpacks to far more than texts do.
    """
    texts = SharedStrings()
    if not part or not package.has(part):
        return texts
    if package.size(part) > max(_RATIO_MATTERS_FROM, _MOST_RATIO * package.packed_size(part)):
        raise unsafe(package.file, f"its part {part} unpacks to a zip bomb's size")
    parser = parser_for(package, part)
    reader = _Reader(texts)
    parser.StartElementHandler = reader.begin
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.piece.append
    for _ in parse(package, part, parser):
        if sum(map(len, reader.piece)) > PIECE_LIMIT:
            raise unsafe(package.file, f"its part {part} holds a text that no cell could show")
    return texts
