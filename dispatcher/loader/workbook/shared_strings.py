"""The table of texts that cells share, kept small: it is what remains in memory of a workbook."""

from __future__ import annotations

from array import array
from xml.etree.ElementTree import Element

from dispatcher.loader.workbook.escapes import decoded
from dispatcher.loader.workbook.markup import local_name
from dispatcher.loader.workbook.package import Package
from dispatcher.loader.workbook.tree import children

CELL_LIMIT = 32_767  # characters Excel allows in a cell
_MOST_AT_HAND = 400_000  # texts; about 40 MB
_SIZE_AT_HAND = 16 * 1024**2  # bytes
_MOST_RATIO = 50  # texts that are listed once each do not pack any better
_RATIO_MATTERS_FROM = 64 * 1024**2  # bytes
_MOST_SHOWN = 20  # characters of an odd value in a message


class DanglingReferenceError(Exception):
    """A cell refers to something that is not there; the text says to what."""


class SharedStrings:
    """
    Texts by index.

    The first ones, among them those that a sheet repeats, are kept at hand. The others stand end
    to end in one block of UTF-8: a million of them as Python strings would take four times the
    room. A text that no cell may hold is cut one character past the limit.

    Attributes:
        size: Bytes of all texts together.
    """

    def __init__(self) -> None:
        self.size = 0
        self._at_hand: list[str] = []
        self._block = bytearray()
        self._ends = array("Q", [0])

    def append(self, text: str) -> None:
        """Add a text at the end."""
        text = text[: CELL_LIMIT + 1]
        if self.size < _SIZE_AT_HAND and len(self._at_hand) < _MOST_AT_HAND:
            self._at_hand.append(text)
            self.size += len(text) if text.isascii() else len(text.encode("utf-8"))
            return
        encoded = text.encode("utf-8")
        self._block += encoded
        self._ends.append(len(self._block))
        self.size += len(encoded)

    def named(self, value: str | None) -> str:
        """
        Return the text that a cell's value refers to.

        Args:
            value: The index as the cell has it; white space is no text at all.

        Raises:
            DanglingReferenceError: There is none.
        """
        value = value or ""
        try:
            index = int(value)
            if index >= 0:
                at_hand = self._at_hand
                return at_hand[index] if index < len(at_hand) else self._packed(index)
        except (IndexError, OverflowError, ValueError):
            if not value.strip():
                return ""
        shown = value[:_MOST_SHOWN]
        raise DanglingReferenceError(f"text {shown}, which the workbook does not have")

    def _packed(self, index: int) -> str:
        at = index - len(self._at_hand)
        return self._block[self._ends[at] : self._ends[at + 1]].decode("utf-8")


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
    package.judge_ratio(part, most=_MOST_RATIO, above=_RATIO_MATTERS_FROM)
    for item in children(package, part, "sst"):
        texts.append(text_of(item))
    return texts


def text_of(item: Element) -> str:
    """Return the text of a shared or inline string: its runs joined, phonetic ones left out."""
    if not len(item):
        return ""
    only = item[0]
    if len(item) == 1 and not len(only):  # not formatted, as nearly all are
        return decoded(only.text or "") if only.tag[-2:] in {"}t", "t"} else ""
    pieces: list[str] = []
    for child in item:
        name = local_name(child.tag)
        if name == "t":
            pieces.append(child.text or "")
        elif name == "r":
            pieces += [run.text or "" for run in child if local_name(run.tag) == "t"]
    return decoded("".join(pieces))
