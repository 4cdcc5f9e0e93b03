"""
Writes a campaign sheet of twelve columns, the same one for the same number of rows.

``python tests/benchmarks/sheets.py csv|xlsx ROWS PATH``
"""

from __future__ import annotations

import csv
import random
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import IO
from xml.sax.saxutils import escape
from zipfile import ZIP_DEFLATED, ZipFile

_SEED = 20260101
_HEADERS = (
    "contact_id",
    "name",
    "phone",
    "email",
    "product",
    "city",
    "policy",
    "amount",
    "days_late",
    "instalments",
    "due_date",
    "note",
)
_FIRST = ("Ana", "Luis", "Marta", "José", "Lucía", "Pedro", "Sofía", "Juan", "Inés", "Raúl")
_LAST = ("Pérez", "Gómez", "Díaz", "Ruiz", "Sosa", "Vega", "Núñez", "Ríos", "Castro", "Molina")
_CITIES = ("Córdoba", "Rosario", "Salta", "Mendoza", "La Plata", "Santa Fe")
_NOTES = ("llamar de tarde", "prefiere WhatsApp & correo", "", "", "")

# What stands in the cells of an XLSX: shared text, number, amount of two decimals, date.
_KINDS = "sssssssmnnds"
_STYLES = {"n": "", "m": ' s="1"', "d": ' s="2"'}
_LETTERS = "ABCDEFGHIJKL"
_FIRST_DATE = 46023  # 2026-01-01 as Excel counts days
_LEVEL = 1  # of compression: only how long the sheet takes to write depends on it
_CHUNK = 500  # rows

_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_ABOUT = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_PARTS = {
    "[Content_Types].xml": f'<Types xmlns="{_PACKAGE}/content-types">'
    '<Default Extension="rels" '
    'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    f'<Override PartName="/xl/workbook.xml" ContentType="{_ABOUT}.sheet.main+xml"/>'
    f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{_ABOUT}.worksheet+xml"/>'
    f'<Override PartName="/xl/styles.xml" ContentType="{_ABOUT}.styles+xml"/>'
    f'<Override PartName="/xl/sharedStrings.xml" ContentType="{_ABOUT}.sharedStrings+xml"/>'
    "</Types>",
    "_rels/.rels": f'<Relationships xmlns="{_PACKAGE}/relationships">'
    f'<Relationship Id="rId1" Type="{_OFFICE}/officeDocument" Target="xl/workbook.xml"/>'
    "</Relationships>",
    "xl/workbook.xml": f'<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}"><sheets>'
    '<sheet name="Clientes" sheetId="1" r:id="rId1"/></sheets></workbook>',
    "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{_PACKAGE}/relationships">'
    f'<Relationship Id="rId1" Type="{_OFFICE}/worksheet" Target="worksheets/sheet1.xml"/>'
    f'<Relationship Id="rId2" Type="{_OFFICE}/styles" Target="styles.xml"/>'
    f'<Relationship Id="rId3" Type="{_OFFICE}/sharedStrings" Target="sharedStrings.xml"/>'
    "</Relationships>",
    "xl/styles.xml": f'<styleSheet xmlns="{_MAIN}"><fonts count="1"><font/></fonts>'
    '<fills count="1"><fill><patternFill patternType="none"/></fill></fills>'
    '<borders count="1"><border/></borders>'
    '<cellStyleXfs count="1"><xf/></cellStyleXfs><cellXfs count="3"><xf numFmtId="0"/>'
    '<xf numFmtId="2" applyNumberFormat="1"/><xf numFmtId="14" applyNumberFormat="1"/></cellXfs>'
    '<cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles>'
    "</styleSheet>",
}


def rows(count: int) -> Iterator[tuple[str, ...]]:
    """Make the rows: the text of each cell; a date as Excel's number of days."""
    chance = random.Random(_SEED)
    for number in range(count):
        yield (
            str(uuid.UUID(int=chance.getrandbits(128), version=4)),
            f"{chance.choice(_FIRST)} {chance.choice(_FIRST)} {chance.choice(_LAST)}",
            f"+54911{chance.randrange(10**8):08}",
            f"cliente{number}@example.com",
            f"Plan {chance.choice('ABCD')}",
            chance.choice(_CITIES),
            f"P-{number // 4:07}",
            f"{chance.randrange(1, 10**7) / 100:.2f}",
            str(chance.randrange(365)),
            str(chance.randrange(1, 37)),
            str(_FIRST_DATE + chance.randrange(365)),
            chance.choice(_NOTES),
        )


def write_csv(path: Path, count: int) -> None:
    """Write the sheet as UTF-8 with commas."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(_HEADERS)
        for row in rows(count):
            date = f"2026-{int(row[10]) % 12 + 1:02}-{int(row[10]) % 28 + 1:02}"
            writer.writerow((*row[:10], date, row[11]))


def write_xlsx(path: Path, count: int) -> None:
    """Write the sheet as Excel does: texts shared, a style for each date and amount."""
    with ZipFile(path, "w", ZIP_DEFLATED, compresslevel=_LEVEL) as archive, _texts() as texts:
        for name, part in _PARTS.items():
            archive.writestr(name, part)
        with archive.open("xl/worksheets/sheet1.xml", "w", force_zip64=True) as sheet:
            sheet.write(f'<worksheet xmlns="{_MAIN}"><sheetData>'.encode())
            _write_in_chunks(sheet, _rows_of_xml(count, _Shared(texts).index))
            sheet.write(b"</sheetData></worksheet>")
        texts.seek(0)
        with archive.open("xl/sharedStrings.xml", "w", force_zip64=True) as shared:
            shared.write(f'<sst xmlns="{_MAIN}">'.encode())
            _write_in_chunks(shared, texts)
            shared.write(b"</sst>")


def _texts() -> IO[str]:
    return tempfile.TemporaryFile("w+", encoding="utf-8")


class _Shared:
    """Numbers the texts: each unique one is written when it first comes."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file
        self._numbers: dict[str, int] = {}

    def index(self, text: str) -> int:
        number = self._numbers.get(text)
        if number is None:
            number = self._numbers[text] = len(self._numbers)
            self._file.write(f"<si><t>{escape(text)}</t></si>\n")
        return number


def _rows_of_xml(count: int, index: Callable[[str], int]) -> Iterator[str]:
    yield _row_of_xml(1, _HEADERS, "s" * len(_HEADERS), index)
    for number, row in enumerate(rows(count), 2):
        yield _row_of_xml(number, row, _KINDS, index)


def _row_of_xml(number: int, row: tuple[str, ...], kinds: str, index: Callable[[str], int]) -> str:
    cells = []
    for letter, kind, text in zip(_LETTERS, kinds, row, strict=True):
        if kind != "s":
            cells.append(f'<c r="{letter}{number}"{_STYLES[kind]}><v>{text}</v></c>')
        elif text:
            cells.append(f'<c r="{letter}{number}" t="s"><v>{index(text)}</v></c>')
    return f'<row r="{number}">{"".join(cells)}</row>'


def _write_in_chunks(part: IO[bytes], pieces: Iterable[str]) -> None:
    rest = iter(pieces)
    while chunk := "".join(islice(rest, _CHUNK)):
        part.write(chunk.encode())


if __name__ == "__main__":
    _, form, wanted, target = sys.argv
    {"csv": write_csv, "xlsx": write_xlsx}[form](Path(target), int(wanted))
