"""``run --dry-run``: the requests that would be sent, without network and without a trace."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice

from dispatcher.cli.options import RunOptions
from dispatcher.cli.reading import CampaignSheet
from dispatcher.cli.recording import refuse_undecided
from dispatcher.cli.terminal import counted, one_line, put, put_json, say
from dispatcher.config import Settings
from dispatcher.errors import UsageProblem
from dispatcher.ledger import DueRules, Ledger, Prospect, read_ledger
from dispatcher.model import CallRequest, PlannedRow, Purpose
from dispatcher.planning import DelayMode, body_of, campaign_name, past_schedule, request_digest
from dispatcher.policy import STOPPING_CODES

_AT_ONCE = 500


def show_requests(
    options: RunOptions,
    sheet: CampaignSheet | None,
    settings: Settings,
    *,
    place: str,
    purpose: Purpose,
) -> int:
    """
    Print the requests that a run would send now, one a line.

    Whoever the ledger says was called, or may have been, is not among them.

    Returns:
        0.

    Raises:
        SheetRefused: the sheet cannot be read exactly, or something about it is undecided.
        UsageProblem: the ledger is for the other purpose, or knows no such campaign.
    """
    now = datetime.now(tz=UTC)
    ledger = _ledger(options, place, purpose)
    if sheet is not None:
        for _ in sheet.planned():
            pass
        refuse_undecided(sheet, options)
    rules = DueRules(
        retry_unplaced=options.retry_unplaced,
        retry_rejected=options.retry_rejected,
        stopping_codes=STOPPING_CODES,
    )
    requests = _requests(options, sheet, settings, ledger=ledger, rules=rules, now=now)
    in_time = (request for request in requests if past_schedule(request, now=now) is None)
    name = sheet.plan.campaign if sheet else campaign_name(options.source.campaign)
    shown = 0
    for request in islice(in_time, options.limit or None):
        shown += 1
        delay = DelayMode(settings.api.delay)
        body = body_of(request, campaign=name, now=now, delay=delay).decode()
        if options.source.json:
            put_json(body)
        else:
            put(one_line(f"row {request.row}: {body}"))
    would = counted(shown, "request")
    say(f"Dry run: {would} would be sent. Nothing was sent, nothing was written.")
    return 0


def _ledger(options: RunOptions, place: str, purpose: Purpose) -> Ledger | None:
    ledger = read_ledger(place, allow_network=options.ledger_on_network) if place else None
    if ledger is None and options.existing_ledger:
        raise UsageProblem(f"there is no ledger at {place}", hint="name it with --ledger")
    if ledger is not None and ledger.purpose is not purpose:
        kept_for = "rehearsals" if ledger.purpose is Purpose.SANDBOX else "real calls"
        raise UsageProblem(
            f"the ledger {ledger.location} is for {kept_for}", hint="name another with --ledger"
        )
    return ledger


def _requests(
    options: RunOptions,
    sheet: CampaignSheet | None,
    settings: Settings,
    *,
    ledger: Ledger | None,
    rules: DueRules,
    now: datetime,
) -> Iterator[CallRequest]:
    if sheet is None:
        yield from _recorded(options, settings, ledger=ledger, rules=rules, now=now)
        return
    chunk: list[CallRequest] = []
    for request in _callable(sheet.planned()):
        chunk.append(request)
        if len(chunk) == _AT_ONCE:
            yield from _unsent(chunk, settings, ledger=ledger, rules=rules, now=now)
            chunk = []
    yield from _unsent(chunk, settings, ledger=ledger, rules=rules, now=now)


def _recorded(
    options: RunOptions,
    settings: Settings,
    *,
    ledger: Ledger | None,
    rules: DueRules,
    now: datetime,
) -> Iterator[CallRequest]:
    name = campaign_name(options.source.campaign)
    campaign = ledger.campaign(name) if ledger else None
    snapshot = ledger.last_snapshot(campaign.id) if ledger and campaign else None
    if ledger is None or snapshot is None:
        raise UsageProblem(f'no campaign "{name}" is recorded')
    hours = settings.repeat_after_hours
    for call in ledger.due(snapshot, rules, repeat_after_hours=hours, as_of=now):
        yield call.request


def _prospect(request: CallRequest) -> Prospect:
    return Prospect(
        key=request.key, contact=request.contact, request_digest=request_digest(request)
    )


def _callable(rows: Iterator[PlannedRow]) -> Iterator[CallRequest]:
    return (row.fate for row in rows if isinstance(row.fate, CallRequest))


def _unsent(
    requests: list[CallRequest],
    settings: Settings,
    *,
    ledger: Ledger | None,
    rules: DueRules,
    now: datetime,
) -> Iterator[CallRequest]:
    if ledger is None:
        yield from requests
        return
    sendable = ledger.sendable(
        [_prospect(request) for request in requests],
        rules,
        repeat_after_hours=settings.repeat_after_hours,
        as_of=now,
    )
    yield from (request for request in requests if request.key in sendable)
