"""Workbooks of older and foreign formats, which calamine reads in a process of its own."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import zipfile
from datetime import date, datetime, time, timedelta
from pathlib import Path

import pandas as pd
import pytest
import xlwt  # type: ignore[import-untyped]
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from odf.opendocument import OpenDocumentSpreadsheet  # type: ignore[import-untyped]
from odf.table import Table, TableCell, TableRow  # type: ignore[import-untyped]
from odf.text import P  # type: ignore[import-untyped]

from dispatcher.errors import SheetRefused
from dispatcher.loader.legacy import open_legacy, reader
from dispatcher.loader.legacy.answers import READER
from dispatcher.loader.legacy.values import Value, is_long_number, value_text
from dispatcher.loader.options import ReadOptions
from dispatcher.loader.sheet import Sheet
from dispatcher.model import FlawKind

Rows = list[tuple[object, ...]]


def write_xls(path: Path, sheets: dict[str, Rows], *, hidden: tuple[str, ...] = ()) -> Path:
    book = xlwt.Workbook()
    formats = {
        date: xlwt.easyxf(num_format_str="yyyy-mm-dd"),
        datetime: xlwt.easyxf(num_format_str="yyyy-mm-dd hh:mm"),
        time: xlwt.easyxf(num_format_str="hh:mm"),
    }
    for name, rows in sheets.items():
        sheet = book.add_sheet(name)
        sheet.visibility = int(name in hidden)
        for number, cells in enumerate(rows):
            for column, value in enumerate(cells):
                if value is not None:
                    style = formats.get(type(value), xlwt.Style.default_style)
                    sheet.write(number, column, value, style)
    book.save(str(path))
    return path


def opened(path: Path, kind: str, *, sheet: str = "", header_row: int = 0) -> Sheet:
    return open_legacy(
        path,
        file=path.name,
        format=kind,
        options=ReadOptions(sheet=sheet, header_row=header_row),
        wanted=lambda cells: "id" in cells,
    )


def refusal(path: Path, kind: str) -> SheetRefused:
    with pytest.raises(SheetRefused) as caught, opened(path, kind) as sheet:
        list(sheet.rows())
    assert "\n" not in caught.value.message
    return caught.value


def test_an_xls_workbook_is_read(tmp_path: Path) -> None:
    rows: Rows = [
        ("id", "value"),
        ("0012", 12.0),
        ("b", 0.1),
        (None, None),
        ("c", True),
        ("d", date(2024, 2, 29)),
        ("e", datetime(2024, 2, 29, 17, 30)),  # noqa: DTZ001
        ("f", time(9, 5)),
        ("g", 1234567890123456.0),
    ]

    with opened(write_xls(tmp_path / "a.xls", {"S": rows}), "xls") as sheet:
        assert (sheet.head.format, sheet.head.sheet, sheet.head.headers) == (
            "xls",
            "S",
            ("id", "value"),
        )
        assert [r.code for r in sheet.head.remarks] == ["limited_format"]
        for _ in range(2):
            found = list(sheet.rows())

    assert [(row.number, row.cells) for row in found] == [
        (2, ("0012", "12")),
        (3, ("b", "0.1")),
        (5, ("c", "TRUE")),
        (6, ("d", "2024-02-29")),
        (7, ("e", "2024-02-29 17:30")),
        (8, ("f", "09:05")),
        (9, ("g", "1234567890123456")),
    ]
    assert [flaw.kind for flaw in found[-1].flaws] == [FlawKind.LONG_NUMBER]
    assert found[-1].flaws[0].message.startswith("B9 holds a number of 16")


def test_the_name_of_the_file_does_not_matter(tmp_path: Path) -> None:
    path = write_xls(tmp_path / "a.xlsx", {"S": [("id",), ("x",)]})

    with opened(path, "xls") as sheet:
        assert [row.cells for row in sheet.rows()] == [("x",)]


def test_a_sheet_that_begins_elsewhere_keeps_its_rows_and_columns(tmp_path: Path) -> None:
    rows: Rows = [(), (), (None, "id"), (None, 1234567890123456.0)]

    with opened(write_xls(tmp_path / "a.xls", {"S": rows}), "xls") as sheet:
        assert (sheet.head.header_row, sheet.head.headers) == (3, ("", "id"))
        (row,) = sheet.rows()

    assert (row.number, row.cells, row.flaws[0].column) == (4, ("", "1234567890123456"), 1)


def test_more_rows_than_the_outline_holds_are_read(tmp_path: Path) -> None:
    rows: Rows = [("id",), *((f"n{n}",) for n in range(1000))]
    path = write_xls(tmp_path / "a.xls", {"S": rows})

    with opened(path, "xls") as sheet:
        assert sum(1 for _ in sheet.rows()) == 1000
    with opened(path, "xls", header_row=940) as sheet:
        assert sheet.head.headers == ("n938",)
        assert sum(1 for _ in sheet.rows()) == 61


def test_a_pass_may_be_left_in_the_middle(tmp_path: Path) -> None:
    rows: Rows = [("id",), *((f"n{n}" * 50,) for n in range(5000))]

    with opened(write_xls(tmp_path / "a.xls", {"S": rows}), "xls") as sheet:
        assert next(iter(sheet.rows())).number == 2


def test_hidden_sheets_are_never_read_by_themselves_but_may_be_named(tmp_path: Path) -> None:
    path = write_xls(
        tmp_path / "a.xls", {"Secret": [("id",), ("s",)], "Data": [("id",)]}, hidden=("Secret",)
    )

    assert opened(path, "xls").head.sheet == "Data"
    assert opened(path, "xls", sheet="secret").head.sheet == "Secret"


def test_several_sheets_are_refused_by_name(tmp_path: Path) -> None:
    path = write_xls(tmp_path / "a.xls", {"One": [("id",)], "Two": [("id",)]})

    assert '"One", "Two"' in refusal(path, "xls").message


def test_merged_cells_of_an_xls_are_flaws(tmp_path: Path) -> None:
    book = xlwt.Workbook()
    sheet = book.add_sheet("S")
    for row, text in enumerate(("id", "a", "b")):
        sheet.write(row, 0, text)
    sheet.write(0, 1, "name")
    sheet.write_merge(1, 2, 1, 1, "both")
    book.save(str(tmp_path / "a.xls"))

    with opened(tmp_path / "a.xls", "xls") as found:
        flaws = [[(f.kind, f.column) for f in row.flaws] for row in found.rows()]

    assert flaws == [[], [(FlawKind.MERGED, 1)]]


def write_ods(path: Path, rows: list[list[dict[str, str] | str]]) -> Path:
    document = OpenDocumentSpreadsheet()
    table = Table(name="S")
    for cells in rows:
        row = TableRow()
        for about in cells:
            if isinstance(about, str):
                cell = TableCell(valuetype="string")
                cell.addElement(P(text=about))
            else:
                cell = TableCell(**about)
            row.addElement(cell)
        table.addElement(row)
    document.spreadsheet.addElement(table)
    document.save(str(path))
    return path


def test_an_ods_workbook_is_read(tmp_path: Path) -> None:
    path = write_ods(
        tmp_path / "a.ods",
        [
            ["id", "value"],
            ["0012", {"valuetype": "float", "value": "12"}],
            ["b", {"valuetype": "date", "datevalue": "2024-02-29"}],
            ["c", {"valuetype": "date", "datevalue": "2024-02-29T17:30:00"}],
            ["d", {"valuetype": "time", "timevalue": "PT30H04M05S"}],
            ["e", {"valuetype": "time", "timevalue": "PT03H04M00S"}],
            ["f", {"valuetype": "boolean", "booleanvalue": "false"}],
        ],
    )

    with opened(path, "ods") as sheet:
        values = [row.cells[1] for row in sheet.rows()]

    assert values == ["12", "2024-02-29", "2024-02-29 17:30", "30:04:05", "03:04", "FALSE"]


def test_a_data_frame_written_to_ods_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "frame.ods"
    with pd.ExcelWriter(path, engine="odf") as target:
        pd.DataFrame({"id": ["a", "b"], "n": [1, 2.5]}).to_excel(target, index=False)

    with opened(path, "ods") as sheet:
        assert [row.cells for row in sheet.rows()] == [("a", "1"), ("b", "2.5")]


TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=20)


@settings(
    max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(TEXTS, min_size=1, max_size=60))
def test_texts_written_to_xls_come_back(tmp_path: Path, texts: list[str]) -> None:
    path = write_xls(tmp_path / "a.xls", {"S": [("id", "text"), *(("x", text) for text in texts)]})

    with opened(path, "xls") as sheet:
        assert [row.cells[1] for row in sheet.rows()] == texts


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (7, "7"),
        (7.0, "7"),
        (True, "TRUE"),
        (1e20, "100000000000000000000"),
        (date(2024, 2, 29), "2024-02-29"),
        (datetime(2024, 2, 29, 17, 30, 0, 700_000), "2024-02-29 17:30:01"),  # noqa: DTZ001
        (datetime(2024, 2, 29, 23, 59, 59, 999_000), "2024-03-01 00:00"),  # noqa: DTZ001
        (time(17, 30, 0, 200_000), "17:30"),
        (timedelta(days=1, hours=2, seconds=3), "26:00:03"),
        (timedelta(hours=-2), "-2:00"),
        ("PT30H04M05S", "30:04:05"),
        (" as it is ", " as it is "),
    ],
)
def test_values_have_the_same_text_as_in_xlsx(
    value: float | str | date | time | timedelta, text: str
) -> None:
    assert value_text(value) == text


def test_only_numbers_are_too_long() -> None:
    assert is_long_number(10**15)
    assert is_long_number(-1e15)
    others: tuple[Value, ...] = (10**15 - 1, True, "1234567890123456", date(2024, 1, 1))
    assert not any(is_long_number(value) for value in others)


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    path = write_xls(tmp_path / "a.xls", {"S": [("id",)]})
    path.write_bytes(path.read_bytes()[:3000])

    assert "damaged or protected workbook" in refusal(path, "xls").message


def test_a_file_that_calamine_cannot_open_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.xls"
    path.write_bytes(b"no workbook")

    assert "damaged or protected workbook" in refusal(path, "xls").message


def test_an_encrypted_ods_is_refused_as_protected(tmp_path: Path) -> None:
    path = write_ods(tmp_path / "a.ods", [["id"], ["1"]])
    target = io.BytesIO()
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name == "META-INF/manifest.xml":
                content = content.replace(
                    b"</manifest:manifest>",
                    b'<manifest:file-entry manifest:full-path="x" manifest:media-type="">'
                    b'<manifest:encryption-data manifest:checksum="x"/></manifest:file-entry>'
                    b"</manifest:manifest>",
                )
            new.writestr(name, content)
    path.write_bytes(target.getvalue())

    problem = refusal(path, "ods")
    answer = io.StringIO()
    reader.main([str(path), "ods"], answer)

    assert answer.getvalue() == '"protected"\n'
    assert "password-protected" in problem.message
    assert "without a password" in problem.hint


def test_a_bomb_of_repeated_cells_is_refused_with_bounded_memory(tmp_path: Path) -> None:
    path = write_ods(
        tmp_path / "a.ods",
        [["id"], [{"valuetype": "float", "value": "1", "numbercolumnsrepeated": "16384"}]],
    )
    target = io.BytesIO()
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name == "content.xml":
                content = content.replace(
                    b'<table:table-row><table:table-cell office:value-type="float"',
                    b'<table:table-row table:number-rows-repeated="100000">'
                    b'<table:table-cell office:value-type="float"',
                )
            new.writestr(name, content)
    path.write_bytes(target.getvalue())

    assert "far too much memory" in refusal(path, "ods").message


def test_a_document_type_in_an_ods_is_refused(tmp_path: Path) -> None:
    path = write_ods(tmp_path / "a.ods", [["id"], ["1"]])
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("extra.xml", "<!DOCTYPE x []><x/>")

    assert "DOCTYPE" in refusal(path, "ods").message


def test_a_missing_file_is_left_to_the_way_in(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        opened(tmp_path / "no.xls", "xls")


def test_the_process_answers_in_lines(tmp_path: Path) -> None:
    path = write_xls(tmp_path / "a.xls", {"S": [("id",), (), ("x", 1e15)], "T": []}, hidden=("T",))
    outline, rows, broken = io.StringIO(), io.StringIO(), io.StringIO()

    reader.main([str(path), "xls"], outline)
    reader.main([str(path), "xls", "0"], rows)
    reader.main([str(tmp_path / "no.xls"), "xls"], broken)

    assert [json.loads(line) for line in outline.getvalue().splitlines()] == [
        ["S", True, True, [], [[1, ["id"], []], [3, ["x", "1000000000000000"], [1]]]],
        ["T", False, True, [], []],
        "done",
    ]
    assert [json.loads(line) for line in rows.getvalue().splitlines()] == [
        [1, ["id"], []],
        [3, ["x", "1000000000000000"], [1]],
        "done",
    ]
    assert broken.getvalue() == '"unreadable"\n'


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such bounds")
def test_the_process_bounds_itself(tmp_path: Path) -> None:
    path = write_xls(tmp_path / "a.xls", {"S": [("id",)]})
    code = (
        f"import resource, pathlib; from {READER} import limit_resources;"
        f"limit_resources(pathlib.Path({str(path)!r}));"
        "print([resource.getrlimit(kind)[0] > 0 for kind in"
        " (resource.RLIMIT_AS, resource.RLIMIT_CPU, resource.RLIMIT_CORE)])"
    )
    paths = os.pathsep.join(entry or "." for entry in sys.path)

    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": paths},
    )

    assert done.stdout == "[True, True, False]\n"
