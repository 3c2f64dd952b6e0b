"""Runs a Python program within limits that it cannot lift: `python -I _confined.py LIMITS FILE`.

This file is a program of its own, started by `agentkit_tools.python`; it imports the standard library alone. It gives
up, in this order and for good, what the code shall not have, and then runs the code in the same process:

- resources: memory, processor time, the size of a file, open files (setrlimit(2));
- what the superuser may (capabilities(7)), where it is the superuser's process;
- files: nothing is written outside the working folder, and nothing read but Python's own and the system's libraries
  (Landlock, Linux 5.13; landlock(7));
- the network, other processes and a few more: the calls are refused by the kernel (seccomp(2), filter mode).

Numbers of calls and constants are those of the Linux kernel's `uapi` headers.
"""

from __future__ import annotations

import ast
import contextlib
import ctypes
import errno
import json
import os
import platform
import struct
import sys
import sysconfig
import traceback
import types
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

REFUSED = 125
"""The exit code where the system cannot confine the code and that is asked for."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What the code may use: seconds of processor time, bytes of memory and of a file, the network.

    `required`: whether it is not run at all where the system cannot confine it.
    """

    seconds: int
    memory: int
    file: int
    network: bool
    required: bool

    def to_json(self) -> str:
        return json.dumps(asdict(self))


def missing() -> str:
    """What this system lacks to confine code, or `""`."""
    if sys.platform != "linux":
        return f"it is {sys.platform}, not Linux"
    if _calls() is None:
        return f"its processor is {platform.machine()}, which is not known here"
    if _landlock_version() < 1:
        return "its kernel has no Landlock, or it is switched off"
    if _libc().prctl(_GET_SECCOMP, 0, 0, 0, 0) < 0:
        return "its kernel has no seccomp"
    return ""


def main() -> None:
    limits = Limits(**json.loads(sys.argv[1]))
    path = sys.argv[2]
    with open(path, encoding="utf-8") as file:
        code = file.read()
    problems = [
        problem for step in (_end_with_parent, _limit, _drop, _lock, _filter) if (problem := _try(step, limits))
    ]
    if problems and limits.required:
        print(f"the system cannot confine the code: {'; '.join(problems)}", file=sys.stderr)  # noqa: T201 - the output
        sys.exit(REFUSED)
    _run(code, path)


def _try(step: Callable[[Limits], None], limits: Limits) -> str:
    try:
        step(limits)
    except (OSError, ValueError, AttributeError, ImportError) as error:
        return f"{step.__name__[1:]}: {error}"
    return ""


# The code.


def _run(code: str, path: str) -> None:
    """Run code as the main module, and print the value of a last line that is an expression."""
    module = types.ModuleType("__main__")
    module.__file__ = path
    sys.modules["__main__"] = module
    sys.argv = [path]
    try:
        tree = compile(code, path, "exec", ast.PyCF_ONLY_AST)
        assert isinstance(tree, ast.Module)
        last = tree.body[-1] if tree.body else None
        if isinstance(last, ast.Expr):
            tree.body.pop()
        exec(compile(tree, path, "exec"), module.__dict__)  # noqa: S102 - what this program is for
        if isinstance(last, ast.Expr):
            sys.displayhook(eval(compile(ast.Expression(last.value), path, "eval"), module.__dict__))  # noqa: S307 - see above
    except SystemExit:
        raise
    except BaseException as error:
        trace = error.__traceback__
        while trace is not None and trace.tb_frame.f_code.co_filename == __file__:
            trace = trace.tb_next
        with contextlib.suppress(BaseException):
            traceback.print_exception(type(error), error, trace)
        sys.exit(1)


# What it gives up.


def _end_with_parent(_: Limits) -> None:
    """Be killed when the program that started this one ends."""
    if sys.platform == "linux":
        _checked(_libc().prctl(_SET_PDEATHSIG, 9, 0, 0, 0))


def _limit(limits: Limits) -> None:
    import resource

    wanted = {
        "RLIMIT_CPU": limits.seconds,
        "RLIMIT_AS": limits.memory,
        "RLIMIT_FSIZE": limits.file,
        "RLIMIT_NOFILE": 128,
        "RLIMIT_CORE": 0,
        "RLIMIT_MEMLOCK": 0,
    }
    if missing():  # no process can be forbidden one by one, so forbid all; the superuser's are not counted
        wanted["RLIMIT_NPROC"] = 0
    failed = list[str]()
    for name, most in wanted.items():
        try:
            kind = getattr(resource, name)
            _, hard = resource.getrlimit(kind)
            least = most if hard == resource.RLIM_INFINITY else min(most, hard)
            resource.setrlimit(kind, (least, least))
        except (AttributeError, ValueError, OSError):  # a system that does not have it, or not for this
            failed.append(name)
    if failed:
        raise ValueError(f"{', '.join(failed)} cannot be set")


def _drop(_: Limits) -> None:
    """Give up all capabilities, and the way to get them back by running another program."""
    if sys.platform != "linux":
        raise ValueError(missing())
    libc = _libc()
    _checked(libc.prctl(_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
    number = 0
    while libc.prctl(_CAPBSET_DROP, number, 0, 0, 0) == 0:  # refused without the superuser's rights, and not needed
        number += 1
    header = struct.pack("<Ii", _CAPABILITY_VERSION_3, 0)
    _checked(libc.capset(header, bytes(24)))


def _lock(limits: Limits) -> None:
    """Confine the process to files: its folder to write, Python and the system's libraries to read."""
    if lack := missing():
        raise ValueError(lack)
    version = _landlock_version()
    handled = (1 << 13) - 1  # the rights of the first version
    for since, right in ((2, _REFER), (3, _TRUNCATE), (5, _IOCTL)):
        handled |= right if version >= since else 0
    scoped = _SCOPED if version >= 6 else 0
    attributes = struct.pack("<QQQ", handled, 0, scoped)[: 24 if version >= 6 else 8]
    rules = _checked(_libc().syscall(_LANDLOCK_CREATE, attributes, ctypes.c_size_t(len(attributes)), 0))
    read, write = _READ_FILE | _READ_DIR, handled & ~(_EXECUTE | _IOCTL)
    for path in dict.fromkeys(_readable(limits.network)):
        _allow(rules, path, read & handled)
    for path in ("/dev/null", "/dev/zero", "/dev/full", "/dev/urandom", "/dev/random"):
        _allow(rules, path, (_READ_FILE | _WRITE_FILE | _TRUNCATE) & handled)
    _allow(rules, os.getcwd(), write)
    _checked(_libc().syscall(_LANDLOCK_RESTRICT, rules, 0))
    os.close(rules)


def _allow(rules: int, path: str, rights: int) -> None:
    try:
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return  # what is not there needs no rule
    try:
        if not os.path.isdir(path):
            rights &= _READ_FILE | _WRITE_FILE | _TRUNCATE | _EXECUTE
        rule = struct.pack("<Qi", rights, place)
        _checked(_libc().syscall(_LANDLOCK_ADD, rules, 1, rule, 0))
    finally:
        os.close(place)


def _readable(network: bool) -> Iterator[str]:
    yield from (path for name, path in sysconfig.get_paths().items() if name.endswith(("lib", "stdlib")))
    yield from (os.path.join(root, sys.platlibdir) for root in (sys.base_prefix, sys.base_exec_prefix))
    yield from ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/usr/share", "/usr/local/share")
    yield from ("/etc/localtime", "/etc/ld.so.cache", "/etc/mime.types")
    if network:
        yield from ("/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf", "/etc/host.conf", "/etc/gai.conf")
        yield from ("/etc/services", "/etc/ssl", "/etc/pki", "/etc/ca-certificates", "/run/systemd/resolve")


def _filter(limits: Limits) -> None:
    """Have the kernel refuse calls that reach out of the process."""
    calls = _calls()
    if calls is None:
        raise ValueError(missing())
    program = b"".join(_program(calls, limits.network))
    code = ctypes.create_string_buffer(program, len(program))
    head = struct.pack("@HP", len(program) // 8, ctypes.addressof(code))
    _checked(_libc().prctl(_SET_SECCOMP, 2, head, 0, 0))


def _program(calls: _Calls, network: bool) -> Iterator[bytes]:
    """The filter, as instructions of the classic packet filter: `code, jump if true, jump if false, value`."""
    known = calls.numbers
    refused = [*calls.refused, *([] if network else ["socket"])]
    yield _op(_LOAD, 4)
    yield _op(_IF_EQUAL, calls.machine, 1, 0)
    yield _op(_RETURN, _KILL)
    yield _op(_LOAD, 0)
    yield _op(_IF_AT_LEAST, 0x40000000, 0, 1)  # the same calls under other numbers (x32)
    yield _op(_RETURN, _ERROR | errno.ENOSYS)
    for names, answer in ((refused, errno.EPERM), (_ABSENT, errno.ENOSYS), (_IDLE, 0)):
        for name in names:
            if name in known:
                yield _op(_IF_EQUAL, known[name], 0, 1)
                yield _op(_RETURN, _ERROR | answer)
    own = os.getpid()
    for name, allowed in (("kill", (own,)), ("tgkill", (own,)), ("prlimit64", (own, 0))):  # nobody else's
        yield _op(_IF_EQUAL, known[name], 0, len(allowed) + 3)
        yield _op(_LOAD, 16)
        yield from (_op(_IF_EQUAL, value, len(allowed) - at, 0) for at, value in enumerate(allowed))
        yield _op(_RETURN, _ERROR | errno.EPERM)
        yield _op(_RETURN, _PASS)
    yield _op(_IF_EQUAL, known["clone"], 0, 4)
    yield _op(_LOAD, 16)
    yield _op(_IF_ANY_BIT, _CLONE_THREAD, 0, 1)
    yield _op(_RETURN, _PASS)
    yield _op(_RETURN, _ERROR | errno.EPERM)
    for name, place in (("open", 24), ("openat", 32)):  # to cut a file that is only read: Landlock knows it from 6.2 on
        if name in known:
            yield _op(_IF_EQUAL, known[name], 0, 5)
            yield _op(_LOAD, place)
            yield _op(_AND, os.O_TRUNC | os.O_ACCMODE)
            yield _op(_IF_EQUAL, os.O_TRUNC, 0, 1)
            yield _op(_RETURN, _ERROR | errno.EPERM)
            yield _op(_RETURN, _PASS)
    yield _op(_RETURN, _PASS)


# The kernel's face.


def _op(code: int, value: int, yes: int = 0, no: int = 0) -> bytes:
    return struct.pack("=HBBI", code, yes, no, value)


def _libc() -> Any:
    return ctypes.CDLL(None, use_errno=True)


def _checked(result: int) -> int:
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result


def _landlock_version() -> int:
    return int(_libc().syscall(_LANDLOCK_CREATE, None, ctypes.c_size_t(0), 1))


@dataclass(frozen=True, slots=True)
class _Calls:
    """The system calls of one kind of machine: its number in the audit headers, and the numbers of calls by name."""

    machine: int
    numbers: dict[str, int]
    refused: tuple[str, ...]


def _calls() -> _Calls | None:
    table = {"x86_64": (0xC000003E, 0), "aarch64": (0xC00000B7, 1)}.get(platform.machine())
    if table is None or struct.calcsize("P") != 8:
        return None
    machine, column = table
    numbers = {name: both[column] for name, both in _NUMBERS.items() if both[column] >= 0}
    special = {"clone", "kill", "tgkill", "prlimit64", "open", "openat", "socket", *_ABSENT, *_IDLE}
    return _Calls(machine, numbers, tuple(name for name in numbers if name not in special))


_SET_PDEATHSIG, _GET_SECCOMP, _SET_SECCOMP, _CAPBSET_DROP, _SET_NO_NEW_PRIVS = 1, 21, 22, 24, 38
_CAPABILITY_VERSION_3 = 0x20080522
_LANDLOCK_CREATE, _LANDLOCK_ADD, _LANDLOCK_RESTRICT = 444, 445, 446
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_REFER, _TRUNCATE, _IOCTL = 1 << 13, 1 << 14, 1 << 15
_SCOPED = 1 << 0 | 1 << 1
_CLONE_THREAD = 0x10000

_LOAD, _RETURN, _AND = 0x20, 0x06, 0x54
_IF_EQUAL, _IF_AT_LEAST, _IF_ANY_BIT = 0x15, 0x35, 0x45
_KILL, _ERROR, _PASS = 0x80000000, 0x00050000, 0x7FFF0000

_ABSENT = ("clone3", "openat2", "io_uring_setup")
"""Calls whose arguments a filter cannot see: programs do without them where the kernel does not have them."""

_IDLE = ("chmod", "fchmod", "fchmodat", "fchmodat2", "chown", "fchown", "lchown", "fchownat", "utime", "utimes",
         "futimesat", "utimensat")  # fmt: skip
"""Calls that change a file's mode, owner or times, which Landlock lets pass: they do nothing, and say that they did."""

_NUMBERS = {
    # name: (x86_64, aarch64); -1 where the machine has no such call
    "add_key": (248, 217),
    "bpf": (321, 280),
    "chmod": (90, -1),
    "chown": (92, -1),
    "clone": (56, 220),
    "clone3": (435, 435),
    "execve": (59, 221),
    "execveat": (322, 281),
    "fchmod": (91, 52),
    "fchmodat": (268, 53),
    "fchmodat2": (452, 452),
    "fchown": (93, 55),
    "fchownat": (260, 54),
    "fork": (57, -1),
    "fsetxattr": (190, 7),
    "fremovexattr": (199, 16),
    "futimesat": (261, -1),
    "io_uring_setup": (425, 425),
    "ioprio_set": (251, 30),
    "kcmp": (312, 272),
    "keyctl": (250, 219),
    "kill": (62, 129),
    "lchown": (94, -1),
    "lremovexattr": (198, 15),
    "lsetxattr": (189, 6),
    "mount": (165, 40),
    "mq_open": (240, 180),
    "msgget": (68, 186),
    "open": (2, -1),
    "openat": (257, 56),
    "openat2": (437, 437),
    "perf_event_open": (298, 241),
    "pidfd_getfd": (438, 438),
    "pidfd_open": (434, 434),
    "pidfd_send_signal": (424, 424),
    "prlimit64": (302, 261),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "ptrace": (101, 117),
    "removexattr": (197, 14),
    "request_key": (249, 218),
    "rt_sigqueueinfo": (129, 138),
    "rt_tgsigqueueinfo": (297, 240),
    "sched_setaffinity": (203, 122),
    "sched_setattr": (314, 274),
    "sched_setparam": (142, 118),
    "sched_setscheduler": (144, 119),
    "semget": (64, 190),
    "setns": (308, 268),
    "setpriority": (141, 140),
    "setxattr": (188, 5),
    "shmget": (29, 194),
    "socket": (41, 198),
    "tgkill": (234, 131),
    "tkill": (200, 130),
    "truncate": (76, 45),
    "umount2": (166, 39),
    "unshare": (272, 97),
    "userfaultfd": (323, 282),
    "utime": (132, -1),
    "utimensat": (280, 88),
    "utimes": (235, -1),
    "vfork": (58, -1),
}

if __name__ == "__main__":
    main()
