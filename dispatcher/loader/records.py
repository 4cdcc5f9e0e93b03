"""Text with delimiters -> records, strictly, each with the line it begins in."""

from __future__ import annotations

import csv
import re
from collections.abc import Generator, Iterable
from dataclasses import dataclass
from enum import Enum, auto
from itertools import islice
from pathlib import Path

from dispatcher.errors import SheetRefused
from dispatcher.loader.encoding import TextForm, open_lines

MOST_CELL_CHARACTERS = 1_000_000  # of any cell, or the sheet is refused


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """
    A text file with its encoding settled.

    Attributes:
        path: Where it is.
        file: The file as it was given, for messages.
        form: Its encoding.
    """

    path: Path
    file: str
    form: TextForm


def read_records(source: Source, delimiter: str) -> Generator[tuple[int, list[str]], None, None]:
    """
    Read the records of a file; blank lines are empty records.

    Quotes are strict: a cell that begins with one ends with one, and one inside is doubled. A
    quote within a cell that does not begin with one is text (``5" pipe``).

    Yields:
        The physical line each record begins in, from 1, and its cells.

    Raises SheetRefused naming the line of an unclosed quote, of text after a closing quote, or
    of a cell of more than a million characters.
    """
    number = 1
    # The limit is the interpreter's, not the reader's, so each pass says again what it needs.
    csv.field_size_limit(MOST_CELL_CHARACTERS)
    reader = csv.reader(open_lines(source.path, source.form), delimiter=delimiter, strict=True)
    try:
        for record in reader:
            yield number, record
            number = reader.line_num + 1
    except csv.Error as error:
        at = reader.line_num
        lines = open_lines(source.path, source.form)
        opened = _quoted_cell_line(lines, delimiter, first=number, last=at)
        raise _fault(source.file, str(error), opened=opened, at=at) from error
    except UnicodeError as error:
        raise SheetRefused(
            f"{source.file}: line {reader.line_num + 1} is not {source.form.encoding} any more"
        ) from error


def _fault(file: str, error: str, *, opened: int, at: int) -> SheetRefused:
    if error.startswith("unexpected end"):
        return SheetRefused(
            f"{file}: line {opened}: a quote is opened there and never closed",
            hint='close it; a quote that belongs to the text is written "" in a quoted cell',
        )
    if error.startswith("field larger"):
        return SheetRefused(
            f"{file}: line {opened}: a cell of more than {MOST_CELL_CHARACTERS:,} characters",
            hint="shorten it, or close the quote that it begins with",
        )
    begin = f" of a cell that begins in line {opened}" if opened != at else ""
    return SheetRefused(
        f"{file}: line {at}: text follows the closing quote{begin}",
        hint='a quote that belongs to the text is written "" in a quoted cell',
    )


class _State(Enum):
    START = auto()  # of a cell
    PLAIN = auto()
    QUOTED = auto()
    CLOSED = auto()  # after a quote within a quoted cell: its end, or the first of two


def _quoted_cell_line(lines: Iterable[str], delimiter: str, *, first: int, last: int) -> int:
    """Find the line in which the last quoted cell of a faulty record begins."""
    opened, state = first, _State.START
    pieces = re.compile(rf'["\r\n{re.escape(delimiter)}]|[^"\r\n{re.escape(delimiter)}]+')
    for number, line in enumerate(islice(lines, first - 1, last), first):
        for piece in pieces.findall(line):
            if piece == '"' and state is _State.START:
                opened, state = number, _State.QUOTED
            elif piece == '"' and state is _State.QUOTED:
                state = _State.CLOSED
            elif piece == '"' and state is _State.CLOSED:
                state = _State.QUOTED
            elif state is _State.QUOTED:
                continue
            elif piece in (delimiter, "\r", "\n"):
                state = _State.START
            elif state is _State.CLOSED:
                return opened
            else:
                state = _State.PLAIN
    return opened
