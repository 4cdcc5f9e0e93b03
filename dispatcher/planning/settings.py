"""The choices that shape planning."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from enum import StrEnum

PLANNING_VERSION = 1  # raise it when the same sheet and settings lead to other requests


class EmptyCells(StrEnum):
    """What becomes of an empty cell in an additional data column."""

    OMIT = "omit"
    SEND = "send"


class DelayMode(StrEnum):
    """How a delay in minutes is sent: as a UTC schedule, or as the API's ``delay``."""

    SCHEDULE = "schedule"
    SEND = "send"


class HiddenRows(StrEnum):
    """What becomes of rows the person does not see; undecided ones are planned like the others."""

    UNDECIDED = "undecided"
    SKIP = "skip"
    INCLUDE = "include"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanSettings:
    """
    Everything a person can decide about how rows become calls.

    Attributes:
        campaign: Normalised campaign name, see ``campaign_name``.
        columns: (field, header), the last one wins; header "" means that no column feeds the field.
        agent_id: Used where the row has none.
        from_number_id: Used where the row has none.
        timezone: IANA name used where the row has none.
        include: Headers of the additional data, or None for all that feed no field.
        exclude: Headers left out of the additional data.
        required: Headers that must be filled.
        empty: What becomes of empty additional data cells.
        formats: (header, format string) for numbers, e.g. ``{:,.2f}``.
        key: Headers whose values belong to the key of a call.
        delay: How a delay is sent.
        hidden: What becomes of hidden rows.
        value_limit: Most characters in one value.
        request_limit: Most bytes in one request body.
    """

    campaign: str
    columns: tuple[tuple[str, str], ...] = ()
    agent_id: str = ""
    from_number_id: str = ""
    timezone: str = ""
    include: tuple[str, ...] | None = None
    exclude: tuple[str, ...] = ()
    required: tuple[str, ...] = ()
    empty: EmptyCells = EmptyCells.OMIT
    formats: tuple[tuple[str, str], ...] = ()
    key: tuple[str, ...] = ()
    delay: DelayMode = DelayMode.SCHEDULE
    hidden: HiddenRows = HiddenRows.UNDECIDED
    value_limit: int = 10_000
    request_limit: int = 256 * 1024

    def digest(self) -> str:
        """Hash of everything that shapes planning, 32 hex digits."""
        text = json.dumps([PLANNING_VERSION, asdict(self)], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:32]
