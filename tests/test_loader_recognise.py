"""A file is what it holds, whatever its name; what is no sheet is refused by name."""

from __future__ import annotations

import os
import struct
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import openpyxl
import pytest
import xlwt  # type: ignore[import-untyped]

from dispatcher.errors import SheetRefused
from dispatcher.loader import ReadOptions, file_digest, open_sheet
from dispatcher.loader.recognise import Format, recognise

EXCEL_2003 = b"""<?xml version="1.0"?>
<Workbook xmlns="urn:schemas-microsoft-com:office:spreadsheet">"""
FREE, END, TABLE = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD


def opened(path: Path | str) -> None:
    with open_sheet(str(path), options=ReadOptions(), wanted=lambda cells: "contact_id" in cells):
        pass


def saved(tmp_path: Path, content: bytes, name: str = "campaign.csv") -> Path:
    path = tmp_path / name
    path.write_bytes(content)
    return path


def zipped(tmp_path: Path, *parts: tuple[str, bytes]) -> Path:
    path = tmp_path / "campaign.bin"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in parts:
            archive.writestr(name, content)
    return path


def compound(*names: str, sector_shift: int = 9, chain: int = 1) -> bytes:
    """Write a compound file: a header, a table, and *chain* sectors of the folder."""
    size = 1 << sector_shift
    links = [TABLE, *range(2, chain + 1), END]
    table = struct.pack(f"<{size // 4}I", *links, *[FREE] * (size // 4 - len(links)))
    entries = b"".join(
        name.encode("utf-16-le").ljust(64, b"\x00")
        + struct.pack("<H", len(name) * 2 + 2)
        + bytes(62)
        for name in names
    )
    header = bytearray(size)
    header[:8] = bytes.fromhex("D0CF11E0A1B11AE1")
    struct.pack_into("<H", header, 30, sector_shift)
    struct.pack_into("<I", header, 48, 1)
    struct.pack_into("<109I", header, 76, 0, *[FREE] * 108)
    return bytes(header) + table + entries.ljust(size * chain, b"\x00")


@pytest.mark.parametrize(
    ("content", "name", "said"),
    [
        (b"", "a.csv", "the file is empty"),
        (b"", "a.xlsx", "the file is empty"),
        (b"%PDF-1.7\n", "a.csv", "a PDF document"),
        (b"\x89PNG\r\n\x1a\n", "a.xlsx", "a picture (PNG)"),
        (b"\x1f\x8b\x08", "a.csv", "a gzip archive"),
        (b"{\\rtf1", "a.xls", "a rich text document"),
        (b"SQLite format 3\x00", "a.csv", "an SQLite database"),
        (b"\x09\x04\x06\x00", "a.xls", "a workbook of Excel 4"),
        (b"<html><body><table>", "a.xls", "HTML"),
        (b"\xef\xbb\xbf\r\n <!DOCTYPE html>", "a.csv", "HTML"),
        (b"<table border=1>", "a.xls", "HTML"),
        ("\ufeff<html>".encode("utf-16-le"), "a.xls", "HTML"),
        ("<html>".encode("utf-16-le"), "a.xls", "HTML"),
        (b"<!-- x --><html>", "a.csv", "HTML"),
        (b'<?xml version="1.0"?><html xmlns="x">', "a.xls", "HTML"),
        (EXCEL_2003, "a.xls", "XML of Excel 2003"),
        (b'<?xml version="1.0"?><rows/>', "a.csv", "an XML document"),
        (b"MIME-Version: 1.0\r\n", "a.xls", "a saved web page"),
        (b'[\n {"contact_id": 1}]', "a.csv", "JSON"),
        (b'{"contact_id": 1}', "a.csv", "JSON"),
        (b"BEGIN:VCARD\r\nVERSION:3.0\r\n", "a.csv", "contact cards"),
        (b"ID;PWXL;N;E\r\nP;PGeneral\r\nP;P0\r\n", "a.csv", "SYLK"),
        (b"TABLE\r\n0,1\r\n", "a.csv", "a data interchange file"),
        (b"contact_id,b\n1,2\n", "a.xlsx", "not a workbook, whatever its name says"),
        (b"contact_id\tb\n1\t2\n", "a.XLS", "not a workbook, whatever its name says"),
        (b"PK\x03\x04\x14\x00\x06\x00", "a.xlsx", "damaged"),
    ],
)
def test_what_is_no_sheet_is_refused_by_its_name(
    tmp_path: Path, content: bytes, name: str, said: str
) -> None:
    path = saved(tmp_path, content, name)

    with pytest.raises(SheetRefused) as refused:
        opened(path)

    assert refused.value.message.startswith(f"{path}: {said}")
    assert refused.value.hint
    assert "\n" not in refused.value.message


@pytest.mark.parametrize(
    "text",
    [
        "ID;Phone;Name\nP;1;2\n7;x;y\n",
        "PAR1,contact_id\n1,2\n",
        "PK,contact_id\n1,2\n",
        "PKcontact_id\n",
        "<b>contact_id</b>,x\n",
        "{name},contact_id\n",
        "[a],contact_id\n",
        "GIF8,contact_id\n",
        "TABLE,contact_id\n0,1\n",
    ],
)
def test_text_that_only_begins_like_something_else_is_a_csv(tmp_path: Path, text: str) -> None:
    path = saved(tmp_path, text.encode())

    assert recognise(path, file="x") is Format.CSV


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ([("word/document.xml", b"x"), ("[Content_Types].xml", b"x")], "a Word document"),
        ([("ppt/presentation.xml", b"x")], "a PowerPoint presentation"),
        ([("Index/Document.iwa", b"x"), ("preview.jpg", b"x")], "an Apple Numbers document"),
        ([("Index.zip", b"x")], "an Apple Numbers document"),
        ([("mimetype", b"application/vnd.oasis.opendocument.text")], "an OpenDocument text"),
        ([("campaign.csv", b"contact_id\n")], "a zip archive, not a workbook"),
        ([], "a zip archive, not a workbook"),
        (
            [
                ("mimetype", b"application/vnd.oasis.opendocument.spreadsheet"),
                ("META-INF/manifest.xml", b"<m><encryption-data/></m>"),
            ],
            "password-protected",
        ),
    ],
)
def test_other_archives_are_refused_by_their_name(
    tmp_path: Path, parts: list[tuple[str, bytes]], said: str
) -> None:
    path = zipped(tmp_path, *parts)

    with pytest.raises(SheetRefused) as refused:
        opened(path)

    assert refused.value.message.startswith(f"{path}: {said}")


@pytest.mark.parametrize(
    ("parts", "found"),
    [
        (["xl/workbook.xml"], Format.XLSX),
        (["[Content_Types].xml", "other/book.xml"], Format.XLSX),
        (["XL/Workbook.xml", "word/media.xml"], Format.XLSX),
        (["[Content_Types].xml", "xl/workbook.bin"], Format.XLSB),
    ],
)
def test_workbooks_are_recognised_by_their_parts(
    tmp_path: Path, parts: list[str], found: Format
) -> None:
    path = zipped(tmp_path, *((part, b"x") for part in parts))

    assert recognise(path, file="x") is found


@pytest.mark.parametrize("manifest", [[], [("META-INF/manifest.xml", b"<m/>")]])
def test_an_open_sheet_is_recognised_by_its_type(
    tmp_path: Path, manifest: list[tuple[str, bytes]]
) -> None:
    kind = ("mimetype", b"application/vnd.oasis.opendocument.spreadsheet")

    assert recognise(zipped(tmp_path, kind, *manifest), file="x") is Format.ODS


def test_a_real_workbook_is_read_under_any_name(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.worksheets[0].append(["contact_id"])
    book.worksheets[0].append(["7"])
    path = tmp_path / "campaign.csv"
    book.save(path)

    with open_sheet(
        str(path), options=ReadOptions(), wanted=lambda cells: "contact_id" in cells
    ) as sheet:
        assert sheet.head.format == "xlsx"
        assert [row.cells for row in sheet.rows()] == [("7",)]


def test_a_real_old_workbook_is_read(tmp_path: Path) -> None:
    book = xlwt.Workbook()
    page = book.add_sheet("People")
    page.write(0, 0, "contact_id")
    page.write(1, 0, "7")
    path = tmp_path / "campaign.xlsx"
    book.save(str(path))

    with open_sheet(
        str(path), options=ReadOptions(), wanted=lambda cells: "contact_id" in cells
    ) as sheet:
        assert (sheet.head.format, sheet.head.sheet) == ("xls", "People")
        assert [row.cells for row in sheet.rows()] == [("7",)]


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["Root Entry", "EncryptionInfo", "EncryptedPackage"], "password-protected"),
        (["Root Entry", "WordDocument"], "a Word document"),
        (["Root Entry", "PowerPoint Document"], "a PowerPoint presentation"),
        (["Root Entry", "__properties_version1.0"], "an Outlook message"),
        (["Root Entry", "Contents"], "an Office 97 file that is damaged"),
    ],
)
def test_office_97_files_are_refused_by_their_name(
    tmp_path: Path, names: list[str], said: str
) -> None:
    path = saved(tmp_path, compound(*names))

    with pytest.raises(SheetRefused) as refused:
        opened(path)

    assert refused.value.message.startswith(f"{path}: {said}")


@pytest.mark.parametrize("shift", [9, 12])
def test_the_folder_of_an_office_97_file_may_have_many_sectors(tmp_path: Path, shift: int) -> None:
    in_sector = (1 << shift) // 128
    names = ["Root Entry", *(f"S{number}" for number in range(in_sector * 2)), "Workbook"]
    path = saved(tmp_path, compound(*names, sector_shift=shift, chain=3))

    assert recognise(path, file="x") is Format.XLS


@pytest.mark.parametrize("keep", [8, 511, 512, 700, 1024, 1100])
def test_a_cut_office_97_file_is_refused(tmp_path: Path, keep: int) -> None:
    path = saved(tmp_path, compound("Root Entry", "Workbook")[:keep])

    with pytest.raises(SheetRefused, match="damaged, cut off"):
        opened(path)


def test_a_folder_that_runs_in_a_circle_ends(tmp_path: Path) -> None:
    content = bytearray(compound("Root Entry"))
    struct.pack_into("<I", content, 512 + 4, 1)

    with pytest.raises(SheetRefused, match="damaged"):
        opened(saved(tmp_path, bytes(content)))


@contextmanager
def without_rights() -> Iterator[None]:
    """Be nobody for a moment where the tests are run by root, whom no file is denied."""
    is_root = os.geteuid() == 0
    if is_root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if is_root:
            os.seteuid(0)


@pytest.mark.skipif(os.name == "nt", reason="rights work differently there")
@pytest.mark.parametrize("reader", [opened, file_digest])
def test_a_file_one_may_not_read_is_refused(
    tmp_path: Path, reader: Callable[[str], object]
) -> None:
    path = saved(tmp_path, b"contact_id\n")
    path.chmod(0)

    with without_rights(), pytest.raises(SheetRefused, match="no permission to read it"):
        reader(str(path))


@pytest.mark.parametrize("reader", [opened, file_digest])
@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("missing.csv", "there is no such file"),
        ("folder", "a folder, not a sheet"),
        ("file.csv/inner.csv", r"cannot be read|no such file"),
        ("x" * 5_000, r"cannot be read|no such file"),
    ],
    ids=["missing", "folder", "below a file", "too long"],
)
def test_what_cannot_be_opened_is_refused(
    tmp_path: Path, reader: Callable[[str], object], name: str, said: str
) -> None:
    (tmp_path / "folder").mkdir()
    saved(tmp_path, b"contact_id\n", "file.csv")

    with pytest.raises(SheetRefused, match=said):
        reader(str(tmp_path / name))


@pytest.mark.parametrize("name", ["", "a\x00b"])
def test_a_path_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(SheetRefused, match="not a path"):
        opened(name)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes there")
@pytest.mark.parametrize("reader", [opened, file_digest])
def test_a_named_pipe_is_refused_without_waiting_for_a_writer(
    tmp_path: Path, reader: Callable[[str], object]
) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)

    with pytest.raises(SheetRefused, match="a pipe or device"):
        reader(str(path))


def test_a_digest_is_that_of_the_bytes(tmp_path: Path) -> None:
    path = saved(tmp_path, b"abc")

    assert file_digest(str(path)).startswith("ba7816bf8f01cfea414140de5dae2223")


@pytest.mark.parametrize(
    ("name", "options", "ignored"),
    [
        ("a.csv", ReadOptions(sheet="Hoja1"), "--sheet is ignored: a text file has no sheets"),
        ("a.xlsx", ReadOptions(encoding="cp1252"), "--encoding is ignored: a workbook has none"),
        ("a.xls", ReadOptions(delimiter=";"), "--delimiter is ignored: a workbook has none"),
        (
            "a.xlsx",
            ReadOptions(encoding="utf-8", delimiter=","),
            "--encoding and --delimiter are ignored: a workbook has none",
        ),
    ],
)
def test_an_option_that_a_format_has_no_use_for_is_remarked(
    tmp_path: Path, name: str, options: ReadOptions, ignored: str
) -> None:
    path = tmp_path / name
    (tmp_path / "a.csv").write_text("contact_id\nc-1\n", encoding="utf-8")
    workbook = openpyxl.Workbook()
    workbook.worksheets[0].append(["contact_id"])
    workbook.save(tmp_path / "a.xlsx")
    old = xlwt.Workbook()
    old.add_sheet("S").write(0, 0, "contact_id")
    old.save(str(tmp_path / "a.xls"))

    with open_sheet(str(path), options=options, wanted=lambda c: "contact_id" in c) as sheet:
        said = [r.message for r in sheet.head.remarks if r.code == "option_ignored"]

    assert len(said) == 1
    assert said[0].startswith(ignored)


def test_options_that_fit_the_format_are_not_remarked(tmp_path: Path) -> None:
    path = saved(tmp_path, b"contact_id;x\nc-1;y\n")
    options = ReadOptions(encoding="utf-8", delimiter=";")

    with open_sheet(str(path), options=options, wanted=lambda c: "contact_id" in c) as sheet:
        assert sheet.head.remarks == ()
