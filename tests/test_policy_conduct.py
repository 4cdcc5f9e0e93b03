"""When a run goes on, holds, pauses, probes and stops."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dispatcher.model import Judgement, StopWord, Verdict
from dispatcher.policy import Conduct, ConductRules, Go, Look, Step, Stop, Wait, stop_message

PLACED = Judgement(verdict=Verdict.PLACED, http_status=201, call_id="x")
INVALID = Judgement(verdict=Verdict.REJECTED, code="invalid_request", http_status=400)
UNKNOWN_ID = Judgement(verdict=Verdict.REJECTED, code="not_found", http_status=404)
TOO_LARGE = Judgement(verdict=Verdict.REJECTED, code="too_large", http_status=413)
SLOW_DOWN = Judgement(verdict=Verdict.NOT_SENT, code="rate_limited", http_status=429)
AWAY = Judgement(verdict=Verdict.NOT_SENT, code="unreachable")
CUT_SHORT = Judgement(verdict=Verdict.UNCERTAIN, code="interrupted")
CONFLICT = Judgement(verdict=Verdict.UNCERTAIN, code="conflict", http_status=409)
BROKEN = Judgement(
    verdict=Verdict.UNCERTAIN, code="server_error", http_status=503, failure=True, message="503"
)
LATE = Judgement(verdict=Verdict.UNCERTAIN, code="timeout", failure=True)


class Run:
    """A conduct with a clock that only the test moves."""

    def __init__(self, **rules: float) -> None:
        self.conduct = Conduct(ConductRules(**rules))  # type: ignore[arg-type]
        self.now = 1000.0

    def step(self, in_flight: int = 0) -> Step:
        return self.conduct.next_step(now=self.now, in_flight=in_flight)

    def saw(
        self, *judgements: Judgement, retry_after: float | None = None, chance: float = 0
    ) -> None:
        for judgement in judgements:
            self.conduct.observe(judgement, retry_after=retry_after, now=self.now, chance=chance)

    def word(self) -> StopWord | None:
        return self.conduct.stopped

    def looked(self, *, alive: bool, chance: float = 0) -> None:
        self.conduct.looked(alive=alive, now=self.now, chance=chance)

    def waits(self, in_flight: int = 0) -> float | None:
        """Seconds until the next question, None for until something changes."""
        step = self.step(in_flight)
        assert isinstance(step, Wait), step
        return None if step.until is None else step.until - self.now

    def goes(self, in_flight: int = 0) -> bool:
        return isinstance(self.step(in_flight), Go)

    def may_begin(self) -> bool:
        return self.conduct.may_begin(now=self.now)


def flowing(**rules: float) -> Run:
    run = Run(**rules)
    run.saw(PLACED)
    return run


def paused(**rules: float) -> Run:
    run = flowing(**{"stop_uncertain": 0, **rules})
    run.saw(*[BROKEN] * 5)
    return run


# The start


def test_a_run_begins_with_one_call_at_a_time() -> None:
    run = Run()

    assert run.goes(in_flight=0)
    assert run.waits(in_flight=1) is None
    assert run.may_begin()


@pytest.mark.parametrize("judgement", [INVALID, CONFLICT, SLOW_DOWN, CUT_SHORT, BROKEN])
def test_only_a_placed_call_lets_the_others_follow(judgement: Judgement) -> None:
    run = Run()
    run.saw(judgement)
    run.now += 60

    assert run.goes(in_flight=0)
    assert run.waits(in_flight=1) is None
    run.saw(PLACED)
    assert run.goes(in_flight=7)


def test_five_first_answers_of_400_or_404_stop_the_run() -> None:
    run = Run()
    run.saw(INVALID, UNKNOWN_ID, SLOW_DOWN, AWAY, INVALID, UNKNOWN_ID)
    assert run.word() is None

    run.saw(INVALID)

    assert run.word() is StopWord.FIRST_CALLS_REFUSED
    assert "contact column" in run.conduct.message


@pytest.mark.parametrize("other", [PLACED, TOO_LARGE, CONFLICT])
def test_one_other_answer_among_the_first_five_is_enough(other: Judgement) -> None:
    run = Run()

    run.saw(INVALID, INVALID, other, *[INVALID] * 20)

    assert run.word() is None


# Stops


@pytest.mark.parametrize(
    ("word", "remedy"),
    [
        (StopWord.KEY_REFUSED, "CONTACTSHIP_API_KEY"),
        (StopWord.CREDIT_REFUSED, "Top up"),
        (StopWord.REFUSED, "newer version"),
        (StopWord.NOT_THE_API, "api.base_url"),
    ],
)
def test_an_answer_that_stops_the_run_says_why_and_what_to_do(word: StopWord, remedy: str) -> None:
    run = flowing()

    run.saw(Judgement(verdict=Verdict.REJECTED, http_status=401, message="Because.", stop=word))

    assert run.step() == Stop(word=word, message=run.conduct.message)
    assert run.conduct.message.startswith("Because. ")
    assert remedy in run.conduct.message
    assert not run.may_begin()


def test_the_first_word_wins() -> None:
    run = flowing()

    run.conduct.stop_for(StopWord.SIGNAL, "first")
    run.conduct.stop_for(StopWord.LIMIT, "second")

    assert (run.conduct.stopped, run.conduct.message) == (StopWord.SIGNAL, "first")


def test_a_word_without_a_remedy_is_told_plainly() -> None:
    assert stop_message(StopWord.LIMIT, "That was the limit") == "That was the limit."


def test_too_many_uncertain_calls_stop_the_run() -> None:
    run = flowing(stop_uncertain=3, breaker_failures=0)
    run.saw(CONFLICT, LATE)
    assert run.word() is None

    run.saw(CUT_SHORT)

    assert run.word() is StopWord.TOO_MANY_UNCERTAIN
    assert "3 calls" in run.conduct.message


def test_uncertain_calls_are_not_counted_when_the_bound_is_off() -> None:
    run = flowing(stop_uncertain=0)

    run.saw(*[CONFLICT] * 100)

    assert run.word() is None


# 429


def test_a_429_holds_everybody_as_long_as_it_asks() -> None:
    run = flowing()

    run.saw(SLOW_DOWN, retry_after=7.5)

    assert run.waits(in_flight=3) == 7.5
    assert run.conduct.held == (run.now + 7.5, "the API asked to wait")
    assert not run.may_begin()
    run.now += 7.5
    assert run.may_begin()
    assert run.goes(in_flight=3)
    assert run.conduct.held is None


def test_a_429_that_asks_nothing_is_waited_out_in_doubling_steps() -> None:
    run = flowing()
    waits = []
    for retry_after in (None, 0.0, None, None, None, None, None, None):
        run.saw(SLOW_DOWN, retry_after=retry_after)
        waits.append(run.waits() or 0.0)
        run.now += waits[-1]

    assert waits == [1, 2, 4, 8, 16, 32, 60, 60]


def test_a_429_of_a_call_under_way_does_not_double_again() -> None:
    run = flowing()

    run.saw(*[SLOW_DOWN] * 8)

    assert run.waits() == 1


def test_another_answer_takes_the_doubling_back() -> None:
    run = flowing()
    run.saw(SLOW_DOWN)
    run.now += 1
    run.saw(INVALID)

    run.saw(SLOW_DOWN)

    assert run.waits() == 1


def test_the_longest_wait_asked_for_counts() -> None:
    run = flowing()
    run.saw(SLOW_DOWN, retry_after=30)

    run.saw(SLOW_DOWN, retry_after=5)

    assert run.waits() == 30


def test_jitter_takes_at_most_a_quarter_off() -> None:
    run = flowing()

    run.saw(SLOW_DOWN, chance=0.999)

    assert run.waits() == pytest.approx(0.75, abs=0.001)


def test_a_wait_that_is_too_long_stops_the_run_and_is_named() -> None:
    run = flowing(max_wait_seconds=900)
    run.saw(SLOW_DOWN, retry_after=900)
    assert run.word() is None

    run.saw(SLOW_DOWN, retry_after=900.5)

    assert run.word() is StopWord.WAIT_TOO_LONG
    assert "901 seconds" in run.conduct.message
    assert "(900)" in run.conduct.message


def test_no_number_of_429s_stops_a_run() -> None:
    run = flowing(give_up_seconds=60, stop_uncertain=1)
    for _ in range(1000):
        run.saw(SLOW_DOWN)
        run.now += run.waits() or 0.0

    assert run.word() is None


def test_a_limit_that_is_used_up_holds_without_counting_as_a_429() -> None:
    run = flowing()

    run.conduct.hold_for(12, now=run.now)

    assert run.conduct.held == (run.now + 12, "the API's limit is used up")
    run.now += 12
    run.saw(SLOW_DOWN)
    assert run.waits() == 1


# Out of reach


def test_an_api_out_of_reach_is_tried_again_in_doubling_steps_by_one_call_alone() -> None:
    run = flowing()
    waits = []
    for _ in range(8):
        run.saw(AWAY, AWAY)  # the second was under way
        assert not run.may_begin()
        waits.append(run.waits() or 0.0)
        run.now += waits[-1]
        assert run.goes(in_flight=0)
        assert run.waits(in_flight=1) == 3600 - (run.now - 1000)

    assert waits == [1, 2, 4, 8, 16, 32, 60, 60]
    assert run.conduct.outage_since == 1000


@pytest.mark.parametrize("answer", [PLACED, INVALID, SLOW_DOWN])
def test_an_answer_ends_the_outage(answer: Judgement) -> None:
    run = flowing()
    run.saw(AWAY)
    run.now += 1

    run.saw(answer, retry_after=0.0)
    run.now += 60

    assert run.goes(in_flight=3)
    assert run.conduct.outage_since is None
    run.saw(AWAY)
    assert run.waits() == 1


def test_an_interrupted_call_says_nothing_about_the_api() -> None:
    run = flowing()
    run.saw(AWAY)
    run.now += 1

    run.saw(CUT_SHORT)

    assert run.waits(in_flight=1) == 3599


def test_a_run_gives_up_when_the_api_stays_out_of_reach() -> None:
    run = flowing(give_up_seconds=90)
    run.saw(AWAY)
    run.now += 89
    run.saw(AWAY)
    assert run.waits() == 1  # not longer than until giving up

    run.now += 1

    assert run.step() == Stop(word=StopWord.UNREACHABLE, message=run.conduct.message)
    assert "1.5 minutes" in run.conduct.message


def test_giving_up_at_once_needs_one_failure() -> None:
    run = flowing(give_up_seconds=0)

    run.saw(AWAY)

    assert run.word() is StopWord.UNREACHABLE


# The breaker


def test_a_burst_of_failures_pauses_looks_and_probes_with_one_call() -> None:
    run = flowing()
    run.saw(*[BROKEN] * 4)
    assert run.goes(in_flight=7)

    run.saw(LATE)

    assert run.waits(in_flight=7) == 30
    assert run.conduct.held == (run.now + 30, "the API keeps failing")
    assert not run.may_begin()
    run.now += 30
    assert run.waits(in_flight=7) == 3570  # those under way end first
    assert not run.may_begin()
    assert run.step() == Look()
    assert run.waits() == 3570  # one look is enough
    run.looked(alive=True)
    assert run.goes(in_flight=0)
    assert run.may_begin()
    assert run.waits(in_flight=1) == 3570
    run.saw(PLACED)
    assert run.goes(in_flight=7)
    assert run.conduct.outage_since is None


def test_a_good_probe_empties_the_window() -> None:
    run = paused()
    run.now += 30
    run.step()
    run.looked(alive=True)
    run.saw(INVALID)

    run.saw(*[BROKEN] * 4)

    assert run.goes(in_flight=7)
    run.saw(BROKEN)
    assert run.waits() == 30


def test_the_pause_is_doubled_by_a_failing_probe_and_by_a_look_that_finds_nobody() -> None:
    run = paused(give_up_seconds=1e9)
    waits = [run.waits() or 0.0]
    for alive in (True, False, True, False, True):
        run.now += waits[-1]
        assert run.step() == Look()
        run.looked(alive=alive)
        if alive:
            run.saw(BROKEN)
        waits.append(run.waits() or 0.0)

    assert waits == [30, 60, 120, 240, 480, 900]


def test_jitter_adds_at_most_a_tenth_to_a_pause() -> None:
    run = paused()
    run.now += 30
    run.step()

    run.looked(alive=False, chance=0.999)

    assert run.waits() == pytest.approx(66, abs=0.01)


def test_what_was_under_way_when_the_pause_began_changes_nothing() -> None:
    run = paused()

    run.saw(BROKEN, PLACED, LATE)

    assert run.waits() == 30


def test_a_429_or_an_api_out_of_reach_leaves_the_probe_to_be_repeated() -> None:
    run = paused()
    run.now += 30
    run.step()
    run.looked(alive=True)
    for judgement in (SLOW_DOWN, AWAY):
        run.saw(judgement)
        run.now += 1
        assert run.goes(in_flight=0)
        assert isinstance(run.step(in_flight=1), Wait)


def test_the_longer_of_hold_and_pause_is_shown() -> None:
    run = paused()

    run.saw(SLOW_DOWN, retry_after=45)

    assert run.conduct.held == (run.now + 45, "the API asked to wait")


def test_failures_far_apart_do_not_pause() -> None:
    run = flowing(stop_uncertain=0)

    run.saw(*[*[BROKEN] * 4, *[PLACED] * 20] * 10)

    assert run.goes(in_flight=7)


def test_a_breaker_that_is_off_never_pauses() -> None:
    run = flowing(breaker_failures=0, stop_uncertain=0)

    run.saw(*[BROKEN] * 100)

    assert run.goes(in_flight=7)


def test_a_run_gives_up_when_the_api_keeps_failing() -> None:
    run = paused(give_up_seconds=100)
    run.now += 30
    run.step()
    run.looked(alive=False)
    assert run.waits() == 60

    run.now += 60
    run.step()
    assert run.waits() == 10
    run.now += 10

    assert run.step() == Stop(word=StopWord.BREAKER, message=run.conduct.message)
    assert "failing" in run.conduct.message


def test_a_look_that_finds_nobody_after_a_late_success_begins_the_outage_anew() -> None:
    run = paused(give_up_seconds=100)
    run.saw(PLACED)
    run.now += 50
    run.step()

    run.looked(alive=False)

    assert run.conduct.outage_since == run.now


def test_giving_up_at_once_needs_one_opening() -> None:
    run = paused(give_up_seconds=0)

    assert run.word() is StopWord.BREAKER


def test_a_look_nobody_asked_for_is_ignored() -> None:
    run = flowing()

    run.looked(alive=False)

    assert run.goes(in_flight=7)


# Bounds


class Pool:
    """Workers against a server, at random but for the seed."""

    def __init__(self, rules: ConductRules, *, workers: int, seed: int) -> None:
        self.conduct = Conduct(rules)
        self.random = random.Random(seed)
        self.workers = workers
        self.now = 0.0
        self.in_flight = 0
        self.uncertain = 0
        self.probes = 0

    def turn(self, *, failing: float) -> bool:
        """One question or one end of a call; False when the run has stopped and is empty."""
        step = self.conduct.next_step(now=self.now, in_flight=self.in_flight)
        may_start = isinstance(step, Go) and self.in_flight < self.workers
        if may_start and self.random.random() < 0.7:
            assert self.conduct.may_begin(now=self.now)
            self.in_flight += 1
        elif isinstance(step, Look):
            self.probes += 1
            self.conduct.looked(alive=True, now=self.now, chance=self.random.random())
        elif self.in_flight:
            self._end(BROKEN if self.random.random() < failing else PLACED)
        elif isinstance(step, Wait):
            assert step.until is not None
            self.now = step.until
        return self.in_flight > 0 or not isinstance(step, Stop)

    def _end(self, judgement: Judgement) -> None:
        self.in_flight -= 1
        self.uncertain += judgement is BROKEN
        self.now += self.random.random()
        chance = self.random.random()
        self.conduct.observe(judgement, retry_after=None, now=self.now, chance=chance)


@settings(deadline=None)
@given(workers=st.integers(1, 16), failures=st.integers(1, 8), seed=st.integers(0, 10**6))
def test_an_opening_costs_at_most_workers_failures_and_probes(
    workers: int, failures: int, seed: int
) -> None:
    rules = ConductRules(breaker_failures=failures, stop_uncertain=0)
    pool = Pool(rules, workers=workers, seed=seed)
    for _ in range(60):
        pool.turn(failing=0)

    while pool.turn(failing=1):
        pass

    assert pool.conduct.stopped is StopWord.BREAKER
    assert pool.uncertain <= workers + failures + pool.probes


@settings(deadline=None)
@given(
    workers=st.integers(1, 16),
    bound=st.integers(1, 20),
    failing=st.floats(0.05, 1),
    seed=st.integers(0, 10**6),
)
def test_a_run_costs_at_most_the_bound_and_workers_with_any_flapping_server(
    workers: int, bound: int, failing: float, seed: int
) -> None:
    rules = ConductRules(stop_uncertain=bound, give_up_seconds=1e12)
    pool = Pool(rules, workers=workers, seed=seed)

    while pool.turn(failing=failing):
        pass

    assert pool.conduct.stopped is StopWord.TOO_MANY_UNCERTAIN
    assert bound <= pool.uncertain <= bound + workers
