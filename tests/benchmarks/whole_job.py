"""The whole job, from a workbook to a workbook, beside the usual script."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from bench import Bench
from callers import USUAL_SCRIPT, Errand
from figures import Figure
from measuring import BenchmarkFailed, Usage, measure
from serving import served

_WORKERS = 32
_SHARE = 10  # of our rows, for the usual script takes minutes for all
_TIMES = 8.0


def whole_job(bench: Bench) -> Iterator[Figure]:
    """Measure us at the usual size, and the usual script at a tenth of it unless it is whole."""
    rows = bench.usual_rows
    ours = _ours(bench, rows)
    yield from bench.cost(_name(rows), ours)
    yield Figure(name=f"{_name(rows)}: peak", unit="MB", ours=ours.peak_megabytes)
    fewer = rows if bench.is_whole else max(1, rows // _SHARE)
    theirs = _theirs(bench, fewer) if USUAL_SCRIPT.is_installed else None
    if fewer != rows:
        yield from _against(bench, _name(fewer), _ours(bench, fewer), 1, fewer, theirs)
        name = f"{_name(rows)}, for each {fewer:,}"
    else:
        name = _name(rows)
    yield from _against(bench, name, ours, rows / fewer, fewer, theirs)


def _name(rows: int) -> str:
    return f"XLSX to XLSX, {rows:,} rows, {_WORKERS} workers"


def _against(
    bench: Bench, name: str, ours: Usage, parts: float, rows: int, theirs: Usage | None
) -> Iterator[Figure]:
    """Compare one of so many equal *parts* of our job with that of the usual script."""
    peer = f"{USUAL_SCRIPT.name}, {rows:,} rows"
    yield Figure(
        name=f"{name}: wall",
        unit="s",
        ours=ours.wall_seconds / parts,
        peer=peer,
        theirs=theirs.wall_seconds if theirs else None,
        times_at_least=bench.bound(_TIMES) if parts * rows == bench.usual_rows else None,
    )
    yield Figure(
        name=f"{name}: CPU",
        unit="s",
        ours=ours.cpu_seconds / parts,
        peer=peer,
        theirs=theirs.cpu_seconds if theirs else None,
    )


def _ours(bench: Bench, rows: int) -> Usage:
    ledger = bench.fresh("db")
    return _placed(bench, rows, lambda errand: bench.run(errand, ledger))


def _theirs(bench: Bench, rows: int) -> Usage:
    return _placed(
        bench, rows, lambda errand: measure(USUAL_SCRIPT.command(errand), folder=bench.folder)
    )


def _placed(bench: Bench, rows: int, work: Callable[[Errand], Usage]) -> Usage:
    sheet, results = bench.sheet("xlsx", rows), bench.fresh("xlsx")
    done = served(lambda url: work(Errand(sheet=sheet, results=results, url=url, workers=_WORKERS)))
    if done.calls != rows:
        raise BenchmarkFailed(f"{done.calls} calls were placed for {rows} rows")
    return done.usage
