"""Running a program on the event loop: no shell, no input, and a limit for its time and its output.

The program leads a session of its own, so that all it starts can be killed at its end, whatever that end is; only what
starts a further session escapes that. Its two outputs are one, as on a terminal.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from agentkit import ToolError
from agentkit_tools._text import amount, plain

FLOOD = 16 * 1024 * 1024
"""A program that writes more bytes than this is stopped."""

_AFTER_KILL = 5.0
"""For so many seconds a killed program is waited for; one that hangs in the kernel is left to it."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a program ended.

    Attributes:
        code: Its exit code; below 0, the signal that ended it; `None` where it could not be waited for.
        output: What it wrote, fit to be shown; without its middle where it was longer than allowed.
        stopped: Why it was killed, or `""`.
    """

    code: int | None
    output: str
    stopped: str


async def run(
    program: str, arguments: Sequence[str], *, cwd: Path, env: Mapping[str, str], timeout: float, max_output: int
) -> Ended:
    """Run a program to its end.

    Args:
        program: Its absolute path.
        arguments: The arguments as it sees them, its own name first.
        cwd: The folder it starts in.
        env: Its whole environment.
        timeout: Seconds until it is killed.
        max_output: How many bytes of its output are kept.

    Raises:
        ToolError: It cannot be started.
    """
    return await _Running(_start(program, arguments, cwd, env), max_output).end(timeout)


def _start(program: str, arguments: Sequence[str], cwd: Path, env: Mapping[str, str]) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(  # noqa: S603 - the program is one that was allowed, and there is no shell
            arguments,
            executable=program,
            cwd=cwd,
            env=dict(env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            bufsize=0,
            start_new_session=True,
        )
    except OSError as error:
        long = " (the arguments are too long)" if error.errno == errno.E2BIG else ""
        code = errno.errorcode.get(error.errno or 0, "an error")
        raise ToolError(f"`{arguments[0]}` cannot be started: {code}{long}") from error


class _Running:
    """A process on the running event loop."""

    def __init__(self, process: subprocess.Popen[bytes], max_output: int) -> None:
        assert process.stdout is not None
        self.process = process
        self.pipe = process.stdout
        self.kept = _Kept(max_output)
        self.stopped = ""
        self.loop = asyncio.get_running_loop()
        self.ended = asyncio.Event()

    async def end(self, timeout: float) -> Ended:
        os.set_blocking(self.pipe.fileno(), False)
        self.loop.add_reader(self.pipe.fileno(), self.read)
        threading.Thread(target=self.wait, name="agentkit-tools-wait", daemon=True).start()
        try:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.ended.wait(), timeout)
            if not self.ended.is_set():
                self.stopped = self.stopped or f"it did not end within {amount(timeout, 'second')}"
        finally:  # also when the run is cancelled
            self.kill()
            try:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self.ended.wait(), _AFTER_KILL)
                while self.read():
                    pass
            finally:
                self.loop.remove_reader(self.pipe.fileno())
                self.pipe.close()
        return Ended(self.process.returncode, self.kept.text(), self.stopped)

    def wait(self) -> None:
        """In a thread: wait for the process itself, since no event loop does that everywhere."""
        self.process.wait()
        with contextlib.suppress(RuntimeError):  # the loop was closed meanwhile
            self.loop.call_soon_threadsafe(self.ended.set)

    def read(self) -> bool:
        """Take what there is to read; whether there may be more."""
        try:
            data = self.pipe.read(65_536)
        except OSError:
            data = b""
        if not data:  # `None`: nothing now; empty: nobody has the other end any more
            if data is not None:
                self.loop.remove_reader(self.pipe.fileno())
            return False
        self.kept.add(data)
        if self.kept.total > FLOOD:
            self.stopped = f"it wrote more than {amount(FLOOD, 'byte')}"
            self.kill()
            return False
        return True

    def kill(self) -> None:
        """End the process and all of its session's group."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)


class _Kept:
    """The beginning and the end of an output: a third and two thirds of the bytes that may be kept."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.total = 0
        self.head = bytearray()
        self.tail = bytearray()

    def add(self, data: bytes) -> None:
        self.total += len(data)
        room = self.most // 3 - len(self.head)
        if room > 0:
            self.head += data[:room]
            data = data[room:]
        self.tail += data
        if len(self.tail) > 4 * self.most + 65_536:
            self.trim()

    def trim(self) -> None:
        del self.tail[: -(self.most - self.most // 3)]

    def text(self) -> str:
        self.trim()
        gone = self.total - len(self.head) - len(self.tail)
        between = f"\n[{amount(gone, 'byte')} left out here]\n" if gone else ""
        if not gone:
            return plain((self.head + self.tail).decode("utf-8", "replace"))
        return plain(self.head.decode("utf-8", "replace")) + between + plain(self.tail.decode("utf-8", "replace"))


def told(ended: Ended) -> str:
    """The end of a program in words for a model.

    Raises:
        ToolError: It was stopped.
    """
    output = ended.output.rstrip("\n") or "(no output)"
    if ended.stopped:
        raise ToolError(f"stopped: {ended.stopped}. Its output until then:\n{output}")
    if ended.code is None:
        raise ToolError(f"stopped, and its end is not known. Its output until then:\n{output}")
    if ended.code < 0:
        try:
            name = signal.Signals(-ended.code).name
        except ValueError:
            name = str(-ended.code)
        return f"{output}\n[ended by signal {name}]"
    return f"{output}\n[exit code {ended.code}]" if ended.code else output
