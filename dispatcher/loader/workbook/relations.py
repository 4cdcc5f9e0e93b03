"""Which part belongs to which: the relationship parts of a workbook."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass
from urllib.parse import unquote

from dispatcher.loader.workbook.markup import Attributes, for_each, local_name
from dispatcher.loader.workbook.package import Package

ROOT = ""
_USUAL_WORKBOOK = "xl/workbook.xml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Relation:
    """
    One target of a part.

    Attributes:
        id: How the part refers to it.
        kind: Last word of the relationship type, e.g. ``worksheet``.
        target: Name of the target part.
    """

    id: str
    kind: str
    target: str


def relations_of(package: Package, part: str) -> tuple[Relation, ...]:
    """
    Read the targets of a part; external ones are left out, for nothing is fetched.

    Args:
        package: The workbook.
        part: Name of a part, or ``ROOT`` for the package as a whole.

    Raises:
        SheetRefused: The relationship part is damaged or no valid XML.
    """
    folder, name = posixpath.split(part)
    source = posixpath.join(folder, "_rels", f"{name}.rels")
    found: list[Relation] = []

    def begin(element: str, attributes: Attributes) -> None:
        if local_name(element) != "Relationship" or attributes.get("TargetMode") == "External":
            return
        found.append(
            Relation(
                id=attributes.get("Id", ""),
                kind=attributes.get("Type", "").rstrip("/").rpartition("/")[2],
                target=_resolved(package, folder, attributes.get("Target", "")),
            )
        )

    if package.has(source):
        for_each(package, source, begin)
    return tuple(found)


def workbook_part(package: Package) -> str:
    """
    Return the name of the part that lists the sheets, "" where there is none.

    Raises:
        SheetRefused: The root relationships are damaged or no valid XML.
    """
    targets = [r.target for r in relations_of(package, ROOT) if r.kind == "officeDocument"]
    return next((part for part in [*targets, _USUAL_WORKBOOK] if package.has(part)), "")


def _resolved(package: Package, folder: str, target: str) -> str:
    """Return the part a target names, which may be absolute, relative or percent-encoded."""
    target = target.replace("\\", "/")
    joined = posixpath.normpath(posixpath.join("/", folder, target)).lstrip("/")
    if package.has(joined):
        return joined
    decoded = unquote(joined)
    if package.has(decoded):
        return decoded
    from_root = posixpath.normpath(target).lstrip("/")  # some writers forget the leading slash
    return from_root if package.has(from_root) else joined
