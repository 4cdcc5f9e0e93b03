"""What the ledger takes and gives beyond the model's values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from dispatcher.model import CallRecord, CallState, Campaign, RunEnd, RunStart


class RecordedOutcome(StrEnum):
    """What became of an outcome or a withdrawal that was committed."""

    STORED = "stored"  # the call stands as the outcome says
    LATE = "late"  # the call had moved on; its attempt is complete, and a placed call wins
    REPEATED_ID = "repeated_id"  # placed, but another call has this id already


@dataclass(frozen=True, slots=True, kw_only=True)
class DueRules:
    """
    Which calls a later run sends again; pending ones always.

    Attributes:
        retry_unplaced: Also those a person settled as not placed.
        retry_rejected: Also rejected ones whose request is unchanged.
        stopping_codes: Codes of rejections that stop a run: they say nothing about the row.
    """

    retry_unplaced: bool = False
    retry_rejected: bool = False
    stopping_codes: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Prospect:
    """
    A call that a sheet asks for and that may not be recorded.

    Attributes:
        key: Its key.
        contact: Hash of its contact.
        request_digest: Hash of what is asked for.
    """

    key: str
    contact: str
    request_digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignStates:
    """
    How many calls of a campaign are in which state, whatever sheet they came from.

    Attributes:
        campaign: The campaign.
        states: State -> number of calls; states without calls are missing.
    """

    campaign: Campaign
    states: Mapping[CallState, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownCall:
    """
    A call as the ledger knows it, whatever the sheet says.

    Attributes:
        key: Its key.
        record: Where it stands; *changed* and *called_recently* are not judged.
    """

    key: str
    record: CallRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownRun:
    """
    A run that was recorded.

    Attributes:
        id: Number in the ledger.
        start: Who ran what.
        end: How it ended, or None: still running, or killed.
    """

    id: int
    start: RunStart
    end: RunEnd | None


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenResults:
    """
    A results sheet this ledger's runs wrote.

    Attributes:
        path: Absolute path.
        digest: SHA-256 of the file as it was written, hex.
        campaign: Name of the campaign.
    """

    path: str
    digest: str
    campaign: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UncertainCall:
    """
    A call whose last attempt's outcome nobody saw.

    Attributes:
        key: Its key.
        contact: Hash of its contact.
        row: The first row of the campaign's last snapshot that asks for it, 0 without one.
        code: Stable word of why.
        body: The exact bytes of the attempt, b"" where they are not known any more.
        started_at: When the attempt was marked, aware UTC.
        ended_at: When it ended, or was found to have; None while it is being sent.
        due_at: When the phone was to ring, aware UTC.
    """

    key: str
    contact: str
    row: int
    code: str
    body: bytes
    started_at: datetime
    ended_at: datetime | None
    due_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class TracedCall:
    """
    An uncertain call that was found in the API's list: uncertain -> placed.

    Attributes:
        key: The call.
        call_id: The id it has there, not "".
        created_at: As the API said.
        user: Who looked.
        at: When, aware.
    """

    key: str
    call_id: str
    created_at: str
    user: str
    at: datetime


class PurgeBar(StrEnum):
    """Why a campaign cannot be purged yet."""

    PENDING = "calls that are pending"
    SENDING = "calls that are being sent"
    UNCERTAIN = "calls that are uncertain"
    SCHEDULED = "calls that are scheduled ahead"
    RECENT = "calls younger than repeat_after_hours"


@dataclass(frozen=True, slots=True, kw_only=True)
class PurgeProspect:
    """
    What a purge would find of a campaign.

    Attributes:
        campaign: The campaign.
        last_active: When anything was last recorded, run or sent in it, aware UTC.
        bars: Why its data cannot go yet; empty if it can.
        is_purged: No personal data is left of it.
    """

    campaign: Campaign
    last_active: datetime
    bars: tuple[PurgeBar, ...]
    is_purged: bool
