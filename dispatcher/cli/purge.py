"""``purge``: removes personal data of old campaigns from the ledger."""

from __future__ import annotations

import json as json_text
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from dispatcher.cli.campaigns import existing_ledger, ledger_place
from dispatcher.cli.reading import find_settings
from dispatcher.cli.terminal import ask, counted, is_interactive, one_line, put_json, say
from dispatcher.errors import Declined, UsageProblem
from dispatcher.ledger import Ledger, PurgeProspect

_AGE = re.compile(r"(\d{1,5})\s*([hdw])", re.ASCII)
_UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sorted:
    """Campaigns old enough: what can be purged, what cannot yet, and what was before."""

    free: tuple[PurgeProspect, ...]
    barred: tuple[PurgeProspect, ...]
    purged: int


def purge_ledger(
    older_than: str, *, ledger: str, on_network: bool, config: Path | None, yes: bool, json: bool
) -> int:
    """
    Remove row contents, bodies and answers of campaigns in which nothing happened for so long.

    Keys, hashes of contacts, call ids, states and times stay, so nobody is called again.

    Returns:
        0.

    Raises:
        UsageProblem: the age is not understood, or there is nobody to ask and no ``--yes``.
        CampaignHeld: a run is live; the whole file is rewritten.
        Declined: the person said no.
        StorageFailed: the ledger could not be written or rewritten.
    """
    age = _age(older_than)
    settings = find_settings(config).settings
    with existing_ledger(ledger_place(ledger, settings), on_network=on_network) as opened:
        now = datetime.now(tz=UTC)
        hours = settings.repeat_after_hours
        found = _sorted(opened, older_than=now - age, now=now, hours=hours)
        say(f"Ledger: {opened.location}")
        _tell_barred(found)
        if found.free:
            _confirm(found, yes=yes)
            _refuse_live(opened)
            for prospect in found.free:
                with opened.holding.hold(prospect.campaign.name):
                    opened.purging.purge(prospect.campaign, now=now, repeat_after_hours=hours)
        else:
            say("Nothing to purge.")
        if found.free or found.purged:
            _refuse_live(opened)
            opened.purging.compact()
    if found.free:
        say(f"Purged: {counted(len(found.free), 'campaign')}. Sheets and results are not touched.")
    if json:
        put_json(json_text.dumps(_as_json(found), ensure_ascii=False))
    return 0


def _as_json(found: _Sorted) -> dict[str, object]:
    return {
        "purged": [prospect.campaign.name for prospect in found.free],
        "left_out": [
            {"campaign": prospect.campaign.name, "why": [bar.value for bar in prospect.bars]}
            for prospect in found.barred
        ],
    }


def _age(text: str) -> timedelta:
    match = _AGE.fullmatch(text.strip().casefold())
    if match is None:
        raise UsageProblem(f"--older-than {text!r} is no age", hint="write it like 90d, 12w or 48h")
    return int(match[1]) * _UNITS[match[2]]


def _sorted(ledger: Ledger, *, older_than: datetime, now: datetime, hours: float) -> _Sorted:
    known = ledger.purging.prospects(ledger.campaigns(), now=now, repeat_after_hours=hours)
    old = [prospect for prospect in known if prospect.last_active <= older_than]
    full = [prospect for prospect in old if not prospect.is_purged]
    return _Sorted(
        free=tuple(prospect for prospect in full if not prospect.bars),
        barred=tuple(prospect for prospect in full if prospect.bars),
        purged=len(old) - len(full),
    )


def _tell_barred(found: _Sorted) -> None:
    for prospect in found.barred:
        why = " and ".join(bar.value for bar in prospect.bars)
        say(one_line(f'Left out: "{prospect.campaign.name}" has {why}.'))


def _confirm(found: _Sorted, *, yes: bool) -> None:
    for prospect in found.free:
        last = f"{prospect.last_active.astimezone():%Y-%m-%d}"
        say(one_line(f'To purge: "{prospect.campaign.name}", last active {last}.'))
    if yes:
        return
    if not is_interactive():
        raise UsageProblem("there is no terminal to ask on", hint="say yes beforehand with --yes")
    count = counted(len(found.free), "campaign")
    if not ask(f"Remove the personal data of {count} for good?"):
        raise Declined("not confirmed: nothing was removed")


def _refuse_live(ledger: Ledger) -> None:
    """Rewriting the file would hold up the recording of calls, also of another campaign."""
    for campaign in ledger.campaigns():
        if ledger.holding.is_held(campaign.name):
            with ledger.holding.hold(campaign.name):
                pass
