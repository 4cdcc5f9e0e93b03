"""Personal data leaves the ledger; who was called stays known."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest

from dispatcher.model import CallStatus
from dispatcher.sandbox import Fault, FaultKind

if TYPE_CHECKING:
    from tests.end_to_end.conftest import Ended, World

NAME = "Canaria Quispe"


def _purge(world: World, *arguments: str) -> Ended:
    return world.command("purge", "--older-than", "0d", "--yes", *arguments)


def _called(world: World) -> None:
    """Call two people, one of them with a name to search for, long enough ago."""
    world.configure("repeat_after_hours: 0\n")
    assert world.run(world.csv([("c-1", NAME, "1"), ("c-2", "Otro", "2")])).status == 0


def _bytes_of_ledger(world: World) -> bytes:
    return b"".join(path.read_bytes() for path in world.folder.glob("ledger.db*") if path.is_file())


def test_a_purge_leaves_no_name_and_calls_nobody_again(world: World) -> None:
    _called(world)

    ended = _purge(world)

    assert ended.status == 0
    assert 'To purge: "campaign", last active ' in ended.err
    assert "Purged: 1 campaign. Sheets and results are not touched." in ended.err
    assert b"Canaria" not in _bytes_of_ledger(world)
    assert NAME in (world.folder / "campaign.results.csv").read_text(encoding="utf-8-sig")
    again = world.run("campaign.csv")
    assert (again.status, again.counts) == (0, {"placed": 2})
    assert world.called() == ["c-1", "c-2"]
    assert world.agrees("campaign.results.csv")


@pytest.mark.parametrize(
    "arguments",
    [
        ("results", "campaign"),
        ("run", "--campaign", "campaign", "--yes"),
        ("resolve", "campaign", "--row", "2", "--not-placed", "--reason", "x", "--yes"),
    ],
    ids=["results", "run", "resolve"],
)
def test_what_needs_the_rows_says_that_they_are_gone(
    world: World, arguments: tuple[str, ...]
) -> None:
    _called(world)
    _purge(world)

    ended = world.command(*arguments)

    assert ended.status == 2
    assert 'the rows of campaign "campaign" were purged on 20' in ended.complaint[0]
    assert len(ended.complaint) == 2


def test_status_tells_the_calls_of_a_purged_campaign(world: World) -> None:
    _called(world)
    _purge(world)

    words, json = world.command("status"), world.command("status", "campaign", "--json")

    assert "campaign: finished; 2 rows: 2 placed" in words.out
    assert "its rows were purged on 20" in words.out
    campaigns = cast(list[dict[str, object]], json.report["campaigns"])
    assert [(c["counts"], bool(c["purged_at"])) for c in campaigns] == [
        ({word.value: 2 if word is CallStatus.PLACED else 0 for word in CallStatus}, True)
    ]


def test_open_campaigns_are_left_out_and_named(world: World) -> None:
    world.configure("repeat_after_hours: 0\n")
    world.serve_faults({"u-1": Fault(kind=FaultKind.CLOSED_AFTER)})
    world.run(world.people(2, name="pendiente.csv"), "--limit", "1")
    world.run(world.csv([("u-1", "", "")], name="incierta.csv"))
    world.run(world.csv([("s-1", "90")], name="programada.csv", header=("contact_id", "delay")))
    before = world.remembered()

    ended = _purge(world, "--json")

    assert ended.status == 0
    assert 'Left out: "pendiente" has calls that are pending.' in ended.err
    assert 'Left out: "incierta" has calls that are uncertain.' in ended.err
    assert 'Left out: "programada" has calls that are scheduled ahead.' in ended.err
    assert "Nothing to purge." in ended.err
    assert ended.report["purged"] == []
    assert len(cast(list[object], ended.report["left_out"])) == 3
    assert world.remembered() == before


def test_what_was_called_within_the_hours_is_left_out(world: World) -> None:
    world.run(world.people(1))

    ended = _purge(world)

    assert 'Left out: "campaign" has calls younger than repeat_after_hours.' in ended.err


def test_a_younger_campaign_is_not_touched(world: World) -> None:
    _called(world)
    before = world.remembered()

    ended = world.command("purge", "--older-than", "90d", "--yes")

    assert (ended.status, "Nothing to purge." in ended.err) == (0, True)
    assert world.remembered() == before


def test_a_second_purge_finds_nothing_and_still_cleans_the_file(world: World) -> None:
    _called(world)
    _purge(world)

    ended = _purge(world)

    assert (ended.status, "Nothing to purge." in ended.err) == (0, True)


@pytest.mark.parametrize("age", ["90", "d", "-1d", "90 years", ""])
def test_an_age_that_is_none_is_refused(world: World, age: str) -> None:
    _called(world)

    ended = world.command("purge", f"--older-than={age}", "--yes")

    assert ended.status == 2
    assert "is no age" in ended.complaint[0]


def test_purging_asks_and_without_a_terminal_needs_yes(world: World) -> None:
    _called(world)
    before = world.remembered()

    ended = world.command("purge", "--older-than", "0h")

    assert ended.status == 2
    assert "there is no terminal to ask on" in ended.complaint[0]
    assert world.remembered() == before


def test_files_of_the_ledger_are_for_their_owner_only_and_results_follow_the_sheet(
    world: World,
) -> None:
    place = world.folder / "new" / "ledger.db"
    sheet = world.people(2)
    sheet.chmod(0o640)

    world.run(sheet, "--ledger", place)

    assert _modes(place.parent) == {
        "new": 0o700,
        "ledger.db": 0o600,
        "ledger.db.locks": 0o700,
    } | {name: 0o600 for name in _modes(place.parent) if name.endswith((".lock", "-wal", "-shm"))}
    results = world.folder / "campaign.results.csv"
    assert stat.S_IMODE(results.stat().st_mode) == 0o640


def _modes(folder: Path) -> dict[str, int]:
    return {path.name: stat.S_IMODE(path.stat().st_mode) for path in [folder, *folder.rglob("*")]}
