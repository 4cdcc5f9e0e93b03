"""How ids that the API gives are kept: most are UUIDs, which take 16 bytes where 36 are spelled."""

from __future__ import annotations

from functools import lru_cache

from sqlalchemy import Dialect, String, TypeDecorator

_SPELLED = 36  # characters
_BYTES = 16


@lru_cache(maxsize=1_024)  # an outcome asks three times
def kept_id(call_id: str) -> str | bytes:
    """Return what is kept of an id, exactly: 16 bytes for a UUID as it is spelled in most."""
    if len(call_id) != _SPELLED:
        return call_id
    try:
        kept = bytes.fromhex(call_id.replace("-", ""))
    except ValueError:
        return call_id
    return kept if len(kept) == _BYTES and spelled_id(kept) == call_id else call_id


def spelled_id(kept: str | bytes) -> str:
    """Return what ``kept_id`` was given."""
    if isinstance(kept, str):
        return kept
    digits = kept.hex()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


class CallIds(TypeDecorator[str | bytes]):
    """A column of call ids."""

    impl = String
    cache_ok = True

    def process_bind_param(
        self,
        value: str | bytes | None,
        dialect: Dialect,  # noqa: ARG002 - SQLAlchemy's signature
    ) -> str | bytes | None:
        """Return what is kept."""
        return kept_id(value) if isinstance(value, str) else value

    def process_result_value(
        self,
        value: str | bytes | None,
        dialect: Dialect,  # noqa: ARG002
    ) -> str | None:
        """Return the id."""
        return None if value is None else spelled_id(value)
