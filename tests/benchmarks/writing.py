"""Writing the results sheet."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from bench import Bench
from figures import Figure
from measuring import Usage

_COLUMNS = 20
_BOUNDS = {"xlsx": 15.0, "csv": 2.0}  # seconds
_PEERS = {
    "xlsx": ("openpyxl write-only", "xlsxwriter constant_memory"),
    "csv": ("csv.writer",),
}


def writing(bench: Bench) -> Iterator[Figure]:
    """Measure both formats at the usual size."""
    rows = bench.usual_rows
    for form, seconds in _BOUNDS.items():
        run = _runner(bench, bench.folder / f"written.{form}", rows)
        ours = run("dispatcher")
        name = f"results {form.upper()} {rows:,} x {_COLUMNS}"
        yield from bench.cost(name, ours, seconds=seconds)
        yield from bench.against(name, ours, _PEERS[form], run)


def _runner(bench: Bench, path: Path, rows: int) -> Callable[[str], Usage]:
    def run(job: str) -> Usage:
        path.unlink(missing_ok=True)
        return bench.job(job, path, str(rows))

    return run
