"""
Runs the benchmarks and writes their tables.

``python tests/benchmarks/run.py [--only PART] [--rows N] [--results FILE]``
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
from growth import growth
from reading import reading
from starting import starting
from writing import writing

_PARTS: dict[str, Callable[[Bench], Iterator[Figure]]] = {
    "starting": starting,
    "reading": reading,
    "growth": growth,
    "writing": writing,
    "calls": calls,
}


def main() -> None:
    """Run all parts, or the one that is named; each is written down as soon as it is measured."""
    arguments = _arguments()
    command = shlex.join(["python", "tests/benchmarks/run.py", *sys.argv[1:]])
    with TemporaryDirectory(prefix="dispatcher-benchmarks-") as folder:
        bench = Bench(rows=arguments.rows, folder=Path(folder))
        for part in [arguments.only] if arguments.only else _PARTS:
            write_part(arguments.results, part, command, _told(_PARTS[part](bench)))
    print(f"Written to {arguments.results}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measures the dispatcher against its peers.")
    parser.add_argument("--only", choices=_PARTS, help="run this part, keep the others' tables")
    parser.add_argument("--rows", type=int, default=MOST_ROWS, help="rows of the largest sheet")
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
    main()
