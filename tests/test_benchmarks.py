"""The benchmarks run and write their table; what they measure is for a quiet machine."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parent / "benchmarks" / "run.py"

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="the kernel does not count for us"),
    pytest.mark.timeout(600),  # they start processes by the dozen, and others may do so too
]


def run(results: Path, *options: str) -> list[list[str]]:
    """Run the benchmarks without the peers of other makers; the cells of every line."""
    command = [sys.executable, str(BENCHMARKS), "--results", str(results), *options]
    nowhere = {"PATH": "", "NODE_PATH": ""}
    subprocess.run(command, check=True, capture_output=True, env={**os.environ, **nowhere})
    lines = results.read_text(encoding="utf-8").splitlines()
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines if "|" in line]


def amount(figure: str, unit: str = "") -> float:
    """Return the number of a figure as the tables have it: ``1,340 calls/s``."""
    return float(figure.removesuffix(f" {unit}").replace(",", ""))


def test_the_reading_benchmark_measures_both_formats_against_their_peers(tmp_path: Path) -> None:
    lines = run(tmp_path / "RESULTS.md", "--only", "reading", "--rows", "200")

    names = {line[0] for line in lines}
    peers = {line[3]: amount(line[5]) for line in lines if line[3] not in ("peer", "", "---")}
    assert {f"check {form} 200 x 12: peak" for form in ("CSV", "XLSX")} <= names
    assert peers.keys() >= {"pandas.read_csv", "openpyxl read-only"}
    assert all(ratio > 0 for ratio in peers.values())


def test_the_benchmark_of_calls_counts_what_the_server_saw_and_where_time_went(
    tmp_path: Path,
) -> None:
    lines = run(tmp_path / "RESULTS.md", "--only", "calls", "--rows", "1000")

    figures = {line[0]: line[1] for line in lines}
    assert amount(figures["20 calls, 32 workers: calls/s"], "calls/s") > 0
    shares = [value for name, value in figures.items() if name.startswith("share of a call's CPU")]
    assert sum(amount(share, "%") for share in shares) == pytest.approx(100, abs=1)
    skipped = {line[3].partition(",")[0] for line in lines if line[4] == "skipped, not installed"}
    assert skipped >= {"Newman with a data file", "GNU parallel with curl"}


def test_the_benchmark_of_rows_takes_a_campaign_through_every_step(tmp_path: Path) -> None:
    lines = run(tmp_path / "RESULTS.md", "--only", "rows", "--rows", "20", "--whole")

    names = {line[0] for line in lines}
    steps = ("check CSV", "check XLSX", "dispatch (run again)", "results")
    assert {f"{step}, 20 rows: peak" for step in steps} <= names
    assert "resume with all placed but a thousandth, 20 rows: first call" in names
    assert "ledger above the row's own text, 20 rows recorded: bytes a row" in names


def test_the_benchmark_of_the_job_compares_it_with_the_usual_script(tmp_path: Path) -> None:
    lines = run(tmp_path / "RESULTS.md", "--only", "job", "--rows", "100", "--whole")

    compared = {line[0]: line[5] for line in lines if line[3].startswith("usual script")}
    assert compared.keys() == {
        f"XLSX to XLSX, 10 rows, 32 workers: {what}" for what in ("wall", "CPU")
    }
    assert all(amount(ratio) > 0 for ratio in compared.values())


def test_the_benchmark_of_the_pace_counts_what_the_server_saw(tmp_path: Path) -> None:
    lines = run(tmp_path / "RESULTS.md", "--only", "pacing", "--rows", "10")

    figures = {line[0]: line[1] for line in lines}
    rate = "50/second, answers after 0.01 s"
    # A machine that stands still distorts what the server counts, so neither is bounded here: the
    # windows of the starts themselves are, in the tests of the pace.
    assert 0 < amount(figures[f"{rate}: share of the allowed calls"], "%") < 110
    assert amount(figures[f"{rate}: most in a second"]) > 1


def test_the_exponent_of_a_cost_is_that_of_its_growth_above_the_start() -> None:
    program = (
        "from rows import exponent;"
        "print(exponent({n: 0.5 + 3e-6 * n**1.5 for n in (1_000, 10_000, 100_000, 1_000_000)}))"
    )
    command = [sys.executable, "-c", program]
    said = subprocess.check_output(command, cwd=BENCHMARKS.parent, text=True)

    assert float(said) == pytest.approx(1.5, abs=0.05)


def test_a_part_that_is_run_again_leaves_the_other_tables_alone(tmp_path: Path) -> None:
    results = tmp_path / "RESULTS.md"
    results.write_text("# Benchmarks\n\n## pacing\n\nas it was\n\n## starting\n\nold\n")

    run(results, "--only", "starting", "--rows", "10")

    text = results.read_text(encoding="utf-8")
    assert "## pacing\n\nas it was\n" in text
    assert "old" not in text
    assert "| dispatcher --version: CPU |" in text
