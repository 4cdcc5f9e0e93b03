"""Makes requests; what is the same in all of them is put together once."""

from __future__ import annotations

import httpx

from dispatcher import __version__
from dispatcher.client.secret import ApiKey


class Requests:
    """Requests to one host with one key; no repr shows it."""

    __slots__ = ("_get", "_post")

    def __init__(self, host: httpx.URL, key: ApiKey) -> None:
        headers = [
            (b"host", host.netloc),
            (b"accept", b"application/json"),
            (b"accept-encoding", b"identity"),
            (b"user-agent", f"contactship-dispatcher/{__version__}".encode("ascii")),
            (b"x-api-key", key.header()),
        ]
        self._get = _request("GET", host, headers)
        self._post = _request("POST", host, [*headers, (b"content-type", b"application/json")])

    def get(self, url: httpx.URL) -> httpx.Request:
        """Ask for something."""
        return _next(self._get, url, b"")

    def post(self, url: httpx.URL, body: bytes) -> httpx.Request:
        """Send *body*, which is JSON; the last request is over by then, and is used again."""
        request = _next(self._post, url, body)
        request.headers["content-length"] = str(len(body))
        return request


def _request(method: str, url: httpx.URL, headers: list[tuple[bytes, bytes]]) -> httpx.Request:
    # Given a stream, httpx adds no headers of its own.
    return httpx.Request(method, url, headers=headers, stream=httpx.ByteStream(b""))


def _next(request: httpx.Request, url: httpx.URL, body: bytes) -> httpx.Request:
    # To make a request anew costs as much as to send it.
    request.url = url
    request.stream = httpx.ByteStream(body)
    request.extensions = {}
    return request
