"""Sessions: what is kept, who may write, and what a file that is none says."""

import asyncio
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from script import Script, ago, calls, go, says, ways
from test_messages import messages

from agentkit import Agent, Approve, ConfigurationError, Context, LimitReached, Limits, tool
from agentkit.errors import SessionBusy
from agentkit.messages import Assistant, Note, ToolMessage, User
from agentkit.sessions import Session, every
from agentkit.transcript import Transcript

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def session(tmp_path):
    return Session("talk", file=tmp_path / "deep" / "sessions.db")


def said(entries):
    return [entry for entry in entries if not isinstance(entry, Note)]


# What is kept.


@ways
def test_a_session_goes_on_where_the_last_run_ended(way, session):
    model = Script(says("one"), says("two"))
    first = go(Agent(model), way, "a", session=session)
    second = go(Agent(model), way, "b", session=session)
    assert [one.text for one in second.messages] == ["a", "one", "b", "two"]
    assert [one.text for one in second.new_messages] == ["b", "two"]
    assert session.entries() == list(second.entries)
    assert list(second.entries)[: len(first.entries)] == list(first.entries)


@ways
def test_every_message_is_in_the_file_before_it_is_shown(way, session):
    @tool
    def add(a: int, b: int) -> int:
        """Add."""
        return a + b

    asked = [(f"c{n}", "add", f'{{"a": {n}, "b": 1}}') for n in range(5)]
    shown = []

    def look(event):
        if isinstance(event, Assistant | ToolMessage | User | Note):
            assert event in session.entries()
            shown.append(event)

    model = Script(calls(*asked), says("done"))
    result = go(Agent(model, tools=[add]), way, "go", session=session, on_event=look)
    assert shown == list(result.entries)


@ways
def test_events_keep_their_order_and_a_function_begins_after_its_call_was_written(way, session):
    kept = []

    @tool
    def look() -> str:
        """Look."""
        kept.append(said(session.entries())[-1])
        return "seen"

    seen = []
    model = Script(calls(("a", "look", "{}")), says("done"))
    go(Agent(model, tools=[look]), way, "go", session=session, on_event=lambda event: seen.append(type(event).__name__))
    assert kept == [calls(("a", "look", "{}"))]
    assert seen == [
        *["Note", "User", "CallModel", "CallDelta", "CallDelta", "Assistant"],
        *["CallTools", "Note", "ToolStarted", "ToolMessage", "ToolFinished"],
        *["CallModel", "TextDelta", "Assistant", "Review"],
    ]


@ways
def test_what_an_onlooker_raises_ends_the_run_and_what_was_said_is_kept(way, session):
    def look(event):
        if isinstance(event, Assistant):
            raise ValueError("enough")

    with pytest.raises(ValueError, match="enough"):
        go(Agent(Script(says("one"))), way, "a", session=session, on_event=look)
    assert [one.text for one in said(session.entries())] == ["a", "one"]
    assert go(Agent(Script()), way, None, session=session).output == "one", "the answer was recorded: nobody is asked"


@ways
def test_a_session_begins_with_the_history_that_it_is_given_and_takes_no_second_one(way, session):
    go(Agent(Script(says("two"))), way, "b", session=session, history=[User("a"), says("one")])
    assert [one.text for one in said(session.entries())] == ["a", "one", "b", "two"]
    with pytest.raises(ConfigurationError, match="both `history=`"):
        go(Agent(Script()), way, "c", session=session, history=[User("x")])


@ways
def test_a_run_that_cannot_begin_writes_nothing(way, session):
    with pytest.raises(ConfigurationError, match="empty"):
        go(Agent(Script()), way, " ", session=session)
    assert every(session.file) == []


def test_a_name_alone_is_kept_in_the_folder_that_the_environment_names(tmp_path, monkeypatch):
    monkeypatch.setenv("AGENTKIT_HOME", str(tmp_path / "home"))
    Agent(Script(says("one"))).run("a", session="by name")
    assert [one.name for one in every()] == ["by name"]
    file = tmp_path / "home" / "sessions.db"
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700


@settings(max_examples=25)  # each opens and closes the file some ten times
@given(st.lists(messages, max_size=6), st.lists(messages, max_size=6))
def test_any_transcript_goes_to_the_file_and_back(first, second):
    with tempfile.TemporaryDirectory() as folder:
        session = Session("x", file=Path(folder) / "s.db")
        with session.hold() as held:
            held.write(first)
            for entry in second:
                held.write([entry])
        with session.hold() as held:
            assert list(held.entries) == first + second
        if first + second:
            assert list(session.entries()) == first + second
            session.fork("copy").add_lines([])
            copy = Session("lines", file=session.file)
            copy.add_lines(session.lines())
            assert copy.entries() == Session("copy", file=session.file).entries() == first + second


# Going on after an end in the middle.


def ended_within_a_tool(session, tools, replies):
    """A run that ends while its tool is under way, as a killed process leaves it."""
    with pytest.raises(KeyboardInterrupt):
        Agent(Script(*replies), tools=tools).run("go", session=session)


@ways
@pytest.mark.parametrize(("side_effects", "again"), [("unsafe", False), ("idempotent", True), ("none", True)])
def test_a_call_that_was_under_way_is_told_as_interrupted_unless_it_may_be_repeated(way, session, side_effects, again):
    done = []

    @tool(side_effects=side_effects)
    def act() -> str:
        """Act."""
        done.append(1)
        if len(done) == 1:
            raise KeyboardInterrupt
        return "acted"

    ended_within_a_tool(session, [act], [calls(("a", "act", "{}"))])
    warned = []
    result = go(
        Agent(Script(says("fine")), tools=[act]),
        way,
        None,
        session=session,
        on_event=lambda event: warned.append(event.text) if type(event).__name__ == "Warned" else None,
    )
    answer = next(one for one in result.messages if isinstance(one, ToolMessage))
    assert (len(done), answer.ok) == ((2, True) if again else (1, False))
    assert ("interrupted when the program ended" in answer.text) is not again
    assert bool(warned) is not again
    assert session.entries() == list(result.entries)


@ways
def test_a_call_that_is_repeated_by_another_process_has_the_same_idempotency_key(way, session):
    keys = []

    @tool(side_effects="idempotent")
    def act(context: Context) -> str:
        """Act."""
        keys.append(context.idempotency_key)
        if len(keys) == 2:
            raise KeyboardInterrupt
        return "acted"

    ended_within_a_tool(session, [act], [calls(("a", "act", "{}")), calls(("a", "act", "{}"))])
    go(Agent(Script(calls(("a", "act", "{}")), says("fine")), tools=[act]), way, None, session=session)
    first, second, repeated, third = keys
    assert repeated == second
    assert len({first, second, third}) == 3


@ways
def test_a_call_that_was_not_begun_is_carried_out_by_the_next_run(way, session):
    act = tool(lambda: "acted", name="act")
    with pytest.raises(LimitReached):
        go(
            Agent(Script(calls(("a", "act", "{}"))), tools=[act]),
            way,
            "go",
            session=session,
            limits=Limits(tool_calls=0),
        )
    result = go(Agent(Script(says("fine")), tools=[act]), way, None, session=session)
    assert [one.text for one in result.messages] == ["go", "", "acted", "fine"]


REPLIES = [calls(("a", "act", '{"n": 1}'), ("b", "act", '{"n": 2}')), calls(("c", "act", '{"n": 3}')), says("end")]


@settings(max_examples=25)
@given(st.integers(1, 20), st.sampled_from(["none", "unsafe"]), st.booleans())
def test_any_prefix_resumes_to_the_same_end_and_asks_only_for_what_is_not_recorded(cut, side_effects, asynchronous):
    done = []

    @tool(side_effects=side_effects)
    def act(n: int) -> int:
        """Act."""
        done.append(n)
        return 2 * n

    def answer(request):
        return REPLIES[sum(isinstance(one, Assistant) for one in request.transcript)]

    with tempfile.TemporaryDirectory() as folder:
        unsafe = side_effects == "unsafe"
        whole, part = (Session(name, file=Path(folder) / "s.db") for name in ("whole", "part"))
        Agent(Script(*REPLIES), tools=[act]).run("go", session=whole)
        entries = whole.entries()
        if not said(entries[:cut]):
            return
        with part.hold() as held:
            held.write(entries[:cut])
        model = Script(*[answer] * 3)
        done.clear()
        result = go(Agent(model, tools=[act]), "arun" if asynchronous else "run", None, session=part)
        assert result.output == "end"
        assert len(model.requests) == 3 - sum(isinstance(one, Assistant) for one in entries[:cut])
        ends = [said(one.entries()) for one in (whole, part)]
        answers = [sum(isinstance(one, ToolMessage) for one in some) for some in (*ends, said(entries[:cut]))]
        assert answers[0] == answers[1] == 3
        lost = [one for one in ends[1] if isinstance(one, ToolMessage) and not one.ok]
        assert len(done) == 3 - answers[2] - len(lost), "what is recorded is not done again"
        assert unsafe or (not lost and sorted(map(repr, ends[0])) == sorted(map(repr, ends[1])))


# One writer.


@ways
def test_a_second_run_on_a_session_is_refused_while_the_first_goes_on(way, session):
    def second(_):
        with pytest.raises(SessionBusy, match=r"`talk`.*another run of this process.*fork"):
            Agent(Script()).run("x", session=session)
        return says("one")

    assert go(Agent(Script(second)), way, "a", session=session).output == "one"
    assert go(Agent(Script(says("two"))), way, "b", session=session).output == "two", "it is free again"


HOLDER = """
import sys
from agentkit.sessions import Session
with Session("talk", file=sys.argv[1]).hold():
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_session_that_another_process_holds_is_busy_until_that_process_is_killed(session):
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, session.file], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT
    )
    with holder:
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(SessionBusy, match=f"process {holder.pid} on .*since") as caught:
            Agent(Script()).run("x", session=session)
        assert "wait" in str(caught.value)
        for refused in (session.delete, lambda: session.add_lines([b"{}"])):
            with pytest.raises((SessionBusy, ConfigurationError)):
                refused()
        holder.kill()
    assert Agent(Script(says("one"))).run("a", session=session).output == "one"


def test_many_processes_write_sessions_of_one_new_file_at_the_same_time(session):
    program = (
        "import sys; from agentkit.sessions import Session; from agentkit.messages import User\n"
        "with Session(sys.argv[2], file=sys.argv[1]).hold() as held:\n"
        "    for n in range(50): held.write([User(str(n))])"
    )
    started = [
        subprocess.Popen([sys.executable, "-c", program, session.file, f"s{n}"], stderr=subprocess.PIPE, cwd=ROOT)
        for n in range(4)
    ]
    for one in started:
        with one:
            assert one.stderr.read() == b""
    assert sorted((one.name, one.messages) for one in every(session.file)) == [(f"s{n}", 50) for n in range(4)]


def test_a_new_file_is_made_once_though_many_begin_it_at_the_same_time(tmp_path):
    """Nobody takes what another has half made for a file of another program, and each waits for the others."""
    together = threading.Barrier(6)

    def begin(file, name):
        together.wait(30)
        with Session(name, file=file).hold() as held:
            held.write([User(name)])

    for n in range(30):
        file = tmp_path / str(n) / "sessions.db"
        with ThreadPoolExecutor(6) as threads:
            for begun in [threads.submit(begin, file, f"s{n}") for n in range(6)]:
                begun.result()
        assert sorted((one.name, one.messages) for one in every(file)) == [(f"s{n}", 1) for n in range(6)]


def test_a_cancelled_run_gives_the_session_back(session):
    async def main():
        never = asyncio.Event()
        begun = asyncio.Event()

        class Hangs:
            name = "hangs"

            async def acall(self, request):
                begun.set()
                await never.wait()

        task = asyncio.create_task(Agent(Hangs()).arun("a", session=session))
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return await ago(Agent(Script(says("one"))), "arun", "b", session=session)

    assert asyncio.run(main()).output == "one"
    assert [one.text for one in said(session.entries())] == ["a", "b", "one"]


def test_a_stream_that_is_left_early_gives_the_session_back(session):
    with Agent(Script(says("one"))).stream("a", session=session) as stream:
        next(stream)
    assert Agent(Script(says("two"))).run("b", session=session).output == "two"


def test_an_event_loop_goes_on_while_the_file_is_locked_by_somebody_else(session):
    Agent(Script(says("one"))).run("a", session=session)
    other = sqlite3.connect(session.file, isolation_level=None, check_same_thread=False)
    moved = threading.Event()

    async def main():
        other.execute("BEGIN IMMEDIATE")
        task = asyncio.create_task(Agent(Script(says("two"))).arun("b", session=session))
        for _ in range(50):
            await asyncio.sleep(0)
        moved.set()
        other.execute("ROLLBACK")
        return await task

    assert asyncio.run(main()).output == "two"
    assert moved.is_set()
    other.close()


# Looking after them.


def test_sessions_are_listed_forked_at_a_message_and_deleted(session):
    agent = Agent(Script(says("one"), says("two"), says("three")))
    agent.run("a", session=session)
    agent.run("b", session=session)
    place = session.entries().index(says("one"))
    fork = session.fork("aside", at=place)
    assert agent.run("c", session=fork).output == "three"
    assert [one.text for one in said(fork.entries())] == ["a", "one", "c", "three"]
    first, second = every(session.file)
    assert (first.name, first.messages, first.parent, first.forked_at) == ("aside", 4, "talk", place)
    assert (second.name, second.messages, second.entries) == ("talk", 4, 6)
    session.delete()
    assert [one.name for one in every(session.file)] == ["aside"]
    with pytest.raises(ConfigurationError, match="no session `talk`"):
        session.entries()


def test_a_fork_is_refused_where_there_is_nothing_to_fork_or_no_place_for_it(session):
    Agent(Script(says("one"))).run("a", session=session)
    session.fork("aside")
    with pytest.raises(ConfigurationError, match="already"):
        session.fork("aside")
    with pytest.raises(ConfigurationError, match="positions 0 to 2"):
        session.fork("more", at=3)
    with pytest.raises(ConfigurationError, match="did you mean `talk`"):
        Session("tolk", file=session.file).fork("x")
    assert sorted(one.name for one in every(session.file)) == ["aside", "talk"]


def test_an_export_is_lines_of_json_that_can_be_read_back_and_a_wrong_line_adds_nothing(session):
    Agent(Script(says("one"))).run("a", session=session)
    lines = list(session.lines())
    assert [json.loads(line)["role"] for line in lines] == ["note", "user", "assistant"]
    other = Session("other", file=session.file)
    with pytest.raises(ConfigurationError, match="line 4"):
        other.add_lines([*lines, b'{"role": "usr"}'])
    assert "other" not in [one.name for one in every(session.file)]
    other.add_lines(lines)
    assert other.entries() == session.entries()


@pytest.mark.parametrize("name", ["", " x", "x ", "a\x1b[31m", "a\nb", "\u202e", "x" * 201, "\ud800"])
def test_a_name_that_could_not_be_shown_is_refused(name):
    with pytest.raises(ConfigurationError, match="printable"):
        Session(name)


def test_a_name_is_no_path(tmp_path):
    file = tmp_path / "s.db"
    Agent(Script(says("one"))).run("a", session=Session("../../etc/x; DROP TABLE sessions", file=file))
    assert sorted(one.name for one in tmp_path.iterdir()) == ["s.db", "s.db.lock"]
    assert every(file)[0].name == "../../etc/x; DROP TABLE sessions"


# Files that are none.


def refused(session, match):
    for act in (lambda: Agent(Script()).run("a", session=session), session.entries, lambda: every(session.file)):
        with pytest.raises(ConfigurationError, match=match):
            act()


def test_a_file_that_is_no_database_is_refused_and_left_as_it_is(tmp_path):
    file = tmp_path / "s.db"
    file.write_bytes(b"my diary, by no means a database " * 100)
    refused(Session("x", file=file), "no file of sessions")
    assert file.read_bytes().startswith(b"my diary")


def test_a_database_of_another_program_is_refused_and_left_as_it_is(tmp_path):
    file = tmp_path / "s.db"
    with sqlite3.connect(file) as db:
        db.execute("CREATE TABLE diary (day)")
    db.close()
    before = file.read_bytes()
    refused(Session("x", file=file), "of another program")
    assert file.read_bytes() == before


def test_a_file_of_a_newer_version_is_refused(session):
    Agent(Script(says("one"))).run("a", session=session)
    with sqlite3.connect(session.file) as db:
        db.execute("PRAGMA user_version = 2")
    db.close()
    refused(session, "newer agentkit.*version 2, this one knows 1")


def test_a_damaged_file_is_refused(session):
    Agent(Script(says("x" * 100_000))).run("a", session=session)
    data = bytearray(session.file.read_bytes())
    data[4096 : len(data)] = os.urandom(len(data) - 4096)
    session.file.write_bytes(data)
    with pytest.raises(ConfigurationError, match="damaged"):
        session.entries()


def test_an_entry_that_is_damaged_is_told_with_its_place(session):
    Agent(Script(says("one"))).run("a", session=session)
    with sqlite3.connect(session.file) as db:
        db.execute("""UPDATE entries SET entry = '{"role": "usr"}' WHERE position = 1""")
    db.close()
    with pytest.raises(ConfigurationError, match=r"`talk` is damaged.*`1`"):
        session.entries()


def test_a_folder_that_cannot_be_written_is_told_with_what_to_do(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ConfigurationError, match="AGENTKIT_HOME"):
        Agent(Script()).run("a", session=Session("x", file=tmp_path / "file" / "s.db"))


@pytest.mark.skipif(sys.platform == "win32", reason="folders have other rights there")
def test_a_read_only_folder_is_told_with_what_to_do():
    program = (
        "import os, pathlib, platform, sqlite3, sys; from agentkit.sessions import Session\n"
        "if os.geteuid() == 0: os.seteuid(65534)\n"  # nothing is read-only to root; it may not see Python's own files
        "try: Session('x', file=sys.argv[1] + '/s.db').hold()\n"
        "except Exception as error: print(type(error).__name__, error)"
    )
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o555)
        done = subprocess.run(
            [sys.executable, "-c", program, folder], capture_output=True, text=True, cwd=ROOT, check=False
        )
    assert done.stdout.startswith("ConfigurationError"), done.stderr
    assert "ermission denied" in done.stdout
    assert "AGENTKIT_HOME" in done.stdout


# Approval within a session.


@ways
def test_a_call_that_waits_in_a_session_is_decided_in_a_later_process_and_carried_out_once(way, session):
    done = []

    @tool(approval=True)
    def pay() -> str:
        """Pay."""
        done.append(1)
        return "paid"

    go(Agent(Script(calls(("a", "pay", "{}"))), tools=[pay]), way, "go", session=session)
    later = Agent(Script(says("fine")), tools=[pay])
    assert later.run(None, session=session).pending[0].id == "a"
    assert later.resume(None, {"a": Approve()}, session=session).output == "fine"
    assert done == [1]
    with pytest.raises(ConfigurationError, match="waits for no verdict"):
        later.resume(None, {"a": True}, session=session)
    assert done == [1]


def test_an_approved_call_that_was_under_way_at_the_end_of_the_process_is_not_carried_out_again(session):
    done = []

    @tool(approval=True)
    def pay() -> str:
        """Pay."""
        done.append(1)
        raise KeyboardInterrupt

    agent = Agent(Script(calls(("a", "pay", "{}")), says("fine")), tools=[pay])
    paused = agent.run("go", session=session)
    with pytest.raises(KeyboardInterrupt):
        agent.resume(paused, {"a": True})
    with pytest.raises(ConfigurationError, match="waits for no verdict"):
        agent.resume(paused.pending, {"a": True})
    assert agent.run(None, session=session).output == "fine"
    assert done == [1]
    assert Transcript(session.entries()).open_calls == ()
