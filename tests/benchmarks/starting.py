"""What a start costs before any work, and a whole run of a small sheet."""

from __future__ import annotations

from collections.abc import Iterator

from bench import Bench
from callers import Errand
from figures import Figure
from measuring import DISPATCHER, PROJECT, PYTHON, Usage, measure
from serving import served

_TIMES = 5
_RUNS = 3
_SAMPLE = PROJECT / "sample_data" / "campaign.csv"
_SAMPLE_SECONDS = 1.5
_SECONDS = {"--help": 0.3, "--version": 0.3}


def starting(bench: Bench) -> Iterator[Figure]:
    """Measure the cheapest of a few starts against the bare interpreter's, and a run."""
    bare = measure((PYTHON, "-c", "pass"), folder=bench.folder, times=bench.times(_TIMES))
    for option, most in _SECONDS.items():
        ours = measure((*DISPATCHER, option), folder=bench.folder, times=bench.times(_TIMES))
        yield Figure(
            name=f"dispatcher {option}: CPU",
            unit="s",
            ours=ours.cpu_seconds,
            at_most=most,
            peer="python -c pass",
            theirs=bare.cpu_seconds,
        )
    sample = min(
        (_sample_run(bench) for _ in range(bench.times(_RUNS))), key=lambda usage: usage.cpu_seconds
    )
    yield Figure(
        name="run of the sample, 40 rows at 1,000/s: CPU",
        unit="s",
        ours=sample.cpu_seconds,
        at_most=_SAMPLE_SECONDS,
    )


def _sample_run(bench: Bench) -> Usage:
    ledger, results = bench.fresh("db"), bench.fresh("csv")

    def work(url: str) -> Usage:
        errand = Errand(sheet=_SAMPLE, results=results, url=url, workers=8)
        return bench.run(errand, ledger, rate="1000/second")

    return served(work).usage
