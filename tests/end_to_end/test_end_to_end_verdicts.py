"""What each answer of the API leads to: for its call, for the run, and for the next run."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pytest

from dispatcher.sandbox import ChanceFault, Fault, FaultKind, Faults, Generation

if TYPE_CHECKING:
    from tests.end_to_end.conftest import World

PAGE = b"<!doctype html><html><body>Bad gateway</body></html>"
NEVER_STOPS = "stop:\n  uncertain: 0\nbreaker:\n  failures: 0\n"


def _status(status: int, body: bytes | None = None, *, retry_after: str = "") -> Fault:
    return Fault(
        kind=FaultKind.STATUS, placed=False, status=status, body=body, retry_after=retry_after
    )


def _html(status: int) -> Fault:
    return replace(_status(status, PAGE), content_type="text/html; charset=utf-8")


def _created(answer: Mapping[str, str | None]) -> Fault:
    return _status(201, json.dumps({"statusCode": 201, "data": answer}).encode())


def _everyone(fault: Fault) -> Faults:
    return Faults(by_chance=(ChanceFault(probability=1.0, fault=fault),))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    """One answer that does not stop a run, and what it means."""

    fault: Fault
    status: str
    code: str = ""
    http_status: str = ""
    attempts: str = "1"


def _rejected(fault: Fault, code: str) -> _Case:
    return _Case(fault=fault, status="rejected", code=code, http_status=str(fault.status))


def _uncertain(fault: Fault, code: str, http_status: str = "") -> _Case:
    return _Case(
        fault=fault,
        status="uncertain",
        code=code,
        http_status=http_status or str(fault.status or ""),
    )


TABLE = {
    "well": _Case(fault=Fault(), status="placed", http_status="201"),
    "cut after the id": _Case(
        fault=Fault(kind=FaultKind.CUT, keep_share=0.9), status="placed", http_status="201"
    ),
    "cut before the id": _uncertain(
        Fault(kind=FaultKind.CUT, keep_share=0.2), "answer_without_id", "201"
    ),
    "no id": _uncertain(Fault(kind=FaultKind.NO_CALL_ID), "answer_without_id", "201"),
    "no json": _uncertain(Fault(kind=FaultKind.NOT_JSON), "answer_without_id", "201"),
    "no content": _uncertain(_status(204), "answer_without_id"),
    "accepted": _uncertain(_status(202, b"{}"), "answer_without_id"),
    "429": _Case(
        fault=replace(_status(429, retry_after="0.01"), times=1),
        status="placed",
        http_status="201",
        attempts="2",
    ),
    "429 html": _Case(
        fault=replace(_html(429), retry_after="0.01", times=2),
        status="placed",
        http_status="201",
        attempts="3",
    ),
    "500": _uncertain(_status(500), "server_error"),
    "500 though placed": _uncertain(
        Fault(kind=FaultKind.STATUS, placed=True, status=500), "server_error"
    ),
    "502 html": _uncertain(_html(502), "server_error"),
    "503": _uncertain(_status(503, retry_after="1"), "server_error"),
    "504 html": _uncertain(_html(504), "server_error"),
    "408": _uncertain(_status(408), "timeout"),
    "408 html": _uncertain(_html(408), "timeout"),
    "409": _uncertain(_status(409), "conflict"),
    "400": _rejected(_status(400), "invalid_request"),
    "404": _rejected(_status(404), "not_found"),
    "413": _rejected(_status(413), "too_large"),
    "422": _rejected(_status(422), "invalid_request"),
    "418": _rejected(_status(418), "rejected"),
    "closed unplaced": _uncertain(
        Fault(kind=FaultKind.CLOSED_BEFORE, placed=False), "connection_lost"
    ),
    "closed though placed": _uncertain(Fault(kind=FaultKind.CLOSED_AFTER), "connection_lost"),
}
NEVER_ANSWERED = _uncertain(Fault(kind=FaultKind.SILENT_AFTER), "timeout")


def _contacts(turns: int, table: Mapping[str, _Case]) -> dict[str, _Case]:
    """Contact id, which is the name of its case -> case."""
    return {
        f"{name} {turn}".replace(" ", "-"): case
        for turn in range(turns)
        for name, case in table.items()
    }


def test_100_calls_with_mixed_faults_each_get_the_verdict_of_the_table(world: World) -> None:
    contacts = _contacts(4, TABLE | {"never answered": NEVER_ANSWERED})
    world.serve_faults({who: case.fault for who, case in contacts.items()})
    world.configure(NEVER_STOPS + "api:\n  answer_timeout_seconds: 3\n")

    ended = world.run(world.csv([(who, "", "") for who in contacts]), "--workers", "12")

    found = {
        line["contact_id"]: (
            line["call_status"],
            line["call_error_code"],
            line["call_http_status"],
            line["call_attempts"],
        )
        for line in world.lines("campaign.results.csv")
    }
    assert len(found) == 100
    assert found == {
        who: (case.status, case.code, case.http_status, case.attempts)
        for who, case in contacts.items()
    }
    assert ended.status == 5
    assert ended.report["stopped"] is None
    assert ended.counts == {
        word: sum(case.status == word for case in contacts.values())
        for word in ("placed", "rejected", "uncertain")
    }
    assert world.server.requests == {who: int(case.attempts) for who, case in contacts.items()}


def test_every_placed_call_of_the_table_has_the_id_the_server_gave_it(world: World) -> None:
    contacts = _contacts(1, TABLE)
    world.serve_faults({who: case.fault for who, case in contacts.items()})
    world.configure(NEVER_STOPS)

    world.run(world.csv([(who, "", "") for who in contacts]))

    record = {call.contact_id: call.call_id for call in world.server.record}
    for line in world.lines("campaign.results.csv"):
        expected = record[line["contact_id"]] if line["call_status"] == "placed" else ""
        assert line["call_id"] == expected


def test_after_mixed_faults_a_second_run_sends_nothing(world: World) -> None:
    contacts = _contacts(1, TABLE)
    world.serve_faults({who: case.fault for who, case in contacts.items()})
    world.configure(NEVER_STOPS)
    first = world.run(world.csv([(who, "", "") for who in contacts]))
    sent = world.called()

    second = world.run("campaign.csv", "--no-reconcile")

    assert (second.status, second.counts) == (5, first.counts)
    assert world.called() == sent


def test_an_api_that_never_answers_leaves_the_call_uncertain(world: World) -> None:
    world.serve_faults(
        {
            "c-1": Fault(kind=FaultKind.SILENT_AFTER),
            "c-2": Fault(kind=FaultKind.SILENT_BEFORE, placed=False),
        }
    )
    world.configure("api:\n  answer_timeout_seconds: 0.3\nstop:\n  uncertain: 2\n")

    ended = world.run(world.people(2))

    assert ended.status == 6
    assert {line["call_error_code"] for line in world.lines("campaign.results.csv")} == {"timeout"}
    assert world.statuses() == {"c-1": "uncertain", "c-2": "uncertain"}


# Answers that stop a run

STOPPING = {
    "401": (_status(401), "key_refused", "rejected"),
    "403": (_status(403), "key_refused", "rejected"),
    "407": (_status(407), "key_refused", "rejected"),
    "402": (_status(402), "credit_refused", "rejected"),
    "410": (_status(410), "refused", "rejected"),
    "405": (_status(405), "not_the_api", "rejected"),
    "301": (_status(301), "not_the_api", "rejected"),
    "307": (_status(307), "not_the_api", "rejected"),
    "308": (_status(308), "not_the_api", "rejected"),
    "300": (_status(300), "not_the_api", "uncertain"),
    "302": (_status(302), "not_the_api", "uncertain"),
    "303": (_status(303), "not_the_api", "uncertain"),
    "304": (_status(304), "not_the_api", "uncertain"),
    "200 html": (_html(200), "not_the_api", "uncertain"),
    "201 html without a type": (_status(201, PAGE), "not_the_api", "uncertain"),
    "302 html": (_html(302), "not_the_api", "uncertain"),
    "308 html": (_html(308), "not_the_api", "rejected"),
    "400 html": (_html(400), "not_the_api", "rejected"),
    "404 html": (_html(404), "not_the_api", "rejected"),
    "422 html": (_html(422), "not_the_api", "rejected"),
    "401 html": (_html(401), "key_refused", "rejected"),
    "402 html": (_html(402), "credit_refused", "rejected"),
    "410 html": (_html(410), "refused", "rejected"),
}


@pytest.mark.parametrize(("fault", "word", "verdict"), STOPPING.values(), ids=STOPPING)
def test_an_answer_that_the_next_row_would_get_too_stops_the_run(
    world: World, fault: Fault, word: str, verdict: str
) -> None:
    world.serve_faults({"c-3": fault})

    ended = world.run(world.people(6), "--workers", "1")

    assert ended.status == 6
    assert ended.report["stopped"] == word
    assert ended.counts == {"placed": 2, verdict: 1, "pending": 3}
    assert world.called() == ["c-1", "c-2", "c-3"]
    third = world.lines("campaign.results.csv")[2]
    assert (third["call_status"], third["call_error_code"]) == (verdict, word)
    assert f"Stopped early ({word}). " in ended.err
    assert world.server.key not in ended.err + ended.out


@pytest.mark.parametrize(
    ("fault", "verdict"),
    [STOPPING[name][::2] for name in ("401", "402", "405", "404 html", "302", "200 html")],
    ids=["401", "402", "405", "404 html", "302", "200 html"],
)
def test_once_it_is_mended_the_next_run_sends_what_was_refused_but_not_the_uncertain(
    world: World, fault: Fault, verdict: str
) -> None:
    world.serve_faults({"c-2": replace(fault, times=1)})
    world.run(world.people(3), "--workers", "1")

    ended = world.run("campaign.csv")

    if verdict == "rejected":
        assert (ended.status, ended.counts) == (0, {"placed": 3})
        assert world.called() == ["c-1", "c-2", "c-2", "c-3"]
    else:
        assert (ended.status, ended.counts) == (5, {"placed": 2, "uncertain": 1})
        assert world.called() == ["c-1", "c-2", "c-3"]


def test_a_stop_at_the_first_call_costs_one_call_however_many_workers(world: World) -> None:
    world.serve(_everyone(_status(402)))

    ended = world.run(world.people(20), "--workers", "16")

    assert ended.report["stopped"] == "credit_refused"
    assert ended.counts == {"rejected": 1, "pending": 19}
    assert world.called() == ["c-1"]


def test_a_wrong_key_costs_one_request_and_the_right_one_goes_on(world: World) -> None:
    right = world.server.key
    world.set("CONTACTSHIP_API_KEY", "wrong-key")
    wrong = world.run(world.people(3))
    world.set("CONTACTSHIP_API_KEY", right)

    ended = world.run("campaign.csv")

    assert wrong.status == 6
    assert wrong.report["stopped"] == "key_refused"
    assert wrong.counts == {"rejected": 1, "pending": 2}
    assert "Check CONTACTSHIP_API_KEY and what it may do, then run again." in wrong.err
    assert "wrong-key" not in wrong.err + wrong.out
    assert (ended.status, ended.counts) == (0, {"placed": 3})
    assert world.called() == ["c-1", "c-2", "c-3"]


def test_a_call_for_another_contact_is_placed_flagged_and_stops_the_run(world: World) -> None:
    answer = {"call_id": "call-77", "contact_id": "c-999", "created_at": "2026-06-15T14:30:00Z"}
    world.serve_faults({"c-3": _created(answer)})

    ended = world.run(world.people(5), "--workers", "1")

    third = world.lines("campaign.results.csv")[2]
    assert (ended.status, ended.report["stopped"]) == (6, "not_the_api")
    assert ended.counts == {"placed": 3, "pending": 2}
    assert (third["call_id"], third["call_error_code"]) == ("call-77", "wrong_contact")


def test_a_repeated_call_id_is_placed_flagged_and_stops_the_run(world: World) -> None:
    again = _created({"call_id": "call-77"})
    world.serve_faults({"c-2": again, "c-3": again})

    ended = world.run(world.people(5), "--workers", "1")

    second, third = world.lines("campaign.results.csv")[1:3]
    assert (ended.status, ended.report["stopped"]) == (6, "not_the_api")
    assert ended.counts == {"placed": 3, "pending": 2}
    assert (second["call_id"], second["call_error_code"]) == ("call-77", "")
    assert third["call_error_code"] == "repeated_call_id"
    assert "row 4 was answered with a call id that another call already has" in ended.err


@pytest.mark.parametrize(
    "contact_id", [None, "C-2", " c-2 "], ids=["null", "capitals", "white space"]
)
def test_a_contact_that_is_null_or_written_otherwise_is_no_difference(
    world: World, contact_id: str | None
) -> None:
    world.serve_faults({"c-2": _created({"call_id": "call-77", "contact_id": contact_id})})

    ended = world.run(world.people(3))

    assert (ended.status, ended.counts) == (0, {"placed": 3})


@pytest.mark.parametrize("status", [400, 404])
def test_five_refusals_at_the_very_start_stop_the_run(world: World, status: int) -> None:
    world.serve(_everyone(_status(status)))

    ended = world.run(world.people(20), "--workers", "8")

    assert (ended.status, ended.report["stopped"]) == (6, "first_calls_refused")
    assert ended.counts == {"rejected": 5, "pending": 15}
    assert len(world.called()) == 5


def test_refusals_after_a_placed_call_stop_nothing(world: World) -> None:
    refused = {f"c-{i}": _status(404) for i in range(2, 12)}
    world.serve_faults(refused)

    ended = world.run(world.people(12))

    assert (ended.status, ended.counts) == (4, {"placed": 2, "rejected": 10})


def test_too_many_uncertain_calls_stop_the_run(world: World) -> None:
    world.serve(_everyone(Fault(kind=FaultKind.NO_CALL_ID)))
    world.configure("stop:\n  uncertain: 3\n")

    ended = world.run(world.people(10))

    assert (ended.status, ended.report["stopped"]) == (6, "too_many_uncertain")
    assert ended.counts == {"uncertain": 3, "pending": 7}
    assert len(world.called()) == 3


def test_a_failing_api_stops_the_run_when_patience_is_over(world: World) -> None:
    world.serve(_everyone(_status(503)))
    world.configure("breaker:\n  failures: 4\n  of_last: 5\nretry:\n  give_up_minutes: 0\n")

    ended = world.run(world.people(10))

    assert (ended.status, ended.report["stopped"]) == (6, "breaker")
    assert ended.counts == {"uncertain": 4, "pending": 6}
    assert "Run again when the API is well." in ended.err


def test_a_burst_of_failures_pauses_the_run_and_a_look_and_a_probe_let_it_go_on(
    world: World,
) -> None:
    world.serve_faults({f"c-{i}": _status(500) for i in (1, 2, 3)})
    world.configure("breaker:\n  failures: 3\n  of_last: 3\n  pause_seconds: 0.01\n")

    ended = world.run(world.people(8))

    assert ended.status == 5
    assert ended.counts == {"placed": 5, "uncertain": 3}
    assert sorted(world.called()) == sorted(f"c-{i}" for i in range(1, 9))


@pytest.mark.parametrize(
    "retry_after",
    ["3600", "Fri, 01 Jan 2100 00:00:00 GMT", "31536000", "9" * 12],
    ids=["seconds", "date", "a-year", "for-ever"],
)
def test_a_wait_longer_than_allowed_stops_the_run_at_once_and_is_named(
    world: World, retry_after: str
) -> None:
    world.serve_faults({"c-3": _status(429, retry_after=retry_after)})

    ended = world.run(world.people(5), "--workers", "1")

    assert (ended.status, ended.report["stopped"]) == (6, "wait_too_long")
    assert ended.counts == {"placed": 2, "pending": 3}
    assert world.called() == ["c-1", "c-2", "c-3"]
    assert "more than retry.max_wait_seconds (900)" in ended.err
    assert re.search(r"Not before 20\d\d-\d\d-\d\d \d\d:\d\d ", str(ended.report["message"]))
    third = world.lines("campaign.results.csv")[2]
    assert (third["call_status"], third["call_attempts"]) == ("pending", "1")


def test_a_short_wait_is_waited_and_the_call_then_placed_once(world: World) -> None:
    world.serve_faults({"c-1": replace(_status(429, retry_after="0.1"), times=3)})

    ended = world.run(world.people(4))

    assert (ended.status, ended.counts) == (0, {"placed": 4})
    assert world.called() == ["c-1", "c-1", "c-1", "c-1", "c-2", "c-3", "c-4"]
    first = world.lines("campaign.results.csv")[0]
    assert (first["call_attempts"], first["call_error_code"]) == ("4", "")
    assert world.agrees("campaign.results.csv")


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port of this machine where nobody listens while the test lasts."""
    with closing(socket.socket()) as holder:
        holder.bind(("127.0.0.1", 0))
        yield int(holder.getsockname()[1])


def test_an_api_out_of_reach_stops_the_run_and_everything_stays_pending(
    world: World, closed_port: int
) -> None:
    world.set("CONTACTSHIP_BASE_URL", f"http://127.0.0.1:{closed_port}")
    world.configure("retry:\n  give_up_minutes: 0\n")

    ended = world.run(world.people(3))

    assert (ended.status, ended.report["stopped"]) == (6, "unreachable")
    assert ended.counts == {"pending": 3}
    assert "Check the network, the proxy and api.base_url, then run again." in ended.err
    assert world.statuses() == dict.fromkeys(["c-1", "c-2", "c-3"], "pending")


@pytest.mark.parametrize("generation", list(Generation))
def test_an_agent_that_the_api_does_not_know_is_a_refused_row(
    world: World, generation: Generation
) -> None:
    world.serve(Faults(unknown_agents=frozenset({"agent-x"})), generation=generation)
    sheet = world.csv([("c-1", "agent-1"), ("c-2", "agent-x")], header=("contact_id", "agent_id"))

    ended = world.run(sheet)

    assert (ended.status, ended.counts) == (4, {"placed": 1, "rejected": 1})
    second = world.lines("campaign.results.csv")[1]
    assert second["call_error_code"] == "not_found"
    assert "Agent not found" in second["call_error"]
