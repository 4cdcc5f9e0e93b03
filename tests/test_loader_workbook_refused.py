"""Workbooks that are damaged, encrypted, contradictory or built to harm: refused in one line."""

from __future__ import annotations

import io
import random
import struct
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from dispatcher.errors import SheetRefused
from dispatcher.loader.options import ReadOptions
from dispatcher.loader.workbook import contents as listing_rules
from dispatcher.loader.workbook import merges as merged_cells
from dispatcher.loader.workbook import open_workbook, tree
from dispatcher.loader.workbook import package as archive_rules

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
HEADER = '<row r="1"><c r="A1" t="str"><v>id</v></c></row>'
SHEET, TEXTS, STYLES = "xl/worksheets/sheet1.xml", "xl/sharedStrings.xml", "xl/styles.xml"
BOOK, BOOK_LINKS = "xl/workbook.xml", "xl/_rels/workbook.xml.rels"
DOCTYPE = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>'


def worksheet(rows: str, *, after: str = "") -> str:
    return f'<worksheet xmlns="{MAIN}"><sheetData>{HEADER}{rows}</sheetData>{after}</worksheet>'


def parts_of(rows: str = "<row><c><v>1</v></c></row>", *, after: str = "") -> dict[str, str]:
    def link(number: int, kind: str, target: str) -> str:
        return f'<Relationship Id="r{number}" Type="{OFFICE}/{kind}" Target="{target}"/>'

    links = link(1, "worksheet", "worksheets/sheet1.xml") + link(
        2, "sharedStrings", "sharedStrings.xml"
    )
    return {
        "_rels/.rels": f"<Relationships>{link(1, 'officeDocument', BOOK)}</Relationships>",
        BOOK: f'<workbook xmlns="{MAIN}" xmlns:r="{OFFICE}">'
        '<sheets><sheet name="S" sheetId="1" r:id="r1"/></sheets></workbook>',
        BOOK_LINKS: f"<Relationships>{links}{link(3, 'styles', 'styles.xml')}</Relationships>",
        SHEET: worksheet(rows, after=after),
    }


def packed(parts: dict[str, str | bytes] | dict[str, str]) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in parts.items():
            archive.writestr(name, text)
    return target.getvalue()


def read_through(path: Path) -> None:
    options = ReadOptions()
    sheet = open_workbook(path, file=path.name, options=options, wanted=lambda row: "id" in row)
    for _ in sheet.rows():
        pass


@pytest.fixture
def refused(tmp_path: Path) -> Callable[[bytes], SheetRefused]:
    """Return a function that reads bytes as a workbook, which must be refused."""

    def read(content: bytes) -> SheetRefused:
        path = tmp_path / "book.xlsx"
        path.write_bytes(content)
        with pytest.raises(SheetRefused) as caught:
            read_through(path)
        assert caught.value.message.startswith("book.xlsx: ")
        assert "\n" not in caught.value.message + caught.value.hint
        assert caught.value.hint
        return caught.value

    return read


Refused = Callable[[bytes], SheetRefused]


def encrypted_flag(content: bytes) -> bytes:
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = content.find(mark)
        content = content[: at + offset] + b"\x01" + content[at + offset + 1 :]
    return content


def stored_elsewhere(content: bytes) -> bytes:
    """Return the archive with its sheet said to be packed by a method nobody has."""
    at = content.find(b"PK\x01\x02", content.rfind(SHEET.encode()) - 60)
    return content[: at + 10] + b"\x63" + content[at + 11 :]


GOOD = packed(parts_of())


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "the file is empty"),
        (b"id,name\n1,Ana\n", "not a workbook"),
        (bytes.fromhex("D0CF11E0A1B11AE1") + bytes(600), "password-protected"),
        (GOOD[: len(GOOD) // 2], "damaged workbook: cut off"),
        (GOOD[:-10], "damaged workbook: cut off"),
        (b"PK\x03\x04", "damaged workbook: cut off"),
        (encrypted_flag(GOOD), "password-protected"),
        (stored_elsewhere(GOOD), "packed in an unknown way"),
        (packed({"word/document.xml": "<document/>"}), "not an Excel workbook"),
        (packed(parts_of() | {BOOK: "<document/>"}), "not an Excel workbook"),
        (packed(parts_of() | {"_rels/.rels": "CORRUPTED"}), "_rels/.rels is not valid XML"),
        (packed(parts_of() | {SHEET: "<worksheet"}), "sheet1.xml is not valid XML"),
        (packed(parts_of() | {SHEET: worksheet("")[:-9]}), "sheet1.xml is not valid XML"),
        (packed(parts_of() | {SHEET: ""}), "sheet1.xml is not valid XML"),
        (packed(parts_of('<row><c t="str"><v>&#0;</v></c></row>')), "sheet1.xml is not valid XML"),
        (packed(parts_of('<row><c t="str"><v>&b;</v></c></row>')), "sheet1.xml is not valid XML"),
        (packed(parts_of() | {SHEET: "<chartsheet><sheetData/></chartsheet>"}), "not a worksheet"),
        (
            packed(parts_of() | {SHEET: "<worksheet xmlns='x'><sheetData/></worksheet>"}),
            "not a work",
        ),
        (packed(parts_of() | {SHEET: "<worksheet/>"}), "has no rows"),
        (packed(parts_of() | {TEXTS: "<sst>"}), "sharedStrings.xml is not valid XML"),
        (packed(parts_of() | {STYLES: "<x>"}), "styles.xml is not valid XML"),
        (packed(parts_of() | {BOOK_LINKS: "<Relationships/>"}), 'sheet "S" is missing'),
        (
            packed(parts_of() | {BOOK: '<workbook><sheets><sheet name="S"/></sheets></workbook>'}),
            'sheet "S" is missing',
        ),
        (packed(parts_of(after="<x>" * 50_000 + "</x>" * 50_000)), "endless"),
        (
            packed({name: text for name, text in parts_of().items() if name != SHEET}),
            "sheet1.xml is missing",
        ),
        (packed(parts_of('<row><c t="s"><v>0</v></c></row>')), "A2 with text 0, which"),
        (packed(parts_of('<row><c t="s"><v>-1</v></c></row>')), "A2 with text -1, which"),
        (packed(parts_of('<row><c t="s"><v>x</v></c></row>')), "A2 with text x, which"),
        (packed(parts_of('<row><c t="q"><v>0</v></c></row>')), "a type that does not exist, q"),
        (packed(parts_of('<row r="1"/>')), "row 1 after row 1"),
        (packed(parts_of('<row r="9"/><row r="3"/>')), "row 3 after row 9"),
        (packed(parts_of('<row r="x"/>')), "row x after row 1"),
        (packed(parts_of('<row r="1048577"/>')), "row 1048577 after row 1"),
        (packed(parts_of('<row r="2"><c r="A3"><v>1</v></c></row>')), "a cell named A3 in row 2"),
        (
            packed(parts_of('<row r="2"><c r="XFE2"><v>1</v></c></row>')),
            "a cell named XFE2 in row 2",
        ),
        (packed(parts_of('<row r="2"><c r="2"><v>1</v></c></row>')), "a cell named 2 in row 2"),
        (
            packed(parts_of('<row><c r="A2"><v>1</v></c><c r="A2"><v>2</v></c></row>')),
            "two cells A2",
        ),
        (packed(parts_of(f"<row>{'<c/>' * 16_385}</row>")), "more cells in row 2 than"),
        (
            packed(parts_of(f'<row><c t="str"><v>{"x" * 32_768}</v></c></row>')),
            "more than 32,767 characters in A2",
        ),
    ],
)
def test_what_is_wrong_is_said(refused: Refused, content: bytes, said: str) -> None:
    assert said in refused(content).message


@pytest.mark.parametrize(
    "part", [SHEET, TEXTS, STYLES, BOOK, BOOK_LINKS, "docProps/app.xml", "customXml/item1.xml"]
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_document_type_is_refused_in_any_part(refused: Refused, part: str, encoding: str) -> None:
    parts: dict[str, str | bytes] = {**parts_of()}
    text = f'<?xml version="1.0" encoding="{encoding}"?><!-- x -->{DOCTYPE}<x>&b;</x>'

    problem = refused(packed(parts | {part: text.encode(encoding)}))

    assert "DOCTYPE" in problem.message
    assert part.lower() in problem.message


@pytest.mark.parametrize("encoding", ["utf-7", "rot13", "klingon", "shift_jis"])
@pytest.mark.parametrize("part", [SHEET, BOOK])
def test_odd_encodings_are_refused(refused: Refused, part: str, encoding: str) -> None:
    text = f'<?xml version="1.0" encoding="{encoding}"?><x/>'

    assert "encoding no workbook has" in refused(packed(parts_of() | {part: text})).message


def test_two_parts_of_one_name_are_refused_in_any_case(refused: Refused) -> None:
    parts = parts_of() | {SHEET.upper(): "<x/>"}

    assert "two parts have the name" in refused(packed(parts)).message


def test_too_many_parts_are_refused(refused: Refused, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive_rules, "MOST_PARTS", 50)

    assert (
        "parts in one workbook"
        in refused(packed(parts_of() | {f"a{n}": "" for n in range(50)})).message
    )


def test_a_huge_table_of_contents_is_refused_before_it_is_read(refused: Refused) -> None:
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 9, 9, 6_000_000, 30, 0)

    assert "parts in one workbook" in refused(b"PK\x03\x04" + bytes(26) + end).message


def test_the_size_of_a_zip64_table_of_contents_is_found(refused: Refused) -> None:
    record = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, 9, 9, 6_000_000, 30)
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, 30, 1)
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 9, 9, 0xFFFFFFFF, 30, 0)

    start = b"PK\x03\x04" + bytes(26)
    assert "parts in one workbook" in refused(start + record + locator + end).message
    assert "cut off" in refused(start + end).message


def test_a_part_that_unpacks_to_a_bomb_is_refused(refused: Refused) -> None:
    parts: dict[str, str | bytes] = {**parts_of(), "xl/media/image1.png": bytes(40 * 1024**2)}

    assert "zip bomb" in refused(packed(parts)).message


def test_a_table_of_styles_larger_than_any_real_one_is_refused(refused: Refused) -> None:
    styles = f"<styleSheet><cellXfs>{'<xf/>' * 4_000_000}</cellXfs></styleSheet>"

    assert "larger than any real one" in refused(packed(parts_of() | {STYLES: styles})).message


def test_much_to_unpack_in_all_is_refused(
    refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive_rules, "MOST_UNPACKED", 1000)

    assert "unpacks to more than" in refused(GOOD).message


def test_a_part_that_lies_about_its_size_is_refused(refused: Refused) -> None:
    at = GOOD.rfind(b"PK\x01\x02", 0, GOOD.rfind(SHEET.encode()))
    lying = GOOD[: at + 24] + struct.pack("<L", 60) + GOOD[at + 28 :]

    assert "cannot be unpacked" in refused(lying).message


def test_a_flipped_bit_is_found_by_the_checksum(refused: Refused) -> None:
    random_text = random.Random(5).randbytes(50_000).hex()
    content = bytearray(packed(parts_of(f"<row><c><v>1</v></c></row><!-- {random_text} -->")))
    content[content.find(SHEET.encode()) + 30_000] ^= 1

    assert "sheet1.xml" in refused(bytes(content)).message


def test_a_text_repeated_beyond_any_real_sheet_is_refused_in_little_memory(
    refused: Refused,
) -> None:
    text = "x" * 32_767
    rows = '<row><c t="s"><v>0</v></c></row>' * 12_000
    content = packed(parts_of(rows) | {TEXTS: f"<sst><si><t>{text}</t></si></sst>"})

    tracemalloc.start()
    try:
        assert "repeats texts" in refused(content).message
        assert tracemalloc.get_traced_memory()[1] < 30 * 1024**2
    finally:
        tracemalloc.stop()


def test_a_shared_text_no_cell_may_hold_is_refused_where_it_is_used(refused: Refused) -> None:
    texts = {TEXTS: f"<sst><si><t>{'x' * 1_000_000}</t></si></sst>"}

    problem = refused(packed(parts_of('<row><c t="s"><v>0</v></c></row>') | texts))

    assert "more than 32,767 characters in A2" in problem.message


def noise(length: int) -> str:
    return random.Random(3).randbytes(length // 2).hex()


@pytest.mark.parametrize(
    "parts",
    [
        parts_of(f'<row><c t="str"><v>{noise(5_000_000)}</v></c></row>'),
        parts_of(f"<row><c x='{noise(5_000_000)}'/></row>"),
        parts_of("<row>" + '<c s="1" t="n"/>' * 400_000 + "</row>"),
        parts_of(after=f"<x>{noise(5_000_000)}</x>"),
        parts_of() | {TEXTS: f"<sst><si><t>{noise(5_000_000)}</t></si></sst>"},
        parts_of() | {SHEET: f"<worksheet><x>{noise(9_000_000)}</x></worksheet>"},
        parts_of() | {STYLES: f"<styleSheet><x y='{noise(2_000_000)}'/></styleSheet>"},
    ],
    ids=["text", "tag", "row", "after", "shared", "before", "styles"],
)
def test_endless_pieces_are_refused(refused: Refused, parts: dict[str, str]) -> None:
    assert "endless" in refused(packed(parts)).message


def test_shared_texts_that_unpack_like_a_bomb_are_refused(
    refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dispatcher.loader.workbook.text_table._RATIO_MATTERS_FROM", 1000)
    texts = {TEXTS: f"<sst>{'<si><t>same</t></si>' * 10_000}</sst>"}

    assert "zip bomb" in refused(packed(parts_of() | texts)).message


@pytest.mark.parametrize(
    "parts",
    [
        parts_of("<row>" + "<c/>" * 10_000 + "</row>" + "<row/>" * 2_000_000),
        parts_of() | {TEXTS: f"<sst>{'<si/>' * 2_000_000}</sst>"},
    ],
    ids=["rows", "texts"],
)
def test_empty_pieces_by_the_million_are_refused_before_they_are_read(
    refused: Refused, parts: dict[str, str]
) -> None:
    assert "zip bomb" in refused(packed(parts)).message


@pytest.mark.parametrize(
    "parts",
    [
        parts_of(f"<row>{'<c/>' * 10_000}</row>" * 40 + f"<!-- {noise(20_000)} -->"),
        parts_of() | {TEXTS: f"<sst><!-- {noise(20_000)} -->{'<si/>' * 400_000}</sst>"},
    ],
    ids=["cells", "texts"],
)
def test_noise_does_not_hide_empty_pieces_by_the_million(
    refused: Refused, monkeypatch: pytest.MonkeyPatch, parts: dict[str, str]
) -> None:
    monkeypatch.setattr(tree, "_PIECES_MATTER_FROM", 300_000)

    assert "more empty pieces" in refused(packed(parts)).message


def test_too_many_merged_cells_are_refused(
    refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(merged_cells, "MOST_MERGES", 5)
    merges = "".join(f'<mergeCell ref="A{n}:B{n}"/>' for n in range(1, 9))

    problem = refused(packed(parts_of(after=f"<mergeCells>{merges}</mergeCells>")))

    assert "more than 5 merged cells" in problem.message


def test_overlapping_merged_cells_are_refused(refused: Refused) -> None:
    merges = '<mergeCell ref="A1:A9"/>' * 3

    problem = refused(packed(parts_of(after=f"<mergeCells>{merges}</mergeCells>")))

    assert "merged cells overlap in row 1" in problem.message


def test_too_many_sheets_are_refused(refused: Refused, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing_rules, "MOST_SHEETS", 0)

    assert "more than 0 sheets" in refused(GOOD).message


def test_a_missing_file_is_left_to_the_way_in(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        open_workbook(
            tmp_path / "no.xlsx", file="no.xlsx", options=ReadOptions(), wanted=lambda _: True
        )
