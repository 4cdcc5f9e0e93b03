"""``stop``: asks a live run, also another user's, to end as with Ctrl-C."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from dispatcher.cli.campaigns import existing_ledger, ledger_place
from dispatcher.cli.job import unknown_campaign
from dispatcher.cli.reading import find_settings
from dispatcher.cli.terminal import one_line, say
from dispatcher.planning import campaign_name


def stop_run(campaign: str, *, ledger: str, on_network: bool, config: Path | None) -> int:
    """
    Ask the live run of a campaign to end. It is asked through the ledger, so it needs no right to
    send signals; the run looks there a few times a second.

    Returns:
        0, also where no run is live.

    Raises:
        UsageProblem: there is no such ledger or campaign.
        StorageFailed: the ledger cannot be written.
    """
    settings = find_settings(config).settings
    name = campaign_name(campaign)
    with existing_ledger(ledger_place(ledger, settings), on_network=on_network) as opened:
        if opened.campaign(name) is None:
            raise unknown_campaign(name, opened)
        holder = opened.holding.ask(name, at=datetime.now(tz=UTC))
    if holder is None:
        say(one_line(f'No run of the campaign "{name}" is live.'))
        return 0
    say(one_line(f'Asked the run of "{name}" by {holder.words} to end.'))
    say("It begins no new call, records those in flight and writes its results.")
    return 0
