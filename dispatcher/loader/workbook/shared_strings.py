"""The table of texts that cells share, kept small: it is what remains in memory of a workbook."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from itertools import accumulate, islice
from xml.etree.ElementTree import Element

from dispatcher.loader.workbook.escapes import decoded
from dispatcher.loader.workbook.markup import local_name

CELL_LIMIT = 32_767  # characters Excel allows in a cell
_MOST_AT_HAND = 400_000  # texts; about 40 MB
_SIZE_AT_HAND = 16 * 1024**2  # bytes
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

    def extend(self, texts: Sequence[str]) -> None:
        """Add texts at the end."""
        size = len("".join(texts).encode())
        if size > CELL_LIMIT:
            texts = [text[: CELL_LIMIT + 1] for text in texts]
            size = len("".join(texts).encode())
        self.size += size
        count = len(self._at_hand) + len(texts)
        if len(self._ends) == 1 and self.size <= _SIZE_AT_HAND and count <= _MOST_AT_HAND:
            self._at_hand += texts
            return
        start = len(self._block)
        encoded = [text.encode() for text in texts]
        self._block += b"".join(encoded)
        self._ends.extend(islice(accumulate(map(len, encoded), initial=start), 1, None))

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

    def all_named(self, values: Sequence[str]) -> Sequence[str]:
        """
        Return the texts of many cells, "" for one without a value.

        Args:
            values: Each "" or an index in digits.

        Raises:
            DanglingReferenceError: One of them is not there.
        """
        at_hand = self._at_hand
        try:
            return [at_hand[int(value)] if value else "" for value in values]
        except IndexError:
            return [self.named(value) if value else "" for value in values]

    def _packed(self, index: int) -> str:
        at = index - len(self._at_hand)
        return self._block[self._ends[at] : self._ends[at + 1]].decode("utf-8")


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
