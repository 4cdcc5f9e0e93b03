"""Values that nobody wants spoken by an agent."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Oddity:
    """
    A kind of value that is probably a mistake.

    Attributes:
        code: Of the remark.
        hints: Every such value holds one of these; looking for them is cheap.
        pattern: The part of a value that is shown; works on values joined by line feeds too.
        reason: What is wrong, with the remedy.
    """

    code: str
    hints: tuple[str, ...]
    pattern: re.Pattern[str]
    reason: str

    def is_in(self, joined: str) -> bool:
        """True when one of the values that are *joined* by line feeds is such a value."""
        for hint in self.hints:  # a generator would cost more than the search
            if hint in joined:
                return self.pattern.search(joined) is not None
        return False


ODDITIES = (
    Oddity(
        code="value_midnight",
        hints=("00:00",),
        pattern=re.compile(r"(?:^|(?<=[ T]))00:00(?::00(?:\.0+)?)?Z?$", re.MULTILINE),
        reason="a time of midnight would be spoken; format the column as a date without a time",
    ),
    Oddity(
        code="value_placeholder",
        hints=("{{",),
        pattern=re.compile(r"\{\{[^{}\n]{0,40}(?:\}\})?"),
        reason="a placeholder was never filled in; put the value in its place",
    ),
    Oddity(
        code="value_html",
        hints=("<", "&"),
        pattern=re.compile(
            r"</?[a-zA-Z][a-zA-Z0-9]{0,15}(?=[ \t/>])|&(?:nbsp|amp|lt|gt|quot|#[0-9]{1,6});"
        ),
        reason="HTML would be spoken; write plain text",
    ),
    Oddity(
        code="value_long_decimals",
        hints=(".", ","),
        pattern=re.compile(r"[0-9][.,][0-9]{5,20}"),
        reason="a number with many decimals would be spoken; round it, or give the column a format "
        "in additional_data.format",
    ),
    Oddity(
        code="value_nan",
        hints=("nan", "NaN", "NAN", "NaT", "null", "Null", "NULL", "none", "None", "undefined"),
        pattern=re.compile(r"^(?:nan|nat|null|none|undefined)$", re.MULTILINE | re.IGNORECASE),
        reason="a program's word for nothing would be spoken; empty the cell",
    ),
)
