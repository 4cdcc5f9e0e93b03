"""Calls whose answer was lost are found in the API's list, or stay uncertain."""

from __future__ import annotations

import sqlite3
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from dispatcher.ledger import open_ledger
from dispatcher.model import Purpose
from dispatcher.sandbox import (
    CallOrder,
    Fault,
    FaultKind,
    Faults,
    Generation,
    PlacedCall,
)

if TYPE_CHECKING:
    from tests.end_to_end.conftest import Ended, World

LOST = Fault(kind=FaultKind.CLOSED_AFTER)
UNPLACED = Fault(kind=FaultKind.CLOSED_BEFORE, placed=False)
NEVER_STOPS = "stop:\n  uncertain: 0\nbreaker:\n  failures: 0\n"


def _reconcile(world: World, *arguments: str) -> Ended:
    return world.command("reconcile", "campaign", *arguments)


def _call_to(world: World, contact: str) -> PlacedCall:
    (call,) = [call for call in world.server.record if call.contact_id == contact]
    return call


def _column(world: World, name: str, contact: str = "c-1") -> str:
    (line,) = [x for x in world.lines("campaign.results.csv") if x["contact_id"] == contact]
    return line[name]


def _resolutions(world: World) -> list[tuple[str, str, str]]:
    with closing(sqlite3.connect(world.ledger)) as connection:
        return connection.execute("SELECT state, call_id, reason FROM resolutions").fetchall()


@pytest.mark.parametrize("generation", Generation)
def test_a_call_that_was_placed_is_found_and_its_id_kept(
    world: World, generation: Generation
) -> None:
    world.serve(Faults(contacts={"c-1": (LOST,), "c-2": (UNPLACED,)}), generation=generation)
    world.run(world.people(3))

    ended = _reconcile(world)

    call = _call_to(world, "c-1")
    assert ended.status == 5
    assert f"Row 2 (contact c-1): placed, {call.call_id} created 20" in ended.err
    assert "Row 3 (contact c-2): still uncertain; no trace yet, look again after " in ended.err
    assert "Found and now placed: 1 of 2 uncertain calls." in ended.err
    assert world.statuses() == {"c-1": "placed", "c-2": "uncertain", "c-3": "placed"}
    assert _column(world, "call_id") == call.call_id
    assert _column(world, "call_error_code") == "reconciled"
    assert _column(world, "call_created_at")
    assert world.agrees("campaign.results.csv")
    assert _resolutions(world) == [("placed", call.call_id, "reconciled")]


def test_nothing_is_sent_again_by_looking(world: World) -> None:
    world.serve_faults({"c-1": LOST, "c-2": UNPLACED})
    world.run(world.people(3))

    _reconcile(world)
    _reconcile(world, "--settle-minutes", "0")
    world.run("campaign.csv")

    assert world.called() == ["c-1", "c-2", "c-3"]


def test_after_the_settling_time_there_is_no_trace_and_the_call_stays_uncertain(
    world: World,
) -> None:
    world.serve_faults({"c-1": UNPLACED})
    world.run(world.people(2))

    ended = _reconcile(world, "--settle-minutes", "0", "--json")

    assert ended.status == 5
    assert ended.report["calls"] == [
        {"row": 2, "contact_id": "c-1", "found": "no_trace", "call_ids": [], "message": ""}
    ]
    assert ended.report["uncertain"] == 1
    assert "still uncertain; no trace in ContactShip's list of calls." in ended.err
    assert world.statuses() == {"c-1": "uncertain", "c-2": "placed"}


def test_of_several_calls_none_is_chosen_and_all_are_listed(world: World) -> None:
    world.serve_faults({"c-1": LOST})
    world.run(world.people(2))
    first = _call_to(world, "c-1")
    second = _placed_by_hand(world, first, after=timedelta(seconds=5))

    ended = _reconcile(world)

    assert ended.status == 5
    assert f"it may be {first.call_id} created" in ended.err
    assert second.call_id in ended.err
    assert "dispatcher resolve campaign --row 2 --placed CALL_ID --reason TEXT" in ended.err
    assert world.statuses()["c-1"] == "uncertain"


def test_a_call_of_another_time_is_not_taken_but_shown(world: World) -> None:
    world.serve_faults({"c-1": UNPLACED})
    world.run(world.people(2))
    other = _placed_by_hand(world, _call_to(world, "c-2"), contact="c-1", after=timedelta(hours=-3))

    ended = _reconcile(world, "--settle-minutes", "0")

    assert f"another call of those days that nobody has: {other.call_id}" in ended.err
    assert world.statuses()["c-1"] == "uncertain"


def _placed_by_hand(
    world: World, like: PlacedCall, *, after: timedelta, contact: str = ""
) -> PlacedCall:
    """Place a call past the dispatcher, as somebody in ContactShip's own pages would."""
    order = CallOrder(
        contact_id=contact or like.contact_id,
        agent_id=like.agent_id,
        from_number_id=like.from_number_id,
    )
    calls = world.server._desk.calls
    return calls.place(order, call_id=f"hand-{len(calls)}", at=like.created_at + after)


def test_a_scheduled_call_is_not_called_traceless_before_its_time(world: World) -> None:
    world.serve_faults({"c-1": UNPLACED})
    world.run(world.csv([("c-1", "2060")], header=("contact_id", "delay")))

    ended = _reconcile(world, "--settle-minutes", "0")

    assert "no trace yet, look again after" in ended.err
    assert ended.status == 5


def test_all_pages_are_looked_at(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dispatcher.cli.tracing._PAGE", 2)
    world.serve_faults({"c-1": LOST})
    world.run(world.people(2))
    call = _call_to(world, "c-1")
    for hours in range(2, 7):
        _placed_by_hand(world, call, after=timedelta(hours=-hours))

    ended = _reconcile(world)

    assert ended.status == 0
    assert _column(world, "call_id") == call.call_id


def test_two_uncertain_calls_to_one_contact_do_not_take_the_same_call(world: World) -> None:
    world.configure("key: [Factura]\nrepeat_after_hours: 0\n" + NEVER_STOPS)
    lost_once = Fault(kind=FaultKind.CLOSED_AFTER, times=1)
    world.serve(Faults(contacts={"c-1": (lost_once, UNPLACED)}))
    world.run(world.csv([("c-1", "A"), ("c-1", "B")], header=("contact_id", "Factura")))

    ended = _reconcile(world)

    assert ended.status == 5
    assert "Found and now placed: 0 of 2 uncertain calls." in ended.err
    assert len(world.server.record) == 1


def test_a_campaign_without_uncertain_calls_says_so(world: World) -> None:
    world.run(world.people(2))

    ended = _reconcile(world, "--json")

    assert (ended.status, ended.report["calls"], ended.report["results"]) == (0, [], None)
    assert 'Campaign "campaign" has no uncertain calls.' in ended.err


# Where the API does not help


def test_without_the_list_everything_stays_as_it_is(world: World) -> None:
    world.serve_faults({"c-1": LOST})
    world.run(world.people(2))
    for status, body, code, said in (
        (404, b'{"message": "Cannot GET"}', 5, "could not be looked for"),
        (200, b"<html>", 6, "answered the look-up of a contact without one"),
        (401, b"{}", 2, "refused the key"),
        (500, b"", 6, "answered a look-up with 500"),
    ):
        before = world.remembered()
        with _answering(status, body) as url, _led_to(world, url):
            ended = _reconcile(world)
        assert (ended.status, said in ended.err) == (code, True), ended.err
        assert _calls_of(before) == _calls_of(world.remembered())


def test_a_list_that_cannot_be_read_leaves_everything_as_it_is(world: World) -> None:
    world.serve_faults({"c-1": LOST})
    world.run(world.people(2))
    before = world.remembered()
    contact = b'{"id": "c-1", "phone_number": "+5491100000001", "data": [{"no": "id"}]}'

    with _answering(200, contact) as url, _led_to(world, url):
        ended = _reconcile(world)

    assert ended.status == 6
    assert "the API's list of calls cannot be read: nothing was changed" in ended.complaint[0]
    assert _calls_of(before) == _calls_of(world.remembered())


@pytest.mark.parametrize(
    ("contact", "why"),
    [
        (b'{"id": "c-1", "phone_number": ""}', "its contact has no phone number"),
        (b'{"id": "c-9", "phone_number": "+54"}', "ContactShip has another contact under its id"),
    ],
    ids=["no number", "another"],
)
def test_a_contact_that_is_of_no_help_is_said(world: World, contact: bytes, why: str) -> None:
    world.serve_faults({"c-1": LOST})
    world.run(world.people(2))

    with _answering(200, contact) as url, _led_to(world, url):
        ended = _reconcile(world)

    assert ended.status == 5
    assert f"could not be looked for, since {why}" in ended.err


def test_an_api_out_of_reach_is_said(world: World) -> None:
    world.serve_faults({"c-1": LOST})
    world.run(world.people(2))

    with _led_to(world, "http://127.0.0.1:9"):
        ended = _reconcile(world)

    assert ended.status == 6
    assert "connection refused" in ended.complaint[0]


def _calls_of(remembered: dict[str, list[tuple[object, ...]]]) -> object:
    return remembered["calls"], remembered["attempts"], remembered["resolutions"]


@contextmanager
def _led_to(world: World, url: str) -> Iterator[None]:
    """Let the campaign, and the environment, be of another address for a while."""
    before = world.server.url
    _rename_base_url(world, url)
    world.set("CONTACTSHIP_BASE_URL", url)
    yield
    _rename_base_url(world, before)
    world.set("CONTACTSHIP_BASE_URL", before)


def _rename_base_url(world: World, url: str) -> None:
    with closing(sqlite3.connect(world.ledger)) as connection:
        connection.execute("UPDATE campaigns SET base_url = ?", (url,))
        connection.commit()


@contextmanager
def _answering(status: int, body: bytes) -> Iterator[str]:
    """A server that answers every GET alike."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


# Who may, and where


def test_another_base_url_is_refused(world: World) -> None:
    world.serve_faults({"c-1": LOST})
    world.run(world.people(1))
    world.serve()

    ended = _reconcile(world)

    assert ended.status == 2
    assert "was begun through" in ended.complaint[0]


def test_a_ledger_of_rehearsals_is_refused_politely(world: World) -> None:
    world.unset("DISPATCHER_LEDGER")
    sheet, ledger = world.people(1), str(world.folder / "rehearsal.db")
    assert world.command("run", sheet, "--sandbox", "--yes", "--ledger", ledger).status == 0

    ended = _reconcile(world, "--ledger", ledger)

    assert ended.status == 2
    assert "is of rehearsals" in ended.complaint[0]


def test_an_unknown_campaign_is_refused(world: World) -> None:
    world.run(world.people(1))

    ended = world.command("reconcile", "otra")

    assert ended.status == 2
    assert 'knows no campaign "otra"' in ended.complaint[0]


@pytest.mark.parametrize(
    "arguments",
    [
        ("reconcile", "campaign"),
        ("resolve", "campaign", "--row", "2", "--not-placed", "--reason", "x", "--yes"),
        ("purge", "--older-than", "0d", "--yes"),
    ],
    ids=["reconcile", "resolve", "purge"],
)
def test_a_campaign_that_is_held_is_left_alone(world: World, arguments: tuple[str, ...]) -> None:
    world.configure("repeat_after_hours: 0\n")
    world.run(world.people(2))
    before = world.remembered()

    with (
        open_ledger(str(world.ledger), purpose=Purpose.REAL, create=False) as ledger,
        ledger.holding.hold("campaign"),
    ):
        ended = world.command(*arguments)

    assert ended.status == 7
    assert 'campaign "campaign" is being run by' in ended.complaint[0]
    assert world.remembered() == before


# Before a run


def test_a_run_looks_first_for_what_earlier_runs_left(world: World) -> None:
    world.serve_faults({"c-1": LOST})
    world.run(world.people(2), "--limit", "1")

    ended = world.run("campaign.csv")

    assert (ended.status, ended.counts) == (0, {"placed": 2})
    assert "Looking for 1 uncertain call of earlier runs" in ended.err
    assert "Found and now placed: 1 of 1." in ended.err
    assert world.agrees("campaign.results.csv")
    assert world.called() == ["c-1", "c-2"]


def test_a_run_does_not_wait_for_more_looks_than_the_list_allows_now(world: World) -> None:
    world.configure(NEVER_STOPS)
    world.serve(Faults(contacts={f"c-{n}": (LOST,) for n in range(1, 26)}))
    world.run(world.people(30))

    first = world.run("campaign.csv")
    second = world.run("campaign.csv")

    assert "Found and now placed: 20 of 25." in first.err
    assert "Looking for 5 uncertain calls of earlier runs" in second.err
    assert "the 20 looks a minute at its list of calls are used up" in second.err
    assert "Found and now placed: 0 of 5." in second.err
    assert Counter(world.statuses().values()) == {"placed": 25, "uncertain": 5}
    assert len(world.called()) == 30


def test_a_run_asked_not_to_looks_for_nothing(world: World) -> None:
    world.serve_faults({"c-1": LOST})
    world.run(world.people(2), "--limit", "1")

    ended = world.run("campaign.csv", "--no-reconcile")

    assert ended.counts == {"placed": 1, "uncertain": 1}
    assert "Looking for" not in ended.err


def test_a_run_goes_on_where_the_api_has_no_list(world: World) -> None:
    world.serve_faults({"c-1": LOST})
    world.run(world.people(2), "--limit", "1")

    with _answering(200, b"[]") as url, _led_to(world, url):
        ended = world.run("campaign.csv", "--max-minutes", "0.001")

    assert "They could not all be looked for, and stay uncertain" in ended.err
    assert "What is known of the others: dispatcher reconcile campaign" in ended.err
    assert ended.counts["uncertain"] >= 1


def test_a_rehearsal_looks_for_nothing(world: World) -> None:
    faults = world.people(2)

    ended = world.command("run", faults, "--sandbox", "--yes")

    assert "Looking for" not in ended.err
    assert ended.status == 0


# The results sheet


def test_the_results_are_written_where_they_were_last(world: World, tmp_path: Path) -> None:
    world.serve_faults({"c-1": LOST})
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    world.run(world.people(2), "--results", elsewhere / "hoy.xlsx")

    ended = _reconcile(world)

    assert f"Results: {elsewhere / 'hoy.xlsx'}" in ended.err
    assert [x["call_status"] for x in world.lines(elsewhere / "hoy.xlsx")] == ["placed"] * 2
    assert not (world.folder / "campaign.results.csv").exists()


def test_results_that_were_edited_are_left_alone(world: World) -> None:
    world.serve_faults({"c-1": LOST})
    world.run(world.people(2))
    results = world.folder / "campaign.results.csv"
    results.write_text("mine", encoding="utf-8")

    ended = world.command(
        "resolve", "campaign", "--row", "2", "--not-placed", "--reason", "x", "--yes"
    )

    assert ended.status == 0
    assert results.read_text(encoding="utf-8") == "mine"
    assert world.statuses("campaign.results (2).csv") == {"c-1": "failed", "c-2": "placed"}


# Settling by hand


def _settle_placed(world: World, call_id: str) -> Ended:
    return world.command(
        "resolve", "campaign", "--row", "2", "--placed", call_id, "--reason", "seen", "--yes"
    )


def test_the_id_of_another_contact_is_refused(world: World) -> None:
    world.serve_faults({"c-1": UNPLACED})
    world.run(world.people(2))
    other = _placed_by_hand(world, _call_to(world, "c-2"), contact="c-7", after=timedelta())

    ended = _settle_placed(world, other.call_id)

    assert ended.status == 2
    assert f"the call {other.call_id} is to another contact" in ended.complaint[0]
    assert world.statuses()["c-1"] == "uncertain"


def test_the_look_up_of_an_id_draws_on_the_pace_of_the_ledger(world: World) -> None:
    world.serve_faults({"c-1": UNPLACED})
    world.run(world.people(2))
    assert not _reserved(world)  # it ran unlimited

    _settle_placed(world, "call-typo")

    assert _reserved(world) == {world.server.url}


def _reserved(world: World) -> set[str]:
    """Whose slots were drawn."""
    with closing(sqlite3.connect(world.ledger)) as connection:
        return {url for (url,) in connection.execute("SELECT base_url FROM slots")}


def test_an_id_that_nobody_knows_is_refused(world: World) -> None:
    world.serve_faults({"c-1": LOST})
    world.run(world.people(2))

    ended = _settle_placed(world, "call-typo")

    assert ended.status == 2
    assert "ContactShip knows no call with the id call-typo" in ended.complaint[0]


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("CONTACTSHIP_API_KEY", " ", "CONTACTSHIP_API_KEY is not set"),
        ("CONTACTSHIP_BASE_URL", "http://127.0.0.1:9", "the campaign was dialled through"),
    ],
    ids=["no key", "another base URL"],
)
def test_where_the_api_cannot_be_asked_that_is_said_and_the_call_settled(
    world: World, variable: str, value: str, said: str
) -> None:
    world.serve_faults({"c-1": LOST})
    world.run(world.people(2))
    world.set(variable, value)

    ended = _settle_placed(world, "call-from-the-invoice")

    assert ended.status == 0
    assert f"The id was not checked: {said}" in ended.err
    assert _column(world, "call_id") == "call-from-the-invoice"


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (404, b'{"message": "Cannot GET /v1/calls/x"}', "the API answered 404 without a call"),
        (500, b"", "the API answered 500 without a call"),
        (200, b"{}", "the API answered 200 without a call"),
    ],
    ids=["no such look-up", "failing", "no call"],
)
def test_an_answer_that_says_nothing_does_not_hold_up_a_settlement(
    world: World, status: int, body: bytes, said: str
) -> None:
    world.serve_faults({"c-1": LOST})
    world.run(world.people(2))

    with _answering(status, body) as url, _led_to(world, url):
        ended = _settle_placed(world, "call-x")

    assert ended.status == 0
    assert f"The id was not checked: {said}" in ended.err


def test_an_api_out_of_reach_does_not_hold_up_a_settlement(world: World) -> None:
    world.serve_faults({"c-1": LOST})
    world.run(world.people(2))

    with _led_to(world, "http://127.0.0.1:9"):
        ended = _settle_placed(world, "call/x")
        other = world.command(
            "resolve", "campaign", "--row", "3", "--placed", "y", "--reason", "x", "--yes"
        )

    assert ended.status == 0
    assert "it cannot stand in an address" in ended.err
    assert "this call is placed" in other.complaint[0]


def test_who_settled_a_call_and_why_is_kept(world: World) -> None:
    world.serve_faults({"c-1": LOST})
    world.run(world.people(2))

    _settle_placed(world, _call_to(world, "c-1").call_id)

    assert _resolutions(world) == [("placed", _call_to(world, "c-1").call_id, "seen")]
