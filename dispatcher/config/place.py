"""Where things are: the configuration, the ledger and the API."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import platformdirs

CONFIG_NAME = "config.yaml"
DEFAULT_BASE_URL = "https://api.contactship.ai"
APPLICATION = "contactship-dispatcher"


def find_config(folder: Path, sheet: Path | None) -> Path | None:
    """Return ``config.yaml`` of the working folder, else the one beside the sheet, else None."""
    folders = [folder] if sheet is None else [folder, sheet.parent]
    return next((p for f in folders if (p := f / CONFIG_NAME).is_file()), None)


def default_ledger() -> str:
    """Return the path of this user's own ledger, the same from every working folder."""
    return str(platformdirs.user_state_path(APPLICATION, appauthor=False) / "ledger.db")


def home_folder() -> Path | None:
    """Return this user's home folder, or None where the system knows none."""
    try:
        return Path.home()
    except RuntimeError:
        return None


def checked_base_url(text: str) -> str:
    """
    Return a base URL without trailing slashes.

    A path prefix is allowed, for an API behind a gateway. The URL is never quoted in an error: it
    may hold a password.

    Raises:
        ValueError: not https (http only to this machine), no host, user info, query or fragment.
    """
    try:
        parts = urlsplit(text.strip())
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        raise ValueError("is not a URL") from None
    if any(not c.isprintable() or c.isspace() for c in text.strip()):
        raise ValueError("is not a URL: it holds blanks or control characters")
    if parts.scheme not in ("https", "http") or not host:
        raise ValueError("must be a URL that begins with https://")
    if "@" in parts.netloc:
        raise ValueError("must not hold a user name or password")
    if parts.query or parts.fragment or "?" in text or "#" in text:
        raise ValueError("must not hold a query (?) or fragment (#)")
    if parts.scheme == "http" and not _is_this_machine(host):
        raise ValueError("must begin with https://; http:// is only for this machine itself")
    return urlunsplit((parts.scheme, parts.netloc.lower(), parts.path.rstrip("/"), "", ""))


def _is_this_machine(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
