"""Error cells of older and foreign workbooks: flaws with the error, never empty texts."""

from __future__ import annotations

import io
import json
import random
import re
import struct
import zipfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import xlwt  # type: ignore[import-untyped]
from hypothesis import given, settings
from hypothesis import strategies as st

from dispatcher.loader.legacy import open_legacy, reader
from dispatcher.loader.legacy.ods_errors import ods_scan
from dispatcher.loader.legacy.streams import workbook_stream
from dispatcher.loader.legacy.xls_errors import xls_scan
from dispatcher.loader.legacy.xlsb_errors import xlsb_scan
from dispatcher.loader.options import ReadOptions
from dispatcher.loader.workbook.package import CHUNK
from dispatcher.model import FlawKind

CODES = {
    0x00: "#NULL!",
    0x07: "#DIV/0!",
    0x0F: "#VALUE!",
    0x17: "#REF!",
    0x1D: "#NAME?",
    0x24: "#NUM!",
    0x2A: "#N/A",
}


def found_in(path: Path, kind: str, *, sheet: str = "") -> list[tuple[tuple[str, ...], list[str]]]:
    """Return the cells and the error messages of each row."""
    options = ReadOptions(sheet=sheet, header_row=0)
    with open_legacy(
        path, file=path.name, format=kind, options=options, wanted=lambda cells: "id" in cells
    ) as opened:
        rows = list(opened.rows())
    assert {flaw.kind for row in rows for flaw in row.flaws} <= {FlawKind.ERROR_CELL}
    return [(row.cells, [flaw.message for flaw in row.flaws]) for row in rows]


def write_xls(path: Path) -> Path:
    """Write two sheets with error cells of all kinds, the last of them a formula's."""
    book = xlwt.Workbook()
    first = book.add_sheet("First")
    for column, text in enumerate(("id", "a", "b", "c")):
        first.write(0, column, text)
    for row, code in enumerate(CODES, start=1):
        first.write(row, 0, f"x{row}")
        first.write(row, 1, 0.1)
        first.row(row).set_cell_error(2, code)
        first.write(row, 3, True)
    first.write(8, 0, "x8")
    first.write(8, 1, xlwt.Formula("1/0"))
    second = book.add_sheet("Second")
    second.write(1, 1, "id")
    second.row(3).set_cell_error(1, 0x2A)
    book.save(str(path))
    # xlwt computes nothing: the result it leaves, a number, becomes the error of the formula.
    data = path.read_bytes()
    found = re.search(rb"\x06\0..\x08\0\x01\0..", data, re.DOTALL)
    assert found
    result = bytes([2, 0, 0x07, 0, 0, 0, 0xFF, 0xFF])
    path.write_bytes(data[: found.end()] + result + data[found.end() + 8 :])
    return path


def test_error_cells_of_an_xls_are_flaws(tmp_path: Path) -> None:
    path = write_xls(tmp_path / "a.xls")

    rows = found_in(path, "xls", sheet="First")

    words = list(CODES.values())
    scan = xls_scan(path)
    assert scan(0) == {n: {2: word} for n, word in enumerate(words, start=2)} | {9: {1: "#DIV/0!"}}
    assert scan(1) == {4: {1: "#N/A"}}
    assert rows == [
        *(
            ((f"x{n}", "0.1", word, "TRUE"), [f"C{n + 1} holds {word}"])
            for n, word in enumerate(words, start=1)
        ),
        (("x8", "#DIV/0!", "", ""), ["B9 holds #DIV/0!"]),
    ]
    assert found_in(path, "xls", sheet="Second") == [(("", "#N/A"), ["B4 holds #N/A"])]


def _record(kind: int, data: bytes) -> bytes:
    """Return a record of an XLSB part."""
    packed = bytes([kind]) if kind < 0x80 else bytes([kind & 0x7F | 0x80, kind >> 7])
    size = (
        bytes([len(data)]) if len(data) < 0x80 else bytes([len(data) & 0x7F | 0x80, len(data) >> 7])
    )
    return packed + size + data


def _wide(text: str) -> bytes:
    return struct.pack("<I", len(text)) + text.encode("utf-16-le")


def _xlsb_cell(column: int, value: object) -> bytes:
    kind, data = _xlsb_value(value)
    return _record(kind, struct.pack("<II", column, 0) + data)


def _xlsb_value(value: object) -> tuple[int, bytes]:
    match value:
        case None:
            return 0x01, b""
        case bool():
            return 0x04, bytes([value])
        case int() | float():
            return 0x05, struct.pack("<d", value)
        case (int() as code,):
            return 0x03, bytes([code])
        case (int() as code, str()):
            rest = struct.pack("<HI", 0, 2) + b"\x1c\x2a" + struct.pack("<I", 0)
            return 0x0B, bytes([code]) + rest
        case _:
            return 0x06, _wide(str(value))


def _xlsb_part(rows: Sequence[Sequence[object]]) -> bytes:
    width = max(map(len, rows), default=1)
    part = _record(0x81, b"") + _record(0x94, struct.pack("<4I", 0, len(rows), 0, width))
    part += _record(0x91, b"")
    for number, row in enumerate(rows):
        part += _record(0x00, struct.pack("<IIHBBBI", number, 0, 0, 0, 0, 0, 0))
        part += b"".join(_xlsb_cell(column, value) for column, value in enumerate(row))
    return part + _record(0x92, b"") + _record(0x82, b"")


def write_xlsb(path: Path, sheets: dict[str, Sequence[Sequence[object]]]) -> Path:
    book = b""
    relations = ""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as target:
        for index, (name, rows) in enumerate(sheets.items(), start=1):
            book += _record(0x9C, struct.pack("<II", 0, index) + _wide(f"rId{index}") + _wide(name))
            relations += (
                f'<Relationship Id="rId{index}" Target="worksheets/sheet{index}.bin"'
                ' Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/'
                'worksheet"/>'
            )
            target.writestr(f"xl/worksheets/sheet{index}.bin", _xlsb_part(rows))
        book = _record(0x83, b"") + _record(0x8F, b"") + book + _record(0x90, b"")
        target.writestr("xl/workbook.bin", book + _record(0x9D, b"\0" * 26) + _record(0x84, b""))
        target.writestr(
            "xl/_rels/workbook.bin.rels",
            '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
            f"{relations}</Relationships>",
        )
    return path


def test_error_cells_of_an_xlsb_are_flaws(tmp_path: Path) -> None:
    path = write_xlsb(
        tmp_path / "a.xlsb",
        {
            "First": [["id"], ["x"]],
            "Second": [
                ["id", "a", "b", "c", "d"],
                ["x", 7.0, 0.5, True, (0x2A,)],
                ["y", None, (0x17, "formula"), None, (0x2B,)],
                [(0x00,)],
            ],
        },
    )

    assert found_in(path, "xlsb", sheet="First") == [(("x",), [])]
    assert found_in(path, "xlsb", sheet="Second") == [
        (("x", "7", "0.5", "TRUE", "#N/A"), ["E2 holds #N/A"]),
        (("y", "", "#REF!", "", "#GETTING_DATA"), ["C3 holds #REF!", "E3 holds #GETTING_DATA"]),
        (("#NULL!", "", "", "", ""), ["A4 holds #NULL!"]),
    ]


NAMESPACES = (
    'xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0"'
    ' xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0"'
    ' xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0"'
    ' xmlns:calcext="urn:org:documentfoundation:names:experimental:calc:xmlns:calcext:1.0"'
)
MANIFEST = '<m:manifest xmlns:m="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"/>'


def write_ods(path: Path, *tables: str) -> Path:
    """Write tables S1, S2, ... with these rows."""
    content = "".join(
        f'<table:table table:name="S{n}">{rows}</table:table>'
        for n, rows in enumerate(tables, start=1)
    )
    with zipfile.ZipFile(path, "w") as target:
        target.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        target.writestr("META-INF/manifest.xml", MANIFEST)
        target.writestr(
            "content.xml",
            f"<office:document-content {NAMESPACES}><office:body><office:spreadsheet>{content}"
            "</office:spreadsheet></office:body></office:document-content>",
        )
    return path


def ods_row(*cells: str, repeated: int = 1) -> str:
    times = f' table:number-rows-repeated="{repeated}"'
    return f"<table:table-row{times}>{''.join(cells)}</table:table-row>"


def ods_cell(text: str, about: str = 'office:value-type="string"', *, repeated: int = 1) -> str:
    times = f' table:number-columns-repeated="{repeated}"'
    return f"<table:table-cell {about}{times}><text:p>{text}</text:p></table:table-cell>"


FORMULA = 'table:formula="of:=A1"'
MARKED = f'{FORMULA} office:value-type="string" office:string-value="" calcext:value-type="error"'


@pytest.mark.parametrize(
    ("about", "shown", "word"),
    [
        pytest.param(MARKED, "#N/A", "#N/A", id="LibreOffice"),
        pytest.param(MARKED, "Err:502", "Err:502", id="LibreOffice's own errors"),
        pytest.param(MARKED, "", "an error", id="marked but not named"),
        pytest.param(
            f'{FORMULA} office:value-type="string" office:string-value=""',
            "#REF!",
            "#REF!",
            id="unmarked",
        ),
        pytest.param(
            f'{FORMULA} office:value-type="float" office:value="0"',
            "#DIV/0!",
            "#DIV/0!",
            id="a number in the place of the error",
        ),
        pytest.param(f'{FORMULA} office:value-type="string"', "#WERT!", "#WERT!", id="German"),
        pytest.param(FORMULA, "#N/A", "#N/A", id="without a type"),
    ],
)
def test_error_cells_of_an_ods_are_flaws(tmp_path: Path, about: str, shown: str, word: str) -> None:
    header = ods_row(ods_cell("id"), ods_cell("a"), ods_cell("b"))
    path = write_ods(
        tmp_path / "a.ods", header + ods_row(ods_cell("x"), ods_cell(shown, about), ods_cell("y"))
    )

    assert found_in(path, "ods") == [(("x", word, "y"), [f"B2 holds {word}"])]


def test_texts_like_errors_are_texts(tmp_path: Path) -> None:
    comment = '<office:annotation xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0">'
    path = write_ods(
        tmp_path / "a.ods",
        ods_row(ods_cell("id"), ods_cell("a"), ods_cell("b"))
        + ods_row(
            ods_cell("#N/A"),
            ods_cell("see #N/A", f'{FORMULA} office:value-type="string"'),
            ods_cell(
                "fine", f'{FORMULA} office:value-type="string" office:string-value="fine"'
            ).replace("<text:p>", f"{comment}<text:p>#N/A</text:p></office:annotation><text:p>"),
        ),
    )

    ((_, messages),) = found_in(path, "ods")

    assert messages == []
    assert ods_scan(path)(0) == {}


def test_repeated_error_cells_are_all_flaws_even_where_nothing_else_is(tmp_path: Path) -> None:
    error = ods_cell("#N/A", MARKED, repeated=2)
    path = write_ods(
        tmp_path / "a.ods",
        ods_row(ods_cell("id"), ods_cell("a"), ods_cell("b"), ods_cell("c")),
        ods_row("<table:table-cell/>", repeated=2)
        + ods_row("<table:table-cell/>", ods_cell("id"), ods_cell("a"))
        + ods_row("<table:table-cell/>", repeated=3)
        + ods_row("<table:table-cell/>", error, repeated=2),
    )

    assert found_in(path, "ods", sheet="S1") == []
    expected = ("", "#N/A", "#N/A")
    assert found_in(path, "ods", sheet="S2") == [
        (expected, ["B7 holds #N/A", "C7 holds #N/A"]),
        (expected, ["B8 holds #N/A", "C8 holds #N/A"]),
    ]


def test_the_process_tells_error_cells_beyond_all_others(tmp_path: Path) -> None:
    rows = ods_row("<table:table-cell/>") + ods_row(
        "<table:table-cell/>", ods_cell("id"), ods_cell("#N/A", MARKED)
    )
    path = write_ods(tmp_path / "a.ods", rows + ods_row(ods_cell("#N/A", MARKED)))
    answer = io.StringIO()

    reader.main([str(path), "ods", "0"], answer)

    assert [json.loads(line) for line in answer.getvalue().splitlines()] == [
        [2, ["", "id", "#N/A"], [], [2]],
        [3, ["#N/A"], [], [0]],
        "done",
    ]


def test_an_error_is_found_wherever_the_content_is_split(tmp_path: Path) -> None:
    path = tmp_path / "a.ods"

    def write(length: int) -> int:
        rows = ods_row(ods_cell("x" * length)) + ods_row(ods_cell("#REF!", FORMULA))
        with zipfile.ZipFile(write_ods(path, rows)) as archive:
            return archive.read("content.xml").index(b"#REF!")

    before = write(0)
    for inside in range(6):
        assert write(CHUNK - inside - before) == CHUNK - inside
        assert ods_scan(path)(0) == {2: {0: "#REF!"}}


def test_content_without_any_error_is_not_looked_at_closely(tmp_path: Path) -> None:
    path = write_ods(tmp_path / "a.ods", ods_row(ods_cell("id")))

    assert ods_scan(path)(0) == {}


def test_repeated_rows_beyond_the_last_one_do_not_move_errors(tmp_path: Path) -> None:
    path = write_ods(
        tmp_path / "a.ods",
        ods_row(ods_cell("id"), repeated=5)
        + ods_row("<table:table-cell/>", repeated=10**7)
        + ods_row(ods_cell("#N/A", MARKED)),
    )

    assert ods_scan(path)(0) == {}


def test_endless_repetition_is_bounded(tmp_path: Path) -> None:
    error = ods_cell("#N/A", MARKED, repeated=10**15)
    path = write_ods(tmp_path / "a.ods", ods_row(error, error, repeated=10**15))

    found = ods_scan(path)(0)

    assert len(found) == 1_048_576
    assert len(found[1]) == 16_384


def test_broken_content_of_an_ods_is_refused(tmp_path: Path) -> None:
    path = write_ods(tmp_path / "a.ods", ods_row(ods_cell("#N/A", MARKED)) + "</wrong>")

    with pytest.raises(ValueError, match="XML"):
        ods_scan(path)


def test_a_part_with_cut_off_records_is_refused(tmp_path: Path) -> None:
    path = write_xlsb(tmp_path / "a.xlsb", {"S": [["id"]]})
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(tmp_path / "b.xlsb", "w") as new:
        for name in old.namelist():
            new.writestr(name, old.read(name)[: -9 if name.endswith("sheet1.bin") else None])

    with pytest.raises(ValueError, match="cut off"):
        xlsb_scan(tmp_path / "b.xlsb")(0)
    answer = io.StringIO()
    reader.main([str(tmp_path / "b.xlsb"), "xlsb"], answer)
    assert answer.getvalue().endswith('"unreadable"\n')


def test_a_sheet_that_is_not_there_cannot_be_scanned(tmp_path: Path) -> None:
    xls, xlsb = write_xls(tmp_path / "a.xls"), write_xlsb(tmp_path / "a.xlsb", {"S": [["id"]]})

    for scan in (xls_scan(xls), xlsb_scan(xlsb)):
        with pytest.raises(LookupError):
            scan(7)


MARK, TABLE, FREE = 0xFFFFFFFE, 0xFFFFFFFD, 0xFFFFFFFF


def compound(stream: bytes, *, name: str = "Workbook", loop: bool = False) -> bytes:
    """Return a compound file with one short stream, in the stream of the small ones."""
    small = stream + b"\0" * (-len(stream) % 512)
    count, pieces = len(small) // 512, len(small) // 64
    # Sectors: 0 table of sectors, 1 folder, 2 table of small sectors, then the small ones.
    table = [TABLE, 1 if loop else MARK, MARK, *range(4, 3 + count), MARK]
    pieces_table = [*range(1, pieces), MARK]

    def entry(title: str, kind: int, start: int, size: int) -> bytes:
        text = title.encode("utf-16-le")
        about = text.ljust(64, b"\0") + struct.pack("<HBB", len(text) + 2, kind, 1)
        return about.ljust(116, b"\0") + struct.pack("<II", start, size) + b"\0" * 4

    folder = entry("Root Entry", 5, 3, len(small)) + entry(name, 2, 0, len(stream))
    header = bytes.fromhex("D0CF11E0A1B11AE1").ljust(24, b"\0")
    header += struct.pack("<HHHHH", 0x3E, 3, 0xFFFE, 9, 6).ljust(20, b"\0")
    header += struct.pack("<9I", 1, 1, 0, 4096, 2, 1, MARK, 0, 0)
    return b"".join(
        (
            header.ljust(512, b"\xff"),
            struct.pack(f"<{len(table)}I", *table).ljust(512, b"\xff"),
            folder.ljust(512, b"\0"),
            struct.pack(f"<{len(pieces_table)}I", *pieces_table).ljust(512, b"\xff"),
            small,
        )
    )


@pytest.mark.parametrize("name", ["Workbook", "Book", "WORKBOOK"])
def test_a_short_workbook_is_found_in_the_stream_of_the_small_ones(name: str) -> None:
    stream = random.Random(1).randbytes(1500)

    assert workbook_stream(compound(stream, name=name)) == stream


def test_a_chain_that_never_ends_is_left(tmp_path: Path) -> None:
    path = tmp_path / "a.xls"
    path.write_bytes(compound(b"\x01\x00\0\0" * 300, loop=True))

    with pytest.raises(ValueError, match="cut off"):
        xls_scan(path)


def test_a_large_workbook_lists_its_sectors_in_more_than_the_header(tmp_path: Path) -> None:
    book = xlwt.Workbook()
    sheet = book.add_sheet("S")
    sheet.write(0, 0, "id")
    text = "x" * 30_000
    for row in range(1, 300):
        sheet.write(row, 0, text + str(row))
    sheet.row(300).set_cell_error(0, 0x2A)
    book.save(str(tmp_path / "a.xls"))

    assert xls_scan(tmp_path / "a.xls")(0) == {301: {0: "#N/A"}}


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_damaged_compound_file_breaks_nothing(data: st.DataObject) -> None:
    whole = bytearray(compound(b"\x09\x08\0\0\x0a\0\0\0" * 20))
    for _ in range(data.draw(st.integers(1, 6))):
        whole[data.draw(st.integers(24, len(whole) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(whole)))

    with suppress(ValueError):
        workbook_stream(bytes(whole[:cut]))


VALUES = st.sampled_from(
    ["text", 7.0, 0.5, True, None, *((code,) for code in CODES), (0x2A, "formula")]
)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(VALUES, max_size=8), max_size=8))
def test_no_error_cell_of_an_xlsb_is_missed_and_none_invented(rows: list[list[object]]) -> None:
    expected = {
        number: errors
        for number, row in enumerate(rows, start=1)
        if (
            errors := {
                column: CODES[value[0]]
                for column, value in enumerate(row)
                if isinstance(value, tuple)
            }
        )
    }
    with TemporaryDirectory() as folder:
        assert xlsb_scan(write_xlsb(Path(folder) / "a.xlsb", {"S": rows}))(0) == expected
