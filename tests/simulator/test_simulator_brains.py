"""Brains that are brought along: scripts, recordings, functions."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from simulator_requests import RECORDED, WEATHER, asked, chat, chunks, gathered, post, refused, tool, user

from agentkit.errors import ConfigurationError
from agentkit.simulator import Simulator
from agentkit.simulator.brains import Call, Plan, Turn
from agentkit.simulator.brains.replay import Replay
from agentkit.simulator.brains.script import Expect, Line, Script
from agentkit.simulator.refusal import Refusal

QUESTION = chat(user("Weather in Paris?"), tools=[WEATHER])


def said(body: Mapping[str, Any], simulator: Simulator) -> dict[str, Any]:
    return asked(body, simulator)["choices"][0]["message"]


# ── Functions ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("Hello.", {"content": "Hello."}),
        (Plan(content="Hello."), {"content": "Hello."}),
        ({"text": "Hello."}, {"content": "Hello."}),
        (Call("weather", '{"city":1}'), {"content": "", "calls": [("weather", '{"city":1}')]}),
        (
            [Call("weather", "{}"), Call("weather", "[]")],
            {"content": "", "calls": [("weather", "{}"), ("weather", "[]")]},
        ),
        (
            {"text": "Let me look.", "calls": [{"name": "weather", "arguments": {"city": "Saint-Étienne"}}]},
            {"content": "Let me look.", "calls": [("weather", '{"city": "Saint-Étienne"}')]},
        ),
        ({"calls": [{"name": "weather"}]}, {"content": "", "calls": [("weather", "{}")]}),
        ({"calls": [{"name": "weather", "arguments": "{oops"}]}, {"content": "", "calls": [("weather", "{oops")]}),
    ],
)
def test_a_function_says_it_shortly(value: object, message: dict[str, Any]) -> None:
    simulator = Simulator(brain=lambda _: value)
    for found in (said(QUESTION, simulator), gathered(chunks(QUESTION, simulator))):
        calls = [(call["function"]["name"], call["function"]["arguments"]) for call in found.get("tool_calls", ())]
        assert {"content": found["content"], **({"calls": calls} if calls else {})} == message


def test_a_function_sees_what_a_model_would_be_shown() -> None:
    turns: list[Turn] = []

    def brain(turn: Turn) -> str:
        turns.append(turn)
        return "{}"

    body = chat(
        {"role": "system", "content": "You answer in JSON."},
        user("Weather?"),
        tools=[WEATHER, tool("other")],
        tool_choice={"type": "function", "function": {"name": "weather"}},
        response_format={"type": "json_object"},
    )
    asked(body, Simulator(brain=brain, clock=lambda: 12.0))
    (turn,) = turns
    assert [tool.name for tool in turn.tools] == ["weather"]
    assert (turn.model, turn.must_call, turn.json, turn.thinking, turn.now) == ("deepseek-flash", True, True, False, 12)
    assert [message.role for message in turn.messages] == ["system", "user"]


def test_a_finish_reason_and_an_id_come_as_they_are_said() -> None:
    plan = {"calls": [{"name": "weather", "id": "functions.weather:0"}], "finish": "stop", "reasoning": "Hm."}
    choice = asked({**QUESTION, "thinking": {"type": "enabled"}}, Simulator(brain=lambda _: plan))["choices"][0]
    assert choice["finish_reason"] == "stop"
    assert choice["message"]["tool_calls"][0]["id"] == "functions.weather:0"
    assert choice["message"]["reasoning_content"] == "Hm."


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (None, "None is no reply; it must be a text, a `Call` or a list of them, a mapping, or a `Plan`"),
        (7, "7 is no reply"),
        ([], "[] is no reply"),
        ([Call("a", "{}"), "b"], "is no reply"),
        ({"txt": "Hello."}, "there is no key `txt`; did you mean `text`?"),
        ({"zzz": 1}, "there is no key `zzz`; there are `text`, `reasoning`, `calls`, `finish`"),
        ({"text": 1}, "`text` is 1; it must be a text"),
        ({"calls": "weather"}, "`calls` is 'weather'; it must be a list"),
        ({"calls": [{"arguments": {}}]}, "call 1: it has no `name`"),
        ({"calls": [Call("a", "{}"), {"name": "b", "arguments": 3}]}, "call 2: `arguments` is 3"),
        ({"calls": [{"name": "b", "arguments": {"x": object}}]}, "`arguments` cannot be written as JSON"),
        ({"calls": ["weather"]}, "call 1: 'weather' is no call"),
    ],
)
def test_what_is_no_reply_is_refused_with_the_reason(value: object, told: str) -> None:
    def brain(_: Turn) -> object:
        return value

    status, text = refused(QUESTION, Simulator(brain=brain))
    assert status == 400
    assert "brain `test_what_is_no_reply_is_refused_with_the_reason.<locals>.brain`" in text
    assert told in text


def test_a_function_that_fails_says_what_and_where() -> None:
    def brain(turn: Turn) -> str:
        return {"Hello": "Hi."}[turn.messages[-1].text or ""]

    simulator = Simulator(brain=brain)
    status, text = refused(QUESTION, simulator)
    assert status == 400
    assert "raised KeyError: 'Weather in Paris?'" in text
    assert f"({__file__}, line " in text
    assert "KeyError" in simulator.log[0].text


def test_a_function_may_refuse_with_a_status() -> None:
    def brain(_: Turn) -> str:
        raise Refusal("Not today.", status=503)

    assert refused(QUESTION, Simulator(brain=brain)) == (503, "Not today.")


def test_a_brain_that_cannot_be_called_is_an_error() -> None:
    with pytest.raises(ConfigurationError, match="'Hello' cannot be called"):
        Simulator(brain="Hello")


def test_another_brain_may_take_over() -> None:
    simulator = Simulator(brain=lambda _: "One.")
    assert said(QUESTION, simulator)["content"] == "One."
    simulator.brain = Script("Two.")
    assert said(QUESTION, simulator)["content"] == "Two."


# ── Scripts ──────────────────────────────────────────────────────────────────────────────────────────────────────────

TOML = """
[[reply]]
reasoning = "The weather tool knows."
calls = [{ name = "weather", arguments = { city = "Paris" } }]
expect = { last = "Paris", role = "user", tools = ["weather"], messages = 1, model = "deepseek-flash" }

[[reply]]
text = "It is sunny."
expect = { role = "tool", matches = "(?i)SUN" }
"""


def conversation(simulator: Simulator) -> str:
    first = said(QUESTION, simulator)
    answers = [
        {"role": "tool", "tool_call_id": call["id"], "content": "sunny, 21 degrees"} for call in first["tool_calls"]
    ]
    return said({**QUESTION, "messages": [*QUESTION["messages"], first, *answers]}, simulator)["content"]


def test_a_script_gives_its_replies_one_after_the_other(tmp_path: Path) -> None:
    path = tmp_path / "script.toml"
    path.write_text(TOML)
    script = Script.read(path)
    assert conversation(Simulator(brain=script)) == "It is sunny."
    script.assert_complete()
    assert script.asked == 2


def test_the_same_script_in_python() -> None:
    def second(turn: Turn) -> object:
        return {"text": f"It says: {turn.messages[-1].text}", "expect": {"role": "tool"}}

    script = Script(
        Line(Plan(calls=(Call("weather", '{"city": "Paris"}'),)), Expect(last="Paris", thinking=False)), second
    )
    assert conversation(Simulator(brain=script)) == "It says: sunny, 21 degrees"
    script.assert_complete()


@pytest.mark.parametrize(
    ("expect", "told"),
    [
        ({"last": "Tokyo"}, "the last message does not contain “Tokyo”; it is “Weather in Paris?”"),
        ({"matches": "^in"}, "the last message does not match “^in”"),
        ({"role": "tool"}, "the last message's role is 'user', not 'tool'"),
        ({"system": "Be kind."}, "no system message contains “Be kind.”"),
        ({"tools": []}, "the tools are `weather`, not none"),
        ({"tools": ["weather", "add"]}, "the tools are `weather`, not `add`, `weather`"),
        ({"messages": 3}, "the number of messages is 1, not 3"),
        ({"model": "deepseek-chat"}, "the model is 'deepseek-flash', not 'deepseek-chat'"),
        ({"thinking": True}, "thinking is False, not True"),
        ({"check": lambda turn: len(turn.messages) > 1}, "the check says no"),
        ({"last": "Rome", "messages": 2}, "it is “Weather in Paris?”; the number of messages is 1, not 2"),
    ],
)
def test_a_request_that_is_not_as_expected_is_refused_and_kept(expect: dict[str, Any], told: str) -> None:
    script = Script({"text": "Hello.", "expect": expect})
    simulator = Simulator(brain=script)
    status, text = refused(QUESTION, simulator)
    assert status == 400
    assert text.startswith("script, reply 1: ")
    assert told in text
    assert told in json.loads(simulator.log[0].text)["error"]["message"]
    with pytest.raises(AssertionError) as caught:
        script.assert_complete()
    assert told in str(caught.value)


def test_a_check_may_assert() -> None:
    def check(turn: Turn) -> None:
        assert turn.tools == (), "there must be no tools"

    script = Script(Line(Plan("Hello."), Expect(check=check)))
    assert "there must be no tools" in refused(QUESTION, Simulator(brain=script))[1]


def test_one_request_too_many_and_one_too_few_are_told() -> None:
    script = Script("One.", name="the script of this test")
    with pytest.raises(AssertionError, match="the script of this test: 0 of 1 replies were asked for"):
        script.assert_complete()
    simulator = Simulator(brain=script)
    asked(QUESTION, simulator)
    script.assert_complete()
    assert refused(QUESTION, simulator)[1] == "the script of this test has 1 replies, and this is request 2"
    with pytest.raises(AssertionError, match="this is request 2"):
        script.assert_complete()


def test_a_failing_fault_takes_no_reply_from_the_script() -> None:
    script = Script("One.")
    simulator = Simulator(brain=script, faults="429@1")
    assert post(QUESTION, simulator).status == 429
    assert said(QUESTION, simulator)["content"] == "One."
    script.assert_complete()


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("[[reply]\n", "is no TOML: Expected"),
        ("", "it has no `[[reply]]`"),
        ("[[replies]]\n", "there is no key `replies`; did you mean `reply`?"),
        ("[[reply]]\ntext = 3\n", "reply 1: `text` is 3; it must be a text"),
        (
            "[[reply]]\ntext = 'a'\n[[reply]]\nexpects = {}\n",
            "reply 2: there is no key `expects`; did you mean `expect`?",
        ),
        ("[[reply]]\nexpect = { lost = 'a' }\n", "reply 1, expect: there is no key `lost`; did you mean `last`?"),
        ("[[reply]]\nexpect = { tools = 'a' }\n", "reply 1, expect: `tools` is 'a'; it must be a list of names"),
        ("[[reply]]\nexpect = { messages = '3' }\n", "`messages` is '3'; it must be of the type int"),
        ("[[reply]]\nexpect = { thinking = 1 }\n", "`thinking` is 1; it must be of the type bool"),
        ("[[reply]]\nexpect = { matches = '(' }\n", "`matches` is no regular expression"),
        ("[[reply]]\nexpect = 'Paris'\n", "'Paris' is no table of what to expect"),
        ("[[reply]]\ncalls = [{ name = 'a', arguments = [1] }]\n", "reply 1, call 1: `arguments` is [1]"),
    ],
)
def test_a_bad_script_says_what_and_where(tmp_path: Path, content: str, told: str) -> None:
    path = tmp_path / "bad.toml"
    path.write_text(content)
    with pytest.raises(ConfigurationError) as caught:
        Script.read(path)
    assert f"script `{path}`" in str(caught.value)
    assert told in str(caught.value)


def test_a_script_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="No such file"):
        Script.read(tmp_path / "none.toml")
    with pytest.raises(ConfigurationError, match="script, reply 2: 3 is no reply"):
        Script("One.", 3)  # type: ignore[arg-type]


# ── Recordings ───────────────────────────────────────────────────────────────────────────────────────────────────────


def record(
    folder: Path, body: Mapping[str, Any], reply: str, *, name: str = "response.json", status: int = 200
) -> None:
    folder.mkdir(parents=True)
    (folder / "request.json").write_text(json.dumps({"method": "POST", "url": "https://x", "body": body}))
    (folder / name).write_text(reply)
    (folder / "response_meta.json").write_text(json.dumps({"status": status, "headers": {}}))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two steps of a conversation, one of them streamed, and an error."""
    ours = Simulator(brain=Script(Call("weather", '{"city": "Paris"}', "call_00_abc"), "It is sunny."))
    first = post(QUESTION, ours).body.decode()
    message = json.loads(first)["choices"][0]["message"]
    told = {"role": "tool", "tool_call_id": "call_00_abc", "content": "sunny"}
    second = {**QUESTION, "messages": [*QUESTION["messages"], message, told], "stream": True}
    record(tmp_path / "talk__1", QUESTION, first)
    record(tmp_path / "talk__2", second, post(second, ours).body.decode(), name="response.sse")
    error = {"error": {"message": "Insufficient Balance", "type": "unknown_error", "param": None, "code": "x"}}
    record(tmp_path / "deep" / "poor", chat(user("Hello")), json.dumps(error), status=402)
    return tmp_path


def test_a_recorded_request_gets_the_recorded_reply_streamed_or_not(folder: Path) -> None:
    replay = Replay(folder)
    assert [one.name for one in replay.recordings] == ["deep/poor", "talk__1", "talk__2"]
    simulator = Simulator(brain=replay)
    first = said({**QUESTION, "temperature": 0.5, "max_tokens": 900}, simulator)
    assert first["tool_calls"][0]["id"] == "call_00_abc"
    first["tool_calls"][0]["id"] = "call_of_somebody_else"
    told = {"role": "tool", "tool_call_id": "call_of_somebody_else", "content": "sunny"}
    assert said({**QUESTION, "messages": [*QUESTION["messages"], first, told]}, simulator)["content"] == "It is sunny."
    assert gathered(chunks(QUESTION, simulator))["tool_calls"][0]["function"]["name"] == "weather"
    assert refused(chat(user("Hello")), simulator) == (402, "Insufficient Balance")
    assert replay.misses == []


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            {"messages": [user("Weather in Rome?")]},
            "`messages[0].content` is “Weather in Rome?”, recorded was “Weather in Paris?”",
        ),
        ({"model": "deepseek-v4-pro"}, "`model` is “deepseek-v4-pro”, recorded was “deepseek-flash”"),
        ({"thinking": {"type": "enabled"}}, "`thinking` is “True, effort None”, recorded was “False”"),
        ({"tools": [WEATHER, tool("other")]}, "`tools[1].name` was asked where `messages[0].role` was recorded"),
        ({"messages": [*QUESTION["messages"], user("Now!")]}, "`messages[1].role` is “user”, recorded was"),
    ],
)
def test_a_miss_shows_the_nearest_and_the_first_difference(folder: Path, change: dict[str, Any], told: str) -> None:
    replay = Replay(folder)
    status, text = refused({**QUESTION, **change}, Simulator(brain=replay))
    assert status == 400
    assert text.startswith(f"no recording in `{folder}` has this request; the nearest is `talk__")
    assert told in text
    assert replay.misses == [text]


def test_of_a_long_text_the_difference_is_shown(folder: Path) -> None:
    shutil.rmtree(folder / "deep")
    body = json.loads((folder / "talk__1" / "request.json").read_text())["body"]
    long = "The cat sat on the mat. " * 50
    record(
        folder / "long",
        {**body, "messages": [user(long + "Paris?")]},
        (folder / "talk__1" / "response.json").read_text(),
    )
    text = refused({**QUESTION, "messages": [user(long + "Rome?")]}, Simulator(brain=Replay(folder)))[1]
    assert "the nearest is `long`" in text
    assert "Rome?”, recorded was “… " in text
    assert len(text) < 500


def test_the_same_request_twice_gets_its_replies_in_order(folder: Path) -> None:
    record(folder / "talk__1b", QUESTION, json.dumps({"choices": [{"message": {"content": "Again."}}]}))
    simulator = Simulator(brain=Replay(folder))
    texts = [said(QUESTION, simulator)["content"] for _ in range(3)]
    assert texts == ["", "Again.", "Again."]


def test_what_cannot_be_read_is_skipped_with_the_reason(folder: Path) -> None:
    record(folder / "broken", QUESTION, "{")
    record(folder / "foreign", {**QUESTION, "model": "gpt-oss"}, "{}")
    replay = Replay(folder)
    assert set(replay.skipped) == {"broken", "foreign"}
    assert "serves no model `gpt-oss`" in replay.skipped["foreign"]


def test_a_folder_without_recordings_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="there is no folder"):
        Replay(tmp_path / "none")
    with pytest.raises(ConfigurationError, match="has no recording that can be read"):
        Replay(tmp_path)
    record(tmp_path / "broken", QUESTION, "{")
    with pytest.raises(ConfigurationError, match="`broken`: JSONDecodeError"):
        Replay(tmp_path)


@pytest.mark.skipif(not RECORDED.is_dir(), reason="needs ../shared")
@pytest.mark.parametrize("stream", [False, True])
def test_every_recorded_completion_is_replayed(stream: bool) -> None:
    replay = Replay(RECORDED, profile="deepseek-v4")
    simulator = Simulator("deepseek-v4", brain=replay)
    assert len(replay.recordings) > 150
    count = 0
    for recording in replay.recordings:
        if not isinstance(recording.reply, Plan) or "Azure" in recording.name:
            continue
        body = json.loads((RECORDED / recording.name / "request.json").read_text())["body"]
        reply = post({**body, "stream": stream, "stream_options": None, "max_tokens": None}, simulator)
        assert reply.status == 200, (recording.name, reply.body)
        assert json.dumps(recording.reply.content, ensure_ascii=False)[1:30] in reply.body.decode() or stream
        count += 1
    assert count > 150
    assert replay.misses == []


def test_replay_reads_requests_by_the_rules_of_its_profile(tmp_path: Path) -> None:
    body = {"model": "deepseek-v3", "messages": [user("Hello")]}
    record(tmp_path / "one", body, json.dumps({"choices": [{"message": {"content": "Hi."}}]}))
    reply = post(body, Simulator("lkeap", brain=Replay(tmp_path, profile="lkeap")), "/v1/chat/completions")
    assert json.loads(reply.body)["choices"][0]["message"]["content"] == "Hi."
