"""The command line as a person has it: a program in a process of its own, on pipes or on a terminal."""

import io
import os
import pty
import re
import select
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
COMMAND = [sys.executable, "-W", "error", "-m", "agentkit"]
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""What must never reach a screen from a model or a tool; also what colour and motion are made of."""


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


def on_terminal(*arguments, cwd=ROOT, **more):
    """Run the command on a pseudo-terminal of 100 columns; its exit code and all that it wrote there."""
    master, slave = pty.openpty()
    import fcntl
    import struct
    import termios

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
