"""Every row gets exactly one fate."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dispatcher.model import (
    CallRequest,
    CallStatus,
    Carried,
    Fate,
    Flaw,
    FlawKind,
    PlannedRow,
    RowProblem,
    SheetHead,
    SheetRow,
    Skip,
)
from dispatcher.planning import (
    Claims,
    DelayMode,
    EmptyCells,
    HiddenRows,
    PlanSettings,
    body_of,
    call_key,
    claim_carried,
    contact_hash,
    lay_out,
    plan_rows,
)

# How fast this machine is must not matter.
unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

UUID = "550e8400-e29b-41d4-a716-446655440000"
RESULTS = ("call_status", "call_id", "call_created_at", "call_error_code", "call_error")


def plan(
    headers: Sequence[str],
    *rows: Sequence[str] | SheetRow,
    **settings: object,
) -> list[PlannedRow]:
    """Plan rows given as cells (numbered from 2) or whole, of a CSV unless told otherwise."""
    file_format = str(settings.pop("file_format", "csv"))
    wish = PlanSettings(**{"campaign": "c", **settings})  # type: ignore[arg-type]
    head = SheetHead(file="c", format=file_format, header_row=1, headers=tuple(headers))
    layout = lay_out(head, wish)
    sheet = [
        row if isinstance(row, SheetRow) else SheetRow(number=number, cells=tuple(row))
        for number, row in enumerate(rows, 2)
    ]
    claims = Claims()
    claim_carried(sheet, layout, wish, claims)
    return list(plan_rows(sheet, layout, wish, claims))


def fate(headers: Sequence[str], cells: Sequence[str] | SheetRow, **settings: object) -> Fate:
    """The fate of one row."""
    return plan(headers, cells, **settings)[0].fate


def problem(headers: Sequence[str], cells: Sequence[str] | SheetRow, **settings: object) -> str:
    """The code and column of the problem of one row; its sentence names a remedy."""
    found = fate(headers, cells, **settings)
    assert isinstance(found, RowProblem)
    assert ";" in found.message
    return f"{found.code} in {found.column}"


def request(headers: Sequence[str], cells: Sequence[str], **settings: object) -> CallRequest:
    """The request of one row."""
    found = fate(headers, cells, **settings)
    assert isinstance(found, CallRequest)
    return found


# Requests


def test_a_row_becomes_a_request_with_its_cells_as_they_stand() -> None:
    headers = ("contact_id", "Nombre", "agent_id", "from_number_id", "metadata.crm", "Monto", "X")
    cells = (f"Contact_{UUID}", " José ", "a1", "n1", "77", "0012", "")

    [row] = plan(headers, cells, campaign="deudores")

    assert row == PlannedRow(
        number=2,
        cells=cells,
        fate=CallRequest(
            key=call_key("deudores", UUID),
            contact=contact_hash(UUID),
            row=2,
            contact_id=f"Contact_{UUID}",
            agent_id="a1",
            from_number_id="n1",
            additional_data=(("Nombre", " José "), ("Monto", "0012")),
            metadata=(("crm", "77"),),
        ),
    )


def test_white_space_around_ids_is_not_sent() -> None:
    found = request(("contact_id", "agent_id", "from_number_id"), (" c ", "\ta", "n\u00a0"))

    assert (found.contact_id, found.agent_id, found.from_number_id) == ("c", "a", "n")


def test_defaults_fill_what_a_row_lacks() -> None:
    found = request(("contact_id", "agent_id"), ("c", " "), agent_id="a ", from_number_id="n")

    assert (found.agent_id, found.from_number_id) == ("a", "n")


def test_without_agent_and_number_anywhere_the_request_has_none() -> None:
    found = request(("contact_id",), ("c",))

    assert (found.agent_id, found.from_number_id) == ("", "")


@pytest.mark.parametrize("blank", ["", " ", "\n\u00a0"])
def test_empty_cells_are_left_out_unless_they_are_wanted(blank: str) -> None:
    headers = ("contact_id", "A", "B", "metadata.m")

    assert request(headers, ("c", blank, "b", blank)).additional_data == (("B", "b"),)
    sent = request(headers, ("c", blank, "b", blank), empty=EmptyCells.SEND)
    assert sent.additional_data == (("A", blank), ("B", "b"))
    assert sent.metadata == ()


@pytest.mark.parametrize(
    "text", ["NA", "null", "None", "TRUE", "1e5", "14.058,10", "a\tb\r\nc", "#1"]
)
def test_text_stays_text(text: str) -> None:
    assert request(("contact_id", "A"), ("c", text)).additional_data == (("A", text),)


def test_the_values_of_key_columns_are_part_of_the_key() -> None:
    rows = plan(("contact_id", "Deuda"), ("c", "A"), ("c", "B"), ("c", " a "), key=("Deuda",))

    assert [type(row.fate) for row in rows] == [CallRequest, CallRequest, Skip]


# Ids


@pytest.mark.parametrize(
    ("contact_id", "code"),
    [
        ("", "contact_id_missing"),
        (" \u00a0", "contact_id_missing"),
        ("1.23E+11", "id_scientific"),
        ("1,23E+11", "id_scientific"),
        ("5E+15", "id_scientific"),
        ("1.5e10", "id_scientific"),
        ('="00123"', "id_formula"),
        (f"'{UUID}", "id_formula"),
        ("12345.0", "id_decimal"),
        ("12345,00", "id_decimal"),
        ("Ana Paz", "id_white_space"),
        ("a\u200bb", "id_white_space"),
        ("a\nb", "id_white_space"),
        ("#N/A", "error_cell"),
        (" #¡REF! ", "error_cell"),
        ("a\x07b", "control_character"),
        ("a\ud800", "control_character"),
    ],
)
def test_a_contact_id_that_is_damaged_or_missing_is_a_problem(contact_id: str, code: str) -> None:
    assert problem(("Cliente", "ID Contacto"), ("x", contact_id)) == f"{code} in ID Contacto"


@pytest.mark.parametrize(
    "contact_id", [UUID, "c-1", "0012", "1e5", "12E4", "1" * 24, "1.5", "-", "#1", "ñandú", "+5"]
)
def test_an_id_of_any_other_shape_is_taken_as_it_is(contact_id: str) -> None:
    assert request(("contact_id",), (contact_id,)).contact_id == contact_id


@pytest.mark.parametrize("field", ["agent_id", "from_number_id"])
def test_agent_and_number_of_a_row_are_checked_like_contacts(field: str) -> None:
    headers = ("contact_id", field)

    assert problem(headers, ("c", "1.0")) == f"id_decimal in {field}"
    assert problem(headers, ("c", " ")) == f"{field}_missing in {field}"


@pytest.mark.parametrize(
    "cells", [("ID Contacto", "Nombre"), ("id contacto", " NOMBRE ")], ids=["exact", "case"]
)
def test_a_row_that_repeats_the_header_is_a_problem(cells: tuple[str, str]) -> None:
    assert problem(("ID Contacto", "Nombre"), cells) == "repeated_header in "


def test_a_header_repeated_in_a_results_sheet_is_no_call_that_was_placed() -> None:
    headers = ("contact_id", "call_status", "call_id")

    assert problem(headers, headers) == "repeated_header in "


def test_a_row_with_one_cell_like_its_header_is_called() -> None:
    assert request(("contact_id", "Nombre"), ("contact_id", "Ana")).contact_id == "contact_id"


# Flaws


@pytest.mark.parametrize("column", range(5), ids=["contact", "agent", "key", "data", "required"])
@pytest.mark.parametrize("kind", [FlawKind.ERROR_CELL, FlawKind.NO_VALUE, FlawKind.TOO_LONG])
def test_a_cell_without_a_value_is_a_problem_in_any_column_that_is_used(
    column: int, kind: FlawKind
) -> None:
    headers = ("contact_id", "agent_id", "Deuda", "Monto", "DNI", "Otra")
    flaw = Flaw(kind=kind, column=column, message="C5 holds nothing; mend it")
    row = SheetRow(number=5, cells=("c", "a", "d", "m", "1", "o"), flaws=(flaw,))
    settings = {"key": ("Deuda",), "required": ("DNI",), "exclude": ("DNI", "Otra")}

    assert problem(headers, row, **settings) == f"{kind} in {headers[column]}"


@pytest.mark.parametrize("kind", [FlawKind.LONG_NUMBER, FlawKind.MERGED])
def test_long_numbers_and_merged_cells_matter_where_they_identify(kind: FlawKind) -> None:
    headers = ("contact_id", "agent_id", "from_number_id", "Deuda", "Monto")

    def of(column: int) -> Fate:
        flaw = Flaw(kind=kind, column=column, message="C5 holds nothing; mend it")
        row = SheetRow(number=5, cells=("c", "a", "n", "d", "m"), flaws=(flaw,))
        return fate(headers, row, key=("Deuda",))

    assert [type(of(column)) for column in range(5)] == [RowProblem] * 4 + [CallRequest]


@pytest.mark.parametrize("field", ["delay", "schedule", "timezone"])
def test_a_merged_cell_is_a_problem_where_it_says_when_to_call(field: str) -> None:
    flaw = Flaw(kind=FlawKind.MERGED, column=1, message="B5 is merged with B4; unmerge them")
    row = SheetRow(number=5, cells=("c", ""), flaws=(flaw,))

    assert problem(("contact_id", field), row) == f"merged_cell in {field}"


@pytest.mark.parametrize("column", [-1, 3])
def test_a_row_longer_than_the_header_is_always_a_problem(column: int) -> None:
    flaw = Flaw(kind=FlawKind.EXTRA_CELLS, column=column, message="line 5 has 4 cells")
    row = SheetRow(number=5, cells=("c", "m"), flaws=(flaw,))

    assert problem(("contact_id", "Monto"), row) == "extra_cells in "


def test_a_flaw_in_a_column_that_is_not_used_does_not_matter() -> None:
    flaw = Flaw(kind=FlawKind.ERROR_CELL, column=1, message="B5 holds #N/A")
    row = SheetRow(number=5, cells=("c", "#N/A"), flaws=(flaw,))

    assert isinstance(fate(("contact_id", "Notas"), row, exclude=("Notas",)), CallRequest)


# Values


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("a\x00b", "control_character"),
        ("\x1b[31m", "control_character"),
        ("\x85\x9f", "control_character"),
        ("\udfff", "control_character"),
        ("#REF!", "error_cell"),
        ("#n/d", "error_cell"),
        ("#ERROR!", "error_cell"),
        ("Err:502", "error_cell"),
        (" ####### ", "error_cell"),
        ("x" * 10_001, "value_too_long"),
    ],
)
def test_a_value_that_nobody_can_speak_is_a_problem(text: str, code: str) -> None:
    assert problem(("contact_id", "Monto"), ("c", text)) == f"{code} in Monto"
    assert isinstance(fate(("contact_id", "M"), ("c", text), exclude=("M",)), CallRequest)


@pytest.mark.parametrize(
    "text", ["#1", "##", "# 3", "#promo", "#GRACIAS!", "### 1", "Err:50", "Err: 502"]
)
def test_a_value_that_only_resembles_an_error_is_spoken(text: str) -> None:
    assert request(("contact_id", "Nota"), ("c", text)).additional_data == (("Nota", text),)


def test_the_message_of_a_long_value_names_the_limit() -> None:
    found = fate(("contact_id", "Monto"), ("c", "x" * 8), value_limit=7)

    assert isinstance(found, RowProblem)
    assert "8 characters, more than 7" in found.message


def test_many_values_within_the_limit_are_fine_together() -> None:
    found = request(("contact_id", "A", "B"), ("c", "x" * 7, "y" * 7), value_limit=7)

    assert len(found.additional_data) == 2


def test_a_required_column_must_be_filled() -> None:
    headers = ("contact_id", "Monto", "Vence")

    assert (
        problem(headers, ("c", "1", " "), required=("monto", "VENCE")) == "required_empty in Vence"
    )
    assert isinstance(fate(headers, ("c", "1", "2"), required=("Monto",)), CallRequest)


@unhurried
@given(
    texts=st.lists(st.text(alphabet='aé"\\\n漢😀', max_size=60), min_size=3, max_size=3),
    limit=st.integers(300, 900),
)
def test_no_request_is_larger_than_the_limit_and_none_within_it_is_refused(
    texts: list[str], limit: int
) -> None:
    headers, cells = ("contact_id", "A", "B", "metadata.m"), ("c", *texts)
    columns = (("agent_id", "A"),)
    free = fate(headers, cells, columns=columns, include=("A", "B"))

    found = fate(headers, cells, columns=columns, include=("A", "B"), request_limit=limit)

    if isinstance(free, CallRequest):
        sent = body_of(
            free, campaign="c", now=datetime(2026, 1, 1, tzinfo=UTC), delay=DelayMode.SCHEDULE
        )
        assert isinstance(found, CallRequest) == (len(sent) <= limit)
    else:
        assert found == free


def test_a_request_over_the_limit_says_its_size() -> None:
    found = fate(("contact_id", "A"), ("c", "é" * 9_000), request_limit=16_000)

    assert isinstance(found, RowProblem)
    assert found.code == "request_too_large"
    assert "more than 16000" in found.message


# Formats


@pytest.mark.parametrize(
    ("form", "text", "spoken"),
    [
        ("{:,.2f}", "14058.1", "14,058.10"),
        ("$ {:,.2f} pesos", "-14058.1", "$ -14,058.10 pesos"),
        ("{:.0f}", " 7 ", "7"),
        ("{:,d}", "14058", "14,058"),
        ("{:.1%}", "0.125", "12.5%"),
        ("{}", "0012", "12"),
        ("{:,.2f}", "", None),
        ("{:08.2f}", "3.14159", "00003.14"),
    ],
)
def test_a_number_is_spoken_in_the_format_of_its_column(
    form: str, text: str, spoken: str | None
) -> None:
    found = request(("contact_id", "Monto"), ("c", text), formats=(("Monto", form),))

    assert found.additional_data == ((("Monto", spoken),) if spoken else ())


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ("{:,.2f}", "14.058,10"),
        ("{:,.2f}", "14058,10"),
        ("{:,.2f}", "ARS 100"),
        ("{:,.2f}", "1e5"),
        ("{:,.2f}", "nan"),
        ("{:,.2f}", "14.058"),
        ("{:,d}", "1.5"),
    ],
)
def test_what_is_not_plainly_a_number_is_a_problem_where_a_format_is_set(
    form: str, text: str
) -> None:
    headers, formats = ("contact_id", "Monto"), (("Monto", form),)

    assert problem(headers, ("c", text), formats=formats) == "bad_format_value in Monto"


def test_three_decimals_are_plain_in_a_workbook_where_numbers_are_not_typed() -> None:
    [row] = plan(
        ("contact_id", "Monto"),
        ("c", "14.058"),
        file_format="xlsx",
        formats=(("Monto", "{:.1f}"),),
    )

    assert isinstance(row.fate, CallRequest)
    assert row.fate.additional_data == (("Monto", "14.1"),)


# Time


TIMED = ("contact_id", "delay", "schedule", "timezone")


def test_a_delay_or_a_schedule_is_taken_from_the_row() -> None:
    assert request(TIMED, ("c", "2,5", "", "")).delay_minutes == 2.5
    schedule = request(TIMED, ("c", "0", "15/06/2026 14:30", "America/Bogota")).schedule
    assert schedule is not None
    assert (schedule.local, schedule.timezone) == ("2026-06-15 14:30:00", "America/Bogota")


def test_the_default_zone_serves_rows_that_name_none() -> None:
    headers, cells = ("contact_id", "schedule"), ("c", "2026-06-15 14:30")

    schedule = request(headers, cells, timezone="America/Bogota").schedule

    assert schedule is not None
    assert schedule.at == datetime(2026, 6, 15, 19, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("cells", "found"),
    [
        (("c", "x", "", ""), "bad_delay in delay"),
        (("c", "", "x", "UTC"), "bad_schedule in schedule"),
        (("c", "", "2026-06-15 14:30", ""), "schedule_without_timezone in schedule"),
        (("c", "", "2026-06-15 14:30", "Bogota"), "bad_timezone in timezone"),
        (("c", "5", "2026-06-15 14:30", "UTC"), "delay_and_schedule in schedule"),
    ],
)
def test_a_time_that_is_not_clear_is_a_problem(cells: tuple[str, ...], found: str) -> None:
    assert problem(TIMED, cells) == found


def test_a_zone_that_is_none_is_named_with_its_column() -> None:
    found = fate(TIMED, SheetRow(number=2, cells=("c", "", "2026-06-15 14:30", "Chile/Santiago")))

    assert isinstance(found, RowProblem)
    assert found.message.startswith('The time zone "Chile/Santiago" in column "timezone" does not')


# Skips


@pytest.mark.parametrize(
    ("hidden", "expected"),
    [
        (HiddenRows.SKIP, Skip),
        (HiddenRows.INCLUDE, CallRequest),
        (HiddenRows.UNDECIDED, CallRequest),
    ],
)
def test_hidden_rows_are_skipped_only_where_the_person_says_so(
    hidden: HiddenRows, expected: type
) -> None:
    row = SheetRow(number=9, cells=("c",), hidden=True)

    found = fate(("contact_id",), row, hidden=hidden)

    assert type(found) is expected
    assert getattr(found, "code", "hidden") == "hidden"


def test_hidden_rows_that_are_skipped_claim_nothing() -> None:
    hidden = SheetRow(number=2, cells=("c",), hidden=True)

    rows = plan(("contact_id",), hidden, ("c",), hidden=HiddenRows.SKIP)

    assert isinstance(rows[1].fate, CallRequest)


def test_the_first_row_that_can_be_called_has_the_call() -> None:
    headers = ("contact_id", "Monto")

    rows = plan(headers, ("c", "#N/A"), ("c", "1"), (" C ", "1"), ("c", "2"), ("d", "2"))

    codes = [getattr(row.fate, "code", "call") for row in rows]
    assert codes == ["error_cell", "call", "duplicate", "duplicate_other_data", "call"]


def test_a_duplicate_names_the_earlier_row_and_other_data_name_the_remedy() -> None:
    rows = plan(("contact_id", "Monto"), ("c", "1"), ("c", "1"), ("c", "2"))

    assert rows[1].fate == Skip(code="duplicate", message="Row 2 asks for the same call")
    assert isinstance(rows[2].fate, Skip)
    assert "Row 4" in rows[2].fate.message
    assert "row 2" in rows[2].fate.message
    assert "key:" in rows[2].fate.message


# Results sheets fed back


def test_a_row_that_was_placed_is_carried_with_what_the_sheet_says() -> None:
    headers = ("contact_id", *RESULTS, "call_sent_at")
    cells = (f" {UUID} ", "placed", " call-1 ", "2026-06-15", "x", "Said so", "2026-06-14")

    assert fate(headers, cells) == Carried(
        key=call_key("c", UUID),
        contact=contact_hash(UUID),
        call_id="call-1",
        status=CallStatus.PLACED,
        created_at="2026-06-15",
        sent_at="2026-06-14",
        error_code="x",
        error="Said so",
    )


@pytest.mark.parametrize(
    ("status", "call_id", "carried"),
    [
        ("placed", "", CallStatus.PLACED),
        (" Uncertain ", "", CallStatus.UNCERTAIN),
        ("uncertain", "call-1", CallStatus.PLACED),
        ("rejected", "call-1", CallStatus.PLACED),
        ("", "call-1", CallStatus.PLACED),
        ("rejected", "", None),
        ("failed", "", None),
        ("pending", "", None),
        ("", "", None),
        ("placed", "sandbox-1", None),
        ("uncertain", " sandbox-1", None),
    ],
)
def test_a_call_id_or_the_words_placed_and_uncertain_keep_a_row_from_being_sent(
    status: str, call_id: str, carried: CallStatus | None
) -> None:
    found = fate(("contact_id", "call_status", "call_id"), ("c", status, call_id))

    if carried is None:
        assert isinstance(found, CallRequest)
    else:
        assert isinstance(found, Carried)
        assert found.status is carried


def test_a_carried_row_needs_no_contact_and_no_sound_cells() -> None:
    headers = ("contact_id", "Monto", "call_status", "call_id")

    first, second = plan(headers, ("", "#N/A", "", "call-1"), ("a\ud800", "\x07", "uncertain", ""))

    assert first.fate == Carried(key="", contact="", call_id="call-1", status=CallStatus.PLACED)
    assert isinstance(second.fate, Carried)


@pytest.mark.parametrize(
    ("contact_id", "status", "code", "expected"),
    [
        ("c", "invalid", "extra_cells", "extra_cells in "),
        ("c", " Invalid ", " extra_cells ", "extra_cells in "),
        ("1234567890123450", "invalid", "long_number", "long_number in "),
        ("c", "invalid", "long_number", ""),
        ("1234567890123450", "invalid", "", ""),
        ("c", "invalid", "id_decimal", ""),
        ("c", "pending", "extra_cells", ""),
        ("c", "invalid", "", ""),
    ],
)
def test_a_problem_that_its_own_results_cannot_show_stays_until_a_person_clears_it(
    contact_id: str, status: str, code: str, expected: str
) -> None:
    headers = ("contact_id", "Monto", *RESULTS)
    row = (contact_id, "1", status, "", "", code, "line 2 has 4 cells")

    found = fate(headers, row)

    assert (problem(headers, row) if isinstance(found, RowProblem) else "") == expected


def test_nobody_who_was_called_is_called_again_by_another_row_above_or_below() -> None:
    headers = ("contact_id", "Monto", "call_status", "call_id")

    rows = plan(headers, ("c", "1", "skipped", ""), ("c", "2", "", "call-1"), ("c", "3", "", ""))

    assert rows[0].fate == Skip(
        code="duplicate", message="Row 3 has the same contact and was called before"
    )
    assert isinstance(rows[1].fate, Carried)
    assert isinstance(rows[2].fate, Skip)


def test_in_any_other_sheet_a_column_called_call_id_carries_nothing() -> None:
    assert isinstance(fate(("contact_id", "call_id"), ("c", "call-1")), CallRequest)


# Properties


CELL = st.one_of(
    st.sampled_from(
        ["", " ", "c1", "C1 ", "c2", UUID, "1.0", "#N/A", "2026-06-15 10:00", "placed"]
    ),
    st.text(max_size=5),
)
HEADERS = ("contact_id", "Nombre", "delay", "schedule", "call_status", "call_id", "metadata.x")
ROWS = st.lists(st.tuples(*[CELL] * len(HEADERS)), max_size=12)


@unhurried
@given(rows=ROWS, hidden=st.sampled_from(HiddenRows))
def test_every_row_has_one_fate_in_order_and_no_key_is_called_twice(
    rows: list[tuple[str, ...]], hidden: HiddenRows
) -> None:
    planned = plan(HEADERS, *rows, hidden=hidden, timezone="UTC")

    assert [row.number for row in planned] == list(range(2, len(rows) + 2))
    assert [row.cells for row in planned] == rows
    assert all(isinstance(row.fate, Fate) for row in planned)
    keys = [row.fate.key for row in planned if isinstance(row.fate, CallRequest)]
    carried = {row.fate.key for row in planned if isinstance(row.fate, Carried)}
    assert len(keys) == len(set(keys))
    assert carried.isdisjoint(keys)


@unhurried
@given(rows=ROWS, seed=st.randoms(use_true_random=False))
def test_who_is_called_does_not_depend_on_the_order_of_the_rows(
    rows: list[tuple[str, ...]],
    seed: Random,
) -> None:
    shuffled = list(rows)
    seed.shuffle(shuffled)

    def called(some: list[tuple[str, ...]]) -> set[str]:
        planned = plan(HEADERS, *some, timezone="UTC")
        return {row.fate.key for row in planned if isinstance(row.fate, CallRequest)}

    assert called(shuffled) == called(rows)


@unhurried
@given(values=st.lists(st.text(max_size=6), min_size=4, max_size=4))
def test_additional_data_are_the_cells_that_are_not_blank_in_order(values: list[str]) -> None:
    headers = ("A", "B", "contact_id", "C", "D")
    found = fate(headers, (*values[:2], "c", *values[2:]))

    if isinstance(found, CallRequest):
        sent = json.loads(
            body_of(
                found,
                campaign="c",
                now=datetime(2026, 1, 1, tzinfo=UTC),
                delay=DelayMode.SCHEDULE,
            )
        )
        expected = [(h, v) for h, v in zip("ABCD", values, strict=True) if v.strip()]
        pairs = [(item["key"], item["value"]) for item in sent.get("additional_data", [])]
        assert pairs == expected
