"""What is to be sent, and why some rows are not."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from dispatcher.model.row_value import row_value

RESOLVED_NOT_PLACED = "resolved_not_placed"
"""Code of a failed call that a person settled so: only sent again where that is asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """
    A wished moment for a call.

    Attributes:
        local: Wall time ``YYYY-MM-DD HH:MM:SS`` in *timezone*, the API's form.
        timezone: IANA name.
        at: The same instant, aware, UTC.
    """

    local: str
    timezone: str
    at: datetime

    @property
    def past_words(self) -> str:
        """The sentence about a row whose moment is past."""
        wished = f"{self.local} {self.timezone}"
        return f"The schedule {wished} is past; give a later one or empty the cell"


@row_value(frozen=True, slots=True, kw_only=True)
class CallRequest:
    """
    One call to place.

    Attributes:
        key: Stable id of the call, 32 hex digits.
        contact: Hash of the canonical contact id, 32 hex digits: the same person in any campaign.
        row: Row number as the spreadsheet shows it, from 1.
        contact_id: Id of an existing contact, the original text.
        agent_id: Id of the agent that speaks.
        from_number_id: Id (not the digits) of the number that calls.
        additional_data: (header text, cell text) in sheet order.
        metadata: (name, cell text) in sheet order, without our own three.
        delay_minutes: Minutes to wait before the call, 0 for none.
        schedule: Wished moment, or None for at once.
    """

    key: str
    contact: str
    row: int
    contact_id: str
    agent_id: str
    from_number_id: str
    additional_data: tuple[tuple[str, str], ...] = ()
    metadata: tuple[tuple[str, str], ...] = ()
    delay_minutes: float = 0.0
    schedule: Schedule | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RowProblem:
    """
    Why a row cannot become a call request.

    Attributes:
        code: Stable word.
        column: Header text of the column concerned, or "".
        message: One sentence with the remedy.
    """

    code: str
    column: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Skip:
    """
    Why a row is left out on purpose.

    Attributes:
        code: Stable word, e.g. ``duplicate``.
        message: One sentence.
    """

    code: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Carried:
    """
    A row of a results sheet that says it was called already.

    It is not sent; where the ledger knows the call, the ledger's word counts instead.

    Attributes:
        key: Key of the call, or "" where the row names no contact.
        contact: Hash of the canonical contact id, or "".
        call_id: As the sheet has it, or "".
        status: ``placed`` or ``uncertain``.
        created_at: As the sheet has it, or "".
        sent_at: As the sheet has it, or "".
        error_code: As the sheet has it, or "".
        error: As the sheet has it, or "".
    """

    key: str
    contact: str
    call_id: str
    status: CallStatus
    created_at: str = ""
    sent_at: str = ""
    error_code: str = ""
    error: str = ""


Fate = CallRequest | RowProblem | Skip | Carried


@row_value(frozen=True, slots=True, kw_only=True)
class PlannedRow:
    """
    A sheet row and what is to become of it.

    Attributes:
        number: Row number as the spreadsheet shows it.
        cells: The texts of the row, one for each header.
        fate: What planning decided.
    """

    number: int
    cells: tuple[str, ...]
    fate: Fate


class CallStatus(StrEnum):
    """The word in ``call_status``: where a row of the sheet stands."""

    PLACED = "placed"
    REJECTED = "rejected"
    FAILED = "failed"
    UNCERTAIN = "uncertain"
    INVALID = "invalid"
    SKIPPED = "skipped"
    PENDING = "pending"
