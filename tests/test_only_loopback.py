"""The rule of all tests that nothing but loopback is reached."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

import pytest

_ELSEWHERE = ("192.0.2.1", 9)  # an address kept for documentation, RFC 5737


@pytest.mark.parametrize(
    "reach",
    [
        lambda sock: sock.connect(_ELSEWHERE),
        lambda sock: sock.connect_ex(_ELSEWHERE),
        lambda sock: sock.sendto(b"x", _ELSEWHERE),
        lambda sock: sock.sendto(b"x", 0, _ELSEWHERE),
    ],
    ids=["connect", "connect_ex", "sendto", "sendto-with-flags"],
)
def test_a_socket_reaches_nobody_elsewhere(reach: Callable[[socket.socket], object]) -> None:
    with (
        socket.socket(type=socket.SOCK_DGRAM) as sock,
        pytest.raises(AssertionError, match=r"reached out to 192\.0\.2\.1"),
    ):
        reach(sock)


def test_an_event_loop_reaches_nobody_elsewhere() -> None:
    with pytest.raises(AssertionError, match=r"reached out to 192\.0\.2\.1"):
        asyncio.run(asyncio.open_connection(*_ELSEWHERE))
