"""
Mutated workbooks end in a reading or a refusal, never in anything else.

``DISPATCHER_FUZZ=5000 pytest tests/test_loader_workbook_fuzz.py`` tries that many.
"""

from __future__ import annotations

import io
import os
import random
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import openpyxl
import pytest
import xlsxwriter  # type: ignore[import-untyped]
import xlwt  # type: ignore[import-untyped]

from dispatcher.errors import SheetRefused
from dispatcher.loader.legacy import open_legacy
from dispatcher.loader.options import ReadOptions
from dispatcher.loader.workbook import open_workbook

MUTATIONS = int(os.environ.get("DISPATCHER_FUZZ", "3000"))
SHARDS = 4
PER_PROCESS = 100  # a process each: slow
XML_BITS = [b"<", b">", b'"', b"&", b"</row>", b"<c/>", b'r="1"', b't="s"', b"-1", b"\0", b"<!--"]


def by_xlsxwriter() -> bytes:
    target = io.BytesIO()
    with xlsxwriter.Workbook(target) as book:
        sheet = book.add_worksheet("Contacts")
        day = book.add_format({"num_format": "yyyy-mm-dd"})
        sheet.write_row(0, 0, ["id", "name", "due", "sum"])
        for row in range(1, 8):
            sheet.write_row(row, 0, [f"id{row}", "Añá 😀"])
            sheet.write_number(row, 2, 45_000 + row, day)
            sheet.write_formula(row, 3, "=1+1", value=2)
        sheet.merge_range("B9:C10", "merged")
        sheet.set_row(3, options={"hidden": True})
        book.add_worksheet("Other").hide()
    return target.getvalue()


def by_openpyxl() -> bytes:
    target = io.BytesIO()
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    for row in (["id", "note"], ["1", "a_x000D_"], [2.5, True], ["=A2", "#N/A"]):
        sheet.append(row)
    book.save(target)
    return target.getvalue()


def by_xlwt() -> bytes:
    target = io.BytesIO()
    book = xlwt.Workbook()
    sheet = book.add_sheet("A")
    for row in range(6):
        for column, value in enumerate(("id", 1.5, True)):
            sheet.write(row, column, value)
    book.save(target)
    return target.getvalue()


def mangled(chance: random.Random, content: bytes) -> bytes:
    """Flip, cut, double or insert a few bytes."""
    found = bytearray(content)
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(found) + 1)
        match chance.randrange(5):
            case 0:
                found[at : at + 1] = bytes([chance.randrange(256)])
            case 1:
                del found[at : at + chance.randint(1, 40)]
            case 2:
                found[at:at] = chance.choice(XML_BITS)
            case 3:
                found[at:at] = found[at : at + chance.randint(1, 200)]
            case _:
                digits = [i for i, byte in enumerate(found) if chr(byte).isdigit()] or [0]
                at = chance.choice(digits)
                found[at:at] = b"9" * chance.randint(1, 12)
        if not found:
            return b""
    return bytes(found)


def mutated(chance: random.Random, content: bytes) -> bytes:
    """Mutate a workbook: its bytes, its end, or the parts before they are packed again."""
    way = chance.randrange(5)
    if way == 0:
        return mangled(chance, content)
    if way == 1:
        return content[: chance.randrange(len(content))]
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    names = list(parts)
    one, other = chance.choice(names), chance.choice(names)
    if way == 2:
        parts[one], parts[other] = parts[other], parts[one]
    elif way == 3 and chance.random() < 0.3:
        del parts[one]
    else:
        parts[one] = mangled(chance, parts[one])
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for name, part in parts.items():
            archive.writestr(name, part)
    return target.getvalue()


def reads(path: Path, kind: str) -> bool:
    """Return whether a file could be read to its end; anything but a refusal is raised."""
    options = ReadOptions()
    try:
        if kind == "xlsx":
            sheet = open_workbook(path, file="f", options=options, wanted=wanted)
        else:
            sheet = open_legacy(path, file="f", format=kind, options=options, wanted=wanted)
        for row in sheet.rows():
            assert len(row.cells) == len(sheet.head.headers)
            "".join(row.cells).encode("utf-8")
    except SheetRefused as refusal:
        if "\n" in refusal.message + refusal.hint:
            raise
        return False
    return True


def wanted(cells: Sequence[str]) -> bool:
    return "id" in cells


@pytest.mark.parametrize("shard", range(SHARDS))
@pytest.mark.parametrize("write", [by_xlsxwriter, by_openpyxl])
def test_mutated_workbooks_are_read_or_refused(
    tmp_path: Path, write: Callable[[], bytes], shard: int
) -> None:
    chance = random.Random(f"{write.__name__} {shard}")
    content = write()
    path = tmp_path / "book.xlsx"
    path.write_bytes(content)
    assert reads(path, "xlsx")

    for _ in range(MUTATIONS // (2 * SHARDS)):
        path.write_bytes(mutated(chance, content))
        reads(path, "xlsx")


def test_mutated_workbooks_of_an_old_format_are_read_or_refused(tmp_path: Path) -> None:
    chance = random.Random("xls")
    content = by_xlwt()
    path = tmp_path / "book.xls"
    path.write_bytes(content)
    assert reads(path, "xls")

    for _ in range(MUTATIONS // PER_PROCESS):
        path.write_bytes(mangled(chance, content))
        reads(path, "xls")
