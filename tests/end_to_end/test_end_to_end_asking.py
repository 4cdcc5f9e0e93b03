"""What a person at a terminal is asked, and what follows from the answer."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from dispatcher.sandbox import Fault, FaultKind

if TYPE_CHECKING:
    from pathlib import Path

    from tests.end_to_end.conftest import World

pytestmark = pytest.mark.skipif(not hasattr(os, "openpty"), reason="there are no such terminals")


class Terminal:
    """A real terminal with a person at it who types ahead."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch
        self._person, self._program = os.openpty()
        self._shown = bytearray()
        self._reading = threading.Thread(target=self._read, daemon=True)
        self._reading.start()
        self.stdin = os.fdopen(os.dup(self._program), encoding="utf-8")
        self.stderr = os.fdopen(os.dup(self._program), "w", encoding="utf-8")

    def type(self, *answers: str) -> None:
        """Type lines, before they are asked for."""
        os.write(self._person, "".join(f"{answer}\n" for answer in answers).encode())

    def command(self, world: World, *arguments: str | Path) -> int:
        """Run one command that finds this terminal at stdin and stderr; return its status."""
        with self._monkeypatch.context() as patch:
            patch.setattr("sys.stdin", self.stdin)
            patch.setattr("sys.stderr", self.stderr)
            return world.command(*arguments).status

    def close(self) -> str:
        """Hang up, and return all that was shown."""
        self.stdin.close()
        self.stderr.close()
        os.close(self._program)
        self._reading.join(10)
        os.close(self._person)
        return self._shown.decode("utf-8", "replace").replace("\r\n", "\n")

    def _read(self) -> None:
        with suppress(OSError):  # the other side is closed
            while shown := os.read(self._person, 65536):
                self._shown += shown


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[Terminal]:
    """A terminal of its own for each test."""
    terminal = Terminal(monkeypatch)
    yield terminal
    if not terminal.stdin.closed:
        terminal.close()


@pytest.mark.parametrize("answer", ["y", "YES", " sí ", "s", "sim"])
def test_a_clear_yes_places_the_calls_that_the_question_names(
    world: World, terminal: Terminal, answer: str
) -> None:
    world.people(3)
    terminal.type(answer)

    status = terminal.command(world, "run", "campaign.csv", "--rate", "unlimited")

    shown = terminal.close()
    assert status == 0
    assert "To call now: 3" in shown.partition("Place 3 calls now? [y/N] ")[0]
    assert "3 rows: 3 placed." in shown
    assert world.called() == ["c-1", "c-2", "c-3"]


@pytest.mark.parametrize("answer", ["", "n", "maybe", "yess"])
def test_anything_else_is_a_no_and_sends_nothing(
    world: World, terminal: Terminal, answer: str
) -> None:
    world.people(1)
    terminal.type(answer)

    status = terminal.command(world, "run", "campaign.csv")

    shown = terminal.close()
    assert status == 130
    assert "Place 1 call now? [y/N] " in shown
    assert "dispatcher: not confirmed: nothing was sent" in shown
    assert world.called() == []


def test_the_question_counts_what_the_limit_allows(world: World, terminal: Terminal) -> None:
    world.people(3)
    terminal.type("y")

    terminal.command(world, "run", "campaign.csv", "--limit", "2", "--rate", "unlimited")

    assert "Place 2 calls now? [y/N] " in terminal.close()
    assert len(world.called()) == 2


def test_where_there_is_nobody_to_call_nothing_is_asked(world: World, terminal: Terminal) -> None:
    world.run(world.people(1))

    status = terminal.command(world, "run", "campaign.csv")
    late = terminal.command(world, "run", world.people(2), "--stop-at", "00:00")

    assert (status, late) == (0, 0)
    assert "[y/N]" not in terminal.close()
    assert world.called() == ["c-1"]


@pytest.mark.parametrize(
    ("answers", "expected", "called"),
    [(["n"], 2, 2), (["y", "y"], 0, 4), (["y", "n"], 130, 2)],
    ids=["the same", "new", "new but not now"],
)
def test_the_same_people_under_another_name_are_asked_about_even_with_the_yes_option(
    world: World, terminal: Terminal, answers: list[str], expected: int, called: int
) -> None:
    world.configure("repeat_after_hours: 0\n")
    world.run(world.people(2))
    world.people(2, name="otra.csv")
    terminal.type(*answers)

    status = terminal.command(world, "run", "otra.csv", "--rate", "unlimited")

    shown = terminal.close()
    assert status == expected
    assert 'The campaign "campaign" has 2 calls of this sheet already.' in shown
    assert 'answer no and run it with --campaign "campaign".' in shown
    assert len(world.called()) == called


def test_yes_is_no_answer_to_whether_a_campaign_is_new(world: World, terminal: Terminal) -> None:
    world.run(world.people(2))
    world.people(2, name="otra.csv")
    terminal.type("n")

    status = terminal.command(world, "run", "otra.csv", "--yes")

    assert status == 2
    assert 'Is "otra" a new campaign, so that they are called again? [y/N] ' in terminal.close()


@pytest.mark.parametrize(
    ("answer", "expected", "counts"),
    [("y", 0, {"placed": 1, "failed": 1}), ("n", 130, {"placed": 1, "uncertain": 1})],
    ids=["yes", "no"],
)
def test_settling_shows_the_call_and_asks(
    world: World, terminal: Terminal, answer: str, expected: int, counts: dict[str, int]
) -> None:
    world.serve_faults({"c-1": Fault(kind=FaultKind.CLOSED_AFTER)})
    world.run(world.people(2))
    terminal.type(answer)

    status = terminal.command(
        world, "resolve", "campaign", "--row", "2", "--not-placed", "--reason", "so"
    )

    shown = terminal.close()
    assert status == expected
    assert "Call to contact c-1, row 2" in shown
    assert "Settle it as not placed? [y/N] " in shown
    said = world.command("results", "campaign", "--json").report["counts"]
    assert isinstance(said, dict)
    assert {word: number for word, number in said.items() if number} == counts
