"""What is refused before the first call: its exit status, one clear line, and nothing sent."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import openpyxl
import pytest

from dispatcher.ledger import open_ledger
from dispatcher.model import CallStatus, Purpose

if TYPE_CHECKING:
    from tests.end_to_end.conftest import Ended, World

RUN_KEYS = [
    "campaign",
    "sheet",
    "results",
    "ledger",
    "rows",
    "counts",
    "this_run",
    "stopped",
    "started_at",
    "finished_at",
    "seconds",
    "calls_per_minute",
    "exit_code",
]
CHECK_KEYS = [
    "file",
    "format",
    "sheet",
    "encoding",
    "delimiter",
    "header_row",
    "headers",
    "data_rows",
    "callable",
    "problems",
    "skipped",
    "warnings",
    "preview",
]
WORDS = [word.value for word in CallStatus]


def _is_refused(world: World, ended: Ended, *, status: int, said: str) -> None:
    """One line says why, at most one more what to do; so does the JSON; nothing was sent."""
    lines = ended.complaint
    assert ended.status == status, ended.err
    assert said in lines[0]
    assert len(lines) <= 2
    assert all(line.startswith("  ") for line in lines[1:])
    report = ended.report
    assert list(report) == [*RUN_KEYS, "message"]
    assert list(report["counts"]) == list(report["this_run"]) == WORDS  # type: ignore[call-overload]
    assert (report["exit_code"], report["stopped"]) == (status, None)
    assert f"dispatcher: {report['message']}" == lines[0]
    assert world.called() == []
    assert world.server.key not in ended.err + ended.out


# The key and the configuration


def test_without_a_key_nothing_begins(world: World) -> None:
    world.unset("CONTACTSHIP_API_KEY")

    ended = world.run(world.people(2))

    _is_refused(world, ended, status=2, said="CONTACTSHIP_API_KEY is not set")
    assert "CONTACTSHIP_API_KEY_FILE to a file that holds it" in ended.complaint[1]
    assert not world.ledger.exists()


def test_a_key_file_that_is_missing_is_named(world: World) -> None:
    world.unset("CONTACTSHIP_API_KEY")
    world.set("CONTACTSHIP_API_KEY_FILE", "keys/contactship")

    ended = world.run(world.people(2))

    _is_refused(world, ended, status=2, said="names keys/contactship, which cannot be read")


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["plain", "with mark"])
def test_the_key_may_come_from_a_file(world: World, mark: bytes) -> None:
    world.unset("CONTACTSHIP_API_KEY")
    file = world.folder / "key.txt"
    file.write_bytes(mark + world.server.key.encode() + b"\r\n")
    world.set("CONTACTSHIP_API_KEY_FILE", str(file))

    ended = world.run(world.people(2))

    assert (ended.status, ended.counts) == (0, {"placed": 2})


@pytest.mark.parametrize(
    ("config", "said"),
    [
        pytest.param("pase:\n  rate: 5/second\n", "`pase` is no known key", id="unknown key"),
        pytest.param("pace:\n  workers: 0\n", "`pace.workers` must be 1 or more", id="bad value"),
        pytest.param("pace:\n  rate: 5\n", "`pace.rate` must be text", id="wrong type"),
        pytest.param("key: [factura]\n", 'key names "factura"', id="key without a column"),
        pytest.param(
            "additional_data:\n  include: [Saldo]\n",
            'additional_data.include names "Saldo"',
            id="include without a column",
        ),
        pytest.param(
            "columns:\n  contact_id: Cliente\n", 'contact_id names "Cliente"', id="no such header"
        ),
        pytest.param("api:\n  base_url: http://example.com\n", "https://", id="no https"),
    ],
)
def test_a_configuration_that_makes_no_sense_is_refused(
    world: World, config: str, said: str
) -> None:
    world.configure(config)
    if "base_url" in config:
        world.unset("CONTACTSHIP_BASE_URL")

    _is_refused(world, world.run(world.people(2)), status=2, said=said)
    assert not world.ledger.exists()


def test_a_configuration_file_that_is_named_must_exist(world: World) -> None:
    ended = world.run(world.people(2), "--config", "otra.yaml")

    _is_refused(world, ended, status=2, said="otra.yaml does not exist")


def test_the_configuration_beside_the_sheet_is_found_and_named(world: World) -> None:
    (world.folder / "sheets").mkdir()
    beside = world.configure("").rename(world.folder / "sheets" / "config.yaml")
    sheet = world.people(1).rename(world.folder / "sheets" / "campaign.csv")

    ended = world.run(sheet)

    assert ended.status == 0
    assert f"Configuration: {beside}" in ended.err


def test_without_agent_and_number_both_are_asked_for(world: World) -> None:
    world.configure("", with_ids=False)

    ended = world.run(world.people(2))

    _is_refused(
        world, ended, status=2, said="no column and no default gives agent_id and from_number_id"
    )
    assert "--agent-id and --from-number-id" in ended.complaint[1]


def test_agent_and_number_may_come_from_the_command_line(world: World) -> None:
    world.configure("", with_ids=False)

    ended = world.run(world.people(1), "--agent-id", "a-7", "--from-number-id", "n-7")

    (call,) = world.server.record
    assert ended.status == 0
    assert (call.agent_id, call.from_number_id) == ("a-7", "n-7")


# The command line


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        pytest.param(
            ("--map", "contact_id=Cliente"),
            'contact_id names "Cliente", and the sheet has no such header',
            id="map without header",
        ),
        pytest.param(("--map", "contacto=x"), "--map names no field `contacto`", id="map field"),
        pytest.param(("--map", "contact_id"), "is not FIELD=HEADER", id="map without ="),
        pytest.param(("--stop-at", "25:00"), "--stop-at '25:00' is no time of day", id="stop at"),
        pytest.param(("--results", "x.pdf"), "x.pdf is no name for a sheet", id="results suffix"),
        pytest.param(("--existing-ledger",), "ledger.db", id="no ledger to continue"),
        pytest.param(("--ledger", "mysql://u:p@h/d"), "cannot be kept in mysql", id="ledger url"),
    ],
)
def test_an_option_that_does_not_fit_is_refused(
    world: World, arguments: tuple[str, ...], said: str
) -> None:
    _is_refused(world, world.run(world.people(2), *arguments), status=2, said=said)
    assert world.command("status").out.count("campaign:") == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--fast",), "No such option: --fast"),
        (("--limit", "x"), "Invalid value for '--limit'"),
        (("--hidden", "maybe"), "Invalid value for '--hidden'"),
    ],
    ids=["unknown", "no number", "no choice"],
)
def test_an_option_that_cannot_be_read_still_ends_in_json(
    world: World, arguments: tuple[str, ...], said: str
) -> None:
    ended = world.run(world.people(2), *arguments)

    assert ended.status == 2
    assert said in ended.err
    assert list(ended.report) == [*RUN_KEYS, "message"]
    assert ended.report["exit_code"] == 2
    assert world.called() == []


def test_a_bad_rate_is_refused_as_an_option(world: World) -> None:
    ended = world.command("run", world.people(2), "--yes", "--json", "--rate", "fast")

    _is_refused(world, ended, status=2, said="--rate is no rate that calls can be placed at")


def test_without_sheet_and_campaign_there_is_nothing_to_run(world: World) -> None:
    _is_refused(world, world.run(), status=2, said="there is nothing to run")


def test_standard_input_needs_a_campaign_name(world: World) -> None:
    _is_refused(world, world.run("-"), status=2, said="standard input has no name")


def test_a_campaign_without_a_sheet_must_be_known(world: World) -> None:
    ended = world.run("--campaign", "Marzo")

    _is_refused(world, ended, status=2, said='knows no campaign "marzo"')


def test_without_a_terminal_the_yes_must_be_said_beforehand(world: World) -> None:
    ended = world.command("run", world.people(2), "--json")

    _is_refused(world, ended, status=2, said="there is no terminal to ask on")
    assert ended.complaint[1] == "  say yes beforehand with --yes"


# The sheet


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        pytest.param("empty.csv", b"", "the file is empty", id="empty"),
        pytest.param("cut.xlsx", b"PK\x03\x04 and no more", "damaged workbook", id="cut workbook"),
        pytest.param("x.csv", b"%PDF-1.7 ...", "a PDF document, not a sheet", id="another kind"),
        pytest.param("x.csv", bytes(range(256)) * 4, "x.csv: ", id="no text"),
        pytest.param(
            "x.csv", b"nombre,monto\nAna,1\n", "No column with the contact ids", id="no contact"
        ),
        pytest.param(
            "x.csv",
            b"contact_id,id_contacto\n1,2\n",
            'column A "contact_id", column B "id_contacto"',
            id="two contact columns",
        ),
        pytest.param(
            "x.csv",
            b"contact_id,monto,monto\nc-1,1,2\n",
            "Two columns have the same header",
            id="twin headers",
        ),
        pytest.param(
            "x.csv",
            b"contact_id,nombre\n+5491155550000,Ana\n+5491155550001,Luz\n",
            "2 of 2 contact ids look like something else (row 2 holds a phone number)",
            id="phones as ids",
        ),
        pytest.param(
            "x.csv", b"contact_id,nombre\nc-1,Ana\nc-2", "was the file cut off?", id="cut row"
        ),
    ],
)
def test_a_sheet_that_is_no_campaign_is_refused_and_leaves_no_campaign_behind(
    world: World, name: str, content: bytes, said: str
) -> None:
    (world.folder / name).write_bytes(content)

    _is_refused(world, world.run(name), status=3, said=said)
    assert "rows" not in world.command("status").out


def test_a_missing_sheet_is_named(world: World) -> None:
    _is_refused(world, world.run("nada.csv"), status=3, said="nada.csv: there is no such file")


def test_a_refused_sheet_hints_at_the_headers_it_has(world: World) -> None:
    ended = world.run(world.csv([("x", "y")], header=("nombre", "monto")))

    assert "campaign.csv: No column with the contact ids" in ended.complaint[0]
    assert ended.complaint[1] == "  the headers found are: nombre, monto"


@pytest.mark.parametrize(
    ("content", "option"),
    [
        (b"contact_id,nombre\n+5491155550000,Ana\n", "--accept-ids"),
        (b"contact_id,nombre\nc-1", "--accept-cut-row"),
    ],
    ids=["ids", "cut row"],
)
def test_what_only_looks_wrong_is_sent_on_request(
    world: World, content: bytes, option: str
) -> None:
    (world.folder / "campaign.csv").write_bytes(content)
    refused = world.run("campaign.csv")

    ended = world.run("campaign.csv", option)

    assert refused.status == 3
    assert option in refused.complaint[1]
    assert (ended.status, ended.counts) == (0, {"placed": 1})


def test_a_sheet_without_rows_calls_nobody_and_says_so(world: World) -> None:
    ended = world.run(world.csv([]))

    assert ended.status == 0
    assert ended.counts == {}
    assert "There is no row below the header: nobody to call." in ended.err
    assert world.lines("campaign.results.csv") == []


def _sheet_with_a_hidden_row(world: World) -> Path:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    for text in ("contact_id", "c-1", "c-2", "c-3"):
        sheet.append([text])
    sheet.row_dimensions[3].hidden = True
    path = world.folder / "campaign.xlsx"
    book.save(path)
    return path


def test_hidden_rows_must_be_decided_on(world: World) -> None:
    sheet = _sheet_with_a_hidden_row(world)

    ended = world.run(sheet)

    _is_refused(world, ended, status=3, said="1 of 3 rows are hidden (filtered or by hand)")
    assert ended.complaint[1] == ("  say what to do with them: --hidden skip, or --hidden include")
    assert world.run(sheet, "--dry-run").status == 3


@pytest.mark.parametrize(
    ("choice", "called", "counts"),
    [
        ("skip", ["c-1", "c-3"], {"placed": 2, "skipped": 1}),
        ("include", ["c-1", "c-2", "c-3"], {"placed": 3}),
    ],
)
def test_hidden_rows_are_skipped_or_called_as_decided(
    world: World, choice: str, called: list[str], counts: dict[str, int]
) -> None:
    ended = world.run(_sheet_with_a_hidden_row(world), "--hidden", choice)

    assert (ended.status, ended.counts) == (0, counts)
    assert world.called() == called


# The ledger


def test_an_existing_ledger_is_asked_for_and_none_created(world: World) -> None:
    sheet = world.people(2)
    refused = world.run(sheet, "--existing-ledger")
    created = world.ledger.exists()
    world.run(sheet, "--limit", "1")

    ended = world.run(sheet, "--existing-ledger")

    assert (refused.status, created) == (2, False)
    assert (ended.status, ended.counts) == (0, {"placed": 2})


def test_a_ledger_of_rehearsals_takes_no_real_calls(world: World) -> None:
    sheet = world.people(2)
    world.run(sheet, "--sandbox", "--ledger", "rehearsed.db")

    ended = world.run(sheet, "--ledger", "rehearsed.db")

    _is_refused(world, ended, status=2, said="is for rehearsals and cannot record real calls")
    dry = world.command("run", sheet, "--ledger", "rehearsed.db", "--dry-run")
    assert (dry.status, dry.out) == (2, "")


def test_a_ledger_of_real_calls_takes_no_rehearsal(world: World) -> None:
    sheet = world.people(2)
    world.run(sheet)
    before = world.remembered()

    ended = world.run(sheet, "--sandbox", "--ledger", world.ledger)

    assert ended.status == 2
    assert "records real calls and cannot be used for a rehearsal" in ended.complaint[0]
    assert world.remembered() == before


def test_a_rehearsal_in_a_ledger_of_its_own_is_resumed(world: World) -> None:
    sheet = world.people(3)
    world.run(sheet, "--sandbox", "--ledger", "rehearsed.db", "--limit", "1")

    ended = world.run(sheet, "--sandbox", "--ledger", "rehearsed.db")

    assert ended.counts == {"placed": 3}
    assert ended.report["this_run"] == dict.fromkeys(WORDS, 0) | {"placed": 2}
    assert world.called() == []


@pytest.mark.parametrize(
    "content", [b"", b"not a database at all"], ids=["empty file", "another file"]
)
def test_a_file_that_is_no_ledger_is_left_alone(world: World, content: bytes) -> None:
    world.ledger.write_bytes(content)

    ended = world.run(world.people(2))

    _is_refused(world, ended, status=8, said="cannot be used: this is no ledger")
    assert world.ledger.read_bytes() == content


def test_a_folder_that_cannot_be_written_to_is_found_before_the_first_call(world: World) -> None:
    ended = world.run(world.people(2), "--results", "no/such/folder/x.csv")

    _is_refused(world, ended, status=8, said="x.csv cannot be written: No such file or directory")


def test_a_campaign_keeps_the_api_it_was_begun_with(world: World) -> None:
    world.run(world.people(3), "--limit", "1")
    first = world.server.url
    world.serve()

    ended = world.run("campaign.csv")

    _is_refused(world, ended, status=2, said=f"was begun through {first}, not {world.server.url}")


def test_a_campaign_keeps_its_key_columns(world: World) -> None:
    world.run(world.people(3), "--limit", "1")
    world.configure("key: [monto]\n")

    ended = world.run("campaign.csv")

    assert ended.status == 2
    assert 'campaign "campaign" was begun with the key columns: none' in ended.complaint[0]


def test_a_campaign_that_another_run_holds_is_left_to_it(world: World) -> None:
    sheet = world.people(3)
    world.run(sheet, "--limit", "1")
    before = world.remembered()

    ledger = open_ledger(str(world.ledger), purpose=Purpose.REAL, create=False)
    with ledger, ledger.holding.hold("campaign"):
        ended = world.run(sheet)
        settled = world.command(
            "resolve", "campaign", "--row", "2", "--not-placed", "--reason", "so", "--yes"
        )
        status = world.command("status")
        results = world.command("results", "campaign", "--results", "live.csv")

    assert (ended.status, settled.status) == (7, 7)
    assert len(ended.complaint) <= 2
    assert (ended.report["exit_code"], "message" in ended.report) == (7, True)
    assert "campaign: running now; 3 rows: 1 placed, 2 pending" in status.out
    assert results.status == 0
    assert world.remembered() == before
    assert world.called() == ["c-1"]


# JSON


def test_a_run_that_ends_well_prints_one_json_object_and_nothing_else(world: World) -> None:
    ended = world.run(world.people(2))

    assert list(ended.report) == RUN_KEYS
    assert len(ended.out.splitlines()) == 1


def test_a_bug_still_ends_in_json_before_its_traceback(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError("the key is secret")

    monkeypatch.setattr("dispatcher.cli.run.live", fail)

    with pytest.raises(ZeroDivisionError):
        world.run(world.people(2))

    report = json.loads(capsys.readouterr().out)
    assert (report["exit_code"], report["message"]) == (1, "unexpected error: ZeroDivisionError")


def test_check_prints_one_json_object_with_what_it_found(world: World) -> None:
    rows = [("c-1", "Ana", "1"), ("", "Luz", "2"), ("c-1", "Ana", "1"), ("", "", "")]

    ended = world.command("check", world.csv(rows, delimiter=";", encoding="cp1252"), "--json")

    report = ended.report
    assert ended.status == 4
    assert list(report) == CHECK_KEYS
    assert (report["format"], report["delimiter"], report["header_row"]) == ("csv", ";", 1)
    assert report["headers"] == ["contact_id", "nombre", "monto"]
    assert (report["data_rows"], report["callable"]) == (3, 1)
    assert [sorted(problem) for problem in report["problems"]] == [  # type: ignore[attr-defined]
        ["code", "column", "message", "row"]
    ]
    assert [skip["row"] for skip in report["skipped"]] == [4]  # type: ignore[attr-defined]
    assert report["preview"][0]["contact_id"] == "c-1"  # type: ignore[index]
    assert not world.ledger.exists()


def test_check_shows_what_was_recognised_and_the_problems_by_row(world: World) -> None:
    rows = [
        *(("", f"Persona {i}", "1") for i in range(7)),
        ("c-1", "Ana", "1"),
        ("c-1", "Ana", "1"),
    ]

    ended = world.command("check", world.csv(rows, delimiter=";"), "--map", "metadata.x=monto")

    assert ended.status == 4
    for line in (
        f"{world.folder / 'campaign.csv'}: CSV, utf-8, delimiter semicolon, header in row 1",
        '  contact_id <- "contact_id"',
        '  metadata.x <- "monto"',
        '  additional data <- "nombre"',
        "9 rows: 1 can be called, 1 skipped, 7 with a problem.",
        "  7 problem: contact_id_missing",
        "    and 2 more",
        "  1 skipped: duplicate",
        "    row 10: Row 9 asks for the same call",
        "Nothing was sent.",
    ):
        assert line in ended.out.splitlines()
    assert world.called() == []


def test_check_warns_of_what_run_would_need(world: World) -> None:
    world.configure("", with_ids=False)
    world.unset("CONTACTSHIP_API_KEY")

    ended = world.command("check", world.csv([]), "--json")

    codes = [warning["code"] for warning in ended.report["warnings"]]  # type: ignore[attr-defined]
    assert ended.status == 0
    assert codes == ["no_rows", "no_agent_id", "no_from_number_id"]


def test_check_refuses_what_run_refuses_to_read(world: World) -> None:
    ended = world.command("check", "nada.csv", "--json")

    assert (ended.status, ended.out) == (3, "")
    assert ended.complaint[0] == "dispatcher: nada.csv: there is no such file"


def test_the_warnings_of_check_are_those_of_run(world: World) -> None:
    sheet = world.csv([("c-1", "José", "nan")], encoding="cp1252")

    checked = world.command("check", sheet)
    ran = world.run(sheet)

    warnings = [line for line in checked.err.splitlines() if line.startswith("Warning")]
    assert len(warnings) >= 2
    assert [line for line in ran.err.splitlines() if line.startswith("Warning")] == warnings


# Look-ups


def test_a_look_up_that_reaches_no_api_says_so(world: World) -> None:
    world.set("CONTACTSHIP_BASE_URL", f"{world.server.url}/elsewhere")

    ended = world.command("credits")

    assert ended.status == 6
    assert ended.complaint == ["dispatcher: the API answered 404", "  try again later"]


def test_look_ups_list_ids_and_no_prompts(world: World) -> None:
    agents = world.command("agents")
    numbers = world.command("numbers", "--json")
    balance = world.command("credits", "--json")

    assert [e.status for e in (agents, numbers, balance)] == [0, 0, 0]
    assert "sandbox-agent-1  Cobranzas" in agents.out
    assert "confidencial" not in agents.out
    assert len(json.loads(numbers.out)) == 8
    assert list(balance.report) == ["credits"]


@pytest.mark.parametrize("command", ["agents", "numbers", "credits"])
def test_a_look_up_with_a_wrong_key_says_so(world: World, command: str) -> None:
    world.set("CONTACTSHIP_API_KEY", "wrong")

    ended = world.command(command)

    assert ended.status == 2
    assert ended.complaint == [
        "dispatcher: the API refused the key (401)",
        "  check CONTACTSHIP_API_KEY",
    ]
