"""Reading a sheet: ``dispatcher check`` against those who only read it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bench import COLUMNS, Bench
from figures import Figure


@dataclass(frozen=True, slots=True, kw_only=True)
class _Form:
    """
    A format with its bounds.

    Attributes:
        name: Of the format, and of the file's ending.
        peers: Who else reads it.
        seconds: Wall, for a tenth of the largest sheet.
        megabytes: For the largest sheet.
        growth: The peak of the largest sheet by that of a tenth of it, None for no bound.
    """

    name: str
    peers: tuple[str, ...]
    seconds: float
    megabytes: float
    growth: float | None = None


_FORMS = (
    _Form(
        name="csv",
        peers=("csv.reader", "pandas.read_csv"),
        seconds=4,
        megabytes=120,
        growth=1.3,
    ),
    _Form(
        name="xlsx",
        peers=("openpyxl read-only", "pandas.read_excel, openpyxl", "pandas.read_excel, calamine"),
        seconds=8,
        megabytes=400,
    ),
)


def reading(bench: Bench) -> Iterator[Figure]:
    """Measure each format at the usual size against its peers, and at the largest alone."""
    for form in _FORMS:
        yield from _against_peers(bench, form)
        yield from _largest(bench, form)


def _against_peers(bench: Bench, form: _Form) -> Iterator[Figure]:
    rows = bench.usual_rows
    usage = bench.check(form.name, rows)
    times = bench.times(2)
    name = _name(form, rows) + (", better of two runs" if times > 1 else "")
    yield from bench.cost(name, usage, seconds=form.seconds)
    sheet = bench.sheet(form.name, rows)
    yield from bench.against(
        name, usage, form.peers, lambda peer: bench.job(peer, sheet, times=times)
    )


def _largest(bench: Bench, form: _Form) -> Iterator[Figure]:
    usage = bench.check(form.name, bench.rows)
    name = _name(form, bench.rows)
    peak = usage.peak_megabytes
    yield from bench.cost(name, usage)
    yield Figure(name=f"{name}: peak", unit="MB", ours=peak, at_most=bench.bound(form.megabytes))
    yield Figure(
        name=f"{name}: peak by that of {bench.usual_rows:,} rows",
        unit="",
        ours=peak / bench.check(form.name, bench.usual_rows).peak_megabytes,
        at_most=bench.bound(form.growth) if form.growth else None,
    )


def _name(form: _Form, rows: int) -> str:
    return f"check {form.name.upper()} {rows:,} x {COLUMNS}"
