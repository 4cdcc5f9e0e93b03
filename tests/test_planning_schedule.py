"""When the phone is to ring: delays, wished moments, zones and their clock changes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dispatcher.model import CallRequest, RowProblem, Schedule
from dispatcher.planning import due_at, past_schedule
from dispatcher.planning.schedule import (
    read_delay,
    read_schedule,
    reads_either_way,
    zone_named,
)

# How fast this machine is must not matter.
unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

NOW = datetime(2026, 6, 15, 12, 0, 0, 250_000, tzinfo=UTC)


def request_at(schedule: Schedule | None = None, *, delay_minutes: float = 0.0) -> CallRequest:
    return CallRequest(
        key="k",
        contact="h",
        row=2,
        contact_id="c",
        agent_id="a",
        from_number_id="n",
        delay_minutes=delay_minutes,
        schedule=schedule,
    )


def read(text: str, zone: str = "America/Argentina/Cordoba") -> Schedule | RowProblem | None:
    return read_schedule(text, zone, "Fecha")


@pytest.mark.parametrize(
    ("text", "minutes"),
    [
        ("", 0.0),
        ("  ", 0.0),
        ("0", 0.0),
        ("30", 30.0),
        (" 2.5 ", 2.5),
        ("2,5", 2.5),
        ("0.125", 0.125),
        ("525600", 525_600.0),
    ],
)
def test_a_delay_is_minutes_with_point_or_comma(text: str, minutes: float) -> None:
    assert read_delay(text, "delay") == minutes


@pytest.mark.parametrize(
    "text",
    [
        "-1",
        "+5",
        "5 min",
        "1e3",
        "nan",
        "inf",
        "1.500",
        "1,500",
        "525601",
        "٣",
        "5.",
        ".5",
        "00:30",
    ],
)
def test_a_delay_that_is_no_number_of_minutes_is_a_problem(text: str) -> None:
    problem = read_delay(text, "Demora")

    assert isinstance(problem, RowProblem)
    assert (problem.code, problem.column) == ("bad_delay", "Demora")
    assert "30 or 2.5" in problem.message


@pytest.mark.parametrize(
    "text",
    [
        "2026-06-15 14:30",
        "2026-06-15 14:30:00",
        "2026-06-15T14:30:00",
        "2026-6-15 14:30:00.000",
        " 15/06/2026 14:30 ",
        "15/6/2026 14:30:00",
        "15-06-2026 14:30",
        "15/06/2026t14:30",
    ],
)
def test_a_schedule_is_wall_time_in_its_zone(text: str) -> None:
    assert read(text) == Schedule(
        local="2026-06-15 14:30:00",
        timezone="America/Argentina/Cordoba",
        at=datetime(2026, 6, 15, 17, 30, tzinfo=UTC),
    )


@pytest.mark.parametrize(
    "text",
    [
        "2026-06-15T17:30:00Z",
        "2026-06-15 17:30z",
        "2026-06-15T14:30:00-03:00",
        "2026-06-15 14:30 -0300",
        "15/06/2026 14:30-03:00",
    ],
)
def test_an_offset_counts_instead_of_the_zone(text: str) -> None:
    assert read(text, zone="") == Schedule(
        local="2026-06-15 17:30:00",
        timezone="UTC",
        at=datetime(2026, 6, 15, 17, 30, tzinfo=UTC),
    )


@pytest.mark.parametrize("text", ["", "  "])
def test_an_empty_schedule_is_none(text: str) -> None:
    assert read(text, zone="") is None


@pytest.mark.parametrize(
    ("text", "zone", "code"),
    [
        pytest.param("mañana", "UTC", "bad_schedule", id="words"),
        pytest.param("2026-13-01 10:00", "UTC", "bad_schedule", id="month 13"),
        pytest.param("2026-02-29 10:00", "UTC", "bad_schedule", id="no such day"),
        pytest.param("06/15/2026 10:00", "UTC", "bad_schedule", id="month first"),
        pytest.param("15/06-2026 10:00", "UTC", "bad_schedule", id="mixed marks"),
        pytest.param("2026-06-15 24:00", "UTC", "bad_schedule", id="hour 24"),
        pytest.param("2026-06-15 2:30 pm", "UTC", "bad_schedule", id="twelve hours"),
        pytest.param("2026-06-15 14:30:00.5", "UTC", "bad_schedule", id="half a second"),
        pytest.param("1926-06-15 14:30", "UTC", "bad_schedule", id="last century"),
        pytest.param("15/06/26 14:30", "UTC", "bad_schedule", id="short year"),
        pytest.param("46188.6", "UTC", "bad_schedule", id="Excel's number"),
        pytest.param("2026-06-15 14:30+99:00", "UTC", "bad_schedule", id="no such offset"),
        pytest.param("2026-06-15", "UTC", "schedule_without_time", id="no time"),
        pytest.param("15/06/2026", "UTC", "schedule_without_time", id="no time, day first"),
        pytest.param("2026-06-15 14:30", " ", "schedule_without_timezone", id="no zone"),
        pytest.param("2026-06-15 14:30", "Cordoba", "bad_timezone", id="unknown zone"),
        pytest.param("2026-06-15 14:30", "../UTC", "bad_timezone", id="path as zone"),
        pytest.param("2026-06-15 14:30", "America", "bad_timezone", id="folder as zone"),
        pytest.param("2026-06-15 14:30", "localtime", "bad_timezone", id="the machine's zone"),
        pytest.param("2026-03-08 02:30", "America/New_York", "schedule_in_gap", id="gap"),
        pytest.param("2026-11-01 01:30", "America/New_York", "schedule_ambiguous", id="twice"),
        pytest.param("2026-09-06 00:30", "America/Santiago", "schedule_in_gap", id="gap, south"),
    ],
)
def test_a_schedule_without_one_single_moment_is_a_problem(text: str, zone: str, code: str) -> None:
    problem = read(text, zone)

    assert isinstance(problem, RowProblem)
    assert (problem.code, problem.column) == (code, "Fecha")
    assert '"Fecha"' in problem.message
    assert ";" in problem.message


def test_an_offset_says_which_of_two_equal_wall_times_is_meant() -> None:
    schedule = read("2026-11-01 01:30-05:00", "America/New_York")

    assert isinstance(schedule, Schedule)
    assert schedule.at == datetime(2026, 11, 1, 6, 30, tzinfo=UTC)


@unhurried
@given(
    moment=st.datetimes(datetime(2000, 1, 2), datetime(2099, 12, 30)),  # noqa: DTZ001
    zone=st.sampled_from(["America/Bogota", "America/Santiago", "America/New_York", "UTC"]),
)
def test_the_instant_and_the_wall_time_of_a_schedule_are_the_same_moment(
    moment: datetime, zone: str
) -> None:
    wall = moment.replace(microsecond=0)

    schedule = read(str(wall), zone)

    if isinstance(schedule, Schedule):
        assert schedule.at.astimezone(ZoneInfo(zone)).replace(tzinfo=None) == wall
        assert schedule.local == str(wall)
    else:
        assert isinstance(schedule, RowProblem)
        assert schedule.code in {"schedule_in_gap", "schedule_ambiguous"}


@unhurried
@given(st.text())
def test_no_text_in_a_timing_cell_raises(text: str) -> None:
    read_delay(text, "delay")
    read_schedule(text, text, "schedule")
    read_schedule("2026-06-15 14:30", text, "schedule")


@pytest.mark.parametrize("name", ["posix/UTC", "right/UTC", "Factory", "posixrules", "x\0y"])
def test_names_that_only_some_machines_know_are_no_zones(name: str) -> None:
    assert zone_named(name) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("06/05/2026 10:00", True),
        ("6/5/2026 10:00", True),
        ("12/06/2026", True),
        ("06/06/2026 10:00", False),
        ("13/05/2026 10:00", False),
        ("2026-05-06 10:00", False),
    ],
)
def test_a_date_that_some_read_with_the_month_first_is_known(
    text: str,
    expected: bool,  # noqa: FBT001
) -> None:
    assert reads_either_way(text) is expected


def test_a_call_without_delay_or_schedule_is_due_now() -> None:
    assert due_at(request_at(), now=NOW) == NOW


def test_a_scheduled_call_is_due_at_its_moment() -> None:
    schedule = read("2026-06-15 14:30")
    assert isinstance(schedule, Schedule)

    assert due_at(request_at(schedule), now=NOW) == datetime(2026, 6, 15, 17, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "minutes", "due"),
    [
        (NOW, 30.0, datetime(2026, 6, 15, 12, 30, 1, tzinfo=UTC)),
        (NOW.replace(microsecond=0), 30.0, datetime(2026, 6, 15, 12, 30, tzinfo=UTC)),
        (NOW.replace(microsecond=0), 0.01, datetime(2026, 6, 15, 12, 0, 1, tzinfo=UTC)),
        (
            NOW.replace(microsecond=0, tzinfo=ZoneInfo("America/Bogota")),
            1.0,
            datetime(2026, 6, 15, 17, 1, tzinfo=UTC),
        ),
    ],
    ids=["rounded up", "whole second", "part of a second", "another zone"],
)
def test_a_delay_is_due_in_utc_rounded_up_to_the_second(
    now: datetime, minutes: float, due: datetime
) -> None:
    assert due_at(request_at(delay_minutes=minutes), now=now) == due


@unhurried
@given(
    now=st.datetimes(datetime(2020, 1, 1), datetime(2090, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    minutes=st.floats(0.001, 525_600),
)
def test_nobody_is_called_before_the_delay_is_over_nor_a_second_later(
    now: datetime, minutes: float
) -> None:
    due = due_at(request_at(delay_minutes=minutes), now=now)

    assert due.microsecond == 0
    assert timedelta(0) <= due - (now + timedelta(minutes=minutes)) < timedelta(seconds=1)


@pytest.mark.parametrize(
    ("seconds", "is_past"), [(-1, True), (0, True), (1, False)], ids=["before", "now", "after"]
)
def test_a_schedule_is_past_when_it_is_not_after_now(
    seconds: int,
    is_past: bool,  # noqa: FBT001
) -> None:
    at = NOW + timedelta(seconds=seconds)
    schedule = Schedule(local="2026-06-15 12:00:00", timezone="UTC", at=at)

    problem = past_schedule(request_at(schedule), now=NOW)

    assert (problem.code if problem else "") == ("schedule_past" if is_past else "")


def test_a_call_without_a_schedule_is_never_past() -> None:
    assert past_schedule(request_at(delay_minutes=5), now=NOW) is None
