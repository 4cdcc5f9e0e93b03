"""Which calls of one sheet are already claimed by an earlier row."""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from enum import StrEnum

_FIRST_SLOTS = 1024  # a power of two, as all later sizes
_MASK_64 = (1 << 64) - 1
_MASK_32 = (1 << 32) - 1


class Kinship(StrEnum):
    """How a row stands to the earlier one that has its call."""

    SAME = "same"  # both ask for the same
    OTHER = "other"  # they ask for different things
    CALLED = "called"  # the earlier one was called before


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """
    An earlier row has the call.

    Attributes:
        row: Its row number.
        kinship: How the later row stands to it.
    """

    row: int
    kinship: Kinship


class Claims:
    """
    The calls claimed so far. The first row that claims a key has it for good.

    An open table of plain arrays rather than a dict: a million claims take 40 MB instead of 200.
    It holds 96 of a key's 128 bits: among a million rows, two keys that agree in them have a
    chance of one in 10^17.
    """

    def __init__(self) -> None:
        self._count = 0
        self._lay_out(_FIRST_SLOTS)

    def _lay_out(self, slots: int) -> None:
        self._mask = slots - 1
        self._low = array("Q", bytes(8 * slots))
        self._high = array("I", bytes(4 * slots))
        self._rows = array("I", bytes(4 * slots))  # 0: the slot is free
        self._contents = array("I", bytes(4 * slots))  # 0: called before

    def claim(self, key: str, *, row: int, content: int | None) -> Claim | None:
        """
        Claim *key* for *row*; None when it has it now, else the earlier claim.

        Arguments:
            key: 32 hex digits.
            row: Row number, from 1.
            content: Hash of what the row asks for; None for a row that was called before.
        """
        number = int(key, 16)
        low, high = number & _MASK_64, (number >> 64) & _MASK_32
        short = 0 if content is None else (content & _MASK_32) or 1
        slot = self._find(low, high)
        earlier = self._rows[slot]
        if earlier:
            return Claim(row=earlier, kinship=_kinship(self._contents[slot], short))
        self._low[slot] = low
        self._high[slot] = high
        self._rows[slot] = row
        self._contents[slot] = short
        self._count += 1
        if self._count * 3 > self._mask * 2:
            self._grow()
        return None

    def _find(self, low: int, high: int) -> int:
        """The slot that holds the key, or the free one where it belongs."""
        rows, lows, mask = self._rows, self._low, self._mask
        slot = low & mask
        while rows[slot] and not (lows[slot] == low and self._high[slot] == high):
            slot = (slot + 1) & mask
        return slot

    def _grow(self) -> None:
        held = zip(self._low, self._high, self._rows, self._contents, strict=True)
        self._lay_out(2 * (self._mask + 1))
        for low, high, row, content in held:
            if row:
                slot = self._find(low, high)
                self._low[slot] = low
                self._high[slot] = high
                self._rows[slot] = row
                self._contents[slot] = content


def _kinship(earlier: int, later: int) -> Kinship:
    if not earlier:
        return Kinship.CALLED
    return Kinship.SAME if earlier == later else Kinship.OTHER
