"""What the parts share: how large the sheets are, where they lie, and what is measured of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from itertools import count
from pathlib import Path

from callers import Errand
from figures import Figure
from jobs import is_installed
from measuring import DISPATCHER, PYTHON, BenchmarkFailed, Usage, measure

MOST_ROWS = 1_000_000
COLUMNS = 12  # of the sheets that are read
LEAST_ROWS = 10
_HERE = Path(__file__).resolve().parent
_IDS = ("--agent-id", "agent", "--from-number-id", "number")


class Bench:
    """
    One run of the benchmarks.

    Attributes:
        rows: Of the largest sheet.
        folder: Temporary.
        is_whole: Also measure what takes longer than all the rest.
    """

    def __init__(self, *, rows: int, folder: Path, is_whole: bool = False) -> None:
        self.rows = rows
        self.folder = folder
        self.is_whole = is_whole
        self._numbers = count(1)
        self.sheet = cache(self._sheet)
        self.check = cache(self._check)

    @property
    def usual_rows(self) -> int:
        """Rows of a large campaign, a tenth of the largest sheet."""
        return max(1, self.rows // 10)

    @property
    def sizes(self) -> list[int]:
        """Rows of up to four sheets, each ten times the last; fewer than ten would tell nothing."""
        return [self.rows // part for part in (1_000, 100, 10, 1) if self.rows >= LEAST_ROWS * part]

    def times(self, wanted: int) -> int:
        """Return how often to measure what is kept only at its best, once at a smaller size."""
        return wanted if self.rows == MOST_ROWS else 1

    def fresh(self, ending: str) -> Path:
        """Return a path in the folder where nothing is yet."""
        return self.folder / f"{next(self._numbers)}.{ending}"

    def bound(self, figure: float) -> float | None:
        """Return a bound that was set for the full size, None at any other."""
        return figure if self.rows == MOST_ROWS else None

    def job(self, name: str, *arguments: str | Path, times: int = 1) -> Usage:
        """Measure a job of ``jobs``, the best of some times."""
        command = (PYTHON, _HERE / "jobs.py", name, *arguments)
        return measure(command, folder=self.folder, times=times)

    def run(
        self,
        errand: Errand,
        ledger: Path,
        *options: str,
        rate: str = "unlimited",
        command: Sequence[str | Path] = DISPATCHER,
    ) -> Usage:
        """Measure ``dispatcher run`` with ids of an agent and a number, which the sheets lack."""
        return measure(
            (
                *(*command, "run", errand.sheet, "--yes", "--quiet", "--json", *_IDS),
                *("--results", errand.results, "--ledger", ledger, "--rate", rate),
                *("--workers", str(errand.workers), *options),
            ),
            folder=self.folder,
            environment={
                "CONTACTSHIP_API_KEY": "key-for-the-benchmark",
                "CONTACTSHIP_BASE_URL": errand.url,
            },
        )

    def cost(self, name: str, usage: Usage, *, seconds: float | None = None) -> Iterator[Figure]:
        """Tell what a process of ours used; *seconds* bounds its wall seconds, so its CPU's too."""
        bound = self.bound(seconds) if seconds else None
        yield Figure(name=f"{name}: wall", unit="s", ours=usage.wall_seconds, at_most=bound)
        yield Figure(name=f"{name}: CPU", unit="s", ours=usage.cpu_seconds, at_most=bound)

    def against(
        self, name: str, ours: Usage, peers: tuple[str, ...], run: Callable[[str], Usage]
    ) -> Iterator[Figure]:
        """Compare the CPU seconds and the memory of a process of ours with each peer's."""
        for peer in peers:
            theirs = run(peer) if is_installed(peer) else None
            yield Figure(
                name=f"{name}: CPU",
                unit="s",
                ours=ours.cpu_seconds,
                peer=peer,
                theirs=theirs.cpu_seconds if theirs else None,
            )
            yield Figure(
                name=f"{name}: peak",
                unit="MB",
                ours=ours.peak_megabytes,
                peer=peer,
                theirs=theirs.peak_megabytes if theirs else None,
            )

    def _sheet(self, form: str, rows: int) -> Path:
        """Write the sheet, in a process of its own: this one has to stay small."""
        path = self.folder / f"campaign-{rows}.{form}"
        measure((PYTHON, _HERE / "sheets.py", form, str(rows), path), folder=self.folder)
        return path

    def _check(self, form: str, rows: int) -> Usage:
        """
        Measure ``dispatcher check``, and see that it found every row in order.

        All but the largest sheet twice, of which the better run counts: other work on the machine
        only ever adds.
        """
        times = 1 if rows == self.rows else self.times(2)
        command = (*DISPATCHER, "check", self.sheet(form, rows), "--json")
        usage = measure(command, folder=self.folder, times=times)
        found = json.loads(usage.output)
        if (len(found["headers"]), found["data_rows"], found["callable"]) != (COLUMNS, rows, rows):
            raise BenchmarkFailed(f"check did not read {rows} rows of {form} right")
        return usage
