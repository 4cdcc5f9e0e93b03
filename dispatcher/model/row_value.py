"""Values that are made anew for every row of a sheet, or for every call."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dataclasses import dataclass as row_value
else:

    def row_value(**options: bool) -> Callable[[type], type]:
        """
        A dataclass that is frozen for the type checker alone.

        To make a frozen one takes Python twice as long: a tenth of all that reading and planning a
        row costs, and some of all that a call costs.
        """
        return dataclass(**(options | {"frozen": False, "unsafe_hash": True}))


__all__ = ["row_value"]
