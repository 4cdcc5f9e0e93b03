"""Invented contacts, agents and numbers, the same for the same id."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

from dispatcher.sandbox.chance import draw
from dispatcher.sandbox.options import SANDBOX_AGENT_ID, SANDBOX_NUMBER_ID

ORGANIZATION_ID = "sandbox-organization"
SINCE = "2026-01-05T12:00:00.000Z"

_FIRST_NAMES = [
    "Abril",
    "Agustín",
    "Bautista",
    "Camila",
    "Delfina",
    "Emilia",
    "Facundo",
    "Gonzalo",
    "Inés",
    "Joaquín",
    "Julieta",
    "Lautaro",
    "Lucía",
    "Malena",
    "Martín",
    "Milagros",
    "Nicolás",
    "Paula",
    "Ramiro",
    "Sofía",
    "Tomás",
    "Valentina",
]
_LAST_NAMES = [
    "Acuña",
    "Benítez",
    "Cardozo",
    "Domínguez",
    "Escobar",
    "Ferreyra",
    "Giménez",
    "Ibáñez",
    "Ledesma",
    "Maidana",
    "Núñez",
    "Ojeda",
    "Peralta",
    "Quiroga",
    "Ríos",
    "Sosa",
    "Toledo",
    "Uribe",
    "Vera",
    "Zárate",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """
    An invented person.

    Attributes:
        id: Contact id.
        full_name: First and last name.
        phone_number: E.164, of Buenos Aires.
        email: At example.com.
        country: Two letters.
    """

    id: str
    full_name: str
    phone_number: str
    email: str
    country: str = "AR"


@dataclass(frozen=True, slots=True, kw_only=True)
class Number:
    """
    A number of the organization.

    Attributes:
        id: Number id.
        phone_number: E.164.
        type: ``inbound`` or ``outbound``.
    """

    id: str
    phone_number: str
    type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """
    An agent of the organization.

    Attributes:
        id: Agent id.
        name: What the organization calls it.
        person_name: Who it says it is.
        language: As ``es-AR``.
        prompt: What it was told; confidential.
    """

    id: str
    name: str
    person_name: str
    language: str
    prompt: str


AGENTS = (
    Agent(
        id=SANDBOX_AGENT_ID,
        name="Cobranzas",
        person_name="Clara",
        language="es-AR",
        prompt="Eres Clara, de la mesa de cobranzas. Este texto es confidencial.",
    ),
    Agent(
        id="sandbox-agent-2",
        name="Collections",
        person_name="Claire",
        language="en-US",
        prompt="You are Claire, of the collections desk. This text is confidential.",
    ),
    Agent(
        id="sandbox-agent-3",
        name="Cobrança",
        person_name="Clarice",
        language="pt-BR",
        prompt="Você é a Clarice, da área de cobrança. Este texto é confidencial.",
    ),
)

NUMBERS = (
    Number(id=SANDBOX_NUMBER_ID, phone_number="+541150000001", type="outbound"),
    Number(id="sandbox-number-2", phone_number="+541150000002", type="outbound"),
    Number(id="sandbox-number-3", phone_number="+543515000003", type="outbound"),
    Number(id="sandbox-number-4", phone_number="+543415000004", type="outbound"),
    Number(id="sandbox-number-5", phone_number="+12025550105", type="outbound"),
    Number(id="sandbox-number-6", phone_number="+551150000006", type="outbound"),
    Number(id="sandbox-number-7", phone_number="+541150000007", type="inbound"),
    Number(id="sandbox-number-8", phone_number="+541150000008", type="inbound"),
)
_DIGITS_BY_ID = {number.id: number.phone_number for number in NUMBERS}


def contact_of(contact_id: str) -> Contact:
    """Return the person this id stands for."""
    first = _FIRST_NAMES[int(draw("first", contact_id) * len(_FIRST_NAMES))]
    last = _LAST_NAMES[int(draw("last", contact_id) * len(_LAST_NAMES))]
    digits = _digits(contact_id)
    return Contact(
        id=contact_id,
        full_name=f"{first} {last}",
        phone_number=f"+54911{digits}",
        email=f"{_plain(first)}.{_plain(last)}.{digits}@example.com",
    )


def digits_of_number(number_id: str) -> str:
    """Return the digits behind a number's id, E.164; an id that is a number stands for itself."""
    if number_id.startswith("+"):
        return number_id
    return _DIGITS_BY_ID.get(number_id) or f"+54115{int(draw('number', number_id) * 10**7):07d}"


def _digits(contact_id: str) -> str:
    return f"{int(draw('phone', contact_id) * 10**8):08d}"


def _plain(name: str) -> str:
    return unicodedata.normalize("NFD", name).encode("ascii", "ignore").decode().lower()
