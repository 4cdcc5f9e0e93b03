"""The rows of a worksheet, as a stream over its XML in constant memory."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from functools import lru_cache, partial
from itertools import chain
from typing import NoReturn
from xml.etree.ElementTree import Element

from dispatcher.loader.workbook.cell_names import (
    COLUMN_INDICES,
    COLUMN_NAMES,
    MOST_COLUMNS,
    MOST_ROWS,
    cell_name,
    position,
)
from dispatcher.loader.workbook.cells import Book, cell_reader, flaw_of
from dispatcher.loader.workbook.markup import (
    SPREADSHEET_NAMESPACES,
    is_true,
    local_name,
    namespace_of,
)
from dispatcher.loader.workbook.number_text import CellFault
from dispatcher.loader.workbook.package import Package
from dispatcher.loader.workbook.pieces import stands_alone
from dispatcher.loader.workbook.plain_rows import PlainRows
from dispatcher.loader.workbook.refusal import unreadable, unsafe
from dispatcher.loader.workbook.row_runs import RowRuns
from dispatcher.loader.workbook.shaping import RawRow
from dispatcher.loader.workbook.shared_strings import (
    CELL_LIMIT,
    DanglingReferenceError,
    text_of,
)
from dispatcher.loader.workbook.tree import Tree
from dispatcher.loader.workbook.wordings import Wordings
from dispatcher.model import Flaw, FlawKind

_ROWS = "sheetData"
_ROWS_TAG = b"<sheetData>"
_ROW_END = "</row>"
_LONGEST_WAIT = 256 * 1024  # bytes kept until a tag comes that is looked for
_KEPT_READERS = 1024  # of types and styles
_TEXT_MATTERS_FROM = 128 * 1024**2  # characters
_MOST_TEXT_RATIO = 40  # characters of a sheet's cells to bytes of its XML and shared texts
_ROW_DIGITS = 7
_UNCOMPUTED = CellFault(
    kind=FlawKind.NO_VALUE,
    shown="a formula that was never computed: open the file in Excel and save it",
)


class RowStream:
    """
    One pass over a worksheet.

    Attributes:
        hidden_columns: (first, last) indices of hidden columns, known with the first row.
    """

    def __init__(self, package: Package, part: str, book: Book) -> None:
        self.hidden_columns: list[tuple[int, int]] = []
        self._package = package
        self._part = part
        self._uncomputed = book.uncomputed
        self._texts = book.texts
        self._shared = book.texts.named
        self._reader = lru_cache(_KEPT_READERS)(partial(cell_reader, book))
        ratio_room = _MOST_TEXT_RATIO * (package.size(part) + book.texts.size)
        self._room = max(_TEXT_MATTERS_FROM, ratio_room)
        self._is_row = self._is_cell = self._is_value = ""
        self._default_hidden = False
        self._number = 0
        self._column = -1

    def __iter__(self) -> Iterator[RawRow]:
        """
        Read the rows that hold anything, in file order; once.

        Raises:
            SheetRefused: The part is damaged or unsafe, or says something no reader may guess at.
        """
        tree = Tree(self._package, self._part, _ROWS, before=self._before_rows)
        chunks = self._package.chunks(self._part)
        left, is_usual = yield from self._up_to_rows(tree, chunks)
        if is_usual:
            left = yield from self._one_by_one(tree, chain([left], chunks))
        for chunk in chain([left], chunks):
            yield from self._rows(tree.feed(chunk))
        yield from self._rows(tree.finish())

    def _up_to_rows(
        self, tree: Tree, chunks: Iterator[bytes]
    ) -> Generator[RawRow, None, tuple[bytes, bool]]:
        """
        Read up to the first row, if the tag before it is a usual one.

        Returns:
            The bytes that follow, and whether rows stand there by names without a prefix.
        """
        head = b""
        for chunk in chunks:
            head += chunk
            if _ROWS_TAG in head or len(head) > _LONGEST_WAIT:
                break
        before, tag, left = head.partition(_ROWS_TAG)
        if not tag:
            return head, False
        yield from self._rows(tree.feed(before))
        if tree.container_tag():
            return tag + left, False
        tree.feed(tag)
        namespace = self._is_row.removesuffix("row")
        return left, bool(self._is_row) and tree.container_tag() == f"{namespace}{_ROWS}"

    def _one_by_one(self, tree: Tree, chunks: Iterator[bytes]) -> Generator[RawRow, None, bytes]:
        """
        Read rows each by itself, as far as they can be told apart by their end tags alone.

        Returns:
            The bytes that are left for the tree.
        """

        def parsed(tag: str) -> Element:
            (element,) = tree.graft(tag.encode("ascii", "surrogateescape"))
            return element

        wordings = Wordings(self._reader, self._is_hidden, parsed)
        plain, runs = PlainRows(wordings), RowRuns(wordings, self._texts)
        left = b""
        for chunk in chunks:
            whole, tag, left = (left + chunk).rpartition(_ROW_END.encode())
            # What is not ASCII no pattern takes, so its encoding does not matter here.
            markup = (whole + tag).decode("ascii", "surrogateescape")
            end = yield from self._plain(markup, plain, runs, tree)
            if end < len(markup):
                return markup[end:].encode("ascii", "surrogateescape") + left
            if len(left) > _LONGEST_WAIT:
                break
            runs.learn()
        return left

    def _plain(
        self, markup: str, plain: PlainRows, runs: RowRuns, tree: Tree
    ) -> Generator[RawRow, None, int]:
        """
        Read whole rows, those of one kind together and any other by itself.

        Returns:
            Where the markup begins that is left for the tree.
        """
        at = 0
        while at < len(markup):
            run = runs.take(markup, at, after=self._number)
            if run.rows is not None:
                self._number, at = run.last, run.end
                self._count(run.size)
                yield from run.rows
            until = max(run.end, at + 1)
            while at < min(until, len(markup)):
                end = markup.index(_ROW_END, at)
                piece = markup[at:end]
                row = plain.row(piece, after=self._number)
                if row is not None:
                    runs.note(piece)
                    self._number = row.number
                    self._count(sum(map(len, row.cells)))
                    if row.cells or row.flaws:
                        yield row
                elif stands_alone(piece, "row"):
                    whole = piece.encode("ascii", "surrogateescape") + _ROW_END.encode()
                    yield from self._rows(tree.graft(whole))
                else:
                    return at
                at = end + len(_ROW_END)
        return at

    def _rows(self, elements: Iterable[Element]) -> Iterator[RawRow]:
        for element in elements:
            if element.tag != self._is_row:
                continue
            try:
                row = self._row(element)
            except DanglingReferenceError as problem:
                self._refuse(f"has cell {self._at(self._column)} with {problem}")
            if row.cells or row.flaws:
                yield row

    def _before_rows(self, element: Element) -> None:
        name = local_name(element.tag)
        if not self._is_row:
            if name != "worksheet" or namespace_of(element.tag) not in SPREADSHEET_NAMESPACES:
                self._refuse("is not a worksheet")
            prefix = element.tag.removesuffix(name)
            self._is_row, self._is_cell = f"{prefix}row", f"{prefix}c"
            self._is_value = f"{prefix}v"
        elif name == "sheetFormatPr":
            self._default_hidden = is_true(element.get("zeroHeight"))
        elif name == "cols":
            for column in element[:MOST_COLUMNS]:
                self._note_column(column)

    def _note_column(self, column: Element) -> None:
        if not is_true(column.get("hidden")) and not _is_zero(column.get("width")):
            return
        first, last = _whole(column.get("min")), _whole(column.get("max"))
        if first and last:
            self.hidden_columns.append((first - 1, min(last, MOST_COLUMNS) - 1))

    def _row(self, row: Element) -> RawRow:
        self._number = self._number_of(row)
        suffix = str(self._number)
        is_cell, is_value = self._is_cell, self._is_value
        reader, shared = self._reader, self._shared
        cells: list[str] = []
        flaws: list[Flaw] = []
        column = -1
        for cell in row:  # twelve million times in a large sheet, so nothing here is for looks
            if cell.tag != is_cell:
                continue
            column += 1
            reference = cell.get("r")
            if column == MOST_COLUMNS or (
                reference is not None and reference != COLUMN_NAMES[column] + suffix
            ):
                column = self._place(cell, column)
            parts = len(cell)
            if not parts:  # styled and empty
                continue
            self._column = column
            value = cell[0]
            if parts > 1 or value.tag != is_value:
                found = self._compound(cell)
            elif (kind := cell.get("t")) == "s":
                found = shared(value.text)
            else:
                found = reader(kind, cell.get("s"))(value.text or "")
            if isinstance(found, CellFault):
                flaws.append(flaw_of(found, column, self._number))
            text = found.text if isinstance(found, CellFault) else found
            if column == len(cells) and 0 < len(text) <= CELL_LIMIT:
                cells.append(text)
            elif text:
                self._put(text, column, cells)
        self._count(sum(map(len, cells)))
        return RawRow(self._number, cells, self._is_hidden(row), tuple(flaws))

    def _compound(self, cell: Element) -> str | CellFault:
        """Read a cell that holds more than a value, or none."""
        parts = {local_name(child.tag): child for child in cell}
        if "v" not in parts:
            if "is" in parts:
                return text_of(parts["is"])
            return _UNCOMPUTED if "f" in parts else ""
        kind, value = cell.get("t"), parts["v"].text or ""
        if "f" in parts and self._lacks_value(value, kind):
            return _UNCOMPUTED
        return self._reader(kind, cell.get("s"))(value)

    def _lacks_value(self, value: str, kind: str | None) -> bool:
        """
        Return whether a formula's value was never computed.

        Writers that cannot compute leave it empty, or write 0 or nothing and ask whoever opens
        the file to compute everything.
        """
        if self._uncomputed and kind in {None, "n", "str"} and value in {"", "0"}:
            return True
        return not value and kind != "str"

    def _number_of(self, row: Element) -> int:
        """Return the number of a row: as it says, as its first cell says, or the next one."""
        stated = row.get("r")
        following = self._number + 1
        if stated is None:
            first = position(row[0].get("r", "")) if len(row) else None
            number = first[1] if first else following
        else:
            number = _whole(stated)
        if not following <= number <= MOST_ROWS:
            self._refuse(f"has row {stated or number} after row {self._number}")
        return number

    def _place(self, cell: Element, following: int) -> int:
        """Return the column of a cell that says none, or not the one *following*."""
        reference = cell.get("r")
        if reference is None:
            if following == MOST_COLUMNS:
                self._refuse(f"has more cells in row {self._number} than a sheet has columns")
            return following
        letters = reference.rstrip("0123456789")
        column = COLUMN_INDICES.get(letters)
        if column is not None and f"{letters}{self._number}" == reference:
            return column
        found = position(reference)
        if found is None or found[1] != self._number:
            if not len(cell):
                return following - 1  # it holds nothing, so nothing stands in a wrong place
            self._refuse(f"has a cell named {reference[:20]} in row {self._number}")
        return found[0]

    def _put(self, text: str, column: int, cells: list[str]) -> None:
        if len(text) > CELL_LIMIT:
            self._refuse(f"has more than {CELL_LIMIT:,} characters in {self._at(column)}")
        missing = column - len(cells)
        if missing >= 0:
            cells.extend([""] * missing)
            cells.append(text)
        elif cells[column]:
            self._refuse(f"has two cells {self._at(column)}")
        else:
            cells[column] = text

    def _count(self, characters: int) -> None:
        self._room -= characters
        if self._room < 0:
            what = f"its part {self._part} repeats texts beyond any real sheet"
            raise unsafe(self._package.file, what)

    def _is_hidden(self, row: Element) -> bool:
        hidden, height = row.get("hidden"), row.get("ht")
        if hidden is None and height is None:
            return self._default_hidden
        return is_true(hidden) or _is_zero(height)

    def _at(self, column: int) -> str:
        return cell_name(column, self._number)

    def _refuse(self, what: str) -> NoReturn:
        raise unreadable(self._package.file, f"its part {self._part} {what}")


def _whole(text: str | None) -> int:
    """Return a row or column number, 0 for anything else."""
    return int(text) if text and text.isdecimal() and len(text) <= _ROW_DIGITS else 0


def _is_zero(text: str | None) -> bool:
    try:
        return text is not None and float(text) == 0
    except ValueError:
        return False
