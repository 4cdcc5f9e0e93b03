"""Opens an XLS, XLSB or ODS workbook and finds the sheet and the header that are meant."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, cast

from dispatcher.errors import SheetRefused
from dispatcher.loader.legacy.answers import DONE, PROTECTED, READER, Block, Outline, Row
from dispatcher.loader.options import ReadOptions, Wanted
from dispatcher.loader.sheet import FileStamp, Sheet
from dispatcher.loader.workbook.cell_names import cell_name
from dispatcher.loader.workbook.choice import Candidate, choose_sheet
from dispatcher.loader.workbook.markup import judge_prologs
from dispatcher.loader.workbook.merges import Merge, with_merges
from dispatcher.loader.workbook.number_text import LONG_NUMBER
from dispatcher.loader.workbook.package import Package
from dispatcher.loader.workbook.refusal import protected
from dispatcher.loader.workbook.shaping import (
    LOOK_AHEAD,
    Preview,
    RawRow,
    data_rows,
    head_of,
)
from dispatcher.model import Flaw, FlawKind, Remark, SheetHead, SheetRow

_XLS = "xls"  # the others are zip archives
_LIMITS = (
    "hidden rows and columns, number formats (percentages, leading zeros) and error cells such as"
    " #N/A (read as empty) cannot be seen in this format: save it as .xlsx to be sure"
)


def open_legacy(
    path: Path,
    *,
    file: str,
    format: str,  # noqa: A002 the loader speaks of formats
    options: ReadOptions,
    wanted: Wanted,
) -> Sheet:
    """
    Open a workbook of an older or foreign format.

    Args:
        path: Where the file is.
        file: The path as it was given, for messages.
        format: ``xls``, ``xlsb`` or ``ods``.
        options: What was said on the command line.
        wanted: Says whether a row has the required column.

    Raises:
        SheetRefused: It cannot be read, or it does not say which sheet or row is meant.
        OSError: It is not there or may not be read.
    """
    stamp = FileStamp.of(path)
    if format != _XLS:
        with Package(path, file=file) as package:
            judge_prologs(package)
    source = _Source(path=path, file=file, format=format)
    sheets = list(source.sheets())
    candidates = [sheet.candidate for sheet in sheets]
    chosen = choose_sheet(candidates, file=file, options=options, wanted=wanted)
    head = head_of(
        chosen.look(),
        file=file,
        format_name=format,
        sheet=chosen.name,
        options=options,
        wanted=wanted,
        remarks=(Remark(code="limited_format", message=_LIMITS),),
    )
    read = partial(_pass, sheets[candidates.index(chosen)], head)
    return Sheet(head=head, read=read, path=path, stamp=stamp)


@dataclass(frozen=True, slots=True, kw_only=True)
class _LegacySheet:
    """A sheet and its merged cells."""

    candidate: Candidate
    merges: tuple[Merge, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Source:
    """A file that a process of its own reads: once for all sheets, then for the rows of one."""

    path: Path
    file: str
    format: str

    def sheets(self) -> Iterator[_LegacySheet]:
        """Yield the sheets with their first rows."""
        for index, answer in enumerate(self._ask()):
            name, visible, has_cells, blocks, rows = cast(Outline, answer)
            preview = Preview(
                first=tuple(map(_raw_row, rows)),
                is_all=len(rows) < LOOK_AHEAD,
                again=partial(self._rows, index),
            )
            yield _LegacySheet(
                candidate=Candidate(
                    name=name, visible=visible, has_cells=has_cells, look=partial(_same, preview)
                ),
                merges=tuple(sorted(map(_merge, blocks))),
            )

    def _rows(self, sheet: int) -> Iterator[RawRow]:
        for answer in self._ask(str(sheet)):
            yield _raw_row(cast(Row, answer))

    def _ask(self, *sheet: str) -> Iterator[object]:
        """
        Run the process and yield its answers.

        Raises:
            SheetRefused: It could not read the file, or broke on it.
        """
        question = [str(self.path.absolute()), self.format, *sheet]
        with subprocess.Popen(  # noqa: S603 our own module on the file that was named
            [sys.executable, "-P", "-m", READER, *question],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": _search_path(), "PYTHONIOENCODING": "utf-8"},
        ) as process:
            try:
                yield from self._answers(cast("IO[bytes]", process.stdout))
            finally:
                process.kill()

    def _answers(self, lines: IO[bytes]) -> Iterator[object]:
        for line in lines:
            answer: object = json.loads(line)
            if not isinstance(answer, str):
                yield answer
            elif answer == DONE:
                return
            elif answer == PROTECTED:
                raise protected(self.file)
            else:
                break
        raise SheetRefused(
            f"{self.file}: damaged or protected workbook, or one that needs far too much memory",
            hint="open it in Excel or LibreOffice and save it as .xlsx",
        )


def _pass(sheet: _LegacySheet, head: SheetHead, remarks: list[Remark]) -> Iterator[SheetRow]:
    rows = sheet.candidate.look().rows()
    rows = with_merges(rows, sheet.merges, width=len(head.headers), file=head.file)
    return data_rows(rows, head, remarks)


def _same(preview: Preview) -> Preview:
    return preview


def _raw_row(row: Row) -> RawRow:
    number, cells, long = row
    flaws = tuple(
        Flaw(
            kind=FlawKind.LONG_NUMBER,
            column=column,
            message=f"{cell_name(column, number)} holds {LONG_NUMBER}",
        )
        for column in long
    )
    return RawRow(number=number, cells=cells, flaws=flaws)


def _merge(block: Block) -> Merge:
    first_row, first_column, last_row, last_column = block
    return Merge(
        first_row=first_row + 1,
        first_column=first_column,
        last_row=last_row + 1,
        last_column=last_column,
    )


def _search_path() -> str:
    """Return where the process finds our modules; the working folder stands as "" in our own."""
    return os.pathsep.join(entry or str(Path.cwd()) for entry in sys.path)
