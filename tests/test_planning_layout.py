"""Which column feeds what, and what is refused because two or none could."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dispatcher.errors import SheetRefused, UsageProblem
from dispatcher.model import SheetHead, SheetRow
from dispatcher.planning import (
    Layout,
    PlanSettings,
    carried_campaigns,
    lay_out,
    layout_needs,
)

# How fast this machine is must not matter.
unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

RESULTS = (
    "call_status",
    "call_id",
    "call_created_at",
    "call_error_code",
    "call_error",
    "call_http_status",
    "call_attempts",
    "call_sent_at",
    "call_campaign",
    "source_row",
)


def head_of(*headers: str, hidden: frozenset[int] = frozenset()) -> SheetHead:
    return SheetHead(
        file="c.csv", format="csv", header_row=1, headers=headers, hidden_columns=hidden
    )


def laid(*headers: str, **settings: object) -> Layout:
    """The layout of these headers; ``hidden`` names hidden columns, the rest are settings."""
    hidden = settings.pop("hidden", frozenset())
    assert isinstance(hidden, frozenset)
    plan = PlanSettings(**{"campaign": "c", **settings})  # type: ignore[arg-type]
    return lay_out(head_of(*headers, hidden=hidden), plan)


def names(layout: Layout) -> list[str]:
    return [header for _, header in layout.additional]


def test_usual_names_feed_fields_and_every_other_column_is_additional_data() -> None:
    layout = laid("Nombre", "ID Contacto", "Monto", "metadata.crm", "Agent ID", "zona horaria")

    assert dict(layout.fields) == {
        "contact_id": 1,
        "metadata.crm": 3,
        "agent_id": 4,
        "timezone": 5,
    }
    assert layout.additional == ((0, "Nombre"), (2, "Monto"))
    assert layout.metadata == ((3, "crm"),)
    assert layout.column_of("agent_id") == 4
    assert layout.column_of("delay") is None
    assert layout.left_out == ()
    assert layout.result_columns == ()
    assert layout.remarks == ()


def test_metadata_keeps_the_order_of_the_sheet_however_it_was_named() -> None:
    layout = laid("b", "contact_id", "metadata.a", columns=(("metadata.z", "b"),))

    assert layout.metadata == ((0, "z"), (2, "a"))


def test_a_mapped_header_wins_over_the_usual_name_and_frees_it() -> None:
    layout = laid("contact_id", "Cliente", columns=(("contact_id", " CLIENTE "),))

    assert dict(layout.fields) == {"contact_id": 1}
    assert names(layout) == ["contact_id"]


def test_a_column_mapped_to_one_field_is_not_taken_for_another() -> None:
    layout = laid("agent_id", "x", columns=(("contact_id", "agent_id"),))

    assert dict(layout.fields) == {"contact_id": 0}


def test_a_field_mapped_to_nothing_is_fed_by_no_column() -> None:
    layout = laid("contact_id", "atraso", columns=(("delay", ""),))

    assert dict(layout.fields) == {"contact_id": 0}
    assert names(layout) == ["atraso"]


def test_no_contact_column_is_refused_with_the_headers_found_and_the_remedy() -> None:
    with pytest.raises(SheetRefused) as refusal:
        laid("Nombre", "", "Tel\n\x07éfono", "x" * 60)

    assert "--map contact_id=HEADER" in refusal.value.message
    assert f"Nombre, Tel éfono, {'x' * 40}..." in refusal.value.hint


def test_of_a_very_wide_sheet_only_the_first_headers_are_named() -> None:
    with pytest.raises(SheetRefused) as refusal:
        laid(*(f"h{number}" for number in range(4_000)))

    assert refusal.value.hint.endswith("h19 and 3980 more")


def test_an_empty_header_row_names_none() -> None:
    with pytest.raises(SheetRefused) as refusal:
        laid("", " ")

    assert refusal.value.hint.endswith("none")


def test_two_columns_for_one_field_are_refused_with_both_and_the_remedy() -> None:
    with pytest.raises(SheetRefused) as refusal:
        laid(*("Nombre", "ID Contacto"), *(f"x{n}" for n in range(26)), "Contact-ID")

    assert 'column B "ID Contacto", column AC "Contact-ID"' in refusal.value.message
    assert "--map contact_id=HEADER" in refusal.value.hint


def test_a_mapping_settles_which_of_two_columns_is_meant() -> None:
    layout = laid("ID Contacto", "Contact ID", columns=(("contact_id", "Contact ID"),))

    assert dict(layout.fields) == {"contact_id": 1}
    assert names(layout) == ["ID Contacto"]


@pytest.mark.parametrize(
    ("settings", "setting"),
    [
        ({"columns": (("agent_id", "Agente X"),)}, "--map"),
        ({"include": ("Agente X",)}, "additional_data.include"),
        ({"required": ("Agente X",)}, "additional_data.required"),
        ({"formats": (("Agente X", "{:,.2f}"),)}, "additional_data.format"),
        ({"key": ("Agente X",)}, "key"),
        ({"key": (" ",)}, "key"),
    ],
)
def test_a_setting_that_names_no_header_is_refused_with_those_found(
    settings: dict[str, object], setting: str
) -> None:
    with pytest.raises(UsageProblem) as refusal:
        laid("contact_id", "Nombre", "", **settings)

    assert refusal.value.message.startswith(setting)
    assert refusal.value.hint == "the headers found are: contact_id, Nombre"


def test_an_excluded_header_that_the_sheet_lacks_is_no_fault() -> None:
    assert names(laid("contact_id", "Nombre", exclude=("Monto",))) == ["Nombre"]


def test_a_field_that_does_not_exist_is_refused() -> None:
    with pytest.raises(UsageProblem, match="no field 'phone'"):
        laid("contact_id", columns=(("phone", "contact_id"),))


def test_a_default_zone_that_does_not_exist_is_refused() -> None:
    with pytest.raises(UsageProblem, match="Amerika/Bogota"):
        laid("contact_id", timezone="Amerika/Bogota")


@pytest.mark.parametrize("name", ["dispatch_key", "dispatch_campaign", "dispatch_row"])
def test_the_dispatchers_own_metadata_cannot_come_from_a_column(name: str) -> None:
    with pytest.raises(UsageProblem, match=name):
        laid("contact_id", f"metadata.{name}")


@pytest.mark.parametrize(
    ("headers", "settings"),
    [
        pytest.param(("contact_id", "Monto", "monto "), {}, id="additional data"),
        pytest.param(("contact_id", "contact_id"), {}, id="usual name"),
        pytest.param(("x", "X"), {"columns": (("contact_id", "x"),)}, id="mapped"),
        pytest.param(("contact_id", "Monto", "Monto"), {"include": ("Monto",)}, id="included"),
        pytest.param(
            ("contact_id", "a", "a"), {"exclude": ("a",), "required": ("a",)}, id="required"
        ),
        pytest.param(("contact_id", *RESULTS, "Call_ID"), {}, id="results"),
    ],
)
def test_a_header_that_two_used_columns_share_is_refused(
    headers: tuple[str, ...], settings: dict[str, object]
) -> None:
    with pytest.raises(SheetRefused) as refusal:
        laid(*headers, **settings)

    assert refusal.value.message.count("column ") >= 2


@pytest.mark.parametrize(
    "settings", [{"exclude": ("MONTO",)}, {"include": ("Nombre",)}], ids=["exclude", "include"]
)
def test_a_double_header_that_nothing_takes_is_fine(settings: dict[str, object]) -> None:
    layout = laid("contact_id", "Monto", "Monto", "Nombre", **settings)

    assert names(layout) == ["Nombre"]


def test_each_column_left_out_has_its_reason() -> None:
    layout = laid(
        "contact_id",
        "Nombre",
        "",
        "Notas",
        "DNI",
        "Visto",
        hidden=frozenset({0, 4, 5}),
        exclude=("notas",),
    )

    assert names(layout) == ["Nombre"]
    assert layout.left_out == (
        (2, "its header is empty"),
        (3, "it is excluded by additional_data.exclude"),
        (4, "it is hidden in the sheet"),
        (5, "it is hidden in the sheet"),
    )
    assert layout.unnamed == (2,)


def test_a_list_of_headers_leaves_out_the_others_and_shows_hidden_ones() -> None:
    layout = laid(
        "contact_id", "Nombre", "DNI", "Notas", hidden=frozenset({2}), include=("dni", "Notas")
    )

    assert names(layout) == ["DNI", "Notas"]
    assert layout.left_out == ((1, "additional_data.include does not name it"),)


def test_an_empty_list_of_headers_sends_no_additional_data() -> None:
    assert names(laid("contact_id", "Nombre", include=())) == []


def test_a_column_that_feeds_a_field_is_spoken_too_when_it_is_listed() -> None:
    layout = laid("contact_id", "schedule", include=("schedule",))

    assert names(layout) == ["schedule"]
    assert layout.column_of("schedule") == 1


def test_a_results_sheet_is_known_and_its_ten_columns_are_not_sent() -> None:
    layout = laid("contact_id", "Nombre", *RESULTS, "call_center")

    assert layout.is_results_sheet
    assert layout.result_columns == tuple(range(2, 12))
    assert names(layout) == ["Nombre", "call_center"]
    assert layout.remarks == ()
    assert layout.result_column("call_id") == 3


def test_elsewhere_a_column_with_one_of_the_ten_names_is_left_out_with_a_remark() -> None:
    layout = laid("contact_id", "Call_Status", "Nombre")

    assert not layout.is_results_sheet
    assert layout.result_columns == (1,)
    assert names(layout) == ["Nombre"]
    assert [remark.code for remark in layout.remarks] == ["result_column_name"]
    assert 'column B "Call_Status"' in layout.remarks[0].message
    assert layout.result_column("call_id") is None


def test_a_mapping_may_take_a_column_with_one_of_the_ten_names() -> None:
    layout = laid("call_id", "Nombre", columns=(("contact_id", "call_id"),))

    assert layout.column_of("contact_id") == 0
    assert names(layout) == ["Nombre"]


@pytest.mark.parametrize("header", ["Atraso", "demora", "Retraso"])
def test_a_delay_that_may_be_days_overdue_is_remarked(header: str) -> None:
    layout = laid("contact_id", header)

    assert layout.column_of("delay") == 1
    assert [remark.code for remark in layout.remarks] == ["delay_by_name"]


def test_a_clear_delay_is_not_remarked() -> None:
    assert laid("contact_id", "delay_minutes").remarks == ()


def test_white_space_around_a_header_that_is_sent_is_remarked() -> None:
    layout = laid(" contact_id ", "Nombre ", "Monto")

    assert names(layout) == ["Nombre ", "Monto"]
    assert [remark.code for remark in layout.remarks] == ["header_white_space"]


@pytest.mark.parametrize("header", ["#REF!", " #n/a", "#¡VALOR!", "Err:504", "####"])
def test_a_header_that_is_an_error_is_ignored_with_a_remark(header: str) -> None:
    layout = laid("contact_id", header, "Monto", header)

    assert names(layout) == ["Monto"]
    assert layout.left_out == tuple((i, "its header is the error of a formula") for i in (1, 3))
    (remark,) = layout.remarks
    assert remark.code == "error_header"
    assert "column B" in remark.message
    assert "column D" in remark.message


@pytest.mark.parametrize(
    "settings",
    [{"columns": (("agent_id", "#REF!"),)}, {"include": ("#REF!",)}],
    ids=["field", "additional data"],
)
def test_a_header_that_is_an_error_is_refused_where_it_is_asked_for(
    settings: dict[str, object],
) -> None:
    with pytest.raises(SheetRefused, match='column B "#REF!" is the error of a formula'):
        laid("contact_id", "#REF!", **settings)


@pytest.mark.parametrize("odd", ["\x1b", "\ud800"], ids=["escape", "surrogate"])
def test_a_control_character_in_a_header_that_is_sent_is_refused(odd: str) -> None:
    with pytest.raises(SheetRefused, match='column B "Mon to"'):
        laid("contact_id", f"Mon{odd}to")

    assert names(laid("contact_id", f"Mon{odd}to", exclude=(f"Mon{odd}to",))) == []


@pytest.mark.parametrize(
    ("headers", "settings", "needs"),
    [
        (("contact_id",), {}, ("agent_id", "from_number_id")),
        (("contact_id", "agent_id"), {}, ("from_number_id",)),
        (("contact_id",), {"agent_id": " ", "from_number_id": "n"}, ("agent_id",)),
        (("contact_id", "agent_id"), {"from_number_id": "n"}, ()),
    ],
)
def test_the_fields_that_nothing_feeds_are_named(
    headers: tuple[str, ...], settings: dict[str, object], needs: tuple[str, ...]
) -> None:
    plan = PlanSettings(campaign="c", **settings)  # type: ignore[arg-type]

    assert layout_needs(lay_out(head_of(*headers), plan), plan) == needs


def test_a_results_sheet_tells_the_campaigns_of_its_rows() -> None:
    headers = ("contact_id", "call_status", "call_id", "call_campaign")
    rows = [
        SheetRow(number=number, cells=("c", "", "", campaign))
        for number, campaign in enumerate(["junio", " junio ", "", "mayo"], 2)
    ]

    assert carried_campaigns(rows, laid(*headers)) == {"junio", "mayo"}
    assert carried_campaigns(rows, laid("contact_id", "a", "b", "call_campaign")) == frozenset()
    assert carried_campaigns(rows, laid("contact_id", "call_status", "call_id")) == frozenset()


def test_the_order_of_key_headers_in_the_settings_does_not_matter() -> None:
    one = laid("contact_id", "b", "a", key=("B", "a", "A"))

    assert one.key_columns == laid("contact_id", "b", "a", key=("a", "b")).key_columns == (2, 1)


@pytest.mark.parametrize(
    "text",
    [
        "{}{}",
        "{:_}",
        "{0}",
        "{:x}",
        "{:.2d}",
        "{.real}",
        "{!r}",
        "{:>99999f}",
        "pesos",
        "{{}}",
        "{:,.200f}",
    ],
)
def test_a_format_that_is_none_for_numbers_is_refused(text: str) -> None:
    with pytest.raises(UsageProblem, match="'Monto'"):
        laid("contact_id", "Monto", formats=(("Monto", text),))


@unhurried
@given(st.lists(st.text(max_size=6), min_size=1, max_size=8), st.frozensets(st.integers(0, 7)))
def test_every_column_feeds_something_or_has_a_reason(
    headers: list[str], hidden: frozenset[int]
) -> None:
    try:
        layout = laid(*headers, hidden=hidden)
    except (SheetRefused, UsageProblem):
        return

    seen = {
        *(column for _, column in layout.fields),
        *(column for column, _ in layout.additional),
        *(column for column, _ in layout.left_out),
    }
    assert seen == set(range(len(headers)))


@unhurried
@given(
    changed=st.sampled_from(
        [
            {"campaign": "d"},
            {"columns": (("agent_id", "a"),)},
            {"include": ()},
            {"formats": (("a", "{}"),)},
            {"value_limit": 5},
            {"hidden": "skip"},
        ]
    )
)
def test_the_digest_of_the_settings_changes_with_each_of_them(changed: dict[str, object]) -> None:
    digest = PlanSettings(campaign="c").digest()

    assert PlanSettings(campaign="c").digest() == digest
    assert PlanSettings(**{"campaign": "c", **changed}).digest() != digest  # type: ignore[arg-type]
