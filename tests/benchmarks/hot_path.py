"""Where the CPU of a call goes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from bench import Bench
from callers import Errand
from figures import Figure
from measuring import PYTHON, Usage
from sampled_run import LEDGER, LOGGING, PROGRESS
from serving import served

_SAMPLED = (PYTHON, Path(__file__).resolve().parent / "sampled_run.py")
_NOTHING = 0.5  # of a hundred samples is chance
_MOST_PERCENT = {LEDGER: 15.0, PROGRESS: _NOTHING, LOGGING: _NOTHING}


def hot_path(bench: Bench, *, rows: int, workers: int) -> Iterator[Figure]:
    """Sample a run, and tell each group's share of the CPU used while calls were placed."""
    sheet, profile = bench.sheet("csv", rows), bench.fresh("json")
    results, ledger = bench.fresh("csv"), bench.fresh("db")

    def work(url: str) -> Usage:
        errand = Errand(sheet=sheet, results=results, url=url, workers=workers)
        return bench.run(errand, ledger, command=(*_SAMPLED, profile))

    served(work)
    seconds: dict[str, float] = json.loads(profile.read_text(encoding="utf-8"))
    whole = sum(seconds.values())
    for group, spent in seconds.items():
        most = _MOST_PERCENT.get(group)
        yield Figure(
            name=f"share of a call's CPU, {workers} workers: {group}",
            unit="%",
            ours=100 * spent / whole if whole else 0.0,
            at_most=bench.bound(most) if most else None,
        )
