"""The sandbox on the command line: served on its own, or under a run that rehearses."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dispatcher.cli.terminal import put, say
from dispatcher.errors import Interrupted, Terminated, UsageProblem

if TYPE_CHECKING:
    from dispatcher.sandbox import SandboxServer

BASE_URL = "sandbox"  # what a rehearsal's ledger remembers: its port changes every time


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsal:
    """
    A sandbox that is up.

    Attributes:
        url: Its base URL.
        key: The key it accepts.
        ledger: Place of the rehearsal's ledger.
        agent_id: An agent it knows.
        from_number_id: A number it knows.
    """

    url: str
    key: str
    ledger: str
    agent_id: str
    from_number_id: str


@contextmanager
def rehearsal(*, ledger: str) -> Iterator[Rehearsal]:
    """
    Serve a sandbox without limit on a free loopback port while the block runs.

    Args:
        ledger: Place of a sandbox ledger, "" for a temporary one that is gone afterwards.

    Raises:
        UsageProblem: the sandbox is not installed.
    """
    from dispatcher.sandbox import (
        SANDBOX_AGENT_ID,
        SANDBOX_NUMBER_ID,
        SandboxOptions,
        SandboxServer,
    )

    options = SandboxOptions(rate_per_minute=0)
    with (
        tempfile.TemporaryDirectory(prefix="dispatcher-sandbox-") as folder,
        SandboxServer(options) as server,
    ):
        place = ledger or str(Path(folder) / "ledger.db")
        yield Rehearsal(
            url=server.url,
            key=server.key,
            ledger=place,
            agent_id=SANDBOX_AGENT_ID,
            from_number_id=SANDBOX_NUMBER_ID,
        )


def serve_sandbox(*, port: int, faults: Path | None, generation: str, rate: int) -> int:
    """
    Serve the sandbox in the foreground until a signal comes.

    Raises:
        UsageProblem: it is not installed, the faults file is wrong, or the port is taken.
    """
    from dispatcher.sandbox import Faults, Generation, SandboxOptions, load_faults, serve

    if generation.lower() not in ("a", "b"):
        raise UsageProblem(f"--generation {generation!r} is neither a nor b")
    options = SandboxOptions(
        port=port,
        generation=Generation(generation.lower()),
        rate_per_minute=rate,
        faults=load_faults(faults) if faults is not None else Faults(),
    )
    with contextlib.suppress(Interrupted, Terminated):
        serve(options, announce=_announce)
    say("The sandbox has ended.")
    return 0


def _announce(server: SandboxServer) -> None:
    say(f"The sandbox listens on {server.url}; nobody is called. For another terminal:")
    put(f"export CONTACTSHIP_BASE_URL={server.url} CONTACTSHIP_API_KEY={server.key}")
