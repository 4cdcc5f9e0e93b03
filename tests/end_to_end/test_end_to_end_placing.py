"""Spreadsheet in, calls placed, results sheet out: what a whole run does with every row."""

from __future__ import annotations

import datetime as dt
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import openpyxl
import pytest

from dispatcher.report import RESULT_COLUMNS
from dispatcher.sandbox import Generation

if TYPE_CHECKING:
    from tests.end_to_end.conftest import World

MIXED = [
    ("c-1", "José Núñez", "14.058,10"),
    ("", "", ""),
    ("c-2", "María Peña", "0012"),
    ("", "Sin id", "1"),
    ("c-1", "José Núñez", "14.058,10"),
    ("c-3", "Ana", ""),
]


@pytest.mark.parametrize("generation", list(Generation))
def test_every_valid_row_is_placed_once_and_the_results_agree_with_the_server(
    world: World, generation: Generation
) -> None:
    world.serve(generation=generation)

    ended = world.run(world.people(30))

    assert ended.status == 0
    assert ended.counts == {"placed": 30}
    assert sorted(world.called()) == sorted(f"c-{i}" for i in range(1, 31))
    assert world.agrees("campaign.results.csv")


@pytest.mark.parametrize("generation", list(Generation))
def test_the_results_say_when_the_api_created_each_call(
    world: World, generation: Generation
) -> None:
    world.serve(generation=generation)

    world.run(world.people(2))

    record = {call.call_id: call.created_at for call in world.server.record}
    for line in world.lines("campaign.results.csv"):
        created = dt.datetime.fromisoformat(line["call_created_at"])
        sent = dt.datetime.fromisoformat(line["call_sent_at"])
        assert abs(created - record[line["call_id"]]) < dt.timedelta(milliseconds=1)
        assert sent.tzinfo is not None
        assert (line["call_http_status"], line["call_attempts"]) == ("201", "1") or (
            generation is Generation.A and line["call_http_status"] == "200"
        )


def test_rows_with_a_problem_hold_nobody_else_back(world: World) -> None:
    ended = world.run(world.csv(MIXED))

    assert ended.status == 4
    assert ended.counts == {"placed": 3, "invalid": 1, "skipped": 1}
    assert world.called() == ["c-1", "c-2", "c-3"]
    assert world.agrees("campaign.results.csv")


def test_the_results_sheet_is_the_input_followed_by_what_became_of_each_row(
    world: World,
) -> None:
    world.run(world.csv(MIXED))

    lines = world.lines("campaign.results.csv")

    assert list(lines[0]) == ["contact_id", "nombre", "monto", *RESULT_COLUMNS]
    assert [tuple(line.values())[:3] for line in lines] == [row for row in MIXED if any(row)]
    assert [line["source_row"] for line in lines] == ["2", "4", "5", "6", "7"]
    assert [(line["call_status"], line["call_error_code"]) for line in lines] == [
        ("placed", ""),
        ("placed", ""),
        ("invalid", "contact_id_missing"),
        ("skipped", "duplicate"),
        ("placed", ""),
    ]
    assert {line["call_campaign"] for line in lines} == {"campaign"}


def test_additional_data_arrive_exactly_as_the_cells_stand(world: World) -> None:
    world.run(
        world.csv(
            [("c-1", " José  Núñez ", "0012", "=1+1", "línea 1\nlínea 2", "14.058,10", "")],
            header=("contact_id", "nombre", "Código", "nota", "texto", "Monto ($)", "vacío"),
        )
    )

    (call,) = world.server.record
    assert call.additional_data == (
        ("nombre", " José  Núñez "),
        ("Código", "0012"),
        ("nota", "=1+1"),
        ("texto", "línea 1\nlínea 2"),
        ("Monto ($)", "14.058,10"),
    )


def test_no_text_of_the_sheet_becomes_a_formula_in_the_results(world: World) -> None:
    world.run(
        world.csv([("c-1", "=HYPERLINK(1)", "@x")], header=("contact_id", "nota", "otra")),
        "--results",
        "out.xlsx",
    )
    world.run("campaign.csv", "--results", "out.csv")

    with closing(openpyxl.load_workbook(world.folder / "out.xlsx")) as book:
        assert {cell.data_type for cell in book.worksheets[0][2]} <= {"s", "n"}
        assert book.worksheets[0]["B2"].value == "=HYPERLINK(1)"
    (line,) = world.lines("out.csv")
    assert (line["nota"], line["otra"]) == ("'=HYPERLINK(1)", "'@x")


@pytest.mark.parametrize(
    ("encoding", "delimiter"),
    [
        pytest.param("utf-8", ",", id="utf-8 comma"),
        pytest.param("utf-8-sig", ";", id="utf-8 with mark, semicolon"),
        pytest.param("cp1252", ";", id="cp1252 semicolon"),
        pytest.param("utf-16", "\t", id="utf-16 tab"),
        pytest.param("utf-16", ";", id="utf-16 semicolon"),
        pytest.param("utf-8", "|", id="utf-8 pipe"),
    ],
)
def test_any_usual_csv_is_read_as_the_same_text(
    world: World, encoding: str, delimiter: str
) -> None:
    rows = [("c-1", "José Núñez", "14.058,10"), ("c-2", "Peña & Cía", "0012")]

    ended = world.run(world.csv(rows, encoding=encoding, delimiter=delimiter))

    assert ended.status == 0
    told = {call.contact_id: call.additional_data for call in world.server.record}
    assert told == {
        "c-1": (("nombre", "José Núñez"), ("monto", "14.058,10")),
        "c-2": (("nombre", "Peña & Cía"), ("monto", "0012")),
    }


def test_a_csv_gets_a_csv_with_its_own_delimiter_that_excel_opens(world: World) -> None:
    world.run(world.csv(MIXED, encoding="cp1252", delimiter=";"))

    written = (world.folder / "campaign.results.csv").read_bytes()

    assert written.startswith(b"\xef\xbb\xbfcontact_id;nombre;monto;call_status;")


def test_cells_of_a_workbook_are_told_as_a_person_reads_them(world: World) -> None:
    sheet = world.workbook(
        [
            ["Contact ID", "nombre", "cuotas", "monto", "vence", "cita", "hora", "activo"],
            [
                "c-1",
                "José Núñez",
                3,
                1234.5,
                dt.date(2026, 6, 15),
                dt.datetime(2026, 6, 15, 14, 30),  # noqa: DTZ001 - as Excel has it
                dt.time(9, 5),
                True,
            ],
            [None, None, None, None, None, None, None, None],
            ["c-2", "0012", 0.1, 100, None, None, None, False],
        ]
    )

    ended = world.run(sheet)

    assert ended.status == 0
    told = {call.contact_id: call.additional_data for call in world.server.record}
    assert told == {
        "c-1": (
            ("nombre", "José Núñez"),
            ("cuotas", "3"),
            ("monto", "1234.5"),
            ("vence", "2026-06-15"),
            ("cita", "2026-06-15 14:30"),
            ("hora", "09:05"),
            ("activo", "TRUE"),
        ),
        "c-2": (("nombre", "0012"), ("cuotas", "0.1"), ("monto", "100"), ("activo", "FALSE")),
    }


def test_a_workbook_gets_a_workbook_of_text_cells_with_the_counts_in_its_summary(
    world: World,
) -> None:
    world.run(world.workbook([["contact_id", "monto"], ["c-1", 1234.5], ["", 1], ["c-2", 7]]))

    assert world.statuses("campaign.results.xlsx") == {
        "c-1": "placed",
        "": "invalid",
        "c-2": "placed",
    }
    with closing(openpyxl.load_workbook(world.folder / "campaign.results.xlsx")) as book:
        results, summary = book.worksheets
        facts = {str(label): str(value) for label, value in summary.iter_rows(values_only=True)}
        assert results["B2"].data_type == "s"
        assert summary.title == "Summary"
        assert (facts["Rows"], facts["Placed"], facts["Invalid"]) == ("3", "2", "1")
        assert facts["Ledger"] == str(world.ledger)
        assert "Rehearsal" not in facts


def test_each_row_may_name_its_own_agent_number_and_metadata(world: World) -> None:
    world.run(
        world.csv(
            [("c-1", "agent-9", "number-9", "Centro"), ("c-2", "", "", "")],
            header=("contact_id", "agent_id", "from_number_id", "metadata.sucursal"),
        )
    )

    calls = {call.contact_id: call for call in world.server.record}
    assert (calls["c-1"].agent_id, calls["c-1"].from_number_id) == ("agent-9", "number-9")
    assert (calls["c-2"].agent_id, calls["c-2"].from_number_id) == ("agent-1", "number-1")
    assert calls["c-1"].metadata["sucursal"] == "Centro"
    assert set(calls["c-2"].metadata) == {"dispatch_campaign", "dispatch_key", "dispatch_row"}


def test_schedules_and_delays_reach_the_api_as_moments(world: World) -> None:
    world.configure("  timezone: America/Bogota\n")
    world.run(
        world.csv(
            [("c-1", "2090-06-15 14:30", ""), ("c-2", "", "30"), ("c-3", "", "")],
            header=("contact_id", "schedule", "delay"),
        )
    )

    calls = {call.contact_id: call for call in world.server.record}
    first, second = calls["c-1"].schedule, calls["c-2"].schedule
    assert first is not None
    assert (first.local, first.timezone) == ("2090-06-15 14:30:00", "America/Bogota")
    assert second is not None
    minutes = (second.at - calls["c-2"].created_at).total_seconds() / 60
    assert 29 < minutes < 31
    assert calls["c-3"].schedule is None


def test_a_schedule_that_is_past_is_invalid_and_not_sent(world: World) -> None:
    world.configure("  timezone: America/Bogota\n")

    ended = world.run(
        world.csv([("c-1", "2020-06-15 14:30"), ("c-2", "")], header=("contact_id", "schedule"))
    )

    assert ended.status == 4
    assert world.called() == ["c-2"]
    assert world.lines("campaign.results.csv")[0]["call_error_code"] == "schedule_past"


def test_a_column_with_another_name_is_fed_by_map_or_by_the_configuration(world: World) -> None:
    header = ("Cliente", "contact_id", "Sucursal")
    sheet = world.csv([("c-1", "no es un id", "Centro")], header=header)
    world.configure("columns:\n  metadata.branch: Sucursal\n")

    ended = world.run(sheet, "--map", "contact_id=Cliente")

    (call,) = world.server.record
    assert ended.status == 0
    assert call.contact_id == "c-1"
    assert call.metadata["branch"] == "Centro"
    assert call.additional_data == (("contact_id", "no es un id"),)


def test_a_sheet_may_come_through_standard_input(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    sheet = world.people(3)
    with sheet.open() as stream:
        monkeypatch.setattr("sys.stdin", stream)
        ended = world.run("-", "--campaign", "tubo")

    assert ended.status == 0
    assert world.called() == ["c-1", "c-2", "c-3"]
    assert world.statuses("tubo.results.csv") == dict.fromkeys(world.called(), "placed")


def test_the_json_names_the_campaign_its_files_and_what_this_run_did(world: World) -> None:
    sheet = world.people(3)

    report = world.run(sheet).report

    assert report["campaign"] == "campaign"
    assert report["sheet"] == str(sheet)
    assert report["results"] == str(world.folder / "campaign.results.csv")
    assert report["ledger"] == str(world.ledger)
    assert report["this_run"] == report["counts"]
    assert report["stopped"] is None


def test_a_rehearsal_calls_nobody_and_says_so_everywhere(world: World) -> None:
    world.unset("CONTACTSHIP_API_KEY")
    sheet = world.workbook([["contact_id"], ["c-1"], ["c-2"]])

    ended = world.run(sheet, "--sandbox")

    assert ended.status == 0
    assert ended.counts == {"placed": 2}
    assert ended.err.count("nobody is called") == 1
    assert ended.err.count("nobody was called") == 1
    assert world.called() == []
    assert not world.ledger.exists()
    assert not Path(str(ended.report["ledger"])).exists()
    with closing(openpyxl.load_workbook(world.folder / "campaign.results.xlsx")) as book:
        first = next(book["Summary"].iter_rows(values_only=True))
        assert first == ("Rehearsal", "This was a rehearsal on the sandbox: nobody was called.")


def test_a_rehearsal_may_be_repeated_and_its_results_replaced(world: World) -> None:
    sheet = world.people(2)

    first = world.run(sheet, "--sandbox")
    second = world.run(sheet, "--sandbox")
    real = world.run(sheet)

    assert (first.status, second.status, real.status) == (0, 0, 0)
    assert first.counts == second.counts == real.counts == {"placed": 2}
    assert {str(e.report["results"]) for e in (first, second, real)} == {
        str(world.folder / "campaign.results.csv")
    }
    assert world.agrees("campaign.results.csv")


def test_a_person_is_told_what_is_about_to_happen_before_the_first_call(world: World) -> None:
    world.people(3)

    ended = world.command("run", "campaign.csv", "--yes", "--rate", "6000/minute")

    before = ended.err.partition("Placing")[0]
    assert f"Ledger: {world.ledger}, new" in before
    assert f"API: {world.server.url} (not the usual one)" in before
    assert "To call now: 3, at 6000/minute: about 0 seconds." in before
    assert "Agent agent-1, from number number-1 (first call, row 2)." in before
    assert 'First request, as if sent now: {"contact_id":"c-1"' in before
    assert ended.out == ""


def test_the_key_is_in_no_message_result_or_record(world: World) -> None:
    world.run(world.people(2))

    key = world.server.key.encode()
    held = [name for name, content in world.files().items() if key in content]
    assert held == []
