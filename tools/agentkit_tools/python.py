"""A tool that runs Python code in a process of its own, within limits.

    agent = Agent("deepseek:deepseek-flash", tools=python())

Each call is a new interpreter (`-I`: no environment variables, no modules from the working folder) in a temporary
folder that is removed afterwards. It gets nothing of this process's environment, in which keys are, and no input. Time,
memory, the size of files and the length of the output are limited. On Linux (5.13 or later, x86-64 or arm64) the kernel
also keeps it, without the superuser's rights being needed, from

- the network: it cannot make a socket, not even one to another program of this machine;
- other processes: it can start none, see into none, and send signals to none;
- files: it writes in its folder only, and reads there, in Python's folders and in the system's libraries only;
- what the superuser may, where this process is the superuser's.

Where the system cannot do that, `python()` refuses, unless `best_effort=True` says to go on with what there is.

What it does not protect from: a defect of the kernel; secrets in what it may read (a key in an installed package);
learning whether a file exists, and its size, from its whole path; writing much in the time it has, into many files of
the allowed size; the processors of the machine, which it may keep busy for that time. With `network=True` it can reach
what this machine can, and send it what it has been told. And nothing here judges its answer: code that a model was put
up to may print a lie. So each call waits for approval, unless that is switched off; and where more is at stake, run the
whole agent in a virtual machine.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import shutil
import stat
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from agentkit import ConfigurationError, Tool, ToolError, tool
from agentkit_tools import _confined, _processes

MAX_CODE = 100_000
"""How many characters of code one call may have."""

MAX_OUTPUT = 16_000
"""How many bytes of output are told, unless `python` is told another number; what is longer loses its middle."""

MAX_FILE = 64 * 1024 * 1024
"""How large a file the code may write, in bytes."""

MEMORY = 1024 * 1024 * 1024
"""How much address space the code may use, in bytes, unless `python` is told another number."""

_NOTES = 1_000
_LEAST_MEMORY = 64 * 1024 * 1024


def python(
    *,
    timeout: float = 10.0,
    memory: int = MEMORY,
    max_output: int = MAX_OUTPUT,
    network: bool = False,
    best_effort: bool = False,
    approval: bool | Callable[..., Any] = True,
) -> list[Tool[..., Any]]:
    """The tool `run_python`.

    Args:
        timeout: Seconds after which the code is killed.
        memory: Bytes of address space that it may use, 64 MiB or more.
        max_output: How many bytes of output the model is told.
        network: Whether it may use the network.
        best_effort: Whether to go on where the system cannot keep the code from the network, from other processes and
            from files: with limits of time, memory and output alone.
        approval: Whether each call waits for a verdict, or a function that says so.

    Raises:
        ConfigurationError: The system cannot confine code and `best_effort` is not set, or an option has no sense.
    """
    if os.name != "posix" or not sys.executable:
        raise ConfigurationError("`python(…)` needs a POSIX system and an interpreter that can be started")
    if not timeout > 0 or max_output < 1 or memory < _LEAST_MEMORY:
        raise ConfigurationError(
            "`python(…)`: `timeout` must be above 0, `max_output` 1 or more, and `memory` 64 MiB or more"
        )
    if not best_effort and (lack := _confined.missing()):
        raise ConfigurationError(
            f"`python()` cannot confine code on this system: {lack}. With `best_effort=True` it is run all the same, "
            "with limits of time, memory and output alone"
        )
    limits = _confined.Limits(int(timeout) + 1, memory, MAX_FILE, network, required=not best_effort)
    effects = "none" if not network and not best_effort else "unsafe"

    @tool(
        description=_description(timeout, network), approval=approval, side_effects=effects,
        max_result=max_output + _NOTES,
    )  # fmt: skip
    async def run_python(code: str) -> str:
        """Run Python code.

        Args:
            code: A whole program. What it prints is told, and the value of its last line.
        """
        if len(code) > MAX_CODE:
            raise ToolError(f"the code has {len(code):,} characters; at most {MAX_CODE:,} are run")
        return _processes.told(await _run(code, limits, timeout, max_output))

    return [run_python]


async def _run(code: str, limits: _confined.Limits, timeout: float, max_output: int) -> _processes.Ended:
    """Run code in a folder of its own, which is removed whatever happens."""
    program = [sys.executable, "-I", "-B", "-u", "-X", "utf8", _confined.__file__, limits.to_json(), "code.py"]
    folder = Path(tempfile.mkdtemp(prefix="agentkit-"))
    try:
        (folder / "code.py").write_bytes(code.encode("utf-8", "replace"))
        env = {"PATH": os.defpath, "LANG": "C.UTF-8", "HOME": str(folder), "TMPDIR": str(folder)}
        return await _processes.run(
            sys.executable, program, cwd=folder, env=env, timeout=timeout, max_output=max_output
        )
    finally:
        await asyncio.shield(asyncio.to_thread(_remove, folder))


def _description(timeout: float, network: bool) -> str:
    reach = "It can use the network" if network else "It has no network"
    return (
        "Run Python code and tell what it prints. Each call is a new program in an empty folder: nothing is kept from "
        f"one to the next. {reach}, can start no other programs, and has {timeout:g} seconds."
    )


def _remove(folder: Path) -> None:
    """Remove a folder whatever is in it: folders too deep to walk too, and such as may not be opened."""
    try:
        top = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:  # the code has removed it, or put something else in its place, which is none of ours
        return
    try:
        with contextlib.suppress(OSError):  # something does not let itself be moved or removed
            while names := os.listdir(top):
                for name in names:
                    _remove_entry(top, name)
    finally:
        os.close(top)
        with contextlib.suppress(RecursionError):
            shutil.rmtree(folder, ignore_errors=True)


def _remove_entry(top: int, name: str) -> None:
    """Remove a file, or a folder after moving what is in it up, so that no path grows."""
    if not stat.S_ISDIR(os.stat(name, dir_fd=top, follow_symlinks=False).st_mode):
        os.unlink(name, dir_fd=top)
        return
    os.chmod(name, 0o700, dir_fd=top)
    inner = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=top)
    try:
        for below in os.listdir(inner):
            os.rename(below, secrets.token_hex(16), src_dir_fd=inner, dst_dir_fd=top)
    finally:
        os.close(inner)
    os.rmdir(name, dir_fd=top)
