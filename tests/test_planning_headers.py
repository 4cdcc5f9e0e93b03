"""Which field a header means."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dispatcher.errors import UsageProblem
from dispatcher.planning import key_columns, wanted_headers
from dispatcher.planning.headers import checked_columns, field_of, fold

# How fast this machine is must not matter.
unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


@pytest.mark.parametrize(
    ("header", "field"),
    [
        ("contact_id", "contact_id"),
        ("Contact ID", "contact_id"),
        ("contactId", "contact_id"),
        ("  CONTACT-ID\u00a0", "contact_id"),
        ("\ufeffcontact_id", "contact_id"),
        ("contact\u200b_id", "contact_id"),
        ("\uff43\uff4f\uff4e\uff54\uff41\uff43\uff54\uff3f\uff49\uff44", "contact_id"),
        ("id_contacto", "contact_id"),
        ("ID de Contacto", "contact_id"),
        ("ID del contacto", "contact_id"),
        ("contacto_id", "contact_id"),
        ("ID do contato", "contact_id"),
        ("id_contato", "contact_id"),
        ("contato id", "contact_id"),
        ("agent_id", "agent_id"),
        ("Agente ID", "agent_id"),
        ("id del agente", "agent_id"),
        ("id do agente", "agent_id"),
        ("From Number ID", "from_number_id"),
        ("id_número_origen", "from_number_id"),
        ("ID do número de origem", "from_number_id"),
        ("delay", "delay"),
        ("Delay (minutes)", ""),
        ("delay_minutes", "delay"),
        ("Minutos de espera", "delay"),
        ("demora", "delay"),
        ("schedule", "schedule"),
        ("scheduled_call_time", "schedule"),
        ("Fecha y hora de llamada", "schedule"),
        ("agendamento", "schedule"),
        ("Data e hora da ligação", "schedule"),
        ("Time Zone", "timezone"),
        ("zona_horaria", "timezone"),
        ("Fuso horário", "timezone"),
        ("metadata.crm_id", "metadata.crm_id"),
        ("Metadata.Crm Id ", "metadata.Crm Id"),
        ("metadata.", ""),
        ("contacto", ""),
        ("contact", ""),
        ("id", ""),
        ("fecha", ""),
        ("número", ""),
        ("", ""),
    ],
)
def test_usual_names_are_known_and_unclear_ones_are_not(header: str, field: str) -> None:
    assert field_of(header) == field


@unhurried
@given(st.text())
def test_folding_a_header_twice_changes_nothing(header: str) -> None:
    assert fold(fold(header)) == fold(header)


@unhurried
@given(st.text(alphabet="abñ _-", min_size=1), st.text(alphabet=" \t\n\u00a0\u200b\ufeff"))
def test_white_space_and_invisible_marks_around_a_header_do_not_matter(
    header: str, padding: str
) -> None:
    assert fold(f"{padding}{header.upper()}{padding}") == fold(header)


@pytest.mark.parametrize(
    ("columns", "headers", "expected"),
    [
        pytest.param([], ["Nombre", "ID Contacto"], True, id="usual name"),
        pytest.param([], ["Nombre", "Cliente"], False, id="no usual name"),
        pytest.param([("contact_id", "cliente")], ["Nombre", " Cliente "], True, id="mapped"),
        pytest.param([("contact_id", "cliente")], ["contact_id"], False, id="mapping decides"),
        pytest.param([("agent_id", "cliente")], ["cliente"], False, id="another field"),
        pytest.param([], [], False, id="nothing"),
    ],
)
def test_a_header_row_is_one_that_names_the_contact_column(
    columns: list[tuple[str, str]],
    headers: list[str],
    expected: bool,  # noqa: FBT001
) -> None:
    assert wanted_headers(columns)(headers) is expected


@pytest.mark.parametrize("field", ["contact", "metadata.", "Contact_ID", ""])
def test_a_field_that_does_not_exist_is_refused_with_those_that_do(field: str) -> None:
    with pytest.raises(UsageProblem) as refusal:
        checked_columns([(field, "x")])

    assert "contact_id" in refusal.value.hint
    assert "metadata.NAME" in refusal.value.hint


def test_the_last_word_on_a_field_counts() -> None:
    columns = [("delay", "a"), ("metadata.crm", "c"), ("delay", "b")]

    assert checked_columns(columns) == {"delay": "b", "metadata.crm": "c"}


def test_key_columns_are_remembered_without_order_spelling_or_repetition() -> None:
    assert key_columns([" Producto", "cuota", "PRODUCTO"]) == key_columns(["Cuota", "producto"])
