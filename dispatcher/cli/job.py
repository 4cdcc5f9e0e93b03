"""What a run needs once it is known what is dialled, for whom, and from which recording."""

from __future__ import annotations

import json
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from dispatcher import __version__
from dispatcher.cli.options import RunOptions
from dispatcher.cli.results import ResultsView
from dispatcher.cli.times import stop_moment
from dispatcher.client import Client
from dispatcher.config import Settings, conduct_rules
from dispatcher.errors import UsageProblem
from dispatcher.ledger import DueCalls, DueRules, Ledger
from dispatcher.ledger.lock import this_user
from dispatcher.model import Campaign, DueCall, Purpose, RunStart, Snapshot
from dispatcher.pacer import parse_rate
from dispatcher.planning import DelayMode
from dispatcher.policy import STOPPING_CODES
from dispatcher.pool import Pool, PoolSettings, Unrecorded
from dispatcher.writer import Target


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """
    What is dialled.

    Attributes:
        base_url: Where requests go.
        known_as: What the campaign remembers: the same, but ``sandbox`` for a rehearsal.
        purpose: Real calls or a rehearsal.
        key: The API key, never shown.
    """

    base_url: str
    known_as: str
    purpose: Purpose
    key: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """
    Everything a run needs once its snapshot stands.

    Attributes:
        options: What was asked for.
        settings: What is in force.
        api: What is dialled.
        ledger: Open for writing, the campaign held.
        campaign: The campaign.
        snapshot: The recording that is dispatched.
        target: Where the results go.
        config: The configuration file, or None.
    """

    options: RunOptions
    settings: Settings
    api: Api
    ledger: Ledger
    campaign: Campaign
    snapshot: Snapshot
    target: Target
    config: Path | None

    @property
    def delay(self) -> DelayMode:
        """How a delay in the sheet is sent."""
        return DelayMode(self.settings.api.delay)

    def due(self, *, as_of: datetime) -> DueCalls:
        """Find the calls this run may send."""
        rules = DueRules(
            retry_unplaced=self.options.retry_unplaced,
            retry_rejected=self.options.retry_rejected,
            stopping_codes=STOPPING_CODES,
        )
        return self.ledger.due(
            self.snapshot,
            rules,
            repeat_after_hours=self.settings.repeat_after_hours,
            as_of=as_of,
        )

    def view(self, as_of: datetime, *, unrecorded: Sequence[Unrecorded] = ()) -> ResultsView:
        """
        Return the snapshot as its results sheet shows it at a moment.

        Args:
            as_of: The moment.
            unrecorded: What was placed, and the ledger could not take.
        """
        return ResultsView(
            ledger=self.ledger,
            campaign=self.campaign,
            snapshot=self.snapshot,
            timezone=self.settings.defaults.timezone,
            repeat_after_hours=self.settings.repeat_after_hours,
            as_of=as_of,
            unrecorded={lost.outcome.key: lost.outcome for lost in unrecorded},
        )

    def run_start(self, at: datetime) -> RunStart:
        """Say who runs what."""
        return RunStart(
            campaign_id=self.campaign.id,
            snapshot_id=self.snapshot.id,
            user=this_user(),
            host=socket.gethostname(),
            version=__version__,
            arguments=json.dumps(sys.argv[1:], ensure_ascii=False),
            settings=self.settings.model_dump_json(),
            started_at=at,
            results=str(self.target.path),
        )

    def connect(self) -> Client:
        """Make one connection."""
        return Client(
            base_url=self.api.base_url,
            api_key=self.api.key,
            connect_timeout_seconds=self.settings.api.connect_timeout_seconds,
            answer_timeout_seconds=self.settings.api.answer_timeout_seconds,
        )

    def pool(
        self,
        calls: Iterator[DueCall],
        tell: Callable[[], None],
        *,
        lost: Callable[[Unrecorded], None],
    ) -> Pool:
        """
        Make the pool.

        Args:
            calls: What is due.
            tell: Called when there is something to show.
            lost: Called at once with what the ledger could not take.
        """
        options, settings = self.options, self.settings
        return Pool(
            ledger=self.ledger,
            calls=calls,
            settings=PoolSettings(
                campaign=self.campaign.name,
                base_url=self.api.known_as,
                workers=settings.pace.workers,
                rate=parse_rate(settings.pace.rate),
                strict=settings.pace.strict,
                delay=self.delay,
                repeat_after_hours=settings.repeat_after_hours,
                conduct=conduct_rules(settings),
                limit=options.limit,
                stop_at=stop_moment(options.stop_at, timezone=settings.defaults.timezone),
                max_seconds=options.max_minutes * 60,
            ),
            connect=self.connect,
            tell=tell,
            lost=lost,
        )


def unknown_campaign(name: str, ledger: Ledger) -> UsageProblem:
    """Say that the ledger knows no such campaign, and which ones it knows."""
    known = ", ".join(campaign.name for campaign in ledger.campaigns()) or "none"
    return UsageProblem(
        f'the ledger {ledger.location} knows no campaign "{name}"', hint=f"it knows: {known}"
    )


def last_snapshot(ledger: Ledger, campaign: Campaign) -> Snapshot:
    """
    Return the campaign's last complete recording.

    Raises:
        UsageProblem: there is none, or its contents were purged.
    """
    snapshot = ledger.last_snapshot(campaign.id)
    if snapshot is None:
        raise UsageProblem(
            f'no sheet of the campaign "{campaign.name}" was recorded to its end',
            hint="run it with its sheet",
        )
    if snapshot.purged_at is not None:
        raise UsageProblem(
            f'the rows of campaign "{campaign.name}" were purged on {snapshot.purged_at:%Y-%m-%d}',
            hint="run it with its sheet; who was called is still known",
        )
    return snapshot
