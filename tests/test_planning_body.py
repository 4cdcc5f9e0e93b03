"""The exact bytes that are sent."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dispatcher.model import CallRequest, Schedule
from dispatcher.planning import DelayMode, body_of

# How fast this machine is must not matter.
unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

NOW = datetime(2026, 6, 15, 12, 0, 0, 1, tzinfo=UTC)
REQUEST = CallRequest(
    key="0123456789abcdef0123456789abcdef",
    contact="h",
    row=7,
    contact_id="Contact_1",
    agent_id="a1",
    from_number_id="n1",
)
OURS = {
    "dispatch_campaign": "deudores",
    "dispatch_key": "0123456789abcdef0123456789abcdef",
    "dispatch_row": "7",
}


def body(request: CallRequest, delay: DelayMode = DelayMode.SCHEDULE) -> bytes:
    return body_of(request, campaign="deudores", now=NOW, delay=delay)


def test_a_body_is_compact_json_with_what_was_asked_in_order() -> None:
    request = replace(
        REQUEST,
        additional_data=(("Nombre", 'José "Pepe"'), ("Monto", "14.058,10")),
        metadata=(("crm", "77"),),
    )

    assert body(request).decode() == (
        '{"contact_id":"Contact_1","agent_id":"a1","from_number_id":"n1",'
        '"additional_data":[{"key":"Nombre","value":"José \\"Pepe\\""},'
        '{"key":"Monto","value":"14.058,10"}],'
        '"metadata":{"crm":"77","dispatch_campaign":"deudores",'
        '"dispatch_key":"0123456789abcdef0123456789abcdef","dispatch_row":"7"}}'
    )


def test_what_there_is_none_of_is_not_sent() -> None:
    assert json.loads(body(REQUEST)) == {
        "contact_id": "Contact_1",
        "agent_id": "a1",
        "from_number_id": "n1",
        "metadata": OURS,
    }


def test_a_schedule_is_sent_as_wall_time_and_zone() -> None:
    at = datetime(2026, 6, 15, 17, 30, tzinfo=UTC)
    schedule = Schedule(local="2026-06-15 12:30:00", timezone="America/Bogota", at=at)

    sent = json.loads(body(replace(REQUEST, schedule=schedule)))

    assert sent["schedule"] == {
        "scheduled_call_time": "2026-06-15 12:30:00",
        "timezone": "America/Bogota",
    }
    assert "delay" not in sent


def test_a_schedule_counts_more_than_a_delay_that_is_sent_as_one() -> None:
    at = datetime(2026, 6, 15, 17, 30, tzinfo=UTC)
    schedule = Schedule(local="2026-06-15 12:30:00", timezone="America/Bogota", at=at)

    both = body(replace(REQUEST, schedule=schedule, delay_minutes=1.5))

    assert both == body(replace(REQUEST, schedule=schedule))


def test_a_delay_becomes_a_utc_schedule_counted_from_now() -> None:
    sent = json.loads(body(replace(REQUEST, delay_minutes=1.5)))

    assert sent["schedule"] == {
        "scheduled_call_time": "2026-06-15 12:01:31",
        "timezone": "UTC",
    }
    assert "delay" not in sent


@pytest.mark.parametrize(("minutes", "text"), [(30.0, b'"delay":30,'), (2.5, b'"delay":2.5,')])
def test_a_delay_is_sent_as_such_where_the_person_wants_it(minutes: float, text: bytes) -> None:
    sent = body(replace(REQUEST, delay_minutes=minutes), DelayMode.SEND)

    assert text in sent
    assert b"schedule" not in sent


def test_no_metadata_of_the_row_takes_the_place_of_ours() -> None:
    sent = json.loads(body(replace(REQUEST, metadata=(("dispatch_row", "x"),))))

    assert sent["metadata"] == OURS


@unhurried
@given(
    data=st.lists(st.tuples(st.text(max_size=9), st.text(min_size=1, max_size=9)), max_size=5),
    contact=st.text(min_size=1),
)
def test_every_body_is_json_that_reads_back_as_what_was_asked(
    data: list[tuple[str, str]], contact: str
) -> None:
    request = replace(REQUEST, contact_id=contact, additional_data=tuple(data))

    sent = json.loads(body(request))

    assert sent["contact_id"] == contact
    pairs = [(item["key"], item["value"]) for item in sent.get("additional_data", [])]
    assert pairs == data
