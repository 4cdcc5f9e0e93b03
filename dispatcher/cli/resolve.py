"""``resolve``: a person settles one uncertain call."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path

from dispatcher.cli import emergency
from dispatcher.cli.campaigns import existing_ledger, ledger_place, rewrite_results
from dispatcher.cli.job import last_snapshot, unknown_campaign
from dispatcher.cli.reading import find_settings
from dispatcher.cli.terminal import ask, is_interactive, one_line, say
from dispatcher.cli.tracing import asked_for, in_a_path, paced_looker
from dispatcher.client import Client
from dispatcher.config import KEY_FILE_VARIABLE, KEY_VARIABLE, Settings, read_api_key
from dispatcher.errors import Declined, UsageProblem
from dispatcher.ledger import KnownCall, Ledger, UncertainCall
from dispatcher.ledger.lock import this_user
from dispatcher.model import (
    CallRequest,
    CallState,
    Campaign,
    Carried,
    NoReply,
    Purpose,
    Reply,
)
from dispatcher.planning import campaign_name, contact_hash
from dispatcher.policy import ListedCall, read_answer, read_call


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
        with opened.holding.hold(name):
            emergency.take_in(opened, campaign)
            opened.settle_left_over(campaign.id, at=datetime.now(tz=UTC))
            call = _find(opened, campaign, settlement)
            _show(call)
            if settlement.placed and opened.purpose is Purpose.REAL:
                _check(settlement.placed, call, campaign, settings, opened)
            _confirm(settlement, yes=yes)
            opened.resolve(
                campaign.id,
                call.key,
                call_id=settlement.placed or None,
                reason=settlement.reason,
                user=this_user(),
                at=datetime.now(tz=UTC),
            )
        say("Settled.")
        written = rewrite_results(opened, campaign, settings)
    say(one_line(f"Results: {written.path}"))
    return 0


def _refuse_unclear(settlement: Settlement) -> None:
    if bool(settlement.contact) == bool(settlement.row):
        raise UsageProblem("name the call by --contact ID or by --row N, one of them")
    if bool(settlement.placed) == settlement.not_placed:
        raise UsageProblem("say --placed CALL_ID or --not-placed, one of them")
    if not settlement.reason.strip():
        raise UsageProblem("say with --reason how you know")


def _find(ledger: Ledger, campaign: Campaign, settlement: Settlement) -> UncertainCall:
    known = _in_row if settlement.row else _to_contact
    call = known(ledger, campaign, settlement)
    if call.record.state is not CallState.UNCERTAIN:
        raise UsageProblem(
            f"this call is {call.record.state}", hint="only an uncertain call can be settled"
        )
    return next(one for one in ledger.doubts.of(campaign.id) if one.key == call.key)


def _to_contact(ledger: Ledger, campaign: Campaign, settlement: Settlement) -> KnownCall:
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
    return open_calls[0]


def _in_row(ledger: Ledger, campaign: Campaign, settlement: Settlement) -> KnownCall:
    number = settlement.row
    row = ledger.find_row(last_snapshot(ledger, campaign), number)
    if row is None:
        raise UsageProblem(f"the last sheet of this campaign has no row {number}")
    if row.call is None or not isinstance(row.fate, CallRequest | Carried):
        raise UsageProblem(f"row {number} led to no call")
    return KnownCall(key=row.fate.key, record=row.call)


def _show(call: UncertainCall) -> None:
    asked = asked_for(call)
    row = f"row {call.row}" if call.row else "no row of the last sheet"
    sent = f"{call.started_at.astimezone():%Y-%m-%d %H:%M:%S %Z}"
    say(one_line(f"Call to contact {asked.contact_id or 'not known any more'}, {row}"))
    say(one_line(f"  sent {sent}, agent {asked.agent_id or 'not known any more'}: {call.code}"))


def _check(
    call_id: str, call: UncertainCall, campaign: Campaign, settings: Settings, ledger: Ledger
) -> None:
    """Ask the API whose call this is, where it can be asked; only a plain "no" is one."""
    found = _looked_up(call_id, campaign, settings, ledger)
    if isinstance(found, str):
        say(one_line(f"The id was not checked: {found}."))
        return
    if found.contact_id and contact_hash(found.contact_id) != call.contact:
        raise UsageProblem(
            f"the call {call_id} is to another contact",
            hint="check the id in ContactShip",
        )
    whose = f"a call to {found.contact_id}" if found.contact_id else "a call"
    say(one_line(f"ContactShip has it: {whose}, created {found.created_text or 'no date'}."))


def _looked_up(
    call_id: str, campaign: Campaign, settings: Settings, ledger: Ledger
) -> ListedCall | str:
    """Return the call that has this id, or why it could not be looked up."""
    if not any(os.environ.get(name, "").strip() for name in (KEY_VARIABLE, KEY_FILE_VARIABLE)):
        return f"{KEY_VARIABLE} is not set"
    if settings.api.base_url != campaign.base_url:
        return f"the campaign was dialled through {campaign.base_url}"
    if not in_a_path(call_id):
        return "it cannot stand in an address"
    client = Client(
        base_url=settings.api.base_url,
        api_key=read_api_key(os.environ).reveal(),
        connect_timeout_seconds=settings.api.connect_timeout_seconds,
        answer_timeout_seconds=settings.api.answer_timeout_seconds,
    )

    async def ask() -> Reply | NoReply:
        async with paced_looker(ledger, campaign, settings, lambda: client) as looker:
            return await looker.look(f"/v1/calls/{call_id}", {"include_transcript": "false"})

    answer = asyncio.run(ask())
    if isinstance(answer, NoReply):
        return answer.message
    found = read_call(answer.body) if answer.status == HTTPStatus.OK else None
    if answer.status == HTTPStatus.NOT_FOUND and not _has_no_route(answer):
        raise UsageProblem(f"ContactShip knows no call with the id {call_id}", hint="check the id")
    return found or f"the API answered {answer.status} without a call"


def _has_no_route(answer: Reply) -> bool:
    said = read_answer(answer.body).messages
    return not said or said[0].startswith("Cannot GET")


def _confirm(settlement: Settlement, *, yes: bool) -> None:
    if yes:
        return
    if not is_interactive():
        raise UsageProblem("there is no terminal to ask on", hint="say yes beforehand with --yes")
    what = f"placed with id {settlement.placed}" if settlement.placed else "not placed"
    if not ask(f"Settle it as {what}?"):
        raise Declined("not confirmed: nothing was changed")
