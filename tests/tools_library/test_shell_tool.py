"""The shell tool: only allowed commands, only within the folder, without keys, and never for ever."""

import asyncio
import os
import select
import shutil
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentkit import ConfigurationError, ToolError
from agentkit_tools.shell import RUNS_ANYTHING, shell

SECRET = "the secret outside"
PYTHON = os.path.realpath(sys.executable)


@pytest.fixture
def place(tmp_path):
    """A folder beside a secret, with links to it."""
    (tmp_path / "secret.txt").write_text(SECRET)
    root = tmp_path / "root"
    (root / "notes").mkdir(parents=True)
    (root / "todo.txt").write_text("milk\n")
    (root / "link").symlink_to(tmp_path / "secret.txt")
    (root / "out").symlink_to(tmp_path)
    (root / "loop").symlink_to("loop")
    return root


def run(tool, *command):
    return asyncio.run(tool(list(command)))


def made(allow, place, **options):
    (tool,) = shell(allow, cwd=place, **options)
    return tool


def python(place, **options):
    """A tool that runs Python code, to see what a program sees."""
    return made({PYTHON: "*"}, place, outside=True, **options)


def test_an_allowed_program_runs_in_the_folder(place):
    tool = made(["ls", "cat", "false"], place)
    assert run(tool, "ls") == "link\nloop\nnotes\nout\ntodo.txt"
    assert run(tool, "cat", "todo.txt") == "milk"
    assert run(tool, "cat", "./notes/../todo.txt".replace("notes/../", "")) == "milk"
    assert run(tool, "false") == "(no output)\n[exit code 1]"
    assert "No such file" in run(tool, "ls", "nowhere")


def test_the_tool_says_what_is_allowed_and_asks_for_approval(place):
    tool = made({"ls": ["-a", "-l"], "cat": "*", "git status": []}, place)
    assert "Allowed are: ls (with -a -l); cat (with any options); git status." in tool.description
    assert (tool.approval, tool.side_effects, tool.sequential) == (True, "unsafe", True)
    assert made(["ls"], place, approval=False).approval is False


@pytest.mark.parametrize(
    "command",
    [
        ["rm", "todo.txt"],
        ["/bin/ls"],
        ["./ls"],
        ["LS"],
        ["ls "],
        ["ls todo.txt"],
        ["ls;id"],
        ["ls\n"],
        ["sh", "-c", "ls"],
        [""],
        [],
        ["bash"],
        ["git"],
        ["git", "push"],
        ["git", "-c", "core.pager=id", "log"],
        ["git", "--exec-path=/tmp", "log"],
    ],
    ids=repr,
)
def test_what_is_not_allowed_does_not_run(place, command):
    with pytest.raises(ToolError):
        run(made(["ls", "git log"], place), *command)


def test_nothing_is_read_as_a_shell_would(place):
    tool = made(["printf"], place)
    for word in (
        "$HOME",
        "`id`",
        "$(id)",
        "*.txt",
        "a;id",
        "a|id",
        "a&&id",
        "{a,b}",
        "a>todo.txt",
        "'a'",
        "a b",
        "!!",
        "\\n",
    ):
        assert run(tool, "printf", "%s", word) == word.replace("\n", "")
    assert (place / "todo.txt").read_text() == "milk\n"


OPTIONS = [
    (["--upload-pack=id"], False),
    (["--output=todo.txt"], False),
    (["-o", "todo.txt"], False),
    (["-otodo.txt"], False),
    (["--exec=id"], False),
    (["--ext-diff"], False),
    (["-O"], False),
    (["--formatx"], False),
    (["--form"], False),
    (["-nx"], False),
    (["-lx"], False),
    (["-l-"], False),
    (["-n;id"], False),
    (["--", "-o"], False),
    (["--", "x", "--output=x"], False),
    (["-l", "-a"], True),
    (["-la"], True),
    (["-n", "5"], True),
    (["-n5"], True),
    (["-ln5"], True),
    (["--format=%h -o x"], True),
    (["--format"], True),
    (["--", "x"], True),
    (["-"], True),
    (["x", "--output"], False),
]


@pytest.mark.parametrize(("words", "passes"), OPTIONS, ids=repr)
def test_options_must_be_allowed_one_by_one(place, words, passes):
    tool = made({"echo": ["-l", "-a", "-n", "--format"]}, place)
    if passes:
        run(tool, "echo", *words)
    else:
        with pytest.raises(ToolError, match=r"the option .* is not allowed"):
            run(tool, "echo", *words)


def test_without_a_word_no_option_is_allowed(place):
    for command in (["ls", "-l"], ["ls", "--color"], ["cat", "-"], ["cat", "-n"]):
        if command[1] == "-":
            assert run(made(["cat"], place), *command) == "(no output)"
        else:
            with pytest.raises(ToolError, match=f"Allowed are: {command[0]}$"):
                run(made([command[0]], place), *command)


OUTSIDE = [
    "/etc/passwd",
    "../secret.txt",
    "notes/../../secret.txt",
    "..",
    "~/.bashrc",
    "~root",
    "link",
    "out/secret.txt",
    "out",
    "loop",
    "./link",
    "notes/../link",
    "/proc/self/environ",
    "/proc/1/environ",
    "file=/etc/passwd",
    "file:/etc/passwd",
    "file:///etc/passwd",
    "a,/etc/passwd",
    "@/etc/passwd",
    "@../secret.txt",
    "if=link",
    "HEAD:../secret.txt",
    "https://example.com/",
    "./" * 1_500 + "link",
    "-f/etc/passwd",
    "-f../secret.txt",
    "-flink",
    "--file=/etc/passwd",
    "--file=link",
]


@pytest.mark.parametrize("word", OUTSIDE, ids=lambda one: one[:40])
def test_no_argument_leads_out_of_the_folder(place, word):
    with pytest.raises(ToolError, match="only places inside the folder"):
        run(made({"cat": "*"}, place), "cat", word)
    told = run(made({"cat": "*"}, place, outside=True), "cat", "../secret.txt")
    assert told == SECRET


@given(
    st.lists(
        st.sampled_from(["..", ".", "link", "out", "secret.txt", "notes", "", "=", ":", "@", "-f", ","]), max_size=6
    )
)
def test_no_argument_put_together_by_chance_shows_the_secret(shared, parts):
    for word in ("/".join(parts), "".join(parts)):
        try:
            assert SECRET not in run(shared, "cat", word)
        except ToolError:
            continue


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    outside = tmp_path_factory.mktemp("outside")
    (outside / "secret.txt").write_text(SECRET)
    (outside / "root" / "notes").mkdir(parents=True)
    (outside / "root" / "link").symlink_to(outside / "secret.txt")
    (outside / "root" / "out").symlink_to(outside)
    return made({"cat": "*"}, outside / "root")


def test_git_alone_reads_and_does_nothing_else(place):
    git = shutil.which("git")
    if git is None:
        pytest.skip("needs git")
    subprocess.run([git, "init", "-q", place], check=True, env={"PATH": os.defpath})
    tool = made(["git"], place)
    assert "todo.txt" in run(tool, "git", "status")
    for words in (
        ["config", "core.fsmonitor", "touch evil"],
        ["submodule", "foreach", "touch evil"],
        ["bisect", "run", "touch", "evil"],
        ["clone", "ext::sh -c touch% evil"],
        ["fetch", "ext::sh -c touch% evil"],
        ["hook", "run", "pre-commit"],
        ["difftool"],
        ["rebase"],
        ["archive", "HEAD"],
        ["help"],
        ["!touch evil"],
    ):
        with pytest.raises(ToolError, match="after `git` may come"):
            run(tool, "git", *words)
    for words in (
        ["log", "--upload-pack=touch evil"],
        ["grep", "-Otouch", "x"],
        ["diff", "--ext-diff"],
        ["log", "--output=evil"],
    ):
        with pytest.raises(ToolError, match="the option"):
            run(tool, "git", *words)
    assert not (place / "evil").exists()


def test_what_a_repository_names_for_git_to_run_is_not_run(place):
    git = shutil.which("git")
    if git is None:
        pytest.skip("needs git")
    env = {"PATH": os.defpath}
    subprocess.run([git, "init", "-q", place], check=True, env=env)
    evil = place / "evil.sh"
    evil.write_text(f"#!/bin/sh\ntouch {place}/evil\n")
    evil.chmod(0o755)
    for name, value in (
        ("core.fsmonitor", str(evil)),
        ("core.pager", str(evil)),
        ("core.hooksPath", str(place)),
        ("core.editor", str(evil)),
    ):
        subprocess.run([git, "-C", place, "config", name, value], check=True, env=env)
    (place / "post-checkout").symlink_to("evil.sh")
    tool = made({"git": "*"}, place)
    for words in (["status"], ["log"], ["checkout", "-b", "other"], ["commit", "--allow-empty"]):
        run(tool, "git", *words)
    assert not (place / "evil").exists()


def test_the_keys_of_this_process_stay_in_it(place, monkeypatch):
    for name in (
        "DEEPSEEK_API_KEY",
        "AWS_SECRET_ACCESS_KEY",
        "DATABASE_URL",
        "LD_PRELOAD_X",
        "SSH_AUTH_SOCK",
        "GIT_DIR",
    ):
        monkeypatch.setenv(name, SECRET)
    told = run(python(place), PYTHON, "-c", "import os; print(dict(os.environ))")
    assert SECRET not in told
    assert "'PATH'" in told
    assert run(made({"env": "*"}, place), "env").count("\n") < 20
    told = run(python(place, env={"HOME": "/home/somebody"}), PYTHON, "-c", "import os; print(os.environ['HOME'])")
    assert told == "/home/somebody"


def test_a_program_has_no_input_and_no_open_files(place):
    read, write = os.pipe()
    os.set_inheritable(write, True)
    code = f"import os, sys; print(repr(sys.stdin.read()), flush=True); os.fstat({write})"
    told = run(python(place), PYTHON, "-c", code)
    os.close(read)
    os.close(write)
    assert told.startswith("''\n")
    assert "Bad file descriptor" in told


def test_a_program_that_does_not_end_is_killed_with_its_children(place):
    code = "import subprocess, time; subprocess.Popen(['sleep', '99']); print('begun', flush=True); time.sleep(99)"
    with pytest.raises(ToolError, match=r"did not end within 0\.5 seconds. Its output until then:\nbegun"):
        run(python(place, timeout=0.5), PYTHON, "-c", code)


def test_children_that_are_left_behind_are_killed(place):
    code = "import subprocess; print(subprocess.Popen(['sleep', '1000']).pid)"
    child = int(run(python(place), PYTHON, "-c", code))
    assert ends(child)


def ends(process):
    """Whether a process, which need not be one of ours, has ended or does so now."""
    try:
        handle = os.pidfd_open(process)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([handle], [], [], 10)[0])
    finally:
        os.close(handle)


def test_a_run_that_is_stopped_stops_the_program(place):
    async def scenario():
        tool = python(place, timeout=1000)
        fifo = place / "fifo"
        os.mkfifo(fifo)
        code = f"import os, time; open({str(fifo)!r}, 'w').write(str(os.getpid())); time.sleep(1000)"
        task = asyncio.create_task(tool([PYTHON, "-c", code]))
        process = int(await asyncio.to_thread(fifo.read_text))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return process

    assert ends(asyncio.run(scenario()))


def test_a_flood_of_output_is_cut_and_an_endless_one_stopped(place):
    tool = python(place, max_output=300)
    told = run(tool, PYTHON, "-c", "print('a' * 5000 + 'z')")
    assert told == "a" * 100 + "\n[4,702 bytes left out here]\n" + "a" * 198 + "z"
    told = run(
        tool, PYTHON, "-c", "import sys; sys.stderr.write('error first\\n'); sys.stderr.flush(); print('é' * 10)"
    )
    assert told == "error first\n" + "é" * 10
    with pytest.raises(ToolError, match="it wrote more than 16,777,216 bytes") as stopped:
        run(made({"yes": "*"}, place, max_output=300), "yes")
    assert len(str(stopped.value)) < 500


def test_what_a_program_writes_cannot_steer_a_terminal(place):
    code = r"print('\x1b[2J\x1b]0;title\x07a\rb\x08\x00c\u202ed\U000e0041')"
    assert run(python(place), PYTHON, "-X", "utf8", "-c", code) == "a\nbcd"


def test_arguments_that_no_program_can_have_are_refused(place):
    tool = made(["echo"], place)
    for word in ("a\0b", "\ud800"):
        with pytest.raises(ToolError, match="no argument can have"):
            run(tool, "echo", word)
    with pytest.raises(ToolError, match="more than 32,000 characters"):
        run(tool, "echo", "x" * 40_000)
    with pytest.raises(ToolError, match="more than 32,000 characters"):
        run(tool, "echo", *["x"] * 20_000)
    assert run(tool, "echo", "x" * 31_000).endswith("x")


def test_a_program_planted_later_is_not_taken_for_the_allowed_one(place, monkeypatch):
    tool = made(["ls"], place)
    evil = place / "ls"
    evil.write_text("#!/bin/sh\necho evil\n")
    evil.chmod(0o755)
    monkeypatch.setenv("PATH", f"{place}:.")
    assert "evil" not in run(tool, "ls").replace("evil.sh", "")


def test_the_end_by_a_signal_is_told(place):
    assert (
        run(python(place), PYTHON, "-c", "import os; os.kill(os.getpid(), 15)")
        == "(no output)\n[ended by signal SIGTERM]"
    )


def test_a_folder_that_is_gone_is_told(place):
    gone = place / "gone"
    gone.mkdir()
    tool = made(["ls"], gone)
    gone.rmdir()
    with pytest.raises(ToolError, match="cannot be started: ENOENT"):
        run(tool, "ls")


def test_programs_that_run_anything_are_refused_unless_that_is_meant(place):
    for name in sorted(
        RUNS_ANYTHING & {"sh", "bash", "env", "xargs", "find", "awk", "sed", "perl", "python3", "make", "tar"}
    ):
        if shutil.which(name):
            with pytest.raises(ConfigurationError, match="runs whatever it is given"):
                shell([name], cwd=place)
            assert shell({name: "*"}, cwd=place)
    assert shell(["sh notes/build.sh"], cwd=place)
    with pytest.raises(ConfigurationError, match="runs whatever it is given"):
        shell([PYTHON], cwd=place)


def test_mistakes_of_the_developer_are_told_at_once(place):
    for allow, words in (
        ("ls", "is a list"),
        ([], "names no command"),
        ([""], "is empty"),
        (["no-such-program"], "no program `no-such-program`"),
        ({"ls": ["l"]}, "must begin with `-`"),
    ):
        with pytest.raises(ConfigurationError, match=words):
            shell(allow, cwd=place)
    for options in ({"cwd": place / "nope"}, {"cwd": place / "todo.txt"}, {"timeout": 0}, {"max_output": 0}):
        with pytest.raises(ConfigurationError):
            shell(["ls"], **{"cwd": place, **options})
