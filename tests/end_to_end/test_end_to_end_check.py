"""What ``check`` tells a person, and the look-ups; nothing is ever placed."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from dispatcher.sandbox import Generation

if TYPE_CHECKING:
    from tests.end_to_end.conftest import World

pytestmark = pytest.mark.usefixtures("world")


def test_check_says_what_was_recognised_and_which_column_feeds_what(world: World) -> None:
    path = world.csv(
        [("c-1", "Ana", "1.000,50", "x")],
        header=("ID de contacto", "nombre", "monto", "call_id"),
        delimiter=";",
    )

    said = world.command("check", path)

    assert said.status == 0
    assert "CSV, utf-8, delimiter semicolon, header in row 1" in said.out
    assert 'contact_id <- "ID de contacto"' in said.out
    assert 'additional data <- "nombre", "monto"' in said.out
    assert 'not sent: "call_id"' in said.out
    assert "Configuration: " in said.out
    assert "config.yaml" in said.out
    assert '{"key":"monto","value":"1.000,50"}' in said.out
    assert said.out.rstrip().endswith("Nothing was sent.")
    assert world.called() == []


def test_check_names_sheet_and_format_of_a_workbook(world: World) -> None:
    path = world.workbook([("contact_id", "nombre"), ("c-1", "Ana")])

    said = world.command("check", path)

    assert 'XLSX, sheet "Sheet", header in row 1' in said.out


def test_check_groups_problems_by_code_and_shows_the_first_rows(world: World) -> None:
    rows = [("", f"n{i}", "1") for i in range(7)] + [("c-1", "Ana", "1"), ("c-1", "Ana", "1")]
    path = world.csv(rows)

    said = world.command("check", path)

    assert said.status == 4
    assert "9 rows: 1 can be called, 1 skipped, 7 with a problem." in said.out
    assert "7 problem: contact_id_missing" in said.out
    assert "row 2: " in said.out
    assert "row 7: " not in said.out
    assert "and 2 more" in said.out
    assert "1 skipped: duplicate" in said.out


def test_check_says_what_run_will_need_and_that_there_are_no_rows(world: World) -> None:
    world.configure("", with_ids=False)
    path = world.csv([])

    said = world.command("check", path)
    report = json.loads(world.command("check", path, "--json").out)

    assert said.status == 0
    assert "--agent-id" in said.err
    assert {warning["code"] for warning in report["warnings"]} == {
        "no_rows",
        "no_agent_id",
        "no_from_number_id",
    }


def test_check_of_a_results_sheet_skips_what_it_says_was_called(world: World) -> None:
    path = world.people(2)
    world.run(path)

    report = json.loads(world.command("check", "campaign.results.csv", "--json").out)

    assert report["callable"] == 0
    assert [skip["code"] for skip in report["skipped"]] == ["already_placed"] * 2


def test_check_judges_a_schedule_by_the_clock(world: World) -> None:
    header = ("contact_id", "schedule", "timezone")
    rows = [("c-1", "2001-01-01 10:00", "UTC"), ("c-2", "2031-01-01 10:00", "UTC")]
    path = world.csv(rows, header=header)

    report = json.loads(world.command("check", path, "--json", "--problems", "p.csv").out)

    assert [(p["row"], p["code"]) for p in report["problems"]] == [(2, "schedule_past")]
    assert report["callable"] == 1
    assert [line["call_error_code"] for line in world.lines("p.csv")] == ["schedule_past"]


def test_check_reads_standard_input(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    text = io.TextIOWrapper(io.BytesIO(b"contact_id,n\nc-1,a\n"))
    monkeypatch.setattr(sys, "stdin", text)

    said = world.command("check", "-", "--json")

    assert said.status == 0
    assert json.loads(said.out)["file"] == "-"


@pytest.mark.parametrize(
    "cell", ["\x1b[31mred", "\u202egnirts", "a\rb", "\x07"], ids=["ansi", "bidi", "cr", "bell"]
)
def test_no_text_of_a_cell_steers_the_terminal(world: World, cell: str) -> None:
    path = world.csv([("c-1", cell, "1")], header=("contact_id", "nombre", f"h {cell}"))

    said = world.command("check", path)

    assert not set("\x1b\u202e\r\x07") & set(said.out + said.err)


def test_a_map_that_is_no_pair_is_refused(world: World) -> None:
    said = world.command("check", world.people(1), "--map", "contact_id")

    assert said.status == 2
    assert "--map 'contact_id' is not FIELD=HEADER" in said.complaint[0]


@pytest.mark.parametrize("generation", list(Generation))
def test_the_look_ups_read_both_generations(world: World, generation: Generation) -> None:
    world.serve(generation=generation)

    agents = json.loads(world.command("agents", "--json").out)
    numbers = json.loads(world.command("numbers", "--json").out)
    balance = json.loads(world.command("credits", "--json").out)

    assert {"id", "name"} <= set(agents[0])
    assert "prompt" not in agents[0]
    assert len(numbers) > 5
    assert len({number["id"] for number in numbers}) == len(numbers)
    assert balance["credits"] > 0


def test_the_look_ups_speak_plainly(world: World) -> None:
    agents = world.command("agents")
    numbers = world.command("numbers")
    balance = world.command("credits")

    assert (agents.status, numbers.status, balance.status) == (0, 0, 0)
    assert "sandbox-agent-1" in agents.out
    assert "sandbox-number-1" in numbers.out
    assert balance.out.startswith("Credits: ")


def test_a_wrong_key_is_said_by_a_look_up(world: World) -> None:
    world.set("CONTACTSHIP_API_KEY", "another-key")

    said = world.command("credits")

    assert said.status == 2
    assert "refused the key (401)" in said.complaint[0]
    assert "another-key" not in said.err


def test_a_look_up_at_something_else_than_the_api_is_said(world: World) -> None:
    world.set("CONTACTSHIP_BASE_URL", world.server.url + "/elsewhere")

    said = world.command("agents")

    assert said.status == 6
    assert "answered 404" in said.complaint[0]


def test_a_look_up_without_a_network_is_said(world: World) -> None:
    world.set("CONTACTSHIP_BASE_URL", "http://127.0.0.1:9")

    said = world.command("numbers")

    assert said.status == 6
    assert "check the network" in said.complaint[1]


def test_the_sandbox_refuses_a_generation_there_is_not(world: World) -> None:
    said = world.command("sandbox", "--generation", "c")

    assert said.status == 2


def test_the_sandbox_refuses_a_faults_file_with_a_word_it_does_not_know(world: World) -> None:
    path = world.folder / "faults.yaml"
    path.write_text("contatcs: {}\n", encoding="utf-8")

    said = world.command("sandbox", "--port", "0", "--faults", path)

    assert said.status == 2
    assert "contatcs" in said.complaint[0]


def test_python_dash_m_is_the_command(world: World, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "dispatcher", "--version"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.startswith("dispatcher ")
    assert world.called() == []
