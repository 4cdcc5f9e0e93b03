"""Opens a sheet as a campaign: what was recognised, the plan of its rows, what is doubtful."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import SpooledTemporaryFile

from dispatcher.cli.options import HiddenChoice, SheetOptions
from dispatcher.config import Settings, find_config, load_settings, plan_settings
from dispatcher.errors import SheetRefused, StorageFailed, UsageProblem
from dispatcher.loader import ReadOptions, Sheet, open_sheet
from dispatcher.model import PlannedRow, Remark, SheetHead, SheetRow
from dispatcher.planning import (
    Claims,
    HiddenRows,
    Layout,
    PlanSettings,
    SheetWatch,
    campaign_name,
    carried_campaigns,
    claim_carried,
    lay_out,
    plan_rows,
    wanted_headers,
)

STANDARD_INPUT = "-"

_CLAIMS_IN_MEMORY = 1 << 20  # bytes; those of larger sheets go to a temporary file


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundSettings:
    """
    The configuration in force.

    Attributes:
        settings: Environment, file and defaults.
        path: The file they come from, or None.
    """

    settings: Settings
    path: Path | None


def find_settings(
    config: Path | None, *, sheet: str = "", environment: Mapping[str, str] = os.environ
) -> FoundSettings:
    """
    Load the named configuration, else the one of the working folder or beside the sheet.

    Raises:
        UsageProblem: it names file, line and key.
    """
    beside = Path(sheet) if sheet not in ("", STANDARD_INPUT) else None
    path = config or find_config(Path.cwd(), beside)
    return FoundSettings(settings=load_settings(path, environment=environment), path=path)


def pairs_of(maps: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """
    Turn ``FIELD=HEADER`` texts into pairs.

    Raises:
        UsageProblem: a text without ``=``.
    """
    pairs = []
    for text in maps:
        field, equals, header = text.partition("=")
        if not equals or not field.strip() or not header.strip():
            raise UsageProblem(
                f"--map {text!r} is not FIELD=HEADER", hint="e.g. --map contact_id=Cliente"
            )
        pairs.append((field.strip(), header))
    return tuple(pairs)


class CampaignSheet:
    """
    A sheet opened as a campaign.

    Attributes:
        sheet: The open sheet.
        plan: The settings its rows are planned by.
        layout: What each column is for.
        watch: What is doubtful about the rows; complete once ``planned`` has been read.
        rows: Data rows, counted so far by ``planned``.
        hidden_rows: Those the person does not see.
    """

    def __init__(self, sheet: Sheet, plan: PlanSettings, layout: Layout) -> None:
        self.sheet = sheet
        self.plan = plan
        self.layout = layout
        self.watch = SheetWatch(layout)
        self.rows = 0
        self.hidden_rows = 0

    def planned(self) -> Iterator[PlannedRow]:
        """
        Plan the rows: one pass over the file, two over a results sheet.

        Raises:
            SheetRefused: a row cannot be read exactly.
            StorageFailed: there is no room to note which calls the rows claim.
        """
        self.watch = SheetWatch(self.layout)
        self.rows = self.hidden_rows = 0
        try:
            with SpooledTemporaryFile(max_size=_CLAIMS_IN_MEMORY) as file:
                yield from self._planned(Claims(file))
        except OSError as error:  # those of the sheet have become refusals
            raise StorageFailed(
                f"a temporary file could not be written or read ({error.strerror})",
                hint="make room for it, or name another folder in TMPDIR",
            ) from error

    def settings_digest(self) -> str:
        """Hash of all that shapes how this file becomes calls: how it is read, and planned."""
        head = self.sheet.head
        read = (head.sheet, head.encoding, head.delimiter, str(head.header_row))
        return hashlib.sha256("\0".join((*read, self.plan.digest())).encode()).hexdigest()

    def remarks(self) -> tuple[Remark, ...]:
        """Say what is doubtful; complete once ``planned`` has been read."""
        return (
            *self.sheet.head.remarks,
            *self.layout.remarks,
            *self.sheet.remarks(),
            *self.watch.remarks(),
        )

    def _planned(self, claims: Claims) -> Iterator[PlannedRow]:
        if self.layout.is_results_sheet:
            claim_carried(self.sheet.rows(), self.layout, self.plan, claims)
        for row in plan_rows(self._counted(), self.layout, self.plan, claims):
            self.watch.see(row)
            yield row

    def _counted(self) -> Iterator[SheetRow]:
        for row in self.sheet.rows():
            self.rows += 1
            self.hidden_rows += row.hidden
            yield row


@contextmanager
def opened(options: SheetOptions, settings: Settings) -> Iterator[CampaignSheet]:
    """
    Open the sheet and decide what its columns are for.

    Args:
        options: How it is to be read.
        settings: With the options of the command line in front, ``--map`` included.

    Raises:
        SheetRefused: it cannot be read as a campaign.
        UsageProblem: an option does not fit it.
    """
    read = ReadOptions(
        sheet=options.sheet,
        encoding=options.encoding,
        delimiter=options.delimiter,
        header_row=options.header_row,
    )
    wanted = wanted_headers(settings.columns)
    with open_sheet(options.path, options=read, wanted=wanted) as sheet:
        plan = plan_settings(settings, campaign="", hidden=_hidden(options.hidden))
        layout = _laid_out(sheet.head, plan)
        name = _name(options, sheet, layout)
        yield CampaignSheet(sheet, replace(plan, campaign=name), layout)


def _laid_out(head: SheetHead, plan: PlanSettings) -> Layout:
    """Lay out the columns; whoever does that knows no files, so the name comes in here."""
    try:
        return lay_out(head, plan)
    except SheetRefused as refusal:
        raise SheetRefused(f"{head.file}: {refusal.message}", hint=refusal.hint) from refusal


def _hidden(choice: HiddenChoice | None) -> HiddenRows:
    return HiddenRows.UNDECIDED if choice is None else HiddenRows(choice)


def _name(options: SheetOptions, sheet: Sheet, layout: Layout) -> str:
    if options.campaign:
        return campaign_name(options.campaign)
    carried = carried_campaigns(sheet.rows(), layout) if layout.is_results_sheet else frozenset()
    if len(carried) > 1:
        raise UsageProblem(
            f"{options.path}: its rows belong to {len(carried)} campaigns "
            f"({', '.join(sorted(carried)[:5])})",
            hint="name the one to go on with: --campaign NAME",
        )
    if carried:
        return campaign_name(next(iter(carried)))
    if options.path == STANDARD_INPUT:
        return "stdin"
    return campaign_name(Path(options.path).stem)
