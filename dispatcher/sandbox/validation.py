"""Whether a request's body is what the API accepts, with its complaints in the API's words."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import cast
from zoneinfo import ZoneInfo

from dispatcher.model import Schedule
from dispatcher.sandbox.record import CallOrder, Json

_CONTACT_CALL = frozenset(
    ["contact_id", "agent_id", "from_number_id", "additional_data", "delay", "schedule", "metadata"]
)
_PHONE_CALL = frozenset(
    [
        "from_number",
        "to_number",
        "full_name",
        "agent_id",
        "email",
        "country",
        "delay",
        "schedule",
        "additional_data",
        "webhook_url",
        "metadata",
    ]
)
_SCHEDULE = frozenset({"scheduled_call_time", "timezone"})
_PAIR = frozenset({"key", "value"})
_LOCAL_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}")
_E164 = re.compile(r"\+[1-9][0-9]{6,14}")
_PAIRS_WANTED = "each value in nested property additional_data must be either object or array"


@dataclass(frozen=True, slots=True, kw_only=True)
class BadRequest:
    """
    A body the API refuses.

    Attributes:
        messages: One complaint for each thing that is wrong.
    """

    messages: tuple[str, ...]


def parse_body(body: bytes, *, content_type: str) -> Json | BadRequest:
    """Return the JSON value of *body*; of anything not declared as JSON, an empty object."""
    if content_type.partition(";")[0].strip().lower() != "application/json":
        return {}
    try:
        return cast(Json, json.loads(body, parse_constant=_refuse_constant))
    except (ValueError, RecursionError) as error:
        return BadRequest(messages=(f"the body is not JSON: {error}",))


def read_contact_call(body: Json, *, now: datetime) -> CallOrder | BadRequest:
    """Return what a single-contact-call asks for, or every complaint about *body*."""
    fields = _Fields(body)
    fields.refuse_others(_CONTACT_CALL)
    order = CallOrder(
        contact_id=fields.text("contact_id"),
        agent_id=fields.text("agent_id"),
        from_number_id=fields.text("from_number_id"),
        additional_data=_pairs(fields),
        metadata=fields.mapping("metadata"),
        schedule=_schedule(fields, now=now),
        delay_minutes=fields.minutes("delay"),
    )
    return order if not fields.messages else BadRequest(messages=tuple(fields.messages))


def read_phone_call(body: Json, *, now: datetime) -> CallOrder | BadRequest:
    """Return what a single-phone-call asks for, or every complaint about *body*."""
    fields = _Fields(body)
    fields.refuse_others(_PHONE_CALL)
    for name in ("email", "country", "webhook_url"):
        fields.optional_text(name)
    order = CallOrder(
        from_number_id=fields.phone("from_number"),
        to_number=fields.phone("to_number"),
        full_name=fields.text("full_name"),
        agent_id=fields.text("agent_id"),
        additional_data=_pairs(fields),
        metadata=fields.mapping("metadata"),
        schedule=_schedule(fields, now=now),
        delay_minutes=fields.minutes("delay"),
    )
    return order if not fields.messages else BadRequest(messages=tuple(fields.messages))


class _Fields:
    """The fields of one object; whatever is wrong with them gathers in ``messages``."""

    def __init__(self, body: Json, *, within: str = "", messages: list[str] | None = None) -> None:
        self.messages: list[str] = [] if messages is None else messages
        self._within = within
        self._fields: Mapping[str, Json] = body if isinstance(body, dict) else {}
        if not isinstance(body, dict):
            self.messages.append("the body must be an object")

    def __contains__(self, name: str) -> bool:
        return name in self._fields

    def __getitem__(self, name: str) -> Json:
        return self._fields[name]

    def complain(self, name: str, rule: str) -> None:
        self.messages.append(f"{self._within}{name} {rule}")

    def refuse_others(self, allowed: Iterable[str]) -> None:
        for name in self._fields.keys() - allowed:
            self.messages.append(f"{self._within}property {name} should not exist")

    def text(self, name: str) -> str:
        value = self._fields.get(name)
        if not isinstance(value, str):
            self.complain(name, "must be a string")
            return ""
        if not value.strip():
            self.complain(name, "should not be empty")
        return value

    def optional_text(self, name: str) -> str:
        value = self._fields.get(name, "")
        if isinstance(value, str):
            return value
        self.complain(name, "must be a string")
        return ""

    def phone(self, name: str) -> str:
        value = self.text(name)
        if value.strip() and not _E164.fullmatch(value):
            self.complain(name, "must be a valid phone number")
        return value

    def mapping(self, name: str) -> Mapping[str, Json]:
        value = self._fields.get(name, {})
        if isinstance(value, dict):
            return value
        self.complain(name, "must be an object")
        return {}

    def minutes(self, name: str) -> float:
        value = self._fields.get(name, 0)
        # JSON allows 1e999, which reads as infinity.
        if isinstance(value, bool) or not isinstance(value, int | float) or math.isinf(value):
            self.complain(name, "must be a number conforming to the specified constraints")
            return 0.0
        if value < 0:
            self.complain(name, "must not be less than 0")
        return value


def _pairs(fields: _Fields) -> tuple[tuple[str, str], ...]:
    if "additional_data" not in fields:
        return ()
    entries = fields["additional_data"]
    if not isinstance(entries, list):
        fields.complain("additional_data", "must be an array")
        return ()
    pairs = []
    for index, entry in enumerate(entries):
        if not isinstance(entry, dict):
            fields.messages.append(_PAIRS_WANTED)
            continue
        within = f"additional_data.{index}."
        pair = _Fields(entry, within=within, messages=fields.messages)
        pair.refuse_others(_PAIR)
        if "value" not in pair:
            pair.complain("value", "must be a string")
        pairs.append((pair.text("key"), pair.optional_text("value")))
    return tuple(pairs)


def _schedule(fields: _Fields, *, now: datetime) -> Schedule | None:
    if "schedule" not in fields:
        return None
    entries = fields["schedule"]
    if not isinstance(entries, dict):
        fields.complain("schedule", "must be an object")
        return None
    inner = _Fields(entries, within="schedule.", messages=fields.messages)
    inner.refuse_others(_SCHEDULE)
    time_text, zone_name = inner.text("scheduled_call_time"), inner.text("timezone")
    local, zone = _local_time(inner, time_text), _zone(inner, zone_name)
    if local is None or zone is None:
        return None
    at = _instant(local, zone)
    if at is None or at < now:
        inner.complain("scheduled_call_time", "must be in the future")
        return None
    return Schedule(local=time_text, timezone=zone_name, at=at)


def _local_time(fields: _Fields, text: str) -> datetime | None:
    if not text.strip():
        return None
    try:
        if _LOCAL_TIME.fullmatch(text):
            return datetime.fromisoformat(text)
    except ValueError:
        pass
    fields.complain("scheduled_call_time", "must be a valid time in the form YYYY-MM-DD HH:mm:ss")
    return None


def _zone(fields: _Fields, name: str) -> ZoneInfo | None:
    if not name.strip():
        return None
    try:
        return ZoneInfo(name)
    except (LookupError, ValueError, OSError):
        fields.complain("timezone", "must be a valid IANA time zone")
        return None


def _instant(local: datetime, zone: ZoneInfo) -> datetime | None:
    try:
        return local.replace(tzinfo=zone).astimezone(UTC)
    except OverflowError:  # year 1 or 9999, beyond what UTC can hold
        return None


def _refuse_constant(name: str) -> float:
    raise ValueError(f"Unexpected token {name}")
