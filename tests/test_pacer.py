"""Slots, windows and tempo: never faster than the rate, however late or odd the demand."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dispatcher.errors import UsageProblem
from dispatcher.pacer import (
    Allowance,
    CallTime,
    Gate,
    Permits,
    Rate,
    Tempo,
    lease,
    parse_rate,
    strict_cost,
    workers_needed,
)

RATES = st.builds(
    Rate,
    count=st.integers(1, 30).map(float),
    unit_seconds=st.sampled_from([1.0, 60.0, 3600.0]),
)


@pytest.mark.parametrize(
    ("text", "count", "unit"),
    [
        ("100/minute", 100, 60),
        ("10/second", 10, 1),
        ("500/s", 500, 1),
        ("2/hour", 2, 3600),
        (" 120 / Min ", 120, 60),
        ("3/hours", 3, 3600),
        ("0.5/second", 30, 60),
        ("2.5/s", 150, 60),
        ("0.25/minute", 15, 3600),
        ("0.05/hour", 1, 72_000),
        ("1.0/second", 1, 1),
    ],
)
def test_a_rate_is_read_in_whole_numbers(text: str, count: float, unit: float) -> None:
    assert parse_rate(text) == Rate(count=count, unit_seconds=unit)


@pytest.mark.parametrize("text", ["unlimited", " Unlimited "])
def test_unlimited_is_no_rate(text: str) -> None:
    assert parse_rate(text) is None


@pytest.mark.parametrize(
    "text",
    [
        *("", "fast", "100", "/minute", "10/fortnight", "-1/s", "0/s", "0.0/minute", "1e3/s"),
        *("nan/s", "100001/s", "0.0001/hour", "10/s/s", "\u0661/s", "1,5/s"),
    ],
)
def test_what_is_no_rate_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(UsageProblem) as caught:
        parse_rate(text)

    assert caught.value.hint


@pytest.mark.parametrize(("count", "unit"), [(0, 1), (-1, 1), (1, 0), (math.inf, 1), (math.nan, 1)])
def test_a_rate_without_measure_cannot_be_made(count: float, unit: float) -> None:
    with pytest.raises(ValueError, match="positive"):
        Rate(count=count, unit_seconds=unit)


def test_slots_use_99_percent_of_the_rate() -> None:
    rate = Rate(count=100, unit_seconds=60)

    taken = lease(rate, next_free=0, now=50, count=3)

    assert taken.slots == pytest.approx((50, 50 + 60 / 99, 50 + 120 / 99))
    assert taken.next_free == pytest.approx(50 + 180 / 99)


def test_a_second_taker_continues_where_the_first_ended() -> None:
    rate = Rate(count=10, unit_seconds=1)
    first = lease(rate, next_free=0, now=5, count=4)

    second = lease(rate, next_free=first.next_free, now=5, count=1)

    assert second.slots == (first.next_free,)


def test_time_that_passed_is_not_caught_up() -> None:
    rate = Rate(count=10, unit_seconds=1)

    taken = lease(rate, next_free=5, now=500, count=2)

    assert taken.slots == pytest.approx((500, 500 + 1 / 9.9))


def test_a_slot_from_before_a_restart_of_the_machine_is_ignored() -> None:
    rate = Rate(count=100, unit_seconds=60)

    assert lease(rate, next_free=20 + 120, now=20, count=1).slots == (140,)
    assert lease(rate, next_free=20 + 121, now=20, count=1).slots == (20,)


def test_without_a_rate_every_slot_is_now() -> None:
    taken = lease(None, next_free=900, now=7, count=3)

    assert (taken.slots, taken.next_free) == ((7, 7, 7), 7)


def test_a_gate_of_a_large_count_keeps_every_window_with_fewer_moments_in_mind() -> None:
    rate = Rate(count=25_001, unit_seconds=1)
    gate, starts = Gate(rate), [0.0]
    for _ in range(60_000):
        starts.append(gate.earliest(starts[-1]))
        gate.started(starts[-1])

    gaps = [last - first for first, last in zip(starts[1:], starts[25_002:], strict=False)]
    assert min(gaps) >= 1
    assert (starts[-1] - starts[0]) / 60_000 < 1.011 / 25_001


def test_a_lease_of_nothing_cannot_be_asked_for() -> None:
    with pytest.raises(ValueError, match="at least one"):
        lease(None, next_free=0, now=0, count=0)


@settings(deadline=None)
@example(rate=Rate(count=1, unit_seconds=3600), wishes=[(0.0, 9)] * 30)
@example(rate=Rate(count=30, unit_seconds=1), wishes=[(100.0, 1)] + [(0.0, 9)] * 29)
@given(rate=RATES, wishes=st.lists(st.tuples(st.floats(0, 100), st.integers(1, 9)), max_size=30))
def test_slots_of_any_takers_are_spaced_and_never_in_the_past(
    rate: Rate, wishes: list[tuple[float, int]]
) -> None:
    now, next_free = 0.0, 0.0
    slots: list[float] = []
    for pause, count in wishes:
        now += pause
        taken = lease(rate, next_free=next_free, now=now, count=count)
        next_free = taken.next_free
        assert taken.slots[0] >= now
        slots += taken.slots

    gaps = [later - earlier for earlier, later in itertools.pairwise(slots)]
    assert all(gap >= rate.spacing_seconds - 1e-6 for gap in gaps)


@settings(deadline=None)
@example(rate=Rate(count=30, unit_seconds=60), delays=[0.0] * 40 + [5000.0] + [0.0] * 39)
@given(rate=RATES, delays=st.lists(st.floats(0, 5000), max_size=80))
def test_a_gate_keeps_every_window_though_starts_come_late(rate: Rate, delays: list[float]) -> None:
    """However late each start comes after its slot, no unit holds more than *count*."""
    gate, now = Gate(rate), 0.0
    starts: list[float] = []
    for number, delay in enumerate(delays):
        slot = number * rate.spacing_seconds
        now = gate.earliest(max(now, slot + delay * rate.spacing_seconds))
        gate.started(now)
        starts.append(now)

    count = int(rate.count)
    for first, last in zip(starts, starts[count:], strict=False):
        assert last - first >= rate.unit_seconds


def test_a_gate_lets_through_what_comes_in_time_and_a_little_late() -> None:
    rate = Rate(count=100, unit_seconds=1)
    gate = Gate(rate)

    gate.started(10 + rate.tolerance_seconds(is_shared=False))

    on_time = 10 + rate.spacing_seconds
    assert gate.earliest(on_time) == on_time
    assert gate.earliest(10) == pytest.approx(on_time)


def test_a_gate_lets_no_more_through_than_the_count_though_all_came_late() -> None:
    """The margin is for the way: the first may take longer than the last."""
    rate = Rate(count=10, unit_seconds=1)
    gate = Gate(rate)
    gate.started(10 + rate.tolerance_seconds(is_shared=False))
    for number in range(1, 10):
        gate.started(10 + number * rate.spacing_seconds)

    window = rate.unit_seconds + rate.ways_seconds
    assert gate.earliest(0) == pytest.approx(10 + rate.tolerance_seconds(is_shared=False) + window)


def test_a_gate_without_a_rate_is_always_open() -> None:
    gate = Gate(None)
    gate.started(1)

    assert gate.earliest(1) == 1


@pytest.mark.parametrize(
    ("count", "unit", "ways", "beside_others", "tolerance"),
    [
        (500, 1, 0.008, 0.005, 0.01),
        (10, 1, 0.008, 0.005, 1 / 19.8),
        (120, 60, 0.48, 0.3, 0.6),
        (6, 60, 0.48, 0.3, 1),
        (1, 3600, 1, 1, 1),
    ],
    ids=["500/s", "10/s", "120/min", "6/min", "1/h"],
)
def test_a_slot_may_be_used_late_by_no_more_than_makes_no_burst(
    count: float, unit: float, ways: float, beside_others: float, tolerance: float
) -> None:
    rate = Rate(count=count, unit_seconds=unit)

    assert rate.ways_seconds == pytest.approx(ways)
    assert rate.tolerance_seconds(is_shared=False) == pytest.approx(tolerance)
    assert rate.tolerance_seconds(is_shared=True) == pytest.approx(beside_others)


def test_a_permit_is_free_again_a_unit_after_its_request_ended() -> None:
    permits = Permits(Rate(count=2, unit_seconds=1))
    permits.take()
    assert permits.free_from(10) == 10
    permits.take()
    assert permits.free_from(10) == pytest.approx(11.002)  # at the earliest

    permits.ended(10.5)
    assert permits.free_from(10.5) == pytest.approx(11.502)
    assert permits.free_from(12) == 12
    permits.take()
    permits.give_back()
    assert permits.free_from(12) == 12


@given(st.lists(st.tuples(st.floats(0, 2), st.floats(0, 3), st.floats(0, 1)), max_size=60))
def test_with_permits_the_server_sees_no_more_than_the_count_wherever_a_request_arrives(
    calls: list[tuple[float, float, float]],
) -> None:
    rate = Rate(count=3, unit_seconds=1)
    permits = Permits(rate)
    now = 0.0
    out: list[float] = []
    arrivals: list[float] = []
    for pause, latency, way in calls:
        now += pause
        while True:
            for end in sorted(out):
                if end <= now:
                    out.remove(end)
                    permits.ended(end)
            free = permits.free_from(now)
            if free <= now:
                break
            now = min([free, *(end for end in out if end > now)])
        permits.take()
        out.append(now + latency)
        arrivals.append(now + way * latency)

    arrivals.sort()
    assert all(last - first >= 1 for first, last in zip(arrivals, arrivals[3:], strict=False))


@pytest.mark.parametrize(
    ("rate", "seconds", "workers"),
    [
        (Rate(count=100, unit_seconds=60), 0, 2),
        (Rate(count=100, unit_seconds=60), 2, 8),
        (Rate(count=500, unit_seconds=1), 0.1, 101),
        (Rate(count=2000, unit_seconds=1), 2, 256),
        (None, 2, 32),
    ],
)
def test_as_many_workers_as_the_pace_needs(rate: Rate | None, seconds: float, workers: int) -> None:
    assert workers_needed(rate, seconds=seconds) == workers


def test_what_calls_take_is_that_of_the_last_ones() -> None:
    time = CallTime()
    time.took(2)
    assert time.seconds == 2

    for _ in range(100):
        time.took(1)

    assert time.seconds == pytest.approx(1, abs=0.01)


def test_a_429_halves_the_tempo_down_to_a_twentieth() -> None:
    tempo = Tempo()
    factors = []
    for _ in range(7):
        tempo.slow()
        factors.append(tempo.factor)

    assert factors == [0.5, 0.25, 0.125, 0.0625, 0.05, 0.05, 0.05]


def test_the_tempo_is_regained_by_a_twentieth_in_ten_seconds_and_never_above_the_rate() -> None:
    tempo = Tempo()
    tempo.slow()

    tempo.steady(10)
    assert tempo.factor == pytest.approx(0.55)
    tempo.steady(-100)
    assert tempo.factor == pytest.approx(0.55)
    tempo.steady(1000)
    assert tempo.factor == 1


def test_a_lowered_tempo_spaces_the_slots_wider() -> None:
    rate = Rate(count=10, unit_seconds=1)

    assert rate.scaled(0.5).spacing_seconds == pytest.approx(2 * rate.spacing_seconds)


def test_a_share_that_the_api_leaves_lowers_the_tempo_but_never_to_nothing() -> None:
    tempo = Tempo()

    assert (tempo.at_most(math.inf), tempo.at_most(0.4), tempo.at_most(0.0)) == (1, 0.4, 0.05)


def test_a_strict_pace_costs_what_answers_take_of_a_unit_and_their_time() -> None:
    assert strict_cost(Rate(count=10, unit_seconds=1), seconds=1) == 0.5
    assert strict_cost(Rate(count=100, unit_seconds=60), seconds=1) == pytest.approx(1 / 61)


def _answered(allowance: Allowance, remaining: int, seconds: float, now: float) -> float:
    allowance.started += 1
    return allowance.learn(remaining=remaining, seconds=seconds, number=allowance.started, now=now)


def test_what_remains_is_spread_over_the_time_until_there_is_more() -> None:
    allowance = Allowance()
    assert allowance.per_second(100) == math.inf

    assert _answered(allowance, 30, 60, 100) == 0

    assert allowance.per_second(100) == 0.5
    assert allowance.per_second(165) == math.inf, "by then it was renewed"


def test_what_others_use_is_left_to_them() -> None:
    allowance = Allowance()
    _answered(allowance, 120, 60, 0)

    _answered(allowance, 99, 40, 20)  # of 21 that are missing 20 are theirs

    theirs = 20 / 30  # a second, as 10 s without them come before
    assert allowance.per_second(20) == pytest.approx((99 - 2 - theirs * 40) / 40)


def test_shortly_before_the_end_of_a_window_the_last_word_stands() -> None:
    allowance = Allowance()
    _answered(allowance, 60, 60, 0)

    _answered(allowance, 59, 1, 59)

    assert allowance.per_second(59) == 1


def test_nothing_starts_once_only_what_others_need_is_left() -> None:
    allowance = Allowance()
    _answered(allowance, 120, 60, 0)

    assert _answered(allowance, 2, 7, 53) == 7
    assert _answered(allowance, 119, 59, 61) == 0, "a new window"


def test_requests_under_way_are_not_counted_by_what_was_said_before_they_arrived() -> None:
    allowance = Allowance()
    _answered(allowance, 120, 60, 0)
    allowance.started = 81

    allowance.learn(remaining=50, seconds=40, number=71, now=20)

    assert allowance.per_second(20) == (50 - 10) / 40
