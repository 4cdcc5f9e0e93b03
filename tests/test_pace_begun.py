"""The pace of a whole run on the real clock, ledger and network, by when its requests began."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from dispatcher.sandbox import Faults, SandboxOptions, SandboxServer

RATE = 40
TRACED = """
import json, runpy, sys
from dispatcher.pacer import Gate
begun, started = [], Gate.started
def noted(gate, now):
    begun.append(now)
    started(gate, now)
Gate.started = noted
path = sys.argv.pop(1)
try:
    runpy.run_module("dispatcher", run_name="__main__", alter_sys=True)
finally:
    open(path, "w").write(json.dumps(begun))
"""


@pytest.mark.parametrize("workers", ["1", "auto", "50"])
def test_no_second_holds_more_starts_than_the_rate(workers: str, tmp_path: Path) -> None:
    """However slow the machine is: no bound on how long it takes."""
    sheet, begun = tmp_path / "c.csv", tmp_path / "begun.json"
    rows = "".join(f"person-{number},agent,number\n" for number in range(100))
    sheet.write_text(f"contact_id,agent_id,from_number_id\n{rows}")

    with SandboxServer(SandboxOptions(rate_per_minute=0, faults=Faults(), id_prefix="c-")) as api:
        subprocess.run(
            [
                *(sys.executable, "-c", TRACED, str(begun), "run", str(sheet), "--yes", "--quiet"),
                *("--rate", f"{RATE}/second", "--workers", workers),
            ],
            check=True,
            capture_output=True,
            env={
                **os.environ,
                "CONTACTSHIP_API_KEY": api.key,
                "CONTACTSHIP_BASE_URL": api.url,
                "DISPATCHER_LEDGER": str(tmp_path / "ledger.db"),
            },
        )
        placed = {call.contact_id for call in api.record}

    moments: list[float] = json.loads(begun.read_text())
    assert len(moments) == len(placed) == 100
    assert all(earlier <= later for earlier, later in pairwise(moments))
    assert all(last - first >= 1 for first, last in zip(moments, moments[RATE:], strict=False))
