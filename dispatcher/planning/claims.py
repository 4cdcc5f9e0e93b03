"""Which calls of one sheet are already claimed by an earlier row."""

from __future__ import annotations

import io
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from struct import Struct
from typing import IO

_FIRST_BITS = 17  # of a slot's number, for 87,000 claims; one more whenever the table is full
_ENTRY = (1 << 32) - 1
_ABOVE_TAG = 96  # the tag is made of the first 32 of a key's 128 bits, the slot of its last ones
_CONTENT = (1 << 64) - 1

_RECORD = Struct("<16sQQ")  # key, row, content (0: called before)
_KEPT_BYTES = 1024 * _RECORD.size


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

    In memory is only an open table with four bytes a slot, 8 MB for a million claims: which
    record it is, and in the bits left over a tag of its key. The records themselves, whole keys
    with their rows, stand in a file, and every likeness of tags is settled there: two keys are
    never taken for one.
    """

    def __init__(self, file: IO[bytes] | None = None) -> None:
        """
        Begin without a claim.

        Arguments:
            file: An empty one, open for reading and writing, of which a million claims take
                32 MB; None keeps them in memory. Whatever it raises, ``claim`` raises.
        """
        self._records = _Records(io.BytesIO() if file is None else file)
        self._lay_out(_FIRST_BITS)

    def claim(self, key: str, *, row: int, content: int | None) -> Claim | None:
        """
        Claim *key* for *row*; None when it has it now, else the earlier claim.

        Arguments:
            key: 32 hex digits.
            row: Row number, from 1.
            content: Hash of what the row asks for; None for a row that was called before.
        """
        if self._records.count * 3 > self._mask * 2:
            self._grow()
        name = bytes.fromhex(key)
        short = 0 if content is None else (content & _CONTENT) or 1
        number = int.from_bytes(name, "big")
        slots, mask, tags = self._slots, self._mask, self._tags
        tag, slot = number >> _ABOVE_TAG & tags, number & mask
        while entry := slots[slot]:
            if entry & tags == tag:
                found, earlier, its_content = self._records.at((entry & mask) - 1)
                if found == name:
                    return Claim(row=earlier, kinship=_kinship(its_content, short))
            slot = slot + 1 & mask
        self._records.append(name, row, short)
        slots[slot] = tag | self._records.count
        return None

    def _lay_out(self, bits: int) -> None:
        self._bits = bits
        self._mask = (1 << bits) - 1
        self._tags = _ENTRY ^ self._mask
        self._slots = array("I", [0]) * (1 << bits)  # 0: free, else tag and number of the record

    def _grow(self) -> None:
        self._slots = array("I")  # given back before twice as much is taken
        self._lay_out(self._bits + 1)
        slots, mask, tags = self._slots, self._mask, self._tags
        for index, name in enumerate(self._records.names(), 1):
            number = int.from_bytes(name, "big")
            slot = number & mask
            while slots[slot]:
                slot = slot + 1 & mask
            slots[slot] = number >> _ABOVE_TAG & tags | index


class _Records:
    """
    The claims in the order they were made, the last ones in memory and the others in a file.

    Attributes:
        count: How many there are.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self.count = 0
        self._file = file
        self._filed = 0  # bytes
        self._kept = bytearray()

    def append(self, name: bytes, row: int, content: int) -> None:
        self._kept += _RECORD.pack(name, row, content)
        self.count += 1
        if len(self._kept) == _KEPT_BYTES:
            self._file.seek(self._filed)
            self._file.write(self._kept)
            self._filed += _KEPT_BYTES
            self._kept.clear()

    def at(self, index: int) -> tuple[bytes, int, int]:
        """Key, row and content of the record at *index*, from 0."""
        offset = index * _RECORD.size
        if offset >= self._filed:
            name, row, content = _RECORD.unpack_from(self._kept, offset - self._filed)
        else:
            self._file.seek(offset)
            name, row, content = _RECORD.unpack(self._file.read(_RECORD.size))
        return name, row, content

    def names(self) -> Iterator[bytes]:
        """The keys of all records, in order."""
        self._file.seek(0)
        for _ in range(0, self._filed, _KEPT_BYTES):
            for name, _row, _content in _RECORD.iter_unpack(self._file.read(_KEPT_BYTES)):
                yield name
        for name, _row, _content in _RECORD.iter_unpack(self._kept):
            yield name


def _kinship(earlier: int, later: int) -> Kinship:
    if not earlier:
        return Kinship.CALLED
    return Kinship.SAME if earlier == later else Kinship.OTHER
