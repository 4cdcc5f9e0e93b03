"""The command line: commands, wiring, signals, exit codes."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command and leave with its exit status."""
    from dispatcher.cli.app import run_app
    from dispatcher.cli.terminal import open_what_is_closed

    open_what_is_closed()
    sys.exit(run_app(sys.argv[1:]))
