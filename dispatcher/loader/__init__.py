"""CSV and workbooks -> sheet rows, every cell as exact text."""

from __future__ import annotations

from dispatcher.loader.opening import file_digest, open_sheet
from dispatcher.loader.options import ReadOptions, Wanted
from dispatcher.loader.sheet import Sheet

__all__ = ["ReadOptions", "Sheet", "Wanted", "file_digest", "open_sheet"]
