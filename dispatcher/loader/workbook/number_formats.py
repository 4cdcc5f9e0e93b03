"""What a number format makes of a number, as far as it changes what a person reads."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class FormKind(StrEnum):
    """What a number is shown as."""

    PLAIN = "plain"  # the number itself; also currencies, thousands, fractions, scientific
    DATE = "date"
    DATE_TIME = "date_time"
    TIME = "time"
    DURATION = "duration"  # hours that do not stop at 24
    PERCENT = "percent"
    ZEROS = "zeros"  # filled up with zeros to a fixed width


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberForm:
    """
    How a number is to be shown.

    Attributes:
        kind: What as.
        decimals: Of a percentage, the digits after the point that are always shown.
        most_decimals: Of a percentage, the digits after the point that may be shown.
        grouped: Of a percentage, whether thousands are set apart.
        template: Of a zero format, its pieces in order: ``PLACE`` for a digit, else literal text.
    """

    kind: FormKind
    decimals: int = 0
    most_decimals: int = 0
    grouped: bool = False
    template: tuple[str, ...] = ()


PLACE = "\0"
MOST_DECIMALS = 30  # Excel's own limit
PLAIN = NumberForm(kind=FormKind.PLAIN)

_TOKEN = re.compile(
    r"""
      "[^"]*"?             # quoted text
    | \\. | _. | \*.       # one literal character, a gap, a filler
    | \[[^\]]*\]           # colour, condition, currency, language, elapsed time
    | General
    | AM/PM | A/P
    | E[+-]                # scientific
    | s\.0+                # parts of a second
    | .
    """,
    re.IGNORECASE | re.VERBOSE | re.DOTALL,
)
_ELAPSED = re.compile(r"\[(h+|m+|s+)\]", re.IGNORECASE)
_MOST_CODE = 1_000  # characters; Excel stops at 255
_LITERALS = frozenset("0 -+():!^&'~{}<>=")  # the zero, and what Excel shows without quotes

# ECMA-376 part 1, 18.8.30: formats that files name by number only. The East Asian ones from 27
# mean a date in one language and a time in another; those show both parts.
_DATE = NumberForm(kind=FormKind.DATE)
_DATE_TIME = NumberForm(kind=FormKind.DATE_TIME)
_TIME = NumberForm(kind=FormKind.TIME)
_DURATION = NumberForm(kind=FormKind.DURATION)
_BUILT_IN: tuple[tuple[NumberForm, Sequence[int]], ...] = (
    (_DATE, (14, 15, 16, 17, 27, 28, 29, 30, 31, 36, 50, 51, 52, 53, 54, 57, 58)),
    (_DATE, (71, 72, 73, 74, 81)),
    (_DATE_TIME, (22, 34, 35, 55, 56, 77)),
    (_TIME, (18, 19, 20, 21, 32, 33, 45, 47, 75, 76, 78, 80)),
    (_DURATION, (46, 79)),
    (NumberForm(kind=FormKind.PERCENT), (9, 67)),
    (NumberForm(kind=FormKind.PERCENT, decimals=2, most_decimals=2), (10, 68)),
)


def built_in_forms() -> dict[int, NumberForm]:
    """Return the forms of the formats that have a number but no code in the file."""
    return {number: form for form, numbers in _BUILT_IN for number in numbers}


def form_of(code: str) -> NumberForm:
    """
    Read a number format.

    Only its first section counts, the one for positive numbers.

    Args:
        code: As the file has it, e.g. ``dd/mm/yyyy;@`` or ``[$-409]0.00%``.
    """
    if len(code) > _MOST_CODE:
        return PLAIN
    tokens = _first_section(code)
    if any(_ELAPSED.fullmatch(token) for token in tokens):
        return _DURATION
    bare = [token.lower() for token in tokens if not _is_hidden(token)]
    if not {"0", "#", "?"}.isdisjoint(bare):  # never in a date; "ss.000" is one token
        return _digits_form(tokens, bare)
    return _date_form(bare)


def _first_section(code: str) -> list[str]:
    tokens: list[str] = []
    for match in _TOKEN.finditer(code):
        if match.group() == ";":
            break
        tokens.append(match.group())
    return tokens


def _is_hidden(token: str) -> bool:
    """Return whether a token is literal text, a gap, a filler or a remark in brackets."""
    return token[0] in '"\\_*['


def _date_form(bare: list[str]) -> NumberForm:
    letters = {token[0] for token in bare if token not in {"general", "e+", "e-"}}
    has_time = not letters.isdisjoint("hs") or not {"am/pm", "a/p"}.isdisjoint(bare)
    has_date = not letters.isdisjoint("yd") or ("m" in letters and not has_time)
    if has_date:
        return _DATE_TIME if has_time else _DATE
    return _TIME if has_time else PLAIN


def _digits_form(tokens: list[str], bare: list[str]) -> NumberForm:
    if bare.count("%") == 1:
        return _percent_form(bare)
    zeros = bare.count("0")
    if zeros > 1 and _LITERALS.issuperset(bare):
        return NumberForm(kind=FormKind.ZEROS, template=tuple(map(_piece, tokens)))
    return PLAIN


def _percent_form(bare: list[str]) -> NumberForm:
    point = bare.index(".") if "." in bare else len(bare)
    after = [token for token in bare[point:] if token in {"0", "#", "?"}]
    return NumberForm(
        kind=FormKind.PERCENT,
        decimals=min(after.count("0"), MOST_DECIMALS),
        most_decimals=min(len(after), MOST_DECIMALS),
        grouped="," in bare[:point],
    )


def _piece(token: str) -> str:
    match token[0]:
        case "0":
            return PLACE
        case '"':
            return token.strip('"')
        case "\\":
            return token[1:]
        case "_" | "*" | "[":
            return ""
        case _:
            return token
