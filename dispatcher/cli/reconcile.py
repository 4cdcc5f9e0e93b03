"""``reconcile``: what the API's list of calls says of those whose answer was lost."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from dispatcher.cli import emergency
from dispatcher.cli.campaigns import as_typed, existing_ledger, ledger_place, rewrite_results
from dispatcher.cli.job import Job, unknown_campaign
from dispatcher.cli.reading import find_settings
from dispatcher.cli.terminal import counted, one_line, put_json, say
from dispatcher.cli.tracing import Finding, settle_traced
from dispatcher.client import Client
from dispatcher.config import Settings, read_api_key
from dispatcher.errors import DispatcherError, UsageProblem
from dispatcher.ledger import Ledger
from dispatcher.model import Campaign, Purpose
from dispatcher.planning import campaign_name
from dispatcher.policy import ListedCall, TraceKind, TraceRules

_UNCERTAIN_LEFT = 5
_MOST_BEFORE_A_RUN = 20  # what the API's list gives in a minute
_IDS_SHOWN = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconcileOptions:
    """
    What ``reconcile`` is asked for.

    Attributes:
        campaign: Name as typed.
        settle_minutes: How long a call may take to appear in the list.
        ledger: Place of the ledger, or "".
        ledger_on_network: It may lie on a network file system.
        config: Configuration file, or None.
        json: One JSON object on stdout.
    """

    campaign: str
    settle_minutes: float
    ledger: str = ""
    ledger_on_network: bool = False
    config: Path | None = None
    json: bool = False


def reconcile_campaign(options: ReconcileOptions) -> int:
    """
    Look for all uncertain calls of a campaign, and settle those that are found.

    Returns:
        0, or 5 when some are still uncertain.

    Raises:
        UsageProblem: no such campaign, another base URL, a ledger of rehearsals, a refused key.
        CampaignHeld: a run is live.
        LookUpFailed: the API does not answer as documented.
        StorageFailed: ledger or results could not be written.
    """
    settings = find_settings(options.config).settings
    place = ledger_place(options.ledger, settings)
    with existing_ledger(place, on_network=options.ledger_on_network) as ledger:
        campaign = _campaign(ledger, options.campaign, settings)
        name = as_typed(campaign.name, ledger, settings)
        key = read_api_key(os.environ).reveal()
        findings: list[Finding] = []
        try:
            with ledger.holding.hold(campaign.name):
                emergency.take_in(ledger, campaign)
                ledger.settle_left_over(campaign.id, at=datetime.now(tz=UTC))
                settle_traced(
                    ledger,
                    campaign,
                    ledger.doubts.of(campaign.id),
                    settings=settings,
                    connect=lambda: _client(settings, key),
                    rules=TraceRules(settle_seconds=options.settle_minutes * 60),
                    tell=lambda finding: _tell(finding, name, into=findings),
                )
        finally:
            # Also after a look-up that failed: what was found before it stands.
            results = _results(ledger, campaign, settings) if findings else ""
        left = len(ledger.doubts.of(campaign.id))
    placed = sum(finding.is_placed for finding in findings)
    if options.json:
        told = _as_json(campaign, findings, left=left, results=results)
        put_json(json.dumps(told, ensure_ascii=False))
    if findings:
        say(f"Found and now placed: {placed} of {counted(len(findings), 'uncertain call')}.")
    else:
        say(one_line(f'Campaign "{campaign.name}" has no uncertain calls.'))
    if results:
        say(one_line(f"Results: {results}"))
    return _UNCERTAIN_LEFT if left else 0


def reconcile_before(job: Job) -> None:
    """
    Look for what earlier runs of the campaign left uncertain, before a run places anything.

    Not where it was asked not to. Best effort: as many calls as the API's list allows at this
    moment, the latest first; no run waits for more. An API that does not answer as documented
    leaves all as it is.
    """
    if not job.options.reconcile or job.api.purpose is not Purpose.REAL:
        return
    uncertain = job.ledger.doubts.of(job.campaign.id)
    if not uncertain:
        return
    some = uncertain[:_MOST_BEFORE_A_RUN]
    say(
        f"Looking for {counted(len(some), 'uncertain call')} of earlier runs in ContactShip's list."
    )
    findings: list[Finding] = []
    try:
        settle_traced(
            job.ledger,
            job.campaign,
            some,
            settings=job.settings,
            connect=job.connect,
            rules=TraceRules(),
            tell=findings.append,
            has_time=False,
        )
    except DispatcherError as error:
        say(one_line(f"They could not all be looked for, and stay uncertain: {error.message}"))
    placed = sum(finding.is_placed for finding in findings)
    name = as_typed(job.campaign.name, job.ledger, job.settings)
    say(f"Found and now placed: {placed} of {len(uncertain)}.")
    if placed < len(uncertain):
        say(one_line(f"What is known of the others: dispatcher reconcile {name}"))


def _campaign(ledger: Ledger, typed: str, settings: Settings) -> Campaign:
    name = campaign_name(typed)
    known = ledger.campaign(name)
    if known is None:
        raise unknown_campaign(name, ledger)
    if ledger.purpose is Purpose.SANDBOX:
        raise UsageProblem(
            f"ledger {ledger.location} is of rehearsals: the sandbox they called is gone, and "
            "nobody was called",
            hint="nothing needs to be looked for",
        )
    return ledger.claim_campaign(
        name, key_columns=known.key_columns, base_url=settings.api.base_url
    )


def _client(settings: Settings, key: str) -> Client:
    return Client(
        base_url=settings.api.base_url,
        api_key=key,
        connect_timeout_seconds=settings.api.connect_timeout_seconds,
        answer_timeout_seconds=settings.api.answer_timeout_seconds,
    )


def _results(ledger: Ledger, campaign: Campaign, settings: Settings) -> str:
    return str(rewrite_results(ledger, campaign, settings).path)


def _tell(finding: Finding, name: str, *, into: list[Finding]) -> None:
    into.append(finding)
    who = f"contact {finding.asked.contact_id}"
    call = f"Row {finding.call.row} ({who})" if finding.call.row else f"A call to {who}"
    for line in _said(finding, name):
        say(one_line(f"{call}: {line}"))


def _said(finding: Finding, name: str) -> Sequence[str]:
    trace = finding.trace
    if trace is None:
        return (f"could not be looked for, since {finding.why}.",)
    ids = _ids(trace.calls)
    match trace.kind:
        case TraceKind.FOUND:
            return (f"placed, {ids}.",)
        case TraceKind.SEVERAL:
            settle = f"dispatcher resolve {name} {_named(finding)}"
            return (
                f"still uncertain; it may be {ids}.",
                f"settle it: {settle} --placed CALL_ID --reason TEXT",
            )
        case TraceKind.TOO_EARLY:
            until = f"{trace.until.astimezone():%Y-%m-%d %H:%M %Z}" if trace.until else "later"
            said = f"still uncertain; no trace yet, look again after {until}."
        case TraceKind.NO_TRACE:
            said = "still uncertain; no trace in ContactShip's list of calls."
    near = f"another call of those days that nobody has: {ids}." if ids else ""
    return (said, near) if near else (said,)


def _named(finding: Finding) -> str:
    if finding.call.row:
        return f"--row {finding.call.row}"
    return f"--contact {shlex.quote(finding.asked.contact_id)}"


def _ids(calls: Sequence[ListedCall]) -> str:
    shown = [f"{call.call_id} created {call.created_text or '?'}" for call in calls[:_IDS_SHOWN]]
    more = [f"{len(calls) - _IDS_SHOWN} more"] if len(calls) > _IDS_SHOWN else []
    return ", ".join((*shown, *more))


def _as_json(
    campaign: Campaign, findings: Sequence[Finding], *, left: int, results: str
) -> dict[str, object]:
    return {
        "campaign": campaign.name,
        "uncertain": left,
        "calls": [
            {
                "row": finding.call.row,
                "contact_id": finding.asked.contact_id,
                "found": finding.trace.kind.value if finding.trace else "not_looked_for",
                "call_ids": [c.call_id for c in finding.trace.calls] if finding.trace else [],
                "message": finding.why,
            }
            for finding in findings
        ],
        "results": results or None,
    }
