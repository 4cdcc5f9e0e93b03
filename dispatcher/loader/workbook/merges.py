"""Merged cells: where a cell is empty only because it was merged with a neighbour."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from dispatcher.loader.workbook.cell_names import cell_name, position
from dispatcher.loader.workbook.markup import Attributes, for_each, local_name
from dispatcher.loader.workbook.package import MOST_UNPACKED, Package
from dispatcher.loader.workbook.refusal import unreadable
from dispatcher.loader.workbook.shaping import RawRow, holds_anything
from dispatcher.model import Flaw, FlawKind

MOST_MERGES = 200_000
_MARK = b"mergeCell"


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Merge:
    """A block of cells merged into its first; rows count from 1, columns from 0."""

    first_row: int
    first_column: int
    last_row: int
    last_column: int


def merges_of(package: Package, part: str) -> tuple[Merge, ...]:
    """
    Find the merged cells of a worksheet; its part lists them after all rows.

    The bytes are searched first, for few sheets have any and parsing takes far longer.

    Raises:
        SheetRefused: The part is damaged or no valid XML, or lists more than MOST_MERGES.
    """
    if not _mentions_merges(package.chunks(part)):
        return ()
    found: list[Merge] = []

    def begin(element: str, attributes: Attributes) -> None:
        if local_name(element) == "mergeCell":
            merge = _merge(attributes.get("ref", ""))
            if merge is not None:
                found.append(merge)
        if len(found) > MOST_MERGES:
            raise unreadable(package.file, f"more than {MOST_MERGES:,} merged cells")

    for_each(package, part, begin, limit=MOST_UNPACKED)
    return tuple(sorted(found))


def with_merges(
    rows: Iterator[RawRow], merges: Sequence[Merge], *, width: int, file: str
) -> Iterator[RawRow]:
    """
    Add a flaw to each cell that a merge covers, its first cell left out.

    Args:
        rows: From the first row down; those that are blank stay as they are.
        merges: In order of their first row.
        width: Number of columns that matter.
        file: The name to use in messages.

    Raises:
        SheetRefused: More merges reach into a row than it has columns.
    """
    sweep = _Sweep(merges, width=width, file=file)
    if not sweep.is_needed:
        yield from rows
        return
    for row in rows:
        flaws = tuple(sweep.flaws(row.number)) if holds_anything(row) else ()
        yield row._replace(flaws=row.flaws + flaws) if flaws else row


def _mentions_merges(chunks: Iterator[bytes]) -> bool:
    before = b""
    for chunk in chunks:
        # UTF-16 puts a NUL beside each letter; such a part is rare and simply parsed.
        if not before and b"\0" in chunk[:64]:
            return True
        if _MARK in before + chunk:
            return True
        before = chunk[-len(_MARK) :]
    return False


def _merge(reference: str) -> Merge | None:
    start, _, end = reference.partition(":")
    first, last = position(start), position(end or start)
    if first is None or last is None:
        return None
    return Merge(
        first_row=min(first[1], last[1]),
        first_column=min(first[0], last[0]),
        last_row=max(first[1], last[1]),
        last_column=max(first[0], last[0]),
    )


class _Sweep:
    """The merged cells that reach into the current row, on one pass from the first row down."""

    def __init__(self, merges: Iterable[Merge], *, width: int, file: str) -> None:
        """
        Begin a pass.

        Args:
            merges: In order of their first row.
            width: Number of columns that matter.
            file: The name to use in messages.
        """
        self._coming = [merge for merge in merges if merge.first_column < width][::-1]
        self.is_needed = bool(self._coming)
        self._here: list[Merge] = []
        self._width = width
        self._file = file

    def flaws(self, row: int) -> Iterator[Flaw]:
        """
        Yield a flaw for each cell of a row that a merge covers, its first cell left out.

        Args:
            row: Row number; never smaller than at the call before.

        Raises:
            SheetRefused: More merges reach into the row than it has columns.
        """
        while self._coming and self._coming[-1].first_row <= row:
            self._here.append(self._coming.pop())
        self._here = [merge for merge in self._here if merge.last_row >= row]
        if len(self._here) > self._width:
            raise unreadable(self._file, f"merged cells overlap in row {row}")
        for merge in self._here:
            yield from self._covered(merge, row)

    def _covered(self, merge: Merge, row: int) -> Iterator[Flaw]:
        anchor = cell_name(merge.first_column, merge.first_row)
        for column in range(merge.first_column, min(merge.last_column + 1, self._width)):
            if (column, row) != (merge.first_column, merge.first_row):
                name = cell_name(column, row)
                yield Flaw(
                    kind=FlawKind.MERGED,
                    column=column,
                    message=f"{name} is merged with {anchor}: unmerge the cells and fill it in",
                )
