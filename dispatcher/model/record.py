"""What the ledger keeps and gives back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from dispatcher.model.call import CallRequest, CallStatus, Fate
from dispatcher.model.reply import StopWord, Verdict
from dispatcher.model.row_value import row_value


class CallState(StrEnum):
    """
    Where a call stands.

    ``pending -> sending -> placed | rejected | failed | uncertain``; back to pending when it is
    proven that nothing was sent; ``uncertain -> placed | failed`` by late evidence or a person.
    """

    PENDING = "pending"
    SENDING = "sending"
    PLACED = "placed"
    REJECTED = "rejected"
    FAILED = "failed"
    UNCERTAIN = "uncertain"


class Purpose(StrEnum):
    """What a ledger was created for; it refuses the other use."""

    REAL = "real"
    SANDBOX = "sandbox"


@dataclass(frozen=True, slots=True, kw_only=True)
class Campaign:
    """
    A named set of calls.

    Attributes:
        id: Number in the ledger.
        name: Normalised name.
        key_columns: Headers whose values are part of the key (normalised), usually none.
        base_url: The API it is dialled through, ``sandbox`` for a rehearsal.
    """

    id: int
    name: str
    key_columns: tuple[str, ...]
    base_url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotHead:
    """
    One recording of a sheet.

    Attributes:
        file: Absolute path of the sheet.
        digest: SHA-256 of the file, hex.
        settings_digest: Hash of the settings that shape planning.
        format: Format of the input file.
        sheet: Sheet name, or "".
        encoding: Encoding of a CSV, or "".
        delimiter: Delimiter of a CSV, or "".
        headers: Header texts.
        result_columns: Indices of input columns that bear the name of a result column; the
            results sheet has ours in their place.
        remarks: What was doubtful, as (code, message).
    """

    file: str
    digest: str
    settings_digest: str
    format: str
    sheet: str
    encoding: str
    delimiter: str
    headers: tuple[str, ...]
    result_columns: tuple[int, ...] = ()
    remarks: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """
    A complete recording.

    Attributes:
        id: Number in the ledger.
        campaign_id: Its campaign.
        head: What was recorded of the file.
        rows: Number of data rows.
        recorded_at: Aware UTC.
        purged_at: When the contents of its rows were removed (aware UTC), or None.
    """

    id: int
    campaign_id: int
    head: SnapshotHead
    rows: int
    recorded_at: datetime
    purged_at: datetime | None = None


@row_value(frozen=True, slots=True, kw_only=True)
class CallRecord:
    """
    Where the call of a snapshot row stands.

    Attributes:
        state: Its state.
        code: Stable word of the last outcome, or "".
        message: Sentence of the last outcome, or "".
        http_status: Of the last attempt, 0 without.
        call_id: Id of the placed call, or "".
        created_at: As the API said, or "".
        attempts: Number of HTTP requests so far.
        sent_at: Start of the last attempt, aware UTC, or None.
        changed: The snapshot row asks for something else than the last attempt sent.
        called_recently: Another call to this contact falls within ``repeat_after_hours``.
    """

    state: CallState
    code: str = ""
    message: str = ""
    http_status: int = 0
    call_id: str = ""
    created_at: str = ""
    attempts: int = 0
    sent_at: datetime | None = None
    changed: bool = False
    called_recently: bool = False


@row_value(frozen=True, slots=True, kw_only=True)
class RecordedRow:
    """
    A row of a snapshot with the call it led to.

    Attributes:
        number: Row number as the spreadsheet shows it.
        cells: The texts of the row.
        fate: What planning decided.
        call: Where its call stands; None where the ledger knows no call of it.
    """

    number: int
    cells: tuple[str, ...]
    fate: Fate
    call: CallRecord | None


@row_value(frozen=True, slots=True, kw_only=True)
class DueCall:
    """
    A call this run may send.

    Attributes:
        request: What its snapshot row asks for.
        state: The state to leave when it is marked.
        snapshot_id: The snapshot whose row says *request*, 0 where none is known to.
    """

    request: CallRequest
    state: CallState
    snapshot_id: int = 0


@row_value(frozen=True, slots=True, kw_only=True)
class Mark:
    """
    Wish to send a call: pending (or failed, rejected) -> sending.

    Attributes:
        key: The call.
        contact: Hash of its contact.
        state: The state it must still be in.
        body: The exact bytes about to be sent.
        request_digest: Hash of what the row asks for.
        at: The moment of marking, aware UTC.
        due_at: When the phone will ring: *at*, or later for a scheduled call. Aware UTC.
        judged_at: Who was called before is judged for this moment, aware UTC; None is *at*.
            Earlier where the clock may be ahead of the time.
        asked: The call as the ledger gave it: a body that says what its row asks for, and no
            more, need not be kept. None keeps any body.
    """

    key: str
    contact: str
    state: CallState
    body: bytes
    request_digest: str
    at: datetime
    due_at: datetime
    judged_at: datetime | None = None
    asked: DueCall | None = None


class MarkRefusal(StrEnum):
    """Why a call was not marked."""

    CALLED_RECENTLY = "called_recently"  # the contact was called, or may have been
    BEING_CALLED = "being_called"  # another call to this contact is being sent at this moment
    CHANGED = "changed"  # the call is no longer in the state it was read in


@row_value(frozen=True, slots=True, kw_only=True)
class Outcome:
    """
    What an attempt led to: sending -> *state*.

    Attributes:
        key: The call.
        attempt: The attempt's number, from 1; guards against a late outcome of another attempt.
            0 for a call that is given up unsent.
        state: Where the call stands now.
        verdict: Verdict on the attempt.
        code: Stable word, or "".
        message: Sentence, or "".
        http_status: 0 without a reply.
        call_id: Of a placed call, else "".
        created_at: As the API said, else "".
        excerpt: Start of the answer.
        at: When the attempt ended, aware UTC.
    """

    key: str
    attempt: int
    state: CallState
    verdict: Verdict
    code: str = ""
    message: str = ""
    http_status: int = 0
    call_id: str = ""
    created_at: str = ""
    excerpt: str = ""
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdrawal:
    """
    A marked call whose request never began: sending -> the state it was in.

    Attributes:
        key: The call.
        attempt: The number its mark was given; the attempt is struck out.
        state: The state to go back to.
    """

    key: str
    attempt: int
    state: CallState


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStart:
    """
    Who runs what, kept with the run.

    Attributes:
        campaign_id: The campaign.
        snapshot_id: The snapshot it dispatches.
        user: Login name.
        host: Host name.
        version: Version of the dispatcher.
        arguments: Command line, as one JSON list.
        settings: The settings in force without the key, as one JSON object.
        started_at: Aware UTC.
        results: Absolute path its results are meant for, or "".
    """

    campaign_id: int
    snapshot_id: int
    user: str
    host: str
    version: str
    arguments: str
    settings: str
    started_at: datetime
    results: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEnd:
    """
    How a run ended.

    Attributes:
        stopped: Why before its calls did, or None.
        message: One line that says what to do, or "".
        finished_at: Aware UTC.
    """

    stopped: StopWord | None
    message: str
    finished_at: datetime


@row_value(frozen=True, slots=True, kw_only=True)
class ResultRow:
    """
    One line of the results sheet.

    Attributes:
        number: Row number in the input.
        cells: The input's texts.
        status: Where the row stands.
        call_id: Id of the placed call, or "".
        created_at: As the API said, or "".
        error_code: Stable word, or "".
        error: Sentence for the operator, or "".
        http_status: Of the last attempt, 0 without.
        attempts: Number of HTTP requests.
        sent_at: ISO 8601 with offset, or "".
        campaign: Campaign name.
    """

    number: int
    cells: tuple[str, ...]
    status: CallStatus
    call_id: str = ""
    created_at: str = ""
    error_code: str = ""
    error: str = ""
    http_status: int = 0
    attempts: int = 0
    sent_at: str = ""
    campaign: str = ""


Counts = Mapping[CallStatus, int]
