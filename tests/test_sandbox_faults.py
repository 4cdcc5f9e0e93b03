"""What goes wrong on purpose: the faults file, and what a client sees of each fault."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from dispatcher.errors import UsageProblem
from dispatcher.sandbox import (
    NO_FAULT,
    ChanceFault,
    Fault,
    FaultKind,
    Faults,
    Generation,
    SandboxOptions,
    SandboxServer,
    load_faults,
)
from dispatcher.sandbox.faults import FaultPicker

CALLS = "/v1/calls/single-contact-call"


def _order(contact_id: str = "c") -> dict[str, str]:
    return {"contact_id": contact_id, "agent_id": "a", "from_number_id": "n"}


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str], Path]:
    def written(text: str) -> Path:
        path = tmp_path / "faults.yaml"
        path.write_text(text, "utf-8")
        return path

    return written


Open = Callable[..., tuple[SandboxServer, httpx.Client]]


@pytest.fixture
def open_sandbox(write: Callable[[str], Path]) -> Iterator[Open]:
    with ExitStack() as stack:

        def opened(
            entry: str, *, generation: Generation = Generation.B, timeout: float = 30
        ) -> tuple[SandboxServer, httpx.Client]:
            faults = load_faults(write(f"contacts:\n  c: {entry}\n"))
            options = SandboxOptions(rate_per_minute=0, faults=faults, generation=generation)
            server = stack.enter_context(SandboxServer(options))
            client = httpx.Client(
                base_url=server.url, headers={"x-api-key": server.key}, timeout=timeout
            )
            return server, stack.enter_context(client)

        yield opened


@pytest.mark.parametrize(("fault", "placed"), [("closed_before", 0), ("closed_after", 1)], ids=str)
def test_a_closed_connection_brings_no_answer_whether_placed_or_not(
    open_sandbox: Open, fault: str, placed: int
) -> None:
    server, client = open_sandbox(f"{{fault: {fault}}}")

    with pytest.raises(httpx.RemoteProtocolError, match="without sending a response"):
        client.post(CALLS, json=_order())

    assert len(server.record) == placed
    assert client.post(CALLS, json=_order("other")).status_code == 201


@pytest.mark.parametrize(("fault", "placed"), [("silent_before", 0), ("silent_after", 1)], ids=str)
def test_a_silent_request_is_never_answered_whether_placed_or_not(
    open_sandbox: Open, fault: str, placed: int
) -> None:
    server, client = open_sandbox(f"{{fault: {fault}}}", timeout=0.2)

    with pytest.raises(httpx.ReadTimeout):
        client.post(CALLS, json=_order())

    assert len(server.record) == placed


@pytest.mark.parametrize(
    ("share", "has_id"), [("0", False), ("0.2", False), ("0.6", True), ("0.99", True)]
)
def test_a_cut_answer_breaks_off_after_its_share(
    open_sandbox: Open,
    share: str,
    has_id: bool,  # noqa: FBT001
) -> None:
    server, client = open_sandbox(f"{{fault: cut, keep_share: {share}}}")
    part = bytearray()

    def read_all(answer: httpx.Response) -> None:
        for piece in answer.iter_raw():
            part.extend(piece)

    with (
        client.stream("POST", CALLS, json=_order()) as answer,
        pytest.raises(httpx.RemoteProtocolError, match="without sending complete message"),
    ):
        read_all(answer)

    (call,) = server.record
    assert answer.status_code == 201
    assert len(part) < int(answer.headers["content-length"])
    assert (call.call_id.encode() in part) is has_id


def test_half_an_answer_is_sent_unless_told_otherwise() -> None:
    assert Fault(kind=FaultKind.CUT).keep_share == 0.5


@pytest.mark.parametrize("generation", Generation)
def test_an_answer_that_is_no_json_still_means_a_placed_call(
    open_sandbox: Open, generation: Generation
) -> None:
    server, client = open_sandbox("{fault: not_json}", generation=generation)

    answer = client.post(CALLS, json=_order())

    assert answer.is_success
    with pytest.raises(json.JSONDecodeError):
        answer.json()
    assert len(server.record) == 1


@pytest.mark.parametrize("generation", Generation)
def test_an_answer_without_call_id_still_means_a_placed_call(
    open_sandbox: Open, generation: Generation
) -> None:
    server, client = open_sandbox("{fault: no_call_id}", generation=generation)

    answer = client.post(CALLS, json=_order())

    assert answer.is_success
    assert "contact_id" in answer.text
    assert "call_id" not in answer.text
    assert len(server.record) == 1


@pytest.mark.parametrize(
    ("entry", "status", "body", "placed"),
    [
        (
            "{status: 503}",
            503,
            '{"statusCode":503,"message":"Service Unavailable","error":"Service Unavailable"}',
            0,
        ),
        ("{status: 500, placed: true}", 500, None, 1),
        ("{status: 599}", 599, '{"statusCode":599,"message":"Unknown","error":"Unknown"}', 0),
        ("{status: 402, body: {message: [no credit]}}", 402, '{"message": ["no credit"]}', 0),
        ("{status: 400, body: null}", 400, "null", 0),
        ("{status: 403, html: <h1>No</h1>}", 403, "<h1>No</h1>", 0),
        ("{status: 200, body: {call_id: x}}", 200, '{"call_id": "x"}', 1),
        ("{status: 202, body: {}, placed: false}", 202, "{}", 0),
        ("{status: 204}", 204, "", 1),
        ("{status: 304, body: text}", 304, "", 0),
    ],
)
def test_a_status_takes_the_place_of_the_answer(
    open_sandbox: Open, entry: str, status: int, body: str | None, placed: int
) -> None:
    server, client = open_sandbox(entry)

    answer = client.post(CALLS, json=_order())

    assert answer.status_code == status
    assert body is None or answer.text == body
    assert len(server.record) == placed
    assert server.requests == {"c": 1}


def test_html_is_announced_as_html(open_sandbox: Open) -> None:
    _, client = open_sandbox("{status: 502, html: <p>Bad Gateway</p>}")

    assert client.post(CALLS, json=_order()).headers["content-type"].startswith("text/html")


@pytest.mark.parametrize(
    ("value", "sent"),
    [
        ("2", "2"),
        ("1.5", "1.5"),
        ("-1", "-1"),
        ("soon", "soon"),
        ("Wed, 21 Oct 2026 07:28:00 GMT", "Wed, 21 Oct 2026 07:28:00 GMT"),
    ],
)
def test_retry_after_is_sent_as_it_is_written(open_sandbox: Open, value: str, sent: str) -> None:
    _, client = open_sandbox(f'{{status: 429, retry_after: "{value}"}}')

    answer = client.post(CALLS, json=_order())

    assert answer.headers["retry-after"] == sent
    assert answer.json()["message"] == "Too Many Requests"


def test_further_headers_are_sent(open_sandbox: Open) -> None:
    _, client = open_sandbox("{status: 302, headers: {Location: /elsewhere}, retry_after: 3}")

    answer = client.post(CALLS, json=_order())

    assert (answer.headers["location"], answer.headers["retry-after"]) == ("/elsewhere", "3")


def test_a_slow_answer_comes_and_its_call_is_placed_before(open_sandbox: Open) -> None:
    server, client = open_sandbox("{latency_seconds: 0.05}")

    answer = client.post(CALLS, json=_order())

    assert answer.json()["data"]["call_id"] == server.record[0].call_id
    assert answer.elapsed.total_seconds() >= 0.05


def test_a_client_that_does_not_wait_leaves_its_call_placed(open_sandbox: Open) -> None:
    server, client = open_sandbox("{latency_seconds: 600}", timeout=0.2)

    with pytest.raises(httpx.ReadTimeout):
        client.post(CALLS, json=_order())

    assert len(server.record) == 1


def test_a_fault_with_times_is_used_up_and_the_next_follows(open_sandbox: Open) -> None:
    server, client = open_sandbox(
        "[{status: 429, times: 2}, {status: 503, times: 1}, {status: 429, times: 1}]"
    )

    statuses = [client.post(CALLS, json=_order()).status_code for _ in range(5)]

    assert statuses == [429, 429, 503, 429, 201]
    assert len(server.record) == 1
    assert server.requests == {"c": 5}


def test_an_invalid_body_is_refused_before_any_fault(open_sandbox: Open) -> None:
    server, client = open_sandbox("{status: 503, times: 1}")

    answers = [client.post(CALLS, json=_order() | extra) for extra in ({"x": 1}, {})]

    assert [answer.status_code for answer in answers] == [400, 503]
    assert server.requests == {"c": 1}


def test_faults_of_a_bare_number_go_by_the_number_dialled() -> None:
    faults = Faults(contacts={"+5491155554444": (Fault(kind=FaultKind.NO_CALL_ID),)})
    body = {
        "from_number": "+541150000001",
        "to_number": "+5491155554444",
        "full_name": "Ana",
        "agent_id": "a",
    }

    with SandboxServer(SandboxOptions(faults=faults)) as server:
        answer = httpx.post(
            f"{server.url}/v1/calls/single-phone-call",
            json=body,
            headers={"x-api-key": server.key},
        )

    assert answer.json()["data"].keys() == {"agent_id", "contact_id", "created_at"}


SLOW = Fault(latency_seconds=1)
BROKEN = Fault(kind=FaultKind.CLOSED_AFTER)


def test_chance_strikes_the_same_requests_for_the_same_seed_in_any_order() -> None:
    faults = Faults(seed=3, by_chance=(ChanceFault(probability=0.5, fault=SLOW),))
    contacts = [f"c{number}" for number in range(50)]

    def struck(order: list[str]) -> dict[str, list[bool]]:
        picker = FaultPicker(faults)
        return {contact: [picker.pick(contact) is SLOW for _ in range(3)] for contact in order}

    assert struck(contacts) == struck(contacts[::-1])
    assert struck(contacts) != {
        contact: [FaultPicker(Faults(seed=4, by_chance=faults.by_chance)).pick(contact) is SLOW]
        for contact in contacts
    }


def test_chance_strikes_about_as_often_as_it_says() -> None:
    chances = (
        ChanceFault(probability=0.2, fault=SLOW),
        ChanceFault(probability=0.3, fault=BROKEN),
    )
    picker = FaultPicker(Faults(by_chance=chances))

    picked = [picker.pick(f"c{number}") for number in range(2000)]

    assert 300 < picked.count(SLOW) < 500
    assert 480 < picked.count(BROKEN) < 720


def test_chance_with_times_spares_a_contact_it_has_struck() -> None:
    once = Fault(kind=FaultKind.CLOSED_BEFORE, placed=False, times=1)
    picker = FaultPicker(Faults(by_chance=(ChanceFault(probability=1, fault=once),)))

    assert [picker.pick(name) for name in "aab"] == [once, NO_FAULT, once]


def test_a_contact_with_faults_of_its_own_is_spared_by_chance() -> None:
    mine = Fault(latency_seconds=2, times=1)
    chance = ChanceFault(probability=1, fault=SLOW)
    picker = FaultPicker(Faults(contacts={"c": (mine,)}, by_chance=(chance,)))

    assert [picker.pick("c"), picker.pick("c"), picker.pick("d")] == [mine, NO_FAULT, SLOW]


def test_a_whole_file_is_read_from_yaml_and_json_alike(
    write: Callable[[str], Path], tmp_path: Path
) -> None:
    entries = {
        "seed": 5,
        "unknown": {"contacts": ["x"], "agents": ["y"], "numbers": ["z"]},
        "contacts": {"c": [{"fault": "cut", "keep_share": 0.25, "times": 2}]},
        "by_chance": [{"probability": 0.1, "status": 429, "retry_after": 1}],
    }
    path = tmp_path / "faults.JSON"
    path.write_text(json.dumps(entries), "utf-8-sig")
    yaml = (
        "seed: 5\nunknown: {contacts: [x], agents: ['y'], numbers: [z]}\n"
        "contacts: {c: {fault: cut, keep_share: 0.25, times: 2}}\n"
        "by_chance: [{probability: 0.1, status: 429, retry_after: 1}]\n"
    )

    faults = load_faults(path)

    assert faults == load_faults(write(yaml))
    assert faults == Faults(
        seed=5,
        contacts={"c": (Fault(kind=FaultKind.CUT, keep_share=0.25, times=2),)},
        by_chance=(
            ChanceFault(
                probability=0.1,
                fault=Fault(kind=FaultKind.STATUS, placed=False, status=429, retry_after="1"),
            ),
        ),
        unknown_contacts=frozenset("x"),
        unknown_agents=frozenset("y"),
        unknown_numbers=frozenset("z"),
    )


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "{}"])
def test_an_empty_file_means_no_faults(write: Callable[[str], Path], text: str) -> None:
    assert load_faults(write(text)) == Faults()


_TOGETHER = "retry_after, body, html, headers and placed need a status"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("fautls: 1", "unknown key 'fautls'"),
        ("contacts: {c: {latncy: 1}}", "unknown key 'contacts.c.0.latncy'"),
        ("unknown: {contact: [x]}", "unknown key 'unknown.contact'"),
        ("by_chance: [{status: 503}]", "by_chance.0.probability: Field required"),
        ("contacts: {c: {fault: explode}}", "contacts.c.0.fault: Input should be"),
        ("contacts: {c: {fault: status}}", "write status: NUMBER"),
        ("contacts: {c: {fault: cut, status: 500}}", "give fault or status, not both"),
        ("contacts: {c: {}}", "give one of fault, status, latency_seconds"),
        ("contacts: {c: {fault: cut, retry_after: 1}}", _TOGETHER),
        ("contacts: {c: {fault: cut, placed: true}}", _TOGETHER),
        ("contacts: {c: {status: 500, html: a, body: b}}", "give body or html, not both"),
        ("contacts: {c: {status: 500, keep_share: 0.1}}", "keep_share needs fault: cut"),
        ("contacts: {c: {status: 199}}", "contacts.c.0.status"),
        ("contacts: {c: {status: '500'}}", "contacts.c.0.status"),
        ("contacts: {c: {latency_seconds: -1}}", "contacts.c.0.latency_seconds"),
        ("contacts: {c: {latency_seconds: .inf}}", "contacts.c.0.latency_seconds"),
        ("contacts: {c: {fault: cut, times: 0}}", "contacts.c.0.times"),
        ("contacts: {5: {fault: cut}}", "contacts.5"),
        ("by_chance: [{probability: 1.5, status: 503}]", "by_chance.0.probability"),
        (
            "by_chance: [{probability: 0.7, status: 503}, {probability: 0.7, fault: cut}]",
            "add up to more than 1",
        ),
        ("contacts: {c: {fault: cut}, c: {status: 500}}", "'c' stands twice"),
        ("contacts: {c: [}", "the faults file is not valid"),
        ("? [a]\n: 1", "the faults file is not valid"),
        ("- a", "Input should be"),
    ],
    ids=str,
)
def test_a_file_that_makes_no_sense_is_refused_with_its_key(
    write: Callable[[str], Path], text: str, complaint: str
) -> None:
    path = write(text)

    with pytest.raises(UsageProblem) as refused:
        load_faults(path)

    assert str(path) in refused.value.message
    assert complaint in refused.value.message
    assert "\n" not in refused.value.message


@pytest.mark.parametrize(
    ("text", "complaint"),
    [("{", "not valid"), ('{"seed": 1, "seed": 2}', "'seed' stands twice")],
)
def test_broken_json_is_refused(tmp_path: Path, text: str, complaint: str) -> None:
    path = tmp_path / "faults.json"
    path.write_text(text)

    with pytest.raises(UsageProblem, match=complaint):
        load_faults(path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageProblem, match="cannot be read: No such file"):
        load_faults(tmp_path / "none.yaml")


def test_a_file_in_another_encoding_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "faults.yaml"
    path.write_bytes("año: 1".encode("cp1252"))

    with pytest.raises(UsageProblem, match="not UTF-8"):
        load_faults(path)
