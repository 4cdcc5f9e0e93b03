"""Run again, with the same sheet or another: who was called is not called again."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from dispatcher.report import RESULT_COLUMNS
from dispatcher.sandbox import Fault, FaultKind

if TYPE_CHECKING:
    from tests.end_to_end.conftest import World

REFUSED = Fault(kind=FaultKind.STATUS, status=422, placed=False)
LOST = Fault(kind=FaultKind.CLOSED_AFTER)


def _sent(world: World, *contacts: str) -> bool:
    return world.called() == sorted(contacts)


# The same campaign again


def test_a_second_run_sends_nothing_and_says_the_same(world: World) -> None:
    first = world.run(world.people(3))
    results = world.lines("campaign.results.csv")

    second = world.run("campaign.csv")

    assert (first.status, second.status) == (0, 0)
    assert _sent(world, "c-1", "c-2", "c-3")
    assert second.counts == {"placed": 3}
    assert set(second.report["this_run"].values()) == {0}  # type: ignore[attr-defined]
    assert world.lines("campaign.results.csv") == results
    assert "Nothing to call." in second.err


def test_rows_added_later_are_the_only_ones_called(world: World) -> None:
    world.run(world.people(3))

    ended = world.run(world.people(5))

    assert ended.status == 0
    assert ended.counts == {"placed": 5}
    assert _sent(world, "c-1", "c-2", "c-3", "c-4", "c-5")
    assert "So far: 3 placed, 2 pending." in ended.err


def test_sorting_the_rows_calls_nobody_again_and_the_results_follow_the_new_order(
    world: World,
) -> None:
    world.run(world.people(4))
    before = {line["contact_id"]: line["call_id"] for line in world.lines("campaign.results.csv")}
    world.csv([(f"c-{i}", f"Persona {i}", f"{i}.000,50") for i in (4, 3, 2, 1)])

    ended = world.run("campaign.csv")

    after = world.lines("campaign.results.csv")
    assert ended.status == 0
    assert [line["contact_id"] for line in after] == ["c-4", "c-3", "c-2", "c-1"]
    assert [line["source_row"] for line in after] == ["2", "3", "4", "5"]
    assert {line["contact_id"]: line["call_id"] for line in after} == before
    assert _sent(world, "c-1", "c-2", "c-3", "c-4")


def test_a_placed_row_whose_data_differ_now_says_so_and_is_not_called(world: World) -> None:
    world.run(world.csv([("c-1", "Ana", "1"), ("c-2", "Luz", "2")]))

    ended = world.run(world.csv([("c-1", "Ana", "1"), ("c-2", "Luz", "999")]))

    assert ended.status == 0
    assert _sent(world, "c-1", "c-2")
    same, changed = world.lines("campaign.results.csv")
    assert (same["call_status"], same["call_error_code"]) == ("placed", "")
    assert (changed["call_status"], changed["call_error_code"]) == (
        "placed",
        "placed_with_other_data",
    )


@pytest.mark.parametrize(
    "name",
    [
        "campaign (1).csv",
        "Campaign - copia.csv",
        "Copia de campaign.csv",
        "CAMPAIGN.csv",
    ],
)
def test_a_copy_of_the_sheet_continues_the_same_campaign(world: World, name: str) -> None:
    world.run(world.people(3), "--limit", "2")
    (world.folder / "campaign.csv").rename(world.folder / name)

    ended = world.run(name)

    assert ended.status == 0
    assert ended.report["campaign"] == "campaign"
    assert _sent(world, "c-1", "c-2", "c-3")


@pytest.mark.parametrize(
    ("name", "saved"),
    [
        ("campaign.csv", {"delimiter": ";", "encoding": "utf-8-sig"}),
        ("campaign.csv", {"delimiter": "\t", "encoding": "cp1252"}),
        ("campaign.xlsx", None),
    ],
    ids=["other-delimiter", "other-encoding", "as-a-workbook"],
)
def test_a_sheet_that_was_saved_again_otherwise_continues_its_campaign(
    world: World, name: str, saved: dict[str, str] | None
) -> None:
    rows = [(f"c-{n}", f"Núñez {n}", f"{n}.000,50") for n in range(1, 5)]
    world.run(world.csv(rows), "--limit", "2")

    if saved is None:
        (world.folder / "campaign.csv").unlink()
        sheet = world.workbook([("contact_id", "nombre", "monto"), *rows], name=name)
    else:
        sheet = world.csv(rows, name=name, **saved)
    ended = world.run(sheet)

    assert (ended.status, ended.counts) == (0, {"placed": 4}), ended.err
    assert _sent(world, "c-1", "c-2", "c-3", "c-4")


def test_copies_in_two_folders_are_one_campaign_and_call_nobody_twice(world: World) -> None:
    here = world.people(4)
    there = world.folder / "mail"
    there.mkdir()
    shutil.copy(here, there / "campaign.csv")

    first = world.run(here, "--limit", "3")
    second = world.run(there / "campaign.csv")

    assert (first.status, second.status) == (0, 0)
    assert second.counts == {"placed": 4}
    assert second.report["results"] == str(there / "campaign.results.csv")
    assert _sent(world, "c-1", "c-2", "c-3", "c-4")


def test_a_campaign_resumed_through_another_base_url_is_refused(world: World) -> None:
    sheet = world.people(3)
    world.run(sheet, "--limit", "1")
    begun = world.server
    other = world.serve()

    refused = world.run(sheet)

    assert refused.status == 2
    assert f'campaign "campaign" was begun through {begun.url}, not {other.url}' in refused.err
    assert not other.requests


@pytest.mark.parametrize(
    ("option", "field"), [("--agent-id", "agent_id"), ("--from-number-id", "from_number_id")]
)
def test_a_campaign_resumed_with_another_agent_or_number_says_so_and_calls_only_the_others(
    world: World, option: str, field: str
) -> None:
    sheet = world.people(3)
    world.run(sheet, "--limit", "1")

    ended = world.run(sheet, option, "another")

    told = {"agent_id": "Agent another, from number number-1 "}
    assert told.get(field, "Agent agent-1, from number another ") in ended.err
    assert (ended.status, ended.counts) == (0, {"placed": 3})
    codes = [line["call_error_code"] for line in world.lines("campaign.results.csv")]
    assert codes == ["placed_with_other_data", "", ""]
    assert _sent(world, "c-1", "c-2", "c-3")


def test_a_renamed_sheet_continues_under_the_campaigns_name(world: World) -> None:
    world.run(world.people(3), "--campaign", "Cobranza Marzo")
    world.people(4, name="otra.csv")

    ended = world.run("otra.csv", "--campaign", "cobranza marzo ")

    assert ended.status == 0
    assert ended.report["campaign"] == "cobranza marzo"
    assert ended.counts == {"placed": 4}
    assert _sent(world, "c-1", "c-2", "c-3", "c-4")


def test_the_same_people_under_another_name_are_refused_however_often(world: World) -> None:
    world.run(world.people(3))
    (world.folder / "campaign.csv").rename(world.folder / "otra.csv")

    tries = [world.run("otra.csv") for _ in range(2)]

    for ended in tries:
        assert ended.status == 2
        why, remedy = ended.complaint
        assert why == 'dispatcher: The campaign "campaign" has 3 calls of this sheet already'
        assert remedy.startswith('  continue it with --campaign "campaign", or ')
        assert ended.report["message"]
    assert _sent(world, "c-1", "c-2", "c-3")
    assert not (world.folder / "otra.results.csv").exists()
    assert world.run("otra.csv", "--campaign", "campaign").counts == {"placed": 3}
    assert _sent(world, "c-1", "c-2", "c-3")


def test_a_sheet_with_half_of_another_campaigns_pending_people_is_refused_too(
    world: World,
) -> None:
    world.run(world.people(4), "--limit", "1")

    ended = world.run(world.people(4, first=3, name="otra.csv"))

    assert ended.status == 2
    assert '"campaign"' in ended.complaint[0]
    assert _sent(world, "c-1")


def test_a_few_people_in_common_make_no_other_campaign(world: World) -> None:
    world.run(world.people(2))

    ended = world.run(world.people(6, name="otra.csv"))

    assert ended.status == 0
    assert ended.counts == {"placed": 4, "skipped": 2}
    assert _sent(world, "c-1", "c-2", "c-3", "c-4", "c-5", "c-6")


# Stopped in the middle


def test_after_a_stop_the_removed_are_not_called_and_the_others_with_their_new_data(
    world: World,
) -> None:
    stopped = world.run(world.people(6), "--limit", "2")
    kept = [(f"c-{i}", f"Persona {i}", f"nuevo {i}") for i in (1, 3, 5, 6)]

    ended = world.run(world.csv(kept))

    assert stopped.counts == {"placed": 2, "pending": 4}
    assert ended.status == 0
    assert ended.counts == {"placed": 4}
    assert _sent(world, "c-1", "c-2", "c-3", "c-5", "c-6")
    told = {call.contact_id: dict(call.additional_data)["monto"] for call in world.server.record}
    assert told == {
        "c-1": "1.000,50",
        "c-2": "2.000,50",
        "c-3": "nuevo 3",
        "c-5": "nuevo 5",
        "c-6": "nuevo 6",
    }
    assert (
        "Not in this sheet, so not called: 1 call of this campaign, pending from earlier."
        in ended.err
    )


def test_a_campaign_is_continued_by_its_name_alone(world: World) -> None:
    world.run(world.people(4), "--limit", "1")
    (world.folder / "campaign.csv").unlink()

    ended = world.run("--campaign", "campaign")

    assert ended.status == 0
    assert ended.counts == {"placed": 4}
    assert ended.report["sheet"] == str(world.folder / "campaign.csv")
    assert _sent(world, "c-1", "c-2", "c-3", "c-4")
    assert world.agrees("campaign.results.csv")


def test_an_unfinished_campaign_is_named_when_another_one_runs(world: World) -> None:
    world.run(world.people(3), "--limit", "1")

    ended = world.run(world.people(2, first=11, name="otra.csv"))

    assert 'Unfinished: campaign "campaign" has 2 pending calls' in ended.err


# A results sheet as input


@pytest.mark.parametrize("suffix", ["csv", "xlsx"])
def test_a_results_sheet_fed_back_calls_nobody_who_was_called(world: World, suffix: str) -> None:
    world.serve_faults({"c-2": LOST})
    world.run(world.people(4), "--limit", "3", "--results", f"campaign.results.{suffix}")
    first = world.folder / f"campaign.results.{suffix}"
    before = first.read_bytes()

    ended = world.run(first, "--no-reconcile")

    assert ended.status == 5
    assert ended.report["campaign"] == "campaign"
    assert ended.counts == {"placed": 3, "uncertain": 1}
    assert _sent(world, "c-1", "c-2", "c-3", "c-4")
    assert all(
        [key for key, _ in call.additional_data] == ["nombre", "monto"]
        for call in world.server.record
    )
    assert first.read_bytes() == before
    assert ended.report["results"] == str(world.folder / f"campaign.results (2).{suffix}")
    lines = world.lines(f"campaign.results (2).{suffix}")
    assert list(lines[0]) == ["contact_id", "nombre", "monto", *RESULT_COLUMNS]


def test_a_renamed_results_sheet_still_belongs_to_its_campaign(world: World) -> None:
    world.run(world.people(3), "--limit", "1")
    (world.folder / "campaign.results.csv").rename(world.folder / "para el lunes.csv")

    ended = world.run("para el lunes.csv")

    assert ended.report["campaign"] == "campaign"
    assert ended.counts == {"placed": 3}
    assert _sent(world, "c-1", "c-2", "c-3")


def test_where_the_ledger_is_lost_the_results_sheet_still_tells_who_was_called(
    world: World,
) -> None:
    world.serve_faults({"c-2": LOST})
    world.run(world.people(3))
    told = world.lines("campaign.results.csv")
    (world.folder / "campaign.results.csv").rename(world.folder / "otra.csv")
    world.ledger.rename(world.folder / "lost.db")
    with (world.folder / "otra.csv").open("a", encoding="utf-8") as sheet:
        sheet.write("c-4,Persona 4,1\r\n")

    first = world.run("otra.csv")
    second = world.run(str(first.report["results"]), "--results", "otra vez.csv")

    assert (first.status, second.status) == (5, 5)
    assert first.counts == second.counts == {"placed": 3, "uncertain": 1}
    assert _sent(world, "c-1", "c-2", "c-3", "c-4")
    for path in (str(first.report["results"]), "otra vez.csv"):
        kept = [
            (line["contact_id"], line["call_status"], line["call_id"], line["call_created_at"])
            for line in world.lines(path)
        ]
        assert kept[:3] == [
            (line["contact_id"], line["call_status"], line["call_id"], line["call_created_at"])
            for line in told
        ]


def test_a_row_put_above_one_that_was_called_does_not_call_the_contact_again(
    world: World,
) -> None:
    world.run(world.people(2))
    world.ledger.rename(world.folder / "lost.db")
    path = world.folder / "campaign.results.csv"
    header, *rows = path.read_text(encoding="utf-8-sig").splitlines(keepends=True)
    path.write_text("".join([header, "c-2,Otra vez,1" + "," * 10 + "\n", *rows]), encoding="utf-8")

    ended = world.run(path)

    assert ended.counts == {"placed": 2, "skipped": 1}
    assert _sent(world, "c-1", "c-2")


def test_rows_of_two_campaigns_in_one_results_sheet_are_refused(world: World) -> None:
    world.run(world.people(2))
    text = (world.folder / "campaign.results.csv").read_text(encoding="utf-8-sig")
    (world.folder / "mix.csv").write_text(text.replace(",campaign,3", ",otra,3"), encoding="utf-8")

    ended = world.run("mix.csv")

    assert ended.status == 2
    assert "belong to 2 campaigns (campaign, otra)" in ended.complaint[0]
    assert _sent(world, "c-1", "c-2")


def test_the_results_of_a_rehearsal_may_be_run_for_real(world: World) -> None:
    world.run(world.people(2), "--sandbox")

    ended = world.run("campaign.results.csv")

    assert ended.counts == {"placed": 2}
    assert _sent(world, "c-1", "c-2")


def test_mended_problem_rows_are_fed_back_and_nobody_else_is_called(world: World) -> None:
    rows = [("c-1", "Ana", "1"), ("", "Luz", "2"), ("c-3", "Eva", "3")]
    first = world.run(world.csv(rows), "--problems", "campaign.problems.csv")
    problems = world.folder / "campaign.problems.csv"
    mended = problems.read_text(encoding="utf-8-sig").replace("\n,Luz", "\nc-2,Luz")
    problems.write_text(mended, encoding="utf-8")

    ended = world.run("campaign.problems.csv")

    assert first.status == 4
    assert "Rows with a problem: " in first.err
    assert ended.status == 0
    assert ended.report["campaign"] == "campaign"
    assert ended.counts == {"placed": 1}
    assert _sent(world, "c-1", "c-2", "c-3")
    assert world.server.record[-1].additional_data == (("nombre", "Luz"), ("monto", "2"))


# What may be sent again


def test_a_rejected_row_is_sent_again_only_when_it_changed_or_on_request(world: World) -> None:
    world.serve_faults({"c-2": REFUSED})
    first = world.run(world.people(2))
    unchanged = world.run("campaign.csv")
    asked = world.run("campaign.csv", "--retry-rejected")
    world.csv([("c-1", "Persona 1", "1.000,50"), ("c-2", "Persona 2", "corregido")])
    changed = world.run("campaign.csv")

    assert [e.status for e in (first, unchanged, asked, changed)] == [4, 4, 4, 4]
    assert _sent(world, "c-1", "c-2", "c-2", "c-2")
    assert world.lines("campaign.results.csv")[1]["call_attempts"] == "3"
    assert {str(e.counts) for e in (first, unchanged, asked, changed)} == {
        str({"placed": 1, "rejected": 1})
    }


def test_a_rejected_row_that_is_accepted_at_last_is_placed(world: World) -> None:
    world.serve_faults({"c-1": replace(REFUSED, times=1)})
    world.run(world.people(1))

    ended = world.run("campaign.csv", "--retry-rejected")

    assert ended.status == 0
    (line,) = world.lines("campaign.results.csv")
    assert (line["call_status"], line["call_error_code"], line["call_attempts"]) == (
        "placed",
        "",
        "2",
    )
    assert world.agrees("campaign.results.csv")


def test_an_uncertain_call_is_never_sent_again(world: World) -> None:
    world.serve_faults({"c-1": LOST})
    world.run(world.people(2))

    ended = world.run("campaign.csv", "--retry-rejected", "--retry-unplaced", "--no-reconcile")

    assert ended.status == 5
    assert _sent(world, "c-1", "c-2")
    assert world.statuses() == {"c-1": "uncertain", "c-2": "placed"}


@pytest.mark.parametrize("named", [("--contact", "C-1 "), ("--row", "2")], ids=["contact", "row"])
def test_an_uncertain_call_is_settled_as_placed_with_its_id(
    world: World, named: tuple[str, str]
) -> None:
    world.serve_faults({"c-1": LOST})
    world.run(world.people(2))
    call_id = next(c.call_id for c in world.server.record if c.contact_id == "c-1")

    settled = world.command(
        "resolve", "campaign", *named, "--placed", call_id, "--reason", "in the list", "--yes"
    )

    assert settled.status == 0
    assert "Call to contact c-1, row 2" in settled.err
    assert "agent agent-1: connection_lost" in settled.err
    assert "ContactShip has it: a call to c-1, created 20" in settled.err
    assert "Settled." in settled.err
    assert world.agrees("campaign.results.csv")
    assert world.run("campaign.csv").counts == {"placed": 2}
    assert _sent(world, "c-1", "c-2")


def test_a_call_settled_as_not_placed_is_sent_again_only_on_request(world: World) -> None:
    world.serve_faults({"c-1": Fault(kind=FaultKind.CLOSED_BEFORE, placed=False, times=1)})
    world.run(world.people(2))

    world.command("resolve", "campaign", "--row", "2", "--not-placed", "--reason", "no", "--yes")
    left = world.run("campaign.csv")
    sent = world.run("campaign.csv", "--retry-unplaced")

    assert left.status == 4
    assert left.counts == {"placed": 1, "failed": 1}
    assert sent.status == 0
    assert _sent(world, "c-1", "c-1", "c-2")
    assert world.agrees("campaign.results.csv")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--not-placed",), "name the call by --contact ID or by --row N, one of them"),
        (("--row", "2", "--not-placed", "--reason", " "), "say with --reason how you know"),
        (("--row", "4", "--not-placed"), "row 4 led to no call"),
        (("--row", "2"), "say --placed CALL_ID or --not-placed, one of them"),
        (("--row", "3", "--not-placed"), "this call is placed"),
        (("--row", "9", "--not-placed"), "the last sheet of this campaign has no row 9"),
        (("--contact", "c-9", "--not-placed"), "has no call to the contact c-9"),
    ],
    ids=["unnamed", "no reason", "no call", "no verdict", "placed", "no row", "no contact"],
)
def test_an_unclear_settlement_changes_nothing(
    world: World, arguments: tuple[str, ...], said: str
) -> None:
    world.serve_faults({"c-1": LOST})
    world.run(world.csv([("c-1", "", ""), ("c-2", "", ""), ("", "x", "")]))
    before = world.remembered()

    ended = world.command("resolve", "campaign", "--reason", "so", *arguments, "--yes")

    assert ended.status == 2
    assert said in ended.complaint[0]
    assert world.remembered() == before


def test_of_several_uncertain_calls_to_a_contact_one_is_named_by_its_row(world: World) -> None:
    world.configure("key: [factura]\nrepeat_after_hours: 0\n")
    world.serve_faults({"c-1": LOST})
    rows = [("c-1", "A"), ("c-1", "B")]
    world.run(world.csv(rows, header=("contact_id", "factura")))
    settle = ("resolve", "campaign", "--not-placed", "--reason", "so", "--yes")

    either = world.command(*settle, "--contact", "c-1")
    second = world.command(*settle, "--row", "3")
    other = world.command(*settle, "--contact", "c-1")

    assert (either.status, second.status, other.status) == (2, 0, 0)
    assert either.complaint == [
        "dispatcher: 2 calls to this contact are open",
        "  name one by --row N",
    ]


def test_settling_asks_and_without_a_terminal_needs_yes(world: World) -> None:
    world.serve_faults({"c-1": LOST})
    world.run(world.people(2))

    ended = world.command("resolve", "campaign", "--row", "2", "--not-placed", "--reason", "so")

    assert ended.status == 2
    assert "there is no terminal to ask on" in ended.complaint[0]
    assert world.statuses() == {"c-1": "uncertain", "c-2": "placed"}


# Called recently


def test_a_contact_of_two_campaigns_is_called_once_within_the_hours(world: World) -> None:
    world.run(world.people(2), "--campaign", "uno")

    ended = world.run(world.people(3), "--campaign", "dos")

    assert ended.status == 0
    assert ended.counts == {"placed": 1, "skipped": 2}
    assert _sent(world, "c-1", "c-2", "c-3")
    codes = [line["call_error_code"] for line in world.lines(str(ended.report["results"]))]
    assert codes == ["called_recently", "called_recently", ""]


def test_a_contact_that_may_have_been_called_counts_as_called(world: World) -> None:
    world.serve_faults({"c-1": LOST})
    world.run(world.people(1), "--campaign", "uno")

    ended = world.run(world.people(1), "--campaign", "dos")

    assert ended.counts == {"skipped": 1}
    assert _sent(world, "c-1")


def test_repeat_after_hours_0_calls_them_again_and_says_so(world: World) -> None:
    world.configure("repeat_after_hours: 0\n")
    world.run(world.people(2), "--campaign", "uno")

    ended = world.run("campaign.csv", "--campaign", "dos")

    assert ended.counts == {"placed": 2}
    assert _sent(world, "c-1", "c-1", "c-2", "c-2")
    assert "repeat_after_hours is 0: a contact may be called again the same day." in ended.err


def test_several_calls_to_one_contact_need_a_key_and_no_repeat_time(world: World) -> None:
    world.configure("key: [factura]\nrepeat_after_hours: 0\n")
    sheet = world.csv([("c-1", "A"), ("c-1", "B"), ("c-1", "A")], header=("contact_id", "factura"))

    ended = world.run(sheet)

    assert ended.counts == {"placed": 2, "skipped": 1}
    assert _sent(world, "c-1", "c-1")
    assert world.run(sheet).counts == ended.counts
    assert _sent(world, "c-1", "c-1")


# Where the results go


def test_results_of_another_ledger_are_never_overwritten_nor_dialled_again(world: World) -> None:
    world.run(world.people(2))
    before = (world.folder / "campaign.results.csv").read_bytes()
    other = world.folder / "other.db"

    ended = world.run("campaign.csv", "--ledger", other)

    assert ended.status == 2
    assert "campaign.results.csv holds 2 call ids" in ended.complaint[0]
    assert "another ledger has dialled them" in ended.complaint[0]
    assert _sent(world, "c-1", "c-2")
    assert (world.folder / "campaign.results.csv").read_bytes() == before


def test_an_edited_results_sheet_keeps_its_place_and_ours_goes_beside_it(world: World) -> None:
    world.run(world.people(2), "--limit", "1")
    path = world.folder / "campaign.results.csv"
    path.write_bytes(path.read_bytes() + b"\r\n")
    edited = path.read_bytes()

    ended = world.run("campaign.csv")

    assert ended.status == 0
    assert path.read_bytes() == edited
    assert ended.report["results"] == str(world.folder / "campaign.results (2).csv")
    assert f"{path} is not ours to overwrite" in ended.err
    assert world.agrees("campaign.results (2).csv")


def test_two_campaigns_of_one_sheet_have_results_of_their_own(world: World) -> None:
    world.configure("repeat_after_hours: 0\n")
    sheet = world.people(3)

    ended = [world.run(sheet, "--campaign", name) for name in ("uno", "dos", "uno", "dos")]

    paths = [Path(str(each.report["results"])) for each in ended]
    assert paths[:2] == paths[2:]
    assert paths[0] == world.folder / "campaign.results.csv"
    assert f"{paths[0]} is not ours to overwrite: the results are beside it." in ended[1].err
    for path, name in zip(paths[:2], ("uno", "dos"), strict=True):
        assert [line["call_campaign"] for line in world.lines(path)] == [name] * 3


def test_a_file_that_was_there_before_is_not_overwritten(world: World) -> None:
    path = world.folder / "campaign.results.csv"
    path.write_text("mi archivo\n")

    ended = world.run(world.people(1))

    assert path.read_text() == "mi archivo\n"
    assert ended.report["results"] == str(world.folder / "campaign.results (2).csv")


# Looking changes nothing


def test_status_and_results_change_nothing_in_the_ledger(world: World) -> None:
    world.serve_faults({"c-2": LOST, "c-3": REFUSED})
    world.run(world.people(5), "--limit", "4")
    before = world.remembered()
    results = (world.folder / "campaign.results.csv").read_bytes()

    ended = [
        world.command("status"),
        world.command("status", "campaign", "--json"),
        world.command("results", "campaign", "--json"),
        world.command("results", "campaign", "--results", "again.csv"),
        world.run("campaign.csv", "--dry-run"),
        world.command("check", "campaign.csv"),
    ]

    assert world.remembered() == before
    assert [e.status for e in ended] == [0, 0, 5, 5, 0, 0]
    assert (world.folder / "campaign.results.csv").read_bytes() == results
    assert world.lines("again.csv") == world.lines("campaign.results.csv")
    assert ended[2].report == {
        "campaign": "campaign",
        "results": str(world.folder / "campaign.results.csv"),
        "counts": {
            "placed": 2,
            "rejected": 1,
            "failed": 0,
            "uncertain": 1,
            "invalid": 0,
            "skipped": 0,
            "pending": 1,
        },
    }


def test_status_shows_unfinished_campaigns_first_and_how_to_continue(world: World) -> None:
    world.run(world.people(2), "--campaign", "abc")
    world.run(world.people(3, first=10, name="otra.csv"), "--limit", "1")

    ended = world.command("status")

    assert ended.status == 0
    ledger, first, _, _, how, last, *_ = ended.out.splitlines()
    assert ledger == f"Ledger: {world.ledger}"
    assert first == "otra: unfinished; 3 rows: 1 placed, 2 pending"
    assert how == "  continue with: dispatcher run --campaign otra"
    assert last == "abc: finished; 2 rows: 2 placed"


def test_status_without_a_ledger_says_so_and_creates_none(world: World) -> None:
    ended = world.command("status")

    assert ended.status == 0
    assert ended.out == f"There is no ledger at {world.ledger} yet: nothing was run.\n"
    assert not world.ledger.exists()


@pytest.mark.parametrize(
    "command",
    [
        ("status", "otra"),
        ("results", "otra"),
        ("resolve", "otra", "--row", "2", "--not-placed", "--reason", "so"),
    ],
    ids=["status", "results", "resolve"],
)
def test_an_unknown_campaign_is_named_beside_the_known_ones(
    world: World, command: tuple[str, ...]
) -> None:
    world.run(world.people(1))

    ended = world.command(*command)

    assert ended.status == 2
    assert ended.complaint == [
        f'dispatcher: the ledger {world.ledger} knows no campaign "otra"',
        "  it knows: campaign",
    ]


def test_results_are_written_again_from_the_ledger_alone(world: World) -> None:
    world.run(world.people(3))
    told = world.lines("campaign.results.csv")
    _remove(world.folder / "campaign.csv", world.folder / "campaign.results.csv")

    ended = world.command("results", "campaign")

    assert ended.status == 0
    assert world.lines("campaign.results.csv") == told


def test_two_copies_of_one_ledger_are_told_apart_by_nothing_but_their_place(
    world: World,
) -> None:
    world.run(world.people(2), "--limit", "1")
    copy = world.folder / "copy.db"
    shutil.copyfile(world.ledger, copy)

    ended = world.run("campaign.csv", "--ledger", copy)

    assert ended.counts == {"placed": 2}
    assert ended.report["ledger"] == str(copy)
    assert _sent(world, "c-1", "c-2")


def _remove(*paths: Path) -> None:
    for path in paths:
        path.unlink()
