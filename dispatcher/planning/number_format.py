"""Numbers of additional data as the person wants them spoken."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal

from dispatcher.errors import UsageProblem

# One pair of braces with a numeric form: nothing that reaches attributes, items or other fields,
# and no width that fills a megabyte.
_FORMAT = re.compile(
    r"(?P<before>[^{}]{0,100})"
    r"\{(?::(?P<spec>[-+ ]?0?[0-9]{0,2},?(?:\.[0-9]{1,2})?[fd%]?))?\}"
    r"(?P<after>[^{}]{0,100})"
)
_NUMBER = re.compile(r"-?[0-9]{1,40}(?:\.[0-9]{1,40})?")
# Fourteen thousand in one country and fourteen in another.
_THOUSANDS = re.compile(r"-?[1-9][0-9]{0,2}\.[0-9]{3}")

WIDEST = 500  # characters that a format can add to a number


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberFormat:
    """
    A checked format string, e.g. ``$ {:,.2f}``.

    Attributes:
        before: Text before the number.
        spec: Python's numeric form.
        after: Text behind the number.
        is_typed: The numbers were typed (CSV), so that ``14.058`` may mean two things.
    """

    before: str
    spec: str
    after: str
    is_typed: bool

    def apply(self, text: str) -> str | None:
        """*text* in this format, or None where it is not plainly a number."""
        text = text.strip()
        if not _NUMBER.fullmatch(text) or (self.is_typed and _THOUSANDS.fullmatch(text)):
            return None
        number = Decimal(text)
        if not self.spec.endswith("d"):
            return f"{self.before}{number:{self.spec}}{self.after}"
        if number != int(number):
            return None
        return f"{self.before}{int(number):{self.spec}}{self.after}"


def parse_format(header: str, text: str, *, is_typed: bool) -> NumberFormat:
    """The format of the column *header*; UsageProblem where *text* is none for numbers."""
    match = _FORMAT.fullmatch(text)
    spec = (match["spec"] or "") if match else ""
    if match is None or not _is_sound(spec):
        raise UsageProblem(
            f"additional_data.format for {header!r} is not a format for numbers",
            hint='write it like "{:,.2f}", with text before or after if you like',
        )
    return NumberFormat(before=match["before"], spec=spec, after=match["after"], is_typed=is_typed)


def _is_sound(spec: str) -> bool:
    """Python itself takes the form (``{:.2d}`` it does not)."""
    try:
        format(1 if spec.endswith("d") else Decimal(1), spec)
    except ValueError:
        return False
    return True
