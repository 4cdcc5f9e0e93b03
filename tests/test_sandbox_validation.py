"""What bodies the sandbox accepts, and its complaints about others."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dispatcher.sandbox.record import CallOrder, Json
from dispatcher.sandbox.validation import (
    BadRequest,
    parse_body,
    read_contact_call,
    read_phone_call,
)

NOW = datetime(2026, 6, 15, 12, 0, tzinfo=UTC)
CONTACT_CALL: dict[str, Json] = {"contact_id": "c", "agent_id": "a", "from_number_id": "n"}
PHONE_CALL: dict[str, Json] = {
    "from_number": "+541150000001",
    "to_number": "+5491155554444",
    "full_name": "Ana",
    "agent_id": "a",
}
PAIR = "each value in nested property additional_data must be either object or array"
NUMBER = "delay must be a number conforming to the specified constraints"
TIME_FORM = "schedule.scheduled_call_time must be a valid time in the form YYYY-MM-DD HH:mm:ss"
FUTURE = "schedule.scheduled_call_time must be in the future"
ZONE = "schedule.timezone must be a valid IANA time zone"


def _at(time: Json, zone: Json = "UTC") -> dict[str, Json]:
    return {"schedule": {"scheduled_call_time": time, "timezone": zone}}


@pytest.mark.parametrize(
    ("change", "complaints"),
    [
        ({"contact_id": None}, ["contact_id must be a string"]),
        ({"contact_id": 5}, ["contact_id must be a string"]),
        ({"contact_id": "  "}, ["contact_id should not be empty"]),
        ({"agent_id": ["a"]}, ["agent_id must be a string"]),
        ({"from_number": "+541150000001"}, ["property from_number should not exist"]),
        ({"additional_data": None}, ["additional_data must be an array"]),
        ({"additional_data": {"k": "v"}}, ["additional_data must be an array"]),
        ({"additional_data": ["k"]}, [PAIR]),
        ({"additional_data": [{"key": "k"}]}, ["additional_data.0.value must be a string"]),
        (
            {"additional_data": [{"key": "k", "value": "v"}, {"key": "k", "value": 14058.1}]},
            ["additional_data.1.value must be a string"],
        ),
        (
            {"additional_data": [{"key": "k", "value": None}]},
            ["additional_data.0.value must be a string"],
        ),
        (
            {"additional_data": [{"key": "", "value": "v"}]},
            ["additional_data.0.key should not be empty"],
        ),
        (
            {"additional_data": [{"key": "k", "value": "v", "type": "t"}]},
            ["additional_data.0.property type should not exist"],
        ),
        ({"metadata": [1]}, ["metadata must be an object"]),
        ({"metadata": None}, ["metadata must be an object"]),
        ({"delay": "5"}, [NUMBER]),
        ({"delay": True}, [NUMBER]),
        ({"delay": float("inf")}, [NUMBER]),
        ({"delay": -0.5}, ["delay must not be less than 0"]),
        ({"schedule": "2026-06-15 14:00:00"}, ["schedule must be an object"]),
        (
            {"schedule": {}},
            [
                "schedule.scheduled_call_time must be a string",
                "schedule.timezone must be a string",
            ],
        ),
        (
            {"schedule": {"scheduled_call_time": "", "timezone": " ", "utc": True}},
            [
                "schedule.property utc should not exist",
                "schedule.scheduled_call_time should not be empty",
                "schedule.timezone should not be empty",
            ],
        ),
        (_at("2026-06-15T14:00:00"), [TIME_FORM]),
        (_at("2026-06-15 14:00"), [TIME_FORM]),
        (_at("2026-06-15 14:00:00Z"), [TIME_FORM]),
        (_at("2026-02-30 14:00:00"), [TIME_FORM]),
        (_at("٢٠٢٦-06-15 14:00:00"), [TIME_FORM]),
        (_at("2026-06-15 14:00:00", "Buenos Aires"), [ZONE]),
        (_at("2026-06-15 14:00:00", "America"), [ZONE]),
        (_at("2026-06-15 14:00:00", "/etc/passwd"), [ZONE]),
        (_at("2026-06-15 11:59:59"), [FUTURE]),
        (_at("2026-06-15 08:59:59", "America/Argentina/Buenos_Aires"), [FUTURE]),
        (_at("0001-01-01 00:00:00", "Asia/Tokyo"), [FUTURE]),
        (_at("9999-12-31 23:59:59", "America/Mexico_City"), [FUTURE]),
    ],
    ids=str,
)
def test_each_fault_of_a_contact_call_has_its_complaint(
    change: dict[str, Json], complaints: list[str]
) -> None:
    result = read_contact_call(CONTACT_CALL | change, now=NOW)

    assert isinstance(result, BadRequest)
    assert list(result.messages) == complaints


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"additional_data": []},
        {"additional_data": [{"key": "k", "value": ""}]},
        {"delay": 0},
        {"delay": 2.5},
        {"metadata": {}},
        _at("2026-06-15 12:00:00"),
        _at("2026-06-15 09:00:00", "America/Argentina/Buenos_Aires"),
    ],
    ids=str,
)
def test_what_the_api_documents_is_accepted(change: dict[str, Json]) -> None:
    assert isinstance(read_contact_call(CONTACT_CALL | change, now=NOW), CallOrder)


@pytest.mark.parametrize(
    ("change", "complaints"),
    [
        ({"to_number": "5491155554444"}, ["to_number must be a valid phone number"]),
        ({"to_number": "+0491155554444"}, ["to_number must be a valid phone number"]),
        ({"to_number": "+54 9 11 5555"}, ["to_number must be a valid phone number"]),
        ({"from_number": None}, ["from_number must be a string"]),
        ({"full_name": ""}, ["full_name should not be empty"]),
        ({"email": 1}, ["email must be a string"]),
        ({"contact_id": "c"}, ["property contact_id should not exist"]),
    ],
    ids=str,
)
def test_each_fault_of_a_phone_call_has_its_complaint(
    change: dict[str, Json], complaints: list[str]
) -> None:
    result = read_phone_call(PHONE_CALL | change, now=NOW)

    assert isinstance(result, BadRequest)
    assert list(result.messages) == complaints


@pytest.mark.parametrize("body", [[], "text", None, 7], ids=str)
def test_a_body_that_is_no_object_is_refused(body: Json) -> None:
    result = read_contact_call(body, now=NOW)

    assert isinstance(result, BadRequest)
    assert result.messages[0] == "the body must be an object"


@pytest.mark.parametrize(
    "body", [b"", b"{", b'{"delay": NaN}', b"\xff\xfe{}", b"[" * 200_000], ids=lambda b: b[:10]
)
def test_a_body_that_is_no_json_is_refused(body: bytes) -> None:
    assert isinstance(parse_body(body, content_type="application/json"), BadRequest)


@pytest.mark.parametrize("content_type", ["", "text/plain", "application/x-www-form-urlencoded"])
def test_a_body_not_declared_as_json_counts_as_empty(content_type: str) -> None:
    assert parse_body(b'{"contact_id": "c"}', content_type=content_type) == {}


_JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text("a2 -:\ud800", max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["key", "value", "schedule", "scheduled_call_time", "timezone", "x"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=8,
)


@settings(deadline=None)
@given(
    body=st.dictionaries(
        st.sampled_from(
            ["contact_id", "agent_id", "additional_data", "delay", "schedule", "metadata", "x"]
        ),
        _JSON,
    )
)
def test_no_body_whatever_breaks_the_reading(body: dict[str, Json]) -> None:
    result = read_contact_call(CONTACT_CALL | body, now=NOW)

    assert isinstance(result, CallOrder) or result.messages
    json.dumps(result.messages if isinstance(result, BadRequest) else dict(result.metadata))
