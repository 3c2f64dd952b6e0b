"""Calls that are not carried out unasked: what waits, what runs, and what a verdict does."""

import asyncio
import json
import os
import subprocess
import sys
import threading

import pytest
from script import Script, calls, go, says
from script import ways as in_each_way

from agentkit import Agent, Answer, Approve, ConfigurationError, Deny, Finished, LimitReached, Limits, tool
from agentkit.approval import Pending
from agentkit.events import Stamped
from agentkit.events import dump as dump_event
from agentkit.events import load as load_event
from agentkit.messages import ToolMessage, dump, load
from agentkit.sessions import Session

ways = pytest.mark.parametrize("asynchronous", [False, True])


def begin(agent, asynchronous, prompt="go", **options):
    return asyncio.run(agent.arun(prompt, **options)) if asynchronous else agent.run(prompt, **options)


def resume(agent, asynchronous, *args):
    return asyncio.run(agent.aresume(*args)) if asynchronous else agent.resume(*args)


class Till:
    """Tools that write down what they did."""

    def __init__(self):
        self.done = []

    def tools(self, approval=True):
        @tool(approval=approval)
        def refund(order: int, amount: float) -> str:
            """Refund an order."""
            self.done.append((order, amount))
            return f"refunded {amount:g}"

        @tool
        def look(order: int) -> str:
            """Look an order up."""
            self.done.append(order)
            return "shipped"

        return [refund, look]


LOOK, REFUND = ("a", "look", '{"order": 1}'), ("b", "refund", '{"order": 1, "amount": 40}')
BEHIND, SECOND = ("c", "look", '{"order": 2}'), ("d", "refund", '{"order": 2, "amount": 9}')


def told(result):
    return {one.tool_call_id: one.text for one in result.messages if isinstance(one, ToolMessage)}


@ways
def test_what_stands_before_a_waiting_call_runs_and_what_stands_behind_it_waits_too(asynchronous):
    till = Till()
    agent = Agent(Script(calls(LOOK, REFUND, BEHIND, SECOND), says("done")), tools=till.tools())
    paused = begin(agent, asynchronous)
    assert till.done == [1]
    assert [call.id for call in paused.pending] == ["b", "d"], "all that need a verdict are told of at once"
    result = resume(agent, asynchronous, paused, {"b": True, "d": "too much"})
    assert till.done[0] == 1
    assert set(till.done[1:]) == {(1, 40.0), 2}, "what was held runs at the same time as what was approved"
    assert result.output == "done"
    assert result.pending == ()
    assert told(result)["b"] == "refunded 40"
    assert "too much" in told(result)["d"]


@ways
def test_verdicts_may_come_one_by_one_and_after_the_transcript_was_saved(asynchronous):
    till = Till()
    agent = Agent(Script(calls(REFUND, SECOND), says("done")), tools=till.tools())
    paused = begin(agent, asynchronous)
    saved = load(dump(paused.entries))
    again = resume(agent, asynchronous, saved, {"b": True})
    assert [call.id for call in again.pending] == ["d"]
    assert till.done == [(1, 40.0)]
    assert resume(agent, asynchronous, again, {"d": False}).output == "done"
    assert till.done == [(1, 40.0)]


@ways
def test_a_call_may_be_approved_with_other_arguments_or_answered_from_outside(asynchronous):
    till = Till()
    agent = Agent(Script(calls(REFUND, SECOND), says("done")), tools=till.tools())
    verdicts = {"b": Approve({"order": 1, "amount": 5}), "d": Answer("refunded by hand")}
    result = resume(agent, asynchronous, begin(agent, asynchronous), verdicts)
    assert till.done == [(1, 5.0)]
    assert told(result) == {"b": "refunded 5", "d": "refunded by hand"}


@ways
def test_edited_arguments_that_do_not_fit_do_not_run(asynchronous):
    till = Till()
    agent = Agent(Script(calls(REFUND), says("done")), tools=till.tools())
    result = resume(agent, asynchronous, begin(agent, asynchronous), {"b": Approve({"amount": "lots"})})
    assert till.done == []
    assert "amount" in told(result)["b"]


@ways
def test_arguments_are_checked_before_anyone_is_asked(asynchronous):
    agent = Agent(Script(calls(("b", "refund", '{"order": "x"}')), says("done")), tools=Till().tools())
    result = begin(agent, asynchronous)
    assert result.pending == ()
    assert "order" in told(result)["b"]


@ways
def test_a_predicate_on_the_arguments_decides_which_calls_wait(asynchronous):
    till = Till()
    agent = Agent(
        Script(calls(SECOND, REFUND), says("done")), tools=till.tools(lambda arguments: arguments["amount"] > 10)
    )
    assert [call.id for call in begin(agent, asynchronous).pending] == ["b"]
    assert till.done == [(2, 9.0)]


@ways
def test_a_predicate_that_fails_lets_the_call_wait(asynchronous):
    till = Till()
    agent = Agent(Script(calls(REFUND), says("done")), tools=till.tools(lambda arguments: arguments["nonsense"]))
    assert [call.id for call in begin(agent, asynchronous).pending] == ["b"]
    assert till.done == []


@ways
def test_a_new_prompt_answers_what_waited_as_interrupted(asynchronous):
    till = Till()
    agent = Agent(Script(calls(REFUND), says("fine")), tools=till.tools())
    result = begin(agent, asynchronous, "never mind", history=begin(agent, asynchronous))
    assert "interrupted" in told(result)["b"]
    assert till.done == []


@pytest.mark.parametrize("verdicts", [{"x": True}, {"b": 3}, {"b": None}])
def test_a_verdict_on_nothing_or_of_no_kind_is_refused(verdicts):
    agent = Agent(Script(calls(REFUND)), tools=Till().tools())
    with pytest.raises(ConfigurationError, match=r"`b`|no verdict"):
        agent.resume(agent.run("go"), verdicts)


def test_denying_without_words_is_told_too():
    agent = Agent(Script(calls(REFUND), says("ok")), tools=Till().tools())
    result = agent.resume(agent.run("go"), {"b": Deny()})
    assert told(result)["b"].endswith("did not approve it")


# Asked while the run waits.


@ways
@pytest.mark.parametrize("plain", [True, False])
def test_a_function_is_asked_while_the_run_waits(asynchronous, plain):
    till, asked = Till(), []

    def plainly(call):
        asked.append((call.id, call.arguments))
        return {"b": Approve({"order": 1, "amount": 5}), "d": Deny("too much")}[call.id]

    async def approve(call):
        await asyncio.sleep(0)
        return plainly(call)

    agent = Agent(Script(calls(LOOK, REFUND, BEHIND, SECOND), says("done")), tools=till.tools())
    result = begin(agent, asynchronous, approve=plainly if plain else approve)
    assert result.output == "done"
    assert result.pending == ()
    assert asked == [(REFUND[0], REFUND[2]), (SECOND[0], SECOND[2])]
    assert set(till.done) == {1, (1, 5.0), 2}
    assert told(result)["d"].endswith("too much")


@ways
def test_what_the_function_leaves_undecided_is_pending(asynchronous):
    till = Till()
    agent = Agent(
        Script(calls(REFUND, SECOND), says("done")),
        tools=till.tools(),
        approve=lambda call: True if call.id == "b" else None,
    )
    paused = begin(agent, asynchronous)
    assert [call.id for call in paused.pending] == ["d"]
    assert till.done == [(1, 40.0)]
    assert resume(agent, asynchronous, paused, {"d": True}).output == "done"
    assert till.done == [(1, 40.0), (2, 9.0)]


@ways
def test_always_lets_a_tool_go_on_unasked_until_the_user_speaks_again(asynchronous):
    till, asked = Till(), []

    def approve(call):
        asked.append(call.id)
        return Approve(always=True)

    third = ("e", "refund", '{"order": 3, "amount": 3}')
    script = Script(calls(REFUND, SECOND), calls(third), says("done"), calls(REFUND), says("again"))
    agent = Agent(script, tools=till.tools(), approve=approve)
    first = begin(agent, asynchronous)
    assert asked == ["b"], "the second call of the batch and the third were allowed with the first"
    assert set(till.done) == {(1, 40.0), (2, 9.0), (3, 3.0)}
    begin(agent, asynchronous, "more", history=first)
    assert asked == ["b", "b"]


@ways
def test_always_is_heeded_by_resume_too(asynchronous):
    till = Till()
    agent = Agent(Script(calls(REFUND, SECOND), calls(REFUND), says("done")), tools=till.tools())
    result = resume(agent, asynchronous, begin(agent, asynchronous), {"b": Approve(always=True)})
    assert result.output == "done"
    assert till.done.count((1, 40.0)) == 2


@ways
def test_what_the_function_raises_ends_the_run_and_the_call_stays_open(asynchronous):
    def approve(call):
        raise ValueError("nobody is at home")

    agent = Agent(Script(calls(REFUND)), tools=Till().tools(), approve=approve)
    with pytest.raises(ValueError, match="nobody") as caught:
        begin(agent, asynchronous)
    assert [call.id for call in caught.value.transcript.waiting] == ["b"]


@in_each_way
def test_a_stop_iteration_of_the_function_ends_the_run_with_an_error(way):
    verdicts = iter([])
    agent = Agent(Script(calls(REFUND)), tools=Till().tools(), approve=lambda call: next(verdicts))
    with pytest.raises(StopIteration if way == "run" else RuntimeError) as caught:
        go(agent, way, "go")
    assert [call.id for call in caught.value.transcript.waiting] == ["b"]


@ways
def test_an_async_function_is_cancelled_when_the_time_of_the_run_is_over(asynchronous):
    cancelled = threading.Event()

    async def approve(call):
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    agent = Agent(Script(calls(REFUND)), tools=Till().tools(), approve=approve, limits=Limits(seconds=0.6))
    with pytest.raises(LimitReached, match="seconds") as caught:
        begin(agent, asynchronous)
    assert cancelled.wait(10)
    assert [call.id for call in caught.value.transcript.waiting] == ["b"]


def test_a_stream_that_is_closed_while_somebody_is_asked_ends_the_run_and_gives_its_session_back(tmp_path):
    asked = threading.Event()

    async def approve(call):
        asked.set()
        await asyncio.Event().wait()

    session = Session("till", file=tmp_path / "s.db")
    agent = Agent(Script(calls(REFUND), says("fine")), tools=Till().tools())
    stream = agent.stream("go", session=session, approve=approve)

    def close():
        asked.wait(10)
        stream.close()

    closer = threading.Thread(target=close)
    closer.start()
    list(stream)
    closer.join()
    assert agent.run(None, session=session).pending[0].id == "b"


@ways
def test_a_function_that_gives_no_verdict_but_something_else_is_told_so(asynchronous):
    agent = Agent(Script(calls(REFUND)), tools=Till().tools(), approve=lambda call: 3)
    with pytest.raises(ConfigurationError, match="3 is no verdict"):
        begin(agent, asynchronous)


def test_a_plain_function_is_asked_in_the_callers_thread_and_on_a_loop_in_another():
    threads = []

    def approve(call):
        threads.append(threading.current_thread())
        return True

    def agent():
        return Agent(Script(calls(REFUND), says("done")), tools=Till().tools(), approve=approve)

    agent().run("go")
    with agent().stream("go") as stream:
        list(stream)
    here = threading.current_thread()
    assert threads == [here, here]
    asyncio.run(agent().arun("go"))
    assert threads[2] is not here


@ways
def test_ids_that_come_again_in_a_later_reply_are_asked_for_again(asynchronous):
    asked = []

    def approve(call):
        asked.append(call.arguments)
        return True

    other = ("b", "refund", '{"order": 2, "amount": 1}')
    agent = Agent(Script(calls(REFUND), calls(other), says("done")), tools=Till().tools(), approve=approve)
    assert begin(agent, asynchronous).output == "done"
    assert asked == [REFUND[2], other[2]]


def test_a_predicate_that_must_be_awaited_is_refused():
    async def ask(arguments):
        return True

    with pytest.raises(ConfigurationError, match="plain function"):
        tool(lambda: "", name="x", approval=ask)


# To JSON and back.

KEY = "a key of thirty-two bytes or more"


@ways
def test_what_waits_goes_to_json_and_back_and_is_resumed_from_there(asynchronous):
    till = Till()
    agent = Agent(Script(calls(REFUND), says("done")), tools=till.tools())
    paused = begin(agent, asynchronous)
    again = Pending.load(paused.pending.dump(key=KEY), key=KEY)
    assert again == paused.pending
    assert again.entries == paused.entries
    assert resume(agent, asynchronous, again, {"b": True}).output == "done"
    assert till.done == [(1, 40.0)]


def paused():
    return Agent(Script(calls(REFUND, SECOND)), tools=Till().tools()).run("go é \ud800")


def test_a_saved_one_may_be_laid_out_anew_but_not_changed():
    saved = json.loads(paused().pending.dump(key=KEY))
    laid_out = json.dumps(dict(reversed(saved.items())), indent=3, ensure_ascii=True)
    assert Pending.load(laid_out, key=KEY) == paused().pending


def changes(value, path=()):
    """Each place in a JSON value, with the value that is there."""
    yield path, value
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from changes(inner, (*path, key))


@pytest.mark.parametrize("other", ["x", 0, None, [], {}])
def test_a_change_anywhere_is_refused(other):
    data = paused().pending.dump(key=KEY)
    places = [path for path, value in changes(json.loads(data)) if path and value != other]
    for path in places:
        changed = json.loads(data)
        inner = changed
        for step in path[:-1]:
            inner = inner[step]
        inner[path[-1]] = other
        with pytest.raises(ConfigurationError, match=r"changed|no saved"):
            Pending.load(json.dumps(changed), key=KEY)
    assert len(places) > 30


@pytest.mark.parametrize("data", [b"", b"[]", b"3", b"null", b'{"agentkit": "other"}', b"[" * 100_000])
def test_something_else_is_no_saved_pending(data):
    with pytest.raises(ConfigurationError, match="no saved `Pending`"):
        Pending.load(data, key=KEY)


def test_another_key_is_refused_and_a_short_one_too():
    saved = paused().pending.dump(key=KEY)
    with pytest.raises(ConfigurationError, match="another key"):
        Pending.load(saved, key=KEY[::-1])
    with pytest.raises(ConfigurationError, match="16 bytes"):
        paused().pending.dump(key="short")


def test_the_key_of_the_installation_is_made_once_for_the_user_alone(tmp_path, monkeypatch):
    monkeypatch.setenv("AGENTKIT_HOME", str(tmp_path / "home"))
    saved = paused().pending.dump()
    file = tmp_path / "home" / "key"
    assert (file.stat().st_mode & 0o777, len(file.read_text())) == (0o600, 64)
    assert [one.name for one in file.parent.iterdir()] == ["key"]
    assert Pending.load(saved) == paused().pending
    assert file.read_text() not in saved.decode()
    file.chmod(0o644)
    with pytest.raises(ConfigurationError, match="others may read"):
        Pending.load(saved)
    file.unlink()
    with pytest.raises(ConfigurationError, match="another key"):
        Pending.load(saved)
    file.chmod(0o600)
    for wrong in ("no hex", ""):
        file.write_text(wrong)
        with pytest.raises(ConfigurationError, match=r"cannot be used|16 bytes"):
            Pending.load(saved)


def test_processes_that_begin_at_once_agree_on_the_key(tmp_path):
    program = "from agentkit.approval import _own_key; print(_own_key().hex())"
    environment = {**os.environ, "AGENTKIT_HOME": str(tmp_path / "home")}
    started = [
        subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, env=environment) for _ in range(4)
    ]
    keys = set()
    for one in started:
        with one:
            keys.add(one.stdout.read())
    assert len(keys) == 1


def test_a_pending_of_a_session_holds_its_name_and_goes_on_there(tmp_path):
    till = Till()
    agent = Agent(Script(calls(REFUND, SECOND), says("done")), tools=till.tools())
    session = Session("till", file=tmp_path / "s.db")
    saved = agent.run("go", session=session).pending.dump(key=KEY)
    pending = Pending.load(saved, key=KEY)
    assert (pending.session.name, pending.session.file, pending.entries) == ("till", session.file, ())
    assert [call.id for call in agent.resume(pending, {"b": True}).pending] == ["d"]
    with pytest.raises(ConfigurationError, match=r"`b` waits for no verdict; these do: `d`"):
        agent.resume(Pending.load(saved, key=KEY), {"b": True})
    assert agent.resume(pending, {"d": "no"}).output == "done"
    assert till.done == [(1, 40.0)]


def test_a_finished_event_carries_what_waits_to_json_and_back():
    result = paused()
    assert load_event(dump_event(Stamped("r", 1, 1, Finished(result)))).event == Finished(result)
