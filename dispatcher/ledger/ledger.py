"""The ledger: the durable record of every campaign, and the only memory between runs."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Self

from dispatcher.ledger import (
    bodies,
    campaigns,
    committing,
    due,
    emergency,
    finding,
    outlook,
    plain,
    purging,
    recording,
    rows,
    runs,
    settling,
    snapshots,
    space,
    tracing,
    written,
)
from dispatcher.ledger.holding import Holding
from dispatcher.ledger.standing import recent_from
from dispatcher.ledger.storage import Storage
from dispatcher.ledger.values import (
    CampaignStates,
    DueRules,
    KnownCall,
    KnownRun,
    Prospect,
    RecordedOutcome,
)
from dispatcher.model import (
    CallRequest,
    Campaign,
    Mark,
    MarkRefusal,
    Outcome,
    PlannedRow,
    Purpose,
    RecordedRow,
    RunEnd,
    RunStart,
    Snapshot,
    SnapshotHead,
    Withdrawal,
)


class Ledger:
    """
    An open ledger; a context manager that closes it.

    Every method is one or more whole transactions on a connection that nobody else has meanwhile:
    one thread may write while others read. Nothing changes by opening. Any method raises
    StorageFailed when the file cannot be read or written, or was opened to be read only.

    Attributes:
        location: Absolute path of the file.
        is_new: It was created by this opening.
        id: Its own id, a UUID.
        purpose: Real calls or rehearsals.
        holding: The campaigns this process holds, and who asked it to let go.
        emergencies: What emergency files bring back.
        doubts: The calls whose outcome nobody saw.
        results_files: What was noted of the results sheets that were written.
        purging: Removes personal data.
    """

    def __init__(self, storage: Storage, *, ledger_id: str, purpose: Purpose, is_new: bool) -> None:
        self.location = str(storage.file)
        self.is_new = is_new
        self.id = ledger_id
        self.purpose = purpose
        self._storage = storage
        self.holding = Holding(storage)
        self._codecs = bodies.Codecs()
        self.emergencies = emergency.Emergencies(storage, must_hold=self.holding.must_hold)
        self.doubts = tracing.Doubts(storage)
        self.results_files = written.ResultsFiles(storage)
        self.purging = purging.Purging(storage, must_hold=self.holding.must_hold)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_fault: object) -> None:
        self.close()

    def close(self) -> None:
        """Give up all connections; using the ledger again would open new ones."""
        self._storage.close()

    # Campaigns

    def claim_campaign(
        self, name: str, *, key_columns: Sequence[str], base_url: str, at: datetime | None = None
    ) -> Campaign:
        """
        Create the campaign of this normalised name, or return it if it agrees. Raises UsageProblem
        when it exists with other key columns or another base URL.
        """
        return campaigns.claim(
            self._storage, name, key_columns=tuple(key_columns), base_url=base_url, at=at
        )

    def campaign(self, name: str) -> Campaign | None:
        """Return the campaign *name*, or None."""
        return campaigns.find(self._storage, name)

    def campaigns(self) -> tuple[Campaign, ...]:
        """Return all campaigns, oldest first."""
        return campaigns.every(self._storage)

    def overlap(
        self, campaign_id: int, snapshot_id: int, *, since: datetime
    ) -> tuple[str, int] | None:
        """
        Name another campaign where at least half of the callable rows of a snapshot stand.

        Campaigns recorded before *since* are not looked at. Returns the one that holds most as
        pending, sending, placed or uncertain, and how many; None if none holds half.
        """
        return campaigns.overlap(self._storage, campaign_id, snapshot_id, since=since)

    def states(self) -> tuple[CampaignStates, ...]:
        """Count the calls of each campaign by state, oldest campaign first."""
        return outlook.states(self._storage, self.campaigns())

    def pending_elsewhere(self, campaign_id: int) -> tuple[tuple[str, int], ...]:
        """Name the other campaigns that have pending calls, oldest first, and how many."""
        found = outlook.pending_elsewhere(self._storage, campaign_id)
        return tuple((c.name, found[c.id]) for c in self.campaigns() if c.id in found)

    def forget(self, campaign_id: int) -> bool:
        """Remove a campaign that never ran; False, and nothing removed, where one did."""
        return outlook.forget(self._storage, campaign_id)

    def settle_left_over(self, campaign_id: int, *, at: datetime) -> int:
        """
        Turn what a dead run left ``sending`` into ``uncertain``, code ``interrupted``; return how
        many. Only under ``hold`` of this campaign: a live run's calls would lose their outcomes.
        """
        self.holding.must_hold(campaign_id)
        return settling.settle_left_over(self._storage, campaign_id, at=at)

    # Snapshots

    def record(
        self,
        campaign_id: int,
        head: SnapshotHead,
        rows: Iterable[PlannedRow],
        *,
        digest_of: Callable[[CallRequest], str],
        remarks: Callable[[], tuple[tuple[str, str], ...]],
        at: datetime,
    ) -> Snapshot:
        """
        Record a sheet in transactions of at most 1,000 rows, complete with the last one.
        Rows that can be called become pending calls unless the ledger knows them already. What
        recordings that broke off have left is removed first, and the rows of all but the last
        complete snapshot. Meant to run under ``hold``. Raises whatever *rows* raises; the
        recording then stays incomplete and counts for nothing.

        Arguments:
            campaign_id: The campaign.
            head: What was recognised of the file.
            rows: The planned rows, read once, in input order.
            digest_of: Hash of what a request asks for.
            remarks: Asked after the last row; they follow those in *head*.
            at: The moment of recording, aware.
        """
        return recording.record(
            self._storage, campaign_id, head, rows, digest_of=digest_of, remarks=remarks, at=at
        )

    def last_snapshot(self, campaign_id: int) -> Snapshot | None:
        """Return the campaign's last complete snapshot, or None."""
        return snapshots.last(self._storage, campaign_id)

    def rows(
        self,
        snapshot: Snapshot,
        *,
        repeat_after_hours: float,
        as_of: datetime,
        numbers: Sequence[int] | None = None,
    ) -> Iterator[RecordedRow]:
        """
        Yield the rows of a snapshot, or of it those with these *numbers* (ascending), in input
        order with the calls they led to.

        Read in pages of 1,000, each a short transaction: a live run is not held up, and rows may
        be as far apart in time as their reading. ``called_recently`` is judged for *as_of*; 0
        hours turn it off, but for a contact being called at this moment.
        """
        return rows.rows(
            self._storage,
            snapshot,
            repeat_after_hours=repeat_after_hours,
            as_of=as_of,
            numbers=numbers,
        )

    def plain_rows(
        self, snapshot: Snapshot, *, repeat_after_hours: float, as_of: datetime
    ) -> plain.PlainRows:
        """
        Count those rows of a snapshot that were placed as they are, or are pending and may be
        called, without reading them, and name the others. ``called_recently`` and schedules are
        judged as for ``rows``.
        """
        return plain.plain_rows(
            self._storage, snapshot, repeat_after_hours=repeat_after_hours, as_of=as_of
        )

    def find_row(self, snapshot: Snapshot, number: int) -> RecordedRow | None:
        """Return one row of a snapshot by its number, or None; *called_recently* is not judged."""
        return rows.row(self._storage, snapshot, number)

    def other_pending(self, campaign_id: int, snapshot_id: int) -> int:
        """Count the campaign's pending calls that are not in this snapshot."""
        return snapshots.other_pending(self._storage, campaign_id, snapshot_id)

    # Calls and runs

    def due(
        self, snapshot: Snapshot, rules: DueRules, *, repeat_after_hours: float, as_of: datetime
    ) -> due.DueCalls:
        """
        Find the calls of a snapshot that a run may send; the iterator yields each at most once.

        Pending ones first, then failed, then rejected as *rules* say, each in input order and in
        pages of 1,000. They are those of this moment, as far as they still stand as they did:
        what the run makes of a call does not bring it up again. Contacts that were called within
        *repeat_after_hours* before *as_of* are left out, and judged once more when they are
        marked; 0 is off.
        """
        since = recent_from(as_of, repeat_after_hours)
        return due.due(self._storage, snapshot, rules, since=since, as_of=as_of)

    def sendable(
        self,
        prospects: Sequence[Prospect],
        rules: DueRules,
        *,
        repeat_after_hours: float,
        as_of: datetime,
    ) -> frozenset[str]:
        """
        Return the keys of those calls that a run would send if it recorded them now.

        *prospects* are what a sheet asks for, at most some hundreds; the rest is as for ``due``.
        """
        return outlook.sendable(
            self._storage, prospects, rules, repeat_after_hours=repeat_after_hours, as_of=as_of
        )

    def commit(
        self, work: Sequence[Mark | Outcome | Withdrawal], *, repeat_after_hours: float
    ) -> list[int | MarkRefusal | RecordedOutcome]:
        """
        Make a batch of work durable in one transaction: all of it, or none. Outcomes and
        withdrawals are taken first, in the order given, so that marks see them.

        An outcome whose call is no longer being sent under this attempt is late: its attempt
        gets what came back, and if the call was placed the call becomes placed whatever it was.
        An outcome with attempt 0 says that a call was given up unsent (its schedule has passed):
        pending, failed or rejected -> failed, no attempt is counted. At most one mark per contact
        succeeds, and none within *repeat_after_hours* (0 is off) after a call to it.

        Returns of a mark its attempt's number or why it was refused, of the others what became
        of them. After StorageFailed nothing of the batch was recorded.
        """
        return committing.commit(
            self._storage, work, repeat_after_hours=repeat_after_hours, codecs=self._codecs
        )

    def find_calls(self, campaign_id: int, contact: str) -> tuple[KnownCall, ...]:
        """Return the campaign's calls to a contact (by its hash), in order of recording."""
        return finding.find_calls(self._storage, campaign_id, contact)

    def known_call_ids(self, call_ids: Collection[str]) -> frozenset[str]:
        """Return those of *call_ids* that this ledger knows, also from sheets it recorded."""
        return finding.known_call_ids(self._storage, call_ids)

    def sent_body(self, key: str, attempt: int) -> bytes | None:
        """Return the exact bytes of an attempt, or None where the ledger knows no such attempt."""
        return finding.sent_body(self._storage, key, attempt)

    def answer_excerpt(self, key: str, attempt: int) -> str | None:
        """Return the start of the answer to an attempt, or None where the ledger knows none."""
        return finding.answer_excerpt(self._storage, key, attempt)

    def resolve(
        self,
        campaign_id: int,
        key: str,
        *,
        call_id: str | None,
        reason: str,
        user: str,
        at: datetime,
    ) -> None:
        """
        Settle one uncertain call by a person's word, and keep who, when and why. With *call_id*
        None it was not placed: the call becomes failed with code ``resolved_not_placed``.

        Raises:
            UsageProblem: It is not uncertain, or another call has this id.
        """
        settling.resolve(
            self._storage, campaign_id, key, call_id=call_id, reason=reason, user=user, at=at
        )

    def reserve(
        self, base_url: str, plan: Callable[[float], tuple[tuple[float, ...], float]]
    ) -> tuple[float, ...]:
        """
        Reserve slots of the pace that all runs on this ledger share for one base URL.

        Arguments:
            base_url: The API.
            plan: Given the stored *next_free* (0.0 at first), returns the slots and the new one;
                inside the transaction, so it is quick and does not use the ledger.
        """
        return runs.reserve(self._storage, base_url, plan)

    def reserve_space(self, *, calls: int) -> None:
        """Take room on the disk for the record of so many calls, or raise StorageFailed."""
        space.reserve_space(self._storage, calls)

    def begin_run(self, start: RunStart) -> int:
        """Record that a run begins, and return its number."""
        return runs.begin(self._storage, start)

    def end_run(self, run_id: int, end: RunEnd) -> None:
        """Record how a run ended."""
        runs.end(self._storage, run_id, end)

    def last_run(self, campaign_id: int) -> KnownRun | None:
        """Return the campaign's last run, or None."""
        return runs.last(self._storage, campaign_id)
