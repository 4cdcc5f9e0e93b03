"""Names and hashes by which campaigns, contacts, calls and requests are the same again."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from hashlib import sha256
from json.encoder import encode_basestring

from dispatcher.errors import UsageProblem
from dispatcher.model import CallRequest

KEY_VERSION = 1  # part of every key; another number makes every contact new

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), check_circular=False).encode

_UUID_LENGTH = 36
_UUID = re.compile(
    r"(?<![0-9a-f])[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}(?![0-9a-f])"
)

# What browsers, Explorer, Finder and our own results add to a file's name. A number of one or two
# digits only: "deudores (2025)" and "deudores (2026)" are two campaigns.
_COPY_MARKS = re.compile(
    r"\s*\(\d{1,2}\)$"
    r"|(?:\s+-\s*|-\s+)(?:copia|cópia|copy|copie)$"
    r"|^(?:copia de|cópia de|copy of|copie de)\s+"
    r"|\.(?:results|problems)$"
)


def campaign_name(text: str) -> str:
    """
    The campaign that a typed name or a file's stem means: NFC, trimmed, case-folded, without the
    marks of copies (`` (2)``, `` - copia``, ``Copia de ``, ``.results``, ``.problems`` ...).

    Applying it again changes nothing. Raises UsageProblem when nothing is left or it is no text.
    """
    name, before = text, None
    while name != before:
        before = name
        folded = unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
        name = _COPY_MARKS.sub("", folded.strip()).strip()
    if not name or not is_text(name):
        raise UsageProblem(
            "No campaign name follows from the file's name", hint="give one with --campaign NAME"
        )
    return name


def is_text(text: str) -> bool:
    """True when *text* can be written as UTF-8 (no lone surrogates)."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def canonical_contact(contact_id: str) -> str:
    """
    The form in which two contact ids are compared: trimmed, case-folded, and the UUID alone where
    the text contains exactly one (``contact_550e8400-...`` is ``550e8400-...``).
    """
    text = contact_id.strip().casefold()
    if len(text) <= _UUID_LENGTH:
        return text
    uuids = _UUID.findall(text)
    return uuids[0] if len(uuids) == 1 else text


def has_uuid(contact_id: str) -> bool:
    """True when the text contains a UUID, with or without a word around it."""
    return len(contact_id) >= _UUID_LENGTH and _UUID.search(contact_id.lower()) is not None


def contact_hash(contact_id: str) -> str:
    """The same 32 hex digits for one person in any campaign; of no id at all: ""."""
    return contact_hash_of_canonical(canonical_contact(contact_id))


def contact_hash_of_canonical(canonical: str) -> str:
    """The same for an id that is canonical already."""
    return _sha(canonical) if canonical else ""


def call_key(campaign: str, contact_id: str, key_values: Sequence[str] = ()) -> str:
    """
    Stable id of a call, 32 hex digits.

    Arguments:
        campaign: Normalised name.
        contact_id: As the sheet has it.
        key_values: Values of the ``key:`` columns, compared trimmed and case-folded.
    """
    return call_key_of_canonical(campaign, canonical_contact(contact_id), key_values)


def call_key_of_canonical(campaign: str, canonical: str, key_values: Sequence[str]) -> str:
    """The same for an id that is canonical already."""
    text = f"[{KEY_VERSION},{_quoted(campaign)},{encode_basestring(canonical)}"
    for value in key_values:
        text += f",{encode_basestring(value.strip().casefold())}"
    return _sha(text + "]")  # a JSON list


def request_digest(request: CallRequest) -> str:
    """Hash of all that *request* asks for, whatever its row and key, 32 hex digits."""
    schedule = request.schedule
    asked = [
        request.contact_id,
        request.agent_id,
        request.from_number_id,
        request.additional_data,
        request.metadata,
        request.delay_minutes,
        (schedule.local, schedule.timezone) if schedule else None,
    ]
    return _sha(_encode(asked))


_quoted = lru_cache(maxsize=8)(encode_basestring)  # the same campaign for every row of a sheet


def _sha(text: str) -> str:
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]  # never raises
