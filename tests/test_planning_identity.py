"""Names, keys and hashes: what is the same again, and what is not."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dispatcher.errors import UsageProblem
from dispatcher.model import CallRequest, Schedule
from dispatcher.planning import (
    call_key,
    campaign_name,
    canonical_contact,
    contact_hash,
    request_digest,
)
from dispatcher.planning.identity import has_uuid

# How fast this machine is must not matter.
unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

UUID = "550e8400-e29b-41d4-a716-446655440000"
OTHER_UUID = "6fa459ea-ee8a-3ca4-894e-db77e160355e"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        pytest.param("Deudores Junio", "deudores junio", id="case"),
        pytest.param("  deudores ", "deudores", id="white space"),
        pytest.param("Campan\u0303a", "campa\u00f1a", id="NFC"),
        pytest.param("deudores (2)", "deudores", id="browser copy"),
        pytest.param("deudores(1)", "deudores", id="copy number without a space"),
        pytest.param("deudores (2025)", "deudores (2025)", id="a year is no copy number"),
        pytest.param("deudores - copia", "deudores", id="Spanish copy"),
        pytest.param("deudores - Copia (3)", "deudores", id="copy of a copy"),
        pytest.param("deudores - copy", "deudores", id="English copy"),
        pytest.param("deudores - Copie", "deudores", id="French copy"),
        pytest.param("deudores - Cópia", "deudores", id="Portuguese copy"),
        pytest.param("deudores- copia", "deudores", id="copy without a space before"),
        pytest.param("hard-copy", "hard-copy", id="a word with a hyphen is no copy"),
        pytest.param("Copia de deudores", "deudores", id="Spanish prefix"),
        pytest.param("Copia de Copia de deudores", "deudores", id="Spanish prefix twice"),
        pytest.param("Cópia de deudores", "deudores", id="Portuguese prefix"),
        pytest.param("Copy of deudores", "deudores", id="English prefix"),
        pytest.param("deudores.results", "deudores", id="results"),
        pytest.param("deudores.results (2)", "deudores", id="numbered results"),
        pytest.param("Deudores.Problems", "deudores", id="problems"),
        pytest.param("deudores.results.results", "deudores", id="results of results"),
        pytest.param("v1.5", "v1.5", id="other dots stay"),
    ],
)
def test_a_campaign_has_one_name_however_its_file_was_copied(text: str, name: str) -> None:
    assert campaign_name(text) == name


@pytest.mark.parametrize("text", ["", "  ", ".results", "(2)", "\udcff\udcfe"])
def test_a_name_of_which_nothing_is_left_is_refused_with_the_remedy(text: str) -> None:
    with pytest.raises(UsageProblem) as refusal:
        campaign_name(text)

    assert "--campaign" in refusal.value.hint


@unhurried
@given(st.text())
def test_normalising_a_campaign_name_twice_changes_nothing(text: str) -> None:
    try:
        once = campaign_name(text)
    except UsageProblem:
        return

    assert campaign_name(once) == once


@unhurried
@given(
    stem=st.text(alphabet="abcñé 12", min_size=1).filter(lambda text: text.strip()),
    marks=st.lists(st.sampled_from([" (2)", " - copia", ".results", ".problems", " - Copy"])),
)
def test_marks_of_copies_never_make_another_campaign(stem: str, marks: list[str]) -> None:
    assert campaign_name(stem + "".join(marks)) == campaign_name(stem)


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        pytest.param(" ABC-1 ", "abc-1", id="trimmed and case-folded"),
        pytest.param(UUID.upper(), UUID, id="UUID"),
        pytest.param(f"contact_{UUID}", UUID, id="word before"),
        pytest.param(f"{UUID}.", UUID, id="mark after"),
        pytest.param(f"a{UUID}", f"a{UUID}", id="hex digits run on: no UUID"),
        pytest.param(f"{UUID}/{OTHER_UUID}", f"{UUID}/{OTHER_UUID}", id="two UUIDs: the whole"),
        pytest.param("\ufb01x", "fix", id="case-folding only, no NFKC of its own"),
        pytest.param("\u2160", "\u2170", id="roman numeral stays one"),
    ],
)
def test_contact_ids_are_compared_trimmed_folded_and_by_their_uuid(
    text: str, canonical: str
) -> None:
    assert canonical_contact(text) == canonical


@pytest.mark.parametrize(
    ("text", "expected"),
    [(UUID.upper(), True), (f"contact-{UUID}", True), ("c-1", False), ("x" * 40, False)],
)
def test_a_uuid_is_found_in_any_case_and_company(text: str, expected: bool) -> None:  # noqa: FBT001
    assert has_uuid(text) is expected


def test_one_contact_has_one_hash_and_no_contact_has_none() -> None:
    assert contact_hash(f" contact_{UUID.upper()} ") == contact_hash(UUID)
    assert contact_hash(UUID) != contact_hash(OTHER_UUID)
    assert len(contact_hash("c-1")) == 32
    assert contact_hash("  ") == ""


@unhurried
@given(st.text(alphabet=st.characters(exclude_categories=[])))
def test_hashing_never_raises_on_what_a_server_may_send(text: str) -> None:
    assert len(contact_hash(text)) in (0, 32)


@unhurried
@given(
    contact=st.text(alphabet="abcXYZ0123-_", min_size=1),
    values=st.lists(st.text(alphabet="abcÁÉ 12"), max_size=3),
    padding=st.text(alphabet=" \t\n\u00a0", max_size=3),
)
def test_case_and_outer_white_space_do_not_change_a_key(
    contact: str, values: list[str], padding: str
) -> None:
    loud = [f"{padding}{value.upper()}{padding}" for value in values]

    key = call_key("c", f"{padding}{contact.upper()}{padding}", loud)

    assert key == call_key("c", contact.lower(), values)


def test_a_key_tells_campaigns_contacts_and_key_values_apart() -> None:
    keys = {
        call_key("a", "1"),
        call_key("b", "1"),
        call_key("a", "2"),
        call_key("a", "1", ["x"]),
        call_key("a", "1", ["x", "y"]),
        call_key("a", "1", ["xy"]),
        call_key("a", '1","x'),
    }

    assert len(keys) == 7
    assert all(len(key) == 32 for key in keys)


def test_a_key_stays_the_same_for_good() -> None:
    """A ledger of last year must still know its calls: changing this calls everybody again."""
    assert call_key("deudores", UUID, ["Préstamo"]) == "32491f87703acbe8037c6ab2e2c6000a"
    assert contact_hash(UUID) == "a3a9e1ed9732cab28868127be00f1ce9"


ASKED = CallRequest(key="k", contact="h", row=2, contact_id="c", agent_id="a", from_number_id="n")
AT = datetime(2026, 6, 15, 17, 30, tzinfo=UTC)


def test_a_request_digest_is_about_what_is_asked_not_about_row_and_key() -> None:
    assert request_digest(replace(ASKED, row=9, key="z", contact="y")) == request_digest(ASKED)


@pytest.mark.parametrize(
    "change",
    [
        {"contact_id": "C"},
        {"agent_id": "b"},
        {"from_number_id": "m"},
        {"additional_data": (("monto", "1"),)},
        {"metadata": (("crm", "1"),)},
        {"delay_minutes": 1.0},
        {"schedule": Schedule(local="2026-06-15 14:30:00", timezone="UTC", at=AT)},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_request_digest_changes_with_anything_that_is_asked(change: dict[str, object]) -> None:
    changed = replace(ASKED, **change)  # type: ignore[arg-type]

    assert request_digest(changed) != request_digest(ASKED)
