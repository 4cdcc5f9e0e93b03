"""What a row costs, and how that grows: checked, recorded, dispatched, resumed, written."""

from __future__ import annotations

import math
import sqlite3
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from bench import Bench
from callers import Errand
from figures import Figure
from measuring import DISPATCHER, PYTHON, BenchmarkFailed, Usage, measure
from serving import Served, served

_HERE = Path(__file__).resolve().parent
_WORKERS = 32
_LEFT = 1_000  # one of so many calls is left for a run that resumes
_RESUME = "resume with all placed but a thousandth"
_RECORD = "record (run --limit 1, with results)"
_RESULTS = "results"
_BOUNDED = (_RECORD, _RESUME, _RESULTS)  # in memory
_EXPONENT = 1.1  # 1 is in proportion, 2 is with the square; the rest is noise
_MEGABYTES = 120.0
_GROWTH = 1.2  # of the peak, from a tenth of the largest sheet to all of it
_FIRST_CALL_SECONDS = 3.0
_BYTES = 400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Campaign:
    """
    A recorded sheet whose first call is placed.

    Attributes:
        ledger: Of it alone.
        sheet: What was recorded.
        recorded: What that has cost.
    """

    ledger: Path
    sheet: Path
    recorded: Served


class _Growth:
    """What each step has cost at each size."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._usages: defaultdict[str, dict[int, Usage]] = defaultdict(dict)

    def told(self, step: str, rows: int, usage: Usage) -> Iterator[Figure]:
        """Note what a step has cost, and tell it."""
        self._usages[step][rows] = usage
        name = f"{step}, {rows:,} rows"
        yield from self._bench.cost(name, usage)
        most = self._bench.bound(_MEGABYTES) if step in _BOUNDED else None
        yield Figure(name=f"{name}: peak", unit="MB", ours=usage.peak_megabytes, at_most=most)

    def fitted(self) -> Iterator[Figure]:
        """Tell how the cost of each step grows with the rows."""
        for step, usages in self._usages.items():
            seconds = {rows: usage.cpu_seconds for rows, usage in usages.items()}
            yield Figure(
                name=f"{step}: exponent of CPU over rows",
                unit="",
                ours=exponent(seconds),
                at_most=self._bench.bound(_EXPONENT),
            )

    def of_peaks(self) -> Iterator[Figure]:
        """Tell how the memory of what is bounded grows from the last size but one."""
        for step in _BOUNDED:
            peaks = [usage.peak_megabytes for usage in self._usages[step].values()]
            yield Figure(
                name=f"{step}: peak of the most rows by that of a tenth",
                unit="",
                ours=peaks[-1] / peaks[max(0, len(peaks) - 2)],
                at_most=self._bench.bound(_GROWTH),
            )


def rows(bench: Bench) -> Iterator[Figure]:
    """Take four sizes through every step, and fit how the time above the start grows."""
    growth = _Growth(bench)
    for form in ("csv", "xlsx"):
        for size in bench.sizes:
            yield from growth.told(f"check {form.upper()}", size, bench.check(form, size))
    for size in bench.sizes:
        if size <= bench.usual_rows or bench.is_whole:
            done = _run_again(bench, _recorded(bench, size))
            yield from growth.told("dispatch (run again)", size, done.usage)
    for size in bench.sizes:
        yield from _lived(bench, growth, size)
    yield from growth.fitted()
    yield from growth.of_peaks()


def _lived(bench: Bench, growth: _Growth, size: int) -> Iterator[Figure]:
    """Take one campaign from its recording to its results, most of its calls placed before."""
    campaign = _recorded(bench, size)
    yield from growth.told(_RECORD, size, campaign.recorded.usage)
    yield _bytes_a_row(bench, "recorded", campaign, size)
    left = max(1, size // _LEFT)
    _place(bench, campaign, calls=size - left - 1)  # recording has placed one
    done = _run_again(bench, campaign)
    if done.calls != left:
        raise BenchmarkFailed(f"{done.calls} calls were placed where {left} were left")
    yield from growth.told(_RESUME, size, done.usage)
    yield Figure(
        name=f"{_RESUME}, {size:,} rows: first call",
        unit="s",
        ours=done.first_call_seconds,
        at_most=bench.bound(_FIRST_CALL_SECONDS),
    )
    yield _bytes_a_row(bench, "placed", campaign, size)
    yield from growth.told(_RESULTS, size, _written(bench, campaign))


def _recorded(bench: Bench, size: int) -> _Campaign:
    ledger, sheet = bench.fresh("db"), bench.sheet("csv", size)
    recorded = _run(bench, ledger, sheet, 0, "--limit", "1")
    return _Campaign(ledger=ledger, sheet=sheet, recorded=recorded)


def _run_again(bench: Bench, campaign: _Campaign) -> Served:
    return _run(bench, campaign.ledger, campaign.sheet, campaign.recorded.port)


def _run(bench: Bench, ledger: Path, sheet: Path, port: int, *options: str) -> Served:
    def work(url: str) -> Usage:
        results = ledger.with_suffix(".results.csv")
        errand = Errand(sheet=sheet, results=results, url=url, workers=_WORKERS)
        return bench.run(errand, ledger, *options)

    return served(work, port=port)


def _place(bench: Bench, campaign: _Campaign, *, calls: int) -> None:
    command = (PYTHON, _HERE / "placed_before.py", campaign.ledger, campaign.sheet.stem)
    measure((*command, str(calls)), folder=bench.folder)


def _written(bench: Bench, campaign: _Campaign) -> Usage:
    results = campaign.ledger.with_suffix(".again.csv")
    command = (*DISPATCHER, "results", campaign.sheet.stem, "--ledger", campaign.ledger)
    return measure((*command, "--results", results), folder=bench.folder)


def _bytes_a_row(bench: Bench, state: str, campaign: _Campaign, size: int) -> Figure:
    """Tell what the ledger uses of its file above the text of the sheet."""
    with closing(sqlite3.connect(campaign.ledger)) as database:
        pages, free, page = (
            database.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("page_count", "freelist_count", "page_size")
        )
    above = (pages - free) * page - campaign.sheet.stat().st_size
    return Figure(
        name=f"ledger above the row's own text, {size:,} rows {state}: bytes a row",
        unit="B",
        ours=above / size,
        at_most=bench.bound(_BYTES) if size == bench.rows else None,
    )


def exponent(seconds: Mapping[int, float]) -> float:
    """
    Return *p* of ``seconds = start + factor x rows ** p``, by least squares of the logarithms.

    What the smallest size takes is taken for the start; nan where the rows cost no more than that.
    """
    least = min(seconds)
    points = [
        (math.log(rows - least), math.log(spent - seconds[least]))
        for rows, spent in seconds.items()
        if rows > least and spent > seconds[least]
    ]
    return _slope(points) if len(points) > 1 else math.nan


def _slope(points: Sequence[tuple[float, float]]) -> float:
    middle = sum(x for x, _ in points) / len(points)
    height = sum(y for _, y in points) / len(points)
    spread = sum((x - middle) ** 2 for x, _ in points)
    return sum((x - middle) * (y - height) for x, y in points) / spread
