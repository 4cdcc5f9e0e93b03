"""The sandbox as a running server on a loopback port."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

import uvicorn
from starlette.applications import Starlette
from uvicorn.protocols.http.h11_impl import H11Protocol

from dispatcher.errors import UsageProblem
from dispatcher.sandbox.answers import TRANSPORT
from dispatcher.sandbox.app import build_app
from dispatcher.sandbox.desk import open_desk
from dispatcher.sandbox.options import SandboxOptions
from dispatcher.sandbox.record import PlacedCall

_HOST = "127.0.0.1"
_LARGEST_PORT = 65_535
# Idle connections are left to the client: a server that closes them races with its next call.
_KEEP_ALIVE_SECONDS = 3600
_PATIENCE_SECONDS = 5.0
_LAST_WORDS_SECONDS = 1.0
_BACKLOG = 2048


def utc_now() -> datetime:
    """Return the current time, aware UTC."""
    return datetime.now(UTC)


class SandboxServer:
    """
    A sandbox that serves from a thread of its own while the ``with`` block lasts.

    Args:
        options: How it behaves.
        now: Source of the current time, aware UTC.
        monotonic: Source of seconds for the rate limit.

    Raises:
        UsageProblem: On entering, when the port is taken, not allowed or no port.
    """

    def __init__(
        self,
        options: SandboxOptions | None = None,
        *,
        now: Callable[[], datetime] = utc_now,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._options = options or SandboxOptions()
        self._desk = open_desk(self._options, now=now, monotonic=monotonic)
        self._server = _ThreadedServer(_server_config(build_app(self._desk)))
        self._port = self._options.port
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        listener = _bound_socket(self._port)
        self._port = listener.getsockname()[1]
        self._thread = threading.Thread(
            target=self._server.run, args=([listener],), name="sandbox", daemon=True
        )
        self._thread.start()
        if not self._server.ready.wait(_PATIENCE_SECONDS):
            listener.close()
            raise UsageProblem("the sandbox did not start within 5 seconds; try again")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.stop()
        if self._thread is not None:
            self._thread.join(_PATIENCE_SECONDS)

    @property
    def url(self) -> str:
        """Base URL, e.g. ``http://127.0.0.1:40123``; known inside the ``with`` block."""
        return f"http://{_HOST}:{self._port}"

    @property
    def key(self) -> str:
        """The ``x-api-key`` that is accepted."""
        return self._options.key

    @property
    def record(self) -> tuple[PlacedCall, ...]:
        """The calls truly placed so far, in the order of placing; may be read from any thread."""
        return self._desk.calls.calls

    @property
    def requests(self) -> Mapping[str, int]:
        """Contact id (or number dialled) -> valid requests so far, placed or not."""
        return self._desk.calls.requests


def serve(
    options: SandboxOptions,
    *,
    announce: Callable[[SandboxServer], None],
    until: threading.Event | None = None,
) -> None:
    """
    Serve in the foreground until *until* is set, or until the caller is interrupted.

    Args:
        options: How the sandbox behaves.
        announce: Told once the sandbox answers, e.g. to print URL and key.
        until: Ends the serving; without it only an exception such as KeyboardInterrupt does.

    Raises:
        UsageProblem: The port is taken, not allowed or no port.
    """
    ended = until or threading.Event()
    with SandboxServer(options) as server:
        announce(server)
        # In short waits, because Windows delivers Ctrl-C only between them.
        while not ended.wait(0.5):
            pass


class _ReachableProtocol(H11Protocol):
    """Leaves the connection's transport where a faulty answer can close it."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self.app_state = {**self.app_state, TRANSPORT: transport}
        super().connection_made(transport)


class _ThreadedServer(uvicorn.Server):
    """Runs without polling, and ends at once, whatever its requests are waiting for."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ended: asyncio.Event | None = None

    def stop(self) -> None:
        """End the serving; may be called from any thread, also when it never began."""
        if self._loop is not None and self._ended is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._ended.set)

    async def main_loop(self) -> None:
        self._loop, self._ended = asyncio.get_running_loop(), asyncio.Event()
        self.ready.set()
        await self._ended.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + _LAST_WORDS_SECONDS
        # Every request notices its lost connection; asyncio.run cancels what does not.
        while self._is_busy() and loop.time() < deadline:
            for connection in list(self.server_state.connections):
                connection.transport.abort()
            await asyncio.sleep(0)
        # Last, and at rest: asyncio forgets to close a connection that is just being accepted.
        for server in self.servers:
            server.close()
        for listener in sockets or []:
            listener.close()

    def _is_busy(self) -> bool:
        return bool(self.server_state.connections) or len(asyncio.all_tasks()) > 1


def _server_config(app: Starlette) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        loop="asyncio",
        http=_ReachableProtocol,
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="error",
        access_log=False,
        proxy_headers=False,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        backlog=_BACKLOG,
    )


def _bound_socket(port: int) -> socket.socket:
    if not 0 <= port <= _LARGEST_PORT:
        raise UsageProblem(f"port {port} is no port", hint="Use 1 to 65535, or 0 for a free one.")
    # The protocol is named because asyncio switches Nagle's algorithm off only then; with it on,
    # every answer waits some 40 ms for the client's delayed acknowledgement.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if os.name == "posix":  # on Windows this option would share a port that is in use
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((_HOST, port))
        # Already here, so that a port that another process listens on is noticed at once.
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise UsageProblem(
            f"port {port} cannot be used: {error.strerror}",
            hint="Choose another --port, or leave it out for a free one.",
        ) from error
    return listener
