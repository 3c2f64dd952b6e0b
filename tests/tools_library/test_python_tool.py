"""The Python tool: code runs, and cannot do what it was not given."""

import asyncio
import os
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from agentkit import ConfigurationError, ToolError
from agentkit_tools import _confined
from agentkit_tools.python import _remove, python

LACK = _confined.missing()
confined = pytest.mark.skipif(bool(LACK), reason=f"needs a system that can confine code: {LACK}")

SECRET = "the secret outside"


def run(code, tool=None, **options):
    (tool,) = (tool,) if tool else python(best_effort=bool(LACK), **options)
    return asyncio.run(tool(code))


def refusals(*codes, **options):
    """What becomes of pieces of code, tried one after the other in one process: the names of errors, or `done`."""
    program = (
        f"for code in {codes!r}:\n  try: exec(code); print('done', code)\n"
        "  except BaseException as error: print(type(error).__name__, repr(str(error))[:60])"
    )
    told = run(program, **options).splitlines()
    assert len(told) == len(codes), told
    return told


@pytest.fixture(autouse=True)
def empty(tmp_path, monkeypatch):
    """Temporary folders are made in one that is the test's own, and are gone at its end."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    yield
    assert [one.name for one in tmp_path.iterdir() if one.name.startswith("agentkit-")] == []


def test_what_is_printed_and_the_last_value_are_told():
    assert run("print('a')\n1 + 1") == "a\n2"
    assert run("x = 1") == "(no output)"
    assert run("") == "(no output)"
    assert run("None") == "(no output)"
    assert run("import sys; print('e', file=sys.stderr); 'é'") == "e\n'é'"
    assert run("def f(n): return n\n[f(n) for n in range(3)]") == "[0, 1, 2]"
    assert run(
        "if __name__ == '__main__':\n  import dataclasses\n  @dataclasses.dataclass\n  class A: x: int\n  print(A(1))"
    ) == ("A(x=1)")


def test_a_mistake_is_told_with_its_line_and_without_our_own():
    told = run("def f():\n    return 1 / 0\nf()")
    assert told.startswith('Traceback (most recent call last):\n  File "code.py", line 3, in <module>\n    f()\n')
    assert told.endswith("ZeroDivisionError: division by zero\n[exit code 1]")
    assert "_confined" not in told
    assert run("def f(:").startswith('  File "code.py", line 1')
    assert run("import sys; sys.exit(3)") == "(no output)\n[exit code 3]"
    assert run("raise SystemExit('bye')") == "bye\n[exit code 1]"


def test_useful_parts_of_the_library_work():
    told = run(
        "import asyncio, csv, json, math, re, sqlite3, statistics, threading, zoneinfo, shutil, tempfile, pathlib\n"
        "asyncio.run(asyncio.sleep(0))\n"
        "t = threading.Thread(target=print, args=('thread',)); t.start(); t.join()\n"
        "pathlib.Path('a').mkdir(); pathlib.Path('a/b.txt').write_text('x'); shutil.copy2('a/b.txt', 'c.txt')\n"
        "shutil.move('c.txt', 'a/d.txt'); pathlib.Path('a/d.txt').rename('e.txt')\n"
        "with tempfile.TemporaryFile() as f: f.write(b'x'); f.truncate(0)\n"
        "sqlite3.connect('x.db').execute('create table t(a)')\n"
        "print(zoneinfo.ZoneInfo('Europe/Paris'), statistics.mean([1, 2]))\n"
        "sorted(p.name for p in pathlib.Path().iterdir())"
    )
    assert told == "thread\nEurope/Paris 1.5\n['a', 'code.py', 'e.txt', 'x.db']"


def test_nothing_is_kept_from_one_call_to_the_next():
    (tool,) = python(best_effort=bool(LACK))
    run("open('kept.txt', 'w').write('x'); global_name = 1", tool)
    assert run("import os; print(os.listdir(), 'global_name' in globals())", tool) == "['code.py'] False"


def test_the_keys_of_this_process_stay_in_it(monkeypatch, tmp_path):
    for name in ("DEEPSEEK_API_KEY", "PYTHONSTARTUP", "PYTHONPATH", "LD_LIBRARY_PATH_X"):
        monkeypatch.setenv(name, f"{tmp_path}/{SECRET}")
    told = run("import os, sys; print(dict(os.environ), sys.path, sys.argv)")
    assert SECRET not in told
    assert str(tmp_path) not in told.replace(f"{tmp_path}/agentkit-", "")


def test_a_module_in_the_working_folder_does_not_stand_for_another(tmp_path, monkeypatch):
    (tmp_path / "json.py").write_text("print('evil')")
    monkeypatch.chdir(tmp_path)
    assert run("import json; json.dumps(1)") == "'1'"


def test_time_and_output_are_limited():
    with pytest.raises(ToolError, match=r"did not end within 0\.5 seconds"):
        run("print('begun')\nwhile True: pass", timeout=0.5)
    with pytest.raises(ToolError, match=r"did not end within 2 seconds. Its output until then:\nbegun"):
        run(
            "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('begun'); time.sleep(99)",
            timeout=2,
        )
    with pytest.raises(ToolError, match="it wrote more than"):
        run("while True: print('x' * 100_000)")
    assert len(run("print('x' * 1_000_000)", max_output=100)) < 300
    with pytest.raises(ToolError, match=r"at most 100,000 are run"):
        run("x" * 200_000)


def test_memory_and_the_size_of_files_are_limited():
    assert "MemoryError" in run("x = bytearray(2 << 30)")
    assert "MemoryError" in run("x = []\nwhile True: x.append(bytearray(1 << 24))", memory=256 << 20)
    assert "File too large" in run("f = open('a', 'wb')\nwhile True: f.write(bytes(1 << 24))")


@pytest.mark.parametrize(
    "code",
    [
        "(" * 90_000,
        "-" * 90_000 + "1",
        "x = 9**9**9",
        "f = lambda: f(); f()",
        "import sys; sys.setrecursionlimit(10**9)\ndef f(): f()\nf()",
        "import ctypes; ctypes.string_at(0)",
        "import os; os.abort()",
        "import os; os._exit(7)",
        "import os; os.kill(os.getpid(), 9)",
        "\0",
        "\ud800",
        "import os; os.close(1); os.close(2); print('x')",
    ],
    ids=lambda one: ascii(one[:30]),
)
def test_code_that_crashes_takes_nothing_with_it(code):
    try:
        told = run(code, timeout=0.5)
    except ToolError as error:
        told = str(error)
    assert len(told) < 17_000


@confined
def test_no_processes_can_be_started_and_a_fork_bomb_is_none():
    bomb = "import os\ntried = 0\nwhile tried < 1000:\n  tried += 1\n  try: os.fork()\n  except OSError: pass\ntried"
    assert run(bomb) == "1000"
    told = refusals(
        "import os; os.fork()",
        "import subprocess; subprocess.run(['id'])",
        "import os; os.posix_spawn('/bin/sh', ['sh'], {})",
        "import os; os.execv('/bin/sh', ['sh', '-c', 'id'])",
        "import multiprocessing as m; p = m.Process(target=print); p.start()",
        "import os; os.forkpty()",
    )
    assert all(one.startswith("PermissionError") for one in told), told
    assert run("import os; os.system('touch evil'); os.listdir()") == "['code.py']"


@confined
def test_threads_cannot_grow_without_end():
    code = (
        "import threading\ne = threading.Event()\ntry:\n"
        "  while True: threading.Thread(target=e.wait, daemon=True).start()\n"
        "except RuntimeError as error: print(repr(error))"
    )
    assert "RuntimeError" in run(code, memory=256 << 20)


@confined
def test_there_is_no_network_not_even_to_this_machine(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket(socket.AF_UNIX) as local:
        here = os.getcwd()
        os.chdir(tmp_path)  # the path of a socket may not be long
        try:
            local.bind("local")
        finally:
            os.chdir(here)
        local.listen()
        port = server.getsockname()[1]
        told = refusals(
            f"import socket; socket.create_connection(('127.0.0.1', {port}))",
            f"import urllib.request; urllib.request.urlopen('http://127.0.0.1:{port}/')",
            f"import socket; socket.socket(socket.AF_UNIX).connect({str(tmp_path / 'local')!r})",
            "import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM)",
            "import socket; socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)",
            "import socket; socket.getaddrinfo('example.com', 80)",
        )
        assert not any(one.startswith("done") for one in told), told
        server.settimeout(0)
        with pytest.raises(BlockingIOError):
            server.accept()


@confined
def test_the_network_is_there_for_those_who_allow_it():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert run(f"import socket; socket.create_connection(('127.0.0.1', {port})); 'in'", network=True) == "'in'"
        assert "PermissionError" in run("import os; os.fork()", network=True)


@confined
def test_files_outside_are_neither_read_nor_written_nor_listed(tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    secret = outside / "secret.txt"
    secret.write_text(SECRET)
    (outside / "sub").mkdir()
    before = (secret.stat().st_mode, secret.stat().st_mtime_ns)
    path, folder = repr(str(secret)), repr(str(outside))
    told = refusals(
        f"print(open({path}).read())",
        f"open({path}, 'w')",
        f"open({path}, 'a').write('x')",
        f"import os; os.truncate({path}, 0)",
        f"import os; os.open({path}, os.O_RDONLY | os.O_TRUNC)",
        f"import os; os.remove({path})",
        f"import os; os.rename({path}, 'mine')",
        f"import os; os.link({path}, 'mine')",
        f"import os; os.symlink({path}, 'mine'); print(open('mine').read())",
        f"import os; print(os.listdir({folder}))",
        f"import os; os.mkdir({folder} + '/x')",
        f"import os; os.rmdir({folder} + '/sub')",
        f"import os; os.symlink('x', {folder} + '/x')",
        f"import os; os.mkfifo({folder} + '/x')",
        f"import shutil; shutil.rmtree({folder})",
        f"import os; os.chdir({folder}); print(open('secret.txt').read())",
        f"import os; os.setxattr({path}, 'user.x', b'x')",
        f"import sqlite3; sqlite3.connect({path}).execute('create table t(a)')",
        f"import ctypes; libc = ctypes.CDLL(None, use_errno=True); libc.open({path}.encode(), 0) < 0 and 1 / 0",
        "print(open('/etc/passwd').read())",
        "import os; print(os.listdir('/'))",
        "import os; print(os.listdir('/proc'))",
        "import os; print(open(f'/proc/{os.getppid()}/environ').read())",
        "import os; print(open(f'/proc/{os.getppid()}/cmdline').read())",
        "print(open('/proc/self/mem', 'rb'))",
        "import os; print(os.listdir('/dev/shm'))",
        "open('/dev/tty', 'w')",
        f"open({os.__file__!r}, 'a')",
    )
    assert not any(one.startswith("done") or SECRET in one for one in told), told
    run(f"import os; os.chmod({path}, 0o777); os.utime({path}, (0, 0)); os.chmod({folder}, 0)")
    assert (secret.stat().st_mode, secret.stat().st_mtime_ns) == before
    assert secret.read_text() == SECRET
    assert sorted(one.name for one in outside.iterdir()) == ["secret.txt", "sub"]


@confined
def test_other_processes_are_left_alone():
    told = refusals(
        "import os; os.kill(os.getppid(), 0)",
        "import os; os.kill(os.getppid(), 9)",
        "import os; os.kill(-1, 0)",
        "import os; os.killpg(os.getppid(), 0)",
        "import os; os.pidfd_open(os.getppid())",
        "import os, resource; resource.prlimit(os.getppid(), resource.RLIMIT_NOFILE, (8, 8))",
        "import os; os.setpriority(os.PRIO_USER, 0, 19)",
        "import os; os.sched_setaffinity(os.getppid(), [0])",
        "import os, ctypes; libc = ctypes.CDLL(None, use_errno=True); libc.ptrace(16, os.getppid(), 0, 0) and 1 / 0",
    )
    assert not any(one.startswith("done") for one in told), told
    assert run("import os; os.kill(os.getpid(), 0); 'mine'") == "'mine'"


@confined
def test_limits_cannot_be_lifted():
    told = refusals(
        "import resource; resource.setrlimit(resource.RLIMIT_AS, (-1, -1))",
        "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 40, 1 << 40))",
        "import ctypes; ctypes.CDLL(None).unshare(0x10000000) and 1 / 0",
        "import ctypes; ctypes.CDLL(None).mount(b'x', b'/', b'tmpfs', 0, None) and 1 / 0",
        "import os; os.setuid(1)",
        "import os; os.chroot('.')",
        "import os; os.setsid()",
        "import socket; socket.sethostname('x')",
    )
    assert not any(one.startswith("done") for one in told), told


def test_a_folder_that_is_hard_to_remove_is_removed():
    """`empty` looks that it is gone."""
    run(
        "import os\n"
        "os.mkdir('locked'); open('locked/x', 'w'); os.chmod('locked', 0)\n"
        "os.mkdir('none', 0); os.symlink('/', 'link'); os.mkfifo('pipe')\n"
        "os.mkdir('same'); os.mkdir('same/same'); open('same/same/same', 'w'); os.rename('code.py', 'same/code.py')\n"
        "for n in range(100): open(f'{n}', 'w')\n"
        "for n in range(1100): os.mkdir('d'); os.chdir('d')"
    )


def test_a_folder_that_the_code_has_put_something_else_in_place_of_is_not_followed(tmp_path):
    """Where the code is not confined, it can do that; what it points at must not be removed."""
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "file").write_text("x")
    folder = tmp_path / "folder"
    folder.symlink_to("precious")
    _remove(folder)
    assert (tmp_path / "precious" / "file").read_text() == "x"
    _remove(tmp_path / "gone")


def test_a_run_that_is_stopped_stops_the_code(tmp_path):
    async def scenario():
        (tool,) = python(best_effort=bool(LACK), timeout=1000)
        task = asyncio.create_task(tool("while True: pass"))
        await asyncio.sleep(0)  # the task runs up to where it waits for the program
        folders = list(tmp_path.glob("agentkit-*"))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return folders[0]

    assert not asyncio.run(scenario()).exists()


def test_what_code_prints_cannot_steer_a_terminal():
    assert run(r"print('\x1b[2J\x1b]0;title\x07a\rb\x00\u202ec')") == "a\nbc"


def test_the_tool_says_what_it_is():
    (tool,) = python(best_effort=bool(LACK), timeout=7)
    assert tool.approval is True
    assert "has no network" in tool.description.replace("It has no network", "has no network")
    assert "7 seconds" in tool.description
    assert tool.schema["required"] == ["code"]
    assert python(best_effort=True)[0].side_effects == "unsafe"
    assert python(best_effort=True, network=True)[0].side_effects == "unsafe"
    if not LACK:
        assert tool.side_effects == "none"
        assert python(network=True)[0].side_effects == "unsafe"


def test_mistakes_of_the_developer_are_told_at_once():
    for options in ({"timeout": 0}, {"memory": 1}, {"max_output": 0}):
        with pytest.raises(ConfigurationError, match="must be above 0"):
            python(best_effort=True, **options)


def test_a_system_that_cannot_confine_is_told_and_can_be_accepted(monkeypatch):
    monkeypatch.setattr(_confined, "missing", lambda: "it is Plan 9, not Linux")
    with pytest.raises(ConfigurationError, match=r"it is Plan 9, not Linux. With `best_effort=True`"):
        python()
    assert run("1 + 1", python(best_effort=True)[0]) == "2"


def test_the_limits_hold_without_confinement(tmp_path):
    """What `best_effort` leaves on a system that knows no more: the program is run as there."""
    script = (
        Path(_confined.__file__).read_text().replace('sys.platform != "linux"', "True").replace('"linux"', '"other"')
    )
    program = tmp_path / "elsewhere.py"
    program.write_text(script)
    (tmp_path / "code.py").write_text("print(bytearray(1 << 32))")
    limits = _confined.Limits(5, 512 << 20, 1 << 20, network=False, required=False)
    command = [sys.executable, "-I", program, limits.to_json(), "code.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stderr.endswith("MemoryError\n")
    limits = _confined.Limits(5, 512 << 20, 1 << 20, network=False, required=True)
    done = subprocess.run(
        [*command[:3], limits.to_json(), "code.py"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == _confined.REFUSED
    assert "cannot confine the code" in done.stderr
