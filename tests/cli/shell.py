"""The command line as a person has it: a program in a process of its own, on pipes or on a terminal."""

import codecs
import fcntl
import io
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
COMMAND = [sys.executable, "-W", "error", "-m", "agentkit"]
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""What must never reach a screen from a model or a tool; also what colour and motion are made of."""

SEQUENCE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[ -/]*[0-Z\\^-~])")
"""A control sequence of a terminal: colour, motion and the like."""


def environment(**more):
    kept = {key: value for key, value in os.environ.items() if key not in ("NO_COLOR", "FORCE_COLOR", "COLUMNS")}
    return {**kept, "TERM": "xterm-256color", **more}


def agentkit(*arguments, stdin="", cwd=ROOT, **more):
    """Run the command off a terminal; the finished process with its code, stdout and stderr."""
    return subprocess.run(
        [*COMMAND, *map(str, arguments)],
        input=stdin,
        cwd=cwd,
        env=environment(**more),
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )


def here(*arguments, stdin="", encoding="utf-8"):
    """Run the command in this process, off a terminal, with streams of its own: what `agentkit` gives, but quicker."""
    from agentkit.cli.app import app

    streams = [io.TextIOWrapper(io.BytesIO(), encoding=encoding) for _ in range(3)]
    streams[0].buffer.write(stdin.encode())
    streams[0].buffer.seek(0)
    kept, path, modules = (sys.stdin, sys.stdout, sys.stderr), list(sys.path), set(sys.modules)
    sys.stdin, sys.stdout, sys.stderr = streams
    code = None
    try:
        app(list(map(str, arguments)), prog_name="agentkit")
    except SystemExit as ended:
        code = ended.code
    finally:
        sys.stdin, sys.stdout, sys.stderr = kept
        sys.path[:] = path
        for name in set(sys.modules) - modules:
            if sys.modules[name].__file__ in map(str, arguments):  # the target: the next test has one of the same name
                del sys.modules[name]
    for stream in streams:
        stream.flush()
    written = [stream.buffer.getvalue().decode(encoding) for stream in streams[1:]]
    return subprocess.CompletedProcess(arguments, code, *written)


class Terminal:
    """A program on a pseudo-terminal, spoken to as a person speaks to it; a context manager.

    Attributes:
        written: All that it wrote so far.
    """

    def __init__(self, *arguments, cwd=ROOT, rows=30, columns=100, command=COMMAND, **more):
        self._master, slave = pty.openpty()
        self.resize(rows, columns)
        self.process = subprocess.Popen(
            [*command, *map(str, arguments)],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            cwd=cwd,
            env=environment(**more),
            start_new_session=True,
            preexec_fn=_own_terminal,  # noqa: PLW1509 - it calls nothing that another thread may hold
        )
        os.close(slave)
        self.written = ""
        self._seen = 0
        self._decoder = codecs.getincrementaldecoder("utf-8")()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)
        os.close(self._master)

    def resize(self, rows, columns):
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, text):
        """Press keys; `\\r` is Enter, `\\x03` Ctrl-C."""
        os.write(self._master, text.encode())

    def interrupt(self, text=None):
        """Press Ctrl-C and wait for a text, or for the end; the exit code then.

        Python's line editor does not see a Ctrl-C that comes after its prompt and before it waits for keys (it looks
        when the next signal comes), so it is pressed once more where nothing happens, as a person would.
        """
        for seconds in (5, 30):
            self.type("\x03")
            try:
                return self.end(seconds) if text is None else self.wait_for(text, seconds)
            except (AssertionError, subprocess.TimeoutExpired) as error:
                failed = error
        raise failed

    def wait_for(self, text, seconds=30):
        """Read until a text stands behind what was waited for before; what was written up to its end."""
        deadline = time.monotonic() + seconds
        while (found := self.plain.find(text, self._seen)) < 0:
            if not self._read(deadline):
                raise AssertionError(f"{text!r} never came; what did:\n{self.plain[self._seen :]}")
        part, self._seen = self.plain[self._seen : found + len(text)], found + len(text)
        return part

    def end(self, seconds=30):
        """Read to the end; the exit code."""
        deadline = time.monotonic() + seconds
        while self._read(deadline):
            pass
        return self.process.wait(max(0.1, deadline - time.monotonic()))

    @property
    def plain(self):
        """What was written, without colour and motion."""
        return SEQUENCE.sub("", self.written).replace("\r", "")

    def _read(self, deadline):
        if not select.select([self._master], [], [], max(0.0, deadline - time.monotonic()))[0]:
            return False
        try:
            piece = os.read(self._master, 65536)
        except OSError:  # the other side was closed: how Linux says that a terminal is at its end
            return False
        self.written += self._decoder.decode(piece)
        return bool(piece)


def _own_terminal():
    """Make the terminal the one that Ctrl-C comes from."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def on_terminal(*arguments, cwd=ROOT, **more):
    """Run the command on a pseudo-terminal of 100 columns; its exit code and all that it wrote there."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
    process = subprocess.Popen(
        [*COMMAND, *map(str, arguments)], stdin=slave, stdout=slave, stderr=slave, cwd=cwd, env=environment(**more)
    )
    os.close(slave)
    written, deadline = b"", time.monotonic() + 60
    try:
        while time.monotonic() < deadline:
            if select.select([master], [], [], 1)[0]:
                try:
                    piece = os.read(master, 65536)
                except OSError:  # the other side was closed: how Linux says that a terminal is at its end
                    break
                if not piece:
                    break
                written += piece
    finally:
        os.close(master)
        process.kill() if time.monotonic() >= deadline else None
    return process.wait(10), written.decode()
