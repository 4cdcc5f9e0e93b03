"""Large parts, grown into a tree in C and taken out of it piece by piece."""

from __future__ import annotations

from collections.abc import Callable
from xml.etree.ElementTree import Element, ParseError, TreeBuilder, XMLParser

from dispatcher.errors import SheetRefused
from dispatcher.loader.workbook.markup import Attributes, PrologGuard, for_each, local_name
from dispatcher.loader.workbook.package import MOST_RATIO, MOST_UNPACKED, Package
from dispatcher.loader.workbook.refusal import damaged, unsafe

_RATIO_MATTERS_FROM = 8 * 1024**2  # bytes; empty cells and texts cost more to read than to unpack
# A cell or text of a few bytes takes as long to read as one of a hundred. Honest sheets have at
# most eight for each packed byte, and that where nearly all cells are empty.
_MOST_PIECES = 16  # for each packed byte
_PIECES_MATTER_FROM = 2_000_000
CHILD_LIMIT = 2 * 1024**2  # bytes of one row or one shared text
BEFORE_LIMIT = 3 * 1024**2  # bytes before the first one
DEPTH_LIMIT = 200  # tags within tags


class Tree:
    """A growing tree, and what is complete in its container."""

    def __init__(
        self,
        package: Package,
        part: str,
        container: str,
        *,
        before: Callable[[Element], None] = lambda _: None,
    ) -> None:
        """
        Begin a tree.

        Args:
            package: The workbook.
            part: Name of the part.
            container: Local name of the root element, or of a child of it.
            before: Called with the root element, and with each child of it before the container.

        Raises:
            SheetRefused: The part is packed better than any honest one.
        """
        package.judge_ratio(part, most=MOST_RATIO, above=_RATIO_MATTERS_FROM)
        self._package = package
        self._part = part
        self._name = container
        self._before = before
        self._guard = PrologGuard(package, part)
        self._builder = TreeBuilder()
        self._parser = XMLParser(target=self._builder)  # noqa: S314 the guard goes first
        # What is begun here stays at hand, and the part's own root will hang below it.
        self._top = self._builder.start("", {})
        self._container = self._top
        self._last = self._top
        self._is_found = False
        self._depth = 0  # tags within tags after the container, as far as they were followed
        self._pieces = 0
        self._pending = 0  # bytes since anything was complete

    def feed(self, chunk: bytes) -> list[Element]:
        """
        Read the next bytes of the part, and take the children that are complete.

        Raises:
            SheetRefused: They are no valid XML, unsafe, or declare a document type.
        """
        self._parse(chunk)
        complete = self._complete()
        moved = complete or self._has_moved()
        self._pending = 0 if moved else self._pending + len(chunk)
        limit = CHILD_LIMIT if self._is_found else BEFORE_LIMIT
        if self._pending > limit or self._depth > DEPTH_LIMIT:
            what = f"its part {self._part} holds an endless row, text or tag"
            raise unsafe(self._package.file, what)
        return complete

    def finish(self) -> list[Element]:
        """
        End the part, and take the children that are left.

        Raises:
            SheetRefused: It ends too soon.
        """
        try:
            self._parser.close()
        except ParseError as problem:
            raise self._invalid() from problem
        return self._rest()

    def container_tag(self) -> str:
        """Return the name of the container with its namespace, "" before it has begun."""
        return self._container.tag if self._is_found else ""

    def graft(self, markup: bytes) -> list[Element]:
        """
        Read whole children of the open container, and take them.

        Raises:
            SheetRefused: They are no valid XML.
        """
        self._parse(markup)
        return self._rest()

    def _parse(self, chunk: bytes) -> None:
        self._guard.look(chunk)
        try:
            self._parser.feed(chunk)
        except ParseError as problem:
            raise self._invalid() from problem

    def _invalid(self) -> SheetRefused:
        # Rows may have been left out here, so only the part itself tells line and column.
        for_each(self._package, self._part, _pass_over, limit=MOST_UNPACKED)
        return damaged(self._package.file, f"its part {self._part} is not valid XML")

    def _complete(self) -> list[Element]:
        """Take the children that are complete; the last one may still grow."""
        if not self._is_found:
            self._look_for_container()
        if not self._is_found:
            return []
        if self._is_closed():
            self._forget_rest()
            return self._rest()
        return self._taken(len(self._container) - 1)

    def _rest(self) -> list[Element]:
        return self._taken(len(self._container)) if self._is_found else []

    def _has_moved(self) -> bool:
        """Return whether anything has begun after the container since the last call."""
        last, self._depth = self._top, 0
        while len(last) and self._is_closed() and self._depth <= DEPTH_LIMIT:
            last = last[-1]
            self._depth += 1
        moved = last is not self._last
        self._last = last
        return moved

    def _look_for_container(self) -> None:
        if not len(self._top):
            return
        root = self._top[0]
        if local_name(root.tag) == self._name:
            self._found(root, [])
            return
        for index, child in enumerate(root):
            if local_name(child.tag) == self._name:
                self._found(child, [root, *root[:index]])
                del root[:index]
                return

    def _found(self, container: Element, before: list[Element]) -> None:
        self._is_found = True
        self._container = container
        for element in before:
            self._before(element)

    def _is_closed(self) -> bool:
        root = self._top[0] if len(self._top) else self._top
        return self._is_found and root is not self._container and root[-1] is not self._container

    def _forget_rest(self) -> None:
        """Drop what follows the container, but the elements that are still being built."""
        element = self._top
        for _ in range(DEPTH_LIMIT):
            if not len(element):
                break
            del element[:-1]
            element = element[-1]

    def _taken(self, count: int) -> list[Element]:
        if count <= 0:
            return []
        taken = self._container[:count]
        del self._container[:count]
        self._pieces += len(taken) + sum(map(len, taken))
        self._package.judge_count(
            self._part, self._pieces, most=_MOST_PIECES, above=_PIECES_MATTER_FROM
        )
        return taken


def _pass_over(_element: str, _attributes: Attributes) -> None:
    pass
