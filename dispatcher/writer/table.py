"""Writes one table to its target: temporary file, sync, rename."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import assert_never

from dispatcher.writer.columns import Columns
from dispatcher.writer.csv_text import write_csv
from dispatcher.writer.place import (
    Ours,
    TableFormat,
    Target,
    Written,
    behind_link,
    digest_of,
    open_private,
    settle,
    sync,
    take_mode,
    temporary_beside,
)

Lines = Iterable[tuple[str, ...]]
Pairs = Sequence[tuple[str, str]]

_STATUS = "call_status"
_NUMBERS = ("call_http_status", "call_attempts", "source_row")


def make_ready(target: Target) -> None:
    """Load what writing this kind of sheet needs: at the end of a long run it may be gone."""
    if target.format is TableFormat.XLSX:
        import dispatcher.writer.workbook  # noqa: F401, PLC0415


def write_results(
    target: Target,
    headers: Sequence[str],
    lines: Lines,
    summary: Callable[[], Pairs],
    *,
    mode_from: Path | None,
    ours: Ours,
    never: Collection[Path] = (),
) -> Written:
    """
    Write the results sheet, and in a workbook a second sheet ``Summary``.

    Args:
        target: The wished place; a numbered sibling of it is taken where it is not ours to take.
        headers: The input's headers without result columns, then the ten of the results.
        lines: One tuple for each row, as wide as *headers*; consumed once, in constant memory.
        summary: Called once when all lines are through: the (label, text) rows of ``Summary``.
        mode_from: File whose permissions the results get, None for the owner's alone.
        ours: Told path and digest of an existing file, says whether we wrote exactly this.
        never: Files that are not overwritten whoever wrote them, above all the input.

    Raises:
        StorageFailed: it cannot be written, or a workbook cannot hold it; what was there before
            is untouched.
    """
    columns = Columns(
        status=_last_index(headers, _STATUS),
        numbers=frozenset(_last_index(headers, name) for name in _NUMBERS),
    )
    return _write(
        target,
        headers,
        lines,
        summary,
        columns=columns,
        mode_from=mode_from,
        ours=ours,
        never=never,
    )


def write_table(
    target: Target,
    headers: Sequence[str],
    lines: Lines,
    *,
    mode_from: Path | None,
    ours: Ours,
    never: Collection[Path] = (),
) -> Written:
    """
    Write any table of texts, e.g. the rows with a problem, by the same rules.

    Args:
        target: As for the results.
        headers: One for each column.
        lines: As wide as *headers*.
        mode_from: As for the results.
        ours: As for the results.
        never: As for the results.

    Raises:
        StorageFailed: it cannot be written, or a workbook cannot hold it.
    """
    return _write(
        target,
        headers,
        lines,
        None,
        columns=Columns(),
        mode_from=mode_from,
        ours=ours,
        never=never,
    )


def _write(
    target: Target,
    headers: Sequence[str],
    lines: Lines,
    summary: Callable[[], Pairs] | None,
    *,
    columns: Columns,
    mode_from: Path | None,
    ours: Ours,
    never: Collection[Path],
) -> Written:
    counted = _Counted(lines)
    wanted = behind_link(target.path)
    with temporary_beside(wanted) as temporary:
        with open_private(temporary) as file:
            match target.format:
                case TableFormat.CSV:
                    write_csv(file, headers, counted, delimiter=target.delimiter)
                case TableFormat.XLSX:
                    # openpyxl is a fifth of a start's time and memory; a CSV does without it.
                    from dispatcher.writer.workbook import write_workbook  # noqa: PLC0415

                    write_workbook(file, headers, counted, summary, columns=columns)
                case _:
                    assert_never(target.format)
            sync(file)
        take_mode(temporary, mode_from)
        digest = digest_of(temporary)
        place = settle(temporary, wanted, ours=ours, never=never)
    return Written(path=place, digest=digest, rows=counted.rows, is_beside=place != wanted)


class _Counted:
    """Lines that are counted as they pass."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines
        self.rows = 0

    def __iter__(self) -> Iterator[tuple[str, ...]]:
        for line in self._lines:
            self.rows += 1
            yield line


def _last_index(headers: Sequence[str], name: str) -> int:
    """Return the index of our column, -1 for none; ours stand behind the input's."""
    return max((i for i, header in enumerate(headers) if header == name), default=-1)
