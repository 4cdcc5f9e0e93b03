"""Writes a table as CSV that Excel opens as it is, and in which nothing can become a formula."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from typing import IO

_FORMULA_STARTS = frozenset("=+-@\t\r'")
_HARMLESS = re.compile(
    r"""  [+-]? (?: \d | [.,]\d ) [\d.,]* %?           # a number
        | \+ \d+ (?: \ \(?\d [\d\ ().-]* | [\d\ ]* )  # a phone that no program could add up
    """,
    re.VERBOSE,
)
_PROTECTED = re.compile(r"'+[=+\-@\t\r]")


def write_csv(
    file: IO[bytes],
    headers: Sequence[str],
    lines: Iterable[Sequence[str]],
    *,
    delimiter: str,
) -> None:
    r"""
    Write UTF-8 with byte order mark, lines ending in ``\r\n``, quotes where they are needed.

    Args:
        file: Where to; it stays open.
        headers: One for each column.
        lines: The rows.
        delimiter: One character.

    Raises:
        OSError: the file system refuses.
    """
    # A lone surrogate is no text that UTF-8 could hold.
    text = io.TextIOWrapper(file, encoding="utf-8-sig", errors="replace", newline="")
    writer = csv.writer(text, delimiter=delimiter, lineterminator="\r\n")
    writer.writerow(map(harmless, headers))
    starts = _FORMULA_STARTS
    writer.writerows(
        [harmless(cell) if cell and cell[0] in starts else cell for cell in line] for line in lines
    )
    text.flush()
    text.detach()


def harmless(cell: str) -> str:
    """
    Return the text with a leading apostrophe where a spreadsheet would take it for a formula.

    A text that begins with apostrophes before such a sign gets one more, so that taking away one
    apostrophe before ``= + - @``, tab or CR gives back every text exactly.
    """
    if not cell or cell[0] not in _FORMULA_STARTS:
        return cell
    if cell[0] == "'":
        return f"'{cell}" if _PROTECTED.match(cell) else cell
    return cell if _HARMLESS.fullmatch(cell) else f"'{cell}"
