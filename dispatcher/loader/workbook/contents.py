"""The table of contents of a workbook: its sheets, and what holds for all of them."""

from __future__ import annotations

from dataclasses import dataclass

from dispatcher.errors import SheetRefused
from dispatcher.loader.workbook.markup import (
    SPREADSHEET_NAMESPACES,
    Attributes,
    attribute,
    for_each,
    is_true,
    local_name,
    namespace_of,
)
from dispatcher.loader.workbook.package import Package
from dispatcher.loader.workbook.refusal import unsafe
from dispatcher.loader.workbook.relations import Relation, relations_of, workbook_part

MOST_SHEETS = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class SheetEntry:
    """
    A sheet as the workbook lists it.

    Attributes:
        name: What its tab says.
        part: Name of its part, "" where the workbook does not say.
        visible: The person sees its tab.
        has_cells: It is a worksheet and no chart, dialog or macro sheet.
    """

    name: str
    part: str
    visible: bool
    has_cells: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """
    What a workbook says about itself.

    Attributes:
        sheets: In the order of their tabs.
        from_1904: Days are counted from 1904-01-01.
        uncomputed: Its writer left the formulas to be computed by whoever opens it.
        styles: Name of the part with the style table, or "".
        texts: Name of the part with the shared texts, or "".
    """

    sheets: tuple[SheetEntry, ...]
    from_1904: bool
    uncomputed: bool
    styles: str
    texts: str


@dataclass(slots=True, kw_only=True)
class _Listing:
    root: str = ""
    from_1904: bool = False
    uncomputed: bool = False
    sheets: list[tuple[str, str, str]]  # name, relation, state


def contents_of(package: Package) -> Contents:
    """
    Read what a workbook says about itself.

    Raises:
        SheetRefused: It is no workbook, or its table of contents is damaged.
    """
    part = workbook_part(package)
    if not part:
        raise _no_workbook(package.file)
    listing = _listing(package, part)
    relations = relations_of(package, part)
    by_id = {relation.id: relation for relation in relations}
    return Contents(
        sheets=tuple(_entry(by_id.get(id_), name, state) for name, id_, state in listing.sheets),
        from_1904=listing.from_1904,
        uncomputed=listing.uncomputed,
        styles=_target(relations, "styles"),
        texts=_target(relations, "sharedStrings"),
    )


def _listing(package: Package, part: str) -> _Listing:
    listing = _Listing(sheets=[])

    def begin(element: str, attributes: Attributes) -> None:
        name = local_name(element)
        if not listing.root:
            listing.root = name
            if name != "workbook" or namespace_of(element) not in SPREADSHEET_NAMESPACES:
                raise _no_workbook(package.file)
        elif name == "workbookPr":
            listing.from_1904 = is_true(attributes.get("date1904"))
        elif name == "calcPr":
            listing.uncomputed = is_true(attributes.get("fullCalcOnLoad"))
        elif name == "sheet":
            state = attributes.get("state", "visible")
            listing.sheets.append((attributes.get("name", ""), attribute(attributes, "id"), state))
            if len(listing.sheets) > MOST_SHEETS:
                raise unsafe(package.file, f"more than {MOST_SHEETS:,} sheets")

    for_each(package, part, begin)
    return listing


def _entry(relation: Relation | None, name: str, state: str) -> SheetEntry:
    return SheetEntry(
        name=name,
        part=relation.target if relation else "",
        visible=state.lower() not in {"hidden", "veryhidden"},
        has_cells=relation is None or relation.kind == "worksheet",
    )


def _target(relations: tuple[Relation, ...], kind: str) -> str:
    return next((relation.target for relation in relations if relation.kind == kind), "")


def _no_workbook(file: str) -> SheetRefused:
    return SheetRefused(
        f"{file}: not an Excel workbook, whatever its name says",
        hint="save the sheet as .xlsx or .csv",
    )
