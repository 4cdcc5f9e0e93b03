"""What a file is, by its content and not by its name."""

from __future__ import annotations

import codecs
import re
from enum import StrEnum
from itertools import islice
from pathlib import Path

from dispatcher.errors import SheetRefused
from dispatcher.loader import compound

_HEAD_BYTES = 4096
_MANIFEST_CHUNKS = 16  # of 64 KiB
_AS_XLSX = "export or save the sheet as .xlsx or .csv"
_WORKBOOK_NAMES = frozenset({".xlsx", ".xlsm", ".xltx", ".xls", ".xlsb", ".ods"})


class Format(StrEnum):
    """The formats that can be read; the values are those of ``SheetHead.format``."""

    CSV = "csv"
    XLSX = "xlsx"
    XLS = "xls"
    XLSB = "xlsb"
    ODS = "ods"


_BYTES_AT_START = (
    (b"%PDF-", "a PDF document"),
    (b"{\\rtf", "a rich text document"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"BZh91AY&SY", "a bzip2 archive"),
    (b"\xfd7zXZ\x00", "an xz archive"),
    (b"\x28\xb5\x2f\xfd", "a zstd archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
    (b"Rar!\x1a\x07", "a RAR archive"),
    (b"\x89PNG\r\n", "a picture (PNG)"),
    (b"\xff\xd8\xff", "a picture (JPEG)"),
    (b"GIF89a", "a picture (GIF)"),
    (b"SQLite format 3\x00", "an SQLite database"),
    (b"\x00\x01\x00\x00Standard ", "an Access database"),
    (b"PAR1\x15", "a Parquet file"),
    (b"bplist00", "an Apple property list"),
    (b"\x7fELF", "a program"),
    (b"\x09\x00\x04\x00", "a workbook of Excel 2"),
    (b"\x09\x02\x06\x00", "a workbook of Excel 3"),
    (b"\x09\x04\x06\x00", "a workbook of Excel 4"),
    (b"\x00\x00\x1a\x00", "a Lotus 1-2-3 sheet"),
)
_TEXT_AT_START = (
    (re.compile(r"(?i)<(!doctype\s+html|html|head|body|table|meta|script|style)\b"), "HTML"),
    (re.compile(r"(?i)<!--"), "HTML"),
    (re.compile(r"(?is)<\?xml.*urn:schemas-microsoft-com:office:spreadsheet"), "XML of Excel 2003"),
    (re.compile(r"(?is)<\?xml.*<html\b"), "HTML"),
    (re.compile(r"<\?xml"), "an XML document"),
    (re.compile(r"(?i)MIME-Version:|From: .*\r?\nSubject:"), "a saved web page or e-mail (MHTML)"),
    (re.compile(r"\{\s*\"[^\"]*\"\s*:|\[\s*(\{\s*\"|\[\s*[\"\d])"), "JSON"),
    (re.compile(r"BEGIN:VCARD\r?\n"), "contact cards (vCard)"),
    (re.compile(r"ID;P[^\r\n]*[\r\n]+[A-Z]{1,2};[A-Z][^\r\n]*[\r\n]+[A-Z]{1,2};[A-Z]"), "SYLK"),
    (re.compile(r"TABLE\r?\n0,1\r?\n"), "a data interchange file (DIF)"),
)
_IN_ZIP = (
    (re.compile(r"index/.*\.iwa|index\.(zip|numbers|apxl)"), "an Apple Numbers document"),
    (re.compile(r"word/.+"), "a Word document"),
    (re.compile(r"ppt/.+"), "a PowerPoint presentation"),
)
_IN_COMPOUND = (
    ("worddocument", "a Word document"),
    ("powerpoint document", "a PowerPoint presentation"),
    ("__properties_version1.0", "an Outlook message"),
)


def recognise(path: Path, *, file: str) -> Format:
    """
    Say what a file is.

    Args:
        path: An ordinary file that can be read.
        file: The file as it was given, for messages.

    Raises SheetRefused, by the name of what it is, for anything that is no sheet: empty,
    encrypted, HTML, Numbers, a picture, a truncated archive. OSError where it cannot be read.
    """
    with path.open("rb") as source:
        head = source.read(_HEAD_BYTES)
        names = compound.stream_names(source) if head.startswith(compound.SIGNATURE) else None
    if not head:
        raise SheetRefused(f"{file}: the file is empty", hint="save the sheet again")
    if names is not None:
        return _of_compound(names, file=file)
    if head.startswith(b"PK"):
        return _of_zip(path, head, file=file)
    for start, what in _BYTES_AT_START:
        if head.startswith(start):
            raise _no_sheet(what, file=file)
    return _of_text(path, head, file=file)


def _of_compound(names: frozenset[str], *, file: str) -> Format:
    if "encryptedpackage" in names:
        raise _protected(file)
    for name, what in _IN_COMPOUND:
        if name in names:
            raise _no_sheet(what, file=file)
    if names & {"workbook", "book"}:
        return Format.XLS
    raise SheetRefused(
        f"{file}: an Office 97 file that is damaged, cut off or holds no workbook", hint=_AS_XLSX
    )


def _of_zip(path: Path, head: bytes, *, file: str) -> Format:
    if head[2:4] not in {b"\x03\x04", b"\x05\x06", b"\x07\x08"}:
        return _of_text(path, head, file=file)
    # Imported for archives alone: the workbook side costs more than reading a small CSV.
    from dispatcher.loader.workbook.package import Package  # noqa: PLC0415

    with Package(path, file=file) as package:
        names = package.names()
        what = next((what for part, what in _IN_ZIP if any(map(part.fullmatch, names))), "")
        kind = next(package.chunks("mimetype"), b"") if package.has("mimetype") else b""
        if what and not any(name.startswith("xl/") for name in names):
            raise _no_sheet(what, file=file)
        if kind.startswith(b"application/vnd.oasis.opendocument."):
            manifest = "meta-inf/manifest.xml"
            parts = package.chunks(manifest) if package.has(manifest) else iter(())
            return _of_opendocument(kind, b"".join(islice(parts, _MANIFEST_CHUNKS)), file=file)
    if any(name.endswith("workbook.bin") for name in names):
        return Format.XLSB
    if any(name == "[content_types].xml" or name.startswith("xl/") for name in names):
        return Format.XLSX
    raise SheetRefused(
        f"{file}: a zip archive, not a workbook", hint="unpack it and name the sheet that is in it"
    )


def _of_opendocument(kind: bytes, manifest: bytes, *, file: str) -> Format:
    if b".spreadsheet" not in kind:
        raise _no_sheet("an OpenDocument text, drawing or presentation", file=file)
    if b"encryption-data" in manifest:
        raise _protected(file)
    return Format.ODS


def _of_text(path: Path, head: bytes, *, file: str) -> Format:
    text = _plain(head).lstrip("\ufeff \t\r\n")
    for start, what in _TEXT_AT_START:
        if start.match(text):
            raise _no_sheet(what, file=file)
    if path.suffix.casefold() in _WORKBOOK_NAMES:
        raise SheetRefused(
            f"{file}: not a workbook, whatever its name says",
            hint="if it is a text with delimiters, name it .csv; else save the sheet again",
        )
    return Format.CSV


def _plain(head: bytes) -> str:
    """Read the start well enough to see tags in it, whatever the encoding."""
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return head.decode("utf-16", "replace")
    return head.replace(b"\x00", b"").decode("utf-8", "replace")


def _no_sheet(what: str, *, file: str) -> SheetRefused:
    return SheetRefused(f"{file}: {what}, not a sheet", hint=_AS_XLSX)


def _protected(file: str) -> SheetRefused:
    return SheetRefused(f"{file}: password-protected", hint="save a copy without a password")
