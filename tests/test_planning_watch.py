"""What is doubtful about a sheet as a whole."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dispatcher.model import Remark, SheetHead, SheetRow
from dispatcher.planning import Claims, PlanSettings, SheetWatch, lay_out, plan_rows

# How fast this machine is must not matter.
unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

UUID = "550e8400-e29b-41d4-a716-44665544{:04d}"


def remarks(
    headers: Sequence[str], *rows: Sequence[str], formats: tuple[tuple[str, str], ...] = ()
) -> dict[str, str]:
    """Code -> message of what a watch over the planned rows remarks."""
    settings = PlanSettings(campaign="c", timezone="UTC", formats=formats)
    head = SheetHead(file="c.csv", format="csv", header_row=1, headers=tuple(headers))
    layout = lay_out(head, settings)
    sheet = [SheetRow(number=n, cells=tuple(cells)) for n, cells in enumerate(rows, 2)]
    watch = SheetWatch(layout)
    planned = list(watch.over(plan_rows(sheet, layout, settings, Claims())))
    assert [row.number for row in planned] == [row.number for row in sheet]
    found = watch.remarks()
    assert all(isinstance(remark, Remark) for remark in found)
    assert len({remark.code for remark in found}) == len(found)
    return {remark.code: remark.message for remark in found}


def of_ids(*ids: str) -> dict[str, str]:
    return remarks(("contact_id",), *((identifier,) for identifier in ids))


def of_value(value: str) -> dict[str, str]:
    return remarks(("contact_id", "Nombre", "Monto"), (UUID.format(1), "José", value))


def test_a_sound_sheet_is_not_remarked() -> None:
    rows = [(UUID.format(n), f"contact {n}", "14058.10", "10:00") for n in range(50)]

    assert remarks(("contact_id", "Nombre", "Monto", "Hora"), *rows) == {}


def test_an_empty_sheet_is_not_remarked() -> None:
    assert of_ids() == of_ids("", " ") == {}


def test_ids_that_are_no_uuids_are_counted_with_an_example() -> None:
    found = of_ids(UUID.format(1), f"Contact_{UUID.format(2)}", "c-3", "c-4")

    assert found == {"ids_not_uuid": '2 of 4 contact ids do not look like a UUID ("c-3" in row 4)'}


@pytest.mark.parametrize(
    "identifier",
    [
        "c-1",
        "1001",
        "123456789",
        "1234567890123456789",
        "507f1f77bcf86cd799439011",
        "0031t00000abcdE",
        "Perez",
        "001-002-003",
        "2024-0001",
        "1.2.3",
        "20260615",
        "-",
    ],
)
def test_one_word_ids_of_any_shape_never_look_wrong(identifier: str) -> None:
    assert set(of_ids(identifier)) == {"ids_not_uuid"}


@pytest.mark.parametrize(
    ("identifier", "kind"),
    [
        ("+5491155550000", "a phone number"),
        ("+54 9 11 5555-0000", "a phone number"),
        ("5491155550000", "a phone number"),
        ("(011) 5555-0000", "a phone number"),
        ("555-123-4567", "a phone number"),
        ("ana@example.com", "an e-mail address"),
        ("2026-06-15", "a date"),
        ("2026-06-15 10:00:00", "a date"),
        ("15/06/2026", "a date"),
        ("15.6.26", "a date"),
        ("$ 14.058,10", "an amount"),
        ("R$ 100", "an amount"),
        ("14058.10", "an amount"),
        ("14.058,10", "an amount"),
        ("Ana Paz", "text with spaces"),
        (UUID.format(7) + ',"Paz, Ana",3', "several cells in one"),
        (UUID.format(7) + ";Ana", "several cells in one"),
    ],
)
def test_ids_that_are_plainly_something_else_look_wrong(identifier: str, kind: str) -> None:
    found = of_ids(identifier, identifier, UUID.format(1))

    assert "2 of 3" in found["ids_look_wrong"]
    assert f"row 2 holds {kind}" in found["ids_look_wrong"]
    assert 'column A "contact_id"' in found["ids_look_wrong"]
    assert identifier not in found["ids_look_wrong"] + found["ids_not_uuid"]


def test_half_of_the_ids_may_look_wrong_before_the_sheet_does() -> None:
    assert set(of_ids("ana@example.com", UUID.format(1))) == {"ids_not_uuid"}


def test_rows_left_out_for_other_data_are_counted_and_both_rows_named() -> None:
    first = UUID.format(1)

    found = remarks(("contact_id", "M"), (first, "1"), (first, "2"), (first, "3"), (first, "1"))

    assert found["duplicate_other_data"].startswith("Rows left out because an earlier one")
    assert ": 2. Row 3 " in found["duplicate_other_data"]
    assert "as row 2 " in found["duplicate_other_data"]


def test_a_column_without_header_is_remarked_when_it_holds_something() -> None:
    headers = ("contact_id", "", " ")
    rows = [(UUID.format(n), " ", "x" if n in (2, 3) else "") for n in range(5)]

    found = remarks(headers, *rows)

    assert set(found) == {"empty_header"}
    assert "column C has no header" in found["empty_header"]
    assert "row 4" in found["empty_header"]


@pytest.mark.parametrize(
    ("value", "code", "shown"),
    [
        ("2026-06-15 00:00:00", "value_midnight", "00:00:00"),
        ("2026-06-15T00:00", "value_midnight", "00:00"),
        ("00:00", "value_midnight", "00:00"),
        ("2026-06-15 00:00:00.000Z", "value_midnight", "00:00:00.000Z"),
        ("Hola {{nombre}}", "value_placeholder", "{{nombre}}"),
        ("<b>Hola</b>", "value_html", "<b"),
        ("Hola<br/>", "value_html", "<br"),
        ("Sur&nbsp;Oeste", "value_html", "&nbsp;"),
        ("14058.100000000001", "value_long_decimals", "8.100000000001"),
        ("33,33333", "value_long_decimals", "3,33333"),
        ('="00123"', "value_formula", '="00123"'),
        ("=1+1", "value_formula", "=1+1"),
        ("'+5491155", "value_formula", "'+5491155"),
        ("'007", "value_formula", "'007"),
        ("5,5E+12", "value_scientific", "5,5E+12"),
        ("1.2E+05", "value_scientific", "1.2E+05"),
        ("-3e+7", "value_scientific", "-3e+7"),
        ("1.5E-05", "value_scientific", "1.5E-05"),
        ("2e-7", "value_scientific", "2e-7"),
        ("nan", "value_nan", "nan"),
        ("NaN", "value_nan", "NaN"),
        ("None", "value_nan", "None"),
    ],
)
def test_a_value_that_nobody_wants_spoken_is_remarked_with_place_and_example(
    value: str, code: str, shown: str
) -> None:
    found = of_value(value)

    assert set(found) == {code}
    assert found[code].startswith(f'Row 2, column "Monto", holds {shown}: ')


@pytest.mark.parametrize(
    "value",
    [
        "10:00:00",
        "1e5",
        "a=1",
        "== nota ==",
        "'90s",
        "'hola'",
        "12E4",
        "A5,5E+12",
        "5E+12 x",
        "550e8400-e29b-41d4-a716-446655440000",
        "a las 12:00:00",
        "100:00",
        "{nombre}",
        "a < b",
        "1 <2",
        "ana <ana@example.com>",
        "AT&T; y otros",
        "14.058,10",
        "1.2345",
        "Fernanda",
        "Nanni",
        "a <b",
    ],
)
def test_ordinary_values_are_not_remarked(value: str) -> None:
    assert of_value(value) == {}


def test_of_each_kind_of_odd_value_the_first_is_shown() -> None:
    rows = [(UUID.format(n), f"<p>{n}</p>", "{{monto}}") for n in range(3)]

    found = remarks(("contact_id", "Nombre", "Monto"), *rows)

    assert set(found) == {"value_html", "value_placeholder"}
    assert all(message.startswith("Row 2, ") for message in found.values())


@pytest.mark.parametrize("number", [0, 1, 63, 64, 65, 130])
def test_an_odd_value_is_found_in_whichever_row_it_stands(number: int) -> None:
    rows = [(UUID.format(n), "<p>" if n == number else "José") for n in range(200)]

    found = remarks(("contact_id", "Nombre"), *rows)

    assert found["value_html"].startswith(f'Row {number + 2}, column "Nombre", holds <p: ')


def test_an_odd_value_in_a_column_that_is_not_sent_is_not_remarked() -> None:
    assert remarks(("contact_id", "call_id"), (UUID.format(1), "<p>")) == {}


def test_numbers_are_judged_as_their_format_has_them_spoken() -> None:
    rows = [(UUID.format(1), "33.33333333"), (UUID.format(2), "1")]
    headers = ("contact_id", "Monto")

    assert remarks(headers, *rows, formats=(("Monto", "{:.2f}"),)) == {}
    assert set(remarks(headers, *rows, formats=(("Monto", "{:.6f}"),))) == {"value_long_decimals"}


def test_a_date_that_may_have_been_meant_month_first_is_remarked_once() -> None:
    headers = ("contact_id", "schedule")
    days = ["2026-05-06 10:00", "13/05/2026 10:00", "06/05/2026 10:00", "07/05/2026 10:00"]

    found = remarks(headers, *((UUID.format(n), day) for n, day in enumerate(days)))

    assert set(found) == {"schedule_day_first"}
    assert "06/05/2026 10:00 (row 4)" in found["schedule_day_first"]


@unhurried
@given(st.lists(st.tuples(st.text(max_size=40), st.text(max_size=40), st.text()), max_size=5))
def test_no_sheet_makes_the_watch_fail(rows: list[tuple[str, ...]]) -> None:
    remarks(("contact_id", "schedule", ""), *rows)


@unhurried
@given(
    st.lists(st.sampled_from(["<b>", "a <b", "00:00\n<", "{{\n", "nan\n", "n", "."]), max_size=6)
)
def test_odd_values_beside_and_in_several_lines_are_found_where_they_stand(
    values: list[str],
) -> None:
    headers = ("contact_id", *(f"h{n}" for n in range(len(values))))

    remarks(headers, (UUID.format(1), *values))
