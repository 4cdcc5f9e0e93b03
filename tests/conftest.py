"""Rules for all tests: nothing but loopback is reached, and longer runs are asked for."""

from __future__ import annotations

import ipaddress
import os
import signal
import socket
from collections.abc import Callable
from functools import wraps
from pathlib import Path

import pytest
from hypothesis import settings

# The same examples every time, however slow the machine is.
settings.register_profile("steady", deadline=None, derandomize=True, database=None)
settings.load_profile("steady")

# A shell that runs the tests in the background, or nohup, has them ignore what some tests send.
for _name, _usual in (("SIGINT", signal.default_int_handler), ("SIGHUP", signal.SIG_DFL)):
    _number = getattr(signal, _name, None)
    if _number is not None and signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, _usual)


def _only_loopback(reach: Callable[..., object]) -> Callable[..., object]:
    @wraps(reach)
    def guarded(sock: socket.socket, *arguments: object) -> object:
        address = arguments[-1]
        if isinstance(address, tuple):  # else it is a local socket file
            host = str(address[0]).partition("%")[0]
            if host != "localhost" and not ipaddress.ip_address(host).is_loopback:
                raise AssertionError(f"a test reached out to {host}")
        return reach(sock, *arguments)

    return guarded


# No audit hook: Python 3.11 cannot start two threads at once under coverage where there is one.
for _way_out in ("connect", "connect_ex", "sendto"):
    setattr(socket.socket, _way_out, _only_loopback(getattr(socket.socket, _way_out)))


@pytest.fixture(autouse=True)
def _stranger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees the key, the proxies or the ledger of whoever runs it."""
    for name in list(os.environ):
        if name.startswith(("CONTACTSHIP_", "DISPATCHER_")) and name != "DISPATCHER_FUZZ":
            monkeypatch.delenv(name)
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--slow", action="store_true", help="also the longer runs")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.getoption("--slow"):
        slow = [item for item in items if item.get_closest_marker("slow")]
        config.hook.pytest_deselected(items=slow)
        items[:] = [item for item in items if item not in slow]
