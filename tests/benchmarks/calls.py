"""What a call costs: the whole command against a server that answers at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from bench import Bench
from callers import CALLERS, Caller, Errand
from figures import Figure
from hot_path import hot_path
from measuring import BenchmarkFailed, Usage, measure
from serving import Served, served

_WORKERS = (8, 32, 128, 256)
_USUAL_WORKERS = 32
_MANY_WORKERS = 128
_SHARE = 50  # of the largest sheet, so that a run lasts some seconds
_UNIT = 10_000  # calls whose CPU is told
_PER_SECOND = 2_000
_CPU_SECONDS = 4.0
_TIMES = 2
_LEAST_KEPT = 0.85  # of the pace, from the fewest workers to the most
_DELAY_SECONDS = 0.1
_IDEAL = 0.9


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pace:
    """
    How fast calls were placed, and what they cost.

    Attributes:
        per_second: As the server saw them.
        whole_cpu_seconds: Of the process.
        cpu_seconds: For 10,000 calls, without what a run of one row costs.
    """

    per_second: float
    whole_cpu_seconds: float
    cpu_seconds: float


def calls(bench: Bench) -> Iterator[Figure]:
    """Measure our command with few workers and many, its peers, and where its time goes."""
    one = _ours(bench, rows=1, workers=_USUAL_WORKERS).usage
    yield Figure(name="run of one row: CPU", unit="s", ours=one.cpu_seconds)
    paces = {}
    most = max(_rows(bench), _USUAL_WORKERS)  # more would find nothing to do
    for workers in filter(most.__ge__, _WORKERS):
        paces[workers] = pace = _pace(_ours(bench, rows=_rows(bench), workers=workers), one)
        yield from _told(bench, f"{_rows(bench):,} calls, {workers} workers", pace)
    yield Figure(
        name=f"calls/s with {max(paces)} workers by those with {min(paces)}",
        unit="",
        ours=paces[max(paces)].per_second / paces[min(paces)].per_second,
        at_least=bench.bound(_LEAST_KEPT),
    )
    yield from _with_latency(bench)
    for caller in CALLERS:
        yield from _against(bench, paces[_USUAL_WORKERS], caller)
    yield from hot_path(bench, rows=_rows(bench), workers=_USUAL_WORKERS)


def _rows(bench: Bench, share: int = 1) -> int:
    return max(2, bench.rows // _SHARE // share)


def _ours(bench: Bench, *, rows: int, workers: int, delay_seconds: float = 0) -> Served:
    sheet = bench.sheet("csv", rows)

    def work(url: str) -> Usage:
        errand = Errand(sheet=sheet, results=bench.fresh("csv"), url=url, workers=workers)
        return bench.run(errand, bench.fresh("db"))

    return _fastest(bench, rows, lambda: served(work, delay_seconds=delay_seconds))


def _theirs(bench: Bench, caller: Caller, *, rows: int) -> Served:
    sheet = bench.sheet("csv", rows)

    def work(url: str) -> Usage:
        results = bench.fresh("csv")
        errand = Errand(sheet=sheet, results=results, url=url, workers=_USUAL_WORKERS)
        return measure(caller.command(errand), folder=bench.folder)

    return _fastest(bench, rows, lambda: served(work))


def _fastest(bench: Bench, rows: int, place: Callable[[], Served]) -> Served:
    """Return the run that placed the calls fastest; each has to place one for every row."""
    runs = [place() for _ in range(bench.times(_TIMES))]
    for done in runs:
        if done.calls != rows:
            raise BenchmarkFailed(f"{done.calls} calls were placed for {rows} rows")
    return max(runs, key=lambda done: done.per_second)


def _pace(done: Served, one: Usage) -> _Pace:
    return _Pace(
        per_second=done.per_second,
        whole_cpu_seconds=done.usage.cpu_seconds,
        cpu_seconds=(done.usage.cpu_seconds - one.cpu_seconds) / (done.calls - 1) * _UNIT,
    )


def _told(bench: Bench, name: str, pace: _Pace) -> Iterator[Figure]:
    yield Figure(
        name=f"{name}: calls/s",
        unit="calls/s",
        ours=pace.per_second,
        at_least=bench.bound(_PER_SECOND),
    )
    yield Figure(name=f"{name}: CPU", unit="s", ours=pace.whole_cpu_seconds)
    yield Figure(
        name=f"{name}: CPU of 10,000",
        unit="s",
        ours=pace.cpu_seconds,
        at_most=bench.bound(_CPU_SECONDS),
    )


def _with_latency(bench: Bench) -> Iterator[Figure]:
    rows = _rows(bench)
    done = _ours(bench, rows=rows, workers=_MANY_WORKERS, delay_seconds=_DELAY_SECONDS)
    ideal = _MANY_WORKERS / _DELAY_SECONDS
    yield Figure(
        name=f"{rows:,} calls answered after 100 ms, {_MANY_WORKERS} workers: "
        f"share of {ideal:,.0f} calls/s",
        unit="%",
        ours=100 * done.per_second / ideal,
        at_least=bench.bound(100 * _IDEAL),
    )


def _against(bench: Bench, ours: _Pace, caller: Caller) -> Iterator[Figure]:
    rows = _rows(bench, caller.share)
    theirs = None
    if caller.is_installed:
        one = _theirs(bench, caller, rows=1).usage
        theirs = _pace(_theirs(bench, caller, rows=rows), one)
    compared = partial(Figure, peer=f"{caller.name}, {rows:,} rows")
    at_least = caller.times_at_least
    yield compared(
        name=f"{_USUAL_WORKERS} workers: calls/s",
        unit="calls/s",
        ours=ours.per_second,
        theirs=theirs.per_second if theirs else None,
        is_better_higher=True,
        times_at_least=bench.bound(at_least) if at_least else None,
    )
    yield compared(
        name=f"{_USUAL_WORKERS} workers: CPU of 10,000",
        unit="s",
        ours=ours.cpu_seconds,
        theirs=theirs.cpu_seconds if theirs else None,
    )
