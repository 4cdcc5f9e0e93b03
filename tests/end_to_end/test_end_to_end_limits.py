"""The API's own limit, kept before it answers 429, and bounds that count one run alone."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from dispatcher.sandbox import Fault, FaultKind

if TYPE_CHECKING:
    from tests.end_to_end.conftest import World


def _last_of_its_window(call_id: str) -> Fault:
    """A good answer that leaves nothing for a second."""
    headers = (
        ("X-RateLimit-Limit", "120"),
        ("X-RateLimit-Remaining", "0"),
        ("X-RateLimit-Reset", "1"),
    )
    body = json.dumps({"statusCode": 201, "data": {"call_id": call_id}}).encode()
    return Fault(kind=FaultKind.STATUS, status=201, body=body, headers=headers)


@pytest.mark.parametrize(
    ("workers", "rate"), [("8", "200/minute"), ("1", "unlimited")], ids=["paced", "unlimited"]
)
def test_a_limit_lower_than_the_pace_is_kept_before_a_429_comes(
    world: World, workers: str, rate: str
) -> None:
    server = world.serve(rate_per_minute=6)

    ended = world.command(
        *("run", world.people(20), "--yes", "--json", "--workers", workers),
        *("--rate", rate, "--max-minutes", "0.04"),
    )

    assert (ended.status, ended.report["stopped"]) == (0, "max_minutes")
    assert 0 < len(server.record) <= 6
    assert ended.counts == {"placed": len(server.record), "pending": 20 - len(server.record)}
    lines = world.lines("campaign.results.csv")
    said = {(line["call_status"], line["call_http_status"]) for line in lines}
    assert said == {("placed", "201"), ("pending", "")}  # not one was answered with 429


def test_a_run_goes_on_as_soon_as_the_limit_allows_it(world: World) -> None:
    world.serve_faults({f"c-{i}": _last_of_its_window(f"call-x{i}") for i in (2, 4)})

    ended = world.run(world.people(6), "--workers", "1")

    assert (ended.status, ended.counts) == (0, {"placed": 6})
    assert world.called() == [f"c-{i}" for i in range(1, 7)]
    moments = [call.created_at for call in world.server.record]
    waited = [(after - before).total_seconds() for before, after in pairwise(moments)]
    assert min(waited[1], waited[3]) > 0.9
    assert "waiting" in ended.err


def test_uncertain_calls_that_earlier_runs_left_do_not_count_towards_the_bound(
    world: World,
) -> None:
    lost = Fault(kind=FaultKind.CLOSED_AFTER)
    world.serve_faults({f"c-{i}": lost for i in (2, 3, 4, 6, 7)})
    world.configure("stop:\n  uncertain: 3\n")
    first = world.run(world.people(10), "--workers", "1", "--no-reconcile")

    ended = world.run("campaign.csv", "--workers", "1", "--no-reconcile")

    assert (first.status, first.report["stopped"]) == (6, "too_many_uncertain")
    assert first.counts == {"placed": 1, "uncertain": 3, "pending": 6}
    assert (ended.status, ended.report["stopped"]) == (5, None)  # two of its own, five in all
    assert ended.counts == {"placed": 5, "uncertain": 5}
