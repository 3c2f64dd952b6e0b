"""`agentkit sessions`: what is kept, as a person or a script sees it."""

import json
import sqlite3

import pytest
from shell import CONTROL, here

from agentkit.messages import Assistant, Note, ToolCall, ToolMessage, User
from agentkit.sessions import Session


@pytest.fixture
def session(tmp_path, monkeypatch):
    monkeypatch.setenv("AGENTKIT_HOME", str(tmp_path))
    made = Session("talk")
    asked = Assistant("I look.", tool_calls=(ToolCall("1", "look", '{"at": "it"}'),))
    with made.hold() as held:
        held.write([Note("run", {"id": "x"}), User("hello\n\x1b[31mred"), asked, ToolMessage("1", "look", "seen")])
    return made


def lines(done):
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


def test_sessions_are_listed_with_what_they_hold(session):
    session.fork("aside", at=1)
    head, *rows = lines(here("sessions"))
    assert head.split()[:2] == ["SESSION", "MESSAGES"]
    assert sorted(row.split()[0] for row in rows) == ["aside", "talk"]
    assert next(row for row in rows if row.startswith("aside")).endswith("talk at 1")
    assert lines(here("sessions", "list")) == [head, *rows]
    told = json.loads(here("sessions", "--json").stdout)
    assert {one["name"]: one["messages"] for one in told} == {"talk": 3, "aside": 1}


def test_no_file_is_no_error(tmp_path):
    assert len(lines(here("sessions", "--file", tmp_path / "none.db"))) == 1
    assert not (tmp_path / "none.db").exists()


def test_a_session_is_shown_line_by_line_without_control_codes(session):
    shown = lines(here("sessions", "show", "talk"))
    assert [row.split(maxsplit=2) for row in shown[1:]] == [
        ["0", "note", '(run) {"id": "x"}'],
        ["1", "user", "hello [31mred"],
        ["2", "assistant", 'I look. look(at="it")'],
        ["3", "tool", "seen"],
    ]
    assert here("sessions", "show", "talk", "--json").stdout == here("sessions", "export", "talk").stdout


def test_a_name_that_another_program_wrote_cannot_reach_the_screen_as_it_is(session):
    with sqlite3.connect(session.file) as db:
        db.execute("UPDATE sessions SET name = char(27) || '[2Jx'")
    db.close()
    for arguments in (["sessions"], ["sessions", "--json"], ["sessions", "show", "talk"]):
        done = here(*arguments)
        assert not CONTROL.search(done.stdout + done.stderr)


def test_a_session_is_forked_exported_imported_and_deleted(session, tmp_path):
    assert lines(here("sessions", "fork", "talk", "aside", "--at", 1)) == ["aside holds 2 entries of talk"]
    lines(here("sessions", "export", "talk", tmp_path / "talk.jsonl"))
    lines(here("sessions", "import", "again", tmp_path / "talk.jsonl"))
    exported = here("sessions", "export", "talk").stdout
    lines(here("sessions", "import", "piped", stdin=exported))
    assert Session("again").entries() == Session("piped").entries() == session.entries()
    assert lines(here("sessions", "delete", "aside", "again", "piped")) == []
    assert [one["name"] for one in json.loads(here("sessions", "--json").stdout)] == ["talk"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["show", "tolk"], "did you mean `talk`"),
        (["fork", "talk", "talk"], "already"),
        (["fork", "talk", "new", "--at", 9], "positions 0 to 3"),
        (["delete", "talk", "none"], "no session `none`"),
        (["export", "talk", "/no/such/folder/x"], "cannot be written"),
        (["import", "new", "/no/such/file"], "cannot be read"),
        (["import", "talk"], "already"),
    ],
)
def test_what_cannot_be_done_ends_with_code_2_and_says_why(session, arguments, told):
    done = here("sessions", *arguments)
    assert done.returncode == 2
    assert told in done.stderr
    assert len(session.entries()) == 4


def test_a_session_that_a_run_holds_is_not_deleted(session):
    with session.hold():
        done = here("sessions", "delete", "talk")
    assert done.returncode == 2
    assert "is held by" in done.stderr
