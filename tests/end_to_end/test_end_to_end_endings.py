"""Runs that end early as they were told to, and those that only show what they would do."""

from __future__ import annotations

import json
import re
import shlex
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from dispatcher.cli.times import stop_moment
from dispatcher.ledger import open_ledger
from dispatcher.model import Judgement, Purpose
from dispatcher.policy import judge
from dispatcher.pool import workers
from dispatcher.sandbox import Fault, FaultKind

if TYPE_CHECKING:
    from tests.end_to_end.conftest import Ended, World

LOST = Fault(kind=FaultKind.CLOSED_AFTER)
REFUSED = Fault(kind=FaultKind.STATUS, status=422, placed=False)


def test_a_limit_starts_so_many_calls_and_no_more(world: World) -> None:
    ended = world.run(world.people(6), "--limit", "2")

    assert ended.status == 0
    assert ended.counts == {"placed": 2, "pending": 4}
    assert ended.report["stopped"] == "limit"
    assert len(world.called()) == 2
    assert "To call now: 2 of 6 (--limit)" in ended.err
    assert "Stopped early (limit). As asked by --limit 2" in ended.err
    assert "Pending calls were not placed. Continue with:" in ended.err
    assert "  dispatcher run --campaign campaign" in ended.err.splitlines()


def test_a_command_that_is_suggested_names_the_ledger_that_it_would_not_find(world: World) -> None:
    sheet, ledger = world.people(3), world.folder / "of its own" / "l.db"
    world.serve_faults({"c-1": LOST})

    ended = world.run(sheet, "--limit", "2", "--ledger", ledger)
    (again,) = (line for line in ended.err.splitlines() if line.startswith("  dispatcher run"))
    named = f"campaign --ledger '{ledger}'"
    with (
        open_ledger(str(ledger), purpose=Purpose.REAL, create=False) as held,
        held.holding.hold("campaign"),
    ):
        refused = world.run(sheet, "--ledger", ledger)
    _, *arguments = shlex.split(again)
    status = world.command("status", "--ledger", ledger)
    last = world.command(*arguments, "--yes", "--no-reconcile")

    assert again == f"  dispatcher run --campaign {named}"
    assert f"  dispatcher reconcile {named}" in ended.err
    assert f"  dispatcher resolve {named} --row N" in ended.err
    assert refused.status == 7
    assert f"dispatcher stop {named}" in refused.err
    assert f"continue with: dispatcher run --campaign {named}" in status.out
    assert last.status == 5
    assert len(world.called()) == 3


def test_a_limit_that_is_not_reached_stops_nothing(world: World) -> None:
    ended = world.run(world.people(2), "--limit", "2")

    assert (ended.status, ended.report["stopped"]) == (0, None)
    assert ended.counts == {"placed": 2}


def test_limits_add_up_run_by_run(world: World) -> None:
    world.people(5)

    counts = [world.run("campaign.csv", "--limit", "2").counts for _ in range(3)]

    assert counts == [{"placed": 2, "pending": 3}, {"placed": 4, "pending": 1}, {"placed": 5}]
    assert world.called() == ["c-1", "c-2", "c-3", "c-4", "c-5"]


def test_past_the_time_of_stop_at_no_call_starts_and_all_is_well(world: World) -> None:
    ended = world.run(world.people(3), "--stop-at", "00:00")

    assert ended.status == 0
    assert ended.counts == {"pending": 3}
    assert ended.report["stopped"] == "stop_at"
    assert world.called() == []
    assert "To call: 3, but 00:00 is past (--stop-at): no call starts." in ended.err


@pytest.mark.parametrize(
    ("zone", "now", "moment"),
    [
        ("America/Argentina/Buenos_Aires", "2026-06-15T20:59Z", "2026-06-15T21:00Z"),
        ("America/Argentina/Buenos_Aires", "2026-06-16T01:00Z", "2026-06-15T21:00Z"),
        ("Asia/Tokyo", "2026-06-15T20:00Z", "2026-06-16T09:00Z"),
        ("UTC", "2026-06-15T20:00Z", "2026-06-15T18:00Z"),
    ],
    ids=["to come", "past", "tomorrow there", "utc"],
)
def test_stop_at_is_a_time_of_today_in_the_configured_zone(
    zone: str, now: str, moment: str
) -> None:
    found = stop_moment("18:00", timezone=zone, now=datetime.fromisoformat(now))

    assert found == datetime.fromisoformat(moment)


def test_stop_at_a_time_to_come_is_shown_with_the_time_left(world: World) -> None:
    noon_there = 12 - datetime.now(tz=UTC).hour
    world.configure(f"  timezone: Etc/GMT{-noon_there:+}\n")

    ended = world.run(world.people(1), "--stop-at", "23:59")

    assert ended.counts == {"placed": 1}
    assert "No call starts after 23:59 (" in ended.err
    assert re.search(r"\), 1[12]\.\d hours from now\.", ended.err)


def test_after_max_minutes_no_call_starts(world: World) -> None:
    ended = world.run(world.people(3), "--max-minutes", "0.0000001")

    assert ended.status == 0
    assert ended.counts == {"pending": 3}
    assert ended.report["stopped"] == "max_minutes"
    assert world.called() == []


def test_an_end_that_was_asked_for_does_not_hide_what_went_wrong_before(world: World) -> None:
    world.serve_faults({"c-1": REFUSED})

    ended = world.run(world.people(3), "--limit", "2", "--workers", "1")

    assert ended.status == 4
    assert ended.counts == {"placed": 1, "rejected": 1, "pending": 1}


# Dry runs


def _requests(ended: Ended) -> list[str]:
    return [json.loads(line)["contact_id"] for line in ended.out.splitlines()]


def test_a_dry_run_prints_the_requests_and_leaves_no_trace(world: World) -> None:
    world.unset("CONTACTSHIP_API_KEY")
    world.people(3)
    before = world.files()

    ended = world.command("run", "campaign.csv", "--dry-run")

    assert ended.status == 0
    assert [line.partition(": ")[0] for line in ended.out.splitlines()] == [
        "row 2",
        "row 3",
        "row 4",
    ]
    assert "Dry run: 3 requests would be sent. Nothing was sent, nothing was written." in ended.err
    assert world.called() == []
    assert world.files() == before


def test_a_dry_run_prints_exactly_what_is_sent(world: World) -> None:
    world.people(2)

    lines = world.command("run", "campaign.csv", "--dry-run", "--json").out.splitlines()
    world.run("campaign.csv")

    sent = {call.contact_id: call for call in world.server.record}
    assert len(lines) == 2
    for line in lines:
        request = json.loads(line)
        call = sent[request["contact_id"]]
        told = tuple((pair["key"], pair["value"]) for pair in request["additional_data"])
        assert told == call.additional_data
        assert request["metadata"] == dict(call.metadata)


def test_a_dry_run_lists_nobody_who_was_called_or_may_have_been(world: World) -> None:
    world.serve_faults({"c-2": LOST, "c-3": REFUSED})
    world.run(world.people(5), "--limit", "4")
    called = world.called()
    world.people(6)

    plain = world.command("run", "campaign.csv", "--dry-run", "--json")
    again = world.command("run", "campaign.csv", "--dry-run", "--json", "--retry-rejected")
    other = world.command("run", "campaign.csv", "--dry-run", "--json", "--campaign", "otra")

    assert _requests(plain) == ["c-5", "c-6"]
    assert _requests(again) == ["c-3", "c-5", "c-6"]
    assert _requests(other) == ["c-3", "c-5", "c-6"]
    assert world.called() == called


def test_a_dry_run_of_a_long_sheet_asks_the_ledger_for_every_row(world: World) -> None:
    world.run(world.people(3, first=700))
    world.people(1200)

    ended = world.command("run", "campaign.csv", "--dry-run", "--json", "--campaign", "otra")

    listed = _requests(ended)
    assert len(listed) == 1197
    assert not {"c-700", "c-701", "c-702"} & set(listed)


def test_a_dry_run_of_a_campaign_lists_what_is_left_of_its_last_sheet(world: World) -> None:
    world.run(world.people(4), "--limit", "1")
    (world.folder / "campaign.csv").unlink()

    ended = world.command("run", "--campaign", "campaign", "--dry-run", "--json", "--limit", "2")

    assert _requests(ended) == ["c-2", "c-3"]


def test_a_dry_run_leaves_out_rows_with_a_problem_and_results_that_were_placed(
    world: World,
) -> None:
    world.run(world.csv([("c-1", "Ana", "1"), ("", "Luz", "2"), ("c-1", "Ana", "1")]))

    ended = world.command("run", "campaign.results.csv", "--dry-run", "--json")

    assert (ended.status, _requests(ended)) == (0, [])


def test_a_dry_run_refuses_what_the_run_would_refuse(world: World) -> None:
    (world.folder / "x.csv").write_bytes(b"contact_id,nombre\n+5491155550000,Ana\n")

    ended = world.command("run", "x.csv", "--dry-run")
    missing = world.command("run", world.people(1), "--dry-run", "--existing-ledger")

    assert (ended.status, ended.out) == (3, "")
    assert (missing.status, missing.out) == (2, "")
    assert not world.ledger.exists()


def test_a_dry_run_on_the_sandbox_needs_neither_key_nor_agent(world: World) -> None:
    world.unset("CONTACTSHIP_API_KEY")
    world.configure("", with_ids=False)

    ended = world.command("run", world.people(2), "--dry-run", "--sandbox", "--json")

    assert ended.status == 0
    assert _requests(ended) == ["c-1", "c-2"]


def test_after_an_unexpected_error_what_was_placed_is_in_the_results_all_the_same(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    judged: list[object] = []

    def fails_at_the_third(*arguments: object, **named: object) -> Judgement:
        judged.append(arguments)
        if len(judged) == 3:
            raise ZeroDivisionError
        return judge(*arguments, **named)  # type: ignore[arg-type]

    sheet = world.people(9)
    monkeypatch.setattr(workers, "judge", fails_at_the_third)
    with pytest.raises(ZeroDivisionError):
        world.run(sheet, "--workers", "1")
    report = json.loads(capsys.readouterr().out)
    then = world.statuses()
    again = world.run(sheet, "--no-reconcile")

    assert (report["exit_code"], report["message"]) == (1, "unexpected error: ZeroDivisionError")
    assert report["counts"]["placed"] == report["this_run"]["placed"] == 2
    assert (report["counts"]["uncertain"], report["counts"]["pending"]) == (1, 6)
    assert list(then.values()) == ["placed"] * 2 + ["uncertain"] + ["pending"] * 6
    assert (again.status, again.counts) == (5, {"placed": 8, "uncertain": 1})
    assert world.called() == sorted(f"c-{n}" for n in range(1, 10))
