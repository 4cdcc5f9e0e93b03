"""Puts a sheet into the ledger as a snapshot, once nothing about it is undecided."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from dispatcher.cli.options import RunOptions
from dispatcher.cli.problems import ProblemSheet
from dispatcher.cli.reading import STANDARD_INPUT, CampaignSheet
from dispatcher.errors import SheetRefused, UsageProblem
from dispatcher.ledger import Ledger
from dispatcher.model import Campaign, PlannedRow, Snapshot, SnapshotHead
from dispatcher.planning import HiddenRows, request_digest

_IDS_LOOK_WRONG = "ids_look_wrong"
_LAST_ROW_CUT = "last_row_cut"


@contextmanager
def forgotten_if_refused(ledger: Ledger, campaign: Campaign) -> Iterator[None]:
    """Leave no empty campaign in the ledger when the block refuses its first sheet."""
    try:
        yield
    except (SheetRefused, UsageProblem):
        if ledger.last_snapshot(campaign.id) is None:
            ledger.forget(campaign.id)
        raise


def record(
    ledger: Ledger,
    campaign: Campaign,
    sheet: CampaignSheet,
    options: RunOptions,
    *,
    at: datetime,
) -> Snapshot:
    """
    Return the snapshot of the sheet: the last one if nothing changed, else a new one.

    Raises:
        SheetRefused: the sheet cannot be read exactly, or something about it is undecided.
        StorageFailed: the ledger cannot be written.
    """
    head = _head_of(sheet)
    last = ledger.last_snapshot(campaign.id)
    same = last is not None and (last.head.digest, last.head.settings_digest) == (
        head.digest,
        head.settings_digest,
    )
    if last is not None and same and options.source.problems is None:
        return last
    return ledger.record(
        campaign.id,
        head,
        _decided(sheet, options, at),
        digest_of=request_digest,
        remarks=lambda: tuple((r.code, r.message) for r in sheet.remarks()),
        at=at,
    )


def _head_of(sheet: CampaignSheet) -> SnapshotHead:
    head = sheet.sheet.head
    is_file = head.file != STANDARD_INPUT
    return SnapshotHead(
        file=str(Path(head.file).absolute()) if is_file else STANDARD_INPUT,
        digest=sheet.sheet.digest(),
        settings_digest=sheet.settings_digest(),
        format=head.format,
        sheet=head.sheet,
        encoding=head.encoding,
        delimiter=head.delimiter,
        headers=head.headers,
        result_columns=sheet.layout.result_columns,
    )


def _decided(sheet: CampaignSheet, options: RunOptions, now: datetime) -> Iterator[PlannedRow]:
    """
    Yield the rows; after the last one, refuse what a person has to decide first.

    The refusal leaves the recording incomplete, so nothing of it counts.
    """
    problems = ProblemSheet(options.source.problems, sheet)
    yield from problems.watched(sheet.planned(), now=now)
    problems.say_written()
    refuse_undecided(sheet, options)


def refuse_undecided(sheet: CampaignSheet, options: RunOptions) -> None:
    """
    Refuse a sheet whose rows have all been planned and of which something is undecided.

    Raises:
        SheetRefused: hidden rows, ids that look wrong, or a last row that looks cut.
    """
    file = sheet.sheet.head.file
    if sheet.hidden_rows and sheet.plan.hidden is HiddenRows.UNDECIDED:
        raise SheetRefused(
            f"{file}: {sheet.hidden_rows} of {sheet.rows} rows are hidden (filtered or by hand)",
            hint="say what to do with them: --hidden skip, or --hidden include",
        )
    for remark in sheet.remarks():
        if remark.code == _IDS_LOOK_WRONG and not options.accept_ids:
            raise SheetRefused(
                f"{file}: {remark.message}", hint="if they are right all the same: --accept-ids"
            )
        if remark.code == _LAST_ROW_CUT and not options.accept_cut_row:
            raise SheetRefused(
                f"{file}: {remark.message}",
                hint="get the whole file; if the row is whole all the same: --accept-cut-row",
            )
