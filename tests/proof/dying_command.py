"""
Runs the command in forked children that die at a chosen step; each line of stdin is an order.

Forking from a process that has imported everything spares each child a second of starting up.
"""

from __future__ import annotations

import gc
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import ParamSpec, TypeVar

import anyio._backends._asyncio
import httpcore

import dispatcher.cli.app
import dispatcher.cli.run
import dispatcher.loader.delimited
from dispatcher.client import Client
from dispatcher.client.exchange import Exchange
from dispatcher.ledger.storage import Storage
from dispatcher.model import NoReply, Reply

# What every child would import by itself.
_WARM = (anyio._backends._asyncio, dispatcher.cli.run, dispatcher.loader.delimited, httpcore)

P = ParamSpec("P")
T = TypeVar("T")

KILLED = 137
# Before it a commit, and after it another: those are steps of their own.
_NETWORK_MILESTONE = "http11.send_request_body.complete"


class Steps:
    """
    Counts what a child does to disk and network, and ends it at one of them.

    Arguments:
        last: Number of the step at which the child dies, 0 for never.
        is_fine: Count every event, not only those between which anything changes outside.
        log: Each step's name is written here before it is taken.
    """

    def __init__(self, *, last: int, is_fine: bool, log: Path) -> None:
        self._last = last
        self._is_fine = is_fine
        self._taken = 0
        self._log = os.open(log, os.O_CREAT | os.O_WRONLY | os.O_APPEND)

    def take(self, name: str) -> None:
        """Take a step, or die."""
        self._taken += 1
        os.write(self._log, f"{name}\n".encode())
        if self._taken == self._last:
            os._exit(KILLED)

    def watch(self) -> None:
        """Count from now on."""
        self._watch_storage()
        self._watch_network()
        for name in ("fsync", "replace", "rename"):
            setattr(os, name, self._around(f"file: {name}", getattr(os, name)))

    def _around(self, name: str, function: Callable[P, T]) -> Callable[P, T]:
        def around(*arguments: P.args, **options: P.kwargs) -> T:
            if self._is_fine:
                self.take(f"{name} begins")
            done = function(*arguments, **options)
            self.take(f"{name} done")
            return done

        return around

    def _watch_storage(self) -> None:
        writing = Storage.writing

        @contextmanager
        def watched(storage: Storage) -> Iterator[object]:
            if self._is_fine:
                self.take("ledger: transaction begins")
            with writing(storage) as connection:
                yield connection
                self.take("ledger: commit begins")
            self.take("ledger: committed")

        Storage.writing = watched  # type: ignore[assignment,method-assign]

    def _watch_network(self) -> None:
        place, on_trace = Client.place, Exchange._on_trace

        async def watched_place(client: Client, body: bytes) -> Reply | NoReply:
            result = await place(client, body)
            if self._is_fine:
                self.take("network: call done")
            return result

        async def watched_trace(
            exchange: Exchange, step: str, details: Mapping[str, object]
        ) -> None:
            if self._is_fine or step == _NETWORK_MILESTONE:
                self.take(f"network: {step}")
            await on_trace(exchange, step, details)

        Client.place = watched_place  # type: ignore[assignment,method-assign]
        Exchange._on_trace = watched_trace  # type: ignore[assignment,method-assign]


def _run(order: dict[str, object]) -> int:
    folder = Path(str(order["folder"]))
    os.chdir(folder)
    os.environ.update({str(k): str(v) for k, v in dict(order["environment"]).items()})  # type: ignore[call-overload]
    said = os.open(folder / "said.txt", os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    os.dup2(said, 1)
    os.dup2(said, 2)
    log = folder / str(order["log"])
    Steps(last=int(str(order["die_at"])), is_fine=bool(order["is_fine"]), log=log).watch()
    arguments = order["arguments"]
    assert isinstance(arguments, list)
    status = dispatcher.cli.app.run_app(arguments)
    sys.stdout.flush()
    sys.stderr.flush()
    return status


def _serve() -> None:
    gc.freeze()
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            status = 1
            try:
                status = _run(json.loads(line))
            finally:
                os._exit(status)
        _, ended = os.waitpid(child, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(ended)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    _serve()
