"""What the reading process and its starter say to each other: JSON, one value a line."""

from __future__ import annotations

READER = "dispatcher.loader.legacy.reader"

Row = tuple[int, list[str], list[int]]
"""Row number, texts (at least one of them not empty), indices of numbers with too many digits."""

Block = tuple[int, int, int, int]
"""Merged cells: first row and column, last row and column, all from 0."""

Outline = tuple[str, bool, bool, list[Block], list[Row]]
"""Name of a sheet, whether it is visible and a worksheet, its merged cells, its first rows."""

# The last line is one of these words; where none comes, the process broke on the file.
DONE = "done"
PROTECTED = "protected"
UNREADABLE = "unreadable"
