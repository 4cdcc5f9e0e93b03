"""Values that nobody wants spoken by an agent."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Oddity:
    """
    A kind of value that is probably a mistake.

    Both kinds of patterns work on many values at once, see ``is_in``.

    Attributes:
        code: Of the remark.
        traces: Every such value holds one of these. Each begins with a fixed character, which
            makes the search through values without it almost free.
        pattern: The part of a value that is shown.
        reason: What is wrong, with the remedy.
    """

    code: str
    traces: tuple[re.Pattern[str], ...]
    pattern: re.Pattern[str]
    reason: str

    def is_in(self, values: str) -> bool:
        """True when one of *values*, with a line feed before and behind each, is such a value."""
        for trace in self.traces:  # a generator would cost more than the search
            if trace.search(values):
                return self.pattern.search(values) is not None
        return False


_NOTHING = "(?:nan|NaN|NAN|NaT|null|Null|NULL|none|None|undefined)"

ODDITIES = (
    Oddity(
        code="value_midnight",
        traces=(re.compile("00:00"),),
        pattern=re.compile(r"(?:^|(?<=[ T]))00:00(?::00(?:\.0+)?)?Z?$", re.MULTILINE),
        reason="a time of midnight would be spoken; format the column as a date without a time",
    ),
    Oddity(
        code="value_placeholder",
        traces=(re.compile(r"\{\{"),),
        pattern=re.compile(r"\{\{[^{}\n]{0,40}(?:\}\})?"),
        reason="a placeholder was never filled in; put the value in its place",
    ),
    Oddity(
        code="value_html",
        traces=(re.compile("<[/a-zA-Z]"), re.compile("&[#a-z]")),
        pattern=re.compile(
            r"</?[a-zA-Z][a-zA-Z0-9]{0,15}(?=[ \t/>])|&(?:nbsp|amp|lt|gt|quot|#[0-9]{1,6});"
        ),
        reason="HTML would be spoken; write plain text",
    ),
    Oddity(
        code="value_long_decimals",
        traces=(re.compile(r"\.[0-9]{5}"), re.compile(",[0-9]{5}")),
        pattern=re.compile(r"[0-9][.,][0-9]{5,20}"),
        reason="a number with many decimals would be spoken; round it, or give the column a format "
        "in additional_data.format",
    ),
    Oddity(
        code="value_scientific",
        traces=tuple(map(re.compile, (r"E\+[0-9]", r"e\+[0-9]", "E-[0-9]+\n", "e-[0-9]+\n"))),
        pattern=re.compile(r"^[+-]?[0-9]+(?:[.,][0-9]+)?[eE][+-][0-9]{1,3}$", re.MULTILINE),
        reason="a number with an exponent would be spoken; format the column as a number with all "
        "its digits",
    ),
    Oddity(
        code="value_formula",
        traces=(re.compile("\n[=']"),),
        pattern=re.compile(r"^(?:=[^=\n][^\n]{0,29}|'[=+-]?[0-9][0-9.,]*$)", re.MULTILINE),
        reason="a formula, or the apostrophe that keeps a number as text, would be spoken; leave "
        "only the value in the cell",
    ),
    Oddity(
        code="value_nan",
        traces=(re.compile(f"\n{_NOTHING}\n"),),
        pattern=re.compile(f"^{_NOTHING}$", re.MULTILINE),
        reason="a program's word for nothing would be spoken; empty the cell",
    ),
)
