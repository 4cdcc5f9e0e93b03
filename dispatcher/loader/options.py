"""What a person may say about how a sheet is to be read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

Wanted = Callable[[Sequence[str]], bool]
"""Says whether these header texts contain the column a campaign cannot do without."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadOptions:
    r"""
    What was said on the command line; the rest is recognised.

    Attributes:
        sheet: Name of the sheet in a workbook, "" = recognise.
        encoding: Text encoding of a CSV, "" = recognise.
        delimiter: Delimiter of a CSV, one character, ``tab`` or ``\t``; "" = recognise.
        header_row: Row number of the header as a person finds it, from 1; 0 = recognise.
    """

    sheet: str = ""
    encoding: str = ""
    delimiter: str = ""
    header_row: int = 0
