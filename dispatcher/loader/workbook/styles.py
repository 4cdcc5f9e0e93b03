"""The style table of a workbook: which cells are dates, percentages or filled with zeros."""

from __future__ import annotations

from dispatcher.loader.workbook.markup import Attributes, for_each, local_name
from dispatcher.loader.workbook.number_formats import (
    PLAIN,
    NumberForm,
    built_in_forms,
    form_of,
)
from dispatcher.loader.workbook.package import Package

MOST_FORMATS = 100_000  # Excel stops at 64,000 styles


class Styles:
    """The number form of each style index, which cells give as text."""

    def __init__(self, forms: list[NumberForm]) -> None:
        self._forms: dict[str | None, NumberForm] = {str(i): form for i, form in enumerate(forms)}
        self._forms[None] = self._forms[""] = forms[0] if forms else PLAIN

    def form(self, index: str | None) -> NumberForm:
        """Return the form of a style: the first for no index, plain for one that is not there."""
        return self._forms.get(index, PLAIN)


def styles_of(package: Package, part: str) -> Styles:
    """
    Read the style table.

    Args:
        package: The workbook.
        part: Name of the part, "" for a workbook without one.

    Raises:
        SheetRefused: The part is damaged or no valid XML.
    """
    if not part or not package.has(part):
        return Styles([])
    codes: dict[str, NumberForm] = {str(n): form for n, form in built_in_forms().items()}
    numbers: list[str] = []
    section = ""

    def begin(element: str, attributes: Attributes) -> None:
        nonlocal section
        name = local_name(element)
        if name in {"cellXfs", "cellStyleXfs", "numFmts", "dxfs", "cellStyles"}:
            section = name
        elif name == "numFmt" and section == "numFmts" and len(codes) < MOST_FORMATS:
            codes[attributes.get("numFmtId", "")] = form_of(attributes.get("formatCode", ""))
        elif name == "xf" and section == "cellXfs" and len(numbers) < MOST_FORMATS:
            numbers.append(attributes.get("numFmtId", "0"))

    for_each(package, part, begin)
    return Styles([codes.get(number, PLAIN) for number in numbers])
