"""What an answer of the API says, read from a whole, cut or broken body."""

from __future__ import annotations

import codecs
import contextlib
import json
import re
from collections.abc import Iterator

from dispatcher.model.row_value import row_value
from dispatcher.policy.wording import plain

# One lexeme of JSON. A string needs its closing quote; everything that is neither string nor
# mark (numbers, words, also those JSON does not know) is one scalar.
_LEXEME = re.compile(r"""\s*("[^"\\]*+(?:\\.[^"\\]*+)*+"|[{}\[\],:]|[^\s"{}\[\],:]+)""", re.DOTALL)
_DEPTH = 2  # bare, or under "data"


_DECODE = json.JSONDecoder(strict=False).decode
_WHOLE_NUMBER = re.compile(r"\d+", re.ASCII)
_FIELDS = ("call_id", "contact_id", "created_at")
_ONCE = ('"call_id"', '"contact_id"', '"created_at"', '"data"')  # in a usual answer
_MESSAGES = (("message",), ("message", ""))
_FALLBACKS = (("error",), ("error", "message"))
_LONGEST = 2**20  # a body is never longer, so an id is never cut


@row_value(frozen=True, slots=True, kw_only=True)
class Answer:
    """
    The fields of an answer that arrived whole, "" or empty where they did not.

    Attributes:
        call_id: Id of the placed call; a whole number counts as its digits.
        contact_id: Contact the API says it calls.
        created_at: As the API said.
        messages: What the API says went wrong.
    """

    call_id: str = ""
    contact_id: str = ""
    created_at: str = ""
    messages: tuple[str, ...] = ()


def read_answer(body: bytes) -> Answer:
    """
    Read what arrived of a JSON answer; the first value of a field counts.

    Bare fields and those under ``data`` are the same. Never raises: what is not JSON ends the
    reading, and what was found before it stands.
    """
    text = body.removeprefix(codecs.BOM_UTF8).decode("utf-8", "replace")
    return _usual_answer(text) or _any_answer(text)


def _usual_answer(text: str) -> Answer | None:
    """
    What :func:`_any_answer` finds, of an answer as it should be; None of any other.

    Four times as quick, and nearly every answer is one.
    """
    if not text.isascii() or "\\" in text or max(map(text.count, _ONCE)) > 1:
        return None
    try:
        bare = _DECODE(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(bare, dict) or "message" in bare or "error" in bare:
        return None
    data = bare.get("data")
    found = {**data, **bare} if isinstance(data, dict) else bare
    fields = [found.get(name, "") for name in _FIELDS]
    if {*map(type, fields)} != {str}:
        return None
    call_id, contact_id, created_at = [plain(field.strip(), limit=_LONGEST) for field in fields]
    return Answer(call_id=call_id, contact_id=contact_id, created_at=created_at)


def _any_answer(text: str) -> Answer:
    found: dict[str, str] = {}
    messages: list[str] = []
    fallbacks: list[str] = []
    for path, lexeme in _values(text):
        is_text = lexeme[0] == '"'
        if path[-1] in _FIELDS and path in ((path[-1],), ("data", path[-1])):
            value = _unquoted(lexeme).strip() if is_text else _digits(lexeme)
            if value:
                found.setdefault(path[-1], plain(value, limit=_LONGEST))
        elif is_text and path in _MESSAGES:
            messages.append(_unquoted(lexeme))
        elif is_text and path in _FALLBACKS:
            fallbacks.append(_unquoted(lexeme))
    return Answer(
        call_id=found.get("call_id", ""),
        contact_id=found.get("contact_id", ""),
        created_at=found.get("created_at", ""),
        messages=tuple(messages or fallbacks),
    )


def _values(text: str) -> Iterator[tuple[tuple[str, ...], str]]:
    """Complete values near the top with their keys ("" in a list), as far as *text* is JSON."""
    keys: list[str] = []
    open_marks: list[str] = []
    at_key = False
    for lexeme, is_last in _lexemes(text):
        if lexeme in ("{", "["):
            keys.append("")
            open_marks.append(lexeme)
            at_key = lexeme == "{"
        elif not open_marks:
            return
        elif lexeme in ("}", "]"):
            if (open_marks.pop() == "{") != (lexeme == "}"):
                return
            keys.pop()
        elif lexeme in (",", ":"):
            at_key = lexeme == "," and open_marks[-1] == "{"
        elif at_key:
            keys[-1] = _unquoted(lexeme) if len(keys) <= _DEPTH else ""
        elif len(keys) <= _DEPTH and not (is_last and lexeme[0] != '"'):
            yield tuple(keys), lexeme


def _lexemes(text: str) -> Iterator[tuple[str, bool]]:
    """Lexemes up to the end of the first value, and whether it is the last: then it may be cut."""
    position = depth = 0
    while match := _LEXEME.match(text, position):
        position = match.end()
        lexeme = match[1]
        yield lexeme, position == len(text)
        depth += (lexeme in ("{", "[")) - (lexeme in ("}", "]"))
        if depth <= 0:
            return


def _unquoted(lexeme: str) -> str:
    if lexeme[0] != '"':
        return lexeme
    text = lexeme[1:-1]
    if "\\" in text:
        with contextlib.suppress(ValueError):  # an escape that JSON does not know
            text = str(_DECODE(lexeme))
    if text.isascii():
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _digits(lexeme: str) -> str:
    return lexeme if _WHOLE_NUMBER.fullmatch(lexeme) else ""
