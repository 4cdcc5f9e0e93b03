"""Numbers that look random and are the same every time."""

from __future__ import annotations

from hashlib import blake2b

_SPAN = 1 << 64


def draw(*of: str | int) -> float:
    """Return a number in [0, 1) that depends on *of* alone."""
    seed = "\x1f".join(map(str, of)).encode("utf-8", "surrogatepass")
    return int.from_bytes(blake2b(seed, digest_size=8).digest(), "big") / _SPAN
