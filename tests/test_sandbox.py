"""The sandbox speaks the API: placing, reading, limits, over real HTTP on loopback."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from dispatcher.sandbox import (
    SANDBOX_AGENT_ID,
    SANDBOX_NUMBER_ID,
    Faults,
    Generation,
    SandboxOptions,
    SandboxServer,
    contact_of,
)

CONTACT = "5b2f4c1e-8a07-4a57-9a0e-2f1f6d2c9b10"
NOON = datetime(2026, 6, 15, 12, 0, tzinfo=UTC)


class Clock:
    """A clock that stands still until a test moves it."""

    def __init__(self) -> None:
        self.at = NOON

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return (self.at - NOON).total_seconds()

    def forward(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


@dataclass(frozen=True)
class Visit:
    server: SandboxServer
    http: httpx.Client
    clock: Clock

    def call(self, contact_id: str = CONTACT, **more: object) -> httpx.Response:
        body = {
            "contact_id": contact_id,
            "agent_id": SANDBOX_AGENT_ID,
            "from_number_id": SANDBOX_NUMBER_ID,
        }
        return self.http.post("/v1/calls/single-contact-call", json=body | more)

    def get(self, path: str, **query: str | int) -> Any:  # noqa: ANN401 - parsed JSON
        answer = self.http.get(path, params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()


Open = Callable[[SandboxOptions], Visit]


@pytest.fixture
def open_sandbox() -> Iterator[Open]:
    with ExitStack() as stack:

        def opened(options: SandboxOptions) -> Visit:
            clock = Clock()
            server = stack.enter_context(
                SandboxServer(options, now=clock.now, monotonic=clock.monotonic)
            )
            client = httpx.Client(base_url=server.url, headers={"x-api-key": server.key})
            return Visit(server, stack.enter_context(client), clock)

        yield opened


@pytest.fixture
def visit(open_sandbox: Open) -> Visit:
    return open_sandbox(SandboxOptions(rate_per_minute=0))


@pytest.fixture
def visit_a(open_sandbox: Open) -> Visit:
    return open_sandbox(SandboxOptions(rate_per_minute=0, generation=Generation.A))


@pytest.mark.parametrize("key", [None, "", "wrong", "sandbox-key2", "sandbox"])
def test_any_other_key_is_refused_everywhere_and_places_nothing(
    visit: Visit, key: str | None
) -> None:
    headers = {} if key is None else {"x-api-key": key}
    paths = ["/v1/calls", "/v1/contacts", "/v1/agents", "/v1/credits", "/sandbox/record"]

    with httpx.Client(base_url=visit.server.url, headers=headers) as stranger:
        statuses = {stranger.get(path).status_code for path in paths}
        answer = stranger.post("/v1/calls/single-contact-call", json={"contact_id": CONTACT})

    assert statuses == {401}
    assert answer.json() == {"statusCode": 401, "message": "Unauthorized"}
    assert visit.server.record == ()


def test_generation_b_answers_201_with_the_call_wrapped(visit: Visit) -> None:
    answer = visit.call()

    (placed,) = visit.server.record
    assert answer.status_code == 201
    assert answer.json() == {
        "statusCode": 201,
        "data": {
            "call_id": placed.call_id,
            "agent_id": SANDBOX_AGENT_ID,
            "contact_id": CONTACT,
            "created_at": "2026-06-15T12:00:00.000Z",
        },
    }
    assert placed.call_id.startswith("sandbox-")


def test_generation_a_answers_200_with_the_call_bare(visit_a: Visit) -> None:
    answer = visit_a.call()

    assert answer.status_code == 200
    assert answer.json()["call_id"] == visit_a.server.record[0].call_id


def test_the_record_keeps_exactly_what_was_asked_for(visit: Visit) -> None:
    data = [{"key": "monto", "value": "14.058,10"}, {"key": "año", "value": ""}]
    when = {"scheduled_call_time": "2026-06-15 09:30:00", "timezone": "America/Mexico_City"}

    visit.call(additional_data=data, metadata={"n": [1, None]}, schedule=when, delay=0)

    (call,) = visit.server.record
    assert (call.contact_id, call.agent_id) == (CONTACT, SANDBOX_AGENT_ID)
    assert call.from_number_id == SANDBOX_NUMBER_ID
    assert call.additional_data == (("monto", "14.058,10"), ("año", ""))
    assert call.metadata == {"n": [1, None]}
    assert call.schedule is not None
    assert call.schedule.at == datetime(2026, 6, 15, 15, 30, tzinfo=UTC)
    assert call.created_at == NOON


def test_other_processes_read_the_record_over_http_with_the_key(visit: Visit) -> None:
    when = {"scheduled_call_time": "2026-06-16 09:30:00", "timezone": "UTC"}
    visit.call(additional_data=[{"key": "k", "value": "v"}], metadata={"m": 1}, schedule=when)

    record = visit.get("/sandbox/record")

    assert record == {
        "count": 1,
        "calls": [
            {
                "call_id": visit.server.record[0].call_id,
                "contact_id": CONTACT,
                "agent_id": SANDBOX_AGENT_ID,
                "from_number_id": SANDBOX_NUMBER_ID,
                "to_number": None,
                "full_name": None,
                "additional_data": [{"key": "k", "value": "v"}],
                "metadata": {"m": 1},
                "delay": 0,
                "schedule": when,
                "created_at": "2026-06-15T12:00:00+00:00",
            }
        ],
        "requests": {CONTACT: 1},
    }


def test_call_ids_of_two_sandboxes_never_meet(open_sandbox: Open) -> None:
    visits = [open_sandbox(SandboxOptions(seed=1)) for _ in range(2)]

    ids = {visit.call().json()["data"]["call_id"] for visit in visits for _ in range(5)}

    assert len(ids) == 10


def test_a_bare_number_is_called_without_a_contact(visit: Visit) -> None:
    body = {
        "from_number": "+541150000001",
        "to_number": "+5491155554444",
        "full_name": "Íñigo Peña",
        "agent_id": SANDBOX_AGENT_ID,
        "email": "i@example.com",
        "country": "AR",
        "webhook_url": "https://example.com/hook",
    }

    answer = visit.http.post("/v1/calls/single-phone-call", json=body)
    view = visit.get(f"/v1/calls/{answer.json()['data']['call_id']}")

    assert answer.json()["data"]["contact_id"] is None
    assert visit.get("/sandbox/record")["calls"][0]["to_number"] == "+5491155554444"
    assert view["contact"]["full_name"] == "Íñigo Peña"
    assert view["from"] == "+541150000001"
    assert visit.get("/v1/calls", phoneNumber="+5491155554444")["data"] == [view]
    assert visit.get("/v1/contacts")["data"] == []


@pytest.mark.parametrize(
    ("unknown", "message"),
    [
        (Faults(unknown_contacts=frozenset({CONTACT})), "Contact not found"),
        (Faults(unknown_agents=frozenset({SANDBOX_AGENT_ID})), "Agent not found"),
        (Faults(unknown_numbers=frozenset({SANDBOX_NUMBER_ID})), "Phone number not found"),
    ],
    ids=["contact", "agent", "number"],
)
def test_what_is_unknown_is_answered_with_404_and_places_nothing(
    open_sandbox: Open, unknown: Faults, message: str
) -> None:
    visit = open_sandbox(SandboxOptions(faults=unknown))

    answer = visit.call()

    assert answer.status_code == 404
    assert answer.json() == {"statusCode": 404, "message": message, "error": "Not Found"}
    assert visit.server.record == ()
    assert visit.server.requests == {CONTACT: 1}


def test_bad_fields_are_answered_with_every_complaint(visit: Visit) -> None:
    answer = visit.http.post("/v1/calls/single-contact-call", json={"contact_id": 7, "foo": 1})

    assert answer.status_code == 400
    assert answer.json() == {
        "statusCode": 400,
        "message": [
            "property foo should not exist",
            "contact_id must be a string",
            "agent_id must be a string",
            "from_number_id must be a string",
        ],
        "error": "Bad Request",
    }


def test_a_broken_body_is_answered_with_400(visit: Visit) -> None:
    headers = {"content-type": "application/json"}

    answer = visit.http.post("/v1/calls/single-contact-call", content=b"{", headers=headers)

    assert answer.status_code == 400
    assert visit.server.record == ()


def test_the_121st_request_within_60_seconds_waits_for_the_first_to_leave(
    open_sandbox: Open,
) -> None:
    visit = open_sandbox(SandboxOptions())
    first = visit.get("/v1/agents")
    visit.clock.forward(10.5)
    answers = [visit.call(f"c{number}") for number in range(119)]

    refused = visit.call("late")
    visit.clock.forward(49.5)
    admitted = visit.call("late")

    assert first
    assert {answer.status_code for answer in answers} == {201}
    assert answers[-1].headers["x-ratelimit-limit"] == "120"
    assert answers[-1].headers["x-ratelimit-remaining"] == "0"
    assert refused.status_code == 429
    assert refused.headers["retry-after"] == refused.headers["x-ratelimit-reset"] == "50"
    assert refused.json() == {
        "statusCode": 429,
        "message": "ThrottlerException: Too Many Requests",
    }
    assert admitted.status_code == 201
    assert "late" in [call.contact_id for call in visit.server.record]
    assert visit.server.requests["late"] == 1


@pytest.mark.parametrize("path", ["/v1/calls", "/v1/contacts"])
def test_the_two_lists_have_a_limit_of_20_of_their_own(open_sandbox: Open, path: str) -> None:
    visit = open_sandbox(SandboxOptions())

    statuses = [visit.http.get(path).status_code for _ in range(21)]

    assert statuses == [200] * 20 + [429]
    assert visit.call().status_code == 201


def test_rate_0_lifts_every_limit_and_its_headers(visit: Visit) -> None:
    answers = [visit.http.get("/v1/calls") for _ in range(150)]

    assert {answer.status_code for answer in answers} == {200}
    assert "x-ratelimit-limit" not in answers[0].headers


def test_a_call_is_queued_then_in_progress_then_ended(visit: Visit) -> None:
    call_id = visit.call().json()["data"]["call_id"]
    path = f"/v1/calls/{call_id}"

    words, light = [], []
    for _ in range(240):
        words.append(visit.get(path)["call_status"])
        light.append(visit.get(f"{path}/status")["data"]["call_status"])
        visit.clock.forward(1)

    assert list(dict.fromkeys(words)) == ["in-queue", "in-progress", "ended"]
    assert list(dict.fromkeys(light)) == ["in_queue", "in_progress", "ended"]


def test_an_ended_call_shows_its_outcome_in_list_detail_and_status(visit: Visit) -> None:
    call_id = visit.call().json()["data"]["call_id"]
    before = visit.get(f"/v1/calls/{call_id}")
    visit.clock.forward(3600)

    view = visit.get(f"/v1/calls/{call_id}", include_transcript="false")
    light = visit.get(f"/v1/calls/{call_id}/status")
    listed = visit.get("/v1/calls")["data"]

    assert "call_result" not in before
    assert listed == [view]
    assert view["contact"]["phone_number"] == contact_of(CONTACT).phone_number
    assert view["duration"] > 0
    assert view["call_analysis"]["summary"]
    assert light["statusCode"] == 200
    assert light["data"]["finished"] is True
    assert light["data"]["ended_at"] == view["finished_at"]
    assert light["data"]["disconnection_reason"] == view["disconnection_reason"]


def test_outcomes_are_plausible_and_follow_the_seed(open_sandbox: Open) -> None:
    def results(seed: int) -> list[str]:
        visit = open_sandbox(SandboxOptions(rate_per_minute=0, seed=seed))
        for number in range(120):
            visit.call(f"c{number}")
        visit.clock.forward(3600)
        page = visit.get("/v1/calls", limit=1000, order="asc")
        return [call["call_result"] for call in page["data"]]

    first = results(1)

    assert first == results(1)
    assert first != results(2)
    assert {"completed", "voicemail", "no_answer", "busy"} <= set(first)


def test_a_completed_call_has_a_transcript_unless_that_is_declined(visit: Visit) -> None:
    for number in range(20):
        visit.call(f"c{number}")
    visit.clock.forward(3600)
    call = visit.get("/v1/calls", call_result="completed")["data"][0]

    shown = visit.get(f"/v1/calls/{call['id']}")
    declined = visit.get(f"/v1/calls/{call['id']}", include_transcript="false")

    assert shown["transcript"].startswith("Agent:")
    assert "transcript" not in declined


def test_a_scheduled_call_stays_queued_until_its_time(visit: Visit) -> None:
    when = {"scheduled_call_time": "2026-06-15 14:00:00", "timezone": "UTC"}
    call_id = visit.call(schedule=when).json()["data"]["call_id"]
    visit.clock.forward(7199)
    before = visit.get(f"/v1/calls/{call_id}")
    visit.clock.forward(3600)

    assert before["call_status"] == "in-queue"
    assert visit.get(f"/v1/calls/{call_id}")["call_status"] == "ended"


@pytest.mark.parametrize(
    ("generation", "status"),
    [(Generation.A, "in-queue"), (Generation.B, "ended")],
    ids=["A applies it", "B calls at once"],
)
def test_a_delay_is_applied_by_generation_a_alone(
    open_sandbox: Open, generation: Generation, status: str
) -> None:
    visit = open_sandbox(SandboxOptions(generation=generation))
    visit.call(delay=120)
    visit.clock.forward(3600)

    assert visit.get("/v1/calls")["data"][0]["call_status"] == status


def test_pages_follow_each_other_in_either_order(visit: Visit) -> None:
    for number in range(45):
        visit.call(f"c{number}")

    newest = visit.get("/v1/calls")
    second = visit.get("/v1/calls", limit=20, offset=20, order="asc")
    beyond = visit.get("/v1/calls", offset=100)

    assert [call["contact"]["id"] for call in newest["data"]][:2] == ["c44", "c43"]
    assert len(newest["data"]) == 20
    assert newest["pagination"] == {"page": 1, "total_rows": 45, "total_pages": 3}
    assert second["data"][0]["contact"]["id"] == "c20"
    assert second["pagination"]["page"] == 2
    assert beyond["data"] == []


def test_generation_a_counts_instead_of_paging(visit_a: Visit) -> None:
    visit_a.call()

    page = visit_a.get("/v1/calls")

    assert page.keys() == {"data", "count"}
    assert page["count"] == 1


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"date_from": "2026-06-15T12:00:30Z"}, ["second"]),
        ({"date_from": "2026-06-15T12:00:30"}, ["second"]),
        ({"date_to": "2026-06-15T09:00:30-03:00"}, ["first"]),
        ({"date_from": "2026-06-15", "date_to": "2026-06-15"}, ["second", "first"]),
        ({"date_to": "2026-06-14"}, []),
        ({"agent_id": "agent-x"}, ["second"]),
        ({"phoneNumber": contact_of("first").phone_number}, ["first"]),
        ({"call_status": "ended"}, ["first"]),
        ({"call_status": "in-queue"}, ["second"]),
        ({"call_result": "nonsense"}, []),
    ],
    ids=lambda value: ",".join(value) if isinstance(value, dict) else "",
)
def test_filters_narrow_the_list(visit: Visit, query: dict[str, str], found: list[str]) -> None:
    visit.call("first")
    visit.clock.forward(600)
    visit.call("second", agent_id="agent-x")
    shifted = {name: _ten_minutes_on(text) for name, text in query.items()}

    listed = visit.get("/v1/calls", **shifted)["data"]

    assert [call["contact"]["id"] for call in listed] == found


def _ten_minutes_on(text: str) -> str:
    return text.replace(":00:30", ":05:30")


@pytest.mark.parametrize(
    ("path", "complaint"),
    [
        ("/v1/calls?limit=1001", "limit must not be greater than 1000"),
        ("/v1/calls?limit=0", "limit must not be less than 1"),
        ("/v1/calls?offset=x", "offset must be an integer number"),
        ("/v1/calls?offset=-1", "offset must be an integer number"),
        ("/v1/calls?order=up", "order must be one of the following values: asc, desc"),
        ("/v1/calls?contact_id=1", "property contact_id should not exist"),
        ("/v1/calls?date_from=yesterday", "date_from must be a valid ISO 8601 date string"),
        ("/v1/calls/x?foo=1", "property foo should not exist"),
        ("/v1/contacts?limit=5", "limit and offset must be sent together"),
        ("/v1/contacts?offset=5", "limit and offset must be sent together"),
        (
            "/v1/contacts/x?identifierType=dni",
            "identifierType must be one of the following values: id, phone_number, email",
        ),
        (
            "/v1/phone-numbers?type=fax",
            "type must be one of the following values: inbound, outbound",
        ),
    ],
)
def test_a_query_that_makes_no_sense_is_answered_with_400(
    visit: Visit, path: str, complaint: str
) -> None:
    answer = visit.http.get(path)

    assert answer.status_code == 400
    assert answer.json()["message"] == [complaint]


@pytest.mark.parametrize("path", ["/v1/calls/nobody", "/v1/calls/nobody/status"])
def test_an_unknown_call_is_answered_with_404(visit: Visit, path: str) -> None:
    answer = visit.http.get(path)

    assert answer.status_code == 404
    assert answer.json()["message"] == "Call not found"


def test_generation_a_has_no_light_read(visit_a: Visit) -> None:
    call_id = visit_a.call().json()["call_id"]

    answer = visit_a.http.get(f"/v1/calls/{call_id}/status")

    assert answer.status_code == 404
    assert answer.json()["message"] == f"Cannot GET /v1/calls/{call_id}/status"


def test_contacts_are_those_named_at_the_start_and_those_called(open_sandbox: Open) -> None:
    visit = open_sandbox(SandboxOptions(contacts=("one", "two")))
    visit.call("three")
    visit.call("one")

    page = visit.get("/v1/contacts")
    second = visit.get("/v1/contacts", limit=1, offset=1)
    name = contact_of("two").full_name[1:4].upper()

    assert [contact["id"] for contact in page["data"]] == ["one", "two", "three"]
    assert [contact["id"] for contact in second["data"]] == ["two"]
    assert second["pagination"] == {"page": 2, "total_rows": 3, "total_pages": 3}
    assert "two" in [c["id"] for c in visit.get("/v1/contacts", full_name=name)["data"]]


def test_generation_a_lists_contacts_as_a_bare_array(visit_a: Visit) -> None:
    visit_a.call()

    assert [contact["id"] for contact in visit_a.get("/v1/contacts")] == [CONTACT]


def test_a_contact_is_found_by_id_number_or_email(visit: Visit) -> None:
    visit.call("someone-else")
    visit.call()
    person = contact_of(CONTACT)

    by_id = visit.get(f"/v1/contacts/{CONTACT}")["data"]["contact"]
    by_phone = visit.get(f"/v1/contacts/{person.phone_number}", identifierType="phone_number")
    by_email = visit.get(f"/v1/contacts/{person.email}", identifierType="email")

    assert by_id["full_name"] == person.full_name
    assert by_phone["data"]["contact"] == by_email["data"]["contact"] == by_id


def test_generation_a_shows_a_contact_bare(visit_a: Visit) -> None:
    assert visit_a.get(f"/v1/contacts/{CONTACT}")["id"] == CONTACT


@pytest.mark.parametrize("path", ["/v1/contacts/gone", "/v1/contacts/+1?identifierType=email"])
def test_an_unknown_contact_is_answered_with_404(open_sandbox: Open, path: str) -> None:
    faults = Faults(unknown_contacts=frozenset({"gone"}))
    visit = open_sandbox(SandboxOptions(faults=faults))

    assert visit.http.get(path).status_code == 404


@pytest.mark.parametrize("generation", Generation)
def test_agents_are_always_wrapped(open_sandbox: Open, generation: Generation) -> None:
    agents = open_sandbox(SandboxOptions(generation=generation)).get("/v1/agents")

    assert agents["statusCode"] == 200
    assert SANDBOX_AGENT_ID in [agent["id"] for agent in agents["data"]]


def test_five_numbers_are_shown_unless_more_are_asked_for(visit: Visit) -> None:
    first = visit.get("/v1/phone-numbers")
    rest = visit.get("/v1/phone-numbers", offset=5)
    outbound = visit.get("/v1/phone-numbers", type="outbound", limit=100, order="asc")

    assert len(first["data"]) == 5
    assert first["pagination"]["total_rows"] == 8
    assert len(rest["data"]) == 3
    assert outbound["data"][0]["id"] == SANDBOX_NUMBER_ID
    assert {number["type"] for number in outbound["data"]} == {"outbound"}


def test_any_number_has_digits_of_its_own(visit: Visit) -> None:
    numbers = [SANDBOX_NUMBER_ID, "num_1", "num_2", "num_1"]
    for number in numbers:
        visit.call(from_number_id=number)

    digits = [call["from"] for call in visit.get("/v1/calls", order="asc")["data"]]

    assert digits[0] == "+541150000001"
    assert digits[1] == digits[3] != digits[2]


def test_generation_a_counts_the_numbers(visit_a: Visit) -> None:
    page = visit_a.get("/v1/phone-numbers")

    assert (len(page["data"]), page["count"]) == (5, 8)


def test_credits_drop_with_each_placed_call(visit: Visit, visit_a: Visit) -> None:
    before = visit.get("/v1/credits")["data"]["credits"]
    visit.call()
    visit.call("")

    assert visit.get("/v1/credits") == {"statusCode": 200, "data": {"credits": before - 1}}
    assert visit_a.get("/v1/credits") == {"credits": before}


@pytest.mark.parametrize(
    ("method", "path", "status", "message"),
    [
        ("GET", "/v1/nothing", 404, "Cannot GET /v1/nothing"),
        ("POST", "/", 404, "Cannot POST /"),
        ("DELETE", "/v1/calls", 405, "Method Not Allowed"),
    ],
)
def test_other_routes_are_answered_as_json(
    visit: Visit, method: str, path: str, status: int, message: str
) -> None:
    answer = visit.http.request(method, path)

    assert answer.status_code == status
    assert answer.json()["message"] == message


def test_a_lone_surrogate_does_not_break_the_answer(visit: Visit) -> None:
    body = (
        b'{"contact_id":"\\ud800","agent_id":"a","from_number_id":"n",'
        b'"additional_data":[{"key":"k","value":"\\udfff"}]}'
    )
    headers = {"content-type": "application/json"}

    answer = visit.http.post("/v1/calls/single-contact-call", content=body, headers=headers)

    assert answer.status_code == 201
    assert visit.http.get("/v1/calls").status_code == 200
    assert visit.http.get("/sandbox/record").status_code == 200
