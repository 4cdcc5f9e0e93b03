"""Makes requests; what is the same in all of them is put together once."""

from __future__ import annotations

import httpx

from dispatcher import __version__
from dispatcher.client.secret import ApiKey


class Requests:
    """Requests to one host with one key; no repr shows it."""

    __slots__ = ("_with_body", "_without_body")

    def __init__(self, host: httpx.URL, key: ApiKey) -> None:
        self._without_body = httpx.Headers(
            [
                (b"host", host.netloc),
                (b"accept", b"application/json"),
                (b"accept-encoding", b"identity"),
                (b"user-agent", f"contactship-dispatcher/{__version__}".encode("ascii")),
                (b"x-api-key", key.header()),
            ]
        )
        self._with_body = httpx.Headers(
            [*self._without_body.raw, (b"content-type", b"application/json")]
        )

    def get(self, url: httpx.URL) -> httpx.Request:
        """Ask for something."""
        return _request("GET", url, self._without_body, b"")

    def post(self, url: httpx.URL, body: bytes) -> httpx.Request:
        """Send *body*, which is JSON."""
        request = _request("POST", url, self._with_body, body)
        request.headers["content-length"] = str(len(body))
        return request


def _request(method: str, url: httpx.URL, headers: httpx.Headers, body: bytes) -> httpx.Request:
    # Given a stream, httpx adds no headers of its own and does not look into the body, either of
    # which costs more than all that is done here.
    return httpx.Request(method, url, headers=headers, stream=httpx.ByteStream(body))
