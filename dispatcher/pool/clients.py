"""The clients of a run's workers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, contextmanager

from dispatcher.client import Client


class Clients:
    """
    As many clients as there are workers, each lent for one request at a time.

    The one that was used last is lent next: so few connections are idle for long, to be left and
    made again, and no more are open than requests were ever out at once.

    Args:
        connect: Makes a client.
    """

    def __init__(self, connect: Callable[[], Client]) -> None:
        self._connect = connect
        self._all: list[Client] = []
        self._free: list[Client] = []

    async def add(self, stack: AsyncExitStack) -> None:
        """Have one more, until *stack* is left."""
        client = await stack.enter_async_context(self._connect())
        self._all.append(client)
        self._free.append(client)

    @contextmanager
    def lent(self) -> Iterator[Client]:
        """Lend a client; no more than there are."""
        client = self._free.pop()
        try:
            yield client
        finally:
            self._free.append(client)

    def abort(self) -> None:
        """End the requests that are out."""
        for client in self._all:
            client.abort()
