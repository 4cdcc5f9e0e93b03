"""The transport for where a proxy stands between us and the API: httpx's own."""

from __future__ import annotations

import logging
import ssl
from collections.abc import Mapping
from typing import Protocol, runtime_checkable

import httpx

_CONNECTED = "connection.connect_tcp.complete"
_SENDS = "http11.send_request_headers.started"


@runtime_checkable
class _Closable(Protocol):
    async def aclose(self) -> None: ...


class ProxiedTransport(httpx.AsyncBaseTransport):
    """
    Sends one request at a time through a proxy, and none of them twice.

    httpcore tells its steps through the ``trace`` extension; those of CONNECT are kept back, for
    it is no request of ours.
    """

    def __init__(
        self, *, proxy: httpx.Proxy, tls: ssl.SSLContext | None, idle_seconds: float
    ) -> None:
        """
        Open nothing yet.

        Args:
            proxy: The proxy.
            tls: With which certificates to speak TLS, or None for an API without.
            idle_seconds: A connection that was idle for longer is left.
        """
        _quieten()
        one = httpx.Limits(
            max_connections=1, max_keepalive_connections=1, keepalive_expiry=idle_seconds
        )
        tls = tls or ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # never used, and quick to make
        self._inner = httpx.AsyncHTTPTransport(verify=tls, limits=one, proxy=proxy)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send *request* and read the head of the answer."""
        tell = request.extensions["trace"]
        connecting: _Closable | None = None

        async def trace(step: str, details: Mapping[str, object]) -> None:
            nonlocal connecting
            if _is_for_the_proxy(details):
                return
            stream = details.get("return_value") if step == _CONNECTED else None
            if isinstance(stream, _Closable):
                connecting = stream
            if step == _SENDS:
                connecting = None
            await tell(step, details)

        request.extensions["trace"] = trace
        try:
            return await self._inner.handle_async_request(request)
        finally:
            # httpcore forgets the socket when it is cancelled within a TLS handshake.
            if connecting is not None:
                await connecting.aclose()

    async def aclose(self) -> None:
        """Leave the connection, if there is one."""
        await self._inner.aclose()


def _is_for_the_proxy(details: Mapping[str, object]) -> bool:
    return getattr(details.get("request"), "method", b"") == b"CONNECT"


def _quieten() -> None:
    # At DEBUG httpcore logs the headers of every answer, and a server may repeat the key in one.
    logger = logging.getLogger("httpcore")
    if logger.level == logging.NOTSET:
        logger.setLevel(logging.WARNING)
