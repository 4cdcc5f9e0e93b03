"""Text with delimiters is read exactly, or refused with one clear line."""

from __future__ import annotations

import csv
import errno
import io
import os
import random
import stat
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import openpyxl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dispatcher.errors import SheetRefused, UsageProblem
from dispatcher.loader import ReadOptions, Sheet, file_digest, open_sheet
from dispatcher.loader.sheet import FileStamp
from dispatcher.model import FlawKind, Remark, SheetHead, SheetRow

AUTOMATIC = ReadOptions()
Reading = tuple[SheetHead, list[SheetRow], dict[str, str]]


def has_contact(headers: Sequence[str]) -> bool:
    return any(header.strip().casefold() == "contact_id" for header in headers)


def read(path: Path | str, options: ReadOptions = AUTOMATIC) -> Reading:
    with open_sheet(str(path), options=options, wanted=has_contact) as sheet:
        rows = list(sheet.rows())
        remarks = (*sheet.head.remarks, *sheet.remarks())
        return sheet.head, rows, {remark.code: remark.message for remark in remarks}


@pytest.fixture
def written(tmp_path: Path) -> Callable[[str | bytes], Path]:
    def write(content: str | bytes) -> Path:
        path = tmp_path / "campaign.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


Written = Callable[[str | bytes], Path]


def cells_of(rows: Sequence[SheetRow]) -> list[tuple[str, ...]]:
    return [row.cells for row in rows]


def test_text_stays_text_digit_for_digit(written: Written) -> None:
    values = [
        "0012", "+54911", "1e5", "NA", "null", "None", "TRUE", "1.0", "-", "=1+1",
        "123456789012345678901234", " padded ", "2024-01-02", "14.058;10", "nan", "'00",
    ]  # fmt: skip
    path = written("contact_id\n" + "\n".join(values) + "\n")

    head, rows, remarks = read(path)

    assert cells_of(rows) == [(value,) for value in values]
    assert (head.format, head.encoding, head.header_row) == ("csv", "utf-8", 1)
    assert (head.file, head.sheet, head.hidden_columns) == (str(path), "", frozenset())
    assert remarks == {}


@pytest.mark.parametrize(
    ("content", "delimiter", "cells"),
    [
        ("contact_id,name\n1,Ana\n", ",", ("1", "Ana")),
        ("contact_id;name\n1;Ana, Eva\n", ";", ("1", "Ana, Eva")),
        ("contact_id;monto\n1;14.058,10\n2;1,5\n", ";", ("1", "14.058,10")),
        ("contact_id\tname\n1\tAna, Eva; x\n", "\t", ("1", "Ana, Eva; x")),
        ("contact_id|name\n1|Ana, Eva\n", "|", ("1", "Ana, Eva")),
        ("contact_id\n1\n2\n", ",", ("1",)),
        ("contact_id\nPérez, Juan\nGómez, Ana\n", ";", ("Pérez, Juan",)),
        ("contact_id\n", ",", None),
        ('"contact_id";"name"\n"1";"a,b,c,d"\n', ";", ("1", "a,b,c,d")),
        ('contact_id;note\n1;"a;b\nc;d"\n', ";", ("1", "a;b\nc;d")),
        ("a,b;contact_id;c\n1,2;7;x\n", ";", ("1,2", "7", "x")),
        ("id;name\n1;Ana, Eva\n2;Juan\n", ";", ("1", "Ana, Eva")),
        ("name\nAna\nEva\n", ",", ("Ana",)),
        ("one, or two\nthree\nfour\n", ";", ("three",)),
    ],
)  # fmt: skip
def test_the_delimiter_is_found(
    written: Written, content: str, delimiter: str, cells: tuple[str, ...] | None
) -> None:
    head, rows, _ = read(written(content))

    assert head.delimiter == delimiter
    assert (rows[0].cells if rows else None) == cells


def test_a_fault_under_a_wrong_delimiter_is_not_held_against_the_right_one(
    written: Written,
) -> None:
    head, rows, _ = read(written('x;"a;b";c\n1;"y;z";2\n'))

    assert head.delimiter == ";"
    assert cells_of(rows) == [("1", "y;z", "2")]


@pytest.mark.parametrize(
    ("first", "delimiter"),
    [("sep=;", ";"), ('"sep=;"', ";"), ("SEP=|", "|"), ("sep=\t", "\t"), ("sep=^", "^")],
)
def test_the_separator_line_of_excel_is_honoured(
    written: Written, first: str, delimiter: str
) -> None:
    content = f"{first}\r\ncontact_id{delimiter}b\r\n1{delimiter}2,3\r\n"

    head, rows, _ = read(written(content))

    assert (head.delimiter, head.header_row) == (delimiter, 2)
    assert [(row.number, row.cells) for row in rows] == [(3, ("1", "2,3"))]


@pytest.mark.parametrize(
    ("named", "delimiter"), [("tab", "\t"), ("\\t", "\t"), ("TAB", "\t"), ("|", "|"), ("^", "^")]
)
def test_a_named_delimiter_wins_also_over_a_separator_line(
    written: Written, named: str, delimiter: str
) -> None:
    path = written(f"sep=;\ncontact_id{delimiter}b\n1{delimiter}2\n")

    head, rows, _ = read(path, ReadOptions(delimiter=named))

    assert head.delimiter == delimiter
    assert cells_of(rows) == [("1", "2")]


@pytest.mark.parametrize("named", ['"', ",,", "x", "\n", "comma"])
def test_a_delimiter_that_is_none_is_a_usage_problem(written: Written, named: str) -> None:
    with pytest.raises(UsageProblem, match="--delimiter"):
        read(written("contact_id\n1\n"), ReadOptions(delimiter=named))


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=["LF", "CR LF", "CR"])
def test_every_line_end_ends_a_record_and_is_kept_within_quotes(written: Written, end: str) -> None:
    content = end.join(["", "contact_id,note", f'1,"two{end}lines"', "", " , ", "2,b", ""])

    head, rows, _ = read(written(content.encode()))

    assert head.header_row == 2
    assert [row.number for row in rows] == [3, 7]
    assert cells_of(rows) == [("1", f"two{end}lines"), ("2", "b")]


def test_mixed_line_ends_are_counted_as_an_editor_counts_them(written: Written) -> None:
    _, rows, _ = read(written(b"contact_id,b\r\n1,x\n2,y\r3,z\r\n\r\n4,w"))

    assert [(row.number, row.cells[0]) for row in rows] == [(2, "1"), (3, "2"), (4, "3"), (6, "4")]


def test_blank_rows_are_no_rows(written: Written) -> None:
    _, rows, remarks = read(written("contact_id,b\n\n  \n,,\n \t,\xa0\n1,2\n\x1a"))

    assert [(row.number, row.cells) for row in rows] == [(6, ("1", "2"))]
    assert remarks == {}


def test_a_nul_is_kept_for_planning_to_judge(written: Written) -> None:
    _, rows, _ = read(written(b"contact_id,name\n1,A\x00na\n"))

    assert cells_of(rows) == [("1", "A\x00na")]


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        ('5" pipe', '5" pipe'),
        ('Juan "El Rey" Paz', 'Juan "El Rey" Paz'),
        ('"say ""hi"""', 'say "hi"'),
        ('""', ""),
        ('""""', '"'),
        (' "x"', ' "x"'),
        ("\\", "\\"),
    ],
)
def test_legal_quotes_are_read_as_they_are_meant(written: Written, cell: str, text: str) -> None:
    _, rows, _ = read(written(f"contact_id,b,c\n1,{cell},z\n"))

    assert cells_of(rows) == [("1", text, "z")]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('contact_id,b\n1,"ACME\n2,B\n', "line 2: a quote is opened"),
        ('contact_id,b\n1,x\n"a\nb",y\n"c\nd","e\nf\n', "line 6: a quote is opened"),
        ('contact_id,b\n1,"x"\n2,"', "line 3: a quote is opened"),
        ('contact_id,b\n1,"x" \n', "line 2: text follows the closing quote"),
        ('contact_id,b\n1,"x"y\n', "line 2: text follows the closing quote"),
        ('contact_id,b\n1,"He said \\"hi\\""\n', "line 2: text follows the closing quote"),
        ('contact_id,b\n1,"x,\n2,c\n3,"y",z\n', "line 4: text follows the closing quote of"),
        ('contact_id,b\n1,x"x\n1,"a""b\n""c"d\n', "line 4: text follows the closing quote of"),
        ('contact_id,"b\n1,x\n', "line 1: a quote is opened"),
    ],
)  # fmt: skip
def test_faulty_quotes_are_refused_with_their_line(
    written: Written, content: str, said: str
) -> None:
    path = written(content)

    with pytest.raises(SheetRefused) as refused:
        read(path)

    assert refused.value.message.startswith(f"{path}: {said}")
    assert refused.value.hint


def test_a_fault_far_below_is_refused_when_the_rows_are_read(written: Written) -> None:
    path = written("contact_id,b\n" + "1,2\n" * 100 + '3,"x\n')

    with pytest.raises(SheetRefused, match="line 102: a quote is opened there and never closed"):
        read(path)


def test_text_after_a_quote_names_where_the_cell_begins(written: Written) -> None:
    with pytest.raises(SheetRefused, match=r"line 4: .* a cell that begins in line 3$"):
        read(written('contact_id,b\n1,x"x\n1,"a""b\n""c"d\n'))


def test_a_longer_row_is_flawed_and_never_shifted(written: Written) -> None:
    _, rows, _ = read(written("contact_id,b\n1,2,3\n4,5,,\n"))

    assert cells_of(rows) == [("1", "2"), ("4", "5")]
    assert [flaw.kind for flaw in rows[0].flaws] == [FlawKind.EXTRA_CELLS]
    assert rows[0].flaws[0].column == -1
    assert rows[0].flaws[0].message == "line 2 has 3 cells, the header has 2"
    assert rows[1].flaws == ()


def test_shorter_rows_are_padded_and_remarked(written: Written) -> None:
    _, rows, remarks = read(written("contact_id,b,c,,\n1,2,3\n4\n5,6\n"))

    assert cells_of(rows)[1] == ("4", "", "", "", "")
    assert set(remarks) == {"short_rows"}
    assert remarks["short_rows"].startswith("2 rows have fewer cells than the header")
    assert "line 3" in remarks["short_rows"]


def test_one_short_row_is_said_so(written: Written) -> None:
    _, _, remarks = read(written("contact_id,b\n1,2\n3\n"))

    assert remarks["short_rows"].startswith("1 row has fewer cells than the header")


@pytest.mark.parametrize(
    ("content", "codes"),
    [
        ("contact_id,b\n1,2\n3", {"last_row_cut"}),
        ("contact_id,b\n1\n3", {"short_rows", "last_row_cut"}),
        ("contact_id,b\n1,2\n3\n", {"short_rows"}),
        ("contact_id,b\n1,2\n3,", set()),
        ("contact_id,b\n1\n3,4", {"short_rows"}),
        ("contact_id,b\n1\n  ", {"short_rows"}),
        ("contact_id,b", set()),
    ],
)
def test_a_short_last_row_without_line_end_looks_cut(
    written: Written, content: str, codes: set[str]
) -> None:
    _, _, remarks = read(written(content))

    assert set(remarks) == codes


@pytest.mark.parametrize(
    ("content", "remarked"),
    [
        ('contact_id,b,c\n1,"x,y\n2,x,y\n3,x",y\n', True),
        ('contact_id,b,c\n1,"x\n2,x,y\nz",y\n4,"x\n2,x,y\nz",y\n', True),
        ('contact_id,b,c\n1,"Hello,\nwe called,\nbye",y\n', False),
        ('contact_id,b\n1,"x\n2,y\nz"\n', False),
    ],
)
def test_rows_swallowed_by_two_stray_quotes_are_remarked(
    written: Written, content: str, *, remarked: bool
) -> None:
    _, _, remarks = read(written(content))

    assert ("row_within_cell" in remarks) is remarked
    if remarked:
        assert "line 2" in remarks["row_within_cell"]


def test_a_cell_longer_than_excel_holds_is_a_flaw(written: Written) -> None:
    _, rows, _ = read(written(f"contact_id,b\n1,{'x' * 32_768}\n2,{'x' * 32_767}\n"))

    assert [(flaw.kind, flaw.column) for flaw in rows[0].flaws] == [(FlawKind.TOO_LONG, 1)]
    assert rows[1].flaws == ()


def test_a_cell_of_more_than_a_million_characters_is_refused(written: Written) -> None:
    path = written(f"contact_id,b\n1,{'x' * 1_000_001}\n")

    with pytest.raises(SheetRefused, match=r"line 2: a cell of more than 1,000,000 characters"):
        read(path)


def test_a_line_without_end_is_refused(written: Written) -> None:
    with pytest.raises(SheetRefused, match="a line has no end for 16 MB"):
        read(written(b"x" * (18 << 20)))


def test_more_columns_than_a_sheet_has_are_refused(written: Written) -> None:
    with pytest.raises(SheetRefused, match="16,385 columns"):
        read(written("contact_id" + ",x" * 16_384 + "\n"))


@pytest.mark.parametrize("blank", ["", " \n\n", "\ufeff", ",,,\n,,\n", "sep=;\n"])
def test_a_blank_file_is_refused(written: Written, blank: str) -> None:
    with pytest.raises(SheetRefused, match=r"is empty|holds no rows"):
        read(written(blank))


def test_title_rows_are_shown_with_the_remedy(written: Written) -> None:
    title = "Campaign of \x1bMarch " + "x" * 60
    path = written(f"{title}\n\ncontact_id,b\n1,2\n")

    with pytest.raises(SheetRefused) as refused:
        read(path)

    assert "the header seems to be row 3" in refused.value.message
    assert "row 1: Campaign of \ufffdMarch" in refused.value.message
    assert "…" in refused.value.message
    assert "row 3: contact_id | b" in refused.value.message
    assert refused.value.hint.endswith("--header-row 3")


def test_a_named_header_row_is_the_header(written: Written) -> None:
    path = written("Campaign; March\n\ncontact_id,b\n1,2\n")

    head, rows, _ = read(path, ReadOptions(header_row=3))

    assert (head.header_row, head.headers, head.delimiter) == (3, ("contact_id", "b"), ",")
    assert [(row.number, row.cells) for row in rows] == [(4, ("1", "2"))]


@pytest.mark.parametrize("number", [2, 4, 9])
def test_a_header_row_where_no_row_begins_is_refused(written: Written, number: int) -> None:
    path = written('x\n\ncontact_id,"b\nc"\n1,2\n')

    with pytest.raises(SheetRefused, match=f"row {number} is blank or no row begins there"):
        read(path, ReadOptions(header_row=number))


def test_without_the_required_column_the_first_row_is_the_header(written: Written) -> None:
    head, rows, _ = read(written("\nid,name\n1,2\n"))

    assert (head.header_row, head.headers) == (2, ("id", "name"))
    assert len(rows) == 1


def test_our_results_sheet_loses_the_apostrophes_it_was_given(written: Written) -> None:
    header = "contact_id,'=note,Call_Status , call_id\n"
    row = "'+1,'=1+1,'-x,''@y\n'a,',\"'\tz\",plain\n"

    head, rows, _ = read(written(header + row))

    assert head.headers == ("contact_id", "=note", "Call_Status ", " call_id")
    assert cells_of(rows) == [("+1", "=1+1", "-x", "'@y"), ("'a", "'", "\tz", "plain")]


def test_other_sheets_keep_their_apostrophes(written: Written) -> None:
    _, rows, _ = read(written("contact_id,call_status\n'=1,'+2\n"))

    assert cells_of(rows) == [("'=1", "'+2")]


def test_rows_can_be_read_twice_with_the_same_remarks(written: Written) -> None:
    path = written("contact_id,b\n1\n2,3\n")

    with open_sheet(str(path), options=AUTOMATIC, wanted=has_contact) as sheet:
        assert sheet.remarks() == ()
        first, said = list(sheet.rows()), sheet.remarks()

        assert list(sheet.rows()) == first
        assert sheet.remarks() == said
        assert sheet.digest() == file_digest(str(path))


def append(path: Path) -> None:
    with path.open("a") as stream:
        stream.write('5,"\n')


def replace(path: Path) -> None:
    other = path.with_name("other.csv")
    other.write_bytes(path.read_bytes())
    other.replace(path)


@pytest.mark.parametrize("change", [append, replace, Path.unlink])
def test_a_file_that_changes_is_refused_between_and_after_the_passes(
    written: Written, change: Callable[[Path], None]
) -> None:
    path = written("contact_id,b\n" + "1,2\n" * 50_000)

    with open_sheet(str(path), options=AUTOMATIC, wanted=has_contact) as sheet:
        rows = sheet.rows()
        next(rows)
        change(path)

        with pytest.raises(SheetRefused, match="while it was being read"):
            list(rows)
        with pytest.raises(SheetRefused, match="while it was being read"):
            next(sheet.rows())
        with pytest.raises(SheetRefused, match="while it was being read"):
            sheet.digest()


def test_bytes_that_are_no_text_any_more_are_a_change(written: Written) -> None:
    path = written("contact_id,b\n" + "1,2\n" * 50_000)

    with open_sheet(str(path), options=AUTOMATIC, wanted=has_contact) as sheet:
        rows = sheet.rows()
        next(rows)
        path.write_bytes(b"contact_id,b\n" + b"1,\xff\n" * 50_000)

        with pytest.raises(SheetRefused, match="changed while it was being read"):
            list(rows)


def test_a_disk_that_fails_is_a_refusal(written: Written) -> None:
    path = written("contact_id\n")

    def failing(_: list[Remark]) -> Iterator[SheetRow]:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    head = SheetHead(file="x.csv", format="csv", header_row=1, headers=("contact_id",))
    sheet = Sheet(head=head, read=failing, path=path, stamp=FileStamp.of(path))

    with pytest.raises(SheetRefused, match=r"x.csv: could not be read to its end \(.*error\)"):
        list(sheet.rows())


def feed(monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content), encoding="ascii"))


def test_standard_input_is_kept_privately_and_only_while_open(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    feed(monkeypatch, "contact_id,name\n1,Peña\n".encode())

    with open_sheet("-", options=AUTOMATIC, wanted=has_contact) as sheet:
        copy = sheet.path
        mode = stat.S_IMODE(copy.stat().st_mode)
        assert mode == 0o600 or os.name == "nt"
        assert sheet.head.file == "-"
        assert [row.cells for row in sheet.rows()] == [("1", "Peña")]
        assert len(sheet.digest()) == 64

    assert not copy.exists()
    sheet.close()


def workbook() -> bytes:
    content = io.BytesIO()
    openpyxl.Workbook().save(content)
    return content.getvalue()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "-: the file is empty"),
        (b"PK\x03\x04 cut", "-: damaged"),
        (b'a,"b\n', "-: line 1: a quote"),
        (b"%PDF-1.7", "-: a PDF document"),
        (workbook(), "-: a workbook cannot be read from standard input"),
    ],
    ids=["empty", "cut", "quote", "PDF", "workbook"],
)
def test_refused_standard_input_leaves_nothing_behind(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: bytes, said: str
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    feed(monkeypatch, content)

    with pytest.raises(SheetRefused) as refused:
        read("-")

    assert refused.value.message.startswith(said)
    assert list(tmp_path.iterdir()) == []


def test_without_standard_input_it_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)

    with pytest.raises(SheetRefused, match="there is no standard input"):
        read("-")


def test_standard_input_that_cannot_be_read_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with (tmp_path / "closed").open("w") as closed:
        monkeypatch.setattr(sys, "stdin", closed)

        with pytest.raises(SheetRefused) as refused:
            read("-")

    assert refused.value.message.startswith("-: standard input could not be kept")
    assert [path.name for path in tmp_path.iterdir()] == ["closed"]


def test_an_interrupt_while_standard_input_comes_leaves_nothing_behind(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    class Interrupted(io.BytesIO):
        def read(self, _: int | None = -1, /) -> bytes:
            raise KeyboardInterrupt

    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(Interrupted(), encoding="ascii"))

    with pytest.raises(KeyboardInterrupt):
        read("-")

    assert list(tmp_path.iterdir()) == []


TEXTS = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufeff\ufffd")
    | st.sampled_from(",;\t|\"\n'=")
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(st.lists(TEXTS, min_size=2, max_size=2), max_size=6),
    delimiter=st.sampled_from(",;\t|"),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-32", "utf-16-le"]),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
)
def test_what_the_csv_module_writes_comes_back(
    tmp_path: Path, rows: list[list[str]], delimiter: str, encoding: str, end: str
) -> None:
    """Whatever the cells hold, they come back in order, blank rows left out."""
    path = tmp_path / "round.csv"
    with path.open("w", encoding=encoding, newline="") as stream:
        writer = csv.writer(stream, delimiter=delimiter, lineterminator=end, quoting=csv.QUOTE_ALL)
        writer.writerow(["contact_id", "text"])
        writer.writerows(rows)

    head, back, _ = read(path, ReadOptions(encoding=encoding))

    assert head.headers == ("contact_id", "text")
    assert cells_of(back) == [tuple(row) for row in rows if "".join(row).strip()]


SEEDS = (
    'contact_id,name,note\n1,Peña,"two\nlines"\n2,"say ""hi""",x\n3,5" pipe,\n'.encode(),
    "sep=;\r\ncontact_id;name\r\n1;Müller\r\n2;Núñez\r\n".encode("cp1252"),
    "contact_id\tname\r1\tAna\r2\tEva\r".encode("utf-16"),
    "\ufeffcontact_id|name\n1|Ana\n\n2|Eva".encode("utf-16-be"),
    "contact_id\n1\n2\n".encode("utf-8-sig"),
)


def mutated(chance: random.Random) -> bytes:
    content = bytearray(chance.choice(SEEDS))
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(content) + 1)
        match chance.randrange(5):
            case 0:
                content[at : at + 1] = bytes([chance.randrange(256)])
            case 1:
                content[at:at] = chance.choice([b'"', b"\x00", b"\r", b"\n", b",", b"\xff\xfe"])
            case 2:
                del content[at : at + chance.randint(1, 9)]
            case 3:
                del content[at:]
            case _:
                content[at:at] = content[chance.randrange(len(content) + 1) :]
    return bytes(content)


def ending_of(path: Path) -> str:
    """Read the file or take its refusal, and check that either is whole."""
    try:
        head, rows, _ = read(path)
    except SheetRefused as refused:
        return refused.message
    numbers = [row.number for row in rows]
    assert numbers == sorted(set(numbers))
    assert {len(row.cells) for row in rows} <= {len(head.headers)}
    return ""


def test_mutations_end_in_a_reading_or_a_refusal(written: Written) -> None:
    """Seeded; DISPATCHER_FUZZ sets how many."""
    chance = random.Random(20_240_601)
    times = int(os.environ.get("DISPATCHER_FUZZ", "2000"))

    endings = [ending_of(written(mutated(chance))) for _ in range(times)]

    assert "" in endings
    assert any(endings)
    assert not any("\n" in message for message in endings)
