"""What in the text of a cell cannot be meant."""

from __future__ import annotations

import re

# Control characters other than tab and line breaks, and halves of characters (lone surrogates).
CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff]")

# What Excel and Google Sheets show for a formula without a result, in English, Spanish and
# Portuguese.
_ERRORS = frozenset(
    {
        "#N/A",
        "#REF!",
        "#VALUE!",
        "#DIV/0!",
        "#NAME?",
        "#NULL!",
        "#NUM!",
        "#SPILL!",
        "#CALC!",
        "#FIELD!",
        "#BLOCKED!",
        "#CONNECT!",
        "#BUSY!",
        "#UNKNOWN!",
        "#GETTING_DATA",
        "#N/D",
        "#¡REF!",
        "#¡VALOR!",
        "#VALOR!",
        "#¡DIV/0!",
        "#¿NOMBRE?",
        "#NOME?",
        "#¡NULO!",
        "#NULO!",
        "#¡NUM!",
        "#NÚM!",
        "#¡DESBORDAMIENTO!",
        "#¡CALC!",
        "#DESPEJAR!",
        "#¡CAMPO!",
        "#CAMPO!",
        "#CÁLC!",
        "#¡BLOQUEADO!",
        "#BLOQUEADO!",
        "#¡CONECTAR!",
        "#CONECTAR!",
        "#¡OCUPADO!",
        "#OCUPADO!",
        "#¡DESCONOCIDO!",
        "#DESCONHECIDO!",
        "#ERROR!",
    }
)
_LIBRE_OFFICE_ERROR = re.compile(r"Err:[0-9]{3}")
_TOO_NARROW = re.compile("#{3,}")

# How exports keep a spreadsheet from changing a number: as a formula, or marked as text.
_KEPT_FROM_CHANGE = frozenset("='")

# What Excel makes of a long number in a column that is not text, and what pandas adds to one.
# Nothing in it could match in two ways, so it never tries again: most ids begin with digits.
_NUMERIC = re.compile(r"[+-]?[0-9]++([.,][0-9]++)?+([eE][+-]?[0-9]++)?+")


def has_control(text: str) -> bool:
    """True when *text* holds a character that is neither seen nor a line break or tab."""
    return not text.isprintable() and CONTROL.search(text) is not None


def is_error(text: str) -> bool:
    """True when *text* is what a spreadsheet shows in place of a result, e.g. ``#N/A``."""
    if "#" in text:
        return text.strip().upper() in _ERRORS or is_too_narrow(text)
    return "Err:" in text and _LIBRE_OFFICE_ERROR.fullmatch(text.strip()) is not None


def is_too_narrow(text: str) -> bool:
    """True when *text* is what Excel saves, as text, of a column too narrow for its numbers."""
    return _TOO_NARROW.fullmatch(text.strip()) is not None


def damage_of(identifier: str) -> str:
    """
    The code of what a spreadsheet did to *identifier* (trimmed), or "".

    ``id_formula`` for ``="00123"`` or ``'00123``.
    ``id_scientific`` for ``1.23E+11``; ``id_decimal`` for ``123.0``; ``id_white_space`` for white
    space or invisible characters inside. ``1e5`` is left alone: it may well be an id.
    """
    if identifier[:1] in _KEPT_FROM_CHANGE:
        return "id_formula"
    if " " in identifier or not identifier.isprintable():
        return "id_white_space"
    match = _NUMERIC.fullmatch(identifier)
    if match is None:
        return ""
    fraction, exponent = match.groups()
    if exponent:
        return "id_scientific" if fraction or exponent[1] in "+-" else ""
    return "id_decimal" if fraction and not fraction[1:].strip("0") else ""
