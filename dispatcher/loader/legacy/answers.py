"""What the reading process and its starter say to each other: JSON, one value a line."""

from __future__ import annotations

READER = "dispatcher.loader.legacy.reader"

Row = tuple[int, list[str], list[int]]
"""Row number, texts (at least one of them not empty), indices of numbers with too many digits."""

Outline = tuple[str, bool, bool, list[Row]]
"""Name of a sheet, whether it is visible, whether it is a worksheet, its first rows."""

Blocks = list[list[int]]
"""Merged cells: first row, first column, last row, last column, from 0."""

# The last line is one of these words; where none comes, the process broke on the file.
DONE = "done"
PROTECTED = "protected"
UNREADABLE = "unreadable"
