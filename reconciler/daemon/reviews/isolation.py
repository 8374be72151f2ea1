"""What a process gives up, for itself and whatever it starts, before it reads what a stranger wrote.

    python -I -m reconciler.daemon.reviews.isolation SECONDS MEMORY FILE FOLDER ARGUMENTS…

runs `reconciler ARGUMENTS…` so, with the working directory to write in and FOLDER to read. The first line of its output
tells which of `Measure` hold, separated by spaces. None of them needs root, or a right in Kubernetes:

- a user and a network namespace of its own, which has no interface that is up. Not where user namespaces are switched
  off, as by the seccomp profile RuntimeDefault of Pods. namespaces(7)
- a seccomp filter that refuses to make a socket, on x86-64 and arm64, everywhere. seccomp(2)
- Landlock, since Linux 5.13 where it is switched on: no file may be opened but programs, libraries and the two folders;
  not /proc, where the secrets of our other processes are. landlock(7)
"""

import ctypes
import importlib
import os
import platform
import resource
import struct
import sys
import tempfile
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import Final, NamedTuple


class Measure(StrEnum):
    NAMESPACE = "namespace"
    SOCKETS = "sockets"
    FILES = "files"


_NEW_USER: Final = 0x1000_0000
_NEW_NETWORK: Final = 0x4000_0000
_NO_NEW_PRIVILEGES: Final = 38  # of prctl(2)
_SECCOMP: Final = 22
_FILTER: Final = 2

_SYSTEM: Final = ("/usr", "/bin", "/lib", "/lib64", "/nix/store", "/etc/ld.so.cache", "/dev/urandom")


class _Machine(NamedTuple):
    audit: int  # its name in a filter
    socket: int  # the number of the call
    io_uring: int  # which makes sockets, too
    beyond: int  # numbers from here on are those of another way to call


_MACHINES: Final = {
    "x86_64": _Machine(0xC000_003E, 41, 425, 0x4000_0000),
    "aarch64": _Machine(0xC000_00B7, 198, 425, 0xFFFF_FFFF),
}


def isolate(reads: Iterable[str]) -> list[Measure]:
    """Give up what can be given up; which that was. `reads` are the folders that may still be read."""
    if sys.platform != "linux":
        return []
    libc = ctypes.CDLL(None, use_errno=True)
    held = [Measure.NAMESPACE] if _leave_network(libc) else []
    if libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0) == 0:
        held += [Measure.FILES] if _keep_files(libc, reads) else []
        held += [Measure.SOCKETS] if _refuse_sockets(libc) else []
    return held


def _leave_network(libc: ctypes.CDLL) -> bool:
    user, group = os.geteuid(), os.getegid()
    if libc.unshare(_NEW_USER | _NEW_NETWORK) != 0:
        return False
    for name, text in (("uid_map", f"{user} {user} 1"), ("setgroups", "deny"), ("gid_map", f"{group} {group} 1")):
        Path("/proc/self", name).write_text(text)  # we stay who we are
    return True


# -- sockets ----------------------------------------------------------------------------------------------------------

_LOAD, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06  # operations of classic BPF
_ALLOW: Final = 0x7FFF_0000
_REFUSE: Final = 0x0005_0000 | 13  # EACCES


def _refuse_sockets(libc: ctypes.CDLL) -> bool:
    machine = _MACHINES.get(platform.machine())
    if machine is None:
        return False
    steps = (  # operation, steps to pass over where it is so, and where it is not, operand
        (_LOAD, 0, 0, 4),
        (_EQUAL, 0, 5, machine.audit),
        (_LOAD, 0, 0, 0),
        (_AT_LEAST, 3, 0, machine.beyond),
        (_EQUAL, 2, 0, machine.socket),
        (_EQUAL, 1, 0, machine.io_uring),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _REFUSE),
    )
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *step) for step in steps))
    program = struct.pack("@HP", len(steps), ctypes.addressof(code))
    return bool(libc.prctl(_SECCOMP, _FILTER, program, 0, 0) == 0)


# -- files ------------------------------------------------------------------------------------------------------------

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # calls, of every machine alike
_VERSION: Final = 1  # asks which
_BENEATH: Final = 1  # a rule about a path
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_FOLDER = (1 << bit for bit in range(4))
_OF_FILES: Final = _EXECUTE | _WRITE_FILE | _READ_FILE | 1 << 14  # truncate
_RIGHTS: Final = {1: 13, 2: 14, 3: 15, 4: 15}  # how many there are, by version


def _keep_files(libc: ctypes.CDLL, reads: Iterable[str]) -> bool:
    version = libc.syscall(_CREATE_RULESET, None, 0, _VERSION)
    if version < 1:
        return False
    every = (1 << _RIGHTS.get(version, 16)) - 1
    rules = libc.syscall(_CREATE_RULESET, struct.pack("=Q", every), 8, 0)
    if rules < 0:
        return False
    look = _EXECUTE | _READ_FILE | _READ_FOLDER
    python = (sys.prefix, sys.base_prefix, *sys.path)
    allowed = {path: look for path in (*_SYSTEM, *python, *reads) if path}
    allowed |= {os.getcwd(): every, "/dev/null": _READ_FILE | _WRITE_FILE}  # noqa: PTH109
    try:
        for path, rights in allowed.items():
            _allow(libc, rules, path, rights & every)
        return bool(libc.syscall(_RESTRICT_SELF, rules, 0) == 0)
    finally:
        os.close(rules)


def _allow(libc: ctypes.CDLL, rules: int, path: str, rights: int) -> None:
    try:
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:  # not on this machine
        return
    try:
        kept = rights if Path(path).is_dir() else rights & _OF_FILES
        libc.syscall(_ADD_RULE, rules, _BENEATH, struct.pack("=Qi", kept, place), 0)
    finally:
        os.close(place)


def main() -> int:
    """Exit code of `reconciler`."""
    seconds, memory, file = (int(each) for each in sys.argv[1:4])
    limits = {
        resource.RLIMIT_CPU: seconds,
        resource.RLIMIT_AS: memory,
        resource.RLIMIT_FSIZE: file,
        resource.RLIMIT_NOFILE: 256,
        resource.RLIMIT_CORE: 0,
    }
    for what, most in limits.items():
        resource.setrlimit(what, (most, most))
    tempfile.tempdir = os.getcwd()  # noqa: PTH109
    held = isolate(sys.argv[4:5])
    os.write(1, (" ".join(held) + "\n").encode())
    command = importlib.import_module("reconciler.cli.main")  # by name: from here on the process is the command's
    return int(command.main(sys.argv[5:]))


if __name__ == "__main__":
    sys.exit(main())
