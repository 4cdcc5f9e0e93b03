"""By when a request must have ended."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from dispatcher.client.deadline import Deadline


class Time:
    """A loop's clock that is put forward by hand."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.now = 1000.0
        self.loop.time = lambda: self.now  # type: ignore[method-assign]

    async def pass_(self, seconds: float) -> None:
        """Let all that is due happen."""
        self.now += seconds
        for _ in range(5):
            await asyncio.sleep(0)


Scene = Callable[[Deadline, Time], Awaitable[object]]


def play(scene: Scene) -> object:
    async def main() -> object:
        deadline = Deadline()
        try:
            return await scene(deadline, Time())
        finally:
            deadline.close()

    return asyncio.run(main())


async def wait_within(deadline: Deadline, *moves: float) -> str:
    with deadline:
        for seconds in moves:
            deadline.move(seconds)
        await asyncio.Event().wait()
        return "never"
    return "over"


@pytest.mark.parametrize("moves", [(5,), (9, 5), (2, 5)], ids=["once", "sooner", "later"])
def test_the_deadline_moved_to_last_counts(moves: tuple[float, ...]) -> None:
    async def scene(deadline: Deadline, time: Time) -> tuple[bool, str]:
        waiting = asyncio.create_task(wait_within(deadline, *moves))
        await time.pass_(0)
        await time.pass_(4.9)
        was_early = waiting.done()
        await time.pass_(0.2)
        return was_early, await waiting

    assert play(scene) == (False, "over")


def test_what_ends_in_time_is_left_alone_and_the_next_has_its_own_time() -> None:
    async def scene(deadline: Deadline, time: Time) -> tuple[bool, str]:
        with deadline:
            deadline.move(5)
        await time.pass_(4)
        waiting = asyncio.create_task(wait_within(deadline, 5))
        await time.pass_(0)
        await time.pass_(2)  # the first one's time is up
        was_early = waiting.done()
        await time.pass_(3)
        return was_early, await waiting

    assert play(scene) == (False, "over")


def test_what_came_is_taken_although_time_is_found_to_be_up_in_the_same_turn() -> None:
    async def scene(deadline: Deadline, time: Time) -> tuple[str, bool]:
        answer = time.loop.create_future()

        async def reads() -> str:
            with deadline:
                deadline.move(5)
                await answer
                return "came"
            return "over"

        reading = asyncio.create_task(reads())
        await time.pass_(0)
        time.loop.call_later(4, answer.set_result, None)
        await time.pass_(60)  # as after Ctrl-Z and fg
        return await reading, deadline.has_passed

    assert play(scene) == ("came", False)


def test_who_moves_on_in_the_turn_in_which_time_is_up_has_the_new_time() -> None:
    async def scene(deadline: Deadline, time: Time) -> tuple[bool, str]:
        connected = time.loop.create_future()

        async def connects_then_sends() -> str:
            with deadline:
                deadline.move(5)
                await connected
                deadline.move(10)
                await asyncio.Event().wait()
            return "over"

        sending = asyncio.create_task(connects_then_sends())
        await time.pass_(0)
        time.loop.call_later(4, connected.set_result, None)
        await time.pass_(60)
        was_early = sending.done()
        await time.pass_(10)
        return was_early, await sending

    assert play(scene) == (False, "over")


def test_a_deadline_that_has_passed_stands() -> None:
    async def scene(deadline: Deadline, time: Time) -> tuple[bool, str]:
        async def moves_too_late() -> str:
            with deadline:
                deadline.move(1)
                try:
                    await asyncio.Event().wait()
                finally:
                    deadline.move(100)
            return "over"

        waiting = asyncio.create_task(moves_too_late())
        await time.pass_(0)
        await time.pass_(1)
        return deadline.has_passed, await waiting

    assert play(scene) == (True, "over")


def test_who_is_cancelled_from_outside_stays_cancelled() -> None:
    async def scene(deadline: Deadline, time: Time) -> bool:
        waiting = asyncio.create_task(wait_within(deadline, 5))
        await time.pass_(0)
        waiting.cancel()
        time.now += 6
        await asyncio.gather(waiting, return_exceptions=True)
        return waiting.cancelled()

    assert play(scene) is True


def test_who_is_cancelled_from_outside_when_time_is_up_stays_cancelled() -> None:
    async def scene(deadline: Deadline, time: Time) -> bool:
        waiting = asyncio.create_task(wait_within(deadline, 5))
        await time.pass_(0)
        time.now += 5
        time.loop.call_soon(lambda: time.loop.call_soon(waiting.cancel))
        await asyncio.gather(waiting, return_exceptions=True)
        return waiting.cancelled()

    assert play(scene) is True


def test_a_fault_when_time_is_up_is_told() -> None:
    async def scene(deadline: Deadline, time: Time) -> None:
        async def fails() -> None:
            with deadline:
                deadline.move(1)
                try:
                    await asyncio.Event().wait()
                except asyncio.CancelledError:
                    raise OSError from None

        failing = asyncio.create_task(fails())
        await time.pass_(0)
        await time.pass_(1)
        with pytest.raises(OSError):  # noqa: PT011 - the very one
            await failing
        assert failing.cancelling() == 0

    play(scene)


def test_a_ring_after_the_end_harms_nobody() -> None:
    async def scene(deadline: Deadline, time: Time) -> bool:
        with deadline:
            deadline.move(1)
        await time.pass_(2)
        return deadline.has_passed

    assert play(scene) is False
