"""What is left of the API's own limit, where its headers make sense."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from dispatcher.policy import left_of_limit

NOW = datetime(2026, 6, 15, 12, tzinfo=UTC)
EPOCH = NOW.timestamp()


@pytest.mark.parametrize(
    ("limit", "remaining", "reset", "left"),
    [
        ("120", "30", "12", (30, 12.0)),
        (" 120", "0 ", " 0.5", (0, 0.5)),
        ("120", "30", f"{EPOCH + 20:.0f}", (30, 20.0)),
        ("120", "30", f"{(EPOCH + 20) * 1000:.0f}", (30, 20.0)),
        *[("120", remaining, "12", None) for remaining in ("", "121", "-1", "1.5", "few")],
        *[(limit, "30", "12", None) for limit in ("", "29", "much", "120, 120;w=60")],
        *[("120", "30", reset, None) for reset in ("", "0", "121", "soon", f"{EPOCH - 1:.0f}")],
    ],
)
def test_only_sane_headers_about_two_minutes_or_less_are_believed(
    limit: str, remaining: str, reset: str, left: tuple[int, float] | None
) -> None:
    assert left_of_limit(limit=limit, remaining=remaining, reset=reset, now=NOW) == left
