"""Collects the rows with a problem in a sheet that can be mended and fed back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path

from dispatcher.cli.reading import CampaignSheet
from dispatcher.cli.terminal import say
from dispatcher.model import CallRequest, CallStatus, PlannedRow, ResultRow, RowProblem
from dispatcher.planning import past_schedule
from dispatcher.report import headers_of, line_of


class ProblemSheet:
    """
    Writes the problem rows that pass, with why, when the pass has ended.

    It has the columns of a results sheet, so that none of them is taken for additional data when
    the mended sheet is fed back.

    Args:
        path: Where to, or None for nowhere.
        campaign: The sheet the rows come from.
    """

    def __init__(self, path: Path | None, campaign: CampaignSheet) -> None:
        self._path = path
        self._campaign = campaign
        self._lines: list[tuple[str, ...]] = []

    def watched(self, rows: Iterable[PlannedRow], *, now: datetime) -> Iterator[PlannedRow]:
        """Pass the rows on, and write the sheet after the last one."""
        if self._path is None:
            yield from rows
            return
        # Whoever wants no such sheet does not wait for what writes workbooks.
        from dispatcher.writer import target_for, write_table

        replaced = self._campaign.layout.result_columns
        for row in rows:
            if (problem := _problem(row, now)) is not None:
                self._lines.append(line_of(self._result(row, problem), result_columns=replaced))
            yield row
        head = self._campaign.sheet.head
        written = write_table(
            target_for(self._path.absolute(), delimiter=head.delimiter),
            headers_of(head.headers, result_columns=replaced),
            self._lines,
            mode_from=self._campaign.sheet.path,
            ours=_never_ours,
            never=(self._campaign.sheet.path,),
        )
        self._path = written.path

    def say_written(self) -> None:
        """Say where the problem rows are."""
        if self._path is not None:
            say(f"Rows with a problem: {self._path} ({len(self._lines)})")

    def _result(self, row: PlannedRow, problem: RowProblem) -> ResultRow:
        return ResultRow(
            number=row.number,
            cells=row.cells,
            status=CallStatus.INVALID,
            error_code=problem.code,
            error=problem.message,
            campaign=self._campaign.plan.campaign,
        )


def _never_ours(_path: Path, _digest: str) -> bool:
    return False  # somebody may be mending the last one


def _problem(row: PlannedRow, now: datetime) -> RowProblem | None:
    if isinstance(row.fate, CallRequest):
        return past_schedule(row.fate, now=now)
    return row.fate if isinstance(row.fate, RowProblem) else None
