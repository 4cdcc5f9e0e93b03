"""
Runs the benchmarks and writes their tables.

``python tests/benchmarks/run.py [--only PART] [--rows N] [--whole] [--results FILE]``
"""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from bench import MOST_ROWS, Bench
from calls import calls
from figures import Figure, write_part
from measuring import BenchmarkFailed
from pacing import pacing
from reading import reading
from rows import rows
from starting import starting
from whole_job import whole_job
from writing import writing

_PARTS: dict[str, Callable[[Bench], Iterator[Figure]]] = {
    "starting": starting,
    "reading": reading,
    "writing": writing,
    "calls": calls,
    "pacing": pacing,
    "rows": rows,
    "job": whole_job,
}
_PEERS = """\
peers, each skipped by name where it is not installed:
  pandas, openpyxl, httpx, tenacity, xlsxwriter   come with the project and its tests
  aiohttp          pip install aiohttp, for the Python that runs this
  newman           npm install newman; on the PATH, or NODE_PATH=FOLDER/node_modules
  parallel, curl   apt-get install parallel curl; on the PATH

All parts together take some 20 minutes on an idle machine of two cores.
"""


def main() -> int:
    """
    Run all parts, or the one that is named; each is written down as soon as it is measured.

    Returns:
        1 where a part did not come to its end; the others' tables are written all the same.
    """
    arguments = _arguments()
    command = shlex.join(["python", "tests/benchmarks/run.py", *sys.argv[1:]])
    status = 0
    with TemporaryDirectory(prefix="dispatcher-benchmarks-") as folder:
        bench = Bench(rows=arguments.rows, folder=Path(folder), is_whole=arguments.whole)
        for part in [arguments.only] if arguments.only else _PARTS:
            try:
                write_part(arguments.results, part, command, _told(_PARTS[part](bench)))
            except BenchmarkFailed as fault:
                print(f"{part}: {fault}", file=sys.stderr)
                status = 1
    print(f"Written to {arguments.results}")
    return status


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Measures the dispatcher against its peers.",
        epilog=_PEERS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--only", choices=_PARTS, help="run this part, keep the others' tables")
    parser.add_argument("--rows", type=int, default=MOST_ROWS, help="rows of the largest sheet")
    parser.add_argument(
        "--whole",
        action="store_true",
        help="also dispatch the largest sheet, and give the usual script the whole job",
    )
    parser.add_argument(
        "--results",
        type=Path,
        default=Path(__file__).resolve().parent / "RESULTS.md",
        help="the file to write",
    )
    return parser.parse_args()


def _told(figures: Iterator[Figure]) -> Iterator[Figure]:
    for figure in figures:
        print(figure.line(), flush=True)
        yield figure


if __name__ == "__main__":
    sys.exit(main())
