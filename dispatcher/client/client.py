"""A client of the API: one connection, one request at a time."""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Mapping
from typing import Self
from urllib.parse import quote

import httpx

from dispatcher import __version__
from dispatcher.client.exchange import Exchange
from dispatcher.client.route import route_to
from dispatcher.client.secret import ApiKey
from dispatcher.model import NoReply, Reply

CALLS_PATH = "/v1/calls/single-contact-call"
_NO_QUERY: Mapping[str, str] = types.MappingProxyType({})


class Client:
    """
    Sends one request after another; an async context manager.

    What the network does is a result, never an exception. Redirects are not followed, cookies
    not kept, and nothing is ever sent twice.
    """

    def __init__(
        self,
        *,
        base_url: str,
        api_key: str,
        connect_timeout_seconds: float,
        answer_timeout_seconds: float,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """
        Open nothing yet.

        Args:
            base_url: ``https://host``, with or without a path before ``/v1``.
            api_key: Visible ASCII.
            connect_timeout_seconds: From the start to the first byte sent.
            answer_timeout_seconds: From the first byte sent to the last byte read.
            transport: Instead of httpx's own, with its own proxy and TLS.

        Raises:
            UsageProblem: Key, address, proxy or certificates cannot be used; the key is not shown.
        """
        self._key = ApiKey(api_key)
        self._route = route_to(base_url, transport)
        self._connect_seconds = connect_timeout_seconds
        self._answer_seconds = answer_timeout_seconds
        self._calls_url = self._url(CALLS_PATH)  # once: reading an address costs as much as sending
        self._exchange: Exchange | None = None

    async def __aenter__(self) -> Self:
        await self._route.transport.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: types.TracebackType | None,
    ) -> None:
        await self._route.transport.__aexit__(kind, error, trace)

    async def place(self, body: bytes) -> Reply | NoReply:
        """
        Ask for one call.

        Args:
            body: The request as JSON.
        """
        return await self._send("POST", self._calls_url, body)

    async def look(self, path: str, query: Mapping[str, str] = _NO_QUERY) -> Reply | NoReply:
        """
        Read something; places nothing.

        Args:
            path: From ``/v1`` on, not percent-encoded.
            query: Names and values.
        """
        url = self._url(quote(path, safe="/"))
        return await self._send("GET", url.copy_merge_params(query) if query else url, b"")

    def abort(self) -> None:
        """End the request in flight now, if there is one, as cancelled or with a cut reply."""
        if self._exchange is not None:
            self._exchange.abort()

    def _url(self, path: str) -> httpx.URL:
        base = self._route.base
        return base.copy_with(raw_path=base.raw_path.rstrip(b"/") + path.encode("ascii"))

    async def _send(self, method: str, url: httpx.URL, body: bytes) -> Reply | NoReply:
        exchange = Exchange(
            peer=self._route.peer,
            connect_seconds=self._connect_seconds,
            answer_seconds=self._answer_seconds,
        )
        self._exchange = exchange
        try:
            request = httpx.Request(method, url, headers=self._headers(body), content=body)
            result = await exchange.carry_out(self._route.transport, request)
        finally:
            self._exchange = None
        return self._without_key(result)

    def _headers(self, body: bytes) -> list[tuple[bytes, bytes]]:
        headers = [
            (b"accept", b"application/json"),
            (b"accept-encoding", b"identity"),
            (b"user-agent", f"contactship-dispatcher/{__version__}".encode("ascii")),
            (b"x-api-key", self._key.header()),
        ]
        return [*headers, (b"content-type", b"application/json")] if body else headers

    def _without_key(self, result: Reply | NoReply) -> Reply | NoReply:
        if isinstance(result, NoReply):
            return result
        hide = self._key.hidden_in_text
        return dataclasses.replace(
            result,
            body=self._key.hidden_in(result.body),
            content_type=hide(result.content_type),
            retry_after=hide(result.retry_after),
            limit=hide(result.limit),
            remaining=hide(result.remaining),
            reset=hide(result.reset),
        )
