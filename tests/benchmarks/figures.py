"""Figures, and the file that holds the tables of all parts."""

from __future__ import annotations

import math
import os
import platform
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

_TITLE = """\
# Benchmarks

Written by `python tests/benchmarks/run.py`, each part as soon as it is measured. Every figure is
that of a whole process, imports included, unless it says otherwise. A ratio says how many times
better than the peer we are: above 1 we need less, or do more in a second. Ratios of one run are
what to trust: wall seconds, and to a lesser degree CPU seconds, grow with the load of the machine,
which stands beside each table. A bound in seconds is meant for the wall seconds of an idle machine;
both kinds are held against it. Bounds are held against full sizes only.
"""
_HEAD = (
    "| figure | ours | bound | peer | its figure | ratio | bound |\n|---|--:|---|---|--:|--:|---|"
)
_NO_DECIMALS = frozenset({"MB", "calls/s", "B"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """
    One line of a table.

    Attributes:
        name: What was measured.
        unit: Of all its numbers, e.g. ``s``, ``MB``, ``calls/s``, ``%``, or nothing.
        ours: What we need, or do.
        at_most: What we may need, None where no such bound is set.
        at_least: What we have to do, None where no such bound is set.
        peer: Who else does the same, or "".
        theirs: What the peer needs or does; None for no peer, or one that was skipped.
        skipped: Why a peer was.
        is_better_higher: More is better: what is done, not what is needed.
        times_at_least: Bound of the ratio, or None.
    """

    name: str
    unit: str
    ours: float
    at_most: float | None = None
    at_least: float | None = None
    peer: str = ""
    theirs: float | None = None
    skipped: str = "not installed"
    is_better_higher: bool = False
    times_at_least: float | None = None

    def line(self) -> str:
        """Return the line of the table."""
        cells = (self.name, self._number(self.ours), self._bound(), self.peer, *self._compared())
        return f"| {' | '.join(cells)} |"

    def _bound(self) -> str:
        if self.at_most is not None:
            return f"≤ {self._number(self.at_most)}: {_verdict(self.ours <= self.at_most)}"
        if self.at_least is not None:
            return f"≥ {self._number(self.at_least)}: {_verdict(self.ours >= self.at_least)}"
        return ""

    def _compared(self) -> tuple[str, str, str]:
        if self.theirs is None:
            return (f"skipped, {self.skipped}" if self.peer else "", "", "")
        better, worse = self.ours, self.theirs
        if not self.is_better_higher:
            better, worse = worse, better
        ratio = better / worse if worse else math.nan
        bound = ""
        if self.times_at_least is not None:
            bound = f"≥ {self.times_at_least:g}: {_verdict(ratio >= self.times_at_least)}"
        return self._number(self.theirs), f"{ratio:.2f}", bound

    def _number(self, number: float) -> str:
        digits = 0 if self.unit in _NO_DECIMALS else 2
        return f"{number:,.{digits}f} {self.unit}".strip()


def _verdict(is_met: bool) -> str:  # noqa: FBT001 - it is what is said
    return "met" if is_met else "**missed**"


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
