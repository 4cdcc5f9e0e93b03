"""Faults of the network told in plain sentences, without quoting what was sent."""

from __future__ import annotations

import errno
import socket
import ssl
from collections.abc import Iterator

import anyio
import httpx

NETWORK_FAULTS: tuple[type[Exception], ...] = (
    httpx.HTTPError,
    OSError,  # with it ssl.SSLError, socket.gaierror and TimeoutError
    EOFError,
    UnicodeError,  # a host name that cannot be written as one
    anyio.BrokenResourceError,  # httpx's transport lets some of these through
    anyio.ClosedResourceError,
    anyio.EndOfStream,
)
"""What a transport may raise because of the network; anything else is a bug."""

_TOLD: tuple[tuple[type[BaseException], str], ...] = (
    (socket.gaierror, "the name {peer} could not be resolved"),
    (UnicodeError, "the name {peer} could not be resolved"),
    (ConnectionRefusedError, "connection refused by {peer}"),
    (ConnectionError, "{peer} reset the connection"),
    (ssl.SSLCertVerificationError, "TLS: the certificate of {peer} is not trusted: {detail}"),
    (ssl.SSLError, "TLS: no secure connection with {peer}: {detail}"),
    (httpx.ProxyError, "the proxy {peer} did not let the request through: {detail}"),
    (httpx.RemoteProtocolError, "{detail}"),
    (httpx.ConnectError, "no connection with {peer}"),
)
_NO_ROUTE = (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EHOSTDOWN)
_DEEPEST = 12


def explain(fault: BaseException, *, peer: str) -> str:
    """
    Say what happened.

    Args:
        fault: What the transport raised.
        peer: Host that was being talked to, or the proxy's.
    """
    causes = tuple(_causes(fault))
    for cause in reversed(causes):  # the innermost knows best
        if sentence := _sentence(cause, peer):
            return sentence
    return f"the connection to {peer} broke"


def _causes(fault: BaseException | None) -> Iterator[BaseException]:
    for _ in range(_DEEPEST):
        if fault is None:
            return
        yield fault
        inner = fault.exceptions[0] if isinstance(fault, BaseExceptionGroup) else None
        fault = inner or fault.__cause__ or fault.__context__


def _sentence(cause: BaseException, peer: str) -> str:
    if isinstance(cause, OSError) and cause.errno in _NO_ROUTE:
        return f"no route to {peer}"
    for kind, told in _TOLD:
        if isinstance(cause, kind):
            return told.format(peer=peer, detail=_detail(cause, peer))
    return ""


def _detail(cause: BaseException, peer: str) -> str:
    match cause:
        case ssl.SSLCertVerificationError():
            return cause.verify_message
        case ssl.SSLError():
            return cause.reason or "handshake failed"
        case httpx.RemoteProtocolError() if "disconnected" in str(cause):
            return f"{peer} closed the connection without an answer"
        case httpx.RemoteProtocolError():
            return f"{peer} did not answer in HTTP"
        case _:
            return str(cause)[:3]  # of a proxy's refusal the status only
