"""``resolve``: a person settles one uncertain call."""

from __future__ import annotations

import getpass
import shlex
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from dispatcher.cli.campaigns import existing_ledger, ledger_place
from dispatcher.cli.job import last_snapshot, unknown_campaign
from dispatcher.cli.reading import find_settings
from dispatcher.cli.terminal import ask, is_interactive, one_line, say
from dispatcher.errors import Declined, UsageProblem
from dispatcher.ledger import KnownCall, Ledger
from dispatcher.model import CallRequest, CallState, Campaign, Carried
from dispatcher.planning import campaign_name, contact_hash


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """
    What a person found out.

    Attributes:
        campaign: Name as typed.
        contact: Contact id, or "".
        row: Row of the last snapshot, or 0.
        placed: Id of the placed call, or "".
        not_placed: It was not placed.
        reason: Why the person is sure.
    """

    campaign: str
    contact: str
    row: int
    placed: str
    not_placed: bool
    reason: str


def resolve_call(
    settlement: Settlement, *, ledger: str, on_network: bool, config: Path | None, yes: bool
) -> int:
    """
    Settle one uncertain call, after showing it and asking.

    Returns:
        0.

    Raises:
        UsageProblem: it is not clear which call is meant, or it is not uncertain.
        CampaignHeld: a run is live.
        Declined: the person said no.
    """
    _refuse_unclear(settlement)
    settings = find_settings(config).settings
    with existing_ledger(ledger_place(ledger, settings), on_network=on_network) as opened:
        name = campaign_name(settlement.campaign)
        campaign = opened.campaign(name)
        if campaign is None:
            raise unknown_campaign(name, opened)
        with opened.hold(name):
            opened.settle_left_over(campaign.id, at=datetime.now(tz=UTC))
            call = _find(opened, campaign, settlement)
            _show(call, settlement)
            _confirm(settlement, yes=yes)
            opened.resolve(
                campaign.id,
                call.key,
                call_id=settlement.placed or None,
                reason=settlement.reason,
                user=getpass.getuser(),
                at=datetime.now(tz=UTC),
            )
    say(f"Settled. The results sheet shows it after: dispatcher results {shlex.quote(name)}")
    return 0


def _refuse_unclear(settlement: Settlement) -> None:
    if bool(settlement.contact) == bool(settlement.row):
        raise UsageProblem("name the call by --contact ID or by --row N, one of them")
    if bool(settlement.placed) == settlement.not_placed:
        raise UsageProblem("say --placed CALL_ID or --not-placed, one of them")
    if not settlement.reason.strip():
        raise UsageProblem("say with --reason how you know")


def _find(ledger: Ledger, campaign: Campaign, settlement: Settlement) -> KnownCall:
    if settlement.row:
        return _find_row(ledger, campaign, settlement.row)
    calls = ledger.find_calls(campaign.id, contact_hash(settlement.contact))
    open_calls = [call for call in calls if call.record.state is CallState.UNCERTAIN] or calls
    if not open_calls:
        raise UsageProblem(
            f'the campaign "{campaign.name}" has no call to the contact {settlement.contact}'
        )
    if len(open_calls) > 1:
        raise UsageProblem(
            f"{len(open_calls)} calls to this contact are open", hint="name one by --row N"
        )
    return _uncertain(open_calls[0])


def _find_row(ledger: Ledger, campaign: Campaign, number: int) -> KnownCall:
    row = ledger.find_row(last_snapshot(ledger, campaign), number)
    if row is None:
        raise UsageProblem(f"the last sheet of this campaign has no row {number}")
    if row.call is None or not isinstance(row.fate, CallRequest | Carried):
        raise UsageProblem(f"row {number} led to no call")
    return _uncertain(KnownCall(key=row.fate.key, record=row.call))


def _uncertain(call: KnownCall) -> KnownCall:
    if call.record.state is not CallState.UNCERTAIN:
        raise UsageProblem(
            f"this call is {call.record.state}", hint="only an uncertain call can be settled"
        )
    return call


def _show(call: KnownCall, settlement: Settlement) -> None:
    record = call.record
    which = f"row {settlement.row}" if settlement.row else f"contact {settlement.contact}"
    sent = f"{record.sent_at.astimezone():%Y-%m-%d %H:%M:%S %Z}" if record.sent_at else "unknown"
    say(one_line(f"Call to {which}, sent {sent}: {record.code}. {record.message}"))


def _confirm(settlement: Settlement, *, yes: bool) -> None:
    if yes:
        return
    if not is_interactive():
        raise UsageProblem("there is no terminal to ask on", hint="say yes beforehand with --yes")
    what = f"placed with id {settlement.placed}" if settlement.placed else "not placed"
    if not ask(f"Settle it as {what}?"):
        raise Declined("not confirmed: nothing was changed")
