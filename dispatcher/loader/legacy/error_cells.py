"""
Where the error cells of a workbook are.

calamine gives an error cell as an empty text, so they are looked for in the file itself; only their
places are: the values of all other cells come from calamine.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

ErrorCells = Mapping[int, Mapping[int, str]]
"""Row number from 1 -> column index from 0 -> the error as a person sees it."""

Scan = Callable[[int], ErrorCells]
"""Looks through the sheet of an index; a ValueError or LookupError says that it cannot."""

UNNAMED = "an error"
_WORDS = {
    0x00: "#NULL!",
    0x07: "#DIV/0!",
    0x0F: "#VALUE!",
    0x17: "#REF!",
    0x1D: "#NAME?",
    0x24: "#NUM!",
    0x2A: "#N/A",
    0x2B: "#GETTING_DATA",
}


def error_word(code: int) -> str:
    """Return what Excel shows for an error code."""
    return _WORDS.get(code, UNNAMED)
