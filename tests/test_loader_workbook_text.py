"""Numbers, dates and texts of workbook cells: the text a person sees."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path

import openpyxl
import pytest
import xlsxwriter  # type: ignore[import-untyped]
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openpyxl.cell.rich_text import CellRichText, TextBlock
from openpyxl.cell.text import InlineFont
from openpyxl.styles.numbers import BUILTIN_FORMATS, is_date_format, is_timedelta_format
from openpyxl.utils.datetime import from_excel

from dispatcher.loader.options import ReadOptions
from dispatcher.loader.workbook import open_workbook
from dispatcher.loader.workbook.escapes import decoded
from dispatcher.loader.workbook.number_formats import (
    PLAIN,
    FormKind,
    NumberForm,
    built_in_forms,
    form_of,
)
from dispatcher.loader.workbook.number_text import CellFault, iso_text, number_text
from dispatcher.model import FlawKind, SheetRow

DATE = NumberForm(kind=FormKind.DATE)
DATE_TIME = NumberForm(kind=FormKind.DATE_TIME)
TIME = NumberForm(kind=FormKind.TIME)
DURATION = NumberForm(kind=FormKind.DURATION)


def shown(stored: str, code: str = "General", *, from_1904: bool = False) -> str:
    """Return the text of a number under a format code, which must be readable."""
    found = number_text(stored, form_of(code), from_1904=from_1904)
    assert isinstance(found, str), found
    return found


def fault(stored: str, code: str = "General") -> CellFault:
    found = number_text(stored, form_of(code), from_1904=False)
    assert isinstance(found, CellFault), found
    return found


@pytest.mark.parametrize(
    ("stored", "text"),
    [
        ("6083", "6083"),
        ("6083.0", "6083"),
        ("-12", "-12"),
        ("007", "7"),
        ("0", "0"),
        ("-0", "0"),
        ("1E+3", "1000"),
        ("1e-7", "0.0000001"),
        ("999999999999999", "999999999999999"),
        ("0.1", "0.1"),
        ("1.1000000000000001", "1.1"),
        ("0.30000000000000004", "0.30000000000000004"),
        (" 5 ", "5"),
        (".5", "0.5"),
        ("", ""),
        (" \n", ""),
    ],
)
def test_a_number_is_its_shortest_text_without_exponent(stored: str, text: str) -> None:
    assert shown(stored) == text


@given(st.integers(-(10**15) + 1, 10**15 - 1))
def test_every_integer_excel_holds_is_its_digits(value: int) -> None:
    assert shown(str(value)) == str(value)
    assert shown(f"{value}.0") == str(value)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_number_reads_back_and_has_no_exponent(value: float) -> None:
    found = number_text(repr(value), PLAIN, from_1904=False)
    text = found if isinstance(found, str) else found.text

    assert float(text) == value
    assert "e" not in text.lower()
    assert not text.endswith(".0")


@pytest.mark.parametrize(
    ("stored", "text"),
    [
        ("1000000000000000", "1000000000000000"),
        ("1234567890123456", "1234567890123456"),
        ("123456789012345678901234", "123456789012345678901234"),
        ("-1234567890123456789", "-1234567890123456789"),
        ("1.5E+17", "150000000000000000"),
    ],
)
@pytest.mark.parametrize("code", ["General", "0", "0000"])
def test_a_number_of_sixteen_digits_keeps_them_and_is_marked(
    stored: str, text: str, code: str
) -> None:
    found = fault(stored, code)

    assert (found.kind, found.text) == (FlawKind.LONG_NUMBER, text)


@pytest.mark.parametrize("stored", ["nan", "inf", "1e999", "abc", "1_000", "0x10", "1,5", "--1"])
@pytest.mark.parametrize("code", ["General", "yyyy-mm-dd"])
def test_what_is_no_number_is_an_error_cell(stored: str, code: str) -> None:
    assert fault(stored, code).kind is FlawKind.ERROR_CELL


@pytest.mark.parametrize(
    ("stored", "code", "text"),
    [
        ("0.21", "0%", "21%"),
        ("0.21", "0.00%", "21.00%"),
        ("0.2155", "0.0%", "21.6%"),
        ("0.005", "0%", "1%"),
        ("-0.21", "0%", "-21%"),
        ("-0.001", "0%", "0%"),
        ("12.5", "#,##0%", "1,250%"),
        ("0.2", "0.##%", "20%"),
        ("0.2125", "0.##%", "21.25%"),
        ("0.212", "0.0#%", "21.2%"),
        ("1", '[Red]"up "0%;[Blue]0%', "100%"),
        ("1e15", "0%", "100000000000000000%"),
    ],
)
def test_a_percentage_is_as_shown(stored: str, code: str, text: str) -> None:
    if text.startswith("1000000"):
        assert fault(stored, code).kind is FlawKind.LONG_NUMBER
    else:
        assert shown(stored, code) == text


@given(st.integers(-(10**12), 10**12), st.integers(0, 30))
def test_a_percentage_is_the_number_times_a_hundred(hundredths: int, decimals: int) -> None:
    code = "0." + "0" * decimals + "%" if decimals else "0%"

    text = shown(repr(hundredths / 100), code)

    assert Decimal(text.removesuffix("%")) == hundredths
    assert len(text.partition(".")[2].removesuffix("%")) == decimals


@pytest.mark.parametrize(
    ("stored", "code", "text"),
    [
        ("6083", "00000", "06083"),
        ("123456", "00000", "123456"),
        ("-7", "000", "-007"),
        ("7.5", "00", "08"),
        ("60830001", "00000\\-0000", "06083-0001"),
        ("123456789", "000-00-0000", "123-45-6789"),
        ("1234567890", "000-00-0000", "1234-56-7890"),
        ("42", '"ID "0000', "ID 0042"),
        ("42", "[$-409]_(0000_)", "0042"),
        ("6083", "0", "6083"),
        ("6083", "00000;-00000", "06083"),
    ],
)
def test_zeros_are_as_shown(stored: str, code: str, text: str) -> None:
    assert shown(stored, code) == text


@given(st.integers(0, 10**15 - 1), st.integers(2, 20))
def test_zeros_fill_up_to_their_width(value: int, width: int) -> None:
    assert shown(str(value), "0" * width) == str(value).zfill(width)


@pytest.mark.parametrize(
    "code",
    [
        "General",
        "0.00",
        "#,##0",
        '"$"#,##0.00_);[Red]\\("$"#,##0.00\\)',
        "[$€-407] #,##0.00",
        "[$USD] #,##0.00",
        "#,##0.00 USD",
        '_-* #,##0.00\\ "kr"_-',
        "0.00E+00",
        "# ?/?",
        "@",
        "",
        ";;;",
        "[<=9999999]###\\-####;\\(###\\)\\ ###\\-####",
        "0%%",
        "0" * 2000,
        "General;[Red]-General",
    ],
)
def test_other_formats_leave_the_number(code: str) -> None:
    assert shown("1234.5", code) == "1234.5"


@pytest.mark.parametrize(
    ("stored", "code", "text"),
    [
        ("45351", "yyyy-mm-dd", "2024-02-29"),
        ("45351", "dd/mm/yyyy;@", "2024-02-29"),
        ("45351", "MM/DD/YYYY", "2024-02-29"),
        ("45351.75", "d-mmm", "2024-02-29"),
        ("45351", "mmm\\-yy", "2024-02-29"),
        ("45351", "mmmm", "2024-02-29"),
        ("45351", '[$-F800]dddd", "mmmm dd", "yyyy', "2024-02-29"),
        ("45351", '[$-411]ggge"年"m"月"d"日"', "2024-02-29"),
        ("45351.75", "yyyy-mm-dd hh:mm", "2024-02-29 18:00"),
        ("45351", "yyyy-mm-dd hh:mm", "2024-02-29 00:00"),
        ("45351.750011574", "m/d/yy h:mm", "2024-02-29 18:00:01"),
        ("45351.749999999", "yyyy-mm-dd hh:mm", "2024-02-29 18:00"),
        ("45350.999999999", "yyyy-mm-dd hh:mm", "2024-02-29 00:00"),
        ("0.5", "hh:mm", "12:00"),
        ("45351.5", "h:mm AM/PM", "12:00"),
        ("0.999999999", "h:mm", "00:00"),
        ("0.000011574", "mm:ss.0", "00:00:01"),
        ("0.5", "[$-F400]h:mm:ss\\ AM/PM", "12:00"),
        ("1.5", "[h]:mm", "36:00"),
        ("0.0423726851851852", "[mm]:ss", "1:01:01"),
        ("-0.5", "[h]:mm:ss", "-12:00"),
        ("-0.000000001", "[h]:mm", "0:00"),
        ("100", "[hh]:mm", "2400:00"),
        ("0", "yyyy-mm-dd", "1900-01-00"),
        ("1", "yyyy-mm-dd", "1900-01-01"),
        ("59", "yyyy-mm-dd", "1900-02-28"),
        ("60", "yyyy-mm-dd", "1900-02-29"),
        ("61", "yyyy-mm-dd", "1900-03-01"),
        ("2958465", "yyyy-mm-dd", "9999-12-31"),
    ],
)
def test_dates_and_times_are_iso_whatever_the_format(stored: str, code: str, text: str) -> None:
    assert shown(stored, code) == text


def test_days_count_from_1904_where_the_workbook_says_so() -> None:
    assert shown("0", "yyyy-mm-dd", from_1904=True) == "1904-01-01"
    assert shown("60", "yyyy-mm-dd", from_1904=True) == "1904-03-01"
    assert shown("43889.5", "yyyy-mm-dd hh:mm", from_1904=True) == "2024-02-29 12:00"


@pytest.mark.parametrize(
    ("stored", "code"),
    [
        ("-1", "yyyy-mm-dd"),
        ("-0.5", "hh:mm"),
        ("2958466", "yyyy-mm-dd"),
        ("1e300", "yyyy-mm-dd"),
        ("1e300", "[h]:mm"),
    ],
)
def test_a_date_excel_cannot_show_is_an_error_cell(stored: str, code: str) -> None:
    assert fault(stored, code).kind is FlawKind.ERROR_CELL


def test_days_past_9999_from_1904_are_error_cells() -> None:
    found = number_text("2958000", DATE, from_1904=True)

    assert isinstance(found, CellFault)


@given(st.dates(date(1900, 3, 1), date(9999, 12, 31)), st.integers(0, 86_399))
def test_a_moment_comes_back_as_openpyxl_reads_it(day: date, seconds: int) -> None:
    serial = (day - date(1899, 12, 30)).days + seconds / 86_400

    text = number_text(repr(serial), DATE_TIME, from_1904=False)

    assert isinstance(text, str)
    expected = datetime.combine(day, time(), UTC) + timedelta(seconds=seconds)
    assert datetime.fromisoformat(text).replace(tzinfo=UTC) == expected
    assert abs(from_excel(serial).replace(tzinfo=UTC) - expected) < timedelta(milliseconds=2)
    assert number_text(repr(serial), DATE, from_1904=False) == day.isoformat()


@given(st.integers(0, 10**9))
def test_a_duration_comes_back(seconds: int) -> None:
    text = number_text(repr(seconds / 86_400), DURATION, from_1904=False)

    assert isinstance(text, str)
    hours, minutes, *rest = map(int, text.split(":"))
    assert hours * 3600 + minutes * 60 + sum(rest) == seconds


def test_built_in_formats_agree_with_openpyxl() -> None:
    forms = built_in_forms()
    dates = {FormKind.DATE, FormKind.DATE_TIME, FormKind.TIME, FormKind.DURATION}

    for number, code in BUILTIN_FORMATS.items():
        form = forms.get(number, PLAIN)
        assert (form.kind in dates) == bool(is_date_format(code)), code
        assert (form.kind is FormKind.DURATION) == is_timedelta_format(code), code
        assert form.kind == form_of(code).kind or number == 1, code


@given(st.text(alphabet='dmyhsDMYHS0#?.,;:/-%@"\\_*[]$ eEaAGP', max_size=25))
def test_any_format_code_is_read(code: str) -> None:
    number_text("45351.5", form_of(code), from_1904=False)


@pytest.mark.parametrize(
    ("stored", "form", "text"),
    [
        ("2024-02-29", DATE, "2024-02-29"),
        ("2024-02-29T00:00:00", DATE, "2024-02-29"),
        ("2024-02-29T17:30:00", DATE_TIME, "2024-02-29 17:30"),
        ("2024-02-29T17:30:01.000Z", DATE_TIME, "2024-02-29 17:30:01"),
        ("2024-02-29T00:00:00", DATE_TIME, "2024-02-29 00:00"),
        ("2024-02-29T17:30:00", PLAIN, "2024-02-29 17:30"),
        ("2024-02-29T00:00:00", PLAIN, "2024-02-29"),
        ("2024-02-29T17:30:00", TIME, "17:30"),
        ("17:30:00", PLAIN, "17:30"),
        ("tomorrow", DATE, "tomorrow"),
        ("", DATE, ""),
    ],
)
def test_dates_of_strict_workbooks_are_the_same(stored: str, form: NumberForm, text: str) -> None:
    assert iso_text(stored, form) == text


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("a_x000D_\nb", "a\r\nb"),
        ("_x005F_x000D_", "_x000D_"),
        ("_x00e9_", "é"),
        ("_xD83D__xDE00_", "😀"),
        ("_xD83D_", "_xD83D_"),
        ("_x00G0_", "_x00G0_"),
        ("my_xray_file", "my_xray_file"),
    ],
)
def test_escapes_are_resolved_once(written: str, text: str) -> None:
    assert decoded(written) == text


CELL_TEXT = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"], exclude_characters="\ufffe\uffff")
    | st.sampled_from(list("0123456789+=-@'\"_x\n\t")),
    max_size=40,
)
ROWS = st.lists(st.tuples(CELL_TEXT, CELL_TEXT), min_size=1, max_size=12)


def rows_of(path: Path) -> list[SheetRow]:
    with open_workbook(
        path, file=path.name, options=ReadOptions(), wanted=lambda cells: "id" in cells
    ) as sheet:
        return list(sheet.rows())


def is_blank(cells: tuple[str, ...]) -> bool:
    return not any(cell.strip() for cell in cells)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=ROWS)
def test_texts_written_by_xlsxwriter_come_back(tmp_path: Path, rows: list[tuple[str, str]]) -> None:
    path = tmp_path / "texts.xlsx"
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet()
        for number, cells in enumerate([("id", "note"), *rows]):
            for column, text in enumerate(cells):
                sheet.write_string(number, column, text)

    found = {row.number: row.cells for row in rows_of(path)}

    assert found == {n: cells for n, cells in enumerate(rows, start=2) if not is_blank(cells)}


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=ROWS)
def test_texts_written_by_openpyxl_come_back(tmp_path: Path, rows: list[tuple[str, str]]) -> None:
    path = tmp_path / "texts.xlsx"
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    for number, cells in enumerate([("id", "note"), *rows], start=1):
        for column, text in enumerate(cells, start=1):
            cell = sheet.cell(number, column)
            cell.value, cell.data_type = text, "s"
    book.save(path)

    found = {row.number: row.cells for row in rows_of(path)}

    assert found == {n: cells for n, cells in enumerate(rows, start=2) if not is_blank(cells)}


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(
            st.floats(-1e14, 1e14).map(lambda value: float(f"{value:.15g}")),
            st.datetimes(datetime(1900, 3, 1), datetime(9999, 12, 31)),  # noqa: DTZ001
            st.integers(0, 10**6),
        ),
        min_size=1,
        max_size=8,
    )
)
def test_numbers_and_dates_written_by_xlsxwriter_come_back(
    tmp_path: Path, rows: list[tuple[float, datetime, int]]
) -> None:
    path = tmp_path / "numbers.xlsx"
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, ["id", "number", "at", "share"])
        moment, share = (book.add_format({"num_format": f}) for f in ("dd/mm/yy hh:mm:ss", "0.0%"))
        for number, (value, at, hundredths) in enumerate(rows, start=1):
            sheet.write_string(number, 0, "x")
            sheet.write_number(number, 1, value)
            sheet.write_datetime(number, 2, at.replace(microsecond=0), moment)
            sheet.write_number(number, 3, hundredths / 100, share)

    for row, (value, at, hundredths) in zip(rows_of(path), rows, strict=True):
        assert math.isclose(float(row.cells[1]), value, rel_tol=1e-15)
        assert datetime.fromisoformat(row.cells[2]) == at.replace(microsecond=0)
        assert row.cells[3] == f"{hundredths}.0%"


def test_what_openpyxl_writes_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "mixed.xlsx"
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(["id", "yes", "day", "at", "time", "span", "rich", "sum", "error"])
    sheet.append(
        [
            "0012",
            True,
            date(2024, 2, 29),
            datetime(2024, 2, 29, 17, 30),  # noqa: DTZ001
            time(9, 5),
            timedelta(hours=30, minutes=2),
            CellRichText("Hello ", TextBlock(InlineFont(b=True), "bold"), " end"),
            "=1+1",
            "#N/A",
        ]
    )
    sheet["A2"].hyperlink = "https://example.com/"
    book.save(path)

    (row,) = rows_of(path)

    assert row.cells == (
        "0012",
        "TRUE",
        "2024-02-29",
        "2024-02-29 17:30",
        "09:05",
        "30:02",
        "Hello bold end",
        "#N/A",  # a formula that openpyxl did not compute
        "#N/A",
    )
    assert [(f.kind, f.column, f.message[:2]) for f in row.flaws] == [
        (FlawKind.NO_VALUE, 7, "H2"),
        (FlawKind.ERROR_CELL, 8, "I2"),
    ]
