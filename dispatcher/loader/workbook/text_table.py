"""
Reads the table of shared texts.

Nearly all programs write a text in one shape, and a pattern takes those in a fifth of the time
that a tree does. Any other text is left to the tree.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator
from itertools import chain

from dispatcher.loader.workbook.escapes import decoded
from dispatcher.loader.workbook.package import Package
from dispatcher.loader.workbook.pieces import stands_alone
from dispatcher.loader.workbook.shared_strings import SharedStrings, text_of
from dispatcher.loader.workbook.tree import Tree

_CONTAINER, _TEXT_END = "sst", "</si>"
_MOST_RATIO = 50  # texts that are listed once each do not pack any better
_RATIO_MATTERS_FROM = 64 * 1024**2  # bytes
_LONGEST_WAIT = 256 * 1024  # bytes kept until a text ends
# What may stand before the texts where they are in UTF-8 and their names have no prefix.
_HEAD = re.compile(
    rb"(?:\xef\xbb\xbf)?"
    rb"""(?:<\?xml version=["']1.0["'](?: encoding=["'](?i:utf-8)["'])?"""
    rb"""(?: standalone=["'](?:yes|no)["'])? ?\?>)?"""
    rb"[ \t\r\n]*<sst(?: [^<>]*[^<>/])?>"
)
_OPEN, _TEXT = r'<t(?: xml:space="preserve")?>', r"[^<>&\x00-\x08\x0b-\x1f]*"
_USUAL = re.compile(rf"(?:[ \t\r\n]*(?:<si>(?:{_OPEN}{_TEXT}</t>|<t/>)</si>|<si/>))*+[ \t\r\n]*+")
_USUAL_TEXT = re.compile(rf"<si>(?:{_OPEN}([^<]*)</t>|<t/>)</si>|<si/>")
_IN_NO_XML = ("\ufffe", "\uffff")


def shared_strings_of(package: Package, part: str) -> SharedStrings:
    """
    Read the table of shared texts.

    Args:
        package: The workbook.
        part: Name of the part, "" for a workbook without one.

    Raises:
        SheetRefused: The part is damaged, no valid XML, or unpacks to far more than texts do.
    """
    texts = SharedStrings()
    if not part or not package.has(part):
        return texts
    package.judge_ratio(part, most=_MOST_RATIO, above=_RATIO_MATTERS_FROM)
    for some in _texts(Tree(package, part, _CONTAINER), package.chunks(part)):
        texts.extend(some)
    return texts


def _texts(tree: Tree, chunks: Iterator[bytes]) -> Iterator[list[str]]:
    first = next(chunks, b"")
    head = _HEAD.match(first)
    left = first
    if head:
        tree.feed(head[0])
        left = yield from _usual_texts(tree, chain([first[head.end() :]], chunks))
    for chunk in chain([left], chunks):
        yield list(map(text_of, tree.feed(chunk)))
    yield list(map(text_of, tree.finish()))


def _usual_texts(tree: Tree, chunks: Iterator[bytes]) -> Generator[list[str], None, bytes]:
    """
    Read texts as far as they can be told apart by their end tags alone.

    Returns:
        The bytes that are left for the tree.
    """
    left = b""
    for chunk in chunks:
        whole, tag, left = (left + chunk).rpartition(_TEXT_END.encode())
        try:
            markup = (whole + tag).decode()
        except UnicodeDecodeError:
            return whole + tag + left
        end = yield from _whole_texts(markup, tree)
        if end < len(markup):
            return markup[end:].encode() + left
        if len(left) > _LONGEST_WAIT:
            break
    return left


def _whole_texts(markup: str, tree: Tree) -> Generator[list[str], None, int]:
    """
    Read whole texts, the usual ones together and any other by itself.

    Returns:
        Where the markup begins that is left for the tree.
    """
    at = 0
    if any(character in markup for character in _IN_NO_XML):
        return at
    while at < len(markup):
        usual = _USUAL.match(markup, at)
        end = usual.end() if usual else at
        found = _USUAL_TEXT.findall(markup, at, end)
        yield [decoded(text) for text in found] if "_x" in markup else found
        at = end
        if at < len(markup):
            end = markup.index(_TEXT_END, at)
            if not stands_alone(markup[at:end], "si"):
                return at
            end += len(_TEXT_END)
            yield list(map(text_of, tree.graft(markup[at:end].encode())))
            at = end
    return at
