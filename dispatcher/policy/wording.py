"""Text from outside made fit for a terminal, a log and a sheet."""

from __future__ import annotations

import re

_TAG = re.compile(r"<[^<>]*>?")
_SPACE = re.compile(r"\s+")
# Control characters (ANSI sequences begin with one), bidirectional and invisible marks,
# line separators, halves of surrogate pairs and tag characters.
_HIDDEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    "\ud800-\udfff\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"
)


def plain(text: str, *, limit: int) -> str:
    r"""
    *text* with everything that could move a cursor or hide shown as an escape, e.g. ``\x1b``.

    Args:
        text: Any text.
        limit: Longest result in characters; a longer one ends in ``...``.
    """
    shown = text[: limit + 1]
    if not (shown.isascii() and shown.isprintable()):
        shown = _HIDDEN.sub(_escape, shown)
    return shown if len(shown) <= limit else shown[: max(0, limit - 3)] + "..."


def one_line(text: str, *, limit: int) -> str:
    """*text* without markup and line breaks, then as :func:`plain`."""
    return plain(_SPACE.sub(" ", _TAG.sub(" ", text)).strip(), limit=limit)


def _escape(match: re.Match[str]) -> str:
    return match[0].encode("unicode_escape").decode("ascii")
