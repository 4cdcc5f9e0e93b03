"""A console that goes: its window closed, a log-off, a shutdown. Windows sends no signal then."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_CLOSED, _LOGGED_OFF, _SHUT_DOWN = 2, 5, 6
_RECORDING_SECONDS = 4.0  # Windows ends the process five seconds after it has told

if sys.platform == "win32":  # pragma: no cover
    import ctypes
    from ctypes import wintypes

    @contextmanager
    def console_watched(on_end: Callable[[], None]) -> Iterator[None]:
        """
        Say when the console goes, and keep the process for some seconds to record what is out.

        Args:
            on_end: Called in a thread of Windows' own.
        """

        def handle(event: int) -> bool:
            if event not in (_CLOSED, _LOGGED_OFF, _SHUT_DOWN):
                return False
            on_end()
            time.sleep(_RECORDING_SECONDS)  # returning ends the process
            return True

        handler = ctypes.WINFUNCTYPE(wintypes.BOOL, wintypes.DWORD)(handle)
        set_handler = ctypes.windll.kernel32.SetConsoleCtrlHandler
        set_handler(handler, True)
        try:
            yield
        finally:
            set_handler(handler, False)

else:

    @contextmanager
    def console_watched(_on_end: Callable[[], None]) -> Iterator[None]:
        """Watch nothing: elsewhere a console that goes sends a signal."""
        yield
