"""A client of the API: one connection, one request at a time."""

from __future__ import annotations

import types
from collections.abc import Mapping
from contextlib import suppress
from typing import Self
from urllib.parse import quote

import httpx

from dispatcher.client.deadline import Deadline
from dispatcher.client.direct import DirectTransport
from dispatcher.client.exchange import Exchange
from dispatcher.client.faults import NETWORK_FAULTS
from dispatcher.client.requests import Requests
from dispatcher.client.route import route_to
from dispatcher.client.secret import ApiKey
from dispatcher.model import NoReply, Reply

CALLS_PATH = "/v1/calls/single-contact-call"
_AHEAD_SECONDS = 2.0  # for a connection made ahead: a slot waits for it
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
            transport: Instead of our own; it tells its steps through the ``trace`` extension.

        Raises:
            UsageProblem: Key, address, proxy or certificates cannot be used; the key is not shown.
        """
        self._key = ApiKey(api_key)
        self._route = route_to(base_url, transport)
        self._requests = Requests(self._route.base, self._key)
        self._deadline = Deadline()
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
        self._deadline.close()
        await self._route.transport.__aexit__(kind, error, trace)

    async def open(self) -> None:
        """
        Connect, if the next request would have to: it then leaves in the moment it is sent.

        A fault is left for that request to meet, and so is a host that lets us wait.
        """
        transport = self._route.transport
        if isinstance(transport, DirectTransport) and not transport.is_open:
            with suppress(*NETWORK_FAULTS), self._deadline:
                self._deadline.move(min(self._connect_seconds, _AHEAD_SECONDS))
                await transport.open(self._calls_url)

    async def place(self, body: bytes) -> Reply | NoReply:
        """
        Ask for one call.

        Args:
            body: The request as JSON.
        """
        return await self._send(self._requests.post(self._calls_url, body))

    async def look(self, path: str, query: Mapping[str, str] = _NO_QUERY) -> Reply | NoReply:
        """
        Read something; places nothing.

        Args:
            path: From ``/v1`` on, not percent-encoded.
            query: Names and values.
        """
        url = self._url(quote(path, safe="/"))
        return await self._send(self._requests.get(url.copy_merge_params(query) if query else url))

    def abort(self) -> None:
        """End the request in flight now, if there is one, as cancelled or with a cut reply."""
        if self._exchange is not None:
            self._exchange.abort()
        else:
            self._deadline.move(0.0)  # it may be connecting

    def _url(self, path: str) -> httpx.URL:
        base = self._route.base
        return base.copy_with(raw_path=base.raw_path.rstrip(b"/") + path.encode("ascii"))

    async def _send(self, request: httpx.Request) -> Reply | NoReply:
        exchange = Exchange(
            peer=self._route.peer,
            connect_seconds=self._connect_seconds,
            answer_seconds=self._answer_seconds,
            deadline=self._deadline,
        )
        self._exchange = exchange
        try:
            result = await exchange.carry_out(self._route.transport, request)
        finally:
            self._exchange = None
        return self._key.hidden_in(result) if isinstance(result, Reply) else result
