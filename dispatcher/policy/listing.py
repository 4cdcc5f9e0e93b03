"""What the API's look-ups say: its list of calls, one call, one contact, in both generations."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from dispatcher.policy.wording import plain

_LONGEST = 2**20  # a body is never longer, so an id is never cut
_NOWHERE: Mapping[str, object] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedCall:
    """
    A call as the API shows it; "" is what it does not say.

    Attributes:
        call_id: Its id.
        contact_id: Whom it calls.
        phone: The number it calls.
        agent_id: Who speaks.
        created_at: When it was created, aware, or None where that cannot be told.
        created_text: The same in the API's words.
        is_inbound: The contact called, not we.
    """

    call_id: str
    contact_id: str = ""
    phone: str = ""
    agent_id: str = ""
    created_at: datetime | None = None
    created_text: str = ""
    is_inbound: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CallPage:
    """
    One page of the list of calls.

    Attributes:
        calls: Its calls.
        total: How many calls there are over all pages as the API says, or None.
    """

    calls: tuple[ListedCall, ...]
    total: int | None

    def is_last(self, *, offset: int, limit: int) -> bool:
        """
        Tell whether nothing follows.

        A total that is just this page's length says nothing about further pages.

        Args:
            offset: Calls before this page.
            limit: Calls asked for.
        """
        count = len(self.calls)
        if self.total is None or self.total == count:
            return count < limit
        return count == 0 or offset + count >= self.total


def read_calls(body: bytes) -> CallPage | None:
    """Read a page of the list of calls; None if any of it cannot be understood."""
    answer = _read(body)
    rows = answer.get("data") if isinstance(answer, dict) else None
    if not isinstance(answer, dict) or not isinstance(rows, list):
        return None
    calls = [call for row in rows if (call := _call(row)) is not None]
    if len(calls) < len(rows):
        return None
    pagination = answer.get("pagination")
    total = pagination.get("total_rows") if isinstance(pagination, dict) else answer.get("count")
    is_number = isinstance(total, int) and not isinstance(total, bool)
    return CallPage(calls=tuple(calls), total=total if is_number else None)


def read_call(body: bytes) -> ListedCall | None:
    """Read one call, bare or under ``data``; None if it cannot be understood."""
    answer = _read(body)
    if isinstance(answer, dict) and isinstance(answer.get("data"), dict):
        answer = answer["data"]
    return _call(answer)


def read_contact(body: bytes) -> tuple[str, str] | None:
    """
    Read one contact, bare, under ``data`` or under ``data.contact``.

    Returns:
        Its id and its phone number, "" for what is not said; None if it is no contact.
    """
    answer = _read(body)
    for name in ("data", "contact"):
        if isinstance(answer, dict) and isinstance(answer.get(name), dict):
            answer = answer[name]
    if not isinstance(answer, dict) or "phone_number" not in answer:
        return None
    return _text(answer, "id"), _text(answer, "phone_number")


def _call(row: object) -> ListedCall | None:
    if not isinstance(row, dict):
        return None
    call_id = _text(row, "id") or _text(row, "call_id")
    if not call_id:
        return None
    inner = row.get("contact")
    contact = inner if isinstance(inner, dict) else _NOWHERE
    created = _text(row, "created_at")
    return ListedCall(
        call_id=call_id,
        contact_id=_text(contact, "id") or _text(row, "contact_id"),
        phone=_text(contact, "phone_number"),
        agent_id=_text(row, "agent_id"),
        created_at=_moment(created),
        created_text=created,
        is_inbound=_text(row, "direction").casefold() == "inbound",
    )


def _read(body: bytes) -> object:
    try:
        return json.loads(body.decode("utf-8-sig", "replace"))
    except (ValueError, RecursionError):
        return None


def _text(fields: Mapping[str, object], name: str) -> str:
    value = fields.get(name)
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    return plain(value.strip(), limit=_LONGEST) if isinstance(value, str) else ""


def _moment(text: str) -> datetime | None:
    try:
        at = datetime.fromisoformat(text)
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
