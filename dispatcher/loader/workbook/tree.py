"""Large parts, grown into a tree in C and taken out of it piece by piece."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from xml.etree.ElementTree import Element, ParseError, TreeBuilder, XMLParser

from dispatcher.loader.workbook.markup import PrologGuard, invalid, local_name
from dispatcher.loader.workbook.package import MOST_RATIO, Package
from dispatcher.loader.workbook.refusal import unsafe

_RATIO_MATTERS_FROM = 8 * 1024**2  # bytes; empty cells and texts cost more to read than to unpack
CHILD_LIMIT = 2 * 1024**2  # bytes of one row or one shared text
BEFORE_LIMIT = 3 * 1024**2  # bytes before the first one
DEPTH_LIMIT = 200  # tags within tags


def children(
    package: Package, part: str, container: str, *, before: Callable[[Element], None]
) -> Iterator[Element]:
    """
    Yield the children of a part's container, each when it is complete, and forget them.

    Args:
        package: The workbook.
        part: Name of the part.
        container: Local name of the root element, or of a child of it.
        before: Called with the root element, and with each child of it before the container.

    Raises:
        SheetRefused: The part is missing, damaged, no valid XML, or unsafe.
    """
    package.judge_ratio(part, most=MOST_RATIO, above=_RATIO_MATTERS_FROM)
    harvest = _Harvest(container, before)
    pending = 0  # bytes since anything was complete
    for size in harvest.grow(package, part):
        complete = harvest.complete()
        pending = 0 if complete or harvest.has_moved() else pending + size
        limit = CHILD_LIMIT if harvest.is_found else BEFORE_LIMIT
        if pending > limit or harvest.depth > DEPTH_LIMIT:
            raise unsafe(package.file, f"its part {part} holds an endless row, text or tag")
        yield from complete
    yield from harvest.rest()


class _Harvest:
    """
    A growing tree and what is complete in it.

    Attributes:
        is_found: The container has begun.
        depth: Tags within tags after the container, as far as they were followed.
    """

    def __init__(self, container: str, before: Callable[[Element], None]) -> None:
        self._name = container
        self._before = before
        self._builder = TreeBuilder()
        # What is begun here stays at hand, and the part's own root will hang below it.
        self._top = self._builder.start("", {})
        self._container = self._top
        self._last = self._top
        self.is_found = False
        self.depth = 0

    def grow(self, package: Package, part: str) -> Iterator[int]:
        """
        Read a part, and yield the size in bytes of each chunk after it was parsed.

        Raises:
            SheetRefused: The part is missing, damaged, no valid XML, or declares a document type.
        """
        guard = PrologGuard(package, part)
        parser = XMLParser(target=self._builder)  # noqa: S314 the guard goes first
        try:
            for chunk in package.chunks(part):
                guard.look(chunk)
                parser.feed(chunk)
                yield len(chunk)
            parser.close()
        except ParseError as problem:
            line, column = problem.position
            raise invalid(package, part, line, column, problem.code) from problem

    def complete(self) -> list[Element]:
        """Take the children that are complete; the last one may still grow."""
        if not self.is_found:
            self._look_for_container()
        if not self.is_found:
            return []
        if self._is_closed():
            self._forget_rest()
            return self.rest()
        return self._taken(len(self._container) - 1)

    def rest(self) -> list[Element]:
        """Take all children that are left."""
        return self._taken(len(self._container)) if self.is_found else []

    def has_moved(self) -> bool:
        """Return whether anything has begun after the container since the last call."""
        last, self.depth = self._top, 0
        while len(last) and self._is_closed() and self.depth <= DEPTH_LIMIT:
            last = last[-1]
            self.depth += 1
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
        self.is_found = True
        self._container = container
        for element in before:
            self._before(element)

    def _is_closed(self) -> bool:
        root = self._top[0] if len(self._top) else self._top
        return self.is_found and root is not self._container and root[-1] is not self._container

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
        return taken
