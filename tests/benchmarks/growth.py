"""How the cost of ``dispatcher check`` grows with the rows."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from bench import Bench
from figures import Figure

_STEPS = (1_000, 100, 10, 1)  # parts of the largest sheet
_MOST = 1.1  # exponent: 1 is in proportion, 2 is with the square; the rest is noise


def growth(bench: Bench) -> Iterator[Figure]:
    """Measure four sizes of each format, and fit how the time above the start grows."""
    for form in ("csv", "xlsx"):
        sizes = sorted({max(1, bench.rows // step) for step in _STEPS})
        seconds = []
        for rows in sizes:
            usage = bench.check(form, rows)
            seconds.append(usage.cpu_seconds)
            name = f"check {form.upper()} {rows:,} rows"
            yield Figure(name=f"{name}: CPU", unit="s", ours=usage.cpu_seconds)
            yield Figure(name=f"{name}: peak", unit="MB", ours=usage.peak_megabytes)
        yield Figure(
            name=f"check {form.upper()}: exponent of CPU over rows",
            unit="",
            ours=_exponent(sizes, seconds),
            at_most=bench.bound(_MOST),
        )


def _exponent(sizes: Sequence[int], seconds: Sequence[float]) -> float:
    """
    Return *p* of ``seconds = start + factor x rows ** p``, by least squares of the logarithms.

    What the smallest size takes is taken for the start; nan where the rows cost no more than that.
    """
    points = [
        (math.log(rows - sizes[0]), math.log(spent - seconds[0]))
        for rows, spent in zip(sizes[1:], seconds[1:], strict=True)
        if spent > seconds[0]
    ]
    if len(points) <= 1:
        return math.nan
    middle = sum(x for x, _ in points) / len(points)
    height = sum(y for _, y in points) / len(points)
    spread = sum((x - middle) ** 2 for x, _ in points)
    return sum((x - middle) * (y - height) for x, y in points) / spread
