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
from dispatcher.loader.legacy.answers import DONE, PROTECTED, READER, Blocks, Outline, Row
from dispatcher.loader.options import ReadOptions, Wanted
from dispatcher.loader.sheet import FileStamp, Sheet
from dispatcher.loader.workbook.cell_names import cell_name
from dispatcher.loader.workbook.choice import Candidate, choose_sheet
from dispatcher.loader.workbook.markup import judge_prologs
from dispatcher.loader.workbook.merges import Merge, with_merges
from dispatcher.loader.workbook.number_text import LONG_NUMBER
from dispatcher.loader.workbook.package import Package
from dispatcher.loader.workbook.refusal import protected
from dispatcher.loader.workbook.shaping import RawRow, data_rows, head_of
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
    source = _Source(path=path, file=file)
    candidates = list(source.candidates())
    chosen = choose_sheet(candidates, file=file, options=options, wanted=wanted)
    head = head_of(
        chosen.rows,
        file=file,
        format_name=format,
        sheet=chosen.name,
        options=options,
        wanted=wanted,
        remarks=(Remark(code="limited_format", message=_LIMITS),),
    )
    read = partial(_pass, source, candidates.index(chosen), head)
    return Sheet(head=head, read=read, path=path, stamp=stamp)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Source:
    """A file that a process of its own reads, anew for each pass."""

    path: Path
    file: str

    def candidates(self) -> Iterator[Candidate]:
        """Yield the sheets; one run of the process tells the first rows of all."""
        for index, answer in enumerate(self._ask()):
            name, visible, has_cells, first = cast(Outline, answer)
            rows = [_raw_row(row) for row in first]
            yield Candidate(
                name=name,
                visible=visible,
                has_cells=has_cells,
                rows=partial(self._begun, index, rows),
            )

    def rows(self, sheet: int, *, width: int) -> Iterator[RawRow]:
        """Yield the rows of a sheet with its merged cells marked as far as *width* columns."""
        answers = self._ask(str(sheet))
        merges = sorted(_merge(block) for block in cast(Blocks, next(answers)))
        rows = (_raw_row(cast(Row, answer)) for answer in answers)
        return with_merges(rows, merges, width=width, file=self.file)

    def _begun(self, sheet: int, first: list[RawRow]) -> Iterator[RawRow]:
        yield from first
        last = first[-1].number if first else 0
        yield from (row for row in self.rows(sheet, width=0) if row.number > last)

    def _ask(self, *sheet: str) -> Iterator[object]:
        """
        Run the process and yield its answers.

        Raises:
            SheetRefused: It could not read the file, or broke on it.
        """
        command = [sys.executable, "-P", "-m", READER, str(self.path.absolute()), *sheet]
        with subprocess.Popen(  # noqa: S603 our own module on the file that was named
            command,
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
            f"{self.file}: damaged workbook: it cannot be read, or needs far too much memory",
            hint="open it in Excel or LibreOffice and save it as .xlsx",
        )


def _pass(
    source: _Source, sheet: int, head: SheetHead, remarks: list[Remark]
) -> Iterator[SheetRow]:
    return data_rows(source.rows(sheet, width=len(head.headers)), head, remarks)


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


def _merge(block: list[int]) -> Merge:
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
