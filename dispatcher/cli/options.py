"""What can be asked for on the command line, as values."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class HiddenChoice(StrEnum):
    """What to do with rows the person does not see."""

    SKIP = "skip"
    INCLUDE = "include"


@dataclass(frozen=True, slots=True, kw_only=True)
class SheetOptions:
    """
    How a sheet is to be read: what ``check`` and ``run`` have in common.

    Attributes:
        path: The sheet, ``-`` for standard input, "" for none.
        config: Configuration file, or None to look for one.
        sheet: Name of the sheet in a workbook, "" to recognise.
        maps: ``FIELD=HEADER`` texts.
        encoding: Encoding of a CSV, "" to recognise.
        delimiter: Delimiter of a CSV, "" to recognise.
        header_row: Row of the header from 1, 0 to recognise.
        hidden: What to do with hidden rows, None for undecided.
        campaign: Campaign name as typed, or "".
        problems: Where to write the problem rows, or None.
        json: One JSON object on stdout instead of words.
    """

    path: str = ""
    config: Path | None = None
    sheet: str = ""
    maps: tuple[str, ...] = ()
    encoding: str = ""
    delimiter: str = ""
    header_row: int = 0
    hidden: HiddenChoice | None = None
    campaign: str = ""
    problems: Path | None = None
    json: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """
    What ``run`` is asked for, besides the sheet.

    Attributes:
        source: How the sheet is to be read.
        results: Where to write the results, or None for beside the sheet.
        ledger: Place of the ledger, or "".
        ledger_on_network: It may lie on a network file system.
        rate: As typed, or "".
        workers: As typed, "" or "0" for the configured number.
        agent_id: Default agent, or "".
        from_number_id: Default number, or "".
        limit: Most calls to start, 0 for all.
        stop_at: ``HH:MM``, or "".
        max_minutes: 0 for no bound.
        retry_rejected: Send rejected calls again.
        retry_unplaced: Send again what a person settled as not placed.
        accept_ids: The ids are right although they look wrong.
        accept_cut_row: The last row is whole although it looks cut.
        dry_run: Print the requests, send nothing.
        sandbox: Rehearse on the local stand-in.
        existing_ledger: Refuse to create a ledger.
        reconcile: Look first for what earlier runs left uncertain.
        quiet: No bar.
        yes: Do not ask.
    """

    source: SheetOptions
    results: Path | None = None
    ledger: str = ""
    ledger_on_network: bool = False
    rate: str = ""
    workers: str = ""
    agent_id: str = ""
    from_number_id: str = ""
    limit: int = 0
    stop_at: str = ""
    max_minutes: float = 0.0
    retry_rejected: bool = False
    retry_unplaced: bool = False
    accept_ids: bool = False
    accept_cut_row: bool = False
    dry_run: bool = False
    sandbox: bool = False
    existing_ledger: bool = False
    reconcile: bool = True
    quiet: bool = False
    yes: bool = False


_READING = "How the sheet is read"
_CALLS = "What is called"
_PACE = "Pace and end"
_PLACES = "Files"

SheetPath = Annotated[str, typer.Argument(metavar="SHEET", help="CSV or workbook; - for stdin.")]
OptionalSheet = Annotated[
    str, typer.Argument(metavar="[SHEET]", help="CSV or workbook; - for stdin.")
]
Campaign = Annotated[str, typer.Argument(metavar="CAMPAIGN", help="Name of the campaign.")]
Config = Annotated[
    Path | None,
    typer.Option(
        "--config",
        help="Configuration file; else config.yaml here, else beside the sheet.",
        rich_help_panel=_PLACES,
    ),
]
SheetName = Annotated[
    str, typer.Option("--sheet", help="Sheet of a workbook.", rich_help_panel=_READING)
]
Maps = Annotated[
    list[str] | None,
    typer.Option(
        "--map",
        metavar="FIELD=HEADER",
        help="Feed a field from a column, e.g. contact_id=Cliente (repeatable).",
        rich_help_panel=_READING,
    ),
]
Encoding = Annotated[
    str,
    typer.Option("--encoding", help="Encoding of a CSV, e.g. cp1252.", rich_help_panel=_READING),
]
Delimiter = Annotated[
    str, typer.Option("--delimiter", help="Delimiter of a CSV.", rich_help_panel=_READING)
]
HeaderRow = Annotated[
    int,
    typer.Option("--header-row", min=0, help="Row of the header.", rich_help_panel=_READING),
]
Hidden = Annotated[
    HiddenChoice | None,
    typer.Option("--hidden", help="Hidden rows: skip or include.", rich_help_panel=_READING),
]
CampaignName = Annotated[
    str,
    typer.Option("--campaign", help="Campaign name; else the file's name.", rich_help_panel=_CALLS),
]
Problems = Annotated[
    Path | None,
    typer.Option(
        "--problems", help="Write the rows with a problem to this sheet.", rich_help_panel=_PLACES
    ),
]
Json = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]
Ledger = Annotated[
    str,
    typer.Option(
        "--ledger",
        help="Ledger: a path or a database URL; else DISPATCHER_LEDGER, else one per user.",
        rich_help_panel=_PLACES,
    ),
]
LedgerOnNetwork = Annotated[
    bool,
    typer.Option(
        "--ledger-on-network",
        help="Accept a ledger on a network file system; then use it from one machine only.",
        rich_help_panel=_PLACES,
    ),
]
Sandbox = Annotated[
    bool, typer.Option("--sandbox", help="Rehearse on a local stand-in: nobody is called.")
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
Results = Annotated[
    Path | None,
    typer.Option(
        "--results",
        help="Results sheet; else beside the sheet: NAME.results.xlsx or .csv.",
        rich_help_panel=_PLACES,
    ),
]
Rate = Annotated[
    str,
    typer.Option("--rate", help="E.g. 100/minute, 5/second, unlimited.", rich_help_panel=_PACE),
]
Workers = Annotated[
    str,
    typer.Option(
        "--workers",
        metavar="N|auto",
        help="Concurrent senders; auto: as many as the pace needs.",
        rich_help_panel=_PACE,
    ),
]
AgentId = Annotated[
    str, typer.Option("--agent-id", help="Agent for rows without one.", rich_help_panel=_CALLS)
]
FromNumberId = Annotated[
    str,
    typer.Option(
        "--from-number-id", help="Number (its id) for rows without one.", rich_help_panel=_CALLS
    ),
]
Limit = Annotated[
    int,
    typer.Option("--limit", min=0, help="Start at most so many calls.", rich_help_panel=_PACE),
]
StopAt = Annotated[
    str,
    typer.Option(
        "--stop-at", metavar="HH:MM", help="Start no call after this.", rich_help_panel=_PACE
    ),
]
MaxMinutes = Annotated[
    float,
    typer.Option(
        "--max-minutes", min=0, help="Start no call after so long.", rich_help_panel=_PACE
    ),
]
RetryRejected = Annotated[
    bool,
    typer.Option(
        "--retry-rejected", help="Send unchanged rejected calls again.", rich_help_panel=_CALLS
    ),
]
RetryUnplaced = Annotated[
    bool,
    typer.Option(
        "--retry-unplaced",
        help="Send again what 'resolve --not-placed' settled.",
        rich_help_panel=_CALLS,
    ),
]
AcceptIds = Annotated[
    bool,
    typer.Option(
        "--accept-ids",
        help="The ids are right although they look wrong.",
        rich_help_panel=_READING,
    ),
]
AcceptCutRow = Annotated[
    bool,
    typer.Option(
        "--accept-cut-row",
        help="The last row is whole although it looks cut.",
        rich_help_panel=_READING,
    ),
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Print the requests that would be sent; send nothing.")
]
ExistingLedger = Annotated[
    bool,
    typer.Option(
        "--existing-ledger", help="Refuse to create a ledger (for cron).", rich_help_panel=_PLACES
    ),
]
NoReconcile = Annotated[
    bool,
    typer.Option(
        "--no-reconcile",
        help="Do not look first for what earlier runs left uncertain.",
        rich_help_panel=_CALLS,
    ),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")]
