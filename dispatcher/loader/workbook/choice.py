"""Which sheet of a workbook is meant."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from dispatcher.errors import SheetRefused
from dispatcher.loader.header import LOOK_AHEAD_ROWS
from dispatcher.loader.options import ReadOptions, Wanted
from dispatcher.loader.workbook.shaping import Preview

_MOST_NAMED = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """
    A sheet that might be meant.

    Attributes:
        name: What its tab says.
        visible: The person sees its tab.
        has_cells: It is a worksheet and no chart, dialog or macro sheet.
        look: Reads its beginning; asking again costs nothing.
    """

    name: str
    visible: bool
    has_cells: bool
    look: Callable[[], Preview]


def choose_sheet(
    candidates: Sequence[Candidate], *, file: str, options: ReadOptions, wanted: Wanted
) -> Candidate:
    """
    Find the sheet that is meant: the one that was named; else the only visible one with anything
    in it; else the only one of these that has the required column.

    Args:
        candidates: The sheets in the order of their tabs.
        file: The file as it was given.
        options: ``sheet`` names one, a hidden one too; without regard to case if need be.
        wanted: Says whether a row has the required column.

    Raises:
        SheetRefused: No sheet or several would do, or there is none of that name.
    """
    if options.sheet:
        return _named(candidates, options.sheet, file=file)
    filled = [c for c in candidates if c.visible and c.has_cells and c.look().first]
    if not filled:
        raise _nothing_visible(candidates, file=file)
    if len(filled) == 1:
        return filled[0]
    suited = [c for c in filled if _has_header(c, options, wanted)]
    if len(suited) == 1:
        return suited[0]
    raise SheetRefused(
        f"{file}: several sheets have rows: {_names(suited or filled)}",
        hint="say which one: --sheet NAME",
    )


def _named(candidates: Sequence[Candidate], name: str, *, file: str) -> Candidate:
    exact = [c for c in candidates if c.name == name]
    alike = [c for c in candidates if _folded(c.name) == _folded(name)]
    found = exact or alike
    if len(found) != 1:
        many = "several sheets" if found else "no sheet"
        raise SheetRefused(
            f'{file}: has {many} named "{name}"', hint=f"its sheets are {_names(candidates)}"
        )
    if not found[0].has_cells:
        raise SheetRefused(
            f'{file}: sheet "{name}" is a chart or macro sheet and has no rows',
            hint=f"its sheets are {_names(candidates)}",
        )
    return found[0]


def _nothing_visible(candidates: Sequence[Candidate], *, file: str) -> SheetRefused:
    hidden = [c for c in candidates if not c.visible and c.has_cells]
    if not hidden:
        return SheetRefused(f"{file}: has no rows", hint="save the sheet again and look at it")
    return SheetRefused(
        f"{file}: no visible sheet has any rows",
        hint=f"to read a hidden one, name it with --sheet: {_names(hidden)}",
    )


def _has_header(candidate: Candidate, options: ReadOptions, wanted: Wanted) -> bool:
    preview = candidate.look()
    if options.header_row:
        row = next((row for row in preview.rows() if row.number >= options.header_row), None)
        return row is not None and row.number == options.header_row and wanted(row.cells)
    return any(wanted(row.cells) for row in preview.first[:LOOK_AHEAD_ROWS])


def _folded(name: str) -> str:
    return name.strip().casefold()


def _names(candidates: Sequence[Candidate]) -> str:
    more = f" and {len(candidates) - _MOST_NAMED} more" if len(candidates) > _MOST_NAMED else ""
    return ", ".join(f'"{c.name}"' for c in candidates[:_MOST_NAMED]) + more
