"""Pieces of a part, cut at the end tags of its rows or texts: which of them are whole."""

from __future__ import annotations

import re
from functools import cache


def stands_alone(piece: str, name: str) -> bool:
    """
    Return whether a piece up to an end tag is whole elements, and no part of a comment.

    Args:
        piece: The markup without the end tag.
        name: Of the elements, the one that ends there and empty ones before it.
    """
    empty = _empty(name).match(piece)
    start = empty.end() if empty else 0
    return (
        _first(name).match(piece, start) is not None
        and piece.find(f"<{name}", start) == piece.rfind(f"<{name}")
        and "<!" not in piece
        and "<?" not in piece
    )


@cache
def _empty(name: str) -> re.Pattern[str]:
    return re.compile(rf"(?:[ \t\r\n]*<{name}(?: [^<>]*)?/>)+")


@cache
def _first(name: str) -> re.Pattern[str]:
    return re.compile(rf"[ \t\r\n]*<{name}[ >]")
