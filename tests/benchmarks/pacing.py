"""The pace as a server counts it: what share of the allowed calls, and the most in any window."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from bench import Bench
from callers import Errand
from figures import Figure
from measuring import PYTHON, Usage, measure
from serving import served

_HERE = Path(__file__).resolve().parent
_SHARE = 98.5
_SETTLED_SECONDS = 2.0  # after the first answer: the workers follow the pace
_WHOLE_SHARE, _WHOLE_SECONDS = 1.02, 3.0  # of rows / rate, and on top
_PEERS = {"aiolimiter": "aiolimiter", "asyncio": "sleep"}  # module -> how


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pace:
    """
    One line of measurements.

    Attributes:
        count: Calls allowed in the unit.
        unit: ``second`` or ``minute``.
        unit_seconds: The same as a number.
        delay_seconds: The server answers so much later.
        over: Share of the count that a window may hold too many.
    """

    count: int
    unit: str
    unit_seconds: float
    delay_seconds: float
    over: float = 0.0

    @property
    def seconds(self) -> float:
        """How long it is measured."""
        return max(10.0, 2 * self.unit_seconds)

    @property
    def calls(self) -> int:
        return int(self.count / self.unit_seconds * self.seconds)

    @property
    def rate(self) -> str:
        return f"{self.count}/{self.unit}"


_PACES = (
    _Pace(count=120, unit="minute", unit_seconds=60, delay_seconds=0.5),
    _Pace(count=10, unit="second", unit_seconds=1, delay_seconds=2.0),
    _Pace(count=100, unit="second", unit_seconds=1, delay_seconds=0.2),
    _Pace(count=500, unit="second", unit_seconds=1, delay_seconds=0.05),
    _Pace(count=2000, unit="second", unit_seconds=1, delay_seconds=0.02, over=0.005),
)
_JOBS = ((300, "10/second", 30.0), (3_000, "100/second", 30.0))  # rows, rate, rows / rate
_BRIEF = _Pace(count=50, unit="second", unit_seconds=1, delay_seconds=0.01)


def pacing(bench: Bench) -> Iterator[Figure]:
    """Measure whole runs with as many workers as the pace needs, and those who pace otherwise."""
    paces = _PACES if bench.bound(1) else (_BRIEF,)
    for pace in paces:
        arrivals = _ours(bench, pace)
        # It begins with one call at a time, until the first was answered.
        settled_at = arrivals[0] + pace.delay_seconds + _SETTLED_SECONDS
        after = [at for at in arrivals if at >= settled_at]
        name = f"{pace.rate}, answers after {pace.delay_seconds:g} s"
        yield Figure(
            name=f"{name}: share of the allowed calls",
            unit="%",
            ours=_share(after, pace),
            at_least=bench.bound(_SHARE),
            is_better_higher=True,
        )
        worst = _most_in(arrivals, pace.unit_seconds)
        at_most = bench.bound(pace.count * (1 + pace.over))
        yield Figure(name=f"{name}: most in a {pace.unit}", unit="", ours=worst, at_most=at_most)
        if pace.unit == "second":
            yield from _theirs(bench, pace, share=_share(after, pace), worst=worst)
    if bench.bound(1):
        for job in _JOBS:
            yield _whole(bench, *job)


def _whole(bench: Bench, rows: int, rate: str, seconds: float) -> Figure:
    """Measure a job from the start of its process until its results are written."""
    sheet, results = bench.sheet("csv", rows), bench.fresh("csv")

    def work(url: str) -> Usage:
        errand = Errand(sheet=sheet, results=results, url=url, workers=0)
        return bench.run(errand, bench.fresh("db"), "--workers", "auto", rate=rate)

    return Figure(
        name=f"{rows:,} rows at {rate}, from start to results",
        unit="s",
        ours=served(work, delay_seconds=0.1).usage.wall_seconds,
        at_most=_WHOLE_SHARE * seconds + _WHOLE_SECONDS,
    )


def _ours(bench: Bench, pace: _Pace) -> list[float]:
    command = [PYTHON, str(_HERE / "arrivals_server.py"), "0", str(pace.delay_seconds)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        port = int(server.stdout.readline())
        errand = Errand(
            sheet=bench.sheet("csv", pace.calls),
            results=bench.fresh("csv"),
            url=f"http://127.0.0.1:{port}",
            workers=0,
        )
        try:
            # The last of an option counts: as many workers as the pace needs.
            bench.run(errand, bench.fresh("db"), "--workers", "auto", rate=pace.rate)
        finally:
            seen, _ = server.communicate()
    return sorted(json.loads(seen)["arrivals"])


def _theirs(bench: Bench, pace: _Pace, *, share: float, worst: float) -> Iterator[Figure]:
    for module, how in _PEERS.items():
        peer = {"aiolimiter": "aiolimiter", "sleep": "sleeping between starts"}[how]
        moments = _started(bench, how, pace) if find_spec(module) else None
        yield Figure(
            name=f"{pace.rate}: share of the allowed calls",
            unit="%",
            ours=share,
            peer=peer,
            theirs=_share(moments, pace) if moments else None,
            is_better_higher=True,
        )
        yield Figure(
            name=f"{pace.rate}: most in a second",
            unit="",
            ours=worst,
            peer=peer,
            theirs=_most_in(moments, pace.unit_seconds) if moments else None,
        )


def _started(bench: Bench, how: str, pace: _Pace) -> list[float]:
    script = _HERE / "peers" / "paced_loop.py"
    told = (how, str(pace.count), str(pace.unit_seconds), str(pace.calls))
    return sorted(json.loads(measure((PYTHON, script, *told), folder=bench.folder).output))


def _share(moments: Sequence[float], pace: _Pace) -> float:
    allowed = (moments[-1] - moments[0]) * pace.count / pace.unit_seconds
    return 100 * (len(moments) - 1) / allowed


def _most_in(moments: Sequence[float], unit_seconds: float) -> int:
    """Return the most that any window of the unit holds; *moments* ascend."""
    most, first = 0, 0
    for last, moment in enumerate(moments):
        while moment - moments[first] >= unit_seconds:
            first += 1
        most = max(most, last - first + 1)
    return most
