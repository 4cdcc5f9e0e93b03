"""Answers that say their length more than once, or not in a number."""

from __future__ import annotations

import re

_HEAD_ENDS = re.compile(rb"\r?\n\r?\n")
_INTERIM = re.compile(rb"\s*HTTP/\d\.\d +1\d\d\b")
_LENGTH = re.compile(rb"\r?\ncontent-length[ \t]*:([^\r\n]*)", re.IGNORECASE)


def with_one_length(answer: bytes) -> tuple[bytes, bool] | None:
    """
    Let an answer say its length once (RFC 9110, 8.6: what is repeated alike counts as one).

    Args:
        answer: From its first byte on, with the interim ones before it.

    Returns:
        The answer, and whether its length is sure: where it said several, it now says the longest,
        so that nothing that came is lost. None while its head has not come whole.
    """
    start = 0
    while (end := _HEAD_ENDS.search(answer, start)) is not None:
        head = answer[start : end.start()]
        if not _INTERIM.match(head):
            rest = answer[end.start() :]
            mended, is_sure = _with_the_longest(head)
            return answer[:start] + mended + rest, is_sure
        start = end.end()
    return None


def _with_the_longest(head: bytes) -> tuple[bytes, bool]:
    said = [value.strip() for line in _LENGTH.findall(head) for value in line.split(b",")]
    lengths = {int(value) for value in said if value.isdigit()}
    bare = _LENGTH.sub(b"", head)
    if not lengths:
        return bare, False
    is_sure = len(lengths) == 1 and all(value.isdigit() for value in said)
    return bare + b"\r\nContent-Length: %d" % max(lengths), is_sure
