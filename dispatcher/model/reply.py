"""What one HTTP request brought back, and what it means."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from dispatcher.model.row_value import row_value


@row_value(frozen=True, slots=True, kw_only=True)
class Reply:
    """
    A status line arrived; the body may be cut.

    Attributes:
        status: HTTP status, 200 to 599.
        body: As much of the body as arrived, bounded.
        complete: The body ended as the server announced.
        content_type: Header value, or "".
        retry_after: Header value (seconds or an HTTP date), or "".
        limit: ``X-RateLimit-Limit``, or "".
        remaining: ``X-RateLimit-Remaining``, or "".
        reset: ``X-RateLimit-Reset``, or "".
    """

    status: int
    body: bytes = b""
    complete: bool = True
    content_type: str = ""
    retry_after: str = ""
    limit: str = ""
    remaining: str = ""
    reset: str = ""


class Evidence(StrEnum):
    """The one fact a transport reports about a request without a reply."""

    NOTHING_LEFT = "nothing_left"  # proven: no byte of our request was written
    BEGAN = "began"  # writing began
    UNKNOWN = "unknown"  # no report


class Cause(StrEnum):
    """What kind of fault took the reply away."""

    UNREACHABLE = "unreachable"  # DNS, refused, TLS, connect timeout
    TIMED_OUT = "timed_out"  # the answer's deadline passed
    LOST = "connection_lost"  # reset, disconnect, garbage instead of HTTP
    CANCELLED = "cancelled"  # the second signal took the request away


@dataclass(frozen=True, slots=True, kw_only=True)
class NoReply:
    """
    No status line arrived.

    Attributes:
        evidence: Whether a byte of our request began to leave.
        cause: Kind of fault.
        message: One sentence without key or personal data.
    """

    evidence: Evidence
    cause: Cause
    message: str


class Verdict(StrEnum):
    """What an attempt means for its call."""

    PLACED = "placed"
    REJECTED = "rejected"
    NOT_SENT = "not_sent"
    UNCERTAIN = "uncertain"


class StopWord(StrEnum):
    """Why a run ended before its calls did: the word in ``stopped``."""

    LIMIT = "limit"
    STOP_AT = "stop_at"
    MAX_MINUTES = "max_minutes"
    SIGNAL = "signal"
    ASKED = "asked"
    KEY_REFUSED = "key_refused"
    CREDIT_REFUSED = "credit_refused"
    REFUSED = "refused"
    NOT_THE_API = "not_the_api"
    FIRST_CALLS_REFUSED = "first_calls_refused"
    UNREACHABLE = "unreachable"
    BREAKER = "breaker"
    TOO_MANY_UNCERTAIN = "too_many_uncertain"
    WAIT_TOO_LONG = "wait_too_long"
    LEDGER_FAILED = "ledger_failed"


@row_value(frozen=True, slots=True, kw_only=True)
class Judgement:
    """
    What a reply, or none, means (the table in section "What a reply means" of the README).

    Attributes:
        verdict: Placed, rejected, not sent or uncertain.
        code: Stable word for ``call_error_code``, "" for a plain success.
        message: One sentence fit for the operator, "" for a plain success.
        http_status: Status of the reply, 0 without one.
        call_id: Id of the placed call, else "".
        created_at: As the API said, else "".
        stop: The run ends with this word, or None.
        failure: Counts for the breaker (5xx, timeout, reset).
        excerpt: Start of the answer as text, for the record.
    """

    verdict: Verdict
    code: str = ""
    message: str = ""
    http_status: int = 0
    call_id: str = ""
    created_at: str = ""
    stop: StopWord | None = None
    failure: bool = False
    excerpt: str = ""
