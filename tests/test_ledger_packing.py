"""How texts are compressed: exactly, against what most of them have in common."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from dispatcher.ledger.packing import Packer, dictionary_of
from dispatcher.model import CallRequest
from dispatcher.planning import DelayMode, body_of

NOW = datetime(2026, 11, 23, 13, 0, tzinfo=UTC)
HEADERS = ("contact_id", "Nombre", "Monto")
AGENT = "5f0c7d0e-2f3b-4b7e-9a43-3a1df4b0a1c2"


def request(
    number: int = 2, *, name: str = "Ana", amount: str = "12,50", agent: str = AGENT
) -> CallRequest:
    return CallRequest(
        key=f"{number:032x}",
        contact=f"{number + 7:032x}",
        row=number,
        contact_id=f"contact-{number}",
        agent_id=agent,
        from_number_id="n1",
        additional_data=(("Nombre", name), ("Monto", amount)) if amount else (("Nombre", name),),
    )


def body(asked: CallRequest) -> bytes:
    return body_of(asked, campaign="mora", now=NOW, delay=DelayMode.SCHEDULE)


FIRST = request()
DICTIONARY = dictionary_of(HEADERS, FIRST, "mora")
NAMES = st.text(max_size=300)


@given(name=NAMES, amount=NAMES, agent=st.sampled_from([AGENT, "another"]))
def test_any_body_comes_back(name: str, amount: str, agent: str) -> None:
    packer = Packer(DICTIONARY)
    exact = body(request(3, name=name, amount=amount, agent=agent))

    assert packer.unpack(packer.pack(exact)) == exact


@given(
    parts=st.lists(st.sampled_from([*DICTIONARY.split(b","), b"\0", b"\xff", b"", b"ana"])),
    dictionary=st.sampled_from([DICTIONARY, b"", b'{"another":"one"}', b"\0" * 3]),
)
def test_any_bytes_come_back_whatever_the_dictionary(parts: list[bytes], dictionary: bytes) -> None:
    packer = Packer(dictionary)
    plain = b"".join(parts)

    assert packer.unpack(packer.pack(plain)) == plain


def test_the_dictionary_holds_nothing_of_the_person_it_was_made_with() -> None:
    for value in (FIRST.contact_id, FIRST.key, "Ana", "12,50"):
        assert value.encode() not in DICTIONARY
