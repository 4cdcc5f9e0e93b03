"""What the ledger takes and gives beyond the model's values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
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
