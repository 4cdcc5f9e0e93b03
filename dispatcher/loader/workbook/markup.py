"""
XML parts, parsed as a stream by expat with everything refused that could harm the reader.

No part may declare a document type (the way to entity bombs and to fetching files), nothing
outside the archive is ever read, and a single piece of markup is bounded, because expat looks at
an unfinished one again with every chunk.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from xml.parsers import expat

from dispatcher.errors import SheetRefused
from dispatcher.loader.workbook.package import Package
from dispatcher.loader.workbook.refusal import damaged, unsafe

MARKUP_LIMIT = 1024 * 1024  # bytes of one tag or comment
PREFIX = " "  # between a namespace and a name, as in "http://... worksheet"

SPREADSHEET_NAMESPACES = (
    "http://schemas.openxmlformats.org/spreadsheetml/2006/main",
    "http://purl.oclc.org/ooxml/spreadsheetml/main",  # strict Open XML
    "",
)

Attributes = Mapping[str, str]
_MARKUP_PARTS = (".xml", ".rels", ".vml")


class _RootSeen(Exception):
    """The prolog of a part is over; nothing after it can declare a document type."""


def parser_for(package: Package, part: str) -> expat.XMLParserType:
    """
    Return a parser that reports names as namespace, blank, local name.

    Args:
        package: The workbook.
        part: Name of the part, for messages.
    """
    parser = expat.ParserCreate(namespace_separator=PREFIX)
    parser.buffer_text = True

    def refuse(*_: object) -> None:
        raise unsafe(package.file, f"its part {part} declares a document type (DOCTYPE)")

    parser.StartDoctypeDeclHandler = refuse
    parser.EntityDeclHandler = refuse
    parser.ExternalEntityRefHandler = refuse
    return parser


def parse(package: Package, part: str, parser: expat.XMLParserType) -> Iterator[bytes]:
    """
    Feed a part to a parser and yield each chunk after it was parsed.

    Args:
        package: The workbook.
        part: Name of the part.
        parser: What :func:`parser_for` returned, with its handlers set.

    Raises:
        SheetRefused: The part is missing, damaged, no valid XML, or unsafe.
    """
    fed = 0
    try:
        for chunk in package.chunks(part):
            parser.Parse(chunk, False)
            fed += len(chunk)
            if fed - parser.CurrentByteIndex > MARKUP_LIMIT:
                raise unsafe(package.file, f"its part {part} holds an endless piece of markup")
            yield chunk
        parser.Parse(b"", True)
    except expat.ExpatError as problem:
        where = f"line {problem.lineno}, column {problem.offset + 1}"
        raise damaged(
            package.file, f"its part {part} is not valid XML ({where}: {_reason(problem)})"
        ) from problem


def for_each(package: Package, part: str, begin: Callable[[str, Attributes], None]) -> None:
    """
    Call *begin* with name and attributes of each element of a part.

    Raises:
        SheetRefused: As :func:`parse`.
    """
    parser = parser_for(package, part)
    parser.StartElementHandler = begin
    for _ in parse(package, part, parser):
        pass


def judge_prologs(package: Package) -> None:
    """
    Look at the beginning of every XML part, used or not, for a document type.

    Raises:
        SheetRefused: A part declares one, or cannot be unpacked.
    """
    for part in package.names():
        if part.endswith(_MARKUP_PARTS):
            _judge_prolog(package, part)


def local_name(name: str) -> str:
    """Return a reported name without its namespace."""
    return name.rpartition(PREFIX)[2]


def attribute(attributes: Attributes, local: str) -> str:
    """Return the value of an attribute whatever its namespace, "" where there is none."""
    for name, value in attributes.items():
        if local_name(name) == local:
            return value
    return ""


def is_true(text: str | None) -> bool:
    """Return whether an attribute says yes, as XML Schema spells it."""
    return text is not None and text.strip() in {"1", "true", "True", "on"}


def _judge_prolog(package: Package, part: str) -> None:
    parser = parser_for(package, part)

    def stop(*_: object) -> None:
        raise _RootSeen

    parser.StartElementHandler = stop
    try:
        for _ in parse(package, part, parser):
            pass
    except _RootSeen:
        return
    except SheetRefused as refusal:
        if isinstance(refusal.__cause__, expat.ExpatError):
            return  # no XML at all: whoever needs the part will say so
        raise


def _reason(problem: expat.ExpatError) -> str:
    return expat.ErrorString(problem.code) or "unknown"
