"""The table of texts that cells share, kept small: it is what remains in memory of a workbook."""

from __future__ import annotations

from array import array
from xml.etree.ElementTree import Element

from dispatcher.loader.workbook.escapes import decoded
from dispatcher.loader.workbook.markup import children, local_name
from dispatcher.loader.workbook.package import Package
from dispatcher.loader.workbook.refusal import unsafe

CELL_LIMIT = 32_767  # characters Excel allows in a cell
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

    def named(self, value: str | None) -> str:
        """
        Return the text a cell's value refers to.

        Raises:
            DanglingReferenceError: There is none.
        """
        try:
            index = int(value or "")
            start = self._ends[index]
            text = self._block[start : self._ends[index + 1]].decode("utf-8")
        except (IndexError, ValueError) as problem:
            ...
        return text

    def append(self, text: str) -> None:
        """Add a text at the end."""
        self._block += text[: CELL_LIMIT + 1].encode("utf-8")
        self._ends.append(len(self._block))


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
    for item in children(package, part, "sst", lambda *_: None):
        texts.append(text_of(item))
    return texts


def text_of(item: Element) -> str:
    """Return the text of a shared or inline string: its runs joined, phonetic ones left out."""
    pieces: list[str] = []
    for child in item:
        name = local_name(child.tag)
        if name == "t":
            pieces.append(child.text or "")
        elif name == "r":
            pieces += [run.text or "" for run in child if local_name(run.tag) == "t"]
    return decoded("".join(pieces))
