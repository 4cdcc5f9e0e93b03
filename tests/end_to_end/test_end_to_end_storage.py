"""The ledger and the results meet a file system that does not do as it should."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from dispatcher.ledger import mounts

if TYPE_CHECKING:
    from tests.end_to_end.conftest import World


@pytest.fixture
def _on_network(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    table = world.folder / "mounts"
    table.write_text(f"server:/x {world.folder} nfs4 rw 0 0\n", encoding="utf-8")
    monkeypatch.setattr(mounts, "MOUNTS", table)


@pytest.mark.usefixtures("_on_network")
def test_a_ledger_on_a_network_file_system_is_refused_unless_it_is_accepted(world: World) -> None:
    sheet = world.people(2)

    refused = world.run(sheet)
    accepted = world.run(sheet, "--ledger-on-network")

    assert refused.status == 8
    assert "is on a network file system (nfs4)" in refused.complaint[0]
    assert "--ledger-on-network" in refused.complaint[1]
    assert (accepted.status, accepted.counts) == (0, {"placed": 2}), accepted.err


@pytest.mark.usefixtures("_on_network")
@pytest.mark.parametrize(
    "command",
    [
        ("status",),
        ("results", "campaign"),
        ("stop", "campaign"),
        ("run", "campaign.csv", "--dry-run"),
        ("resolve", "campaign", "--row", "2", "--placed", "x", "--reason", "y", "--yes"),
    ],
    ids=lambda command: command[0],
)
def test_every_command_with_a_ledger_can_accept_the_network(
    world: World, command: tuple[str, ...]
) -> None:
    world.run(world.people(2), "--ledger-on-network")

    refused = world.command(*command)
    accepted = world.command(*command, "--ledger-on-network")

    assert (refused.status, "network file system" in refused.err) == (8, True)
    assert "network file system" not in accepted.err
