"""The way to the API: its address, TLS and a proxy from the environment."""

from __future__ import annotations

import functools
import os
import ssl
import urllib.request
from dataclasses import dataclass
from ipaddress import ip_address

import httpx

from dispatcher.client.direct import DirectTransport
from dispatcher.client.proxied import ProxiedTransport
from dispatcher.errors import UsageProblem

IDLE_SECONDS = 0.75
"""
A connection that was idle for longer is left.

Servers drop an idle connection after 1, 2 or 5 s and more, and while they do, a request that is on
its way cannot be told from one that was received. To connect anew costs less than a call in doubt.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """
    Where requests go.

    Attributes:
        base: The API's address, with no path at its end but perhaps a prefix.
        peer: ``host:port`` or host of who is connected to: the API or the proxy.
        transport: Sends one request at a time over one connection.
    """

    base: httpx.URL
    peer: str
    transport: httpx.AsyncBaseTransport


def route_to(base_url: str, transport: httpx.AsyncBaseTransport | None) -> Route:
    """
    Prepare the way to *base_url*, over *transport* if one is given.

    ``HTTPS_PROXY``, ``HTTP_PROXY``, ``ALL_PROXY`` and ``NO_PROXY`` count, but never for a
    loopback address. ``SSL_CERT_FILE`` and ``SSL_CERT_DIR`` name certificates of one's own.

    Raises:
        UsageProblem: The address, the proxy or the certificates cannot be used.
    """
    base = _address(base_url)
    proxy = None if transport else _proxy_for(base)
    if transport is None:
        transport = _transport(proxy, _tls_for(base))
    return Route(base=base, peer=_peer(proxy.url if proxy else base), transport=transport)


def _transport(proxy: httpx.Proxy | None, tls: ssl.SSLContext | None) -> httpx.AsyncBaseTransport:
    if proxy is None:
        return DirectTransport(tls=tls, idle_seconds=IDLE_SECONDS)
    return ProxiedTransport(proxy=proxy, tls=tls, idle_seconds=IDLE_SECONDS)


def _address(text: str) -> httpx.URL:
    try:
        base = httpx.URL(text.rstrip("/"))
    except httpx.InvalidURL:
        base = httpx.URL("")
    if base.scheme not in ("http", "https") or not base.host or base.userinfo:
        raise UsageProblem(
            "the base URL of the API is not an address like https://api.contactship.ai",
            hint="correct api.base_url or CONTACTSHIP_BASE_URL",
        )
    return base


def _peer(url: httpx.URL) -> str:
    return f"{url.host}:{url.port}" if url.port else url.host


def _tls_for(base: httpx.URL) -> ssl.SSLContext | None:
    if base.scheme == "http":
        return None
    return _certificates(os.environ.get("SSL_CERT_FILE", ""), os.environ.get("SSL_CERT_DIR", ""))


@functools.lru_cache(maxsize=4)  # reading the certificates costs 20 ms, and every worker asks
def _certificates(file: str, folder: str) -> ssl.SSLContext:
    try:
        tls = httpx.create_ssl_context()
    except OSError:
        raise UsageProblem(
            f"the certificates in {file or folder} cannot be read",
            hint="correct SSL_CERT_FILE or SSL_CERT_DIR",
        ) from None
    tls.set_alpn_protocols(["http/1.1"])
    return tls


def _proxy_for(base: httpx.URL) -> httpx.Proxy | None:
    if _is_loopback(base.host) or urllib.request.proxy_bypass(base.host):
        return None
    proxies = urllib.request.getproxies()
    url = proxies.get(base.scheme) or proxies.get("all")
    if not url:
        return None
    try:
        proxy = httpx.Proxy(url if "://" in url else f"http://{url}")
    except (ValueError, httpx.InvalidURL):
        proxy = None
    if proxy is None or proxy.url.scheme not in ("http", "https"):
        raise UsageProblem(  # a proxy's address may hold a password, so it is not shown
            "the proxy named in the environment cannot be used: only http:// and https:// can",
            hint="correct HTTPS_PROXY or ALL_PROXY, or name the API in NO_PROXY",
        )
    return proxy


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
