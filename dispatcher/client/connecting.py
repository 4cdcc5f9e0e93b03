"""Opens connections, and leaves none half open."""

from __future__ import annotations

import asyncio
import socket
import ssl

import httpx

from dispatcher.client.connection import Connection

_NEXT_ADDRESS_SECONDS = 0.25  # RFC 8305: an address has so long before another is tried as well

_Attempt = asyncio.Task[Connection | OSError]


async def connect(host: str, port: int, tls: ssl.SSLContext | None) -> Connection:
    """
    Connect with a host, over TLS if it is given.

    Raises:
        httpx.ConnectError: No such name, nobody there, or no trust.
    """
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        addresses = [(str(address[0]), int(address[1])) for *_, address in found]
        connection = await _first_to_answer(addresses)
        if tls is not None:
            await connection.secure(host, tls)
    except (OSError, UnicodeError) as error:  # the latter for a name that cannot be one
        raise httpx.ConnectError("no connection") from error
    return connection


async def _first_to_answer(addresses: list[tuple[str, int]]) -> Connection:
    # asyncio can do this too, but keeps a socket when it is cancelled meanwhile.
    fault = OSError("no address")
    trying: set[_Attempt] = set()
    try:
        while addresses or trying:
            if addresses:
                trying.add(asyncio.create_task(_try(*addresses.pop(0))))
            patience = _NEXT_ADDRESS_SECONDS if addresses else None
            done, _ = await asyncio.wait(
                trying, timeout=patience, return_when=asyncio.FIRST_COMPLETED
            )
            for attempt in done:
                trying.discard(attempt)
                result = attempt.result()
                if isinstance(result, Connection):
                    return result
                fault = result
        raise fault
    finally:
        for attempt in trying:
            attempt.cancel()
            attempt.add_done_callback(_leave)


async def _try(address: str, port: int) -> Connection | OSError:
    try:
        _, connection = await asyncio.get_running_loop().create_connection(
            Connection, address, port
        )
    except OSError as fault:
        return fault
    return connection


def _leave(attempt: _Attempt) -> None:
    if not attempt.cancelled() and isinstance(connection := attempt.result(), Connection):
        connection.abort()
