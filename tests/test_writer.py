"""Sheets are written whole or not at all, never over what is not ours, and hold texts as texts."""

from __future__ import annotations

import csv
import errno
import hashlib
import io
import os
import re
import stat
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from xml.etree.ElementTree import Element

import openpyxl
import pytest
from defusedxml import ElementTree
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openpyxl.worksheet.worksheet import Worksheet

from dispatcher.errors import StorageFailed, UsageProblem
from dispatcher.writer import (
    TableFormat,
    Target,
    Written,
    choose_target,
    default_results_path,
    make_ready,
    probe_folder,
    target_for,
    write_results,
    write_table,
)
from dispatcher.writer.cells import xml_text
from dispatcher.writer.csv_text import harmless

OURS = (
    "call_status",
    "call_id",
    "call_created_at",
    "call_error_code",
    "call_error",
    "call_http_status",
    "call_attempts",
    "call_sent_at",
    "call_campaign",
    "source_row",
)
HEADERS = ("contact_id", "Teléfono", *OURS)
LINE = ("c-1", "+5491155550001", "placed", "call-1", "", "", "", "201", "1", "", "debt", "2")
POSIX = pytest.mark.skipif(sys.platform == "win32", reason="permissions of POSIX")
MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"


def nobody(_path: Path, _digest: str) -> bool:
    return False


def everybody(_path: Path, _digest: str) -> bool:
    return True


def written(
    path: Path,
    *lines: tuple[str, ...],
    headers: tuple[str, ...] = HEADERS,
    summary: Callable[[], tuple[tuple[str, str], ...]] = lambda: (("Campaign", "debt"),),
    ours: Callable[[Path, str], bool] = nobody,
    mode_from: Path | None = None,
    never: tuple[Path, ...] = (),
    delimiter: str = "",
) -> Written:
    target = target_for(path, delimiter=delimiter)
    return write_results(
        target, headers, lines, summary, mode_from=mode_from, ours=ours, never=never
    )


def results_of(path: Path) -> Worksheet:
    return openpyxl.load_workbook(path)["Results"]


def csv_rows(path: Path, delimiter: str = ",") -> list[list[str]]:
    text = path.read_bytes().decode("utf-8-sig")
    return list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))


def decoded(text: str) -> str:
    return re.sub("_x([0-9A-Fa-f]{4})_", lambda m: chr(int(m[1], 16)), text)


def sheet_xml(path: Path) -> Element:
    with zipfile.ZipFile(path) as archive:
        return ElementTree.fromstring(archive.read("xl/worksheets/sheet1.xml"))


# --- workbooks


def test_a_workbook_has_header_rows_and_ten_columns(tmp_path: Path) -> None:
    done = written(tmp_path / "a.xlsx", LINE, LINE)

    values = list(results_of(done.path).values)

    assert values[0] == HEADERS
    assert values[1] == (
        *("c-1", "+5491155550001", "placed", "call-1", None, None, None, 201, 1, None, "debt", 2),
    )
    assert (done.rows, len(values)) == (2, 3)


def test_every_text_is_a_text_cell_and_own_numbers_are_numbers(tmp_path: Path) -> None:
    line = ("0012", "=1+1", "placed", "1e5", "", "", "=cmd()", "201", "1", "", "TRUE", "2")
    sheet = results_of(written(tmp_path / "a.xlsx", line).path)

    cells = sheet[2]

    assert [cell.data_type for cell in cells[:2]] == ["s", "s"]
    assert {cell.number_format for cell in cells[:5]} == {"@"}
    assert (cells[1].value, cells[6].value) == ("=1+1", "=cmd()")
    assert [cell.data_type for cell in (cells[7], cells[8], cells[11])] == ["n", "n", "n"]
    assert (cells[10].value, cells[10].data_type) == ("TRUE", "s")
    assert not list(sheet_xml(tmp_path / "a.xlsx").iter(f"{MAIN}f"))


def test_an_input_column_of_digits_stays_text(tmp_path: Path) -> None:
    headers = ("call_attempts", "contact_id", *OURS)
    line = ("007", "12345678901234567890", *LINE[2:])

    sheet = results_of(written(tmp_path / "a.xlsx", line, headers=headers).path)

    assert [cell.value for cell in sheet[2][:2]] == ["007", "12345678901234567890"]
    assert sheet[2][8].value == 1


def test_numbers_that_are_none_stay_text(tmp_path: Path) -> None:
    line = (*LINE[:7], "", "²", *LINE[9:])

    sheet = results_of(written(tmp_path / "a.xlsx", line).path)

    assert [cell.value for cell in sheet[2][7:9]] == [None, "²"]


def test_the_header_is_frozen_filtered_and_wide_enough(tmp_path: Path) -> None:
    lines = [(*LINE[:6], "x" * 500, *LINE[7:])] * 3
    sheet = results_of(written(tmp_path / "a.xlsx", *lines).path)

    assert sheet.freeze_panes == "A2"
    assert sheet.auto_filter.ref == "A1:L4"
    assert sheet.column_dimensions["B"].width == 15
    assert sheet.column_dimensions["G"].width == 50
    assert sheet.column_dimensions["A"].width == 13


def test_the_status_is_coloured_by_its_word(tmp_path: Path) -> None:
    words = ("placed", "rejected", "failed", "uncertain", "invalid", "skipped", "pending", "odd")
    lines = [(*LINE[:2], word, *LINE[3:]) for word in words]
    sheet = results_of(written(tmp_path / "a.xlsx", *lines).path)

    fills = {row[2].value: row[2].fill.start_color.rgb for row in sheet.iter_rows(min_row=2)}

    assert len({fills[word] for word in words}) == 7  # rejected and failed are alike
    assert fills["placed"] == "00C6EFCE"
    assert sheet["A2"].fill.fill_type is None


def test_the_summary_is_asked_for_after_the_last_line(tmp_path: Path) -> None:
    passed = []

    def lines() -> Iterator[tuple[str, ...]]:
        for number in range(3):
            passed.append(number)
            yield LINE

    target = target_for(tmp_path / "a.xlsx")
    done = write_results(
        target,
        HEADERS,
        lines(),
        lambda: (("Rows", str(len(passed))), ("Sheet", "=1+1\x01"), ("Campaign", "007")),
        mode_from=None,
        ours=nobody,
    )

    book = openpyxl.load_workbook(done.path)
    assert book.sheetnames == ["Results", "Summary"]
    cells = [row[1] for row in book["Summary"].iter_rows()]
    assert [decoded(str(cell.value)) for cell in cells] == ["3", "=1+1\x01", "007"]
    assert [cell.data_type for cell in cells] == ["n", "s", "s"]


def test_a_workbook_is_told_by_its_first_part_and_has_each_part_once(tmp_path: Path) -> None:
    with zipfile.ZipFile(written(tmp_path / "a.xlsx", LINE).path) as archive:
        names = archive.namelist()

    assert names[0].startswith("docProps/")
    assert len(names) == len(set(names))
    assert {"[Content_Types].xml", "xl/workbook.xml", "xl/styles.xml"} < set(names)


def test_a_workbook_without_rows_has_a_header(tmp_path: Path) -> None:
    sheet = results_of(written(tmp_path / "a.xlsx").path)

    assert list(sheet.values) == [HEADERS]
    assert sheet.auto_filter.ref == "A1:L1"


def test_another_table_has_neither_status_nor_summary(tmp_path: Path) -> None:
    done = write_table(
        target_for(tmp_path / "problems.xlsx"),
        ("row", "message"),
        [("1", "=1")],
        mode_from=None,
        ours=nobody,
    )

    book = openpyxl.load_workbook(done.path)

    assert book.sheetnames == ["Rows"]
    assert list(book["Rows"].values) == [("row", "message"), ("1", "=1")]


@pytest.mark.parametrize(
    ("text", "xml"),
    [
        pytest.param("a<b>&c", "a&lt;b&gt;&amp;c", id="markup"),
        pytest.param("a\x01b", "a_x0001_b", id="control character"),
        pytest.param("a\r\nb\tc", "a_x000D_\nb\tc", id="line ends"),
        pytest.param("_x000D_", "_x005F_x000D_", id="looks escaped"),
        pytest.param("_x000d_x000D_", "_x005F_x000d_x005F_x000D_", id="looks escaped twice"),
        pytest.param("_x00_", "_x00_", id="looks like nothing"),
        pytest.param("\ufffe\ud800", "_xFFFE__xD800_", id="no characters"),
        pytest.param("ñ😀", "ñ😀", id="characters"),
    ],
)
def test_what_xml_cannot_hold_is_written_as_excel_does(text: str, xml: str) -> None:
    assert xml_text(text) == xml


@given(text=st.text(st.characters(max_codepoint=0x1FFFF), max_size=30))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
def test_any_text_comes_back_from_a_workbook(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.xlsx"
    written(path, (text, *LINE[1:]), ours=everybody)

    cell = sheet_xml(path).findall(f"{MAIN}sheetData/{MAIN}row")[1][0]

    assert decoded("".join(cell.itertext())) == text


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        pytest.param("x" * 32_767, True, id="longest"),
        pytest.param("x" * 32_768, False, id="longer"),
        pytest.param("😀" * 16_383, True, id="longest in pairs"),
        pytest.param("😀" * 16_384, False, id="longer in pairs"),
    ],
)
def test_a_text_that_no_cell_can_hold_is_refused_not_cut(
    tmp_path: Path, text: str, *, fits: bool
) -> None:
    path = tmp_path / "a.xlsx"
    if fits:
        assert results_of(written(path, (text, *LINE[1:])).path)["A2"].value == text
        return

    with pytest.raises(StorageFailed, match="A2 would hold more than 32767") as caught:
        written(path, (text, *LINE[1:]))

    assert ".csv" in caught.value.hint
    assert list(tmp_path.iterdir()) == []


def test_more_rows_than_a_workbook_holds_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dispatcher.writer.cells._LAST_ROW", 3)

    written(tmp_path / "a.xlsx", LINE, LINE)
    with pytest.raises(StorageFailed, match="A workbook holds 3 rows"):
        written(tmp_path / "b.xlsx", LINE, LINE, LINE)


def test_more_columns_than_a_workbook_holds_are_refused(tmp_path: Path) -> None:
    with pytest.raises(StorageFailed, match="16384 columns"):
        written(tmp_path / "a.xlsx", headers=("x",) * 16_385)


# --- CSV


def test_a_csv_has_a_mark_the_delimiter_of_the_input_and_windows_line_ends(tmp_path: Path) -> None:
    line = ("c;1", 'say "ñ"', "placed", "a\nb", *LINE[4:])

    done = written(tmp_path / "a.csv", line, delimiter=";")

    content = done.path.read_bytes()
    assert content.startswith(b"\xef\xbb\xbfcontact_id;Tel\xc3\xa9fono;call_status")
    assert b'\r\n"c;1";"say ""\xc3\xb1""";placed;"a\nb";' in content
    assert content.endswith(b";2\r\n")
    assert csv_rows(done.path, ";") == [list(HEADERS), list(line)]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        *((text, f"'{text}") for text in ("=1+1", "@SUM(A1)", "+cmd|x", "-2+3", "-", "+", "=")),
        *(
            (text, f"'{text}")
            for text in ("\tx", "\rx", "+54-11-5555", "-1e5", "+-1", "--1", "-1=")
        ),
        *((text, text) for text in ("-12", "-1.234,56", "+5", "-.5", "-12%", "+5491155550001")),
        *((text, text) for text in ("+54 9 11 5555-0001", "+1 (555) 010-0000", "a=b", "", " =1")),
        *((text, f"'{text}") for text in ("'=1", "''+1")),
        *((text, text) for text in ("'tis", "'", "'1", "''")),
    ],
)
def test_nothing_in_a_csv_can_become_a_formula(text: str, shown: str) -> None:
    assert harmless(text) == shown


@given(st.text(st.sampled_from("'=+-@\t\r1a "), max_size=6))
def test_taking_away_one_apostrophe_gives_back_every_text(text: str) -> None:
    shown = harmless(text)

    assert re.sub(r"^'(?='*[=+\-@\t\r])", "", shown) == text
    assert not re.match(r"[=@\t\r]", shown)


def test_headers_of_a_csv_are_harmless_too(tmp_path: Path) -> None:
    done = written(tmp_path / "a.csv", headers=("=1+1", *HEADERS[1:]))

    assert csv_rows(done.path)[0][0] == "'=1+1"


@given(
    cells=st.lists(
        st.text(st.characters(codec="utf-8"), max_size=10), min_size=len(HEADERS), max_size=12
    )
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
def test_any_text_comes_back_from_a_csv(tmp_path: Path, cells: list[str]) -> None:
    done = written(tmp_path / "a.csv", tuple(cells), ours=everybody)

    assert csv_rows(done.path)[1] == [harmless(cell) for cell in cells]


def test_half_a_character_does_not_lose_the_sheet(tmp_path: Path) -> None:
    done = written(tmp_path / "a.csv", ("\ud800", *LINE[1:]))

    assert csv_rows(done.path)[1][0] == "?"


# --- where


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.xlsx", TableFormat.XLSX),
        ("a.XLSX", TableFormat.XLSX),
        ("a.csv", TableFormat.CSV),
        ("a.tsv", TableFormat.CSV),
        ("a.txt", TableFormat.CSV),
    ],
)
def test_the_suffix_tells_the_kind(name: str, expected: TableFormat) -> None:
    assert target_for(Path(name), delimiter=";").format is expected


def test_a_csv_without_a_known_delimiter_has_commas() -> None:
    path = Path("a.csv")

    assert target_for(path) == Target(path=path, format=TableFormat.CSV, delimiter=",")


@pytest.mark.parametrize("name", ["a.xls", "a.ods", "a"])
def test_another_suffix_is_refused(name: str) -> None:
    with pytest.raises(UsageProblem, match="no name for a sheet"):
        target_for(Path(name))


@pytest.mark.parametrize(
    ("sheet", "input_format", "results"),
    [
        ("campaign.xlsx", "xlsx", "campaign.results.xlsx"),
        ("campaign.csv", "csv", "campaign.results.csv"),
        ("campaign.xls", "xls", "campaign.results.xlsx"),
        ("campaign.tsv", "csv", "campaign.results.csv"),
        ("campaign (1).xlsx", "xlsx", "campaign (1).results.xlsx"),
        ("campaign.results.xlsx", "xlsx", "campaign.results.xlsx"),
        ("campaign.results (2).xlsx", "xlsx", "campaign.results.xlsx"),
    ],
)
def test_results_go_beside_the_sheet(sheet: str, input_format: str, results: str) -> None:
    place = default_results_path(Path("folder") / sheet, input_format=input_format)

    assert place == Path("folder") / results


@pytest.mark.parametrize("suffix", ["xlsx", "csv"])
def test_only_what_we_wrote_is_overwritten(tmp_path: Path, suffix: str) -> None:
    noted: set[tuple[Path, str]] = set()
    path = tmp_path / f"campaign.results.{suffix}"

    def ours(place: Path, digest: str) -> bool:
        return (place, digest) in noted

    first = written(path, LINE, ours=ours)
    noted.add((first.path, first.digest))
    again = written(path, LINE, LINE, ours=ours)
    noted.add((again.path, again.digest))
    path.write_bytes(path.read_bytes() + b" ")  # a person edits it
    beside = written(path, LINE, ours=ours)

    assert first.path == again.path == path
    assert beside.path == tmp_path / f"campaign.results (2).{suffix}"
    assert path.read_bytes().endswith(b" ")
    assert beside.digest == hashlib.sha256(beside.path.read_bytes()).hexdigest()


def test_a_sibling_that_is_ours_is_taken_again(tmp_path: Path) -> None:
    (tmp_path / "a.csv").touch()
    (tmp_path / "a (2).csv").touch()
    (tmp_path / "a (3).csv").touch()

    def ours(path: Path, _digest: str) -> bool:
        return path.name == "a (3).csv"

    assert choose_target(tmp_path / "a.csv", ours=ours) == tmp_path / "a (3).csv"


def test_the_input_is_never_overwritten(tmp_path: Path) -> None:
    sheet = tmp_path / "campaign.results.csv"
    sheet.write_text("x", encoding="utf-8")

    done = written(sheet, LINE, ours=everybody, never=(tmp_path / "gone", sheet))

    assert done.path == tmp_path / "campaign.results (2).csv"
    assert sheet.read_text(encoding="utf-8") == "x"


@pytest.mark.parametrize("lock", ["~$a.xlsx", ".~lock.a.xlsx#"])
def test_what_is_open_in_a_spreadsheet_program_is_left_alone(tmp_path: Path, lock: str) -> None:
    (tmp_path / lock).touch()

    assert choose_target(tmp_path / "a.xlsx", ours=everybody) == tmp_path / "a (2).xlsx"


def test_what_was_made_read_only_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    kept = written(path, LINE, ours=everybody)
    path.chmod(stat.S_IRUSR)

    done = written(path, ("new",), ours=everybody)

    assert done.path == tmp_path / "a (2).csv"
    assert hashlib.sha256(path.read_bytes()).hexdigest() == kept.digest


def test_a_target_held_by_another_program_gets_a_sibling(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.csv"
    path.touch()
    replace = Path.replace

    def held(self: Path, target: Path) -> Path:
        if target == path:
            raise PermissionError(errno.EACCES, "held")
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", held)
    done = written(path, LINE, ours=everybody)

    assert done.path == tmp_path / "a (2).csv"


def test_a_folder_or_device_of_that_name_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "a.csv").mkdir()

    assert choose_target(tmp_path / "a.csv", ours=everybody) == tmp_path / "a (2).csv"


def test_a_hundred_taken_names_are_enough(tmp_path: Path) -> None:
    (tmp_path / "a.csv").touch()
    for number in range(2, 101):
        (tmp_path / f"a ({number}).csv").touch()

    with pytest.raises(StorageFailed, match="99 numbered siblings"):
        choose_target(tmp_path / "a.csv", ours=nobody)


@POSIX
def test_a_link_stays_a_link(tmp_path: Path) -> None:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    link = tmp_path / "a.csv"
    link.symlink_to(folder / "real.csv")

    done = written(link, LINE)

    assert link.is_symlink()
    assert done.path == (folder / "real.csv").resolve()


@POSIX
@pytest.mark.parametrize(("given_mode", "mode"), [(0o640, 0o640), (0o444, 0o644), (0o755, 0o644)])
def test_results_have_the_permissions_of_the_input(
    tmp_path: Path, given_mode: int, mode: int
) -> None:
    sheet = tmp_path / "campaign.csv"
    sheet.touch()
    sheet.chmod(given_mode)

    done = written(tmp_path / "a.csv", LINE, mode_from=sheet)

    assert stat.S_IMODE(done.path.stat().st_mode) == mode


@POSIX
@pytest.mark.parametrize("mode_from", [None, Path("/no/where")])
def test_without_an_input_results_are_for_their_owner(
    tmp_path: Path, mode_from: Path | None
) -> None:
    done = written(tmp_path / "a.csv", LINE, mode_from=mode_from)

    assert stat.S_IMODE(done.path.stat().st_mode) == 0o600


@POSIX
def test_what_cannot_be_read_is_not_ours(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.csv")

    def fails(_path: Path, _digest: str) -> bool:
        raise OSError(errno.EIO, "fails")

    (tmp_path / "a (2).csv").touch()

    assert choose_target(tmp_path / "a.csv", ours=fails) == tmp_path / "a (3).csv"


# --- whole or not at all


@pytest.mark.parametrize("suffix", ["xlsx", "csv"])
def test_a_broken_off_writing_leaves_the_old_sheet(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    path.write_bytes(b"old")

    def lines() -> Iterator[tuple[str, ...]]:
        yield LINE
        raise RuntimeError("ledger gone")

    with pytest.raises(RuntimeError, match="ledger gone"):
        write_results(target_for(path), HEADERS, lines(), tuple, mode_from=None, ours=everybody)

    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_is_told_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageFailed, match="cannot be written: No space left") as caught:
        written(tmp_path / "a.csv", LINE)

    assert caught.value.exit_code == 8
    assert list(tmp_path.iterdir()) == []


def test_what_a_workbook_needs_is_loaded_beforehand(tmp_path: Path) -> None:
    look = (
        "import sys, pathlib; from dispatcher.writer import make_ready, target_for;"
        "make_ready(target_for(pathlib.Path(sys.argv[1]))); print('openpyxl' in sys.modules)"
    )

    loaded = [
        subprocess.run(
            [sys.executable, "-c", look, tmp_path / name],
            check=True,
            capture_output=True,
            text=True,
        ).stdout.strip()
        for name in ("a.csv", "a.xlsx")
    ]

    assert loaded == ["False", "True"]
    make_ready(target_for(tmp_path / "a.xlsx"))


def test_a_folder_that_can_be_written_is_left_as_it_was(tmp_path: Path) -> None:
    probe_folder(tmp_path / "a.xlsx")

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["missing/a.xlsx", "file/a.xlsx", "x" * 300 + ".xlsx", ""])
def test_a_folder_that_cannot_be_written_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(StorageFailed):
        probe_folder(tmp_path / name)


def test_lines_reach_the_disk_while_more_are_asked_for(tmp_path: Path) -> None:
    sizes: list[int] = []

    def lines() -> Iterator[tuple[str, ...]]:
        for number in range(3000):
            if number == 2999:
                sizes.append(sum(f.stat().st_size for f in tmp_path.iterdir()))
            yield ("x" * 200 + os.urandom(50).hex(), *LINE[1:])

    write_results(
        target_for(tmp_path / "a.xlsx"), HEADERS, lines(), tuple, mode_from=None, ours=nobody
    )

    assert sizes[0] > 50_000
