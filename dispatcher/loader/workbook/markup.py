"""
XML parts, parsed as a stream with everything refused that could harm the reader.

No part may declare a document type (the way to entity bombs and to fetching files), nothing
outside the archive is ever read, and a single piece of markup is bounded, because expat looks at
an unfinished one again with every chunk.

Names are reported as ``{namespace}local`` (without the opening brace by expat itself).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from xml.parsers import expat

from dispatcher.errors import SheetRefused
from dispatcher.loader.workbook.package import Package
from dispatcher.loader.workbook.refusal import damaged, unsafe

PART_LIMIT = 16 * 1024**2  # bytes of a part that describes; 64,000 styles are less
MARKUP_LIMIT = 1024 * 1024  # bytes of one tag or comment

SPREADSHEET_NAMESPACES = (
    "http://schemas.openxmlformats.org/spreadsheetml/2006/main",
    "http://purl.oclc.org/ooxml/spreadsheetml/main",  # strict Open XML
    "",
)

Attributes = Mapping[str, str]
_MARKUP_PARTS = (".xml", ".rels", ".vml")
_ENCODINGS = frozenset(  # those expat knows itself
    {"utf-8", "utf-16", "utf-16le", "utf-16be", "us-ascii", "iso-8859-1"}
)
_SEPARATOR = "}"


def for_each(
    package: Package,
    part: str,
    begin: Callable[[str, Attributes], None],
    *,
    limit: int = PART_LIMIT,
) -> None:
    """
    Call *begin* with name and attributes of each element of a part.

    Args:
        package: The workbook.
        part: Name of the part.
        begin: What to do with an element.
        limit: Bytes the part may have.

    Raises:
        SheetRefused: The part is missing, damaged, no valid XML, or unsafe.
    """
    if package.size(part) > limit:
        raise unsafe(package.file, f"its part {part} is larger than any real one")
    parser = _hardened(package, part)
    parser.StartElementHandler = begin
    fed = 0
    try:
        for chunk in package.chunks(part):
            parser.Parse(chunk, False)
            fed += len(chunk)
            if fed - parser.CurrentByteIndex > MARKUP_LIMIT:
                raise unsafe(package.file, f"its part {part} holds an endless piece of markup")
        parser.Parse(b"", True)
    except expat.ExpatError as problem:
        raise invalid(package, part, problem.lineno, problem.offset, problem.code) from problem


class PrologGuard:
    """
    Watches the prolog of a part, the only place for a document type.

    Attributes:
        is_done: The root element has begun, or this is no XML, so none can follow.
    """

    def __init__(self, package: Package, part: str) -> None:
        self._parser = _hardened(package, part)
        self._parser.StartElementHandler = self._root_begins
        self.is_done = False

    def look(self, chunk: bytes) -> None:
        """
        Look at the next bytes.

        Raises:
            SheetRefused: They declare a document type.
        """
        if self.is_done:
            return
        try:
            self._parser.Parse(chunk, False)
        except expat.ExpatError:
            self.is_done = True  # whoever needs the part will say what is wrong with it

    def _root_begins(self, *_: object) -> None:
        self.is_done = True
        self._parser.StartElementHandler = None


def judge_prologs(package: Package) -> None:
    """
    Look at the beginning of every XML part, used or not, for a document type.

    Raises:
        SheetRefused: A part declares one, or cannot be unpacked.
    """
    for part in package.names():
        if part.lower().endswith(_MARKUP_PARTS):
            guard = PrologGuard(package, part)
            for chunk in package.chunks(part):
                guard.look(chunk)
                if guard.is_done:
                    break


def local_name(name: str) -> str:
    """Return a reported name without its namespace."""
    return name.rpartition(_SEPARATOR)[2]


def namespace_of(name: str) -> str:
    """Return the namespace of a reported name, "" for none."""
    return name.rpartition(_SEPARATOR)[0].removeprefix("{")


def attribute(attributes: Attributes, local: str) -> str:
    """Return the value of an attribute whatever its namespace, "" where there is none."""
    for name, value in attributes.items():
        if local_name(name) == local:
            return value
    return ""


def is_true(text: str | None) -> bool:
    """Return whether an attribute says yes, as XML Schema spells it."""
    return text is not None and text.strip().lower() in {"1", "true", "on"}


def invalid(package: Package, part: str, line: int, offset: int, code: int) -> SheetRefused:
    """
    Return the refusal of a part that is no valid XML.

    Args:
        package: The workbook.
        part: Name of the part.
        line: Line of the fault, from 1.
        offset: Column of the fault, from 0.
        code: Expat's error number.
    """
    reason = expat.ErrorString(code) or "unknown"
    where = f"line {line}, column {offset + 1}"
    return damaged(package.file, f"its part {part} is not valid XML ({where}: {reason})")


def _hardened(package: Package, part: str) -> expat.XMLParserType:
    parser = expat.ParserCreate(namespace_separator=_SEPARATOR)

    def refuse(*_: object) -> None:
        raise unsafe(package.file, f"its part {part} declares a document type (DOCTYPE)")

    def judge_encoding(_version: str, encoding: str | None, _standalone: int) -> None:
        if encoding and encoding.lower() not in _ENCODINGS:
            raise damaged(package.file, f"its part {part} is in an encoding no workbook has")

    parser.XmlDeclHandler = judge_encoding
    parser.StartDoctypeDeclHandler = refuse
    parser.EntityDeclHandler = refuse
    return parser
