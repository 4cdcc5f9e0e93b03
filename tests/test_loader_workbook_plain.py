"""
Rows read by a pattern are what the tree makes of them.

A space in ``<sheetData >`` means nothing in XML, but leaves the whole sheet to the tree.
"""

from __future__ import annotations

import random
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dispatcher.errors import SheetRefused
from dispatcher.loader.options import ReadOptions
from dispatcher.loader.workbook import open_workbook, wordings
from dispatcher.loader.workbook import rows as row_stream
from dispatcher.model import SheetRow

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
TEXTS = f'<sst xmlns="{MAIN}"><si><t>id</t></si><si><t>añ</t></si><si><t/></si></sst>'
STYLES = f'<styleSheet xmlns="{MAIN}"><cellXfs><xf/><xf numFmtId="14"/></cellXfs></styleSheet>'
HEADER = '<row r="1"><c r="A1" t="s"><v>0</v></c></row>'

Outcome = list[SheetRow] | str


def packed(path: Path, sheet: str | bytes, texts: str | bytes = TEXTS) -> Path:
    links = "".join(
        f'<Relationship Id="r{n}" Type="{OFFICE}/{kind}" Target="{target}"/>'
        for n, (kind, target) in enumerate(
            [("worksheet", "s.xml"), ("sharedStrings", "t.xml"), ("styles", "f.xml")]
        )
    )
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(
            "xl/workbook.xml",
            f'<workbook xmlns="{MAIN}" xmlns:r="{OFFICE}">'
            '<sheets><sheet name="S" r:id="r0"/></sheets></workbook>',
        )
        archive.writestr("xl/_rels/workbook.xml.rels", f"<Relationships>{links}</Relationships>")
        archive.writestr("xl/t.xml", texts)
        archive.writestr("xl/f.xml", STYLES)
        archive.writestr("xl/s.xml", sheet)
    return path


def outcome(path: Path, sheet: str | bytes, texts: str | bytes = TEXTS) -> Outcome:
    """Return the rows of a sheet, or why it is refused."""
    packed(path, sheet, texts)
    try:
        opened = open_workbook(path, file="f", options=ReadOptions(), wanted=lambda c: "id" in c)
        return list(opened.rows())
    except SheetRefused as refusal:
        return refusal.message


def worksheet(rows: str, *, tag: str = "sheetData", root: str = f'worksheet xmlns="{MAIN}"') -> str:
    return f'<{root} xmlns:y="urn:y"><{tag}>{rows}</sheetData></worksheet>'


def both(path: Path, rows: str) -> tuple[Outcome, Outcome]:
    """Return the outcomes by pattern and by the tree alone, of parts that are equally long."""
    by_pattern = outcome(path, worksheet(rows).replace("<worksheet ", "<worksheet  "))
    return by_pattern, outcome(path, worksheet(rows, tag="sheetData "))


CELLS = (
    '<c r="{at}" t="s"><v>0</v></c>',
    '<c r="{at}" s="1" t="s"><v>1</v></c>',
    '<c r="{at}" t="s" s="1"><v>2</v></c>',
    "<c r='{at}' t='s'><v>1</v></c>",
    '<c r="{at}" t="s"><v>7</v></c>',
    '<c r="{at}" t="s"><v> 1 </v></c>',
    '<c r="{at}"><v>12.50</v></c>',
    '<c r="{at}" s="1"><v>45351</v></c>',
    '<c r="{at}" s="1"/>',
    '<c r="{at}" s="1"></c>',
    '<c r="{at}" s="1"><v/></c>',
    '<c r="{at}" t="b"><v></v></c>',
    '<c r="{at}" t="e"><v>#N/A</v></c>',
    '<c r="{at}"><v>1234567890123456</v></c>',
    '<c r="{at}" t="str"><v>plain</v></c>',
    '<c r="{at}" t="str"><v>a&amp;b</v></c>',
    '<c r="{at}" t="str"><v>a]]b> \t\n</v></c>',
    '<c r="{at}" t="str"><v>a\r\nb\r</v></c>',
    '<c r="{at}" t="str"><v>ñ 😀</v></c>',
    '<c r="{at}" t="str"><v>\x7f</v></c>',
    '<c r="{at}" t="str"><v><![CDATA[</row>]]></v></c>',
    '<c r="{at}" t="str"><v>a<!-- x -->b</v></c>',
    '<c r="{at}" t="inlineStr"><is><t>in</t></is></c>',
    '<c r="{at}"><f>1+1</f><v>2</v></c>',
    '<c r="{at}"><f>1+1</f></c>',
    '<c r="{at}" t="q"/>',
    '<c r="{at}" cm="1" y:a="x/y"><v>5</v></c>',
    '<c r="{at}" t="&#115;"><v>1</v></c>',
    '<c\nr="{at}"\n><v>5</v></c>',
    '<y:c r="{at}"><y:v>9</y:v></y:c>',
    '<c xmlns="urn:y" r="{at}"><v>9</v></c>',
    "<c><v>3</v></c>",
    '<c t="s"><v>1</v></c>',
    "<!-- <c/> -->",
    " stray text ",
    "\n  ",
)
BROKEN = (
    '<c r="{at}" t="str"><v>&x;</v></c>',
    '<c r="{at}" t="str"><v>a]]>b</v></c>',
    '<c r="{at}" t="str"><v>\x01</v></c>',
    '<c r="{at}" r="{at}"><v>1</v></c>',
    '<c r="{at}" z:a="1"><v>1</v></c>',
    '<c r="{at}" s=1><v>1</v></c>',
    '<c r="{at}"s="1"><v>1</v></c>',
    '<c r="{at}" s="><v>1</v></c>',
    '<c r="{at}" s="1"><v>1</c></v>',
    "</row>",
    "<row>",
    "</sheetData>",
    "<!--",
    "]]>",
    "&",
)
ROWS = (
    '<row r="{n}">{cells}</row>',
    '<row r="{n}" spans="1:3" y:d="0.25">{cells}</row>',
    '<row r="{n}" hidden="1">{cells}</row>',
    '<row r="{n}" ht="0" customHeight="1">{cells}</row>',
    '<row r="{n}" a="x>y">{cells}</row>',
    '\n<row r="{n}"\n>{cells}</row >',
    "<row r='{n}'>{cells}</row>",
    "<row>{cells}</row>",
    '<row r="0{n}">{cells}</row>',
    '<y:row r="{n}">{cells}</y:row>',
    '<row r="{n}" s="1"/>',
    '<row r="{n}"/><!-- <row r="{n}"><c r="A{n}"><v>1</v></c></row> -->',
    "<![CDATA[<row>{cells}</row>]]>",
    "<?a </row> ?>",
)
BROKEN_ROWS = (
    '<row r="1">{cells}</row>',
    '<row r="{n}" r="2">{cells}</row>',
    '<row r="{n}" z:a="1">{cells}</row>',
    '<row r="{n}" a="1>{cells}</row>',
    '<row r="{n}"><row>{cells}</row></row>',
    '<row r="{n}"/>{cells}</row>',
    '<row r="1048577">{cells}</row>',
    "{cells}",
)


@st.composite
def markup(draw: st.DrawFn, cells: tuple[str, ...], rows: tuple[str, ...]) -> str:
    """Draw rows below a header, each cell in its place or, at times, in that of another."""
    pieces = [HEADER]
    for number in range(2, 2 + draw(st.integers(1, 5))):
        inner = ""
        for letter in draw(st.lists(st.sampled_from("ABCD"), max_size=4).map(sorted)):
            at = draw(st.sampled_from([f"{letter}{number}"] * 9 + [f"{letter}9", "A2", "$D$3"]))
            inner += draw(st.sampled_from(cells)).format(at=at)
        pieces.append(draw(st.sampled_from(rows)).format(n=number, cells=inner))
    return "".join(pieces)


SETTINGS = settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@SETTINGS
@given(rows=markup(CELLS, (ROWS[0], *ROWS)))
def test_rows_in_any_shape_are_what_the_tree_makes_of_them(tmp_path: Path, rows: str) -> None:
    by_pattern, by_tree = both(tmp_path / "book.xlsx", rows)

    # Of two faults in one piece, each may come upon another one first.
    assert by_pattern == by_tree or (isinstance(by_pattern, str) and isinstance(by_tree, str))


@SETTINGS
@given(rows=markup((*CELLS[:8], *BROKEN), (*ROWS[:3], *BROKEN_ROWS)))
def test_what_the_tree_refuses_is_refused(tmp_path: Path, rows: str) -> None:
    by_pattern, by_tree = both(tmp_path / "book.xlsx", rows)

    # Of two faults in one piece, each may come upon another one first.
    assert isinstance(by_pattern, str) == isinstance(by_tree, str)
    assert isinstance(by_tree, str) or by_pattern == by_tree


def usual_rows(count: int, extra: Callable[[int], str] = lambda _: "") -> str:
    return HEADER + "".join(
        f'<row r="{n}"><c r="A{n}"><v>{n}</v></c>{extra(n)}</row>' for n in range(2, count + 2)
    )


@pytest.mark.parametrize(
    "extra",
    [
        lambda n: f'<c r="B{n}" s="1"><v>{n}</v></c>',
        lambda n: f'<c r="B{n}" t="s"><v>{n % 3}</v></c>' if n % 2 else f'<c r="B{n}"/>',
        lambda n: f'<c r="B{n}" t="s"><v>{n % 3 + (n == 1_500)}</v></c>',
        lambda n: f'<c r="B{n}"><v>{10**17 if n % 300 == 0 else n / 8}</v></c>',
        lambda n: f'<c r="BZ{n}" s="1"/>' if n % 50 == 0 else "",
        lambda n: f'<c r="BA{n}" t="e"><v>#N/A</v></c>' if n % 50 == 0 else "",
        lambda n: f'<c r="B{n}" s="{n}"/>',
        lambda n: f'<c r="C{n}"><f>A{n}</f><v>1</v></c>' if n % 7 == 0 else "",
        lambda n: '<c t="str"><v>ñ</v></c>' if n == 700 else "",
        lambda n: "<!-- </row> -->" if n == 700 else "",
        lambda n: f'<c r="B{n}" t="str"><v>{"x" * 30_000 * (n % 900 == 0)}</v></c>',
        lambda n: f'<c r="B{n}" t="str"><v>{"x" * 1_000}</v></c>',
        lambda n: f'<c r="B{n}" t="str"><v>{"x" * (33_000 if n == 1_000 else 1)}</v></c>',
    ],
    ids=[
        "usual",
        "texts",
        "dangling",
        "numbers",
        "far",
        "error",
        "wordings",
        "formulas",
        "accent",
        "comment",
        "long",
        "wide",
        "endless",
    ],
)
def test_many_rows_are_read_the_same_across_all_pieces(
    tmp_path: Path, extra: Callable[[int], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wordings, "_MOST_WORDINGS", 500)

    by_pattern, by_tree = both(tmp_path / "book.xlsx", usual_rows(2_000, extra))

    assert by_pattern == by_tree


def test_a_row_that_does_not_end_soon_is_left_to_the_tree(tmp_path: Path) -> None:
    noise = random.Random(7).randbytes(200_000).hex()
    rows = usual_rows(3, lambda n: f"<!-- {noise} -->" if n == 3 else "")

    by_pattern, by_tree = both(tmp_path / "book.xlsx", rows)

    assert isinstance(by_pattern, list)
    assert by_pattern == by_tree


@pytest.mark.parametrize(
    "sheet",
    [
        worksheet(HEADER, root="worksheet xmlns='urn:z'"),
        f'<x:worksheet xmlns:x="{MAIN}"><sheetData>{usual_rows(2)}</sheetData></x:worksheet>',
        f"<sheetData>{usual_rows(2)}</sheetData>",
        f'<worksheet xmlns="{MAIN}"><sheetData/><!-- <sheetData>{usual_rows(2)} --></worksheet>',
        f'<worksheet xmlns="{MAIN}"><!-- <sheetData>{usual_rows(2)} --></worksheet>',
        f'<worksheet xmlns="{MAIN}"><y><sheetData>{usual_rows(2)}</sheetData></y></worksheet>',
        f'<worksheet xmlns="{MAIN}"><y xmlns=""/>{"<!-- x -->" * 30_000}</worksheet>',
        "",
    ],
    ids=["namespace", "prefix", "root", "after", "comment", "deep", "far", "empty"],
)
def test_rows_are_read_only_where_rows_stand(tmp_path: Path, sheet: str) -> None:
    by_pattern = outcome(tmp_path / "book.xlsx", sheet)
    by_tree = outcome(tmp_path / "book.xlsx", sheet.replace("<sheetData>", "<sheetData >"))

    assert isinstance(by_tree, str)
    assert by_pattern == by_tree


@pytest.mark.parametrize(
    ("row", "other"),
    [
        ('<row r="1500"><c r="A1500">', '<row r="15"><c r="A15">'),
        ('<row r="1500"><c r="A1500">', '<row r="2345678"><c r="A2345678">'),
        ('<row r="1500">', '<row r="1500" hidden="1">'),
        ('<row r="1500">', "<row r=\"1500\" hidden='1'>"),
    ],
    ids=["before", "beyond", "hidden", "quotes"],
)
def test_one_odd_row_among_many_is_read_the_same(tmp_path: Path, row: str, other: str) -> None:
    rows = usual_rows(2_000)

    by_pattern, by_tree = both(tmp_path / "book.xlsx", rows.replace(row, other))

    assert row in rows
    assert by_pattern == by_tree


def test_a_sheet_that_is_written_in_ever_new_ways_is_read_the_same(tmp_path: Path) -> None:
    rows = usual_rows(2_000, lambda n: f'<c r="B{n}" y:a="{n // 150}"><v>{n}</v></c>')

    by_pattern, by_tree = both(tmp_path / "book.xlsx", rows)

    assert by_pattern == by_tree


def test_a_fault_is_named_where_it_stands_in_the_part(tmp_path: Path) -> None:
    rows = usual_rows(900, lambda n: "\n" + "&" * (n == 800))

    by_pattern, by_tree = both(tmp_path / "book.xlsx", rows)

    assert by_pattern == by_tree
    assert "line 800, column 2:" in str(by_tree)


@pytest.mark.parametrize("encoding", ["iso-8859-1", "utf-8", "us-ascii"])
def test_text_that_is_not_ascii_is_read_in_the_encoding_of_the_part(
    tmp_path: Path, encoding: str
) -> None:
    rows = usual_rows(2, lambda n: f'<c r="B{n}" t="str"><v>{"ñ" if n == 3 else "n"}</v></c>')
    sheet = f'<?xml version="1.0" encoding="{encoding}"?>{worksheet(rows)}'
    content = sheet.encode(encoding, "xmlcharrefreplace")

    found = outcome(tmp_path / "book.xlsx", content)

    assert [row.cells for row in found if isinstance(row, SheetRow)] == [("2", "n"), ("3", "ñ")]


def test_a_text_repeated_beyond_any_real_sheet_is_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(row_stream, "_TEXT_MATTERS_FROM", 100)
    monkeypatch.setattr(row_stream, "_MOST_TEXT_RATIO", 0)

    assert "repeats texts" in str(outcome(tmp_path / "book.xlsx", worksheet(usual_rows(200))))


TEXT_ITEMS = (
    "<si><t>usual</t></si>",
    '<si><t xml:space="preserve"> kept </t></si>',
    "\n  <si><t>ñ 😀 \t\n</t></si>",
    "<si><t/></si>",
    "<si><t></t></si>",
    "<si/>",
    "<si></si>",
    "<si><t>a_x000D_b _x005F_</t></si>",
    "<si><t>R&amp;D</t></si>",
    "<si><t>a\r\nb</t></si>",
    "<si><t>\x7f\x85\u2028</t></si>",
    "<si><t>a]]b></t></si>",
    "<si><r><t>ri</t></r><r><rPr/><t>ch</t></r></si>",
    "<si><t>kanji</t><rPh><t>no</t></rPh></si>",
    "<si ><t >spaced</t ></si >",
    "<si><t><![CDATA[</si>]]></t></si>",
    "<!-- <si><t>no</t></si> -->",
    "<?a </si> ?>",
    "<other><t>text</t></other>",
    " stray ",
)
BROKEN_TEXT_ITEMS = (
    "<si><t>&x;</t></si>",
    "<si><t>]]></t></si>",
    "<si><t>\x01</t></si>",
    "<si><t>\ufffe</t></si>",
    "<si><t>\uffff</t></si>",
    "<si><t>half</si>",
    "<si><t>half",
    "</si>",
    "<si>",
    "<!--",
)
HEADS = ("", '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\r\n', "\ufeff")
EVERY_TEXT = HEADER + "".join(
    f'<row r="{n}"><c r="A{n}" t="s"><v>{n - 1}</v></c></row>' for n in range(2, 8)
)


@SETTINGS
@given(
    head=st.sampled_from(HEADS),
    items=st.lists(st.sampled_from(TEXT_ITEMS), min_size=6, max_size=12)
    | st.lists(st.sampled_from((*TEXT_ITEMS, *BROKEN_TEXT_ITEMS)), min_size=6, max_size=12),
)
def test_shared_texts_in_any_shape_are_what_the_tree_makes_of_them(
    tmp_path: Path, head: str, items: list[str]
) -> None:
    table = f'{head}<sst xmlns="{MAIN}"{{}}><si><t>id</t></si>{"".join(items)}</sst>'
    rows = worksheet(EVERY_TEXT)

    by_pattern = outcome(tmp_path / "book.xlsx", rows, table.format("  "))
    by_tree = outcome(tmp_path / "book.xlsx", rows, table.format(" a='>'"))

    # Of two faults in one piece, each may come upon another one first.
    assert by_pattern == by_tree or (isinstance(by_pattern, str) and isinstance(by_tree, str))


@pytest.mark.parametrize("encoding", ["utf-8", "iso-8859-1", "us-ascii", "utf-16"])
def test_shared_texts_are_read_in_the_encoding_of_their_part(tmp_path: Path, encoding: str) -> None:
    declared = f'<?xml version="1.0" encoding="{encoding}"?>'
    table = f'{declared}<sst xmlns="{MAIN}"><si><t>id</t></si><si><t>ñandú</t></si></sst>'
    rows = worksheet(HEADER + '<row r="2"><c r="A2" t="s"><v>1</v></c></row>')

    found = outcome(tmp_path / "book.xlsx", rows, table.encode(encoding, "xmlcharrefreplace"))

    assert [row.cells for row in found if isinstance(row, SheetRow)] == [("ñandú",)]


def test_shared_texts_that_are_not_in_their_encoding_are_refused(tmp_path: Path) -> None:
    table = f'<sst xmlns="{MAIN}"><si><t>id</t></si><si><t>ñ</t></si></sst>'.encode("latin-1")

    assert "not valid XML" in str(outcome(tmp_path / "book.xlsx", worksheet(HEADER), table))


def test_a_text_that_does_not_end_soon_is_left_to_the_tree(tmp_path: Path) -> None:
    noise = random.Random(7).randbytes(200_000).hex()
    table = f'<sst xmlns="{MAIN}"><si><t>id</t></si><!-- {noise} --><si><t>b</t></si></sst>'
    rows = worksheet(HEADER + '<row r="2"><c r="A2" t="s"><v>1</v></c></row>')

    found = outcome(tmp_path / "book.xlsx", rows, table)

    assert [row.cells for row in found if isinstance(row, SheetRow)] == [("b",)]
