"""Which delimiter a text file has."""

from __future__ import annotations

import re
from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from itertools import islice

from dispatcher.errors import SheetRefused, UsageProblem
from dispatcher.loader.encoding import open_lines
from dispatcher.loader.header import LOOK_AHEAD_ROWS, is_blank
from dispatcher.loader.options import ReadOptions, Wanted
from dispatcher.loader.records import Source, read_records

CANDIDATES = (",", ";", "\t", "|")
_SEPARATOR_LINE = re.compile(r'"?sep=([^\w"\r\n])"?[\r\n]*', re.IGNORECASE)
_NAMED = {"tab": "\t", r"\t": "\t"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """
    Attributes:
        delimiter: One character.
        first_line: Line of the first record, 2 where Excel's ``sep=;`` stands in line 1.
    """

    delimiter: str
    first_line: int


def find_dialect(source: Source, *, options: ReadOptions, wanted: Wanted) -> Dialect:
    """
    Find the delimiter: the one that was named, else that of a ``sep=`` line, else by counting.

    Each of comma, semicolon, tab and pipe is tried on the first rows, with regard to quotes. The
    one that yields the required column wins; else the one with the most consistent count.
    One column is legal.

    Raises UsageProblem for a name that is no delimiter.
    """
    found = _SEPARATOR_LINE.fullmatch(next(open_lines(source.path, source.form)))
    first_line = 2 if found else 1
    if options.delimiter:
        delimiter = _delimiter_named(options.delimiter)
    elif found:
        delimiter = found.group(1)
    else:
        start = max(first_line, options.header_row)
        tried = [(_score(source, each, start, wanted), each) for each in CANDIDATES]
        delimiter = max(tried, key=lambda scored: scored[0])[1]
    return Dialect(delimiter=delimiter, first_line=first_line)


def _delimiter_named(text: str) -> str:
    delimiter = _NAMED.get(text.casefold(), text)
    if len(delimiter) != 1 or delimiter in '"\r\n\x00' or delimiter.isalnum():
        raise UsageProblem(
            f"--delimiter {text}: not a delimiter",
            hint="give one character such as , ; or |, or the word tab",
        )
    return delimiter


def _score(source: Source, delimiter: str, start: int, wanted: Wanted) -> tuple[float, ...]:
    """
    Judge a delimiter; the larger tuple is the better one, equal ones leave the first in order.

    First counts whether the required column is found in the first row, or in a later one, then
    the share of rows that fit.
    """
    rows, faults = _sample(source, delimiter, start)
    if not rows:
        return (3,)  # nothing but this delimiter stands in the file
    widths = [len(row) for row in rows]
    found = next((index for index, row in enumerate(rows) if wanted(row)), None)
    if found is not None:
        below = widths[found + 1 :]
        fitting = sum(width <= widths[found] for width in below)
        share = fitting / (len(below) + faults) if below else 1 - faults
        return (1 if found else 2, share, widths[found])
    width, times = Counter(widths).most_common(1)[0]
    return (0, min(width, 2), times / (len(rows) + faults), width)


def _sample(source: Source, delimiter: str, start: int) -> tuple[list[list[str]], int]:
    """Read the first rows that are not blank, and count whether a fault ended them."""
    records = read_records(source, delimiter)
    filled = (row for line, row in records if line >= start and not is_blank(row))
    rows: list[list[str]] = []
    try:
        rows.extend(islice(filled, LOOK_AHEAD_ROWS))
    except SheetRefused:
        # A faulty header still shows whether this is its delimiter; the reading names the fault.
        return rows or [_first_line_split(source, delimiter, start)], 1
    return rows, 0


def _first_line_split(source: Source, delimiter: str, start: int) -> list[str]:
    with closing(open_lines(source.path, source.form)) as lines:
        line = next(line for line in islice(lines, start - 1, None) if line.strip())
    return [cell.strip('"') for cell in line.strip().split(delimiter)]
