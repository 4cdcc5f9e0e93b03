"""Figures, and the file that holds the tables of all parts."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

_TITLE = (
    "# Benchmarks\n\n"
    "Written by `python tests/benchmarks/run.py`. Every figure is that of a whole process, imports "
    "included.\nA ratio is the peer's figure by ours: above 1 we need less. Ratios of one run are "
    "what to trust:\nwall seconds, and to a lesser degree CPU seconds, grow with the load of the "
    "machine, which stands\nbeside each table. A bound in seconds is meant for the wall seconds of "
    "an idle machine; both kinds\nare held against it.\n"
)
_HEAD = "| figure | ours | at most | | peer | its figure | ratio |\n|---|--:|--:|---|---|--:|--:|"


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """
    One line of a table.

    Attributes:
        name: What was measured.
        unit: Of all its numbers: ``s``, ``MB`` or nothing.
        ours: What we need.
        at_most: What we may need, None where no bound is set.
        peer: Who else does the same, or "".
        theirs: What the peer needs; None for no peer, or one that is not installed.
    """

    name: str
    unit: str
    ours: float
    at_most: float | None = None
    peer: str = ""
    theirs: float | None = None

    def line(self) -> str:
        """Return the line of the table."""
        bound = verdict = theirs = ratio = ""
        if self.at_most is not None:
            bound = self._number(self.at_most)
            verdict = "met" if self.ours <= self.at_most else "**missed**"
        if self.theirs is not None:
            theirs, ratio = self._number(self.theirs), f"{self.theirs / self.ours:.2f}"
        elif self.peer:
            theirs = "skipped, not installed"
        cells = (self.name, self._number(self.ours), bound, verdict, self.peer, theirs, ratio)
        return f"| {' | '.join(cells)} |"

    def _number(self, number: float) -> str:
        digits = 0 if self.unit == "MB" else 2
        return f"{number:,.{digits}f} {self.unit}".strip()


def write_part(path: Path, part: str, command: str, figures: Iterable[Figure]) -> None:
    """Put the table of one part in its place in the file, and leave the others alone."""
    parts = dict(_parts_of(path))
    lines = "\n".join(figure.line() for figure in figures)
    parts[part] = f"{_circumstances(command)}\n\n{_HEAD}\n{lines}\n"
    sections = (f"## {name}\n\n{text}" for name, text in parts.items())
    path.write_text("\n".join((_TITLE, *sections)), encoding="utf-8")


def _parts_of(path: Path) -> Iterator[tuple[str, str]]:
    if path.exists():
        for section in path.read_text(encoding="utf-8").split("\n## ")[1:]:
            name, _, text = section.partition("\n\n")
            yield name, f"{text.rstrip()}\n"


def _circumstances(command: str) -> str:
    busy = ", ".join(f"{load:.1f}" for load in os.getloadavg())
    return (
        f"`{command}`, {datetime.now(tz=UTC):%Y-%m-%d %H:%M} UTC, {_processor()}, "
        f"{os.cpu_count()} cores (load {busy}), {platform.system()} {platform.machine()}, "
        f"Python {platform.python_version()}."
    )


def _processor() -> str:
    try:
        about = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor()
    names = (line.partition(":")[2].strip() for line in about.splitlines() if "model name" in line)
    return next(names, platform.processor())
