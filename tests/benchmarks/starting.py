"""What a start costs before any work."""

from __future__ import annotations

from collections.abc import Iterator

from bench import Bench
from figures import Figure
from measuring import DISPATCHER, PYTHON, measure

_TIMES = 5
_SECONDS = {"--help": 0.3, "--version": 0.3}


def starting(bench: Bench) -> Iterator[Figure]:
    """Measure the cheapest of a few starts against the bare interpreter's."""
    bare = measure((PYTHON, "-c", "pass"), folder=bench.folder, times=_TIMES)
    for option, most in _SECONDS.items():
        ours = measure((*DISPATCHER, option), folder=bench.folder, times=_TIMES)
        yield Figure(
            name=f"dispatcher {option}: CPU",
            unit="s",
            ours=ours.cpu_seconds,
            at_most=most,
            peer="python -c pass",
            theirs=bare.cpu_seconds,
        )
