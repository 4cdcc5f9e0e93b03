"""Who else places calls from a sheet, how each is started, and whether it is installed."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from measuring import PYTHON

_PEERS = Path(__file__).resolve().parent / "peers"


@dataclass(frozen=True, slots=True, kw_only=True)
class Errand:
    """
    What a caller is told.

    Attributes:
        sheet: A CSV or XLSX of ``sheets``.
        results: Where it may write.
        url: The API.
        workers: Calls at once, where it can be told so.
    """

    sheet: Path
    results: Path
    url: str
    workers: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """
    A peer.

    Attributes:
        name: As the tables have it.
        modules: What has to be importable by the Python that runs the benchmarks.
        programs: What has to be on the path.
        command: How it is started; may prepare files beside the results, which is not measured.
        share: Its sheet has so many times fewer rows than ours, for it is slower.
        times_at_least: How many times more calls a second we have to place, or None.
    """

    name: str
    modules: tuple[str, ...] = ()
    programs: tuple[str, ...] = ()
    command: Callable[[Errand], Sequence[str | Path]]
    share: int = 1
    times_at_least: float | None = None

    @property
    def is_installed(self) -> bool:
        """Whether all it needs is there."""
        return all(map(find_spec, self.modules)) and all(map(_program, self.programs))


def _program(name: str) -> str | None:
    """Find a program on the path, or among those of the modules of Node.js."""
    found = shutil.which(name)
    for folder in os.environ.get("NODE_PATH", "").split(os.pathsep):
        found = found or shutil.which(name, path=str(Path(folder) / ".bin"))
    return found


def _script(name: str) -> Callable[[Errand], Sequence[str | Path]]:
    return lambda errand: (PYTHON, _PEERS / name, *_arguments(errand))


def _arguments(errand: Errand) -> Sequence[str | Path]:
    return (errand.sheet, errand.results, errand.url, str(errand.workers))


def _parallel_curl(errand: Errand) -> Sequence[str | Path]:
    return ("sh", _PEERS / "parallel_curl.sh", *_arguments(errand))


def _newman(errand: Errand) -> Sequence[str | Path]:
    return (
        _program("newman") or "newman",
        "run",
        _PEERS / "newman_collection.json",
        *("--iteration-data", errand.sheet, "--env-var", f"url={errand.url}", "--silent"),
    )


def _curl(errand: Errand) -> Sequence[str | Path]:
    config = errand.results.with_suffix(".curl")
    script = (PYTHON, str(_PEERS / "curl_config.py"), str(errand.sheet), str(config), errand.url)
    subprocess.run(script, check=True)
    return ("curl", "--parallel", "--parallel-max", str(errand.workers), "--config", config)


USUAL_SCRIPT = Caller(
    name="usual script (pandas, gather, httpx, tenacity)",
    modules=("pandas", "openpyxl", "httpx", "tenacity"),
    command=_script("usual_script.py"),
    share=10,
    times_at_least=8,
)
CALLERS = (
    USUAL_SCRIPT,
    Caller(
        name="cookbook loop (aiohttp)",
        modules=("aiohttp",),
        command=_script("cookbook_loop.py"),
        share=5,
        times_at_least=3,
    ),
    Caller(
        name="Newman with a data file",
        programs=("newman",),
        command=_newman,
        share=50,
        times_at_least=20,
    ),
    Caller(
        name="GNU parallel with curl",
        programs=("parallel", "curl"),
        command=_parallel_curl,
        share=50,
        times_at_least=20,
    ),
    Caller(
        name="tuned loop that records nothing (aiohttp)",
        modules=("aiohttp",),
        command=_script("tuned_loop.py"),
    ),
    Caller(name="curl --parallel, which records nothing", programs=("curl",), command=_curl),
)
