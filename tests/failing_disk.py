"""
The command on a disk that fails as soon as a file is there.

``python tests/failing_disk.py write|sync FILE ARGUMENT...``. From then on the kernel refuses with
an I/O error what the process does to its ledger's log: to write to it, or to bring it to the disk.
Only Linux can do that, by seccomp(2).
"""

from __future__ import annotations

import ctypes
import errno
import platform
import runpy
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

_MACHINES = {  # of each: its number, and those of seccomp, pwrite64 and fdatasync there
    "x86_64": (0xC000003E, 317, 18, 75),
    "aarch64": (0xC00000B7, 277, 67, 83),
}
_PR_SET_NO_NEW_PRIVS, _SET_MODE_FILTER, _ALL_THREADS = 38, 1, 1
_LOAD, _SKIP_UNLESS_EQUAL, _RETURN = 0x20, 0x15, 0x06
_ALLOW, _FAIL = 0x7FFF0000, 0x00050000 | errno.EIO
_NUMBER_AT, _MACHINE_AT, _FILE_AT = 0, 4, 16  # in what the filter is shown of a system call


class _Step(ctypes.Structure):
    _fields_ = (
        ("code", ctypes.c_ushort),
        ("skip_if", ctypes.c_ubyte),
        ("skip_else", ctypes.c_ubyte),
        ("value", ctypes.c_uint),
    )


class _Filter(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("steps", ctypes.POINTER(_Step)))


def _let_fail(kind: str, file: int) -> None:
    """From now on all threads of this process get EIO for such a system call on *file*."""
    machine, seccomp, write, sync = _MACHINES[platform.machine()]
    steps = (
        _Step(_LOAD, 0, 0, _MACHINE_AT),
        _Step(_SKIP_UNLESS_EQUAL, 0, 5, machine),
        _Step(_LOAD, 0, 0, _NUMBER_AT),
        _Step(_SKIP_UNLESS_EQUAL, 0, 3, {"write": write, "sync": sync}[kind]),
        _Step(_LOAD, 0, 0, _FILE_AT),
        _Step(_SKIP_UNLESS_EQUAL, 0, 1, file),
        _Step(_RETURN, 0, 0, _FAIL),
        _Step(_RETURN, 0, 0, _ALLOW),
    )
    libc = ctypes.CDLL(None, use_errno=True)
    faults = libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    program = _Filter(len(steps), (_Step * len(steps))(*steps))
    faults |= libc.syscall(seccomp, _SET_MODE_FILTER, _ALL_THREADS, ctypes.byref(program))
    if faults:
        raise OSError(ctypes.get_errno(), "the kernel takes no filter")


def _wait_and_let_fail(kind: str, sign: Path) -> None:
    while not sign.exists():
        time.sleep(0.01)
    for number in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # that of the folder itself
            if number.readlink().name.endswith("-wal"):
                _let_fail(kind, int(number.name))


if __name__ == "__main__":
    _, kind, sign, *arguments = sys.argv
    sys.argv[1:] = arguments
    threading.Thread(target=_wait_and_let_fail, args=(kind, Path(sign)), daemon=True).start()
    runpy.run_module("dispatcher", run_name="__main__", alter_sys=True)
