"""Workbooks as other programs write them, and which sheet and header are meant."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from dispatcher.errors import SheetRefused
from dispatcher.loader.options import ReadOptions
from dispatcher.loader.sheet import Sheet
from dispatcher.loader.workbook import open_workbook
from dispatcher.model import FlawKind, SheetRow

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
STRICT = "http://purl.oclc.org/ooxml/spreadsheetml/main"
RELATIONS = "http://schemas.openxmlformats.org/package/2006/relationships"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
STRICT_OFFICE = "http://purl.oclc.org/ooxml/officeDocument/relationships"

HEADER = '<row r="1"><c r="A1" t="str"><v>id</v></c><c r="B1" t="str"><v>name</v></c></row>'
ONE_ROW = HEADER + '<row r="2"><c r="A2" t="str"><v>a</v></c></row>'


def relations(*targets: tuple[str, str], office: str = OFFICE) -> str:
    """Return a relationship part; targets are (kind, target), their ids r1, r2 ..."""
    items = "".join(
        f'<Relationship Id="r{n}" Type="{office}/{kind}" Target="{target}"/>'
        for n, (kind, target) in enumerate(targets, start=1)
    )
    return f'<Relationships xmlns="{RELATIONS}">{items}</Relationships>'


def worksheet(rows: str, *, before: str = "", after: str = "", namespace: str = MAIN) -> str:
    return (
        f'<worksheet xmlns="{namespace}">{before}<sheetData>{rows}</sheetData>{after}</worksheet>'
    )


def listing(*sheets: tuple[str, str], namespace: str = MAIN, office: str = OFFICE) -> str:
    """Return a workbook part; sheets are (name, state)."""
    items = "".join(
        f'<sheet name="{name}" sheetId="{n}" state="{state}" r:id="r{n}"/>'
        for n, (name, state) in enumerate(sheets, start=1)
    )
    return f'<workbook xmlns="{namespace}" xmlns:r="{office}"><sheets>{items}</sheets></workbook>'


def parts_of(*sheets: str) -> dict[str, str]:
    """Return the parts of a plain workbook with visible sheets Sheet1, Sheet2 ..."""
    targets = [("worksheet", f"worksheets/sheet{n}.xml") for n, _ in enumerate(sheets, start=1)]
    return {
        "_rels/.rels": relations(("officeDocument", "xl/workbook.xml")),
        "xl/workbook.xml": listing(*((f"Sheet{n + 1}", "visible") for n in range(len(sheets)))),
        "xl/_rels/workbook.xml.rels": relations(
            *targets, ("sharedStrings", "sharedStrings.xml"), ("styles", "styles.xml")
        ),
        **{f"xl/{target}": xml for (_, target), xml in zip(targets, sheets, strict=True)},
    }


@pytest.fixture
def packed(tmp_path: Path) -> Callable[[dict[str, str]], Path]:
    """Return a function that packs parts into a workbook."""

    def pack(parts: dict[str, str]) -> Path:
        path = tmp_path / "book.xlsx"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, text in parts.items():
                archive.writestr(name, text)
        return path

    return pack


def opened(path: Path, *, sheet: str = "", header_row: int = 0, column: str = "id") -> Sheet:
    return open_workbook(
        path,
        file=path.name,
        options=ReadOptions(sheet=sheet, header_row=header_row),
        wanted=lambda cells: column in cells,
    )


def rows_of(path: Path) -> list[SheetRow]:
    with opened(path) as sheet:
        return list(sheet.rows())


def refusal(path: Path, *, sheet: str = "", column: str = "id") -> SheetRefused:
    with pytest.raises(SheetRefused) as caught:
        opened(path, sheet=sheet, column=column)
    assert "\n" not in caught.value.message
    return caught.value


Pack = Callable[[dict[str, str]], Path]


def simple(pack: Pack, rows: str, **more: str) -> Path:
    """Pack a workbook of one sheet with the usual header."""
    return pack(parts_of(worksheet(HEADER + rows)) | more)


def test_a_plain_workbook_is_read(packed: Pack) -> None:
    path = simple(packed, '<row r="3"><c r="A3"><v>5</v></c><c r="B3" t="b"><v>1</v></c></row>')

    with opened(path) as sheet:
        assert (sheet.head.format, sheet.head.sheet, sheet.head.header_row) == ("xlsx", "Sheet1", 1)
        assert sheet.head.headers == ("id", "name")
        assert sheet.head.remarks == ()
        for _ in range(2):
            assert list(sheet.rows()) == [SheetRow(number=3, cells=("5", "TRUE"))]
        assert sheet.remarks() == ()


def strict(parts: dict[str, str]) -> dict[str, str]:
    return {
        name: text.replace(MAIN, STRICT).replace(OFFICE, STRICT_OFFICE)
        for name, text in parts.items()
    }


def prefixed(parts: dict[str, str]) -> dict[str, str]:
    sheet = (
        worksheet(ONE_ROW).replace("<", "<x:").replace("<x:/", "</x:").replace("xmlns", "xmlns:x")
    )
    return parts | {"xl/worksheets/sheet1.xml": sheet}


def absolute(parts: dict[str, str]) -> dict[str, str]:
    return {
        name: text.replace('Target="', 'Target="/xl/', 1) if "workbook.xml.rels" in name else text
        for name, text in parts.items()
    }


def capital(parts: dict[str, str]) -> dict[str, str]:
    return {name.upper(): text for name, text in parts.items()}


def backslashes(parts: dict[str, str]) -> dict[str, str]:
    return {name.replace("/", "\\"): text for name, text in parts.items()}


def rootless(parts: dict[str, str]) -> dict[str, str]:
    return {name: text for name, text in parts.items() if name != "_rels/.rels"}


def from_root(parts: dict[str, str]) -> dict[str, str]:
    return {
        name: text.replace("worksheets/", "xl/worksheets/", 1)
        if "workbook.xml.rels" in name
        else text
        for name, text in parts.items()
    }


def escaped(parts: dict[str, str]) -> dict[str, str]:
    return {
        name: text.replace("sheet1", "sheet%31", 1) if "workbook.xml.rels" in name else text
        for name, text in parts.items()
    }


def no_namespace(parts: dict[str, str]) -> dict[str, str]:
    return parts | {"xl/worksheets/sheet1.xml": worksheet(ONE_ROW, namespace="")}


def lying_dimension(parts: dict[str, str]) -> dict[str, str]:
    sheet = worksheet(ONE_ROW, before='<dimension ref="A1:AMJ1048576"/>')
    return parts | {"xl/worksheets/sheet1.xml": sheet}


def narrow_dimension(parts: dict[str, str]) -> dict[str, str]:
    return parts | {"xl/worksheets/sheet1.xml": worksheet(ONE_ROW, before='<dimension ref="A1"/>')}


def external(parts: dict[str, str]) -> dict[str, str]:
    link = (
        f'<Relationship Id="r9" Type="{OFFICE}/styles" TargetMode="External" Target="http://x/"/>'
    )
    name = "xl/_rels/workbook.xml.rels"
    return parts | {name: parts[name].replace("<Relationship ", f"{link}<Relationship ", 1)}


@pytest.mark.parametrize(
    "change",
    [
        strict,
        prefixed,
        absolute,
        capital,
        backslashes,
        rootless,
        from_root,
        escaped,
        no_namespace,
        lying_dimension,
        narrow_dimension,
        external,
    ],
)
def test_packaging_makes_no_difference(
    packed: Pack, change: Callable[[dict[str, str]], dict[str, str]]
) -> None:
    path = packed(change(parts_of(worksheet(ONE_ROW))))

    assert [row.cells for row in rows_of(path)] == [("a", "")]


def test_utf_16_parts_are_read(packed: Pack, tmp_path: Path) -> None:
    path = packed(parts_of("placeholder"))
    merged = worksheet(ONE_ROW, after='<mergeCells><mergeCell ref="A2:B2"/></mergeCells>')
    text = '<?xml version="1.0" encoding="UTF-16"?>' + merged
    other = tmp_path / "wide.xlsx"
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(other, "w") as new:
        for name in old.namelist():
            new.writestr(name, text.encode("utf-16") if "sheet1" in name else old.read(name))

    (row,) = rows_of(other)

    assert row.cells == ("a", "")
    assert row.flaws[0].kind is FlawKind.MERGED


def test_rows_and_cells_without_references_follow_one_another(packed: Pack) -> None:
    rows = (
        '<row r="5"><c t="str"><v>a</v></c><c t="str"><v>b</v></c></row>'
        "<row><c/><c><v>1</v></c></row>"
        '<row><c r="A9" t="str"><v>c</v></c></row>'
    )

    found = [(row.number, row.cells) for row in rows_of(simple(packed, rows))]

    assert found == [(5, ("a", "b")), (6, ("", "1")), (9, ("c", ""))]


def test_cells_may_leave_gaps_and_change_places(packed: Pack) -> None:
    rows = '<row r="2"><c r="$B$2"><v>2</v></c><c r="a2"><v>1</v></c></row>'

    (row,) = rows_of(simple(packed, rows))

    assert row.cells == ("1", "2")


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        ('<c r="A2" t="s"><v>0</v></c>', " plain "),
        ('<c r="A2" t="s"><v>1</v></c>', "rich text"),
        ('<c r="A2" t="s"><v>2</v></c>', "東京"),
        ('<c r="A2" t="s"><v> 3 </v></c>', "a\r\nb"),
        ('<c r="A2" t="inlineStr"><is><t>  in line </t></is></c>', "  in line "),
        ('<c r="A2" t="inlineStr"><is><r><t>ri</t></r><r><t>ch</t></r></is></c>', "rich"),
        ('<c r="A2" t="inlineStr"><v>odd</v></c>', "odd"),
        ('<c r="A2"><is><t>untyped</t></is></c>', "untyped"),
        ('<c r="A2" t="s"><is><t>typed as shared</t></is></c>', "typed as shared"),
        ('<c r="A2" t="str"><f>A1</f><v>of formula</v></c>', "of formula"),
        ('<c r="A2" t="str"><v>0012</v></c>', "0012"),
        ('<c r="A2" t="str"><v>1e5</v></c>', "1e5"),
        ('<c r="A2" t="str"><v>NA</v></c>', "NA"),
        ('<c r="A2" t="str"><v>123456789012345678901234</v></c>', "123456789012345678901234"),
        ('<c r="A2" t="str"><v>&lt;b&gt; &amp;amp;</v></c>', "<b> &amp;"),
        ('<c r="A2" t="str"><v><![CDATA[<x>]]></v></c>', "<x>"),
        ('<c r="A2" t="n"><v>6083</v></c>', "6083"),
        ('<c r="A2" s=""><v>6083</v></c>', "6083"),
        ('<c r="A2" s="99"><v>6083</v></c>', "6083"),
        ('<c r="A2" s="x"><v>6083</v></c>', "6083"),
        ('<c r="A2" s="1"><v>45351</v></c>', "2024-02-29"),
        ('<c r="A2" s="2"><v>6083</v></c>', "06083"),
        ('<c r="A2" s="3"><v>0.21</v></c>', "21%"),
        ('<c r="A2" s="4"><v>1234.5</v></c>', "1234.5"),
        ('<c r="A2" t="d"><v>2024-02-29T17:30:00</v></c>', "2024-02-29 17:30"),
        ('<c r="A2" t="b"><v>true</v></c>', "TRUE"),
        ('<c r="A2" t="b"><v>0</v></c>', "FALSE"),
        ('<c r="A2"><f>1+1</f><v>2</v></c>', "2"),
        ('<c r="A2" t="str"><f>""</f><v></v></c>', ""),
        ('<c r="A2"><v></v></c>', ""),
        ('<c r="A2"><v/></c>', ""),
        ('<c r="A2" t="s"><v/></c>', ""),
        ('<c r="A2" t="s"><v> </v></c>', ""),
        ('<c r="A2"><extLst/></c>', ""),
    ],
)
def test_a_cell_is_the_text_a_person_sees(packed: Pack, cell: str, text: str) -> None:
    more = {
        "xl/sharedStrings.xml": f'<sst xmlns="{MAIN}"><si><t> plain </t></si>'
        "<si><r><rPr><b/></rPr><t>rich </t></r><r><t>text</t></r></si>"
        '<si><t>東京</t><rPh sb="0" eb="2"><t>トウキョウ</t></rPh></si>'
        "<si><t>a_x000D_\nb</t></si></sst>",
        "xl/styles.xml": f'<styleSheet xmlns="{MAIN}">'
        '<numFmts><numFmt numFmtId="164" formatCode="00000"/>'
        '<numFmt numFmtId="165" formatCode="&quot;$&quot;#,##0.00"/></numFmts>'
        '<cellStyleXfs><xf numFmtId="9"/></cellStyleXfs><cellXfs><xf/><xf numFmtId="14"/>'
        '<xf numFmtId="164"/><xf numFmtId="9"/><xf numFmtId="165"/></cellXfs></styleSheet>',
    }
    path = simple(packed, f'<row r="2">{cell}<c r="B2" t="str"><v>end</v></c></row>', **more)

    (row,) = rows_of(path)

    assert row == SheetRow(number=2, cells=(text, "end"))


@pytest.mark.parametrize("bound", ["_MOST_AT_HAND", "_SIZE_AT_HAND"])
def test_shared_texts_beyond_those_at_hand_are_read_the_same(
    packed: Pack, monkeypatch: pytest.MonkeyPatch, bound: str
) -> None:
    monkeypatch.setattr(f"dispatcher.loader.workbook.shared_strings.{bound}", 2)
    items = "".join(f"<si><t>ñ{n}</t></si>" for n in range(6))
    rows = "".join(f'<row><c t="s"><v>{n}</v></c></row>' for n in (5, 0, 2, 1, 4, 3))
    more = {"xl/sharedStrings.xml": f'<sst xmlns="{MAIN}">{items}</sst>'}

    found = [row.cells[0] for row in rows_of(simple(packed, rows, **more))]

    assert found == ["ñ5", "ñ0", "ñ2", "ñ1", "ñ4", "ñ3"]


def test_a_formula_may_have_a_shared_text(packed: Pack) -> None:
    texts = {"xl/sharedStrings.xml": f'<sst xmlns="{MAIN}"><si><t>of a formula</t></si></sst>'}
    rows = '<row r="2"><c r="A2" t="s"><f>B2</f><v>0</v></c></row>'

    (row,) = rows_of(simple(packed, rows, **texts))

    assert row.cells[0] == "of a formula"


@pytest.mark.parametrize("reference", ["A9", "2", "XFE2", ""])
def test_an_empty_cell_in_a_wrong_place_changes_nothing(packed: Pack, reference: str) -> None:
    astray = f'<c r="{reference}" s="0"/>'
    cells = '<c r="A2" t="str"><v>a</v></c>{}<c t="str"><v>b</v></c>'

    (row,) = rows_of(simple(packed, f'<row r="2">{astray}{cells.format(astray)}{astray}</row>'))

    assert row.cells == ("a", "b")


def test_what_is_no_row_or_cell_is_passed_over(packed: Pack) -> None:
    rows = (
        '<y:row xmlns:y="urn:other" r="9"/><row r="2"><extLst><ext/></extLst>'
        '<y:c xmlns:y="urn:other" r="A2"><y:v>no</y:v></y:c><c r="A2"><v>1</v></c></row>'
    )

    (row,) = rows_of(simple(packed, rows))

    assert row == SheetRow(number=2, cells=("1", ""))


def test_folders_in_the_archive_do_not_count(packed: Pack) -> None:
    path = packed({"xl/": "", "XL/": ""} | parts_of(worksheet(ONE_ROW)))

    assert [row.cells for row in rows_of(path)] == [("a", "")]


def test_a_cell_without_style_has_the_first_one(packed: Pack) -> None:
    styles = f'<styleSheet xmlns="{MAIN}"><cellXfs><xf numFmtId="14"/></cellXfs></styleSheet>'

    (row,) = rows_of(simple(packed, "<row><c><v>45351</v></c></row>", **{"xl/styles.xml": styles}))

    assert row.cells[0] == "2024-02-29"


def test_days_count_from_1904_where_the_workbook_says_so(packed: Pack) -> None:
    parts = parts_of(worksheet(HEADER + '<row><c s="0"><v>43889</v></c></row>'))
    parts["xl/workbook.xml"] = parts["xl/workbook.xml"].replace(
        "<sheets>", '<workbookPr date1904="1"/><sheets>'
    )
    parts["xl/styles.xml"] = (
        f'<styleSheet xmlns="{MAIN}"><cellXfs><xf numFmtId="14"/></cellXfs></styleSheet>'
    )

    (row,) = rows_of(packed(parts))

    assert row.cells[0] == "2024-02-29"


@pytest.mark.parametrize(
    ("cell", "kind", "message"),
    [
        ('<c r="B2" t="e"><v>#N/A</v></c>', FlawKind.ERROR_CELL, "B2 holds #N/A"),
        ('<c r="B2" t="e"><f>1/0</f><v>#DIV/0!</v></c>', FlawKind.ERROR_CELL, "B2 holds #DIV/0!"),
        ('<c r="B2" t="b"><v>2</v></c>', FlawKind.ERROR_CELL, "B2 holds neither TRUE nor FALSE"),
        ('<c r="B2"><v>x</v></c>', FlawKind.ERROR_CELL, "B2 holds no readable number"),
        ('<c r="B2"><f>A1</f></c>', FlawKind.NO_VALUE, "B2 holds a formula that was never"),
        ('<c r="B2"><f>A1</f><v></v></c>', FlawKind.NO_VALUE, "B2 holds a formula that was never"),
        ('<c r="B2"><v>1234567890123456</v></c>', FlawKind.LONG_NUMBER, "B2 holds a number of 16"),
    ],
)
def test_what_only_the_reader_sees_is_a_flaw(
    packed: Pack, cell: str, kind: FlawKind, message: str
) -> None:
    (row,) = rows_of(simple(packed, f'<row r="2"><c r="A2"><v>1</v></c>{cell}</row>'))

    (flaw,) = row.flaws
    assert (flaw.kind, flaw.column) == (kind, 1)
    assert flaw.message.startswith(message)


def test_a_row_with_nothing_but_an_error_is_no_blank_row(packed: Pack) -> None:
    (row,) = rows_of(simple(packed, '<row r="2"><c r="A2" t="e"><v>#REF!</v></c></row>'))

    assert row.cells == ("#REF!", "")


@pytest.mark.parametrize(
    ("cell", "computed"),
    [
        ('<c t="str"><f>A1</f><v></v></c>', False),
        ("<c><f>A1</f><v>0</v></c>", False),
        ("<c><f>A1</f><v>7</v></c>", True),
        ('<c t="b"><f>A1</f><v>0</v></c>', True),
        ("<c><v>0</v></c>", True),
    ],
)
def test_values_are_not_trusted_where_the_writer_could_not_compute(
    packed: Pack,
    cell: str,
    computed: bool,  # noqa: FBT001
) -> None:
    parts = parts_of(worksheet(f"{HEADER}<row>{cell}</row>"))
    parts["xl/workbook.xml"] = parts["xl/workbook.xml"].replace(
        "</sheets>", '</sheets><calcPr fullCalcOnLoad="1"/>'
    )

    (row,) = rows_of(packed(parts))

    assert [flaw.kind for flaw in row.flaws] == ([] if computed else [FlawKind.NO_VALUE])


def test_cells_covered_by_a_merge_are_flaws_and_its_first_is_not(packed: Pack) -> None:
    rows = "".join(
        f'<row r="{n}"><c r="A{n}" t="str"><v>a</v></c><c r="B{n}" s="0"/>'
        f'<c r="C{n}" t="str"><v>c</v></c></row>'
        for n in range(2, 7)
    )
    merges = '<mergeCells><mergeCell ref="B3:B4"/><mergeCell ref="B2"/><mergeCell ref="C4:D5"/>'
    merges += '<mergeCell ref="nonsense"/><mergeCell ref="X1:Z9"/></mergeCells>'
    header = HEADER.replace("</row>", '<c r="C1" t="str"><v>more</v></c></row>')
    path = packed(parts_of(worksheet(header + rows, after=merges)))

    flaws = {row.number: [(f.column, f.message[:18]) for f in row.flaws] for row in rows_of(path)}

    assert flaws == {
        2: [],
        3: [],
        4: [(1, "B4 is merged with ")],
        5: [(2, "C5 is merged with ")],
        6: [],
    }


def test_numbers_cut_by_excel_and_cells_lost_to_a_merge_are_remarked_in_any_column(
    packed: Pack,
) -> None:
    rows = "".join(
        f'<row r="{n}"><c r="A{n}" t="str"><v>a</v></c><c r="B{n}"><v>{value}</v></c></row>'
        for n, value in ((2, "2850590940090418"), (3, "2850590940090419"), (4, "1"))
    )
    rows += '<row r="5"><c r="A5" t="str"><v>a</v></c></row>'
    merges = '<mergeCells><mergeCell ref="B4:B5"/></mergeCells>'

    with opened(packed(parts_of(worksheet(HEADER + rows, after=merges)))) as sheet:
        list(sheet.rows())
        remarks = {remark.code: remark.message for remark in sheet.remarks()}

    assert list(remarks) == ["long_number", "merged_cell"]
    assert remarks["long_number"].startswith("B2 holds a number of 16 digits or more")
    assert remarks["long_number"].endswith("(2 such cells in all)")
    assert remarks["merged_cell"] == "B5 is merged with B4: unmerge the cells and fill it in"


def test_hidden_rows_are_marked_and_counted(packed: Pack) -> None:
    cell = '<c t="str"><v>a</v></c>'
    rows = (
        f'<row r="2" hidden="1">{cell}</row><row r="3" hidden="true">{cell}</row>'
        f'<row r="4" ht="0" customHeight="1">{cell}</row><row r="5" hidden="0">{cell}</row>'
        f'<row r="6" ht="15">{cell}</row><row r="7" ht="odd">{cell}</row>'
        '<row r="8" hidden="1"><c/></row>'
    )

    with opened(simple(packed, rows)) as sheet:
        hidden = [row.number for row in sheet.rows() if row.hidden]
        (remark,) = sheet.remarks()

    assert hidden == [2, 3, 4]
    assert remark.code == "hidden_rows"
    assert remark.message.startswith("3 rows are hidden")


def test_rows_are_hidden_where_the_sheet_hides_all_it_does_not_mention(packed: Pack) -> None:
    rows = HEADER + '<row r="2"><c><v>1</v></c></row><row r="3" ht="15"><c><v>2</v></c></row>'
    sheet = worksheet(rows, before='<sheetFormatPr zeroHeight="1"/>')

    found = [(row.number, row.hidden) for row in rows_of(packed(parts_of(sheet)))]

    assert found == [(2, True), (3, False)]


def test_one_hidden_row_is_said_so(packed: Pack) -> None:
    with opened(simple(packed, '<row hidden="1"><c><v>1</v></c></row>')) as sheet:
        list(sheet.rows())

        assert sheet.remarks()[0].message.startswith("1 row is hidden")


@pytest.mark.parametrize(
    ("columns", "hidden", "said"),
    [
        ('<col min="2" max="16384" hidden="1"/>', {1}, "column is in the sheet: B (name)"),
        ('<col min="1" max="2" width="0"/>', {0, 1}, "columns are in the sheet: A (id), B (name)"),
        ('<col min="1" max="2" width="9"/><col hidden="1"/>', set(), ""),
    ],
)
def test_hidden_columns_are_named(packed: Pack, columns: str, hidden: set[int], said: str) -> None:
    sheet = worksheet(ONE_ROW, before=f"<cols>{columns}</cols>")

    head = opened(packed(parts_of(sheet))).head

    assert head.hidden_columns == hidden
    assert [(r.code, r.message.endswith(said)) for r in head.remarks] == (
        [("hidden_columns", True)] if hidden else []
    )


def test_many_hidden_columns_are_cut_short(packed: Pack) -> None:
    header = "".join(f'<c t="str"><v>h{n}</v></c>' for n in range(15))
    rows = f'<row><c t="str"><v>id</v></c><c/>{header}</row>'
    sheet = worksheet(rows, before='<cols><col min="2" max="17" hidden="1"/></cols>')

    (remark,) = opened(packed(parts_of(sheet))).head.remarks

    assert "B, C (h0)" in remark.message
    assert remark.message.endswith("and 6 more")


def test_blank_rows_are_left_out_and_styled_ones_cost_little(packed: Pack) -> None:
    empty = "".join(f'<row r="{n}" s="1"><c r="A{n}" s="1"/></row>' for n in range(2, 20_000))
    last = '<row r="20000"><c r="A20000" t="str"><v>z</v></c></row>'
    blank = '<row r="20001"><c r="A20001" t="str"><v> \n\u3000</v></c></row>'

    assert [row.number for row in rows_of(simple(packed, empty + last + blank))] == [20_000]


def test_a_column_without_header_belongs_to_the_sheet_if_a_first_row_fills_it(
    packed: Pack,
) -> None:
    rows = (
        '<row r="2"><c r="A2"><v>1</v></c><c r="D2"><v>9</v></c>'
        '<c r="F2" t="str"><v> </v></c></row>'
    )

    with opened(simple(packed, rows)) as sheet:
        assert sheet.head.headers == ("id", "name", "", "")
        assert [row.cells for row in sheet.rows()] == [("1", "", "", "9")]


def test_cells_beyond_the_last_header_are_a_flaw_far_below(packed: Pack) -> None:
    plain = "".join(f'<row r="{n}"><c r="A{n}"><v>1</v></c></row>' for n in range(2, 600))
    rows = (
        '<row r="600"><c r="A600"><v>1</v></c><c r="D600"><v>9</v></c></row>'
        '<row r="601"><c r="A601"><v>1</v></c><c r="E601" t="e"><v>#N/A</v></c></row>'
    )

    found = rows_of(simple(packed, plain + rows))

    assert [(row.flaws[0].kind, row.flaws[0].column) for row in found[-2:]] == [
        (FlawKind.EXTRA_CELLS, -1)
    ] * 2
    assert found[-2].flaws[0].message.startswith("D600 is filled")
    assert found[-1].flaws[0].message.startswith("E601 is filled")


def test_title_rows_are_refused_and_header_row_settles_it(packed: Pack) -> None:
    title = '<row r="1"><c r="A1" t="str"><v>Campaign</v></c></row>'
    rows = '<row r="3"><c r="A3" t="str"><v>id</v></c></row><row r="4"><c r="A4"><v>1</v></c></row>'
    path = packed(parts_of(worksheet(title + rows)))

    assert "--header-row 3" in refusal(path).hint
    with opened(path, header_row=3) as sheet:
        assert [row.number for row in sheet.rows()] == [4]


SHEETS = (
    ("empty", "visible", ""),
    ("first", "visible", ONE_ROW.replace("id", "other")),
    ("Secret", "Hidden", ONE_ROW),
    ("very", "veryHidden", ONE_ROW),
)


def several(*sheets: tuple[str, str, str]) -> dict[str, str]:
    parts = parts_of(*(worksheet(rows) for _, _, rows in sheets))
    names: Sequence[tuple[str, str]] = [(name, state) for name, state, _ in sheets]
    return parts | {"xl/workbook.xml": listing(*names)}


def test_the_only_visible_sheet_with_data_is_meant(packed: Pack) -> None:
    assert opened(packed(several(*SHEETS))).head.sheet == "first"


def test_the_only_sheet_with_the_required_column_is_meant(packed: Pack) -> None:
    parts = several(*SHEETS, ("second", "visible", ONE_ROW))

    assert opened(packed(parts)).head.sheet == "second"
    assert opened(packed(parts), header_row=1).head.sheet == "second"


@pytest.mark.parametrize("column", ["id", "unknown"])
def test_several_sheets_that_would_do_are_refused_by_name(packed: Pack, column: str) -> None:
    path = packed(several(("a", "visible", ONE_ROW), ("b", "visible", ONE_ROW)))

    problem = refusal(path, column=column)

    assert '"a", "b"' in problem.message
    assert "--sheet" in problem.hint


@pytest.mark.parametrize("name", ["Secret", "secret", " SECRET "])
def test_a_hidden_sheet_may_be_named_in_any_case(packed: Pack, name: str) -> None:
    assert opened(packed(several(*SHEETS)), sheet=name).head.sheet == "Secret"


def test_an_exact_name_wins_over_one_in_another_case(packed: Pack) -> None:
    path = packed(several(("data", "visible", ONE_ROW), ("DATA", "visible", ONE_ROW)))

    assert opened(path, sheet="DATA").head.sheet == "DATA"
    assert 'several sheets named "Data"' in refusal(path, sheet="Data").message


def test_an_unknown_sheet_is_refused_with_the_names_there_are(packed: Pack) -> None:
    problem = refusal(packed(several(*SHEETS)), sheet="Leads")

    assert 'no sheet named "Leads"' in problem.message
    assert '"empty", "first", "Secret", "very"' in problem.hint


def test_many_sheet_names_are_cut_short(packed: Pack) -> None:
    sheets = [(f"s{n}", "visible", ONE_ROW) for n in range(14)]

    assert refusal(packed(several(*sheets))).message.endswith('"s9" and 4 more')


def test_hidden_sheets_are_never_read_by_themselves(packed: Pack) -> None:
    problem = refusal(packed(several(SHEETS[0], SHEETS[2])))

    assert "no visible sheet has any rows" in problem.message
    assert '"Secret"' in problem.hint


def test_a_blank_workbook_is_refused(packed: Pack) -> None:
    assert "has no rows" in refusal(packed(several(SHEETS[0]))).message


def test_chart_sheets_are_never_read(packed: Pack) -> None:
    parts = several(("Chart", "visible", ""), ("Data", "visible", ONE_ROW))
    name = "xl/_rels/workbook.xml.rels"
    parts[name] = parts[name].replace("/worksheet", "/chartsheet", 1)
    parts["xl/worksheets/sheet1.xml"] = "<chartsheet/>"

    path = packed(parts)

    assert opened(path).head.sheet == "Data"
    assert "chart or macro sheet" in refusal(path, sheet="Chart").message


def test_a_sheet_that_is_not_chosen_may_be_odd_after_its_first_row(packed: Pack) -> None:
    parts = several(("Other", "visible", ONE_ROW.replace("id", "x")), ("Data", "visible", ONE_ROW))

    assert [row.cells for row in rows_of(packed(parts))] == [("a", "")]


def test_a_file_that_changes_between_passes_is_refused(packed: Pack) -> None:
    path = simple(packed, "<row><c><v>1</v></c></row>")
    sheet = opened(path)

    path.write_bytes(path.read_bytes() + b"more")

    with pytest.raises(SheetRefused, match="changed while"):
        list(sheet.rows())
