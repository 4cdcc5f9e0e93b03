"""The sample sheets are what their README says they are."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from uuid import UUID

import pytest
from openpyxl import load_workbook
from openpyxl.worksheet.worksheet import Worksheet

from dispatcher.sandbox import FaultKind, load_faults

FOLDER = Path(__file__).parents[1] / "sample_data"
README = (FOLDER / "README.md").read_text("utf-8")
HEADERS = [
    "contact_id",
    "nombre",
    "documento",
    "producto",
    "monto_adeudado",
    "fecha_vencimiento",
    "cuotas_vencidas",
    "sucursal",
]
ID, AMOUNT, DUE = 0, 4, 5
BLANK_ROW = 25


def _csv_rows(name: str) -> list[list[str]]:
    with (FOLDER / name).open(encoding="utf-8-sig", newline="") as lines:
        return list(csv.reader(lines, delimiter=";"))


def _sheet(name: str) -> Worksheet:
    book = load_workbook(FOLDER / name)
    assert len(book.worksheets) == 1
    return book.worksheets[0]


def _xlsx_rows(name: str) -> list[list[object]]:
    return [list(row) for row in _sheet(name).iter_rows(values_only=True)]


def _amount(text: str) -> float:
    return float(text.replace(".", "").replace(",", "."))


def test_each_sample_has_its_line_in_the_readme() -> None:
    samples = {"campaign.xlsx", "campaign.csv", "awkward.xlsx", "awkward.csv", "faults.yaml"}

    assert samples <= {path.name for path in FOLDER.iterdir()}
    assert all(f"| `{name}` |" in README for name in samples)


def test_the_csv_is_as_excel_saves_it_in_argentina() -> None:
    content = (FOLDER / "campaign.csv").read_bytes()

    assert content.startswith(b"\xef\xbb\xbfcontact_id;nombre;")
    assert content.count(b"\r\n") == content.count(b"\n") == 42
    assert content.splitlines()[BLANK_ROW - 1] == b";;;;;;;"
    assert ";14.058,10;" in content.decode("utf-8-sig")
    assert {"ñ", "á", "Ó"} <= set(content.decode("utf-8-sig"))


def test_the_campaign_has_40_contacts_with_uuids_of_their_own() -> None:
    head, *rows = _csv_rows("campaign.csv")
    ids = [row[ID] for row in rows if any(row)]

    assert head == HEADERS
    assert len(ids) == len(set(ids)) == 40
    assert all(str(UUID(contact_id)) == contact_id for contact_id in ids)


def test_the_workbook_holds_the_same_campaign_in_real_numbers_and_dates() -> None:
    texts, values = _csv_rows("campaign.csv"), _xlsx_rows("campaign.xlsx")
    other = [index for index in range(len(HEADERS)) if index not in (AMOUNT, DUE)]

    assert values[0] == texts[0]
    assert values[BLANK_ROW - 1] == [None] * len(HEADERS)
    for text, value in zip(texts[1:], values[1:], strict=True):
        if not any(text):
            continue
        assert [str(value[index]) for index in other] == [text[index] for index in other]
        assert value[AMOUNT] == _amount(text[AMOUNT])
        due = value[DUE]
        assert isinstance(due, datetime)
        assert due.strftime("%d/%m/%Y") == text[DUE]


def test_amounts_and_dates_of_the_workbook_look_as_they_do_there() -> None:
    sheet = _sheet("campaign.xlsx")

    assert {cell.number_format for cell in sheet["E"][1:] if cell.value} == {"#,##0.00"}
    assert {cell.number_format for cell in sheet["F"][1:] if cell.value} == {"dd/mm/yyyy"}


@pytest.mark.parametrize(
    ("name", "shortened", "error"),
    [("awkward.csv", "5,49116E+15", "#N/D"), ("awkward.xlsx", 5491155512345678, "#N/A")],
)
def test_the_awkward_rows_stand_where_the_readme_says(
    name: str, shortened: object, error: str
) -> None:
    rows: Sequence[Sequence[object]]
    rows = _csv_rows(name) if name.endswith("csv") else _xlsx_rows(name)
    by_number: dict[int, Sequence[object]] = dict(enumerate(rows, start=1))

    assert len(rows) == 13
    assert by_number[5] == by_number[2]
    assert not by_number[7][ID]
    assert by_number[9][ID] == shortened
    assert by_number[11][AMOUNT] == error
    assert len({row[ID] for row in rows}) == 12


def test_only_row_12_of_the_awkward_workbook_is_hidden() -> None:
    hidden = [row for row, look in _sheet("awkward.xlsx").row_dimensions.items() if look.hidden]

    assert hidden == [12]
    assert _sheet("awkward.xlsx")["E11"].data_type == "e"


def test_the_faults_are_those_of_ten_contacts_of_the_campaign() -> None:
    faults = load_faults(FOLDER / "faults.yaml")
    ids = {row[ID] for row in _csv_rows("campaign.csv")}
    named = faults.unknown_contacts | faults.contacts.keys()
    spoiled = {fault.kind for each in faults.contacts.values() for fault in each}

    assert len(named) == 10
    assert named <= ids
    assert {FaultKind.CLOSED_BEFORE, FaultKind.CUT, FaultKind.NO_CALL_ID} <= spoiled


def test_the_commented_part_of_the_faults_file_is_valid_too(tmp_path: Path) -> None:
    text = (FOLDER / "faults.yaml").read_text("utf-8")
    example = text[text.index("# by_chance:") :]
    path = tmp_path / "faults.yaml"
    path.write_text("".join(line.removeprefix("# ") for line in example.splitlines(keepends=True)))

    assert len(load_faults(path).by_chance) == 2
