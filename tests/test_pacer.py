"""Slots, windows and tempo: never faster than the rate, however late or odd the demand."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dispatcher.errors import UsageProblem
from dispatcher.pacer import Rate, StartWindow, Tempo, lease, parse_rate

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

    assert lease(rate, next_free=20 + 3700, now=20, count=1).slots == (3720,)
    assert lease(rate, next_free=20 + 3800, now=20, count=1).slots == (20,)


def test_without_a_rate_every_slot_is_now() -> None:
    taken = lease(None, next_free=900, now=7, count=3)

    assert (taken.slots, taken.next_free) == ((7, 7, 7), 7)


def test_a_lease_of_nothing_cannot_be_asked_for() -> None:
    with pytest.raises(ValueError, match="at least one"):
        lease(None, next_free=0, now=0, count=0)


@settings(deadline=None)
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
@given(rate=RATES, delays=st.lists(st.floats(0, 5000), max_size=80))
def test_no_window_exceeds_the_rate(rate: Rate, delays: list[float]) -> None:
    """However late or bursty the demand, no unit holds more than *count* starts."""
    window = StartWindow(rate)
    now, next_free = 0.0, 0.0
    starts: list[float] = []
    for delay in delays:
        taken = lease(rate, next_free=next_free, now=now, count=1)
        next_free = taken.next_free
        wished = max(now, taken.slots[0] + delay * rate.unit_seconds / 5000)
        now = window.earliest(wished)
        assert now >= wished
        window.started(now)
        starts.append(now)

    count = int(rate.count)
    for first, last in zip(starts, starts[count:], strict=False):
        assert last - first >= rate.unit_seconds


def test_a_window_is_open_until_it_is_full() -> None:
    window = StartWindow(Rate(count=2, unit_seconds=10))
    window.started(0)
    assert window.earliest(1) == 1
    window.started(1)

    assert window.earliest(2) == pytest.approx(10.02)
    assert window.earliest(30) == 30


def test_a_window_without_a_rate_is_always_open() -> None:
    window = StartWindow(None)
    window.started(1)

    assert window.earliest(1) == 1


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
