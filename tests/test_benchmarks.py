"""The benchmarks run and write their table; what they measure is for a quiet machine."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parent / "benchmarks" / "run.py"

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the kernel does not count for us")


def run(results: Path, *options: str) -> list[list[str]]:
    """Run the benchmarks; the cells of every line of the table."""
    command = [sys.executable, str(BENCHMARKS), "--results", str(results), *options]
    subprocess.run(command, check=True, capture_output=True, timeout=100)
    lines = results.read_text(encoding="utf-8").splitlines()
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines if "|" in line]


def test_the_reading_benchmark_measures_both_formats_against_their_peers(tmp_path: Path) -> None:
    lines = run(tmp_path / "RESULTS.md", "--only", "reading", "--rows", "200")

    names = {line[0] for line in lines}
    peers = {line[4]: float(line[6]) for line in lines if line[4] not in ("peer", "", "---")}
    assert {f"check {form} 200 x 12: peak" for form in ("CSV", "XLSX")} <= names
    assert peers.keys() >= {"pandas.read_csv", "openpyxl read-only"}
    assert all(ratio > 0 for ratio in peers.values())


def test_a_part_that_is_run_again_leaves_the_other_tables_alone(tmp_path: Path) -> None:
    results = tmp_path / "RESULTS.md"
    results.write_text("# Benchmarks\n\n## pacing\n\nas it was\n\n## starting\n\nold\n")

    run(results, "--only", "starting")

    text = results.read_text(encoding="utf-8")
    assert "## pacing\n\nas it was\n" in text
    assert "old" not in text
    assert "| dispatcher --version: CPU |" in text
