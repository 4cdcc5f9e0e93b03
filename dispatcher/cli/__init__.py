"""The command line: commands, wiring, signals, exit codes."""

from __future__ import annotations

import gc
import sys

# Objects made since the last look for cycles. Hardly any of ours are in one, and with the usual 700
# the looking is a tenth of a run.
_BETWEEN_COLLECTIONS = 50_000


def main() -> None:
    """Run the command and leave with its exit status."""
    gc.set_threshold(_BETWEEN_COLLECTIONS)
    from dispatcher.cli.app import run_app
    from dispatcher.cli.terminal import open_what_is_closed

    open_what_is_closed()
    sys.exit(run_app(sys.argv[1:]))
