"""The first row that claims a call has it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dispatcher.planning import Claims, call_key
from dispatcher.planning import claims as claims_module
from dispatcher.planning.claims import Claim, Kinship

# How fast this machine is must not matter.
unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


def test_a_later_row_learns_who_has_the_call_and_how_it_stands_to_it() -> None:
    claims = Claims()
    key, called = call_key("c", "1"), call_key("c", "2")

    assert claims.claim(key, row=2, content=77) is None
    assert claims.claim(called, row=3, content=None) is None

    assert claims.claim(key, row=4, content=77) == Claim(row=2, kinship=Kinship.SAME)
    assert claims.claim(key, row=5, content=78) == Claim(row=2, kinship=Kinship.OTHER)
    assert claims.claim(called, row=6, content=77) == Claim(row=3, kinship=Kinship.CALLED)
    assert claims.claim(key, row=7, content=None) == Claim(row=2, kinship=Kinship.OTHER)


def test_keys_that_share_their_slot_or_half_their_digits_are_told_apart() -> None:
    claims = Claims()
    keys = ["0" * 31 + "1", "0" * 23 + "1" + "0" * 7 + "1", "0" * 15 + "1" + "0" * 15 + "1"]

    assert [claims.claim(key, row=row, content=0) for row, key in enumerate(keys, 1)] == [None] * 3
    again = [claims.claim(key, row=9, content=0) for key in keys]

    assert [claim.row for claim in again if claim] == [1, 2, 3]


@unhurried
@given(st.lists(st.integers(0, 2_500), max_size=4_000))
def test_claims_agree_with_a_dictionary_however_many_there_are(names: list[int]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(claims_module, "_FIRST_BITS", 4)
        claims, expected = Claims(), dict[int, int]()

    for row, name in enumerate(names, 1):
        earlier = claims.claim(call_key("c", str(name)), row=row, content=name)

        assert (earlier.row if earlier else None) == expected.get(name)
        expected.setdefault(name, row)


def test_claims_survive_the_growth_of_their_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claims_module, "_FIRST_BITS", 4)
    claims = Claims()
    keys = [call_key("c", str(number)) for number in range(3_000)]

    first = [claims.claim(key, row=row, content=row) for row, key in enumerate(keys, 1)]
    again = [claims.claim(key, row=9_999, content=row) for row, key in enumerate(keys, 1)]

    assert first == [None] * 3_000
    assert again == [Claim(row=row, kinship=Kinship.SAME) for row in range(1, 3_001)]


def test_claims_kept_in_a_file_are_those_kept_in_memory(tmp_path: Path) -> None:
    keys = [call_key("c", str(number % 2_000)) for number in range(5_000)]
    in_memory = Claims()
    with (tmp_path / "claims").open("w+b") as file:
        in_file = Claims(file)

        made = [in_file.claim(key, row=row, content=row % 3) for row, key in enumerate(keys, 1)]

    same = [in_memory.claim(key, row=row, content=row % 3) for row, key in enumerate(keys, 1)]
    assert made == same
    assert made[:2_000] == [None] * 2_000


def test_keys_that_agree_in_all_that_the_table_holds_are_told_apart_by_their_records() -> None:
    claims = Claims()
    keys = [f"{'a' * 12}{number:08x}{'b' * 12}" for number in range(60)]

    first = [claims.claim(key, row=row, content=1) for row, key in enumerate(keys, 1)]
    again = [claims.claim(key, row=9_999, content=1) for key in keys]

    assert first == [None] * 60
    assert [claim.row for claim in again if claim] == list(range(1, 61))


def test_a_file_that_cannot_be_written_ends_the_claiming(tmp_path: Path) -> None:
    (tmp_path / "claims").touch()
    keys = [call_key("c", str(number)) for number in range(1_024)]

    with (tmp_path / "claims").open("rb") as file:
        claims = Claims(file)
        for row, key in enumerate(keys[:-1], 1):
            claims.claim(key, row=row, content=0)

        with pytest.raises(OSError, match="write"):
            claims.claim(keys[-1], row=1_024, content=0)
